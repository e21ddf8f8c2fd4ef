//! `impasto weights`.

#[cfg(feature = "fetch")]
mod fetch;
mod info;
mod list;

use clap::{Args, Subcommand};

use crate::failure::Result;

/// List, describe and fetch networks
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Options),
    Info(info::Options),
    #[cfg(feature = "fetch")]
    Fetch(fetch::Options),
}

impl Options {
    pub(crate) fn run(&self) -> Result<()> {
        match &self.command {
            Command::List(options) => options.run(),
            Command::Info(options) => options.run(),
            #[cfg(feature = "fetch")]
            Command::Fetch(options) => options.run(),
        }
    }
}
