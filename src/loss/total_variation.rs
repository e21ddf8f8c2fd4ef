//! Total variation: the squared differences of neighbouring pixels, which favours smooth pictures.

use ndarray::{ArrayView3, ArrayViewMut3};

use crate::parallel::reduce;
use crate::parallel::team;
use crate::tensor::Band;

/// The sum of the squared differences of horizontal and vertical neighbours, divided by the number of values of the picture
/// (3×H×W, RGB in 0–1), so that a weight has the same effect at any size. Where the picture `wraps`, values at opposite edges
/// are neighbours too. `picture` has this rank's rows, those of the `band`; the value is that of all of it. Adds `weight` times the
/// gradient to `gradient`, which has the same shape.
///
/// # Panics
/// If `gradient` is not contiguous.
pub fn total_variation(
    picture: ArrayView3<f32>,
    weight: f64,
    wraps: bool,
    band: &Band,
    mut gradient: ArrayViewMut3<f32>,
) -> f64 {
    let (channels, height, width) = picture.dim();
    let values = (channels * band.picture_height() * width).max(1) as f64;
    let around = band.rows_around(picture, wraps);
    let slope = (2.0 * weight / values) as f32;
    let picture = picture.as_standard_layout();
    let x = picture.as_slice().expect("the standard layout is contiguous");
    let dx = gradient.as_slice_mut().expect("gradients are made contiguous");
    let width = width.max(1);
    let row_at = |row: usize| &x[row * width..(row + 1) * width];
    let of_rank =
        |side: usize, row: usize| around[side].as_ref().map(|rows| &rows[row / height * width..][..width]);
    // The rows above and below, if there are such.
    let above = |row: usize| match row % height {
        0 => of_rank(0, row).or_else(|| wraps.then(|| row_at(row + height - 1))),
        _ => Some(row_at(row - 1)),
    };
    let below = |row: usize| match row % height + 1 == height {
        true => of_rank(1, row).or_else(|| wraps.then(|| row_at(row + 1 - height))),
        false => Some(row_at(row + 1)),
    };
    team::for_each_chunk(dx, width, |row, dx| {
        let (here, last) = (row_at(row), width - 1);
        add_differences(dx, here, &here[1..], slope);
        add_differences(&mut dx[1..], &here[1..], here, slope);
        if wraps {
            add_differences(dx, here, &here[last..], slope);
            add_differences(&mut dx[last..], &here[last..], here, slope);
        }
        for neighbours in [above(row), below(row)].into_iter().flatten() {
            add_differences(dx, here, neighbours, slope);
        }
    });
    // Each pair of neighbours is counted once, at its left or upper value.
    let squares = reduce::sum_of(0..x.len() / width, |row| {
        let squared = |a: f64, b: f64| (a - b) * (a - b);
        let (here, last) = (row_at(row), width - 1);
        let across = reduce::sum2(&here[..last], &here[1..], squared);
        let around = if wraps { squared(here[last] as f64, here[0] as f64) } else { 0.0 };
        let down = below(row).map_or(0.0, |below| reduce::sum2(here, below, squared));
        across + around + down
    });
    band.ranks().total(squares) / values
}

/// Adds slope · (x − neighbour) to the gradient of each x that has a neighbour: up to the end of the shortest slice.
fn add_differences(dx: &mut [f32], x: &[f32], neighbours: &[f32], slope: f32) {
    for ((dx, x), neighbour) in dx.iter_mut().zip(x).zip(neighbours) {
        *dx += slope * (x - neighbour);
    }
}
