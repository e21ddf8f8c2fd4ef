//! What is done to a convolution's sums while they are in cache or registers, on their way into the output map.

use std::ops::Range;

use crate::layers::GradientEpilogue;
use crate::simd::{Kernel, Simd};
use crate::tensor::FeatureMap;
use crate::tensor::feature_map::BLOCK;
use crate::tensor::tiles::{Cut, Tile};

/// Takes a convolution's sums and writes the output.
pub trait Epilogue: Sync {
    /// The cut, changed to what the epilogue needs.
    fn cut(&self, cut: Cut, _output: &FeatureMap) -> Cut {
        cut
    }

    /// Floats that are prepared for this many positions.
    fn prepared_len(&self, _positions: usize) -> usize {
        0
    }

    /// Computes, before anything of a tile is written, what [`Epilogue::write`] needs of the map's old content:
    /// `row(block, y)` has it for the rows `y`, `width` positions wide.
    fn prepare<'r>(
        &self,
        _row: impl Fn(usize, usize) -> &'r [f32],
        _y: Range<usize>,
        _width: usize,
        _to: &mut [f32],
    ) {
    }

    /// Writes a tile's output from its sums: for the positions `x` of a row, each with a vector of channels from a
    /// block on. `place` is (block, row).
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

/// The forward pass's epilogue: adds the bias and applies the ReLU.
pub struct BiasEpilogue<'a> {
    /// Padded to whole pairs of channel blocks.
    pub bias: &'a [f32],
    /// Whether there is a ReLU.
    pub relu: bool,
}

impl Epilogue for BiasEpilogue<'_> {
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

impl Epilogue for GradientEpilogue<'_> {
    fn cut(&self, cut: Cut, output: &FeatureMap) -> Cut {
        GradientEpilogue::cut(*self, cut, output)
    }

    fn prepared_len(&self, positions: usize) -> usize {
        GradientEpilogue::prepared_len(*self, positions)
    }

    fn prepare<'r>(
        &self,
        row: impl Fn(usize, usize) -> &'r [f32],
        y: Range<usize>,
        width: usize,
        to: &mut [f32],
    ) {
        GradientEpilogue::prepare(*self, row, y, width, to);
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
        let row_epilogue = self.of_row(simd, prepared, tile, (block, y));
        let first = tile.x().start;
        let [mut row] = tile.vectors_mut(block, y);
        for (x, sums) in x.zip(sums) {
            row_epilogue.write(&mut row, x - first, sums);
        }
    }
}

/// Writes the positions `y` × `x` of a tile from their sums, which lie one position after another.
pub struct WritePositions<'a, 't, E> {
    pub epilogue: &'a E,
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

impl<E: Epilogue> Kernel for WritePositions<'_, '_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { epilogue, tile, prepared, y, x, blocks, sums, stride } = self;
        for block in blocks.clone().step_by(S::LANES / BLOCK) {
            for (row, y) in y.clone().enumerate() {
                let sums = &sums[row * x.len() * stride + (block - blocks.start) * BLOCK..];
                let sums = (0..x.len()).map(|position| simd.read(&sums[position * stride..]));
                epilogue.write(simd, tile, prepared, (block, y), x.clone(), sums);
            }
        }
    }
}
