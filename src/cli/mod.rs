//! The command line: one file a subcommand.
//!
//! In: arguments as typed. Out: text on the terminal or one JSON object (`--json`), and an exit code
//! ([`ErrorKind::exit_code`](crate::ErrorKind::exit_code)). Only this folder and `main.rs` print. Answers go to standard output;
//! progress, warnings and errors to standard error.
#![expect(clippy::print_stderr, reason = "the command line prints")]

/// Prints a line to standard output, as [`print_out`] does.
macro_rules! say {
    () => { $crate::cli::print_out(format_args!("\n")) };
    ($($text:tt)*) => { $crate::cli::print_out(format_args!("{}\n", format_args!($($text)*))) };
}

/// Prints to standard output, as [`print_out`] does, without ending the line.
macro_rules! say_part {
    ($($text:tt)*) => { $crate::cli::print_out(format_args!($($text)*)) };
}

mod cached_index;
mod compact;
mod completions;
mod delete;
mod eval;
mod explain;
mod get;
mod grep;
mod index;
mod interrupt;
mod judge;
mod models;
mod output;
mod progress;
mod run;
mod search;
#[cfg(feature = "server")]
mod serve;
mod stats;
mod tune;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};

use crate::error::{Error, ErrorKind};
use crate::models::{ModelOptions, Models};

/// Hybrid search: BM25 and embeddings in one index, fused and re-ranked.
///
/// Exit codes: 0 success, 1 a fault of this program, 2 wrong arguments, 3 invalid input, 4 invalid plan, 5 not found, 6 conflict,
/// 7 unsupported, 8 model, 9 another model than the index's, 10 damaged file, 11 index busy, 12 input or output, 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "bifocal", version, propagate_version = true, max_term_width = 110)]
#[command(
    after_help = "Example:\n  bifocal index books.idx corpus.jsonl\n  bifocal search books.idx \"lift of a wing in a slipstream\""
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    models: ModelArgs,
    /// More on standard error: -v what is done, -vv details. BIFOCAL_LOG takes a filter (`bifocal=debug`)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

/// How models are found and run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Models")]
struct ModelArgs {
    /// A folder of model folders, looked at before those that come with Bifocal
    #[arg(long, global = true, env = "BIFOCAL_MODELS", value_name = "FOLDER")]
    models_dir: Option<PathBuf>,
    /// Never ask the Hugging Face hub
    #[arg(long, global = true, env = "BIFOCAL_OFFLINE", value_parser = clap::builder::FalseyValueParser::new())]
    offline: bool,
    /// Neither read nor write the cache of embeddings
    #[arg(long, global = true)]
    no_cache: bool,
    /// Memory that inference may use beside the model, in MiB; less is slower on long texts
    #[arg(long, global = true, env = "BIFOCAL_INFERENCE_MEMORY", value_name = "MIB", value_parser = clap::value_parser!(u64).range(16..))]
    inference_memory: Option<u64>,
    /// Threads of inference; all cores when absent
    #[arg(long, global = true, env = "BIFOCAL_THREADS", value_name = "N", value_parser = clap::value_parser!(u64).range(1..=512))]
    threads: Option<u64>,
}

