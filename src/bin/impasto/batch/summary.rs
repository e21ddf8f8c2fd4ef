//! What became of each photograph: said as it happens, and all together at the end.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};

use super::bar::Bar;
use super::plan::Task;
use crate::failure::{Failure, Result};
use crate::progress::clock;
use crate::report::batch::Entry;
use crate::terminal::{self, Detail};

/// What became of a photograph.
#[derive(Debug)]
pub(super) enum Fate {
    Made {
        width: usize,
        height: usize,
        seconds: f64,
        /// Why it is not the usual.
        note: Option<String>,
    },
    /// Its result is there already.
    Skipped,
    Failed(Failure),
}

/// Counts of what became of them.
pub(super) struct Summary<'b> {
    start: Instant,
    json: bool,
    /// Whether what became of each is kept.
    keeps: bool,
    detail: Detail,
    bar: &'b Bar,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    made: usize,
    skipped: usize,
    /// Each with its reason.
    failed: Vec<(PathBuf, String)>,
    /// All of them, if they are kept.
    entries: Vec<Entry>,
    /// Why standard output could not be written.
    unwritten: Option<Failure>,
}

impl<'b> Summary<'b> {
    /// A summary that prints what happens as JSON where that is asked for, and keeps it for a report.
    pub(super) fn new((json, keeps): (bool, bool), detail: Detail, bar: &'b Bar) -> Self {
        Self { start: Instant::now(), json, keeps, detail, bar, counts: Mutex::default() }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what became of a photograph, of which there is a result to be told unless it could have none.
    pub(super) fn add(&self, photograph: &Path, task: Option<&Task>, fate: Fate) {
        let mut counts = self.counts();
        let mut object = json!({ "photograph": photograph.to_string_lossy() });
        if let Some(task) = task {
            object["result"] = json!(task.result.to_string_lossy());
        }
        let result = task.map(|task| task.result.display());
        let mut entry = Entry {
            photograph: photograph.to_owned(),
            result: task.map(|task| task.result.clone()),
            fate: "made".to_owned(),
            made: None,
        };
        match fate {
            Fate::Made { width, height, seconds, note } => {
                counts.made += 1;
                entry.made = Some((width, height, seconds));
                object["status"] = json!("made");
                object["width"] = json!(width);
                object["height"] = json!(height);
                object["seconds"] = json!(seconds);
                if let Some(result) = result {
                    let note = note.map(|note| format!(", {note}")).unwrap_or_default();
                    let line = format!("wrote {result}: {width}×{height}, {seconds:.1} s{note}");
                    self.bar.above(|| self.detail.normal(format_args!("{line}")));
                }
            }
            Fate::Skipped => {
                counts.skipped += 1;
                entry.fate = "made already".to_owned();
                object["status"] = json!("skipped");
                if let Some(result) = result {
                    self.bar.above(|| self.detail.verbose(format_args!("{result} is made already")));
                }
            }
            Fate::Failed(failure) => {
                let reason = failure.to_string();
                object["status"] = json!("failed");
                (entry.fate, entry.result) = (reason.clone(), None);
                object["reason"] = json!(reason);
                self.bar.above(|| terminal::note(format_args!("{}", failed(photograph, &reason))));
                counts.failed.push((photograph.to_owned(), reason));
            }
        }
        if self.keeps {
            counts.entries.push(entry);
        }
        self.print(&mut counts, &object);
    }

    /// What became of each until now.
    pub(super) fn entries(&self) -> Vec<Entry> {
        self.counts().entries.clone()
    }

    fn print(&self, counts: &mut Counts, object: &Value) {
        if self.json && counts.unwritten.is_none() {
            self.bar.above(|| counts.unwritten = terminal::print_json(object).err());
        }
    }

    /// Says what became of all of them, of which `left` are still to be done.
    ///
    /// # Errors
    /// [`Failure::Photographs`] if some failed, or that standard output could not be written.
    pub(super) fn finish(&self, left: usize) -> Result<()> {
        let seconds = self.start.elapsed().as_secs_f64();
        let mut counts = self.counts();
        let (made, skipped, of_failed) = (counts.made, counts.skipped, counts.failed.len());
        let of_left = if left > 0 { format!(", {left} left") } else { String::new() };
        self.detail.normal(format_args!(
            "{made} made, {skipped} made already, {of_failed} failed{of_left}, {}",
            clock(seconds)
        ));
        for (photograph, reason) in &counts.failed {
            self.detail.normal(format_args!("  {}", failed(photograph, reason)));
        }
        let all = json!({ "made": made, "skipped": skipped, "failed": of_failed, "left": left, "seconds": seconds });
        self.print(&mut counts, &all);
        match (counts.unwritten.take(), of_failed) {
            (Some(failure), _) => Err(failure),
            (None, 0) => Ok(()),
            (None, _) => {
                Err(Failure::Photographs { failed: of_failed, of: made + skipped + of_failed + left })
            }
        }
    }
}

/// A line that names a photograph once.
fn failed(photograph: &Path, reason: &str) -> String {
    let name = photograph.display().to_string();
    match reason.contains(&name) {
        true => format!("failed: {reason}"),
        false => format!("failed: {name}: {reason}"),
    }
}
