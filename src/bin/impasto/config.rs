//! Settings from a file (`--config`) and from a preset (`--preset`), for what the command line doesn't say: as arguments.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command};

use crate::failure::{Failure, Result};
use crate::presets;
use crate::settings::{Value, may_have_several, words};
use crate::toml_file::{Entry, entries};

#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct ConfigOptions {
    /// Take settings from this TOML file, whose keys are the flags' names: size = 1024. Flags given here come before it
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) config: Option<PathBuf>,

    /// Write the settings given, by flags, --config or a preset, to this TOML file
    #[arg(long, value_name = "FILE.toml", conflicts_with = "dry_run")]
    pub(crate) save_config: Option<PathBuf>,
}

/// The most bytes of a file of settings.
const LONGEST: u64 = 1 << 20;

/// Flags that no file of settings sets.
const NOT_IN_A_FILE: [&str; 3] = ["config", "save-config", "help"];

/// The arguments that a file and a preset add to those with which a subcommand was called. `command` requires no arguments.
pub(crate) fn added(command: &Command, matches: &ArgMatches) -> Result<Vec<String>> {
    let is_given = |key: &str| {
        let arg = arg_of(command, key);
        arg.is_some_and(|arg| matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine))
    };
    let file = matches.get_one::<PathBuf>("config");
    let entries = file.map(|file| read(command, file)).transpose()?.unwrap_or_default();
    let mut added = Vec::new();
    for Entry { key, value, .. } in entries.iter().filter(|entry| !is_given(&entry.key)) {
        added.extend(arg_of(command, key).into_iter().flat_map(|arg| words(key, value, Some(arg))));
    }
    let in_file = |key: &str| entries.iter().find(|entry| entry.key == key);
    let preset = match (matches.try_get_one::<String>("preset"), in_file("preset")) {
        (Ok(Some(name)), _) => presets::named(name),
        (Ok(None), Some(Entry { value: Value::One(name), .. })) => presets::named(name),
        _ => None,
    };
    for (key, values) in preset.map_or(&[][..], |preset| preset.values) {
        if !is_given(key) && in_file(key).is_none() {
            let value = Value::Several(values.iter().copied().map(str::to_owned).collect());
            added.extend(arg_of(command, key).into_iter().flat_map(|arg| words(key, &value, Some(arg))));
        }
    }
    Ok(added)
}

/// Reads a file of settings, of which each is known to be one of `command`, with a value that it takes.
fn read(command: &Command, file: &Path) -> Result<Vec<Entry>> {
    let failure = |line, reason| Failure::Config { path: file.to_owned(), line, reason };
    let text = text_of(file).map_err(|source| Failure::Read { path: file.to_owned(), source })?;
    let entries = entries(&text).map_err(|wrong| failure(wrong.line, wrong.reason))?;
    for Entry { key, value, line } in &entries {
        check(command, key, value).map_err(|reason| failure(*line, format!("{key}: {reason}")))?;
    }
    Ok(entries)
}

fn text_of(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    match File::open(file)?.take(LONGEST).read_to_string(&mut text)? as u64 {
        LONGEST => Err(io::Error::other("it is too long for a file of settings")),
        _ => Ok(text),
    }
}

/// Checks what a file sets, and says what is wrong.
pub(crate) fn check(command: &Command, key: &str, value: &Value) -> Result<(), String> {
    let Some(arg) = arg_of(command, key).filter(|_| !NOT_IN_A_FILE.contains(&key)) else {
        let of_other_form = key.replace('_', "-");
        let meant = if arg_of(command, &of_other_form).is_some() {
            format!(" (did you mean {of_other_form}?)")
        } else {
            String::new()
        };
        return Err(format!("{} has no such setting{meant}", command.get_name()));
    };
    match value {
        Value::On | Value::Off if !arg.get_action().takes_values() => {}
        _ if !arg.get_action().takes_values() => return Err("expected true or false".to_owned()),
        Value::On | Value::Off => return Err("expected a value, found true or false".to_owned()),
        Value::Several(values) if values.is_empty() => return Err("expected a value, found none".to_owned()),
        Value::Several(_) if !may_have_several(arg) => {
            return Err("expected one value, found a list".to_owned());
        }
        Value::One(_) | Value::Several(_) => {}
    }
    // What the flag itself would say.
    let name = command.get_name().to_owned();
    match command.clone().try_get_matches_from([name].into_iter().chain(words(key, value, Some(arg)))) {
        Ok(_) => Ok(()),
        Err(error) => {
            let message = error.render().to_string();
            let lines: Vec<_> = message.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
            Err(lines.join(" ").trim_start_matches("error: ").to_owned())
        }
    }
}

/// The argument whose flag has this name.
fn arg_of<'c>(command: &'c Command, key: &str) -> Option<&'c Arg> {
    command.get_arguments().find(|arg| arg.get_long() == Some(key))
}
