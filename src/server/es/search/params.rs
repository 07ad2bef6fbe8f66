//! The query string of a search, put over its body.

use serde_json::{Map, Value, json};

use super::body::{self, SearchBody, StoredFields};
use super::fields::FieldSpec;
use super::sort_spec::SortSpec;
use super::source_filter::SourceFilter;
use crate::retrieve::collect::TrackTotal;
use crate::server::es::error::{EsError, EsResult};
use crate::server::es::request::Params;

/// What the query string says beside the body.
#[derive(Debug, Clone, Default)]
pub(super) struct SearchParams {
    /// How long the search's scroll is kept.
    pub(super) scroll: Option<std::time::Duration>,
    /// Aggregations are printed with their types before their names.
    pub(super) typed_keys: bool,
    /// Totals are printed as numbers.
    pub(super) total_as_int: bool,
    /// A failing index fails the search.
    pub(super) all_or_nothing: bool,
    /// Statistics of terms are gathered over all indices first.
    pub(super) global_statistics: bool,
    /// The answer is to be cached, which nothing does; a scroll may not ask for it.
    pub(super) request_cache: bool,
    /// Hits say how they came about.
    pub(super) provenance: bool,
}

/// Parameters that change nothing with one shard an index on one node.
const ACCEPTED: [&str; 3] = ["preference", "routing", "ccs_minimize_roundtrips"];

impl SearchParams {
    /// Reads the parameters of `_search` and puts those that a body may have over the body.
    ///
    /// # Errors
    /// `illegal_argument_exception` for values out of range.
    pub(super) fn read(params: &Params, search: &mut SearchBody) -> EsResult<Self> {
        params.accept(&ACCEPTED);
        check_shard_params(params)?;
        if let Some(query) = query_of(params)? {
            search.query = Some(query);
        }
        for (name, slot) in [("from", &mut search.from), ("size", &mut search.size)] {
            if let Some(number) = params.number::<i64>(name)? {
                let number = usize::try_from(number).map_err(|_| {
                    EsError::illegal_argument(format!("[{name}] parameter cannot be negative, found [{number}]"))
                })?;
                *slot = Some(number);
            }
        }
        if let Some(sort) = params.str("sort") {
            search.sort = SortSpec::parse_param(sort)?;
        }
        let source = params.str("_source").map(str::to_string);
        let includes = params.list("_source_includes").or(params.list("_source_include"));
        let excludes = params.list("_source_excludes").or(params.list("_source_exclude"));
        if let Some(source) = SourceFilter::from_params(source.as_deref(), includes, excludes) {
            search.source = Some(source);
        }
        if let Some(names) = params.list("stored_fields") {
            search.stored_fields = Some(StoredFields::parse(names)?);
        }
        if let Some(names) = params.list("docvalue_fields") {
            search.docvalue_fields = FieldSpec::from_names(names);
        }
        for (name, slot) in [
            ("explain", &mut search.explain),
            ("version", &mut search.version),
            ("seq_no_primary_term", &mut search.seq_no_primary_term),
            ("track_scores", &mut search.track_scores),
            ("include_named_queries_score", &mut search.include_named_queries_score),
        ] {
            if let Some(flag) = params.bool(name)? {
                *slot = flag;
            }
        }
        if let Some(timeout) = params.str("timeout") {
            search.timeout = body::duration("timeout", &json!(timeout))?;
        }
        if let Some(count) = params.number::<i64>("terminate_after")? {
            search.set_terminate_after(count)?;
        }
        if let Some(text) = params.str("track_total_hits") {
            search.track_total = Some(body::track_total(&json!(if text.is_empty() { "true" } else { text }))?);
        }
        params.accept(&["stats"]);
        for name in [
            "suggest_field",
            "suggest_mode",
            "suggest_size",
            "suggest_text",
            "force_synthetic_source",
            "min_compatible_shard_node",
        ] {
            if params.str(name).is_some() {
                return Err(EsError::unsupported(format!("the parameter [{name}]")));
            }
        }
        let mut read = Self {
            scroll: params.duration("scroll")?,
            typed_keys: params.bool_or("typed_keys", false)?,
            total_as_int: params.bool_or("rest_total_hits_as_int", false)?,
            all_or_nothing: !params.bool_or("allow_partial_search_results", true)?,
            global_statistics: false,
            request_cache: params.bool_or("request_cache", false)?,
            provenance: params.bool_or("provenance", false)?,
        };
        read.global_statistics = search_type(params)?;
        if params.str("search_type").is_some() && search.knn.is_some() {
            return Err(EsError::illegal_argument(
                "cannot set [search_type] when using [knn] search, since the search type is determined automatically",
            ));
        }
        read.check_total(search)?;
        Ok(read)
    }

