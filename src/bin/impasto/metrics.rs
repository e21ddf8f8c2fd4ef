//! `--metrics`: one JSON object a step.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::failure::{Failure, Result};
use impasto::stylize::Progress;
use impasto::whole_file;

/// How long a pipe's reader is waited for: one that was started together with the command is not there at once, and
/// one that is busy for a moment is not gone. The work must not stand still for a reader for longer.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often a reader is looked for.
const PAUSE: Duration = Duration::from_millis(5);

/// The file. It is made at the first step: what a failed start had been told to write over is kept.
pub(crate) struct Metrics {
    path: PathBuf,
    file: Option<File>,
}

impl Metrics {
    /// # Errors
    /// [`Error::Write`](impasto::Error::Write) where the file can't be written, [`Failure::Write`] where it is a pipe
    /// without a reader.
    pub(crate) fn new(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            return Err(Failure::option(
                "--metrics",
                "metrics are not written to standard output: give a file",
            ));
        }
        whole_file::check_writable(path)?;
        let mut metrics = Self { path: path.to_owned(), file: None };
        if is_pipe(path) {
            metrics.file = Some(open(path).map_err(|source| metrics.failure(source))?);
        }
        Ok(metrics)
    }

    /// Appends a step's line; a reader sees it at once.
    pub(crate) fn write(&mut self, progress: &Progress) -> Result<()> {
        let losses = progress.losses;
        let mut object = json!({
            "scale": progress.scale,
            "step": progress.step,
            "evaluations": progress.evaluations,
            "seconds": progress.seconds,
            "loss": losses.total,
            "content": losses.content,
            "style": losses.style,
            "tv": losses.tv,
        });
        if let Some(laplacian) = losses.laplacian {
            object["laplacian"] = json!(laplacian);
        }
        self.append(&format!("{object}\n")).map_err(|source| self.failure(source))
    }

    fn append(&mut self, line: &str) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(open(&self.path)?),
        };
        // A line is shorter than what a pipe takes whole or not at all (512 bytes by POSIX, 4096 on Linux).
        with_patience(|| file.write_all(line.as_bytes()), |error| error.kind() == io::ErrorKind::WouldBlock)
            .map_err(|error| match error.kind() {
                io::ErrorKind::WouldBlock => io::Error::other("its reader does not read"),
                _ => error,
            })
    }

    fn failure(&self, source: io::Error) -> Failure {
        Failure::Write { path: self.path.clone(), source }
    }
}

/// Opens the file to be written anew, in a way that neither opening nor writing ever waits.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    with_patience(|| options.open(path), has_no_reader).map_err(|error| match has_no_reader(&error) {
        true => io::Error::other("it is a pipe that nobody reads"),
        false => error,
    })
}

/// Tries again for as long as `is_passing` says so of the error, and patience lasts.
fn with_patience<T>(
    mut attempt: impl FnMut() -> io::Result<T>,
    is_passing: impl Fn(&io::Error) -> bool,
) -> io::Result<T> {
    let start = Instant::now();
    loop {
        match attempt() {
            Err(error) if is_passing(&error) && start.elapsed() < PATIENCE => thread::sleep(PAUSE),
            ended => return ended,
        }
    }
}

/// Whether that is why a pipe could not be opened.
fn has_no_reader(error: &io::Error) -> bool {
    cfg!(unix) && error.raw_os_error() == Some(ENXIO)
}

#[cfg(unix)]
const ENXIO: i32 = libc::ENXIO;
#[cfg(not(unix))]
const ENXIO: i32 = 0;

/// Whether the path is that of a named pipe.
fn is_pipe(path: &Path) -> bool {
    #[cfg(unix)]
    return path.metadata().is_ok_and(|found| std::os::unix::fs::FileTypeExt::is_fifo(&found.file_type()));
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}
