//! `_search`, `_msearch`, `_count` and what belongs to them.
//!
//! In: a body and a query string. Out: ranked hits as Elasticsearch prints them. The way of a search: [`body`] and `params` read it,
//! `targets` finds the indices, `query_phase` ranks (the seam for hybrid search: one query an index, or a ranked list in its place),
//! `fetch` and `response` show the page. Everything is refused by name that is not done.

mod aggregations;
pub mod body;
mod collapse;
mod contexts;
mod count;
mod embedding;
mod execute;
mod explain;
mod failures;
mod fetch;
mod fields;
mod highlight;
mod hybrid;
mod inner_hits;
pub(super) mod json;
mod msearch;
mod params;
mod query_phase;
mod rescore;
mod response;
mod retriever;
mod scroll;
mod sort_spec;
mod source_filter;
mod target;
mod targets;
mod validate;
mod values;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Instant;

pub(super) use self::inner_hits::MAX_INNER_RESULT_WINDOW;
pub(super) use self::targets::check_query;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{delete, get, post};
use serde_json::{Map, Value};

use self::body::SearchBody;
use self::execute::SearchRequest;
use self::params::SearchParams;
use crate::server::es::error::{EsError, EsResult};
use crate::server::es::request::{Body, Params};
use crate::server::es::response::EsResponse;
use crate::server::state::AppState;
use crate::store::catalog::IndicesOptions;

type App = State<Arc<AppState>>;

/// The paths of this group.
pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/_search", get(search_all).post(search_all))
        .route("/{index}/_search", get(search).post(search))
        .route("/_msearch", get(msearch::msearch_all).post(msearch::msearch_all))
        .route("/{index}/_msearch", get(msearch::msearch).post(msearch::msearch))
        .route("/_count", get(count::count_all).post(count::count_all))
        .route("/{index}/_count", get(count::count).post(count::count))
        .route("/_validate/query", get(validate::validate_all).post(validate::validate_all))
        .route("/{index}/_validate/query", get(validate::validate).post(validate::validate))
        .route("/{index}/_explain/{id}", get(explain::explain).post(explain::explain))
        .route("/_search/scroll", get(scroll::next).post(scroll::next).delete(scroll::close))
        .route("/_search/scroll/{scroll_id}", get(scroll::next_of).post(scroll::next_of).delete(scroll::close_of))
        .route("/{index}/_pit", post(scroll::open_pit))
        .route("/_pit", delete(scroll::close_pit))
}

/// Gives back what searches kept for later pages and nobody came for: scrolls, points in time, candidate lists; whether there was any.
/// Never blocks.
pub(in crate::server) fn drop_expired(app: &AppState) -> bool {
    let now = Instant::now();
    let contexts = app.slot::<contexts::Contexts>().take_expired(now);
    let lists = app.slot::<retriever::frozen::FrozenRankings>().take_expired(now);
    if contexts.is_empty() && lists.is_empty() {
        return false;
    }
    tracing::debug!(contexts = contexts.len(), lists = lists.len(), "expired");
    // The last of a snapshot closes its files.
    tokio::task::spawn_blocking(move || drop((contexts, lists)));
    true
}

async fn search_all(state: App, params: Params, body: Body) -> EsResult<EsResponse> {
    run_search(state, String::new(), params, body).await
}

async fn search(state: App, Path(index): Path<String>, params: Params, body: Body) -> EsResult<EsResponse> {
    run_search(state, index, params, body).await
}

async fn run_search(State(app): App, index: String, params: Params, body: Body) -> EsResult<EsResponse> {
    let request = read_search(index, &params, &body)?;
    params.finish()?;
    let reranks = hybrid::reranks(&request.search);
    let request = embedding::embed(&app, request).await?;
    let state = app.clone();
    let work = move || EsResponse::serialize(&execute::search(&state, request)?);
    if reranks { app.infer(work).await } else { app.search(work).await }
}

/// Runs a search as another API asks for it, and returns its answer.
///
/// # Errors
/// As `_search`.
pub(super) async fn run_body(app: Arc<AppState>, index: &str, mut body: Map<String, Value>) -> EsResult<Value> {
    hybrid::unfold(&mut body)?;
    let search = SearchBody::parse(&body)?;
    let reranks = hybrid::reranks(&search);
    let request = SearchRequest {
        indices: names(index),
        search,
        params: SearchParams::default(),
        resolve: IndicesOptions::default(),
        embedded: embedding::Embedded::default(),
    };
    let request = embedding::embed(&app, request).await?;
    let state = app.clone();
    let work = move || {
        let response = execute::search(&state, request)?;
        serde_json::to_value(&response).map_err(|error| EsError::new(500, "exception", error.to_string()))
    };
    if reranks { app.infer(work).await } else { app.search(work).await }
}

fn read_search(index: String, params: &Params, body: &Body) -> EsResult<SearchRequest> {
    let mut search = match body.object()? {
        Some(mut body) => {
            hybrid::unfold(&mut body)?;
            SearchBody::parse(&body)?
        }
        None => SearchBody::default(),
    };
    let search_params = SearchParams::read(params, &mut search)?;
    Ok(SearchRequest {
        indices: names(&index),
        search,
        params: search_params,
        resolve: targets::options(params)?,
        embedded: embedding::Embedded::default(),
    })
}

/// The names of a path's part, between commas.
fn names(part: &str) -> Vec<String> {
    part.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_string).collect()
}

/// A value as the mapping's normalizer makes it.
fn normalize(target: &target::Target, path: &str, text: &str) -> String {
    let normalizer = target.searcher.table().get(path).and_then(|field| field.extra.normalizer.as_ref());
    normalizer.and_then(|normalizer| normalizer.terms(text).into_iter().next()).unwrap_or_else(|| text.to_string())
}
