//! The options that choose the network.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use crate::failure::Result;
use crate::terminal::{self, Detail};
use crate::values::named;
use impasto::vgg::Preprocessing;
use impasto::weights::{Places, Weights};

#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetworkOptions {
    #[cfg_attr(
        feature = "embedded",
        doc = "Safetensors file of a VGG, or a name of `weights list` [default: slim]"
    )]
    #[cfg_attr(
        not(feature = "embedded"),
        doc = "Safetensors file of a VGG, or a name of `weights list` [default: the best there]"
    )]
    #[arg(long, value_name = "FILE|NAME")]
    weights: Option<PathBuf>,

    /// What the network was trained to take [default: as the weights file says]
    #[arg(long, value_parser = named::<Preprocessing>(), value_name = "CONVENTION")]
    preprocessing: Option<Preprocessing>,

    /// Read the weights file into memory rather than map it, so that it may change while the command runs
    #[arg(long)]
    no_mmap: bool,
}

impl NetworkOptions {
    /// Opens the weights.
    pub(crate) fn open(&self, detail: Detail) -> Result<Weights> {
        let places = Places::of_user();
        let source = match &self.weights {
            Some(spec) => places.find(spec)?,
            None => places.find_default()?,
        };
        let start = Instant::now();
        let mut weights = if self.no_mmap { source.read()? } else { source.open()? };
        if let Some(preprocessing) = self.preprocessing {
            weights = weights.with_preprocessing(preprocessing);
        }
        detail.verbose(format_args!(
            "weights: {source}, {} with {} preprocessing, {}, {} in {:.1} ms",
            weights.architecture(),
            weights.preprocessing(),
            terminal::bytes(weights.file_len() as u64),
            if self.no_mmap { "read" } else { "opened" },
            start.elapsed().as_secs_f64() * 1e3
        ));
        Ok(weights)
    }
}
