//! Aggregations of a search: handed to [`aggs`](crate::server::es::aggs) with the sets of documents that they count.

use serde_json::{Map, Value, json};
use tantivy::DocAddress;

use super::body::SearchBody;
use super::failures::{self, Failure};
use super::fetch::{Fetcher, Hit};
use super::params::SearchParams;
use super::query_phase::QueryPhase;
use super::sort_spec::ResolvedSort;
use super::target::Target;
use crate::aggregate::outcome;
use crate::aggregate::{Context, DocSets};
use crate::index::TimeLimit;
use crate::retrieve::DocLocator;
use crate::retrieve::collect::CollectedHit;
use crate::retrieve::query::Query;
use crate::server::es::aggs::PrintOptions;
use crate::server::es::error::{EsError, EsResult};

/// Computes aggregations over what a search matched, before its post filter; `None` where no index was searched.
///
/// * `time_limit`: when it is up, the results are of what was read until then; [`TimeLimit::was_noticed`] says so.
///
/// # Errors
/// Those of the aggregations.
pub(super) fn run(
    params: &SearchParams,
    targets: &[Target],
    phase: &QueryPhase,
    time_limit: &TimeLimit,
) -> EsResult<Option<Value>> {
    let mut partials = Vec::new();
    let mut first = None;
    for (place, target) in targets.iter().enumerate() {
        let prepared = phase.prepared.get(place).and_then(Option::as_ref);
        let matching = phase.matching.get(place).and_then(Option::as_ref);
        let (Some(prepared), Some(matching)) = (prepared, matching) else { continue };
        let Some(aggs) = &prepared.aggs else { continue };
        let limited = target.limited(time_limit);
        let context = Context { searcher: &limited.searcher, index: &target.index, index_ord: place };
        let sets = DocSets { docs: &matching.docs, scores: matching.scores.as_deref() };
        let partial = aggs.collect(&context, sets).map_err(|error| {
            let failure = Failure { index: target.index.clone(), error };
            failures::all_failed(&[failure], "query", &target.surroundings.node)
        })?;
        partials.push(partial);
        first = first.or(Some(aggs));
    }
    let Some(aggs) = first else { return Ok(None) };
    let options = PrintOptions { typed_keys: params.typed_keys, total_hits_as_int: params.total_as_int };
    let mut print = |hit: &outcome::Hit, request: &crate::aggregate::request::TopHits| {
        print_hit(targets, phase, hit, &request.fetch)
    };
    Ok(Some(Value::Object(aggs.finish(partials, options, &mut print)?)))
}

/// A hit of `top_hits`.
fn print_hit(
    targets: &[Target],
    phase: &QueryPhase,
    hit: &outcome::Hit,
    fetch: &Value,
) -> EsResult<Map<String, Value>> {
    let other = || EsError::new(500, "exception", "a hit of an index that was not searched");
    let target = targets.get(hit.index_ord).ok_or_else(other)?;
    let prepared = phase.prepared.get(hit.index_ord).and_then(Option::as_ref);
    let search = SearchBody::parse(fetch.as_object().unwrap_or(&Map::new()))?;
    let query = prepared.map_or(&Query::MatchAll, |prepared| &prepared.asked);
    let fetcher = Fetcher::new(&search, target, query)?;
    let locator = DocLocator(DocAddress::new(hit.segment_ord, hit.doc_id));
    let found = CollectedHit { locator, score: hit.score, sort: Vec::new(), group: None };
    let sort = ResolvedSort { keys: Vec::new(), formats: Vec::new() };
    let printed = match target.searcher.nested_place(locator)? {
        Some(place) => Some(fetcher.nested(&found, &place, &fetcher.source_of(place.root)?, &sort)?),
        None => fetcher.hits(&[&found], &sort)?.into_iter().next().map(Hit::into_value).transpose()?,
    };
    match printed {
        Some(Value::Object(printed)) => Ok(printed),
        _ => Ok(Map::from_iter([("_index".to_string(), json!(target.index))])),
    }
}
