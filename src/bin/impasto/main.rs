//! The `impasto` command: one file a subcommand, and what they share.

mod arguments;
mod bar;
mod batch;
mod checkpoint;
mod classify;
mod completions;
mod compute;
mod config;
mod dry_run;
mod failure;
mod features;
mod help;
mod hints;
mod install_check;
mod interrupt;
mod job;
mod loss;
mod man;
mod metrics;
mod network;
mod overwrite;
mod paint;
mod picture_file;
mod placement;
mod presets;
mod profile;
mod progress;
mod ranks;
mod reconstruct;
mod report;
mod rescue;
mod result_file;
mod resume;
mod settings;
mod several;
mod shell;
mod show;
mod strokes;
mod stylize;
mod svg;
mod tensor_file;
mod terminal;
mod terms;
mod texture;
mod toml_file;
#[cfg(unix)]
mod unix;
mod values;
mod version;
mod weights;
mod work;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Result;
use crate::interrupt::Signal;
use crate::settings::Settings;
use impasto::Checkpoint;

/// Paints one picture in another's style: neural style transfer on the CPU.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, after_help = ABOUT_ALL)]
struct Cli {
    /// With --version: commit, features, instruction set, the network inside, target and compiler as well
    #[arg(short, long, requires = "version")]
    verbose: bool,

    #[command(subcommand)]
    command: Command,
}

const ABOUT_ALL: &str = "\
Example:
  impasto stylize portrait.jpg painting.jpg -o out.png

Environment:
  IMPASTO_WEIGHTS      the network to use by default: its file, or its name in `weights list`
  IMPASTO_WEIGHTS_DIR  a folder of networks, each as NAME.safetensors

Ctrl-C, SIGTERM and SIGHUP (a closed terminal; not with nohup) end the work with the best picture so far \
written. Further signals within 2 s change nothing; one after that ends it at once, without a picture.

With --checkpoint FILE, `impasto resume FILE` goes on with work that was ended, by a signal, by --max-time or otherwise.

Exit code: 0 done, or --max-time is up; 1 failed, with one line on stderr; 2 bad usage; with the best picture so far written, 130 \
after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP.";

#[derive(Debug, Subcommand)]
enum Command {
    Stylize(stylize::Options),
    Batch(batch::Options),
    Texture(texture::Options),
    Reconstruct(reconstruct::Options),
    Resume(resume::Options),
    Show(show::Options),
    Features(features::Options),
    Loss(loss::Options),
    Classify(classify::Options),
    Profile(profile::Options),
    Weights(weights::Options),
    InstallCheck(install_check::Options),
    Completions(completions::Options),
    Man(man::Options),
}

/// How the command ended where nothing failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// All is done.
    Done,
    /// A signal asked for the end. The best picture until then is written.
    Interrupted(Signal),
}

fn main() -> ExitCode {
    #[cfg(unix)]
    unix::give_large_buffers_back();
    let outcome = ranks::join().and_then(|()| arguments::parse()).and_then(|cli| {
        interrupt::watch();
        picture_file::silence_decoders();
        cli.run()
    });
    let is_first = ranks::is_first();
    if let Err(failure) = &outcome {
        ranks::let_the_first_fail();
        terminal::report(failure);
    }
    ranks::leave(i32::from(outcome.is_err()));
    match outcome {
        Ok(Outcome::Interrupted(signal)) if is_first => ExitCode::from(signal.exit_code()),
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

impl Cli {
    /// Hands a command that makes a picture the settings that it was given.
    fn keep(&mut self, settings: Settings) {
        match &mut self.command {
            Command::Stylize(options) => options.job.keep(settings),
            Command::Batch(options) => options.keep(settings),
            Command::Texture(options) => options.job.keep(settings),
            Command::Reconstruct(options) => options.job.keep(settings),
            _ => {}
        }
    }

    /// Lets a command that makes a picture go on from a checkpoint.
    fn resume(&mut self, checkpoint: Checkpoint) {
        match &mut self.command {
            Command::Stylize(options) => options.job.resume(checkpoint),
            Command::Texture(options) => options.job.resume(checkpoint),
            Command::Reconstruct(options) => options.job.resume(checkpoint),
            _ => {}
        }
    }

    /// Refuses options that contradict each other by their values, which clap's own rules can't say.
    fn check(&self) -> Result<(), String> {
        match &self.command {
            Command::Stylize(options) => options.check(),
            Command::Batch(options) => options.check(),
            Command::Texture(options) => options.check(),
            Command::Reconstruct(options) => options.check(),
            _ => Ok(()),
        }
    }

    /// Refuses files of which it can't be told what each is meant to be.
    fn check_files(&self) -> Result<(), String> {
        match &self.command {
            Command::Stylize(options) => options.check_pictures(),
            _ => Ok(()),
        }
    }

    /// Does what the command says.
    ///
    /// # Errors
    /// Whatever failed, in one line.
    fn run(&self) -> Result<Outcome> {
        let is_shared = matches!(
            self.command,
            Command::Stylize(_) | Command::Texture(_) | Command::Reconstruct(_) | Command::Resume(_)
        );
        if !is_shared {
            // Several processes do it no faster than one.
            let is_first = ranks::is_first();
            ranks::leave(0);
            if !is_first {
                return Ok(Outcome::Done);
            }
        }
        match &self.command {
            Command::Stylize(options) => options.run(),
            Command::Batch(options) => options.run(),
            Command::Texture(options) => options.run(),
            Command::Reconstruct(options) => options.run(),
            Command::Resume(options) => options.run(),
            Command::Show(options) => options.run().map(|()| Outcome::Done),
            Command::Features(options) => options.run().map(|()| Outcome::Done),
            Command::Loss(options) => options.run().map(|()| Outcome::Done),
            Command::Classify(options) => options.run().map(|()| Outcome::Done),
            Command::Profile(options) => options.run().map(|()| Outcome::Done),
            Command::Weights(options) => options.run().map(|()| Outcome::Done),
            Command::InstallCheck(options) => options.run().map(|()| Outcome::Done),
            Command::Completions(options) => options.run().map(|()| Outcome::Done),
            Command::Man(options) => options.run().map(|()| Outcome::Done),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_hold_together() {
        arguments::command().debug_assert();
    }
}
