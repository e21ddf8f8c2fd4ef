//! The `impasto` command: parse, run, exit code.

use std::process::ExitCode;

use impasto::cli::{Cli, Outcome, report};

fn main() -> ExitCode {
    match Cli::from_arguments().run() {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        // What a shell says of a program that Ctrl-C ended.
        Ok(Outcome::Interrupted) => ExitCode::from(130),
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}
