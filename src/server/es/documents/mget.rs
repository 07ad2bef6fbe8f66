//! Reading several documents at once.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde_json::{Map, Value, json};

use super::get::{GetParams, SourceFilter, find, refuse_stored_fields, shown};
use super::params::invalid;
use crate::document::DocumentId;
use crate::server::es::{Body, EsError, EsResponse, EsResult, Params};
use crate::server::state::AppState;

/// One document that is asked for.
#[derive(Debug)]
struct Wanted {
    index: String,
    id: DocumentId,
    source: SourceFilter,
    is_routed: bool,
}

pub(super) async fn mget_all(State(app): State<Arc<AppState>>, params: Params, body: Body) -> EsResult<EsResponse> {
    mget(app, None, params, body).await
}

pub(super) async fn mget_index(
    State(app): State<Arc<AppState>>,
    Path(index): Path<String>,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    mget(app, Some(index), params, body).await
}

async fn mget(app: Arc<AppState>, index: Option<String>, params: Params, body: Body) -> EsResult<EsResponse> {
    let get = GetParams::read(&params)?;
    params.finish()?;
    let wanted = read(&body.required_object()?, index.as_deref(), &get.source)?;
    let worker = app.clone();
    app.search(move || {
        let docs: Vec<Value> = wanted.iter().map(|wanted| answer(&worker, wanted, &get)).collect();
        Ok(EsResponse::json(json!({"docs": docs})))
    })
    .await
}

fn answer(app: &AppState, wanted: &Wanted, get: &GetParams) -> Value {
    let found = app.catalog.one(&wanted.index).map_err(EsError::from).and_then(|index| {
        let found = find(&index, &wanted.id, &get.routed(wanted.is_routed))?;
        Ok(shown(&index, &wanted.id, found.as_ref(), &wanted.source))
    });
    match found {
        Ok(shown) => Value::Object(shown),
        Err(error) => {
            let mut said = Map::from_iter([("root_cause".to_string(), json!([error.to_object()]))]);
            if let Value::Object(own) = error.to_object() {
                said.extend(own);
            }
            json!({"_index": wanted.index, "_id": wanted.id, "error": said})
        }
    }
}

fn read(body: &Map<String, Value>, index: Option<&str>, source: &SourceFilter) -> EsResult<Vec<Wanted>> {
    let mut wanted = Vec::new();
    let mut faults = Vec::new();
    for (name, value) in body {
        let Value::Array(items) = value else {
            return Err(EsError::parsing(format!(
                "unknown key [{name}] for a non-array value, expected [docs] or [ids]"
            )));
        };
        for item in items {
            let item = match name.as_str() {
                "docs" => read_one(item, index, source)?,
                "ids" => (index.map(str::to_string), text_of(item), source.clone(), false),
                other => {
                    return Err(EsError::parsing(format!(
                        "unknown key [{other}] for a START_ARRAY, expected [docs] or [ids]"
                    )));
                }
            };
            let place = wanted.len();
            match item {
                (None, ..) => faults.push(format!("index is missing for doc {place}")),
                (_, None, ..) => faults.push(format!("id is missing for doc {place}")),
                (Some(index), Some(id), source, is_routed) => {
                    wanted.push(Wanted { index, id: id.into(), source, is_routed });
                }
            }
        }
    }
    if wanted.is_empty() && faults.is_empty() {
        faults.push("no documents to get".to_string());
    }
    if faults.is_empty() {
        return Ok(wanted);
    }
    let numbered: Vec<String> = (1..).zip(&faults).map(|(number, fault)| format!("{number}: {fault};")).collect();
    let mut error = invalid("");
    error.reason = format!("Validation Failed: {}", numbered.join(""));
    Err(error)
}

type Read = (Option<String>, Option<String>, SourceFilter, bool);

fn read_one(item: &Value, index: Option<&str>, source: &SourceFilter) -> EsResult<Read> {
    let Value::Object(item) = item else {
        return Err(EsError::illegal_argument("docs array element should include an object"));
    };
    let mut read = (index.map(str::to_string), None, source.clone(), false);
    for (name, value) in item {
        match name.as_str() {
            "_index" => read.0 = text_of(value),
            "_id" => read.1 = text_of(value),
            "_source" => read.2 = SourceFilter::from_value(value)?,
            "routing" => read.3 = !value.is_null(),
            "version_type" => {}
            "stored_fields" => refuse_stored_fields(Some("fields"))?,
            other => return Err(EsError::parsing(format!("unknown key [{other}] for a document of [docs]"))),
        }
    }
    Ok(read)
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
