//! VGG as data: table 1 of Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale
//! Image Recognition" (2014, arXiv:1409.1556), its layers' names, and how a picture is prepared for it.
//!
//! All six networks share one plan: five groups of convolutions, each convolution followed by a ReLU
//! and each group by a 2×2 pool of stride 2, then three dense layers. They differ in how many
//! convolutions a group has.

use std::cmp::Ordering;
use std::fmt;

use crate::error::{Error, Result};
use crate::named::{Named, named};

/// Groups of convolutions in every network.
pub const GROUPS: usize = 5;

/// Channels of a picture, and so of what conv1_1 takes.
pub const PICTURE_CHANNELS: usize = 3;

/// The paper's width (output channels) of the convolutions of each group.
const CHANNELS: [usize; GROUPS] = [64, 128, 256, 512, 512];

/// The paper's width of each dense layer: fc6, fc7, fc8.
pub const DENSE: [usize; 3] = [4096, 4096, 1000];

/// Width and height of pool5 for the 224×224 picture that the classifier was trained on, which is what
/// fc6 takes.
pub const POOLED_SIDE: usize = 7;

/// A column of the paper's table 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Architecture {
    /// 11 weight layers.
    A,
    /// A with a local response normalisation (Krizhevsky 2012) after relu1_1.
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
    /// The whole table, in its order.
    pub const ALL: [Self; 6] = [Self::A, Self::ALrn, Self::B, Self::C, Self::D, Self::E];

    /// Deepest first, and of two as deep the plainer first: which network to try or to prefer before
    /// which.
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

    /// The head of its column in the paper: `A-LRN`.
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
    pub fn convolutions(self) -> Vec<Convolution> {
        (1..=GROUPS)
            .flat_map(|group| {
                (1..=self.group_len(group)).map(move |index| Convolution {
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

    /// Convolutions and dense layers: the paper's count of weight layers.
    pub fn weight_layers(self) -> usize {
        self.convolutions().len() + DENSE.len()
    }

    /// Weights and biases of the whole network at the paper's widths (table 2).
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

    /// How many convolutions a group (1 to 5) has.
    fn group_len(self, group: usize) -> usize {
        let lens = match self {
            Self::A | Self::ALrn => [1, 1, 2, 2, 2],
            Self::B => [2, 2, 2, 2, 2],
            Self::C | Self::D => [2, 2, 3, 3, 3],
            Self::E => [2, 2, 4, 4, 4],
        };
        lens[group - 1]
    }

    /// All layer names in a form short enough for an error message.
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

/// A convolution of the table: stride 1, zero padding that keeps the picture's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Convolution {
    /// Its group, 1 to 5: the B of `convB_I`.
    pub group: usize,
    /// Its place in the group, from 1: the I of `convB_I`.
    pub index: usize,
    /// Width and height of its kernel: 3, or 1 in network C's conv3_3, conv4_3 and conv5_3.
    pub kernel: usize,
    /// Output channels in the paper. A weights file may have fewer or more.
    pub channels: usize,
}

impl Convolution {
    /// Its place among the layers.
    pub fn layer(&self) -> Layer {
        Layer::Conv { group: self.group, index: self.index }
    }
}

/// A feature layer by the field's names. Layers of one network are ordered as the forward pass runs
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layer {
    /// `convB_I`: a convolution with its bias, before the ReLU.
    Conv {
        /// B, 1 to 5.
        group: usize,
        /// I, from 1.
        index: usize,
    },
    /// `reluB_I`: max(0, convB_I).
    Relu {
        /// B, 1 to 5.
        group: usize,
        /// I, from 1.
        index: usize,
    },
    /// `norm1`: network A-LRN's local response normalisation of relu1_1 (Krizhevsky 2012, section 3.3).
    Norm,
    /// `poolB`: 2×2, stride 2, after the last ReLU of group B; an odd last row or column is dropped.
    Pool {
        /// B, 1 to 5.
        group: usize,
    },
}

impl Layer {
    /// Pixels of the picture from one of the layer's positions to the next: its maps have ⌊side /
    /// stride⌋ positions along a side of the picture.
    pub fn stride(self) -> usize {
        match self {
            Self::Conv { group, .. } | Self::Relu { group, .. } => 1 << (group - 1),
            Self::Norm => 1,
            Self::Pool { group } => 1 << group,
        }
    }

    /// The least side in pixels of a picture for which the layer has any position at all.
    pub fn least_side(self) -> usize {
        self.stride()
    }

    /// Sorts as the forward pass runs.
    fn order(self) -> (usize, usize, usize) {
        match self {
            Self::Conv { group, index } => (group, index, 0),
            Self::Relu { group, index } => (group, index, 1),
            Self::Norm => (1, 1, 2),
            Self::Pool { group } => (group, usize::MAX, 0),
        }
    }
}

impl Ord for Layer {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for Layer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conv { group, index } => write!(f, "conv{group}_{index}"),
            Self::Relu { group, index } => write!(f, "relu{group}_{index}"),
            Self::Norm => f.write_str("norm1"),
            Self::Pool { group } => write!(f, "pool{group}"),
        }
    }
}

/// How a picture becomes the network's input: the convention that the weights were trained with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preprocessing {
    /// The paper's authors' and Caffe's: blue, green, red in 0–255, minus the training pictures' mean.
    Caffe,
    /// torchvision's and timm's: red, green, blue in 0–1, minus the mean, over the standard deviation.
    Torchvision,
}

impl Preprocessing {
    /// The convention with this name, or with the longer one of weights files' metadata (`caffe-bgr`,
    /// `torchvision-rgb`).
    pub fn from_metadata(name: &str) -> Option<Self> {
        match name {
            "caffe-bgr" => Some(Self::Caffe),
            "torchvision-rgb" => Some(Self::Torchvision),
            _ => Self::from_name(name),
        }
    }

    /// How each of the network's input channels comes from the picture.
    pub fn channels(self) -> [InputChannel; PICTURE_CHANNELS] {
        match self {
            Self::Caffe => [(2, 103.939), (1, 116.779), (0, 123.68)].map(|(plane, mean)| InputChannel {
                plane,
                scale: 255.0,
                offset: -mean,
            }),
            Self::Torchvision => [(0, 0.485, 0.229), (1, 0.456, 0.224), (2, 0.406, 0.225)].map(
                |(plane, mean, deviation): (_, f64, f64)| InputChannel {
                    plane,
                    scale: (1.0 / deviation) as f32,
                    offset: (-mean / deviation) as f32,
                },
            ),
        }
    }
}

named!(Preprocessing { Caffe => "caffe", Torchvision => "torchvision" });

/// One channel of the network's input: `scale · x + offset` of one plane of a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InputChannel {
    /// The picture's plane: 0 red, 1 green, 2 blue, each in 0–1.
    pub plane: usize,
    /// What the plane is multiplied by.
    pub scale: f32,
    /// What is added then.
    pub offset: f32,
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
    fn least_side_leaves_one_position() {
        for architecture in Architecture::ALL {
            for layer in architecture.layers() {
                let pools = architecture
                    .layers()
                    .into_iter()
                    .filter(|l| l <= &layer && matches!(l, Layer::Pool { .. }))
                    .count();
                let positions = |side| (0..pools).fold(side, |side: usize, _| side / 2);
                assert_eq!(positions(layer.least_side()), 1, "{layer}");
                assert_eq!(positions(layer.least_side() - 1), 0, "{layer}");
                assert_eq!(positions(100), 100 / layer.stride(), "{layer}");
            }
        }
    }

    #[test]
    fn names_lead_back() {
        for architecture in Architecture::ALL {
            assert_eq!(Architecture::from_name(architecture.name()), Some(architecture));
        }
        assert_eq!(Architecture::from_name("vgg"), None);
        for &preprocessing in Preprocessing::ALL {
            assert_eq!(Preprocessing::from_name(preprocessing.name()), Some(preprocessing));
        }
        assert_eq!(Preprocessing::from_metadata("caffe-bgr"), Some(Preprocessing::Caffe));
        assert_eq!(Preprocessing::from_metadata("torchvision-rgb"), Some(Preprocessing::Torchvision));
        assert_eq!(Preprocessing::from_metadata("rgb"), None);
    }

    /// The mean picture becomes zero, and a step in red, green or blue goes to its own channel.
    #[test]
    fn preprocessing_subtracts_the_mean() {
        let input = |preprocessing: Preprocessing, rgb: [f32; 3]| {
            preprocessing.channels().map(|c| c.scale * rgb[c.plane] + c.offset)
        };
        let near = |found: [f32; 3], expected: [f32; 3]| {
            assert!(found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-4), "{found:?} {expected:?}");
        };
        near(input(Preprocessing::Caffe, [123.68, 116.779, 103.939].map(|m| m / 255.0)), [0.0; 3]);
        near(input(Preprocessing::Caffe, [1.0, 0.0, 0.0]), [-103.939, -116.779, 255.0 - 123.68]);
        near(input(Preprocessing::Torchvision, [0.485, 0.456, 0.406]), [0.0; 3]);
        near(input(Preprocessing::Torchvision, [0.485 + 0.229, 0.456, 0.406 - 0.225]), [1.0, 0.0, -1.0]);
    }
}
