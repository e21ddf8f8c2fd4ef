//! How long a job still takes, from how long it took so far. A step costs by the pixels of its scale, so that what is known
//! of the scales done is carried over to those ahead.

use super::cost::{Cost, Measured};

/// The seconds of a job's scales and steps.
pub(super) struct Pace {
    scales: Vec<ScalePace>,
    /// Index of the current one.
    current: usize,
}

struct ScalePace {
    pixels: f64,
    /// At most.
    steps: usize,
    /// When it started, in seconds since the job did.
    started: f64,
    /// When its first step was done, and which that was: that after a resumed one's is not 1.
    first: f64,
    first_step: usize,
    /// Seconds of a step after the first, and the number of those, once there are some.
    step: Option<(f64, usize)>,
}

/// How many steps of the current scale count as much as what the scales before tell of it.
const TRUST: f64 = 5.0;

impl ScalePace {
    /// Seconds up to the first step, of which each scale has some for its targets and the first evaluation, by those of a
    /// later step.
    fn start_in_steps(&self) -> Option<f64> {
        self.step.map(|(step, _)| (self.first - self.started) / step.max(1e-9))
    }
}

impl Pace {
    /// A job with scales of these pixels and at most these steps.
    pub(super) fn new(scales: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let scale = |(pixels, steps): (usize, usize)| ScalePace {
            pixels: pixels as f64,
            steps,
            started: 0.0,
            first: 0.0,
            first_step: 0,
            step: None,
        };
        Self { scales: scales.into_iter().map(scale).collect(), current: 0 }
    }

    /// A scale starts, `seconds` after the job did.
    pub(super) fn start_scale(&mut self, index: usize, seconds: f64) {
        self.current = index;
        self.scales[index].started = seconds;
    }

    /// A step of the current scale, counted from 1, or from where it was resumed, is done, `seconds` after the job started. Returns the seconds that the
    /// job still takes if all scales take all their steps.
    pub(super) fn step(&mut self, step: usize, seconds: f64) -> f64 {
        let scale = &mut self.scales[self.current];
        match step.saturating_sub(scale.first_step) {
            times if scale.first_step > 0 && times > 0 => {
                scale.step = Some(((seconds - scale.first) / times as f64, times));
            }
            _ => (scale.first, scale.first_step) = (seconds, step),
        }
        self.left(step)
    }

