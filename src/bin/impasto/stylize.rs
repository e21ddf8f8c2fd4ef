//! `impasto stylize`.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::Outcome;
use crate::failure::Result;
use crate::job::JobOptions;
use crate::picture_file::stem;
use crate::placement::PlacementOptions;
use crate::result_file::KeptOptions;
use crate::strokes::StrokeOptions;
use crate::terms::{BalanceOptions, ContentLayers, MeasureOptions, StyleOptions};
use crate::values::{self, Init};
use impasto::picture::Needed;
use impasto::stylize::{self, Colors};

/// Paint CONTENT in the style of one or more STYLEs
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  impasto stylize portrait.jpg painting.jpg
  impasto stylize portrait.jpg painting.jpg drawing.png --blend 2,1 --size 1024 -o out.png
  impasto stylize portrait.jpg painting.jpg --style-scale 0.5   finer strokes
  impasto stylize portrait.jpg painting.jpg --colors match      the portrait's colours
  impasto stylize portrait.jpg painting.jpg --mask coat.png     the rest stays a photograph
  impasto stylize bridge.jpg night.jpg --regions bridge-map.png night-map.png   sky after sky
  impasto stylize portrait.jpg painting.jpg --laplacian-weight 2   a face that is recognised
  impasto stylize portrait.jpg painting.jpg --size 2000 --dry-run  how long, and how much memory
  impasto stylize portrait.jpg painting.jpg --style-weight 10 --style-layer relu3_1 --style-layer relu4_1")]
pub(crate) struct Options {
    /// Picture of what is to be seen
    content: PathBuf,

    /// Pictures of how it is to be painted
    #[arg(required = true)]
    style: Vec<PathBuf>,

    /// File to write: .png, .jpg, .webp or .tiff; -: PNG on standard output
    /// [default: CONTENT-in-STYLE.png here]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

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
    kept: KeptOptions,

    #[command(flatten)]
    pub(crate) job: JobOptions,
}

impl Options {
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.seed.is_some() && self.init != Init::Noise {
            return Err("--seed is of the noise: it goes with --init noise".to_owned());
        }
        self.job.check(self.output.as_deref())
    }

    pub(crate) fn run(&self) -> Result<Outcome> {
        self.style_options.check(self.style.len())?;
        self.strokes.check(self.style.len())?;
        self.placement.check(self.style.len())?;
        let (weights, mut work) = self.job.prepare(&self.output(), self.inputs())?;
        let content = work.open_content(&self.content, &self.kept)?;
        let (width, height) = work.result_size(&content);
        let open_style = |(index, style): (usize, &PathBuf)| {
            work.open("style", style, self.strokes.needed(index, width * height))
        };
        let styles = self.style.iter().enumerate().map(open_style).collect::<Result<Vec<_>>>()?;
        let init = match &self.init {
            Init::Content => stylize::Init::Content,
            Init::Noise => stylize::Init::Noise,
            Init::File(file) => {
                stylize::Init::Picture(work.open("start", file, Needed::Size { width, height })?)
            }
        };
        let style = self.strokes.apply(self.style_options.style(styles)?)?;
        let job = work.job(&weights).content(content).style(style).colors(self.colors);
        let job = self.style_options.apply(self.content_layers.apply(job));
        let job = self.balance.apply(self.measure.apply(job)).init(init);
        let job = self.placement.apply(job, &work, (width, height))?;
        let used = [&[(width, height)][..], &job.style_sizes()?].concat();
        work.run(job.seed(self.seed.unwrap_or(0)), &used)
    }

    /// The pictures that are read.
    fn inputs(&self) -> impl Iterator<Item = &Path> {
        let init = match &self.init {
            Init::File(file) => Some(file),
            _ => None,
        };
        let pictures = [&self.content].into_iter().chain(&self.style).chain(init);
        pictures.map(PathBuf::as_path).chain(self.placement.inputs())
    }

    fn output(&self) -> PathBuf {
        self.output.clone().unwrap_or_else(|| {
            let styles: Vec<_> = self.style.iter().map(|style| stem(style)).collect();
            format!("{}-in-{}.png", stem(&self.content), styles.join("-and-")).into()
        })
    }
}
