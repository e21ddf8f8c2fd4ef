//! L-BFGS, by argmin's solver with bounds, a memo, a guarded line search, restarts, and a callback after every step.

use std::cell::RefCell;

use argmin::core::{
    Error, Executor, KV, Problem as Counted, Solver, State, TerminationReason, TerminationStatus,
};
use argmin::solver::quasinewton::LBFGS;

use crate::parallel::team;

use super::line_search::{GuardedLineSearch, SearchState};
use super::memo::{Evaluated, Memo, Problem};
use super::point::{Point, release_buffers};
use super::{Convergence, Function, Minimum, OnStep, Settings, Step, Stop};

/// The factor of the first step after a restart: the line search has just failed, so a smaller step is tried.
const RESTART_SCALE: f64 = 0.1;

/// Steps over which convergence is judged.
const PATIENCE: usize = 10;

/// Minimises `function` from `start` within the bounds, calling `on_step` after every step. A step usually takes one
/// evaluation, more if the line search needs more trials; no point is evaluated twice.
///
/// If the line search fails, L-BFGS restarts from the best point with an empty history, provided that it took at least one
/// step since the last start.
pub fn lbfgs<'f>(
    function: &'f mut Function<'f>,
    start: Vec<f32>,
    settings: &Settings,
    on_step: &mut OnStep,
) -> Minimum {
    let memo = RefCell::new(Memo::new(function));
    let start = Point::new(start).within(settings.bounds);
    let Ok(first) = memo.borrow_mut().at(&start) else {
        return minimum(&memo.borrow(), start, 0, None);
    };
    let mut convergence = Convergence::new(settings.tolerance, PATIENCE, first.loss);
    let mut first_step = settings.first_step;
    let mut steps = 0;
    let stop = loop {
        let before = steps;
        let from = memo.borrow().best.clone().unwrap_or_else(|| first.clone());
        let mut after_step = |evaluated: &Evaluated| {
            steps += 1;
            let Evaluated { point, loss, .. } = evaluated;
            let evaluations = memo.borrow().evaluations;
            let step = Step { step: steps, evaluations, loss: *loss, point: point.values() };
            if on_step(&step).is_break() {
                Some(Stop::Cancelled)
            } else if steps >= settings.steps {
                Some(Stop::Steps)
            } else {
                (!convergence.still_falls(*loss)).then_some(Stop::NoProgress)
            }
        };
        if settings.steps == 0 {
            break Some(Stop::Steps);
        }
        if let Some(stop) = descend(&memo, from, first_step, settings.history, &mut after_step) {
            break Some(stop);
        }
        if steps == before || memo.borrow().cancelled {
            break None;
        }
        first_step = settings.first_step * RESTART_SCALE;
    };
    let minimum = minimum(&memo.borrow(), start, steps, stop);
    drop(memo);
    release_buffers();
    minimum
}

/// Runs L-BFGS from an empty history until `after_step` returns a reason to stop. Returns that reason, or `None` if the line
/// search failed.
fn descend(
    memo: &RefCell<Memo>,
    from: Evaluated,
    first_step: f64,
    history: usize,
    after_step: &mut dyn FnMut(&Evaluated) -> Option<Stop>,
) -> Option<Stop> {
    let mut stop = None;
    let run = || -> Result<(), Error> {
        let lbfgs = LBFGS::new(GuardedLineSearch::new(first_step)?, history)
            // argmin's criteria are absolute, so they are disabled; `after_step` checks relative ones.
            .with_tolerance_cost(0.0)?
            .with_tolerance_grad(0.0)?;
        let solver = Stepwise { lbfgs, memo, after_step, stop: &mut stop };
        Executor::new(Problem(memo), solver)
            .configure(|state| state.param(from.point).cost(from.loss).gradient(from.gradient))
            .timer(false)
            .ctrlc(false)
            .run()?;
        Ok(())
    };
    // An error means that the line search failed. The best point so far is in the memo.
    let _ = run();
    stop
}

/// The result: the best point, or `start` if that could not be evaluated.
fn minimum(memo: &Memo, start: Point, steps: usize, stop: Option<Stop>) -> Minimum {
    let failed = match memo.not_finite {
        _ if memo.cancelled => Stop::Cancelled,
        Some(loss) => Stop::NotFinite { loss },
        None => Stop::NoProgress,
    };
    let (point, loss) = memo.best.as_ref().map_or((&start, f64::NAN), |best| (&best.point, best.loss));
    Minimum {
        point: point.values().to_vec(),
        loss,
        steps,
        evaluations: memo.evaluations,
        stop: stop.unwrap_or(failed),
    }
}

/// argmin's L-BFGS with a callback after every step, which can stop it.
struct Stepwise<'a, 'f> {
    lbfgs: LBFGS<GuardedLineSearch, Point, Point, f64>,
    memo: &'a RefCell<Memo<'f>>,
    after_step: &'a mut dyn FnMut(&Evaluated) -> Option<Stop>,
    stop: &'a mut Option<Stop>,
}

impl<'m, 'g> Solver<Problem<'m, 'g>, SearchState> for Stepwise<'_, '_> {
    fn name(&self) -> &str {
        "L-BFGS"
    }

    fn init(
        &mut self,
        problem: &mut Counted<Problem<'m, 'g>>,
        state: SearchState,
    ) -> Result<(SearchState, Option<KV>), Error> {
        self.lbfgs.init(problem, state)
    }

    fn next_iter(
        &mut self,
        problem: &mut Counted<Problem<'m, 'g>>,
        state: SearchState,
    ) -> Result<(SearchState, Option<KV>), Error> {
        // An iteration is some seventy short parallel loops over the points, besides the evaluation.
        let (state, log) = team::gather(|| self.lbfgs.next_iter(problem, state))?;
        if state.terminated() {
            return Ok((state, log));
        }
        let last = self.memo.borrow().last.clone();
        *self.stop = last.and_then(|accepted| (self.after_step)(&accepted));
        match self.stop {
            Some(_) => Ok((state.terminate_with(TerminationReason::SolverConverged), log)),
            None => Ok((state, log)),
        }
    }

    fn terminate(&mut self, state: &SearchState) -> TerminationStatus {
        <LBFGS<_, _, _, _> as Solver<Problem<'m, 'g>, SearchState>>::terminate(&mut self.lbfgs, state)
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::optimize::Bounds;

    const SETTINGS: Settings =
        Settings { steps: 200, tolerance: 0.0, first_step: 0.01, history: 10, bounds: Bounds::NONE };

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
