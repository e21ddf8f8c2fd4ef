//! Matrix products: one register-tile micro-kernel, and the loops around it for each layout of the operands.

pub mod dense;
pub(crate) mod micro_kernel;
pub mod packed;
pub mod pointwise;
pub mod sgemm;
pub mod syrk;
pub mod weighted;

pub use micro_kernel::ROWS_MULTIPLE;
pub use packed::{GROUP_DEPTH, Geometry, MultiplyPanels, PackedMatrix, TILE_ROWS_MULTIPLE, geometry};
