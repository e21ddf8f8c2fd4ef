//! The convolution as a product with its input's patch matrix.

mod patches;

use crate::gemm::{GROUP_DEPTH, PackedMatrix};
use crate::parallel::scratch;
use crate::tensor::feature_map::BLOCK;
use patches::{PackPatches, blocks_per_group, channel_and_tap};

use super::Pass;
use super::epilogue::{Store, StoreSums};

/// MC: with the packed patches 162 KiB, with the products of 512 channels 288 KiB of second-level cache.
const MOST_POSITIONS: usize = 144;

/// Below it the packed weights are read too often for too little work.
const LEAST_POSITIONS: usize = 24;

/// The filters are packed into `matrix`. Then, a tile of the output at a time, its patches are packed and multiplied
/// group by group of the depth, and its sums stored while they are in cache.
pub fn convolve<S: Store>(pass: Pass<S>, matrix: &mut PackedMatrix) {
    let Pass { isa, filters, input, output, store } = pass;
    let kernel = filters.kernel();
    let step = blocks_per_group(kernel);
    let depth = filters.depth() * kernel * kernel;
    matrix.pack((depth, filters.columns()), step * BLOCK * kernel * kernel, |row| {
        let (channel, tap) = channel_and_tap(filters.depth(), kernel, row);
        filters.row(channel, tap)
    });
    let matrix = &*matrix;
    let grid = (output.height(), output.width());
    let cut = super::cut(isa, grid, output.blocks(), (MOST_POSITIONS, LEAST_POSITIONS));
    let (cut, last) = (store.cut(cut, output), output.blocks());
    output.for_each_tile(cut, |mut tile| {
        let rows = tile.positions().next_multiple_of(matrix.tile_rows());
        let blocks = tile.blocks();
        let right = if blocks.end == last { matrix.columns() } else { blocks.end * BLOCK };
        let columns = blocks.start * BLOCK..right;
        let width = columns.len();
        let prepared_len = store.prepared_len(tile.positions());
        scratch::with([rows * GROUP_DEPTH, rows * width, prepared_len], |[panel, sums, prepared]| {
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
            store.prepare(|block, y| tile.row(block, y), tile.y(), tile.x().len(), prepared);
            let (y, x) = (tile.y(), tile.x());
            isa.run(StoreSums { store, tile: &mut tile, prepared, y, x, blocks, sums, stride: width });
        });
    });
}
