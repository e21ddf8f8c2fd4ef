//! What to compute with.

use clap::{Args, ValueEnum};

use super::terminal::Detail;
use crate::error::{Error, Result};
use crate::kernels::Isa;
use crate::network::{Compute, Convolution};

#[derive(Debug, Args)]
#[command(next_help_heading = "Computation")]
pub(super) struct ComputeOptions {
    /// Threads; 0: as many as there are cores. The result is the same with any number
    #[arg(long, value_name = "N", default_value_t = 0,
          value_parser = clap::value_parser!(u16).range(..=1024))]
    threads: u16,

    /// Instruction set; auto: the widest that this CPU has
    #[arg(long, value_enum, value_name = "SET", default_value_t = IsaChoice::Auto)]
    isa: IsaChoice,

    /// How convolutions are computed; auto: each as is fastest for its shape
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Convolution::Auto)]
    convolution: Convolution,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum IsaChoice {
    Auto,
    Portable,
    Avx2,
    Avx512,
}

impl ComputeOptions {
    /// Starts the threads, and finds what to compute with.
    pub(super) fn start(&self, detail: Detail) -> Result<Compute> {
        let isa = self.isa()?;
        rayon::ThreadPoolBuilder::new()
            .num_threads(self.threads.into())
            .build_global()
            .map_err(|error| Error::invalid("--threads", error.to_string()))?;
        detail.verbose(format_args!(
            "computing with {}, {} threads",
            isa.name(),
            rayon::current_num_threads()
        ));
        Ok(Compute { isa, convolution: self.convolution })
    }

    fn isa(&self) -> Result<Isa> {
        let name = match self.isa {
            IsaChoice::Auto => return Ok(Isa::best()),
            IsaChoice::Portable => "portable",
            IsaChoice::Avx2 => "avx2",
            IsaChoice::Avx512 => "avx512",
        };
        let available = Isa::available();
        available.iter().copied().find(|isa| isa.name() == name).ok_or_else(|| {
            let names: Vec<_> = available.iter().map(|isa| isa.name()).collect();
            Error::invalid("--isa", format!("this CPU has no {name}; it has {}", names.join(", ")))
        })
    }
}
