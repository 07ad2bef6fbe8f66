//! Creating, deleting and telling indices; what an index expression means.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post, put};
use serde_json::{Map, Value, json};

use super::targets::{read_options, resolve};
use super::{Body, EsError, EsResponse, EsResult, Params, aliases, mappings, settings};
use crate::schema::IndexDefinition;
use crate::server::state::AppState;
use crate::store::blocks::Access;
use crate::store::catalog::{Alias, IndexHandle, IndicesOptions};

pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/{index}", put(create).delete(delete).get(tell))
        .route("/{index}/_open", post(open))
        .route("/{index}/_close", post(close))
        .route("/_resolve/index/{name}", get(resolve_index).post(resolve_index))
}

/// What `PUT /{index}` asks for.
#[derive(Debug, Default)]
struct NewIndex {
    definition: IndexDefinition,
    aliases: BTreeMap<String, Alias>,
}

impl NewIndex {
    fn read(body: Map<String, Value>) -> EsResult<Self> {
        let mut new = Self::default();
        let mut definition = Map::new();
        for (part, value) in body {
            match part.as_str() {
                "settings" | "mappings" => {
                    definition.insert(part, value);
                }
                "aliases" => new.aliases = aliases::read_all(&value)?,
                other => {
                    return Err(EsError::new(
                        400,
                        "parse_exception",
                        format!("unknown key [{other}] for create index"),
                    ));
                }
            }
        }
        new.definition = mappings::read_definition(definition)?;
        Ok(new)
    }
}

async fn create(
    State(app): State<Arc<AppState>>,
    Path(index): Path<String>,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    params.accept(&["timeout", "master_timeout", "wait_for_active_shards"]);
    params.finish()?;
    let body = body.object()?.unwrap_or_default();
    let made = app
        .manage({
            let app = app.clone();
            move || {
                let new = NewIndex::read(body)?;
                new.aliases.iter().try_for_each(|(name, alias)| aliases::check(&app, name, alias))?;
                Ok(app.catalog.create(&index, &new.definition, new.aliases)?.name().to_string())
            }
        })
        .await?;
    Ok(json!({"acknowledged": true, "shards_acknowledged": true, "index": made}).into())
}

async fn delete(State(app): State<Arc<AppState>>, Path(index): Path<String>, params: Params) -> EsResult<EsResponse> {
    let options = read_options(
        &params,
        IndicesOptions { allow_aliases: false, expand_closed: true, ..IndicesOptions::default() },
    )?;
    params.accept(&["timeout", "master_timeout"]);
    params.finish()?;
    app.manage({
        let app = app.clone();
        move || {
            check_destructive(&app, &index)?;
            let found = resolve(&app, &index, options)?;
            found.iter().try_for_each(|index| index.check_blocks(Access::Delete))?;
            let names: Vec<String> = found.iter().map(|index| index.name().to_string()).collect();
            Ok(app.catalog.delete(&names)?)
        }
    })
    .await?;
    Ok(EsResponse::acknowledged())
}

/// Deleting by pattern must be allowed first, as in Elasticsearch 8 (`action.destructive_requires_name`).
fn check_destructive(app: &AppState, expression: &str) -> EsResult<()> {
    let has_pattern = expression.split(',').any(|part| part.contains('*') || part.trim() == "_all");
    let setting = app.catalog.cluster_settings().get("action.destructive_requires_name").cloned();
    let is_allowed = setting.is_some_and(|setting| setting == json!(false) || setting == json!("false"));
    if has_pattern && !is_allowed {
        return Err(EsError::illegal_argument("Wildcard expressions or all indices are not allowed"));
    }
    Ok(())
}

async fn tell(State(app): State<Arc<AppState>>, Path(index): Path<String>, params: Params) -> EsResult<EsResponse> {
    let options = read_options(&params, IndicesOptions::default())?;
    let features = params.list("features");
    let flat = params.bool_or("flat_settings", false)?;
    let defaults = params.bool_or("include_defaults", false)?;
    let human = params.bool_or("human", false)?;
    params.accept(&["master_timeout", "local"]);
    params.finish()?;
    let wants =
        move |part: &str| features.as_ref().is_none_or(|features| features.iter().any(|feature| feature == part));
    let answer = app
        .manage({
            let app = app.clone();
            move || {
                let mut answer = Map::new();
                for index in resolve(&app, &index, options)? {
                    index.check_blocks(Access::MetadataRead)?;
                    let mut told = Map::new();
                    if wants("aliases") {
                        told.insert("aliases".to_string(), aliases::tell(&index, |_| true));
                    }
                    if wants("mappings") {
                        told.insert("mappings".to_string(), mappings::tell(&index)?);
                    }
                    if wants("settings") {
                        settings::tell_into(
                            &mut told,
                            &index,
                            &settings::Telling { flat, human, defaults, names: None },
                        )?;
                    }
                    answer.insert(index.name().to_string(), Value::Object(told));
                }
                Ok(answer)
            }
        })
        .await?;
    Ok(Value::Object(answer).into())
}

