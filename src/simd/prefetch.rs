//! Asking the caches of an x86-64 for memory before it is used. The address may be any: nothing is read or written.

#![expect(unsafe_code, reason = "an intrinsic, and an instruction that has none")]

use std::arch::asm;
use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

/// For what will be read.
#[inline(always)]
pub fn to_read(from: *const f32) {
    // SAFETY: a prefetch reads nothing and never faults, and every x86-64 has it.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
}

/// For what will be written: other cores' caches are to give it up.
#[inline(always)]
pub fn to_write(to: *mut f32) {
    // The intrinsic with the hint ET0 is no `prefetchw` unless compiled for a feature that Rust has no name for.
    // SAFETY: it writes nothing and never faults; an x86-64 that does not have it takes it for a `nop`.
    unsafe { asm!("prefetchw [{}]", in(reg) to.addr(), options(nomem, nostack, preserves_flags)) }
}
