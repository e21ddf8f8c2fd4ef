//! The state of an optimiser between two steps, from which it goes on exactly as if it had not been stopped; and its form in a
//! file, named numbers and vectors.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::io;

use crate::parallel::ranks::Ranks;

use super::adam::AdamState;
use super::fixed16::Fixed16;
use super::lbfgs::LbfgsState;
use super::{Bounds, History};

/// Where an optimiser starts.
pub enum State {
    /// At a point, of which nothing is known.
    Start(Vec<f32>),
    /// Where L-BFGS was.
    Lbfgs(LbfgsState),
    /// Where Adam was.
    Adam(AdamState),
}

impl From<Vec<f32>> for State {
    fn from(point: Vec<f32>) -> Self {
        Self::Start(point)
    }
}

/// What can be saved and loaded again.
pub trait Save {
    /// Its numbers and vectors.
    fn saved(&self) -> Saved<Stored<'_>>;
}

/// A vector of a state.
#[derive(Clone, Copy)]
pub enum Stored<'s> {
    /// As it is.
    Single(&'s [f32]),
    /// In 16-bit fixed point.
    Fixed16(&'s Fixed16),
}

impl<'s> Stored<'s> {
    /// Its values. Those in 16-bit fixed point are exact in f32.
    pub fn values(self) -> Cow<'s, [f32]> {
        match self {
            Self::Single(values) => Cow::Borrowed(values),
            Self::Fixed16(values) => Cow::Owned(values.to_vec()),
        }
    }
}

/// A state's numbers and vectors, by their names.
pub struct Saved<V> {
    /// Which state it is.
    pub kind: &'static str,
    /// Numbers, as texts of one or several that are separated by spaces.
    pub numbers: BTreeMap<String, String>,
    /// Vectors, all of the same length.
    pub vectors: BTreeMap<String, V>,
}

impl<V> Saved<V> {
    /// Without numbers and vectors.
    pub(super) fn new(kind: &'static str) -> Self {
        Self { kind, numbers: BTreeMap::new(), vectors: BTreeMap::new() }
    }

    pub(super) fn number(&mut self, name: &str, value: impl ToString) {
        self.numbers.insert(name.to_owned(), value.to_string());
    }

    /// f64 as the shortest text that is read as the same number.
    pub(super) fn reals<'n>(&mut self, name: &str, values: impl IntoIterator<Item = &'n f64>) {
        let texts: Vec<_> = values.into_iter().map(|value| format!("{value:?}")).collect();
        self.number(name, texts.join(" "));
    }

    pub(super) fn vector(&mut self, name: impl Into<String>, values: V) {
        self.vectors.insert(name.into(), values);
    }
}

/// Why a saved state is none.
#[derive(Debug)]
pub enum Fault {
    /// What is missing in it, or is not as it was saved.
    Damaged(String),
    /// A vector could not be read.
    Unreadable(io::Error),
}

impl From<String> for Fault {
    fn from(reason: String) -> Self {
        Self::Damaged(reason)
    }
}

/// A state that is loaded. Its vectors are read one at a time, where they are wanted, so that one that is kept in less than f32
/// takes no more than that but while it is read.
pub struct Loading<'l> {
    /// Which state it is.
    pub kind: &'static str,
    /// Its numbers, by their names.
    pub numbers: BTreeMap<String, String>,
    /// Reads the vector of this name.
    pub read: &'l mut dyn FnMut(&str) -> Result<Vec<f32>, Fault>,
}

impl Loading<'_> {
    /// Takes a number.
    pub(super) fn take_number(&mut self, name: &str) -> Result<usize, Fault> {
        // More than enough for any count, and sums of them stay in range.
        let number: u32 = self.take(name)?.parse().map_err(|_| format!("{name} is no number"))?;
        usize::try_from(number).map_err(|_| format!("{name} is too large").into())
    }

    /// Takes `count` f64.
    pub(super) fn take_reals(&mut self, name: &str) -> Result<VecDeque<f64>, Fault> {
        let reals = self.take(name)?.split(' ').map(str::parse).collect::<Result<_, _>>();
        reals.map_err(|_| format!("{name} are no numbers").into())
    }

    /// Takes one f64.
    pub(super) fn take_real(&mut self, name: &str) -> Result<f64, Fault> {
        match self.take_reals(name)?.make_contiguous() {
            [real] => Ok(*real),
            _ => Err(format!("{name} is no number").into()),
        }
    }

    fn take(&mut self, name: &str) -> Result<String, Fault> {
        self.numbers.remove(name).ok_or_else(|| format!("it lacks {name}").into())
    }

    /// Reads a vector.
    pub(super) fn vector(&mut self, name: &str) -> Result<Vec<f32>, Fault> {
        (self.read)(name)
    }
}

