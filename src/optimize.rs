//! Bound-constrained minimisation of a smooth function of many variables, which ranks may share. Independent of pictures and
//! networks.

mod adam;
mod bounds;
mod fixed16;
mod lbfgs;
mod line_search;
mod memo;
mod point;
mod state;

use std::collections::VecDeque;
use std::ops::ControlFlow;

use crate::named::named;
use crate::parallel::ranks::Ranks;

pub use adam::{adam, adam_bytes};
pub use bounds::Bounds;
pub use fixed16::Fixed16;
pub use lbfgs::lbfgs;
pub use state::{Fault, Loading, Save, Saved, State, Stored};

/// The function to minimise: returns its value at a point, the first argument, and writes its gradient, of the same length, to
/// the second. `None` if the evaluation was cancelled, which ends the optimiser.
pub type Function<'f> = dyn FnMut(&[f32], &mut [f32]) -> Option<f64> + 'f;

/// `None` if the loss and its gradient are finite on all ranks; else the loss, or NaN if the gradient is not finite.
fn not_finite(loss: f64, gradient: &[f32], ranks: &Ranks) -> Option<f64> {
    match !ranks.any(gradient.iter().any(|g| !g.is_finite())) {
        true if loss.is_finite() => None,
        true => Some(loss),
        false => Some(f64::NAN),
    }
}

/// Called after every step; breaking stops the optimiser.
pub type OnStep<'s> = dyn FnMut(&Step) -> ControlFlow<()> + 's;

/// The pairs of steps and gradient changes from which L-BFGS estimates the curvature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// The most of them.
    pub pairs: usize,
    /// How their values are kept.
    pub storage: Storage,
}

/// How the values of a pair are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// As f32.
    Single,
    /// In 16-bit fixed point; see [`Fixed16`]. Then nothing else takes memory either that can be done without: a point that the
    /// line search refuses is forgotten, even if it is the best.
    Fixed16,
}

named!(Storage { Single => "f32", Fixed16 => "fixed16" });

impl History {
    /// So many pairs in f32.
    pub const fn single(pairs: usize) -> Self {
        Self { pairs, storage: Storage::Single }
    }

    /// So many pairs in 16-bit fixed point.
    pub const fn fixed16(pairs: usize) -> Self {
        Self { pairs, storage: Storage::Fixed16 }
    }

    /// Bytes of L-BFGS with this history and so many variables at most: beside the pairs a point and the next one, their gradients
    /// and the direction; with pairs in f32 also argmin's intermediate vectors, a trial that was refused and its gradient, and free
    /// buffers.
    pub fn bytes(self, variables: u64) -> u64 {
        let single = size_of::<f32>() as u64 * variables;
        let pairs = 2 * self.pairs as u64;
        match self.storage {
            Storage::Single => (12 + pairs) * single,
            Storage::Fixed16 => 5 * single + pairs * Fixed16::bytes(variables),
        }
    }
}

/// The settings of an optimiser.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The maximum number of steps.
    pub steps: usize,
    /// Stop when the relative decrease of the loss over the last steps, 10 for L-BFGS and 50 for Adam, is below this.
    pub tolerance: f64,
    /// L-BFGS: root mean square of the change to the variables at the first trial, when the curvature is still unknown.
    /// Adam: the step size.
    pub first_step: f64,
    /// L-BFGS's pairs of steps and gradient changes.
    pub history: History,
    /// The bounds of every variable.
    pub bounds: Bounds,
    /// The ranks that share the variables: each has a part of them, and the function's value is the same on all.
    pub ranks: Ranks,
}

/// The state of an optimiser after a step.
pub struct Step<'p> {
    /// Steps done.
    pub step: usize,
    /// Evaluations of the function so far.
    pub evaluations: usize,
    /// The function's value at `point`.
    pub loss: f64,
    /// The point after the step, which is the one last evaluated.
    pub point: &'p [f32],
    /// All that is needed to go on from here.
    pub state: &'p dyn Save,
}

/// Why an optimiser stopped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stop {
    /// All steps are done.
    Steps,
    /// The loss no longer decreases.
    NoProgress,
    /// [`OnStep`] returned `Break`, or the function returned `None`.
    Cancelled,
    /// The function was not finite at the points that the optimiser tried.
    NotFinite {
        /// Its value, or NaN if its gradient was not finite.
        loss: f64,
    },
}

/// The result of an optimiser: the best point found.
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
    /// If it was [cancelled](Stop::Cancelled), its state after the last step, from which it can go on.
    pub state: Option<State>,
}

/// The convergence criterion: the relative decrease of the loss over the last `patience` steps.
struct Convergence {
    tolerance: f64,
    patience: usize,
    /// Those after the last steps, one more than `patience` at most.
    losses: VecDeque<f64>,
}

impl Convergence {
    /// With the losses after the last steps, or of the start alone.
    fn new(tolerance: f64, patience: usize, losses: impl Into<VecDeque<f64>>) -> Self {
        Self { tolerance, patience, losses: losses.into() }
    }

    /// Records the loss after a step.
    fn record(&mut self, loss: f64) {
        self.losses.push_back(loss);
        if self.losses.len() > self.patience + 1 {
            self.losses.pop_front();
        }
    }

    /// Whether the loss decreased enough over the last `patience` steps, or there were fewer.
    fn still_falls(&self) -> bool {
        match (self.losses.front(), self.losses.back()) {
            (Some(before), Some(last)) if self.losses.len() > self.patience => {
                before - last > self.tolerance * before.abs()
            }
            _ => true,
        }
    }
}