/// Aliases, mappings and settings of an index.
pub(super) fn describe(index: &IndexHandle) -> EsResult<Value> {
    let mut told = Map::new();
    told.insert("aliases".to_string(), aliases::tell(index, |_| true));
    told.insert("mappings".to_string(), mappings::tell(index)?);
    settings::tell_into(&mut told, index, &settings::Telling::default())?;
    Ok(Value::Object(told))
}

async fn open(State(app): State<Arc<AppState>>, Path(index): Path<String>, params: Params) -> EsResult<EsResponse> {
    let closed = IndicesOptions { expand_open: false, expand_closed: true, ..IndicesOptions::default() };
    let options = read_options(&params, closed)?;
    params.accept(&["timeout", "master_timeout", "wait_for_active_shards"]);
    params.finish()?;
    set_closed(&app, index, options, false).await?;
    Ok(json!({"acknowledged": true, "shards_acknowledged": true}).into())
}

async fn close(State(app): State<Arc<AppState>>, Path(index): Path<String>, params: Params) -> EsResult<EsResponse> {
    let options = read_options(&params, IndicesOptions::default())?;
    params.accept(&["timeout", "master_timeout", "wait_for_active_shards"]);
    params.finish()?;
    let closed = set_closed(&app, index, options, true).await?;
    let indices: Map<String, Value> = closed.into_iter().map(|name| (name, json!({"closed": true}))).collect();
    let is_any = !indices.is_empty();
    Ok(json!({"acknowledged": true, "shards_acknowledged": is_any, "indices": indices}).into())
}

/// Closes or opens what an expression means; returns the names of those that had the other state.
async fn set_closed(
    app: &Arc<AppState>,
    index: String,
    options: IndicesOptions,
    is_closed: bool,
) -> EsResult<Vec<String>> {
    let worker = app.clone();
    app.manage(move || {
        check_destructive(&worker, &index)?;
        let found = resolve(&worker, &index, options)?;
        found.iter().try_for_each(|index| index.check_blocks(Access::MetadataWrite))?;
        let names: Vec<String> = found.iter().map(|index| index.name().to_string()).collect();
        Ok(worker.catalog.set_closed(&names, is_closed)?)
    })
    .await
}

/// As Elasticsearch lists them.
fn attributes(index: &IndexHandle) -> Vec<&'static str> {
    let state = if index.is_closed() { "closed" } else { "open" };
    if index.is_hidden() { vec!["hidden", state] } else { vec![state] }
}

async fn resolve_index(
    State(app): State<Arc<AppState>>,
    Path(expression): Path<String>,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    let options = read_options(&params, IndicesOptions::default())?;
    params.finish()?;
    body.refuse_members()?;
    let (found, all) = app
        .manage({
            let (app, expression) = (app.clone(), expression.clone());
            move || Ok((resolve(&app, &expression, options)?, app.catalog.indices()))
        })
        .await?;
    let parts: Vec<&str> = expression.split(',').map(str::trim).collect();
    let is_named = |name: &str| parts.iter().any(|part| *part == "_all" || super::filter_path::matches(part, name));
    let mut behind: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (index, handle) in all.iter() {
        for alias in handle.aliases().keys().filter(|alias| is_named(alias)) {
            behind.entry(alias).or_default().push(index);
        }
    }
    let indices = found.iter().filter(|index| is_named(index.name())).map(|index| {
        let mut told = json!({"name": index.name(), "attributes": attributes(index)});
        let aliases: Vec<&String> = index.aliases().keys().collect();
        if let (false, Some(object)) = (aliases.is_empty(), told.as_object_mut()) {
            object.insert("aliases".to_string(), json!(aliases));
        }
        told
    });
    let aliases: Vec<Value> = behind.iter().map(|(name, indices)| json!({"name": name, "indices": indices})).collect();
    Ok(json!({"indices": indices.collect::<Vec<_>>(), "aliases": aliases, "data_streams": []}).into())
}
