//! `impasto weights`.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, Subcommand};

use super::terminal;
use crate::error::Result;
use crate::weights::{Places, Weights};

/// Say which networks are there, and what is in one
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the installed networks, the best first, and where they are looked for
    List,
    /// Say what a weights file has
    Info {
        /// Safetensors file, or the name of an installed network
        #[arg(value_name = "FILE|NAME")]
        file: PathBuf,
    },
}

impl Options {
    pub(super) fn run(&self) -> Result<()> {
        match &self.command {
            Command::List => terminal::print(list(&Places::of_user()).trim_end()),
            Command::Info { file } => terminal::print(info(&Places::of_user().find(file)?)?.trim_end()),
        }
    }
}

fn list(places: &Places) -> String {
    let mut text = String::new();
    let installed = places.installed();
    let longest = installed.iter().map(|network| network.name.chars().count()).max().unwrap_or(0);
    for network in &installed {
        let _ = writeln!(text, "{:<longest$}  {}", network.name, network.path.display());
    }
    let _ = match places.find_default() {
        Ok(path) => writeln!(text, "default: {}", path.display()),
        Err(error) => writeln!(text, "no default: {error}"),
    };
    for folder in places.folders() {
        let _ = writeln!(text, "looked in: {}", folder.display());
    }
    text
}

fn info(path: &Path) -> Result<String> {
    let start = Instant::now();
    let weights = Weights::open(path)?;
    let opening = start.elapsed();

    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Metadata may have anything in them, and each stays one line.
        let _ = writeln!(text, "{name:<14} {}", value.replace(char::is_control, "?"));
    };
    line("file", format!("{}, {} bytes", path.display(), weights.file_len()));
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
