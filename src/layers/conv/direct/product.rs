//! The direct 3×3 convolution of a map of one channel block: of a picture, in VGG's first layer.
//!
//! Its patch matrix would be nine times the map, and Winograd's transforms would outweigh three channels' products. Here
//! the patches are read where they lie.

use std::ops::Range;

use crate::gemm::PackedMatrix;
use crate::simd::{Kernel, Simd};
use crate::tensor::feature_map::{BLOCK, FeatureMap};

/// The sums of the positions `x` of row `y`, for the output channels `columns`, a panel: one position after another.
/// `matrix` has a row for each tap and channel, packed in one group.
pub fn multiply(
    matrix: &PackedMatrix,
    map: &FeatureMap,
    y: usize,
    x: Range<usize>,
    columns: Range<usize>,
    sums: &mut [f32],
) {
    matrix.isa().run(Multiply { matrix, map, y, x, columns, sums });
}

struct Multiply<'a> {
    matrix: &'a PackedMatrix,
    map: &'a FeatureMap,
    y: usize,
    x: Range<usize>,
    columns: Range<usize>,
    sums: &'a mut [f32],
}

impl Kernel for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        match (S::TILE_ROWS, S::TILE_VECTORS) {
            (12, 2) => self.row::<S, 12, 2>(simd),
            (6, 2) => self.row::<S, 6, 2>(simd),
            (4, 1) => self.row::<S, 4, 1>(simd),
            _ => unreachable!("a register tile that direct.rs does not list"),
        }
    }
}

impl Multiply<'_> {
    #[inline(always)]
    fn row<S: Simd, const MR: usize, const NV: usize>(self, simd: S) {
        let Self { matrix, map, y, x, columns, sums } = self;
        let (width, channels) = (columns.len(), map.channels());
        assert!(channels <= BLOCK && sums.len() >= x.len() * width && width.is_multiple_of(S::LANES));
        let b = matrix.panels(0..9 * channels, columns);
        // From the position left of the first to that right of the last.
        let rows: [&[f32]; 3] = std::array::from_fn(|row| {
            let row = map.bordered_row(0, (y + row) as isize - 1);
            &row[x.start * BLOCK..(x.end + 2) * BLOCK]
        });
        let mut at = 0;
        while at < x.len() {
            let sums = &mut sums[at * width..];
            at += match (width == NV * S::LANES, x.len() - at) {
                (true, n) if n >= MR => tile::<S, MR, NV>(simd, &rows, at, channels, b, sums),
                (true, n) if n >= 4 => tile::<S, 4, NV>(simd, &rows, at, channels, b, sums),
                (true, _) => tile::<S, 1, NV>(simd, &rows, at, channels, b, sums),
                (false, n) if n >= 4 => tile::<S, 4, 1>(simd, &rows, at, channels, b, sums),
                (false, _) => tile::<S, 1, 1>(simd, &rows, at, channels, b, sums),
            };
        }
    }
}

/// The micro-kernel: the MR positions from `at` on by NV vectors of output channels, over all taps. Gives back MR.
#[inline(always)]
fn tile<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    rows: &[&[f32]; 3],
    at: usize,
    channels: usize,
    b: &[f32],
    to: &mut [f32],
) -> usize {
    let width = NV * S::LANES;
    assert!(to.len() >= MR * width && b.len() >= 9 * channels * width && channels <= BLOCK);
    let mut sums = [[simd.splat(0.0); NV]; MR];
    for tap in 0..9 {
        let a = &rows[tap / 3][(at + tap % 3) * BLOCK..(at + tap % 3 + MR) * BLOCK];
        for channel in 0..channels {
            // SAFETY: `b` has `width` floats for each tap and channel; `a` has MR blocks.
            unsafe {
                let mut vectors = [simd.splat(0.0); NV];
                for (vector, value) in vectors.iter_mut().enumerate() {
                    let from = (tap * channels + channel) * width + vector * S::LANES;
                    *value = simd.load(b.as_ptr().add(from));
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
            // SAFETY: by the assert above, the last position's vectors end inside `to`.
            unsafe { simd.store(to.as_mut_ptr().add(position * width + vector * S::LANES), *sum) };
        }
    }
    MR
}
