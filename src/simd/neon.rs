//! NEON: pairs of four-lane registers as vectors of eight lanes; thirty-two registers.
//!
//! A vector is a pair of registers so that it holds a whole channel block, as on every other instruction set. This costs
//! nothing, because the register tile is sized in pairs.

#![expect(
    unsafe_code,
    reason = "vectors are loaded from and stored to raw memory; prefetches have no intrinsic"
)]

use std::arch::aarch64::*;
use std::arch::asm;

use super::vector::Sealed;
use super::{Simd, TileKernel};

/// NEON. Needs no detection: this module is compiled only for targets that include it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Neon;

/// Lanes 0–3 and 4–7.
type Pair = [float32x4_t; 2];

/// The columns of four rows of four floats.
#[inline(always)]
fn transposed([a, b, c, d]: [float32x4_t; 4]) -> [float32x4_t; 4] {
    // SAFETY: the target has the instructions.
    unsafe {
        // Pairs of floats of two rows, then of four.
        let [even_ab, odd_ab] =
            [vreinterpretq_f64_f32(vtrn1q_f32(a, b)), vreinterpretq_f64_f32(vtrn2q_f32(a, b))];
        let [even_cd, odd_cd] =
            [vreinterpretq_f64_f32(vtrn1q_f32(c, d)), vreinterpretq_f64_f32(vtrn2q_f32(c, d))];
        [
            vreinterpretq_f32_f64(vtrn1q_f64(even_ab, even_cd)),
            vreinterpretq_f32_f64(vtrn1q_f64(odd_ab, odd_cd)),
            vreinterpretq_f32_f64(vtrn2q_f64(even_ab, even_cd)),
            vreinterpretq_f32_f64(vtrn2q_f64(odd_ab, odd_cd)),
        ]
    }
}

/// `value` in the lanes that `mask` has set, else 0.
#[inline(always)]
fn masked(mask: [uint32x4_t; 2], value: Pair) -> Pair {
    // SAFETY: the target has the instructions.
    unsafe {
        [
            vreinterpretq_f32_u32(vandq_u32(mask[0], vreinterpretq_u32_f32(value[0]))),
            vreinterpretq_f32_u32(vandq_u32(mask[1], vreinterpretq_u32_f32(value[1]))),
        ]
    }
}

impl Sealed for Neon {}

// SAFETY: the target has the set, or this module would not be compiled; a pair has eight floats, and each access is of
// two vectors of four.
unsafe impl Simd for Neon {
    type F32 = Pair;
    const LANES: usize = 8;

    #[inline(always)]
    fn with_tile<K: TileKernel>(self, kernel: K) -> K::Output {
        // Twelve pairs of accumulators, two pairs of the packed weights and one broadcast: 29 of 32 registers.
        kernel.run::<Self, 6, 2>(self)
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Pair {
        // SAFETY: the target has the instruction.
        unsafe { [vdupq_n_f32(value); 2] }
    }

    #[inline(always)]
    fn mul_add(self, a: Pair, b: Pair, c: Pair) -> Pair {
        // SAFETY: the target has the instruction.
        unsafe { [vfmaq_f32(c[0], a[0], b[0]), vfmaq_f32(c[1], a[1], b[1])] }
    }

    #[inline(always)]
    fn add(self, a: Pair, b: Pair) -> Pair {
        // SAFETY: the target has the instruction.
        unsafe { [vaddq_f32(a[0], b[0]), vaddq_f32(a[1], b[1])] }
    }

    #[inline(always)]
    fn sub(self, a: Pair, b: Pair) -> Pair {
        // SAFETY: the target has the instruction.
        unsafe { [vsubq_f32(a[0], b[0]), vsubq_f32(a[1], b[1])] }
    }

    #[inline(always)]
    fn max(self, a: Pair, b: Pair) -> Pair {
        // SAFETY: the target has the instruction. It returns NaN if either operand is NaN, unlike that of x86.
        unsafe { [vmaxq_f32(a[0], b[0]), vmaxq_f32(a[1], b[1])] }
    }

    #[inline(always)]
    fn clamp_min(self, value: Pair, floor: Pair) -> Pair {
        // SAFETY: the target has the instructions. `vmaxq_f32` would turn −0 into +0, unlike the other instruction sets.
        unsafe {
            [
                vbslq_f32(vcltq_f32(value[0], floor[0]), floor[0], value[0]),
                vbslq_f32(vcltq_f32(value[1], floor[1]), floor[1], value[1]),
            ]
        }
    }

    #[inline(always)]
    fn where_positive(self, sign: Pair, value: Pair) -> Pair {
        // SAFETY: the target has the instruction.
        masked(unsafe { [vcgtzq_f32(sign[0]), vcgtzq_f32(sign[1])] }, value)
    }

    #[inline(always)]
    fn where_equal(self, a: Pair, b: Pair, value: Pair) -> [Pair; 2] {
        // SAFETY: the target has the instructions.
        let (equal, other) = unsafe {
            let equal = [vceqq_f32(a[0], b[0]), vceqq_f32(a[1], b[1])];
            (equal, [vmvnq_u32(equal[0]), vmvnq_u32(equal[1])])
        };
        [masked(equal, value), masked(other, value)]
    }

    #[inline(always)]
    unsafe fn load_transposed(self, from: *const f32, stride: usize) -> [Pair; 8] {
        let mut rows = [self.splat(0.0); 8];
        for (row, floats) in rows.iter_mut().enumerate() {
            // SAFETY: the caller guarantees eight readable floats at each address.
            *floats = unsafe { self.load(from.add(row * stride)) };
        }
        let mut columns = rows;
        for rows_half in 0..2 {
            for columns_half in 0..2 {
                let [a, b, c, d] = [0, 1, 2, 3].map(|row| rows[4 * rows_half + row][columns_half]);
                for (column, floats) in transposed([a, b, c, d]).into_iter().enumerate() {
                    columns[4 * columns_half + column][rows_half] = floats;
                }
            }
        }
        columns
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> Pair {
        // SAFETY: the caller guarantees eight readable floats.
        unsafe { [vld1q_f32(from), vld1q_f32(from.add(4))] }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, value: Pair) {
        // SAFETY: the caller guarantees eight writable floats.
        unsafe {
            vst1q_f32(to, value[0]);
            vst1q_f32(to.add(4), value[1]);
        }
    }

    #[inline(always)]
    fn prefetch(self, from: *const f32) {
        // SAFETY: a prefetch reads nothing and never faults.
        unsafe { asm!("prfm pldl1keep, [{}]", in(reg) from.addr(), options(nomem, nostack, preserves_flags)) }
    }

    #[inline(always)]
    fn prefetch_write(self, to: *mut f32) {
        // SAFETY: a prefetch writes nothing and never faults.
        unsafe { asm!("prfm pstl1keep, [{}]", in(reg) to.addr(), options(nomem, nostack, preserves_flags)) }
    }
}
