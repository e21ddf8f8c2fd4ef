//! `impasto loss`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use ndarray::Array3;
use serde_json::{Map, Value, json};

use crate::compute::ComputeOptions;
use crate::failure::{Failure, Result};
use crate::network::NetworkOptions;
use crate::overwrite::Files;
use crate::picture_file;
use crate::tensor_file::TensorFile;
use crate::terminal::{self, VerboseOption};
use crate::terms::{BalanceOptions, ContentLayers, MeasureOptions, StyleOptions};
use crate::values::pixels;
use impasto::loss::{Losses, Terms};
use impasto::memory;
use impasto::network::check_size;
use impasto::picture::Picture;
use impasto::stylize::{Size, Stylize};
use impasto::vgg::Layer;

/// Say how far IMAGE is from a content and from styles
#[derive(Debug, Args)]
#[command(
    mut_arg("content_weight", |arg| arg.requires("content")),
    mut_arg("content_layers", |arg| arg.requires("content")),
    mut_arg("laplacian_weight", |arg| arg.requires("content")),
    mut_arg("style_weight", |arg| arg.requires("style")),
    mut_arg("style_layers", |arg| arg.requires("style")),
    mut_arg("statistic", |arg| arg.requires("style")),
    mut_arg("blend", |arg| arg.requires("style")),
    after_help = "\
Examples:
  impasto loss out.png --content portrait.png --style painting.jpg
  impasto loss out.png --content portrait.png --style painting.jpg --json --gradient gradient.safetensors

Terms are given unweighted by layer, and the weighted total. The gradient is the total's, a tensor `gradient`, \
3×H×W, F32, by red, green and blue in 0–1.")]
pub(crate) struct Options {
    /// Picture to judge
    image: PathBuf,

    /// Picture of the content, as large as IMAGE
    #[arg(long, value_name = "C", required_unless_present = "style")]
    content: Option<PathBuf>,

    /// Picture of the style; repeatable
    #[arg(long, value_name = "S")]
    style: Vec<PathBuf>,

    /// Resize every picture's longest side to this many pixels [default: their own]
    #[arg(long, value_name = "N", value_parser = pixels(1), allow_negative_numbers = true)]
    size: Option<u64>,

    /// Safetensors file to write the total's gradient to
    #[arg(long, value_name = "FILE")]
    gradient: Option<PathBuf>,

    /// Print one JSON object: loss, content and style by layer, tv, and laplacian if it has a weight
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    balance: BalanceOptions,

    #[command(flatten)]
    content_layers: ContentLayers,

    #[command(flatten)]
    style_options: StyleOptions,

