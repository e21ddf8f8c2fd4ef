//! A picture to be made: reading what it is made of, and seeing the work through to its file.

use std::cell::{Cell, RefCell};
use std::mem;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use super::RecordOptions;
use crate::checkpoint::CheckpointWork;
use crate::failure::Result;
use crate::metrics::Metrics;
use crate::progress::Bar;
use crate::report::file::Report;
use crate::result_file::{KeptOptions, ResultOptions};
use crate::strokes::{self, Opened};
use crate::terminal::{self, Detail};
use crate::work::WorkOptions;
use crate::{Outcome, dry_run, interrupt, picture_file, ranks, rescue};
use impasto::memory;
use impasto::network::Compute;
use impasto::picture::{Metadata, Needed, Output, Picture, Reading};
use impasto::stylize::schedule::Scales;
use impasto::stylize::{End, Progress, Stylize};
use impasto::weights::Weights;

/// A picture to be made.
pub(crate) struct Work<'o> {
    pub(super) options: &'o WorkOptions,
    pub(super) record: &'o RecordOptions,
    pub(super) result: &'o ResultOptions,
    pub(super) output: Output,
    pub(super) metrics: Option<Metrics>,
    pub(super) report: Option<Report>,
    pub(super) checkpoint: CheckpointWork,
    pub(super) compute: Compute,
    pub(super) detail: Detail,
    pub(super) read: Read,
    /// What is said once the work starts.
    pub(super) line: Option<String>,
}

/// Bytes that the command takes before it reads a picture: its code, and the weights' header.
const AT_START: u64 = 8_000_000;

/// What the pictures that were read take.
#[derive(Default)]
pub(super) struct Read {
    /// Bytes that were foreseen at most while one was read, with those read before.
    most: Cell<u64>,
    /// Bytes of all of them.
    kept: Cell<u64>,
    /// In the order in which they were read.
    pictures: RefCell<Vec<Opened>>,
}

