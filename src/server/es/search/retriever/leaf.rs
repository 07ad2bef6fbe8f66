//! A leaf of the tree on one index: its query, with every filter above it, and the order of what it finds.

use serde_json::{Map, Value, json};

use super::{Ranked, Retriever, RetrieverKind, Standard};
use crate::retrieve::collect::{CollectedHit, FieldSort, SortKey, SortValue};
use crate::retrieve::query::Query;
use crate::server::es::error::{EsError, EsResult};
use crate::server::es::search::body::SearchBody;
use crate::server::es::search::sort_spec;
use crate::server::es::search::target::Target;

/// In which order a leaf's documents come.
pub(super) struct LeafOrder(Option<SearchBody>);

impl LeafOrder {
    pub(super) fn of(retriever: &Retriever) -> EsResult<Self> {
        match &retriever.kind {
            RetrieverKind::Standard(standard) if !standard.top_level.is_empty() => {
                Ok(Self(Some(SearchBody::parse(&standard.top_level)?)))
            }
            RetrieverKind::Standard(_)
            | RetrieverKind::Knn(_)
            | RetrieverKind::Rrf(_)
            | RetrieverKind::Linear(_)
            | RetrieverKind::TextSimilarity(_)
            | RetrieverKind::Pinned(_)
            | RetrieverKind::Rescorer(_) => Ok(Self(None)),
        }
    }

    /// What one index is collected by: keys, where to go on, groups.
    #[expect(clippy::type_complexity, reason = "the three parts of a request")]
    pub(super) fn resolve(
        &self,
        index: &Target,
    ) -> EsResult<(Vec<SortKey>, Option<Vec<SortValue>>, Option<FieldSort>)> {
        let Some(body) = &self.0 else { return Ok((Vec::new(), None, None)) };
        let sort = sort_spec::resolve(&body.sort, index)?;
        let after = body.search_after.as_ref().map(|after| sort.read_after(after, index)).transpose()?;
        let collapse = body.collapse.as_ref().map(|collapse| collapse.resolve(index)).transpose()?;
        Ok((sort.keys, after, collapse))
    }

    pub(super) fn terminate_after(&self) -> Option<u64> {
        self.0.as_ref().and_then(|body| body.terminate_after)
    }

    /// The first document of each group; all where there are no groups.
    pub(super) fn one_of_each_group(&self, docs: Vec<(CollectedHit, Ranked)>) -> Vec<Ranked> {
        let is_grouped = self.0.as_ref().is_some_and(|body| body.collapse.is_some());
        let mut seen: Vec<SortValue> = Vec::new();
        let mut kept = Vec::with_capacity(docs.len());
        for (hit, ranked) in docs {
            if let (true, Some(group)) = (is_grouped, hit.group) {
                if seen.iter().any(|known| known.compare(&group).is_eq()) {
                    continue;
                }
                seen.push(group);
            }
            kept.push(ranked);
        }
        kept
    }
}

/// The query of a leaf on one index, with every filter that stands above it.
pub(super) fn leaf_query(index: &Target, retriever: &Retriever, filters: &[Value]) -> EsResult<Query> {
    match &retriever.kind {
        RetrieverKind::Standard(Standard { query, .. }) => {
            let query = match query {
                Some(query) => index.parse_query(query)?,
                None => Query::MatchAll,
            };
            let filters = filters.iter().map(|filter| index.parse_query(filter)).collect::<EsResult<Vec<_>>>()?;
            index.filtered(query.filtered(filters))
        }
        RetrieverKind::Knn(body) => knn_query(index, body, filters),
        RetrieverKind::Rrf(_)
        | RetrieverKind::Linear(_)
        | RetrieverKind::TextSimilarity(_)
        | RetrieverKind::Pinned(_)
        | RetrieverKind::Rescorer(_) => Err(EsError::new(500, "exception", "no leaf")),
    }
}

/// A `knn` with more filters; an index's own filter also applies before the nearest are chosen.
///
/// # Errors
/// What the query is refused with.
pub(in crate::server::es::search) fn knn_query(
    index: &Target,
    body: &Map<String, Value>,
    filters: &[Value],
) -> EsResult<Query> {
    let mut body = body.clone();
    let own = match body.remove("filter") {
        None => Vec::new(),
        Some(Value::Array(own)) => own,
        Some(own) => vec![own],
    };
    let all: Vec<Value> = own.into_iter().chain(filters.iter().cloned()).collect();
    if !all.is_empty() {
        body.insert("filter".to_string(), Value::Array(all));
    }
    if !body.contains_key("k") {
        body.insert("k".to_string(), json!(default_k(&body, index.size)));
    }
    let mut query = index.parse_query(&json!({"knn": body}))?;
    index.prefilter(&mut query)?;
    Ok(query)
}

/// As many as the search asks for, and no more than are candidates.
fn default_k(body: &Map<String, Value>, size: usize) -> u64 {
    let candidates = body.get("num_candidates").and_then(Value::as_u64).unwrap_or(u64::MAX);
    (size.max(1) as u64).min(candidates.max(1))
}

/// How many documents a vector leaf finds.
pub(super) fn k_of(query: &Query) -> Option<usize> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "only vector queries are limited")]
    match query {
        Query::Knn(knn) => Some(knn.k),
        Query::Boost(boost) => k_of(&boost.query),
        Query::Nested(nested) => k_of(&nested.query),
        Query::Named(named) => k_of(&named.query),
        _ => None,
    }
}
