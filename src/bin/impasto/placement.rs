//! The options that say where the styles act.

use std::path::{Path, PathBuf};

use clap::{ArgAction, Args};

use crate::failure::{Failure, Result};
use crate::paint::Open;
use impasto::picture::Needed;
use impasto::{Regions, Stylize};

/// Where the styles act. All pictures here may have another resolution than what they are for, with the same aspect.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where")]
pub(crate) struct PlacementOptions {
    /// Grey picture: the style acts where it is white, and fades where it is grey; where it is black the photograph
    /// stays as it is
    #[arg(long, value_name = "FILE")]
    mask: Option<PathBuf>,

    /// Grey picture: one of the styles goes where it is white. Once for each style, in their order
    #[arg(long, value_name = "FILE")]
    style_mask: Vec<PathBuf>,

    /// Two pictures, of CONTENT and of STYLE, in which equal colours mark what takes after what: the sky after the
    /// sky. PNG, of at most 32 flat colours
    #[arg(long, value_names = ["CONTENT.png", "STYLE.png"], num_args = 2, action = ArgAction::Set,
          conflicts_with = "style_mask")]
    regions: Vec<PathBuf>,
}

impl PlacementOptions {
    /// Refuses what does not fit that many styles.
    pub(crate) fn check(&self, styles: usize) -> Result<()> {
        let masks = self.style_mask.len();
        if masks != 0 && masks != styles {
            let reason = format!("expected one for each style, found {masks} for {styles}");
            return Err(Failure::option("--style-mask", reason));
        }
        if !self.regions.is_empty() && styles != 1 {
            return Err(Failure::option("--regions", format!("goes with one style, found {styles}")));
        }
        Ok(())
    }

    /// Whether there are masks of styles.
    pub(crate) fn has_style_masks(&self) -> bool {
        !self.style_mask.is_empty()
    }

    /// Reads the masks and maps for a result of `width` by `height` pixels.
    pub(crate) fn apply(
        &self,
        mut job: Stylize,
        open: &Open,
        (width, height): (usize, usize),
    ) -> Result<Stylize> {
        let needed = Needed::Size { width, height };
        if let Some(mask) = &self.mask {
            job = job.mask(open("mask", mask, needed)?);
        }
        if !self.style_mask.is_empty() {
            let masks = self.style_mask.iter().map(|mask| open("style mask", mask, needed));
            job = job.style_masks(masks.collect::<Result<Vec<_>>>()?);
        }
        if let [content, style] = &self.regions[..] {
            // Reducing a map would mix its colours.
            let [content, style] = [content, style].map(|map| open("regions", map, Needed::Whole));
            job = job.regions(Regions::new(&content?, &style?)?);
        }
        Ok(job)
    }

    /// The pictures that are read.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = &Path> {
        self.mask.iter().chain(&self.style_mask).chain(&self.regions).map(PathBuf::as_path)
    }
}
