//! Pooling, 2×2 with stride 2. An odd last row or column is dropped, as in VGG.

use std::ops::Range;

use crate::simd::Isa;
use crate::simd::{Kernel, Simd};
use crate::tensor::FeatureMap;
use crate::tensor::tiles::{Tile, TileSize};

use crate::named::named;

use super::GradientEpilogue;

/// How the four values of a pooling window become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pooling {
    /// The maximum, with which VGG was trained.
    Max,
    /// The mean, which Gatys et al. 2015 found to give slightly more appealing pictures (section "Methods").
    Average,
}

named!(Pooling { Max => "max", Average => "average" });

/// Y = pool(X). X is C×H×W, Y is C×⌊H/2⌋×⌊W/2⌋. Where X has the first rows of a layer behind its last, from the row `seam` on, no
/// window has rows on both sides: an odd last row of the layer is dropped there as well, and Y's last row then stays as it is.
///
/// # Panics
/// If the shapes are others.
pub fn forward(isa: Isa, pooling: Pooling, seam: Option<usize>, x: &FeatureMap, y: &mut FeatureMap) {
    assert_eq!((y.channels(), y.height(), y.width()), (x.channels(), x.height() / 2, x.width() / 2));
    let tile_size = TileSize::strips(y);
    for rows in runs(seam, x.height()) {
        let windows = rows.start / 2..rows.start / 2 + rows.len() / 2;
        let offset = rows.start % 2;
        y.for_each_tile_of(windows, 0..y.width(), tile_size, |mut tile| {
            isa.run(Forward { pooling, x, offset, tile: &mut tile });
        });
    }
}

/// The rows before and behind the seam of a map of `height` rows.
fn runs(seam: Option<usize>, height: usize) -> [Range<usize>; 2] {
    let seam = seam.map_or(height, |seam| seam.min(height));
    [0..seam, seam..height]
}

struct Forward<'a, 't> {
    pooling: Pooling,
    x: &'a FeatureMap,
    /// The row of X at which the first window begins, 0 or 1.
    offset: usize,
    tile: &'a mut Tile<'t>,
}

impl Kernel for Forward<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { pooling, x, offset, tile } = self;
        for (block, row) in tile.vectors(S::LANES) {
            let [top, bottom] = [0, 1].map(|at| x.vectors(block, 2 * row + offset + at));
            let first = tile.x().start;
            let [mut y] = tile.vectors_mut(block, row);
            for at in 0..y.positions() {
                let left = 2 * (first + at);
                let [a, b] = [left, left + 1].map(|x| top.get(simd, x));
                let [c, d] = [left, left + 1].map(|x| bottom.get(simd, x));
                let value = match pooling {
                    Pooling::Max => maximum(simd, [a, b, c, d]),
                    Pooling::Average => {
                        let sum = simd.add(simd.add(simd.add(a, b), c), d);
                        simd.mul_add(sum, simd.splat(0.25), simd.splat(0.0))
                    }
                };
                y.set(simd, at, value);
            }
        }
    }
}

/// dX from dY, written over X by the epilogue. Max pooling: the window's maximum gets all of it, the first in row-major
/// order if several are equal. Average pooling: each value gets a quarter. A dropped row or column gets 0. The seam is that of X, as
/// in [`forward`].
///
/// # Panics
/// If the shapes are not those of [`forward`].
pub fn backward(
    isa: Isa,
    pooling: Pooling,
    seam: Option<usize>,
    dy: &FeatureMap,
    x: &mut FeatureMap,
    epilogue: GradientEpilogue,
) {
    assert_eq!((dy.channels(), dy.height(), dy.width()), (x.channels(), x.height() / 2, x.width() / 2));
    // An even number of rows, so that no window spans two tasks.
    let strips = TileSize::strips(x);
    let tile_size = TileSize { height: strips.height.next_multiple_of(2), ..strips };
    for rows in runs(seam, x.height()) {
        epilogue.for_each_tile_of(rows, x, tile_size, |tile, prepared| {
            isa.run(Backward { pooling, dy, epilogue, tile, prepared });
        });
    }
}

struct Backward<'a, 't> {
    pooling: Pooling,
    dy: &'a FeatureMap,
    epilogue: GradientEpilogue<'a>,
    tile: &'a mut Tile<'t>,
    prepared: &'a [f32],
}

impl Kernel for Backward<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { pooling, dy, epilogue, tile, prepared } = self;
        let first = tile.y().start;
        for (block, y) in tile.vectors(S::LANES).filter(|(_, y)| (y - first).is_multiple_of(2)) {
            let epilogues = [y, (y + 1).min(tile.y().end - 1)]
                .map(|y| epilogue.for_row(simd, prepared, tile, (block, y)));
            let mut rows = tile.vectors_mut::<2>(block, y);
            let whole = if rows[1].positions() == 0 { 0 } else { dy.width() };
            for window in 0..whole {
                let dy = dy.vectors(block, y / 2).get(simd, window);
                let [left, right] = [2 * window, 2 * window + 1];
                let [a, b] = [left, right].map(|x| rows[0].get(simd, x));
                let [c, d] = [left, right].map(|x| rows[1].get(simd, x));
                let [da, db, dc, dd] = match pooling {
                    Pooling::Max => to_first_maximum(simd, [a, b, c, d], dy),
                    Pooling::Average => [simd.mul_add(dy, simd.splat(0.25), simd.splat(0.0)); 4],
                };
                epilogues[0].write(&mut rows[0], left, da);
                epilogues[0].write(&mut rows[0], right, db);
                epilogues[1].write(&mut rows[1], left, dc);
                epilogues[1].write(&mut rows[1], right, dd);
            }
            for (row, row_epilogue) in rows.iter_mut().zip(&epilogues) {
                for x in 2 * whole..row.positions() {
                    row_epilogue.write(row, x, simd.splat(0.0));
                }
            }
        }
    }
}

/// The maximum of each channel; NaN if any value is, so that it is not hidden.
#[inline(always)]
fn maximum<S: Simd>(simd: S, [a, b, c, d]: [S::F32; 4]) -> S::F32 {
    simd.max(simd.max(simd.max(a, b), c), d)
}

/// For each channel, `dy` at the first occurrence of the maximum and 0 elsewhere.
#[inline(always)]
fn to_first_maximum<S: Simd>(simd: S, window: [S::F32; 4], dy: S::F32) -> [S::F32; 4] {
    let maximum = maximum(simd, window);
    let mut gradients = window;
    let mut left = dy;
    for gradient in &mut gradients {
        [*gradient, left] = simd.where_equal(*gradient, maximum, left);
    }
    gradients
}
