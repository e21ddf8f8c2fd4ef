//! The epilogue of a convolution: the operations on its sums that are fused with writing them to the output map, while they
//! are in cache or registers.

use std::ops::Range;

use crate::layers::GradientEpilogue;
use crate::simd::{Kernel, Simd};
use crate::tensor::FeatureMap;
use crate::tensor::feature_map::BLOCK;
use crate::tensor::tiles::{Tile, TileSize};

/// Turns a convolution's sums into its output.
pub trait Epilogue: Sync {
    /// `tile_size`, enlarged where the epilogue needs it.
    fn tile_size(&self, tile_size: TileSize, _output: &FeatureMap) -> TileSize {
        tile_size
    }

    /// Length in floats of [`Epilogue::prepare`]'s output for this many positions.
    fn prepared_len(&self, _positions: usize) -> usize {
        0
    }

    /// Called for each tile before any of it is written: computes into `to` whatever [`Epilogue::write`] needs from the
    /// output map's previous values. These are `row(block, y)`, for the positions `y` × `x`.
    fn prepare<'r>(
        &self,
        _row: impl Fn(usize, usize) -> &'r [f32],
        _y: Range<usize>,
        _x: Range<usize>,
        _to: &mut [f32],
    ) {
    }

    /// Writes the output of the positions `x` of one row from their `sums`, a vector of channels each. `place` is the
    /// vector's first channel block and the row.
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

/// The forward pass's epilogue: adds the bias, and applies the ReLU if there is one.
pub struct BiasEpilogue<'a> {
    /// One value per output channel, zero-padded to a multiple of two channel blocks.
    pub bias: &'a [f32],
    /// Whether the ReLU is applied.
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
            row.set(simd, x - first, simd.clamp_min(simd.add(sums, bias), floor));
        }
    }
}

impl Epilogue for GradientEpilogue<'_> {
    fn tile_size(&self, tile_size: TileSize, output: &FeatureMap) -> TileSize {
        GradientEpilogue::tile_size(*self, tile_size, output)
    }

    fn prepared_len(&self, positions: usize) -> usize {
        GradientEpilogue::prepared_len(*self, positions)
    }

    fn prepare<'r>(
        &self,
        row: impl Fn(usize, usize) -> &'r [f32],
        y: Range<usize>,
        x: Range<usize>,
        to: &mut [f32],
    ) {
        GradientEpilogue::prepare(*self, row, y, x, to);
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
        let row_epilogue = self.for_row(simd, prepared, tile, (block, y));
        let first = tile.x().start;
        let [mut row] = tile.vectors_mut(block, y);
        for (x, sums) in x.zip(sums) {
            row_epilogue.write(&mut row, x - first, sums);
        }
    }
}

/// Writes the positions `y` × `x` of a tile from their sums, in which each position's channels are contiguous.
pub struct WritePositions<'a, 't, E> {
    pub epilogue: &'a E,
    pub tile: &'a mut Tile<'t>,
    pub prepared: &'a [f32],
    pub y: Range<usize>,
    pub x: Range<usize>,
    /// The channel blocks for which there are sums.
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
