//! A search from its request to its answer: once, page by page, and on a point in time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::aggregations;
use super::body::{BodyLimits, DEFAULT_MAX_SLICES, SearchBody};
use super::contexts::{Context, Contexts, Scroll};
use super::embedding::{Embedded, with_embedded};
use super::failures::{self, Failure};
use super::fetch;
use super::hybrid;
use super::params::SearchParams;
use super::query_phase::{self, QueryPhase, Ranked, RunOptions};
use super::response::SearchResponse;
use super::sort_spec;
use super::target::Target;
use super::targets;
use crate::retrieve::collect::TrackTotal;
use crate::server::es::error::{EsError, EsResult};
use crate::server::state::AppState;
use crate::store::catalog::IndicesOptions;

/// One search.
#[derive(Debug, Clone, Default)]
pub(super) struct SearchRequest {
    /// Which indices; empty means all.
    pub(super) indices: Vec<String>,
    pub(super) search: SearchBody,
    pub(super) params: SearchParams,
    pub(super) resolve: IndicesOptions,
    /// What was embedded beforehand ([`super::embedding`]).
    pub(super) embedded: Embedded,
}

/// Runs a search.
///
/// # Errors
/// As Elasticsearch's `_search`: what is wrong with the request, an index that is not there, `search_phase_execution_exception` where
/// every index failed.
pub(super) fn search(app: &Arc<AppState>, request: SearchRequest) -> EsResult<SearchResponse> {
    let began = Instant::now();
    let SearchRequest { indices, search, params, resolve, embedded } = request;
    check_together(&search, &params, &indices)?;
    if search.profile {
        return Err(EsError::unsupported("[profile] of a search"));
    }
    let search = with_default_timeout(search, app);
    for (boosted, _) in &search.indices_boost {
        app.catalog.resolve(boosted, resolve)?;
    }
    let mut response = if let Some(pit) = &search.pit {
        let contexts = app.slot::<Contexts>();
        let Context::Pit(frozen) = contexts.get(&pit.id, pit.keep_alive, &app.limits)? else {
            return Err(EsError::illegal_argument(format!(
                "[{}] is the id of a scroll, not of a point in time",
                pit.id
            )));
        };
        let targets = with_embedded(targets::at_now(&frozen, search.size()), &embedded);
        check(app, &search, &targets, params.scroll.is_some())?;
        let options = RunOptions {
            sort: (!search.sort.is_empty()).then(|| sort_spec::with_tiebreaker(&search.sort)),
            ..options_of(&search, &params)
        };
        let mut response = run(app, &search, &params, &targets, &options)?;
        response.pit_id = Some(pit.id.clone());
        response
    } else {
        let targets = with_embedded(targets::resolve(app, &indices, resolve, search.size())?, &embedded);
        check(app, &search, &targets, params.scroll.is_some())?;
        if params.global_statistics && targets.len() > 1 {
            return Err(EsError::unsupported("[search_type] dfs_query_then_fetch over several indices"));
        }
        match params.scroll {
            None => run(app, &search, &params, &targets, &options_of(&search, &params))?,
            Some(keep_alive) => {
                let scroll = Scroll {
                    targets,
                    search,
                    params,
                    after: None,
                    is_exhausted: false,
                    total: Default::default(),
                    max_score: None,
                };
                let scroll = Arc::new(Mutex::new(scroll));
                let mut response = next_page(app, &scroll)?;
                let context = Context::Scroll(scroll);
                response.scroll_id = Some(app.slot::<Contexts>().open(context, keep_alive, &app.limits)?);
                response
            }
        }
    };
    response.took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(response)
}

/// Refuses what contradicts itself and what lies too deep in an index.
fn check(app: &AppState, search: &SearchBody, targets: &[Target], is_scroll: bool) -> EsResult<()> {
    if targets.is_empty() {
        search.query.iter().chain(&search.post_filter).try_for_each(|query| targets::check_query(app, query))?;
        search.aggs.iter().try_for_each(|aggs| targets::check_aggs(app, aggs))?;
    }
    let window = targets::least_limit(targets, "max_result_window", app.limits.max_result_window);
    let limits = BodyLimits {
        max_rescore_window: targets::least_limit(targets, "max_rescore_window", window),
        max_slices: targets::least_limit(targets, "max_slices_per_scroll", DEFAULT_MAX_SLICES),
    };
    search.check(limits, is_scroll)?;
    search.check_window(window, is_scroll).map_err(|error| {
        let failure = |target: &Target| Failure { index: target.index.clone(), error: error.clone() };
        let failures: Vec<Failure> = targets.iter().map(failure).collect();
        if failures.is_empty() { error } else { failures::all_failed(&failures, "query", &app.options.node_name) }
    })
}

