//! `impasto classify`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use crate::compute::ComputeOptions;
use crate::failure::{Failure, Result};
use crate::network::NetworkOptions;
use crate::picture_file;
use crate::terminal::{self, VerboseOption};
use impasto::classify_with;
use impasto::picture::Needed;

/// The number of classes printed.
const TOP: usize = 5;

/// Say what each IMAGE shows, by a network that has its classifier
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  impasto classify photo.jpg --weights vgg16 --labels imagenet.txt

Looks at the 224×224 centre of the picture resized to 256 pixels on its shorter side, and prints the five most \
probable classes.")]
pub(crate) struct Options {
    /// Pictures to classify
    #[arg(required = true)]
    image: Vec<PathBuf>,

    /// Text file of the classes' names, one a line, in the order of the network's outputs
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,

    /// Print one JSON object: classes, each with class, probability and name; of several pictures, these under `pictures`,
    /// each with its image
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
        let open = |image: &PathBuf| picture_file::open(image, Needed::Whole, detail);
        let pictures = self.image.iter().map(open).collect::<Result<Vec<_>>>()?;
        let probabilities = classify_with(&weights, compute, &pictures)?;
        if let Some(labels) = &labels
            && let Some(expected) = probabilities.first().map(Vec::len)
            && labels.len() != expected
        {
            let found = labels.len();
            return Err(Failure::option("--labels", format!("expected {expected} lines, found {found}")));
        }
        let labels = labels.as_deref();
        let answers = self.image.iter().zip(&probabilities);
        match (self.json, &probabilities[..]) {
            (true, [only]) => terminal::print_json(&json!({ "classes": classes_json(only, labels) })),
            (true, _) => {
                let pictures = answers.map(|(image, probabilities)| {
                    json!({
                        "image": image.display().to_string(),
                        "classes": classes_json(probabilities, labels),
                    })
                });
                terminal::print_json(&json!({ "pictures": pictures.collect::<Vec<_>>() }))
            }
            (false, [only]) => terminal::print(lines(only, labels)),
            (false, _) => {
                let pictures = answers.map(|(image, probabilities)| {
                    format!("{}\n{}", image.display(), lines(probabilities, labels))
                });
                terminal::print(pictures.collect::<Vec<_>>().join("\n\n"))
            }
        }
    }
}

/// The most probable classes, with their probabilities.
fn top(probabilities: &[f32]) -> Vec<(usize, f32)> {
    let mut classes: Vec<_> = probabilities.iter().copied().enumerate().collect();
    classes.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    classes.truncate(TOP);
    classes
}

fn classes_json(probabilities: &[f32], labels: Option<&[String]>) -> Vec<Value> {
    let class = |(class, probability): (usize, f32)| {
        let name = labels.map(|labels| &labels[class]);
        json!({ "class": class, "probability": probability, "name": name })
    };
    top(probabilities).into_iter().map(class).collect()
}

fn lines(probabilities: &[f32], labels: Option<&[String]>) -> String {
    let line = |(class, probability): (usize, f32)| {
        let name = labels.map_or("", |labels| labels[class].as_str());
        format!("{:>6.2} %  class {class:>3}  {name}", 100.0 * probability).trim_end().to_owned()
    };
    top(probabilities).into_iter().map(line).collect::<Vec<_>>().join("\n")
}

fn read_labels(path: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(path).map_err(|source| Failure::Read { path: path.to_owned(), source })?;
    Ok(text.lines().map(|line| line.trim().to_owned()).collect())
}
