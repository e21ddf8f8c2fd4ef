//! Symmetric rank-k update (BLAS's SYRK), F·Fᵀ of channel-blocked features read in place, and the sums of their channels.
//!
//! One step of the product takes one position. In a channel-blocked map its channels are contiguous, which suits both
//! operands: some channels are read as vectors, others are broadcast. So nothing is packed.

use std::ops::Range;

use crate::simd::{Isa, Kernel, MAX_LANES, Simd, TileKernel};
use crate::tensor::feature_map::{BLOCK, FeatureMap};

use super::micro_kernel::{Broadcast, Channels, Initial, RegisterTile};

/// Positions that all register tiles sum over before the next positions are read: with 512 channels their features take
/// 256 KiB, which stays in the L2 cache.
const CHUNK: usize = 128;

/// Rows of the map that all register tiles sum over before the next rows are read, at least 1. A sum over the rows of a map
/// that is divided at multiples of it has the same bits as the whole.
pub fn chunk_rows(map: &FeatureMap) -> usize {
    CHUNK / map.width().clamp(1, CHUNK)
}

/// Row stride of the sums in floats: the map's channels, padded to a multiple of the register tile's width.
pub fn row_stride(isa: Isa, map: &FeatureMap) -> usize {
    (map.blocks() * BLOCK).next_multiple_of(isa.run_tiled(TileWidth))
}

/// Adds to `sums` the products of channels, summed over the rows `y` of the map. The rows of `sums` are the channels of
/// `blocks`, [`row_stride`] floats apart, the columns all channels. Only columns from the row's own block on are valid: those
/// before it are unspecified. The left factors are read from `left(block, y)`: the map's own rows, or those rows with each
/// position multiplied by a weight.
pub fn update<'f>(
    isa: Isa,
    map: &FeatureMap,
    left: impl Fn(usize, usize) -> &'f [f32],
    blocks: Range<usize>,
    y: Range<usize>,
    sums: &mut [f32],
) {
    isa.run_tiled(Update { map, left, blocks, y, sums });
}

/// Adds to `sums` the sum of each channel of `blocks` over the rows `y` of the map: eight floats per block.
///
/// # Panics
/// If `sums` has another length, or the map has fewer blocks or rows.
pub fn channel_sums(isa: Isa, map: &FeatureMap, blocks: Range<usize>, y: Range<usize>, sums: &mut [f32]) {
    assert_eq!(sums.len(), blocks.len() * BLOCK, "there are not eight sums per block");
    isa.run(ChannelSums { map, blocks, y, sums });
}

struct TileWidth;

impl TileKernel for TileWidth {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd, const MR: usize, const NV: usize>(self, _simd: S) -> usize {
        NV * S::LANES
    }
}

struct Update<'a, Left> {
    map: &'a FeatureMap,
    left: Left,
    blocks: Range<usize>,
    y: Range<usize>,
    sums: &'a mut [f32],
}

impl<'f, Left: Fn(usize, usize) -> &'f [f32]> TileKernel for Update<'_, Left> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const MR: usize, const NV: usize>(self, simd: S) {
        // The most rows that fit the register tile and divide a channel block.
        match MR {
            8.. => self.tiles::<S, 8, NV>(simd),
            4.. => self.tiles::<S, 4, NV>(simd),
            _ => self.tiles::<S, 1, NV>(simd),
        }
    }
}

impl<'f, Left: Fn(usize, usize) -> &'f [f32]> Update<'_, Left> {
    #[inline(always)]
    fn tiles<S: Simd, const MR: usize, const NV: usize>(self, simd: S) {
        let Self { map, left: left_row, blocks, y, sums } = self;
        let tile_blocks = NV * S::LANES / BLOCK;
        let stride = map.blocks().next_multiple_of(tile_blocks) * BLOCK;
        let (width, rows) = (map.width().clamp(1, CHUNK), chunk_rows(map));
        for top in y.clone().step_by(rows) {
            let y = top..(top + rows).min(y.end);
            for left in (0..map.width()).step_by(width) {
                let x = left..(left + width).min(map.width());
                for block in blocks.clone() {
                    for first in (block / tile_blocks * tile_blocks..map.blocks()).step_by(tile_blocks) {
                        for row in (0..BLOCK).step_by(MR) {
                            let at = ((block - blocks.start) * BLOCK + row) * stride + first * BLOCK;
                            let sums = &mut sums[at..];
                            let mut tile =
                                RegisterTile::<S, MR, NV>::begin(simd, Initial::Sums, sums, stride);
                            for y in y.clone() {
                                let left = &left_row(block, y)[x.start * BLOCK + row..x.end * BLOCK];
                                add_row(&mut tile, map, left, first, y, x.clone());
                            }
                            tile.store(sums, stride);
                        }
                    }
                }
            }
        }
    }
}