/// The next page of a scroll.
///
/// # Errors
/// 404 where the scroll is not open any more.
pub(super) fn scroll(
    app: &Arc<AppState>,
    id: &str,
    keep_alive: Option<std::time::Duration>,
    total_as_int: bool,
) -> EsResult<SearchResponse> {
    let began = Instant::now();
    let Context::Scroll(scroll) = app.slot::<Contexts>().get(id, keep_alive, &app.limits)? else {
        return Err(EsError::illegal_argument(format!("[{id}] is the id of a point in time, not of a scroll")));
    };
    let mut response = next_page(app, &scroll)?;
    if total_as_int && response.total.as_ref().is_some_and(serde_json::Value::is_object) {
        response.total_as_number();
    }
    response.scroll_id = Some(id.to_string());
    response.took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(response)
}

fn next_page(app: &Arc<AppState>, scroll: &Mutex<Scroll>) -> EsResult<SearchResponse> {
    // Held while the page is searched: pages of one scroll come one after another.
    let mut scroll = scroll.lock().unwrap_or_else(PoisonError::into_inner);
    let counters: Vec<_> = scroll.targets.iter().map(|target| target.counters.clone()).collect();
    let _counted: Vec<_> = counters.iter().map(|counters| counters.scroll.start()).collect();
    let is_first = scroll.after.is_none() && !scroll.is_exhausted;
    let mut search = scroll.search.clone();
    let mut options = options_of(&search, &scroll.params);
    options.sort = Some(sort_spec::with_tiebreaker(&search.sort));
    options.scroll_after = scroll.after.clone();
    options.track_total = Some(if is_first { TrackTotal::Exact } else { TrackTotal::UpTo(0) });
    if !is_first {
        search.aggs = None;
    }
    let by_score = search.sort.is_empty() || matches!(search.sort.as_slice(), [only] if only.is_score_descending());
    let mut phase = if scroll.is_exhausted {
        empty_page(&search, &scroll.targets, &options)?
    } else {
        QueryPhase::run(&search, &scroll.targets, &options, Vec::new(), &app.options.node_name)?
    };
    if is_first {
        scroll.total = phase.total;
        scroll.max_score =
            if by_score { phase.ranked.first().and_then(|ranked| ranked.hit.score) } else { phase.max_score };
    }
    (phase.total, phase.max_score) = (scroll.total, scroll.max_score);
    scroll.is_exhausted = phase.ranked.len() < search.size();
    if let Some(last) = phase.ranked.last() {
        scroll.after = Some(last.hit.sort.clone());
    }
    hide_tiebreaker(&mut phase.ranked, &mut phase.prepared, search.sort.len(), by_score);
    let params = scroll.params.clone();
    finish(app, &search, &params, &scroll.targets, &options, &mut phase)
}

/// The page after the last one.
fn empty_page(search: &SearchBody, targets: &[Target], options: &RunOptions) -> EsResult<QueryPhase> {
    let mut phase = QueryPhase::default();
    for target in targets {
        phase.prepared.push(Some(query_phase::Prepared::new(search, target, options, None)?));
        phase.matching.push(None);
    }
    Ok(phase)
}

/// Takes what only the scroll needs out of the hits: they show the values that were asked for.
fn hide_tiebreaker(
    ranked: &mut [Ranked],
    prepared: &mut [Option<query_phase::Prepared>],
    num_keys: usize,
    by_score: bool,
) {
    let shown = if by_score { 0 } else { num_keys };
    for ranked in ranked {
        ranked.hit.sort.truncate(shown);
    }
    for prepared in prepared.iter_mut().flatten() {
        prepared.sort.keys.truncate(shown);
        prepared.sort.formats.truncate(shown);
    }
}

fn options_of(search: &SearchBody, params: &SearchParams) -> RunOptions {
    RunOptions {
        all_or_nothing: params.all_or_nothing,
        total_as_int: params.total_as_int,
        time_limit: query_phase::time_limit(search),
        ..RunOptions::default()
    }
}

