//! AVX-512: sixteen lanes in thirty-two registers.

#![expect(unsafe_code, reason = "intrinsics, in functions compiled for the instruction set")]

use std::arch::x86_64::*;
use std::mem::transmute;

use super::vector::Sealed;
use super::{Kernel, Simd, TileKernel, prefetch};

/// Proof that the CPU has AVX-512 F and VL, AVX2 and FMA, and with `BF16` also AVX-512 BF16.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Avx512<const BF16: bool>(());

impl Avx512<false> {
    /// The same with AVX-512 BF16; `None` if the CPU lacks it.
    pub fn with_bf16(self) -> Option<Avx512<true>> {
        is_x86_feature_detected!("avx512bf16").then_some(Avx512(()))
    }

    /// Detects the features; `None` if the CPU lacks one.
    pub fn detect() -> Option<Self> {
        // Each feature that `run` compiles for: a hypervisor may hide any of them.
        let has_all = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma");
        has_all.then_some(Self(()))
    }

    /// Runs `kernel`, compiled for these features.
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        // Everything inlined into this function is compiled for these features.
        #[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
        fn compiled<K: Kernel>(simd: Avx512<false>, kernel: K) -> K::Output {
            kernel.run(simd)
        }
        // SAFETY: `self` exists only where `detect` found the features that `compiled` is compiled for.
        unsafe { compiled(self, kernel) }
    }
}

impl Avx512<true> {
    /// Runs `kernel`, compiled for these features.
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        // Everything inlined into this function is compiled for these features.
        #[target_feature(enable = "avx512f,avx512vl,avx512bf16,avx2,fma")]
        fn compiled<K: Kernel>(simd: Avx512<true>, kernel: K) -> K::Output {
            kernel.run(simd)
        }
        // SAFETY: `self` exists only where `detect` and `with_bf16` found the features that `compiled` is compiled for.
        unsafe { compiled(self, kernel) }
    }
}

impl<const BF16: bool> Avx512<BF16> {
    /// The lanes rounded to bfloat16.
    #[inline(always)]
    fn to_bf16(self, value: __m512) -> __m256i {
        // SAFETY: `self` proves that the CPU has the instructions.
        unsafe {
            if BF16 {
                return transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(value));
            }
            // To the nearest, and to the even one of two.
            let bits = _mm512_castps_si512(value);
            let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
            let rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
            _mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(rounded))
        }
    }
}

impl<const BF16: bool> Sealed for Avx512<BF16> {}

// SAFETY: only `detect` and `with_bf16` create a value, if the CPU supports the features; a vector has sixteen floats, and
// each intrinsic accesses only one vector or half of one.
unsafe impl<const BF16: bool> Simd for Avx512<BF16> {
    type F32 = __m512;
    const LANES: usize = 16;

