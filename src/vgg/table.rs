//! The table of the VGG networks and their layers.

use std::fmt;

use super::{ConvSpec, GROUPS, Layer, PICTURE_CHANNELS, POOLED_SIDE};
use crate::error::{Error, Result};

/// Output channels of the convolutions of each group, in the paper.
const CHANNELS: [usize; GROUPS] = [64, 128, 256, 512, 512];

/// Outputs of the dense layers fc6, fc7 and fc8, in the paper.
const DENSE: [usize; 3] = [4096, 4096, 1000];

/// A network of the VGG paper: a column of its table 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Architecture {
    /// 11 weight layers.
    A,
    /// A with local response normalisation (Krizhevsky 2012) after relu1_1.
    ALrn,
    /// 13 weight layers.
    B,
    /// 16 weight layers; the third convolution of groups 3, 4 and 5 is 1×1.
    C,
    /// 16 weight layers, all convolutions 3×3.
    D,
    /// 19 weight layers.
    E,
}

impl Architecture {
    /// All networks, in the table's order.
    pub const ALL: [Self; 6] = [Self::A, Self::ALrn, Self::B, Self::C, Self::D, Self::E];

    /// All networks in order of preference: the deepest first, and of two equally deep ones the simpler first.
    pub(crate) const DEEPEST_FIRST: [Self; 6] = [Self::E, Self::D, Self::C, Self::B, Self::A, Self::ALrn];

