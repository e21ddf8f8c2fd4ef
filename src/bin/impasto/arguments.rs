//! The command that the process was called with.

use std::env;
use std::ffi::OsString;

use clap::error::{Error, ErrorKind};
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches};

use crate::settings::Settings;
use crate::{Cli, terminal};

/// The subcommands that make a picture.
pub(crate) const PAINTING: [&str; 3] = ["stylize", "texture", "reconstruct"];

/// The command that the process was called with. Bad usage, `--help` and `--version` end the process.
pub(crate) fn parse() -> Cli {
    let arguments: Vec<OsString> = env::args_os().collect();
    let cli = parsed(&arguments).unwrap_or_else(|error| {
        // clap repeats arguments as they are: without control characters it says the same of them.
        let cleaned: Vec<_> = arguments.iter().map(|text| cleaned(text)).collect();
        parsed(&cleaned).err().unwrap_or(error).exit()
    });
    if let Err(conflict) = cli.check() {
        command().error(ErrorKind::ArgumentConflict, conflict).exit();
    }
    cli
}

fn cleaned(text: &OsString) -> OsString {
    terminal::without_controls(&text.to_string_lossy()).into()
}

fn command() -> Command {
    Cli::command()
}

fn parsed(arguments: &[OsString]) -> Result<Cli, Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(arguments)?;
    let mut cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    if let Some(settings) = settings(&command, &matches) {
        cli.keep(settings);
    }
    Ok(cli)
}

/// The settings of a command that makes a picture.
fn settings(command: &Command, matches: &ArgMatches) -> Option<Settings> {
    let (name, matches) = matches.subcommand().filter(|(name, _)| PAINTING.contains(name))?;
    Some(Settings::of(command.find_subcommand(name)?, matches))
}
