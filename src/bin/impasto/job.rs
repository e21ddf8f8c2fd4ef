//! What stylize, texture and reconstruct share: the work's options, and seeing it through to a picture.

use std::cell::{Cell, RefCell};
use std::io::{self, IsTerminal};
use std::mem;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;

use crate::checkpoint::{CheckpointOptions, CheckpointWork};
use crate::compute::ComputeOptions;
use crate::config::ConfigOptions;
use crate::failure::{Failure, Result};
use crate::interrupt;
use crate::metrics::Metrics;
use crate::network::NetworkOptions;
use crate::overwrite::Files;
use crate::progress::Bar;
use crate::report::file::{self, Report};
use crate::result_file::{KeptOptions, ResultOptions};
use crate::settings::Settings;
use crate::strokes::{self, Opened};
use crate::terminal::{self, Detail, DetailOptions};
use crate::work::WorkOptions;
use crate::{Outcome, dry_run, picture_file, ranks, rescue};
use impasto::network::Compute;
use impasto::picture::{Metadata, Needed, Output, Picture, Reading};
use impasto::stylize::schedule::Scales;
use impasto::stylize::{End, Progress, Stylize};
use impasto::weights::Weights;
use impasto::whole_file;
use impasto::{Checkpoint, memory};

#[derive(Debug, Args)]
pub(crate) struct JobOptions {
    #[command(flatten)]
    work: WorkOptions,

    #[command(flatten)]
    record: RecordOptions,

    #[command(flatten)]
    checkpoint: CheckpointOptions,

    #[command(flatten)]
    result: ResultOptions,

    #[command(flatten)]
    network: NetworkOptions,

    #[command(flatten)]
    compute: ComputeOptions,

    #[command(flatten)]
    detail: DetailOptions,

    #[command(flatten)]
    config: ConfigOptions,

    /// All of the command's, for its result.
    #[arg(skip)]
    settings: Settings,
}

/// What is written of the steps of one picture.
#[derive(Debug, Args)]
#[command(next_help_heading = "Work")]
struct RecordOptions {
    /// Write one JSON object a step here: scale, step, evaluations, seconds, loss, content, style, tv, and laplacian
    /// if it has a weight
    #[arg(long, value_name = "FILE.jsonl")]
    metrics: Option<PathBuf>,

    /// Write a page for a browser here, with the pictures, losses, settings and times
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,

    /// Write the picture every N steps as well, beside the result: out-0050.png for out.png
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    save_every: Option<u64>,
}

impl JobOptions {
    /// Keeps the command's settings, for its result.
    pub(crate) fn keep(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Goes on from a checkpoint.
    pub(crate) fn resume(&mut self, checkpoint: Checkpoint) {
        self.checkpoint.resume(checkpoint);
    }

    /// Refuses options that contradict each other.
    pub(crate) fn check(&self, output: Option<&Path>) -> Result<(), String> {
        match (self.record.save_every, output) {
            (Some(_), Some(output)) if output == Path::new("-") => {
                Err("--save-every needs a file beside which to write, not standard output".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Finds out all that can be before any picture is read: whether the results can be written, and the
    /// network.
    pub(crate) fn prepare<'p>(
        &self,
        output: &Path,
        inputs: impl IntoIterator<Item = &'p Path>,
    ) -> Result<(Weights, Work<'_>)> {
        let start = Instant::now();
        let settings = self.settings.text(&self.network.name());
        let encoding = self.result.encoding(&settings);
        let output = Output::new(output)?.with_encoding(encoding)?;
        if output.is_stdout() {
            check_stdout()?;
        }
        if self.work.dry_run && !ranks::all().is_alone() {
            let reason = "it tells of the work of one process: run it without mpirun";
            return Err(Failure::option("--dry-run", reason));
        }
        if ranks::is_first() {
            self.check_files(&output, inputs)?;
        }
        if let Some(file) = self.config.save_config.as_ref().filter(|_| ranks::is_first()) {
            if file == Path::new("-") {
                return Err(Failure::option(
                    "--save-config",
                    "settings are not written to standard output: give a file",
                ));
            }
            whole_file::write_whole(file, self.settings.file().as_bytes())?;
        }
        let metrics =
            self.record.metrics.as_deref().filter(|_| ranks::is_first()).map(Metrics::new).transpose()?;
        if ranks::is_first() {
            self.record.report.as_deref().map(file::check).transpose()?;
        }
        let detail = self.detail.detail();
        let compute = self.compute.start(detail)?;
        let weights = self.network.open(detail)?;
        let checkpoint = self.checkpoint.work(&self.settings, output.path(), start)?;
        let read = Read::default();
        let (options, record, result) = (&self.work, &self.record, &self.result);
        let network = weights.architecture().to_string();
        let report = record.report.as_deref();
        let report = report.map(|file| Report::new(file, start, &settings, &network, compute.isa.name()));
        let line = None;
        Ok((
            weights,
            Work {
                options,
                record,
                result,
                output,
                metrics,
                report,
                checkpoint,
                compute,
                detail,
                read,
                line,
            },
        ))
    }

    /// Refuses outputs that would be written over an input or over one another.
    fn check_files<'p>(&self, output: &Output, inputs: impl IntoIterator<Item = &'p Path>) -> Result<()> {
        let inputs = inputs.into_iter().map(Path::to_owned).chain(self.network.file());
        let inputs = inputs.chain(self.config.config.clone()).chain(self.checkpoint.input());
        let mut files = Files::read(inputs);
        files.write_picture(output)?;
        let RecordOptions { metrics, report, .. } = &self.record;
        let save_config = &self.config.save_config;
        let written = [("--metrics", metrics), ("--save-config", save_config), ("--report", report)];
        for (option, file) in written {
            file.as_ref().map_or(Ok(()), |file| files.write(option, file))?;
        }
        self.checkpoint.check(&mut files, self.work.dry_run)?;
        match self.record.save_every {
            // Steps are at most MOST_STEPS.
            Some(every) if every <= self.work.steps => {
                files.write_numbered(output, every as usize, self.work.steps as usize)
            }
            _ => Ok(()),
        }
    }
}

/// Finds a standard output that takes no picture.
fn check_stdout() -> Result<()> {
    if io::stdout().is_terminal() {
        return Err(Failure::option("--output", "standard output is a terminal: give a file or a pipe"));
    }
    terminal::check_stdout().map_err(|source| Failure::Write { path: "-".into(), source })
}

/// A picture to be made.
pub(crate) struct Work<'o> {
    options: &'o WorkOptions,
    record: &'o RecordOptions,
    result: &'o ResultOptions,
    output: Output,
    metrics: Option<Metrics>,
    report: Option<Report>,
    checkpoint: CheckpointWork,
    compute: Compute,
    detail: Detail,
    read: Read,
    /// What is said once the work starts.
    line: Option<String>,
}

/// Bytes that the command takes before it reads a picture: its code, and the weights' header.
const AT_START: u64 = 8_000_000;

/// What the pictures that were read take.
#[derive(Default)]
struct Read {
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
