//! The convolution as a product with its input's patch matrix.

use crate::kernels::feature_map::BLOCK;
use crate::kernels::gemm::{GROUP_DEPTH, PackedMatrix};
use crate::kernels::im2col::{PackPatches, blocks_per_group};
use crate::kernels::simd::{Kernel, Simd};
use crate::kernels::tiles::Tile;
use crate::kernels::{FeatureMap, Isa, scratch};

use super::store::Store;

/// MC: with the packed patches 162 KiB, with the products of 512 channels 288 KiB of second-level cache.
const MOST_POSITIONS: usize = 144;

/// Below it the packed weights are read too often for too little work.
const LEAST_POSITIONS: usize = 24;

/// A tile of the output at a time: its patches are packed and multiplied group by group of the depth, and its sums
/// stored while they are in cache.
pub fn convolve(
    isa: Isa,
    kernel: usize,
    input: &FeatureMap,
    matrix: &PackedMatrix,
    output: &mut FeatureMap,
    store: &impl Store,
) {
    let grid = (output.height(), output.width());
    let cut = super::cut(grid, output.blocks(), (MOST_POSITIONS, LEAST_POSITIONS), matrix);
    output.for_each_tile(cut, |mut tile| {
        let rows = tile.positions().next_multiple_of(matrix.tile_rows());
        let left = tile.blocks().start * BLOCK;
        let columns = left..(left + cut.blocks * BLOCK).min(matrix.columns());
        let width = columns.len();
        scratch::with([rows * GROUP_DEPTH, rows * width], |panel, sums| {
            let step = blocks_per_group(kernel);
            for (index, group) in matrix.groups().enumerate() {
                isa.run(PackPatches {
                    map: input,
                    kernel,
                    y: tile.y(),
                    x: tile.x(),
                    blocks: index * step..((index + 1) * step).min(input.blocks()),
                    panel,
                });
                matrix.multiply(panel, group, columns.clone(), sums, index > 0);
            }
            isa.run(StoreTile { tile: &mut tile, sums, width, store });
        });
    });
}

/// Stores the sums of a tile: a row of `width` channels for each position.
struct StoreTile<'a, 't, T> {
    tile: &'a mut Tile<'t>,
    sums: &'a [f32],
    width: usize,
    store: &'a T,
}

impl<T: Store> Kernel for StoreTile<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { tile, sums, width, store } = self;
        let (first, x) = (tile.blocks().start, tile.x());
        for block in tile.blocks() {
            for (row, y) in tile.y().enumerate() {
                let sums = &sums[row * x.len() * width..];
                let sums = sums
                    .chunks_exact(width)
                    .map_while(|channels| channels[(block - first) * BLOCK..].first_chunk());
                store.write(tile, block, y, x.clone(), sums);
            }
        }
    }
}
