//! The size at which a style picture is used, which decides the size of its strokes in the result.

use crate::error::{Error, Result, Setting};
use crate::picture::fit;

/// The smallest and the largest scale of [`StyleSize::Scale`].
const SCALES: std::ops::RangeInclusive<f64> = 0.01..=100.0;

/// The largest side of [`StyleSize::Longest`], in pixels. A square of it overflows nothing, and fits no memory.
const MAX_LONGEST: usize = 1_000_000;

/// The size at which a style picture is used. The larger it is, the larger its strokes are in the result.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum StyleSize {
    /// This many times as long and wide as with the number of pixels of the result, 0.01 to 100: 0.5 gives finer strokes, 2
    /// coarser ones. By default 1.
    Scale(f64),
    /// This longest side in pixels, 1 to 1 000 000. It applies to the full size of the result; at smaller scales of the
    /// schedule the style is smaller in proportion.
    Longest(usize),
    /// The picture's own size, at every scale of the schedule.
    Own,
}

impl Default for StyleSize {
    fn default() -> Self {
        Self::Scale(1.0)
    }
}

impl StyleSize {
    /// Width and height of a style picture of `width` by `height` pixels, for a picture of `pixels` pixels on the way to a
    /// result of `of_result` pixels.
    pub(super) fn size(
        self,
        (width, height): (usize, usize),
        pixels: usize,
        of_result: usize,
    ) -> (usize, usize) {
        let longest = match self {
            Self::Own => return (width, height),
            Self::Scale(scale) => {
                let aspect = width.max(height) as f64 / width.min(height) as f64;
                scale * (pixels as f64 * aspect).sqrt()
            }
            Self::Longest(longest) => longest as f64 * (pixels as f64 / of_result as f64).sqrt(),
        };
        // The cast saturates.
        fit(width, height, longest.round().max(1.0) as usize)
    }

    /// # Errors
    /// [`Error::Setting`] for a value out of range.
    pub(super) fn check(self) -> Result<()> {
        let reason = match self {
            Self::Scale(scale) if !SCALES.contains(&scale) => {
                format!("a scale must be {} to {}, found {scale:?}", SCALES.start(), SCALES.end())
            }
            Self::Longest(longest) if !(1..=MAX_LONGEST).contains(&longest) => {
                format!("a longest side must be 1 to {MAX_LONGEST} pixels, found {longest}")
            }
            _ => return Ok(()),
        };
        Err(Error::setting(Setting::StyleSizes, reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_a_style_has_as_many_pixels_as_the_picture() {
        assert_eq!(StyleSize::default().size((400, 100), 40_000, 160_000), (400, 100));
        assert_eq!(StyleSize::default().size((400, 100), 10_000, 160_000), (200, 50));
    }

    #[test]
    fn a_scale_multiplies_both_sides_at_every_scale() {
        for (scale, expected) in [(0.5, (100, 200)), (1.0, (200, 400)), (2.0, (400, 800))] {
            assert_eq!(StyleSize::Scale(scale).size((30, 60), 80_000, 80_000), expected);
            assert_eq!(StyleSize::Scale(scale).size((30, 60), 80_000, 320_000), expected);
        }
    }

    #[test]
    fn a_longest_side_is_that_at_the_results_size_and_smaller_in_proportion_before() {
        let size = StyleSize::Longest(700);
        assert_eq!(size.size((1400, 700), 512 * 512, 512 * 512), (700, 350));
        assert_eq!(size.size((1400, 700), 256 * 256, 512 * 512), (350, 175));
        assert_eq!(StyleSize::Own.size((1400, 700), 256 * 256, 512 * 512), (1400, 700));
    }

    #[test]
    fn values_have_ranges() {
        for size in [StyleSize::Scale(0.01), StyleSize::Scale(100.0), StyleSize::Longest(1), StyleSize::Own] {
            assert!(size.check().is_ok(), "{size:?}");
        }
        for size in [0.0, -1.0, 0.001, 101.0, f64::NAN, f64::INFINITY].map(StyleSize::Scale) {
            assert!(size.check().is_err(), "{size:?}");
        }
        assert!([0, 1_000_001].iter().all(|longest| StyleSize::Longest(*longest).check().is_err()));
    }

    #[test]
    fn the_extremes_overflow_nothing() {
        let (width, height) = StyleSize::Scale(100.0).size((1, 1_000_000), 1_000_000_000_000, 1);
        assert!(width >= 1 && height >= 1_000_000);
    }
}
