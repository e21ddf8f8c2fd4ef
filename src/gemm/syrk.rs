//! Symmetric rank-k update (BLAS's SYRK): F·Fᵀ of channel-blocked features, read as they lie.
//!
//! A position of a channel-blocked map is what a step of a matrix product needs: side by side the channels that become
//! a vector, and those of which each is spread over one. Nothing is packed.

use std::ops::Range;

use crate::simd::{Isa, Kernel, Simd};
use crate::tensor::feature_map::{BLOCK, FeatureMap};

/// Positions over which a register tile is summed at a time: with 512 channels 256 KiB of second-level cache.
const CHUNK: usize = 128;

/// Floats from one row of the sums to the next: the map's channels, padded to whole register tiles.
pub fn row_stride(isa: Isa, map: &FeatureMap) -> usize {
    (map.blocks() * BLOCK).next_multiple_of(isa.run(TileWidth))
}

/// Adds the products of the channels of `blocks` (rows) with every channel from the row's own block on (columns),
/// summed over the rows `y` of the map. What stands in the columns before is unspecified.
pub fn update(isa: Isa, map: &FeatureMap, blocks: Range<usize>, y: Range<usize>, sums: &mut [f32]) {
    isa.run(Update { map, blocks, y, sums });
}

/// STUB
pub fn channel_sums(_isa: Isa, map: &FeatureMap, blocks: Range<usize>, y: Range<usize>, sums: &mut [f32]) {
    for (block, sums) in blocks.zip(sums.chunks_mut(BLOCK)) {
        for y in y.clone() {
            for position in map.row(block, y).chunks(BLOCK) {
                sums.iter_mut().zip(position).for_each(|(sum, f)| *sum += f);
            }
        }
    }
}

struct Update<'a> {
    map: &'a FeatureMap,
    blocks: Range<usize>,
    y: Range<usize>,
    sums: &'a mut [f32],
}

impl Kernel for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        // As many accumulators as leave registers for the operands.
        match (S::TILE_ROWS, S::TILE_VECTORS) {
            (12, 2) => self.tiles::<S, 8, 2>(simd),
            (6, 2) => self.tiles::<S, 4, 2>(simd),
            (4, 1) => self.tiles::<S, 4, 1>(simd),
            _ => unreachable!("a register tile that syrk.rs does not list"),
        }
    }
}

struct TileWidth;

impl Kernel for TileWidth {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) -> usize {
        S::TILE_VECTORS * S::LANES
    }
}

impl Update<'_> {
    #[inline(always)]
    fn tiles<S: Simd, const MR: usize, const NV: usize>(self, simd: S) {
        let Self { map, blocks, y, sums } = self;
        let tile_blocks = NV * S::LANES / BLOCK;
        let stride = map.blocks().next_multiple_of(tile_blocks) * BLOCK;
        assert!(blocks.end <= map.blocks() && sums.len() >= blocks.len() * BLOCK * stride);
        let width = map.width().clamp(1, CHUNK);
        for top in y.clone().step_by(CHUNK / width) {
            let y = top..(top + CHUNK / width).min(y.end);
            for left in (0..map.width()).step_by(width) {
                let x = left..(left + width).min(map.width());
                for block in blocks.clone() {
                    for first in (block / tile_blocks * tile_blocks..map.blocks()).step_by(tile_blocks) {
                        for row in (0..BLOCK).step_by(MR) {
                            let at = ((block - blocks.start) * BLOCK + row) * stride + first * BLOCK;
                            let sums = &mut sums[at..at + (MR - 1) * stride + NV * S::LANES];
                            tile::<S, MR, NV>(
                                simd,
                                map,
                                (block, row),
                                first,
                                y.clone(),
                                x.clone(),
                                sums,
                                stride,
                            );
                        }
                    }
                }
            }
        }
    }
}

/// The micro-kernel: MR channels from (`block`, `row`) on, by NV vectors of channels from the block `first` on.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "a micro-kernel's operands, in registers")]
fn tile<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    map: &FeatureMap,
    (block, row): (usize, usize),
    first: usize,
    y: Range<usize>,
    x: Range<usize>,
    sums: &mut [f32],
    stride: usize,
) {
    assert!(row + MR <= BLOCK && sums.len() >= (MR - 1) * stride + NV * S::LANES);
    let mut accumulators = [[simd.splat(0.0); NV]; MR];
    for (row, accumulators) in accumulators.iter_mut().enumerate() {
        for (vector, accumulator) in accumulators.iter_mut().enumerate() {
            // SAFETY: by the assert above the tile's last row ends inside the sums.
            *accumulator = unsafe { simd.load(sums.as_ptr().add(row * stride + vector * S::LANES)) };
        }
    }
    for y in y {
        // Blocks past the last are read as the last, for columns of no meaning.
        let run =
            |block: usize| map.row(block.min(map.blocks() - 1), y)[x.start * BLOCK..x.end * BLOCK].as_ptr();
        let a = run(block);
        let mut b = [[a; 2]; NV];
        for (vector, b) in b.iter_mut().enumerate() {
            let block = first + vector * (S::LANES / BLOCK);
            *b = [run(block), run(block + 1)];
        }
        for position in 0..x.len() {
            let at = position * BLOCK;
            // SAFETY: `run` is a pointer to x.len() blocks; `row` + MR channels are inside one.
            unsafe {
                let mut vectors = [simd.splat(0.0); NV];
                for (vector, [lo, hi]) in vectors.iter_mut().zip(b) {
                    *vector = simd.load_blocks(lo.add(at), hi.add(at));
                }
                for (channel, accumulators) in accumulators.iter_mut().enumerate() {
                    let a = simd.splat(*a.add(at + row + channel));
                    for (accumulator, vector) in accumulators.iter_mut().zip(vectors) {
                        *accumulator = simd.mul_add(a, vector, *accumulator);
                    }
                }
            }
        }
    }
    for (row, accumulators) in accumulators.iter().enumerate() {
        for (vector, accumulator) in accumulators.iter().enumerate() {
            // SAFETY: as above.
            unsafe { simd.store(sums.as_mut_ptr().add(row * stride + vector * S::LANES), *accumulator) };
        }
    }
}
