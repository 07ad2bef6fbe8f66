//! The `bifocal` command: parse, run, exit code.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    bifocal::cli::run(bifocal::cli::Cli::parse())
}