impl Save for Vec<f32> {
    fn saved(&self) -> Saved<Stored<'_>> {
        let mut saved = Saved::new(State::START);
        saved.vector("point", Stored::Single(self));
        saved
    }
}

impl Save for State {
    fn saved(&self) -> Saved<Stored<'_>> {
        match self {
            Self::Start(point) => point.saved(),
            Self::Lbfgs(state) => state.saved(),
            Self::Adam(state) => state.saved(),
        }
    }
}

impl State {
    /// The kind of a state of which nothing is known but the point.
    pub const START: &'static str = "start";

    /// The kinds of states that are saved. Those of optimisers have their names.
    pub const KINDS: [&'static str; 3] = [Self::START, LbfgsState::KIND, AdamState::KIND];

    /// The state that was saved, with L-BFGS's history, of the variables of which each of the ranks has a part.
    ///
    /// # Errors
    /// What is missing or is not as it was saved, or cannot be read.
    pub fn load(mut saved: Loading, history: History, bounds: Bounds, ranks: &Ranks) -> Result<Self, Fault> {
        match saved.kind {
            LbfgsState::KIND => LbfgsState::load(saved, history, bounds, ranks).map(Self::Lbfgs),
            AdamState::KIND => AdamState::load(saved).map(Self::Adam),
            _ => saved.vector("point").map(Self::Start),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::optimize::{Function, History, Minimum, OnStep, Settings, Step, Stop, adam, lbfgs};

    const SETTINGS: Settings = Settings {
        steps: 60,
        tolerance: 1e-4,
        first_step: 0.01,
        history: History::single(4),
        bounds: Bounds { lower: -0.5, upper: 0.9 },
        ranks: Ranks::ALONE,
    };

    /// The Rosenbrock function of each pair of variables, summed, and a fold along each variable, at which line searches fail.
    fn folded(x: &[f32], gradient: &mut [f32]) -> Option<f64> {
        let mut loss = 0.0;
        for (pair, gradient) in x.chunks(2).zip(gradient.chunks_mut(2)) {
            let (x, y) = (pair[0] as f64, pair[1] as f64);
            loss += (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2);
            gradient[0] = (-2.0 * (1.0 - x) - 400.0 * x * (y - x * x)) as f32;
            gradient[1] = (200.0 * (y - x * x)) as f32;
        }
        for (x, gradient) in x.iter().zip(gradient) {
            loss += FOLD * (*x as f64 - 0.4).abs();
            *gradient += FOLD as f32 * (x - 0.4).signum();
        }
        Some(loss)
    }

    /// How steep the folds are.
    const FOLD: f64 = 20.0;

    type Optimizer = fn(&mut Function, State, &Settings, &mut OnStep) -> Minimum;

    fn by_lbfgs(function: &mut Function, start: State, settings: &Settings, on_step: &mut OnStep) -> Minimum {
        lbfgs(&mut |x: &[f32], gradient: &mut [f32]| function(x, gradient), start, settings, on_step)
    }

    fn by_adam(function: &mut Function, start: State, settings: &Settings, on_step: &mut OnStep) -> Minimum {
        adam(function, start, settings, on_step)
    }

    /// A state as it is in a file, without what is removed from it.
    fn owned(state: &dyn Save) -> Saved<Vec<f32>> {
        let Saved { kind, numbers, vectors } = state.saved();
        let vectors =
            vectors.into_iter().map(|(name, values)| (name, values.values().into_owned())).collect();
        Saved { kind, numbers, vectors }
    }

    fn load(Saved { kind, numbers, vectors }: Saved<Vec<f32>>, history: History) -> Result<State, Fault> {
        let read = &mut |name: &str| {
            vectors.get(name).cloned().ok_or_else(|| Fault::Damaged(format!("it lacks {name}")))
        };
        State::load(Loading { kind, numbers, read }, history, SETTINGS.bounds, &SETTINGS.ranks)
    }

    fn assert_same(found: &Minimum, whole: &Minimum, when: &str) {
        let bits = |point: &[f32]| point.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&found.point), bits(&whole.point), "{when}");
        assert_eq!(found.loss.to_bits(), whole.loss.to_bits(), "{when}");
        assert_eq!((found.steps, found.evaluations), (whole.steps, whole.evaluations), "{when}");
        assert_eq!(found.stop, whole.stop, "{when}");
    }

    /// Breaks the work off after every step and in every evaluation, and asserts that it goes on to the same end. Returns
    /// that, and the number of pairs after each step.
    fn goes_on_after_any_end(optimizer: Optimizer, settings: &Settings) -> (Minimum, Vec<String>) {
        let start = || State::Start(vec![-1.2, 1.0, 0.8, -0.5, 0.3, 0.3]);
        let (mut states, mut pairs) = (Vec::new(), Vec::new());
        let whole = optimizer(&mut folded, start(), settings, &mut |step: &Step| {
            states.push(load(owned(step.state), settings.history).unwrap());
            pairs.extend(step.state.saved().numbers.get("pairs").cloned());
            ControlFlow::Continue(())
        });
        assert_eq!(states.len(), whole.steps);
        for (step, state) in states.into_iter().enumerate() {
            let found = optimizer(&mut folded, state, settings, &mut |_| ControlFlow::Continue(()));
            assert_same(&found, &whole, &format!("after step {}", step + 1));
        }
        for last in 0..whole.evaluations {
            let mut left = last;
            let mut cancelled = |x: &[f32], gradient: &mut [f32]| {
                left = left.checked_sub(1)?;
                folded(x, gradient)
            };
            let ended = optimizer(&mut cancelled, start(), settings, &mut |_| ControlFlow::Continue(()));
            assert_eq!(ended.stop, Stop::Cancelled);
            let state = load(owned(&ended.state.unwrap()), settings.history).unwrap();
            let found = optimizer(&mut folded, state, settings, &mut |_| ControlFlow::Continue(()));
            assert_same(&found, &whole, &format!("in evaluation {}", last + 1));
        }
        (whole, pairs)
    }

    #[test]
    fn lbfgs_goes_on_after_any_end() {
        let (_, pairs) = goes_on_after_any_end(by_lbfgs, &SETTINGS);
        assert!(pairs.contains(&SETTINGS.history.pairs.to_string()), "never a full history: {pairs:?}");
        assert!(pairs[1..].contains(&"1".to_owned()), "never a restart: {pairs:?}");
    }

    #[test]
    fn lbfgs_goes_on_with_pairs_in_16_bits() {
        let history = History::fixed16(4);
        let (_, pairs) = goes_on_after_any_end(by_lbfgs, &Settings { history, ..SETTINGS });
        assert!(pairs.contains(&"4".to_owned()), "never a full history: {pairs:?}");
    }

    #[test]
    fn adam_goes_on_after_any_end() {
        let (whole, _) = goes_on_after_any_end(by_adam, &SETTINGS);
        assert_eq!(whole.stop, Stop::Steps);
    }

    #[test]
    fn what_no_longer_falls_ends_at_the_same_step() {
        for (optimizer, patience) in [(by_lbfgs as Optimizer, 10), (by_adam, 50)] {
            // A little more than its patience, so that each loss of the last steps counts.
            let settings = Settings { steps: 200, tolerance: 0.5, ..SETTINGS };
            let (whole, _) = goes_on_after_any_end(optimizer, &settings);
            assert_eq!(whole.stop, Stop::NoProgress);
            assert!(whole.steps > patience && whole.steps < 200, "{} steps", whole.steps);
        }
    }

    #[test]
    fn what_lacks_a_part_or_has_no_number_for_one_is_refused() {
        for optimizer in [by_lbfgs as Optimizer, by_adam] {
            let ended =
                optimizer(&mut folded, vec![-1.2, 1.0].into(), &SETTINGS, &mut |step| match step.step {
                    3 => ControlFlow::Break(()),
                    _ => ControlFlow::Continue(()),
                });
            let state = ended.state.unwrap();
            let is_refused = |saved| matches!(load(saved, SETTINGS.history), Err(Fault::Damaged(_)));
            for name in owned(&state).numbers.into_keys() {
                let mut saved = owned(&state);
                saved.numbers.remove(&name);
                assert!(is_refused(saved), "without {name}");
                for text in ["", "x", "1 x"] {
                    let mut saved = owned(&state);
                    saved.number(&name, text);
                    assert!(is_refused(saved), "{name} {text:?}");
                }
            }
            for name in owned(&state).vectors.into_keys() {
                let mut saved = owned(&state);
                saved.vectors.remove(&name);
                assert!(is_refused(saved), "without {name}");
            }
        }
    }
}
