//! The pairs of steps and gradient changes, and a step of L-BFGS where memory is short: the two-loop recursion, algorithm 7.4 of
//! Nocedal and Wright (Numerical Optimization), in one vector. argmin's makes a new vector of every intermediate one, and holds
//! three of them while the function is evaluated. With pairs in f32 both have the same bits.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::Range;

use argmin::core::Error;

use crate::optimize::fixed16::Fixed16;
use crate::optimize::line_search;
use crate::optimize::memo::{Evaluated, Memo};
use crate::optimize::point::{Point, buffer};
use crate::optimize::state::Stored;
use crate::optimize::{History, Storage};
use crate::parallel::ranks::Ranks;
use crate::parallel::reduce::{self, BLOCK, Difference, Source, blocks};
use crate::parallel::team;

/// A step s and the change y to the gradient that it made.
pub(super) struct Pair {
    pub(super) step: Vector,
    pub(super) change: Vector,
}

/// One of the two, as the history has it.
pub(super) enum Vector {
    Single(Point),
    Fixed16(Fixed16),
}

/// From the oldest to the newest.
pub(super) struct Pairs {
    pub(super) pairs: VecDeque<Pair>,
    pub(super) history: History,
}

/// Values of a task.
const CHUNK: usize = 1 << 15;

impl Vector {
    /// The values of `source`, stored so.
    pub(super) fn of(source: &(impl Source + ?Sized), storage: Storage, ranks: &Ranks) -> Self {
        match storage {
            Storage::Single => {
                let mut values = buffer(source.count());
                update(&mut values, source, |to, from| *to = from);
                Self::Single(Point::new(values, ranks))
            }
            Storage::Fixed16 => Self::Fixed16(Fixed16::of(source)),
        }
    }

    /// For a file.
    pub(super) fn stored(&self) -> Stored<'_> {
        match self {
            Self::Single(point) => Stored::Single(point.values()),
            Self::Fixed16(values) => Stored::Fixed16(values),
        }
    }
}

impl Source for Vector {
    fn count(&self) -> usize {
        match self {
            Self::Single(point) => point.values().len(),
            Self::Fixed16(values) => values.count(),
        }
    }

    fn read<'r>(&'r self, range: Range<usize>, buffer: &'r mut [f32; BLOCK]) -> &'r [f32] {
        match self {
            Self::Single(point) => &point.values()[range],
            Self::Fixed16(values) => values.read(range, buffer),
        }
    }
}

/// Calls `f` with each of the values and the one of `source` at the same place.
fn update(values: &mut [f32], source: &(impl Source + ?Sized), f: impl Fn(&mut f32, f32) + Sync) {
    assert_eq!(values.len(), source.count(), "vectors of different lengths");
    team::for_each_chunk(values, CHUNK, |chunk, values| {
        let mut buffer = [0.0; BLOCK];
        for range in blocks(0..values.len()) {
            let at = chunk * CHUNK;
            let from = source.read(at + range.start..at + range.end, &mut buffer);
            values[range].iter_mut().zip(from).for_each(|(value, from)| f(value, *from));
        }
    });
}

impl Pairs {
    /// Without pairs.
    pub(super) fn new(history: History) -> Self {
        let history = History { pairs: history.pairs.max(1), ..history };
        Self { pairs: VecDeque::with_capacity(history.pairs.min(64)), history }
    }

    /// Adds the pair of a step from one evaluation to the next, in place of the oldest where there are as many as are kept.
    fn push(&mut self, from: &Evaluated, to: &Evaluated) {
        let of = |to: &Point, from: &Point| {
            Vector::of(&Difference(to.values(), from.values()), self.history.storage, to.ranks())
        };
        let (step, change) = (of(&to.point, &from.point), of(&to.gradient, &from.gradient));
        // Rounding may take the curvature of a pair whose step and change are nearly at right angles: it would end the search.
        if to.point.ranks().total(reduce::dot_of(&step, &change)) <= 0.0 {
            return;
        }
        if self.pairs.len() >= self.history.pairs {
            self.pairs.pop_front();
        }
        self.pairs.push_back(Pair { step, change });
    }

    /// One step of L-BFGS from `current`. If there are no pairs, `first_step` is the root mean square of the first trial's change. The
    /// evaluation that the step led to is then the memo's last. If the line search fails, the pairs stay as they are.
    ///
    /// # Errors
    /// If the line search failed.
    pub(super) fn step(
        &mut self,
        memo: &RefCell<Memo>,
        current: &Evaluated,
        first_step: Option<f64>,
    ) -> Result<(), Error> {
        let direction = Point::new(self.descent(&current.gradient), current.point.ranks());
        line_search::search(memo, current, direction, first_step)?;
        let memo = memo.borrow();
        // A search ends with its last trial.
        let accepted = memo.last.as_ref().ok_or_else(|| Error::msg("the search evaluated nothing"))?;
        self.push(current, accepted);
        Ok(())
    }

