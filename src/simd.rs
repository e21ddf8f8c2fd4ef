//! The vector trait [`Simd`] that kernels are generic over, and the choice of an instruction set at run time.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub mod caches;
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
pub use self::vector::{MAX_LANES, Simd};
#[cfg(target_arch = "x86_64")]
use self::{avx2::Avx2, avx512::Avx512};

/// A computation generic over [`Simd`], which [`Isa::run`] compiles for each instruction set.
pub trait Kernel {
    /// The result.
    type Output;

    /// Runs the kernel. Implementations must be `#[inline(always)]`, to be compiled for `simd`'s instruction set.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// A computation generic over [`Simd`] and the size of the register tile, which [`Isa::run_tiled`] compiles for each
/// instruction set.
pub trait TileKernel {
    /// The result.
    type Output;

    /// Runs the kernel with register tiles of MR rows by NV vectors. Implementations must be `#[inline(always)]`, as for
    /// [`Kernel::run`].
    fn run<S: Simd, const MR: usize, const NV: usize>(self, simd: S) -> Self::Output;
}

/// An instruction set that this CPU supports.
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
    Avx512(Avx512<false>),
}

impl Isa {
    /// All instruction sets that this CPU supports, the widest first. The last is always the portable one.
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

    /// The widest instruction set that this CPU supports.
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

    /// Runs `kernel`, compiled for this instruction set.
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
    /// Whether this CPU multiplies pairs of numbers in bfloat16 in one instruction.
    pub fn has_bf16(self) -> bool {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512(simd) => simd.with_bf16().is_some(),
            _ => false,
        }
    }

    /// [`Isa::run`], compiled for the instructions for bfloat16 as well, where the CPU has them.
    pub fn run_bf16<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512(simd) => match simd.with_bf16() {
                Some(simd) => simd.run(kernel),
                None => simd.run(kernel),
            },
            _ => self.run(kernel),
        }
    }

    /// Runs `kernel`, compiled for this instruction set and its register tile.
    pub fn run_tiled<K: TileKernel>(self, kernel: K) -> K::Output {
        self.run(Tiled(kernel))
    }

    /// [`Isa::run_tiled`], compiled for the instructions for bfloat16 as well, where the CPU has them.
    pub fn run_tiled_bf16<K: TileKernel>(self, kernel: K) -> K::Output {
        self.run_bf16(Tiled(kernel))
    }
}

struct Tiled<K>(K);

impl<K: TileKernel> Kernel for Tiled<K> {
    type Output = K::Output;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> K::Output {
        simd.with_tile(self.0)
    }
}

impl fmt::Debug for Isa {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}
