//! Local response normalisation, which only network A-LRN has.
//!
//! Krizhevsky, Sutskever and Hinton 2012, section 3.3: y_c = x_c · s_c^−β with s_c = k + α Σ x_j² over the five
//! channels around c, k = 2, α = 1e-4, β = 0.75.

use crate::parallel::scratch;
use crate::simd::Isa;
use crate::simd::{Kernel, Simd};
use crate::tensor::FeatureMap;
use crate::tensor::feature_map::BLOCK;
use crate::tensor::tiles::{Tile, TileSize};

use super::GradientEpilogue;

const K: f32 = 2.0;
const ALPHA: f32 = 1e-4;
const BETA: f32 = 0.75;
/// Channels summed over on either side.
const REACH: usize = 2;

/// Y = LRN(X), both C×H×W.
pub fn forward(x: &FeatureMap, y: &mut FeatureMap) {
    assert_eq!((x.channels(), x.height(), x.width()), (y.channels(), y.height(), y.width()));
    y.for_each_tile(rows(y), |mut tile| {
        for (row, column) in positions(&tile) {
            scratch::with([x.channels()], |[features]| {
                gather(features, |block| &x.row(block, row)[column * BLOCK..]);
                let at = (column - tile.x().start) * BLOCK;
                for c in 0..features.len() {
                    let y = features[c] * power_minus_beta(scale(features, c));
                    tile.row_mut(c / BLOCK, row)[at + c % BLOCK] = y;
                }
            });
        }
    });
}

/// dX_c = dY_c · s_c^−β − 2αβ x_c Σ dY_j x_j s_j^(−β−1) over the channels j around c, written over X by the epilogue.
/// Both are C×H×W.
pub fn backward(isa: Isa, dy: &FeatureMap, x: &mut FeatureMap, epilogue: GradientEpilogue) {
    assert_eq!((x.channels(), x.height(), x.width()), (dy.channels(), dy.height(), dy.width()));
    let channels = x.channels();
    let padded = channels.next_multiple_of(2 * BLOCK);
    epilogue.for_each_tile(x, rows(x), |tile, prepared| {
        for (row, column) in positions(tile) {
            scratch::with([channels, channels, channels, padded], |[features, spread, gradients, dx]| {
                let at = (column - tile.x().start) * BLOCK;
                gather(features, |block| &tile.row(block, row)[at..]);
                gather(gradients, |block| &dy.row(block, row)[column * BLOCK..]);
                for (j, spread) in spread.iter_mut().enumerate() {
                    let scale = scale(features, j);
                    let direct = gradients[j] * power_minus_beta(scale);
                    *spread = direct * features[j] / scale;
                    gradients[j] = direct;
                }
                for (c, dx) in dx.iter_mut().enumerate() {
                    *dx = match c < channels {
                        true => {
                            let spread: f32 = spread[around(channels, c)].iter().sum();
                            gradients[c] - 2.0 * ALPHA * BETA * features[c] * spread
                        }
                        false => 0.0,
                    };
                }
                let gradients = &*dx;
                isa.run(WritePosition { epilogue, tile, prepared, row, column, gradients });
            });
        }
    });
}

/// Writes the gradients of all channels of one position through the epilogue.
struct WritePosition<'a, 't> {
    epilogue: GradientEpilogue<'a>,
    tile: &'a mut Tile<'t>,
    prepared: &'a [f32],
    row: usize,
    column: usize,
    /// Zero-padded to a multiple of the widest vector.
    gradients: &'a [f32],
}

impl Kernel for WritePosition<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { epilogue, tile, prepared, row, column, gradients } = self;
        let position = column - tile.x().start;
        for block in tile.blocks().step_by(S::LANES / BLOCK) {
            let row_epilogue = epilogue.for_row(simd, prepared, tile, (block, row));
            let [mut x] = tile.vectors_mut(block, row);
            row_epilogue.write(&mut x, position, simd.read(&gradients[block * BLOCK..]));
        }
    }
}

/// s_c of the features at one position.
fn scale(features: &[f32], c: usize) -> f32 {
    K + ALPHA * around(features.len(), c).map(|j| features[j] * features[j]).sum::<f32>()
}

/// s^−β, by two square roots: accurate to a few roundings, and ten times as fast as `powf`.
fn power_minus_beta(scale: f32) -> f32 {
    const { assert!(BETA == 0.75) };
    let root = scale.sqrt();
    1.0 / (root * root.sqrt())
}

/// The channels at most [`REACH`] from `c`.
fn around(channels: usize, c: usize) -> std::ops::Range<usize> {
    c.saturating_sub(REACH)..(c + REACH + 1).min(channels)
}

/// Copies the channels of one position from its blocks.
fn gather<'a>(features: &mut [f32], block_of: impl Fn(usize) -> &'a [f32]) {
    for (block, features) in features.chunks_mut(BLOCK).enumerate() {
        features.copy_from_slice(&block_of(block)[..features.len()]);
    }
}

/// Tiles of one row and all channels.
fn rows(map: &FeatureMap) -> TileSize {
    TileSize { height: 1, width: map.width().max(1), blocks: map.blocks().max(1) }
}

/// Every (row, column) of a tile.
fn positions(tile: &Tile) -> impl Iterator<Item = (usize, usize)> + use<> {
    let columns = tile.x();
    tile.y().flat_map(move |row| columns.clone().map(move |column| (row, column)))
}
