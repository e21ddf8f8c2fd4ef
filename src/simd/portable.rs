//! Vectors as arrays, for any CPU: the compiler vectorises them for the target, for example with SSE2.

#![expect(unsafe_code, reason = "vectors are loaded from and stored to raw memory")]

use super::vector::Sealed;
use super::{Simd, TileKernel};

/// Eight lanes in an array.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Portable;

impl Sealed for Portable {}

// SAFETY: it needs no particular instruction set; a vector has eight floats, and each access is of one such array.
unsafe impl Simd for Portable {
    type F32 = [f32; 8];
    const LANES: usize = 8;

    #[inline(always)]
    fn with_tile<K: TileKernel>(self, kernel: K) -> K::Output {
        // Eight accumulators of SSE2's four lanes: half of its sixteen registers.
        kernel.run::<Self, 4, 1>(self)
    }

    #[inline(always)]
    fn splat(self, value: f32) -> [f32; 8] {
        [value; 8]
    }

    #[inline(always)]
    fn mul_add(self, a: [f32; 8], b: [f32; 8], c: [f32; 8]) -> [f32; 8] {
        // Not `f32::mul_add`, which is a library call where the target has no FMA.
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }

    #[inline(always)]
    fn add(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|i| a[i] + b[i])
    }

    #[inline(always)]
    fn sub(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|i| a[i] - b[i])
    }

    #[inline(always)]
    fn max(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|i| if b[i] > a[i] || b[i].is_nan() { b[i] } else { a[i] })
    }

    #[inline(always)]
    fn clamp_min(self, value: [f32; 8], floor: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|i| if value[i] < floor[i] { floor[i] } else { value[i] })
    }

    #[inline(always)]
    fn where_positive(self, sign: [f32; 8], value: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|i| if sign[i] > 0.0 { value[i] } else { 0.0 })
    }

    #[inline(always)]
    fn where_equal(self, a: [f32; 8], b: [f32; 8], value: [f32; 8]) -> [[f32; 8]; 2] {
        [true, false]
            .map(|equal| std::array::from_fn(|i| if (a[i] == b[i]) == equal { value[i] } else { 0.0 }))
    }

    #[inline(always)]
    unsafe fn load_transposed(self, from: *const f32, stride: usize) -> [[f32; 8]; 8] {
        let mut columns = [[0.0; 8]; 8];
        for row in 0..8 {
            // SAFETY: the caller guarantees eight readable floats at each address.
            let floats = unsafe { self.load(from.add(row * stride)) };
            for (column, value) in columns.iter_mut().zip(floats) {
                column[row] = value;
            }
        }
        columns
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> [f32; 8] {
        // SAFETY: the caller guarantees eight readable floats; an array has the alignment of its floats.
        unsafe { from.cast::<[f32; 8]>().read() }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, value: [f32; 8]) {
        // SAFETY: the caller guarantees eight writable floats; an array has the alignment of its floats.
        unsafe { to.cast::<[f32; 8]>().write(value) }
    }
}
