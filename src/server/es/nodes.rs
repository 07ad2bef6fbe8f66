//! `_nodes`, `_license`, `_xpack`, `_tasks`: what clients and tools ask before they work. One node, told as it is.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde_json::{Map, Value, json};

use super::stats::{of_node, unknown_metric};
use super::{EsError, EsResponse, EsResult, Params, info};
use crate::server::auth::now_millis;
use crate::server::machine;
use crate::server::state::AppState;

/// What the node does.
pub(super) const NODE_ROLES: [&str; 3] = ["data", "ingest", "master"];

pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/_nodes", get(nodes_all))
        .route("/_nodes/{node}", get(nodes_one))
        .route("/_nodes/{node}/{metric}", get(nodes_two))
        .route("/_nodes/stats", get(stats_all))
        .route("/_nodes/stats/{metric}", get(stats_of_metric))
        .route("/_nodes/stats/{metric}/{index_metric}", get(stats_of_index_metric))
        .route("/_nodes/{node}/stats", get(stats_of_node))
        .route("/_nodes/{node}/stats/{metric}", get(stats_of_node_metric))
        .route("/_license", get(license))
        .route("/_xpack", get(xpack))
        .route("/_tasks", get(tasks))
        .route("/_tasks/{task}", get(task))
}

/// The node's id: that of its folder.
pub(super) fn node_id(app: &AppState) -> String {
    app.catalog.cluster_uuid().chars().rev().collect()
}

/// Where the server listens, as it was bound.
pub(super) fn publish_address(app: &AppState) -> String {
    app.address.get().map_or_else(|| "127.0.0.1:9200".to_string(), ToString::to_string)
}

pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}

/// What `GET /_nodes/x` can mean beside nodes.
const METRICS: [&str; 16] = [
    "_all",
    "settings",
    "os",
    "process",
    "jvm",
    "thread_pool",
    "transport",
    "http",
    "remote_cluster_server",
    "plugins",
    "ingest",
    "aggregations",
    "indices",
    "usage",
    "_none",
    "hot_threads",
];

async fn nodes_all(State(app): State<Arc<AppState>>, params: Params) -> EsResult<EsResponse> {
    nodes(&app, "_all", "_all", &params)
}

async fn nodes_one(
    State(app): State<Arc<AppState>>,
    Path(first): Path<String>,
    params: Params,
) -> EsResult<EsResponse> {
    let are_metrics = first.split(',').all(|one| METRICS.contains(&one)) && first != "_all";
    if are_metrics { nodes(&app, "_all", &first, &params) } else { nodes(&app, &first, "_all", &params) }
}

async fn nodes_two(
    State(app): State<Arc<AppState>>,
    Path((node, metric)): Path<(String, String)>,
    params: Params,
) -> EsResult<EsResponse> {
    nodes(&app, &node, &metric, &params)
}

fn is_this(app: &AppState, node: &str) -> bool {
    let names =
        [app.options.node_name.as_str(), &node_id(app), "_all", "_local", "_master", "*", "data:true", "master:true"];
    node.split(',').any(|one| names.contains(&one) || super::filter_path::matches(one, &app.options.node_name))
}

fn nodes(app: &AppState, node: &str, metric: &str, params: &Params) -> EsResult<EsResponse> {
    params.accept(&["flat_settings", "timeout"]);
    params.finish()?;
    let metrics: Vec<&str> = metric.split(',').collect();
    if let Some(unknown) = metrics.iter().find(|metric| !METRICS.contains(metric)) {
        return Err(unknown_metric(params.path(), unknown, &METRICS));
    }
    if metrics.contains(&"hot_threads") {
        return Err(EsError::unsupported("[_nodes/hot_threads]"));
    }
    let wants = |name: &str| metrics.iter().any(|metric| *metric == "_all" || *metric == name);
    let address = publish_address(app);
    let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
    let mut told = Map::new();
    told.insert("name".to_string(), json!(app.options.node_name));
    told.insert("transport_address".to_string(), json!(address));
    told.insert("host".to_string(), json!(host));
    told.insert("ip".to_string(), json!(host));
    told.insert("version".to_string(), json!(info::VERSION));
    told.insert("build_flavor".to_string(), json!("default"));
    told.insert("build_type".to_string(), json!("bifocal"));
    told.insert("build_hash".to_string(), json!("unknown"));
    told.insert("roles".to_string(), json!(NODE_ROLES));
    told.insert("attributes".to_string(), json!({}));
    if wants("settings") {
        let settings = json!({"cluster": {"name": app.options.cluster_name}, "node": {"name": app.options.node_name}});
        told.insert("settings".to_string(), settings);
    }
    if wants("os") {
        let os = json!({"name": std::env::consts::OS, "arch": std::env::consts::ARCH, "available_processors": cores(),
            "allocated_processors": cores()});
        told.insert("os".to_string(), os);
    }
    if wants("process") {
        told.insert("process".to_string(), json!({"id": std::process::id(), "mlockall": false}));
    }
    if wants("thread_pool") {
        let pools = app.pools.all().into_iter().map(|pool| {
            let stats = pool.stats();
            (
                pool.name().to_string(),
                json!({"type": "fixed", "size": stats.max_threads, "queue_size": stats.max_queued}),
            )
        });
        told.insert("thread_pool".to_string(), Value::Object(pools.collect()));
    }
    if wants("http") {
        let http = json!({"bound_address": [address], "publish_address": address, "max_content_length_in_bytes": app.limits.max_body_bytes});
        told.insert("http".to_string(), http);
    }
    if wants("plugins") {
        told.insert("plugins".to_string(), json!([]));
        told.insert("modules".to_string(), json!([]));
    }
    if wants("ingest") {
        told.insert("ingest".to_string(), json!({"processors": []}));
    }
    Ok(of_this_node(app, is_this(app, node), Value::Object(told)).into())
}

