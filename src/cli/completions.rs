//! `bifocal completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;

/// Prints a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bifocal completions bash > ~/.local/share/bash-completion/completions/bifocal")]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "bifocal", &mut script);
    say_part!("{}", String::from_utf8_lossy(&script));
    Ok(())
}
