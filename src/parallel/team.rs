//! Parallel loops by a team of the pool's threads.
//!
//! An evaluation is some eighty loops one behind the other, most of a millisecond or less. Handed to rayon one by one,
//! the threads would fall asleep between them, and each loop would give a thread another part of the maps than its caches
//! hold: where cores have different third-level caches, most of it would come from the other's. A team stays together
//! for as long as [`gather`]'s work takes. Its threads wait awake for the next loop, and each begins a loop with a
//! share of its own, the same part of the indices every time; then it helps the others. Which thread does what changes
//! no result.

#![expect(unsafe_code, reason = "a loop's task and data are lent to the pool's threads")]

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Threads with a share of their own; any more only help the others.
const MOST_SHARES: usize = 64;

thread_local! {
    /// The team that this thread leads, while it is not at work on a loop.
    static LED: Cell<Option<NonNull<Team>>> = const { Cell::new(None) };
}

/// Runs `work` on this thread, with others of the pool waiting for its loops: as many threads as the pool has, all
/// together.
pub fn gather<R>(work: impl FnOnce() -> R) -> R {
    let threads = rayon::current_num_threads();
    if threads == 1 || LED.get().is_some() {
        return work();
    }
    let team = Team::new(threads);
    rayon::in_place_scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|_| team.help());
        }
        // However it ends, the others are let go.
        let _end = Finally(|| team.over.store(true, Ordering::Release));
        LED.set(Some(NonNull::from(&team)));
        let _left = Finally(|| LED.set(None));
        work()
    })
}

/// Threads that may take part in loops, in one team or another, and then each keep scratch: the pool's and a leader.
pub fn most_threads() -> usize {
    match rayon::current_num_threads() {
        1 => 1,
        threads => threads + 1,
    }
}

/// Runs `task` on every index below `tasks`, in parallel.
pub fn for_each(tasks: usize, task: impl Fn(usize) + Sync) {
    run(tasks, &task);
}

fn run(tasks: usize, task: &Task) {
    if tasks <= 1 || rayon::current_num_threads() == 1 {
        (0..tasks).for_each(task);
    } else if let Some(team) = LED.take() {
        // A task with loops of its own gathers another team.
        let _lead_again = Finally(|| LED.set(Some(team)));
        // SAFETY: `gather` made this thread the team's leader, and does not return while LED, or this call, has it.
        unsafe { team.as_ref() }.run(tasks, task);
    } else {
        gather(|| run(tasks, task));
    }
}

/// Runs `task` on every chunk of `len` elements, the last perhaps shorter, in parallel.
pub fn for_each_chunk<T: Send>(data: &mut [T], len: usize, task: impl Fn(usize, &mut [T]) + Sync) {
    struct Start<T>(*mut T);
    // SAFETY: the pointer is only used for chunks, which do not overlap and go to one thread each.
    unsafe impl<T: Send> Sync for Start<T> {}
    impl<T> Start<T> {
        fn at(&self, index: usize) -> *mut T {
            self.0.wrapping_add(index)
        }
    }
    let (start, total) = (Start(data.as_mut_ptr()), data.len());
    for_each(total.div_ceil(len), |index| {
        let at = index * len;
        // SAFETY: the chunk lies inside `data`, which is borrowed for the whole call, and each index comes once.
        task(index, unsafe { std::slice::from_raw_parts_mut(start.at(at), len.min(total - at)) });
    });
}

/// A loop's task, by index.
type Task<'a> = dyn Fn(usize) + Sync + 'a;

struct Team {
    threads: usize,
    /// Whether the leader is none of the pool's threads.
    led_from_outside: bool,
    /// The current loop's task. The leader writes it only behind a closed gate, through which nobody is any more.
    task: Cell<Option<NonNull<Task<'static>>>>,
    /// What a task panicked with, on another thread than the leader's.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    over: AtomicBool,
    gate: Apart<Gate>,
    shares: [Apart<Share>; MOST_SHARES],
}

/// On cache lines of its own: two, since some CPUs fetch them in pairs.
#[repr(align(128))]
struct Apart<T>(T);

// SAFETY: of all fields only `task` is neither Send nor Sync. It is written by the leader alone while the gate is closed
// and nobody inside, and read by those inside; the gate's operations put the one before the other.
unsafe impl Sync for Team {}

