//! argmin's Moré–Thuente line search with the guards that it lacks: a scaled first step, a limit to the number
//! of trials, and a check of what it accepts.

use std::cell::Cell;
use std::rc::Rc;

use argmin::core::{CostFunction, Error, Gradient, IterState, KV, Problem, Solver, State};
use argmin::solver::linesearch::{LineSearch, MoreThuenteLineSearch};
use argmin_math::{ArgminDot, ArgminL2Norm};

use super::point::Point;

/// Trials in one search. Almost every search needs one; one that needs more than a few has met noise.
const MOST_TRIALS: usize = 10;

/// argmin's state of a search and of L-BFGS.
pub type SearchState = IterState<Point, Point, (), (), (), f64>;

/// The line search that L-BFGS clones for every step.
#[derive(Clone)]
pub struct GuardedLineSearch {
    search: MoreThuenteLineSearch<Point, Point, f64>,
    direction: Option<Point>,
    /// Root mean square of the change to try first, taken by the first search: later directions are scaled by
    /// the curvature, and begin at a step of 1.
    first_step: Rc<Cell<Option<f64>>>,
    trials: usize,
    loss: f64,
    slope: f64,
}

impl GuardedLineSearch {
    /// A line search whose first trial changes the variables by `first_step` in the root mean square.
    pub fn new(first_step: f64) -> Result<Self, Error> {
        Ok(Self {
            // The default bounds would forbid the small steps that a steep function needs.
            search: MoreThuenteLineSearch::new().with_bounds(0.0, 1e20)?,
            direction: None,
            first_step: Rc::new(Cell::new(Some(first_step))),
            trials: 0,
            loss: f64::NAN,
            slope: f64::NAN,
        })
    }
}

impl LineSearch<Point, f64> for GuardedLineSearch {
    fn search_direction(&mut self, direction: Point) {
        self.direction = Some(direction.clone());
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
        problem: &mut Problem<O>,
        state: SearchState,
    ) -> Result<(SearchState, Option<KV>), Error> {
        let (Some(direction), Some(gradient)) = (&self.direction, state.get_gradient()) else {
            return Err(Error::msg("the search has no direction or no gradient"));
        };
        self.trials = 0;
        self.loss = state.get_cost();
        self.slope = gradient.dot(direction);
        if let Some(first_step) = self.first_step.take() {
            let scale = (direction.values().len() as f64).sqrt() / direction.l2_norm();
            self.search.initial_step_length(first_step * scale)?;
        }
        self.search.init(problem, state)
    }

    fn next_iter(
        &mut self,
        problem: &mut Problem<O>,
        state: SearchState,
    ) -> Result<(SearchState, Option<KV>), Error> {
        let (state, log) = self.search.next_iter(problem, state)?;
        self.trials += 1;
        if state.terminated() {
            self.check(&state)?;
        } else if self.trials >= MOST_TRIALS {
            return Err(Error::msg("no step satisfies the Wolfe conditions"));
        }
        Ok((state, log))
    }
}

impl GuardedLineSearch {
    /// Moré and Thuente's search also ends where it can't get any closer. Only a lower loss is a step, and only
    /// a flatter slope, that is yᵀs > 0, is a curvature that L-BFGS may learn from.
    fn check(&self, state: &SearchState) -> Result<(), Error> {
        let slope = state.get_gradient().zip(self.direction.as_ref()).map(|(g, d)| g.dot(d));
        match slope {
            Some(slope) if state.get_cost() < self.loss && slope > self.slope => Ok(()),
            _ => Err(Error::msg("the step accepted does not lower the loss, or not the slope")),
        }
    }
}
