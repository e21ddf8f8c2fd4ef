//! Pooling, 2×2 with stride 2. An odd last row or column is left out, as in VGG.

use crate::kernels::FeatureMap;
use crate::kernels::feature_map::BLOCK;
use crate::kernels::tiles::Cut;

use super::Finish;

/// What a pool makes of its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The largest value, as VGG was trained.
    Max,
    /// The mean, which Gatys et al. found to give slightly more appealing pictures (section "Methods").
    Average,
}

/// One position's block of channels.
type Features = [f32; BLOCK];

/// Y from the windows of X. X is C×H×W, Y is C×⌊H/2⌋×⌊W/2⌋.
pub fn forward(pooling: Pooling, x: &FeatureMap, y: &mut FeatureMap) {
    assert_eq!((y.channels(), y.height(), y.width()), (x.channels(), x.height() / 2, x.width() / 2));
    y.for_each_tile(Cut::strips(y), |mut tile| {
        for (block, row) in tile.rows() {
            let windows = windows(x.row(block, 2 * row)).zip(windows(x.row(block, 2 * row + 1)));
            for (y, ([a, b], [c, d])) in tile.row_mut(block, row).as_chunks_mut().0.iter_mut().zip(windows) {
                *y = match pooling {
                    Pooling::Max => largest([a, b, c, d]),
                    Pooling::Average => std::array::from_fn(|i| (a[i] + b[i] + c[i] + d[i]) * 0.25),
                };
            }
        }
    });
}

/// dX from dY: to the window's largest value, the first in reading order where several are equal, or a quarter
/// to each; 0 in a row or column left out. Finished and written over X.
pub fn backward(pooling: Pooling, dy: &FeatureMap, x: &mut FeatureMap, finish: Finish) {
    assert_eq!((dy.channels(), dy.height(), dy.width()), (x.channels(), x.height() / 2, x.width() / 2));
    let width = x.width().max(1);
    // An even number of rows, so that no window is shared by two tasks.
    let cut = Cut { height: 2 * (512 / width).max(1), width, blocks: 1 };
    finish.for_each_tile(x, cut, |tile, prepared| {
        let windows = tile.rows().filter(|(_, y)| y.is_multiple_of(2));
        for (block, y) in windows {
            let rows = [y, (y + 1).min(tile.y().end - 1)];
            let mut along = rows.map(|y| finish.along(prepared, tile, block, y, tile.x()));
            let [top, bottom] = tile.row_pair_mut(block, y);
            let (top, bottom) = (top.as_chunks_mut().0, bottom.as_chunks_mut().0);
            let whole = if bottom.is_empty() { 0 } else { dy.width() };
            let gradients = if whole == 0 { &[] } else { dy.row(block, y / 2).as_chunks().0 };
            let (top_windows, top_rest) = top.split_at_mut(2 * whole);
            let (bottom_windows, bottom_rest) = bottom.split_at_mut(2 * whole);
            let windows = top_windows.as_chunks_mut().0.iter_mut().zip(bottom_windows.as_chunks_mut().0);
            for (([a, b], [c, d]), dy) in windows.zip(gradients) {
                let [da, db, dc, dd] = match pooling {
                    Pooling::Max => to_the_largest([a, b, c, d], dy),
                    Pooling::Average => [dy.map(|dy| 0.25 * dy); 4],
                };
                for (x, dx) in [(a, da), (b, db)] {
                    along[0].write(x, &dx);
                }
                for (x, dx) in [(c, dc), (d, dd)] {
                    along[1].write(x, &dx);
                }
            }
            for (row, along) in [top_rest, bottom_rest].into_iter().zip(&mut along) {
                for x in row {
                    along.write(x, &[0.0; BLOCK]);
                }
            }
        }
    });
}

/// The windows' halves in one row.
fn windows(row: &[f32]) -> impl Iterator<Item = &[Features; 2]> {
    row.as_chunks::<BLOCK>().0.as_chunks::<2>().0.iter()
}

/// The largest value of each channel. NaN counts as largest, so that it shows.
fn largest(window: [&Features; 4]) -> Features {
    let mut largest = *window[0];
    for x in &window[1..] {
        for (largest, x) in largest.iter_mut().zip(*x) {
            *largest = if *x > *largest || x.is_nan() { *x } else { *largest };
        }
    }
    largest
}

/// `dy` to the first place of each channel's largest value, 0 to the others.
fn to_the_largest(window: [&Features; 4], dy: &Features) -> [Features; 4] {
    let largest = largest(window);
    let mut left = *dy;
    window.map(|x| {
        std::array::from_fn(|c| {
            let here = if x[c] == largest[c] { left[c] } else { 0.0 };
            left[c] = if x[c] == largest[c] { 0.0 } else { left[c] };
            here
        })
    })
}
