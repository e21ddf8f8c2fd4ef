//! `impasto classify`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::compute::ComputeOptions;
use crate::failure::{Failure, Result};
use crate::network::NetworkOptions;
use crate::picture_file;
use crate::terminal::{self, VerboseOption};
use impasto::classify;
use impasto::picture::Needed;

/// The number of classes printed.
const TOP: usize = 5;

/// Say what IMAGE shows, by a network that has its classifier
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  impasto classify photo.jpg --weights vgg16 --labels imagenet.txt

Looks at the 224×224 centre of the picture resized to 256 pixels on its shorter side, and prints the five most \
probable classes.")]
pub(crate) struct Options {
    /// Picture to classify
    image: PathBuf,

    /// Text file of the classes' names, one a line, in the order of the network's outputs
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,

    /// Print one JSON object: classes, each with class, probability and name
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    network: NetworkOptions,

    #[command(flatten)]
    compute: ComputeOptions,

    #[command(flatten)]
    verbose: VerboseOption,
}

impl Options {
    pub(crate) fn run(&self) -> Result<()> {
        let detail = self.verbose.detail();
        let labels = self.labels.as_deref().map(read_labels).transpose()?;
        let compute = self.compute.start(detail)?;
        let weights = self.network.open(detail)?;
        let picture = picture_file::open(&self.image, Needed::Whole, detail)?;
        let probabilities = classify(&weights, compute, &picture)?;
        if let Some(labels) = &labels
            && labels.len() != probabilities.len()
        {
            let (found, expected) = (labels.len(), probabilities.len());
            return Err(Failure::option("--labels", format!("expected {expected} lines, found {found}")));
        }

        let mut classes: Vec<_> = probabilities.iter().copied().enumerate().collect();
        classes.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        classes.truncate(TOP);
        let name = |class: usize| labels.as_ref().map(|labels| labels[class].as_str());
        if self.json {
            let classes = classes.iter().map(|&(class, probability)| {
                json!({ "class": class, "probability": probability, "name": name(class) })
            });
            return terminal::print_json(&json!({ "classes": classes.collect::<Vec<_>>() }));
        }
        let lines = classes.iter().map(|&(class, probability)| {
            let line =
                format!("{:>6.2} %  class {class:>3}  {}", 100.0 * probability, name(class).unwrap_or(""));
            line.trim_end().to_owned()
        });
        terminal::print(lines.collect::<Vec<_>>().join("\n"))
    }
}

fn read_labels(path: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(path).map_err(|source| Failure::Read { path: path.to_owned(), source })?;
    Ok(text.lines().map(|line| line.trim().to_owned()).collect())
}