    #[command(flatten)]
    measure: MeasureOptions,

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
        self.style_options.check(self.style.len())?;
        self.check_files()?;
        let gradient_file =
            self.gradient.as_ref().map(|path| TensorFile::new("--gradient", path)).transpose()?;
        let compute = self.compute.start(detail)?;
        let weights = self.network.open(detail)?;
        let image = self.open(&self.image)?;
        let content = self.content.as_ref().map(|content| self.open(content)).transpose()?;
        self.check_sizes(&image, content.as_ref())?;
        let styles = self.style.iter().map(|style| self.open(style)).collect::<Result<Vec<_>>>()?;
        let style_sizes: Vec<_> = styles.iter().map(|style| (style.width(), style.height())).collect();
        let mut job = Stylize::new(&weights)
            .compute(compute)
            .size(Size::Exactly { width: image.width(), height: image.height() });
        if let Some(content) = content {
            job = job.content(content);
        }
        if !styles.is_empty() {
            job = job.style(self.style_options.style(styles)?.in_own_size());
        }
        let job = self.style_options.apply(self.content_layers.apply(job));
        let job = self.balance.apply(self.measure.apply(job));
        self.check_least_sizes(&job, &image, &style_sizes)?;
        let mut objective = job.objective()?;
        let mut gradient = Array3::zeros(image.planes().dim());
        let start = Instant::now();
        let losses = objective.evaluate(image.planes(), gradient.view_mut())?.clone();
        detail.verbose(format_args!("one evaluation: {:.3} s", start.elapsed().as_secs_f64()));
        if !losses.total.is_finite() {
            return Err(Failure::NotFinite { loss: losses.total });
        }
        if let Some(file) = gradient_file {
            file.write(vec![("gradient".to_owned(), gradient)], &BTreeMap::new())?;
        }
        match self.json {
            true => terminal::print_json(&json(&losses)),
            false => terminal::print(table(&losses, objective.terms()).trim_end()),
        }
    }

    /// Refuses a gradient that would be written over what is read.
    fn check_files(&self) -> Result<()> {
        let Some(gradient) = &self.gradient else { return Ok(()) };
        let pictures = [&self.image].into_iter().chain(&self.content).chain(&self.style).cloned();
        Files::read(pictures.chain(self.network.file())).write("--gradient", gradient)
    }

    /// Reads a picture, without its alpha and in the size asked for.
    fn open(&self, path: &Path) -> Result<Picture> {
        let picture = picture_file::open(path, picture_file::needed(self.size), self.verbose.detail())?;
        let (width, height) = picture_file::size_of(&picture, self.size);
        memory::require("a picture", (2 * 3 * size_of::<f32>() * width * height) as u64, width, height)?;
        Ok(picture.into_flattened().into_resized(width, height)?)
    }

    /// Refuses pictures that are too small for a layer, by their names.
    fn check_least_sizes(&self, job: &Stylize, image: &Picture, styles: &[(usize, usize)]) -> Result<()> {
        let terms = job.terms()?;
        let name = |path: &Path| path.display().to_string();
        check_size(&name(&self.image), &terms.taps(), image.height(), image.width())?;
        for (path, &(width, height)) in self.style.iter().zip(styles) {
            check_size(&name(path), &terms.style_taps(), height, width)?;
        }
        Ok(())
    }

    fn check_sizes(&self, image: &Picture, content: Option<&Picture>) -> Result<()> {
        let size = |picture: &Picture| (picture.width(), picture.height());
        match content {
            Some(content) if size(content) != size(image) => {
                let ((width, height), (wanted_width, wanted_height)) = (size(content), size(image));
                let image = self.image.display();
                Err(Failure::option(
                    "--content",
                    format!(
                        "expected {wanted_width}×{wanted_height} pixels as {image}, found {width}×{height}"
                    ),
                ))
            }
            _ => Ok(()),
        }
    }
}

fn json(losses: &Losses) -> Value {
    let by_layer = |values: &BTreeMap<Layer, f64>| -> Map<String, Value> {
        values.iter().map(|(layer, value)| (layer.to_string(), json!(value))).collect()
    };
    let mut answer = json!({
        "loss": losses.total,
        "content": by_layer(&losses.content_layers),
        "style": by_layer(&losses.style_layers),
        "tv": losses.tv,
    });
    if let Some(laplacian) = losses.laplacian {
        answer["laplacian"] = json!(laplacian);
    }
    answer
}

/// Each term: its value, its weight in the total, and what it adds to that.
fn table(losses: &Losses, terms: &Terms) -> String {
    let mut table = format!("{:<17} {:>12} {:>12} {:>12}\n", "term", "value", "weight", "weighted");
    let mut row = |term: &str, value: f64, weight: f64| {
        let _ = writeln!(table, "{term:<17} {value:>12.5e} {weight:>12.5} {:>12.5e}", value * weight);
    };
    for (layer, weight) in &terms.content_layers {
        row(&format!("content {layer}"), losses.content_layers[layer], terms.content_weight * weight);
    }
    for (layer, weight) in &terms.style_layers {
        row(&format!("style {layer}"), losses.style_layers[layer], terms.style_weight * weight);
    }
    row("total variation", losses.tv, terms.tv_weight);
    if let Some(laplacian) = losses.laplacian {
        row("Laplacian", laplacian, terms.laplacian_weight);
    }
    let _ = writeln!(table, "{:<17} {:>12} {:>12} {:>12.5e}", "loss", "", "", losses.total);
    table
}
