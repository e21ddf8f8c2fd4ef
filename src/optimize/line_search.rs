//! argmin's Moré–Thuente line search with safeguards that it lacks: a scaled first step, a limit on the number of trials, and
//! a check of the accepted step. The search follows the projected path, which bends where a variable reaches its bound:
//! Bertsekas 1982, "Projected Newton Methods for Optimization Problems with Simple Constraints".

use std::cell::RefCell;

use argmin::core::{
    CostFunction, Error, Executor, Gradient, IterState, KV, Problem as Counted, Solver, State,
};
use argmin::solver::linesearch::{LineSearch, MoreThuenteLineSearch};

use super::memo::{Evaluated, Memo, Problem};
use super::point::Point;

/// The most trials of one search. Almost every search needs one; many trials mean that the loss differences have reached
/// rounding noise.
const MAX_TRIALS: usize = 10;

/// argmin's state of a line search.
pub type SearchState = IterState<Point, Point, (), (), (), f64>;

/// Searches from `start` along the `direction` of descent, as far as it is feasible, and returns the last trial, whose loss is
/// lower. The first trial changes the variables by `first_step` in the root mean square, or if that is `None`, by all of the
/// direction, as is right where the curvature scales it.
///
/// # Errors
/// If no such point was found, the function is not finite, or an evaluation was cancelled.
pub fn search(
    memo: &RefCell<Memo>,
    start: &Evaluated,
    direction: Vec<f32>,
    first_step: Option<f64>,
) -> Result<Evaluated, Error> {
    let direction = start.point.feasible(direction, &start.gradient);
    let length = first_step.map(|first_step| first_step * (direction.dimension().sqrt() / direction.norm()));
    let mut search = GuardedLineSearch::new(length)?;
    search.search_direction(direction);
    let Evaluated { point, loss, gradient } = start.clone();
    let of_start = |state: SearchState| state.param(point).cost(loss).gradient(gradient);
    Executor::new(Problem(memo), search).configure(of_start).ctrlc(false).timer(false).run()?;
    // A search ends with its last trial.
    let accepted = memo.borrow().last.clone().ok_or_else(|| Error::msg("the search evaluated nothing"))?;
    // It also ends when it cannot improve any further.
    match accepted.loss < start.loss {
        true => Ok(accepted),
        false => Err(Error::msg("the step accepted does not lower the loss")),
    }
}

/// The line search with a limit on its trials.
#[derive(Clone)]
pub struct GuardedLineSearch {
    search: MoreThuenteLineSearch<Point, Point, f64>,
    trials: usize,
}

impl GuardedLineSearch {
    /// A line search whose first trial goes so many times the direction, or 1 time.
    pub fn new(length: Option<f64>) -> Result<Self, Error> {
        // The default lower bound on the step would exclude the small steps that a steep function needs.
        let mut search = MoreThuenteLineSearch::new().with_bounds(0.0, 1e20)?;
        length.map_or(Ok(()), |length| search.initial_step_length(length))?;
        Ok(Self { search, trials: 0 })
    }
}

impl LineSearch<Point, f64> for GuardedLineSearch {
    fn search_direction(&mut self, direction: Point) {
        self.search.search_direction(direction);
    }

    fn initial_step_length(&mut self, length: f64) -> Result<(), Error> {
        self.search.initial_step_length(length)
    }
}

impl<O> Solver<O, SearchState> for GuardedLineSearch
where
    O: CostFunction<Param = Point, Output = f64> + Gradient<Param = Point, Gradient = Point>,
{
    fn name(&self) -> &str {
        "Moré–Thuente line search, guarded"
    }

    fn init(
        &mut self,
        problem: &mut Counted<O>,
        state: SearchState,
    ) -> Result<(SearchState, Option<KV>), Error> {
        self.search.init(problem, state)
    }

    fn next_iter(
        &mut self,
        problem: &mut Counted<O>,
        state: SearchState,
    ) -> Result<(SearchState, Option<KV>), Error> {
        let (state, log) = self.search.next_iter(problem, state)?;
        self.trials += 1;
        if !state.terminated() && self.trials >= MAX_TRIALS {
            return Err(Error::msg("no step satisfies the Wolfe conditions"));
        }
        Ok((state, log))
    }
}
