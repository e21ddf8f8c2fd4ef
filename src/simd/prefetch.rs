//! Prefetches on x86-64. They are hints, valid at any address.

#![expect(unsafe_code, reason = "a prefetch intrinsic, and an instruction without one")]

use std::arch::asm;
use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

/// Prefetches the cache line at `from` for reading.
#[inline(always)]
pub fn to_read(from: *const f32) {
    // SAFETY: a prefetch reads nothing and never faults, and every x86-64 has it.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
}

/// Prefetches the cache line at `to` for writing, invalidating it in other cores' caches.
#[inline(always)]
pub fn to_write(to: *mut f32) {
    // Assembly, because the intrinsic with the hint ET0 becomes `prefetchw` only with a target feature that Rust does not
    // expose.
    // SAFETY: a prefetch writes nothing and never faults; an x86-64 CPU without the instruction runs it as a `nop`.
    unsafe { asm!("prefetchw [{}]", in(reg) to.addr(), options(nomem, nostack, preserves_flags)) }
}
