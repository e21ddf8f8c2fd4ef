//! `impasto stylize`.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::Outcome;
use crate::failure::Result;
use crate::job::JobOptions;
use crate::paint::PaintOptions;
use crate::picture_file::stem;
use crate::several;

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
    paint: PaintOptions,

    #[command(flatten)]
    pub(crate) job: JobOptions,
}

impl Options {
    pub(crate) fn check(&self) -> Result<(), String> {
        self.paint.check()?;
        self.job.check(self.output.as_deref())
    }

    /// Refuses pictures of which it can't be told what each is.
    pub(crate) fn check_pictures(&self) -> Result<(), String> {
        several::check(&self.content, &self.style, self.paint.is_of_several_styles())
    }

    pub(crate) fn run(&self) -> Result<Outcome> {
        self.paint.check_styles(self.style.len())?;
        let (weights, mut work) = self.job.prepare(&self.output(), self.inputs())?;
        let content = work.open_content(&self.content, &self.paint.kept)?;
        let size = work.result_size(&content);
        let needed = self.paint.needed_of_styles(self.style.len(), size);
        let styles = self.style.iter().zip(needed).map(|(style, needed)| work.open("style", style, needed));
        let style = self.paint.style(styles.collect::<Result<_>>()?)?;
        let job = work.job(&weights).content(content).style(style);
        let job = self.paint.apply(job, size, &|role, path, needed| work.open(role, path, needed))?;
        let used = [&[size][..], &job.style_sizes()?].concat();
        work.say(several::understood(&self.content, &self.style, self.paint.is_of_several_styles()));
        work.run(job, &used)
    }

    /// The pictures that are read.
    fn inputs(&self) -> impl Iterator<Item = &Path> {
        let pictures = [&self.content].into_iter().chain(&self.style);
        pictures.map(PathBuf::as_path).chain(self.paint.inputs())
    }

    fn output(&self) -> PathBuf {
        self.output.clone().unwrap_or_else(|| {
            let styles: Vec<_> = self.style.iter().map(|style| stem(style)).collect();
            format!("{}-in-{}.png", stem(&self.content), styles.join("-and-")).into()
        })
    }
}
