//! The library's error type: what failed, for which file or value, and what was expected.

use std::fmt;
use std::path::PathBuf;

use crate::picture::{Depth, OutputFormat};

/// The result of this crate's fallible functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of this crate. Every message is one line that names the file or the value concerned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    #[non_exhaustive]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// A file could not be written. A file that existed at its path is unchanged, and no new one is left there.
    #[error("cannot write {}: {source}", path.display())]
    #[non_exhaustive]
    Write {
        /// The file, or `-` for standard output.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// The data is damaged, or is not a picture of a supported format.
    #[error("{} is not a picture that impasto can read: {reason}", name.display())]
    #[non_exhaustive]
    Decode {
        /// The file, or what the caller called the bytes.
        name: PathBuf,
        /// What the decoder said.
        reason: String,
    },

    /// A picture could not be encoded.
    #[error("cannot write a picture as {format}: {reason}")]
    #[non_exhaustive]
    Encode {
        /// The format.
        format: OutputFormat,
        /// What the encoder said.
        reason: String,
    },

    /// An array or buffer does not have the shape, the layout or the values expected.
    #[error("expected {expected}, found {found}")]
    #[non_exhaustive]
    Shape {
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },

    /// The extension of an output file is not that of a supported output format.
    #[error("cannot tell the format of {}: end its name in .png, .jpg, .webp or .tiff", path.display())]
    #[non_exhaustive]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },

    /// A side of a picture is longer than the file format allows.
    #[error("{format} holds at most {longest} pixels a side, not {width}×{height}")]
    #[non_exhaustive]
    TooLarge {
        /// The format.
        format: OutputFormat,
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// The longest side that the format allows, in pixels.
        longest: usize,
    },

    /// A file format has no samples of this depth.
    #[error("{format} has no samples of {depth} bits; PNG and TIFF have")]
    #[non_exhaustive]
    Depth {
        /// The format.
        format: OutputFormat,
        /// The depth asked for.
        depth: Depth,
    },

    /// A picture is so small that a layer would have no positions.
    #[error("{what} is {width}×{height} pixels; layer {layer} needs at least {min_side}×{min_side}")]
    #[non_exhaustive]
    TooSmall {
        /// Which picture: `the content`, `the style`, a file's name.
        what: String,
        /// Its width in pixels.
        width: usize,
        /// Its height in pixels.
        height: usize,
        /// The layer that needs the largest picture.
        layer: String,
        /// The shortest side that it needs, in pixels.
        min_side: usize,
    },

    /// The work would need more memory than is available, or than its limit.
    #[error(
        "{what} of {width}×{height} pixels needs about {} of memory, and {} is available",
        gigabytes(*needed), gigabytes(*available)
    )]
    #[non_exhaustive]
    OutOfMemory {
        /// What needs it: `a result`, a file's name; `going on with a result` where a checkpoint was written with more memory: a
        /// [limit](crate::Stylize::memory_limit) lets it go on with less.
        what: String,
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// Bytes that the work would need.
        needed: u64,
        /// Bytes that are available, or the limit that was set.
        available: u64,
    },

    /// A weights file is damaged, incomplete, or not of a network in the VGG paper's table.
    #[error("weights {}: {reason}", name.display())]
    #[non_exhaustive]
    Weights {
        /// The file, or what the caller called the bytes.
        name: PathBuf,
        /// What was expected and what was found, with the layer's name if there is one.
        reason: String,
    },

    /// A weights file changed after it was opened. Results computed since then may be wrong.
    #[error("weights {}: the file changed after it was opened: {change}", path.display())]
    #[non_exhaustive]
    WeightsChanged {
        /// The file.
        path: PathBuf,
        /// What changed.
        change: String,
    },

    /// A file is not a whole checkpoint, or not one of this job.
    #[error("checkpoint {}: {reason}", path.display())]
    #[non_exhaustive]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },

    /// There is no network of this name, or none is installed.
    #[error("{}", no_network(name.as_deref(), folders))]
    #[non_exhaustive]
    NoNetwork {
        /// The requested name; `None` if any network was acceptable.
        name: Option<String>,
        /// The folders that were searched.
        folders: Vec<PathBuf>,
    },

    /// A network could not be fetched. Installed networks are unchanged.
    #[error("cannot fetch {url}: {reason}")]
    #[non_exhaustive]
    Fetch {
        /// The URL, without credentials.
        url: String,
        /// What was expected and what was found.
        reason: String,
    },

    /// The network has no layer of this name.
    #[error("no layer {name:?} in {network}; it has {known}")]
    #[non_exhaustive]
    UnknownLayer {
        /// The requested name.
        name: String,
        /// The network's name.
        network: String,
        /// The layers that the network has.
        known: String,
    },

    /// A setting has an invalid value.
    #[error("{setting}: {reason}")]
    #[non_exhaustive]
    Setting {
        /// The setting.
        setting: Setting,
        /// The value found and the values allowed.
        reason: String,
    },

    /// The work was cancelled by a [`Cancel`](crate::Cancel).
    #[error("cancelled")]
    Cancelled,

    /// The loss or its gradient was not finite.
    #[error(
        "the loss became {loss} after {evaluations} evaluations: its weights are too large, or its pictures are not finite"
    )]
    #[non_exhaustive]
    NotFinite {
        /// The loss, or NaN if the gradient was not finite.
        loss: f64,
        /// Evaluations of the loss before that, all scales together.
        evaluations: usize,
    },
}

