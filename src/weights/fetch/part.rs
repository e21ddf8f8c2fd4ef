//! The file that keeps what has been fetched so far: a line that identifies the file on the server, then its
//! bytes.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::checksum::Checksum;
use crate::error::{Error, Result};

/// What tells one file on a server from another, or from what it was before.
pub(super) struct Identity<'a> {
    pub(super) url: &'a str,
    /// The ETag, or the time of the last change.
    pub(super) validator: &'a str,
    /// The whole file's, where the server says it.
    pub(super) content: Option<Checksum>,
    pub(super) len: u64,
    /// That of the safetensors header.
    pub(super) header: Checksum,
}

impl Identity<'_> {
    fn line(&self) -> String {
        let Self { url, validator, content, len, header } = self;
        // The URL may have secrets.
        let url = Checksum::of(url.as_bytes()).to_string();
        format!("{}\n", json!([url, validator, content.map(|c| c.to_string()), len, header.to_string()]))
    }
}

/// The `.part` file, locked against other processes until it is dropped.
pub(super) struct Part {
    path: PathBuf,
    file: File,
    /// The line's bytes.
    start: u64,
    len: u64,
}

impl Part {
    /// Opens the file at `path` for going on, or for beginning anew where there is none, it is of another
    /// file, or no identity is known. `None` where another process has it. Anything but a regular file of
    /// this name alone is refused: what a link leads to is not ours to overwrite.
    pub(super) fn open(path: PathBuf, identity: Option<&Identity>) -> Result<Option<Self>> {
        let open = || {
            let file = open_regular(&path)?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => return Ok(None),
                // A file system that has no locks.
                Err(TryLockError::Error(_)) | Ok(()) => {}
            }
            let line = identity.map_or_else(String::new, Identity::line);
            Part::of(path.clone(), file, &line).map(Some)
        };
        open().map_err(|source| Error::Write { path: path.clone(), source })
    }

    fn of(path: PathBuf, mut file: File, line: &str) -> io::Result<Self> {
        let mut found = Vec::new();
        (&file).take(line.len() as u64).read_to_end(&mut found)?;
        if line.is_empty() || found != line.as_bytes() {
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(line.as_bytes())?;
        }
        let end = file.seek(SeekFrom::End(0))?;
        let start = line.len() as u64;
        Ok(Self { path, file, start, len: end - start })
    }

    /// Bytes that are here.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Forgets all of them.
    pub(super) fn clear(&mut self) -> Result<()> {
        self.len = 0;
        let clear = self.file.set_len(self.start).and_then(|()| self.file.seek(SeekFrom::End(0)));
        clear.map(drop).map_err(|source| self.error(source))
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|source| self.error(source))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Appends all of them to `to`.
    pub(super) fn read_into(&mut self, to: &mut Vec<u8>) -> Result<()> {
        let mut read = || {
            self.file.seek(SeekFrom::Start(self.start))?;
            match (&self.file).take(self.len).read_to_end(to)? as u64 == self.len {
                true => Ok(()),
                false => Err(io::ErrorKind::UnexpectedEof.into()),
            }
        };
        read().map_err(|source| Error::Read { path: self.path.clone(), source })
    }

    /// Removes the file. Where that fails it does no harm: the next attempt uses or replaces it.
    pub(super) fn remove(self) {
        let Self { path, file, .. } = self;
        // Not every system removes a file that is open.
        drop(file);
        let _ = fs::remove_file(path);
    }

    fn error(&self, source: io::Error) -> Error {
        Error::Write { path: self.path.clone(), source }
    }
}

/// Opens a file for reading and writing, a new one where there is none.
fn open_regular(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        // Follows no link, and opens nothing that another process made meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return options.create_new(true).open(path),
        Err(error) => return Err(error),
    };
    let refused = || Err(io::Error::other("it is a link or no regular file; remove it first"));
    if !found.is_file() || has_other_names(&found) {
        return refused();
    }
    let file = options.open(path)?;
    // It may have been exchanged between the two.
    if is_same(&found, &file.metadata()?) { Ok(file) } else { refused() }
}

#[cfg(unix)]
fn has_other_names(file: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(file) > 1
}

#[cfg(unix)]
fn is_same(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

// Elsewhere the standard library doesn't tell.
#[cfg(not(unix))]
fn has_other_names(_: &Metadata) -> bool {
    false
}

#[cfg(not(unix))]
fn is_same(_: &Metadata, opened: &Metadata) -> bool {
    opened.is_file()
}
