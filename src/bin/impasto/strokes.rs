//! The options that set the size of the strokes, and what is said of pictures that are enlarged.

use std::path::PathBuf;

use clap::Args;

use crate::failure::{Failure, Result};
use crate::values::LONGEST_SIZE;
use impasto::picture::Needed;
use impasto::stylize::{Style, StyleSize};

/// The size at which the styles are used. The styles' strokes are as large in the result.
#[derive(Debug, Args)]
#[command(next_help_heading = "Strokes")]
pub(crate) struct StrokeOptions {
    /// Size of the strokes: 0.5 finer, 2 coarser, 0.01 to 100. 1: the style has as many pixels as the result. One
    /// value, or one for each style [default: 1]
    #[arg(
        long,
        value_name = "K[,K…]",
        value_delimiter = ',',
        allow_negative_numbers = true,
        conflicts_with = "style_size"
    )]
    style_scale: Vec<f64>,

    /// Longest side of the style in pixels, in place of --style-scale. One value, or one for each style
    #[arg(long, value_name = "N[,N…]", value_delimiter = ',', allow_negative_numbers = true,
          value_parser = clap::value_parser!(u64).range(1..=LONGEST_SIZE))]
    style_size: Vec<u64>,
}

impl StrokeOptions {
    /// Refuses values that don't fit that many styles, or are out of range.
    pub(crate) fn check(&self, styles: usize) -> Result<()> {
        for (option, values) in
            [("--style-scale", self.style_scale.len()), ("--style-size", self.style_size.len())]
        {
            if values > 1 && values != styles {
                let reason =
                    format!("expected one value, or one for each style, found {values} for {styles}");
                return Err(Failure::option(option, reason));
            }
        }
        match self.style_scale.iter().find(|scale| !(0.01..=100.0).contains(*scale)) {
            Some(scale) => {
                Err(Failure::option("--style-scale", format!("must be 0.01 to 100, found {scale:?}")))
            }
            None => Ok(()),
        }
    }

    /// Whether there is a value for each of several styles.
    pub(crate) fn has_several(&self) -> bool {
        self.style_scale.len() > 1 || self.style_size.len() > 1
    }

    /// The style used at these sizes.
    pub(crate) fn apply(&self, style: Style) -> Result<Style> {
        let scales = self.style_scale.iter().map(|scale| StyleSize::Scale(*scale));
        // At most LONGEST_SIZE.
        let sizes = self.style_size.iter().map(|longest| StyleSize::Longest(*longest as usize));
        let sizes: Vec<_> = scales.chain(sizes).collect();
        match sizes.is_empty() {
            true => Ok(style),
            false => Ok(style.with_sizes(sizes)?),
        }
    }

    /// What is needed of the style with this index, counted from 0, for a result of `pixels` pixels.
    pub(crate) fn needed(&self, index: usize, pixels: usize) -> Needed {
        match (of(&self.style_scale, index), of(&self.style_size, index)) {
            (_, Some(longest)) => Needed::Longest(longest as usize),
            (Some(scale), None) => Needed::Pixels((pixels as f64 * scale * scale).ceil() as usize),
            (None, None) => Needed::Pixels(pixels),
        }
    }

    /// What is needed of the first style where the result, of this longest side, has its aspect: at least as much as of the
    /// result, so that the aspect does not depend on the strokes.
    pub(crate) fn needed_of_first(&self, longest: Option<u64>) -> Needed {
        let Some(longest) = longest else { return Needed::Whole };
        let used = match (of(&self.style_scale, 0), of(&self.style_size, 0)) {
            (_, Some(of_style)) => of_style,
            (Some(scale), None) => (longest as f64 * scale).ceil() as u64,
            (None, None) => longest,
        };
        Needed::Longest(used.max(longest) as usize)
    }
}

/// The value for the style with this index: the one for all, its own, or none.
fn of<T: Copy>(values: &[T], index: usize) -> Option<T> {
    match values {
        [all] => Some(*all),
        each => each.get(index).copied(),
    }
}

/// A picture's file, and its width and height in pixels as it was read.
pub(crate) type Opened = (PathBuf, (usize, usize));

/// By how much a picture is enlarged before it is worth a line.
const ENLARGED: f64 = 1.1;

/// A line that names the pictures that are used at a larger size than they have; `None` if there is none.
pub(crate) fn enlarged(opened: &[Opened], used: &[(usize, usize)]) -> Option<String> {
    let is_larger = |used: usize, read: usize| used as f64 > ENLARGED * read as f64;
    let both = opened.iter().zip(used);
    let enlarged = both.filter(|((_, read), used)| is_larger(used.0, read.0) && is_larger(used.1, read.1));
    let enlarged: Vec<_> = enlarged
        .map(|((path, read), used)| {
            format!("{} from {}×{} to {}×{}", path.display(), read.0, read.1, used.0, used.1)
        })
        .collect();
    match enlarged.is_empty() {
        true => None,
        false => Some(format!("enlarged: {}; larger pictures would give finer detail", enlarged.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(style_scale: &[f64], style_size: &[u64]) -> StrokeOptions {
        StrokeOptions { style_scale: style_scale.to_vec(), style_size: style_size.to_vec() }
    }

    #[test]
    fn there_is_one_value_or_one_for_each_style() {
        assert!(options(&[], &[]).check(3).is_ok());
        assert!(options(&[2.0], &[]).check(3).is_ok());
        assert!(options(&[], &[9, 9, 9]).check(3).is_ok());
        assert!(options(&[2.0, 1.0], &[]).check(3).is_err());
        assert!(options(&[], &[9, 9]).check(1).is_err());
    }

    #[test]
    fn as_much_is_read_as_is_used() {
        assert_eq!(options(&[], &[]).needed(1, 100), Needed::Pixels(100));
        assert_eq!(options(&[2.0], &[]).needed(1, 100), Needed::Pixels(400));
        assert_eq!(options(&[1.0, 0.5], &[]).needed(1, 100), Needed::Pixels(25));
        assert_eq!(options(&[], &[70]).needed(1, 100), Needed::Longest(70));
        assert_eq!(options(&[2.0], &[]).needed_of_first(Some(500)), Needed::Longest(1000));
        assert_eq!(options(&[0.5], &[]).needed_of_first(Some(500)), Needed::Longest(500));
        assert_eq!(options(&[2.0], &[]).needed_of_first(None), Needed::Whole);
    }

    #[test]
    fn only_pictures_that_are_enlarged_are_named() {
        let of = |name: &str, size| (PathBuf::from(name), size);
        let (small, large) = (of("small.png", (30, 20)), of("large.png", (90, 60)));
        assert_eq!(enlarged(&[large.clone(), large.clone()], &[(90, 60), (30, 20)]), None);
        assert_eq!(enlarged(std::slice::from_ref(&large), &[(96, 64)]), None);
        let line = enlarged(&[large, small], &[(30, 20), (90, 60)]).unwrap();
        assert!(line.starts_with("enlarged: small.png from 30×20 to 90×60;"), "{line}");
    }
}