    /// With totals as numbers, hits are counted to the end.
    pub(super) fn check_total(&self, search: &mut SearchBody) -> EsResult<()> {
        if !self.total_as_int {
            return Ok(());
        }
        match search.track_total {
            None => search.track_total = Some(TrackTotal::Exact),
            Some(TrackTotal::UpTo(limit)) => {
                return Err(EsError::illegal_argument(format!(
                    "[rest_total_hits_as_int] cannot be used if the tracking of total hits is not accurate, got {limit}"
                )));
            }
            Some(TrackTotal::No | TrackTotal::Exact) => {}
        }
        Ok(())
    }
}

/// Numbers that change nothing with one shard an index on one node, but have a least value all the same.
fn check_shard_params(params: &Params) -> EsResult<()> {
    for (name, in_words, least) in [
        ("batched_reduce_size", "batchedReduceSize", 2),
        ("pre_filter_shard_size", "preFilterShardSize", 1),
        ("max_concurrent_shard_requests", "maxConcurrentShardRequests", 1),
    ] {
        if params.number::<i32>(name)?.is_some_and(|number| number < least) {
            return Err(EsError::illegal_argument(format!("{in_words} must be >= {least}")));
        }
    }
    Ok(())
}

/// Whether `search_type` asks for statistics over all indices.
pub(super) fn search_type(params: &Params) -> EsResult<bool> {
    match params.str("search_type") {
        None | Some("query_then_fetch") => Ok(false),
        Some("dfs_query_then_fetch") => Ok(true),
        Some(other) => Err(EsError::illegal_argument(format!("No search type for [{other}]"))),
    }
}

/// The query of `q` and what belongs to it.
///
/// # Errors
/// `illegal_argument_exception` for an operator that is none.
pub(super) fn query_of(params: &Params) -> EsResult<Option<Value>> {
    let mut query = Map::new();
    let text = params.str("q").map(str::to_string);
    if let Some(field) = params.str("df") {
        query.insert("default_field".to_string(), json!(field));
    }
    if let Some(operator) = params.one_of("default_operator", &["AND", "OR", "and", "or"])? {
        query.insert("default_operator".to_string(), json!(operator));
    }
    if let Some(analyzer) = params.str("analyzer") {
        query.insert("analyzer".to_string(), json!(analyzer));
    }
    for name in ["lenient", "analyze_wildcard"] {
        if let Some(flag) = params.bool(name)? {
            query.insert(name.to_string(), json!(flag));
        }
    }
    Ok(text.map(|text| {
        query.insert("query".to_string(), Value::String(text));
        json!({"query_string": query})
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> EsResult<(SearchBody, SearchParams)> {
        let params = Params::parse("/_search", query);
        let mut search = SearchBody::default();
        let read = SearchParams::read(&params, &mut search)?;
        params.finish()?;
        Ok((search, read))
    }

    #[test]
    fn parameters_stand_for_the_body() {
        let (search, params) = read(
            "q=blue+fox&df=title&default_operator=AND&from=5&size=3&sort=year:desc,_score&_source_includes=a,b&track_total_hits=7\
             &explain&version=true&timeout=2s&terminate_after=9&typed_keys=true&preference=_local&request_cache=false&scroll=1m",
        )
        .unwrap();
        let query = json!({"query_string": {"query": "blue fox", "default_field": "title", "default_operator": "AND"}});
        assert_eq!(search.query, Some(query));
        assert_eq!((search.from, search.size, search.sort.len()), (Some(5), Some(3), 2));
        assert_eq!(search.track_total, Some(TrackTotal::UpTo(7)));
        assert!(search.explain && search.version && !search.track_scores && params.typed_keys);
        assert_eq!((search.terminate_after, params.scroll.map(|time| time.as_secs())), (Some(9), Some(60)));
        assert_eq!(search.source, SourceFilter::from_params(Some("a,b"), None, None));
    }

    #[test]
    fn parameters_that_do_not_fit_are_refused() {
        for (query, what) in [
            ("colour=red", "unrecognized parameter: [colour]"),
            ("size=-1", "[size] parameter cannot be negative"),
            ("size=many", "Failed to parse int parameter [size]"),
            ("rest_total_hits_as_int=true&track_total_hits=5", "not accurate, got 5"),
            ("search_type=scan", "No search type for [scan]"),
            ("suggest_text=x", "[suggest_text]"),
        ] {
            let error = read(query).unwrap_err();
            assert!(error.reason.contains(what), "{query}: {error}");
        }
    }
}
