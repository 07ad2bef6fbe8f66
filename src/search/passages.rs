//! Rerank: the texts that the cross-encoder reads of each candidate.

use super::{LegOutcome, SearchRequest, without_reranking};
use crate::error::Result;
use crate::fuse::FusedCandidate;
use crate::models::{Models, RememberedScores};
use crate::plan::{ResolvedDense, ResolvedLegKind, ResolvedPlan};
use crate::rerank::{self, PassageText, Reranked};
use crate::retrieve::{PassageMatch, Searcher};

/// Bytes of a document without passages that the cross-encoder is given; it reads what fits its input.
const MAX_PLAIN_BYTES: usize = 4000;

/// Re-ranks as the plan says; a model that cannot be loaded or fails leaves the order as it was.
pub(super) fn rerank(
    searcher: &Searcher,
    models: &Models,
    request: &SearchRequest,
    plan: &ResolvedPlan,
    legs: &[LegOutcome],
    fused: Vec<FusedCandidate>,
) -> Result<Reranked> {
    let Some(params) = &plan.rerank else { return Ok(without_reranking(fused)) };
    let model = match models.cross_encoder(&params.model) {
        Ok(model) => model,
        Err(failure) => {
            let mut outcome = without_reranking(fused);
            outcome.failure = Some(failure);
            return Ok(outcome);
        }
    };
    let vectors: Vec<&[f32]> = legs.iter().map(|leg| leg.vector.as_slice()).collect();
    let reader = PassageReader::new(searcher, plan, &vectors, params.passages);
    let text = request.syntax.words(&request.text);
    let passages_of = |candidate: &FusedCandidate| reader.passages_of(candidate);
    match models.embedding_cache() {
        Some(cache) if request.remember_scores => {
            let model = RememberedScores::new(model.as_ref(), cache);
            rerank::rerank(&model, &text, fused, params, passages_of)
        }
        _ => rerank::rerank(model.as_ref(), &text, fused, params, passages_of),
    }
}

/// Finds a candidate's passages, the closest to the query first.
pub(crate) struct PassageReader<'a> {
    searcher: &'a Searcher,
    /// The semantic field and the query's vector, empty when no leg has one.
    field: Option<(String, &'a [f32])>,
    num_passages: usize,
}

impl<'a> PassageReader<'a> {
    /// * `vectors`: the query's vector of each leg, in the plan's order; empty for a lexical one.
    pub(crate) fn new(searcher: &'a Searcher, plan: &ResolvedPlan, vectors: &[&'a [f32]], num_passages: usize) -> Self {
        let of_leg = plan.legs.iter().zip(vectors).find_map(|(leg, vector)| match &leg.kind {
            ResolvedLegKind::Dense(ResolvedDense { field, .. }) => Some((field.clone(), *vector)),
            ResolvedLegKind::Lexical(_) => None,
        });
        let default = || searcher.default_dense_field().map(|field| (field.to_string(), &[][..]));
        Self { searcher, field: of_leg.or_else(default), num_passages }
    }

    pub(crate) fn passages_of(&self, candidate: &FusedCandidate) -> Result<Vec<PassageText>> {
        let Some(locator) = candidate.locator else { return Ok(Vec::new()) };
        let source = self.searcher.source_of(locator)?;
        let mut passages = Vec::new();
        if let Some((field, vector)) = &self.field {
            let mut spans: Vec<(f32, PassageMatch)> = self
                .searcher
                .dense()
                .vectors(field, locator.0)
                .into_iter()
                .filter_map(|(passage, span)| {
                    let similarity = passage.iter().zip(*vector).map(|(a, b)| a * b).sum();
                    Some((similarity, PassageMatch { span: span? }))
                })
                .collect();
            spans.sort_by(|a, b| b.0.total_cmp(&a.0));
            let context = self.searcher.context(field, &source)?;
            for (_, passage) in spans.into_iter().take(self.num_passages) {
                if let Some(text) = self.searcher.passage_text(field, &source, passage.span)? {
                    let text = if context.is_empty() { text } else { format!("{context}\n{text}") };
                    passages.push(PassageText { passage: Some(passage), text });
                }
            }
        }
        if passages.is_empty() {
            let text = self.searcher.plain_text(&source, MAX_PLAIN_BYTES);
            if !text.is_empty() {
                passages.push(PassageText { passage: None, text });
            }
        }
        Ok(passages)
    }
}