fn run(
    app: &Arc<AppState>,
    search: &SearchBody,
    params: &SearchParams,
    targets: &[Target],
    options: &RunOptions,
) -> EsResult<SearchResponse> {
    if search.retriever.is_some() || search.knn.is_some() {
        let mut found = hybrid::run(app, search, params, targets, options)?;
        let mut response = finish(app, search, params, &found.targets, options, &mut found.phase)?;
        found.annotate(app, search, params, &mut response)?;
        return Ok(response);
    }
    let mut phase = QueryPhase::run(search, targets, options, Vec::new(), &app.options.node_name)?;
    let mut response = finish(app, search, params, targets, options, &mut phase)?;
    if params.provenance {
        hybrid::tell_query(&mut response);
    }
    Ok(response)
}

/// Refuses a part of the answer where all or nothing is wanted.
fn check_time(app: &Arc<AppState>, targets: &[Target], options: &RunOptions, phase: &QueryPhase) -> EsResult<()> {
    if !(options.all_or_nothing && phase.timed_out) {
        return Ok(());
    }
    let index = targets.first().map_or("", |target| target.index.as_str());
    Err(failures::time_exceeded(index, &app.options.node_name))
}

/// From ranked hits to the answer: aggregations, page, fetch.
fn finish(
    app: &Arc<AppState>,
    search: &SearchBody,
    params: &SearchParams,
    targets: &[Target],
    options: &RunOptions,
    phase: &mut QueryPhase,
) -> EsResult<SearchResponse> {
    let aggregations = match search.aggs {
        Some(_) => aggregations::run(params, targets, phase, &options.time_limit)?,
        None => None,
    };
    phase.timed_out |= options.time_limit.was_noticed();
    check_time(app, targets, options, phase)?;
    let mut response = SearchResponse::of(search, targets, options, phase, &app.options.node_name)?;
    response.aggregations = aggregations;
    if params.total_as_int {
        response.total_as_number();
    }
    debug_assert!(
        response.total.as_ref().is_none_or(|total| total.is_number() || *total == fetch::total(phase.total, false))
    );
    Ok(response)
}

fn with_default_timeout(mut search: SearchBody, app: &AppState) -> SearchBody {
    search.timeout = search.timeout.or(app.limits.default_search_timeout);
    search
}

/// What body and query string may not ask for together.
fn check_together(search: &SearchBody, params: &SearchParams, indices: &[String]) -> EsResult<()> {
    let mut faults: Vec<&str> = Vec::new();
    if search.pit.is_some() {
        if !indices.is_empty() {
            faults.push("[indices] cannot be used with point in time. Do not specify any index with point in time.");
        }
        if params.scroll.is_some() {
            faults.push("using [point in time] is not allowed in a scroll context");
        }
    }
    if params.scroll.is_some() {
        if search.from.is_some_and(|from| from > 0) {
            faults.push("using [from] is not allowed in a scroll context");
        }
        if search.size == Some(0) {
            faults.push("[size] cannot be [0] in a scroll context");
        }
        if search.track_total.is_some_and(|track| track != TrackTotal::Exact) {
            faults.push("disabling [track_total_hits] is not allowed in a scroll context");
        }
        if !search.rescore.is_empty() {
            faults.push("using [rescore] is not allowed in a scroll context");
        }
        if params.request_cache {
            faults.push("[request_cache] cannot be used in a scroll context");
        }
        if search.collapse.is_some() {
            faults.push("cannot use `collapse` in a scroll context");
        }
        if search.search_after.is_some() {
            faults.push("`search_after` cannot be used in a scroll context.");
        }
        if search.retriever.is_some() || search.knn.is_some() {
            faults.push("[knn] and [retriever] cannot be used in a scroll context; use a point in time");
        }
    } else if search.pit.is_none() && search.sort.iter().any(|spec| spec.field == "_shard_doc") {
        faults.push("[_shard_doc] sort field cannot be used without [point in time]");
    }
    if faults.is_empty() { Ok(()) } else { Err(validation(&faults)) }
}

/// `action_request_validation_exception`.
pub(super) fn validation(faults: &[&str]) -> EsError {
    let listed: Vec<String> = faults.iter().zip(1..).map(|(fault, nth)| format!("{nth}: {fault};")).collect();
    EsError::new(400, "action_request_validation_exception", format!("Validation Failed: {}", listed.join("")))
}
