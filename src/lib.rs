//! Neural style transfer on the CPU: Gatys, Ecker and Bethge (2015), from pictures to pictures.
//!
//! [`Stylize`] is the main job. Beneath it, each module uses only those before it: [`kernels`] (the numerical
//! leaves), [`layers`], [`vgg`] (the networks as data), [`weights`], [`network`], [`loss`], [`objective`], [`optimize`],
//! [`picture`], [`pyramid`], [`stylize`].
#![warn(missing_docs)]

pub mod classify;
#[cfg(feature = "cli")]
pub mod cli;
pub mod error;
pub mod kernels;
pub mod layers;
pub mod loss;
pub mod memory;
pub mod network;
pub mod objective;
pub mod optimize;
pub mod picture;
pub mod profile;
pub mod pyramid;
pub mod stylize;
pub mod vgg;
pub mod weights;
pub mod whole_file;

pub use error::{Error, Result};
pub use kernels::Isa;
pub use picture::Picture;
pub use stylize::Stylize;
pub use weights::Weights;
