//! What to compute with.

use std::fs;
use std::num::NonZero;
use std::thread;

use clap::Args;

use crate::failure::{Failure, Result};
use crate::ranks;
use crate::terminal::Detail;
use crate::values::named;
use impasto::named::Named;
use impasto::network::{Compute, Convolution, Precision};
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

    /// Precision of the convolutions' products. bf16 (bfloat16), summed in f32: takes some 0.7 of the time, for CPUs that have
    /// AVX-512 BF16; the picture differs little
    #[arg(long, value_parser = named::<Precision>(), value_name = "PRECISION", default_value_t = Precision::F32)]
    precision: Precision,
}

impl ComputeOptions {
    /// Starts the threads, and finds what to compute with.
    pub(crate) fn start(&self, detail: Detail) -> Result<Compute> {
        let isa = self.isa()?;
        let asked = usize::from(self.threads);
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        // Processes of one machine share its cores, unless the launcher has given each its own.
        let is_bound = processors_of_machine().is_some_and(|of_machine| cores < of_machine);
        let share = if is_bound { 1 } else { ranks::all().count_of_machine() };
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
        let compute = Compute { isa, convolution: self.convolution, precision: self.precision };
        match compute.reason_against_precision() {
            Some(reason) => {
                let precision = self.precision.name();
                Err(Failure::option("--precision", format!("{precision}, with {}: {reason}", isa.name())))
            }
            None => Ok(compute),
        }
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

/// How many processors the machine has, also where this process may not use all of them. Only Linux says so.
pub(crate) fn processors_of_machine() -> Option<usize> {
    count(&fs::read_to_string("/sys/devices/system/cpu/online").ok()?)
}

/// How many there are in a list such as `0-3,8`.
fn count(list: &str) -> Option<usize> {
    list.trim().split(',').try_fold(0, |sum, part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        Some(sum + (last + 1).checked_sub(first)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_counted_in_a_list_of_ranges() {
        assert_eq!(["0", "0-1\n", "0-3,8", "0-3,8-11,16"].map(count), [Some(1), Some(2), Some(5), Some(9)]);
        assert_eq!(["", "a", "0-", "3-1", "0,,1"].map(count), [None; 5]);
    }
}
