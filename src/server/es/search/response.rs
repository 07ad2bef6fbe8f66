//! A search's answer.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Value, json};

use super::body::SearchBody;
use super::failures::{self, Failure};
use super::fetch::{self, Fetcher, Hit};
use super::inner_hits::{self, InnerHitsSpec};
use super::json as read;
use super::query_phase::{QueryPhase, Ranked, RunOptions};
use super::target::Target;
use crate::retrieve::collect::TrackTotal;
use crate::retrieve::query::{BoolQuery, Query};
use crate::server::es::error::EsResult;

/// A search's answer, in Elasticsearch's order.
#[derive(Debug, Clone)]
pub(super) struct SearchResponse {
    pub(super) scroll_id: Option<String>,
    pub(super) pit_id: Option<String>,
    pub(super) took: u64,
    pub(super) timed_out: bool,
    pub(super) terminated_early: Option<bool>,
    pub(super) shards: Value,
    /// `None` where hits are not counted.
    pub(super) total: Option<Value>,
    pub(super) max_score: Value,
    pub(super) hits: Vec<Hit>,
    pub(super) aggregations: Option<Value>,
    /// Bifocal's own members, printed last.
    pub(super) extra: Map<String, Value>,
    /// Of this answer as an item of `_msearch`.
    pub(super) status: Option<u16>,
}

impl Serialize for SearchResponse {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Hits<'a>(&'a SearchResponse);
        impl Serialize for Hits<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(None)?;
                if let Some(total) = &self.0.total {
                    map.serialize_entry("total", total)?;
                }
                map.serialize_entry("max_score", &self.0.max_score)?;
                map.serialize_entry("hits", &self.0.hits)?;
                map.end()
            }
        }
        let mut map = serializer.serialize_map(None)?;
        if let Some(id) = &self.scroll_id {
            map.serialize_entry("_scroll_id", id)?;
        }
        if let Some(id) = &self.pit_id {
            map.serialize_entry("pit_id", id)?;
        }
        map.serialize_entry("took", &self.took)?;
        map.serialize_entry("timed_out", &self.timed_out)?;
        if let Some(early) = self.terminated_early {
            map.serialize_entry("terminated_early", &early)?;
        }
        map.serialize_entry("_shards", &self.shards)?;
        map.serialize_entry("hits", &Hits(self))?;
        if let Some(aggregations) = &self.aggregations {
            map.serialize_entry("aggregations", aggregations)?;
        }
        for (name, value) in &self.extra {
            map.serialize_entry(name, value)?;
        }
        if let Some(status) = self.status {
            map.serialize_entry("status", &status)?;
        }
        map.end()
    }
}

/// `_shards`.
pub(super) fn shards(num_targets: usize, failures: &[Failure], node: &str) -> Value {
    let mut shards = json!({
        "total": num_targets, "successful": num_targets - failures.len().min(num_targets), "skipped": 0, "failed": failures.len(),
    });
    if let (Some(shards), false) = (shards.as_object_mut(), failures.is_empty()) {
        let failures: Vec<Value> = failures.iter().map(|failure| failure.print(node)).collect();
        shards.insert("failures".to_string(), Value::Array(failures));
    }
    shards
}

