//! The function as an argmin problem, with separate cost and gradient, that remembers its last evaluation.
//!
//! The line search requests first the cost and then the gradient of each trial, and L-BFGS the gradient of the accepted
//! point once more: without a memo that would be three evaluations instead of one.

use std::cell::RefCell;

use argmin::core::{CostFunction, Error, Gradient};

use super::point::{Point, buffer, release_buffers};
use super::{Function, Stop, Storage, not_finite};

/// A point with the function's value and gradient there.
#[derive(Clone)]
pub struct Evaluated {
    /// The point.
    pub point: Point,
    /// The function's value.
    pub loss: f64,
    /// The projected gradient: 0 for variables at a bound that descent would cross.
    pub gradient: Point,
}

/// The function with its last and its best evaluation.
pub struct Memo<'f> {
    function: &'f mut Function<'f>,
    /// Whether a trial that a search refuses may be the best. It takes the memory of two points.
    keeps_trials: bool,
    /// The last evaluation.
    pub last: Option<Evaluated>,
    /// The finite evaluation with the lowest value, of those that were noted.
    pub best: Option<Evaluated>,
    /// Evaluations so far.
    pub evaluations: usize,
    /// The value of the last evaluation if that was not finite, NaN if its gradient was not finite.
    pub not_finite: Option<f64>,
    /// Whether the last evaluation was cancelled.
    pub cancelled: bool,
}

impl<'f> Memo<'f> {
    /// A memo without evaluations, which saves memory where the pairs are in 16-bit fixed point.
    pub fn new(function: &'f mut Function<'f>, storage: Storage) -> Self {
        let keeps_trials = storage == Storage::Single;
        let (last, best) = (None, None);
        Self { function, keeps_trials, last, best, evaluations: 0, not_finite: None, cancelled: false }
    }

    /// Notes an evaluation, which may be the best.
    pub fn note(&mut self, evaluated: &Evaluated) {
        if self.best.as_ref().is_none_or(|best| evaluated.loss < best.loss) {
            self.best = Some(evaluated.clone());
        }
    }

    /// Goes on from the last evaluation and the best one of so many.
    pub fn resume(&mut self, last: Evaluated, best: Evaluated, evaluations: usize) {
        (self.last, self.best, self.evaluations) = (Some(last), Some(best), evaluations);
    }

    /// Why an optimiser stops whose line search failed.
    pub fn failure(&self) -> Stop {
        match self.not_finite {
            _ if self.cancelled => Stop::Cancelled,
            Some(loss) => Stop::NotFinite { loss },
            None => Stop::NoProgress,
        }
    }

    /// The evaluation at `point`: the last one if it was there, else a new one.
    ///
    /// # Errors
    /// If the function or its gradient is not finite, or the evaluation was cancelled.
    pub fn at(&mut self, point: &Point) -> Result<Evaluated, Error> {
        if let Some(last) = self.last.as_ref().filter(|last| last.point.id() == point.id()) {
            return Ok(last.clone());
        }
        self.last = None;
        let mut gradient = buffer(point.values().len());
        // An evaluation takes the most memory.
        release_buffers();
        let Some(loss) = (self.function)(point.values(), &mut gradient) else {
            self.cancelled = true;
            return Err(Error::msg("the evaluation was cancelled"));
        };
        self.evaluations += 1;
        self.not_finite = not_finite(loss, &gradient, point.ranks());
        if let Some(loss) = self.not_finite {
            return Err(Error::msg(format!("the function is {loss}")));
        }
        point.project(&mut gradient);
        let evaluated =
            Evaluated { point: point.clone(), loss, gradient: Point::new(gradient, point.ranks()) };
        if self.keeps_trials {
            self.note(&evaluated);
        }
        self.last = Some(evaluated.clone());
        Ok(evaluated)
    }
}

/// The problem passed to argmin. It only borrows the memo, because argmin takes it by value and drops it on errors.
pub struct Problem<'m, 'f>(pub &'m RefCell<Memo<'f>>);

impl CostFunction for Problem<'_, '_> {
    type Param = Point;
    type Output = f64;

    fn cost(&self, point: &Point) -> Result<f64, Error> {
        Ok(self.0.borrow_mut().at(point)?.loss)
    }
}

impl Gradient for Problem<'_, '_> {
    type Param = Point;
    type Gradient = Point;

    fn gradient(&self, point: &Point) -> Result<Point, Error> {
        Ok(self.0.borrow_mut().at(point)?.gradient)
    }
}
