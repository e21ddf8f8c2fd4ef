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

/// Σ f(aᵢ, bᵢ), in parallel.
///
/// # Panics
/// When the lengths differ.
pub fn sum2(a: &[f32], b: &[f32], f: impl Fn(f64, f64) -> f64 + Sync) -> f64 {
    assert_eq!(a.len(), b.len(), "vectors of different lengths");
    let partial = |(a, b): (&[f32], &[f32])| {
        // Independent sums, so that the compiler can vectorise.
        let mut lanes = [0.0f64; 16];
        let mut remainder = 0.0;
        let (a_lanes, b_lanes) = (a.chunks_exact(16), b.chunks_exact(16));
        for (&a, &b) in a_lanes.remainder().iter().zip(b_lanes.remainder()) {
            remainder += f(a as f64, b as f64);
        }
        for (a, b) in a_lanes.zip(b_lanes) {
            for ((lane, &a), &b) in lanes.iter_mut().zip(a).zip(b) {
                *lane += f(a as f64, b as f64);
            }
        }
        lanes.iter().sum::<f64>() + remainder
    };
    sum_of(0..a.len().div_ceil(CHUNK), |chunk| {
        let range = chunk * CHUNK..((chunk + 1) * CHUNK).min(a.len());
        partial((&a[range.clone()], &b[range]))
    })
}

/// Σ aᵢ·bᵢ, in parallel.
///
/// # Panics
/// When the lengths differ.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    sum2(a, b, |a, b| a * b)
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
}
