//! The vector trait that kernels are written over.

#![expect(unsafe_code, reason = "vectors are loaded from and stored to raw memory")]

use super::TileKernel;

/// What keeps other crates from implementing [`Simd`].
pub trait Sealed {}

/// The most floats that a vector has on any instruction set.
pub const MOST_LANES: usize = 16;

/// Vectors of [`Simd::LANES`] floats on one instruction set.
///
/// A value of an implementing type is the proof that the CPU has the instruction set: it is made only after
/// asking the CPU. Its methods compile to single instructions where the caller is compiled for the set,
/// which [`Isa::run`](super::Isa::run) sees to. Sealed: the sets are those of [`Isa`](super::Isa).
///
/// # Safety
/// An implementing type must be made only where the CPU has the set. [`Simd::LANES`] must be 8 or [`MOST_LANES`]. The
/// methods that read and write memory must touch no float but those that they say.
pub unsafe trait Simd: Sealed + Copy + Send + Sync + 'static {
    /// A vector.
    type F32: Copy;
    /// Floats in a vector: a channel block's eight, or two blocks' [`MOST_LANES`].
    const LANES: usize;

    /// Runs `kernel` with the set's register tile: as many accumulators, of MR rows by NV vectors, as the registers
    /// hold beside the operands.
    fn with_tile<K: TileKernel>(self, kernel: K) -> K::Output;

    /// The same value in every lane.
    fn splat(self, value: f32) -> Self::F32;

    /// `a · b + c`; one rounding where the set has a fused multiply-add, two otherwise.
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;

    /// `a + b`.
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32;

    /// `a - b`.
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32;

    /// The larger of `a` and `b`; NaN where either is.
    fn larger(self, a: Self::F32, b: Self::F32) -> Self::F32;

    /// `floor` where `value` is below it, else `value`: NaN stays NaN.
    fn not_below(self, floor: Self::F32, value: Self::F32) -> Self::F32;

    /// `value` where `sign` is above 0, else 0.
    fn where_positive(self, sign: Self::F32, value: Self::F32) -> Self::F32;

    /// Two vectors: `value` where `a` and `b` are equal and 0 elsewhere, and `value` where they are not and 0
    /// elsewhere.
    fn where_equal(self, a: Self::F32, b: Self::F32, value: Self::F32) -> [Self::F32; 2];

    /// The first [`Simd::LANES`] floats of a slice.
    #[inline(always)]
    fn read(self, from: &[f32]) -> Self::F32 {
        assert!(from.len() >= Self::LANES);
        // SAFETY: by the assert above.
        unsafe { self.load(from.as_ptr()) }
    }

    /// Writes the first [`Simd::LANES`] floats of a slice.
    #[inline(always)]
    fn write(self, value: Self::F32, to: &mut [f32]) {
        assert!(to.len() >= Self::LANES);
        // SAFETY: by the assert above.
        unsafe { self.store(to.as_mut_ptr(), value) };
    }

    /// Reads eight floats of one channel block and, where a vector has room for two, eight of another.
    ///
    /// # Safety
    /// Both must be valid for reading eight floats. They need not be aligned.
    #[inline(always)]
    unsafe fn load_blocks(self, first: *const f32, _second: *const f32) -> Self::F32 {
        // SAFETY: a vector of eight is one block, for which the caller vouches. Wider sets have a method of their own.
        unsafe { self.load(first) }
    }

    /// Writes a vector to the places that [`Simd::load_blocks`] reads: the second block before the first, so that
    /// where both are the same place it holds the first afterwards.
    ///
    /// # Safety
    /// Both must be valid for writing eight floats. They need not be aligned.
    #[inline(always)]
    unsafe fn store_blocks(self, first: *mut f32, _second: *mut f32, value: Self::F32) {
        // SAFETY: as in `load_blocks`.
        unsafe { self.store(first, value) }
    }

    /// Reads eight floats at each of `LANES` places `stride` apart, transposed: the i-th vector has the i-th float of
    /// each place.
    ///
    /// # Safety
    /// Every place must be valid for reading eight floats. They need not be aligned.
    unsafe fn load_transposed(self, from: *const f32, stride: usize) -> [Self::F32; 8];

    /// Reads `LANES` floats.
    ///
    /// # Safety
    /// `from` must be valid for reading `LANES` floats. It need not be aligned.
    unsafe fn load(self, from: *const f32) -> Self::F32;

    /// Writes `LANES` floats.
    ///
    /// # Safety
    /// `to` must be valid for writing `LANES` floats. It need not be aligned.
    unsafe fn store(self, to: *mut f32, value: Self::F32);

    /// Prefetches the cache line at `from`, to be read soon. Reads nothing, so it may be any address.
    #[inline(always)]
    fn prefetch(self, _from: *const f32) {}

    /// Prefetches the cache line at `to`, to be written soon: other cores' caches give it up. Writes nothing, so it may
    /// be any address.
    #[inline(always)]
    fn prefetch_write(self, _to: *mut f32) {}
}
