//! `--metrics`: one JSON object a step.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::failure::{Failure, Result};
use impasto::stylize::Progress;
use impasto::whole_file;

/// The file. It is made at the first step: what a failed start had been told to write over is kept.
pub(crate) struct Metrics {
    path: PathBuf,
    file: Option<File>,
}

impl Metrics {
    /// # Errors
    /// [`Error::Write`] where the file can't be written.
    pub(crate) fn new(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            return Err(Failure::option(
                "--metrics",
                "metrics are not written to standard output: give a file",
            ));
        }
        whole_file::check_writable(path)?;
        Ok(Self { path: path.to_owned(), file: None })
    }

    /// Appends a step's line; a reader sees it at once.
    pub(crate) fn write(&mut self, progress: &Progress) -> Result<()> {
        let losses = progress.losses;
        let object = json!({
            "scale": progress.scale,
            "step": progress.step,
            "evaluations": progress.evaluations,
            "seconds": progress.seconds,
            "loss": losses.total,
            "content": losses.content,
            "style": losses.style,
            "tv": losses.tv,
        });
        let line = format!("{object}\n");
        let file = match &mut self.file {
            Some(file) => Ok(file),
            none => File::create(&self.path).map(|file| none.insert(file)),
        };
        file.and_then(|file| file.write_all(line.as_bytes()))
            .map_err(|source| Failure::Write { path: self.path.clone(), source })
    }
}
