//! The vector trait that kernels are written over, and the choice of an instruction set at run time.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub mod peak;
mod portable;
#[cfg(target_arch = "x86_64")]
mod prefetch;

use std::fmt;

use self::portable::Portable;
#[cfg(target_arch = "x86_64")]
use self::{avx2::Avx2, avx512::Avx512};

/// The most floats that a vector has on any instruction set.
pub const MOST_LANES: usize = 16;

/// Vectors of [`Simd::LANES`] floats on one instruction set.
///
/// A value of an implementing type is the proof that the CPU has the instruction set: it is made only after
/// asking the CPU. Its methods compile to single instructions where the caller is compiled for the set,
/// which [`Isa::run`] sees to.
pub trait Simd: Copy + Send + Sync + 'static {
    /// A vector.
    type F32: Copy;
    /// Floats in a vector: a channel block's eight, or two blocks' [`MOST_LANES`].
    const LANES: usize;

    /// Runs `kernel` with the set's register tile: as many accumulators, of MR rows by NV vectors, as the registers hold
    /// beside the operands.
    fn with_tile<K: TileKernel>(self, kernel: K) -> K::Output;

    /// The same value in every lane.
    fn splat(self, value: f32) -> Self::F32;

    /// `a · b + c`; one rounding where the set has a fused multiply-add, two otherwise.
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;

    /// `a + b`.
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32;

    /// `a - b`.
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32;

    /// The larger of two, NaN where either is.
    fn larger(self, a: Self::F32, b: Self::F32) -> Self::F32;

    /// `floor` where `value` is below it, else `value`, so that NaN stays.
    fn not_below(self, floor: Self::F32, value: Self::F32) -> Self::F32;

    /// `value` where `sign` is above 0, else 0.
    fn where_positive(self, sign: Self::F32, value: Self::F32) -> Self::F32;

    /// `value` where `a` and `b` are equal, else 0; and the other way round.
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

    /// Writes what [`Simd::load_blocks`] reads: the second block first, so that where both are one place, what the
    /// first has stays.
    ///
    /// # Safety
    /// Both must be valid for writing eight floats. They need not be aligned.
    #[inline(always)]
    unsafe fn store_blocks(self, first: *mut f32, _second: *mut f32, value: Self::F32) {
        // SAFETY: as in `load_blocks`.
        unsafe { self.store(first, value) }
    }

    /// Reads eight floats at each of `LANES` places `stride` apart: the i-th vector has the i-th float of each.
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

    /// Asks the caches for what lies at `from` and will be read soon. Reads nothing, so it may be any address.
    #[inline(always)]
    fn prefetch(self, _from: *const f32) {}

    /// Asks the caches for what lies at `to`, to be written soon: no other core's caches keep it then. Writes nothing,
    /// so it may be any address.
    #[inline(always)]
    fn prefetch_write(self, _to: *mut f32) {}
}

/// Work written once over [`Simd`]. [`Isa::run`] compiles it for each instruction set.
pub trait Kernel {
    /// What it gives back.
    type Output;

    /// Does the work. Implementations are `#[inline(always)]`, so that they are compiled for `simd`'s set.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// Work written once over [`Simd`] and the size of the set's register tile. [`Isa::run_tiled`] compiles it for each
/// instruction set.
pub trait TileKernel {
    /// What it gives back.
    type Output;

    /// Does the work, with register tiles of MR rows by NV vectors. Implementations are `#[inline(always)]`, as for
    /// [`Kernel::run`].
    fn run<S: Simd, const MR: usize, const NV: usize>(self, simd: S) -> Self::Output;
}

/// An instruction set that this CPU was found to have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Isa(Set);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Set {
    Portable(Portable),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
}

impl Isa {
    /// Every set that this CPU has, the widest first. The last is always the portable one.
    pub fn available() -> Vec<Self> {
        let sets = [
            #[cfg(target_arch = "x86_64")]
            Avx512::detect().map(Set::Avx512),
            #[cfg(target_arch = "x86_64")]
            Avx2::detect().map(Set::Avx2),
            Some(Set::Portable(Portable)),
        ];
        sets.into_iter().flatten().map(Self).collect()
    }

    /// The widest set that this CPU has.
    pub fn best() -> Self {
        Self::available()[0]
    }

    /// `portable`, `avx2` or `avx512`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Set::Portable(_) => "portable",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512(_) => "avx512",
        }
    }

    /// Runs `kernel`, compiled for this set.
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            Set::Portable(simd) => kernel.run(simd),
            #[cfg(target_arch = "x86_64")]
            Set::Avx2(simd) => simd.run(kernel),
            #[cfg(target_arch = "x86_64")]
            Set::Avx512(simd) => simd.run(kernel),
        }
    }
}

impl Isa {
    /// Runs `kernel`, compiled for this set and its register tile.
    pub fn run_tiled<K: TileKernel>(self, kernel: K) -> K::Output {
        struct Tiled<K>(K);

        impl<K: TileKernel> Kernel for Tiled<K> {
            type Output = K::Output;

            #[inline(always)]
            fn run<S: Simd>(self, simd: S) -> K::Output {
                simd.with_tile(self.0)
            }
        }

        self.run(Tiled(kernel))
    }
}

impl fmt::Debug for Isa {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}
