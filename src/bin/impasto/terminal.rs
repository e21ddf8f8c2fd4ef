//! What is said: notes on stderr, answers on stdout. Neither ever panics where the reader is gone, and neither has
//! control characters, which names of files and metadata may bring and a terminal would obey.

use std::fmt::{Arguments, Display};
use std::io::{self, Write};
use std::path::Path;

use clap::Args;

use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::ranks;

/// Says on stderr, in one line, why the command failed.
pub(crate) fn report(failure: &Failure) {
    note(format_args!("impasto: {failure}"));
}

/// A line on stderr. Where nobody can read it there is nobody to tell.
pub(crate) fn note(line: Arguments) {
    let _ = writeln!(io::stderr(), "{}", without_controls(&line.to_string()));
}

/// Prints an answer of one or more lines, and a newline, on stdout.
pub(crate) fn print(answer: impl Display) -> Result<()> {
    let answer = answer.to_string();
    let lines: Vec<_> = answer.split('\n').map(without_controls).collect();
    write(&lines.join("\n"))
}

/// Prints a JSON answer and a newline on stdout, with every character as it is.
pub(crate) fn print_json(answer: &Value) -> Result<()> {
    write(&answer.to_string())
}

/// Prints a program's text, with every character as it is, up to its last line's end.
pub(crate) fn print_text(text: &str) -> Result<()> {
    write(text.trim_end())
}

fn write(answer: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    check_stdout()
        .and_then(|()| writeln!(stdout, "{answer}"))
        .and_then(|()| stdout.flush())
        .map_err(|source| Failure::Write { path: Path::new("-").to_owned(), source })
}

/// Finds a standard output that was closed when the process started.
pub(crate) fn check_stdout() -> io::Result<()> {
    #[cfg(unix)]
    if crate::unix::stdout_was_closed() {
        return Err(io::Error::other("standard output is closed"));
    }
    Ok(())
}

/// One line of text, with a question mark for every control character.
pub(crate) fn without_controls(line: &str) -> String {
    line.replace(char::is_control, "?")
}

/// How much a command that writes a file says.
#[derive(Debug, Args)]
#[command(next_help_heading = "Messages")]
pub(crate) struct DetailOptions {
    /// Say nothing but what went wrong
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,

    #[command(flatten)]
    verbose: VerboseOption,
}

impl DetailOptions {
    pub(crate) fn detail(&self) -> Detail {
        if self.quiet || !ranks::is_first() { Detail::Quiet } else { self.verbose.detail() }
    }
}

/// How much a command says whose answer is on stdout.
#[derive(Debug, Args)]
#[command(next_help_heading = "Messages")]
pub(crate) struct VerboseOption {
    /// Say on stderr what the work is done with, and where the time goes
    #[arg(short, long)]
    verbose: bool,
}

impl VerboseOption {
    pub(crate) fn detail(&self) -> Detail {
        if self.verbose { Detail::Verbose } else { Detail::Normal }
    }
}

/// What is said while a command works, beside its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Detail {
    /// Nothing.
    Quiet,
    /// That it is done, and how far it is where stderr is a terminal.
    Normal,
    /// What it works with, and where the time goes.
    Verbose,
}

impl Detail {
    /// A line on stderr with `--verbose`.
    pub(crate) fn verbose(self, line: Arguments) {
        if self >= Self::Verbose {
            note(line);
        }
    }

    /// A line on stderr unless `--quiet`.
    pub(crate) fn normal(self, line: Arguments) {
        if self >= Self::Normal {
            note(line);
        }
    }
}

/// Bytes as text, in units of powers of 1000.
pub(crate) fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.0} kB", (bytes as f64 / 1e3).ceil()),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}
