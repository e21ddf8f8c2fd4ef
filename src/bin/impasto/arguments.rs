//! The command that the process was called with.

use std::env;
use std::ffi::OsString;
use std::process;

use clap::error::{Error, ErrorKind};
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches};

use crate::failure::Result;
use crate::settings::Settings;
use crate::{Cli, config, help, hints, presets, ranks, terminal, version};

/// The subcommands that make a picture.
pub(crate) const PAINTING: [&str; 3] = ["stylize", "texture", "reconstruct"];

/// The subcommands that have settings.
const WITH_SETTINGS: [&str; 4] = ["stylize", "batch", "texture", "reconstruct"];

/// The command that the process was called with, with the settings of `--config` and `--preset`. Bad usage, `--help` and
/// `--version` end the process.
///
/// # Errors
/// Where a file of settings can't be read, or what is in it can't be.
pub(crate) fn parse() -> Result<Cli> {
    let called: Vec<OsString> = env::args_os().collect();
    let arguments = with_settings(&called)?;
    let cli = parsed(&arguments).unwrap_or_else(|error| {
        if error.kind() == ErrorKind::DisplayVersion && version::is_detailed(&arguments) {
            let printed = if ranks::is_first() { terminal::print_text(&version::details()) } else { Ok(()) };
            ranks::leave(0);
            match printed {
                Ok(()) => process::exit(0),
                Err(failure) => {
                    terminal::report(&failure);
                    process::exit(1)
                }
            }
        }
        // clap repeats arguments as they are: without control characters it says the same of them.
        let cleaned: Vec<_> = arguments.iter().map(cleaned).collect();
        end_with(parsed(&cleaned).err().unwrap_or(error))
    });
    if let Err(conflict) = cli.check().and_then(|()| cli.check_files()) {
        end_with(command().error(ErrorKind::ArgumentConflict, conflict));
    }
    Ok(cli)
}

/// Ends the process with what clap has to say, which of several processes the first one says.
fn end_with(error: Error) -> ! {
    let code = error.exit_code();
    if code != 0 {
        ranks::let_the_first_fail();
    }
    if ranks::is_first() {
        // Where nobody can read it there is nobody to tell.
        let _ = error.print();
    }
    ranks::leave(code);
    process::exit(code)
}

fn cleaned(text: &OsString) -> OsString {
    terminal::without_controls(&text.to_string_lossy()).into()
}

/// The command's definition.
pub(crate) fn command() -> Command {
    let with_presets = |command: Command| command.arg(presets::arg());
    Cli::command().mut_subcommand("stylize", with_presets).mut_subcommand("batch", with_presets)
}

/// The arguments with those that `--config` and `--preset` among them add.
fn with_settings(called: &[OsString]) -> Result<Vec<OsString>> {
    let mut command = command();
    for name in WITH_SETTINGS {
        // A file may have what is required.
        command = command.mut_subcommand(name, |subcommand| subcommand.mut_args(|arg| arg.required(false)));
    }
    // What is wrong in them is said once all are together.
    let Ok(matches) = command.try_get_matches_from_mut(called) else { return Ok(called.to_vec()) };
    let Some((name, matches)) = matches.subcommand().filter(|(name, _)| WITH_SETTINGS.contains(name)) else {
        return Ok(called.to_vec());
    };
    let subcommand = command.find_subcommand(name).expect("it was found in the arguments");
    let added = config::added(subcommand, matches)?.into_iter().map(OsString::from);
    // The program, and the subcommand: flags go behind them.
    let (start, rest) = called.split_at(called.len().min(2));
    Ok(start.iter().cloned().chain(added).chain(rest.iter().cloned()).collect())
}

/// The command that these arguments mean, and nothing else that could add to them.
pub(crate) fn parsed(arguments: &[OsString]) -> Result<Cli, Error> {
    let mut command = command();
    if help::is_short(arguments) {
        command =
            WITH_SETTINGS.iter().fold(command, |command, name| command.mut_subcommand(name, help::shortened));
    }
    hints::check(&mut command, arguments)?;
    let matches = command.try_get_matches_from_mut(arguments);
    let matches = matches.map_err(|error| hints::added(error, &command, arguments))?;
    let mut cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    if let Some(settings) = settings(&command, &matches) {
        cli.keep(settings);
    }
    Ok(cli)
}

/// The settings of a command that makes a picture.
fn settings(command: &Command, matches: &ArgMatches) -> Option<Settings> {
    let (name, matches) = matches.subcommand().filter(|(name, _)| WITH_SETTINGS.contains(name))?;
    Some(Settings::of(command.find_subcommand(name)?, matches))
}
