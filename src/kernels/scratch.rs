//! Buffers that a thread keeps from one task to the next, so that tasks do not allocate.

use std::cell::RefCell;

use super::aligned::AlignedVec;

thread_local! {
    static BUFFERS: RefCell<[AlignedVec; 2]> = RefCell::default();
}

/// Calls `work` with two buffers of `lengths` floats, of unspecified content, aligned to 64 bytes.
/// `work` must not call [`with`] again, nor hand work to rayon, which might.
pub fn with<R>(lengths: [usize; 2], work: impl FnOnce(&mut [f32], &mut [f32]) -> R) -> R {
    BUFFERS.with_borrow_mut(|[first, second]| {
        first.set_len(lengths[0]);
        second.set_len(lengths[1]);
        work(first, second)
    })
}