impl Team {
    fn new(threads: usize) -> Self {
        Self {
            threads,
            led_from_outside: rayon::current_thread_index().is_none(),
            task: Cell::new(None),
            panic: Mutex::new(None),
            over: AtomicBool::new(false),
            gate: Apart(Gate(AtomicU64::new(0))),
            shares: [const { Apart(Share(AtomicU64::new(0))) }; MOST_SHARES],
        }
    }

    fn shares(&self) -> &[Apart<Share>] {
        &self.shares[..self.threads.min(MOST_SHARES)]
    }

    /// A loop, by the leader.
    fn run(&self, tasks: usize, task: &Task) {
        assert!(u32::try_from(tasks).is_ok(), "more tasks than a share can count");
        let shares = self.shares();
        for (index, share) in shares.iter().enumerate() {
            share.0.set(index * tasks / shares.len()..(index + 1) * tasks / shares.len());
        }
        let task = NonNull::from(task);
        // SAFETY: only the lifetime changes. `task` is not called after this function, which outlives all who are
        // inside the gate.
        let task = unsafe { std::mem::transmute::<NonNull<Task<'_>>, NonNull<Task<'static>>>(task) };
        self.task.set(Some(task));
        self.gate.0.open();
        {
            let _closed = Finally(|| self.gate.0.close());
            self.work();
        }
        let panic = self.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }

    /// Loop after loop, by all others, until the work is over.
    fn help(&self) {
        let mut last = 0;
        let mut waiting = Waiting::default();
        while !self.over.load(Ordering::Acquire) {
            if !self.gate.0.enter(&mut last) {
                waiting.a_moment();
                continue;
            }
            let _inside = Finally(|| self.gate.0.leave());
            let worked = catch_unwind(AssertUnwindSafe(|| self.work()));
            if let Err(panic) = worked {
                *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
            }
            waiting = Waiting::default();
        }
    }

    /// What is left of the current loop: first this thread's share, then the others' from behind.
    fn work(&self) {
        let task = self.task.get().expect("the gate is open only while there is a task");
        // SAFETY: the leader keeps the task alive until everyone is out of the gate.
        let task = unsafe { task.as_ref() };
        let shares = self.shares();
        let own = match rayon::current_thread_index() {
            Some(index) if self.led_from_outside => 1 + index % (shares.len() - 1),
            Some(index) => index % shares.len(),
            None => 0,
        };
        while let Some(index) = shares[own].0.first() {
            task(index);
        }
        for other in 1..shares.len() {
            while let Some(index) = shares[(own + other) % shares.len()].0.last() {
                task(index);
            }
        }
    }
}

/// Lets others in while a loop runs: the upper half counts the loops, bit 31 says open, the rest how many are inside.
struct Gate(AtomicU64);

const NEXT: u64 = 1 << 32;
const OPEN: u64 = 1 << 31;
const INSIDE: u64 = OPEN - 1;

impl Gate {
    /// Lets others in to the next loop.
    fn open(&self) {
        self.0.fetch_add(NEXT + OPEN, Ordering::AcqRel);
    }

    /// Lets nobody in any more, and waits until nobody is inside.
    fn close(&self) {
        self.0.fetch_sub(OPEN, Ordering::AcqRel);
        let mut waiting = Waiting::default();
        while self.0.load(Ordering::Acquire) & INSIDE > 0 {
            waiting.a_moment();
        }
    }

    /// Goes in, if it is open to another loop than the `last`.
    fn enter(&self, last: &mut u64) -> bool {
        let now = self.0.load(Ordering::Acquire);
        if now & OPEN == 0 || now / NEXT == *last {
            return false;
        }
        let entered = self.0.compare_exchange(now, now + 1, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if entered {
            *last = now / NEXT;
        }
        entered
    }

    fn leave(&self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The indices that are left of a thread's share: the first in the upper half, the end in the lower.
struct Share(AtomicU64);

impl Share {
    fn set(&self, indices: std::ops::Range<usize>) {
        self.0.store((indices.start as u64) << 32 | indices.end as u64, Ordering::Relaxed);
    }

    /// Takes the first.
    fn first(&self) -> Option<usize> {
        self.take(|start, end| (start, start + 1, end))
    }

    /// Takes the last.
    fn last(&self) -> Option<usize> {
        self.take(|start, end| (end - 1, start, end - 1))
    }

    fn take(&self, split: impl Fn(u64, u64) -> (u64, u64, u64)) -> Option<usize> {
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            let (start, end) = (left >> 32, left & u32::MAX as u64);
            (start < end).then(|| {
                let (_, start, end) = split(start, end);
                start << 32 | end
            })
        });
        taken.ok().map(|left| split(left >> 32, left & u32::MAX as u64).0 as usize)
    }
}

/// Waiting for another thread: awake at first, since it is seldom long; then others may have the core.
#[derive(Default)]
struct Waiting {
    moments: u32,
}

impl Waiting {
    /// Some tens of microseconds.
    const AWAKE: u32 = 2000;

