//! How a picture is prepared for a network.

use super::PICTURE_CHANNELS;
use crate::named::{Named, named};

/// How a picture becomes the network's input: the convention that the weights were trained with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Preprocessing {
    /// The paper's authors' and Caffe's: blue, green, red in 0–255, minus the training pictures' mean.
    Caffe,
    /// torchvision's and timm's: red, green, blue in 0–1, minus the mean, over the standard deviation.
    Torchvision,
}

impl Preprocessing {
    /// The convention with this name, or with the longer one of weights files' metadata (`caffe-bgr`,
    /// `torchvision-rgb`).
    #[doc(hidden)]
    pub fn from_metadata(name: &str) -> Option<Self> {
        match name {
            "caffe-bgr" => Some(Self::Caffe),
            "torchvision-rgb" => Some(Self::Torchvision),
            _ => Self::from_name(name),
        }
    }

    /// How each of the network's input channels comes from the picture.
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
    /// What the plane is multiplied by.
    pub scale: f32,
    /// What is added then.
    pub offset: f32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back() {
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
