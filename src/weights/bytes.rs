//! Where a file's bytes are: mapped from disk, or part of the program. All `unsafe` of the weights is here.

#![expect(unsafe_code, reason = "files are mapped")]

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;

/// A whole file's bytes, at no particular alignment.
pub(super) enum Bytes {
    Mapped(Mmap),
    Static(&'static [u8]),
}

impl Bytes {
    /// Maps a file for reading; none of it is read yet.
    pub(super) fn map(path: &Path) -> io::Result<Self> {
        // Looked at before it is opened: opening a pipe would wait for somebody to write into it.
        let metadata = path.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !metadata.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        if metadata.len() == 0 {
            return Ok(Self::Static(&[])); // not every system maps nothing
        }
        let file = File::open(path)?;
        // SAFETY: The map is read only, as bytes, for which every value is valid. That nobody changes the
        // file or cuts it short meanwhile can't be assured from here; `Weights::open` documents it as
        // the caller's risk.
        let map = unsafe { Mmap::map(&file) }?;
        Ok(Self::Mapped(map))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Static(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}
