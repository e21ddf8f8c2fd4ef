//! Where weights are looked for on this machine.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::source::Source;
use crate::error::{Error, Result};
use crate::vgg::Architecture;

/// Extension of the files in which networks are installed.
pub(super) const EXTENSION: &str = "safetensors";

/// The folders in which networks are installed, each as `NAME.safetensors`, and the one to use by
/// default.
#[derive(Clone, Debug)]
pub struct Places {
    folders: Vec<PathBuf>,
    preferred: Option<PathBuf>,
}

/// A network that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Available {
    /// What [`Places::find`] finds it by: `slim` for the embedded one, the file's name without
    /// `.safetensors` for an installed one.
    pub name: String,
    /// Where it is.
    pub source: Source,
}

impl Places {
    /// The user's places, from the environment: the folders `$IMPASTO_WEIGHTS_DIR` and [`data_folder`];
    /// by default the file or name in `$IMPASTO_WEIGHTS`.
    pub fn of_user() -> Self {
        let folders = path_from_env("IMPASTO_WEIGHTS_DIR").into_iter().chain(data_folder()).collect();
        Self::new(folders, path_from_env("IMPASTO_WEIGHTS"))
    }

    /// Places of the caller's choice: folders, the first one first, and the file or name to use by
    /// default.
    pub fn new(folders: Vec<PathBuf>, preferred: Option<PathBuf>) -> Self {
        Self { folders, preferred }
    }

    /// The folders, in the order in which they are searched.
    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// The network that `spec` means: the file with this path where there is one, or else the embedded
    /// or the installed network with this name. A path without a file is given back as it is: opening it
    /// says what is wrong.
    ///
    /// # Errors
    /// [`Error::NoNetwork`] where `spec` is a name (it has no separator and no dot) and there is no
    /// network with that name.
    pub fn find(&self, spec: impl AsRef<Path>) -> Result<Source> {
        let spec = spec.as_ref();
        if spec.is_file() || !is_name(spec) {
            return Ok(Source::File(spec.to_owned()));
        }
        if let Some(embedded) = embedded().into_iter().find(|network| spec == Path::new(&network.name)) {
            return Ok(embedded.source);
        }
        let file = spec.with_extension(EXTENSION);
        let mut paths = self.folders.iter().map(|folder| folder.join(&file));
        let found = paths.find(|path| path.is_file()).map(Source::File);
        found.ok_or_else(|| self.no_network(Some(spec)))
    }

    /// The network to use where none is named: the preferred one, or else the embedded one, or else the
    /// best of those installed.
    ///
    /// # Errors
    /// [`Error::NoNetwork`] where there is none, or as [`find`](Self::find) for the preferred one.
    pub fn find_default(&self) -> Result<Source> {
        if let Some(preferred) = &self.preferred {
            return self.find(preferred);
        }
        match self.networks().into_iter().next() {
            Some(best) => Ok(best.source),
            None => Err(self.no_network(None)),
        }
    }

    /// The networks that have a name: the embedded one, then those in the folders, with VGG's networks
    /// from the deepest to the shallowest before others by name. Of two with the same name only the one
    /// that [`find`](Self::find) gives is listed. Folders that can't be read count as empty.
    pub fn networks(&self) -> Vec<Available> {
        let mut found = embedded();
        let first_installed = found.len();
        for path in self
            .folders
            .iter()
            .filter_map(|folder| folder.read_dir().ok())
            .flatten()
            .flatten()
            .map(|e| e.path())
        {
            if path.extension() == Some(OsStr::new(EXTENSION))
                && let Some(name) = path.file_stem().and_then(OsStr::to_str)
                && path.is_file()
                && found.iter().all(|earlier| earlier.name != name)
            {
                found.push(Available { name: name.to_owned(), source: Source::File(path) });
            }
        }
        found[first_installed..].sort_by_cached_key(|network| {
            let place = Architecture::DEEPEST_FIRST.iter().position(|a| a.name() == network.name);
            (place.unwrap_or(usize::MAX), network.name.clone())
        });
        found
    }

    fn no_network(&self, name: Option<&Path>) -> Error {
        let name = name.map(|name| name.display().to_string());
        Error::NoNetwork { name, folders: self.folders.clone() }
    }
}

/// The network that is part of the program, where one is.
fn embedded() -> Vec<Available> {
    #[cfg(feature = "embedded")]
    return vec![Available { name: super::EMBEDDED.to_owned(), source: Source::Embedded }];
    #[cfg(not(feature = "embedded"))]
    Vec::new()
}

/// Where this user's programs keep their data, in a folder of impasto's own: in `$XDG_DATA_HOME` or
/// `~/.local/share`, on macOS in `~/Library/Application Support`, on Windows in `%LOCALAPPDATA%`.
pub fn data_folder() -> Option<PathBuf> {
    let data = if cfg!(windows) {
        path_from_env("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        env::home_dir().map(|home| home.join("Library/Application Support"))
    } else {
        // The XDG base directory specification has relative paths ignored.
        path_from_env("XDG_DATA_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| env::home_dir().map(|home| home.join(".local/share")))
    };
    data.map(|data| data.join("impasto"))
}

/// The path in an environment variable, unless it is unset or empty.
fn path_from_env(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Whether it is the name of a network rather than the path of a file.
#[doc(hidden)]
pub fn is_name(spec: &Path) -> bool {
    let is_of_paths = |byte: &u8| matches!(byte, b'.' | b'/' | b'\\');
    !spec.as_os_str().is_empty() && !spec.as_os_str().as_encoded_bytes().iter().any(is_of_paths)
}
