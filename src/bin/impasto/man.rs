//! `impasto man`.

use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_mangen::Man;

use crate::arguments;
use crate::failure::{Failure, Result};
use impasto::whole_file::write_whole;

/// Write the manual pages into a folder, one for each subcommand
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  impasto man ~/.local/share/man/man1        then `man impasto-stylize`")]
pub(crate) struct Options {
    /// Folder, which is made where it doesn't exist
    folder: PathBuf,
}

impl Options {
    pub(crate) fn run(&self) -> Result<()> {
        std::fs::create_dir_all(&self.folder)
            .map_err(|source| Failure::Write { path: self.folder.clone(), source })?;
        // `help` would have a page for the help of each subcommand.
        let mut command = arguments::command().disable_help_subcommand(true);
        command.build();
        write_pages(command, &self.folder)
    }
}

/// Writes the pages of a command and of those below it.
fn write_pages(command: Command, folder: &Path) -> Result<()> {
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        write_pages(subcommand.clone(), folder)?;
    }
    let page = Man::new(command);
    let file = folder.join(page.get_filename());
    let mut text = Vec::new();
    page.render(&mut text).expect("a vector takes every write");
    Ok(write_whole(&file, &text)?)
}
