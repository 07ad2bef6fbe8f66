//! `bifocal run`.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::search::PlanArgs;
use super::{interrupt, progress};
use crate::error::Error;
use crate::eval::dataset::read_queries;
use crate::eval::run::Run;
use crate::index::Index;
use crate::models::Models;
use crate::retrieve::Searcher;
use crate::search::batch::run_queries;

/// Searches many queries and prints a TREC run: query, Q0, document, rank, score, plan
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  bifocal run books.idx --queries queries.jsonl --plan hybrid --depth 100 > hybrid.run"
)]
pub(super) struct RunArgs {
    /// The index's folder
    index: PathBuf,
    /// Queries: JSON lines with `_id` and `text`, or `id<TAB>text` lines
    #[arg(long)]
    queries: PathBuf,
    #[command(flatten)]
    plan: PlanArgs,
    /// Only the documents of this TREC run are candidates of its queries: re-ranks another system's hits
    #[arg(long, value_name = "RUN")]
    candidates: Option<PathBuf>,
}

pub(super) fn run(args: &RunArgs, models: &Arc<Models>) -> anyhow::Result<()> {
    interrupt::install();
    let searcher = Searcher::open(&Index::open(&args.index, models.clone())?)?;
    let queries = read_queries(&args.queries)?;
    let candidates = args.candidates.as_deref().map(Run::read).transpose()?.map(Run::documents);
    let mut plans = args.plan.plans(&searcher)?;
    let (Some(mut plan), true) = (plans.pop(), plans.is_empty()) else {
        return Err(Error::invalid_plan("a run has one plan; name one with --plan").into());
    };
    plan.size = Some(args.plan.depth.or(plan.size).unwrap_or(100));
    let resolved = plan.resolve(&searcher.plan_context(models.default_cross_encoder()))?;
    let bar = progress::bar(queries.len() as u64, "queries");
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for chunk in queries.chunks(256) {
        interrupt::check()?;
        let responses = run_queries(&searcher, models, chunk, candidates.as_ref(), &resolved)?;
        for ((query, _), response) in chunk.iter().zip(&responses) {
            for warning in &response.warnings {
                bar.suspend(|| eprintln!("warning: query {query}: {}", warning.message));
            }
            for (rank, hit) in (1..).zip(&response.hits) {
                writeln!(out, "{query} Q0 {} {rank} {:.6} {}", hit.id, hit.score, response.plan)?;
            }
        }
        bar.inc(chunk.len() as u64);
    }
    out.flush()?;
    bar.finish_and_clear();
    Ok(())
}
