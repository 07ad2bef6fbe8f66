//! Settings of indices: telling and changing.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, put};
use serde_json::{Map, Value, json};

use super::filter_path::matches;
use super::targets::{read_options, resolve};
use super::{Body, EsError, EsResponse, EsResult, Params, info};
use crate::error::Error;
use crate::schema::Settings;
use crate::server::state::AppState;
use crate::store::blocks::{Access, Block};
use crate::store::catalog::{IndexHandle, IndicesOptions};

pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/_settings", get(tell_all).put(put_all))
        .route("/_settings/{name}", get(tell_named))
        .route("/{index}/_settings", get(tell_some).put(put_some))
        .route("/{index}/_settings/{name}", get(tell_some_named))
        .route("/{index}/_block/{block}", put(add_block))
}

/// Settings that only a new index can have.
const STATIC: [&str; 13] = [
    "index.number_of_shards",
    "index.number_of_routing_shards",
    "index.routing_partition_size",
    "index.codec",
    "index.mode",
    "index.analysis.*",
    "index.similarity.*",
    "index.mapping.ignore_malformed",
    "index.sort.*",
    "index.uuid",
    "index.version.*",
    "index.creation_date",
    "index.provided_name",
];

/// Those of them that a closed index can change. What was indexed before stays as it was analyzed then.
const CHANGE_WHILE_CLOSED: [&str; 4] =
    ["index.analysis.*", "index.similarity.*", "index.codec", "index.mapping.ignore_malformed"];

/// What Elasticsearch tells of settings that were not set, as far as this engine has them.
const DEFAULTS: [(&str, &str); 8] = [
    ("index.refresh_interval", "1s"),
    ("index.max_result_window", "10000"),
    ("index.translog.durability", "REQUEST"),
    ("index.translog.sync_interval", "5s"),
    ("index.translog.flush_threshold_size", "512mb"),
    ("index.max_terms_count", "65536"),
    ("index.max_ngram_diff", "1"),
    ("index.max_shingle_diff", "3"),
];

/// How settings are told.
#[derive(Debug, Clone, Default)]
pub(super) struct Telling {
    /// By their dotted names.
    pub(super) flat: bool,
    /// Times and versions as people read them, too.
    pub(super) human: bool,
    /// Those that were not set, too.
    pub(super) defaults: bool,
    /// Only these names or patterns.
    pub(super) names: Option<Vec<String>>,
}

impl Telling {
    fn read(params: &Params, names: Option<&str>) -> EsResult<Self> {
        let names = names
            .filter(|names| *names != "_all")
            .map(|names| names.split(',').map(|name| name.trim().to_string()).collect());
        Ok(Self {
            flat: params.bool_or("flat_settings", false)?,
            human: params.bool_or("human", false)?,
            defaults: params.bool_or("include_defaults", false)?,
            names,
        })
    }

    fn chooses(&self, setting: &str) -> bool {
        self.names.as_ref().is_none_or(|names| names.iter().any(|name| matches(name, setting)))
    }

    fn print(&self, flat: Map<String, Value>) -> Value {
        let chosen: Map<String, Value> = flat.into_iter().filter(|(name, _)| self.chooses(name)).collect();
        if self.flat { Value::Object(chosen) } else { nested(&chosen) }
    }
}

/// Adds `settings` (and `defaults`) of an index.
pub(super) fn tell_into(told: &mut Map<String, Value>, index: &IndexHandle, telling: &Telling) -> EsResult<()> {
    let mut set = of(index)?;
    if telling.human {
        let created = i64::try_from(index.created_millis()).ok();
        if let Some(created) = created.and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok()) {
            set.insert("index.creation_date_string".to_string(), json!(format!("{created:.3}")));
        }
        set.insert("index.version.created_string".to_string(), json!(info::VERSION));
        set.sort_keys();
    }
    if telling.defaults {
        let defaults = DEFAULTS.iter().filter(|(name, _)| !set.contains_key(*name));
        let defaults = defaults.map(|(name, value)| ((*name).to_string(), json!(value))).collect();
        told.insert("defaults".to_string(), telling.print(defaults));
    }
    told.insert("settings".to_string(), telling.print(set));
    Ok(())
}

/// Every setting by its dotted name; values are texts, as Elasticsearch tells them.
fn of(index: &IndexHandle) -> EsResult<Map<String, Value>> {
    let settings = serde_json::to_value(index.shard_of_any_state()?.settings())
        .map_err(|error| EsError::new(500, "exception", error.to_string()))?;
    let mut told: Map<String, Value> =
        flat(&settings).into_iter().map(|(name, value)| (name, as_text(value))).collect();
    // As it was put, for those who compare; there is one shard all the same.
    told.entry("index.number_of_shards").or_insert_with(|| json!("1"));
    told.entry("index.number_of_replicas").or_insert_with(|| json!("0"));
    told.insert("index.provided_name".to_string(), json!(index.name()));
    told.insert("index.creation_date".to_string(), json!(index.created_millis().to_string()));
    told.insert("index.uuid".to_string(), json!(index.uuid()));
    // Elasticsearch's number of its version 8.19.
    told.insert("index.version.created".to_string(), json!("8536000"));
    told.sort_keys();
    Ok(told)
}

