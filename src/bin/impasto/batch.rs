//! `impasto batch`: many photographs in one style.

mod bar;
mod crew;
mod dry_run;
mod inputs;
mod made;
mod names;
mod painter;
mod plan;
mod styles;
mod summary;
mod watch;

use std::fs;
use std::mem;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;

use crate::compute::ComputeOptions;
use crate::config::ConfigOptions;
use crate::failure::{Failure, Result};
use crate::network::NetworkOptions;
use crate::paint::PaintOptions;
use crate::report::{self, batch::Batch};
use crate::result_file::ResultOptions;
use crate::settings::{Settings, Value};
use crate::terminal::{self, DetailOptions};
use crate::work::WorkOptions;
use crate::{Outcome, interrupt, values};
use bar::Bar;
use impasto::Cancel;
use impasto::picture::Reading;
use impasto::whole_file;
use inputs::{Found, Inputs};
use made::{Results, checksum_of};
use names::Pattern;
use painter::{Due, Painter};
use plan::{Plan, Task};
use styles::Styles;
use summary::{Fate, Summary};
use watch::Watch;

/// Paint many PHOTOGRAPHS in one style
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  impasto batch photos --style painting.jpg -o painted
  impasto batch photos --recursive --style painting.jpg -o painted     subfolders as well
  impasto batch '2024/*.jpg' portrait.png --style painting.jpg -o painted --name {stem}-{style}.jpg
  find . -name '*.jpg' -print0 | impasto batch - -0 --style painting.jpg -o painted
  impasto batch photos --style painting.jpg -o painted --dry-run       what would be done, and how long
  impasto batch inbox --style painting.jpg -o painted --watch          new ones as they come

The same command again makes what is missing: a result stays that is made already, of the same photograph, styles \
and settings, and is made anew where one of them has changed. PNG and JPEG results carry what tells this; for others, \
and with --strip, it is in FOLDER/.impasto-batch.jsonl. No other file is written over, a photograph never.

A photograph that fails does not stop the rest: it is named at the end, and the exit code is 1.

Ctrl-C, SIGTERM, SIGHUP and the end of --max-time keep the state of the photograph at work in a hidden file beside its result, \
from which the same command goes on.")]
pub(crate) struct Options {
    /// Files, folders, patterns such as '*.jpg', or -: a list of paths on standard input
    ///
    /// Of a folder, the pictures by their extensions, but hidden ones. In a pattern * and ? stand for letters, [a-z] for
    /// one of them, ** for folders; a file of exactly that name comes before it. A list has one path a line.
    #[arg(required = true)]
    photographs: Vec<PathBuf>,

    /// Picture of how they are to be painted; repeatable, for a blend
    #[arg(long, value_name = "PAINTING", required = true)]
    style: Vec<PathBuf>,

    /// Folder of the results; it is made if it isn't there
    #[arg(short, long, value_name = "FOLDER", required = true)]
    output: PathBuf,

    /// Name of each result, with stem, ext, name, style or n in braces
    ///
    /// {name} is the photograph's, {stem} that without its extension, {ext} the extension alone, {style} the styles' names without
    /// their extensions, and n in braces the photograph's number of four digits; {{ and }} are braces. The name ends in .png, .jpg,
    /// .webp or .tiff.
    #[arg(long, value_name = "PATTERN", default_value = "{stem}.png", value_parser = str::parse::<Pattern>,
          help_heading = "Photographs")]
    name: Pattern,

    /// The folders below those given as well
    ///
    /// The output folder has the same folders. It is itself passed over where it is one of them.
    #[arg(short, long, help_heading = "Photographs")]
    recursive: bool,

    /// The paths on standard input have a NUL behind each, as `find -print0` writes them
    #[arg(short = '0', long, help_heading = "Photographs")]
    null: bool,

    /// Write over files in the place of a result that no batch made
    #[arg(long, help_heading = "Photographs")]
    overwrite: bool,

    /// Photographs at once, which share the threads and the memory
    ///
    /// Where the memory is too small for so many there are fewer, and a line says so.
    #[arg(short, long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Photographs")]
    jobs: u16,

    /// Go on until Ctrl-C, and paint new photographs as they come
    ///
    /// The folders and patterns are looked at every second. A photograph is taken where it is new or has changed, once its size
    /// was the same twice. Ctrl-C ends it with exit code 130, or 1 where a photograph failed.
    #[arg(long, conflicts_with = "dry_run", help_heading = "Photographs")]
    watch: bool,

    /// Print one JSON object a photograph on standard output (photograph, result, status: made, skipped or failed, reason,
    /// width, height, seconds), and one of them all
    #[arg(long, help_heading = "Messages")]
    json: bool,

    /// Write a page about the batch for a browser: photographs, results, times, settings, machine
    #[arg(long, value_name = "FILE.html", conflicts_with = "dry_run", help_heading = "Messages")]
    report: Option<PathBuf>,

    #[command(flatten)]
    paint: PaintOptions,

    #[command(flatten)]
    work: WorkOptions,

    /// End after this time: 90s, 10m, 1h30m
    #[arg(long, value_name = "TIME", value_parser = values::time, help_heading = "Work")]
    max_time: Option<Duration>,

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

    /// All of the command's, for its results.
    #[arg(skip)]
    settings: Settings,
}

