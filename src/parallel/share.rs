//! A thread's share of a loop's indices.

use std::ops::Range;

use crate::parallel::sync::{AtomicU64, Ordering};

/// The indices that are left of a share, which any thread may take from: the first in the upper half, the end in the
/// lower.
///
/// The operations are relaxed: an index is taken by changing the one word that holds them all, so that no two threads
/// take the same, and the [`Gate`](super::gate::Gate) orders what belongs to the index.
pub struct Share(AtomicU64);

impl Share {
    /// With no index.
    pub fn empty() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Gives the share `indices`, which are below 2³². While no other thread takes from it.
    pub fn set(&self, indices: Range<usize>) {
        self.0.store(pack(indices.start as u64, indices.end as u64), Ordering::Relaxed);
    }

    /// Takes the first index that is left.
    pub fn take_first(&self) -> Option<usize> {
        let left = self.update(|start, end| pack(start + 1, end))?;
        Some(left.start)
    }

    /// Takes the last index that is left.
    pub fn take_last(&self) -> Option<usize> {
        let left = self.update(|start, end| pack(start, end - 1))?;
        Some(left.end - 1)
    }

    /// Replaces the indices that are left, if any, and returns what they were.
    fn update(&self, rest: impl Fn(u64, u64) -> u64) -> Option<Range<usize>> {
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            let (start, end) = unpack(left);
            (start < end).then(|| rest(start, end))
        });
        let (start, end) = unpack(before.ok()?);
        Some(start as usize..end as usize)
    }
}

fn pack(start: u64, end: u64) -> u64 {
    start << 32 | end
}

fn unpack(indices: u64) -> (u64, u64) {
    (indices >> 32, indices & u64::from(u32::MAX))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn indices_are_taken_from_both_ends_until_none_is_left() {
        let share = Share::empty();
        assert_eq!((share.take_first(), share.take_last()), (None, None));
        let end = u32::MAX as usize;
        share.set(end - 3..end);
        assert_eq!(share.take_last(), Some(end - 1));
        assert_eq!(share.take_first(), Some(end - 3));
        assert_eq!(share.take_last(), Some(end - 2));
        assert_eq!((share.take_first(), share.take_last()), (None, None));
    }
}

#[cfg(all(test, loom))]
#[expect(unsafe_code, reason = "loom's cells give pointers")]
mod loom_tests {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    #[test]
    fn every_index_is_taken_once() {
        loom::model(|| {
            let share = Arc::new(Share::empty());
            share.set(5..8);
            let takers = [Share::take_last, Share::take_last].map(|take| {
                let share = share.clone();
                thread::spawn(move || std::iter::from_fn(|| take(&share)).collect::<Vec<_>>())
            });
            let mut taken: Vec<_> = std::iter::from_fn(|| share.take_first()).collect();
            assert!(taken.is_sorted());
            for taker in takers {
                let from_the_end = taker.join().unwrap();
                assert!(from_the_end.is_sorted_by(|a, b| a > b));
                taken.extend(from_the_end);
            }
            taken.sort();
            assert_eq!(taken, [5, 6, 7]);
        });
    }
}
