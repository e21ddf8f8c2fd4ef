//! The options that say how much work there is, and how it is done.

use clap::Args;

use crate::values::{self, MOST_STEPS, memory_size, named, pixels, scales};
use impasto::network::Compute;
use impasto::stylize::schedule::Scales;
use impasto::stylize::{Optimizer, Stylize, defaults};
use impasto::weights::Weights;

#[derive(Debug, Args)]
#[command(next_help_heading = "Work")]
pub(crate) struct WorkOptions {
    /// Longest side of the result in pixels; 0: as the first picture given
    #[arg(long, value_name = "N", default_value_t = defaults::SIZE as u64, allow_negative_numbers = true,
          value_parser = pixels(0))]
    pub(crate) size: u64,

    /// Steps of the optimiser, over all scales, at most 1000000
    #[arg(long, value_name = "N", default_value_t = defaults::STEPS as u64,
          value_parser = clap::value_parser!(u64).range(1..=MOST_STEPS))]
    pub(crate) steps: u64,

    /// Optimiser of the pixels
    #[arg(long, value_parser = named::<Optimizer>(), value_name = "NAME", default_value_t = defaults::OPTIMIZER)]
    optimizer: Optimizer,

    /// Scales from coarse to fine, each √2 of the one before, as many as the layers have room for; 1: the result's
    /// size alone
    #[arg(long, value_name = "auto|N", default_value = "auto", value_parser = scales)]
    pub(crate) scales: Scales,

    /// Memory that the process may take, such as 4G or 1500M. Where an evaluation doesn't fit as a
    /// whole, the same is computed in strips, with less memory and more time [default: what the machine has free]
    #[arg(long, value_name = "SIZE", value_parser = memory_size)]
    pub(crate) max_memory: Option<u64>,

    /// Print what the work would take: its scales, memory and seconds, measured in about a second. No picture is written
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl WorkOptions {
    /// The library's job, as the options have it, with no pictures yet.
    pub(crate) fn job(&self, weights: &Weights, compute: Compute) -> Stylize {
        let job = match self.max_memory {
            Some(bytes) => Stylize::new(weights).memory_limit(Some(bytes)),
            None => Stylize::new(weights),
        };
        job.compute(compute)
            .size(values::size(self.size))
            .steps(usize::try_from(self.steps).unwrap_or(usize::MAX))
            .optimizer(self.optimizer)
            .scales(self.scales)
    }

    /// The result's longest side, or nothing where it is the first picture's own.
    pub(crate) fn longest(&self) -> Option<u64> {
        (self.size > 0).then_some(self.size)
    }
}
