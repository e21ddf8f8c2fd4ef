//! What has been fetched of a file so far: a line that says of which file, then its bytes.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use serde_json::json;

use super::checksum::Checksum;
use crate::error::{Error, Result};

/// What tells one file on a server from another, or from what it was before.
pub(super) struct Identity<'a> {
    pub(super) url: &'a str,
    /// The ETag, or the time of the last change.
    pub(super) validator: &'a str,
    pub(super) len: u64,
    /// That of the safetensors header.
    pub(super) header: Checksum,
}

impl Identity<'_> {
    fn line(&self) -> String {
        let Self { url, validator, len, header } = self;
        // The URL may have secrets.
        let url = Checksum::of(url.as_bytes()).to_string();
        format!("{}\n", json!([url, validator, len, header.to_string()]))
    }
}

/// The file, which is this process's alone until it is dropped.
pub(super) struct Part {
    path: PathBuf,
    file: File,
    /// The line's bytes.
    start: u64,
    len: u64,
}

impl Part {
    /// Opens the file at `path` for going on, or for beginning anew where there is none, it is of another
    /// file, or no identity is known. `None` where another process has it.
    pub(super) fn open(path: PathBuf, identity: Option<&Identity>) -> Result<Option<Self>> {
        let open = || {
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
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

    /// All of them.
    pub(super) fn data(&mut self) -> Result<Vec<u8>> {
        let mut data = Vec::new();
        let read = self.file.seek(SeekFrom::Start(self.start)).and_then(|_| self.file.read_to_end(&mut data));
        read.map_err(|source| Error::Read { path: self.path.clone(), source })?;
        Ok(data)
    }

    /// Removes the file. One that can't be removed is only in the way of nothing.
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