    /// The direction of descent where the gradient is this one.
    fn descent(&self, gradient: &Point) -> Vec<f32> {
        let ranks = gradient.ranks();
        let dot = |a: &Vector, b: &Vector| ranks.total(reduce::dot_of(a, b));
        let of_direction = |a: &Vector, direction: &[f32]| ranks.total(reduce::dot_of(a, direction));
        // As the newest pair has it, the step along the gradient.
        let length =
            self.pairs.back().map_or(1.0, |Pair { step, change }| dot(step, change) / dot(change, change));
        let mut direction = buffer(gradient.values().len());
        update(&mut direction, gradient.values(), |to, from| *to = from);
        let mut of_pairs = Vec::with_capacity(self.pairs.len());
        for Pair { step, change } in self.pairs.iter().rev() {
            let inverse = 1.0 / dot(change, step);
            let factor = of_direction(step, &direction) * inverse;
            let factor_f32 = factor as f32;
            update(&mut direction, change, |to, change| *to -= change * factor_f32);
            of_pairs.push((inverse, factor));
        }
        scale(&mut direction, length as f32);
        for (Pair { step, change }, (inverse, factor)) in self.pairs.iter().zip(of_pairs.into_iter().rev()) {
            let factor = factor - of_direction(change, &direction) * inverse;
            let factor_f32 = factor as f32;
            update(&mut direction, step, |to, step| *to += step * factor_f32);
        }
        scale(&mut direction, -1.0);
        direction
    }
}

fn scale(values: &mut [f32], factor: f32) {
    team::for_each_chunk(values, CHUNK, |_, values| values.iter_mut().for_each(|value| *value *= factor));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimize::lbfgs::solver;

    const VARIABLES: usize = 3 * BLOCK + 5;

    /// A quadratic function with a curvature of its own along each axis.
    fn bowl(x: &[f32], gradient: &mut [f32]) -> Option<f64> {
        let mut loss = 0.0;
        for (at, (x, gradient)) in x.iter().zip(gradient).enumerate() {
            let (curvature, at) = (1.0 + (at % 19) as f32, at as f32 / VARIABLES as f32);
            *gradient = curvature * (x - at);
            loss += 0.5 * f64::from(curvature) * f64::from(x - at).powi(2);
        }
        Some(loss)
    }

    fn start() -> Point {
        Point::new((0..VARIABLES).map(|at| (at * 7 % 13) as f32 / 9.0 - 0.7).collect(), &Ranks::default())
    }

    /// The point after so many steps, by argmin or in place, and the loss there.
    fn after(steps: usize, history: History, by_argmin: bool) -> (Vec<u32>, f64) {
        let mut function = bowl;
        let memo = RefCell::new(Memo::new(&mut function, history.storage));
        let mut current = memo.borrow_mut().at(&start()).unwrap();
        let mut pairs = Pairs::new(history);
        for number in 1..=steps {
            let first_step = (number == 1).then_some(0.1);
            match by_argmin {
                true => solver::step(&memo, &current, &mut pairs, first_step).unwrap(),
                false => pairs.step(&memo, &current, first_step).unwrap(),
            }
            current = memo.borrow().last.clone().unwrap();
            assert_eq!(pairs.pairs.len(), history.pairs.min(number));
        }
        (current.point.values().iter().map(|x| x.to_bits()).collect(), current.loss)
    }

    #[test]
    fn a_step_in_place_has_the_bits_of_argmins() {
        for steps in 1..8 {
            let [by_argmin, in_place] = [true, false].map(|by| after(steps, History::single(3), by));
            assert!(by_argmin.0 == in_place.0, "{steps} steps");
        }
    }

    #[test]
    fn pairs_in_16_bits_lead_as_far() {
        let (first, before) = after(1, History::fixed16(5), false);
        for steps in [4, 8, 16] {
            let [single, fixed16] =
                [History::single(5), History::fixed16(5)].map(|history| after(steps, history, false));
            assert!(fixed16.1 < before && fixed16.0 != first);
            // Not that the storage is ignored.
            assert!(fixed16.0 != single.0, "{steps} steps");
            assert!(fixed16.1 <= 2.0 * single.1 + 1e-9 * before, "{} for {}", fixed16.1, single.1);
        }
    }
}
