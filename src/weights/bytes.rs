//! The bytes of a weights file, wherever they are, and whether the file behind them is still the one that was opened.
//! All `unsafe` of the weights is here.

#![expect(unsafe_code, reason = "files are mapped")]

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use memmap2::Mmap;

use crate::tensor::aligned::{AlignedVec, LINE};
use crate::tensor::values::SharedBytes;

/// A file mapped into memory, and what it was like when it was opened.
pub(super) struct Mapped {
    pub(super) bytes: SharedBytes,
    pub(super) opened: Opened,
}

/// Maps a file for reading; none of it is read yet.
pub(super) fn map(path: &Path) -> io::Result<Mapped> {
    let opened = Opened::new(path)?;
    if opened.stamp.len == 0 {
        // Not every system maps nothing.
        return Ok(Mapped { bytes: owned(Vec::new()), opened });
    }
    // SAFETY: The map is read only, as bytes, for which every value is valid. That no other process changes the file or
    // cuts it short meanwhile can't be assured from here; `Weights::open` documents it as the caller's risk.
    let map = unsafe { Mmap::map(&opened.file) }?;
    Ok(Mapped { bytes: shared(map), opened })
}

/// Reads a file into memory.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let opened = Opened::new(path)?;
    let mut bytes = Vec::new();
    let len = usize::try_from(opened.stamp.len).map_err(|_| io::ErrorKind::OutOfMemory)?;
    bytes.try_reserve_exact(len)?;
    // Another process may be appending to it without end.
    (&opened.file).take(opened.stamp.len).read_to_end(&mut bytes)?;
    match opened.change()? {
        Some(change) => Err(io::Error::other(format!("it changed while it was read: {change}"))),
        None => Ok(bytes),
    }
}

/// Bytes of the caller's, kept as they are.
pub(super) fn shared(bytes: impl Deref<Target: AsRef<[u8]>> + Send + Sync + 'static) -> SharedBytes {
    Arc::new(Shared(bytes))
}

/// Bytes that belong to the weights.
pub(super) fn owned(bytes: Vec<u8>) -> SharedBytes {
    shared(bytes)
}

/// The same bytes, if need be moved so that those from `data_start` on are aligned for f32.
pub(super) fn aligned(bytes: Vec<u8>, data_start: usize) -> SharedBytes {
    let data = bytes.get(data_start..).unwrap_or_default();
    if bytemuck::try_cast_slice::<u8, f32>(&data[..data.len() / 4 * 4]).is_ok() {
        return owned(bytes);
    }
    Arc::new(Moved::new(&bytes, data_start))
}

/// What is or points to bytes.
struct Shared<B>(B);

impl<B: Deref<Target: AsRef<[u8]>>> AsRef<[u8]> for Shared<B> {
    fn as_ref(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}

/// Bytes with those from a certain one on at the beginning of a cache line.
struct Moved {
    memory: AlignedVec,
    start: usize,
    len: usize,
}

impl Moved {
    fn new(bytes: &[u8], aligned_from: usize) -> Self {
        let line = LINE * size_of::<f32>();
        let start = aligned_from.next_multiple_of(line) - aligned_from;
        let mut memory = AlignedVec::zeros((start + bytes.len()).div_ceil(size_of::<f32>()));
        bytemuck::cast_slice_mut::<f32, u8>(&mut memory)[start..][..bytes.len()].copy_from_slice(bytes);
        Self { memory, start, len: bytes.len() }
    }
}

impl AsRef<[u8]> for Moved {
    fn as_ref(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.memory)[self.start..][..self.len]
    }
}

/// A regular file that is open, and what it was like then.
pub(super) struct Opened {
    /// Held open, so that this very file is looked at later, whatever is at its path by then.
    file: File,
    stamp: Stamp,
}

/// What of a file changes when it is written to.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    len: u64,
    /// Not every file system has it.
    modified: Option<SystemTime>,
}

impl Opened {
    fn new(path: &Path) -> io::Result<Self> {
        // Looked at before it is opened: opening a pipe would wait for a process to write into it.
        regular(&fs::metadata(path)?)?;
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        regular(&metadata)?;
        Ok(Self { stamp: Stamp::of(&metadata), file })
    }

    /// How the file differs from what was opened, where it does.
    pub(super) fn change(&self) -> io::Result<Option<String>> {
        let now = Stamp::of(&self.file.metadata()?);
        Ok(if now.len != self.stamp.len {
            Some(format!("it had {} bytes and has {} now", self.stamp.len, now.len))
        } else if now != self.stamp {
            Some("it was written to".to_owned())
        } else {
            None
        })
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { len: metadata.len(), modified: metadata.modified().ok() }
    }
}

fn regular(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    match metadata.is_file() {
        true => Ok(()),
        false => Err(io::Error::other("not a regular file")),
    }
}
