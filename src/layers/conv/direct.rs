//! The first layer's convolution, from the few channels of a picture and back to them.

mod product;

use crate::gemm::pointwise;
use crate::gemm::{GROUP_DEPTH, PackedMatrix, geometry};
use crate::parallel::scratch;
use crate::simd::{Kernel, Simd};
use crate::tensor::feature_map::BLOCK;
use crate::tensor::tiles::Cut;

use super::Pass;
use super::epilogue::{Store, StoreSums};

/// Channels of a picture, at most.
pub const MOST_CHANNELS: usize = 3;

/// A pass with 3×3 filters from or to at most [`MOST_CHANNELS`] channels.
pub fn convolve<S: Store>(pass: Pass<S>, matrix: &mut PackedMatrix) {
    match pass.filters.depth() <= MOST_CHANNELS {
        true => from_few(pass, matrix),
        false => to_few(pass, matrix),
    }
}

/// Positions whose sums are stored at a time: with a panel 6 KiB of first-level cache.
const POSITIONS: usize = 48;

/// Row by row, the sums of all taps at once, in registers.
fn from_few<S: Store>(pass: Pass<S>, matrix: &mut PackedMatrix) {
    let Pass { isa, filters, input, output, store } = pass;
    let depth = filters.depth();
    matrix.pack((9 * depth, filters.columns()), GROUP_DEPTH, |row| filters.row(row % depth, row / depth));
    let (matrix, panel) = (&*matrix, geometry(isa).panel);
    let cut = Cut { blocks: output.blocks(), ..Cut::strips(output) };
    output.for_each_tile(store.cut(cut, output), |mut tile| {
        let prepared_len = store.prepared_len(tile.positions());
        scratch::with([POSITIONS * panel, prepared_len], |[sums, prepared]| {
            store.prepare(|block, y| tile.row(block, y), tile.y(), tile.x().len(), prepared);
            for y in tile.y() {
                for left in tile.x().step_by(POSITIONS) {
                    let x = left..(left + POSITIONS).min(tile.x().end);
                    for column in (0..matrix.columns()).step_by(panel) {
                        let columns = column..(column + panel).min(matrix.columns());
                        let stride = columns.len();
                        product::multiply(matrix, input, y, x.clone(), columns, sums);
                        let blocks = column / BLOCK..((column + stride) / BLOCK).min(tile.blocks().end);
                        let (tile, y, x) = (&mut tile, y..y + 1, x.clone());
                        isa.run(StoreSums { store, tile, prepared, y, x, blocks, sums, stride });
                    }
                }
            }
        });
    });
}

/// Each position's channels times all taps at once, a 1×1 convolution to nine times the channels; then each output is
/// the sum of what its nine neighbours have for it.
fn to_few<S: Store>(pass: Pass<S>, matrix: &mut PackedMatrix) {
    let Pass { isa, filters, input, output, store } = pass;
    let few = filters.columns();
    matrix.pack((filters.depth(), 9 * few), GROUP_DEPTH, |channel| {
        move |column| filters.row(channel, column / few)(column % few)
    });
    let matrix = &*matrix;
    let (height, width, stride) = (output.height(), output.width(), matrix.columns());
    // Rows of a task: the products of the row above and of the row below are made by its neighbours too.
    let rows = (height / (super::TASKS * rayon::current_num_threads())).clamp(4, 32);
    let cut = Cut { height: rows, width: width.max(1), blocks: output.blocks() };
    // A row's products, with a position of zeros on either side.
    let row_len = (width + 2) * stride;
    output.for_each_tile(store.cut(cut, output), |mut tile| {
        let prepared_len = store.prepared_len(tile.positions());
        scratch::with([3 * row_len, (width + 1) * BLOCK, prepared_len], |[products, sums, prepared]| {
            store.prepare(|block, y| tile.row(block, y), tile.y(), width, prepared);
            products.fill(0.0);
            let multiply = |y: usize, products: &mut [f32]| {
                let to = &mut products[y % 3 * row_len..][..row_len];
                match y < height {
                    true => {
                        let inside = &mut to[stride..row_len - stride];
                        pointwise::multiply(
                            matrix,
                            None,
                            |block, y| input.row(block, y),
                            y..y + 1,
                            width,
                            inside,
                        );
                    }
                    false => to.fill(0.0),
                }
            };
            for y in tile.y().start.saturating_sub(1)..=tile.y().start {
                multiply(y, products);
            }
            for y in tile.y() {
                multiply(y + 1, products);
                // Above the first row are the zeros from the beginning.
                let rows = [y + 2, y, y + 1].map(|row| &products[row % 3 * row_len..][..row_len]);
                isa.run(SumTaps { rows, stride, few, sums: &mut sums[..width * BLOCK] });
                let (tile, y, x) = (&mut tile, y..y + 1, 0..width);
                isa.run(StoreSums { store, tile, prepared, y, x, blocks: 0..1, sums, stride: BLOCK });
            }
        });
    });
}

/// Sums what the nine neighbours of each position of a row have for it, into a block a position.
struct SumTaps<'a> {
    /// The products of the rows above, at and below.
    rows: [&'a [f32]; 3],
    stride: usize,
    /// Channels that come out.
    few: usize,
    sums: &'a mut [f32],
}

impl Kernel for SumTaps<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { rows, stride, few, sums } = self;
        for (x, to) in sums.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
            let mut sum = [0.0f32; BLOCK];
            for tap in 0..9 {
                // The products for the next taps come along, and are cut off in the end.
                let from = &rows[tap / 3][(x + tap % 3) * stride + tap * few..][..BLOCK];
                for (sum, from) in sum.iter_mut().zip(from) {
                    *sum += from;
                }
            }
            for (channel, (to, sum)) in to.iter_mut().zip(sum).enumerate() {
                *to = if channel < few { sum } else { 0.0 };
            }
        }
    }
}