impl Options {
    /// Keeps the command's settings, for its results.
    pub(crate) fn keep(&mut self, settings: Settings) {
        self.settings = settings;
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        self.paint.check()
    }

    pub(crate) fn run(&self) -> Result<Outcome> {
        let start = Instant::now();
        self.paint.check_styles(self.style.len())?;
        let bar = Bar::new(self.detail.detail());
        let painter = self.painter(&bar, start)?;
        let inputs = Inputs::new(&self.photographs, self.recursive, self.null, &self.output)?;
        let mut plan = Plan::new(&self.output, &self.name, &self.style, self.result.depth(), self.files());
        if self.watch {
            return self.watch(&painter, &inputs, &mut plan, &bar, start);
        }

        let Found { photographs, problems } = inputs.look(&|path| painter.results.has(path));
        let mut problems = problems.into_iter().map(|(path, reason)| {
            let failure = Failure::NoPhotograph { path: path.clone(), reason };
            (path, Err(failure))
        });
        if photographs.is_empty() {
            let empty_list = Failure::NoPhotograph {
                path: "standard input".into(),
                reason: "the list is empty".to_owned(),
            };
            return Err(problems.next().and_then(|(_, problem)| problem.err()).unwrap_or(empty_list));
        }
        let tasks = plan.tasks(&photographs).into_iter();
        // Nothing is done unless all results have places of their own.
        let tasks = tasks.map(|(_, task)| task).collect::<Result<Vec<_>>>()?;
        let tasks: Vec<_> =
            tasks.into_iter().map(|task| (task.photograph.clone(), Ok(task))).chain(problems).collect();
        if self.work.dry_run {
            self.save_config(&mut plan)?;
            return dry_run::print(&painter, &tasks).map(|()| Outcome::Done);
        }
        // The report may be in the folder of the results.
        self.prepare_output()?;
        self.check_report(&mut plan)?;
        self.save_config(&mut plan)?;
        let summary = Summary::new((self.json, self.report.is_some()), painter.detail, &bar);
        let left = paint(&painter, tasks, &bar, &summary)?;
        self.finish(&painter, &bar, &summary, left, start)
    }

    /// Paints what comes until it is to end.
    fn watch(
        &self,
        painter: &Painter,
        inputs: &Inputs,
        plan: &mut Plan,
        bar: &Bar,
        start: Instant,
    ) -> Result<Outcome> {
        self.prepare_output()?;
        let summary = Summary::new((self.json, self.report.is_some()), painter.detail, bar);
        let (mut watch, mut left, mut is_first) = (Watch::default(), 0, true);
        while !painter.is_ending() {
            let found = inputs.look(&|path| painter.results.has(path));
            // What is not there yet may come.
            for (path, reason) in found.problems.iter().filter(|_| is_first) {
                painter.detail.normal(format_args!("waiting: {}: {reason}", path.display()));
            }
            if mem::take(&mut is_first) {
                plan.add_read(&found.photographs);
                self.check_report(plan)?;
                self.save_config(plan)?;
            }
            let tasks = plan.tasks(&watch.whole(found.photographs));
            if !tasks.is_empty() {
                left = paint(painter, tasks, bar, &summary)?;
            }
            watch::pause(|| painter.is_ending());
        }
        self.finish(painter, bar, &summary, left, start)
    }

    /// Says what became of all, of which `left` are still to be done, and writes the page about it.
    fn finish(
        &self,
        painter: &Painter,
        bar: &Bar,
        summary: &Summary,
        left: usize,
        start: Instant,
    ) -> Result<Outcome> {
        bar.finish();
        let reported = self
            .report
            .as_deref()
            .map_or(Ok(()), |file| self.write_report(file, painter, summary, left, start));
        // Of two errors one is returned, and the other said.
        match (summary.finish(left), reported) {
            (Err(failure), Err(of_report)) => {
                terminal::note(format_args!("impasto: {of_report}"));
                Err(failure)
            }
            (finished, reported) => finished.and(reported).map(|()| outcome()),
        }
    }

    fn write_report(
        &self,
        file: &Path,
        painter: &Painter,
        summary: &Summary,
        left: usize,
        start: Instant,
    ) -> Result<()> {
        let entries = summary.entries();
        let painted = entries.iter().find(|entry| entry.result.is_some());
        let settings = painted.and_then(|entry| painter.settings(&entry.photograph).ok());
        let page = report::batch::html(&Batch {
            title: &self.output.display().to_string(),
            styles: &self.style,
            entries: &entries,
            left,
            settings: settings.as_deref(),
            network: &painter.network,
            isa: painter.compute.isa.name(),
            jobs: self.jobs.into(),
            seconds: start.elapsed().as_secs_f64(),
            waits: self.watch,
        });
        Ok(whole_file::write_whole(file, page.as_bytes())?)
    }