/// Adds to the tile the products of MR channels, those of each position from the start of `left` on, and NV vectors of
/// channels, from block `first` on, at the positions `x` of the map's row `y`.
#[inline(always)]
fn add_row<S: Simd, const MR: usize, const NV: usize>(
    tile: &mut RegisterTile<S, MR, NV>,
    map: &FeatureMap,
    left: &[f32],
    first: usize,
    y: usize,
    x: Range<usize>,
) {
    // Columns past the last block are padding: they repeat it.
    let last = map.blocks() - 1;
    let mut blocks = [[&[] as &[f32]; 2]; NV];
    for (vector, runs) in blocks.iter_mut().enumerate() {
        for (second, run) in runs.iter_mut().enumerate() {
            let block = first + vector * (S::LANES / BLOCK) + second;
            *run = &map.row(block.min(last), y)[x.start * BLOCK..x.end * BLOCK];
        }
    }
    tile.add_product(Broadcast::<1, BLOCK>(left), Channels::new(blocks, x.len()));
}

struct ChannelSums<'a> {
    map: &'a FeatureMap,
    blocks: Range<usize>,
    y: Range<usize>,
    sums: &'a mut [f32],
}

impl Kernel for ChannelSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { map, blocks, y, sums } = self;
        for (block, sums) in blocks.step_by(S::LANES / BLOCK).zip(sums.chunks_mut(S::LANES)) {
            for y in y.clone() {
                let row = map.vectors(block, y);
                // Four independent sums hide the latency of the additions; one row at a time keeps the rounding error low.
                const SUMS: usize = 4;
                let mut partial = [simd.splat(0.0); SUMS];
                let whole = map.width() / SUMS * SUMS;
                for x in (0..whole).step_by(SUMS) {
                    for (i, sum) in partial.iter_mut().enumerate() {
                        *sum = simd.add(*sum, row.get(simd, x + i));
                    }
                }
                for x in whole..map.width() {
                    partial[0] = simd.add(partial[0], row.get(simd, x));
                }
                let [a, b, c, d] = partial;
                let mut of_row = [0.0; MAX_LANES];
                simd.write(simd.add(simd.add(a, b), simd.add(c, d)), &mut of_row);
                // A vector that repeats the last block has more lanes than there are sums.
                for (sum, of_row) in sums.iter_mut().zip(of_row) {
                    *sum += of_row;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, Axis};

    use super::*;

    #[test]
    fn channel_sums_are_those_of_the_rows_and_are_added() {
        let shapes = [(1, 1, 1), (7, 2, 3), (8, 3, 4), (9, 1, 5), (20, 5, 7), (64, 3, 130), (33, 4, 0)];
        for (channels, height, width) in shapes {
            let planes = Array3::from_shape_fn((channels, height, width), |(c, y, x)| {
                ((c * 7919 + y * 104_729 + x * 1_299_709) % 2003) as f32 / 1001.0 - 1.0
            });
            let map = FeatureMap::from_planes(planes.view());
            let rows = [0..height, 0..height.div_ceil(2), height / 2..height];
            for (isa, y) in Isa::available().into_iter().flat_map(|isa| rows.clone().map(|y| (isa, y))) {
                for blocks in [0..map.blocks(), 0..1, map.blocks() - 1..map.blocks(), 0..0] {
                    let mut sums = vec![0.5; blocks.len() * BLOCK];
                    channel_sums(isa, &map, blocks.clone(), y.clone(), &mut sums);
                    for (channel, found) in (blocks.start * BLOCK..).zip(&sums) {
                        let of_channel = |planes: &Array3<f64>| match channel < channels {
                            true => {
                                planes.index_axis(Axis(0), channel).slice(ndarray::s![y.clone(), ..]).sum()
                            }
                            false => 0.0,
                        };
                        let expected = 0.5 + of_channel(&planes.mapv(f64::from));
                        let size = 0.5 + of_channel(&planes.mapv(|v| v.abs() as f64));
                        let bound = size * f32::EPSILON as f64 * ((y.len() * width) as f64).sqrt().max(1.0);
                        let what = format!("{isa:?} {:?} {blocks:?} {y:?} channel {channel}", planes.dim());
                        assert!((*found as f64 - expected).abs() <= bound, "{what}: {found} for {expected}");
                    }
                }
            }
        }
    }
}
