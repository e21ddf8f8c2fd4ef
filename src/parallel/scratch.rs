//! Buffers that a thread keeps from one task to the next, so that tasks do not allocate.

use std::cell::RefCell;

use crate::tensor::aligned::{AlignedVec, LINE};

thread_local! {
    /// The buffers not in use; with those in use, as many as calls of [`with`] were ever nested on this thread.
    static BUFFERS: RefCell<Vec<AlignedVec>> = const { RefCell::new(Vec::new()) };
}

/// Calls `work` with buffers of `lengths` floats, of unspecified content, each aligned to 64 bytes. They may be
/// nested.
pub fn with<const N: usize, R>(lengths: [usize; N], work: impl FnOnce([&mut [f32]; N]) -> R) -> R {
    let mut buffer = BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_default();
    buffer.resize_for_overwrite(lengths.iter().map(|len| len.next_multiple_of(LINE)).sum());
    let mut rest = &mut buffer[..];
    let parts = lengths.map(|len| {
        let (part, after) = std::mem::take(&mut rest).split_at_mut(len.next_multiple_of(LINE));
        rest = after;
        &mut part[..len]
    });
    let result = work(parts);
    BUFFERS.with_borrow_mut(|buffers| buffers.push(buffer));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_apart_aligned_and_kept() {
        for lengths in [[0, 0], [1, 17], [5, 0], [40, 3]] {
            with(lengths, |[a, b]| {
                assert_eq!([a.len(), b.len()], lengths);
                assert!(a.as_ptr().addr().is_multiple_of(64) && b.as_ptr().addr().is_multiple_of(64));
                a.fill(1.0);
                b.fill(2.0);
                with([70], |[c]| c.fill(3.0));
                assert!(a.iter().all(|v| *v == 1.0) && b.iter().all(|v| *v == 2.0));
            });
        }
        let at = with([64], |[a]| a.as_ptr());
        assert_eq!(with([64], |[a]| a.as_ptr()), at);
    }
}
