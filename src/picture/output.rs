//! Where pictures go: a file or standard output.

use std::ffi::OsString;
#[cfg(unix)]
use std::fs::File;
use std::io::{self, Write};
#[cfg(unix)]
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::{Encoding, OutputFormat, Picture};
use crate::error::{Error, Result};
use crate::whole_file;

/// Where a picture will be written. It is made before the work starts, and finds then what would keep
/// the picture from being written.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The file, or `-`.
    path: PathBuf,
    format: OutputFormat,
    encoding: Encoding,
}

impl Output {
    /// The file `path`, in the format that its extension asks for, or for `-` standard output, as PNG.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownFormat`] where the extension isn't that of an [`OutputFormat`];
    /// [`Error::Write`] where `path` is a folder or a write-protected file, or its folder doesn't exist or
    /// can't be written.
    pub fn new(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::in_format(path, OutputFormat::Png));
        }
        let format = OutputFormat::of(path);
        // That it is a folder says more than that its name doesn't end as a picture's.
        if format.is_ok() || path.is_dir() {
            whole_file::check_writable(path)?;
        }
        Ok(Self::in_format(path, format?))
    }

    fn in_format(path: &Path, format: OutputFormat) -> Self {
        Self { path: path.to_owned(), format, encoding: Encoding::default() }
    }

    /// The same with pictures encoded in this way.
    ///
    /// # Errors
    ///
    /// [`Error::Depth`] where the format has no samples of its depth.
    pub fn with_encoding(self, encoding: Encoding) -> Result<Self> {
        self.format.check_depth(encoding.depth)?;
        Ok(Self { encoding, ..self })
    }

    /// The file, or `-` for standard output.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The format that pictures are written in.
    pub fn format(&self) -> OutputFormat {
        self.format
    }

    /// How pictures are encoded.
    pub fn encoding(&self) -> &Encoding {
        &self.encoding
    }

    /// Whether pictures go to standard output.
    pub fn is_stdout(&self) -> bool {
        self.path == Path::new("-")
    }

    /// The file beside this one for the picture of a step: `out-0050.png` beside `out.png`. `None` for
    /// standard output.
    pub fn numbered(&self, step: usize) -> Option<Self> {
        if self.is_stdout() {
            return None;
        }
        let mut name = OsString::from(self.path.file_stem()?);
        name.push(format!("-{step:04}."));
        name.push(self.path.extension()?);
        Some(Self { path: self.path.with_file_name(name), ..self.clone() })
    }

    /// The picture as the bytes of such a file.
    ///
    /// # Errors
    ///
    /// Those of [`Picture::encode_with`].
    pub fn encode(&self, picture: &Picture) -> Result<Vec<u8>> {
        picture.encode_with(self.format, &self.encoding)
    }

    /// Writes the picture. A file is replaced only once the new one is whole on the disk; whatever fails
    /// before then, a file that was there stays as it was.
    ///
    /// # Errors
    ///
    /// [`Error::Write`] where the disk is full, standard output is closed, its reader is gone and the like;
    /// [`Error::TooLarge`] where the picture is too large for the format.
    pub fn write(&self, picture: &Picture) -> Result<()> {
        let bytes = self.encode(picture)?;
        if !self.is_stdout() {
            return whole_file::write_whole(&self.path, &bytes);
        }
        write_to_stdout(&bytes).map_err(|source| Error::Write { path: self.path.clone(), source })
    }
}

/// Writes to standard output. `Stdout` takes it for a success where that is closed; a [`File`] doesn't.
fn write_to_stdout(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.flush()?;
    #[cfg(unix)]
    let mut stdout = File::from(stdout.as_fd().try_clone_to_owned()?);
    stdout.write_all(bytes)?;
    stdout.flush()
}
