//! Several photographs at once: as many as were asked for and fit in memory, with the threads shared out.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::bar::Bar;
use super::painter::{Painted, Painter};
use super::plan::Task;
use super::summary::{Fate, Summary};
use crate::failure::{Failure, Result};
use crate::{picture_file, terminal};
use impasto::memory;

/// A photograph to be painted, and why again, if its result is there.
pub(super) type Job = (Task, Option<String>);

/// Paints these, and gives how many are left.
///
/// # Errors
/// Where threads can't be started; what fails of a photograph goes to the summary.
pub(super) fn paint(painter: &Painter, jobs: &[Job], bar: &Bar, summary: &Summary) -> Result<usize> {
    let (at_once, memory) = at_once(painter, jobs, bar);
    let pools = pools(at_once)?;
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    bar.start(jobs.len());
    let work = || {
        while !painter.is_ending()
            && let Some((task, because)) = jobs.get(next.fetch_add(1, Ordering::Relaxed))
        {
            bar.update(&task.photograph, 0.0);
            let painted = painter.paint(task, memory, |part| bar.update(&task.photograph, part));
            let fate = match painted {
                Ok(Painted::Made { width, height, seconds, is_resumed }) => {
                    let again = because.as_ref().map(|because| format!("again: {because}"));
                    let resumed = is_resumed.then(|| "gone on from where it was ended".to_owned());
                    Fate::Made { width, height, seconds, note: resumed.or(again) }
                }
                Ok(Painted::Ended) => continue,
                Err(failure) => Fate::Failed(failure),
            };
            done.fetch_add(1, Ordering::Relaxed);
            bar.next(&task.photograph);
            summary.add(&task.photograph, Some(task), fate);
        }
    };
    match &pools[..] {
        // On the threads of the process.
        [] => work(),
        pools => thread::scope(|scope| {
            for pool in pools {
                scope.spawn(|| pool.install(work));
            }
        }),
    }
    bar.hide();
    Ok(jobs.len() - done.into_inner())
}

/// One pool for each of several photographs at once, which share the threads that there are.
fn pools(at_once: usize) -> Result<Vec<ThreadPool>> {
    if at_once < 2 {
        return Ok(Vec::new());
    }
    let threads = rayon::current_num_threads();
    let pools = (0..at_once).map(|index| {
        let share = threads / at_once + usize::from(index < threads % at_once);
        ThreadPoolBuilder::new().num_threads(share.max(1)).build()
    });
    pools.collect::<Result<_, _>>().map_err(|error| Failure::option("--jobs", error.to_string()))
}

/// How many are painted at once, and the memory for each, where that is not all there is.
fn at_once(painter: &Painter, jobs: &[Job], bar: &Bar) -> (usize, Option<u64>) {
    let asked = usize::from(painter.options.jobs).min(jobs.len());
    if asked < 2 {
        return (1, None);
    }
    let available = painter.options.work.max_memory.unwrap_or_else(memory::available);
    let Some(needed) = most_needed(painter, jobs) else { return (1, None) };
    let at_once = asked.min(usize::try_from(available / needed.max(1)).unwrap_or(usize::MAX)).max(1);
    if at_once < asked {
        bar.above(|| {
            painter.detail.normal(format_args!(
                "--jobs {}: {at_once} at once, as each takes up to {} of {} of memory",
                painter.options.jobs,
                terminal::bytes(needed),
                terminal::bytes(available)
            ));
        });
    }
    match at_once {
        1 => (1, None),
        at_once => (at_once, Some(available / at_once as u64)),
    }
}

/// The memory that the largest of these takes, as a whole, by what the library foresees of it.
fn most_needed(painter: &Painter, jobs: &[Job]) -> Option<u64> {
    let mut sizes: Vec<_> = jobs
        .iter()
        .filter_map(|(task, _)| {
            let foreseen = painter.foresee(&task.photograph).ok()?;
            Some((foreseen.size.0 * foreseen.size.1, foreseen.reading, &task.photograph))
        })
        .collect();
    sizes.sort_unstable();
    let reading = sizes.iter().map(|(_, reading, _)| *reading).max()?;
    let needed = picture_file::needed(painter.options.work.longest());
    // What can't be read is told when its turn comes.
    let foresee = |photograph: &std::path::Path| {
        let content = picture_file::open(photograph, needed, terminal::Detail::Quiet).ok()?;
        painter.job(content).ok()?.memory_limit(None).memory_foreseen().ok()
    };
    let of_job = sizes.iter().rev().find_map(|(_, _, photograph)| foresee(photograph))?;
    Some(of_job.max(reading))
}
