//! Gathers the facts of one document under one query and plan.

use super::{Fetch, SearchRequest, legs, search_resolved};
use crate::document::DocumentId;
use crate::error::{Error, Result};
use crate::models::Models;
use crate::plan::{ResolvedLeg, ResolvedLegKind, ResolvedPlan};
use crate::respond::explain::{Facts, LegFacts};
use crate::respond::{FusedProvenance, WhyNot};
use crate::retrieve::Searcher;

/// How deep the rank of a document that a leg missed is looked for.
const SEARCHED: usize = 10_000;

/// Why a document is, or is not, among the hits.
///
/// # Errors
/// `NotFound` when there is no such document; otherwise as [`search_resolved`].
pub fn why_not(
    searcher: &Searcher,
    models: &Models,
    request: &SearchRequest,
    plan: &ResolvedPlan,
    id: &DocumentId,
) -> Result<WhyNot> {
    let Some(address) = searcher.locate(id)? else {
        return Err(Error::not_found(format!("no document with the id {id} is in the index")));
    };
    let passes_filter = legs::filter(searcher, request, plan)?
        .map(|passing| passing.get(address.segment_ord as usize).is_some_and(|set| set.contains(address.doc_id)));
    let facts_of = |leg: &ResolvedLeg| leg_facts(searcher, request, leg, id, address);
    let leg_facts = plan.legs.iter().map(facts_of).collect::<Result<Vec<_>>>()?;

    // Every candidate, not only those that the plan shows.
    let mut whole = plan.clone();
    (whole.size, whole.offset) = (SEARCHED, 0);
    let everything = SearchRequest { fetch: Fetch::Ids, ..request.clone() };
    let response = search_resolved(searcher, models, &everything, &whole)?;
    let found = (1_u32..).zip(&response.hits).find(|(_, hit)| &hit.id == id);
    Ok(WhyNot::assemble(Facts {
        id: id.clone(),
        plan: plan.name.clone(),
        size: plan.size,
        offset: plan.offset,
        passes_filter,
        legs: leg_facts,
        fused: found.map(|(_, hit)| FusedProvenance { ..hit.provenance.fused }),
        rerank: found.and_then(|(_, hit)| hit.provenance.rerank),
        rank: found.map(|(rank, _)| rank),
        rerank_depth: plan.rerank.as_ref().map(|rerank| rerank.rerank_depth),
    }))
}

fn leg_facts(
    searcher: &Searcher,
    request: &SearchRequest,
    leg: &ResolvedLeg,
    id: &DocumentId,
    address: tantivy::DocAddress,
) -> Result<LegFacts> {
    let deep = ResolvedLeg { depth: SEARCHED, ..leg.clone() };
    let outcome = legs::run_leg(searcher, request, &deep, None)?;
    let place = (1_u32..).zip(&outcome.candidates).find(|(_, candidate)| &candidate.id == id);
    let (score, explanation) = match &leg.kind {
        ResolvedLegKind::Lexical(lexical) => {
            let query = legs::lexical_query(searcher, request, lexical);
            let explained = searcher.lexical().explain(&query, address)?;
            let score = searcher.lexical().score(&query, address)?;
            (score, explained.map(serde_json::to_value).transpose())
        }
        ResolvedLegKind::Dense(dense) if !outcome.vector.is_empty() => {
            let hit = searcher.dense().explain(&dense.field, &outcome.vector, address)?;
            (hit.map(|hit| hit.similarity), Ok(None))
        }
        ResolvedLegKind::Dense(_) => (None, Ok(None)),
    };
    Ok(LegFacts {
        leg: leg.name.clone(),
        depth: leg.depth,
        score,
        rank: place.map(|(rank, _)| rank),
        searched: SEARCHED,
        last_score: outcome.candidates.iter().take(leg.depth).next_back().map(|candidate| candidate.score),
        explanation: explanation.map_err(|error| Error::internal("cannot write an explanation").with_source(error))?,
    })
}
