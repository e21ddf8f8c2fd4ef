//! Neural style transfer on the CPU: the method of Gatys, Ecker and Bethge (2015), from pictures to pictures.
//!
//! [`Stylize`] makes a [`Picture`] with one picture's content in another's [`Style`], by the network whose [`Weights`] it
//! is given. From bytes to bytes, with the network inside (feature `embedded`):
//!
//! ```no_run
//! use std::ops::ControlFlow;
//!
//! use impasto::{OutputFormat, Picture, Stylize, Weights};
//!
//! # fn transfer(photograph: &[u8], painting: &[u8]) -> impasto::Result<Vec<u8>> {
//! let made = Stylize::new(&Weights::embedded())
//!     .content(Picture::from_bytes(photograph)?)
//!     .style(Picture::from_bytes(painting)?)
//!     .run(|_| ControlFlow::Continue(()))?;
//! made.picture.encode(OutputFormat::Png)
//! # }
//! ```
//!
//! - [`Picture`]: from files, bytes, buffers, the crates `image` and `ndarray` (re-exported), and back.
//! - [`Weights`]: a VGG's safetensors file, mapped, read, or in memory. [`Places`] finds installed ones, and
//!   [`fetch`] installs them.
//! - [`Style`]: a painting, or a blend of several, for as many pictures as there are.
//! - [`Stylize`]: the job. [`Progress`] tells where it is, [`Cancel`] ends it from any thread, [`Stylized`] is what came out.
//! - [`Objective`]: the loss and its gradient as a function of a picture, for an optimiser of one's own.
//! - [`classify`](fn@classify): what a picture shows, by a network with its classifier.
//! - [`Error`]: what every fallible function returns.
//!
//! Work is done on the caller's rayon pool, or on [threads of its own](Stylize::threads). The same pictures, settings,
//! seed and instruction set give the same bytes, whatever the number of threads.
//!
//! # How it is built
//!
//! A picture's way: `picture` → `network` (`vgg` and `weights`; `layers` on `tensor`, `gemm` and `simd`, run by
//! `parallel`) → `loss` → back through `network` → `optimize` → `stylize`, at one scale after the other. These modules are
//! public for the crate's own command, tests and benchmarks, hidden here, and may change in any version.
#![warn(missing_docs)]
// But for the files that say at their head why they need it.
#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod classify;
mod error;
#[doc(hidden)]
pub mod gemm;
#[doc(hidden)]
pub mod layers;
#[doc(hidden)]
pub mod loss;
#[doc(hidden)]
pub mod memory;
#[doc(hidden)]
pub mod named;
#[doc(hidden)]
pub mod network;
#[doc(hidden)]
pub mod optimize;
#[doc(hidden)]
pub mod parallel;
#[doc(hidden)]
pub mod picture;
#[doc(hidden)]
pub mod simd;
#[doc(hidden)]
pub mod stylize;
#[doc(hidden)]
pub mod tensor;
#[doc(hidden)]
pub mod vgg;
#[doc(hidden)]
pub mod weights;
#[doc(hidden)]
pub mod whole_file;

pub use {image, ndarray};

pub use classify::classify;
#[doc(hidden)]
pub use classify::classify_with;
pub use error::{Error, Result, Setting};
pub use layers::pool::Pooling;
pub use loss::{Form, Losses, Objective};
pub use parallel::cancel::Cancel;
pub use picture::{Foreseen, Needed, OutputFormat, Picture, Reading};
pub use stylize::{
    End, Init, LayerWeight, Optimizer, Progress, Scale, Scales, Size, Style, Stylize, Stylized, defaults,
};
pub use vgg::{Architecture, Layer, Preprocessing};
#[cfg(feature = "fetch")]
pub use weights::fetch;
pub use weights::{Available, Places, Source, Weights};

/// The README's examples, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
