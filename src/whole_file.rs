//! Files that appear whole or not at all: an existing file is replaced only by a complete new one.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// Links from one to the next that are followed to a file that isn't there yet: as many as Linux follows.
const MOST_LINKS: usize = 40;

/// Checks that [`write_whole`] will be able to write `path`: that its folder exists and takes new
/// files, and that what is at `path`, if anything, may be replaced. Leaves nothing behind. Meant to be
/// called before long work, so that the work isn't lost at its end.
///
/// # Errors
///
/// [`Error::Write`] where `path` is a folder or a write-protected file, or its folder doesn't exist or
/// can't be written.
pub fn check_writable(path: &Path) -> Result<()> {
    let check = || match Target::of(path)? {
        Target::Replaced { folder, .. } => Temporary::new(&folder)?.file.close(),
        // To open a pipe would wait for its reader.
        Target::Device => Ok(()),
    };
    check().map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// Writes `bytes` to the file `path`, which is created or replaced only once all of them are on the
/// disk: whatever fails before then, a file that was there stays as it was, and nothing else is left.
///
/// A new file has the permissions of any new file, a replaced one keeps its own. A symbolic link stays
/// a link: the file that it points to is created or replaced. A device or a pipe is written to directly.
///
/// # Errors
///
/// [`Error::Write`] where the file can't be created, written or renamed, such as when the disk is full.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    write_whole_with(path, |file| file.write_all(bytes))
}

/// [`write_whole`] of what `write` writes.
///
/// # Errors
///
/// Those of [`write_whole`], and what `write` returns as an [`Error::Write`].
pub fn write_whole_with(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<()> {
    let write = || match Target::of(path)? {
        Target::Replaced { file, folder, permissions } => replace(&file, &folder, permissions, write),
        Target::Device => write(&mut OpenOptions::new().write(true).open(path)?),
    };
    write().map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// The file that writing to `path` creates or replaces, links followed: an absolute path without links, the
/// same one for every path to the file.
///
/// # Errors
///
/// Where the file's folder doesn't exist or can't be searched.
pub fn destination(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if is_missing(&error) => {}
        found => return found,
    }
    let file = follow_links(path)?;
    let name = file.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::IsADirectory))?;
    Ok(fs::canonicalize(folder_of(&file)?)?.join(name))
}

/// Removes the temporary files of all writes that are under way, and keeps others from being created: for a process
/// that a signal ends, where nothing is dropped.
pub fn remove_temporary_files() {
    let mut temporary = temporary_files();
    for path in temporary.drain(..) {
        // Where it can't be removed there is nothing else to do.
        let _ = fs::remove_file(path);
    }
    mem::forget(temporary);
}

/// Removes what processes that were killed left in the folder of `path`: temporary files that nobody is writing any more. A
/// folder that can't be read has none.
pub fn remove_abandoned_files(path: &Path) {
    let folder = follow_links(path).and_then(|file| folder_of(&file));
    for entry in folder.and_then(fs::read_dir).into_iter().flatten().flatten() {
        let is_temporary = entry.file_name().to_str().is_some_and(is_temporary);
        if is_temporary && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            // Who writes a temporary file holds its lock, which ends with the process at the latest.
            let abandoned = OpenOptions::new().write(true).open(entry.path());
            if let Ok(abandoned) =
                abandoned.map_err(drop).and_then(|file| file.try_lock().map(|()| file).map_err(drop))
            {
                let _ = fs::remove_file(entry.path());
                drop(abandoned);
            }
        }
    }
}

/// What a path leads to.
enum Target {
    /// A regular file in `folder`, or none yet. `permissions` are those of the file that is there.
    Replaced { file: PathBuf, folder: PathBuf, permissions: Option<Permissions> },
    /// A device or a pipe, which a file must never replace.
    Device,
}

