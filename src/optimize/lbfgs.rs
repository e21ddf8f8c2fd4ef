//! L-BFGS, by argmin's solver one step at a time, with bounds, a memo, a guarded line search, restarts, a callback after every
//! step, and a state from which it goes on. Where memory is short, a step is computed in place, with pairs in 16-bit
//! fixed point.

mod pairs;
mod saved;
mod solver;

use std::cell::RefCell;
use std::collections::VecDeque;

use argmin::core::Error;

use crate::parallel::team;

use super::memo::{Evaluated, Memo};
use super::point::{Point, release_buffers};
use super::{Convergence, Function, History, Minimum, OnStep, Settings, State, Step, Stop, Storage};

use pairs::Pairs;

/// The factor of the first step after a restart: the line search has just failed, so a smaller step is tried.
const RESTART_SCALE: f64 = 0.1;

/// Steps over which convergence is judged.
const PATIENCE: usize = 10;

/// The state after a step.
pub struct LbfgsState {
    /// The point that the step led to.
    current: Evaluated,
    best: Evaluated,
    pairs: Pairs,
    /// Those by which convergence is judged.
    losses: VecDeque<f64>,
    steps: usize,
    evaluations: usize,
}

/// Minimises `function` within the bounds, calling `on_step` after every step. A step usually takes one evaluation, more if the
/// line search needs more trials; no point is evaluated twice. From a state it goes on, with the history's length that it had.
///
/// If the line search fails, L-BFGS restarts from the best point with an empty history, provided that it took at least one
/// step since the last start.
///
/// # Panics
/// If `start` is a state of another optimiser.
pub fn lbfgs<'f>(
    function: &'f mut Function<'f>,
    start: impl Into<State>,
    settings: &Settings,
    on_step: &mut OnStep,
) -> Minimum {
    let start = start.into();
    let storage = match &start {
        State::Lbfgs(state) => state.pairs.history.storage,
        _ => settings.history.storage,
    };
    let memo = RefCell::new(Memo::new(function, storage));
    let mut state = match start {
        State::Start(point) => {
            let start = Point::within(point, settings.bounds, &settings.ranks);
            let first = memo.borrow_mut().at(&start);
            match first {
                Ok(first) => {
                    memo.borrow_mut().note(&first);
                    LbfgsState::new(first, settings.history)
                }
                Err(_) => return nowhere(&memo.borrow(), start),
            }
        }
        State::Lbfgs(state) => {
            memo.borrow_mut().resume(state.current.clone(), state.best.clone(), state.evaluations);
            state
        }
        State::Adam(_) => panic!("L-BFGS can't go on from a state of Adam"),
    };
    let mut convergence = Convergence::new(settings.tolerance, PATIENCE, state.losses.clone());
    let stop = loop {
        if state.steps >= settings.steps {
            break Stop::Steps;
        }
        if !convergence.still_falls() {
            break Stop::NoProgress;
        }
        let first_step = state.pairs.pairs.is_empty().then_some(match state.steps {
            0 => settings.first_step,
            _ => settings.first_step * RESTART_SCALE,
        });
        // A step is some seventy short parallel loops over the points, besides the evaluation.
        if team::gather(|| state.step(&memo, first_step)).is_err() {
            match memo.borrow().failure() {
                Stop::Cancelled => break Stop::Cancelled,
                failure if state.pairs.pairs.is_empty() => break failure,
                _ => state.restart(&memo.borrow()),
            }
            continue;
        }
        convergence.record(state.current.loss);
        state.losses.clone_from(&convergence.losses);
        if storage == Storage::Fixed16 {
            // What is done after a step may take memory.
            release_buffers();
        }
        let Evaluated { point, loss, .. } = &state.current;
        let (step, evaluations) = (state.steps, state.evaluations);
        if on_step(&Step { step, evaluations, loss: *loss, point: point.values(), state: &state }).is_break()
        {
            break Stop::Cancelled;
        }
    };
    let minimum = state.minimum(&memo.borrow(), stop);
    drop(memo);
    release_buffers();
    minimum
}

/// What is found where not even the start could be evaluated.
fn nowhere(memo: &Memo, start: Point) -> Minimum {
    let (point, stop) = (start.values().to_vec(), memo.failure());
    let state = (stop == Stop::Cancelled).then(|| State::Start(point.clone()));
    Minimum { point, loss: f64::NAN, steps: 0, evaluations: 0, stop, state }
}

impl LbfgsState {
    /// That of a start.
    fn new(first: Evaluated, history: History) -> Self {
        Self {
            best: first.clone(),
            pairs: Pairs::new(history),
            losses: [first.loss].into(),
            steps: 0,
            evaluations: 1,
            current: first,
        }
    }

