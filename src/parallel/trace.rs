//! What each thread does when, recorded while that is asked for. Not recording costs a look at a thread's own variable for
//! each span, and at a field of the team for each loop.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;

/// A piece of work on a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// What is worked on. Empty for a thread's part of a loop.
    pub name: String,
    /// What kind of work it is.
    pub kind: Kind,
    /// From the recorder's start.
    pub start: Duration,
    /// From the recorder's start.
    pub end: Duration,
}

/// What kind of work a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An evaluation of the loss and its gradient.
    Evaluation,
    /// A pass through the network.
    Pass,
    /// A layer's forward step.
    Forward,
    /// A layer's backward step.
    Backward,
    /// A part of the loss.
    Loss,
    /// Converting the picture to the network's input, or back.
    Preprocessing,
    /// A thread's part of a parallel loop.
    Loop,
}

/// The spans of the threads that work for one that [records](Recorder::record).
pub struct Recorder {
    start: Instant,
    /// Of threads outside the pool, then of each of the pool's.
    threads: Vec<CachePadded<Mutex<Vec<Span>>>>,
}

thread_local! {
    /// Where this thread's spans, and those of teams that it leads, are recorded.
    static RECORDER: RefCell<Option<Arc<Recorder>>> = const { RefCell::new(None) };
}

impl Recorder {
    /// Nothing yet, for the threads of the current rayon pool.
    pub fn new() -> Arc<Self> {
        let threads = (0..=rayon::current_num_threads()).map(|_| CachePadded::default()).collect();
        Arc::new(Self { start: Instant::now(), threads })
    }

    /// Runs `work`, and records its spans on this thread and on the teams that it gathers.
    pub fn record<R>(self: &Arc<Self>, work: impl FnOnce() -> R) -> R {
        /// Also where `work` panics, nothing is recorded any more.
        struct Restored(Option<Arc<Recorder>>);
        impl Drop for Restored {
            fn drop(&mut self) {
                RECORDER.set(self.0.take());
            }
        }
        let _restored = Restored(RECORDER.replace(Some(Arc::clone(self))));
        work()
    }

    /// The spans of each thread that worked, in the order in which they ended: `None` is a thread outside the pool, else its index
    /// in the pool.
    pub fn spans(&self) -> Vec<(Option<usize>, Vec<Span>)> {
        let of_thread = |(slot, spans): (usize, &CachePadded<Mutex<Vec<Span>>>)| {
            (slot.checked_sub(1), spans.lock().unwrap_or_else(PoisonError::into_inner).clone())
        };
        self.threads.iter().enumerate().map(of_thread).filter(|(_, spans)| !spans.is_empty()).collect()
    }

    fn add(&self, kind: Kind, name: String, start: Instant) {
        let end = self.start.elapsed();
        let start = start.saturating_duration_since(self.start);
        let slot = rayon::current_thread_index().map_or(0, |index| index + 1);
        // A thread of a larger pool than that of the start has none.
        if let Some(spans) = self.threads.get(slot) {
            let mut spans = spans.lock().unwrap_or_else(PoisonError::into_inner);
            spans.push(Span { name, kind, start, end });
        }
    }
}

/// The recorder of this thread's spans.
pub(super) fn recorder() -> Option<Arc<Recorder>> {
    RECORDER.with_borrow(Clone::clone)
}

/// Runs `work`, as a span where spans of this thread are recorded.
pub fn span<R>(kind: Kind, name: impl FnOnce() -> String, work: impl FnOnce() -> R) -> R {
    let Some(recorder) = recorder() else { return work() };
    let name = name();
    let start = Instant::now();
    let result = work();
    recorder.add(kind, name, start);
    result
}

/// Runs a thread's part of a loop of a team, whose spans go to `recorder` if it has one.
pub(super) fn part_of_loop<R>(recorder: Option<&Recorder>, work: impl FnOnce() -> R) -> R {
    let Some(recorder) = recorder else { return work() };
    let start = Instant::now();
    let result = work();
    recorder.add(Kind::Loop, String::new(), start);
    result
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread;

    use super::*;
    use crate::parallel::team;

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    #[test]
    fn spans_are_those_of_the_work_that_is_recorded() {
        let recorder = Recorder::new();
        span(Kind::Loss, || unreachable!("nothing is recorded yet"), || ());
        let inner = || span(Kind::Forward, || "inner".to_owned(), || thread::sleep(Duration::from_millis(2)));
        let result = recorder.record(|| {
            span(Kind::Pass, || "outer".to_owned(), inner);
            catch_unwind(AssertUnwindSafe(|| Recorder::new().record(|| panic!("as told")))).unwrap_err();
            span(Kind::Loss, || "after".to_owned(), || 7)
        });
        assert_eq!(result, 7);
        span(Kind::Loss, || unreachable!("nothing is recorded any more"), || ());
        let spans = recorder.spans();
        let [(None, spans)] = &spans[..] else { panic!("{spans:?}") };
        let names: Vec<_> = spans.iter().map(|span| (&*span.name, span.kind)).collect();
        assert_eq!(names, [("inner", Kind::Forward), ("outer", Kind::Pass), ("after", Kind::Loss)]);
        let [inner, outer, after] = &spans[..] else { unreachable!() };
        assert!(inner.end - inner.start >= Duration::from_millis(2));
        assert!(outer.start <= inner.start && inner.end <= outer.end && outer.end <= after.start);
    }

    #[test]
    fn every_thread_of_a_team_records_its_part_of_a_loop_within_the_leaders_span() {
        let threads = 3;
        pool(threads).install(|| {
            let recorder = Recorder::new();
            let task = |_| thread::sleep(Duration::from_millis(1));
            let loops = || team::gather(|| (0..3).for_each(|_| team::for_each(60, task)));
            recorder.record(|| span(Kind::Pass, || "loops".to_owned(), loops));
            let spans = recorder.spans();
            assert_eq!(spans.len(), threads, "{spans:?}");
            let all = || spans.iter().flat_map(|(_, spans)| spans);
            let outer = all().find(|span| span.kind == Kind::Pass).unwrap();
            // On a busy machine a helper may come too late for a loop.
            assert!(all().filter(|span| span.kind == Kind::Loop).count() <= 3 * threads);
            assert!(all().all(|span| outer.start <= span.start && span.end <= outer.end));
            for (thread, spans) in &spans {
                assert!(thread.is_some_and(|index| index < threads));
                let parts: Vec<_> = spans.iter().filter(|span| span.kind == Kind::Loop).collect();
                assert!(!parts.is_empty());
                assert!(parts.windows(2).all(|parts| parts[0].end <= parts[1].start), "{parts:?}");
            }
        });
    }
}
