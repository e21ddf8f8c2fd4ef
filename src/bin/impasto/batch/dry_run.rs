//! `--dry-run`: what would be done, and how long it would take.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::painter::{Due, Painter};
use super::plan::Task;
use crate::failure::{Failure, Result};
use crate::progress::clock;
use crate::{picture_file, terminal};

/// The most sizes that are measured; the time of others is that of the last, by their pixels.
const MOST_MEASURED: usize = 3;

/// Prints what would be done of each, as a table or as JSON lines.
///
/// # Errors
/// [`Failure::Photographs`] if some would fail; where standard output can't be written.
pub(super) fn print(painter: &Painter, tasks: &[(PathBuf, Result<Task>)]) -> Result<()> {
    let mut costs = Costs::default();
    let (mut lines, mut objects) = (Vec::new(), Vec::new());
    let (mut made, mut skipped, mut failed, mut seconds) = (0, 0, 0, 0.0);
    for (photograph, task) in tasks {
        let foreseen = task
            .as_ref()
            .map_err(ToString::to_string)
            .and_then(|task| foresee(painter, task, &mut costs).map_err(|failure| failure.to_string()));
        let mut object = json!({ "photograph": photograph.to_string_lossy() });
        let mut line = photograph.display().to_string();
        if let Ok(task) = task {
            object["result"] = json!(task.result.to_string_lossy());
            let _ = write!(line, " → {}", task.result.display());
        }
        match foreseen {
            Ok(Some(Foreseen { size: (width, height), seconds: of_one, because })) => {
                made += 1;
                seconds += of_one;
                let again = because.as_ref().map(|because| format!(", again: {because}"));
                let _ = write!(line, ": {width}×{height}{}", again.unwrap_or_default());
                let status =
                    json!({ "status": "to be made", "width": width, "height": height, "seconds": of_one });
                extend(&mut object, status);
                if let Some(because) = because {
                    object["because"] = json!(because);
                }
            }
            Ok(None) => {
                skipped += 1;
                line.push_str(": made already");
                extend(&mut object, json!({ "status": "skipped" }));
            }
            Err(reason) => {
                failed += 1;
                let _ = write!(line, ": would fail: {reason}");
                extend(&mut object, json!({ "status": "failed", "reason": reason }));
            }
        }
        lines.push(line);
        objects.push(object);
    }
    let memory = costs.memory;
    if painter.options.json {
        for object in &objects {
            terminal::print_json(object)?;
        }
        let all = json!({ "to be made": made, "skipped": skipped, "failed": failed, "seconds": seconds, "memory": memory });
        terminal::print_json(&all)?;
    } else {
        let at_a_time = if painter.options.jobs > 1 { ", one at a time" } else { "" };
        lines.push(format!("{made} to be made, {skipped} made already, {failed} would fail"));
        if made > 0 {
            lines.push(format!("time: {}{at_a_time}; memory: {}", clock(seconds), terminal::bytes(memory)));
        }
        terminal::print(lines.join("\n"))?;
    }
    match failed {
        0 => Ok(()),
        failed => Err(Failure::Photographs { failed, of: tasks.len() }),
    }
}

fn extend(object: &mut Value, others: Value) {
    if let (Some(object), Value::Object(others)) = (object.as_object_mut(), others) {
        object.extend(others);
    }
}

/// What painting one photograph takes.
struct Foreseen {
    size: (usize, usize),
    seconds: f64,
    because: Option<String>,
}

/// `None` if its result is made already.
fn foresee(painter: &Painter, task: &Task, costs: &mut Costs) -> Result<Option<Foreseen>> {
    let Due::Painting { because } = painter.due(task)? else { return Ok(None) };
    let size = painter.foresee(&task.photograph)?.size;
    let seconds = costs.seconds(painter, task, size)?;
    Ok(Some(Foreseen { size, seconds, because }))
}

/// Seconds of results by their pixels, as far as they were measured.
#[derive(Default)]
struct Costs {
    measured: HashMap<usize, f64>,
    last: Option<(usize, f64)>,
    /// The most bytes that one takes.
    memory: u64,
}

impl Costs {
    fn seconds(&mut self, painter: &Painter, task: &Task, (width, height): (usize, usize)) -> Result<f64> {
        let pixels = width * height;
        if let Some(seconds) = self.measured.get(&pixels) {
            return Ok(*seconds);
        }
        if let Some((of_pixels, seconds)) = self.last.filter(|_| self.measured.len() == MOST_MEASURED) {
            return Ok(seconds * pixels as f64 / of_pixels as f64);
        }
        let needed = picture_file::needed(painter.options.work.longest());
        let content = picture_file::open(&task.photograph, needed, painter.detail)?;
        let estimate = painter.job(content)?.cancelled_by(&painter.cancel).estimate()?;
        self.measured.insert(pixels, estimate.seconds);
        self.last = Some((pixels, estimate.seconds));
        self.memory = self.memory.max(estimate.memory);
        Ok(estimate.seconds)
    }
}