    fn a_moment(&mut self) {
        if self.moments < Self::AWAKE {
            self.moments += 1;
            std::hint::spin_loop();
        } else {
            thread::yield_now();
        }
    }
}

/// Does something when it goes out of scope, by a panic too.
struct Finally<F: Fn()>(F);

impl<F: Fn()> Drop for Finally<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    fn on_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
    }

    fn add(sum: &AtomicUsize, value: usize) {
        sum.fetch_add(value, Ordering::Relaxed);
    }

    #[test]
    fn every_index_comes_once_in_every_loop() {
        for threads in [1, 2, 3, 8, MOST_SHARES + 3] {
            on_threads(threads, || {
                let counts: Vec<_> = (0..200).map(|_| AtomicUsize::new(0)).collect();
                let loops = || {
                    for tasks in 0..counts.len() {
                        for_each(tasks, |index| add(&counts[index], 1));
                    }
                };
                gather(loops);
                loops();
                for (index, count) in counts.iter().enumerate() {
                    assert_eq!(
                        count.load(Ordering::Relaxed),
                        2 * (199 - index),
                        "{threads} threads, {index}"
                    );
                }
            });
        }
    }

    #[test]
    fn chunks_cover_the_data_once() {
        on_threads(3, || {
            for (total, len) in [(0, 1), (1, 1), (7, 3), (9, 3), (100, 7)] {
                let mut data = vec![0; total];
                for_each_chunk(&mut data, len, |index, chunk| {
                    assert_eq!(chunk.len(), len.min(total - index * len));
                    chunk.iter_mut().for_each(|value| *value += index + 1);
                });
                assert!(data.iter().enumerate().all(|(at, value)| *value == at / len + 1));
            }
        });
    }

    #[test]
    fn a_task_may_have_loops_of_its_own() {
        let sum = AtomicUsize::new(0);
        on_threads(3, || {
            gather(|| {
                for_each(5, |i| for_each(7, |j| add(&sum, 10 * i + j)));
                for_each(2, |i| add(&sum, 1000 * i));
            });
        });
        assert_eq!(sum.into_inner(), 7 * 100 + 5 * 21 + 1000);
    }

    #[test]
    fn a_panic_of_any_thread_comes_back_and_the_pool_lives_on() {
        on_threads(3, || {
            for bad in [0, 50, 99] {
                let run = || gather(|| for_each(100, |index| assert_ne!(index, bad, "as it should")));
                assert!(catch_unwind(run).is_err());
            }
            let count = AtomicUsize::new(0);
            for_each(100, |_| add(&count, 1));
            assert_eq!(count.into_inner(), 100);
        });
    }

    #[test]
    fn threads_outside_the_pool_lead_teams_at_the_same_time() {
        let sum = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        gather(|| (0..10).for_each(|_| for_each(10, |index| add(&sum, index))));
                        for_each(10, |index| add(&sum, index));
                    }
                });
            }
        });
        assert_eq!(sum.into_inner(), 3 * 10 * 11 * 45);
    }

    #[test]
    fn teams_of_one_pool_do_not_wait_for_each_other() {
        let sum = AtomicUsize::new(0);
        on_threads(2, || {
            rayon::scope(|scope| {
                for _ in 0..6 {
                    scope.spawn(|_| {
                        gather(|| {
                            for _ in 0..10 {
                                for_each(10, |_| add(&sum, 1));
                            }
                        });
                    });
                }
            });
        });
        assert_eq!(sum.into_inner(), 600);
    }
}
