//! The library's one error type: what failed, on which file or value, and what would be right.

use std::fmt;
use std::path::PathBuf;

use crate::picture::OutputFormat;

/// What every fallible function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. Every message is one line that names the file or the value concerned.
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

    /// A file could not be written. Nothing is left at its path that was not there before.
    #[error("cannot write {}: {source}", path.display())]
    #[non_exhaustive]
    Write {
        /// The file, or `-` for standard output.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// Bytes are not a picture that can be decoded, or are damaged.
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

    /// Pixels do not have the shape, the size or the values that a picture needs.
    #[error("expected {expected}, found {found}")]
    #[non_exhaustive]
    Shape {
        /// What would be right.
        expected: String,
        /// What was given.
        found: String,
    },

    /// The extension of an output file is not that of a format that can be written.
    #[error("cannot tell the format of {}: end its name in .png, .jpg, .webp or .tiff", path.display())]
    #[non_exhaustive]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },

    /// A side of a picture is longer than its file format can hold.
    #[error("{format} holds at most {longest} pixels a side, not {width}×{height}")]
    #[non_exhaustive]
    TooLarge {
        /// The format.
        format: OutputFormat,
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// The most pixels of a side.
        longest: usize,
    },

    /// A picture is smaller than a layer needs.
    #[error("{what} is {width}×{height} pixels; layer {layer} needs at least {least}×{least}")]
    #[non_exhaustive]
    TooSmall {
        /// Which picture: `the content`, `the style`, a file's name.
        what: String,
        /// Its width in pixels.
        width: usize,
        /// Its height in pixels.
        height: usize,
        /// The layer that needs the most of those asked for.
        layer: String,
        /// The least side that it needs, in pixels.
        least: usize,
    },

    /// The work would need more memory than there is, or than it was given.
    #[error(
        "{what} of {width}×{height} pixels needs about {} of memory, and {} is available",
        gigabytes(*needed), gigabytes(*available)
    )]
    #[non_exhaustive]
    OutOfMemory {
        /// What needs it: `a result`, a file's name.
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

    /// A weights file is damaged, incomplete or not of a network in VGG's table.
    #[error("weights {}: {reason}", name.display())]
    #[non_exhaustive]
    Weights {
        /// The file, or what the caller called the bytes.
        name: PathBuf,
        /// What was expected and what was found, with the layer's name.
        reason: String,
    },

    /// A weights file was changed while it was in use: the network may be another from then on, or none.
    #[error("weights {}: the file changed after it was opened: {change}", path.display())]
    #[non_exhaustive]
    WeightsChanged {
        /// The file.
        path: PathBuf,
        /// What is different.
        change: String,
    },

    /// No network has this name, or none is installed.
    #[error("{}", no_network(name.as_deref(), folders))]
    #[non_exhaustive]
    NoNetwork {
        /// The name asked for, or nothing where any network would have done.
        name: Option<String>,
        /// The folders that were searched.
        folders: Vec<PathBuf>,
    },

    /// A network could not be fetched. What was installed before is still there.
    #[error("cannot fetch {url}: {reason}")]
    #[non_exhaustive]
    Fetch {
        /// From where, without what may be secret in it.
        url: String,
        /// What was expected and what was found.
        reason: String,
    },

    /// No layer has this name in this network.
    #[error("no layer {name:?} in {network}; it has {known}")]
    #[non_exhaustive]
    UnknownLayer {
        /// The name asked for.
        name: String,
        /// The network's name.
        network: String,
        /// The layers that it has.
        known: String,
    },

    /// A setting has a value that it can't have.
    #[error("{setting}: {reason}")]
    #[non_exhaustive]
    Setting {
        /// The setting.
        setting: Setting,
        /// The value found and the values possible.
        reason: String,
    },

    /// The work was broken off, as asked.
    #[error("cancelled")]
    Cancelled,

    /// The loss or its gradient is not finite.
    #[error(
        "the loss became {loss} after {evaluations} evaluations: its weights are too large, or its pictures are not finite"
    )]
    #[non_exhaustive]
    NotFinite {
        /// The loss.
        loss: f64,
        /// Evaluations until then.
        evaluations: usize,
    },
}

/// A setting that can have a wrong value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Setting {
    /// The pictures given: content and styles.
    Pictures,
    /// The result's size.
    Size,
    /// Steps of the optimiser.
    Steps,
    /// Scales of the schedule.
    Scales,
    /// The weight of the content term, α.
    ContentWeight,
    /// The weight of the style term, β.
    StyleWeight,
    /// The weight of total variation, γ.
    TvWeight,
    /// Layers of the content term and their weights.
    ContentLayers,
    /// Layers of the style term and their weights.
    StyleLayers,
    /// Shares of several styles.
    Shares,
    /// Threads.
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
            Self::ContentLayers => "content layers",
            Self::StyleLayers => "style layers",
            Self::Shares => "shares of the styles",
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

    /// An [`Error::Setting`] from what is wrong with it.
    pub(crate) fn setting(setting: Setting, reason: impl Into<String>) -> Self {
        Self::Setting { setting, reason: reason.into() }
    }
}

/// Bytes as text in gigabytes (10⁹ bytes), or megabytes where there are few.
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
