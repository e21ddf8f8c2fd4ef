//! `impasto reconstruct`.

use std::path::PathBuf;

use clap::Args;

use crate::Outcome;
use crate::failure::Result;
use crate::job::JobOptions;
use crate::picture_file::stem;
use crate::result_file::KeptOptions;
use crate::terms::MeasureOptions;
use crate::values::layer_weight;
use impasto::stylize::{Init, LayerWeight};

/// Show what layers keep of IMAGE: a picture, from noise, with the same features
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  impasto reconstruct photo.jpg --layer conv1_1    nearly the photograph
  impasto reconstruct photo.jpg --layer conv5_1    what it shows, little of how it looks")]
pub(crate) struct Options {
    /// Picture to reconstruct
    image: PathBuf,

    /// Layer whose features to match, and its weight (without one, an even share); repeatable
    #[arg(long = "layer", value_name = "L[=W]", value_parser = layer_weight, required = true)]
    layers: Vec<LayerWeight>,

    /// File to write: .png, .jpg, .webp or .tiff; -: PNG on standard output
    /// [default: IMAGE-from-LAYER.png here]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    measure: MeasureOptions,

    /// Seed of the noise
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Work")]
    seed: u64,

    #[command(flatten)]
    kept: KeptOptions,

    #[command(flatten)]
    pub(crate) job: JobOptions,
}

impl Options {
    pub(crate) fn check(&self) -> Result<(), String> {
        self.job.check(self.output.as_deref())
    }

    pub(crate) fn run(&self) -> Result<Outcome> {
        let (weights, mut work) = self.job.prepare(&self.output(), [self.image.as_path()])?;
        let image = work.open_content(&self.image, &self.kept)?;
        let job = work.job(&weights).content(image).content_layers(&self.layers);
        let job = self.measure.apply(job).init(Init::Noise).seed(self.seed);
        let used = job.result_size()?;
        work.run(job, &[used])
    }

    fn output(&self) -> PathBuf {
        self.output.clone().unwrap_or_else(|| {
            let layers: Vec<_> = self.layers.iter().map(|layer| layer.layer.as_str()).collect();
            format!("{}-from-{}.png", stem(&self.image), layers.join("-and-")).into()
        })
    }
}
