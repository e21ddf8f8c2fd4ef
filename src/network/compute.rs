//! What a network is computed with.

use crate::named::named;
use crate::simd::Isa;

/// What a network is computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compute {
    /// The instruction set.
    pub isa: Isa,
    /// How convolutions are computed.
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

/// How convolutions are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Convolution {
    /// Each as is fastest for its shape.
    #[default]
    Auto,
    /// All as products with patch matrices.
    Im2col,
    /// All with 3×3 kernels by Winograd's minimal filtering.
    Winograd,
}

named!(Convolution { Auto => "auto", Im2col => "im2col", Winograd => "winograd" });
