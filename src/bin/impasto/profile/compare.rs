//! `--compare`: two answers of `profile --json`, and which of their differences are beyond the noise of their rounds.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::Samples;
use crate::failure::{Failure, Result};
use crate::terminal;

/// What must be the same, so that a difference is one of speed: in the answer, and in words.
const SAME: [(&str, &str); 7] = [
    ("network", "network"),
    ("width", "width"),
    ("height", "height"),
    ("pooling", "pooling"),
    ("statistic", "statistic"),
    ("threads", "number of threads"),
    ("isa", "instruction set"),
];

/// Compares the answers in two files, and prints what differs.
///
/// # Errors
/// [`Failure::Settings`] where one can't be compared with the other, unless it is to be done `anyway`.
pub(super) fn run(before: &Path, after: &Path, anyway: bool, as_json: bool) -> Result<()> {
    let [before, after] = [Profile::open(before)?, Profile::open(after)?];
    if !anyway && let Some(difference) = before.other_work(&after) {
        return Err(after.failure(format!("{difference}; --anyway compares them all the same")));
    }
    let rows = rows(&before, &after);
    match as_json {
        true => terminal::print_json(&json(&before, &after, &rows)),
        false => terminal::print(table(&before, &after, &rows).trim_end()),
    }
}

/// An answer of `profile --json`.
struct Profile {
    file: String,
    answer: Value,
    timings: Vec<Timing>,
}

/// Seconds of the rounds of a layer's pass, or of more.
struct Timing {
    name: String,
    rounds: Vec<f64>,
}

impl Profile {
    fn open(path: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(path).map_err(|source| Failure::Read { path: path.to_owned(), source })?;
        let file = path.display().to_string();
        let answer: Value = serde_json::from_str(&text).map_err(|error| Failure::Settings {
            path: path.into(),
            reason: format!("it is no JSON: {error}"),
        })?;
        let mut profile = Self { file, answer, timings: Vec::new() };
        profile.timings = profile.timings().map_err(|reason| {
            profile.failure(format!("it is no answer of `impasto profile --json`: {reason}"))
        })?;
        Ok(profile)
    }

    fn failure(&self, reason: String) -> Failure {
        Failure::Settings { path: self.file.clone().into(), reason }
    }

    /// The evaluation, the passes, and those of each layer.
    fn timings(&self) -> Result<Vec<Timing>, String> {
        for (key, word) in SAME {
            if self.answer[key].is_null() {
                return Err(format!("it has no {word}"));
            }
        }
        let mut timings =
            vec![Timing::new("evaluation".to_owned(), &self.answer["evaluation_seconds"]["rounds"])?];
        let layers = self.answer["layers"].as_array().ok_or("it has no layers")?;
        let mut of_layers = Vec::new();
        let mut passes =
            ["forward", "backward"].map(|pass| Timing { name: pass.to_owned(), rounds: Vec::new() });
        for layer in layers {
            let name = layer["name"].as_str().ok_or("a layer has no name")?;
            for pass in &mut passes {
                let timing =
                    Timing::new(format!("{name} {}", pass.name), &layer[format!("{}_rounds", pass.name)])?;
                // The pass takes as long as all its layers.
                pass.rounds.resize(pass.rounds.len().max(timing.rounds.len()), 0.0);
                pass.rounds.iter_mut().zip(&timing.rounds).for_each(|(sum, seconds)| *sum += seconds);
                of_layers.push(timing);
            }
        }
        timings.extend(passes.into_iter().filter(|pass| !pass.rounds.is_empty()));
        timings.extend(of_layers);
        Ok(timings)
    }

    /// Why the difference to another is not one of speed.
    fn other_work(&self, other: &Self) -> Option<String> {
        let (key, word) = SAME.into_iter().find(|(key, _)| self.answer[key] != other.answer[key])?;
        let [theirs, ours] = [other, self].map(|profile| plain(&profile.answer[key]));
        Some(format!("its {word} is {theirs}, and that of {} is {ours}", self.file))
    }

