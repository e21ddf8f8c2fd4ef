//! Which result each photograph has, and that none is written over anything else.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::inputs::Photograph;
use super::names::Pattern;
use crate::failure::{Failure, Result};
use crate::overwrite::Files;
use impasto::OutputFormat;
use impasto::picture::Depth;

/// A photograph, and where its result goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) photograph: PathBuf,
    pub(super) result: PathBuf,
    pub(super) format: OutputFormat,
}

/// Gives photographs their results.
pub(super) struct Plan<'o> {
    output: &'o Path,
    pattern: &'o Pattern,
    styles: &'o [PathBuf],
    depth: Depth,
    files: Files,
    tasks: HashMap<PathBuf, Task>,
    /// The photograph of each result, by what is the same for names that are one to the system.
    photographs: HashMap<PathBuf, PathBuf>,
}

impl<'o> Plan<'o> {
    /// One without photographs yet; `inputs` are the other files that are read.
    pub(super) fn new(
        output: &'o Path,
        pattern: &'o Pattern,
        styles: &'o [PathBuf],
        depth: Depth,
        inputs: impl IntoIterator<Item = impl AsRef<Path>>,
    ) -> Self {
        let (files, tasks, photographs) = (Files::read(inputs), HashMap::new(), HashMap::new());
        Self { output, pattern, styles, depth, files, tasks, photographs }
    }

    /// What is to be done for these photographs, in their order, or why that can't be.
    pub(super) fn tasks(&mut self, photographs: &[Photograph]) -> Vec<(PathBuf, Result<Task>)> {
        // All are known before the first is given its result, which may be none of them.
        self.add_read(photographs);
        photographs.iter().map(|photograph| (photograph.path.clone(), self.task(photograph))).collect()
    }

    /// Notes that these are read.
    pub(super) fn add_read(&mut self, photographs: &[Photograph]) {
        for Photograph { path, .. } in photographs {
            self.files.add_read(path);
        }
    }

    /// Notes another file that is written, by what `option` says.
    ///
    /// # Errors
    /// Where it is read, or a result.
    pub(super) fn write(&mut self, option: &'static str, path: &Path) -> Result<()> {
        self.files.write(option, path)
    }

    fn task(&mut self, photograph: &Photograph) -> Result<Task> {
        let Photograph { path, below } = photograph;
        if let Some(task) = self.tasks.get(path) {
            return Ok(task.clone());
        }
        let name = self.pattern.name(path, self.styles, self.tasks.len() + 1);
        let result = self.output.join(below).join(name);
        let format = OutputFormat::of(&result)?;
        format.check_depth(self.depth)?;
        let key = as_the_system_has_it(&result);
        if let Some(other) = self.photographs.get(&key) {
            let (other, path) = (other.display(), path.display());
            return Err(Failure::option(
                "--name",
                format!(
                    "{other} and {path} would both be {}: use another, such as {{name}}.png",
                    result.display()
                ),
            ));
        }
        self.files.write("--output", &result)?;
        self.photographs.insert(key, path.clone());
        let task = Task { photograph: path.clone(), result, format };
        self.tasks.insert(path.clone(), task.clone());
        Ok(task)
    }
}

/// A path by which all spellings of one file's name are the same.
fn as_the_system_has_it(path: &Path) -> PathBuf {
    match cfg!(any(windows, target_os = "macos")) {
        true => path.to_string_lossy().to_lowercase().into(),
        false => path.to_owned(),
    }
}
