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
use crate::store::blocks::Access;
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
    let definition = IndexDefinition::from_value(&Value::Object(body)).map_err(refused_mapping)?;
    definition.check_limits()?;
    Ok(definition)
}

/// What Elasticsearch says of a mapping that cannot be had.
fn refused_mapping(error: Error) -> EsError {
    let reason = match error.exception() {
        Some(exception) if exception.kind == "mapper_parsing_exception" => exception.reason.clone(),
        Some(_) => return error.into(),
        None if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::InvalidPlan) => {
            error.to_string()
        }
        None => return error.into(),
    };
    let cause = EsError::new(400, "mapper_parsing_exception", reason.clone());
    EsError::new(400, "mapper_parsing_exception", format!("Failed to parse mapping: {reason}")).caused_by(cause)
}

/// The mapping of an index, as it was given.
pub(super) fn tell(index: &IndexHandle) -> EsResult<Value> {
    Ok(index.shard_of_any_state()?.definition().mappings.to_value())
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
                found.iter().try_for_each(|index| index.check_blocks(Access::MetadataRead))?;
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
    let options = read_options(
        &params,
        IndicesOptions { allow_no_indices: false, expand_closed: true, ..IndicesOptions::default() },
    )?;
    let write_index_only = params.bool_or("write_index_only", false)?;
    params.accept(&["timeout", "master_timeout"]);
    params.finish()?;
    let body = body.required_object()?;
    if body.len() == 1 && body.contains_key("_doc") {
        return Err(EsError::illegal_argument("Types cannot be provided in put mapping requests"));
    }
    let body = Value::Object(body);
    app.manage({
        let app = app.clone();
        move || {
            let found = if write_index_only {
                let names = index.split(',').map(str::trim);
                names.map(|name| Ok(app.catalog.write_target_existing(name)?.index)).collect::<EsResult<Vec<_>>>()?
            } else {
                resolve(&app, &index, options)?
            };
            found.iter().try_for_each(|index| index.check_blocks(Access::MetadataWrite))?;
            // All or none, as far as the mapping itself goes.
            for index in &found {
                index.shard_of_any_state()?.definition().merged_with(&body).map_err(refused_mapping)?;
            }
            for index in &found {
                index
                    .shard_of_any_state()?
                    .put_mapping(|current| current.merged_with(&body))
                    .map_err(refused_mapping)?;
            }
            Ok(())
        }
    })
    .await?;
    Ok(EsResponse::acknowledged())
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

    #[test]
    fn a_mapping_that_cannot_be_had_is_told_as_elasticsearch_tells_it() {
        let body = json!({"mappings": {"properties": {"place": {"type": "wormhole"}}}});
        let error = read_definition(body.as_object().unwrap().clone()).unwrap_err();
        assert_eq!(error.kind, "mapper_parsing_exception");
        let reason = "Failed to parse mapping: No handler for type [wormhole] declared on field [place]";
        assert_eq!(error.reason, reason);
        let current = read_definition(
            json!({"mappings": {"properties": {"a": {"type": "keyword"}}}}).as_object().unwrap().clone(),
        );
        let changed = current.unwrap().merged_with(&json!({"properties": {"a": {"type": "text"}}})).unwrap_err();
        let error = refused_mapping(changed);
        assert_eq!(error.kind, "illegal_argument_exception");
        assert_eq!(error.reason, "mapper [a] cannot be changed from type [keyword] to [text]");
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
