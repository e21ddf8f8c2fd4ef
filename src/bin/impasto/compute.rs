//! What to compute with.

use clap::Args;

use crate::failure::{Failure, Result};
use crate::terminal::Detail;
use crate::values::named;
use impasto::network::{Compute, Convolution};
use impasto::simd::Isa;

#[derive(Debug, Args)]
#[command(next_help_heading = "Computation")]
pub(crate) struct ComputeOptions {
    /// Threads; 0: as many as there are cores. The result is the same with any number
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
        rayon::ThreadPoolBuilder::new()
            .num_threads(self.threads.into())
            .build_global()
            .map_err(|error| Failure::option("--threads", error.to_string()))?;
        detail.verbose(format_args!(
            "computing with {}, {} threads",
            isa.name(),
            rayon::current_num_threads()
        ));
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
