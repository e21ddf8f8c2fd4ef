//! The direct 3×3 convolution of the first layer, whose input is a picture.
//!
//! A patch matrix would be nine times as large as the map, and Winograd's transforms would cost more than the products of
//! only three channels. So the map is read in place.

use std::ops::Range;

use crate::gemm::micro_kernel::{Broadcast, Initial, Panel, RegisterTile, Tiles, cover};
use crate::gemm::pointwise;
use crate::gemm::{GROUP_DEPTH, PackedMatrix, geometry};
use crate::parallel::scratch;
use crate::simd::{Kernel, Simd, TileKernel};
use crate::tensor::feature_map::{BLOCK, FeatureMap};
use crate::tensor::tiles::TileSize;

use super::Arguments;
use super::epilogue::{Epilogue, WritePositions};

/// The most input channels (of the backward pass: output channels) that this algorithm supports: those of a picture.
pub const MAX_CHANNELS: usize = 3;

/// A convolution with 3×3 filters from or to at most [`MAX_CHANNELS`] channels.
pub fn convolve<E: Epilogue>(arguments: Arguments<E>, matrix: &mut PackedMatrix) {
    match arguments.filters.depth() <= MAX_CHANNELS {
        true => from_picture(arguments, matrix),
        false => to_picture(arguments, matrix),
    }
}

/// Positions whose sums are computed before they are written out: with a panel of 32 channels their sums take 6 KiB, which
/// stays in the L1 cache.
const POSITIONS: usize = 48;

/// The forward pass: each sum, over all kernel elements and input channels, is accumulated in registers.
fn from_picture<E: Epilogue>(arguments: Arguments<E>, matrix: &mut PackedMatrix) {
    let Arguments { isa, filters, input, output, epilogue } = arguments;
    let depth = filters.depth();
    matrix.pack((9 * depth, filters.columns()), GROUP_DEPTH, |row| filters.row(row % depth, row / depth));
    let (matrix, panel) = (&*matrix, geometry(isa).panel);
    let tile_size = TileSize { blocks: output.blocks(), ..TileSize::strips(output) };
    output.for_each_tile(epilogue.tile_size(tile_size, output), |mut tile| {
        let prepared_len = epilogue.prepared_len(tile.positions());
        scratch::with([POSITIONS * panel, prepared_len], |[sums, prepared]| {
            epilogue.prepare(|block, y| tile.row(block, y), tile.y(), tile.x(), prepared);
            for y in tile.y() {
                for left in tile.x().step_by(POSITIONS) {
                    let x = left..(left + POSITIONS).min(tile.x().end);
                    for column in (0..matrix.columns()).step_by(panel) {
                        let columns = column..(column + panel).min(matrix.columns());
                        let stride = columns.len();
                        multiply_patches(matrix, input, y, x.clone(), columns, sums);
                        let blocks = column / BLOCK..((column + stride) / BLOCK).min(tile.blocks().end);
                        let (tile, y, x) = (&mut tile, y..y + 1, x.clone());
                        isa.run(WritePositions { epilogue, tile, prepared, y, x, blocks, sums, stride });
                    }
                }
            }
        });
    });
}

/// Computes the sums at the positions `x` of row `y` for the output channels `columns`, which are one panel. In `sums`
/// each position's channels are contiguous. `matrix` has a row for each kernel element and input channel, in one group.
fn multiply_patches(
    matrix: &PackedMatrix,
    map: &FeatureMap,
    y: usize,
    x: Range<usize>,
    columns: Range<usize>,
    sums: &mut [f32],
) {
    matrix.isa().run_tiled(MultiplyPatches { matrix, map, y, x, columns, sums });
}

struct MultiplyPatches<'a> {
    matrix: &'a PackedMatrix,
    map: &'a FeatureMap,
    y: usize,
    x: Range<usize>,
    columns: Range<usize>,
    sums: &'a mut [f32],
}

impl TileKernel for MultiplyPatches<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const MR: usize, const NV: usize>(self, simd: S) {
        let Self { matrix, map, y, x, columns, sums } = self;
        let (width, channels) = (columns.len(), map.channels());
        let b = matrix.panels(0..9 * channels, columns);
        // With one more position on the left and on the right, as the kernel is three wide.
        let rows: [&[f32]; 3] = std::array::from_fn(|row| {
            let row = map.bordered_row(0, (y + row) as isize - 1);
            &row[x.start * BLOCK..(x.end + 2) * BLOCK]
        });
        let narrow = width < NV * S::LANES;
        cover::<S, MR, NV>(simd, x.len(), narrow, &mut PatchTiles { rows, channels, b, sums });
    }
}

