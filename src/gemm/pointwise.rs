//! Product of every position's channels with a matrix, the features read as they lie: a 1×1 convolution.

use std::ops::Range;

use crate::gemm::{GROUP_DEPTH, PackedMatrix};
use crate::simd::{Kernel, Simd};
use crate::tensor::feature_map::BLOCK;

/// Blocks of a group of the matrix's rows.
const GROUP_BLOCKS: usize = GROUP_DEPTH / BLOCK;

/// For the rows `y` of `width` positions each, of which `row(block, y)` has the features: each position's channels times
/// the matrix, written one position after another, as far apart as the matrix has columns. The matrix has a row a
/// channel, packed in groups of [`GROUP_DEPTH`].
pub fn multiply<'f>(
    matrix: &PackedMatrix,
    initial: Option<&[f32]>,
    row: impl Fn(usize, usize) -> &'f [f32],
    y: Range<usize>,
    width: usize,
    to: &mut [f32],
) {
    assert!(initial.is_none());
    matrix.isa().run(Multiply { matrix, row, y, width, to });
}

struct Multiply<'a, Row> {
    matrix: &'a PackedMatrix,
    row: Row,
    y: Range<usize>,
    width: usize,
    to: &'a mut [f32],
}

impl<'f, Row: Fn(usize, usize) -> &'f [f32]> Kernel for Multiply<'_, Row> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        match (S::TILE_ROWS, S::TILE_VECTORS) {
            (12, 2) => self.rows::<S, 12, 2>(simd),
            (6, 2) => self.rows::<S, 6, 2>(simd),
            (4, 1) => self.rows::<S, 4, 1>(simd),
            _ => unreachable!("a register tile that pointwise.rs does not list"),
        }
    }
}

impl<'f, Row: Fn(usize, usize) -> &'f [f32]> Multiply<'_, Row> {
    #[inline(always)]
    fn rows<S: Simd, const MR: usize, const NV: usize>(self, simd: S) {
        let Self { matrix, row, y, width, to } = self;
        let stride = matrix.columns();
        assert!(to.len() >= y.len() * width * stride);
        let (panel, first) = (NV * S::LANES, y.start);
        let mut features: [&[f32]; GROUP_BLOCKS] = [&[]; GROUP_BLOCKS];
        for y in y {
            let to = &mut to[(y - first) * width * stride..][..width * stride];
            for group in matrix.groups() {
                let blocks = group.start / BLOCK..group.end.div_ceil(BLOCK);
                for (features, block) in features.iter_mut().zip(blocks.clone()) {
                    *features = &row(block, y)[..width * BLOCK];
                }
                let features = &features[..blocks.len()];
                for left in (0..stride).step_by(panel) {
                    let columns = left..(left + panel).min(stride);
                    let b = matrix.panels(group.clone(), columns.clone());
                    let whole = columns.len() == panel;
                    let accumulate = group.start > 0;
                    let mut x = 0;
                    while x < width {
                        let to = &mut to[x * stride + left..];
                        x += match (whole, width - x) {
                            (true, n) if n >= MR => {
                                tile::<S, MR, NV>(simd, features, x, b, to, stride, accumulate)
                            }
                            (true, n) if n >= 4 => {
                                tile::<S, 4, NV>(simd, features, x, b, to, stride, accumulate)
                            }
                            (true, _) => tile::<S, 1, NV>(simd, features, x, b, to, stride, accumulate),
                            (false, n) if n >= 4 => {
                                tile::<S, 4, 1>(simd, features, x, b, to, stride, accumulate)
                            }
                            (false, _) => tile::<S, 1, 1>(simd, features, x, b, to, stride, accumulate),
                        };
                    }
                }
            }
        }
    }
}

/// The micro-kernel: the MR positions from `x` on by NV vectors of columns, over a group's channels. Gives back MR.
#[inline(always)]
fn tile<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    features: &[&[f32]],
    x: usize,
    b: &[f32],
    to: &mut [f32],
    stride: usize,
    accumulate: bool,
) -> usize {
    let width = NV * S::LANES;
    let depth = b.len() / width;
    assert!(to.len() >= (MR - 1) * stride + width && depth <= features.len() * BLOCK);
    let mut sums = [[simd.splat(0.0); NV]; MR];
    if accumulate {
        for (position, sums) in sums.iter_mut().enumerate() {
            for (vector, sum) in sums.iter_mut().enumerate() {
                // SAFETY: by the assert above, the last position's vectors end inside `to`.
                *sum = unsafe { simd.load(to.as_ptr().add(position * stride + vector * S::LANES)) };
            }
        }
    }
    for (features, b) in features.iter().zip(b.chunks(BLOCK * width)) {
        let a = &features[x * BLOCK..(x + MR) * BLOCK];
        for channel in 0..b.len() / width {
            // SAFETY: `b` has `width` floats a channel, of at most a block; `a` has MR blocks.
            unsafe {
                let mut vectors = [simd.splat(0.0); NV];
                for (vector, value) in vectors.iter_mut().enumerate() {
                    *value = simd.load(b.as_ptr().add(channel * width + vector * S::LANES));
                }
                for (position, sums) in sums.iter_mut().enumerate() {
                    let a = simd.splat(*a.as_ptr().add(position * BLOCK + channel));
                    for (sum, vector) in sums.iter_mut().zip(vectors) {
                        *sum = simd.mul_add(a, vector, *sum);
                    }
                }
            }
        }
    }
    for (position, sums) in sums.iter().enumerate() {
        for (vector, sum) in sums.iter().enumerate() {
            // SAFETY: as above.
            unsafe { simd.store(to.as_mut_ptr().add(position * stride + vector * S::LANES), *sum) };
        }
    }
    MR
}
