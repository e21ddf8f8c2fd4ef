//! The one error type of the crate: what failed, on which file or value, and what to do about it.

use std::path::PathBuf;

/// What every fallible function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. Every message is one line that names the file or the value concerned and, where
/// there is something to do about it, says what.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// A file could not be written. Nothing is left at its path that was not there before.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file, or `-` for standard output.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// A file is not a picture that can be decoded, or is damaged.
    #[error("{} is not a picture that impasto can read: {reason}", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        reason: String,
    },

    /// The extension of an output file is not that of a format that can be written.
    #[error("cannot tell the format of {}: end its name in .png, .jpg, .webp or .tiff", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },

    /// A picture is smaller than the layers asked for need.
    #[error(
        "{what} is {width}×{height} pixels; layer {layer} needs at least {least}×{least}: \
         use a larger picture or --size, or a shallower layer"
    )]
    TooSmall {
        /// Which picture (`content`, `style`, a file's name).
        what: String,
        /// Its width in pixels.
        width: usize,
        /// Its height in pixels.
        height: usize,
        /// The deepest layer asked for.
        layer: String,
        /// The least side that this layer needs.
        least: usize,
    },

    /// The work would need more memory than the machine has free.
    #[error(
        "{width}×{height} pixels would need about {} of memory, and {} is available: use a smaller --size",
        gigabytes(*needed), gigabytes(*available)
    )]
    OutOfMemory {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// Bytes that the work would need.
        needed: u64,
        /// Bytes that are available.
        available: u64,
    },

    /// A weights file is damaged, incomplete or not of a network in VGG's table.
    #[error("weights {}: {reason}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found, with the layer's name.
        reason: String,
    },

    /// A network could not be fetched. What was installed before is still there.
    #[error("cannot fetch {url}: {reason}")]
    Fetch {
        /// From where.
        url: String,
        /// What was expected and what was found, and what to do about it.
        reason: String,
    },

    /// No layer has this name in this network.
    #[error("no layer {name:?} in {network}; it has {known}")]
    UnknownLayer {
        /// The name asked for.
        name: String,
        /// The network's name.
        network: String,
        /// The layers that it has.
        known: String,
    },

    /// A setting has a value that it can't have.
    #[error("{what}: {reason}")]
    Invalid {
        /// The setting, as the command line names it.
        what: String,
        /// The value found and the values possible.
        reason: String,
    },

    /// The loss or its gradient stopped being finite. The best picture until then is kept.
    #[error(
        "the loss became {loss} after {evaluations} evaluations: \
         use smaller --content-weight, --style-weight or --tv-weight"
    )]
    NotFinite {
        /// The loss.
        loss: f64,
        /// Evaluations until then.
        evaluations: usize,
    },
}

impl Error {
    /// An [`Error::Invalid`] from the setting's name and what is wrong with it.
    pub fn invalid(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid { what: what.into(), reason: reason.into() }
    }
}

/// Bytes as text in gigabytes (10⁹ bytes).
fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}