    /// The name used on the command line and in weights files: `vgg19`.
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "vgg11",
            Self::ALrn => "vgg11-lrn",
            Self::B => "vgg13",
            Self::C => "vgg16-c",
            Self::D => "vgg16",
            Self::E => "vgg19",
        }
    }

    /// The network with this [name](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|architecture| architecture.name() == name)
    }

    /// The heading of its column in the paper, such as `A-LRN`.
    #[doc(hidden)]
    pub fn column(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::ALrn => "A-LRN",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
            Self::E => "E",
        }
    }

    /// Its convolutions in forward order.
    #[doc(hidden)]
    pub fn convolutions(self) -> Vec<ConvSpec> {
        (1..=GROUPS)
            .flat_map(|group| {
                (1..=self.group_len(group)).map(move |index| ConvSpec {
                    group,
                    index,
                    kernel: if self == Self::C && group >= 3 && index == 3 { 1 } else { 3 },
                    channels: CHANNELS[group - 1],
                })
            })
            .collect()
    }

    /// Its feature layers in forward order: everything before the dense layers.
    pub fn layers(self) -> Vec<Layer> {
        let mut layers = Vec::new();
        for group in 1..=GROUPS {
            for index in 1..=self.group_len(group) {
                layers.extend([Layer::Conv { group, index }, Layer::Relu { group, index }]);
            }
            if self == Self::ALrn && group == 1 {
                layers.push(Layer::Norm);
            }
            layers.push(Layer::Pool { group });
        }
        layers
    }

    /// The feature layer with this name, such as `conv4_2`, `relu4_2` or `pool4`.
    ///
    /// # Errors
    /// [`Error::UnknownLayer`] where this network has no such layer.
    pub fn layer(self, name: &str) -> Result<Layer> {
        self.layers().into_iter().find(|layer| layer.to_string() == name).ok_or_else(|| Error::UnknownLayer {
            name: name.to_owned(),
            network: self.name().to_owned(),
            known: self.layer_names(),
        })
    }

    /// The number of weight layers, that is convolutions and dense layers.
    #[doc(hidden)]
    pub fn weight_layers(self) -> usize {
        self.convolutions().len() + DENSE.len()
    }

    /// The number of weights and biases of the whole network with the paper's channels (table 2).
    #[doc(hidden)]
    pub fn parameters(self) -> usize {
        let mut inputs = PICTURE_CHANNELS;
        let mut layer = |fan_in: usize, outputs: usize| {
            let parameters = fan_in * inputs * outputs + outputs;
            inputs = outputs;
            parameters
        };
        let convolutions: usize =
            self.convolutions().iter().map(|conv| layer(conv.kernel * conv.kernel, conv.channels)).sum();
        let [fc6, fc7, fc8] = DENSE;
        convolutions + layer(POOLED_SIDE * POOLED_SIDE, fc6) + layer(1, fc7) + layer(1, fc8)
    }

    /// The number of convolutions of a group, 1 to 5.
    fn group_len(self, group: usize) -> usize {
        let lens = match self {
            Self::A | Self::ALrn => [1, 1, 2, 2, 2],
            Self::B => [2, 2, 2, 2, 2],
            Self::C | Self::D => [2, 2, 3, 3, 3],
            Self::E => [2, 2, 4, 4, 4],
        };
        lens[group - 1]
    }

    /// All layer names, abbreviated for an error message.
    fn layer_names(self) -> String {
        let groups: Vec<_> = (1..=GROUPS)
            .map(|group| match self.group_len(group) {
                1 => format!("{group}_1"),
                len => format!("{group}_1 to {group}_{len}"),
            })
            .collect();
        let norm = if self == Self::ALrn { "norm1, " } else { "" };
        format!("conv and relu {}, {norm}pool1 to pool{GROUPS}", groups.join(", "))
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The paper's table 1 (weight layers) and table 2 (millions of parameters).
    #[test]
    fn table_is_the_papers() {
        let weight_layers = Architecture::ALL.map(Architecture::weight_layers);
        assert_eq!(weight_layers, [11, 11, 13, 16, 16, 19]);
        let millions = Architecture::ALL.map(|a| (a.parameters() as f64 / 1e6).round());
        assert_eq!(millions, [133.0, 133.0, 133.0, 134.0, 138.0, 144.0]);
    }

    #[test]
    fn column_c_has_three_1x1_convolutions() {
        let small = |architecture: Architecture| -> Vec<_> {
            let convolutions = architecture.convolutions();
            convolutions.iter().filter(|c| c.kernel == 1).map(|c| c.layer().to_string()).collect()
        };
        assert_eq!(small(Architecture::C), ["conv3_3", "conv4_3", "conv5_3"]);
        assert!(Architecture::ALL.into_iter().all(|a| a == Architecture::C || small(a).is_empty()));
    }

    #[test]
    fn layers_are_in_forward_order_and_found_by_name() {
        for architecture in Architecture::ALL {
            let layers = architecture.layers();
            assert!(layers.is_sorted_by(|a, b| a < b), "{architecture}");
            for &layer in &layers {
                assert_eq!(architecture.layer(&layer.to_string()).unwrap(), layer);
            }
        }
        let names: Vec<_> = Architecture::ALrn.layers().iter().map(Layer::to_string).collect();
        assert_eq!(names[..6], ["conv1_1", "relu1_1", "norm1", "pool1", "conv2_1", "relu2_1"]);
    }

    #[test]
    fn unknown_layers_are_refused_with_the_known_ones() {
        for name in ["conv4_5", "relu6_1", "pool0", "norm1", "Conv1_1", "conv1", ""] {
            let message = Architecture::E.layer(name).unwrap_err().to_string();
            assert_eq!(
                message,
                format!(
                    "no layer {name:?} in vgg19; it has conv and relu 1_1 to 1_2, 2_1 to 2_2, 3_1 to 3_4, \
                     4_1 to 4_4, 5_1 to 5_4, pool1 to pool5"
                )
            );
        }
        let message = Architecture::ALrn.layer("conv1_2").unwrap_err().to_string();
        assert!(
            message.ends_with(
                "conv and relu 1_1, 2_1, 3_1 to 3_2, 4_1 to 4_2, 5_1 to 5_2, norm1, pool1 to pool5"
            )
        );
    }

    #[test]
    fn names_round_trip() {
        for architecture in Architecture::ALL {
            assert_eq!(Architecture::from_name(architecture.name()), Some(architecture));
        }
        assert_eq!(Architecture::from_name("vgg"), None);
    }
}
