//! The function as argmin sees it: cost and gradient apart, no point evaluated twice.
//!
//! Moré and Thuente's line search asks for the cost and then for the gradient at each trial, and L-BFGS asks for
//! the gradient once more at the point accepted: three evaluations where one will do.

use std::cell::RefCell;

use argmin::core::{CostFunction, Error, Gradient};

use super::point::{Point, buffer};
use super::{Function, not_finite};

/// An evaluation and its point.
#[derive(Clone)]
pub struct Evaluated {
    /// Where.
    pub point: Point,
    /// The function's value.
    pub loss: f64,
    /// Its gradient, without what leads out of the bounds.
    pub gradient: Point,
}

/// The function, its last evaluation and its best.
pub struct Memo<'f> {
    function: &'f mut Function<'f>,
    /// The last evaluation.
    pub last: Option<Evaluated>,
    /// The finite evaluation of the least value.
    pub best: Option<Evaluated>,
    /// Evaluations until now.
    pub evaluations: usize,
    /// The value of the last evaluation if it, or its gradient, was not finite.
    pub not_finite: Option<f64>,
    /// Whether the last evaluation was broken off.
    pub cancelled: bool,
}

impl<'f> Memo<'f> {
    /// Nothing evaluated yet.
    pub fn new(function: &'f mut Function<'f>) -> Self {
        Self { function, last: None, best: None, evaluations: 0, not_finite: None, cancelled: false }
    }

    /// The evaluation at `point`, which is made only if it is not the last one.
    ///
    /// # Errors
    /// Where the function or its gradient is not finite, or the evaluation was broken off.
    pub fn at(&mut self, point: &Point) -> Result<Evaluated, Error> {
        if let Some(last) = self.last.as_ref().filter(|last| last.point.id() == point.id()) {
            return Ok(last.clone());
        }
        let mut gradient = buffer(point.values().len());
        let Some(loss) = (self.function)(point.values(), &mut gradient) else {
            self.cancelled = true;
            return Err(Error::msg("broken off"));
        };
        self.evaluations += 1;
        self.not_finite = not_finite(loss, &gradient);
        if let Some(loss) = self.not_finite {
            return Err(Error::msg(format!("the function is {loss}")));
        }
        point.project(&mut gradient);
        let evaluated = Evaluated { point: point.clone(), loss, gradient: Point::new(gradient) };
        if self.best.as_ref().is_none_or(|best| loss < best.loss) {
            self.best = Some(evaluated.clone());
        }
        self.last = Some(evaluated.clone());
        Ok(evaluated)
    }
}

/// The problem handed to argmin, which takes it by value and loses it in errors.
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
