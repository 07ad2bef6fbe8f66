//! `_refresh`, `_flush`, `_forcemerge`, `_cache/clear`.

use std::num::NonZeroUsize;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::targets::{read_options, resolve};
use super::{EsError, EsResponse, EsResult, Params};
use crate::server::state::AppState;
use crate::server::threads::{Pool, Pools};
use crate::store::Shard;
use crate::store::catalog::IndicesOptions;

pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/_refresh", get(refresh).post(refresh))
        .route("/{index}/_refresh", get(refresh).post(refresh))
        .route("/_flush", get(flush).post(flush))
        .route("/{index}/_flush", get(flush).post(flush))
        .route("/_forcemerge", post(force_merge))
        .route("/{index}/_forcemerge", post(force_merge))
        .route("/_cache/clear", post(clear_cache))
        .route("/{index}/_cache/clear", post(clear_cache))
}

/// `{"_shards": {..}}` as it stands in many answers.
pub(super) fn shards(num_shards: usize) -> Value {
    json!({"total": num_shards, "successful": num_shards, "failed": 0})
}

/// Does something to every shard that a path means.
async fn for_each(
    app: Arc<AppState>,
    target: Option<Path<String>>,
    params: &Params,
    pool: fn(&Pools) -> &Pool,
    work: impl Fn(&Shard) -> crate::Result<()> + Send + 'static,
) -> EsResult<EsResponse> {
    let options = read_options(params, IndicesOptions { is_about_documents: true, ..IndicesOptions::default() })?;
    params.finish()?;
    let worker = app.clone();
    let num_shards = pool(&app.pools)
        .run(move || {
            let target = target.map_or_else(|| "_all".to_string(), |Path(target)| target);
            let found = resolve(&worker, &target, options)?;
            for index in &found {
                work(&*index.shard()?)?;
            }
            Ok(found.len())
        })
        .await?;
    Ok(json!({"_shards": shards(num_shards)}).into())
}

async fn refresh(
    State(app): State<Arc<AppState>>,
    target: Option<Path<String>>,
    params: Params,
) -> EsResult<EsResponse> {
    for_each(app, target, &params, |pools| &pools.manage, Shard::refresh).await
}

async fn flush(State(app): State<Arc<AppState>>, target: Option<Path<String>>, params: Params) -> EsResult<EsResponse> {
    let (force, waits) = (params.bool_or("force", false)?, params.bool_or("wait_if_ongoing", true)?);
    if force && !waits {
        let text = "Validation Failed: 1: wait_if_ongoing must be true for a force flush;";
        return Err(EsError::new(400, "action_request_validation_exception", text));
    }
    for_each(app, target, &params, |pools| &pools.manage, Shard::flush).await
}

async fn force_merge(
    State(app): State<Arc<AppState>>,
    target: Option<Path<String>>,
    params: Params,
) -> EsResult<EsResponse> {
    let max_num_segments: Option<NonZeroUsize> = params.number("max_num_segments")?;
    let only_expunge_deletes = params.bool_or("only_expunge_deletes", false)?;
    let flush = params.bool_or("flush", true)?;
    if !params.bool_or("wait_for_completion", true)? {
        return Err(EsError::unsupported("[wait_for_completion=false]"));
    }
    if only_expunge_deletes && max_num_segments.is_some() {
        let text = "Validation Failed: 1: cannot set only_expunge_deletes and max_num_segments at the same time, those two parameters are mutually exclusive;";
        return Err(EsError::new(400, "action_request_validation_exception", text));
    }
    for_each(
        app,
        target,
        &params,
        |pools| &pools.merge,
        move |shard| {
            if only_expunge_deletes {
                shard.expunge_deletes()?;
            } else {
                // Without a number Elasticsearch merges where its policy wants to; this engine merges all the time by itself.
                shard.force_merge(max_num_segments.unwrap_or(NonZeroUsize::MIN))?;
            }
            if flush { shard.flush() } else { Ok(()) }
        },
    )
    .await
}

async fn clear_cache(
    State(app): State<Arc<AppState>>,
    target: Option<Path<String>>,
    params: Params,
) -> EsResult<EsResponse> {
    params.accept(&["fielddata", "query", "request", "fields"]);
    // No answer is kept: there is nothing to clear.
    for_each(app, target, &params, |pools| &pools.manage, |_| Ok(())).await
}