impl Work<'_> {
    /// The library's job, as the options have it, with no pictures yet.
    pub(crate) fn job(&self, weights: &Weights) -> Stylize {
        self.options.job(weights, self.compute).among(ranks::all())
    }

    /// Has a line said once the work starts, or is foreseen.
    pub(crate) fn say(&mut self, line: Option<String>) {
        self.line = line;
    }

    /// Reads the content, of whose metadata the result has what is kept.
    pub(crate) fn open_content(&mut self, path: &Path, kept: &KeptOptions) -> Result<Picture> {
        let needed = picture_file::needed(self.longest());
        let (picture, metadata) = self.open_with_metadata("content", path, needed)?;
        let encoding = self.output.encoding().clone();
        self.output = self.output.clone().with_encoding(self.result.keeping(kept.of(metadata), encoding))?;
        Ok(picture)
    }

    /// The result's width and height, from the picture whose aspect it has.
    pub(crate) fn result_size(&self, first: &Picture) -> (usize, usize) {
        picture_file::size_of(first, self.longest())
    }

    /// The result's longest side, or nothing where it is the first picture's own.
    pub(crate) fn longest(&self) -> Option<u64> {
        self.options.longest()
    }

    /// Reads another picture, of which the work needs this much. `role` is what it is for.
    pub(crate) fn open(&self, role: &str, path: &Path, needed: Needed) -> Result<Picture> {
        Ok(self.open_with_metadata(role, path, needed)?.0)
    }

    fn open_with_metadata(&self, role: &str, path: &Path, needed: Needed) -> Result<(Picture, Metadata)> {
        // A pipe tells nothing before it is read.
        let reading = match ranks::is_first() {
            true => Reading::new(needed).foresee(path).map_or(0, |foreseen| foreseen.reading),
            false => 0,
        };
        let (picture, metadata) = picture_file::open_with_metadata(path, needed, self.detail)?;
        let Read { most, kept, pictures } = &self.read;
        pictures.borrow_mut().push((path.to_owned(), (picture.width(), picture.height())));
        most.set(most.get().max(kept.get() + reading));
        kept.set(kept.get() + picture.memory());
        if let Some(report) = &self.report {
            report.input(role, path, &picture);
        }
        Ok((picture, metadata))
    }

    /// Does the job and writes the picture. `used` is the width and height at which each picture is used, in the order in
    /// which they were read.
    pub(crate) fn run(mut self, job: Stylize, used: &[(usize, usize)]) -> Result<Outcome> {
        let start = Instant::now();
        let (width, height) = job.result_size()?;
        self.output.format().check_size(width, height)?;
        if self.options.dry_run {
            return self.foresee(&job, used);
        }

        let mut bar = Bar::new(self.detail);
        let cancel = interrupt::keep_picture(bar.teller(self.detail));
        let (mut started, mut failure) = (false, None);
        let job = self.checkpoint.apply(job.cancelled_by(&cancel));
        let stylized = job.run(|progress| {
            if !mem::replace(&mut started, true) {
                bar.above(|| self.say_start(progress, used));
            }
            self.checkpoint.say_error(progress.checkpoint_error, |say| bar.above(say));
            bar.update(progress);
            if let Some(report) = &self.report {
                report.step(progress);
            }
            // What is written beside the result is not worth losing the result for: the first failure is told
            // once that is written.
            let picture = self.is_due(progress).then(|| progress.picture());
            if failure.is_none() && ranks::is_first() {
                failure = self.record(progress, picture).err();
            }
            ControlFlow::Continue(())
        });
        bar.finish();
        let stylized = stylized?;
        self.checkpoint.say_error(stylized.checkpoint_error.as_ref(), |say| say());
        let worked = start.elapsed();

        if !ranks::is_first() {
            return Ok(Outcome::Done);
        }
        ranks::end_shared_work();
        if let Err(error) = self.output.write(&stylized.picture) {
            return Err(rescue::write_elsewhere(&self.output, &stylized.picture, error));
        }
        let what = match stylized.end {
            End::Done => "wrote",
            End::Cancelled => "interrupted: wrote the best picture so far,",
            End::TimeUp => "time is up: wrote the best picture so far,",
            _ => "wrote the best picture so far,",
        };
        self.detail.normal(format_args!(
            "{what} {}: {width}×{height}, {} steps, {} evaluations, {:.1} s",
            self.output.path().display(),
            stylized.steps,
            stylized.evaluations,
            start.elapsed().as_secs_f64()
        ));
        self.checkpoint.finish(&stylized.end, self.detail);
        let reported = self.report.map_or(Ok(()), |report| report.write(&stylized, &self.output));
        self.detail.verbose(format_args!(
            "time: {:.2} s of work, {:.2} s of writing; peak memory {}",
            worked.as_secs_f64(),
            (start.elapsed() - worked).as_secs_f64(),
            memory::peak().map_or("unknown".to_owned(), terminal::bytes)
        ));
        match (stylized.end, failure) {
            (End::Failed(error), _) => Err(error.into()),
            (_, Some(failure)) => Err(failure),
            (_, None) if reported.is_err() => reported.map(|()| Outcome::Done),
            (End::Cancelled, None) => Ok(interrupt::received().map_or(Outcome::Done, Outcome::Interrupted)),
            (_, None) => Ok(Outcome::Done),
        }
    }

    /// Prints what the job is estimated to take.
    fn foresee(&self, job: &Stylize, used: &[(usize, usize)]) -> Result<Outcome> {
        let estimate = job.estimate()?;
        self.say_line();
        self.say_enlarged(used);
        self.say_fewer_scales(estimate.scales.len());
        let memory = self.memory_with_reading(estimate.memory);
        terminal::print(dry_run::table(&estimate, memory))?;
        Ok(Outcome::Done)
    }

    /// Says which pictures are enlarged, that there are fewer scales than asked for, and with `--verbose` what is ahead.
    fn say_start(&self, progress: &Progress, used: &[(usize, usize)]) {
        self.say_line();
        self.say_enlarged(used);
        self.say_fewer_scales(progress.scales);
        self.checkpoint.say_start(self.detail, self.compute.isa.name(), progress);
        let scales = progress.schedule.iter().map(|scale| format!("{} px × {}", scale.longest, scale.steps));
        let scales = scales.collect::<Vec<_>>().join(", ");
        let memory = terminal::bytes(self.memory_with_reading(progress.memory));
        self.detail.verbose(format_args!("steps: {scales}; memory foreseen: {memory}"));
    }

    fn say_line(&self) {
        if let Some(line) = &self.line {
            self.detail.normal(format_args!("{line}"));
        }
    }

    fn say_enlarged(&self, used: &[(usize, usize)]) {
        if let Some(line) = strokes::enlarged(&self.read.pictures.borrow(), used) {
            self.detail.normal(format_args!("{line}"));
        }
    }

    fn say_fewer_scales(&self, scales: usize) {
        if let Scales::Count(count) = self.options.scales
            && count > scales
        {
            self.detail.normal(format_args!(
                "--scales {count}: with these layers and this size there are {scales} at most"
            ));
        }
    }

    /// The memory foreseen of the job, or of reading its pictures if that took more.
    fn memory_with_reading(&self, of_job: u64) -> u64 {
        of_job.max(AT_START + self.read.most.get())
    }

    /// Writes what is asked for of a step, with its picture if that is.
    fn record(&mut self, progress: &Progress, picture: Option<Picture>) -> Result<()> {
        if let Some(metrics) = &mut self.metrics {
            metrics.write(progress)?;
        }
        match (self.output.numbered(progress.step), picture) {
            (Some(numbered), Some(picture)) => Ok(numbered.write(&picture)?),
            _ => Ok(()),
        }
    }

    /// Whether the picture after this step is asked for.
    fn is_due(&self, progress: &Progress) -> bool {
        self.record.save_every.is_some_and(|every| (progress.step as u64).is_multiple_of(every))
    }
}
