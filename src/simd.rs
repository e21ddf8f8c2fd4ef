//! Kernels written once over the vector trait [`Simd`], and the choice of an instruction set for them at run time.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
mod neon;
pub mod peak;
mod portable;
#[cfg(target_arch = "x86_64")]
mod prefetch;
mod vector;

use std::fmt;

#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
use self::neon::Neon;
use self::portable::Portable;
pub use self::vector::{MOST_LANES, Simd};
#[cfg(target_arch = "x86_64")]
use self::{avx2::Avx2, avx512::Avx512};

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
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    Neon(Neon),
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
            #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
            Some(Set::Neon(Neon)),
            Some(Set::Portable(Portable)),
        ];
        sets.into_iter().flatten().map(Self).collect()
    }

    /// The widest set that this CPU has.
    pub fn best() -> Self {
        Self::available()[0]
    }

    /// `portable`, `neon`, `avx2` or `avx512`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Set::Portable(_) => "portable",
            #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
            Set::Neon(_) => "neon",
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
            #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
            Set::Neon(simd) => kernel.run(simd),
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
