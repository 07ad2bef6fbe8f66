//! Many queries at once: embedded in batches, searched on all cores. They come from files and are read as plain words
//! ([`QuerySyntax::Plain`]): a dash or a parenthesis in a judged query is no operator.

use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;

use super::{Fetch, SearchRequest, search_resolved};
use crate::document::DocumentId;
use crate::error::Result;
use crate::models::Models;
use crate::plan::{ResolvedLegKind, ResolvedPlan};
use crate::respond::SearchResponse;
use crate::retrieve::Searcher;
use crate::retrieve::query_syntax::QuerySyntax;

/// The documents that are searched among, by the query's id.
pub type Candidates = HashMap<String, Vec<DocumentId>>;

/// Searches queries (id, text) by one plan; answer `i` is query `i`'s, with ids, scores and provenance only. With `candidates`,
/// only the documents named there for a query are candidates of it; a query that is missing there has none. Pairs that the
/// cross-encoder has read before are not read again ([`SearchRequest::remember_scores`]).
///
/// # Errors
/// The first that a search fails with, as [`search_resolved`].
pub fn run_queries(
    searcher: &Searcher,
    models: &Models,
    queries: &[(String, String)],
    candidates: Option<&Candidates>,
    plan: &ResolvedPlan,
) -> Result<Vec<SearchResponse>> {
    let vectors = embed_queries(searcher, queries, plan)?;
    let search = |(idx, (id, text)): (usize, &(String, String))| {
        // A blank query has no vector that means anything.
        let rows = vectors.iter().filter(|_| !text.trim().is_empty());
        let own = rows.filter_map(|(field, rows)| Some((field.clone(), rows.get(idx)?.clone())));
        let request = SearchRequest {
            text: text.clone(),
            syntax: QuerySyntax::Plain,
            vectors: own.collect(),
            among: candidates.map(|run| run.get(id).cloned().unwrap_or_default()),
            remember_scores: true,
            fetch: Fetch::Ids,
            ..SearchRequest::default()
        };
        search_resolved(searcher, models, &request, plan)
    };
    if plan.rerank.is_some() {
        // The cross-encoder uses all cores by itself.
        return queries.iter().enumerate().map(search).collect();
    }
    queries.par_iter().enumerate().map(search).collect()
}

/// Query vectors by semantic field of the plan's dense legs.
pub(crate) fn embed_queries(
    searcher: &Searcher,
    queries: &[(String, String)],
    plan: &ResolvedPlan,
) -> Result<BTreeMap<String, Vec<Vec<f32>>>> {
    let mut vectors = BTreeMap::new();
    for leg in &plan.legs {
        let ResolvedLegKind::Dense(dense) = &leg.kind else { continue };
        if vectors.contains_key(&dense.field) {
            continue;
        }
        vectors.insert(dense.field.clone(), embed_for(searcher, queries, &dense.field)?);
    }
    Ok(vectors)
}

/// The queries' vectors for one semantic field, in their order.
pub(crate) fn embed_for(searcher: &Searcher, queries: &[(String, String)], field: &str) -> Result<Vec<Vec<f32>>> {
    let texts: Vec<&str> = queries.iter().map(|(_, text)| text.as_str()).collect();
    let embeddings = searcher.encoder(field)?.embed_queries(&texts)?;
    Ok(embeddings.rows().map(<[f32]>::to_vec).collect())
}
