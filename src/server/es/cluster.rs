//! `_cluster`: health, state, statistics, settings. One node holds one copy of everything, so the health is green.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde_json::{Map, Value, json};

use super::nodes::{NODE_ROLES, node_id, publish_address};
use super::summary::{IndexSummary, health_of, summaries, totals};
use super::targets::{read_options, resolve};
use super::{Body, EsError, EsResponse, EsResult, Params, info};
use crate::server::state::AppState;
use crate::store::blocks::Block;
use crate::store::catalog::IndicesOptions;

pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/_cluster/health", get(health_of_all))
        .route("/_cluster/health/{index}", get(health_of_some))
        .route("/_cluster/state", get(state_of_all))
        .route("/_cluster/state/{metric}", get(state_of_metrics))
        .route("/_cluster/state/{metric}/{index}", get(state_of_some))
        .route("/_cluster/stats", get(stats))
        .route("/_cluster/stats/nodes/{node}", get(stats))
        .route("/_cluster/settings", get(settings).put(put_settings))
        .route("/_cluster/pending_tasks", get(pending_tasks))
}

async fn health_of_all(State(app): State<Arc<AppState>>, params: Params) -> EsResult<EsResponse> {
    health(app, None, params).await
}

async fn health_of_some(
    State(app): State<Arc<AppState>>,
    Path(index): Path<String>,
    params: Params,
) -> EsResult<EsResponse> {
    health(app, Some(index), params).await
}

async fn health(app: Arc<AppState>, index: Option<String>, params: Params) -> EsResult<EsResponse> {
    let level = params.one_of("level", &["cluster", "indices", "shards"])?.unwrap_or("cluster").to_string();
    params.one_of("wait_for_status", &["green", "yellow", "red"])?;
    params.one_of("wait_for_events", &["immediate", "urgent", "high", "normal", "low", "languid"])?;
    let has_nodes = params.str("wait_for_nodes").map(one_node_fits).transpose()?.unwrap_or(true);
    params.duration("timeout")?;
    params.accept(&["local", "master_timeout", "wait_for_no_relocating_shards", "wait_for_no_initializing_shards"]);
    let wanted_shards = params.str("wait_for_active_shards").map(active_shards).transpose()?.flatten();
    let options = read_options(&params, IndicesOptions::everything())?;
    params.finish()?;
    let worker = app.clone();
    let found = app
        .manage(move || match &index {
            None => Ok(Some(summaries(&worker)?)),
            Some(index) => match resolve(&worker, index, options) {
                Ok(found) => Ok(Some(found.iter().map(|index| IndexSummary::of(index)).collect::<EsResult<Vec<_>>>()?)),
                Err(error) if error.status == 404 => Ok(None),
                Err(error) => Err(error),
            },
        })
        .await?;
    let indices = found.as_deref().unwrap_or_default();
    let has_shards = wanted_shards.is_none_or(|wanted| indices.len() >= wanted);
    let timed_out = found.is_none() || !has_nodes || !has_shards;
    let mut answer = Map::new();
    answer.insert("cluster_name".to_string(), json!(app.options.cluster_name));
    answer.insert("status".to_string(), json!(if found.is_none() { "red" } else { health_of(indices) }));
    answer.insert("timed_out".to_string(), json!(timed_out));
    answer.insert("number_of_nodes".to_string(), json!(1));
    answer.insert("number_of_data_nodes".to_string(), json!(1));
    shard_counts(&mut answer, indices.len());
    answer.insert("delayed_unassigned_shards".to_string(), json!(0));
    answer.insert("number_of_pending_tasks".to_string(), json!(0));
    answer.insert("number_of_in_flight_fetch".to_string(), json!(0));
    answer.insert("task_max_waiting_in_queue_millis".to_string(), json!(0));
    answer.insert("active_shards_percent_as_number".to_string(), json!(100.0));
    if level != "cluster" {
        let one = |index: &IndexSummary| {
            let mut health = Map::new();
            health.insert("status".to_string(), json!(index.health()));
            health.insert("number_of_shards".to_string(), json!(1));
            health.insert("number_of_replicas".to_string(), json!(0));
            shard_counts(&mut health, 1);
            if level == "shards" {
                let shard = json!({"status": index.health(), "primary_active": true, "active_shards": 1, "relocating_shards": 0,
                    "initializing_shards": 0, "unassigned_shards": 0, "unassigned_primary_shards": 0});
                health.insert("shards".to_string(), json!({"0": shard}));
            }
            (index.name.clone(), Value::Object(health))
        };
        answer.insert("indices".to_string(), Value::Object(indices.iter().map(one).collect()));
    }
    Ok(EsResponse::with_status(if timed_out { 408 } else { 200 }, Value::Object(answer)))
}

