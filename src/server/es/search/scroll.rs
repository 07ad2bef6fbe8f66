//! `_search/scroll` and `_pit`: opening, going on, closing.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use serde_json::{Map, Value, json as value};

use super::contexts::{Context, Contexts};
use super::{App, body, execute, json, names, response, targets};
use crate::server::es::error::{EsError, EsResult};
use crate::server::es::request::{Body, Params};
use crate::server::es::response::EsResponse;
use crate::server::state::AppState;

/// `GET|POST /_search/scroll`.
pub(super) async fn next(State(app): App, params: Params, body: Body) -> EsResult<EsResponse> {
    go_on(app, None, params, body).await
}

/// `GET|POST /_search/scroll/{id}`.
pub(super) async fn next_of(
    State(app): App,
    Path(id): Path<String>,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    go_on(app, Some(id), params, body).await
}

async fn go_on(app: Arc<AppState>, id: Option<String>, params: Params, body: Body) -> EsResult<EsResponse> {
    let mut id = id.or_else(|| params.str("scroll_id").map(str::to_string));
    let mut keep_alive = params.duration("scroll")?;
    let total_as_int = params.bool_or("rest_total_hits_as_int", false)?;
    params.finish()?;
    for (name, member) in body.object()?.unwrap_or_default() {
        match name.as_str() {
            "scroll_id" => id = Some(json::text("search_scroll", &name, &member)?),
            "scroll" => keep_alive = body::duration(&name, &member)?,
            _ => {
                return Err(EsError::illegal_argument(format!(
                    "Unknown parameter [{name}] in request body or parameter is of the wrong type[{}]",
                    json::token_name(&member)
                )));
            }
        }
    }
    let id = id.filter(|id| !id.is_empty()).ok_or_else(|| execute::validation(&["scrollId is missing"]))?;
    let state = app.clone();
    app.search(move || EsResponse::serialize(&execute::scroll(&state, &id, keep_alive, total_as_int)?)).await
}

/// `DELETE /_search/scroll`.
pub(super) async fn close(State(app): App, params: Params, body: Body) -> EsResult<EsResponse> {
    close_scrolls(&app, None, &params, &body)
}

/// `DELETE /_search/scroll/{id}`.
pub(super) async fn close_of(
    State(app): App,
    Path(ids): Path<String>,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    close_scrolls(&app, Some(ids), &params, &body)
}

fn close_scrolls(app: &Arc<AppState>, ids: Option<String>, params: &Params, body: &Body) -> EsResult<EsResponse> {
    let mut ids = names(&ids.or_else(|| params.str("scroll_id").map(str::to_string)).unwrap_or_default());
    params.finish()?;
    for (name, member) in body.object()?.unwrap_or_default() {
        match name.as_str() {
            "scroll_id" => ids = json::texts("clear_scroll", &name, &member)?,
            _ => {
                return Err(EsError::illegal_argument(format!(
                    "Unknown parameter [{name}] in request body or parameter is of the wrong type[{}] ",
                    json::token_name(&member)
                )));
            }
        }
    }
    if ids.is_empty() {
        return Err(execute::validation(&["no scroll ids specified"]));
    }
    let contexts = app.slot::<Contexts>();
    let freed = if ids.iter().any(|id| id == "_all") {
        contexts.close_scrolls()
    } else {
        let mut freed = 0;
        for id in &ids {
            freed += usize::from(contexts.close(id)?);
        }
        freed
    };
    Ok(freed_response(freed))
}

fn freed_response(freed: usize) -> EsResponse {
    EsResponse::with_status(if freed == 0 { 404 } else { 200 }, value!({"succeeded": true, "num_freed": freed}))
}

/// `POST /{index}/_pit`.
pub(super) async fn open_pit(
    State(app): App,
    Path(index): Path<String>,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    let keep_alive: Option<Duration> = params.duration("keep_alive")?;
    let resolve = targets::options(&params)?;
    params.accept(&["preference", "routing", "allow_partial_search_results", "max_concurrent_shard_requests"]);
    params.finish()?;
    if let Some((name, _)) = body.object()?.unwrap_or_default().into_iter().next() {
        return Err(EsError::unsupported(format!("[{name}] of a point in time")));
    }
    let keep_alive = keep_alive.ok_or_else(|| execute::validation(&["[keep_alive] is not specified"]))?;
    let state = app.clone();
    app.search(move || {
        let frozen = targets::resolve(&state, &names(&index), resolve, 10)?;
        let shards = response::shards(frozen.len(), &[], &state.options.node_name);
        let id = state.slot::<Contexts>().open(Context::Pit(Arc::new(frozen)), keep_alive, &state.limits)?;
        Ok(EsResponse::json(value!({"id": id, "_shards": shards})))
    })
    .await
}

/// `DELETE /_pit`.
pub(super) async fn close_pit(State(app): App, params: Params, body: Body) -> EsResult<EsResponse> {
    params.finish()?;
    let body: Map<String, Value> = body.required_object()?;
    let mut id = None;
    for (name, member) in &body {
        match name.as_str() {
            "id" => id = Some(json::text("close_point_in_time", name, member)?),
            _ => return Err(json::unknown_field("close_point_in_time", name)),
        }
    }
    let id = id.ok_or_else(|| EsError::new(400, "x_content_parse_exception", "Required [id]"))?;
    Ok(freed_response(usize::from(app.slot::<Contexts>().close(&id)?)))
}
