//! `bifocal explain`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::search::PlanArgs;
use crate::document::DocumentId;
use crate::error::Error;
use crate::index::Index;
use crate::models::Models;
use crate::retrieve::Searcher;
use crate::search::SearchRequest;
use crate::search::why_not::why_not;

/// Says why a document is, or is not, among a query's hits
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bifocal explain books.idx \"lift of a wing\" 184 --plan hybrid")]
pub(super) struct ExplainArgs {
    /// The index's folder
    index: PathBuf,
    /// What was looked for
    query: String,
    /// The document's `_id`
    id: String,
    #[command(flatten)]
    plan: PlanArgs,
    /// Hits that the search shows; the plan's, else 10, when absent
    #[arg(long, short = 'n')]
    size: Option<usize>,
    /// Prints one JSON object, with how each score is made
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ExplainArgs, models: &Arc<Models>) -> anyhow::Result<()> {
    let searcher = Searcher::open(&Index::open(&args.index, models.clone())?)?;
    let mut plan =
        args.plan.plans(&searcher)?.into_iter().next().ok_or_else(|| Error::invalid_plan("--plan names no plan"))?;
    plan.size = args.size.or(plan.size);
    let resolved = plan.resolve(&searcher.plan_context(models.default_cross_encoder()))?;
    let id = DocumentId::from(args.id.as_str());
    let answer = why_not(&searcher, models, &SearchRequest::new(&args.query), &resolved, &id)?;
    if args.json {
        say!("{}", serde_json::to_string(&answer)?);
        return Ok(());
    }
    say!("document {} under plan {}: {}", answer.id, answer.plan, answer.verdict);
    for leg in &answer.legs {
        match (leg.score, leg.rank) {
            (None, _) => say!("  {}: does not match", leg.leg),
            (Some(score), Some(rank)) => say!("  {}: rank {rank}, score {score:.4} (depth {})", leg.leg, leg.depth),
            (Some(score), None) => say!("  {}: score {score:.4}, not among the first {}", leg.leg, leg.searched),
        }
    }
    if let Some(fused) = &answer.fused {
        say!("  fused: rank {}, score {:.4}", fused.rank, fused.score);
    }
    if let Some(rerank) = &answer.rerank {
        say!("  re-ranked: from {} to {}, relevance {:.4}", rerank.rank_before, rerank.rank_after, rerank.relevance);
    }
    Ok(())
}
