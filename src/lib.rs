//! Neural style transfer on the CPU, by the method of Gatys, Ecker and Bethge (2015).
//!
//! [`Stylize`] makes a [`Picture`] with the content of one picture and the [`Style`] of another, using a VGG network with the
//! given [`Weights`]. For example from bytes to bytes, with the embedded network (feature `embedded`):
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
//! - [`Picture`]: converts from and to files, bytes, buffers, and types of the re-exported crates `image` and `ndarray`.
//! - [`Encoding`]: what a file holds beside the pixels, and [`Metadata`]: what it held.
//! - [`Weights`]: the weights of a VGG from a safetensors file, memory-mapped or in memory. [`Places`] finds installed
//!   networks, and [`fetch`] downloads them.
//! - [`Style`]: a style picture or a blend of several, reusable for many jobs.
//! - [`Stylize`]: the job. [`Estimate`] tells what it will take, [`Progress`] reports its state, [`Cancel`] ends it from any
//!   thread, [`Stylized`] is its result.
//! - [`Checkpoints`]: the job's state in a file while it runs, and [`Checkpoint`], from which it goes on to the same bytes;
//!   [`max_time`](Stylize::max_time), when it ends.
//! - The controls of a painter: [`StyleSize`], the strokes' size; [`Colors`], whose colours; [`Mask`] and [`Regions`], where;
//!   [`laplacian_weight`](Stylize::laplacian_weight), likeness.
//! - [`Objective`]: the loss and its gradient as a function of a picture, for your own optimiser.
//! - [`classify`](fn@classify): image classification by a network with its dense layers.
//! - [`Error`]: the error of every fallible function.
//!
//! Work runs on the caller's rayon pool, or on a [pool of its own](Stylize::threads). The same pictures, settings, seed and
//! instruction set give the same bytes, whatever the number of threads.
//!
//! # Internals
//!
//! `picture` decodes, resizes and encodes. `stylize` runs `optimize` at one scale after the other; each step evaluates
//! `loss`, which runs `network` forward and backward. A network is a `vgg` with `weights`, computed by `layers` on top of
//! `tensor`, `gemm`, `simd` and `parallel`. These modules are public only for this crate's command, tests and benchmarks, are
//! hidden in this documentation, and may change in any version.
#![warn(missing_docs)]
// Files that need unsafe code state the reason at their top.
#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod checksum;
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
pub use layers::conv::edges::Edges;
pub use layers::pool::Pooling;
pub use loss::{Form, Losses, Objective, Statistic};
pub use parallel::cancel::Cancel;
pub use picture::{
    ColourProfile, Density, Depth, Encoding, Exif, Foreseen, Mask, Metadata, Needed, OutputFormat, Picture,
    Reading,
};
pub use stylize::{
    Checkpoint, Checkpoints, Colors, End, Estimate, Init, LayerWeight, Optimizer, Progress, Regions, Scale,
    ScaleEstimate, Scales, Size, Style, StyleSize, Stylize, Stylized, defaults,
};
pub use vgg::{Architecture, Layer, Preprocessing};
#[cfg(feature = "fetch")]
pub use weights::fetch;
pub use weights::{Available, Places, Source, Weights};

/// The README's examples, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
