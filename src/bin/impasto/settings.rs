//! The settings that a command was given: as a text in its result, and as a file of settings.
//!
//! Both are TOML, whose keys are the flags' names.

use std::any::TypeId;
use std::ffi::{OsStr, OsString};
use std::path::{self, Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use impasto::weights::is_name;

/// The version that the settings are of.
pub(crate) const VERSION: &str = "impasto";

/// The subcommand that the settings are of.
pub(crate) const COMMAND: &str = "command";

/// Flags that say where results go and how the work is done, and don't change the picture.
const NOT_OF_THE_PICTURE: [&str; 23] = [
    "output",
    "metrics",
    "report",
    "save-every",
    "threads",
    "no-mmap",
    "quiet",
    "verbose",
    "config",
    "save-config",
    "preset",
    "strip",
    "dry-run",
    "checkpoint",
    "checkpoint-every",
    "max-time",
    "name",
    "recursive",
    "null",
    "overwrite",
    "jobs",
    "watch",
    "json",
];

/// Flags that a file of settings would rather not have: those of one picture, and of the file itself.
const NOT_SAVED: [&str; 16] = [
    "output",
    "metrics",
    "report",
    "config",
    "save-config",
    "preset",
    "dry-run",
    "checkpoint",
    "style",
    "name",
    "recursive",
    "null",
    "overwrite",
    "jobs",
    "watch",
    "json",
];

/// Flags that `resume` gives anew or does without.
pub(crate) const NOT_RESUMED: [&str; 9] =
    ["output", "metrics", "report", "config", "save-config", "preset", "dry-run", "checkpoint", "max-time"];

/// What is set by a flag, or the files that are given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// A flag without a value.
    On,
    /// The same in a file, not set.
    Off,
    /// A value.
    One(String),
    /// Values of what may have several.
    Several(Vec<String>),
}

#[derive(Clone, Debug)]
struct Setting {
    /// The flag's name, or that of the files.
    key: String,
    value: Value,
    /// The same with files without their folders.
    without_folders: Value,
    /// The same with files as absolute paths, by which they are found from any folder. `None` if it is no text.
    with_folders: Option<Value>,
    /// Whether it is other than by default.
    is_given: bool,
    is_flag: bool,
}

/// The settings of a command.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    command: String,
    settings: Vec<Setting>,
}

impl Settings {
    /// Those of a subcommand that was called like this.
    pub(crate) fn of(command: &Command, matches: &ArgMatches) -> Self {
        let settings = command.get_arguments().filter_map(|arg| setting(arg, matches)).collect();
        Self { command: command.get_name().to_owned(), settings }
    }

    /// The text in a result: all that the picture depends on, defaults as well, which may be others in another version. Files
    /// are without their folders, so that the same settings give the same text everywhere.
    pub(crate) fn text(&self, network: &str) -> String {
        let mut lines = vec![
            line(VERSION, &Value::One(env!("CARGO_PKG_VERSION").to_owned())),
            line(COMMAND, &Value::One(self.command.clone())),
        ];
        for setting in &self.settings {
            if setting.key != "weights" && !(setting.is_flag && NOT_OF_THE_PICTURE.contains(&&*setting.key)) {
                lines.push(line(&setting.key, &setting.without_folders));
            }
        }
        lines.push(line("weights", &Value::One(network.to_owned())));
        lines.concat()
    }

    /// The text in the result of one photograph of several: as `stylize` alone would have it, and SHA-256 of files that were
    /// read, each under a key that [`is_checksum`].
    pub(crate) fn text_of_one(
        &self,
        photograph: &Path,
        network: &str,
        checksums: &[(&str, Value)],
    ) -> String {
        let name = Path::new(photograph.file_name().unwrap_or(photograph.as_os_str()));
        let content = Setting::of_file("content", name);
        let others = self.settings.iter().filter(|setting| setting.key != "photographs").cloned();
        let settings = [content].into_iter().chain(others).collect();
        let mut text = Self { command: "stylize".to_owned(), settings }.text(network);
        text.extend(checksums.iter().map(|(key, value)| line(key, value)));
        text
    }

