//! VGG's layers, by hand: one file each, every backward directly under its forward.
//!
//! A backward pass is to the layer's input only, since the weights stay as they are, and happens **in place**:
//! `x`, which holds the layer's input X, holds the gradient dX afterwards. Nothing needs X after its gradient
//! is known, so an evaluation keeps one map a layer and no gradient maps beside them. [`GradientEpilogue`]
//! says what else is done to the gradient on its way, such as adding the loss's own gradient by X.

pub mod conv;
pub mod dense;
mod epilogue;
pub mod lrn;
pub mod moments;
pub mod pool;
pub mod relu;

pub use epilogue::{GradientEpilogue, TapGradient};
