//! One photograph: whether it is to be painted, and its way to a result or to a checkpoint.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::Options;
use super::made::{self, Before, Results};
use super::plan::Task;
use super::styles::Styles;
use crate::failure::{Failure, Result};
use crate::settings::Value;
use crate::terminal::Detail;
use crate::{picture_file, rescue};
use impasto::network::Compute;
use impasto::picture::{Output, Picture, Reading};
use impasto::stylize::{End, Stylize};
use impasto::weights::Weights;
use impasto::{Cancel, Checkpoint, Checkpoints, memory, whole_file};

/// What all photographs are painted with.
pub(super) struct Painter<'o> {
    pub(super) options: &'o Options,
    pub(super) weights: Weights,
    pub(super) compute: Compute,
    pub(super) network: String,
    /// SHA-256 of the files beside the photographs.
    pub(super) checksums: Vec<(&'static str, Value)>,
    pub(super) styles: Styles<'o>,
    pub(super) results: Results,
    pub(super) cancel: Cancel,
    /// When all ends.
    pub(super) deadline: Option<Instant>,
    pub(super) detail: Detail,
}

/// What is to be done for a photograph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Its result is there, as it would be made.
    Nothing,
    /// It is to be painted; where a result is there, because of this.
    Painting { because: Option<String> },
}

/// How the work at a photograph ended, where nothing failed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Painted {
    /// The result is written.
    Made { width: usize, height: usize, seconds: f64, is_resumed: bool },
    /// It is to be gone on with later.
    Ended,
}

/// What the tests of memory need of a photograph.
pub(super) struct Foreseen {
    /// Width and height of the result.
    pub(super) size: (usize, usize),
    /// Bytes that reading takes.
    pub(super) reading: u64,
}

impl Painter<'_> {
    /// Whether the work is to end.
    pub(super) fn is_ending(&self) -> bool {
        self.cancel.is_cancelled() || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// What is to be done for a photograph.
    ///
    /// # Errors
    /// Where it can't be read, or a file is in the result's place that no batch made.
    pub(super) fn due(&self, task: &Task) -> Result<Due> {
        if fs::symlink_metadata(&task.result).is_err() {
            return Ok(Due::Painting { because: None });
        }
        let settings = self.settings(&task.photograph)?;
        Ok(match self.results.before(&task.result, &settings) {
            Before::Nothing => Due::Painting { because: None },
            Before::Made => Due::Nothing,
            Before::Changed(what) => Due::Painting { because: Some(format!("{what} has changed")) },
            Before::Foreign if self.options.overwrite => {
                Due::Painting { because: Some("--overwrite".to_owned()) }
            }
            Before::Foreign => {
                let reason = format!("{} is there, and no batch made it", task.result.display());
                return Err(Failure::option("--overwrite", reason));
            }
        })
    }

    /// The settings that the result of a photograph carries.
    pub(super) fn settings(&self, photograph: &Path) -> Result<String> {
        let own = (made::PHOTOGRAPH, Value::One(made::checksum_of(photograph)?));
        let checksums = [&[own], &self.checksums[..]].concat();
        Ok(self.options.settings.text_of_one(photograph, &self.network, &checksums))
    }

    /// What the header of a photograph tells.
    pub(super) fn foresee(&self, photograph: &Path) -> Result<Foreseen> {
        let longest = self.options.work.longest();
        let foreseen = Reading::new(picture_file::needed(longest)).foresee(photograph)?;
        let size = match longest {
            // At most LONGEST_SIZE.
            Some(longest) => impasto::picture::fit(foreseen.width, foreseen.height, longest as usize),
            None => (foreseen.width, foreseen.height),
        };
        Ok(Foreseen { size, reading: foreseen.reading })
    }

    /// The job of a photograph.
    pub(super) fn job(&self, content: Picture) -> Result<Stylize> {
        let size = picture_file::size_of(&content, self.options.work.longest());
        let job = self.options.work.job(&self.weights, self.compute);
        let job = job.content(content).style(self.styles.of_size(size)?);
        self.options.paint.apply(job, size, &|_, path, needed| picture_file::open(path, needed, self.detail))
    }

    /// Paints a photograph within so much memory, and writes its result. `progress` takes the part that is done.
    pub(super) fn paint(
        &self,
        task: &Task,
        memory: Option<u64>,
        progress: impl Fn(f64) + Sync,
    ) -> Result<Painted> {
        let start = Instant::now();
        let options = self.options;
        let settings = self.settings(&task.photograph)?;
        if let Some(folder) = task.result.parent() {
            fs::create_dir_all(folder)
                .map_err(|source| Failure::Write { path: folder.to_owned(), source })?;
        }
        let needed = picture_file::needed(options.work.longest());
        let (content, metadata) = picture_file::open_with_metadata(&task.photograph, needed, self.detail)?;
        let encoding = options.result.encoding(&settings);
        let encoding = options.result.keeping(options.paint.kept.of(metadata), encoding);
        let output = Output::new(&task.result)?.with_encoding(encoding)?;

        let job = self.job(content)?.cancelled_by(&self.cancel);
        let job = match memory {
            Some(bytes) => job.memory_limit(Some(bytes)),
            None => job,
        };
        let (width, height) = job.result_size()?;
        output.format().check_size(width, height)?;
        let checkpoint = checkpoint_of(&task.result);
        for file in [&checkpoint, &task.result] {
            whole_file::remove_abandoned_files(file);
        }
        let job = job.checkpoints(Checkpoints::to(&checkpoint).note(&*settings));
        let job = match self.deadline {
            Some(deadline) => job.max_time(deadline.saturating_duration_since(Instant::now())),
            None => job,
        };
        let run = |job: Stylize| {
            job.run(|now| {
                progress(now.done);
                ControlFlow::Continue(())
            })
        };
        let before = Checkpoint::open(&checkpoint).ok().filter(|before| before.note() == settings);
        let mut is_resumed = before.is_some();
        let stylized = match before.map(|before| run(job.clone().resume(&before))) {
            // One that is damaged is of no use.
            Some(Err(impasto::Error::Checkpoint { .. })) | None => {
                is_resumed = false;
                run(job)?
            }
            Some(stylized) => stylized?,
        };
        if let Some(error) = &stylized.checkpoint_error {
            self.detail.normal(format_args!("{}: {error}", task.photograph.display()));
        }
        match stylized.end {
            End::Done => {}
            End::Failed(error) => {
                // It would fail again from there.
                let _ = fs::remove_file(&checkpoint);
                return Err(error.into());
            }
            _ => return Ok(Painted::Ended),
        }
        let bytes = output.encode(&stylized.picture)?;
        self.results.add(&task.result, task.format, &settings, &bytes)?;
        if let Err(error) = whole_file::write_whole(&task.result, &bytes) {
            return Err(rescue::write_elsewhere(&output, &stylized.picture, error));
        }
        // It isn't there where the work took less than a minute.
        let _ = fs::remove_file(&checkpoint);
        let seconds = start.elapsed().as_secs_f64();
        self.detail.verbose(format_args!(
            "{}: {} steps, {} evaluations, {seconds:.1} s; peak memory {}",
            task.result.display(),
            stylized.steps,
            stylized.evaluations,
            memory::peak().map_or("unknown".to_owned(), crate::terminal::bytes)
        ));
        Ok(Painted::Made { width, height, seconds, is_resumed })
    }
}

/// Where the state of the work at a result is kept: hidden beside it.
fn checkpoint_of(result: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(result.file_name().unwrap_or_default());
    name.push(".checkpoint");
    result.with_file_name(name)
}
