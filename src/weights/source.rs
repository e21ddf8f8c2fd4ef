//! Where one network is: part of the program, or a file.

use std::fmt;
use std::path::PathBuf;

use super::Weights;
use crate::error::Result;

/// The name of the network that is part of the program, for [`Places::find`](super::Places::find) and
/// in messages.
#[cfg(feature = "embedded")]
pub const EMBEDDED: &str = "slim";

/// Where a network is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// In the program: [`Weights::embedded`].
    #[cfg(feature = "embedded")]
    Embedded,
    /// In this file.
    File(PathBuf),
}

impl Source {
    /// Opens the network, mapping its file where it has one.
    ///
    /// # Errors
    /// As [`Weights::open`] for a file.
    pub fn open(&self) -> Result<Weights> {
        match self {
            #[cfg(feature = "embedded")]
            Self::Embedded => Ok(Weights::embedded()),
            Self::File(path) => Weights::open(path),
        }
    }

    /// Reads the network, its file into a copy in memory.
    ///
    /// # Errors
    /// As [`Weights::read`] for a file.
    pub fn read(&self) -> Result<Weights> {
        match self {
            Self::File(path) => Weights::read(path),
            #[cfg(feature = "embedded")]
            embedded => embedded.open(),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "embedded")]
            Self::Embedded => write!(f, "{EMBEDDED} (embedded)"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

#[cfg(feature = "embedded")]
impl Weights {
    /// The network that is part of the program, `slim`: a VGG-19 with fewer channels, trained for
    /// impasto to see what VGG-19 sees. It stops after conv5_1. `weights/README.md` says how it was made
    /// and how good it is.
    pub fn embedded() -> Self {
        let file = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/weights/impasto-slim.safetensors"));
        Self::from_static(EMBEDDED, file).expect("the embedded network is whole, as a test assures")
    }
}
