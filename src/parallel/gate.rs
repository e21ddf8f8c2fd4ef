//! A gate that lets helpers into a loop, and that the leader closes behind the last of them.

use crate::parallel::backoff::Backoff;
use crate::parallel::sync::{AtomicU64, Ordering};

/// Lets helpers in while a loop runs. What the leader writes before [`Gate::open`] is seen by the helpers inside, and
/// what they write there is seen by the leader after [`Gate::close`].
///
/// One word: the upper half counts the loops, bit 31 tells whether the gate is open, the rest counts the helpers inside.
pub struct Gate(AtomicU64);

const NEXT_LOOP: u64 = 1 << 32;
const OPEN: u64 = 1 << 31;
const INSIDE: u64 = OPEN - 1;

impl Gate {
    /// Closed, before the first loop.
    pub fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Lets helpers in to the next loop. By the leader alone, while the gate is closed.
    pub fn open(&self) {
        // Release: the helpers that enter see the loop's task and shares.
        self.0.fetch_add(NEXT_LOOP + OPEN, Ordering::Release);
    }

    /// Lets no helper in any more, and waits until none is inside. By the leader alone, while the gate is open.
    pub fn close(&self) {
        self.0.fetch_sub(OPEN, Ordering::Relaxed);
        let mut backoff = Backoff::default();
        // Acquire: the leader sees what the helpers wrote before they left.
        while self.0.load(Ordering::Acquire) & INSIDE > 0 {
            backoff.spin_or_yield();
        }
    }

    /// Enters if the gate is open for another loop than `last_entered`, which becomes this loop; tells whether it did.
    ///
    /// `last_entered` begins at 0; a helper whose first loop is a multiple of 2³² misses it, which delays nobody.
    pub fn enter(&self, last_entered: &mut u64) -> bool {
        let seen = self.0.load(Ordering::Relaxed);
        if seen & OPEN == 0 || seen / NEXT_LOOP == *last_entered {
            return false;
        }
        // Acquire: this helper sees the loop's task and shares.
        let entered = self.0.compare_exchange(seen, seen + 1, Ordering::Acquire, Ordering::Relaxed).is_ok();
        if entered {
            *last_entered = seen / NEXT_LOOP;
        }
        entered
    }

    /// Leaves, after [`Gate::enter`] was true.
    pub fn leave(&self) {
        // Release: the leader sees what this helper wrote.
        self.0.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_helper_enters_each_loop_once_and_only_while_the_gate_is_open() {
        let gate = Gate::new();
        let (mut first, mut second) = (0, 0);
        assert!(!gate.enter(&mut first), "closed before the first loop");
        for _ in 0..3 {
            gate.open();
            assert!(gate.enter(&mut first));
            assert!(!gate.enter(&mut first), "the same loop again");
            assert!(gate.enter(&mut second));
            gate.leave();
            gate.leave();
            gate.close();
            assert!(!gate.enter(&mut first), "closed between loops");
        }
    }

    #[test]
    fn the_count_of_loops_may_wrap() {
        let gate = Gate(AtomicU64::new(u64::from(u32::MAX) << 32));
        let mut last_entered = u64::from(u32::MAX);
        gate.open();
        assert!(gate.enter(&mut last_entered), "loop 2³²");
        gate.leave();
        gate.close();
        gate.open();
        assert!(gate.enter(&mut last_entered), "the one after it");
    }
}

#[cfg(all(test, loom))]
#[expect(unsafe_code, reason = "loom's cells give pointers")]
mod loom_tests {
    use std::sync::atomic::AtomicUsize;

    use loom::cell::UnsafeCell;
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    /// Two helpers that each try the gate some times, and a leader with two loops, whose memory changes between them.
    #[test]
    fn no_helper_is_inside_after_close() {
        static ENTERED: AtomicUsize = AtomicUsize::new(0);
        struct Shared {
            gate: Gate,
            // Loom fails the model if an access to these does not happen before or after any other thread's.
            for_helpers: UnsafeCell<u64>,
            from_helpers: [UnsafeCell<u64>; 2],
        }
        loom::model(|| {
            let shared = Arc::new(Shared {
                gate: Gate::new(),
                for_helpers: UnsafeCell::new(0),
                from_helpers: [UnsafeCell::new(0), UnsafeCell::new(0)],
            });
            let helpers = [0, 1].map(|helper| {
                let shared = shared.clone();
                thread::spawn(move || {
                    let mut last_entered = 0;
                    for _ in 0..2 {
                        if !shared.gate.enter(&mut last_entered) {
                            thread::yield_now();
                            continue;
                        }
                        ENTERED.fetch_add(1, Ordering::Relaxed);
                        // SAFETY: loom checks the access.
                        let now = shared.for_helpers.with(|value| unsafe { *value });
                        assert_eq!(now, last_entered, "the loop that was entered");
                        // SAFETY: as above.
                        shared.from_helpers[helper].with_mut(|value| unsafe { *value = now });
                        shared.gate.leave();
                    }
                })
            });
            for now in 1..=2 {
                // SAFETY: as above.
                shared.for_helpers.with_mut(|value| unsafe { *value = now });
                shared.gate.open();
                shared.gate.close();
                for from_helper in &shared.from_helpers {
                    // SAFETY: as above.
                    from_helper.with(|value| assert!(unsafe { *value } <= now));
                }
            }
            for helper in helpers {
                helper.join().unwrap();
            }
        });
        assert!(ENTERED.load(Ordering::Relaxed) > 0, "no order of steps let a helper in");
    }
}
