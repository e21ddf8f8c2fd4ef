//! `impasto weights list`.

use std::fmt::Write;

use clap::Args;

use crate::failure::Result;
use crate::terminal;
use impasto::weights::{Places, Source};

/// List the networks that have a name, embedded and installed, and the default one
#[derive(Debug, Args)]
pub(crate) struct Options;

impl Options {
    pub(crate) fn run(&self) -> Result<()> {
        terminal::print(list(&Places::of_user()).trim_end())
    }
}

fn list(places: &Places) -> String {
    let mut text = String::new();
    let networks = places.networks();
    let longest = networks.iter().map(|network| network.name.chars().count()).max().unwrap_or(0);
    for network in &networks {
        let place = match &network.source {
            Source::File(path) => format!("installed  {}", path.display()),
            #[cfg(feature = "embedded")]
            Source::Embedded => "embedded".to_owned(),
            other => other.to_string(),
        };
        let _ = writeln!(text, "{:<longest$}  {place}", network.name);
    }
    let _ = match places.find_default() {
        Ok(source) => writeln!(text, "default: {source}"),
        Err(error) => writeln!(text, "no default: {error}"),
    };
    for folder in places.folders() {
        let _ = writeln!(text, "looked in: {}", folder.display());
    }
    text
}
