//! Averages of large pictures' samples, so that the planes of the whole never exist.

use std::ops::Range;

use rayon::prelude::*;

use super::samples::Sample;

/// The means of the samples in `width`×`height` boxes: height×width×channels, 0–1. No side is longer than that of
/// the samples, whose size `from` is (width, height).
///
/// Boxes of fractional sides share the pixels on their borders. Colours count by their opacity where there is
/// alpha, so that what a transparent pixel hides doesn't bleed into its neighbours.
pub(super) fn averaged<S: Sample>(
    samples: &[S],
    channels: usize,
    from: (usize, usize),
    (width, height): (usize, usize),
) -> Vec<f32> {
    match channels {
        1 => averaged_pixels::<S, 1>(samples, from, (width, height)),
        2 => averaged_pixels::<S, 2>(samples, from, (width, height)),
        3 => averaged_pixels::<S, 3>(samples, from, (width, height)),
        _ => averaged_pixels::<S, 4>(samples, from, (width, height)),
    }
}

fn averaged_pixels<S: Sample, const CHANNELS: usize>(
    samples: &[S],
    (from_width, from_height): (usize, usize),
    (width, height): (usize, usize),
) -> Vec<f32> {
    let columns: Vec<_> = (0..width).map(|column| Span::of(column, from_width, width)).collect();
    let mut means = vec![0.0; height * width * CHANNELS];
    means.par_chunks_mut(width * CHANNELS).enumerate().for_each_init(
        || vec![[0.0; CHANNELS]; width],
        |sums, (row, means)| {
            sums.fill([0.0; CHANNELS]);
            let span = Span::of(row, from_height, height);
            for y in span.pixels.clone() {
                let row = &samples[y * from_width * CHANNELS..][..from_width * CHANNELS];
                add_row(sums, row.as_chunks().0, &columns, span.weight(y));
            }
            for (mean, sum) in means.as_chunks_mut::<CHANNELS>().0.iter_mut().zip(sums) {
                *mean = mean_of::<S, CHANNELS>(sum, span.length * columns[0].length);
            }
        },
    );
    means
}

/// Adds a row of pixels to the sums of the boxes that it crosses: colours times opacity, and opacity.
fn add_row<S: Sample, const CHANNELS: usize>(
    sums: &mut [[f64; CHANNELS]],
    row: &[[S; CHANNELS]],
    columns: &[Span],
    row_weight: f64,
) {
    for (sum, span) in sums.iter_mut().zip(columns) {
        let mut run = [0.0; CHANNELS];
        let mut add = |pixel: &[S; CHANNELS], weight: f64| {
            let opaque = match CHANNELS.is_multiple_of(2) {
                true => weight * pixel[CHANNELS - 1].intensity() / S::FULL,
                false => weight,
            };
            for (channel, run) in run.iter_mut().enumerate() {
                let is_alpha = CHANNELS.is_multiple_of(2) && channel == CHANNELS - 1;
                *run += opaque * if is_alpha { S::FULL } else { pixel[channel].intensity() };
            }
        };
        let pixels = &row[span.pixels.clone()];
        match pixels {
            [only] => add(only, span.first),
            [first, between @ .., last] => {
                add(first, span.first);
                between.iter().for_each(|pixel| add(pixel, 1.0));
                add(last, span.last);
            }
            [] => {}
        }
        sum.iter_mut().zip(run).for_each(|(sum, run)| *sum += row_weight * run);
    }
}

/// The mean of a box of `area` pixels from its sums.
fn mean_of<S: Sample, const CHANNELS: usize>(sums: &[f64; CHANNELS], area: f64) -> [f32; CHANNELS] {
    let has_alpha = CHANNELS.is_multiple_of(2);
    let opacity = if has_alpha { sums[CHANNELS - 1] / S::FULL } else { area };
    std::array::from_fn(|channel| match has_alpha && channel == CHANNELS - 1 {
        true => (opacity / area) as f32,
        false if opacity > 0.0 => (sums[channel] / (opacity * S::FULL)) as f32,
        false => 0.0,
    })
}

/// The pixels of a box along one axis.
struct Span {
    pixels: Range<usize>,
    /// The length in pixels: a box may begin and end within one.
    length: f64,
    /// The share of the first pixel that lies in the box.
    first: f64,
    /// The share of the last pixel that lies in the box.
    last: f64,
}

impl Span {
    /// The span of the box `index` of `to` equal ones that cover `from` pixels.
    fn of(index: usize, from: usize, to: usize) -> Self {
        // In units of 1/to pixels, in which borders are whole.
        let (from, to, index) = (from as u128, to as u128, index as u128);
        let (begin, end) = (index * from, (index + 1) * from);
        let pixels = (begin / to) as usize..end.div_ceil(to) as usize;
        let share = |units: u128| units as f64 / to as f64;
        let first = share(end.min((begin / to + 1) * to) - begin);
        let last = share(end - begin.max((end - 1) / to * to));
        Self { pixels, length: share(from), first, last }
    }

    /// The share of the pixel `at` that lies in the box.
    fn weight(&self, at: usize) -> f64 {
        match at {
            at if at == self.pixels.start => self.first,
            at if at + 1 == self.pixels.end => self.last,
            _ => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_cover_every_pixel_once() {
        for (from, to) in [(10, 5), (10, 3), (7, 7), (1000, 1), (5, 4), (1_000_003, 128)] {
            let mut covered = vec![0.0; from];
            for index in 0..to {
                let span = Span::of(index, from, to);
                span.pixels.clone().for_each(|at| covered[at] += span.weight(at));
                let length: f64 = span.pixels.clone().map(|at| span.weight(at)).sum();
                assert!((length - span.length).abs() < 1e-9, "{from} to {to}, {index}");
            }
            assert!(covered.iter().all(|share| (share - 1.0).abs() < 1e-9), "{from} to {to}");
        }
    }

    #[test]
    fn whole_boxes_are_plain_means() {
        let samples: Vec<u8> = (0..4 * 6 * 3).map(|at| (at * 37 % 256) as u8).collect();
        let means = averaged(&samples, 3, (6, 4), (3, 2));
        for (index, mean) in means.iter().enumerate() {
            let (row, column, channel) = (index / 9, index / 3 % 3, index % 3);
            let at = |y: usize, x: usize| f32::from(samples[(y * 6 + x) * 3 + channel]) / 255.0;
            let (y, x) = (2 * row, 2 * column);
            let expected = (at(y, x) + at(y, x + 1) + at(y + 1, x) + at(y + 1, x + 1)) / 4.0;
            assert!((mean - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn hidden_colours_have_no_part() {
        // White and opaque beside black and transparent; then all transparent.
        let samples: Vec<u16> = vec![65535, 65535, 0, 0, 30, 0, 40, 0];
        let means = averaged(&samples, 2, (4, 1), (2, 1));
        assert_eq!(means, [1.0, 0.5, 0.0, 0.0]);
    }

    #[test]
    fn borders_within_pixels_are_shared() {
        let means = averaged(&[0.0_f32, 1.0, 0.5], 1, (3, 1), (2, 1));
        let expected = [0.5 / 1.5, (0.5 + 0.5) / 1.5];
        for (mean, expected) in means.iter().zip(expected) {
            assert!((mean - expected).abs() < 1e-6, "{means:?}");
        }
    }
}
