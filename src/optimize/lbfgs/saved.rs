//! L-BFGS's state in a file.

use crate::optimize::memo::Evaluated;
use crate::optimize::point::Point;
use crate::optimize::state::{Fault, Loading};
use crate::optimize::{Bounds, History, Save, Saved, Storage, Stored};
use crate::parallel::ranks::Ranks;

use super::LbfgsState;
use super::pairs::{Pair, Pairs, Vector};

impl LbfgsState {
    pub(in crate::optimize) const KIND: &'static str = "lbfgs";

    pub(in crate::optimize) fn load(
        mut saved: Loading,
        history: History,
        bounds: Bounds,
        ranks: &Ranks,
    ) -> Result<Self, Fault> {
        let best_is_current = saved.take_number("best_is_current")? != 0;
        let mut evaluated = |name: &str| -> Result<Evaluated, Fault> {
            Ok(Evaluated {
                point: Point::within(saved.vector(&format!("{name}.point"))?, bounds, ranks),
                loss: saved.take_real(&format!("{name}.loss"))?,
                gradient: Point::new(saved.vector(&format!("{name}.gradient"))?, ranks),
            })
        };
        let current = evaluated("current")?;
        let best = if best_is_current { current.clone() } else { evaluated("best")? };
        let count = saved.take_number("pairs")?;
        if count > history.pairs {
            return Err(format!("it has {count} pairs of {} at most", history.pairs).into());
        }
        let mut pairs = Pairs::new(history);
        for pair in 0..count {
            let mut vector = |name| -> Result<Vector, Fault> {
                let values = saved.vector(&pair_name(pair, name))?;
                Ok(match history.storage {
                    Storage::Single => Vector::Single(Point::new(values, ranks)),
                    Storage::Fixed16 => Vector::of(&values[..], history.storage, ranks),
                })
            };
            pairs.pairs.push_back(Pair { step: vector("step")?, change: vector("change")? });
        }
        Ok(Self {
            pairs,
            current,
            best,
            losses: saved.take_reals("losses")?,
            steps: saved.take_number("steps")?,
            evaluations: saved.take_number("evaluations")?,
        })
    }
}

fn pair_name(pair: usize, name: &str) -> String {
    format!("pair{pair:03}.{name}")
}

impl Save for LbfgsState {
    fn saved(&self) -> Saved<Stored<'_>> {
        let mut saved = Saved::new(Self::KIND);
        // The best point is most often the current one.
        let best_is_current = self.best.point.id() == self.current.point.id();
        let others = (!best_is_current).then_some(("best", &self.best));
        saved.number("best_is_current", u8::from(best_is_current));
        for (name, Evaluated { point, loss, gradient }) in
            [("current", &self.current)].into_iter().chain(others)
        {
            saved.vector(format!("{name}.point"), Stored::Single(point.values()));
            saved.vector(format!("{name}.gradient"), Stored::Single(gradient.values()));
            saved.reals(&format!("{name}.loss"), [loss]);
        }
        let pairs = &self.pairs.pairs;
        for (pair, Pair { step, change }) in pairs.iter().enumerate() {
            saved.vector(pair_name(pair, "step"), step.stored());
            saved.vector(pair_name(pair, "change"), change.stored());
        }
        saved.number("pairs", pairs.len());
        saved.reals("losses", &self.losses);
        saved.number("steps", self.steps);
        saved.number("evaluations", self.evaluations);
        saved
    }
}