    /// The settings of a checkpoint: the files, wherever it is resumed, and the flags that are given, with this output.
    ///
    /// # Errors
    /// The key of what is no text.
    pub(crate) fn to_resume(&self, output: &Path) -> Result<String, String> {
        let output = match output == Path::new("-") {
            true => output.to_owned(),
            false => path::absolute(output).unwrap_or_else(|_| output.to_owned()),
        };
        let output = output.into_os_string().into_string().map_err(|_| "output".to_owned())?;
        let mut lines =
            vec![line(COMMAND, &Value::One(self.command.clone())), line("output", &Value::One(output))];
        let is_kept = |setting: &&Setting| {
            !setting.is_flag || setting.is_given && !NOT_RESUMED.contains(&&*setting.key)
        };
        for setting in self.settings.iter().filter(is_kept) {
            let value = setting.with_folders.as_ref().ok_or_else(|| setting.key.clone())?;
            lines.push(line(&setting.key, value));
        }
        Ok(lines.concat())
    }

    /// A file of the settings that are given.
    pub(crate) fn file(&self) -> String {
        let is_saved =
            |setting: &&Setting| setting.is_flag && setting.is_given && !NOT_SAVED.contains(&&*setting.key);
        let settings = self.settings.iter().filter(is_saved);
        settings.map(|setting| line(&setting.key, &setting.value)).collect()
    }
}

impl Setting {
    fn of_file(key: &str, name: &Path) -> Self {
        let value = Value::One(name.to_string_lossy().into_owned());
        let (key, without_folders) = (key.to_owned(), value.clone());
        Self { key, value, without_folders, with_folders: None, is_given: true, is_flag: false }
    }
}

/// Whether a key of a result's settings is no setting but says which files were read.
pub(crate) fn is_checksum(key: &str) -> bool {
    key.ends_with("-sha256")
}

/// What an argument is set to, if to anything.
fn setting(arg: &Arg, matches: &ArgMatches) -> Option<Setting> {
    let id = arg.get_id().as_str();
    let key = arg.get_long().unwrap_or(id).to_owned();
    let is_given = matches.value_source(id)? == ValueSource::CommandLine;
    let is_flag = arg.get_long().is_some();
    if !arg.get_action().takes_values() {
        let is_on = matches!(arg.get_action(), ArgAction::SetTrue) && matches.get_flag(id);
        return is_on.then_some(Setting {
            key,
            value: Value::On,
            without_folders: Value::On,
            with_folders: Some(Value::On),
            is_given,
            is_flag,
        });
    }
    let raw: Vec<&OsStr> = matches.get_raw(id)?.collect();
    let is_file = arg.get_value_parser().type_id() == TypeId::of::<PathBuf>() || id == "init";
    let without_folder = |raw: &OsStr| match Path::new(raw).file_name() {
        Some(name) if is_file => name.to_owned(),
        _ => raw.to_owned(),
    };
    let with_folder = |raw: &OsStr| match (id, Path::new(raw)) {
        // A name, or a file.
        ("weights", path) if is_name(path) && !path.is_file() => raw.to_owned(),
        ("init", _) if raw == "content" || raw == "noise" => raw.to_owned(),
        (_, path) if is_file => path::absolute(path).map_or_else(|_| raw.to_owned(), PathBuf::into_os_string),
        _ => raw.to_owned(),
    };
    let may_have_several = may_have_several(arg);
    let value = |raw: Vec<OsString>| {
        let mut texts: Vec<_> = raw.iter().map(|raw| raw.to_string_lossy().into_owned()).collect();
        match texts.pop() {
            Some(only) if texts.is_empty() && !may_have_several => Value::One(only),
            last => Value::Several(texts.into_iter().chain(last).collect()),
        }
    };
    let without_folders = value(raw.iter().map(|raw| without_folder(raw)).collect());
    let absolute: Vec<_> = raw.iter().map(|raw| with_folder(raw)).collect();
    let with_folders = absolute.iter().all(|raw| raw.to_str().is_some()).then(|| value(absolute));
    let value = value(raw.into_iter().map(OsStr::to_owned).collect());
    Some(Setting { key, value, without_folders, with_folders, is_given, is_flag })
}

/// Whether an argument may be given several times, is a list, or has several values.
pub(crate) fn may_have_several(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
        || arg.get_value_delimiter().is_some()
        || values_at_once(arg) > 1
}

/// How many values follow an argument's flag.
fn values_at_once(arg: &Arg) -> usize {
    arg.get_num_args().map_or(1, |range| range.min_values()).max(1)
}

