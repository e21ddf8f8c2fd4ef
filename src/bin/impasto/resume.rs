//! `impasto resume`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::arguments::{self, PAINTING};
use crate::failure::{Failure, Result};
use crate::settings::{self, NOT_RESUMED, Value};
use crate::toml_file::{Entry, entries};
use crate::values::memory_size;
use crate::{Cli, Outcome, config, values};
use impasto::Checkpoint;

/// Go on with work that was ended, from its CHECKPOINT
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  impasto stylize portrait.jpg painting.jpg --checkpoint work.checkpoint --max-time 1h
  impasto resume work.checkpoint --max-time 1h

The pictures and the network must be where they were, and the same. On the same instruction set the result has the \
same bytes as if the work had not been ended. Without a flag here, that of the first command counts, but for \
--metrics, --report and --max-time.")]
pub(crate) struct Options {
    /// File that stylize, texture or reconstruct wrote with --checkpoint
    #[arg(value_name = "CHECKPOINT")]
    file: PathBuf,

    /// File to write [default: that of the first command]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Where to keep the state of the work from now on [default: in CHECKPOINT]
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,

    /// Time between two checkpoints
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    checkpoint_every: Option<Duration>,

    /// End after this time with the best picture until then: 90s, 10m, 1h30m
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    max_time: Option<Duration>,

    /// Write one JSON object a step here, from now on
    #[arg(long, value_name = "FILE.jsonl")]
    metrics: Option<PathBuf>,

    /// Write a page about the work here, from now on
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,

    /// Threads; 0: as many as there are cores
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(..=1024))]
    threads: Option<u16>,

    /// Memory that the process may take from now on, such as 4G or 1500M: where that means other strips, the result differs
    /// in some last bits [default: what it might take before]
    #[arg(long, value_name = "SIZE", value_parser = memory_size)]
    max_memory: Option<u64>,

    /// Say nothing but what went wrong
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,

    /// Say on stderr what the work is done with, and where the time goes
    #[arg(short, long)]
    verbose: bool,
}

impl Options {
    pub(crate) fn run(&self) -> Result<Outcome> {
        let checkpoint = Checkpoint::open(&self.file)?;
        let mut command = self.command(checkpoint.note()).map_err(|reason| Failure::Settings {
            path: self.file.clone(),
            reason: format!("its settings are damaged: {reason}"),
        })?;
        command.resume(checkpoint);
        command.run()
    }

    /// The command that goes on with that of these settings.
    fn command(&self, note: &str) -> Result<Cli, String> {
        let entries = entries(note).map_err(|wrong| format!("line {}: {}", wrong.line, wrong.reason))?;
        let value = |key: &str| entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
        let Some(Value::One(name)) = value(settings::COMMAND) else {
            return Err("they have no command".to_owned());
        };
        let all = arguments::command();
        let known = all.find_subcommand(name).filter(|_| PAINTING.contains(&&**name));
        let subcommand = known.ok_or("they have no command")?;

        // To check one flag at a time.
        let of_one_flag = subcommand.clone().mut_args(|arg| arg.required(false));
        let mut words = vec![OsString::from("impasto"), name.into()];
        let here = self.here();
        for Entry { key, value, .. } in &entries {
            let is_here = here.iter().any(|(flag, _)| flag == key)
                || (self.quiet || self.verbose) && (key == "quiet" || key == "verbose");
            let is_file = subcommand.get_positionals().any(|positional| positional.get_id() == key);
            if is_here || is_file || key == settings::COMMAND {
                continue;
            }
            if key != "output" && NOT_RESUMED.contains(&&**key) {
                return Err(format!("{key:?} is none of them"));
            }
            config::check(&of_one_flag, key, value).map_err(|reason| format!("{key}: {reason}"))?;
            let arg = subcommand.get_arguments().find(|arg| arg.get_long() == Some(key));
            words.extend(settings::words(key, value, arg).into_iter().map(OsString::from));
        }
        for (flag, value) in here {
            let mut word = OsString::from(format!("--{flag}"));
            if let Some(value) = value {
                word.push("=");
                word.push(value);
            }
            words.push(word);
        }
        words.push("--".into());
        for positional in subcommand.get_positionals() {
            let files = value(positional.get_id().as_str()).map_or(&[][..], settings::texts);
            words.extend(files.iter().map(OsString::from));
        }
        let command = arguments::parsed(&words).map_err(|error| {
            let message = error.render().to_string();
            message.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
        })?;
        command.check().map(|()| command)
    }

    /// The flags given here, and what is by default another value than in the first command.
    fn here(&self) -> Vec<(&'static str, Option<OsString>)> {
        let path = |path: &Path| Some(path.as_os_str().to_owned());
        let time = |time: Duration| Some(OsString::from(time.as_secs().to_string()));
        let mut flags = vec![("checkpoint", path(self.checkpoint.as_ref().unwrap_or(&self.file)))];
        flags.extend(self.output.as_ref().map(|file| ("output", path(file))));
        flags.extend(self.metrics.as_ref().map(|file| ("metrics", path(file))));
        flags.extend(self.report.as_ref().map(|file| ("report", path(file))));
        flags.extend(self.checkpoint_every.map(|every| ("checkpoint-every", time(every))));
        flags.extend(self.max_time.map(|most| ("max-time", time(most))));
        flags.extend(self.threads.map(|threads| ("threads", Some(threads.to_string().into()))));
        flags.extend(self.max_memory.map(|bytes| ("max-memory", Some(bytes.to_string().into()))));
        flags.extend(self.quiet.then_some(("quiet", None)));
        flags.extend(self.verbose.then_some(("verbose", None)));
        flags
    }
}
