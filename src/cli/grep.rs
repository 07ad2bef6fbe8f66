//! `bifocal grep`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use crate::chunk::{self, ChunkOptions};
use crate::document::PassageSpan;
use crate::error::Error;
use crate::models::Models;

/// Searches inside files, without an index: the passages that answer best, with their lines
///
/// A file is cut into passages and each is read by the cross-encoder together with the query; without a cross-encoder they are
/// compared by the bi-encoder.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bifocal grep \"how do I install it\" README.md docs/*.md -n 3")]
pub(super) struct GrepArgs {
    /// What to look for
    query: String,
    /// Text files
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Passages to show
    #[arg(long, short = 'n', default_value_t = 5)]
    size: usize,
    /// The cross-encoder or bi-encoder; the installed cross-encoder, else the default bi-encoder, when absent
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Prints one JSON object a passage
    #[arg(long)]
    json: bool,
}

struct Passage {
    file: PathBuf,
    first_line: usize,
    last_line: usize,
    span: PassageSpan,
    text: String,
}

pub(super) fn run(args: &GrepArgs, models: &Arc<Models>) -> anyhow::Result<()> {
    if args.query.trim().is_empty() {
        return Err(Error::invalid_input("the query is empty").into());
    }
    let model = args.model.clone().or_else(|| models.default_cross_encoder());
    let is_cross = match &model {
        Some(name) => models.show(name)?.description.kind == crate::models::ModelKind::CrossEncoder,
        None => false,
    };
    let (passages, scores) = if is_cross {
        let encoder = models.cross_encoder(&model.unwrap_or_default())?;
        // The query and three special tokens go into the same input.
        let reserved = encoder.tokenizer().token_offsets(&args.query)?.len() + 8;
        let passages = read(args, encoder.fingerprint(), encoder.tokenizer(), reserved)?;
        let texts: Vec<&str> = passages.iter().map(|passage| passage.text.as_str()).collect();
        let scores = encoder.score(&args.query, &texts)?.into_iter().map(|score| score.relevance).collect::<Vec<f32>>();
        (passages, scores)
    } else {
        if model.is_none() {
            eprintln!(
                "no cross-encoder is installed; passages are compared by the bi-encoder {}",
                crate::models::DEFAULT_BI_ENCODER
            );
        }
        let encoder = models.bi_encoder(model.as_deref().unwrap_or(crate::models::DEFAULT_BI_ENCODER))?;
        let passages = read(args, encoder.fingerprint(), encoder.tokenizer(), 0)?;
        let texts: Vec<&str> = passages.iter().map(|passage| passage.text.as_str()).collect();
        let query = encoder.embed_queries(&[args.query.as_str()])?;
        let embedded = encoder.embed_passages(&texts)?;
        let query = query.rows().next().unwrap_or_default().to_vec();
        let scores = embedded.rows().map(|row| row.iter().zip(&query).map(|(a, b)| a * b).sum()).collect::<Vec<f32>>();
        (passages, scores)
    };
    let mut order: Vec<(f32, &Passage)> = scores.into_iter().zip(&passages).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (score, passage) in order.into_iter().take(args.size) {
        print(args, score, passage);
    }
    Ok(())
}

fn read(
    args: &GrepArgs,
    model: &crate::models::ModelFingerprint,
    tokenizer: &dyn crate::models::Tokenize,
    num_reserved: usize,
) -> anyhow::Result<Vec<Passage>> {
    let mut options = ChunkOptions::default().fitted_to(model, tokenizer)?;
    options.max_tokens = options.max_tokens.saturating_sub(num_reserved).clamp(1, 128);
    options.overlap_tokens = 0;
    let mut passages = Vec::new();
    for file in &args.files {
        let text = read_text(file)?;
        for span in chunk::passages(&[text.as_str()], &options, tokenizer)? {
            let passage = text.get(span.range()).unwrap_or_default();
            let before = text.get(..span.range().start).unwrap_or_default();
            let first_line = before.matches('\n').count() + 1;
            passages.push(Passage {
                file: file.clone(),
                first_line,
                last_line: first_line + passage.matches('\n').count(),
                span,
                text: passage.to_string(),
            });
        }
    }
    if passages.is_empty() {
        return Err(Error::invalid_input("the files hold no text").into());
    }
    Ok(passages)
}

fn read_text(file: &Path) -> crate::Result<String> {
    fs_err::read_to_string(file).map_err(|error| {
        if error.kind() == std::io::ErrorKind::InvalidData {
            Error::invalid_input("is not UTF-8 text").in_file(file)
        } else {
            Error::from(error)
        }
    })
}

fn print(args: &GrepArgs, score: f32, passage: &Passage) {
    if args.json {
        say!(
            "{}",
            json!({"file": passage.file, "first_line": passage.first_line, "last_line": passage.last_line,
                   "start": passage.span.start, "end": passage.span.end, "score": score, "text": passage.text})
        );
        return;
    }
    say!("{}:{}-{}: {score:.4}", passage.file.display(), passage.first_line, passage.last_line);
    for line in passage.text.lines() {
        let clean: String =
            line.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
        say!("    {clean}");
    }
}
