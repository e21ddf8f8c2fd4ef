//! The convolution as a product with its input's patch matrix.

mod patches;

use crate::gemm::{GROUP_DEPTH, PackedMatrix};
use crate::parallel::scratch;
use crate::tensor::feature_map::BLOCK;
use patches::{PackPatches, blocks_per_group, channel_and_element};

use super::Arguments;
use super::epilogue::{Epilogue, WritePositions};

/// MC, the most positions of a task: their packed patches take 162 KiB of second-level cache, their products with 512
/// channels 288 KiB.
const MOST_POSITIONS: usize = 144;

/// The fewest positions of a task: with fewer, the packed weights are read too often for too little work.
const LEAST_POSITIONS: usize = 24;

/// Packs the filters into `matrix`. Then each task packs a tile's patches and multiplies them, one group of the depth
/// after another, and writes the output while the sums are in cache.
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
    let cut = super::cut(isa, grid, output.blocks(), (MOST_POSITIONS, LEAST_POSITIONS));
    let (cut, last) = (epilogue.cut(cut, output), output.blocks());
    output.for_each_tile(cut, |mut tile| {
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
            epilogue.prepare(|block, y| tile.row(block, y), tile.y(), tile.x().len(), prepared);
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
