//! Prefetches of x86-64. The address may be any: nothing is read or written.

#![expect(unsafe_code, reason = "an intrinsic, and an instruction that has none")]

use std::arch::asm;
use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

/// Prefetches the cache line at `from`, to be read soon.
#[inline(always)]
pub fn to_read(from: *const f32) {
    // SAFETY: a prefetch reads nothing and never faults, and every x86-64 has it.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
}

/// Prefetches the cache line at `to`, to be written soon: other cores' caches give it up.
#[inline(always)]
pub fn to_write(to: *mut f32) {
    // The intrinsic with the hint ET0 becomes `prefetchw` only with a target feature that Rust has no name for.
    // SAFETY: a prefetch writes nothing and never faults, and an x86-64 without the instruction runs it as a `nop`.
    unsafe { asm!("prefetchw [{}]", in(reg) to.addr(), options(nomem, nostack, preserves_flags)) }
}