fn of_this_node(app: &AppState, is_this: bool, told: Value) -> Value {
    let count = u8::from(is_this);
    let mut nodes = Map::new();
    if is_this {
        nodes.insert(node_id(app), told);
    }
    json!({"_nodes": {"total": count, "successful": count, "failed": 0}, "cluster_name": app.options.cluster_name, "nodes": nodes})
}

/// What `GET /_nodes/stats/x` can ask for; there are figures of some.
const STATS_METRICS: [&str; 19] = [
    "_all",
    "_none",
    "adaptive_selection",
    "allocations",
    "breaker",
    "discovery",
    "fs",
    "http",
    "indexing_pressure",
    "indices",
    "ingest",
    "jvm",
    "os",
    "process",
    "repositories",
    "script",
    "script_cache",
    "thread_pool",
    "transport",
];

async fn stats_all(State(app): State<Arc<AppState>>, params: Params) -> EsResult<EsResponse> {
    stats(app, "_all", "_all", "_all", params).await
}

async fn stats_of_metric(
    State(app): State<Arc<AppState>>,
    Path(metric): Path<String>,
    params: Params,
) -> EsResult<EsResponse> {
    stats(app, "_all", &metric, "_all", params).await
}

async fn stats_of_index_metric(
    State(app): State<Arc<AppState>>,
    Path((metric, index_metric)): Path<(String, String)>,
    params: Params,
) -> EsResult<EsResponse> {
    stats(app, "_all", &metric, &index_metric, params).await
}

async fn stats_of_node(
    State(app): State<Arc<AppState>>,
    Path(node): Path<String>,
    params: Params,
) -> EsResult<EsResponse> {
    stats(app, &node, "_all", "_all", params).await
}

async fn stats_of_node_metric(
    State(app): State<Arc<AppState>>,
    Path((node, metric)): Path<(String, String)>,
    params: Params,
) -> EsResult<EsResponse> {
    stats(app, &node, &metric, "_all", params).await
}

async fn stats(
    app: Arc<AppState>,
    node: &str,
    metric: &str,
    index_metric: &str,
    params: Params,
) -> EsResult<EsResponse> {
    if params.one_of("level", &["node", "indices", "shards"])?.is_some_and(|level| level != "node") {
        return Err(EsError::unsupported("[level] of [_nodes/stats] other than [node]; take [_stats]"));
    }
    params.accept(&[
        "timeout",
        "types",
        "groups",
        "fields",
        "completion_fields",
        "fielddata_fields",
        "include_segment_file_sizes",
    ]);
    params.finish()?;
    let metrics: Vec<&str> = metric.split(',').map(str::trim).collect();
    if let Some(unknown) = metrics.iter().find(|metric| !STATS_METRICS.contains(metric)) {
        return Err(unknown_metric(params.path(), unknown, &STATS_METRICS));
    }
    let (worker, index_metric, path) = (app.clone(), index_metric.to_string(), params.path().to_string());
    let (indices, disk) =
        app.manage(move || Ok((of_node(&worker, &index_metric, &path)?, fs_figures(&worker)))).await?;
    let pools = app.pools.all().into_iter().map(|pool| {
        let stats = pool.stats();
        let told = json!({"threads": stats.threads, "queue": stats.queued, "active": stats.active, "rejected": stats.rejected,
            "largest": stats.largest, "completed": stats.completed});
        (pool.name().to_string(), told)
    });
    let pools: Map<String, Value> = pools.collect();
    let address = publish_address(&app);
    let uptime = app.started.elapsed().unwrap_or_default();
    let mut told = json!({
        "timestamp": now_millis(),
        "name": app.options.node_name,
        "transport_address": address,
        "host": address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host),
        "ip": address,
        "roles": NODE_ROLES,
        "attributes": {},
        "indices": indices,
        "os": os_figures(),
        "fs": disk,
        "process": {
            "timestamp": now_millis(),
            "mem": {"resident_in_bytes": machine::resident_bytes()},
            "uptime_in_millis": u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX),
        },
        "thread_pool": pools,
        "http": {"current_open": app.metrics.in_flight()},
        "breakers": {
            "in_flight_requests": {
                "limit_size_in_bytes": app.limits.max_in_flight_bytes,
                "estimated_size_in_bytes": app.in_flight_bytes(),
                "overhead": 1.0,
            },
        },
    });
    if let (false, Some(told)) = (metrics.contains(&"_all"), told.as_object_mut()) {
        let is_figure = |name: &str| STATS_METRICS.contains(&name) || name == "breakers";
        let wanted = |name: &str| metrics.contains(&name) || (name == "breakers" && metrics.contains(&"breaker"));
        told.retain(|name, _| !is_figure(name) || wanted(name));
    }
    Ok(of_this_node(&app, is_this(&app, node), told).into())
}

