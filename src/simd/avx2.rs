//! AVX2 with FMA: eight lanes in sixteen registers.

#![expect(unsafe_code, reason = "intrinsics, in functions compiled for the instruction set")]

use std::arch::x86_64::*;

use super::vector::Sealed;
use super::{Kernel, Simd, TileKernel, prefetch};

/// Proof that the CPU has AVX2 and FMA.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Avx2(());

impl Avx2 {
    /// Detects the features; `None` if the CPU lacks one.
    pub fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }

    /// Runs `kernel`, compiled for these features.
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        // Everything inlined into this function is compiled for these features.
        #[target_feature(enable = "avx2,fma")]
        fn compiled<K: Kernel>(simd: Avx2, kernel: K) -> K::Output {
            kernel.run(simd)
        }
        // SAFETY: `self` exists only where `detect` found the features that `compiled` is compiled for.
        unsafe { compiled(self, kernel) }
    }
}

impl Sealed for Avx2 {}

// SAFETY: only `detect` creates a value, if the CPU supports the features; a vector has eight floats, and each intrinsic
// accesses only one vector.
unsafe impl Simd for Avx2 {
    type F32 = __m256;
    const LANES: usize = 8;

    #[inline(always)]
    fn with_tile<K: TileKernel>(self, kernel: K) -> K::Output {
        // Twelve accumulators, two vectors of the packed weights and one broadcast: 15 of 16 registers.
        kernel.run::<Self, 6, 2>(self)
    }

    #[inline(always)]
    fn splat(self, value: f32) -> __m256 {
        // SAFETY: `self` proves that the CPU has the instruction.
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: `self` proves that the CPU has the instruction.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves that the CPU has the instruction.
        unsafe { _mm256_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves that the CPU has the instruction.
        unsafe { _mm256_sub_ps(a, b) }
    }

    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves that the CPU has the instructions.
        unsafe {
            // The instruction's maximum is `b` if either is NaN.
            let a_is_nan = _mm256_cmp_ps::<_CMP_UNORD_Q>(a, a);
            _mm256_blendv_ps(_mm256_max_ps(a, b), a, a_is_nan)
        }
    }

    #[inline(always)]
    fn clamp_min(self, value: __m256, floor: __m256) -> __m256 {
        // SAFETY: `self` proves that the CPU has the instruction. It returns the second operand if either is NaN.
        unsafe { _mm256_max_ps(floor, value) }
    }

    #[inline(always)]
    fn where_positive(self, sign: __m256, value: __m256) -> __m256 {
        // SAFETY: `self` proves that the CPU has the instructions.
        unsafe { _mm256_and_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(sign, _mm256_setzero_ps()), value) }
    }

    #[inline(always)]
    fn where_equal(self, a: __m256, b: __m256, value: __m256) -> [__m256; 2] {
        // SAFETY: `self` proves that the CPU has the instructions.
        unsafe {
            let equal = _mm256_cmp_ps::<_CMP_EQ_OQ>(a, b);
            [_mm256_and_ps(equal, value), _mm256_andnot_ps(equal, value)]
        }
    }

    #[inline(always)]
    unsafe fn load_transposed(self, from: *const f32, stride: usize) -> [__m256; 8] {
        // SAFETY: `self` proves that the CPU has the instructions; the caller guarantees valid memory.
        unsafe {
            let mut rows = [_mm256_setzero_ps(); 8];
            for (row, floats) in rows.iter_mut().enumerate() {
                *floats = self.load(from.add(row * stride));
            }
            // Pairs of floats of two rows, then of four, then of eight.
            let mut pairs = rows;
            for i in [0, 2, 4, 6] {
                pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
                pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
            }
            let mut fours = pairs;
            for i in [0, 4] {
                fours[i] = _mm256_shuffle_ps::<0x44>(pairs[i], pairs[i + 2]);
                fours[i + 1] = _mm256_shuffle_ps::<0xee>(pairs[i], pairs[i + 2]);
                fours[i + 2] = _mm256_shuffle_ps::<0x44>(pairs[i + 1], pairs[i + 3]);
                fours[i + 3] = _mm256_shuffle_ps::<0xee>(pairs[i + 1], pairs[i + 3]);
            }
            let mut columns = fours;
            for i in 0..4 {
                columns[i] = _mm256_permute2f128_ps::<0x20>(fours[i], fours[i + 4]);
                columns[i + 4] = _mm256_permute2f128_ps::<0x31>(fours[i], fours[i + 4]);
            }
            columns
        }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m256 {
        // SAFETY: `self` proves that the CPU has the instruction; the caller guarantees valid memory.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, value: __m256) {
        // SAFETY: `self` proves that the CPU has the instruction; the caller guarantees valid memory.
        unsafe { _mm256_storeu_ps(to, value) }
    }

    #[inline(always)]
    fn prefetch(self, from: *const f32) {
        prefetch::to_read(from);
    }

    #[inline(always)]
    fn prefetch_write(self, to: *mut f32) {
        prefetch::to_write(to);
    }
}
