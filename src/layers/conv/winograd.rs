//! The convolution by Winograd's minimal filtering.

use crate::kernels::feature_map::BLOCK;
use crate::kernels::gemm::{GROUP_DEPTH, PackedMatrix, multiply};
use crate::kernels::simd::{Kernel, Simd};
use crate::kernels::tiles::{Cut, Tile};
use crate::kernels::winograd::{
    POINTS, TILE, TransformInput, TransformOutput, TransformedWeights, groups, input_layout, product_layout,
};
use crate::kernels::{FeatureMap, Isa, scratch};

use super::store::Store;

/// A run of tiles of the output at a time: their inputs are transformed once, then for each panel of channels
/// multiplied at each point, transformed back and stored.
pub fn convolve(
    isa: Isa,
    input: &FeatureMap,
    matrix: &PackedMatrix,
    weights: &TransformedWeights,
    output: &mut FeatureMap,
    store: &impl Store,
) {
    let grid = (output.height().div_ceil(TILE), output.width().div_ceil(TILE));
    let cut = super::cut(grid, output.blocks(), tiles_of_a_task(input.channels()), matrix);
    let cut = Cut { height: cut.height * TILE, width: cut.width * TILE, ..cut };
    let panel = matrix.panel();
    output.for_each_tile(cut, |mut tile| {
        let (rows, columns) = (tile.y().len().div_ceil(TILE), tile.x().len().div_ceil(TILE));
        let room = (rows * columns).next_multiple_of(matrix.tile_rows());
        let (input_stride, input_len) = input_layout(room, input.channels());
        let (product_stride, product_len) = product_layout(room, panel);
        scratch::with([input_len, product_len], |inputs, products| {
            let (y, x) = (tile.y().start, tile.x().start);
            isa.run(TransformInput { map: input, y, x, rows, columns, room, to: inputs });
            for column in (tile.blocks().start * BLOCK..tile.blocks().end * BLOCK).step_by(panel) {
                let width = panel.min(matrix.columns() - column);
                for point in 0..POINTS {
                    let products = &mut products[point * product_stride..][..room * width];
                    for (index, group) in groups(input.channels()).enumerate() {
                        let a = point * input_stride + index * room * GROUP_DEPTH;
                        let a = &inputs[a..a + room * GROUP_DEPTH];
                        let b = weights.panel(point, group.clone(), column, width);
                        multiply(isa, group.len(), a, b, products, width, index > 0);
                    }
                }
                let first = column / BLOCK;
                isa.run(StorePanel {
                    tile: &mut tile,
                    first,
                    products,
                    stride: product_stride,
                    width,
                    store,
                });
            }
        });
    });
}

/// The most and the least tiles of a task. The transformed weights are read once a task: with more channels they are
/// larger, and more tiles must share them, though their transforms leave the second-level cache for the third.
fn tiles_of_a_task(channels: usize) -> (usize, usize) {
    ((channels / 4).clamp(48, 120), 12)
}

/// Floats that the transformed inputs of a task take at most.
pub fn most_inputs(channels: usize) -> usize {
    input_layout(tiles_of_a_task(channels).0, channels).1
}

/// Transforms a panel's products back and stores them.
struct StorePanel<'a, 't, T> {
    tile: &'a mut Tile<'t>,
    /// The panel's first channel block.
    first: usize,
    products: &'a [f32],
    stride: usize,
    width: usize,
    store: &'a T,
}

impl<T: Store> Kernel for StorePanel<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { tile, first, products, stride, width, store } = self;
        let (rows, columns) = (tile.y().step_by(TILE), tile.x().step_by(TILE));
        let tiles = rows.flat_map(|y| columns.clone().map(move |x| (y, x)));
        let last = tile.blocks().end;
        for (index, (y, x)) in tiles.enumerate() {
            let x = x..(x + TILE).min(tile.x().end);
            for lane in (0..width).step_by(S::LANES) {
                let transform = TransformOutput { products, stride, at: index * width + lane };
                let mut outputs = [[[0.0f32; 2 * BLOCK]; TILE]; TILE];
                for (to, from) in
                    outputs.as_flattened_mut().iter_mut().zip(transform.outputs(simd).as_flattened())
                {
                    // SAFETY: `to` has room for the widest vector.
                    unsafe { simd.store(to.as_mut_ptr(), *from) };
                }
                for half in 0..S::LANES / BLOCK {
                    let block = first + lane / BLOCK + half;
                    if block >= last {
                        continue;
                    }
                    for (y, outputs) in (y..tile.y().end).zip(&outputs) {
                        let sums =
                            outputs.iter().map_while(|channels| channels[half * BLOCK..].first_chunk());
                        store.write(tile, block, y, x.clone(), sums);
                    }
                }
            }
        }
    }
}
