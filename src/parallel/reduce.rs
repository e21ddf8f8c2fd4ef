//! Sums over long vectors, in f64, in an order that depends on the length alone: the same bits on any number of threads.

use std::ops::Range;

use crate::parallel::team;

/// Elements of a partial sum: 256 KiB of each vector. Another value rounds differently.
const CHUNK: usize = 1 << 16;

/// Tasks of a sum, at most: as many as a team has shares. Another value rounds differently.
const RUNS: usize = 64;

/// Σ value(i) over `range`, in parallel: first over runs of neighbouring indices, then over the runs' sums.
pub fn sum_of(range: Range<usize>, value: impl Fn(usize) -> f64 + Sync) -> f64 {
    let (len, runs) = (range.len(), range.len().min(RUNS));
    let mut sums = [0.0; RUNS];
    team::for_each_chunk(&mut sums[..runs], 1, |run, sum| {
        let [start, end] = [run, run + 1].map(|run| range.start + run * len / runs);
        sum[0] = (start..end).map(&value).sum();
    });
    sums[..runs].iter().sum()
}

/// A partial sum: independent sums, so that the compiler can vectorise.
#[derive(Default)]
struct Lanes {
    lanes: [f64; 16],
    remainder: f64,
}

impl Lanes {
    /// Adds f(aᵢ, bᵢ). All slices but the last have a multiple of 16 values.
    fn add(&mut self, a: &[f32], b: &[f32], f: impl Fn(f64, f64) -> f64) {
        let (a_lanes, b_lanes) = (a.chunks_exact(16), b.chunks_exact(16));
        for (&a, &b) in a_lanes.remainder().iter().zip(b_lanes.remainder()) {
            self.remainder += f(a as f64, b as f64);
        }
        let mut lanes = self.lanes;
        for (a, b) in a_lanes.zip(b_lanes) {
            for ((lane, &a), &b) in lanes.iter_mut().zip(a).zip(b) {
                *lane += f(a as f64, b as f64);
            }
        }
        self.lanes = lanes;
    }

    fn total(self) -> f64 {
        self.lanes.iter().sum::<f64>() + self.remainder
    }
}

/// Σ f(aᵢ, bᵢ), in parallel.
///
/// # Panics
/// When the lengths differ.
pub fn sum2(a: &[f32], b: &[f32], f: impl Fn(f64, f64) -> f64 + Sync) -> f64 {
    assert_eq!(a.len(), b.len(), "vectors of different lengths");
    sum_of(0..a.len().div_ceil(CHUNK), |chunk| {
        let range = chunk * CHUNK..((chunk + 1) * CHUNK).min(a.len());
        let mut sum = Lanes::default();
        sum.add(&a[range.clone()], &b[range], &f);
        sum.total()
    })
}

/// Values of a [`Source`] that are read at a time, at most. A divisor of a sum's chunk.
pub const BLOCK: usize = 256;

/// A vector that may be kept in another form than as f32.
pub trait Source: Sync {
    /// How many values it has.
    fn count(&self) -> usize;

    /// The values at `range`, which begins at a multiple of [`BLOCK`] and has no more; those that are not kept as f32 are written
    /// to the buffer.
    fn read<'r>(&'r self, range: Range<usize>, buffer: &'r mut [f32; BLOCK]) -> &'r [f32];
}

impl Source for [f32] {
    fn count(&self) -> usize {
        self.len()
    }

    fn read<'r>(&'r self, range: Range<usize>, _: &'r mut [f32; BLOCK]) -> &'r [f32] {
        &self[range]
    }
}

/// The ranges of at most [`BLOCK`] values of which `range` consists.
pub fn blocks(range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(BLOCK).map(move |start| start..(start + BLOCK).min(end))
}

/// Σ aᵢ·bᵢ, in parallel: the same bits as [`dot`] has for vectors of f32 with these values.
///
/// # Panics
/// When the lengths differ.
pub fn dot_of(a: &(impl Source + ?Sized), b: &(impl Source + ?Sized)) -> f64 {
    assert_eq!(a.count(), b.count(), "vectors of different lengths");
    sum_of(0..a.count().div_ceil(CHUNK), |chunk| {
        let mut sum = Lanes::default();
        let (mut of_a, mut of_b) = ([0.0; BLOCK], [0.0; BLOCK]);
        for range in blocks(chunk * CHUNK..((chunk + 1) * CHUNK).min(a.count())) {
            sum.add(a.read(range.clone(), &mut of_a), b.read(range, &mut of_b), |a, b| a * b);
        }
        sum.total()
    })
}

/// Σ aᵢ·bᵢ, in parallel.
///
/// # Panics
/// When the lengths differ.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    sum2(a, b, |a, b| a * b)
}

/// a − b, which is computed as it is read.
pub struct Difference<'v>(pub &'v [f32], pub &'v [f32]);

impl Source for Difference<'_> {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn read<'r>(&'r self, range: Range<usize>, buffer: &'r mut [f32; BLOCK]) -> &'r [f32] {
        let to = &mut buffer[..range.len()];
        let (a, b) = (&self.0[range.clone()], &self.1[range]);
        to.iter_mut().zip(a).zip(b).for_each(|((to, a), b)| *to = a - b);
        to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dot_is_exact_on_integers_of_any_length() {
        let lengths = [0, 1, 15, 16, 17, CHUNK + 1, CHUNK - 1, CHUNK, 3 * CHUNK + 5];
        // Miri takes seconds for a chunk.
        for &n in &lengths[..if cfg!(miri) { 6 } else { lengths.len() }] {
            let a: Vec<f32> = (0..n).map(|i| (i % 101) as f32).collect();
            let expected: u64 = (0..n as u64).map(|i| (i % 101) * (i % 101)).sum();
            assert_eq!(dot(&a, &a), expected as f64, "length {n}");
        }
    }

    #[test]
    fn sums_by_blocks_have_the_same_bits() {
        let mut random = fastrand::Rng::with_seed(3);
        for n in [0, 1, 17, BLOCK, BLOCK + 5, CHUNK + BLOCK + 33] {
            let [a, b] = [0; 2].map(|_| (0..n).map(|_| random.f32() - 0.4).collect::<Vec<_>>());
            assert_eq!(dot_of(&a[..], &b[..]).to_bits(), dot(&a, &b).to_bits(), "length {n}");
        }
    }
}
