//! How values of the library are written on the command line.

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::layers::pool::Pooling;
use crate::loss::Form;
use crate::network::Convolution;
use crate::pyramid::Scales;
use crate::stylize::{LayerWeight, Optimizer, Size};
use crate::vgg::Preprocessing;

/// The longest side that `--size` takes, in pixels. A square of it overflows nothing, and fits no memory.
pub(super) const LONGEST_SIZE: u64 = 1_000_000;

impl ValueEnum for Form {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Relative, Self::Gatys]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::Relative => "relative",
            Self::Gatys => "gatys",
        }))
    }
}

impl ValueEnum for Pooling {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Max, Self::Average]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::Max => "max",
            Self::Average => "average",
        }))
    }
}

impl ValueEnum for Convolution {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Auto, Self::Im2col, Self::Winograd]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::Auto => "auto",
            Self::Im2col => "im2col",
            Self::Winograd => "winograd",
        }))
    }
}

impl ValueEnum for Optimizer {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Lbfgs, Self::Adam]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::Lbfgs => "lbfgs",
            Self::Adam => "adam",
        }))
    }
}

impl ValueEnum for Preprocessing {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

/// What a value is called on the command line.
pub(super) fn name(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

/// `--init`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Init {
    Content,
    Noise,
    File(PathBuf),
}

pub(super) fn init(text: &str) -> Result<Init, String> {
    Ok(match text {
        "content" => Init::Content,
        "noise" => Init::Noise,
        file => Init::File(file.into()),
    })
}

/// `auto`, or a count.
pub(super) fn scales(text: &str) -> Result<Scales, String> {
    match (text, text.parse()) {
        ("auto", _) => Ok(Scales::Auto),
        (_, Ok(count @ 1..)) => Ok(Scales::Count(count)),
        _ => Err("expected auto or a number from 1".to_owned()),
    }
}

/// `relu4_2`, or `relu4_2=0.5`.
pub(super) fn layer_weight(text: &str) -> Result<LayerWeight, String> {
    match text.split_once('=') {
        None => Ok((text.to_owned(), None)),
        Some((layer, weight)) => match weight.parse() {
            Ok(weight) => Ok((layer.to_owned(), Some(weight))),
            Err(_) => Err(format!("expected a number behind =, found {weight:?}")),
        },
    }
}

/// A number of pixels, or 0 for the picture's own size.
pub(super) fn size(pixels: u64) -> Size {
    match pixels {
        0 => Size::Own,
        // At most LONGEST_SIZE.
        pixels => Size::Longest(pixels as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_may_have_weights() {
        assert_eq!(layer_weight("relu4_2"), Ok(("relu4_2".to_owned(), None)));
        assert_eq!(layer_weight("relu4_2=0.5"), Ok(("relu4_2".to_owned(), Some(0.5))));
        for wrong in ["relu4_2=", "relu4_2=x", "relu4_2=1=2"] {
            assert!(layer_weight(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn scales_are_auto_or_counted() {
        assert_eq!(scales("auto"), Ok(Scales::Auto));
        assert_eq!(scales("3"), Ok(Scales::Count(3)));
        for wrong in ["", "0", "-1", "1.5", "all"] {
            assert!(scales(wrong).is_err(), "{wrong}");
        }
    }
}
