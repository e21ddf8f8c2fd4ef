//! Help that fits: `-h` has what most people need on one screen, `--help` has everything, in groups.

use std::ffi::OsString;

use clap::Command;

/// The flags that `-h` of a command that makes a picture shows, where it has them, in this order.
const ON_ONE_SCREEN: [&str; 21] = [
    "style",
    "output",
    "name",
    "recursive",
    "jobs",
    "watch",
    "size",
    "style-weight",
    "steps",
    "layer",
    "preset",
    "colors",
    "style-scale",
    "mask",
    "blend",
    "weights",
    "config",
    "dry-run",
    "quiet",
    "verbose",
    "help",
];

/// Whether arguments ask for the short help.
pub(crate) fn is_short(arguments: &[OsString]) -> bool {
    arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "-h")
}

/// A subcommand with flags for most people, in one list, for the short help.
pub(crate) fn shortened(subcommand: Command) -> Command {
    let all = format!("All flags: impasto {} --help", subcommand.get_name());
    let subcommand = subcommand.mut_args(|arg| {
        let at = arg.get_long().map(|flag| ON_ONE_SCREEN.iter().position(|shown| *shown == flag));
        match at {
            // A picture.
            None => arg,
            Some(None) => arg.hide_short_help(true),
            Some(Some(at)) => arg.help_heading(None::<&str>).display_order(at),
        }
    });
    subcommand.after_help(all)
}
