//! When a job's checkpoints are due, and what became of them.

use std::time::{Duration, Instant};

use crate::error::Error;
use crate::optimize::Save;
use crate::parallel::ranks::Ranks;
use crate::tensor::Band;

use super::{Checkpoints, Extent, Inputs, Place};

/// How many times as long as writing took the work goes on before the next: so it takes 2 % of the time at most.
const REST: u32 = 50;

/// Writes a job's checkpoints.
pub(in crate::stylize) struct Keeper<'j> {
    to: Option<(&'j Checkpoints, Inputs)>,
    /// When the last one was written or failed, or the job started.
    last: Instant,
    /// How long that took.
    took: Duration,
    error: Option<Error>,
    ranks: Ranks,
}

impl<'j> Keeper<'j> {
    /// Without checkpoints, it keeps nothing.
    pub(in crate::stylize) fn new(to: Option<(&'j Checkpoints, Inputs)>, ranks: &Ranks) -> Self {
        Self { to, last: Instant::now(), took: Duration::ZERO, error: None, ranks: ranks.clone() }
    }

    /// Writes one after a step, if it is time.
    pub(in crate::stylize) fn after_step(&mut self, place: Place<&dyn Save>, extent: Extent, band: &Band) {
        let is_due = self.to.as_ref().is_some_and(|(to, _)| match to.every {
            Some(every) => self.has_rested() && self.last.elapsed() >= every,
            None => true,
        });
        if self.to.is_some() && self.ranks.first_says(is_due) {
            self.write(place, extent, band);
        }
    }

    /// Writes one at the start of a scale, unless the last one was just written.
    pub(in crate::stylize) fn at_scale(&mut self, place: Place<&dyn Save>, extent: Extent, band: &Band) {
        if self.to.is_some() && self.ranks.first_says(self.has_rested()) {
            self.write(place, extent, band);
        }
    }

    /// Writes one.
    pub(in crate::stylize) fn write(&mut self, place: Place<&dyn Save>, extent: Extent, band: &Band) {
        let Some((to, inputs)) = &self.to else { return };
        let start = Instant::now();
        // The first error tells most.
        if let Err(error) = place.write(to, inputs, extent, band) {
            self.error.get_or_insert(error);
        }
        (self.last, self.took) = (Instant::now(), start.elapsed());
    }

    /// The first error.
    pub(in crate::stylize) fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }

    /// The same.
    pub(in crate::stylize) fn into_error(self) -> Option<Error> {
        self.error
    }

    fn has_rested(&self) -> bool {
        self.last.elapsed() >= self.took * REST
    }
}
