//! What goes wrong, as Python's exceptions.

use std::io;

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

use impasto::{Error, Setting};

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// What went wrong, on any thread.
#[derive(Debug)]
pub(crate) enum Failure {
    Library(Error),
    /// The same of what an argument holds, which the error doesn't name.
    Of {
        argument: String,
        error: Error,
    },
    /// An argument's value that is not allowed.
    Argument {
        name: String,
        reason: String,
    },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}

impl Failure {
    pub(crate) fn argument(name: &str, reason: impl Into<String>) -> Self {
        Self::Argument { name: name.to_owned(), reason: reason.into() }
    }

    /// The exception. Files that can't be read or written are `OSError`s; all else is of the classes in
    /// `impasto/_errors.py`.
    pub(crate) fn into_py(self, py: Python<'_>) -> PyErr {
        match self {
            Self::Argument { name, reason } => raised(py, "ArgumentError", format!("{name}: {reason}")),
            Self::Of { argument, error } => raised(py, class_of(&error), format!("{argument}: {error}")),
            Self::Library(Error::Setting { setting, reason, .. }) => {
                raised(py, "ArgumentError", format!("{}: {reason}", argument_of(setting)))
            }
            Self::Library(Error::Read { path, source, .. } | Error::Write { path, source, .. })
                if source.raw_os_error().is_some() =>
            {
                let errno = source.raw_os_error();
                // As Python's own functions say it, which makes it a `FileNotFoundError` and the like.
                let said = py.import("os").and_then(|os| os.call_method1("strerror", (errno,)));
                match said {
                    Ok(said) => PyOSError::new_err((errno, said.unbind(), path.into_os_string())),
                    Err(error) => error,
                }
            }
            Self::Library(error @ (Error::Read { .. } | Error::Write { .. })) => {
                let message = error.to_string();
                match error {
                    // Its kind makes it a `FileNotFoundError` and the like.
                    Error::Read { source, .. } | Error::Write { source, .. } => {
                        io::Error::new(source.kind(), message).into()
                    }
                    _ => PyOSError::new_err(message),
                }
            }
            Self::Library(error) => raised(py, class_of(&error), error.to_string()),
        }
    }
}

/// The class in `impasto/_errors.py` for an error.
fn class_of(error: &Error) -> &'static str {
    match error {
        Error::Decode { .. } | Error::TooSmall { .. } | Error::Shape { .. } => "PictureError",
        Error::Setting { .. } | Error::UnknownLayer { .. } | Error::UnknownFormat { .. } => "ArgumentError",
        Error::TooLarge { .. } | Error::Depth { .. } => "ArgumentError",
        Error::OutOfMemory { .. } => "OutOfMemoryError",
        Error::Weights { .. } | Error::WeightsChanged { .. } | Error::NoNetwork { .. } => "WeightsError",
        Error::Checkpoint { .. } => "CheckpointError",
        Error::NotFinite { .. } => "NotFiniteError",
        _ => "Error",
    }
}

/// The argument that is a setting of the library.
fn argument_of(setting: Setting) -> String {
    match setting {
        Setting::Pictures => "content, style",
        Setting::Size => "size",
        Setting::Steps => "steps",
        Setting::Scales => "scales",
        Setting::ContentWeight => "content_weight",
        Setting::StyleWeight => "style_weight",
        Setting::TvWeight => "tv_weight",
        Setting::LaplacianWeight => "laplacian_weight",
        Setting::ContentLayers => "content_layers",
        Setting::StyleLayers => "style_layers",
        Setting::Statistic => "statistic",
        Setting::Shares => "blend",
        Setting::StyleSizes => "style_scale, style_size",
        Setting::Colors => "colors",
        Setting::Mask => "mask",
        Setting::StyleMasks => "style_masks",
        Setting::Regions => "regions",
        Setting::Threads => "threads",
        Setting::Network => "weights",
        other => return other.to_string(),
    }
    .to_owned()
}

/// An exception of the package.
fn raised(py: Python<'_>, class: &str, message: String) -> PyErr {
    let made = py.import("impasto._errors").and_then(|errors| errors.getattr(class)?.call1((message,)));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}
