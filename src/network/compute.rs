//! How a network is computed: the instruction set and the convolution algorithm.

use crate::named::named;
use crate::simd::Isa;

/// How a network is computed. By default on the widest instruction set that the CPU supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compute {
    /// The instruction set.
    pub isa: Isa,
    /// The choice of convolution algorithms.
    pub convolution: Convolution,
}

impl Default for Compute {
    fn default() -> Self {
        Isa::best().into()
    }
}

impl From<Isa> for Compute {
    fn from(isa: Isa) -> Self {
        Self { isa, convolution: Convolution::Auto }
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
