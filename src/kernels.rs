//! The numerical leaves: vectors, feature maps, im2col, GEMM, Winograd's transforms, reductions; and the threads' loops.
//!
//! Everything that needs `unsafe` for speed is below this module, one concern a file, behind safe functions.
//! [`simd`] holds the vector trait that a kernel is written over once; `portable`, `avx2` and `avx512`
//! implement it, and [`simd::Isa`] is the proof that the CPU has what an implementation needs.

pub mod aligned;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub mod direct;
pub mod feature_map;
pub mod filters;
pub mod gemm;
pub mod im2col;
pub mod peak;
pub mod pointwise;
mod portable;
#[cfg(target_arch = "x86_64")]
mod prefetch;
pub mod reduce;
pub mod rows;
pub mod scratch;
pub mod sgemm;
pub mod simd;
pub mod syrk;
pub mod team;
pub mod tiles;
pub mod winograd;

pub use feature_map::FeatureMap;
pub use simd::Isa;
