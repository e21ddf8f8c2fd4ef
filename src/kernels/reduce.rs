//! Sums over long vectors, in f64, in an order that depends on nothing but the length.

use rayon::prelude::*;

/// Elements that one task sums: 256 KiB of floats.
const CHUNK: usize = 1 << 16;

/// Σ f(aᵢ, bᵢ), accumulated in f64. The same bits whatever the number of threads.
///
/// # Panics
/// When the lengths differ.
pub fn sum2(a: &[f32], b: &[f32], f: impl Fn(f64, f64) -> f64 + Sync) -> f64 {
    assert_eq!(a.len(), b.len(), "vectors of different lengths");
    let partial = |(a, b): (&[f32], &[f32])| {
        // Independent sums in lanes, so that the compiler may use vectors.
        let mut lanes = [0.0f64; 16];
        let mut left = 0.0;
        let (a_lanes, b_lanes) = (a.chunks_exact(16), b.chunks_exact(16));
        for (&a, &b) in a_lanes.remainder().iter().zip(b_lanes.remainder()) {
            left += f(a as f64, b as f64);
        }
        for (a, b) in a_lanes.zip(b_lanes) {
            for ((lane, &a), &b) in lanes.iter_mut().zip(a).zip(b) {
                *lane += f(a as f64, b as f64);
            }
        }
        lanes.iter().sum::<f64>() + left
    };
    if a.len() <= CHUNK {
        return partial((a, b));
    }
    let partials: Vec<f64> = a.par_chunks(CHUNK).zip(b.par_chunks(CHUNK)).map(partial).collect();
    partials.iter().sum()
}

/// Σ aᵢ·bᵢ.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    sum2(a, b, |a, b| a * b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dot_is_exact_on_integers_of_any_length() {
        for n in [0, 1, 15, 16, 17, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5] {
            let a: Vec<f32> = (0..n).map(|i| (i % 101) as f32).collect();
            let expected: u64 = (0..n as u64).map(|i| (i % 101) * (i % 101)).sum();
            assert_eq!(dot(&a, &a), expected as f64, "length {n}");
        }
    }
}
