//! Waiting for another thread.

use crate::parallel::sync;

/// Waits by spinning at first, since another thread seldom takes long, and then lets other threads run on the core.
#[derive(Default)]
pub struct Backoff {
    spins: u32,
}

impl Backoff {
    /// Some tens of microseconds, which most waits for the end of a loop or for the next loop are shorter than. In a model
    /// every wait is a yield, which says that this thread can't go on before another one has.
    const MAX_SPINS: u32 = if cfg!(all(test, loom)) { 0 } else { 2000 };

    /// Waits a little, to be called until what is waited for has come.
    pub fn spin_or_yield(&mut self) {
        if self.spins < Self::MAX_SPINS {
            self.spins += 1;
            sync::spin_loop();
        } else {
            sync::yield_now();
        }
    }
}
