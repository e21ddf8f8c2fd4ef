//! The preprocessing from a picture to a network's input.

use super::PICTURE_CHANNELS;
use crate::named::{Named, named};

/// The preprocessing from a picture to the network's input. It must be the one with which the weights were trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Preprocessing {
    /// That of the paper's authors and Caffe: BGR in 0–255, minus the mean of the training pictures.
    Caffe,
    /// That of torchvision and timm: RGB in 0–1, minus the mean, divided by the standard deviation.
    Torchvision,
}

impl Preprocessing {
    /// The preprocessing of this name, or of the longer name in the metadata of weights files (`caffe-bgr`,
    /// `torchvision-rgb`).
    #[doc(hidden)]
    pub fn from_metadata(name: &str) -> Option<Self> {
        match name {
            "caffe-bgr" => Some(Self::Caffe),
            "torchvision-rgb" => Some(Self::Torchvision),
            _ => Self::from_name(name),
        }
    }

    /// The computation of each of the network's input channels.
    #[doc(hidden)]
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
#[non_exhaustive]
pub struct InputChannel {
    /// The picture's plane: 0 red, 1 green, 2 blue, each in 0–1.
    pub plane: usize,
    /// The factor.
    pub scale: f32,
    /// The summand.
    pub offset: f32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for &preprocessing in Preprocessing::ALL {
            assert_eq!(Preprocessing::from_name(preprocessing.name()), Some(preprocessing));
        }
        assert_eq!(Preprocessing::from_metadata("caffe-bgr"), Some(Preprocessing::Caffe));
        assert_eq!(Preprocessing::from_metadata("torchvision-rgb"), Some(Preprocessing::Torchvision));
        assert_eq!(Preprocessing::from_metadata("rgb"), None);
    }

    /// The mean colour becomes zero, and a change of red, green or blue appears in the right channel.
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
