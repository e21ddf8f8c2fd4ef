//! The options that say when the work ends early, and where it is kept to go on later.

use std::fs;
use std::mem;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;

use crate::failure::{Failure, Result};
use crate::overwrite::Files;
use crate::ranks;
use crate::settings::Settings;
use crate::shell::quoted;
use crate::terminal::{self, Detail};
use crate::values;
use impasto::stylize::End;
use impasto::{Checkpoint, Checkpoints, Error, Progress, Stylize, whole_file};

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Work")]
pub(crate) struct CheckpointOptions {
    /// Keep the state of the work in this file, to go on after whatever ends it: `impasto resume FILE`. It is removed
    /// when the picture is done
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,

    /// Time between two checkpoints; more where writing one would take more than 2 % of the time
    #[arg(long, value_name = "TIME", value_parser = values::time, default_value = "1m")]
    checkpoint_every: Duration,

    /// End after this time with the best picture until then: 90s, 10m, 1h30m
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    max_time: Option<Duration>,

    /// What is gone on from.
    #[arg(skip)]
    from: Option<Checkpoint>,
}

impl CheckpointOptions {
    /// Goes on from a checkpoint.
    pub(crate) fn resume(&mut self, checkpoint: Checkpoint) {
        self.from = Some(checkpoint);
    }

    /// What is gone on from, where that is a file that is read alone.
    pub(crate) fn input(&self) -> Option<PathBuf> {
        let from = self
            .from
            .as_ref()
            .filter(|from| self.checkpoint.as_ref().is_none_or(|path| !is_same(from, path)));
        from.map(|from| from.path().to_owned())
    }

    /// Refuses a checkpoint that is another file, or one that was not asked to go on from.
    pub(crate) fn check(&self, files: &mut Files, is_dry_run: bool) -> Result<()> {
        let Some(path) = self.checkpoint.as_deref().filter(|_| !is_dry_run) else { return Ok(()) };
        if path == Path::new("-") {
            return Err(Failure::option("--checkpoint", "it is not written to standard output: give a file"));
        }
        files.write("--checkpoint", path)?;
        if path.is_file() && !self.from.as_ref().is_some_and(|from| is_same(from, path)) {
            let resume = format!("impasto resume {}", quoted(&path.display().to_string()));
            let reason = format!("{} is there already: go on with `{resume}`, or remove it", path.display());
            return Err(Failure::option("--checkpoint", reason));
        }
        Ok(whole_file::check_writable(path)?)
    }

    /// What is to be done of it in the work that writes `output`, since the command was started at this time.
    pub(crate) fn work(&self, settings: &Settings, output: &Path, start: Instant) -> Result<CheckpointWork> {
        let Self { checkpoint, checkpoint_every, max_time, from } = self.clone();
        let kept = checkpoint.map(|path| {
            if ranks::is_first() {
                whole_file::remove_abandoned_files(&path);
                whole_file::remove_abandoned_files(output);
            }
            let note = settings.to_resume(output).map_err(|key| {
                let reason = format!("{key}: only files whose names are Unicode can be resumed");
                Failure::option("--checkpoint", reason)
            });
            Ok::<_, Failure>(Checkpoints::to(path).every(checkpoint_every).note(note?))
        });
        let end = max_time.and_then(|time| start.checked_add(time));
        Ok(CheckpointWork { kept: kept.transpose()?, from, end, is_told: false })
    }
}

/// Whether a checkpoint that was read is in this file.
fn is_same(checkpoint: &Checkpoint, path: &Path) -> bool {
    whole_file::destination(checkpoint.path()).ok() == whole_file::destination(path).ok()
}

/// Checkpoints and the end of work that is about to begin or under way.
pub(crate) struct CheckpointWork {
    kept: Option<Checkpoints>,
    from: Option<Checkpoint>,
    end: Option<Instant>,
    /// Whether it was told that one could not be written.
    is_told: bool,
}

impl CheckpointWork {
    /// The job with all of it.
    pub(crate) fn apply(&self, mut job: Stylize) -> Stylize {
        if let Some(checkpoint) = &self.from {
            job = job.resume(checkpoint);
        }
        if let Some(checkpoints) = &self.kept {
            job = job.checkpoints(checkpoints.clone());
        }
        match self.end {
            Some(end) => job.max_time(end.saturating_duration_since(Instant::now())),
            None => job,
        }
    }

    /// Says where the work goes on.
    pub(crate) fn say_start(&self, detail: Detail, isa: &str, progress: &Progress) {
        let Some(from) = &self.from else { return };
        let Progress { step, steps, in_other_strips, .. } = *progress;
        detail.normal(format_args!("resumed from {}, now at step {step} of {steps}", from.path().display()));
        if from.instruction_set() != isa {
            detail.normal(format_args!(
                "it was begun with {}, and this CPU goes on with {isa}: the last bits of the picture may differ",
                from.instruction_set()
            ));
        }
        if in_other_strips {
            detail.normal(format_args!(
                "it goes on in other strips of rows, as its memory or its threads are others: the last bits of the picture may differ"
            ));
        }
    }

    /// Says once, by `say`, that a checkpoint could not be written.
    pub(crate) fn say_error(&mut self, error: Option<&Error>, say: impl FnOnce(&dyn Fn())) {
        if let Some(error) = error
            && !mem::replace(&mut self.is_told, true)
        {
            say(&|| {
                terminal::note(format_args!("impasto: {error}: the work goes on without this checkpoint"))
            });
        }
    }

    /// After the picture is written, removes the checkpoint if all is done, and says how to go on if not.
    pub(crate) fn finish(&self, end: &End, detail: Detail) {
        let Some(path) = self.kept.as_ref().map(Checkpoints::path) else { return };
        match end {
            // It isn't there where the work took less than a minute. A device stays.
            End::Done if path.is_file() => {
                if let Err(error) = whole_file::destination(path).and_then(fs::remove_file) {
                    detail.normal(format_args!("{} is not removed: {error}", path.display()));
                }
            }
            End::Cancelled | End::TimeUp if path.is_file() => {
                let path = quoted(&path.display().to_string());
                detail.normal(format_args!("to go on: impasto resume {path}"));
            }
            _ => {}
        }
    }
}