fn shard_counts(into: &mut Map<String, Value>, num_shards: usize) {
    into.insert("active_primary_shards".to_string(), json!(num_shards));
    into.insert("active_shards".to_string(), json!(num_shards));
    for name in ["relocating_shards", "initializing_shards", "unassigned_shards", "unassigned_primary_shards"] {
        into.insert(name.to_string(), json!(0));
    }
}

/// How many shards `wait_for_active_shards` waits for; `None` for `all`, which they always are.
fn active_shards(text: &str) -> EsResult<Option<usize>> {
    if text == "all" {
        return Ok(None);
    }
    let wrong = |_| EsError::illegal_argument(format!("cannot parse ActiveShardCount[{text}]"));
    text.parse().map(Some).map_err(wrong)
}

/// Whether one node is what `wait_for_nodes` waits for (`1`, `>=1`, `ge(1)`).
fn one_node_fits(text: &str) -> EsResult<bool> {
    let digits = text.find(|char: char| char.is_ascii_digit()).unwrap_or(text.len());
    let (operator, rest) = text.split_at(digits);
    let number: u64 = rest
        .trim_end_matches(')')
        .parse()
        .map_err(|_| EsError::illegal_argument(format!("unknown value [{text}] of the parameter [wait_for_nodes]")))?;
    match operator.trim_end_matches('(') {
        "" => Ok(number == 1),
        ">=" | "ge" => Ok(1 >= number),
        "<=" | "le" => Ok(1 <= number),
        ">" | "gt" => Ok(1 > number),
        "<" | "lt" => Ok(1 < number),
        other => {
            Err(EsError::illegal_argument(format!("unknown operator [{other}] of the parameter [wait_for_nodes]")))
        }
    }
}

async fn state_of_all(State(app): State<Arc<AppState>>, params: Params) -> EsResult<EsResponse> {
    state(app, "_all", "_all", params).await
}

async fn state_of_metrics(
    State(app): State<Arc<AppState>>,
    Path(metric): Path<String>,
    params: Params,
) -> EsResult<EsResponse> {
    state(app, &metric, "_all", params).await
}

async fn state_of_some(
    State(app): State<Arc<AppState>>,
    Path((metric, index)): Path<(String, String)>,
    params: Params,
) -> EsResult<EsResponse> {
    state(app, &metric, &index, params).await
}

const STATE_METRICS: [&str; 8] =
    ["_all", "version", "master_node", "nodes", "metadata", "routing_table", "routing_nodes", "blocks"];