    #[inline(always)]
    fn with_tile<K: TileKernel>(self, kernel: K) -> K::Output {
        // Twenty-four accumulators, two vectors of the packed weights and one broadcast: 27 of 32 registers.
        kernel.run::<Self, 12, 2>(self)
    }

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        // SAFETY: `self` proves that the CPU has the instruction.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: `self` proves that the CPU has the instruction.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn mul_add_pairs(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: `self` proves that the CPU has the instructions.
        unsafe {
            if BF16 {
                let [a, b] = [a, b].map(|pairs| transmute::<__m512, __m512bh>(pairs));
                return _mm512_dpbf16_ps(c, a, b);
            }
            let [first, second] = [a, b].map(|pairs| {
                let bits = _mm512_castps_si512(pairs);
                let upper = _mm512_and_si512(bits, _mm512_set1_epi32(0xffff_0000u32 as i32));
                [_mm512_slli_epi32::<16>(bits), upper].map(|bits| _mm512_castsi512_ps(bits))
            });
            _mm512_fmadd_ps(first[1], second[1], _mm512_fmadd_ps(first[0], second[0], c))
        }
    }

    #[inline(always)]
    fn pair(self, first: __m512, second: __m512) -> __m512 {
        // SAFETY: `self` proves that the CPU has the instructions.
        unsafe {
            let [first, second] = [first, second].map(|value| _mm512_cvtepu16_epi32(self.to_bf16(value)));
            _mm512_castsi512_ps(_mm512_or_si512(first, _mm512_slli_epi32::<16>(second)))
        }
    }

    #[inline(always)]
    unsafe fn store_pairs(self, to: *mut f32, value: __m512) {
        // SAFETY: `self` proves that the CPU has the instruction; the caller guarantees valid memory.
        unsafe { _mm256_storeu_si256(to.cast(), self.to_bf16(value)) }
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves that the CPU has the instruction.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves that the CPU has the instruction.
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves that the CPU has the instructions.
        unsafe {
            // The instruction's maximum is `b` if either is NaN.
            let a_is_nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, a);
            _mm512_mask_mov_ps(_mm512_max_ps(a, b), a_is_nan, a)
        }
    }

    #[inline(always)]
    fn clamp_min(self, value: __m512, floor: __m512) -> __m512 {
        // SAFETY: `self` proves that the CPU has the instruction. It returns the second operand if either is NaN.
        unsafe { _mm512_max_ps(floor, value) }
    }

    #[inline(always)]
    fn where_positive(self, sign: __m512, value: __m512) -> __m512 {
        // SAFETY: `self` proves that the CPU has the instructions.
        unsafe { _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(sign, _mm512_setzero_ps()), value) }
    }

    #[inline(always)]
    fn where_equal(self, a: __m512, b: __m512, value: __m512) -> [__m512; 2] {
        // SAFETY: `self` proves that the CPU has the instructions.
        unsafe {
            let equal = _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b);
            [_mm512_maskz_mov_ps(equal, value), _mm512_maskz_mov_ps(!equal, value)]
        }
    }

    #[inline(always)]
    unsafe fn load_transposed(self, from: *const f32, stride: usize) -> [__m512; 8] {
        // SAFETY: `self` proves that the CPU has the instructions; the caller guarantees valid memory.
        unsafe {
            // Rows 0–7 in the lower halves, 8–15 in the upper: the transposition for AVX2, on both halves at once.
            let mut rows = [_mm512_setzero_ps(); 8];
            for (row, floats) in rows.iter_mut().enumerate() {
                *floats = self.load_blocks(from.add(row * stride), from.add((row + 8) * stride));
            }
            // Pairs of floats of two rows, then of four, then of eight.
            let mut pairs = rows;
            for i in [0, 2, 4, 6] {
                pairs[i] = _mm512_unpacklo_ps(rows[i], rows[i + 1]);
                pairs[i + 1] = _mm512_unpackhi_ps(rows[i], rows[i + 1]);
            }
            let mut fours = pairs;
            for i in [0, 4] {
                fours[i] = _mm512_shuffle_ps::<0x44>(pairs[i], pairs[i + 2]);
                fours[i + 1] = _mm512_shuffle_ps::<0xee>(pairs[i], pairs[i + 2]);
                fours[i + 2] = _mm512_shuffle_ps::<0x44>(pairs[i + 1], pairs[i + 3]);
                fours[i + 3] = _mm512_shuffle_ps::<0xee>(pairs[i + 1], pairs[i + 3]);
            }
            let lower = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
            let upper = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
            let mut columns = fours;
            for i in 0..4 {
                let [a, b] = [fours[i], fours[i + 4]].map(|four| _mm512_castps_pd(four));
                columns[i] = _mm512_castpd_ps(_mm512_permutex2var_pd(a, lower, b));
                columns[i + 4] = _mm512_castpd_ps(_mm512_permutex2var_pd(a, upper, b));
            }
            columns
        }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        // SAFETY: `self` proves that the CPU has the instruction; the caller guarantees valid memory.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, value: __m512) {
        // SAFETY: `self` proves that the CPU has the instruction; the caller guarantees valid memory.
        unsafe { _mm512_storeu_ps(to, value) }
    }

    #[inline(always)]
    unsafe fn load_blocks(self, first: *const f32, second: *const f32) -> __m512 {
        // SAFETY: `self` proves that the CPU has the instructions; the caller guarantees valid memory.
        unsafe {
            let first = _mm512_castpd256_pd512(_mm256_loadu_pd(first.cast()));
            _mm512_castpd_ps(_mm512_insertf64x4::<1>(first, _mm256_loadu_pd(second.cast())))
        }
    }

    #[inline(always)]
    unsafe fn store_blocks(self, first: *mut f32, second: *mut f32, value: __m512) {
        // SAFETY: `self` proves that the CPU has the instructions; the caller guarantees valid memory.
        unsafe {
            let value = _mm512_castps_pd(value);
            _mm256_storeu_pd(second.cast(), _mm512_extractf64x4_pd::<1>(value));
            _mm256_storeu_pd(first.cast(), _mm512_castpd512_pd256(value));
        }
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
