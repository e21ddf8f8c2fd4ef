//! The transforms of Winograd's minimal filtering F(4×4, 3×3): 36 multiplications for 16 outputs instead of 144.
//!
//! After Lavin and Gray 2016, a tile of 4×4 outputs of one channel is
//!
//! ```text
//! Y = Aᵀ [ Σ over input channels (G g Gᵀ) ⊙ (Bᵀ d B) ] A
//! ```
//!
//! with g a 3×3 kernel and d the 6×6 inputs under the tile. At each of the 36 points of a transformed tile the sum is a
//! matrix product, (tiles × input channels) · (input channels × output channels), computed by [`gemm`](crate::gemm). All
//! three transforms work on vectors of channels, which are contiguous in the channel-blocked map.
//!
//! With `PAIRS` the transformed inputs and filters are in bfloat16, and a float holds those of two neighbouring input channels.
//! The layouts count floats, so the depth of the products is then half the number of input channels.

#![expect(unsafe_code, reason = "vectors at strided addresses, whose bounds are checked once per tile")]

use std::ops::Range;

use crate::gemm::GROUP_DEPTH;
use crate::simd::{Kernel, Simd};
use crate::tensor::feature_map::{BLOCK, FeatureMap};
use crate::tensor::filters::{BlockKernels, Filters, VectorKernel};

/// Outputs along a side of a tile.
pub const TILE: usize = 4;

/// Inputs along a side of a tile, and points along a side of its transform.
const SIDE: usize = TILE + 2;

/// Points of a transformed tile.
pub const POINTS: usize = SIDE * SIDE;

/// Floats added to the stride between points. Without them it would often be a multiple of the page size, and all points
/// would map to the same cache sets. One cache line.
const SKEW: usize = 16;

/// The depth of the products: the floats that hold a value of each of the input channels.
pub fn depth_of<const PAIRS: bool>(channels: usize) -> usize {
    if PAIRS { channels.div_ceil(2) } else { channels }
}

/// The groups of this range of the depth: one product sums over one group.
pub fn groups(depth: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let group = |at: usize| at / GROUP_DEPTH;
    (group(depth.start)..depth.end.div_ceil(GROUP_DEPTH))
        .map(move |index| depth.start.max(index * GROUP_DEPTH)..depth.end.min((index + 1) * GROUP_DEPTH))
}

/// Stride between points, and total length, in floats, of the transformed inputs of `tiles` tiles.
pub fn input_layout(tiles: usize, depth: usize) -> (usize, usize) {
    layout(depth.div_ceil(GROUP_DEPTH).checked_mul(GROUP_DEPTH), tiles)
}

/// Stride between points, and total length, in floats, of the products of `tiles` tiles with a panel of `width` columns.
pub fn product_layout(tiles: usize, width: usize) -> (usize, usize) {
    layout(Some(tiles), width)
}

/// Stride between points, and total length, in floats, of the transformed filters of a panel of `width` columns.
pub fn filters_layout(depth: usize, width: usize) -> (usize, usize) {
    layout(Some(depth), width)
}

/// Stride between points, and total length, in floats, where each point is a matrix of `rows` by `columns`. Neither
/// overflows, so no offset inside does.
///
/// # Panics
/// If they would not fit in the address space.
fn layout(rows: Option<usize>, columns: usize) -> (usize, usize) {
    let stride = rows.and_then(|rows| rows.checked_mul(columns)).and_then(|floats| floats.checked_add(SKEW));
    let len = stride.and_then(|stride| stride.checked_mul(POINTS));
    stride.zip(len).expect("transforms larger than the address space")
}

/// Transforms filters of a panel, G g Gᵀ: each point is a matrix of input channels by the panel's columns.
pub struct TransformFilters<'a, const PAIRS: bool> {
    /// The filters, 3×3.
    pub filters: Filters<'a>,
    /// The input channels, from the first of a block on.
    pub channels: Range<usize>,
    /// The panel's output channels, a whole number of vectors. Columns past the last output channel are zero-filled.
    pub columns: Range<usize>,
    /// The destination, laid out as [`filters_layout`] says.
    pub to: &'a mut [f32],
}

