//! Neural style transfer on the CPU.
#![warn(missing_docs)]

pub mod error;
pub mod kernels;
pub mod layers;
pub use error::{Error, Result};
