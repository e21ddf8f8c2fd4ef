//! `impasto weights fetch`.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::bar;
use crate::failure::{Failure, Result};
use crate::terminal::{self, Detail, DetailOptions};
use impasto::Error;
use impasto::vgg::Architecture;
use impasto::weights::Places;
use impasto::weights::fetch::{Checksum, Fetch, Progress};

/// Fetch a network of the paper's size and install it
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  impasto weights fetch vgg19
  impasto stylize portrait.jpg painting.jpg --weights vgg19

Installs it in $IMPASTO_WEIGHTS_DIR, or else in the user's data folder. Of the file on the server only the \
convolutions are fetched; `classify`, which needs the classifier too, takes the whole file. What an \
interrupted attempt has fetched is not fetched again. The proxy is that in HTTPS_PROXY, ALL_PROXY or \
HTTP_PROXY, except for hosts in NO_PROXY.")]
pub(crate) struct Options {
    /// Network to fetch: torchvision's, trained on ImageNet, from timm's pages on the Hugging Face hub
    #[arg(value_name = "NAME", value_parser = networks())]
    network: Architecture,

    /// Safetensors file to take it from instead
    #[arg(long)]
    url: Option<String>,

    /// SHA-256 that the installed file must have
    #[arg(long, value_name = "HEX")]
    sha256: Option<Checksum>,

    /// Fetch it even where it is installed, and replace the file
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    detail: DetailOptions,
}

fn networks() -> impl TypedValueParser<Value = Architecture> {
    PossibleValuesParser::new(Fetch::on_hub().map(Architecture::name))
        .map(|name| Architecture::from_name(&name).expect("the names are of networks"))
}

impl Options {
    pub(crate) fn run(&self) -> Result<()> {
        let detail = self.detail.detail();
        let fetch = self.fetch()?;
        let folder = folder()?;
        if !self.force && is_installed(&fetch, &folder)? {
            let path = fetch.path_in(&folder);
            detail.normal(format_args!("{} is there already; --force fetches it anew", path.display()));
            return Ok(());
        }

        let bar = Bar::new(self.network, detail);
        let fetched = fetch.into_folder(&folder, |progress| bar.update(progress));
        bar.bar.finish_and_clear();
        let fetched = fetched?;
        if fetched.resumed > 0 {
            let resumed = terminal::bytes(fetched.resumed);
            detail.verbose(format_args!("{resumed} were there from an earlier attempt"));
        }
        let (path, len) = (fetched.path.display(), terminal::bytes(fetched.len));
        detail.normal(format_args!("{path}: {len}, SHA-256 {}", fetched.checksum));
        Ok(())
    }

    fn fetch(&self) -> Result<Fetch> {
        let fetch = match &self.url {
            Some(url) => Fetch::from_url(self.network, url),
            None => Fetch::from_hub(self.network)?,
        };
        Ok(match self.sha256 {
            Some(checksum) => fetch.with_checksum(checksum),
            None => fetch,
        })
    }
}

/// Whether the network is installed, and is what `--sha256` says.
fn is_installed(fetch: &Fetch, folder: &Path) -> Result<bool> {
    fetch.is_in_folder(folder).map_err(|error| match error {
        Error::Weights { .. } => Failure::option("--sha256", format!("{error}; --force replaces the file")),
        other => other.into(),
    })
}

/// The folder to install into.
fn folder() -> Result<PathBuf> {
    let places = Places::of_user();
    let first = places.folders().first().cloned();
    first.ok_or_else(|| Failure::option("IMPASTO_WEIGHTS_DIR", "not set, and there is no home folder"))
}

/// How much has arrived.
struct Bar {
    bar: indicatif::ProgressBar,
    network: Architecture,
}

impl Bar {
    fn new(network: Architecture, detail: Detail) -> Self {
        Self { bar: bar::of_detail(detail), network }
    }

    fn update(&self, Progress { done, total, .. }: Progress) {
        self.bar.set_length(total);
        self.bar.set_position(done);
        let (so_far, all) = (terminal::bytes(done), terminal::bytes(total));
        let speed = terminal::bytes(self.bar.per_sec() as u64);
        let text = [format!("{so_far} of {all}"), format!("{speed}/s")];
        bar::set_text(&self.bar, self.network.name(), &text);
    }
}