    /// Does a step. If the line search fails, all is as before.
    ///
    /// # Errors
    /// If the line search failed.
    fn step(&mut self, memo: &RefCell<Memo>, first_step: Option<f64>) -> Result<(), Error> {
        match self.pairs.history.storage {
            Storage::Single => solver::step(memo, &self.current, &mut self.pairs, first_step)?,
            Storage::Fixed16 => self.pairs.step(memo, &self.current, first_step)?,
        }
        let mut memo = memo.borrow_mut();
        // A search ends with its last trial.
        let accepted = memo.last.clone().ok_or_else(|| Error::msg("the search evaluated nothing"))?;
        self.current = accepted;
        memo.note(&self.current);
        self.best = memo.best.clone().unwrap_or_else(|| self.current.clone());
        self.evaluations = memo.evaluations;
        self.steps += 1;
        Ok(())
    }

    /// Goes back to the best point, with an empty history.
    fn restart(&mut self, memo: &Memo) {
        self.best = memo.best.clone().unwrap_or_else(|| self.best.clone());
        self.current = self.best.clone();
        self.evaluations = memo.evaluations;
        self.pairs.pairs.clear();
    }

    /// The result.
    fn minimum(self, memo: &Memo, stop: Stop) -> Minimum {
        // Also a trial of a search that failed may be the best.
        let best = memo.best.as_ref().unwrap_or(&self.best);
        Minimum {
            point: best.point.values().to_vec(),
            loss: best.loss,
            steps: self.steps,
            evaluations: memo.evaluations,
            stop,
            state: (stop == Stop::Cancelled).then_some(State::Lbfgs(self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::optimize::Bounds;
    use crate::optimize::point::LIVE;
    use crate::parallel::ranks::Ranks;

    const SETTINGS: Settings = Settings {
        steps: 200,
        tolerance: 0.0,
        first_step: 0.01,
        history: History::single(10),
        bounds: Bounds::NONE,
        ranks: Ranks::ALONE,
    };

    /// The Rosenbrock function of each pair of variables, summed. Its minimum, 0, is at (1, 1, …).
    fn rosenbrock(x: &[f32], gradient: &mut [f32]) -> Option<f64> {
        let mut loss = 0.0;
        for (pair, gradient) in x.chunks(2).zip(gradient.chunks_mut(2)) {
            let (x, y) = (pair[0] as f64, pair[1] as f64);
            loss += (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2);
            gradient[0] = (-2.0 * (1.0 - x) - 400.0 * x * (y - x * x)) as f32;
            gradient[1] = (200.0 * (y - x * x)) as f32;
        }
        Some(loss)
    }

    #[test]
    fn finds_the_minimum_of_rosenbrocks_function() {
        let mut function = rosenbrock;
        let found =
            lbfgs(&mut function, vec![-1.2, 1.0, 0.0, 0.5], &SETTINGS, &mut |_| ControlFlow::Continue(()));
        assert!(found.loss < 1e-8, "loss {}", found.loss);
        assert!(found.point.iter().all(|x| (x - 1.0).abs() < 1e-3), "{:?}", found.point);
    }

    #[test]
    fn finds_the_constrained_minimum_of_rosenbrocks_function() {
        let (lower, upper) = (-0.5, 0.8);
        let settings = Settings { bounds: Bounds { lower, upper }, ..SETTINGS };
        let mut function = |x: &[f32], gradient: &mut [f32]| {
            assert!(x.iter().all(|x| (lower..=upper).contains(x)), "{x:?} is outside");
            rosenbrock(x, gradient)
        };
        // The first pair starts outside the bounds, the second in a corner that it has to leave.
        let start = vec![-1.2, 1.0, 0.8, -0.5];
        let found = lbfgs(&mut function, start, &settings, &mut |_| ControlFlow::Continue(()));
        // With x at its bound, the best y is x².
        for pair in found.point.chunks(2) {
            assert!(pair[0] == upper && (pair[1] - upper * upper).abs() < 1e-3, "{:?}", found.point);
        }
        assert!((found.loss - 2.0 * 0.04).abs() < 1e-6, "loss {}", found.loss);
    }

    /// What [`History::bytes`] counts on.
    #[test]
    fn an_evaluation_has_no_more_vectors_than_are_foreseen() {
        for history in [History::single(3), History::fixed16(3)] {
            // Beside these there is the gradient that is computed.
            let (mut most, mut evaluations) = (0, 0);
            let mut function = |x: &[f32], gradient: &mut [f32]| {
                most = most.max(LIVE.get());
                evaluations += 1;
                rosenbrock(x, gradient)
            };
            let settings = Settings { steps: 40, history, ..SETTINGS };
            let before = LIVE.get();
            let found =
                lbfgs(
                    &mut function,
                    vec![-1.2, 1.0, 0.0, 0.5],
                    &settings,
                    &mut |_| ControlFlow::Continue(()),
                );
            assert!(evaluations > found.steps + 3, "no trial was refused");
            let found = most - before;
            match history.storage {
                // Beside these there are free buffers, four at most.
                Storage::Single => assert!((6 + 2 * 3..=7 + 2 * 3).contains(&found), "{found} vectors"),
                Storage::Fixed16 => assert_eq!(found, 4),
            }
        }
    }

    #[test]
    fn evaluates_no_point_twice_and_usually_one_per_step() {
        let mut points: Vec<Vec<u32>> = Vec::new();
        let mut function = |x: &[f32], gradient: &mut [f32]| {
            points.push(x.iter().map(|x| x.to_bits()).collect());
            rosenbrock(x, gradient)
        };
        let mut counted = Vec::new();
        let found = lbfgs(&mut function, vec![-1.2, 1.0], &SETTINGS, &mut |step| {
            counted.push(step.evaluations);
            ControlFlow::Continue(())
        });
        assert_eq!(points.len(), found.evaluations);
        // argmin requests each of these at least twice: without the memo there would be more than 3 per step.
        assert!(found.evaluations < 2 * found.steps, "{} for {} steps", found.evaluations, found.steps);
        assert!(counted.is_sorted() && counted.len() == found.steps);
        let evaluations = points.len();
        points.sort();
        points.dedup();
        assert_eq!(points.len(), evaluations, "a point was evaluated twice");
    }

    #[test]
    fn stops_on_steps_on_no_progress_and_on_request() {
        let mut function = rosenbrock;
        let five = Settings { steps: 5, ..SETTINGS };
        let found = lbfgs(&mut function, vec![-1.2, 1.0], &five, &mut |_| ControlFlow::Continue(()));
        assert_eq!((found.steps, found.stop), (5, Stop::Steps));

        let mut function = |x: &[f32], gradient: &mut [f32]| {
            gradient.fill(1e-9);
            Some(1.0 + 1e-9 * x[0] as f64)
        };
        let lazy = Settings { tolerance: 1e-3, ..SETTINGS };
        let found = lbfgs(&mut function, vec![0.0], &lazy, &mut |_| ControlFlow::Continue(()));
        assert_eq!(found.stop, Stop::NoProgress);
        assert!(found.steps <= 2 * PATIENCE, "{} steps", found.steps);

        let mut function = rosenbrock;
        let found = lbfgs(&mut function, vec![-1.2, 1.0], &SETTINGS, &mut |step| match step.step {
            3 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        });
        assert_eq!((found.steps, found.stop), (3, Stop::Cancelled));
    }

    #[test]
    fn a_flat_start_is_no_progress() {
        let mut function = |_: &[f32], gradient: &mut [f32]| {
            gradient.fill(0.0);
            Some(1.0)
        };
        let found = lbfgs(&mut function, vec![0.5; 4], &SETTINGS, &mut |_| ControlFlow::Continue(()));
        assert_eq!((found.steps, found.stop, found.point), (0, Stop::NoProgress, vec![0.5; 4]));
    }

    #[test]
    fn keeps_the_best_point_when_the_function_becomes_not_finite() {
        // Decreases towards x = 1, and is NaN from there on; no point before that satisfies a stopping criterion.
        let mut function = |x: &[f32], gradient: &mut [f32]| match x[0] {
            x if x < 1.0 => {
                gradient.fill(-1.0);
                Some(2.0 - x as f64)
            }
            _ => {
                gradient.fill(f32::NAN);
                Some(f64::NAN)
            }
        };
        let found = lbfgs(&mut function, vec![0.0], &SETTINGS, &mut |_| ControlFlow::Continue(()));
        assert!(matches!(found.stop, Stop::NotFinite { .. }), "{:?}", found.stop);
        assert!(found.loss <= 2.0 && found.point[0] < 1.0 && found.point[0].is_finite());

        let mut function = |_: &[f32], gradient: &mut [f32]| {
            gradient.fill(0.0);
            Some(f64::INFINITY)
        };
        let found = lbfgs(&mut function, vec![0.25], &SETTINGS, &mut |_| ControlFlow::Continue(()));
        assert_eq!((found.stop, found.point), (Stop::NotFinite { loss: f64::INFINITY }, vec![0.25]));
    }

    #[test]
    fn keeps_the_best_point_when_an_evaluation_is_cancelled() {
        let mut left = 8;
        let mut function = |x: &[f32], gradient: &mut [f32]| {
            left -= 1;
            if left > 0 { rosenbrock(x, gradient) } else { None }
        };
        let found = lbfgs(&mut function, vec![-1.2, 1.0], &SETTINGS, &mut |_| ControlFlow::Continue(()));
        assert_eq!((found.stop, found.evaluations), (Stop::Cancelled, 7));
        assert!(found.steps > 0 && found.loss < 24.0, "loss {}", found.loss);

        let mut function = |_: &[f32], _: &mut [f32]| None;
        let found = lbfgs(&mut function, vec![0.25], &SETTINGS, &mut |_| ControlFlow::Continue(()));
        assert_eq!((found.stop, found.point), (Stop::Cancelled, vec![0.25]));
    }
}
