//! Vectors in 16-bit fixed point, half the size of f32: an integer for each value, and a factor for each block of them.

use std::ops::Range;

use crate::parallel::reduce::{BLOCK, Source};
use crate::parallel::team;

/// A vector of 16-bit integers, each [`BLOCK`] of them times a power of two of its own: the least with which none is too large. So
/// a value is off by at most a 2¹⁵th of the largest one in its block, or half of that. No factor is below the least normal number, and
/// values near f32's largest may become infinite.
///
/// What is read of it is exact in f32, and is kept as the same integers again.
pub struct Fixed16 {
    values: Vec<i16>,
    /// One for each block; NaN where a value is not finite.
    factors: Vec<f32>,
}

/// Values of a task, a multiple of [`BLOCK`].
const CHUNK: usize = 1 << 15;

impl Fixed16 {
    /// The values of `source`, rounded.
    pub fn of(source: &(impl Source + ?Sized)) -> Self {
        let len = source.count();
        let block = |index: usize| index * BLOCK..((index + 1) * BLOCK).min(len);
        let mut factors = vec![0.0; len.div_ceil(BLOCK)];
        team::for_each_chunk(&mut factors, CHUNK / BLOCK, |chunk, factors| {
            let mut buffer = [0.0; BLOCK];
            for (at, factor) in factors.iter_mut().enumerate() {
                *factor = factor_of(source.read(block(chunk * (CHUNK / BLOCK) + at), &mut buffer));
            }
        });
        let mut values = vec![0; len];
        team::for_each_chunk(&mut values, CHUNK, |chunk, values| {
            let mut buffer = [0.0; BLOCK];
            for (at, values) in values.chunks_mut(BLOCK).enumerate() {
                let index = chunk * (CHUNK / BLOCK) + at;
                round(source.read(block(index), &mut buffer), factors[index], values);
            }
        });
        Self { values, factors }
    }

    /// The values as f32.
    pub fn to_vec(&self) -> Vec<f32> {
        let mut to = vec![0.0; self.values.len()];
        team::for_each_chunk(&mut to, BLOCK, |index, to| self.read_to(index * BLOCK, to));
        to
    }

    /// Bytes of a vector of so many values.
    pub fn bytes(len: u64) -> u64 {
        size_of::<i16>() as u64 * len + size_of::<f32>() as u64 * len.div_ceil(BLOCK as u64)
    }

    /// Writes those of a block, which begins at `start`.
    fn read_to(&self, start: usize, to: &mut [f32]) {
        let factor = self.factors[start / BLOCK];
        let values = &self.values[start..start + to.len()];
        to.iter_mut().zip(values).for_each(|(to, value)| *to = f32::from(*value) * factor);
    }
}

impl Source for Fixed16 {
    fn count(&self) -> usize {
        self.values.len()
    }

    fn read<'r>(&'r self, range: Range<usize>, buffer: &'r mut [f32; BLOCK]) -> &'r [f32] {
        let to = &mut buffer[..range.len()];
        self.read_to(range.start, to);
        to
    }
}

/// The least power of two of which each value is at most 2¹⁵ − 1 times.
fn factor_of(values: &[f32]) -> f32 {
    const MOST: f32 = i16::MAX as f32;
    // Of floats without their signs the bits are ordered as the values are; what is not finite comes last.
    let most = values.iter().map(|value| value.to_bits() & 0x7fff_ffff).max().unwrap_or(0);
    let exponent = (most >> 23) as i32 - 127;
    if exponent > 127 {
        return f32::NAN;
    }
    // No smaller than the least normal number: what is rounded to 0 then does not count.
    let factor = power_of_two((exponent - 14).max(-126));
    if f32::from_bits(most) > MOST * factor { 2.0 * factor } else { factor }
}

/// 2 to a power from −126 to 127.
fn power_of_two(exponent: i32) -> f32 {
    f32::from_bits(((exponent + 127) as u32) << 23)
}

/// Writes each value over the factor, rounded to the nearest integer, to even ones where two are as near.
fn round(values: &[f32], factor: f32, to: &mut [i16]) {
    // From this number on, up to twice as much, the floats are the integers: adding it rounds. `round_ties_even` is a call where
    // the compiler may not use SSE 4.1.
    const INTEGERS: f32 = 12_582_912.0;
    let inverse = 1.0 / factor;
    for (to, value) in to.iter_mut().zip(values) {
        *to = (value * inverse + INTEGERS).to_bits().wrapping_sub(INTEGERS.to_bits()) as i16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of sizes that differ from block to block.
    fn values(len: usize) -> Vec<f32> {
        let mut random = fastrand::Rng::with_seed(len as u64);
        let scale = |at: usize| power_of_two((at / BLOCK * 37 % 230) as i32 - 120);
        (0..len).map(|at| (random.f32() - 0.5) * scale(at)).collect()
    }

    #[test]
    fn each_value_is_within_a_part_of_the_largest_in_its_block() {
        for len in [0, 1, BLOCK - 1, BLOCK, 10 * BLOCK + 7, CHUNK + 3] {
            let values = values(len);
            let kept = Fixed16::of(&values[..]);
            for (found, values) in kept.to_vec().chunks(BLOCK).zip(values.chunks(BLOCK)) {
                let most = values.iter().fold(0.0f32, |most, value| most.max(value.abs()));
                for (found, value) in found.iter().zip(values) {
                    let bound = (most / 32767.0).max(f32::MIN_POSITIVE / 2.0);
                    assert!((found - value).abs() <= bound, "{found} for {value} of {most}");
                }
            }
            assert_eq!(kept.count(), len);
        }
    }

    #[test]
    fn what_was_kept_is_kept_again_without_a_change() {
        // The largest of a block may be rounded up to the next power of two, or be the largest integer.
        let mut all = values(20 * BLOCK + 9);
        for (at, most) in
            [16383.4, 16383.5, 16383.6, 16384.0, 32766.9, 32767.0, 32767.4].into_iter().enumerate()
        {
            all[at * BLOCK + 3] = most * power_of_two(at as i32 - 20) * 1e6;
        }
        let kept = Fixed16::of(&all[..]).to_vec();
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&Fixed16::of(&kept[..]).to_vec()), bits(&kept));
    }

    #[test]
    fn the_extremes_stay_what_they_are() {
        for value in [0.0, 1.0, -1.0, 1e38, -1e38, 1e-33, -1e30] {
            let found = Fixed16::of(&[value][..]).to_vec()[0];
            assert!((found - value).abs() <= value.abs() / 32768.0, "{found} for {value}");
        }
        assert_eq!(Fixed16::of(&[f32::MIN_POSITIVE / 8.0][..]).to_vec(), [0.0]);
        for value in [f32::NAN, f32::INFINITY] {
            assert!(Fixed16::of(&[1.0, value][..]).to_vec()[0].is_nan(), "what is not finite is lost");
        }
    }
}
