//! `impasto profile`.

mod compare;
mod counters;
mod json;
mod measure;
mod roofline;
mod samples;
mod table;
mod trace;

use std::path::{Path, PathBuf};

use clap::Args;

use crate::compute::ComputeOptions;
use crate::failure::{Failure, Result};
use crate::network::NetworkOptions;
use crate::overwrite::Files;
use crate::report;
use crate::terminal::{self, VerboseOption};
use crate::values::{memory_size, named, pixels};
use impasto::layers::pool::Pooling;
use impasto::loss::Statistic;
use impasto::stylize::defaults;
use impasto::whole_file;

pub(crate) use measure::{Measured, median};
pub(crate) use roofline::chart;
pub(crate) use samples::Samples;
pub(crate) use table::counters;

/// Measure where the time of an evaluation goes, layer by layer
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  impasto profile --size 256
  impasto profile --threads 1 --json
  impasto profile --trace trace.json        for ui.perfetto.dev or chrome://tracing
  impasto profile --roofline roofline.svg   what bounds each layer: arithmetic or memory
  impasto profile --report profile.html     all of it, for a browser
  impasto profile --rounds 20 --json > before.json
  impasto profile --compare before.json after.json

Evaluates the default loss and its gradient for N×N pictures of noise. GFLOP count the layers' definitions; the \
peaks are those of a loop of multiply-adds and of one that reads and writes memory, measured there and then.")]
pub(crate) struct Options {
    /// Side of the pictures in pixels
    #[arg(long, value_name = "N", default_value_t = defaults::SIZE as u64,
          value_parser = pixels(1), allow_negative_numbers = true)]
    size: u64,

    /// Evaluations to measure, after a first one to warm up
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,

    /// What the network's pools do
    #[arg(long, value_parser = named::<Pooling>(), value_name = "KIND", default_value_t = defaults::POOLING)]
    pooling: Pooling,

    /// Statistic of the style term
    #[arg(long, value_parser = named::<Statistic>(), value_name = "NAME", default_value_t = defaults::STATISTIC)]
    statistic: Statistic,

    /// Memory that the process may take, such as 4G or 1500M. Where an evaluation doesn't fit as a whole, it is computed in
    /// strips [default: what the machine has free]
    #[arg(long, value_name = "SIZE", value_parser = memory_size)]
    max_memory: Option<u64>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    /// Write what each thread did when, in the trace event format of Chrome and Perfetto, of at most 100 evaluations
    #[arg(long, value_name = "FILE.json")]
    trace: Option<PathBuf>,

    /// Draw each layer's GFLOP/s over its operations for each byte read or written, beside the machine's peaks
    #[arg(long, value_name = "FILE.svg")]
    roofline: Option<PathBuf>,

    /// Write all that was measured as one page for a browser
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,

    /// Measure nothing, but compare two answers of --json: each layer's time in B over that in A, and which differences
    /// are beyond the noise of their rounds
    #[arg(long, value_names = ["A.json", "B.json"], num_args = 2, conflicts_with_all = [
        "size", "rounds", "pooling", "statistic", "max_memory", "trace", "roofline", "report", "weights", "preprocessing",
        "no_mmap", "threads", "isa", "convolution", "verbose"])]
    compare: Vec<PathBuf>,

    /// Compare also what is of another size, network or number of threads, and the like
    #[arg(long, requires = "compare")]
    anyway: bool,

    #[command(flatten)]
    network: NetworkOptions,

    #[command(flatten)]
    compute: ComputeOptions,

    #[command(flatten)]
    verbose: VerboseOption,
}

impl Options {
    pub(crate) fn run(&self) -> Result<()> {
        if let [before, after] = &self.compare[..] {
            return compare::run(before, after, self.anyway, self.json);
        }
        self.check_files()?;
        let detail = self.verbose.detail();
        let compute = self.compute.start(detail)?;
        let weights = self.network.open(detail)?;
        let (measured, recorder) = measure::run(self, &weights, compute)?;
        if let (Some(file), Some(recorder)) = (&self.trace, &recorder) {
            whole_file::write_whole(file, trace::json(&measured, recorder).to_string().as_bytes())?;
        }
        if let Some(file) = &self.roofline {
            whole_file::write_whole(file, chart(&measured).file().as_bytes())?;
        }
        if let Some(file) = &self.report {
            whole_file::write_whole(file, report::profile::html(&measured).as_bytes())?;
        }
        match self.json {
            true => terminal::print_json(&json::of(&measured)),
            false => terminal::print(table::of(&measured).trim_end()),
        }
    }

    /// Finds files that can't be written, before anything is measured.
    fn check_files(&self) -> Result<()> {
        let mut files = Files::read(self.network.file());
        let written = [("--trace", &self.trace), ("--roofline", &self.roofline), ("--report", &self.report)];
        for (option, file) in written {
            let Some(file) = file else { continue };
            if file == Path::new("-") {
                return Err(Failure::option(option, "it is not written to standard output: give a file"));
            }
            files.write(option, file)?;
            whole_file::check_writable(file)?;
        }
        Ok(())
    }
}