    /// Refuses a report that can't be written, or would be written over what is read or written otherwise.
    fn check_report(&self, plan: &mut Plan) -> Result<()> {
        if let Some(file) = &self.report {
            report::file::check(file)?;
            plan.write("--report", file)?;
        }
        Ok(())
    }

    /// Finds out all that can be before a photograph is read.
    fn painter(&self, bar: &Bar, start: Instant) -> Result<Painter<'_>> {
        let detail = self.detail.detail();
        let compute = self.compute.start(detail)?;
        let weights = self.network.open(detail)?;
        // A square has room for the most layers.
        let side = self.work.longest().unwrap_or(1024) as usize;
        self.paint.loss(self.work.job(&weights, compute)).objective_bytes(side, side)?;
        for picture in self.style.iter().map(PathBuf::as_path).chain(self.paint.inputs()) {
            Reading::default().foresee(picture)?;
        }
        let cancel = match self.work.dry_run {
            // It has nothing that would be kept.
            true => Cancel::new(),
            false => interrupt::keep_state(bar.teller()),
        };
        Ok(Painter {
            options: self,
            compute,
            network: self.network.name(),
            checksums: self.checksums()?,
            styles: Styles::new(&self.style, &self.paint, detail),
            results: Results::of(&self.output, self.result.is_stripped())?,
            cancel,
            deadline: self.max_time.and_then(|time| start.checked_add(time)),
            detail,
            weights,
        })
    }

    /// Writes the settings to a file, if to any, which is none of those that are read or written.
    fn save_config(&self, plan: &mut Plan) -> Result<()> {
        let Some(file) = &self.config.save_config else { return Ok(()) };
        if file == Path::new("-") {
            return Err(Failure::option(
                "--save-config",
                "settings are not written to standard output: give a file",
            ));
        }
        plan.write("--save-config", file)?;
        Ok(whole_file::write_whole(file, self.settings.file().as_bytes())?)
    }

    /// SHA-256 of the files beside the photographs.
    fn checksums(&self) -> Result<Vec<(&'static str, Value)>> {
        let of_all = |paths: &mut dyn Iterator<Item = &Path>| {
            paths.map(checksum_of).collect::<Result<Vec<_>>>().map(Value::Several)
        };
        let mut checksums = vec![("style-sha256", of_all(&mut self.style.iter().map(PathBuf::as_path))?)];
        if self.paint.inputs().next().is_some() {
            checksums.push(("init-and-masks-sha256", of_all(&mut self.paint.inputs())?));
        }
        if let Some(file) = self.network.file() {
            checksums.push(("weights-sha256", Value::One(checksum_of(&file)?)));
        }
        Ok(checksums)
    }

    /// The files that are read beside the photographs.
    fn files(&self) -> impl Iterator<Item = PathBuf> {
        let pictures = self.style.iter().map(PathBuf::as_path).chain(self.paint.inputs());
        let pictures = pictures.map(Path::to_owned);
        pictures.chain(self.network.file()).chain(self.config.config.clone())
    }

    /// Makes the output folder if need be, and finds out whether it takes files.
    fn prepare_output(&self) -> Result<()> {
        if self.output.is_file() {
            let reason = format!("{} is a file, and results go into a folder", self.output.display());
            return Err(Failure::option("--output", reason));
        }
        let failure = |source| Failure::Write { path: self.output.clone(), source };
        fs::create_dir_all(&self.output).map_err(failure)?;
        Ok(whole_file::check_writable(&self.output.join(".impasto-batch.jsonl"))?)
    }
}

/// Paints those whose results are due, and gives how many are left.
fn paint(
    painter: &Painter,
    tasks: Vec<(PathBuf, Result<Task>)>,
    bar: &Bar,
    summary: &Summary,
) -> Result<usize> {
    let (mut jobs, mut unseen) = (Vec::new(), 0);
    for (photograph, task) in tasks {
        if painter.is_ending() {
            unseen += 1;
            continue;
        }
        match task.and_then(|task| Ok((painter.due(&task)?, task))) {
            Ok((Due::Painting { because }, task)) => jobs.push((task, because)),
            Ok((Due::Nothing, task)) => summary.add(&photograph, Some(&task), Fate::Skipped),
            Err(failure) => summary.add(&photograph, None, Fate::Failed(failure)),
        }
    }
    Ok(unseen + crew::paint(painter, &jobs, bar, summary)?)
}

/// How the command ended.
fn outcome() -> Outcome {
    interrupt::received().map_or(Outcome::Done, Outcome::Interrupted)
}