impl<const PAIRS: bool> Kernel for TransformFilters<'_, PAIRS> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { filters, channels, columns, to } = self;
        let width = columns.len();
        let (stride, len) = filters_layout(depth_of::<PAIRS>(channels.len()), width);
        assert!(to.len() >= len && width.is_multiple_of(S::LANES));
        let of_row = if PAIRS { 2 } else { 1 };
        let mut kernels = BlockKernels::zeros();
        for block in channels.clone().step_by(BLOCK) {
            let used = BLOCK.min(channels.end - block);
            for left in (0..width).step_by(S::LANES) {
                filters.prefetch_3x3(simd, block + BLOCK, columns.start + left);
                filters.read_3x3(simd, block, columns.start + left, &mut kernels);
                for (row, kernels) in
                    kernels.0[..used.next_multiple_of(of_row)].chunks_exact(of_row).enumerate()
                {
                    let row = depth_of::<PAIRS>(block - channels.start) + row;
                    let first = transform_down(simd, &kernels[0]);
                    // Without pairs that is the same, and not used.
                    let second = transform_down(simd, &kernels[of_row - 1]);
                    for y in 0..SIDE {
                        let mut points = kernel_1d(simd, first.map(|column| column[y]));
                        if PAIRS {
                            let seconds = kernel_1d(simd, second.map(|column| column[y]));
                            for (point, second) in points.iter_mut().zip(seconds) {
                                *point = simd.pair(*point, second);
                            }
                        }
                        for (x, value) in points.into_iter().enumerate() {
                            let at = (y * SIDE + x) * stride + row * width + left;
                            // SAFETY: the last point's last row ends inside `to`, by the assert above.
                            unsafe { simd.store(to.as_mut_ptr().add(at), value) };
                        }
                    }
                }
            }
        }
    }
}

/// G g, by columns, of a vector of kernels.
#[inline(always)]
fn transform_down<S: Simd>(simd: S, kernel: &VectorKernel) -> [[S::F32; SIDE]; 3] {
    let mut vectors = [simd.splat(0.0); 9];
    for (vector, element) in vectors.iter_mut().zip(kernel) {
        *vector = simd.read(element);
    }
    let mut down = [[simd.splat(0.0); SIDE]; 3];
    for (x, down) in down.iter_mut().enumerate() {
        *down = kernel_1d(simd, [vectors[x], vectors[3 + x], vectors[6 + x]]);
    }
    down
}

/// Transforms the inputs, Bᵀ d B, of some of the tiles of a region of the output, which are numbered in row-major order.
/// Each point has a matrix per depth group, with a row of [`GROUP_DEPTH`] floats per tile: the left-hand side of
/// [`MultiplyPanels`](crate::gemm::MultiplyPanels).
pub struct TransformInput<'a, const PAIRS: bool> {
    /// The convolution's input.
    pub map: &'a FeatureMap,
    /// Row of the region's first output.
    pub y: usize,
    /// Column of the region's first output.
    pub x: usize,
    /// Tiles in a row of the region.
    pub columns: usize,
    /// The tiles to transform.
    pub tiles: Range<usize>,
    /// Rows of each point's matrices, at least one per tile; the others are padding.
    pub room: usize,
    /// The destination, laid out as [`input_layout`] says for `room` tiles.
    pub to: &'a mut [f32],
}

impl<const PAIRS: bool> Kernel for TransformInput<'_, PAIRS> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { map, y, x, columns, tiles, room, to } = self;
        let (stride, len) = input_layout(room, depth_of::<PAIRS>(map.channels()));
        assert!(to.len() >= len && tiles.len() <= room);
        // A vector of 16 lanes covers two blocks. After the last block the same block is read again: its values end up in
        // the padding of the group's row.
        let step = S::LANES / BLOCK;
        let mut next = tiles.start;
        while next < tiles.end {
            // The tiles of one row.
            let run = next..tiles.end.min((next / columns + 1) * columns);
            let top = y + next / columns * TILE;
            next = run.end;
            for block in (0..map.blocks()).step_by(step) {
                let second = (block + step - 1).min(map.blocks() - 1);
                let channel = block * BLOCK;
                for tile in run.clone() {
                    let left = x + tile % columns * TILE;
                    let mut edge: [[[f32; SIDE * BLOCK]; SIDE]; 2];
                    let [lo, hi] = if top + SIDE <= map.height() + 2 && left + SIDE <= map.width() + 2 {
                        for next in block + step..(block + 2 * step).min(map.blocks()) {
                            prefetch_tile(simd, map, next, top, left);
                        }
                        [block, second].map(|block| {
                            std::array::from_fn(|i| map.bordered_run::<SIDE>(block, top + i, left).as_ptr())
                        })
                    } else {
                        edge = [[[0.0; SIDE * BLOCK]; SIDE]; 2];
                        for (edge, block) in edge.iter_mut().zip([block, second]) {
                            copy_inside(map, block, top, left, edge);
                        }
                        edge.each_ref().map(|edge| edge.each_ref().map(|row| row.as_ptr()))
                    };
                    let row = tile - tiles.start;
                    let depth = depth_of::<PAIRS>(channel);
                    let at = (depth / GROUP_DEPTH * room + row) * GROUP_DEPTH + depth % GROUP_DEPTH;
                    // SAFETY: each pointer is to a row of `SIDE` blocks. The tile's row in the last point ends inside
                    // `to`, which is as long as `input_layout` says: `row` < `room`, and a vector lies inside its
                    // group's row.
                    unsafe { transform_tile::<S, PAIRS>(simd, lo, hi, to[at..].as_mut_ptr(), stride) };
                }
            }
        }
    }
}