/// What is set by a flag as words of a command, of which the definition is `arg`, where this version has it.
pub(crate) fn words(flag: &str, value: &Value, arg: Option<&Arg>) -> Vec<String> {
    let flag = format!("--{flag}");
    let with = |text: &str| match text.starts_with('-') || text.is_empty() {
        true => vec![format!("{flag}={text}")],
        false => vec![flag.clone(), text.to_owned()],
    };
    match value {
        Value::Off => Vec::new(),
        Value::On => vec![flag],
        Value::One(text) => with(text),
        Value::Several(texts) => match arg.map(|arg| (arg.get_value_delimiter(), values_at_once(arg))) {
            Some((Some(delimiter), _)) => with(&texts.join(&delimiter.to_string())),
            Some((None, count)) if count > 1 => {
                texts.chunks(count).flat_map(|texts| [std::slice::from_ref(&flag), texts].concat()).collect()
            }
            _ => texts.iter().flat_map(|text| with(text)).collect(),
        },
    }
}

/// The texts of a value; none of a flag without a value.
pub(crate) fn texts(value: &Value) -> &[String] {
    match value {
        Value::On | Value::Off => &[],
        Value::One(text) => std::slice::from_ref(text),
        Value::Several(texts) => texts,
    }
}

/// A line of TOML.
fn line(key: &str, value: &Value) -> String {
    let value = match value {
        Value::On => "true".to_owned(),
        Value::Off => "false".to_owned(),
        Value::One(text) => plain(text),
        Value::Several(texts) => {
            format!("[{}]", texts.iter().map(|text| plain(text)).collect::<Vec<_>>().join(", "))
        }
    };
    format!("{key} = {value}\n")
}

/// A number where that comes back as the same text, or else a string.
fn plain(text: &str) -> String {
    let is_integer = text.parse::<i64>().is_ok_and(|number| number.to_string() == text);
    // TOML wants digits on both sides of the point.
    let is_decimal = text.contains('.') && text.parse::<f64>().is_ok_and(|number| number.to_string() == text);
    match is_integer || is_decimal {
        true => text.to_owned(),
        // JSON's strings are TOML's, but for one control character.
        false => serde_json::Value::from(text).to_string().replace('\x7F', "\\u007F"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toml_file::entries;

    #[test]
    fn every_text_comes_back() {
        for text in [
            "",
            "512",
            "0.5",
            "-1",
            "-0.25",
            "1e-3",
            "10.0",
            "007",
            "1.",
            ".5",
            "NaN",
            "inf",
            "true",
            "a b",
            "2,1",
            "\"quoted\"",
            "back\\slash",
            "new\nline",
            "\u{7f}\u{1}\u{9b}",
            "größe",
            "'",
            "#",
            "9999999999999999999",
        ] {
            for value in [Value::One(text.to_owned()), Value::Several(vec![text.to_owned(), "x".to_owned()])]
            {
                let line = line("key", &value);
                assert_eq!(line.lines().count(), 1, "{line}");
                let entries = entries(&line).unwrap_or_else(|wrong| panic!("{line}: {wrong:?}"));
                assert_eq!(
                    entries.into_iter().map(|entry| entry.value).collect::<Vec<_>>(),
                    [value],
                    "{line}"
                );
            }
        }
    }

    #[test]
    fn flags_have_their_values_as_they_are_defined() {
        let several = |texts: &[&str]| Value::Several(texts.iter().copied().map(str::to_owned).collect());
        let list = Arg::new("list").value_delimiter(',').num_args(1..);
        let pair = Arg::new("pair").num_args(2).action(ArgAction::Append);
        let repeated = Arg::new("repeated").num_args(1).action(ArgAction::Append);
        for (value, arg, expected) in [
            (Value::On, None, "--f"),
            (Value::Off, None, ""),
            (Value::One("a".to_owned()), Some(&repeated), "--f a"),
            (Value::One("-1".to_owned()), None, "--f=-1"),
            (several(&["1", "2"]), Some(&list), "--f 1,2"),
            (several(&["-1", "2"]), Some(&list), "--f=-1,2"),
            (several(&["a", "b", "c", "d"]), Some(&pair), "--f a b --f c d"),
            (several(&["a", "b"]), Some(&repeated), "--f a --f b"),
            (several(&["a", "b"]), None, "--f a --f b"),
        ] {
            assert_eq!(words("f", &value, arg).join(" "), expected);
            assert!(arg.is_none_or(may_have_several));
        }
    }

    #[test]
    fn numbers_are_numbers() {
        assert_eq!(line("size", &Value::One("512".to_owned())), "size = 512\n");
        assert_eq!(
            line("blend", &Value::Several(vec!["2".to_owned(), "0.5".to_owned()])),
            "blend = [2, 0.5]\n"
        );
        assert_eq!(line("init", &Value::One("noise".to_owned())), "init = \"noise\"\n");
    }
}
