//! `GET /`, and the figures for Prometheus.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use serde_json::json;

use super::{EsResponse, EsResult, Params};
use crate::server::state::AppState;

/// The version that clients see: the last minor of 8, whose clients and those of 9 accept it.
pub(crate) const VERSION: &str = "8.19.0";

/// Lucene's version in that Elasticsearch; clients show it, nothing more.
const LUCENE_VERSION: &str = "9.12.2";

pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new().route("/", get(root)).route("/metrics", get(metrics))
}

async fn root(State(app): State<Arc<AppState>>, params: Params) -> EsResult<EsResponse> {
    params.finish()?;
    Ok(EsResponse::json(json!({
        "name": app.options.node_name,
        "cluster_name": app.options.cluster_name,
        "cluster_uuid": app.catalog.cluster_uuid(),
        "version": {
            "number": VERSION,
            "build_flavor": "default",
            "build_type": "bifocal",
            "build_hash": "unknown",
            "build_date": "2026-01-01T00:00:00.000000000Z",
            "build_snapshot": false,
            "lucene_version": LUCENE_VERSION,
            "minimum_wire_compatibility_version": "7.17.0",
            "minimum_index_compatibility_version": "7.0.0",
            "bifocal_version": env!("CARGO_PKG_VERSION"),
        },
        "tagline": "You Know, for Search",
    })))
}

async fn metrics(State(app): State<Arc<AppState>>, params: Params) -> EsResult<EsResponse> {
    params.finish()?;
    let scraped = app.clone();
    let text = app.manage(move || Ok(scraped.metrics.text(&scraped)?)).await?;
    Ok(EsResponse::text_of("application/openmetrics-text; version=1.0.0; charset=utf-8", text))
}
