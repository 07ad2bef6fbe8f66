//! Single documents: `_doc`, `_create`, `_update`, `_source`, `_mget`.

mod get;
mod mget;
mod params;
mod shapes;
#[cfg(test)]
mod tests;
mod update;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get as on_get, post, put};
use serde_json::{Map, Value};

pub(super) use get::SourceFilter;
pub(super) use params::{Refresh, Refreshing, VersionParams, WriteParams, check_id, check_pipeline, invalid};
pub(super) use shapes::{status_of, unparsable, unreadable, write_error, written};
pub(super) use update::{UpdateBody, got};

use super::{Body, EsError, EsResponse, EsResult, Params};
use crate::server::state::AppState;
use crate::store::catalog::WriteTarget;
use crate::store::shard::{WriteAction, WriteOp, WriteResult};

pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/{index}/_doc/{id}", on_get(get::document).put(index_document).post(index_document).delete(delete))
        .route("/{index}/_doc", post(index_new))
        .route("/{index}/_create/{id}", put(create).post(create))
        .route("/{index}/_update/{id}", post(update::update))
        .route("/{index}/_source/{id}", on_get(get::source))
        .route("/_mget", on_get(mget::mget_all).post(mget::mget_all))
        .route("/{index}/_mget", on_get(mget::mget_index).post(mget::mget_index))
}

async fn index_document(
    State(app): State<Arc<AppState>>,
    Path((index, id)): Path<(String, String)>,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    let write = WriteParams::read(&params, &["index", "create"])?;
    params.finish()?;
    put_document(app, index, Some(id), write, body).await
}

async fn index_new(
    State(app): State<Arc<AppState>>,
    Path(index): Path<String>,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    let mut write = WriteParams::read(&params, &["index", "create"])?;
    params.finish()?;
    write.check_new_id()?;
    put_document(app, index, None, write, body).await
}

async fn create(
    State(app): State<Arc<AppState>>,
    Path((index, id)): Path<(String, String)>,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    let mut write = WriteParams::read(&params, &["create"])?;
    params.finish()?;
    write.set_create()?;
    put_document(app, index, Some(id), write, body).await
}

async fn put_document(
    app: Arc<AppState>,
    index: String,
    id: Option<String>,
    write: WriteParams,
    body: Body,
) -> EsResult<EsResponse> {
    if let Some(id) = &id {
        check_id(id)?;
    }
    let worker = app.clone();
    let (answer, refreshing) = app
        .write(move || {
            let source = source_of(&body)?;
            let action = if write.is_create { WriteAction::Create(source) } else { WriteAction::Index(source) };
            let op = WriteOp { id: id.map(Into::into), action, routing: write.routing, condition: write.condition };
            let target = worker.catalog.write_target(&index, write.require_alias)?;
            write_one(&target, op, write.refresh)
        })
        .await?;
    refreshing.finish().await;
    Ok(answer)
}

async fn delete(
    State(app): State<Arc<AppState>>,
    Path((index, id)): Path<(String, String)>,
    params: Params,
) -> EsResult<EsResponse> {
    let write = WriteParams::read(&params, &[])?;
    params.finish()?;
    check_id(&id)?;
    let worker = app.clone();
    let (answer, refreshing) = app
        .write(move || {
            let op = WriteOp {
                id: Some(id.into()),
                action: WriteAction::Delete,
                routing: write.routing,
                condition: write.condition,
            };
            let target = worker.catalog.write_target_existing(&index)?;
            write_one(&target, op, write.refresh)
        })
        .await?;
    refreshing.finish().await;
    Ok(answer)
}

/// Writes, and answers as `_doc` does.
fn write_one(target: &WriteTarget, op: WriteOp, refresh: Refresh) -> EsResult<(EsResponse, Refreshing)> {
    let shard = target.index.shard_to_write()?;
    let id = op.id.clone();
    let done = shard.write_one(op).map_err(|error| write_error(&target.index, id.as_ref(), error))?;
    let refreshing = Refreshing::begin(&shard, refresh, Some(done.seq_no))?;
    let answer = EsResponse::with_status(status_of(done.result), Value::Object(written(&target.index, &done, refresh)));
    let answer = if done.result == WriteResult::Created {
        answer.header("location", &format!("/{}/_doc/{}", target.index.name(), percent_encode(done.id.as_str())))
    } else {
        answer
    };
    Ok((answer, refreshing))
}

/// A body that is a document.
fn source_of(body: &Body) -> EsResult<Map<String, Value>> {
    match body.json() {
        Ok(Some(Value::Object(source))) => Ok(source),
        Ok(Some(_)) => Err(shapes::unparsable("Malformed content, must start with an object")),
        Ok(None) => Err(EsError::new(400, "parse_exception", "request body is required")),
        Err(error) => Err(unreadable(error)),
    }
}

/// What of the source an update answers, by the query string; `None`: nothing.
pub(super) fn source_filter(params: &Params) -> Option<SourceFilter> {
    let names = ["_source", "_source_includes", "_source_excludes"];
    let is_asked = names.map(|name| params.str(name).is_some()).contains(&true);
    is_asked.then(|| SourceFilter::read(params)).filter(|filter| filter.is_wanted)
}

/// An id as a part of a path.
fn percent_encode(id: &str) -> String {
    use std::fmt::Write;
    let mut encoded = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
