//! Searches through the router, in one process, on a temporary folder.

mod contexts;
mod deadlines;
mod highlights;
mod hits;
mod many;
mod pools;
mod sorting;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;

use crate::models::{ModelOptions, Models};
use crate::server::{AppState, ServerOptions};
use crate::store::shard::{WriteAction, WriteCondition, WriteOp};

/// A server without sockets.
pub(super) struct Server {
    state: Arc<AppState>,
    router: Router,
    runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

impl Server {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let models = Arc::new(Models::new(ModelOptions::default()));
        let state = AppState::open(folder.path(), models, ServerOptions::default()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { router: crate::server::app(state.clone()), state, runtime, _folder: folder }
    }

    /// A server with one index.
    pub(super) fn with(mapping: Value, docs: &[Value]) -> Self {
        let server = Self::new();
        server.index("i", mapping, docs);
        server
    }

    /// Makes an index of these fields and documents, whose `_id`s are taken out of them.
    pub(super) fn index(&self, name: &str, properties: Value, docs: &[Value]) {
        let (status, answer) =
            self.ask("PUT", &format!("/{name}"), Some(json!({"mappings": {"properties": properties}})));
        assert_eq!(status, 200, "{answer}");
        let shard = self.state.catalog.one(name).unwrap().shard().unwrap();
        for doc in docs {
            let mut source: Map<String, Value> = doc.as_object().unwrap().clone();
            let id = source.shift_remove("_id").map(|id| id.as_str().unwrap().into());
            let action = WriteAction::Index(source);
            shard.write_one(WriteOp { id, action, routing: None, condition: WriteCondition::None }).unwrap();
        }
        shard.refresh().unwrap();
    }

    pub(super) fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let text = body.map(|body| body.to_string()).unwrap_or_default();
        self.send(method, path, text)
    }

    pub(super) fn send(&self, method: &str, path: &str, body: String) -> (u16, Value) {
        self.runtime.block_on(answer(self.router.clone(), method, path, body))
    }

    /// The answer to a search of `i`, which must succeed.
    #[track_caller]
    pub(super) fn search(&self, body: Value) -> Value {
        let (status, answer) = self.ask("POST", "/i/_search", Some(body.clone()));
        assert_eq!(status, 200, "{body}: {answer}");
        answer
    }

    /// The type and the reason of the error that a search of `i` ends with.
    #[track_caller]
    pub(super) fn refusal(&self, body: Value) -> (u16, String) {
        let (status, answer) = self.ask("POST", "/i/_search", Some(body.clone()));
        assert!(status >= 400, "{body}: {answer}");
        let root = &answer["error"]["root_cause"][0];
        (
            status,
            format!("{}: {}", root["type"].as_str().unwrap_or_default(), root["reason"].as_str().unwrap_or_default()),
        )
    }
}

/// What a request is answered.
fn answer(router: Router, method: &str, path: &str, body: String) -> impl Future<Output = (u16, Value)> + use<> {
    let mut request = Request::builder().method(method).uri(path);
    if !body.is_empty() {
        request = request.header("content-type", "application/json");
    }
    let request = request.body(Body::from(body)).unwrap();
    async move {
        let response = router.oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }
}

/// The ids of the hits, between spaces.
pub(super) fn ids(answer: &Value) -> String {
    let hits = answer["hits"]["hits"].as_array().cloned().unwrap_or_default();
    hits.iter().map(|hit| hit["_id"].as_str().unwrap_or("-").to_string()).collect::<Vec<_>>().join(" ")
}

/// Books that most tests search.
pub(super) fn books() -> Server {
    Server::with(
        json!({
            "title": {"type": "text", "fields": {"raw": {"type": "keyword"}}}, "year": {"type": "integer"}, "price": {"type": "double"},
            "genre": {"type": "keyword"}, "published": {"type": "date"}, "sold": {"type": "boolean"},
            "parts": {"type": "nested", "properties": {"name": {"type": "text"}, "pages": {"type": "integer"}}},
        }),
        &[
            json!({"_id": "1", "title": "The blue fox", "year": 2001, "price": 9.5, "genre": "fable", "published": "2001-05-01", "sold": true,
                "parts": [{"name": "first fox", "pages": 10}, {"name": "second fox", "pages": 30}]}),
            json!({"_id": "2", "title": "A red fox", "year": 1999, "price": 12.0, "genre": ["fable", "crime"], "published": "1999-01-31T10:00:00Z", "sold": false,
                "parts": {"name": "only part", "pages": 5}}),
            json!({"_id": "3", "title": "Blue blue sea", "year": 2010, "genre": "travel", "published": "2010-12-24"}),
            json!({"_id": "4", "title": "Nothing at all", "year": 1999, "price": 3.25}),
        ],
    )
}
