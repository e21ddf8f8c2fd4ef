//! `impasto completions`.

use clap::Args;
use clap_complete::Shell;

use crate::failure::Result;
use crate::{arguments, terminal};

/// Print the completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples (`mkdir -p` makes a folder that is missing):
  impasto completions bash > ~/.local/share/bash-completion/completions/impasto
  impasto completions zsh > ~/.zfunc/_impasto        with `fpath=(~/.zfunc $fpath)` before `compinit` in .zshrc
  impasto completions fish > ~/.config/fish/completions/impasto.fish
  impasto completions powershell >> $PROFILE")]
pub(crate) struct Options {
    /// Shell to complete in
    shell: Shell,
}

impl Options {
    pub(crate) fn run(&self) -> Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut arguments::command(), "impasto", &mut script);
        terminal::print_text(&String::from_utf8_lossy(&script))
    }
}