/// So that no vector of channels spans two groups.
const _: () = assert!(GROUP_DEPTH.is_multiple_of(2 * BLOCK));

/// Prefetches the inputs of `block` under the tile at (`top`, `left`), counted from the border, except the two columns that
/// its left neighbour shares. The hardware prefetcher does not find them: a run of tiles is short, and the next block far
/// away.
#[inline(always)]
fn prefetch_tile<S: Simd>(simd: S, map: &FeatureMap, block: usize, top: usize, left: usize) {
    for i in 0..SIDE {
        let row = map.bordered_run::<SIDE>(block, top + i, left);
        // A cache line has two positions.
        simd.prefetch(row[2 * BLOCK..].as_ptr());
        simd.prefetch(row[4 * BLOCK..].as_ptr());
    }
}

/// Copies the 6×6 inputs at (`top`, `left`), counted from the border, as far as they lie in the map or its border. The
/// others are left as they are.
fn copy_inside(
    map: &FeatureMap,
    block: usize,
    top: usize,
    left: usize,
    to: &mut [[f32; SIDE * BLOCK]; SIDE],
) {
    for (i, to) in to.iter_mut().enumerate() {
        for (j, to) in to.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
            if top + i < map.height() + 2 && left + j < map.width() + 2 {
                to.copy_from_slice(map.bordered_run::<1>(block, top + i, left + j));
            }
        }
    }
}

/// Bᵀ d B of one tile and a vector of channels: those of the block in `lo` and, for 16 lanes, of that in `hi`.
///
/// # Safety
/// Each pointer in `lo` and `hi` must be valid for reading six positions of a block, and `to` for writing a vector at each
/// of 36 places `stride` floats apart.
#[inline(always)]
unsafe fn transform_tile<S: Simd, const PAIRS: bool>(
    simd: S,
    lo: [*const f32; SIDE],
    hi: [*const f32; SIDE],
    to: *mut f32,
    stride: usize,
) {
    // SAFETY: every address below is valid by the caller's guarantee.
    unsafe {
        let mut down = [[simd.splat(0.0); SIDE]; SIDE];
        for (j, down) in down.iter_mut().enumerate() {
            let [d0, d1, d2, d3, d4, d5] =
                [0, 1, 2, 3, 4, 5].map(|i| simd.load_blocks(lo[i].add(j * BLOCK), hi[i].add(j * BLOCK)));
            *down = input_1d(simd, [d0, d1, d2, d3, d4, d5]);
        }
        let rows: [[S::F32; SIDE]; SIDE] = std::array::from_fn(|i| down.map(|column| column[i]));
        for (i, row) in rows.into_iter().enumerate() {
            let points = input_1d(simd, row);
            for (j, value) in points.into_iter().enumerate() {
                let to = to.add((i * SIDE + j) * stride);
                // The next vector of channels will be written there.
                simd.prefetch_write(to.wrapping_add(depth_of::<PAIRS>(S::LANES)));
                match PAIRS {
                    true => simd.store_pairs(to, value),
                    false => simd.store(to, value),
                }
            }
        }
    }
}

/// The output transform of one tile and a vector of channels: Aᵀ m A, 4×4 outputs from the products m at 36 points.
pub struct TransformOutput<'a> {
    /// The products, laid out as [`product_layout`] says.
    pub products: &'a [f32],
    /// Floats from one point to the next.
    pub stride: usize,
    /// Offset in each point of the tile's vector of channels.
    pub at: usize,
}

