//! The page about a job of stylize, texture or reconstruct.

use super::curves::Curve;
use super::machine;
use super::page::Page;
use super::picture::Shown;
use super::record::{Record, Step};
use crate::progress::clock;
use crate::terminal;

/// What a job was, and how it went.
pub(crate) struct Job<'j> {
    /// Where the picture went.
    pub(crate) title: &'j str,
    /// How it ended, in a sentence.
    pub(crate) ending: &'j str,
    /// Whether that was before all was done.
    pub(crate) is_early: bool,
    /// The command, with the names of files alone.
    pub(crate) command: &'j str,
    /// All settings, as the result carries them.
    pub(crate) settings: &'j str,
    pub(crate) network: &'j str,
    pub(crate) isa: &'j str,
    pub(crate) threads: usize,
    /// Seconds of all.
    pub(crate) seconds: f64,
    pub(crate) peak_memory: Option<u64>,
    pub(crate) record: &'j Record,
}

/// The page.
pub(crate) fn html(job: &Job) -> String {
    let record = job.record;
    let mut page = Page::new(job.title);
    match job.is_early {
        true => page.note(job.ending),
        false => page.paragraph(job.ending),
    }
    if record.first > 1 {
        page.paragraph(&format!(
            "Begun at step {}, from a checkpoint: what was before is not in this page.",
            record.first
        ));
    }
    page.pictures(&record.result);
    if !record.inputs.is_empty() {
        page.heading("Pictures");
        page.pictures(&record.inputs);
    }
    let scales: Vec<&Shown> = record.scales.iter().filter_map(|scale| scale.picture.as_ref()).collect();
    if !scales.is_empty() {
        page.heading("Scales before the last");
        page.pictures(scales);
    }
    curves(&mut page, record);
    page.heading("Settings");
    page.code(job.command);
    page.hidden_code("All settings", job.settings);
    times(&mut page, job);
    let memory = [
        ("network", job.network.to_owned()),
        ("memory foreseen", terminal::bytes(record.memory_foreseen)),
        ("memory taken", job.peak_memory.map_or("unknown".to_owned(), terminal::bytes)),
    ];
    machine::section(&mut page, job.isa, job.threads, &memory);
    page.html()
}

/// Gives one of a step's losses.
type ValueOf = fn(&Step) -> f64;

fn curves(page: &mut Page, record: &Record) {
    let steps = record.losses();
    if steps.is_empty() {
        return;
    }
    let first = steps[0].scale;
    let labels: Vec<_> =
        record.scales.iter().map(|scale| format!("{}×{}", scale.size.0, scale.size.1)).collect();
    let curve = |(name, colour, value): (&'static str, &'static str, ValueOf)| {
        let mut scales = vec![Vec::new(); labels.len()];
        for step in &steps {
            scales[step.scale - first].push((step.step as f64, value(step)));
        }
        Curve { name, colour, scales, labels: &labels }.chart()
    };
    let values: [(_, _, ValueOf); 5] = [
        ("loss", "s1", |step| step.total),
        ("content", "s2", |step| step.content),
        ("style", "s3", |step| step.style),
        ("total variation", "s4", |step| step.tv),
        ("Laplacian", "s5", |step| step.laplacian.unwrap_or(0.0)),
    ];
    let charts: Vec<_> = values.into_iter().filter_map(curve).collect();
    page.heading("Losses");
    page.paragraph("The loss is the weighted sum of the others. Logarithmic; dashed: a scale begins.");
    page.charts(&charts);
}

fn times(page: &mut Page, job: &Job) {
    let row = |name: String, steps: usize, evaluations: usize, seconds: f64| {
        let rate = if seconds > 0.0 { format!("{:.2}", steps as f64 / seconds) } else { "–".to_owned() };
        vec![name, steps.to_string(), evaluations.to_string(), time(seconds), rate]
    };
    let mut rows = Vec::new();
    let (mut steps, mut evaluations, mut seconds) = (0, 0, 0.0);
    for scale in &job.record.scales {
        let (before, after) = (scale.before, scale.after);
        let of_scale = (
            after.step.saturating_sub(before.step),
            after.evaluations.saturating_sub(before.evaluations),
            after.seconds - before.seconds,
        );
        rows.push(row(format!("{}×{}", scale.size.0, scale.size.1), of_scale.0, of_scale.1, of_scale.2));
        steps += of_scale.0;
        evaluations += of_scale.1;
        seconds += of_scale.2;
    }
    rows.push(row("all scales".to_owned(), steps, evaluations, seconds));
    page.heading("Times");
    page.table(&["scale:", "steps", "evaluations", "time", "steps/s"], &rows, true);
    page.paragraph(&format!(
        "With reading and writing {}. A scale's time has its targets in it.",
        time(job.seconds)
    ));
}

fn time(seconds: f64) -> String {
    match seconds < 100.0 {
        true => format!("{seconds:.2} s"),
        false => clock(seconds),
    }
}
