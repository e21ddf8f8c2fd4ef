//! How a network is computed: the instruction set, the convolution algorithm and the precision.

use crate::named::named;
use crate::simd::Isa;

/// How a network is computed. By default on the widest instruction set that the CPU supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compute {
    /// The instruction set.
    pub isa: Isa,
    /// The choice of convolution algorithms.
    pub convolution: Convolution,
    /// The precision of their products.
    pub precision: Precision,
}

impl Compute {
    /// Why the precision would be ignored, or only take time; `None` if it pays.
    pub fn reason_against_precision(&self) -> Option<&'static str> {
        match (self.precision, self.convolution) {
            (Precision::F32, _) => None,
            (Precision::Bf16, Convolution::Im2col) => Some("convolutions by im2col are computed in f32"),
            (Precision::Bf16, _) if self.isa.has_bf16() => None,
            (Precision::Bf16, _) => Some("it needs AVX-512 BF16, and would be slower without"),
        }
    }
}

impl Default for Compute {
    fn default() -> Self {
        Isa::best().into()
    }
}

impl From<Isa> for Compute {
    fn from(isa: Isa) -> Self {
        Self { isa, convolution: Convolution::Auto, precision: Precision::F32 }
    }
}

/// The choice of convolution algorithms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Convolution {
    /// The fastest for each convolution.
    #[default]
    Auto,
    /// im2col for all.
    Im2col,
    /// Winograd's minimal filtering for all with 3×3 kernels, im2col for the others.
    Winograd,
}

named!(Convolution { Auto => "auto", Im2col => "im2col", Winograd => "winograd" });

/// The precision of the factors that convolutions multiply. Sums, features and gradients are in f32 with either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Precision {
    /// f32.
    #[default]
    F32,
    /// bfloat16, for the transformed inputs and filters of Winograd's minimal filtering. Faster where
    /// [`Isa::has_bf16`] says so, and slower elsewhere.
    Bf16,
}

named!(Precision { F32 => "f32", Bf16 => "bf16" });