/// The machine's memory, processors and load, where the system tells them.
fn os_figures() -> Value {
    let mut told = Map::from_iter([("timestamp".to_string(), json!(now_millis()))]);
    let mut cpu = Map::new();
    if let Some(percent) = machine::cpu_percent() {
        cpu.insert("percent".to_string(), json!(percent));
    }
    if let Some([one, five, fifteen]) = machine::load() {
        cpu.insert("load_average".to_string(), json!({"1m": one, "5m": five, "15m": fifteen}));
    }
    if !cpu.is_empty() {
        told.insert("cpu".to_string(), Value::Object(cpu));
    }
    if let Some(memory) = machine::memory() {
        let used_percent = memory.used_percent();
        let memory = json!({
            "total_in_bytes": memory.total,
            "free_in_bytes": memory.available,
            "used_in_bytes": memory.used(),
            "free_percent": 100 - used_percent,
            "used_percent": used_percent,
        });
        told.insert("mem".to_string(), memory);
    }
    Value::Object(told)
}

/// The disk of the indices, where the system tells of it.
fn fs_figures(app: &AppState) -> Value {
    let mut told = Map::from_iter([("timestamp".to_string(), json!(now_millis()))]);
    if let Some(disk) = machine::disk(app.catalog.folder()) {
        let total = json!({
            "total_in_bytes": disk.total,
            "free_in_bytes": disk.available,
            "available_in_bytes": disk.available,
        });
        told.insert("total".to_string(), total);
    }
    Value::Object(told)
}

async fn license(params: Params) -> EsResult<EsResponse> {
    params.accept(&["local", "accept_enterprise"]);
    params.finish()?;
    Ok(json!({"license": {
        "status": "active",
        "uid": "00000000-0000-0000-0000-000000000000",
        "type": "basic",
        "issue_date": "2026-01-01T00:00:00.000Z",
        "issue_date_in_millis": 1_767_225_600_000_u64,
        "max_nodes": 1,
        "issued_to": "bifocal",
        "issuer": "bifocal",
        "start_date_in_millis": -1,
    }})
    .into())
}

async fn xpack(State(app): State<Arc<AppState>>, params: Params) -> EsResult<EsResponse> {
    params.accept(&["categories", "accept_enterprise"]);
    params.finish()?;
    let feature = |has: bool| json!({"available": has, "enabled": has});
    Ok(json!({
        "build": {"hash": "unknown", "date": "2026-01-01T00:00:00.000000000Z"},
        "license": {"uid": "00000000-0000-0000-0000-000000000000", "type": "basic", "mode": "basic", "status": "active"},
        "features": {
            "security": {"available": true, "enabled": app.security.is_on()},
            "ml": feature(false),
            "sql": feature(false),
            "ilm": feature(false),
            "watcher": feature(false),
            "graph": feature(false),
            "transform": feature(false),
            "rollup": feature(false),
            "monitoring": feature(false),
        },
        "tagline": "You know, for search",
    })
    .into())
}

async fn tasks(params: Params) -> EsResult<EsResponse> {
    params.accept(&["actions", "detailed", "group_by", "nodes", "parent_task_id", "timeout", "wait_for_completion"]);
    params.finish()?;
    // Every request is answered when its work is done; none goes on as a task.
    Ok(json!({"nodes": {}}).into())
}

async fn task(Path(task): Path<String>, params: Params) -> EsResult<EsResponse> {
    params.accept(&["timeout", "wait_for_completion"]);
    params.finish()?;
    let text = format!("task [{task}] isn't running and hasn't stored its results");
    Err(EsError::new(404, "resource_not_found_exception", text))
}
