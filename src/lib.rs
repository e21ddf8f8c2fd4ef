//! Neural style transfer on the CPU.
#![warn(missing_docs)]

pub mod error;
pub mod kernels;
pub mod layers;
pub mod loss;
pub mod network;
pub mod objective;
pub mod profile;
pub mod vgg;
pub mod weights;

pub use error::{Error, Result};
