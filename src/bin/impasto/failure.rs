//! Why the command failed, with what to do about it in the command's own options.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use impasto::{Error, Setting};

/// What every fallible part of the command returns.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// Why the command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What the library says.
    Library(Error),
    /// An option or a variable of the environment has a value that it can't have.
    Option { option: &'static str, reason: String },
    /// A file of the command's own could not be read.
    Read { path: PathBuf, source: io::Error },
    /// A file of the command's own, or standard output (`-`), could not be written.
    Write { path: PathBuf, source: io::Error },
    /// The finished picture could not be written where it was asked for, and is in another file.
    Elsewhere { error: Error, path: PathBuf },
    /// A file of settings is wrong on a line.
    Config { path: PathBuf, line: usize, reason: String },
    /// A picture has no settings that can be shown.
    Settings { path: PathBuf, reason: String },
    /// Of what was given as photographs there are none.
    NoPhotograph { path: PathBuf, reason: String },
    /// Some of several photographs failed, each with its reason.
    Photographs { failed: usize, of: usize },
    /// A loss is not finite.
    NotFinite { loss: f64 },
    /// MPI can't be used.
    Mpi(String),
}

impl Failure {
    pub(crate) fn option(option: &'static str, reason: impl Into<String>) -> Self {
        Self::Option { option, reason: reason.into() }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Library(Error::Setting { setting, reason, .. }) => match option_of(*setting) {
                Some(option) => write!(f, "{option}: {reason}"),
                None => write!(f, "{setting}: {reason}"),
            },
            Self::Library(error @ Error::NoNetwork { name, .. }) => {
                // The name in the environment counts only where no option is given.
                let preferred = std::env::var("IMPASTO_WEIGHTS").ok();
                let option = match preferred.is_some() && preferred == *name {
                    true => "IMPASTO_WEIGHTS",
                    false => "--weights",
                };
                write!(f, "{option}: {error}; {HOW_TO_GET}")
            }
            Self::Library(Error::Write { path, source, .. }) => cannot_write(f, path, source),
            Self::Library(Error::Read { path, .. }) if path == Path::new("-") => {
                write!(f, "cannot read -: a picture is read from a file, not from standard input")
            }
            Self::Library(error) => match advice(error) {
                Some(advice) => write!(f, "{error}: {advice}"),
                None => error.fmt(f),
            },
            Self::Option { option, reason } => write!(f, "{option}: {reason}"),
            Self::Read { path, source } => write!(f, "cannot read {}: {source}", path.display()),
            Self::Elsewhere { error: Error::Write { path: wanted, source, .. }, path } => {
                cannot_write(f, wanted, source)?;
                write!(f, "; the picture is in {}", path.display())
            }
            Self::Elsewhere { error, path } => write!(f, "{error}; the picture is in {}", path.display()),
            Self::Config { path, line, reason } => write!(f, "{}:{line}: {reason}", path.display()),
            Self::Settings { path, reason } => write!(f, "{}: {reason}", path.display()),
            Self::NoPhotograph { path, reason } => write!(f, "{}: {reason}", path.display()),
            Self::Photographs { failed, of } => write!(f, "{failed} of {of} photographs failed"),
            Self::NotFinite { loss } => write!(f, "the loss is {loss}: {SMALLER_WEIGHTS}"),
            Self::Mpi(reason) => write!(f, "MPI: {reason}"),
            Self::Write { path, source } => cannot_write(f, path, source),
        }
    }
}

/// Says why a file, or standard output, could not be written.
fn cannot_write(f: &mut fmt::Formatter<'_>, path: &Path, source: &io::Error) -> fmt::Result {
    match path == Path::new("-") {
        true => write!(f, "cannot write standard output: {source}"),
        false => write!(f, "cannot write {}: {source}", path.display()),
    }
}

/// The option that a setting of the library is given by.
fn option_of(setting: Setting) -> Option<&'static str> {
    Some(match setting {
        Setting::Size => "--size",
        Setting::Steps => "--steps",
        Setting::Scales => "--scales",
        Setting::ContentWeight => "--content-weight",
        Setting::StyleWeight => "--style-weight",
        Setting::TvWeight => "--tv-weight",
        Setting::LaplacianWeight => "--laplacian-weight",
        Setting::ContentLayers => "--content-layer",
        Setting::StyleLayers => "--style-layer",
        Setting::Statistic => "--statistic",
        Setting::Shares => "--blend",
        Setting::Colors => "--colors",
        Setting::Mask => "--mask",
        Setting::StyleMasks => "--style-mask",
        Setting::Regions => "--regions",
        Setting::Threads => "--threads",
        Setting::Network => "--weights",
        _ => return None,
    })
}

/// What to do about an error, where there is something to do.
fn advice(error: &Error) -> Option<&'static str> {
    Some(match error {
        Error::TooSmall { what, .. } if what == "the style" => {
            "use a larger picture, --size, --style-scale or --style-size, or a shallower layer"
        }
        Error::TooSmall { .. } => "use a larger picture or --size, or a shallower layer",
        Error::TooLarge { .. } => "use a smaller --size, or .png",
        Error::OutOfMemory { what, .. } if what == "a style" => {
            "use a smaller --style-scale, --style-size or --size"
        }
        Error::Depth { .. } => "use --depth 8, or .png or .tiff",
        Error::OutOfMemory { what, .. } if what == "going on with a result" => {
            "give --max-memory, in which it goes on with other strips"
        }
        Error::OutOfMemory { .. } => "use a smaller --size, or a larger --max-memory if there is one",
        Error::WeightsChanged { .. } => "start again, with --no-mmap if it may change once more",
        Error::NotFinite { .. } => SMALLER_WEIGHTS,
        _ => return None,
    })
}

const SMALLER_WEIGHTS: &str = "use smaller --content-weight, --style-weight or --tv-weight";

#[cfg(feature = "fetch")]
const HOW_TO_GET: &str = "`impasto weights fetch vgg19` gets VGG-19, or give a VGG's safetensors file \
                          (scripts/convert_weights.py makes one of .pth, .h5 and .npz)";
#[cfg(not(feature = "fetch"))]
const HOW_TO_GET: &str = "give a VGG's safetensors file (timm's and torchvision's are read as they are, \
                          scripts/convert_weights.py makes one of .pth, .h5 and .npz) \
                          or put it in such a folder as NAME.safetensors";
