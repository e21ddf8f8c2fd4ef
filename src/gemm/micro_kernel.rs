//! The register-tile micro-kernel: the innermost loop of every matrix product except [`sgemm`](super::sgemm).
//!
//! A tile of the result C, MR rows by NV vectors, stays in registers while the depth is summed over. Each step adds the
//! outer product of a column of A, MR values each broadcast to all lanes, and a row of B, NV vectors. [`Broadcast`] and
//! [`Vectors`] describe the layouts of A and B, so that neither must be copied into one particular layout.

#![expect(unsafe_code, reason = "operands at constant strides, whose bounds are checked once per product")]

use crate::simd::Simd;
use crate::tensor::aligned::LINE;
use crate::tensor::feature_map::BLOCK;

/// The accumulators' values before the first step.
#[derive(Clone, Copy)]
pub enum Initial<'a> {
    /// Zeros.
    Zeros,
    /// The values of C: the product is added to them.
    Sums,
    /// The same values in every row, at least one per column of the tile.
    Row(&'a [f32]),
}

/// The accumulators of MR rows by NV vectors of C.
pub struct RegisterTile<S: Simd, const MR: usize, const NV: usize> {
    simd: S,
    sums: [[S::F32; NV]; MR],
}

impl<S: Simd, const MR: usize, const NV: usize> RegisterTile<S, MR, NV> {
    /// Columns of a tile, in floats.
    const COLUMNS: usize = NV * S::LANES;

    /// The tile at the start of `c`, whose rows are `stride` floats apart.
    ///
    /// # Panics
    /// If `initial` reads C and the tile does not lie inside it, or has fewer values than the tile columns.
    #[inline(always)]
    pub fn begin(simd: S, initial: Initial, c: &[f32], stride: usize) -> Self {
        let mut sums = [[simd.splat(0.0); NV]; MR];
        match initial {
            Initial::Zeros => {}
            Initial::Sums => {
                Self::check(c, stride);
                for (row, sums) in sums.iter_mut().enumerate() {
                    for (vector, sum) in sums.iter_mut().enumerate() {
                        // SAFETY: the tile's rows lie inside `c`, which is checked above.
                        *sum = unsafe { simd.load(c.as_ptr().add(row * stride + vector * S::LANES)) };
                    }
                }
            }
            Initial::Row(row) => {
                let mut vectors = [simd.splat(0.0); NV];
                for (vector, values) in vectors.iter_mut().zip(row[..Self::COLUMNS].chunks_exact(S::LANES)) {
                    *vector = simd.read(values);
                }
                sums = [vectors; MR];
            }
        }
        Self { simd, sums }
    }

    /// Adds A·B, over as many steps as `b` has rows.
    ///
    /// # Panics
    /// If A has fewer steps than B.
    #[inline(always)]
    pub fn add_product<const ROW: usize, const STEP: usize>(
        &mut self,
        a: Broadcast<ROW, STEP>,
        b: impl Vectors<S, NV>,
    ) {
        self.add_product_of::<false, ROW, STEP>(a, b);
    }

    /// [`RegisterTile::add_product`], where with `PAIRS` each float of A and B is a pair of numbers in bfloat16, of two
    /// neighbouring steps.
    #[inline(always)]
    pub fn add_product_of<const PAIRS: bool, const ROW: usize, const STEP: usize>(
        &mut self,
        a: Broadcast<ROW, STEP>,
        b: impl Vectors<S, NV>,
    ) {
        let (simd, steps) = (self.simd, b.steps());
        assert!(steps <= a.steps(MR), "A has fewer steps than B");
        for step in 0..steps {
            // SAFETY: `step` is below `b.steps()`.
            let b = unsafe { b.row(simd, step) };
            for (row, sums) in self.sums.iter_mut().enumerate() {
                // SAFETY: A has a value for every row at `step`, by the assert above.
                let a = simd.splat(unsafe { *a.0.as_ptr().add(row * ROW + step * STEP) });
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum = match PAIRS {
                        true => simd.mul_add_pairs(a, b, *sum),
                        false => simd.mul_add(a, b, *sum),
                    };
                }
            }
        }
    }

    /// Writes the tile to the start of `c`, whose rows are `stride` floats apart.
    ///
    /// # Panics
    /// If the tile does not lie inside `c`.
    #[inline(always)]
    pub fn store(self, c: &mut [f32], stride: usize) {
        Self::check(c, stride);
        for (row, sums) in self.sums.iter().enumerate() {
            for (vector, sum) in sums.iter().enumerate() {
                // SAFETY: the tile's rows lie inside `c`, which is checked above.
                unsafe { self.simd.store(c.as_mut_ptr().add(row * stride + vector * S::LANES), *sum) };
            }
        }
    }

    /// Panics if the tile's last row does not lie inside `c`.
    #[inline(always)]
    fn check(c: &[f32], stride: usize) {
        let end = (MR - 1).checked_mul(stride).and_then(|start| start.checked_add(Self::COLUMNS));
        assert!(end.is_some_and(|end| end <= c.len()), "a register tile ends past the end of C");
    }
}

