//! Adam (Kingma and Ba 2015, algorithm 1): more robust than L-BFGS on rough losses, slower on smooth ones.

use std::collections::VecDeque;
use std::mem;

use crate::parallel::ranks::Ranks;

use super::state::{Fault, Loading, Stored};
use super::{Convergence, Function, Minimum, OnStep, Save, Saved, Settings, State, Step, Stop, not_finite};

// The paper's recommended values.
const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-8;
/// Steps over which convergence is judged: more than for L-BFGS, because Adam's losses fluctuate.
const PATIENCE: usize = 50;

/// The state after an update of the point, which may not be evaluated yet.
pub struct AdamState {
    vectors: Vectors,
    /// The loss at the point; `None` if that is not evaluated yet.
    loss: Option<f64>,
    best_loss: f64,
    /// Those by which convergence is judged.
    losses: VecDeque<f64>,
    updates: usize,
}

/// All that takes memory, which is also what is saved.
struct Vectors {
    point: Vec<f32>,
    /// The estimates of the gradient's first and second moments.
    mean: Vec<f32>,
    square: Vec<f32>,
    /// The gradient at the point, once that is evaluated.
    gradient: Vec<f32>,
    best: Vec<f32>,
}

impl Vectors {
    const NAMES: [&'static str; 5] = ["point", "mean", "square", "gradient", "best"];

    /// Those that `of` gives for each name.
    fn try_of<E>(of: impl FnMut(&'static str) -> Result<Vec<f32>, E>) -> Result<Self, E> {
        let mut vectors = Self::NAMES.into_iter().map(of);
        let [point, mean, square, gradient, best] =
            std::array::from_fn(|_| vectors.next().expect("one for each name"));
        Ok(Self { point: point?, mean: mean?, square: square?, gradient: gradient?, best: best? })
    }

    /// In the order of their names.
    fn all(&self) -> [&Vec<f32>; Self::NAMES.len()] {
        let Self { point, mean, square, gradient, best } = self;
        [point, mean, square, gradient, best]
    }
}

/// Bytes of Adam with so many variables.
pub fn adam_bytes(variables: u64) -> u64 {
    (Vectors::NAMES.len() * size_of::<f32>()) as u64 * variables
}

/// Minimises `function` within the bounds with the step size `settings.first_step`, calling `on_step` after every step. Takes one
/// evaluation per step, and one at the start.
///
/// # Panics
/// If `start` is a state of another optimiser.
pub fn adam(
    function: &mut Function,
    start: impl Into<State>,
    settings: &Settings,
    on_step: &mut OnStep,
) -> Minimum {
    let mut state = match start.into() {
        State::Start(mut point) => {
            point.iter_mut().for_each(|x| *x = settings.bounds.clamp(*x));
            let mut gradient = vec![0.0; point.len()];
            match function(&point, &mut gradient) {
                Some(loss) => AdamState::new(point, loss, gradient),
                None => return nowhere(point),
            }
        }
        State::Adam(state) => state,
        State::Lbfgs(_) => panic!("Adam can't go on from a state of L-BFGS"),
    };
    let mut convergence = Convergence::new(settings.tolerance, PATIENCE, mem::take(&mut state.losses));
    let stop = loop {
        let loss = match state.loss {
            Some(loss) => loss,
            None => {
                let Some(loss) = function(&state.vectors.point, &mut state.vectors.gradient) else {
                    break Stop::Cancelled;
                };
                state.note(loss, &settings.ranks);
                convergence.record(state.best_loss);
                state.losses.clone_from(&convergence.losses);
                let (step, evaluations) = (state.steps(), state.steps() + 1);
                let point = &state.vectors.point;
                if on_step(&Step { step, evaluations, loss, point, state: &state }).is_break() {
                    break Stop::Cancelled;
                }
                loss
            }
        };
        if !convergence.still_falls() {
            break Stop::NoProgress;
        }
        if state.updates >= settings.steps {
            break Stop::Steps;
        }
        if let Some(loss) = not_finite(loss, &state.vectors.gradient, &settings.ranks) {
            break Stop::NotFinite { loss };
        }
        state.update(settings);
    };
    state.losses = convergence.losses;
    state.minimum(stop)
}

/// What is found where not even the start could be evaluated.
fn nowhere(start: Vec<f32>) -> Minimum {
    let state = Some(State::Start(start.clone()));
    Minimum { point: start, loss: f64::NAN, steps: 0, evaluations: 0, stop: Stop::Cancelled, state }
}

impl AdamState {
    /// That of a start.
    fn new(point: Vec<f32>, loss: f64, gradient: Vec<f32>) -> Self {
        let zeros = vec![0.0; point.len()];
        let vectors = Vectors { mean: zeros.clone(), square: zeros, gradient, best: point.clone(), point };
        Self { vectors, loss: Some(loss), best_loss: loss, losses: [loss].into(), updates: 0 }
    }

    /// Moves the point.
    fn update(&mut self, settings: &Settings) {
        self.updates += 1;
        let [unbias_1, unbias_2] = [BETA_1, BETA_2].map(|beta| 1.0 - beta.powi(self.updates as i32));
        let rate = settings.first_step as f32 * unbias_2.sqrt() / unbias_1;
        let Vectors { point, mean, square, gradient, .. } = &mut self.vectors;
        for (((x, g), mean), square) in point.iter_mut().zip(gradient).zip(mean).zip(square) {
            *mean += (1.0 - BETA_1) * (*g - *mean);
            *square += (1.0 - BETA_2) * (*g * *g - *square);
            *x = settings.bounds.clamp(*x - rate * *mean / (square.sqrt() + EPSILON * unbias_2.sqrt()));
        }
        self.loss = None;
    }

    /// Notes the loss at the point, of which the gradient is known.
    fn note(&mut self, loss: f64, ranks: &Ranks) {
        self.loss = Some(loss);
        let Vectors { point, gradient, best, .. } = &mut self.vectors;
        if loss < self.best_loss && not_finite(loss, gradient, ranks).is_none() {
            best.copy_from_slice(point);
            self.best_loss = loss;
        }
    }

    /// Updates whose point was evaluated.
    fn steps(&self) -> usize {
        self.updates - usize::from(self.loss.is_none())
    }

    /// The result.
    fn minimum(self, stop: Stop) -> Minimum {
        let steps = self.steps();
        let (loss, evaluations) = (self.best_loss, steps + 1);
        let (point, state) = match stop {
            Stop::Cancelled => (self.vectors.best.clone(), Some(State::Adam(self))),
            _ => (self.vectors.best, None),
        };
        Minimum { point, loss, steps, evaluations, stop, state }
    }

    pub(super) const KIND: &'static str = "adam";

    pub(super) fn load(mut saved: Loading) -> Result<Self, Fault> {
        let loss = match saved.take_number("is_evaluated")? {
            0 => None,
            _ => Some(saved.take_real("loss")?),
        };
        let updates = saved.take_number("updates")?;
        if loss.is_none() && updates == 0 {
            return Err("it has neither a step nor a loss".to_owned().into());
        }
        let is_evaluated = loss.is_some();
        let mut len = 0;
        let vectors = Vectors::try_of(|name| {
            // The point is the first.
            let values = match is_saved(name, is_evaluated) {
                true => saved.vector(name)?,
                false => vec![0.0; len],
            };
            len = values.len();
            Ok::<_, Fault>(values)
        })?;
        let (best_loss, losses) = (saved.take_real("best_loss")?, saved.take_reals("losses")?);
        Ok(Self { vectors, loss, best_loss, losses, updates })
    }
}

/// Whether a file has the vector of this name: the gradient only where the point was evaluated.
fn is_saved(name: &str, is_evaluated: bool) -> bool {
    name != "gradient" || is_evaluated
}

impl Save for AdamState {
    fn saved(&self) -> Saved<Stored<'_>> {
        let mut saved = Saved::new(Self::KIND);
        for (name, values) in Vectors::NAMES.into_iter().zip(self.vectors.all()) {
            if is_saved(name, self.loss.is_some()) {
                saved.vector(name, Stored::Single(values));
            }
        }
        saved.number("is_evaluated", u8::from(self.loss.is_some()));
        if let Some(loss) = &self.loss {
            saved.reals("loss", [loss]);
        }
        saved.reals("best_loss", [&self.best_loss]);
        saved.reals("losses", &self.losses);
        saved.number("updates", self.updates);
        saved
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::optimize::{Bounds, History};

    /// What [`adam_bytes`] counts.
    #[test]
    fn the_state_takes_what_is_foreseen() {
        let mut function = |x: &[f32], gradient: &mut [f32]| {
            gradient.copy_from_slice(x);
            Some(x.iter().map(|x| 0.5 * f64::from(x * x)).sum())
        };
        let settings = Settings {
            steps: 3,
            tolerance: 0.0,
            first_step: 0.02,
            history: History::single(1),
            bounds: Bounds::NONE,
            ranks: Ranks::ALONE,
        };
        let found = adam(&mut function, vec![1.0; 1000], &settings, &mut |step| match step.step {
            2 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        });
        let Some(State::Adam(state)) = found.state else { panic!("it has no state") };
        let taken: usize =
            state.vectors.all().iter().map(|values| values.capacity() * size_of::<f32>()).sum();
        assert_eq!(taken as u64, adam_bytes(1000));
    }

    #[test]
    fn finds_the_minimum_of_a_quadratic_and_keeps_the_best_point() {
        let value = |x: &[f32]| x.iter().map(|x| (*x as f64 - 0.25).powi(2)).sum::<f64>();
        let mut function = |x: &[f32], gradient: &mut [f32]| {
            gradient.iter_mut().zip(x).for_each(|(g, x)| *g = 2.0 * (x - 0.25));
            Some(value(x))
        };
        let settings = Settings {
            steps: 500,
            tolerance: 0.0,
            first_step: 0.02,
            history: History::single(0),
            bounds: Bounds::NONE,
            ranks: Ranks::ALONE,
        };
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
        let settings = Settings {
            steps: 500,
            tolerance: 0.0,
            first_step: 0.02,
            history: History::single(0),
            bounds,
            ranks: Ranks::ALONE,
        };
        let found = adam(&mut function, vec![-3.0, 0.5, 0.5], &settings, &mut |_| ControlFlow::Continue(()));
        assert!((found.point[0] - 0.5).abs() < 1e-3 && found.point[1..] == [0.0, 1.0], "{:?}", found.point);
    }

    #[test]
    fn stops_when_the_function_is_not_finite() {
        let mut function = |x: &[f32], gradient: &mut [f32]| {
            gradient.fill(-1.0);
            Some(if x[0] > 0.1 { f64::NAN } else { 1.0 - x[0] as f64 })
        };
        let settings = Settings {
            steps: 50,
            tolerance: 0.0,
            first_step: 0.02,
            history: History::single(0),
            bounds: Bounds::NONE,
            ranks: Ranks::ALONE,
        };
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
        let settings = Settings {
            steps: 50,
            tolerance: 0.0,
            first_step: 0.02,
            history: History::single(0),
            bounds: Bounds::NONE,
            ranks: Ranks::ALONE,
        };
        let found = adam(&mut function, vec![0.0], &settings, &mut |_| ControlFlow::Continue(()));
        assert_eq!((found.stop, found.steps, found.evaluations), (Stop::Cancelled, 1, 2));
        assert!(found.point[0] > 0.0 && found.loss < 1.0);
    }
}