async fn state(app: Arc<AppState>, metric: &str, index: &str, params: Params) -> EsResult<EsResponse> {
    let metrics: Vec<String> = metric.split(',').map(str::to_string).collect();
    if let Some(unknown) = metrics.iter().find(|metric| !STATE_METRICS.contains(&metric.as_str())) {
        return Err(EsError::illegal_argument(format!(
            "request [{}] contains unrecognized metric: [{unknown}]",
            params.path()
        )));
    }
    let wants = |name: &str| metrics.iter().any(|metric| metric == "_all" || metric == name);
    let options = read_options(&params, IndicesOptions::default())?;
    params.accept(&["local", "master_timeout", "flat_settings", "wait_for_metadata_version", "wait_for_timeout"]);
    params.finish()?;
    let (worker, index) = (app.clone(), index.to_string());
    let indices = app
        .manage(move || {
            let found = resolve(&worker, &index, options)?;
            found
                .iter()
                .map(|index| Ok((IndexSummary::of(index)?, super::indices::describe(index)?)))
                .collect::<EsResult<Vec<_>>>()
        })
        .await?;
    let id = node_id(&app);
    let mut answer = Map::new();
    answer.insert("cluster_name".to_string(), json!(app.options.cluster_name));
    answer.insert("cluster_uuid".to_string(), json!(app.catalog.cluster_uuid()));
    if wants("version") {
        answer.insert("version".to_string(), json!(1));
        answer.insert("state_uuid".to_string(), json!(app.catalog.cluster_uuid()));
    }
    if wants("master_node") {
        answer.insert("master_node".to_string(), json!(id));
    }
    if wants("blocks") {
        let blocked: Map<String, Value> = indices.iter().filter_map(|(summary, _)| blocks_of(summary)).collect();
        let blocks = if blocked.is_empty() { json!({}) } else { json!({"indices": blocked}) };
        answer.insert("blocks".to_string(), blocks);
    }
    if wants("nodes") {
        let node = json!({"name": app.options.node_name, "ephemeral_id": id, "transport_address": publish_address(&app),
            "attributes": {}, "roles": NODE_ROLES, "version": info::VERSION});
        answer.insert("nodes".to_string(), json!({id.clone(): node}));
    }
    if wants("metadata") {
        let one = |(summary, described): &(IndexSummary, Value)| {
            let mut metadata = described.clone();
            if let Some(object) = metadata.as_object_mut() {
                let aliases = object.remove("aliases").unwrap_or_default();
                let names: Vec<String> = aliases.as_object().into_iter().flat_map(Map::keys).cloned().collect();
                object.insert("aliases".to_string(), json!(names));
                object.insert("state".to_string(), json!(summary.state()));
                object.insert("primary_terms".to_string(), json!({"0": 1}));
            }
            (summary.name.clone(), metadata)
        };
        let metadata: Map<String, Value> = indices.iter().map(one).collect();
        let value = json!({"cluster_uuid": app.catalog.cluster_uuid(), "cluster_uuid_committed": true, "templates": {}, "indices": metadata});
        answer.insert("metadata".to_string(), value);
    }
    let shard = |name: &str| json!({"state": "STARTED", "primary": true, "node": id, "relocating_node": null, "shard": 0, "index": name});
    if wants("routing_table") {
        let one = |(summary, _): &(IndexSummary, Value)| {
            (summary.name.clone(), json!({"shards": {"0": [shard(&summary.name)]}}))
        };
        let table: Map<String, Value> = indices.iter().map(one).collect();
        answer.insert("routing_table".to_string(), json!({"indices": table}));
    }
    if wants("routing_nodes") {
        let shards: Vec<Value> = indices.iter().map(|(summary, _)| shard(&summary.name)).collect();
        answer.insert("routing_nodes".to_string(), json!({"unassigned": [], "nodes": {id.clone(): shards}}));
    }
    Ok(Value::Object(answer).into())
}

/// The blocks of an index as the cluster's state lists them, by number.
fn blocks_of(index: &IndexSummary) -> Option<(String, Value)> {
    let one = |block: Block| {
        let told = json!({"description": block.description(), "retryable": false, "levels": block.levels()});
        (block.id().to_string(), told)
    };
    let blocks: Map<String, Value> = index.blocks.iter().map(one).collect();
    (!blocks.is_empty()).then(|| (index.name.clone(), Value::Object(blocks)))
}