impl SearchResponse {
    /// Fetches the page of what was found. Aggregations, contexts and the time taken are put in by the caller.
    ///
    /// # Errors
    /// `search_phase_execution_exception` where a document cannot be shown.
    pub(super) fn of(
        search: &SearchBody,
        targets: &[Target],
        options: &RunOptions,
        phase: &QueryPhase,
        node: &str,
    ) -> EsResult<Self> {
        let page = phase.page(search);
        let mut hits: Vec<Option<Hit>> = vec![None; page.len()];
        for (place, target) in targets.iter().enumerate() {
            let Some(Some(prepared)) = phase.prepared.get(place) else { continue };
            let own: Vec<usize> =
                page.iter().enumerate().filter(|(_, ranked)| ranked.target == place).map(|(at, _)| at).collect();
            // Even without hits: what cannot be shown is refused all the same.
            let fetched = Fetcher::new(search, target, &prepared.asked).and_then(|fetcher| {
                let fetcher = fetcher.with_rescorers(&prepared.rescorers).with_total_as_int(options.total_as_int);
                let found: Vec<_> = own.iter().filter_map(|at| page.get(*at)).map(|ranked| &ranked.hit).collect();
                fetcher.hits(&found, &prepared.sort)
            });
            let fetched = fetched.map_err(|error| {
                if failures::is_request_error(&error) {
                    return error;
                }
                failures::all_failed(&[Failure { index: target.index.clone(), error }], "fetch", node)
            })?;
            for (at, hit) in own.into_iter().zip(fetched) {
                if let Some(slot) = hits.get_mut(at) {
                    *slot = Some(hit);
                }
            }
        }
        let mut hits: Vec<Hit> = hits.into_iter().flatten().collect();
        expand_groups(search, targets, options, phase, page, &mut hits, node)?;
        let track_total = options.track_total.unwrap_or(search.track_total());
        Ok(Self {
            scroll_id: None,
            pit_id: None,
            took: 0,
            timed_out: phase.timed_out,
            terminated_early: search.terminate_after.map(|_| phase.terminated_early),
            shards: shards(targets.len(), &phase.failures, node),
            total: (track_total != TrackTotal::No).then(|| fetch::total(phase.total, false)),
            max_score: match phase.max_score {
                Some(score) => read::score(score),
                // So does Elasticsearch where no index was searched.
                None if targets.is_empty() => json!(0.0),
                None => Value::Null,
            },
            hits,
            aggregations: None,
            extra: Map::new(),
            status: None,
        })
    }

    /// Prints the total as a number, as Elasticsearch 6 did.
    pub(super) fn total_as_number(&mut self) {
        let number = self.total.as_ref().and_then(|total| total.get("value")).cloned();
        self.total = Some(number.unwrap_or_else(|| json!(-1)));
    }
}

/// Searches the members of each hit's group.
fn expand_groups(
    search: &SearchBody,
    targets: &[Target],
    options: &RunOptions,
    phase: &QueryPhase,
    page: &[Ranked],
    hits: &mut [Hit],
    node: &str,
) -> EsResult<()> {
    let Some(collapse) = &search.collapse else { return Ok(()) };
    if collapse.inner_hits.is_empty() {
        return Ok(());
    }
    for (ranked, hit) in page.iter().zip(hits) {
        let Some(group) = &ranked.hit.group else { continue };
        // Beside the inner hits of nested queries.
        let mut printed = match hit.tail.remove("inner_hits") {
            Some(Value::Object(printed)) => printed,
            _ => Map::new(),
        };
        for spec in &collapse.inner_hits {
            let mut queries = Vec::new();
            for (target, prepared) in targets.iter().zip(&phase.prepared) {
                let asked = prepared.as_ref().map_or(Query::MatchNone, |prepared| prepared.asked.clone());
                let mut filter = vec![collapse.group_query(group, target)];
                filter.extend(prepared.as_ref().and_then(|prepared| prepared.post_filter.clone()));
                queries.push(Query::Bool(BoolQuery { must: vec![asked], filter, ..BoolQuery::default() }));
            }
            let (name, value) = group_hits(search, spec, targets, options.total_as_int, queries, node)?;
            printed.insert(name.unwrap_or_else(|| collapse.field.clone()), value);
        }
        hit.tail.insert("inner_hits".to_string(), Value::Object(printed));
    }
    Ok(())
}

fn group_hits(
    search: &SearchBody,
    spec: &InnerHitsSpec,
    targets: &[Target],
    total_as_int: bool,
    queries: Vec<Query>,
    node: &str,
) -> EsResult<(Option<String>, Value)> {
    let mut inner = spec.search.clone();
    inner.size = Some(spec.search.inner_size());
    inner.min_score = search.min_score;
    inner.track_total = Some(TrackTotal::Exact);
    let options = RunOptions { total_as_int, ..RunOptions::default() };
    let phase = QueryPhase::run(&inner, targets, &options, queries, node)?;
    let response = SearchResponse::of(&inner, targets, &options, &phase, node)?;
    let hits = response.hits.into_iter().map(Hit::into_value).collect::<EsResult<Vec<_>>>()?;
    let total = fetch::total(phase.total, total_as_int);
    Ok((spec.name.clone(), inner_hits::print_group(hits, &total, phase.page(&inner))))
}
