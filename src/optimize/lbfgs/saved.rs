//! L-BFGS's state in a file.

use crate::optimize::memo::Evaluated;
use crate::optimize::point::Point;
use crate::optimize::state::Fault;
use crate::optimize::{Bounds, Save, Saved};
use crate::parallel::ranks::Ranks;

use super::{LbfgsState, Pair};

impl LbfgsState {
    pub(in crate::optimize) const KIND: &'static str = "lbfgs";

    pub(in crate::optimize) fn load(
        mut saved: Saved<Vec<f32>>,
        bounds: Bounds,
        ranks: &Ranks,
    ) -> Result<Self, Fault> {
        let best_is_current = saved.take_number("best_is_current")? != 0;
        let mut evaluated = |name: &str| -> Result<Evaluated, Fault> {
            Ok(Evaluated {
                point: Point::new(saved.take_vector(&format!("{name}.point"))?, ranks).within(bounds),
                loss: saved.take_real(&format!("{name}.loss"))?,
                gradient: Point::new(saved.take_vector(&format!("{name}.gradient"))?, ranks),
            })
        };
        let current = evaluated("current")?;
        let best = if best_is_current { current.clone() } else { evaluated("best")? };
        let (count, history) = (saved.take_number("pairs")?, saved.take_number("history")?);
        if history == 0 || count > history {
            return Err(format!("it has {count} pairs of {history} at most"));
        }
        let pairs = (0..count).map(|pair| {
            let mut point =
                |name| saved.take_vector(&pair_name(pair, name)).map(|values| Point::new(values, ranks));
            Ok(Pair { step: point("step")?, change: point("change")? })
        });
        Ok(Self {
            pairs: pairs.collect::<Result<_, Fault>>()?,
            current,
            best,
            history,
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
    fn saved(&self) -> Saved<&[f32]> {
        let mut saved = Saved::new(Self::KIND);
        // The best point is most often the current one.
        let best_is_current = self.best.point.id() == self.current.point.id();
        let others = (!best_is_current).then_some(("best", &self.best));
        saved.number("best_is_current", u8::from(best_is_current));
        for (name, Evaluated { point, loss, gradient }) in
            [("current", &self.current)].into_iter().chain(others)
        {
            saved.vector(format!("{name}.point"), point.values());
            saved.vector(format!("{name}.gradient"), gradient.values());
            saved.reals(&format!("{name}.loss"), [loss]);
        }
        for (pair, Pair { step, change }) in self.pairs.iter().enumerate() {
            saved.vector(pair_name(pair, "step"), step.values());
            saved.vector(pair_name(pair, "change"), change.values());
        }
        saved.number("pairs", self.pairs.len());
        saved.number("history", self.history);
        saved.reals("losses", &self.losses);
        saved.number("steps", self.steps);
        saved.number("evaluations", self.evaluations);
        saved
    }
}
