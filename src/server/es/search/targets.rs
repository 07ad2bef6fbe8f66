//! From names, wildcards and aliases to the indices of a search.

use std::sync::Arc;

use serde_json::Value;

use super::failures;
use super::target::{Surroundings, Target};
use crate::index::lexical::FieldTable;
use crate::schema::IndexDefinition;
use crate::server::es::aggs::Aggregations;
use crate::server::es::error::EsResult;
use crate::server::es::query_dsl::{self, QueryContext, QueryLimits};
use crate::server::es::request::Params;
use crate::server::es::targets::read_options;
use crate::server::state::AppState;
use crate::store::catalog::IndicesOptions;
use crate::store::shard::Visibility;

/// Reads `ignore_unavailable`, `allow_no_indices`, `expand_wildcards`, `ignore_throttled`.
///
/// # Errors
/// `illegal_argument_exception` for a value that is none.
pub(super) fn options(params: &Params) -> EsResult<IndicesOptions> {
    params.accept(&["ignore_throttled"]);
    read_options(params, IndicesOptions { is_about_documents: true, ..IndicesOptions::default() })
}

/// Milliseconds since 1970.
pub(super) fn now_millis() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

/// The same indices, with the time and the size of this request.
pub(super) fn at_now(targets: &[Target], size: usize) -> Vec<Target> {
    let now_millis = now_millis();
    targets.iter().map(|target| Target { now_millis, size, ..target.clone() }).collect()
}

/// The least value of a setting over some indices.
///
/// * `default`: that of indices that set none.
pub(super) fn least_limit(targets: &[Target], setting: &str, default: usize) -> usize {
    targets.iter().map(|target| target.limit(setting, default)).min().unwrap_or(default)
}

/// The indices that some names mean, each with its last refreshed snapshot.
///
/// * `names`: empty means all.
/// * `size`: the hits that the search asks for.
///
/// # Errors
/// 404 `index_not_found_exception`.
pub(super) fn resolve(
    app: &Arc<AppState>,
    names: &[String],
    options: IndicesOptions,
    size: usize,
) -> EsResult<Vec<Target>> {
    let surroundings = Arc::new(surroundings(app));
    let now_millis = now_millis();
    let resolved = app.catalog.resolve(&names.join(","), options)?;
    let target = |(shard, resolved): (u32, crate::store::catalog::Resolved)| {
        let index = &resolved.index;
        let read = index.shard_to_read()?;
        Ok(Target {
            index: index.name().to_string(),
            uuid: index.uuid().to_string(),
            counters: read.counters().clone(),
            searcher: read.searcher(),
            filters: resolved.filters.unwrap_or_default(),
            aliases: index.aliases().keys().cloned().collect(),
            shard,
            now_millis,
            size,
            surroundings: surroundings.clone(),
        })
    };
    (0..).zip(resolved).map(target).collect()
}

fn query_limits(app: &AppState) -> QueryLimits {
    QueryLimits {
        max_clause_count: app.limits.max_clause_count,
        max_nested_depth: app.limits.max_query_depth,
        max_terms_count: app.limits.max_terms_count,
        ..QueryLimits::default()
    }
}

/// Reads a query that no index is asked (now), so that what is no query is refused there too.
///
/// # Errors
/// What is wrong with the query whatever the mapping is.
pub(in crate::server::es) fn check_query(app: &AppState, query: &Value) -> EsResult<()> {
    let (fields, definition) = (FieldTable::default(), IndexDefinition::default());
    let mut context = QueryContext::new("", &fields, &definition, now_millis(), &|_, _| Ok(None));
    context.limits = query_limits(app);
    match query_dsl::parse(query, &context) {
        Err(error) if failures::is_request_error(&error) => Err(error),
        // Nothing is mapped, so the rest is no fault of the query.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Reads aggregations that no index is asked for, so that what is wrong with them whatever the mapping is is refused there too.
///
/// # Errors
/// Those of [`Aggregations::parse`], but for those of queries on a mapping.
pub(super) fn check_aggs(app: &AppState, aggs: &Value) -> EsResult<()> {
    let (fields, definition) = (FieldTable::default(), IndexDefinition::default());
    let mut context = QueryContext::new("", &fields, &definition, now_millis(), &|_, _| Ok(None));
    context.limits = query_limits(app);
    match Aggregations::parse(aggs, &context) {
        Err(error) if failures::is_request_error(&error) || error.kind == "illegal_argument_exception" => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn surroundings(app: &Arc<AppState>) -> Surroundings {
    let state = app.clone();
    Surroundings {
        limits: query_limits(app),
        node: app.options.node_name.clone(),
        get: Box::new(move |index, id| {
            let shard = state.catalog.one(index)?.shard_to_read()?;
            let found = shard.get(id, Visibility::Realtime)?;
            Ok(found.map(|found| found.source.as_ref().clone()))
        }),
    }
}
