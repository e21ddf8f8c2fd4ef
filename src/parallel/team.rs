//! Parallel loops by a team of the pool's threads.
//!
//! An evaluation is some eighty loops one after the other, most of a millisecond or less. Handed to rayon one by one,
//! the threads would fall asleep between them, and each loop would give a thread another part of the maps than its caches
//! hold: where cores have different third-level caches, most of it would come from the other's. A team stays together
//! for as long as [`gather`]'s work takes: a leader and its helpers. Helpers wait awake for the next loop, and each
//! thread begins a loop with a share of its own, the same part of the indices every time; then it takes from the others'.
//! Which thread runs which index changes no result.
//!
//! A loop inside a task runs on the thread that runs the task, one index after the other.

#![expect(unsafe_code, reason = "a loop's task and data are lent to the pool's threads")]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::sync::{Arc, PoisonError};
use std::thread;

use crossbeam_utils::CachePadded;

use crate::parallel::backoff::Backoff;
use crate::parallel::gate::Gate;
use crate::parallel::share::Share;
use crate::parallel::sync::{AtomicBool, Cell, Mutex, Ordering};
use crate::parallel::trace::{self, Recorder};

/// Shares at most, each on two cache lines in the leader's stack. Where there are more threads, some begin with the
/// same share.
const MAX_SHARES: usize = if cfg!(all(test, loom)) { 2 } else { 64 };

/// What a thread does in its team.
#[derive(Clone, Copy)]
enum Role {
    /// It is in no team, or waits as a helper.
    Free,
    /// It leads this team, and runs no loop now.
    Leader(NonNull<Team>),
    /// It runs a loop's tasks.
    InTask,
}

#[cfg(not(all(test, loom)))]
thread_local! {
    static ROLE: Cell<Role> = const { Cell::new(Role::Free) };
}
#[cfg(all(test, loom))]
loom::thread_local! {
    static ROLE: Cell<Role> = Cell::new(Role::Free);
}

fn role() -> Role {
    ROLE.with(Cell::get)
}

/// Sets this thread's role and returns the one it had.
fn set_role(role: Role) -> Role {
    ROLE.with(|cell| cell.replace(role))
}

/// Runs `work` on this thread as the leader of a team of as many threads as the pool has, all of which run its loops.
/// Inside a task, or where this thread leads a team already, it just runs `work`.
pub fn gather<R>(work: impl FnOnce() -> R) -> R {
    let threads = rayon::current_num_threads();
    if threads == 1 || !matches!(role(), Role::Free) {
        return work();
    }
    let team = Team::new(threads);
    let result = rayon::in_place_scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|_| team.help());
        }
        set_role(Role::Leader(NonNull::from(&team)));
        let result = catch_unwind(AssertUnwindSafe(work));
        set_role(Role::Free);
        team.dismiss();
        result
    });
    result.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Threads that may ever run tasks, and then each keep scratch: the pool's and a leader outside it.
pub fn most_threads() -> usize {
    match rayon::current_num_threads() {
        1 => 1,
        threads => threads + 1,
    }
}

/// Runs `task` on every index below `tasks`, in parallel; inside another loop's task, in order on this thread.
///
/// # Panics
/// When a task does, after the other threads have finished theirs. And when there are 2³² tasks or more.
pub fn for_each(tasks: usize, task: impl Fn(usize) + Sync) {
    run(tasks, &task);
}

fn run(tasks: usize, task: &Task) {
    if tasks <= 1 || rayon::current_num_threads() == 1 {
        return (0..tasks).for_each(task);
    }
    match role() {
        Role::InTask => (0..tasks).for_each(task),
        // SAFETY: `gather` made this thread the team's leader, and takes the role from it before the team ends.
        Role::Leader(team) => unsafe { team.as_ref() }.run(tasks, task),
        Role::Free => gather(|| run(tasks, task)),
    }
}

/// Runs `task` on every chunk of `len` elements, the last perhaps shorter, as [`for_each`] does.
///
/// # Panics
/// As [`for_each`]. And when `len` is 0.
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

