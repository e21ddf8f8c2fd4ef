//! What is done to a convolution's sums while they are in cache or registers, on their way into the map.

use std::ops::Range;

use crate::kernels::FeatureMap;
use crate::kernels::feature_map::BLOCK;
use crate::kernels::tiles::{Cut, Tile};
use crate::layers::Finish;

/// Takes sums to their places.
pub trait Store: Sync {
    /// The cut, changed to what the storing needs.
    fn cut(&self, cut: Cut, _output: &FeatureMap) -> Cut {
        cut
    }

    /// Floats that are prepared for this many positions.
    fn prepared_len(&self, _positions: usize) -> usize {
        0
    }

    /// What must be known before anything of a tile is written: of its rows `y`, `width` positions wide, of which
    /// `row(block, y)` has what the map holds.
    fn prepare<'r>(
        &self,
        _row: impl Fn(usize, usize) -> &'r [f32],
        _y: Range<usize>,
        _width: usize,
        _to: &mut [f32],
    ) {
    }

    /// Writes the sums of the positions `x` of row `y` of `block`, each a block of channels, into the tile.
    fn write<'p>(
        &self,
        tile: &mut Tile,
        prepared: &[f32],
        block: usize,
        y: usize,
        x: Range<usize>,
        sums: impl Iterator<Item = &'p [f32; BLOCK]>,
    );
}

/// Adds the bias and applies the ReLU.
pub struct Forward<'a> {
    /// By channel block.
    pub bias: &'a [[f32; BLOCK]],
    /// Whether there is a ReLU.
    pub relu: bool,
}

impl Store for Forward<'_> {
    #[inline(always)]
    fn write<'p>(
        &self,
        tile: &mut Tile,
        _prepared: &[f32],
        block: usize,
        y: usize,
        x: Range<usize>,
        sums: impl Iterator<Item = &'p [f32; BLOCK]>,
    ) {
        let floor = if self.relu { 0.0 } else { f32::NEG_INFINITY };
        let bias = &self.bias[block];
        for (to, sums) in positions(tile, block, y, x).iter_mut().zip(sums) {
            for ((to, sum), bias) in to.iter_mut().zip(sums).zip(bias) {
                let value = sum + bias;
                // Not `max`, which would turn NaN into 0 and hide it.
                *to = if value < floor { floor } else { value };
            }
        }
    }
}

/// Finishes the gradient and writes it over the features.
pub struct Backward<'a> {
    /// What else is done to it.
    pub finish: Finish<'a>,
}

impl Store for Backward<'_> {
    fn cut(&self, cut: Cut, output: &FeatureMap) -> Cut {
        self.finish.cut(cut, output)
    }

    fn prepared_len(&self, positions: usize) -> usize {
        self.finish.prepared_len(positions)
    }

    fn prepare<'r>(
        &self,
        row: impl Fn(usize, usize) -> &'r [f32],
        y: Range<usize>,
        width: usize,
        to: &mut [f32],
    ) {
        self.finish.prepare(row, y, width, to);
    }

    #[inline(always)]
    fn write<'p>(
        &self,
        tile: &mut Tile,
        prepared: &[f32],
        block: usize,
        y: usize,
        x: Range<usize>,
        sums: impl Iterator<Item = &'p [f32; BLOCK]>,
    ) {
        let mut along = self.finish.along(prepared, tile, block, y, x.clone());
        for (x, sums) in positions(tile, block, y, x).iter_mut().zip(sums) {
            along.write(x, sums);
        }
    }
}

/// The positions `x` of row `y` of `block` in the tile's map.
#[inline(always)]
fn positions<'t>(tile: &'t mut Tile, block: usize, y: usize, x: Range<usize>) -> &'t mut [[f32; BLOCK]] {
    let first = tile.x().start;
    &mut tile.row_mut(block, y).as_chunks_mut().0[x.start - first..x.end - first]
}
