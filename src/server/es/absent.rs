//! Parts of Elasticsearch that this engine does not have: asked what there is, it says nothing; asked to make one, it refuses by name.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::Method;
use axum::routing::get;

use super::{EsError, EsResponse, EsResult, Params};
use crate::server::state::AppState;

/// Path, what it is called, and the answer to a request for all of them.
const PARTS: [(&str, &str, &str); 7] = [
    ("/_index_template", "index templates", r#"{"index_templates": []}"#),
    ("/_template", "index templates", "{}"),
    ("/_component_template", "component templates", r#"{"component_templates": []}"#),
    ("/_ingest/pipeline", "ingest pipelines", "{}"),
    ("/_ilm/policy", "index lifecycle policies", "{}"),
    ("/_snapshot", "snapshots", "{}"),
    ("/_data_stream", "data streams", r#"{"data_streams": []}"#),
];

pub(super) fn routes() -> Router<Arc<AppState>> {
    let mut router = Router::new();
    for (path, what, nothing) in PARTS {
        let list = move |params: Params| list(params, nothing);
        let refuse = move |method: Method, name: Path<String>| refuse(method, what, nothing, name);
        router = router
            .route(path, get(list))
            .route(&format!("{path}/{{name}}"), get(refuse).put(refuse).post(refuse).delete(refuse));
    }
    router
}

async fn list(params: Params, nothing: &'static str) -> EsResult<EsResponse> {
    params.accept(&["master_timeout", "local", "flat_settings", "include_defaults", "summary", "expand_wildcards"]);
    params.finish()?;
    Ok(EsResponse::printed(nothing))
}

async fn refuse(
    method: Method,
    what: &'static str,
    nothing: &'static str,
    Path(name): Path<String>,
) -> EsResult<EsResponse> {
    match method {
        Method::GET | Method::HEAD if name.contains('*') => Ok(EsResponse::printed(nothing)),
        Method::GET | Method::HEAD | Method::DELETE => {
            Err(EsError::new(404, "resource_not_found_exception", format!("[{name}] not found: there are no {what}")))
        }
        _ => Err(EsError::illegal_argument(format!("[{name}]: {what} are not supported by Bifocal"))),
    }
}