/// The leader's thread runs [`Team::run`] for each loop and [`Team::dismiss`] at the end, the helpers' [`Team::help`].
struct Team {
    threads: usize,
    /// Whether the leader is none of the pool's threads.
    led_from_outside: bool,
    /// Where the threads' parts of the loops are recorded, if they are.
    recorder: Option<Arc<Recorder>>,
    /// The current loop's task: written by the leader while the gate is closed and no helper is inside.
    task: Cell<Option<NonNull<Task<'static>>>>,
    /// What a task panicked with on a helper's thread.
    helper_panic: Mutex<Option<Box<dyn Any + Send>>>,
    dismissed: AtomicBool,
    // Each word on cache lines of its own: a thread that changes one doesn't slow down who reads another.
    gate: CachePadded<Gate>,
    shares: [CachePadded<Share>; MAX_SHARES],
}

// SAFETY: only `task` is not Sync. It is written by the leader alone while the gate is closed and no helper is inside,
// and read by the leader and by the helpers inside, which the gate's operations order.
unsafe impl Sync for Team {}

impl Team {
    fn new(threads: usize) -> Self {
        Self {
            threads,
            led_from_outside: rayon::current_thread_index().is_none(),
            recorder: trace::recorder(),
            task: Cell::new(None),
            helper_panic: Mutex::new(None),
            dismissed: AtomicBool::new(false),
            gate: CachePadded::new(Gate::new()),
            shares: std::array::from_fn(|_| CachePadded::new(Share::empty())),
        }
    }

    fn shares(&self) -> &[CachePadded<Share>] {
        &self.shares[..self.threads.min(MAX_SHARES)]
    }

    /// Runs a loop with the helpers that come, by the leader.
    fn run(&self, tasks: usize, task: &Task) {
        assert!(u32::try_from(tasks).is_ok(), "more tasks than a share can count");
        let shares = self.shares();
        for (index, share) in shares.iter().enumerate() {
            share.set(index * tasks / shares.len()..(index + 1) * tasks / shares.len());
        }
        let task = NonNull::from(task);
        // SAFETY: only the lifetime changes. `task` is called by the leader below and by helpers inside the gate, and
        // this function does not return, nor unwind, before the gate is closed and no helper is inside.
        let task = unsafe { std::mem::transmute::<NonNull<Task<'_>>, NonNull<Task<'static>>>(task) };
        self.task.set(Some(task));
        self.gate.open();
        let worked = self.work();
        self.gate.close();
        let helper_panic = self.helper_panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(panic) = worked.err().or(helper_panic) {
            resume_unwind(panic);
        }
    }

    /// Lets the helpers go, by the leader.
    fn dismiss(&self) {
        self.dismissed.store(true, Ordering::Release);
    }

    /// Runs loop after loop with the leader, until the team is dismissed. Returns at once where this thread can't wait
    /// for the leader, since another one waits for it: rayon may call this inside a task, or in the work of a leader.
    fn help(&self) {
        if !matches!(role(), Role::Free) {
            return;
        }
        let mut last_entered = 0;
        let mut backoff = Backoff::default();
        while !self.dismissed.load(Ordering::Acquire) {
            if !self.gate.enter(&mut last_entered) {
                backoff.spin_or_yield();
                continue;
            }
            if let Err(panic) = self.work() {
                *self.helper_panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
            }
            self.gate.leave();
            backoff = Backoff::default();
        }
    }

    /// Runs the current loop's tasks until none is left, or one panics.
    fn work(&self) -> thread::Result<()> {
        let role = set_role(Role::InTask);
        let recorder = self.recorder.as_deref();
        let worked = trace::part_of_loop(recorder, || catch_unwind(AssertUnwindSafe(|| self.run_tasks())));
        set_role(role);
        worked
    }

    /// First this thread's share from its beginning, then the others' from their ends.
    fn run_tasks(&self) {
        let task = self.task.get().expect("the gate is open only while there is a task");
        // SAFETY: the leader keeps the task alive until the gate is closed and no helper is inside.
        let task = unsafe { task.as_ref() };
        let shares = self.shares();
        let own = match rayon::current_thread_index() {
            Some(index) if self.led_from_outside => 1 + index % (shares.len() - 1),
            Some(index) => index % shares.len(),
            None => 0,
        };
        while let Some(index) = shares[own].take_first() {
            task(index);
        }
        for other in 1..shares.len() {
            while let Some(index) = shares[(own + other) % shares.len()].take_last() {
                task(index);
            }
        }
    }
}

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;
