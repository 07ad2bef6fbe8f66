//! Writes of everything that a query finds: `_delete_by_query`, `_update_by_query`, `_reindex`.
//!
//! Each works on the snapshot of the last refresh. What a document was in it must still hold when it is written (its sequence number is the
//! write's condition), else the write is a conflict, which ends the request or is counted, as it says. Scripts are refused.

mod read;
mod reindex;
#[cfg(test)]
mod tests;
mod work;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::post;

use self::read::ByQuery;
use self::work::{Change, Outcome};
use super::{Body, EsResponse, EsResult, Params};
use crate::server::state::AppState;

pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/{index}/_delete_by_query", post(delete_by_query))
        .route("/{index}/_update_by_query", post(update_by_query))
        .route("/_reindex", post(reindex::reindex))
}

async fn delete_by_query(
    State(app): State<Arc<AppState>>,
    Path(index): Path<String>,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    let request = ByQuery::read(&params, &body)?;
    request.require_query()?;
    run(app, index, request, Change::Delete).await
}

async fn update_by_query(
    State(app): State<Arc<AppState>>,
    Path(index): Path<String>,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    super::documents::check_pipeline(params.str("pipeline"))?;
    let request = ByQuery::read(&params, &body)?;
    run(app, index, request, Change::Write).await
}

async fn run(app: Arc<AppState>, index: String, request: ByQuery, change: Change) -> EsResult<EsResponse> {
    let worker = app.clone();
    app.write(move || {
        let mut outcome = Outcome::default();
        let targets = worker.catalog.resolve(&index, request.options)?;
        let mut left = request.max_docs.unwrap_or(u64::MAX);
        for target in &targets {
            let found = work::find(&worker, target, &request.query, request.slice)?;
            outcome.total += found.len().min(left);
            left = work::rewrite(target, &found, change, &request, left, &mut outcome)?;
            if outcome.is_stopped() {
                break;
            }
        }
        if request.refresh {
            for target in &targets {
                target.index.shard()?.refresh()?;
            }
        }
        Ok(outcome.answer(match change {
            Change::Delete => &["deleted"],
            Change::Write => &["updated", "deleted"],
        }))
    })
    .await
}
