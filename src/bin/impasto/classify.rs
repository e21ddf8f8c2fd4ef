//! `impasto classify`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use crate::compute::ComputeOptions;
use crate::failure::{Failure, Result};
use crate::network::NetworkOptions;
use crate::picture_file;
use crate::terminal::{self, Detail, VerboseOption};
use impasto::Weights;
use impasto::classify::classify;
use impasto::network::Compute;

/// Classes that are printed.
const TOP: usize = 5;

/// Say what pictures show, by the whole network with its classifier
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  impasto classify photo.jpg --weights vgg16 --labels imagenet.txt

Looks at the 224×224 centre of each picture resized to 256 pixels on its shorter side, and prints the five most \
probable classes. Several pictures together take less time than one by one: the classifier's weights are read once.")]
pub(crate) struct Options {
    /// Pictures to classify
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,

    /// Text file of the classes' names, one a line, in their order
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,

    /// Print one JSON object: classes, each with class, probability and name; of several pictures
    /// pictures, each with image and classes
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
        let probabilities = self.classify(&weights, compute, detail)?;
        if let (Some(labels), Some(first)) = (&labels, probabilities.first())
            && labels.len() != first.len()
        {
            let (found, expected) = (labels.len(), first.len());
            return Err(Failure::option("--labels", format!("expected {expected} lines, found {found}")));
        }

        let labels = labels.unwrap_or_default();
        let answers: Vec<_> =
            probabilities.iter().map(|all| Answer { top: top(all), labels: &labels }).collect();
        match (&answers[..], self.json) {
            ([answer], true) => terminal::print(answer.json()),
            ([answer], false) => terminal::print(answer.lines()),
            (_, true) => {
                let pictures = self.images.iter().zip(&answers).map(|(image, answer)| {
                    let mut picture = answer.json();
                    picture["image"] = json!(image.display().to_string());
                    picture
                });
                terminal::print(json!({ "pictures": pictures.collect::<Vec<_>>() }))
            }
            (_, false) => {
                let parts = self.images.iter().zip(&answers).map(|(image, answer)| {
                    // Names of files may have anything in them.
                    let heading = image.display().to_string().replace(char::is_control, "?");
                    format!("{heading}:\n{}", answer.lines())
                });
                terminal::print(parts.collect::<Vec<_>>().join("\n\n"))
            }
        }
    }

    /// The probabilities of each picture. One picture is in memory at a time.
    fn classify(&self, weights: &Weights, compute: Compute, detail: Detail) -> Result<Vec<Vec<f32>>> {
        let mut failure = None;
        let pictures = self
            .images
            .iter()
            .map_while(|image| picture_file::open(image, detail).map_err(|error| failure = Some(error)).ok());
        let probabilities = classify(weights, compute, pictures)?;
        failure.map_or(Ok(probabilities), Err)
    }
}

/// The most probable classes of a picture and their probabilities, and the names of all classes where there are any.
struct Answer<'a> {
    top: Vec<(usize, f32)>,
    labels: &'a [String],
}

impl Answer<'_> {
    fn json(&self) -> Value {
        let class = |&(class, probability): &(usize, f32)| json!({ "class": class, "probability": probability, "name": self.labels.get(class) });
        json!({ "classes": self.top.iter().map(class).collect::<Vec<_>>() })
    }

    fn lines(&self) -> String {
        let line = |&(class, probability): &(usize, f32)| {
            let name = self.labels.get(class).map_or("", String::as_str);
            format!("{:>6.2} %  class {class:>3}  {name}", 100.0 * probability).trim_end().to_owned()
        };
        self.top.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

fn top(probabilities: &[f32]) -> Vec<(usize, f32)> {
    let mut classes: Vec<_> = probabilities.iter().copied().enumerate().collect();
    classes.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    classes.truncate(TOP);
    classes
}

fn read_labels(path: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(path).map_err(|source| Failure::Read { path: path.to_owned(), source })?;
    Ok(text.lines().map(|line| line.trim().to_owned()).collect())
}
