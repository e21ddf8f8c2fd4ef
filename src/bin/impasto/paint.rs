//! What stylize and batch share: the options that say how a photograph is painted.

use std::path::Path;

use clap::Args;

use crate::failure::Result;
use crate::placement::PlacementOptions;
use crate::result_file::KeptOptions;
use crate::strokes::StrokeOptions;
use crate::terms::{BalanceOptions, ContentLayers, MeasureOptions, StyleOptions};
use crate::values::{self, Init};
use impasto::picture::{Needed, Picture};
use impasto::stylize::{self, Colors, Style, Stylize};

#[derive(Debug, Args)]
pub(crate) struct PaintOptions {
    #[command(flatten)]
    strokes: StrokeOptions,

    /// Whose colours the result has. style: the style's. content: the content's. match: the style's, moved to the
    /// content's before the work
    #[arg(long, value_parser = values::named::<Colors>(), value_name = "WHOSE", default_value_t = Colors::Style,
          help_heading = "Colours")]
    colors: Colors,

    #[command(flatten)]
    placement: PlacementOptions,

    #[command(flatten)]
    balance: BalanceOptions,

    #[command(flatten)]
    content_layers: ContentLayers,

    #[command(flatten)]
    style_options: StyleOptions,

    #[command(flatten)]
    measure: MeasureOptions,

    /// What the first scale starts from: content, noise, or a picture (resized)
    #[arg(long, value_name = "content|noise|FILE", default_value = "content", value_parser = values::init,
          help_heading = "Work")]
    init: Init,

    /// Seed of the noise, with --init noise [default: 0]
    #[arg(long, value_name = "N", help_heading = "Work")]
    seed: Option<u64>,

    #[command(flatten)]
    pub(crate) kept: KeptOptions,
}

/// Reads a picture for a role, of which the work needs this much.
pub(crate) type Open<'w> = dyn Fn(&str, &Path, Needed) -> Result<Picture> + 'w;

impl PaintOptions {
    /// Refuses options that contradict each other by their values.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.seed.is_some() && self.init != Init::Noise {
            return Err("--seed is of the noise: it goes with --init noise".to_owned());
        }
        Ok(())
    }

    /// Refuses what does not fit that many styles.
    pub(crate) fn check_styles(&self, styles: usize) -> Result<()> {
        self.style_options.check(styles)?;
        self.strokes.check(styles)?;
        self.placement.check(styles)
    }

    /// Whether an option here says that there are several styles.
    pub(crate) fn is_of_several_styles(&self) -> bool {
        self.style_options.has_shares() || self.strokes.has_several() || self.placement.has_style_masks()
    }

    /// What is needed of each of so many styles for a result of this width and height.
    pub(crate) fn needed_of_styles(&self, styles: usize, (width, height): (usize, usize)) -> Vec<Needed> {
        (0..styles).map(|index| self.strokes.needed(index, width * height)).collect()
    }

    /// The style of these pictures.
    pub(crate) fn style(&self, pictures: Vec<Picture>) -> Result<Style> {
        self.strokes.apply(self.style_options.style(pictures)?)
    }

    /// The job with this loss.
    pub(crate) fn loss(&self, job: Stylize) -> Stylize {
        let job = self.style_options.apply(self.content_layers.apply(job));
        self.balance.apply(self.measure.apply(job))
    }

    /// The job with all but its content and style, for a result of this width and height.
    pub(crate) fn apply(
        &self,
        job: Stylize,
        (width, height): (usize, usize),
        open: &Open,
    ) -> Result<Stylize> {
        let init = match &self.init {
            Init::Content => stylize::Init::Content,
            Init::Noise => stylize::Init::Noise,
            Init::File(file) => stylize::Init::Picture(open("start", file, Needed::Size { width, height })?),
        };
        let job = self.loss(job.colors(self.colors)).init(init).seed(self.seed.unwrap_or(0));
        self.placement.apply(job, open, (width, height))
    }

    /// The pictures that are read beside content and styles.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = &Path> {
        let init = match &self.init {
            Init::File(file) => Some(file.as_path()),
            _ => None,
        };
        init.into_iter().chain(self.placement.inputs())
    }
}
