//! The register-tile micro-kernel in which every product of matrices ends.
//!
//! A tile of the result C, MR rows by NV vectors, stays in registers while a depth of products is added to it: at each
//! step, one value of each of A's rows, broadcast to a vector's lanes, times one row of B, NV vectors wide.
//! [`Broadcast`] and [`Vectors`] say where the operands lie; nothing is copied for the kernel's sake.

#![expect(unsafe_code, reason = "operands at constant strides, their bounds checked once a run")]

use crate::simd::Simd;
use crate::tensor::aligned::LINE;
use crate::tensor::feature_map::BLOCK;

/// What a tile's accumulators hold before the first step.
#[derive(Clone, Copy)]
pub enum Initial<'a> {
    /// Zeros.
    Zeros,
    /// What C holds.
    Sums,
    /// The same values in every row: at least as many as the tile has columns.
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

    /// The tile at the beginning of `c`, whose rows are `stride` floats apart.
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
    #[inline(always)]
    pub fn add_product<const ROW: usize, const STEP: usize>(
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
                // SAFETY: `step` is below the steps for which A has all rows, by the assert above.
                let a = simd.splat(unsafe { *a.0.as_ptr().add(row * ROW + step * STEP) });
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum = simd.mul_add(a, b, *sum);
                }
            }
        }
    }

    /// Writes the tile to the beginning of `c`, whose rows are `stride` floats apart.
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

    /// Refuses a C in which the tile's last row does not end.
    #[inline(always)]
    fn check(c: &[f32], stride: usize) {
        let end = (MR - 1).checked_mul(stride).and_then(|start| start.checked_add(Self::COLUMNS));
        assert!(end.is_some_and(|end| end <= c.len()), "a register tile past the end of C");
    }
}

/// The operand A, of which single values are broadcast: that of a row at a step is `floats[row · ROW + step · STEP]`.
/// Constant strides make every address in the kernel an offset known to the compiler.
#[derive(Clone, Copy)]
pub struct Broadcast<'a, const ROW: usize, const STEP: usize>(pub &'a [f32]);

impl<const ROW: usize, const STEP: usize> Broadcast<'_, ROW, STEP> {
    /// Steps for which each of so many rows has a value.
    #[inline(always)]
    fn steps(self, rows: usize) -> usize {
        self.0.len().saturating_sub((rows - 1) * ROW).div_ceil(STEP)
    }
}

/// The operand B: at each step a row of NV vectors.
///
/// # Safety
/// [`Vectors::row`] must be sound for every step below [`Vectors::steps`].
pub unsafe trait Vectors<S: Simd, const NV: usize>: Copy {
    /// Rows.
    fn steps(&self) -> usize;

    /// The row of a step.
    ///
    /// # Safety
    /// `step` must be below [`Vectors::steps`].
    unsafe fn row(self, simd: S, step: usize) -> [S::F32; NV];
}

/// A packed panel as wide as the tile: one row after another.
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
            // SAFETY: the slice has NV vectors for each step, and `step` is below their number.
            *value = unsafe { simd.load(self.0.as_ptr().add((step * NV + vector) * S::LANES)) };
        }
        row
    }
}

/// Another B that on the way asks the caches for what will be read next: a cache line a step.
#[derive(Clone, Copy)]
pub struct Prefetching<'a, B> {
    /// B.
    pub b: B,
    /// What will be read next.
    pub next: &'a [f32],
}

// SAFETY: `row` asks no more of `step` than that of `b`, of which both have the same number.
unsafe impl<S: Simd, const NV: usize, B: Vectors<S, NV>> Vectors<S, NV> for Prefetching<'_, B> {
    #[inline(always)]
    fn steps(&self) -> usize {
        self.b.steps()
    }

    #[inline(always)]
    unsafe fn row(self, simd: S, step: usize) -> [S::F32; NV] {
        simd.prefetch(self.next.as_ptr().wrapping_add(step * LINE));
        // SAFETY: the caller vouches for `step`.
        unsafe { self.b.row(simd, step) }
    }
}

/// The channels of neighbouring positions of a feature map, a step a position: each vector from two channel blocks'
/// runs of the same positions.
#[derive(Clone, Copy)]
pub struct Channels<'a, const NV: usize> {
    // Private: all of the same length, which `new` has checked.
    blocks: [[&'a [f32]; 2]; NV],
    positions: usize,
}

impl<'a, const NV: usize> Channels<'a, NV> {
    /// From runs of so many positions.
    #[inline(always)]
    pub fn new(blocks: [[&'a [f32]; 2]; NV], positions: usize) -> Self {
        for run in blocks.as_flattened() {
            assert!(positions <= run.len() / BLOCK, "a run of fewer positions");
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
            // SAFETY: both runs have eight floats for each step, and `step` is below their number.
            *value = unsafe {
                simd.load_blocks(first.as_ptr().add(step * BLOCK), second.as_ptr().add(step * BLOCK))
            };
        }
        row
    }
}

/// What is done with each of the tiles that cover some rows of C, by [`cover`].
pub trait Tiles<S: Simd> {
    /// Does it, for the tile from `row` on.
    fn tile<const MR: usize, const NV: usize>(&mut self, simd: S, row: usize);
}

/// Covers `rows` rows of one panel with tiles: of MR rows, and what is left of four and of one. The panel has NV
/// vectors, or one where `narrow`.
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
            (false, left) if left >= 4 => {
                tiles.tile::<4, NV>(simd, row);
                4
            }
            (false, _) => {
                tiles.tile::<1, NV>(simd, row);
                1
            }
            (true, left) if left >= 4 => {
                tiles.tile::<4, 1>(simd, row);
                4
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

    /// One step of a tile of three rows by two vectors, at places of so many floats.
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
            // Lengths as on a set of eight lanes.
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

    /// Whether the step is refused on every set.
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
    #[should_panic(expected = "a run of fewer positions")]
    fn runs_of_fewer_positions_are_refused() {
        Channels::new([[&[0.0; 16][..], &[0.0; 15][..]]], 2);
    }

    #[test]
    fn a_tile_is_added_to_and_nothing_beside_it() {
        for isa in Isa::available() {
            let c = isa.run(Step { a: 10, b: 32, c: 3 * 24, stride: 24 });
            let lanes = c.len() / 9;
            for (at, value) in c.iter().enumerate() {
                // Two steps of 2 · 3 on the 1 that C holds; what lies between the rows stays.
                let inside = at % (3 * lanes) < 2 * lanes;
                assert_eq!(*value, if inside { 13.0 } else { 1.0 }, "{isa:?} at {at}");
            }
        }
    }
}
