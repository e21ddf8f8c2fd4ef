//! Minimising a smooth function of many variables. Knows nothing of pictures or networks.

mod adam;
mod bounds;
mod lbfgs;
mod line_search;
mod memo;
mod point;

use std::collections::VecDeque;
use std::ops::ControlFlow;

pub use adam::adam;
pub use bounds::Bounds;
pub use lbfgs::lbfgs;

/// The function to minimise: gives its value at a point, and writes its gradient, as long as the point. Nothing where it
/// was broken off, which ends the optimiser.
pub type Function<'f> = dyn FnMut(&[f32], &mut [f32]) -> Option<f64> + 'f;

/// Nothing where all is finite; else the value, or NaN where only the gradient is not.
fn not_finite(loss: f64, gradient: &[f32]) -> Option<f64> {
    match gradient.iter().all(|g| g.is_finite()) {
        true if loss.is_finite() => None,
        true => Some(loss),
        false => Some(f64::NAN),
    }
}

/// Called after every step; breaking stops the optimiser.
pub type OnStep<'s> = dyn FnMut(&Step) -> ControlFlow<()> + 's;

/// When to stop, and how far to go at first.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The most steps.
    pub steps: usize,
    /// Stop when the loss fell by less than this share of itself over the last steps: 10 of L-BFGS, 50 of Adam.
    pub tolerance: f64,
    /// Root mean square of the change to the variables in L-BFGS's first trial, before it knows the function's
    /// curvature; Adam's step size.
    pub first_step: f64,
    /// Pairs of steps and gradient changes from which L-BFGS models the curvature.
    pub history: usize,
    /// What every variable stays within.
    pub bounds: Bounds,
}

/// Where the optimiser is.
pub struct Step<'p> {
    /// Steps done.
    pub step: usize,
    /// Evaluations of the function until now.
    pub evaluations: usize,
    /// The function's value at `point`.
    pub loss: f64,
    /// The point that the step led to, which is the one last evaluated.
    pub point: &'p [f32],
}

/// Why an optimiser stopped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stop {
    /// All steps are done.
    Steps,
    /// The loss no longer falls.
    NoProgress,
    /// [`OnStep`] or the function broke off.
    Cancelled,
    /// The function was not finite, here, wherever the optimiser went.
    NotFinite {
        /// Its value, or NaN where only its gradient was not finite.
        loss: f64,
    },
}

/// The best point found.
pub struct Minimum {
    /// The point.
    pub point: Vec<f32>,
    /// The function's value there.
    pub loss: f64,
    /// Steps done.
    pub steps: usize,
    /// Evaluations of the function.
    pub evaluations: usize,
    /// Why the optimiser stopped.
    pub stop: Stop,
}

/// Whether the losses of the last steps still fall.
struct Convergence {
    tolerance: f64,
    patience: usize,
    losses: VecDeque<f64>,
}

impl Convergence {
    fn new(tolerance: f64, patience: usize, start: f64) -> Self {
        Self { tolerance, patience, losses: [start].into() }
    }

    /// Takes the loss after a step; whether it fell enough over the last `patience` steps, if there were as many.
    fn still_falls(&mut self, loss: f64) -> bool {
        self.losses.push_back(loss);
        if self.losses.len() <= self.patience {
            return true;
        }
        let before = self.losses.pop_front().unwrap_or(loss);
        before - loss > self.tolerance * before.abs()
    }
}
