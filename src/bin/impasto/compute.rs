//! What to compute with.

use std::num::NonZero;
use std::thread;

use clap::Args;

use crate::failure::{Failure, Result};
use crate::ranks;
use crate::terminal::Detail;
#[cfg(unix)]
use crate::unix;
use crate::values::named;
use impasto::network::{Compute, Convolution};
use impasto::simd::Isa;

/// The most threads for each core. A picture of 64 pixels on two cores took 0.17 s with 2 threads, 0.20 s with 8,
/// 0.27 s with 64 and 8.4 s with 1024.
const MOST_PER_CORE: usize = 4;

#[derive(Debug, Args)]
#[command(next_help_heading = "Computation")]
pub(crate) struct ComputeOptions {
    /// Threads, at most 4 a core; 0: as many as there are cores. The result is the same with any number
    #[arg(long, value_name = "N", default_value_t = 0,
          value_parser = clap::value_parser!(u16).range(..=1024))]
    threads: u16,

    /// Instruction set; auto: the widest that this CPU has
    #[arg(long, value_parser = ["auto", "portable", "neon", "avx2", "avx512"], value_name = "SET",
          default_value = "auto")]
    isa: String,

    /// How convolutions are computed; auto: each as is fastest for its shape
    #[arg(long, value_parser = named::<Convolution>(), value_name = "HOW", default_value_t = Convolution::Auto)]
    convolution: Convolution,
}

impl ComputeOptions {
    /// Starts the threads, and finds what to compute with.
    pub(crate) fn start(&self, detail: Detail) -> Result<Compute> {
        let isa = self.isa()?;
        let asked = usize::from(self.threads);
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        // Processes of one machine share its cores, unless the launcher has given each its own.
        let share = if is_bound(cores) { 1 } else { ranks::all().count_of_machine() };
        let of_rank = (cores / share).max(1);
        let asked = if asked == 0 && of_rank < cores { of_rank } else { asked };
        rayon::ThreadPoolBuilder::new()
            .num_threads(asked.min(MOST_PER_CORE * cores))
            .build_global()
            .map_err(|error| Failure::option("--threads", error.to_string()))?;
        let threads = rayon::current_num_threads();
        let of_asked = match asked > threads {
            true => format!(" of {asked} asked for: more than {MOST_PER_CORE} a core only take time"),
            false => String::new(),
        };
        detail.verbose(format_args!("computing with {}, {threads} threads{of_asked}", isa.name()));
        Ok(Compute { isa, convolution: self.convolution })
    }

    fn isa(&self) -> Result<Isa> {
        if self.isa == "auto" {
            return Ok(Isa::best());
        }
        let available = Isa::available();
        available.iter().copied().find(|isa| isa.name() == self.isa).ok_or_else(|| {
            let names: Vec<_> = available.iter().map(|isa| isa.name()).collect();
            Failure::option("--isa", format!("this CPU has no {}; it has {}", self.isa, names.join(", ")))
        })
    }
}

/// Whether the process has fewer cores than the machine.
fn is_bound(cores: usize) -> bool {
    #[cfg(unix)]
    return cores < unix::online_cores();
    #[cfg(not(unix))]
    false
}
