//! Neural style transfer on the CPU: Gatys, Ecker and Bethge (2015), from pictures to pictures.
//!
//! [`Stylize`] is the main job.
#![warn(missing_docs)]
#![deny(unsafe_code)] // but for the files that say at their head why they need it

pub mod classify;
pub mod error;
#[doc(hidden)]
pub mod gemm;
#[doc(hidden)]
pub mod layers;
pub mod loss;
pub mod memory;
#[doc(hidden)]
pub mod named;
pub mod network;
#[doc(hidden)]
pub mod optimize;
#[doc(hidden)]
pub mod parallel;
pub mod picture;
#[doc(hidden)]
pub mod simd;
pub mod stylize;
#[doc(hidden)]
pub mod tensor;
pub mod vgg;
pub mod weights;
#[doc(hidden)]
pub mod whole_file;

pub use error::{Error, Result, Setting};
pub use picture::Picture;
pub use simd::Isa;
pub use stylize::{Cancel, Stylize};
pub use weights::Weights;
