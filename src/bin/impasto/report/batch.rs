//! The page about a batch.

use std::path::{Path, PathBuf};

use super::machine;
use super::page::Page;
use super::picture::Shown;
use crate::progress::clock;
use crate::terminal::{self, Detail};
use crate::{picture_file, show};
use impasto::{Needed, memory};

/// The longest side of what is shown, in pixels: of a style, and of a photograph and its result.
const STYLE: usize = 320;
const THUMBNAIL: usize = 256;

/// Photographs that are shown at most, so that the page stays of some megabytes. The table has all of them.
const MOST_SHOWN: usize = 100;

/// What became of a photograph.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) photograph: PathBuf,
    /// Where it is there.
    pub(crate) result: Option<PathBuf>,
    /// `made`, `made already`, or why it failed.
    pub(crate) fate: String,
    /// Of those that were made: width, height and seconds.
    pub(crate) made: Option<(usize, usize, f64)>,
}

/// What a batch was, and how it went.
pub(crate) struct Batch<'b> {
    /// The folder of the results.
    pub(crate) title: &'b str,
    pub(crate) styles: &'b [PathBuf],
    pub(crate) entries: &'b [Entry],
    /// How many are still to be done.
    pub(crate) left: usize,
    /// The settings that a result carries.
    pub(crate) settings: Option<&'b str>,
    pub(crate) network: &'b str,
    pub(crate) isa: &'b str,
    pub(crate) jobs: usize,
    /// Seconds of all.
    pub(crate) seconds: f64,
    /// Whether it waited for photographs in that time.
    pub(crate) waits: bool,
}

/// The page.
pub(crate) fn html(batch: &Batch) -> String {
    let mut page = Page::new(&format!("Photographs painted into {}", batch.title));
    summary(&mut page, batch);
    page.heading("Style");
    let styles: Vec<_> = batch.styles.iter().filter_map(|style| shown(style, "", STYLE)).collect();
    page.pictures(&styles);
    pictures(&mut page, batch);
    table(&mut page, batch);
    if let Some(settings) = batch.settings {
        page.heading("Settings");
        page.paragraph("One of the results by itself:");
        page.code(&show::command_of(settings).unwrap_or_default());
        page.hidden_code("All settings", settings);
    }
    let memory = [
        ("network", batch.network.to_owned()),
        ("photographs at once", batch.jobs.to_string()),
        ("memory taken", memory::peak().map_or("unknown".to_owned(), terminal::bytes)),
    ];
    machine::section(&mut page, batch.isa, rayon::current_num_threads(), &memory);
    page.html()
}

fn summary(page: &mut Page, batch: &Batch) {
    let made = batch.entries.iter().filter(|entry| entry.made.is_some()).count();
    let failed = batch.entries.iter().filter(|entry| entry.result.is_none()).count();
    let skipped = batch.entries.len() - made - failed;
    let mut text = format!("{made} made, {skipped} made already, {failed} failed");
    if batch.left > 0 {
        text += &format!(", {} left", batch.left);
    }
    text += &format!(", {}.", clock(batch.seconds));
    if made > 0 && batch.seconds > 0.0 && !batch.waits {
        text += &format!(" {:.0} photographs an hour.", made as f64 / batch.seconds * 3600.0);
    }
    match failed + batch.left {
        0 => page.paragraph(&text),
        _ => page.note(&text),
    }
}

fn pictures(page: &mut Page, batch: &Batch) {
    let with_results = || batch.entries.iter().filter_map(|entry| Some((entry, entry.result.as_deref()?)));
    let pairs: Vec<Vec<Shown>> = with_results()
        .take(MOST_SHOWN)
        .map(|(entry, result)| {
            let detail =
                entry.made.map_or_else(|| entry.fate.clone(), |(.., seconds)| format!("{seconds:.1} s"));
            [shown(&entry.photograph, "", THUMBNAIL), shown(result, &detail, THUMBNAIL)]
                .into_iter()
                .flatten()
                .collect()
        })
        .collect();
    if pairs.is_empty() {
        return;
    }
    page.heading("Pictures");
    page.groups(&pairs);
    let more = with_results().count() - pairs.len();
    if more > 0 {
        page.paragraph(&format!("{more} more are in the table alone."));
    }
}

/// A picture's file by its name. `None` if it can't be read, such as where it was removed since.
fn shown(path: &Path, detail: &str, longest: usize) -> Option<Shown> {
    let picture = picture_file::open(path, Needed::Longest(longest), Detail::Quiet).ok()?;
    Shown::new(&name(path), detail, &picture, longest)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn table(page: &mut Page, batch: &Batch) {
    let row = |entry: &Entry| {
        let size = entry.made.map(|(width, height, _)| format!("{width}×{height}"));
        vec![
            entry.photograph.display().to_string(),
            entry.result.as_deref().map(name).unwrap_or_default(),
            size.unwrap_or_default(),
            entry.made.map(|(.., seconds)| format!("{seconds:.1}")).unwrap_or_default(),
            entry.fate.clone(),
        ]
    };
    let rows: Vec<_> = batch.entries.iter().map(row).collect();
    page.heading("Photographs");
    page.table(&["photograph::", "result:", "pixels", "seconds", "what became of it:"], &rows, false);
}
