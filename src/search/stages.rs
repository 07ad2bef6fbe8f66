//! Respond: hits with their provenance, and what every stage cost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::{Fetch, LegOutcome, SearchRequest, legs};
use crate::error::Result;
use crate::fuse::FusedCandidate;
use crate::plan::{ResolvedLegKind, ResolvedPlan};
use crate::rerank::{Reranked, RerankedCandidate};
use crate::respond::highlight::{best_fragment, mark};
use crate::respond::{Cost, HighlightStyle, Hit, Provenance, SearchResponse, StageCost, Warning};
use crate::retrieve::Searcher;
use crate::retrieve::lexical::highlight::highlight_ranges;
use crate::retrieve::query::Query;

/// What the stages cost so far, and what went wrong.
#[derive(Debug, Default)]
pub(super) struct Stages {
    cost: Cost,
    warnings: Vec<Warning>,
    /// Rank after fusion by id, only needed where re-ranking changes the order.
    fused_ranks: std::collections::HashMap<crate::DocumentId, u32>,
}

impl Stages {
    pub(super) fn retrieved(&mut self, outcomes: &[LegOutcome], plan: &ResolvedPlan, started: Instant) {
        self.push("retrieve", started.elapsed(), 0, 0, 0);
        for (outcome, leg) in outcomes.iter().zip(&plan.legs) {
            if !outcome.embedding_took.is_zero() {
                self.push("embed", outcome.embedding_took, 0, 1, outcome.num_tokens);
            }
            let name = format!("retrieve.{}", leg.name);
            let took = outcome.took.saturating_sub(outcome.embedding_took);
            self.push(&name, took, outcome.candidates.len(), outcome.num_vectors, 0);
        }
    }

    pub(super) fn fused(&mut self, fused: &[FusedCandidate], started: Instant) {
        self.push("fuse", started.elapsed(), fused.len(), 0, 0);
    }

    pub(super) fn reranked(&mut self, reranked: &Reranked, plan: &ResolvedPlan, started: Instant) {
        let Some(params) = &plan.rerank else { return };
        let passages = reranked.num_passages as u64;
        self.push("rerank", started.elapsed(), reranked.candidates.len(), passages, reranked.num_tokens);
        if let Some(failure) = &reranked.failure {
            let message = format!("not re-ranked, hits are in their fused order: {failure}");
            self.warnings.push(Warning { code: "rerank_failed".to_string(), message });
        }
        if reranked.budget_exhausted {
            let budget = params.budget.map_or(0, |budget| budget.as_millis());
            let message = format!(
                "the budget of {budget} ms ended after {} of {} candidates",
                reranked.num_read, reranked.num_asked
            );
            self.warnings.push(Warning { code: "rerank_budget".to_string(), message });
        }
        let mut fused: Vec<&RerankedCandidate> = reranked.candidates.iter().collect();
        fused.sort_by(|a, b| b.fused.score.total_cmp(&a.fused.score).then_with(|| a.fused.id.cmp(&b.fused.id)));
        self.fused_ranks = (1..).zip(fused).map(|(rank, candidate)| (candidate.fused.id.clone(), rank)).collect();
    }

    pub(super) fn respond(
        mut self,
        searcher: &Searcher,
        request: &SearchRequest,
        plan: &ResolvedPlan,
        reranked: Reranked,
        started: Instant,
    ) -> Result<SearchResponse> {
        let responding = Instant::now();
        let names: Vec<Arc<str>> = plan.legs.iter().map(|leg| leg.name.as_str().into()).collect();
        let passage_field = plan.legs.iter().find_map(|leg| match &leg.kind {
            ResolvedLegKind::Dense(dense) => Some(dense.field.as_str()),
            ResolvedLegKind::Lexical(_) => None,
        });
        let passage_field: Option<Arc<str>> =
            passage_field.or_else(|| searcher.default_dense_field()).map(|field| field.into());
        let query = self.highlight_query(searcher, request, plan);
        let mut hits = Vec::with_capacity(plan.size);
        let kept =
            reranked.candidates.into_iter().filter(|candidate| plan.min_score.is_none_or(|min| candidate.score >= min));
        for (rank, candidate) in (1..).zip(kept).skip(plan.offset).take(plan.size) {
            let fused_rank = self.fused_ranks.get(&candidate.fused.id).copied().unwrap_or(rank);
            let provenance = Provenance::of(&candidate, &names, fused_rank, passage_field.as_ref());
            let mut hit = Hit {
                id: candidate.fused.id.clone(),
                score: candidate.score,
                source: None,
                highlights: Map::new(),
                provenance,
            };
            if let (Fetch::Everything, Some(locator)) = (request.fetch, candidate.fused.locator) {
                let source = searcher.source_of(locator)?;
                if let Some(passage) = &mut hit.provenance.passage {
                    passage.text = searcher.passage_text(&passage.field, &source, passage.span)?;
                }
                hit.highlights = highlights(searcher, query.as_ref(), &source);
                hit.source = Some(source);
            }
            hits.push(hit);
        }
        self.push("respond", responding.elapsed(), hits.len(), 0, 0);
        let took_ms = milliseconds(started.elapsed());
        Ok(SearchResponse::new(plan.name.clone(), hits, self.cost, self.warnings, took_ms))
    }

    /// The query of the first lexical leg; else what the text says, so that dense hits are highlighted too.
    fn highlight_query(&self, searcher: &Searcher, request: &SearchRequest, plan: &ResolvedPlan) -> Option<Query> {
        if request.fetch == Fetch::Ids {
            return None;
        }
        plan.legs.iter().find_map(|leg| match &leg.kind {
            ResolvedLegKind::Lexical(lexical) => Some(legs::lexical_query(searcher, request, lexical)),
            ResolvedLegKind::Dense(_) => None,
        })
    }

    fn push(&mut self, name: &str, took: Duration, candidates: usize, passages: u64, tokens: u64) {
        let name = name.to_string();
        self.cost.stages.push(StageCost { name, took_ms: milliseconds(took), candidates, passages, tokens });
    }
}

fn milliseconds(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

/// The best fragment of each text field that matched, with `<em>` around the matches.
fn highlights(searcher: &Searcher, query: Option<&Query>, source: &Map<String, Value>) -> Map<String, Value> {
    let mut highlights = Map::new();
    let Some(query) = query else { return highlights };
    for (field, analyzer) in searcher.highlighted_fields() {
        let mut fragments = Vec::new();
        for text in searcher.own_texts(field, source) {
            let matches = highlight_ranges(query, field, analyzer, text);
            if !matches.is_empty() {
                let fragment = best_fragment(text, &matches, HighlightStyle::HTML.fragment_bytes);
                fragments.push(Value::from(mark(text, &fragment.range, &matches, &HighlightStyle::HTML)));
            }
        }
        if !fragments.is_empty() {
            fragments.truncate(3);
            highlights.insert(field.to_string(), Value::Array(fragments));
        }
    }
    highlights
}