/// The operand A, whose values are broadcast: (row, step) is at index `row · ROW + step · STEP`. The strides are
/// constants so that the compiler knows the offset of every address in the kernel.
#[derive(Clone, Copy)]
pub struct Broadcast<'a, const ROW: usize, const STEP: usize>(pub &'a [f32]);

impl<const ROW: usize, const STEP: usize> Broadcast<'_, ROW, STEP> {
    /// Steps for which each of the first `rows` rows has a value.
    #[inline(always)]
    fn steps(self, rows: usize) -> usize {
        self.0.len().saturating_sub((rows - 1) * ROW).div_ceil(STEP)
    }
}

/// The operand B: one row of NV vectors per step.
///
/// # Safety
/// [`Vectors::row`] must be sound for every step below [`Vectors::steps`].
pub unsafe trait Vectors<S: Simd, const NV: usize>: Copy {
    /// Number of rows, one per step.
    fn steps(&self) -> usize;

    /// The row at `step`.
    ///
    /// # Safety
    /// `step` must be below [`Vectors::steps`].
    unsafe fn row(self, simd: S, step: usize) -> [S::F32; NV];
}

/// B as a packed panel of the tile's width, with contiguous rows.
#[derive(Clone, Copy)]
pub struct Panel<'a>(pub &'a [f32]);

// SAFETY: rows below `steps` end inside the slice.
unsafe impl<S: Simd, const NV: usize> Vectors<S, NV> for Panel<'_> {
    #[inline(always)]
    fn steps(&self) -> usize {
        self.0.len() / (NV * S::LANES)
    }

    #[inline(always)]
    unsafe fn row(self, simd: S, step: usize) -> [S::F32; NV] {
        let mut row = [simd.splat(0.0); NV];
        for (vector, value) in row.iter_mut().enumerate() {
            // SAFETY: the slice has NV vectors for each step below `steps`.
            *value = unsafe { simd.load(self.0.as_ptr().add((step * NV + vector) * S::LANES)) };
        }
        row
    }
}

/// An operand B that also prefetches, one cache line per step, the data needed after this product.
#[derive(Clone, Copy)]
pub struct Prefetching<'a, B> {
    /// B itself.
    pub b: B,
    /// The data to prefetch.
    pub next: &'a [f32],
}

// SAFETY: `steps` and `row` are those of `b`; a prefetch is sound at any address.
unsafe impl<S: Simd, const NV: usize, B: Vectors<S, NV>> Vectors<S, NV> for Prefetching<'_, B> {
    #[inline(always)]
    fn steps(&self) -> usize {
        self.b.steps()
    }

    #[inline(always)]
    unsafe fn row(self, simd: S, step: usize) -> [S::F32; NV] {
        simd.prefetch(self.next.as_ptr().wrapping_add(step * LINE));
        // SAFETY: `step` is below `b.steps()`, by this function's contract.
        unsafe { self.b.row(simd, step) }
    }
}

