//! VGG's layers with hand-derived gradients: one file per layer, each `backward` directly under its `forward`.
//!
//! Throughout, dX is the gradient of the loss with respect to X. A backward pass computes only the gradient with respect
//! to the layer's input, because the weights are constant, and it works **in place**: `x` holds the input X before and
//! dX afterwards. Nothing reads X once dX is known, so an evaluation keeps one map per layer and no separate gradient
//! maps. A [`GradientEpilogue`] is applied to dX before it is stored: it adds the loss terms that depend on X directly,
//! and applies the derivative of a fused ReLU.

pub mod conv;
pub mod dense;
mod gradient_epilogue;
pub mod lrn;
pub mod moments;
pub mod pool;
pub mod relu;

pub use gradient_epilogue::{GradientEpilogue, TapGradient};
