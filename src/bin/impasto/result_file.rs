//! The options that say what a result's file holds.

use clap::Args;

use crate::values::named;
use impasto::picture::{Depth, Encoding, Metadata};

#[derive(Debug, Args)]
#[command(next_help_heading = "Result")]
pub(crate) struct ResultOptions {
    /// Bits of each sample of the result; 16 in PNG and TIFF alone
    #[arg(long, value_parser = named::<Depth>(), value_name = "8|16", default_value_t = Depth::default())]
    pub(crate) depth: Depth,

    /// Leave the settings that made it and EXIF data out of the result
    #[arg(long)]
    pub(crate) strip: bool,
}

/// What is kept of the picture that a result is made from.
#[derive(Debug, Args)]
#[command(next_help_heading = "Result")]
pub(crate) struct KeptOptions {
    /// Keep the place where the picture was taken (GPS) in the result. Date, camera, lens, artist and copyright are kept
    /// anyway
    #[arg(long, conflicts_with = "strip")]
    keep_location: bool,
}

impl KeptOptions {
    /// What is kept of these metadata.
    pub(crate) fn of(&self, metadata: Metadata) -> Metadata {
        let mut kept = metadata;
        if !self.keep_location {
            kept.exif = kept.exif.without_location();
        }
        kept
    }
}

impl ResultOptions {
    /// How a result is encoded that is made from a picture with these metadata.
    pub(crate) fn encoding(&self, kept: Metadata) -> Encoding {
        let encoding = Encoding::default().with_depth(self.depth).with_density(kept.density);
        if self.strip { encoding } else { encoding.with_exif(kept.exif) }
    }
}
