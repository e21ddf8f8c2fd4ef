//! Adam (Kingma and Ba 2015, algorithm 1): more robust than L-BFGS on rough losses, slower on smooth ones.

use super::{Convergence, Function, Minimum, OnStep, Settings, Step, Stop, not_finite};

// The paper's recommended values.
const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-8;
/// Steps over which convergence is judged: more than for L-BFGS, because Adam's losses fluctuate.
const PATIENCE: usize = 50;

/// Minimises `function` from `start` within the bounds with the step size `settings.first_step`, calling `on_step` after
/// every step. Takes one evaluation per step, and one at the start.
pub fn adam(function: &mut Function, start: Vec<f32>, settings: &Settings, on_step: &mut OnStep) -> Minimum {
    let mut x: Vec<f32> = start.into_iter().map(|x| settings.bounds.clamp(x)).collect();
    let (mut mean, mut square) = (vec![0.0f32; x.len()], vec![0.0f32; x.len()]);
    let mut gradient = vec![0.0f32; x.len()];
    let Some(mut loss) = function(&x, &mut gradient) else {
        return Minimum { point: x, loss: f64::NAN, steps: 0, evaluations: 0, stop: Stop::Cancelled };
    };
    let mut best = Minimum { point: x.clone(), loss, steps: 0, evaluations: 1, stop: Stop::Steps };
    let mut convergence = Convergence::new(settings.tolerance, PATIENCE, loss);
    for step in 1..=settings.steps {
        if let Some(loss) = not_finite(loss, &gradient) {
            return Minimum { stop: Stop::NotFinite { loss }, ..best };
        }
        let (unbias_1, unbias_2) = (1.0 - BETA_1.powi(step as i32), 1.0 - BETA_2.powi(step as i32));
        let rate = settings.first_step as f32 * unbias_2.sqrt() / unbias_1;
        for (((x, g), mean), square) in x.iter_mut().zip(&gradient).zip(&mut mean).zip(&mut square) {
            *mean += (1.0 - BETA_1) * (g - *mean);
            *square += (1.0 - BETA_2) * (g * g - *square);
            *x = settings.bounds.clamp(*x - rate * *mean / (square.sqrt() + EPSILON * unbias_2.sqrt()));
        }
        loss = match function(&x, &mut gradient) {
            Some(loss) => loss,
            None => return Minimum { stop: Stop::Cancelled, ..best },
        };
        (best.steps, best.evaluations) = (step, step + 1);
        if loss < best.loss && not_finite(loss, &gradient).is_none() {
            best.point.copy_from_slice(&x);
            best.loss = loss;
        }
        if on_step(&Step { step, evaluations: step + 1, loss, point: &x }).is_break() {
            return Minimum { stop: Stop::Cancelled, ..best };
        }
        if !convergence.still_falls(best.loss) {
            return Minimum { stop: Stop::NoProgress, ..best };
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::optimize::Bounds;

    #[test]
    fn finds_the_minimum_of_a_quadratic_and_keeps_the_best_point() {
        let value = |x: &[f32]| x.iter().map(|x| (*x as f64 - 0.25).powi(2)).sum::<f64>();
        let mut function = |x: &[f32], gradient: &mut [f32]| {
            gradient.iter_mut().zip(x).for_each(|(g, x)| *g = 2.0 * (x - 0.25));
            Some(value(x))
        };
        let settings =
            Settings { steps: 500, tolerance: 0.0, first_step: 0.02, history: 0, bounds: Bounds::NONE };
        let found = adam(&mut function, vec![0.0, 1.0, 0.5], &settings, &mut |_| ControlFlow::Continue(()));
        assert!(found.loss < 1e-6, "loss {}", found.loss);
        assert_eq!(found.evaluations, found.steps + 1);
        assert_eq!(value(&found.point), found.loss);
    }

    #[test]
    fn stays_within_the_bounds() {
        let mut function = |x: &[f32], gradient: &mut [f32]| {
            assert!(x.iter().all(|x| (0.0..=1.0).contains(x)), "{x:?} is outside");
            gradient.copy_from_slice(&[x[0] - 0.5, x[1] + 1.0, x[2] - 2.0]);
            Some(gradient.iter().map(|g| 0.5 * (*g as f64).powi(2)).sum())
        };
        let bounds = Bounds { lower: 0.0, upper: 1.0 };
        let settings = Settings { steps: 500, tolerance: 0.0, first_step: 0.02, history: 0, bounds };
        let found = adam(&mut function, vec![-3.0, 0.5, 0.5], &settings, &mut |_| ControlFlow::Continue(()));
        assert!((found.point[0] - 0.5).abs() < 1e-3 && found.point[1..] == [0.0, 1.0], "{:?}", found.point);
    }

    #[test]
    fn stops_when_the_function_is_not_finite() {
        let mut function = |x: &[f32], gradient: &mut [f32]| {
            gradient.fill(-1.0);
            Some(if x[0] > 0.1 { f64::NAN } else { 1.0 - x[0] as f64 })
        };
        let settings =
            Settings { steps: 50, tolerance: 0.0, first_step: 0.02, history: 0, bounds: Bounds::NONE };
        let found = adam(&mut function, vec![0.0], &settings, &mut |_| ControlFlow::Continue(()));
        assert!(matches!(found.stop, Stop::NotFinite { .. }));
        assert!(found.point[0] <= 0.1 && found.loss.is_finite());
    }

    #[test]
    fn keeps_the_best_point_when_an_evaluation_is_cancelled() {
        let mut left = 3;
        let mut function = |x: &[f32], gradient: &mut [f32]| {
            left -= 1;
            gradient.fill(-1.0);
            (left > 0).then_some(1.0 - x[0] as f64)
        };
        let settings =
            Settings { steps: 50, tolerance: 0.0, first_step: 0.02, history: 0, bounds: Bounds::NONE };
        let found = adam(&mut function, vec![0.0], &settings, &mut |_| ControlFlow::Continue(()));
        assert_eq!((found.stop, found.steps, found.evaluations), (Stop::Cancelled, 1, 2));
        assert!(found.point[0] > 0.0 && found.loss < 1.0);
    }
}
