//! The options that say what a result's file holds.

use clap::Args;

use crate::failure::Result;
use crate::values::named;
use impasto::picture::{Depth, Encoding, Output};

#[derive(Debug, Args)]
#[command(next_help_heading = "Result")]
pub(crate) struct ResultOptions {
    /// Bits of each sample of the result; 16 in PNG and TIFF alone
    #[arg(long, value_parser = named::<Depth>(), value_name = "8|16", default_value_t = Depth::default())]
    depth: Depth,
}

impl ResultOptions {
    /// The output with files as the options have them.
    pub(crate) fn apply(&self, output: Output) -> Result<Output> {
        Ok(output.with_encoding(Encoding::default().with_depth(self.depth))?)
    }
}
