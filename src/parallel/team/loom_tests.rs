use std::sync::atomic::AtomicUsize;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use super::*;

/// A value that loom fails the model for, where an access does not happen before or after any other thread's.
struct Tracked(UnsafeCell<usize>);

// SAFETY: loom checks the accesses, and runs one thread at a time.
unsafe impl Sync for Tracked {}

/// A leader with two loops and one helper, which runs tasks in some orders of steps and comes too late in others.
#[test]
fn a_loop_has_run_and_its_memory_is_the_leaders_again_when_run_returns() {
    static BY_HELPERS: AtomicUsize = AtomicUsize::new(0);
    loom::model(|| {
        let team = Arc::new(Team::new(2));
        let helper = {
            let team = team.clone();
            thread::spawn(move || team.help())
        };
        for tasks in [2, 1] {
            let leader = thread::current().id();
            let values = [0, 0].map(|value| Tracked(UnsafeCell::new(value)));
            team.run(tasks, &|index| {
                // SAFETY: loom checks the access.
                values[index].0.with_mut(|value| unsafe { *value += 1 + index });
                if thread::current().id() != leader {
                    BY_HELPERS.fetch_add(1, Ordering::Relaxed);
                }
            });
            for (index, value) in values.iter().enumerate() {
                let expected = if index < tasks { 1 + index } else { 0 };
                // SAFETY: as above.
                value.0.with_mut(|value| assert_eq!(unsafe { *value }, expected));
            }
        }
        team.dismiss();
        helper.join().unwrap();
    });
    assert!(BY_HELPERS.load(Ordering::Relaxed) > 0, "no order of steps let a helper run a task");
}