async fn stats(State(app): State<Arc<AppState>>, params: Params) -> EsResult<EsResponse> {
    params.accept(&["timeout", "flat_settings", "include_remotes"]);
    params.finish()?;
    let worker = app.clone();
    let indices = app.manage(move || summaries(&worker)).await?;
    let sum = totals(&indices);
    Ok(json!({
        "_nodes": {"total": 1, "successful": 1, "failed": 0},
        "cluster_name": app.options.cluster_name,
        "cluster_uuid": app.catalog.cluster_uuid(),
        "timestamp": crate::server::auth::now_millis(),
        "status": health_of(&indices),
        "indices": {
            "count": indices.len(),
            "shards": {"total": indices.len(), "primaries": indices.len(), "replication": 0.0},
            "docs": {"count": sum.documents, "deleted": sum.deleted_documents},
            "store": {"size_in_bytes": sum.store_bytes},
            "segments": {"count": sum.segments},
            "fielddata": {"memory_size_in_bytes": 0, "evictions": 0},
            "query_cache": {"memory_size_in_bytes": 0, "hit_count": 0, "miss_count": 0},
        },
        "nodes": {
            "count": {"total": 1, "data": 1, "master": 1, "ingest": 1, "coordinating_only": 0},
            "versions": [info::VERSION],
            "os": {"available_processors": super::nodes::cores(), "allocated_processors": super::nodes::cores()},
            "process": {"open_file_descriptors": {}},
        },
    })
    .into())
}

async fn settings(State(app): State<Arc<AppState>>, params: Params) -> EsResult<EsResponse> {
    let defaults = params.bool_or("include_defaults", false)?;
    let flat = params.bool_or("flat_settings", false)?;
    params.accept(&["master_timeout", "timeout"]);
    params.finish()?;
    let worker = app.clone();
    let kept = app.manage(move || Ok(worker.catalog.cluster_settings())).await?;
    let persistent = if flat { Value::Object(kept) } else { super::settings::nested(&kept) };
    let mut answer = json!({"persistent": persistent, "transient": {}});
    if let (true, Some(object)) = (defaults, answer.as_object_mut()) {
        object.insert("defaults".to_string(), json!({}));
    }
    Ok(answer.into())
}

/// The cluster's settings that mean something here.
const CLUSTER_SETTINGS: [&str; 2] = ["action.auto_create_index", "action.destructive_requires_name"];

async fn put_settings(State(app): State<Arc<AppState>>, params: Params, body: Body) -> EsResult<EsResponse> {
    let flat = params.bool_or("flat_settings", false)?;
    params.accept(&["master_timeout", "timeout"]);
    params.finish()?;
    let mut changes = Map::new();
    for (part, value) in body.required_object()? {
        match part.as_str() {
            // What is transient would be gone after a restart; Elasticsearch advises against it, and here it is kept, too.
            "persistent" | "transient" => {
                changes.extend(super::settings::flat(&value));
            }
            _ => return Err(EsError::parsing(format!("unexpected field [{part}]"))),
        }
    }
    let unknown = changes.iter().find(|(name, value)| !value.is_null() && !CLUSTER_SETTINGS.contains(&name.as_str()));
    if let Some((name, _)) = unknown {
        return Err(EsError::unsupported(format!("the cluster setting [{name}]")));
    }
    let told: Map<String, Value> = changes
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    app.manage({
        let app = app.clone();
        move || Ok(app.catalog.put_cluster_settings(&changes)?)
    })
    .await?;
    let persistent = if flat { Value::Object(told) } else { super::settings::nested(&told) };
    Ok(json!({"acknowledged": true, "persistent": persistent, "transient": {}}).into())
}

async fn pending_tasks(params: Params) -> EsResult<EsResponse> {
    params.accept(&["local", "master_timeout"]);
    params.finish()?;
    Ok(json!({"tasks": []}).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_node_is_compared() {
        for (text, fits) in
            [("1", true), ("2", false), (">=1", true), ("ge(2)", false), ("<3", true), ("le(1)", true), (">1", false)]
        {
            assert_eq!(one_node_fits(text), Ok(fits), "{text}");
        }
        assert!(one_node_fits("many").is_err());
    }
}
