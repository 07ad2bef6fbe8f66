//! Reading one document.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde_json::{Map, Value, json};

use crate::document::DocumentId;
use crate::schema::source_filter;
use crate::server::es::{EsError, EsResponse, EsResult, Params};
use crate::server::state::AppState;
use crate::store::catalog::IndexHandle;
use crate::store::shard::{StoredDocument, Visibility};

/// What is asked of a read beside the document.
#[derive(Debug, Clone, Default)]
pub(super) struct GetParams {
    pub(super) source: SourceFilter,
    visibility: Visibility,
    refresh: bool,
    version: Option<u64>,
    /// Whether a routing was given: one shard needs none to be found, but a mapping may ask for it.
    is_routed: bool,
}

impl GetParams {
    /// The same for a document that may bring its own routing.
    pub(super) fn routed(&self, is_routed: bool) -> Self {
        Self { is_routed: self.is_routed || is_routed, ..self.clone() }
    }

    pub(super) fn read(params: &Params) -> EsResult<Self> {
        params.accept(&["preference"]);
        refuse_stored_fields(params.str("stored_fields"))?;
        let realtime = params.bool_or("realtime", true)?;
        let version = match params.str("version_type") {
            None | Some("internal" | "external" | "external_gt" | "external_gte") => params.number("version")?,
            Some(other) => return Err(EsError::illegal_argument(format!("No version type match [{other}]"))),
        };
        Ok(Self {
            source: SourceFilter::read(params),
            visibility: if realtime { Visibility::Realtime } else { Visibility::Refreshed },
            refresh: params.bool_or("refresh", false)?,
            version,
            is_routed: params.str("routing").is_some(),
        })
    }
}

/// `stored_fields` beside the source: there are none.
pub(super) fn refuse_stored_fields(fields: Option<&str>) -> EsResult<()> {
    match fields {
        None | Some("" | "_source" | "_none_") => Ok(()),
        Some(_) => Err(EsError::unsupported("[stored_fields] of a document; take [_source]")),
    }
}

/// Which parts of a source are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::server::es) struct SourceFilter {
    pub(in crate::server::es) is_wanted: bool,
    pub(super) includes: Vec<String>,
    pub(super) excludes: Vec<String>,
}

impl Default for SourceFilter {
    fn default() -> Self {
        Self { is_wanted: true, includes: Vec::new(), excludes: Vec::new() }
    }
}

impl SourceFilter {
    /// Reads `_source`, `_source_includes` and `_source_excludes`.
    pub(in crate::server::es) fn read(params: &Params) -> Self {
        let mut filter = Self::default();
        match params.str("_source") {
            None | Some("" | "true") => {}
            Some("false") => filter.is_wanted = false,
            Some(fields) => filter.includes = words(fields),
        }
        if let Some(includes) = params.str("_source_includes") {
            filter.includes = words(includes);
        }
        if let Some(excludes) = params.str("_source_excludes") {
            filter.excludes = words(excludes);
        }
        filter
    }

