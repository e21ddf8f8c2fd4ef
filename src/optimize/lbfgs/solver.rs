//! argmin's L-BFGS, with its history in the open. The solver keeps its pairs to itself, but for its form for checkpoints, which
//! serde reads and writes: in that form a point is a number, by which it is found in a list, so that no values are copied.

use std::cell::RefCell;
use std::collections::VecDeque;

use argmin::core::{Error, Problem as Counted, Solver, State as _};
use argmin::solver::quasinewton::LBFGS;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::optimize::line_search::{GuardedLineSearch, SearchState};
use crate::optimize::memo::{Evaluated, Memo, Problem};
use crate::optimize::point::Point;

use super::pairs::{Pair, Pairs, Vector};

/// argmin's solver.
type Lbfgs = LBFGS<GuardedLineSearch, Point, Point, f64>;

/// One step of L-BFGS from `current`, with the pairs of the steps before, in f32. If there are none, `first_step` is
/// the root mean square of the first trial's change. The evaluation that the step led to is then the memo's last. If the line search
/// fails, the pairs stay as they are.
///
/// # Errors
/// If the line search failed.
pub(super) fn step(
    memo: &RefCell<Memo>,
    current: &Evaluated,
    Pairs { pairs, history }: &mut Pairs,
    first_step: Option<f64>,
) -> Result<(), Error> {
    let solver = LBFGS::new(GuardedLineSearch::new(first_step)?, history.pairs);
    let mut solver = with_pairs(&solver, pairs)?;
    let Evaluated { point, loss, gradient } = current.clone();
    let mut state = SearchState::new().param(point).cost(loss).gradient(gradient);
    // The solver drops the oldest pair from the iteration on at which it has all.
    state.iter = pairs.len() as u64;
    let (state, _) = solver.next_iter(&mut Counted::new(Problem(memo)), state)?;
    if state.terminated() {
        return Err(Error::msg("the line search failed"));
    }
    *pairs = pairs_of(&solver)?;
    Ok(())
}

thread_local! {
    /// The points that are written or read, by their numbers.
    static POINTS: RefCell<Vec<Point>> = const { RefCell::new(Vec::new()) };
}

/// The solver, which has no pairs, with these.
fn with_pairs(solver: &Lbfgs, pairs: &VecDeque<Pair>) -> Result<Lbfgs, serde_json::Error> {
    let mut form = serde_json::to_value(solver)?;
    let numbers = |first: usize| (first..2 * pairs.len()).step_by(2).map(Value::from).collect::<Value>();
    (form["s"], form["y"]) = (numbers(0), numbers(1));
    let points = pairs.iter().flat_map(|Pair { step, change }| [step, change]).map(|vector| match vector {
        Vector::Single(point) => point.clone(),
        Vector::Fixed16(_) => panic!("argmin's solver has pairs in f32"),
    });
    POINTS.set(points.collect());
    let solver = serde_json::from_value(form);
    POINTS.take();
    solver
}

/// The solver's pairs.
fn pairs_of(solver: &Lbfgs) -> Result<VecDeque<Pair>, serde_json::Error> {
    POINTS.take();
    let form = serde_json::to_value(solver);
    let points = POINTS.take();
    let form = form?;
    let listed = |name: &str| -> Result<Vec<Point>, serde_json::Error> {
        let numbers: Vec<usize> = serde_json::from_value(form[name].clone())?;
        Ok(numbers.into_iter().map(|number| points[number].clone()).collect())
    };
    let pairs = listed("s")?.into_iter().zip(listed("y")?);
    Ok(pairs
        .map(|(step, change)| Pair { step: Vector::Single(step), change: Vector::Single(change) })
        .collect())
}

impl Serialize for Point {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        POINTS.with_borrow_mut(|points| {
            points.push(self.clone());
            serializer.serialize_u64(points.len() as u64 - 1)
        })
    }
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = usize::deserialize(deserializer)?;
        POINTS
            .with_borrow(|points| points.get(number).cloned())
            .ok_or_else(|| D::Error::custom("there is no such point"))
    }
}

#[cfg(test)]
mod tests {
    use argmin::core::Executor;

    use crate::optimize::History;
    use crate::parallel::ranks::Ranks;

    use super::*;

    /// A quadratic function with a curvature of its own along each axis.
    fn bowl(x: &[f32], gradient: &mut [f32]) -> Option<f64> {
        let mut loss = 0.0;
        for (at, (x, gradient)) in x.iter().zip(gradient).enumerate() {
            let curvature = 1.0 + at as f32 * at as f32;
            *gradient = curvature * (x - 0.3 * at as f32);
            loss += 0.5 * f64::from(curvature) * f64::from(x - 0.3 * at as f32).powi(2);
        }
        Some(loss)
    }

    #[test]
    fn step_by_step_is_the_solver_by_itself() {
        const HISTORY: History = History::single(3);
        let start = || Point::new(vec![1.0, -1.0, 0.5, 2.0, -0.7], &Ranks::default());
        for steps in 1..8 {
            let mut function = bowl;
            let memo = RefCell::new(Memo::new(&mut function, HISTORY.storage));
            let first = memo.borrow_mut().at(&start()).unwrap();
            let (mut current, mut pairs) = (first, Pairs::new(HISTORY));
            for number in 0..steps {
                let first_step = (number == 0).then_some(0.1);
                step(&memo, &current, &mut pairs, first_step).unwrap();
                current = memo.borrow().last.clone().unwrap();
                assert_eq!(pairs.pairs.len(), HISTORY.pairs.min(number + 1));
            }

            let mut function = bowl;
            let memo = RefCell::new(Memo::new(&mut function, HISTORY.storage));
            let first = memo.borrow_mut().at(&start()).unwrap();
            // Of the first step alone, as the solver's searches are copies of one.
            let mut pairs = Pairs::new(HISTORY);
            step(&memo, &first, &mut pairs, Some(0.1)).unwrap();
            let second = memo.borrow().last.clone().unwrap();
            let solver = LBFGS::new(GuardedLineSearch::new(None).unwrap(), HISTORY.pairs);
            let solver = solver.with_tolerance_cost(0.0).unwrap().with_tolerance_grad(0.0).unwrap();
            let solver = with_pairs(&solver, &pairs.pairs).unwrap();
            let mut last = second.point.clone();
            if steps > 1 {
                let of_second = |state: SearchState| {
                    let mut state =
                        state.param(second.point.clone()).cost(second.loss).gradient(second.gradient.clone());
                    state.iter = 1;
                    state.max_iters(steps as u64)
                };
                let run =
                    Executor::new(Problem(&memo), solver).configure(of_second).timer(false).ctrlc(false);
                last = run.run().unwrap().state.take_param().unwrap();
            }
            let bits = |point: &Point| point.values().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&current.point), bits(&last), "{steps} steps");
        }
    }
}
