//! `impasto show`.

use std::path::PathBuf;

use clap::{Args, Command, CommandFactory};

use crate::arguments::PAINTING;
use crate::failure::{Failure, Result};
use crate::settings::{self, Value, texts};
use crate::shell::quoted;
use crate::terminal::{self, without_controls};
use crate::toml_file::{Entry, entries};
use impasto::picture::{Metadata, Reading};

/// Say how a result was made: the command, as settings in its file have it
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  impasto show out.png

PNG and JPEG results carry the settings that made them, unless made with --strip. Files are named without their \
folders.")]
pub(crate) struct Options {
    /// Result of stylize, texture or reconstruct
    result: PathBuf,
}

impl Options {
    pub(crate) fn run(&self) -> Result<()> {
        let metadata = Metadata::open(&self.result)?;
        let Some(text) = metadata.settings else {
            let reason =
                "it carries no settings of impasto: PNG and JPEG results do, unless made with --strip";
            return Err(self.failure(reason));
        };
        let made =
            Made::of(&text).map_err(|reason| self.failure(&format!("its settings are damaged: {reason}")))?;
        let foreseen = Reading::default().foresee(&self.result)?;
        let size = format!("{}×{} pixels", foreseen.width, foreseen.height);
        terminal::print(format!(
            "{}\n\n{size}, by impasto {}{}",
            made.command(),
            made.version,
            made.warning()
        ))
    }

    fn failure(&self, reason: &str) -> Failure {
        Failure::Settings { path: self.result.clone(), reason: reason.to_owned() }
    }
}

/// The command that made a result with these settings, in a line.
///
/// # Errors
/// Where they are damaged.
pub(crate) fn command_of(settings: &str) -> Result<String, String> {
    Ok(Made::of(settings)?.command())
}

/// How a result was made.
struct Made {
    version: String,
    /// The subcommand, as this version has it.
    command: Command,
    entries: Vec<Entry>,
}

impl Made {
    fn of(text: &str) -> Result<Self, String> {
        let (mut version, mut name, mut others) = (None, None, Vec::new());
        for entry in entries(text).map_err(|wrong| format!("line {}: {}", wrong.line, wrong.reason))? {
            match (&*entry.key, entry.value) {
                (settings::VERSION, Value::One(text)) => version = Some(text),
                (settings::COMMAND, Value::One(text)) => name = Some(text),
                (key, value) if key.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-') => {
                    others.push(Entry { value, ..entry });
                }
                (key, _) => return Err(format!("{key:?} is no setting")),
            }
        }
        let version = version.ok_or("they have no version")?;
        let name = name.filter(|name| PAINTING.contains(&&**name)).ok_or("they have no command")?;
        let mut all = crate::Cli::command();
        let command = all.find_subcommand_mut(&name).ok_or("they have no command")?.clone();
        Ok(Self { version, command, entries: others })
    }

    /// The command in a line: the files, and the flags that are other than this version's defaults.
    fn command(&self) -> String {
        let mut words = vec!["impasto".to_owned(), self.command.get_name().to_owned()];
        let value = |key: &str| self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
        for positional in self.command.get_positionals() {
            let texts = value(positional.get_id().as_str()).map_or(&[][..], texts);
            // What begins with a minus would be read as a flag.
            let file = |text: &String| if text.starts_with('-') { format!("./{text}") } else { text.clone() };
            words.extend(texts.iter().map(file));
        }
        for Entry { key, value, .. } in &self.entries {
            let is_positional = self.command.get_positionals().any(|positional| positional.get_id() == key);
            let arg = self.command.get_arguments().find(|arg| arg.get_long() == Some(key));
            let defaults = arg.map_or(&[][..], |arg| arg.get_default_values());
            if is_positional || settings::is_checksum(key) || is_default(texts(value), defaults) {
                continue;
            }
            words.extend(settings::words(key, value, arg));
        }
        words.iter().map(|word| quoted(&without_controls(word))).collect::<Vec<_>>().join(" ")
    }

    /// What to know where the command may make another picture.
    fn warning(&self) -> String {
        match env!("CARGO_PKG_VERSION") {
            version if version == self.version => String::new(),
            version => format!("; this is {version}, which may make another picture"),
        }
    }
}

/// Whether these are an argument's default values.
fn is_default(texts: &[String], defaults: &[clap::builder::OsStr]) -> bool {
    !defaults.is_empty()
        && texts.len() == defaults.len()
        && texts.iter().zip(defaults).all(|(text, default)| default == text.as_str())
}
