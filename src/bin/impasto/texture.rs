//! `impasto texture`.

use std::path::PathBuf;

use clap::Args;

use crate::Outcome;
use crate::failure::Result;
use crate::job::JobOptions;
use crate::picture_file::stem;
use crate::strokes::StrokeOptions;
use crate::terms::{MeasureOptions, StyleOptions};
use impasto::layers::conv::edges::Edges;
use impasto::stylize::Size;

/// Make a texture of one or more STYLEs from noise
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  impasto texture painting.jpg -o texture.png
  impasto texture painting.jpg --style-layer relu1_1 --style-layer relu2_1   fine structure alone
  impasto texture painting.jpg --style-scale 0.5                             finer strokes
  impasto texture painting.jpg --tileable -o tile.png                        repeats without a seam")]
pub(crate) struct Options {
    /// Pictures of the style. The result has the first one's aspect
    #[arg(required = true)]
    style: Vec<PathBuf>,

    /// File to write: .png, .jpg, .webp or .tiff; -: PNG on standard output
    /// [default: STYLE-texture.png here]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    strokes: StrokeOptions,

    #[command(flatten)]
    style_options: StyleOptions,

    #[command(flatten)]
    measure: MeasureOptions,

    /// Make a tile that repeats without a seam: --edges wrap, and both sides rounded to a multiple of the layers'
    /// stride, 16 pixels at relu5_1
    #[arg(long, conflicts_with = "edges", help_heading = "Loss")]
    tileable: bool,

    /// Seed of the noise
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Work")]
    seed: u64,

    #[command(flatten)]
    pub(crate) job: JobOptions,
}

impl Options {
    pub(crate) fn check(&self) -> Result<(), String> {
        self.job.check(self.output.as_deref())
    }

    pub(crate) fn run(&self) -> Result<Outcome> {
        self.style_options.check(self.style.len())?;
        self.strokes.check(self.style.len())?;
        let inputs = self.style.iter().map(PathBuf::as_path);
        let (weights, work) = self.job.prepare(&self.output(), inputs)?;
        let first = self.strokes.needed_of_first(work.longest());
        let mut styles = vec![work.open("style", &self.style[0], first)?];
        let (width, height) = work.result_size(&styles[0]);
        for (index, style) in self.style.iter().enumerate().skip(1) {
            styles.push(work.open("style", style, self.strokes.needed(index, width * height))?);
        }
        let style = self.strokes.apply(self.style_options.style(styles)?)?;
        let job = work.job(&weights).style(style).seed(self.seed);
        let mut job = self.measure.apply(self.style_options.apply(job));
        if self.tileable {
            let stride = job.terms()?.taps().iter().map(|layer| layer.min_side()).max().unwrap_or(1);
            let [width, height] = [width, height].map(|side| (side + stride / 2) / stride * stride);
            let size = Size::Exactly { width: width.max(stride), height: height.max(stride) };
            job = job.edges(Edges::Wrap).size(size);
        }
        let used = job.style_sizes()?;
        work.run(job, &used)
    }

    fn output(&self) -> PathBuf {
        self.output.clone().unwrap_or_else(|| {
            let styles: Vec<_> = self.style.iter().map(|style| stem(style)).collect();
            format!("{}-texture.png", styles.join("-and-")).into()
        })
    }
}
