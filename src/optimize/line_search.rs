//! argmin's Moré–Thuente line search with safeguards that it lacks: a scaled first step, a limit on the number of trials, and
//! a check of the accepted step. The search follows the projected path, which bends where a variable reaches its bound:
//! Bertsekas 1982, "Projected Newton Methods for Optimization Problems with Simple Constraints".

use std::cell::RefCell;

use argmin::core::{
    CostFunction, Error, Executor, Gradient, IterState, KV, Problem as Counted, Solver, State,
};
use argmin::solver::linesearch::{LineSearch, MoreThuenteLineSearch};
use argmin_math::ArgminL2Norm;
use serde::{Deserialize, Serialize};

use crate::parallel::reduce::{self, Difference};

use super::memo::{Evaluated, Memo, Problem};
use super::point::Point;

/// The most trials of one search. Almost every search needs one; many trials mean that the loss differences have reached
/// rounding noise.
const MAX_TRIALS: usize = 10;

/// argmin's state of a line search.
pub type SearchState = IterState<Point, Point, (), (), (), f64>;

/// Searches from `start` along the `direction` of descent, by itself. The evaluation that it ends at is then the memo's last.
///
/// # Errors
/// If no step was accepted, the function is not finite, or an evaluation was cancelled.
pub fn search(
    memo: &RefCell<Memo>,
    start: &Evaluated,
    direction: Point,
    first_step: Option<f64>,
) -> Result<(), Error> {
    let mut search = GuardedLineSearch::new(first_step)?;
    search.search_direction(direction);
    let Evaluated { point, loss, gradient } = start.clone();
    let of_start = |state: SearchState| state.param(point).cost(loss).gradient(gradient);
    Executor::new(Problem(memo), search).configure(of_start).ctrlc(false).timer(false).run()?;
    Ok(())
}

/// The line search with safeguards. Its form for checkpoints, which is a part of L-BFGS's, is that of a search before it starts.
#[derive(Clone, Serialize, Deserialize)]
#[serde(into = "Option<f64>", try_from = "Option<f64>")]
pub struct GuardedLineSearch {
    search: MoreThuenteLineSearch<Point, Point, f64>,
    direction: Option<Point>,
    /// Root mean square of the change at the first trial. If `None`, the first trial is a step of 1, as for directions that are
    /// scaled by the curvature.
    first_step: Option<f64>,
    trials: usize,
    /// The point at which the search starts.
    start: Option<Evaluated>,
}

impl GuardedLineSearch {
    /// A line search whose first trial changes the variables by `first_step` in the root mean square, or if that is `None`, by
    /// all of the direction.
    pub fn new(first_step: Option<f64>) -> Result<Self, Error> {
        Ok(Self {
            // The default lower bound on the step would exclude the small steps that a steep function needs.
            search: MoreThuenteLineSearch::new().with_bounds(0.0, 1e20)?,
            direction: None,
            first_step,
            trials: 0,
            start: None,
        })
    }
}

impl From<GuardedLineSearch> for Option<f64> {
    fn from(search: GuardedLineSearch) -> Self {
        search.first_step
    }
}

impl TryFrom<Option<f64>> for GuardedLineSearch {
    type Error = Error;

    fn try_from(first_step: Option<f64>) -> Result<Self, Error> {
        Self::new(first_step)
    }
}

impl LineSearch<Point, f64> for GuardedLineSearch {
    fn search_direction(&mut self, direction: Point) {
        self.direction = Some(direction);
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
        let (Some(direction), Some(point), Some(gradient)) =
            (self.direction.take(), state.get_param(), state.get_gradient())
        else {
            return Err(Error::msg("the search has no direction, no start or no gradient"));
        };
        let direction = point.feasible(direction, gradient);
        self.start =
            Some(Evaluated { point: point.clone(), loss: state.get_cost(), gradient: gradient.clone() });
        if let Some(first_step) = self.first_step.take() {
            let scale = direction.dimension().sqrt() / direction.l2_norm();
            self.search.initial_step_length(first_step * scale)?;
        }
        self.search.search_direction(direction);
        self.search.init(problem, state)
    }

    fn next_iter(
        &mut self,
        problem: &mut Counted<O>,
        state: SearchState,
    ) -> Result<(SearchState, Option<KV>), Error> {
        let (state, log) = self.search.next_iter(problem, state)?;
        self.trials += 1;
        if state.terminated() {
            self.check(&state)?;
        } else if self.trials >= MAX_TRIALS {
            return Err(Error::msg("no step satisfies the Wolfe conditions"));
        }
        Ok((state, log))
    }
}

impl GuardedLineSearch {
    /// Checks the step that the search ended with, because it also ends when it cannot improve any further: the loss must be
    /// lower, and the curvature yᵀs positive, as L-BFGS requires.
    fn check(&self, state: &SearchState) -> Result<(), Error> {
        let (Some(start), Some(point), Some(gradient)) =
            (&self.start, state.get_param(), state.get_gradient())
        else {
            return Err(Error::msg("the search ended nowhere"));
        };
        let curvature = || {
            let change = Difference(gradient.values(), start.gradient.values());
            let step = Difference(point.values(), start.point.values());
            point.ranks().total(reduce::dot_of(&change, &step))
        };
        match state.get_cost() < start.loss && curvature() > 0.0 {
            true => Ok(()),
            false => Err(Error::msg("the step accepted does not lower the loss, or has no curvature")),
        }
    }
}