impl ModelArgs {
    fn open(&self) -> Arc<Models> {
        let mut options = ModelOptions::default();
        options.models_dir.clone_from(&self.models_dir);
        options.offline = self.offline;
        if self.no_cache {
            options.cache_dir = None;
        }
        if let Some(mebibytes) = self.inference_memory {
            options.inference_memory_bytes = usize::try_from(mebibytes << 20).unwrap_or(usize::MAX);
        }
        options.threads = self.threads.and_then(|threads| usize::try_from(threads).ok()).or(options.threads);
        Arc::new(Models::new(options))
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    Index(index::IndexArgs),
    Search(search::SearchArgs),
    Run(run::RunArgs),
    Get(get::GetArgs),
    Delete(delete::DeleteArgs),
    Stats(stats::StatsArgs),
    Explain(explain::ExplainArgs),
    Eval(Box<eval::EvalArgs>),
    Judge(judge::JudgeArgs),
    Tune(tune::TuneArgs),
    Grep(grep::GrepArgs),
    Models(models::ModelsArgs),
    Compact(compact::CompactArgs),
    #[cfg(feature = "server")]
    Serve(Box<serve::ServeArgs>),
    #[cfg(feature = "server")]
    HashPassword(serve::HashPasswordArgs),
    Completions(completions::CompletionsArgs),
}

/// Runs a command line and says with which code the process ends.
pub fn run(cli: Cli) -> ExitCode {
    start_log(cli.verbose, &cli.command);
    report_panics();
    let models = cli.models.open();
    let outcome = match cli.command {
        Command::Index(args) => index::run(&args, &models),
        Command::Search(args) => search::run(&args, &models),
        Command::Run(args) => run::run(&args, &models),
        Command::Get(args) => get::run(&args, &models),
        Command::Delete(args) => delete::run(&args, &models),
        Command::Stats(args) => stats::run(&args, &models),
        Command::Explain(args) => explain::run(&args, &models),
        Command::Eval(args) => eval::run(&args, &models),
        Command::Judge(args) => judge::run(&args, &models),
        Command::Tune(args) => tune::run(&args, &models),
        Command::Grep(args) => grep::run(&args, &models),
        Command::Models(args) => models::run(&args, &models),
        Command::Compact(args) => compact::run(&args, &models),
        #[cfg(feature = "server")]
        Command::Serve(args) => serve::run(&args, &models),
        #[cfg(feature = "server")]
        Command::HashPassword(args) => serve::hash(&args),
        Command::Completions(args) => completions::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let kind = error.chain().find_map(|cause| cause.downcast_ref::<Error>()).map_or(ErrorKind::Io, Error::kind);
            if is_broken_pipe(&error) {
                return ExitCode::SUCCESS;
            }
            eprintln!("bifocal: {}", in_one_line(&error));
            ExitCode::from(kind.exit_code())
        }
    }
}

/// A panic is a fault of this program, or a library's answer to a damaged file: both are said in one line.
fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |place| format!(" at {}:{}", place.file(), place.line()));
        let cause = panic.payload_as_str().unwrap_or("unknown");
        eprintln!(
            "bifocal: a fault of this program, or a damaged file of the index (`bifocal stats INDEX --verify` tells): {cause}{place}"
        );
        std::process::exit(i32::from(ErrorKind::Internal.exit_code()));
    }));
}

/// The error and its causes, without those that the texts before them tell already.
fn in_one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if line.is_empty() {
            line = cause;
        } else if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line
}

/// Prints to standard output. Where that takes no more, the process ends: quietly if the reader has seen enough, else with the reason.
fn print_out(text: std::fmt::Arguments<'_>) {
    let Err(error) = std::io::stdout().lock().write_fmt(text) else { return };
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        std::process::exit(0);
    }
    eprintln!("bifocal: standard output: {error}");
    std::process::exit(i32::from(ErrorKind::Io.exit_code()));
}

/// A reader that has seen enough (`bifocal search ... | head`) is no fault.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

fn start_log(verbose: u8, command: &Command) {
    let level = match verbose {
        0 => "bifocal=warn",
        1 => "bifocal=info",
        _ => "bifocal=debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("BIFOCAL_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    #[cfg(feature = "server")]
    if let Command::Serve(args) = command {
        // A server's lines are read later: they say when.
        let _ = match args.log_format() {
            serve::LogFormat::Text => log.with_timer(LogTime).with_ansi(false).try_init(),
            serve::LogFormat::Json => log.with_timer(LogTime).json().flatten_event(true).try_init(),
        };
        return;
    }
    let _ = command;
    let _ = log.without_time().try_init();
}

/// UTC to the millisecond.
#[cfg(feature = "server")]
struct LogTime;

#[cfg(feature = "server")]
impl tracing_subscriber::fmt::time::FormatTime for LogTime {
    fn format_time(&self, w: &mut tracing_subscriber::fmt::format::Writer<'_>) -> std::fmt::Result {
        write!(w, "{:.3}", jiff::Timestamp::now())
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent_and_every_flag_has_help() {
        let mut command = Cli::command();
        command.clone().debug_assert();
        command.build();
        for subcommand in command.get_subcommands() {
            for argument in subcommand.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {}", subcommand.get_name(), argument.get_id());
            }
        }
    }

    #[test]
    fn every_command_shows_an_example() {
        for subcommand in Cli::command().get_subcommands() {
            let help = subcommand.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("bifocal "), "{} has no example", subcommand.get_name());
        }
    }
}