    fn summary(&self) -> String {
        let value = |key: &str| plain(&self.answer[key]);
        format!(
            "{}: {}, {}×{} pixels, {}, {} threads, {} rounds",
            self.file,
            value("network"),
            value("width"),
            value("height"),
            value("isa"),
            value("threads"),
            self.timings[0].rounds.len()
        )
    }
}

impl Timing {
    fn new(name: String, rounds: &Value) -> Result<Self, String> {
        let values = rounds.as_array().map(|rounds| rounds.iter().map(Value::as_f64).collect());
        let rounds: Vec<f64> = values.flatten().unwrap_or_default();
        if rounds.is_empty() || rounds.iter().any(|seconds| !(*seconds > 0.0 && seconds.is_finite())) {
            return Err(format!("it has no seconds of each round for {name}; earlier versions wrote none"));
        }
        Ok(Self { name, rounds })
    }
}

/// A value as it is said: a text without quotation marks.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What both have, compared.
struct Row {
    name: String,
    /// Median seconds of both.
    seconds: [f64; 2],
    /// The second over the first.
    ratio: f64,
    /// What the noise leaves possible of the ratio, where there are rounds enough to tell.
    bounds: Option<(f64, f64)>,
}

fn rows(before: &Profile, after: &Profile) -> Vec<Row> {
    let row = |a: &Timing| {
        let b = after.timings.iter().find(|b| b.name == a.name)?;
        Some(Row::new(a.name.clone(), &Samples::new(&a.rounds), &Samples::new(&b.rounds)))
    };
    before.timings.iter().filter_map(row).collect()
}

impl Row {
    fn new(name: String, a: &Samples, b: &Samples) -> Self {
        let seconds = [a.median(), b.median()];
        let bounds = a.bounds_of_median().zip(b.bounds_of_median());
        let bounds = bounds.map(|(a, b)| (b.0 / a.1, b.1 / a.0));
        Self { name, seconds, ratio: seconds[1] / seconds[0], bounds }
    }

    fn verdict(&self) -> &'static str {
        match self.bounds {
            None => "too few rounds",
            Some((_, high)) if high < 1.0 => "faster",
            Some((low, _)) if low > 1.0 => "slower",
            Some(_) => "within noise",
        }
    }
}

fn table(before: &Profile, after: &Profile, rows: &[Row]) -> String {
    let mut table = format!("A: {}\nB: {}\n\n", before.summary(), after.summary());
    let _ = writeln!(
        table,
        "{:<18} {:>10} {:>10} {:>7}  {:<13} beyond noise",
        "", "A ms", "B ms", "B / A", "bounds"
    );
    for row in rows {
        let [a, b] = row.seconds.map(|seconds| seconds * 1e3);
        let bounds = row.bounds.map_or("?".to_owned(), |(low, high)| format!("{low:.3}–{high:.3}"));
        let (name, ratio, verdict) = (&row.name, row.ratio, row.verdict());
        let _ = writeln!(table, "{name:<18} {a:>10.3} {b:>10.3} {ratio:>7.3}  {bounds:<13} {verdict}");
    }
    let beyond = rows.iter().filter(|row| matches!(row.verdict(), "faster" | "slower")).count();
    let _ = writeln!(
        table,
        "\n{beyond} of {} differ beyond the noise of their rounds. Bounds are those of the medians by order statistics: at \
         99 % from 8 rounds on, from 4 the least and the most. What changes a whole run, such as other work on the machine, is \
         not in them: measure A and B several times in turn.",
        rows.len()
    );
    table
}

fn json(before: &Profile, after: &Profile, rows: &[Row]) -> Value {
    let row = |row: &Row| {
        json!({
            "name": row.name,
            "a_seconds": row.seconds[0],
            "b_seconds": row.seconds[1],
            "ratio": row.ratio,
            "low": row.bounds.map(|bounds| bounds.0),
            "high": row.bounds.map(|bounds| bounds.1),
            "verdict": row.verdict(),
        })
    };
    json!({
        "a": before.file,
        "b": after.file,
        "compared": rows.iter().map(row).collect::<Vec<_>>(),
    })
}
