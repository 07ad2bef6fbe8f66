//! `_inference`: embedding and re-ranking by name, and endpoints that name models.
//!
//! Every model that [`Models`](crate::models::Models) finds is an endpoint under its own name. `PUT` adds a name for one of them, so that a
//! mapping's `inference_id` can be what it was; names are kept in the data folder.

mod endpoints;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde_json::{Map, Value, json};

pub use endpoints::{Endpoint, Endpoints, TaskType};
pub(super) use endpoints::{check_model_name, not_found};

use super::error::{EsError, EsResult};
use super::request::{Body, Params};
use super::response::EsResponse;
use super::search;
use crate::server::state::AppState;

/// The most texts of one request.
const MAX_INPUTS: usize = 10_000;

/// The routes of this group.
pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/_inference", get(list))
        .route("/_inference/{id}", get(one).post(run).put(put).delete(delete))
        .route("/_inference/{task}/{id}", get(one_of_task).post(run_task).put(put_task).delete(delete_of_task))
}

type App = State<Arc<AppState>>;

async fn list(State(app): App, params: Params) -> EsResult<EsResponse> {
    params.finish()?;
    app.manage({
        let app = app.clone();
        move || Endpoints::of(&app)?.all(&app)
    })
    .await
    .map(answer)
}

async fn one(State(app): App, Path(id): Path<String>, params: Params) -> EsResult<EsResponse> {
    if id == "_all" {
        return list(State(app), params).await;
    }
    params.finish()?;
    found(app, None, id).await
}

async fn one_of_task(
    State(app): App,
    Path((task, id)): Path<(String, String)>,
    params: Params,
) -> EsResult<EsResponse> {
    params.finish()?;
    let task = TaskType::parse(&task)?;
    if id == "_all" {
        let work = {
            let app = app.clone();
            move || Endpoints::of(&app)?.all(&app)
        };
        let mut all = app.manage(work).await?;
        all.retain(|endpoint| endpoint.task == task);
        return Ok(answer(all));
    }
    found(app, Some(task), id).await
}

async fn found(app: Arc<AppState>, task: Option<TaskType>, id: String) -> EsResult<EsResponse> {
    let work = {
        let app = app.clone();
        move || Endpoints::of(&app)?.find(&app, task, &id)
    };
    Ok(answer(vec![app.manage(work).await?]))
}

fn answer(endpoints: Vec<Endpoint>) -> EsResponse {
    EsResponse::json(json!({"endpoints": endpoints.iter().map(Endpoint::to_json).collect::<Vec<_>>()}))
}

async fn put(State(app): App, Path(id): Path<String>, params: Params, body: Body) -> EsResult<EsResponse> {
    store(app, None, id, params, body).await
}

async fn put_task(
    State(app): App,
    Path((task, id)): Path<(String, String)>,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    let task = TaskType::parse(&task)?;
    store(app, Some(task), id, params, body).await
}

async fn store(
    app: Arc<AppState>,
    task: Option<TaskType>,
    id: String,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    params.accept(&["timeout"]);
    params.finish()?;
    let body = body.required_object()?;
    let work = {
        let app = app.clone();
        move || Endpoints::of(&app)?.put(&app, task, &id, &body)
    };
    Ok(EsResponse::json(app.infer(work).await?.to_json()))
}

async fn delete(State(app): App, Path(id): Path<String>, params: Params) -> EsResult<EsResponse> {
    remove(app, id, params).await
}

async fn delete_of_task(
    State(app): App,
    Path((task, id)): Path<(String, String)>,
    params: Params,
) -> EsResult<EsResponse> {
    TaskType::parse(&task)?;
    remove(app, id, params).await
}

async fn remove(app: Arc<AppState>, id: String, params: Params) -> EsResult<EsResponse> {
    params.accept(&["force", "dry_run"]);
    params.finish()?;
    let work = {
        let app = app.clone();
        move || Endpoints::of(&app)?.delete(&id)
    };
    app.manage(work).await?;
    Ok(EsResponse::acknowledged())
}

async fn run(State(app): App, Path(id): Path<String>, params: Params, body: Body) -> EsResult<EsResponse> {
    infer(app, None, id, params, body).await
}

async fn run_task(
    State(app): App,
    Path((task, id)): Path<(String, String)>,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    let task = TaskType::parse(&task)?;
    infer(app, Some(task), id, params, body).await
}

