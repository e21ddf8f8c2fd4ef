//! The convolution as a matrix product with the input's patch matrix.

mod patches;

use crate::gemm::{GROUP_DEPTH, PackedMatrix};
use crate::parallel::scratch;
use crate::tensor::feature_map::BLOCK;
use patches::{PackPatches, blocks_per_group, channel_and_element};

use super::Arguments;
use super::epilogue::{Epilogue, WritePositions};

/// MC, the most positions of a task, sized for an L2 cache of 512 KiB or more: their packed patches take 162 KiB, their
/// sums for 512 channels 288 KiB.
const MAX_POSITIONS: usize = 144;

/// The fewest positions of a task, two register tiles of AVX-512: every task reads all packed weights, which fewer
/// positions would not be worth.
const MIN_POSITIONS: usize = 24;

/// Packs the filters into `matrix`. Then each task packs the patches of its tile and multiplies them, one depth group after
/// another, and writes the output while the sums are in cache.
pub fn convolve<E: Epilogue>(arguments: Arguments<E>, matrix: &mut PackedMatrix) {
    let Arguments { isa, filters, input, output, epilogue } = arguments;
    let kernel = filters.kernel();
    let step = blocks_per_group(kernel);
    let depth = filters.depth() * kernel * kernel;
    matrix.pack((depth, filters.columns()), step * BLOCK * kernel * kernel, |row| {
        let (channel, element) = channel_and_element(filters.depth(), kernel, row);
        filters.row(channel, element)
    });
    let matrix = &*matrix;
    let grid = (output.height(), output.width());
    let tile_size = super::tile_size(isa, grid, output.blocks(), (MAX_POSITIONS, MIN_POSITIONS));
    let (tile_size, last) = (epilogue.tile_size(tile_size, output), output.blocks());
    output.for_each_tile(tile_size, |mut tile| {
        let rows = tile.positions().next_multiple_of(matrix.tile_rows());
        let blocks = tile.blocks();
        let right = if blocks.end == last { matrix.columns() } else { blocks.end * BLOCK };
        let columns = blocks.start * BLOCK..right;
        let width = columns.len();
        let prepared_len = epilogue.prepared_len(tile.positions());
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
            epilogue.prepare(|block, y| tile.row(block, y), tile.y(), tile.x(), prepared);
            let (y, x) = (tile.y(), tile.x());
            isa.run(WritePositions {
                epilogue,
                tile: &mut tile,
                prepared,
                y,
                x,
                blocks,
                sums,
                stride: width,
            });
        });
    });
}
