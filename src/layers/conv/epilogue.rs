//! What is done to a convolution's sums while they are in cache or registers, on their way into the map.

use std::ops::Range;

use crate::layers::GradientEpilogue;
use crate::simd::{Kernel, Simd};
use crate::tensor::FeatureMap;
use crate::tensor::feature_map::BLOCK;
use crate::tensor::tiles::{Cut, Tile};

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

    /// Writes sums into the tile: vectors of channels from a block on, for a row's positions `x`. The place is (block,
    /// row).
    fn write<S: Simd>(
        &self,
        simd: S,
        tile: &mut Tile,
        prepared: &[f32],
        place: (usize, usize),
        x: Range<usize>,
        sums: impl Iterator<Item = S::F32>,
    );
}

/// Adds the bias and applies the ReLU.
pub struct Forward<'a> {
    /// Of whole pairs of channel blocks.
    pub bias: &'a [f32],
    /// Whether there is a ReLU.
    pub relu: bool,
}

impl Store for Forward<'_> {
    #[inline(always)]
    fn write<S: Simd>(
        &self,
        simd: S,
        tile: &mut Tile,
        _prepared: &[f32],
        (block, y): (usize, usize),
        x: Range<usize>,
        sums: impl Iterator<Item = S::F32>,
    ) {
        let floor = simd.splat(if self.relu { 0.0 } else { f32::NEG_INFINITY });
        let bias = simd.read(&self.bias[block * BLOCK..]);
        let first = tile.x().start;
        let [mut row] = tile.vectors_mut(block, y);
        for (x, sums) in x.zip(sums) {
            row.set(simd, x - first, simd.not_below(floor, simd.add(sums, bias)));
        }
    }
}

/// Finishes the gradient and writes it over the features.
pub struct Backward<'a> {
    /// What else is done to it.
    pub epilogue: GradientEpilogue<'a>,
}

impl Store for Backward<'_> {
    fn cut(&self, cut: Cut, output: &FeatureMap) -> Cut {
        self.epilogue.cut(cut, output)
    }

    fn prepared_len(&self, positions: usize) -> usize {
        self.epilogue.prepared_len(positions)
    }

    fn prepare<'r>(
        &self,
        row: impl Fn(usize, usize) -> &'r [f32],
        y: Range<usize>,
        width: usize,
        to: &mut [f32],
    ) {
        self.epilogue.prepare(row, y, width, to);
    }

    #[inline(always)]
    fn write<S: Simd>(
        &self,
        simd: S,
        tile: &mut Tile,
        prepared: &[f32],
        (block, y): (usize, usize),
        x: Range<usize>,
        sums: impl Iterator<Item = S::F32>,
    ) {
        let row_epilogue = self.epilogue.of_row(simd, prepared, tile, (block, y));
        let first = tile.x().start;
        let [mut row] = tile.vectors_mut(block, y);
        for (x, sums) in x.zip(sums) {
            row_epilogue.write(&mut row, x - first, sums);
        }
    }
}

/// Stores the sums of the positions `y` × `x`, one position after another.
pub struct StoreSums<'a, 't, T> {
    pub store: &'a T,
    pub tile: &'a mut Tile<'t>,
    pub prepared: &'a [f32],
    pub y: Range<usize>,
    pub x: Range<usize>,
    /// The channel blocks that a position has sums of.
    pub blocks: Range<usize>,
    pub sums: &'a [f32],
    /// Floats from one position to the next.
    pub stride: usize,
}

impl<T: Store> Kernel for StoreSums<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { store, tile, prepared, y, x, blocks, sums, stride } = self;
        for block in blocks.clone().step_by(S::LANES / BLOCK) {
            for (row, y) in y.clone().enumerate() {
                let sums = &sums[row * x.len() * stride + (block - blocks.start) * BLOCK..];
                let sums = (0..x.len()).map(|position| simd.read(&sums[position * stride..]));
                store.write(simd, tile, prepared, (block, y), x.clone(), sums);
            }
        }
    }
}
