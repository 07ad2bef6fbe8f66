//! `bifocal models`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};

use crate::error::Error;
use crate::models::{ModelInfo, Models, bench_passages};

/// Lists, shows, downloads and checks models
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  bifocal models list\n  bifocal models show bge-small-en-v1.5\n  bifocal models pull cross-encoder/ms-marco-MiniLM-L6-v2\n  bifocal models check all-MiniLM-L6-v2"
)]
pub(super) struct ModelsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// The models that are known, and where each is
    List {
        /// Only those on this machine
        #[arg(long)]
        local: bool,
        /// Prints a JSON array
        #[arg(long)]
        json: bool,
    },
    /// What is known of a model: prefixes, pooling, dimensions, licence, source
    Show {
        /// A name, a folder or a repository
        model: String,
        /// Prints one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Downloads a model from the Hugging Face hub
    Pull {
        /// A name or a repository
        model: String,
    },
    /// Loads a model, tries it and says how fast it is
    Check {
        /// A name, a folder or a repository
        model: String,
        /// Measures embedding over the texts of this file: JSON lines with `text`
        #[arg(long, value_name = "FILE")]
        texts: Option<PathBuf>,
        /// Prints one JSON object
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(args: &ModelsArgs, models: &Arc<Models>) -> anyhow::Result<()> {
    match &args.action {
        Action::List { local, json } => list(models, *local, *json),
        Action::Show { model, json } => show(&models.show(model)?, *json),
        Action::Pull { model } => {
            let info = models.pull(model)?;
            let folder = info.folder.as_deref().map(|folder| folder.display().to_string()).unwrap_or_default();
            eprintln!("{} is in {folder}", info.description.name);
            Ok(())
        }
        Action::Check { model, texts: Some(file), json } => measure(models, model, file, *json),
        Action::Check { model, texts: None, json } => check(models, model, *json),
    }
}

fn list(models: &Models, local: bool, json: bool) -> anyhow::Result<()> {
    let mut known = models.list()?;
    known.retain(|model| !local || model.folder.is_some());
    if json {
        say!("{}", serde_json::to_string(&known)?);
        return Ok(());
    }
    say!("{:<52} {:<14} {:>5} {:>7}  {:<8} licence", "model", "kind", "dims", "tokens", "place");
    for model in known {
        let description = &model.description;
        say!(
            "{:<52} {:<14} {:>5} {:>7}  {:<8} {}",
            description.name,
            word(&description.kind),
            description.dims,
            description.max_tokens,
            word(&model.place),
            description.licence
        );
    }
    Ok(())
}

/// A unit variant as serde writes it.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_string)).unwrap_or_default()
}

fn show(info: &ModelInfo, json: bool) -> anyhow::Result<()> {
    let value = serde_json::to_value(info)?;
    if json {
        say!("{value}");
        return Ok(());
    }
    for (key, value) in value.as_object().into_iter().flatten() {
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_string);
        if !shown.is_empty() && shown != "null" {
            say!("{key:<16} {shown}");
        }
    }
    Ok(())
}

fn check(models: &Models, model: &str, json: bool) -> anyhow::Result<()> {
    let report = models.check(model)?;
    if json {
        say!("{}", serde_json::to_string(&report)?);
    } else {
        say!("{} loaded in {:.0} ms", report.fingerprint.name, report.load_ms);
        say!(
            "short query {:.1} ms, {:.0} passages of about forty words a second",
            report.query_ms,
            report.passages_per_s
        );
    }
    if report.problems.is_empty() {
        return Ok(());
    }
    Err(Error::model(format!("model {model}: {}", report.problems.join("; "))).into())
}

fn measure(models: &Models, model: &str, file: &std::path::Path, json: bool) -> anyhow::Result<()> {
    #[derive(serde::Deserialize)]
    struct Line {
        text: String,
    }
    let mut texts = Vec::new();
    for (number, line) in (1..).zip(fs_err::read_to_string(file).map_err(Error::from)?.lines()) {
        let line: Line = serde_json::from_str(line).map_err(|error| {
            Error::invalid_input(format!("is no object with `text` ({error})")).at_line(number).in_file(file)
        })?;
        texts.push(line.text);
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let encoder = models.bi_encoder(model)?;
    let speed = bench_passages(encoder.as_ref(), &texts)?;
    if json {
        say!("{}", serde_json::to_string(&speed)?);
    } else {
        say!(
            "{:.1} passages and {:.0} tokens a second over {} texts",
            speed.passages_per_s,
            speed.tokens_per_s,
            speed.num_passages
        );
    }
    Ok(())
}
