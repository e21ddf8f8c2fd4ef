//! The names that the layers of VGG's table have in a file.

use std::fmt;

use crate::vgg::{Architecture, ConvSpec, Preprocessing};

use super::container::Header;

/// How a file names its tensors: a stem for each layer, then `.weight` and `.bias`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Naming {
    /// By the paper's layers: `conv1_1` … `conv5_4`, `fc6`, `fc7`, `fc8`.
    Layers,
    /// torchvision's: `features.N`, N counting convolutions, ReLUs and pools from 0; `classifier.0`,
    /// `.3`, `.6`.
    Torchvision,
    /// timm's: `features.N` as torchvision's; `pre_logits.fc1`, `pre_logits.fc2`, `head.fc`.
    Timm,
}

/// A layer that has weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WeightLayer {
    Conv(ConvSpec),
    /// fc6, fc7 or fc8.
    Dense {
        number: usize,
    },
}

/// The number of the first dense layer, fc6.
pub(super) const FIRST_DENSE: usize = 6;

impl Naming {
    /// The naming that a file's tensors follow.
    pub(super) fn of(header: &Header) -> Result<Self, String> {
        let names = || header.tensors.keys().map(String::as_str);
        if let Some(name) = names().find(|name| name.ends_with(".running_mean")) {
            return Err(format!(
                "{name}: expected a VGG without batch normalisation, found one with it: \
                 fold it into the convolutions first"
            ));
        }
        let names_convolutions = |naming: Self| names().any(|name| naming.is_convolution(name));
        if names_convolutions(Self::Layers) {
            Ok(Self::Layers)
        } else if names_convolutions(Self::Torchvision) {
            let is_timms = |name: &str| name.starts_with("pre_logits.") || name.starts_with("head.");
            Ok(if names().any(is_timms) { Self::Timm } else { Self::Torchvision })
        } else {
            let found = names().next().map_or("none".to_owned(), |name| format!("{name} and others"));
            Err(format!("expected a VGG's tensors (conv1_1.weight or features.0.weight), found {found}"))
        }
    }

    /// The preprocessing that a file with these names and no metadata was trained with.
    pub(super) fn preprocessing(self) -> Preprocessing {
        match self {
            Self::Layers => Preprocessing::Caffe,
            Self::Torchvision | Self::Timm => Preprocessing::Torchvision,
        }
    }

    /// A network's layers with weights and the stems of their tensors' names, in forward order.
    pub(super) fn stems(self, architecture: Architecture) -> Vec<(WeightLayer, String)> {
        let layers = architecture.layers();
        let convolutions = architecture.convolutions().into_iter().map(|convolution| {
            let layer = convolution.layer();
            let stem = match self {
                Self::Layers => layer.to_string(),
                Self::Torchvision | Self::Timm => {
                    let index =
                        layers.iter().position(|l| *l == layer).expect("a network has its convolutions");
                    format!("features.{index}")
                }
            };
            (WeightLayer::Conv(convolution), stem)
        });
        let dense = match self {
            Self::Layers => ["fc6", "fc7", "fc8"],
            Self::Torchvision => ["classifier.0", "classifier.3", "classifier.6"],
            Self::Timm => ["pre_logits.fc1", "pre_logits.fc2", "head.fc"],
        };
        let dense =
            (FIRST_DENSE..).zip(dense).map(|(number, stem)| (WeightLayer::Dense { number }, stem.to_owned()));
        convolutions.chain(dense).collect()
    }

    /// Whether a tensor's name is one that this naming gives to convolutions, of any network.
    pub(super) fn is_convolution(self, tensor: &str) -> bool {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let Some((stem, "weight" | "bias")) = tensor.rsplit_once('.') else { return false };
        match self {
            Self::Layers => stem
                .strip_prefix("conv")
                .and_then(|place| place.split_once('_'))
                .is_some_and(|(group, index)| is_number(group) && is_number(index)),
            Self::Torchvision | Self::Timm => stem.strip_prefix("features.").is_some_and(is_number),
        }
    }
}

impl fmt::Display for Naming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Layers => "layers",
            Self::Torchvision => "torchvision",
            Self::Timm => "timm",
        })
    }
}

impl fmt::Display for WeightLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conv(convolution) => convolution.layer().fmt(f),
            Self::Dense { number } => write!(f, "fc{number}"),
        }
    }
}
