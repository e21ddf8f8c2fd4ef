//! Refuses outputs that would be written over an input, or over one another.

use std::collections::HashMap;
use std::fs;
#[cfg(unix)]
use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};
use impasto::picture::Output;
use impasto::whole_file;

/// The files that a command reads and writes.
#[derive(Default)]
pub(crate) struct Files {
    /// What each is, in their order.
    known: Vec<String>,
    by_path: HashMap<PathBuf, usize>,
    by_inode: HashMap<(u64, u64), usize>,
}

/// What two paths to one file have in common.
#[derive(Debug, Default)]
struct Identity {
    /// The path without links. None for a device, which nothing is lost of, and for standard output.
    path: Option<PathBuf>,
    /// Device and inode, where there is a file.
    inode: Option<(u64, u64)>,
}

impl Files {
    /// Files that are read.
    pub(crate) fn read(inputs: impl IntoIterator<Item = impl AsRef<Path>>) -> Self {
        let mut files = Self::default();
        for input in inputs {
            files.add_read(input.as_ref());
        }
        files
    }

    /// One more that is read.
    pub(crate) fn add_read(&mut self, path: &Path) {
        self.know(Identity::of(path), format!("the input {}", path.display()));
    }

    /// One more that is written, by what `option` says.
    ///
    /// # Errors
    /// [`Failure::Option`] where it is read, or written already.
    pub(crate) fn write(&mut self, option: &'static str, path: &Path) -> Result<()> {
        self.add(option, path, Identity::of(path))
    }

    /// A picture, to a file or standard output.
    ///
    /// # Errors
    /// As [`Files::write`].
    pub(crate) fn write_picture(&mut self, output: &Output) -> Result<()> {
        match output.is_stdout() {
            true => self.add("--output", output.path(), Identity::of_stdout()),
            false => self.write("--output", output.path()),
        }
    }

    /// The pictures of every `every` steps of `steps`, beside `output`.
    ///
    /// # Errors
    /// As [`Files::write`].
    pub(crate) fn write_numbered(&mut self, output: &Output, every: usize, steps: usize) -> Result<()> {
        // Most of them aren't there: their paths are the folder's and their names.
        let folder = whole_file::destination(output.path()).ok();
        let folder = folder.as_deref().and_then(Path::parent);
        for step in (every..=steps).step_by(every) {
            let Some(numbered) = output.numbered(step) else { break };
            let path = numbered.path();
            let identity = match (fs::symlink_metadata(path), folder, path.file_name()) {
                (Err(_), Some(folder), Some(name)) => {
                    Identity { path: Some(folder.join(name)), ..Identity::default() }
                }
                _ => Identity::of(path),
            };
            self.check("--save-every", path, &identity)?;
        }
        Ok(())
    }

    fn add(&mut self, option: &'static str, path: &Path, identity: Identity) -> Result<()> {
        self.check(option, path, &identity)?;
        self.know(identity, format!("the output {}", path.display()));
        Ok(())
    }

    fn know(&mut self, identity: Identity, what: String) {
        let index = self.known.len();
        self.known.push(what);
        if let Some(path) = identity.path {
            self.by_path.entry(path).or_insert(index);
        }
        if let Some(inode) = identity.inode {
            self.by_inode.entry(inode).or_insert(index);
        }
    }

    fn check(&self, option: &'static str, path: &Path, identity: &Identity) -> Result<()> {
        let of_path = identity.path.as_ref().and_then(|path| self.by_path.get(path));
        let of_inode = identity.inode.as_ref().and_then(|inode| self.by_inode.get(inode));
        match of_path.into_iter().chain(of_inode).min() {
            Some(index) => {
                let known = &self.known[*index];
                Err(Failure::option(option, format!("{} and {known} are the same file", path.display())))
            }
            None => Ok(()),
        }
    }
}

impl Identity {
    fn of(path: &Path) -> Self {
        #[cfg(unix)]
        let found = fs::metadata(path).ok();
        #[cfg(unix)]
        if found.as_ref().is_some_and(is_device) {
            return Self::default();
        }
        Self {
            path: whole_file::destination(path).ok(),
            #[cfg(unix)]
            inode: found.as_ref().map(inode),
            #[cfg(not(unix))]
            inode: None,
        }
    }

    /// Of the file or the pipe that standard output is.
    fn of_stdout() -> Self {
        #[cfg(unix)]
        {
            use std::os::fd::AsFd;
            let stdout = std::io::stdout().as_fd().try_clone_to_owned();
            let found = stdout.and_then(|stdout| File::from(stdout).metadata()).ok();
            let inode = found.filter(|found| !is_device(found)).as_ref().map(inode);
            Self { path: None, inode }
        }
        #[cfg(not(unix))]
        Self::default()
    }
}

#[cfg(unix)]
fn is_device(found: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    found.file_type().is_char_device() || found.file_type().is_block_device()
}

#[cfg(unix)]
fn inode(found: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (found.dev(), found.ino())
}