fn as_text(value: Value) -> Value {
    match value {
        Value::Bool(flag) => Value::String(flag.to_string()),
        Value::Number(number) => Value::String(number.to_string()),
        Value::Array(values) => Value::Array(values.into_iter().map(as_text).collect()),
        other @ (Value::Null | Value::String(_) | Value::Object(_)) => other,
    }
}

/// Leaves by their dotted names. An empty object is no leaf.
pub(super) fn flat(value: &Value) -> Map<String, Value> {
    fn walk(path: &str, value: &Value, into: &mut Map<String, Value>) {
        match value {
            Value::Object(object) => {
                for (name, value) in object {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    walk(&path, value, into);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                into.insert(path.to_string(), value.clone());
            }
        }
    }
    let mut into = Map::new();
    walk("", value, &mut into);
    into
}

/// The tree whose leaves have these dotted names. A name that lies below a leaf keeps its dots.
pub(super) fn nested(flat: &Map<String, Value>) -> Value {
    fn insert(into: &mut Map<String, Value>, path: &str, value: &Value) {
        let Some((first, rest)) = path.split_once('.') else {
            into.insert(path.to_string(), value.clone());
            return;
        };
        match into.entry(first).or_insert_with(|| json!({})) {
            Value::Object(below) => insert(below, rest, value),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                into.insert(path.to_string(), value.clone());
            }
        }
    }
    let mut into = Map::new();
    for (path, value) in flat {
        insert(&mut into, path, value);
    }
    Value::Object(into)
}

async fn tell_all(State(app): State<Arc<AppState>>, params: Params) -> EsResult<EsResponse> {
    tell_chosen(app, "_all".to_string(), None, params).await
}

async fn tell_named(
    State(app): State<Arc<AppState>>,
    Path(name): Path<String>,
    params: Params,
) -> EsResult<EsResponse> {
    tell_chosen(app, "_all".to_string(), Some(name), params).await
}

async fn tell_some(
    State(app): State<Arc<AppState>>,
    Path(index): Path<String>,
    params: Params,
) -> EsResult<EsResponse> {
    tell_chosen(app, index, None, params).await
}

async fn tell_some_named(
    State(app): State<Arc<AppState>>,
    Path((index, name)): Path<(String, String)>,
    params: Params,
) -> EsResult<EsResponse> {
    tell_chosen(app, index, Some(name), params).await
}

async fn tell_chosen(app: Arc<AppState>, index: String, name: Option<String>, params: Params) -> EsResult<EsResponse> {
    let options = read_options(&params, IndicesOptions::default())?;
    let telling = Telling::read(&params, name.as_deref())?;
    params.accept(&["master_timeout", "local"]);
    params.finish()?;
    let told = app
        .manage({
            let app = app.clone();
            move || {
                let mut told = Map::new();
                for index in resolve(&app, &index, options)? {
                    index.check_blocks(Access::MetadataRead)?;
                    let mut settings = Map::new();
                    tell_into(&mut settings, &index, &telling)?;
                    told.insert(index.name().to_string(), Value::Object(settings));
                }
                Ok(told)
            }
        })
        .await?;
    Ok(Value::Object(told).into())
}

async fn put_all(State(app): State<Arc<AppState>>, params: Params, body: Body) -> EsResult<EsResponse> {
    put_chosen(app, "_all".to_string(), params, body).await
}

async fn put_some(
    State(app): State<Arc<AppState>>,
    Path(index): Path<String>,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    put_chosen(app, index, params, body).await
}

async fn put_chosen(app: Arc<AppState>, index: String, params: Params, body: Body) -> EsResult<EsResponse> {
    let defaults = IndicesOptions { allow_no_indices: false, expand_closed: true, ..IndicesOptions::default() };
    let options = read_options(&params, defaults)?;
    let preserve_existing = params.bool_or("preserve_existing", false)?;
    params.accept(&["timeout", "master_timeout", "flat_settings"]);
    params.finish()?;
    let body = body.required_object()?;
    // Elasticsearch takes the settings with and without their outer name.
    let body = match (body.len(), body.get("settings")) {
        (1, Some(inner @ Value::Object(_))) => inner.clone(),
        _ => Value::Object(body),
    };
    let changes = with_prefix(flat(&body));
    app.manage({
        let app = app.clone();
        move || {
            let found = resolve(&app, &index, options)?;
            // A block can always be taken away.
            if !changes.keys().all(|name| name.starts_with("index.blocks.")) {
                found.iter().try_for_each(|index| index.check_blocks(Access::MetadataWrite))?;
            }
            check_dynamic(&changes, &found)?;
            for index in &found {
                changed(&index.shard_of_any_state()?.settings(), &changes, preserve_existing)?;
            }
            for index in &found {
                let shard = index.shard_of_any_state()?;
                let change = |current: &Settings| changed(current, &changes, preserve_existing);
                if index.is_closed() { shard.put_static_settings(change)? } else { shard.put_settings(change)? }
            }
            Ok(())
        }
    })
    .await?;
    Ok(EsResponse::acknowledged())
}