    /// Reads the value of `_source` in a body.
    ///
    /// # Errors
    /// `parsing_exception` for what is none.
    pub(in crate::server::es) fn from_value(value: &Value) -> EsResult<Self> {
        let refuse =
            || EsError::parsing(format!("[_source] must be a boolean, a string, an array or an object, got [{value}]"));
        let list = |value: &Value| match value {
            Value::String(field) => Ok(vec![field.clone()]),
            Value::Array(fields) => {
                fields.iter().map(|field| field.as_str().map(str::to_string).ok_or_else(refuse)).collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Err(refuse()),
        };
        let mut filter = Self::default();
        match value {
            Value::Bool(wanted) => filter.is_wanted = *wanted,
            Value::Object(object) => {
                for (name, value) in object {
                    match name.as_str() {
                        "includes" | "include" => filter.includes = list(value)?,
                        "excludes" | "exclude" => filter.excludes = list(value)?,
                        other => return Err(EsError::parsing(format!("Unknown key [{other}] in [_source]."))),
                    }
                }
            }
            Value::Null => {}
            Value::String(_) | Value::Number(_) | Value::Array(_) => filter.includes = list(value)?,
        }
        Ok(filter)
    }

    pub(in crate::server::es) fn apply(&self, source: &Map<String, Value>) -> Map<String, Value> {
        source_filter::filter(source, &self.includes, &self.excludes)
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_string).collect()
}

pub(super) async fn document(
    State(app): State<Arc<AppState>>,
    Path((index, id)): Path<(String, String)>,
    params: Params,
) -> EsResult<EsResponse> {
    let get = GetParams::read(&params)?;
    params.finish()?;
    let worker = app.clone();
    app.search(move || {
        let index = worker.catalog.one(&index)?;
        let id = DocumentId::from(id);
        let found = find(&index, &id, &get)?;
        let status = if found.is_some() { 200 } else { 404 };
        Ok(EsResponse::with_status(status, Value::Object(shown(&index, &id, found.as_ref(), &get.source))))
    })
    .await
}

pub(super) async fn source(
    State(app): State<Arc<AppState>>,
    Path((index, id)): Path<(String, String)>,
    params: Params,
) -> EsResult<EsResponse> {
    let get = GetParams::read(&params)?;
    params.finish()?;
    if !get.source.is_wanted {
        return Err(super::params::invalid("fetching source can not be disabled"));
    }
    let worker = app.clone();
    app.search(move || {
        let index = worker.catalog.one(&index)?;
        let id = DocumentId::from(id);
        match find(&index, &id, &get)? {
            Some(found) => Ok(EsResponse::json(Value::Object(get.source.apply(&found.source)))),
            None => Err(EsError::new(
                404,
                "resource_not_found_exception",
                format!("Document not found [{}]/[{id}]", index.name()),
            )),
        }
    })
    .await
}

/// A document, if it is there; refreshed before where that is asked for.
pub(super) fn find(index: &IndexHandle, id: &DocumentId, get: &GetParams) -> EsResult<Option<StoredDocument>> {
    let shard = index.shard_to_read()?;
    if !get.is_routed && shard.definition().mappings.routing.is_some_and(|routing| routing.required) {
        let text = format!("routing is required for [{}]/[{id}]", index.name());
        return Err(EsError::new(400, "routing_missing_exception", text)
            .with("index_uuid", json!("_na_"))
            .with("index", json!(index.name())));
    }
    if get.refresh {
        shard.refresh()?;
    }
    let found = shard.get(id, get.visibility)?;
    if let (Some(found), Some(version)) = (&found, get.version)
        && found.version != version
    {
        let text = format!(
            "[{id}]: version conflict, current version [{}] is different than the one provided [{version}]",
            found.version
        );
        return Err(EsError::new(409, "version_conflict_engine_exception", text)
            .with("index_uuid", json!(index.uuid()))
            .with("shard", json!("0"))
            .with("index", json!(index.name())));
    }
    Ok(found)
}

/// A document as `_doc` and `_mget` show it.
pub(super) fn shown(
    index: &IndexHandle,
    id: &DocumentId,
    found: Option<&StoredDocument>,
    filter: &SourceFilter,
) -> Map<String, Value> {
    let mut answer = Map::new();
    answer.insert("_index".to_string(), json!(index.name()));
    answer.insert("_id".to_string(), json!(id));
    let Some(found) = found else {
        answer.insert("found".to_string(), json!(false));
        return answer;
    };
    answer.insert("_version".to_string(), json!(found.version));
    answer.insert("_seq_no".to_string(), json!(found.seq_no));
    answer.insert("_primary_term".to_string(), json!(found.primary_term));
    if let Some(routing) = &found.routing {
        answer.insert("_routing".to_string(), json!(routing));
    }
    answer.insert("found".to_string(), json!(true));
    if filter.is_wanted {
        answer.insert("_source".to_string(), Value::Object(filter.apply(&found.source)));
    }
    answer
}
