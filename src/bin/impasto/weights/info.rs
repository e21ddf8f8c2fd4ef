//! `impasto weights info`.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use crate::failure::Result;
use crate::terminal;
use impasto::weights::{Places, Source};

/// Describe a weights file: its network, layers, number type and metadata
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Safetensors file, or the name of a network of `weights list`
    #[arg(value_name = "FILE|NAME")]
    file: PathBuf,
}

impl Options {
    pub(crate) fn run(&self) -> Result<()> {
        terminal::print(info(&Places::of_user().find(&self.file)?)?.trim_end())
    }
}

fn info(source: &Source) -> Result<String> {
    let start = Instant::now();
    let weights = source.open()?;
    let opening = start.elapsed();

    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Metadata may contain control characters; each entry stays one line.
        let _ = writeln!(text, "{name:<14} {}", value.replace(char::is_control, "?"));
    };
    line("file", format!("{source}, {} bytes", weights.file_len()));
    line("opened in", format!("{:.2} ms", opening.as_secs_f64() * 1e3));
    let architecture = weights.architecture();
    line("network", format!("{architecture} (column {} of VGG's table)", architecture.column()));
    line("naming", weights.naming().to_string());
    line("preprocessing", weights.preprocessing().to_string());

    let mut dtypes = BTreeSet::new();
    let mut parameters = 0;
    let mut layers = Vec::new();
    for convolution in weights.convolutions() {
        let tensors = weights.convolution(&convolution).expect("the file has its convolutions");
        layers.push(format!("{} {}", convolution.layer(), tensors.bias.len()));
        for tensor in [tensors.weight, tensors.bias] {
            parameters += tensor.len();
            dtypes.insert(tensor.dtype.to_string());
        }
    }
    for (number, tensors) in (6..=8).filter_map(|number| Some((number, weights.dense(number)?))) {
        layers.push(format!("fc{number} {}", tensors.bias.len()));
        for tensor in [tensors.weight, tensors.bias] {
            parameters += tensor.len();
            dtypes.insert(tensor.dtype.to_string());
        }
    }
    line("dtype", dtypes.into_iter().collect::<Vec<_>>().join(", "));
    line("parameters", parameters.to_string());
    line("layers, width", layers.join(", "));
    for (key, value) in weights.metadata() {
        line("metadata", format!("{key} = {value}"));
    }
    Ok(text)
}
