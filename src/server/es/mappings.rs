//! Mappings: reading, growing, telling.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde_json::{Map, Value, json};

use super::filter_path::matches;
use super::targets::{read_options, resolve};
use super::{Body, EsError, EsResponse, EsResult, Params};
use crate::error::{Error, ErrorKind};
use crate::schema::{IndexDefinition, Settings};
use crate::server::state::AppState;
use crate::store::catalog::{IndexHandle, IndicesOptions};

pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/_mapping", get(tell_all))
        .route("/{index}/_mapping", get(tell_some).put(grow).post(grow))
        .route("/_mapping/field/{fields}", get(fields_of_all))
        .route("/{index}/_mapping/field/{fields}", get(fields_of_some))
}

/// Reads the settings and mappings of a new index.
///
/// # Errors
/// `illegal_argument_exception` for settings, `mapper_parsing_exception` for mappings; each names the part.
pub(super) fn read_definition(mut body: Map<String, Value>) -> EsResult<IndexDefinition> {
    if let Some(settings) = body.get("settings") {
        Settings::from_value(settings)?;
    }
    if body.get("mappings").is_some_and(Value::is_null) {
        body.shift_remove("mappings");
    }
    IndexDefinition::from_value(&Value::Object(body)).map_err(refused_mapping)
}

/// What Elasticsearch says of a mapping that cannot be had.
fn refused_mapping(error: Error) -> EsError {
    match error.kind() {
        ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::InvalidPlan => {
            EsError::new(400, "mapper_parsing_exception", format!("Failed to parse mapping: {error}"))
        }
        ErrorKind::NotFound
        | ErrorKind::Conflict
        | ErrorKind::Model
        | ErrorKind::ModelMismatch
        | ErrorKind::Corrupt
        | ErrorKind::Busy
        | ErrorKind::Io
        | ErrorKind::Interrupted
        | ErrorKind::Internal => error.into(),
    }
}

/// The mapping of an index, as it was given.
pub(super) fn tell(index: &IndexHandle) -> EsResult<Value> {
    let definition = index.shard()?.definition();
    serde_json::to_value(&definition.mappings).map_err(|error| EsError::new(500, "exception", error.to_string()))
}

async fn tell_all(State(app): State<Arc<AppState>>, params: Params) -> EsResult<EsResponse> {
    tell_chosen(app, "_all".to_string(), params).await
}

async fn tell_some(
    State(app): State<Arc<AppState>>,
    Path(index): Path<String>,
    params: Params,
) -> EsResult<EsResponse> {
    tell_chosen(app, index, params).await
}

async fn tell_chosen(app: Arc<AppState>, index: String, params: Params) -> EsResult<EsResponse> {
    let options = read_options(&params, IndicesOptions::default())?;
    params.accept(&["master_timeout", "local"]);
    params.finish()?;
    let told = app
        .manage({
            let app = app.clone();
            move || {
                let found = resolve(&app, &index, options)?;
                found.iter().map(|index| Ok((index.name().to_string(), json!({"mappings": tell(index)?})))).collect()
            }
        })
        .await?;
    Ok(Value::Object(told).into())
}

async fn grow(
    State(app): State<Arc<AppState>>,
    Path(index): Path<String>,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    let options = read_options(&params, IndicesOptions { allow_no_indices: false, ..IndicesOptions::default() })?;
    params.bool("write_index_only")?;
    params.accept(&["timeout", "master_timeout"]);
    params.finish()?;
    let body = body.required_object()?;
    app.manage({
        let app = app.clone();
        move || {
            let found = resolve(&app, &index, options)?;
            // All or none, as far as the mapping itself goes.
            for index in &found {
                grown(&index.shard()?.definition(), &body).map_err(refused_mapping)?;
            }
            for index in &found {
                index.shard()?.put_mapping(|current| grown(current, &body)).map_err(refused_mapping)?;
            }
            Ok(())
        }
    })
    .await?;
    Ok(EsResponse::acknowledged())
}

/// The definition with what a mapping adds to it.
fn grown(current: &IndexDefinition, body: &Map<String, Value>) -> crate::Result<IndexDefinition> {
    let internal = |error: serde_json::Error| Error::internal(error.to_string());
    let mut definition = serde_json::to_value(current).map_err(internal)?;
    let mappings = definition.as_object_mut().map(|object| object.entry("mappings").or_insert_with(|| json!({})));
    if let Some(Value::Object(mappings)) = mappings {
        for (part, value) in body {
            match (part.as_str(), mappings.get_mut(part), value) {
                ("properties", Some(Value::Object(known)), Value::Object(more)) => add_fields("", known, more)?,
                _ => {
                    mappings.insert(part.clone(), value.clone());
                }
            }
        }
    }
    IndexDefinition::from_value(&definition)
}

