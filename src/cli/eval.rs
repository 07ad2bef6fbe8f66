//! `bifocal eval`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use crate::models::Models;

/// Scores plans on a judged collection: nDCG@10, recall, average precision, latency
///
/// The collection is a folder in BEIR layout: corpus.jsonl, queries.jsonl, qrels/NAME.tsv. The figures are trec_eval's, over all
/// judged queries with a relevant document. The latency is one query at a time, embedding included.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  bifocal index cranfield.idx fixtures/cranfield\n  bifocal eval fixtures/cranfield --index cranfield.idx --plans lexical,dense,hybrid"
)]
pub(super) struct EvalArgs {
    /// The collection's folder
    dataset: PathBuf,
    /// An index of its corpus (`bifocal index INDEX DATASET`)
    #[arg(long)]
    index: PathBuf,
    /// Plans: names or files, with commas
    #[arg(long, default_value = "lexical,dense,hybrid,hybrid-rerank")]
    plans: String,
    /// Candidates of each leg
    #[arg(long)]
    depth: Option<usize>,
    /// Only the documents of this TREC run are candidates of its queries: re-ranks another system's hits
    #[arg(long, value_name = "RUN")]
    candidates: Option<PathBuf>,
    /// Which judgments: NAME is the file qrels/NAME.tsv
    #[arg(long, value_name = "NAME", default_value = "test")]
    qrels: String,
    /// Writes the figures as JSON to this file, `-` for standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(super) fn run(args: &EvalArgs, models: &Arc<Models>) -> anyhow::Result<()> {
    let _ = (args, models);
    unimplemented!("helper engine")
}