/// A setting that can be invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Setting {
    /// The content and style pictures.
    Pictures,
    /// The result's size.
    Size,
    /// The number of optimiser steps.
    Steps,
    /// The number of scales.
    Scales,
    /// The weight of the content term, α.
    ContentWeight,
    /// The weight of the style term, β.
    StyleWeight,
    /// The weight of total variation, γ.
    TvWeight,
    /// The weight of the Laplacian term.
    LaplacianWeight,
    /// The layers of the content term and their weights.
    ContentLayers,
    /// The layers of the style term and their weights.
    StyleLayers,
    /// The statistic of the style term.
    Statistic,
    /// The shares of a blend of styles.
    Shares,
    /// The sizes at which the style pictures are used.
    StyleSizes,
    /// Whose colours the result has.
    Colors,
    /// The mask in which the style acts.
    Mask,
    /// The masks of the styles, one each.
    StyleMasks,
    /// The regions of the content and of the style.
    Regions,
    /// The number of threads.
    Threads,
    /// The network.
    Network,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pictures => "pictures",
            Self::Size => "size",
            Self::Steps => "steps",
            Self::Scales => "scales",
            Self::ContentWeight => "content weight",
            Self::StyleWeight => "style weight",
            Self::TvWeight => "weight of total variation",
            Self::LaplacianWeight => "weight of the Laplacian term",
            Self::ContentLayers => "content layers",
            Self::StyleLayers => "style layers",
            Self::Statistic => "statistic",
            Self::Shares => "shares of the styles",
            Self::StyleSizes => "sizes of the styles",
            Self::Colors => "colours",
            Self::Mask => "mask",
            Self::StyleMasks => "masks of the styles",
            Self::Regions => "regions",
            Self::Threads => "threads",
            Self::Network => "network",
        })
    }
}

impl Error {
    /// An [`Error::Shape`] from what was expected and what was found.
    pub(crate) fn shape(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Shape { expected: expected.into(), found: found.into() }
    }

    /// An [`Error::Setting`] with its reason.
    pub(crate) fn setting(setting: Setting, reason: impl Into<String>) -> Self {
        Self::Setting { setting, reason: reason.into() }
    }
}

/// Formats bytes in gigabytes (10⁹ bytes), or below one in megabytes.
fn gigabytes(bytes: u64) -> String {
    match bytes {
        0..1_000_000_000 => format!("{:.0} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// The message of [`Error::NoNetwork`].
fn no_network(name: Option<&str>, folders: &[PathBuf]) -> String {
    let folders: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
    let places = if folders.is_empty() { "any folder".to_owned() } else { folders.join(" or ") };
    match name {
        Some(name) => format!("no file {name}, and no {name}.safetensors in {places}"),
        None => format!("no network is installed in {places}"),
    }
}
