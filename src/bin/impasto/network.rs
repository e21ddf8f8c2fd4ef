//! The options that choose the network.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;

use crate::failure::Result;
use crate::picture_file;
use crate::terminal::{self, Detail};
use crate::values::named;
use impasto::vgg::Preprocessing;
#[cfg(feature = "embedded")]
use impasto::weights::EMBEDDED;
use impasto::weights::{Places, Source, Weights};

#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetworkOptions {
    #[cfg_attr(
        feature = "embedded",
        doc = "Safetensors file of a VGG, or a name of `weights list` [default: slim]"
    )]
    #[cfg_attr(
        not(feature = "embedded"),
        doc = "Safetensors file of a VGG, or a name of `weights list` [default: the best there]"
    )]
    #[arg(long, value_name = "FILE|NAME")]
    weights: Option<PathBuf>,

    /// What the network was trained to take [default: as the weights file says]
    #[arg(long, value_parser = named::<Preprocessing>(), value_name = "CONVENTION")]
    preprocessing: Option<Preprocessing>,

    /// Read the weights file into memory rather than map it, so that it may change while the command runs
    #[arg(long)]
    no_mmap: bool,
}

impl NetworkOptions {
    /// The file that the weights are in, where there is one.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        match self.source() {
            Ok(Source::File(path)) => Some(path),
            _ => None,
        }
    }

    fn source(&self) -> Result<Source> {
        let places = Places::of_user();
        Ok(match &self.weights {
            Some(spec) => places.find(spec)?,
            None => places.find_default()?,
        })
    }

    /// The network's name in the settings of a result: a name of `weights list`, or that of a file without its folder.
    pub(crate) fn name(&self) -> String {
        let is_name = |spec: &PathBuf| spec.extension().is_none();
        let file = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match (&self.weights, self.source()) {
            (Some(spec), _) if !is_name(spec) => file(spec),
            (_, Ok(Source::File(path)))
                if path.extension().is_some_and(|extension| extension == "safetensors") =>
            {
                picture_file::stem(&path)
            }
            (_, Ok(Source::File(path))) => file(&path),
            #[cfg(feature = "embedded")]
            (_, Ok(_)) => EMBEDDED.to_owned(),
            (Some(spec), _) => file(spec),
            (None, _) => String::new(),
        }
    }

    /// The network's name for a reader, with its architecture where the name is another: there are narrower networks of
    /// one architecture.
    pub(crate) fn label(&self, weights: &Weights) -> String {
        let (name, architecture) = (self.name(), weights.architecture().to_string());
        match name.trim_end_matches(".safetensors") {
            name if name == architecture => architecture,
            name => format!("{name} ({architecture})"),
        }
    }

    /// Opens the weights.
    pub(crate) fn open(&self, detail: Detail) -> Result<Weights> {
        let source = self.source()?;
        let start = Instant::now();
        let mut weights = if self.no_mmap { source.read()? } else { source.open()? };
        if let Some(preprocessing) = self.preprocessing {
            weights = weights.with_preprocessing(preprocessing);
        }
        detail.verbose(format_args!(
            "weights: {source}, {} with {} preprocessing, {}, {} in {:.1} ms",
            weights.architecture(),
            weights.preprocessing(),
            terminal::bytes(weights.file_len() as u64),
            if self.no_mmap { "read" } else { "opened" },
            start.elapsed().as_secs_f64() * 1e3
        ));
        Ok(weights)
    }
}
