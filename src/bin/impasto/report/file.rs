//! The page about a job, from its start to its end.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::job::{self, Job};
use super::record::Record;
use crate::failure::{Failure, Result};
use crate::{interrupt, show};
use impasto::picture::{Output, Picture};
use impasto::stylize::{End, Progress, Stylized};
use impasto::{memory, whole_file};

/// The page that is written once the job has ended.
pub(crate) struct Report {
    file: PathBuf,
    start: Instant,
    /// The command's, as a result carries them.
    settings: String,
    network: String,
    isa: &'static str,
    record: RefCell<Record>,
}

/// Finds a file that can't be written.
///
/// # Errors
/// [`Failure::Option`] for standard output; [`Error::Write`](impasto::Error::Write).
pub(crate) fn check(file: &Path) -> Result<()> {
    if file == Path::new("-") {
        return Err(Failure::option("--report", "it is not written to standard output: give a file"));
    }
    Ok(whole_file::check_writable(file)?)
}

impl Report {
    /// A page about a job of these settings, this network and instruction set.
    pub(crate) fn new(file: &Path, start: Instant, settings: &str, network: &str, isa: &'static str) -> Self {
        let (settings, network) = (settings.to_owned(), network.to_owned());
        Self { file: file.to_owned(), start, settings, network, isa, record: RefCell::default() }
    }

    /// A picture was read.
    pub(crate) fn input(&self, role: &str, path: &Path, picture: &Picture) {
        self.record.borrow_mut().input(role, path, picture);
    }

    /// A step was done.
    pub(crate) fn step(&self, progress: &Progress) {
        self.record.borrow_mut().step(progress);
    }

    /// Writes the page about the job that ended like this, and whose picture went to `output`.
    ///
    /// # Errors
    /// [`Error::Write`](impasto::Error::Write).
    pub(crate) fn write(&self, stylized: &Stylized, output: &Output) -> Result<()> {
        let mut record = self.record.borrow_mut();
        record.result(&stylized.picture);
        let how = how(&stylized.end);
        let ending = format!("{how}. {} steps, {} evaluations.", stylized.steps, stylized.evaluations);
        let name = output.path().file_name().unwrap_or_default().to_string_lossy();
        let page = job::html(&Job {
            title: if output.is_stdout() { "standard output" } else { &name },
            ending: &ending,
            is_early: !matches!(stylized.end, End::Done),
            command: &show::command_of(&self.settings).unwrap_or_default(),
            settings: &self.settings,
            network: &self.network,
            isa: self.isa,
            threads: rayon::current_num_threads(),
            seconds: self.start.elapsed().as_secs_f64(),
            peak_memory: memory::peak(),
            record: &record,
        });
        Ok(whole_file::write_whole(&self.file, page.as_bytes())?)
    }
}

/// How a job ended.
fn how(end: &End) -> String {
    let early = |why: &str| format!("{why}: this is the best picture until then");
    match end {
        End::Done => "Done".to_owned(),
        End::Cancelled => match interrupt::received() {
            Some(signal) => early(&format!("Ended early by {}", signal.name())),
            None => early("Ended early"),
        },
        End::TimeUp => early("The time of --max-time was up"),
        End::Failed(error) => format!("Failed: {error}. This is the best picture until then"),
        _ => early("Ended early"),
    }
}