/// B as the channels of neighbouring positions of a feature map, one position per step. Each vector is read from the runs
/// of two channel blocks at the same positions; one of eight lanes reads only the first.
#[derive(Clone, Copy)]
pub struct Channels<'a, const NV: usize> {
    // Private: `new` has checked that each run has all positions.
    blocks: [[&'a [f32]; 2]; NV],
    positions: usize,
}

impl<'a, const NV: usize> Channels<'a, NV> {
    /// An operand of the first `positions` positions of the runs.
    ///
    /// # Panics
    /// If a run has fewer positions.
    #[inline(always)]
    pub fn new(blocks: [[&'a [f32]; 2]; NV], positions: usize) -> Self {
        for run in blocks.as_flattened() {
            assert!(positions <= run.len() / BLOCK, "a run has fewer positions");
        }
        Self { blocks, positions }
    }
}

// SAFETY: every run has eight floats for each of the positions, by `new`.
unsafe impl<S: Simd, const NV: usize> Vectors<S, NV> for Channels<'_, NV> {
    #[inline(always)]
    fn steps(&self) -> usize {
        self.positions
    }

    #[inline(always)]
    unsafe fn row(self, simd: S, step: usize) -> [S::F32; NV] {
        let mut row = [simd.splat(0.0); NV];
        for (value, [first, second]) in row.iter_mut().zip(self.blocks) {
            // SAFETY: both runs have eight floats for each step below `steps`.
            *value = unsafe {
                simd.load_blocks(first.as_ptr().add(step * BLOCK), second.as_ptr().add(step * BLOCK))
            };
        }
        row
    }
}

/// The computation of one register tile, for [`cover`].
pub trait Tiles<S: Simd> {
    /// Computes the tile of MR rows by NV vectors whose first row is `row`.
    fn tile<const MR: usize, const NV: usize>(&mut self, simd: S, row: usize);
}

/// Rows of the tiles for the rows that are left over by those of MR rows.
pub const ROWS_MULTIPLE: usize = 4;

/// Covers `rows` rows of one panel with tiles of MR rows, and the remaining rows with tiles of four and of one. The panel is
/// NV vectors wide, or one if `narrow`.
#[inline(always)]
pub fn cover<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    rows: usize,
    narrow: bool,
    tiles: &mut impl Tiles<S>,
) {
    let mut row = 0;
    while row < rows {
        row += match (narrow, rows - row) {
            (false, left) if left >= MR => {
                tiles.tile::<MR, NV>(simd, row);
                MR
            }
            (false, left) if left >= ROWS_MULTIPLE => {
                tiles.tile::<ROWS_MULTIPLE, NV>(simd, row);
                ROWS_MULTIPLE
            }
            (false, _) => {
                tiles.tile::<1, NV>(simd, row);
                1
            }
            (true, left) if left >= MR => {
                tiles.tile::<MR, 1>(simd, row);
                MR
            }
            (true, left) if left >= ROWS_MULTIPLE => {
                tiles.tile::<ROWS_MULTIPLE, 1>(simd, row);
                ROWS_MULTIPLE
            }
            (true, _) => {
                tiles.tile::<1, 1>(simd, row);
                1
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Isa, Kernel};

    /// A product with a tile of three rows by two vectors, from operands of the given lengths in floats.
    struct Step {
        a: usize,
        b: usize,
        c: usize,
        stride: usize,
    }

    impl Kernel for Step {
        type Output = Vec<f32>;

        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> Vec<f32> {
            // The lengths are those for eight lanes.
            let scale = S::LANES / 8;
            let (a, b) = (vec![2.0; self.a], vec![3.0; self.b * scale]);
            let mut c = vec![1.0; self.c * scale];
            let stride = self.stride.saturating_mul(scale);
            let mut tile = RegisterTile::<S, 3, 2>::begin(simd, Initial::Sums, &c, stride);
            tile.add_product(Broadcast::<4, 1>(&a), Panel(&b));
            tile.store(&mut c, stride);
            c
        }
    }

    /// Whether the product panics, which must be the same on every instruction set.
    fn refused(a: usize, b: usize, c: usize, stride: usize) -> bool {
        let refused = |isa: Isa| std::panic::catch_unwind(|| isa.run(Step { a, b, c, stride })).is_err();
        let all: Vec<bool> = Isa::available().into_iter().map(refused).collect();
        assert!(all.iter().all(|refused| *refused == all[0]));
        all[0]
    }

    #[test]
    fn operands_that_end_too_early_are_refused() {
        // Two steps: the third row's second value is A's tenth.
        assert!(!refused(10, 32, 48, 16));
        assert!(refused(9, 32, 48, 16), "A");
        assert!(refused(10, 32, 47, 16), "C");
        assert!(refused(10, 32, 48, 17), "rows of C");
        assert!(refused(10, 32, 48, usize::MAX / 2 + 1), "rows of C at places that wrap");
        assert!(refused(0, 16, 48, 16), "no A");
        // No step needs no A.
        assert!(!refused(0, 15, 48, 16));
    }

    #[test]
    #[should_panic(expected = "a run has fewer positions")]
    fn runs_of_fewer_positions_are_refused() {
        Channels::new([[&[0.0; 16][..], &[0.0; 15][..]]], 2);
    }

    #[test]
    fn a_tile_is_added_to_and_nothing_beside_it() {
        for isa in Isa::available() {
            let c = isa.run(Step { a: 10, b: 32, c: 3 * 24, stride: 24 });
            let lanes = c.len() / 9;
            for (at, value) in c.iter().enumerate() {
                // Two steps of 2 · 3 added to C's 1; the floats between the rows are unchanged.
                let inside = at % (3 * lanes) < 2 * lanes;
                assert_eq!(*value, if inside { 13.0 } else { 1.0 }, "{isa:?} at {at}");
            }
        }
    }
}