impl Target {
    fn of(path: &Path) -> io::Result<Self> {
        let (file, permissions) = match fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
            }
            Ok(found) if !found.is_file() => return Ok(Self::Device),
            Ok(found) if found.permissions().readonly() => {
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is write-protected"));
            }
            Ok(found) => (fs::canonicalize(path)?, Some(found.permissions())),
            Err(error) if is_missing(&error) => (follow_links(path)?, None),
            Err(error) => return Err(error),
        };
        Ok(Self::Replaced { folder: folder_of(&file)?, file, permissions })
    }
}

/// Where links lead from a path at whose end there is no file: the path itself where it is no link.
fn follow_links(path: &Path) -> io::Result<PathBuf> {
    let mut file = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&file) {
            // A relative one begins in the link's folder.
            Ok(target) => file = file.parent().unwrap_or(Path::new("")).join(target),
            Err(_) => return Ok(file),
        }
    }
    Err(io::Error::other("too many links follow one another"))
}

/// The folder that holds `file`, known to exist.
fn folder_of(file: &Path) -> io::Result<PathBuf> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => Ok(folder.to_owned()),
        Err(error) if !is_missing(&error) => Err(error),
        _ => Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no folder {}", folder.display()))),
    }
}

/// Whether a path leads nowhere, or through a file as though it were a folder.
fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn replace(
    file: &Path,
    folder: &Path,
    permissions: Option<Permissions>,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let mut temporary = Temporary::new(folder)?;
    let handle = temporary.file.as_file_mut();
    write(handle)?;
    if let Some(permissions) = permissions {
        handle.set_permissions(permissions)?;
    }
    // Some disks are found to be full only here, and a rename must not overtake the data.
    handle.sync_all()?;
    temporary.file.persist(file).map_err(|failed| failed.error)?;
    Ok(())
}

/// Paths of the temporary files that exist now.
static TEMPORARY_FILES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn temporary_files() -> MutexGuard<'static, Vec<PathBuf>> {
    TEMPORARY_FILES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A temporary file that is removed when dropped, or by [`remove_temporary_files`]. It is locked for as long as it is there,
/// where the file system has locks.
struct Temporary {
    file: NamedTempFile,
    _listed: Listed,
}

/// The path of a temporary file in the list of them, for as long as this lives.
struct Listed(PathBuf);

/// How names of temporary files begin, before [`RANDOM`] letters and digits.
const PREFIX: &str = ".impasto-";

/// Random letters and digits of a temporary file's name.
const RANDOM: usize = 6;

/// Whether this is a name of a temporary file.
fn is_temporary(name: &str) -> bool {
    let random = name.strip_prefix(PREFIX);
    random.is_some_and(|random| {
        random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

impl Temporary {
    /// An empty file in `folder`. `File::create_new` gives it the permissions of any new file;
    /// `NamedTempFile::new_in` would hide it from everyone but its owner.
    fn new(folder: &Path) -> io::Result<Self> {
        loop {
            let mut paths = temporary_files();
            let mut name = tempfile::Builder::new();
            let name = name.prefix(PREFIX).rand_bytes(RANDOM);
            let file = name.make_in(folder, |path| File::create_new(path))?;
            // Before it is locked it may have been taken for an abandoned one. Not every file system has locks.
            let is_taken = match file.as_file().try_lock() {
                Ok(()) => !file.path().exists(),
                Err(error) => matches!(error, TryLockError::WouldBlock),
            };
            if is_taken {
                continue;
            }
            let path = file.path().to_owned();
            paths.push(path.clone());
            return Ok(Self { file, _listed: Listed(path) });
        }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        temporary_files().retain(|path| *path != self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abandoned_files_are_removed_and_those_in_use_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out.png");
        let names = ["out.png", ".impasto-abcDEF", ".impasto-abcDEFG", ".impasto-abc.EF", "impasto-abcDEF"];
        for name in names {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let in_use = Temporary::new(folder.path()).unwrap();
        remove_abandoned_files(&target);
        assert!(in_use.file.path().exists());
        for name in names {
            assert_eq!(folder.path().join(name).exists(), name != ".impasto-abcDEF", "{name}");
        }
        drop(in_use);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), names.len() - 1);
        // Neither of a folder that isn't there.
        remove_abandoned_files(Path::new("no such folder/out.png"));
    }
}
