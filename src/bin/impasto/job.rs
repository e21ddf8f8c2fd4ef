//! What stylize, texture and reconstruct share: the work's options, and what is found out by them before any picture is read.

mod work;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;

use crate::checkpoint::CheckpointOptions;
use crate::compute::ComputeOptions;
use crate::config::ConfigOptions;
use crate::failure::{Failure, Result};
use crate::metrics::Metrics;
use crate::network::NetworkOptions;
use crate::overwrite::Files;
use crate::ranks;
use crate::report::file::{self, Report};
use crate::result_file::ResultOptions;
use crate::settings::Settings;
use crate::terminal::{self, DetailOptions};
use crate::work::WorkOptions;
use impasto::Checkpoint;
use impasto::picture::Output;
use impasto::weights::Weights;
use impasto::whole_file;
use work::Read;
pub(crate) use work::Work;

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
        let (options, record, result) = (&self.work, &self.record, &self.result);
        let network = self.network.label(&weights);
        let report = record.report.as_deref();
        let report = report.map(|file| Report::new(file, start, &settings, &network, compute.isa.name()));
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
                read: Read::default(),
                line: None,
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