/// Adds fields below `path`; a field that is there already gets the parameters that are given, and keeps its type.
fn add_fields(path: &str, known: &mut Map<String, Value>, more: &Map<String, Value>) -> crate::Result<()> {
    for (name, new) in more {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let (Some(Value::Object(old)), Value::Object(new)) = (known.get_mut(name), new) else {
            known.insert(name.clone(), new.clone());
            continue;
        };
        let kind = |field: &Map<String, Value>| match field.get("type") {
            Some(Value::String(kind)) => kind.clone(),
            _ => "object".to_string(),
        };
        let says_type = new.contains_key("type") || new.contains_key("properties");
        if says_type && kind(old) != kind(new) {
            let text = format!("mapper [{path}] cannot be changed from type [{}] to [{}]", kind(old), kind(new));
            return Err(Error::conflict(text));
        }
        for (parameter, value) in new {
            match (parameter.as_str(), old.get_mut(parameter), value) {
                ("properties", Some(Value::Object(known)), Value::Object(more)) => add_fields(&path, known, more)?,
                ("fields", Some(Value::Object(known)), Value::Object(more)) => add_fields(&path, known, more)?,
                _ => {
                    old.insert(parameter.clone(), value.clone());
                }
            }
        }
    }
    Ok(())
}

async fn fields_of_all(
    State(app): State<Arc<AppState>>,
    Path(fields): Path<String>,
    params: Params,
) -> EsResult<EsResponse> {
    tell_fields(app, "_all".to_string(), fields, params).await
}

async fn fields_of_some(
    State(app): State<Arc<AppState>>,
    Path((index, fields)): Path<(String, String)>,
    params: Params,
) -> EsResult<EsResponse> {
    tell_fields(app, index, fields, params).await
}

async fn tell_fields(app: Arc<AppState>, index: String, fields: String, params: Params) -> EsResult<EsResponse> {
    let options = read_options(&params, IndicesOptions::default())?;
    params.bool("include_defaults")?;
    params.accept(&["local", "master_timeout"]);
    params.finish()?;
    let told = app
        .manage({
            let app = app.clone();
            move || {
                let patterns: Vec<&str> = fields.split(',').map(str::trim).collect();
                let mut told = Map::new();
                for index in resolve(&app, &index, options)? {
                    let mapping = tell(&index)?;
                    let mut found = Map::new();
                    find_fields("", mapping.get("properties"), &patterns, &mut found);
                    told.insert(index.name().to_string(), json!({"mappings": found}));
                }
                Ok(told)
            }
        })
        .await?;
    Ok(Value::Object(told).into())
}

/// The fields (and multi-fields) whose path fits one of the patterns.
fn find_fields(path: &str, properties: Option<&Value>, patterns: &[&str], found: &mut Map<String, Value>) {
    for (name, field) in properties.and_then(Value::as_object).into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let is_leaf = field.get("properties").is_none();
        if is_leaf && patterns.iter().any(|pattern| matches(pattern, &path)) {
            found.insert(path.clone(), json!({"full_name": path, "mapping": {name.clone(): field}}));
        }
        find_fields(&path, field.get("properties"), patterns, found);
        find_fields(&path, field.get("fields"), patterns, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_mapping_grows_and_never_changes_a_type() {
        let start = json!({"mappings": {"properties": {"title": {"type": "text"}, "author": {"properties": {"name": {"type": "keyword"}}}}}});
        let current = read_definition(object(start)).unwrap();
        let more = json!({"properties": {"year": {"type": "integer"}, "title": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
            "author": {"properties": {"born": {"type": "date"}}}}});
        let grown_twice = grown(&grown(&current, &object(more.clone())).unwrap(), &object(more)).unwrap();
        let told = serde_json::to_value(&grown_twice.mappings).unwrap();
        for pointer in [
            "/properties/year",
            "/properties/title/fields/raw",
            "/properties/author/properties/born",
            "/properties/author/properties/name",
        ] {
            assert!(told.pointer(pointer).is_some(), "{pointer} is not in {told}");
        }
        let changed = object(json!({"properties": {"author": {"properties": {"name": {"type": "text"}}}}}));
        let error = grown(&current, &changed).unwrap_err();
        assert_eq!(error.to_string(), "mapper [author.name] cannot be changed from type [keyword] to [text]");
        let unknown = object(json!({"properties": {"place": {"type": "wormhole"}}}));
        assert_eq!(refused_mapping(grown(&current, &unknown).unwrap_err()).kind, "mapper_parsing_exception");
    }

    #[test]
    fn fields_are_found_by_pattern() {
        let mapping = json!({"properties": {"title": {"type": "text", "fields": {"raw": {"type": "keyword"}}}, "a": {"properties": {"b": {"type": "long"}}}}});
        let found = |patterns: &[&str]| {
            let mut found = Map::new();
            find_fields("", mapping.get("properties"), patterns, &mut found);
            found.keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(found(&["*"]), ["title", "title.raw", "a.b"]);
        assert_eq!(found(&["a.*", "title"]), ["title", "a.b"]);
        assert!(found(&["nothing"]).is_empty());
    }
}
