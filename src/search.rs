//! A query's way: retrieve, fuse, rerank, respond.
//!
//! In: a [`Searcher`] (one snapshot), a [`SearchRequest`], a [`ResolvedPlan`]. Out: a [`SearchResponse`]. The legs run side by
//! side on the same snapshot; each stage is timed; nothing degrades without a warning in the answer.

pub mod batch;
mod legs;
mod passages;
mod stages;
pub mod why_not;

use std::collections::BTreeMap;
use std::time::Instant;

use crate::document::DocumentId;
use crate::error::Result;
use crate::fuse::{FusedCandidate, LegRun, fuse};
use crate::models::Models;
use crate::plan::{Plan, ResolvedPlan};
use crate::rerank::Reranked;
use crate::respond::SearchResponse;
use crate::retrieve::Searcher;
use crate::retrieve::query::Query;
use crate::retrieve::query_syntax::QuerySyntax;

pub use legs::LegOutcome;
pub(crate) use legs::{filter_by, run_leg};
pub(crate) use passages::PassageReader;

/// What is asked.
#[derive(Debug, Clone, Default)]
pub struct SearchRequest {
    /// What the user typed; also what is embedded and what the cross-encoder reads, without the syntax's operators.
    pub text: String,
    /// How `text` is read.
    pub syntax: QuerySyntax,
    /// What the lexical legs look for; `None` for what `text` says.
    pub query: Option<Query>,
    /// Query vectors by vector field, `[dims]` each; fields that are missing here have `text` embedded.
    pub vectors: BTreeMap<String, Vec<f32>>,
    /// Only these documents are candidates of any leg, beside what the plan's filter says; ids that the index lacks are passed
    /// over. `None` for all. With another system's hits this re-ranks them.
    pub among: Option<Vec<DocumentId>>,
    /// Whether the cross-encoder's scores are taken from the cache of embeddings and left there: for evaluations, which read
    /// the same pairs under many plans. Says nothing of what re-ranking costs.
    pub remember_scores: bool,
    /// How much of each hit is returned.
    pub fetch: Fetch,
}

/// How much of each hit is returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fetch {
    /// Source, passage and highlights.
    #[default]
    Everything,
    /// Ids, scores and provenance: for runs and measurements.
    Ids,
}

impl SearchRequest {
    /// A request for what was typed into a search box.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

/// Searches by a plan as it is written.
///
/// # Errors
/// `InvalidPlan` when the plan contradicts itself or the index; otherwise as [`search_resolved`].
pub fn search(searcher: &Searcher, models: &Models, request: &SearchRequest, plan: &Plan) -> Result<SearchResponse> {
    let plan = plan.resolve(&searcher.plan_context(models.default_cross_encoder()))?;
    search_resolved(searcher, models, request, &plan)
}

/// Searches by a resolved plan.
///
/// # Errors
/// `Model` and `ModelMismatch` when a query cannot be embedded; `NotFound` and `InvalidInput` for a structured query that
/// does not fit the index; `Corrupt` when a file of the index is damaged. A cross-encoder that fails is no error but a warning.
pub fn search_resolved(
    searcher: &Searcher,
    models: &Models,
    request: &SearchRequest,
    plan: &ResolvedPlan,
) -> Result<SearchResponse> {
    let started = Instant::now();
    let mut stages = stages::Stages::default();

    let legs = legs::retrieve(searcher, request, plan)?;
    stages.retrieved(&legs, plan, started);

    let fusing = Instant::now();
    let fused = fuse_legs(&legs, plan);
    stages.fused(&fused, fusing);

    let reranking = Instant::now();
    let reranked = passages::rerank(searcher, models, request, plan, &legs, fused)?;
    stages.reranked(&reranked, plan, reranking);

    stages.respond(searcher, request, plan, reranked, started)
}

/// Fuses the legs' candidates as the plan says.
pub(crate) fn fuse_legs(legs: &[LegOutcome], plan: &ResolvedPlan) -> Vec<FusedCandidate> {
    let runs: Vec<LegRun<'_>> = legs
        .iter()
        .zip(&plan.legs)
        .map(|(leg, planned)| LegRun { weight: planned.weight, candidates: &leg.candidates })
        .collect();
    fuse(&runs, plan.fusion.as_ref())
}

/// Candidates that no cross-encoder reads keep their fused order.
pub(crate) fn without_reranking(fused: Vec<FusedCandidate>) -> Reranked {
    let unread = |fused: FusedCandidate| crate::rerank::RerankedCandidate { score: fused.score, fused, rerank: None };
    Reranked::unread(fused.into_iter().map(unread).collect())
}