/// The product of the patches of one row's positions with a panel.
struct PatchTiles<'a> {
    /// The rows above, at and below the output row, each with one more position on either side.
    rows: [&'a [f32]; 3],
    channels: usize,
    b: &'a [f32],
    sums: &'a mut [f32],
}

impl<S: Simd> Tiles<S> for PatchTiles<'_> {
    #[inline(always)]
    fn tile<const MR: usize, const NV: usize>(&mut self, simd: S, x: usize) {
        let width = NV * S::LANES;
        let sums = &mut self.sums[x * width..];
        let mut tile = RegisterTile::<S, MR, NV>::begin(simd, Initial::Zeros, sums, width);
        let per_element = self.channels * width;
        for element in 0..9 {
            let from = x + element % 3;
            let a = &self.rows[element / 3][from * BLOCK..(from + MR) * BLOCK];
            tile.add_product(
                Broadcast::<BLOCK, 1>(a),
                Panel(&self.b[element * per_element..][..per_element]),
            );
        }
        tile.store(sums, width);
    }
}

/// The backward pass, as a scatter turned into a gather: a 1×1 convolution of the input to nine times the picture's
/// channels gives each position's contribution to each of its nine neighbours; then the nine contributions to each
/// position are summed.
fn to_picture<E: Epilogue>(arguments: Arguments<E>, matrix: &mut PackedMatrix) {
    let Arguments { isa, filters, input, output, epilogue } = arguments;
    let channels = filters.columns();
    matrix.pack((filters.depth(), 9 * channels), GROUP_DEPTH, |channel| {
        move |column| filters.row(channel, column / channels)(column % channels)
    });
    let matrix = &*matrix;
    let (height, width, stride) = (output.height(), output.width(), matrix.columns());
    // Each task also computes the products of the rows above and below its own, as its neighbours do: with 4 rows that is
    // half as much again, with 32 it is negligible.
    let rows = (height / (super::TASKS_PER_THREAD * rayon::current_num_threads())).clamp(4, 32);
    let tile_size = TileSize { height: rows, width: width.max(1), blocks: output.blocks() };
    // Floats of one row's products, with one position of zeros on either side.
    let row_len = (width + 2) * stride;
    output.for_each_tile(epilogue.tile_size(tile_size, output), |mut tile| {
        let prepared_len = epilogue.prepared_len(tile.positions());
        scratch::with([3 * row_len, (width + 1) * BLOCK, prepared_len], |[products, sums, prepared]| {
            epilogue.prepare(|block, y| tile.row(block, y), tile.y(), tile.x(), prepared);
            products.fill(0.0);
            // Rows are counted from the border's first.
            let row_at = |block: usize, y: usize| {
                &input.bordered_row(block, y as isize - 1)[BLOCK..(width + 1) * BLOCK]
            };
            let multiply = |y: usize, products: &mut [f32]| {
                let inside = &mut products[y % 3 * row_len..][stride..row_len - stride];
                pointwise::multiply(matrix, None, row_at, y..y + 1, width, inside);
            };
            for y in tile.y().start..tile.y().start + 2 {
                multiply(y, products);
            }
            for y in tile.y() {
                multiply(y + 2, products);
                let rows = [y, y + 1, y + 2].map(|row| &products[row % 3 * row_len..][..row_len]);
                isa.run(SumNeighbours { rows, stride, channels, sums: &mut sums[..width * BLOCK] });
                let (tile, y, x) = (&mut tile, y..y + 1, 0..width);
                isa.run(WritePositions { epilogue, tile, prepared, y, x, blocks: 0..1, sums, stride: BLOCK });
            }
        });
    });
}

/// Sums the contributions of the nine neighbours to each position of a row, into one channel block per position.
struct SumNeighbours<'a> {
    /// The products of the rows above, at and below.
    rows: [&'a [f32]; 3],
    stride: usize,
    /// The picture's channels.
    channels: usize,
    sums: &'a mut [f32],
}

impl Kernel for SumNeighbours<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { rows, stride, channels, sums } = self;
        for (x, to) in sums.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
            let mut sum = [0.0f32; BLOCK];
            for element in 0..9 {
                // A whole block is added, for constant lengths; the lanes of the next kernel element are dropped below.
                let from = &rows[element / 3][(x + element % 3) * stride + element * channels..][..BLOCK];
                for (sum, from) in sum.iter_mut().zip(from) {
                    *sum += from;
                }
            }
            for (channel, (to, sum)) in to.iter_mut().zip(sum).enumerate() {
                *to = if channel < channels { sum } else { 0.0 };
            }
        }
    }
}