async fn add_block(
    State(app): State<Arc<AppState>>,
    Path((index, block)): Path<(String, String)>,
    params: Params,
) -> EsResult<EsResponse> {
    let options = read_options(&params, IndicesOptions { expand_closed: true, ..IndicesOptions::default() })?;
    params.accept(&["timeout", "master_timeout"]);
    params.finish()?;
    let known = Block::ALL.into_iter().find(|known| known.name() == block && *known != Block::ReadOnlyAllowDelete);
    let Some(known) = known else {
        return Err(EsError::illegal_argument(format!("No block found with name {block}")));
    };
    let changes = Map::from_iter([(format!("index.blocks.{}", known.name()), json!(true))]);
    let worker = app.clone();
    let names = app
        .manage(move || {
            let found = resolve(&worker, &index, options)?;
            for index in &found {
                index.shard_of_any_state()?.put_settings(|current| changed(current, &changes, false))?;
            }
            Ok(found.iter().map(|index| index.name().to_string()).collect::<Vec<_>>())
        })
        .await?;
    let indices: Vec<Value> = names.iter().map(|name| json!({"name": name, "blocked": true})).collect();
    Ok(json!({"acknowledged": true, "shards_acknowledged": true, "indices": indices}).into())
}

fn with_prefix(flat: Map<String, Value>) -> Map<String, Value> {
    let prefixed = |name: String| if name.starts_with("index.") { name } else { format!("index.{name}") };
    flat.into_iter().map(|(name, value)| (prefixed(name), value)).collect()
}

fn check_dynamic(changes: &Map<String, Value>, indices: &[Arc<IndexHandle>]) -> EsResult<()> {
    let fixed: Vec<&str> =
        changes.keys().map(String::as_str).filter(|name| STATIC.iter().any(|pattern| matches(pattern, name))).collect();
    if fixed.is_empty() {
        return Ok(());
    }
    let can_change = |name: &&str| CHANGE_WHILE_CLOSED.iter().any(|pattern| matches(pattern, name));
    let never: Vec<&str> = fixed.iter().copied().filter(|name| !can_change(name)).collect();
    let open = indices.iter().filter(|index| !index.is_closed());
    let open: Vec<String> = open.map(|index| format!("[{}/{}]", index.name(), index.uuid())).collect();
    if open.is_empty() && !indices.is_empty() {
        return match never.as_slice() {
            [] => Ok(()),
            [name, ..] => Err(EsError::illegal_argument(format!("final index setting [{name}], not updateable"))),
        };
    }
    Err(EsError::illegal_argument(format!(
        "Can't update non dynamic settings [[{}]] for open indices [{}]",
        fixed.join(", "),
        open.join(", ")
    )))
}

/// The settings with changes; a null takes one back to its default.
fn changed(current: &Settings, changes: &Map<String, Value>, preserve_existing: bool) -> crate::Result<Settings> {
    let current = serde_json::to_value(current).map_err(|error| Error::internal(error.to_string()))?;
    let mut flat = with_prefix(flat(&current));
    for (name, value) in changes {
        if value.is_null() {
            flat.retain(|known, _| !matches(name, known));
        } else if !(preserve_existing && flat.contains_key(name)) {
            flat.insert(name.clone(), value.clone());
        }
    }
    Settings::from_value(&Value::Object(flat))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_and_nested_are_inverse() {
        let tree = json!({"index": {"a": {"b": 1, "c": [1, 2]}, "d": "x"}});
        let flattened = flat(&tree);
        assert_eq!(flattened.keys().collect::<Vec<_>>(), ["index.a.b", "index.a.c", "index.d"]);
        assert_eq!(nested(&flattened), tree);
        let below_a_leaf = json!({"a": 1, "a.b": 2});
        assert_eq!(nested(below_a_leaf.as_object().unwrap()), below_a_leaf);
    }

    #[test]
    fn changes_are_applied_and_taken_back() {
        let current = Settings::from_value(&json!({"index.refresh_interval": "5s"})).unwrap();
        let change = |changes: Value, preserve: bool| changed(&current, changes.as_object().unwrap(), preserve);
        let of = |settings: Settings| settings.index.refresh_interval;
        assert_eq!(of(change(json!({"index.refresh_interval": "9s"}), false).unwrap()).as_deref(), Some("9s"));
        assert_eq!(of(change(json!({"index.refresh_interval": "9s"}), true).unwrap()).as_deref(), Some("5s"));
        assert_eq!(of(change(json!({"index.refresh_interval": null}), false).unwrap()), None);
        assert!(change(json!({"index.colour": "red"}), false).unwrap_err().to_string().contains("colour"));
        let fixed = json!({"index.analysis.analyzer.a.type": "standard", "index.number_of_shards": 2});
        let error = check_dynamic(fixed.as_object().unwrap(), &[]).unwrap_err();
        assert!(
            error.reason.contains("index.analysis.analyzer.a.type") && error.reason.contains("index.number_of_shards")
        );
    }
}