    fn left(&self, step: usize) -> f64 {
        let (done, ahead) = self.scales.split_at(self.current + 1);
        let current = &self.scales[self.current];
        let measured = |scale: &ScalePace| {
            let (seconds, times) = scale.step?;
            Some(Measured { pixels: scale.pixels, seconds, times: times as f64 })
        };
        let mut known: Vec<_> = done[..self.current].iter().filter_map(measured).collect();
        // The first step of all: its scale's start and it are about two evaluations.
        let first = (current.first - current.started) / 2.0;
        let of_current = match (current.step, known.is_empty()) {
            (None, true) => first,
            (None, false) => Cost::fitted(&known).at(current.pixels),
            (Some((seconds, _)), true) => seconds,
            // A few steps tell less than the scales before.
            (Some((seconds, times)), false) => {
                let (foreseen, times) = (Cost::fitted(&known).at(current.pixels), times as f64);
                (foreseen * TRUST + seconds * times) / (TRUST + times)
            }
        };
        let times = current.step.map_or(1.0, |(_, times)| times as f64);
        known.push(Measured { pixels: current.pixels, seconds: of_current, times });
        let cost = Cost::fitted(&known);
        let start = done.iter().rev().find_map(ScalePace::start_in_steps).unwrap_or(2.0);
        let of_ahead: f64 =
            ahead.iter().map(|scale| (start + scale.steps.max(1) as f64 - 1.0) * cost.at(scale.pixels)).sum();
        current.steps.saturating_sub(step) as f64 * of_current + of_ahead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asserts that the time left is right within a quarter from a fifth of the way on, where a step of `pixels` pixels, the
    /// n-th of its scale, takes `seconds(pixels, n)`, and each scale starts with `start` times the first one's.
    fn is_right(scales: &[(usize, usize)], start: f64, seconds: impl Fn(f64, usize) -> f64) {
        let of_step = |&(pixels, _): &(usize, usize), step| seconds(pixels as f64, step);
        let of_scale = |scale: &(usize, usize)| {
            (1..=scale.1).map(|step| of_step(scale, step)).sum::<f64>() + start * of_step(scale, 1)
        };
        let all: f64 = scales.iter().map(of_scale).sum();
        let (mut pace, mut now) = (Pace::new(scales.iter().copied()), 0.0);
        for (index, scale) in scales.iter().enumerate() {
            pace.start_scale(index, now);
            now += start * of_step(scale, 1);
            for step in 1..=scale.1 {
                now += of_step(scale, step);
                let (found, left) = (pace.step(step, now), all - now);
                // Of the last few steps nobody can tell which take two evaluations.
                let steps_left: usize = scales[index..].iter().map(|scale| scale.1).sum::<usize>() - step;
                if now > 0.2 * all && steps_left >= 5 {
                    let error = found / left - 1.0;
                    assert!(error.abs() < 0.25, "{scales:?}, {scale:?}, step {step}: {found} for {left}");
                }
            }
        }
        assert_eq!(pace.step(scales.last().unwrap().1, now), 0.0);
    }

    /// Scales of the default schedule up to 512 pixels, of one scale, of two, and up to 3000 pixels.
    fn schedules() -> [Vec<(usize, usize)>; 4] {
        let of = |longest: &[usize], steps| longest.iter().map(|side| (side * side, steps)).collect();
        [
            of(&[128, 181, 256, 362, 512], 40),
            of(&[512], 200),
            of(&[181, 256], 100),
            of(&[133, 188, 265, 375, 530, 750, 1061, 1500, 2121, 3000], 20),
        ]
    }

    #[test]
    fn the_time_left_is_right_where_a_step_costs_by_its_pixels() {
        for schedule in schedules() {
            for fixed in [0.0, 3000.0, 8000.0, 30_000.0] {
                for start in [0.5, 2.0, 4.0] {
                    is_right(&schedule, start, |pixels, _| 1e-6 * (pixels + fixed));
                }
            }
        }
    }

    #[test]
    fn evaluations_a_step_vary() {
        for schedule in schedules() {
            // Every fifth step takes two evaluations, every fourth is 30 % slower.
            is_right(&schedule, 2.0, |pixels, step| {
                let evaluations = if step % 5 == 0 { 2.0 } else { 1.0 };
                1e-6 * (pixels + 8000.0) * evaluations * if step % 4 == 0 { 1.3 } else { 1.0 }
            });
        }
    }

    #[test]
    fn larger_pictures_that_leave_the_caches_cost_more() {
        for schedule in schedules() {
            is_right(&schedule, 2.0, |pixels, _| 1e-6 * pixels * pixels.powf(0.05));
        }
    }

    #[test]
    fn a_scale_that_ends_early_takes_nothing_more() {
        let mut pace = Pace::new([(100_000, 50), (200_000, 10)]);
        pace.start_scale(0, 0.0);
        for step in 1..=5 {
            pace.step(step, f64::from(step as u32));
        }
        pace.start_scale(1, 5.0);
        pace.step(1, 7.0);
        let left = pace.step(2, 9.0);
        assert!((left - 16.0).abs() < 1.0, "{left}");
    }

    #[test]
    fn a_resumed_scale_is_measured_from_its_first_step_on() {
        let mut pace = Pace::new([(100_000, 50), (200_000, 100)]);
        pace.start_scale(1, 3.0);
        for step in 61..=80 {
            pace.step(step, 5.0 + 2.0 * f64::from(step as u32 - 61));
        }
        let left = pace.step(81, 45.0);
        assert!((left - 38.0).abs() < 1e-6, "{left}");
    }

    #[test]
    fn the_first_step_gives_a_finite_time() {
        let mut pace = Pace::new([(100, 5), (200, 5)]);
        pace.start_scale(0, 0.0);
        assert!(pace.step(1, 0.5).is_finite());
        assert!(Pace::new([(100, 1)]).step(1, 0.0) == 0.0);
    }
}
