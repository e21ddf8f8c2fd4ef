//! The options that say what a result's file holds.

use clap::Args;

use crate::values::named;
use impasto::picture::{Depth, Encoding, Metadata};

#[derive(Debug, Args)]
#[command(next_help_heading = "Result")]
pub(crate) struct ResultOptions {
    /// Bits of each sample of the result; 16 in PNG and TIFF alone
    #[arg(long, value_parser = named::<Depth>(), value_name = "8|16", default_value_t = Depth::default())]
    depth: Depth,

    /// Leave the settings that made it and EXIF data out of the result
    #[arg(long)]
    strip: bool,
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
    /// How results are encoded that these settings make.
    pub(crate) fn encoding(&self, settings: &str) -> Encoding {
        let settings = (!self.strip).then(|| settings.to_owned());
        Encoding::default().with_depth(self.depth).with_settings(settings)
    }

    /// Bits of each sample.
    pub(crate) fn depth(&self) -> Depth {
        self.depth
    }

    /// Whether results carry no settings.
    pub(crate) fn is_stripped(&self) -> bool {
        self.strip
    }

    /// The same with what is kept of a picture's metadata.
    pub(crate) fn keeping(&self, kept: Metadata, encoding: Encoding) -> Encoding {
        let encoding = encoding.with_density(kept.density);
        if self.strip { encoding } else { encoding.with_exif(kept.exif) }
    }
}
