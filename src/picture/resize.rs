//! Pictures at another size.
//!
//! `image` can resize too, but clamps colours and opacity one by one, so that premultiplied colours no
//! longer fit their opacity, and works on interleaved pixels on one thread.

use ndarray::{Array2, Array3, ArrayView2, s};
use rayon::prelude::*;

use super::Picture;

/// The size of a `width`×`height` picture scaled so that its longer side is exactly `longest`. The other
/// side is rounded to the nearest pixel, and is at least 1.
///
/// ```
/// assert_eq!(impasto::picture::fit(4000, 3000, 512), (512, 384));
/// assert_eq!(impasto::picture::fit(30, 40, 512), (384, 512));
/// ```
///
/// # Panics
///
/// If an argument is 0.
pub fn fit(width: usize, height: usize, longest: usize) -> (usize, usize) {
    assert!(width.min(height).min(longest) > 0, "sizes are at least 1, not {width}×{height} to {longest}");
    let scaled = |shorter: usize, longer: usize| {
        let (shorter, longer, longest) = (shorter as u128, longer as u128, longest as u128);
        // Rounds half up, in integers, which are exact at any size.
        ((2 * shorter * longest + longer) / (2 * longer)).max(1) as usize
    };
    if width >= height { (longest, scaled(height, width)) } else { (scaled(width, height), longest) }
}

/// Bytes that the weights of one row or column of an enlarged picture take: at most 5 of them, and where they are.
pub(super) const WEIGHTS_BYTES: u64 = 64;

/// [`Picture::resized`], for sides that are not 0 and another size.
pub(super) fn resized(picture: &Picture, width: usize, height: usize) -> Picture {
    let columns = resample_weights(picture.width(), width);
    let rows = resample_weights(picture.height(), height);

    let opacity = picture.alpha.as_ref().map(|alpha| resampled(alpha.view(), &rows, &columns));
    let mut values = Vec::with_capacity(3 * height * width);
    for plane in picture.planes.outer_iter() {
        match (&picture.alpha, &opacity) {
            (Some(alpha), Some(opacity)) => {
                let weighted = resampled((&plane * alpha).view(), &rows, &columns);
                let colour = |(weighted, &opacity)| if opacity > 0.0 { weighted / opacity } else { 0.0 };
                values.extend(weighted.iter().zip(opacity).map(colour).map(in_range));
            }
            _ => values.extend(resampled(plane, &rows, &columns).into_iter().map(in_range)),
        }
    }
    let planes = Array3::from_shape_vec((3, height, width), values).expect("a value for each place");
    Picture::of_parts(planes, opacity.map(|opacity| opacity.mapv_into(in_range)))
}

/// A plane of values in 0–1 at another size, of sides that are not 0, by the same splines.
pub(super) fn resized_plane(plane: ArrayView2<'_, f32>, width: usize, height: usize) -> Array2<f32> {
    if plane.dim() == (height, width) {
        return plane.to_owned();
    }
    let (columns, rows) = (resample_weights(plane.ncols(), width), resample_weights(plane.nrows(), height));
    resampled(plane, &rows, &columns).mapv_into(in_range)
}

/// The splines overshoot beside edges.
fn in_range(value: f32) -> f32 {
    value.clamp(0.0, 1.0)
}

/// What a row or column of a resized picture is blended from: the source's rows or columns from `first` on, by
/// their weights, whose sum is 1.
struct ResampleWeights {
    first: usize,
    weights: Vec<f32>,
}

/// The weights of each of `to` rows or columns that take the place of `from`.
fn resample_weights(from: usize, to: usize) -> Vec<ResampleWeights> {
    let ratio = from as f64 / to as f64;
    // When shrinking, the spline is widened as the pixels are.
    let scale = ratio.max(1.0);
    let weights_of = |pixel: usize| {
        // Between the pixels' centres, which lie at 0, 1, …
        let centre = (pixel as f64 + 0.5) * ratio - 0.5;
        let first = (centre - 2.0 * scale).ceil().max(0.0) as usize;
        let last = ((centre + 2.0 * scale).floor() as usize).min(from - 1);
        let weights: Vec<f64> = (first..=last).map(|at| catmull_rom((at as f64 - centre) / scale)).collect();
        let sum: f64 = weights.iter().sum();
        ResampleWeights { first, weights: weights.into_iter().map(|weight| (weight / sum) as f32).collect() }
    };
    (0..to).map(weights_of).collect()
}

/// The Catmull–Rom spline: 1 at 0, 0 at the other integers and beyond ±2.
fn catmull_rom(x: f64) -> f64 {
    match x.abs() {
        x if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
        x if x < 2.0 => ((2.5 - 0.5 * x) * x - 4.0) * x + 2.0,
        _ => 0.0,
    }
}

/// The plane with these rows and columns.
fn resampled(
    plane: ArrayView2<'_, f32>,
    rows: &[ResampleWeights],
    columns: &[ResampleWeights],
) -> Array2<f32> {
    let mut resized = Array2::zeros((rows.len(), columns.len()));
    let new_rows = resized.as_slice_mut().expect("a new array is contiguous").par_chunks_mut(columns.len());
    // Each task blends whole rows of the source, then columns of the blend.
    new_rows.zip(rows).for_each_init(
        || vec![0.0; plane.ncols()],
        |blend, (new_row, row)| {
            blend.fill(0.0);
            for (source, weight) in plane.slice(s![row.first.., ..]).outer_iter().zip(&row.weights) {
                blend.iter_mut().zip(source).for_each(|(sum, value)| *sum += weight * value);
            }
            for (pixel, column) in new_row.iter_mut().zip(columns) {
                let blended = blend[column.first..].iter().zip(&column.weights);
                *pixel = blended.map(|(value, weight)| value * weight).sum();
            }
        },
    );
    resized
}