impl TransformOutput<'_> {
    /// The outputs of [`Simd::LANES`] channels, by row and column of the tile.
    #[inline(always)]
    pub fn outputs<S: Simd>(&self, simd: S) -> [[S::F32; TILE]; TILE] {
        let last = (POINTS - 1).checked_mul(self.stride).and_then(|point| point.checked_add(self.at));
        let end = last.and_then(|last| last.checked_add(S::LANES));
        assert!(end.is_some_and(|end| end <= self.products.len()), "the products end before the last point");
        // Loops rather than `from_fn`: a closure that is not inlined is not compiled for the instruction set.
        let mut across = [[simd.splat(0.0); TILE]; SIDE];
        for (j, across) in across.iter_mut().enumerate() {
            let mut column = [simd.splat(0.0); SIDE];
            for (i, value) in column.iter_mut().enumerate() {
                // SAFETY: the last point's vector ends inside the products, by the assert above; so do all others.
                *value =
                    unsafe { simd.load(self.products.as_ptr().add((i * SIDE + j) * self.stride + self.at)) };
            }
            *across = output_1d(simd, column);
        }
        let mut outputs = [[simd.splat(0.0); TILE]; TILE];
        for (i, outputs) in outputs.iter_mut().enumerate() {
            let [m0, m1, m2, m3, m4, m5] = across;
            *outputs = output_1d(simd, [m0[i], m1[i], m2[i], m3[i], m4[i], m5[i]]);
        }
        outputs
    }
}

/// G·w, with G as in Lavin and Gray, section 4.3.
#[inline(always)]
fn kernel_1d<S: Simd>(simd: S, w: [S::F32; 3]) -> [S::F32; SIDE] {
    let [zero, sixth, twelfth] = [0.0, 1.0 / 6.0, 1.0 / 12.0].map(|value| simd.splat(value));
    let scaled = |factor: f32, value| simd.mul_add(simd.splat(factor), value, zero);
    let ends = scaled(-1.0 / 6.0, simd.add(w[0], w[2]));
    let wide = simd.mul_add(sixth, w[2], scaled(1.0 / 24.0, w[0]));
    let (middle, half) = (scaled(-1.0 / 6.0, w[1]), simd.mul_add(twelfth, w[1], zero));
    [
        scaled(0.25, w[0]),
        simd.add(ends, middle),
        simd.sub(ends, middle),
        simd.add(wide, half),
        simd.sub(wide, half),
        w[2],
    ]
}

/// Bᵀ·d.
#[inline(always)]
fn input_1d<S: Simd>(simd: S, d: [S::F32; SIDE]) -> [S::F32; SIDE] {
    let [two, minus_two, four, minus_four, minus_five] =
        [2.0, -2.0, 4.0, -4.0, -5.0].map(|value| simd.splat(value));
    let even = simd.mul_add(minus_four, d[2], d[4]);
    let odd = simd.mul_add(minus_four, d[1], d[3]);
    let (near, far) = (simd.sub(d[4], d[2]), simd.sub(d[3], d[1]));
    [
        simd.mul_add(four, d[0], simd.mul_add(minus_five, d[2], d[4])),
        simd.add(even, odd),
        simd.sub(even, odd),
        simd.mul_add(two, far, near),
        simd.mul_add(minus_two, far, near),
        simd.mul_add(four, d[1], simd.mul_add(minus_five, d[3], d[5])),
    ]
}

/// Aᵀ·m.
#[inline(always)]
fn output_1d<S: Simd>(simd: S, m: [S::F32; SIDE]) -> [S::F32; TILE] {
    let [two, four, eight] = [2.0, 4.0, 8.0].map(|value| simd.splat(value));
    let (sum_1, difference_1) = (simd.add(m[1], m[2]), simd.sub(m[1], m[2]));
    let (sum_2, difference_2) = (simd.add(m[3], m[4]), simd.sub(m[3], m[4]));
    [
        simd.add(m[0], simd.add(sum_1, sum_2)),
        simd.mul_add(two, difference_2, difference_1),
        simd.mul_add(four, sum_2, sum_1),
        simd.add(m[5], simd.mul_add(eight, difference_2, difference_1)),
    ]
}
