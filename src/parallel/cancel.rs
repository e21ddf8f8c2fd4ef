//! A request to end the work early, from any thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// A request to end the work early: clones share it, and any thread may make it.
///
/// The work looks at it between the layers of an evaluation, and ends with the best picture found until then.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    is_requested: Arc<AtomicBool>,
    /// When this one, but not those that it is a clone of, counts as requested anyway.
    deadline: Option<Instant>,
}

impl Cancel {
    /// Not requested yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Requests the end. It can't be taken back.
    pub fn cancel(&self) {
        self.is_requested.store(true, Ordering::Relaxed);
    }

    /// Whether the end was requested.
    pub fn is_cancelled(&self) -> bool {
        self.is_requested.load(Ordering::Relaxed) || self.is_late()
    }

    /// A clone that also counts as requested from `deadline` on.
    pub(crate) fn or_at(&self, deadline: Option<Instant>) -> Self {
        Self { deadline, ..self.clone() }
    }

    /// Whether its deadline has passed.
    pub(crate) fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}
