//! Where a file's bytes are: mapped from disk, or part of the program. All `unsafe` of the weights is here.

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

    /// Gives the memory of what was read until now back to the system.
    pub(super) fn release(&self) {
        #[cfg(unix)]
        if let Self::Mapped(map) = self {
            // SAFETY: A page of a shared, read-only map of a file comes back from the file when it is read again, with
            // the same bytes: no reference into the map sees a change.
            let advised = unsafe { map.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
            // A system that does not take the advice keeps the memory until it needs it.
            drop(advised);
        }
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