async fn infer(
    app: Arc<AppState>,
    task: Option<TaskType>,
    id: String,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    params.accept(&["timeout"]);
    params.finish()?;
    let body = body.required_object()?;
    let work = {
        let app = app.clone();
        move || {
            let endpoint = Endpoints::of(&app)?.find(&app, task, &id)?;
            match endpoint.task {
                TaskType::TextEmbedding => embed(&app, &endpoint, body),
                TaskType::Rerank => rerank(&app, &endpoint, body),
            }
        }
    };
    Ok(EsResponse::json(app.infer(work).await?))
}

fn embed(app: &AppState, endpoint: &Endpoint, mut body: Map<String, Value>) -> EsResult<Value> {
    let inputs = inputs(&mut body)?;
    let texts: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let is_query = match body.remove("input_type").as_ref().map(Value::as_str) {
        None | Some(Some("ingest" | "internal_ingest" | "unspecified" | "classification" | "clustering")) => false,
        Some(Some("search" | "internal_search")) => true,
        Some(_) => {
            return Err(EsError::illegal_argument(
                "[input_type] must be one of [ingest, search, classification, clustering]",
            ));
        }
    };
    no_more(body)?;
    let encoder = app.models.bi_encoder(&endpoint.model)?;
    let vectors = if is_query { encoder.embed_queries(&texts)? } else { encoder.embed_passages(&texts)? };
    let rows: Vec<Value> = vectors.rows().map(|row| json!({"embedding": row})).collect();
    Ok(json!({"text_embedding": rows}))
}

fn rerank(app: &AppState, endpoint: &Endpoint, mut body: Map<String, Value>) -> EsResult<Value> {
    let inputs = inputs(&mut body)?;
    let texts: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let Some(Value::String(query)) = body.remove("query") else {
        return Err(EsError::illegal_argument("[query] must be given, as text, for the task type [rerank]"));
    };
    let returns_texts = match body.remove("return_documents") {
        None => true,
        Some(Value::Bool(wanted)) => wanted,
        Some(_) => return Err(EsError::illegal_argument("[return_documents] must be true or false")),
    };
    let top_n = match body.remove("top_n") {
        None => usize::MAX,
        Some(number) => number
            .as_u64()
            .and_then(|number| usize::try_from(number).ok())
            .filter(|number| *number > 0)
            .ok_or_else(|| EsError::illegal_argument("[top_n] must be a whole number of at least 1"))?,
    };
    no_more(body)?;
    let scores = app.models.cross_encoder(&endpoint.model)?.score(&query, &texts)?;
    let mut order: Vec<usize> = (0..scores.len()).collect();
    let logit = |idx: &usize| scores.get(*idx).map_or(f32::NEG_INFINITY, |score| score.logit);
    order.sort_by(|a, b| logit(b).total_cmp(&logit(a)));
    let rows: Vec<Value> = order
        .into_iter()
        .take(top_n)
        .filter_map(|idx| {
            let mut row = json!({"index": idx, "relevance_score": search::json::score(scores.get(idx)?.relevance)});
            if let (true, Some(row)) = (returns_texts, row.as_object_mut()) {
                row.insert("text".to_string(), json!(texts.get(idx)?));
            }
            Some(row)
        })
        .collect();
    Ok(json!({"rerank": rows}))
}

fn inputs(body: &mut Map<String, Value>) -> EsResult<Vec<String>> {
    let wrong = || EsError::illegal_argument("[input] must be a text or a list of texts");
    let inputs = match body.remove("input") {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(texts)) => texts
            .into_iter()
            .map(|text| match text {
                Value::String(text) => Ok(text),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Err(wrong()),
            })
            .collect::<EsResult<Vec<_>>>()?,
        Some(_) | None => return Err(wrong()),
    };
    if inputs.is_empty() || inputs.len() > MAX_INPUTS {
        return Err(EsError::illegal_argument(format!("[input] must have 1 to {MAX_INPUTS} texts")));
    }
    Ok(inputs)
}

fn no_more(mut body: Map<String, Value>) -> EsResult<()> {
    // Settings of services that are not here; an empty object asks for nothing.
    if body.get("task_settings").and_then(Value::as_object).is_some_and(Map::is_empty) {
        body.remove("task_settings");
    }
    match body.keys().next() {
        None => Ok(()),
        Some(key) => Err(EsError::parsing(format!("[inference] unknown field [{key}]"))),
    }
}
