//! `_cat`: tables for people, and JSON for programs that ask.

mod table;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Extension, Router};

use self::table::{Cell, Column, Table, column, extra};
use super::nodes::{node_id, publish_address};
use super::render::Rendering;
use super::summary::{IndexSummary, health_of, summaries, totals};
use super::targets::{read_options, resolve};
use super::{Body, EsResponse, EsResult, Params, info};
use crate::server::auth::now_millis;
use crate::server::machine;
use crate::server::state::AppState;
use crate::store::catalog::IndicesOptions;
use crate::store::shard::ShardStats;

pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/_cat", get(list))
        .route("/_cat/indices", get(indices))
        .route("/_cat/indices/{index}", get(indices))
        .route("/_cat/health", get(health))
        .route("/_cat/count", get(count).post(count))
        .route("/_cat/count/{index}", get(count).post(count))
        .route("/_cat/aliases", get(aliases))
        .route("/_cat/aliases/{name}", get(aliases))
        .route("/_cat/nodes", get(nodes))
        .route("/_cat/master", get(master))
        .route("/_cat/shards", get(shards))
        .route("/_cat/shards/{index}", get(shards))
        .route("/_cat/segments", get(segments))
        .route("/_cat/segments/{index}", get(segments))
        .route("/_cat/templates", get(templates))
        .route("/_cat/templates/{name}", get(templates))
        .route("/_cat/plugins", get(plugins))
        .route("/_cat/allocation", get(allocation))
        .route("/_cat/thread_pool", get(thread_pool))
}

async fn list(params: Params) -> EsResult<EsResponse> {
    params.finish()?;
    let mut text = "=^.^=\n".to_string();
    for path in super::routes::operations().map(|operation| operation.path).filter(|path| path.starts_with("/_cat/")) {
        text.push_str(path);
        text.push('\n');
    }
    Ok(EsResponse::text(text))
}

/// The last step of the path, where it has one.
type Last = Option<Path<String>>;

/// What is known of the indices that a path names; of all that `defaults` and the parameters let wildcards find where it names none.
async fn chosen(
    app: &Arc<AppState>,
    target: Last,
    params: &Params,
    defaults: IndicesOptions,
) -> EsResult<Vec<IndexSummary>> {
    let options = read_options(params, defaults)?;
    let worker = app.clone();
    app.manage(move || {
        let target = target.map_or_else(|| "_all".to_string(), |Path(target)| target);
        let found = resolve(&worker, &target, options)?;
        found.iter().map(|index| IndexSummary::of(index)).collect()
    })
    .await
}

/// What is known of every index.
async fn all(app: &Arc<AppState>) -> EsResult<Vec<IndexSummary>> {
    let worker = app.clone();
    app.manage(move || summaries(&worker)).await
}

const INDICES: &[Column] = &[
    column("health", "h", "current health status"),
    column("status", "s", "open/close status"),
    column("index", "i,idx", "index name"),
    column("uuid", "id,uuid", "index uuid"),
    column("pri", "p,shards.primary,shardsPrimary", "number of primary shards"),
    column("rep", "r,shards.replica,shardsReplica", "number of replica shards"),
    column("docs.count", "dc,docsCount", "available docs"),
    column("docs.deleted", "dd,docsDeleted", "deleted docs"),
    extra("creation.date", "cd", "index creation date (millisecond value)"),
    extra("creation.date.string", "cds", "index creation date (as string)"),
    column("store.size", "ss,storeSize", "store size of primaries & replicas"),
    column("pri.store.size", "", "store size of primaries"),
    column("dataset.size", "", "total size of dataset"),
];

async fn indices(
    State(app): State<Arc<AppState>>,
    target: Last,
    params: Params,
    Extension(rendering): Extension<Rendering>,
) -> EsResult<EsResponse> {
    let health = params.one_of("health", &["green", "yellow", "red"])?.map(str::to_string);
    let mut table = Table::new(INDICES);
    for index in
        chosen(&app, target, &params, IndicesOptions { expand_closed: true, ..IndicesOptions::default() }).await?
    {
        if health.as_deref().is_some_and(|health| health != index.health()) {
            continue;
        }
        let number =
            |of: fn(&ShardStats) -> u64| index.stats.as_ref().map_or(Cell::Missing, |stats| Cell::Number(of(stats)));
        let size = index.stats.map_or(Cell::Missing, |stats| Cell::Bytes(stats.store_bytes));
        table.row([
            index.health().into(),
            index.state().into(),
            index.name.as_str().into(),
            index.uuid.as_str().into(),
            Cell::Number(1),
            Cell::Number(0),
            number(|stats| stats.documents),
            number(|stats| stats.deleted_documents),
            Cell::Number(index.created_millis),
            iso(index.created_millis).into(),
            size.clone(),
            size.clone(),
            size,
        ]);
    }
    table.answer(&params, &rendering)
}

fn iso(millis: u64) -> String {
    let stamp = i64::try_from(millis).ok().and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    stamp.map_or_else(String::new, |stamp| format!("{stamp:.3}"))
}

const HEALTH: &[Column] = &[
    column("epoch", "t,time", "seconds since 1970-01-01 00:00:00"),
    column("timestamp", "ts,hms,hhmmss", "time in HH:MM:SS"),
    column("cluster", "cl", "cluster name"),
    column("status", "st", "health status"),
    column("node.total", "nt,nodeTotal", "total number of nodes"),
    column("node.data", "nd,nodeData", "number of nodes that can store data"),
    column("shards", "t,sh,shards.total,shardsTotal", "total number of shards"),
    column("pri", "p,shards.primary,shardsPrimary", "number of primary shards"),
    column("relo", "r,shards.relocating,shardsRelocating", "number of relocating nodes"),
    column("init", "i,shards.initializing,shardsInitializing", "number of initializing nodes"),
    column("unassign", "u,shards.unassigned,shardsUnassigned", "number of unassigned shards"),
    column("unassign.pri", "up,shards.unassigned.primary", "number of unassigned primary shards"),
    column("pending_tasks", "pt,pendingTasks", "number of pending tasks"),
    column("max_task_wait_time", "mtwt,maxTaskWaitTime", "wait time of longest task pending"),
    column("active_shards_percent", "asp,activeShardsPercent", "active number of shards in percent"),
];

/// The two columns of the time, as `ts` wants them.
fn clock() -> [Cell; 2] {
    let seconds = now_millis() / 1000;
    let of_day = seconds % 86_400;
    let text = format!("{:02}:{:02}:{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60);
    // Elasticsearch writes both as texts, from the left.
    [seconds.to_string().into(), text.into()]
}

async fn health(
    State(app): State<Arc<AppState>>,
    params: Params,
    Extension(rendering): Extension<Rendering>,
) -> EsResult<EsResponse> {
    let has_time = params.bool_or("ts", true)?;
    let indices = all(&app).await?;
    let num_indices = indices.len();
    let mut table = Table::new(if has_time { HEALTH } else { HEALTH.get(2..).unwrap_or(HEALTH) });
    let time = has_time.then(clock).into_iter().flatten();
    table.row(time.chain([
        app.options.cluster_name.as_str().into(),
        health_of(&indices).into(),
        Cell::Number(1),
        Cell::Number(1),
        Cell::count(num_indices),
        Cell::count(num_indices),
        Cell::Number(0),
        Cell::Number(0),
        Cell::Number(0),
        Cell::Number(0),
        Cell::Number(0),
        "-".into(),
        "100.0%".into(),
    ]));
    table.answer(&params, &rendering)
}

const COUNT: &[Column] = &[
    column("epoch", "t,time", "seconds since 1970-01-01 00:00:00, that the count was executed"),
    column("timestamp", "ts,hms", "time that the count was executed"),
    column("count", "dc,docs.count,docsCount", "the document count"),
];

async fn count(
    State(app): State<Arc<AppState>>,
    target: Last,
    params: Params,
    Extension(rendering): Extension<Rendering>,
    body: Body,
) -> EsResult<EsResponse> {
    body.refuse_members()?;
    let indices = chosen(&app, target, &params, IndicesOptions::default()).await?;
    let mut table = Table::new(COUNT);
    let [epoch, timestamp] = clock();
    let count: u64 = indices.iter().map(|index| index.num_roots).sum();
    table.row([epoch, timestamp, count.to_string().into()]);
    table.answer(&params, &rendering)
}

const ALIASES: &[Column] = &[
    column("alias", "a", "alias name"),
    column("index", "i,idx", "index alias points to"),
    column("filter", "f,fi", "filter"),
    column("routing.index", "ri,routingIndex", "index routing"),
    column("routing.search", "rs,routingSearch", "search routing"),
    column("is_write_index", "w,isWriteIndex", "write index"),
];

async fn aliases(
    State(app): State<Arc<AppState>>,
    target: Last,
    params: Params,
    Extension(rendering): Extension<Rendering>,
) -> EsResult<EsResponse> {
    let mut table = Table::new(ALIASES);
    let wanted: Option<Vec<String>> = target.map(|Path(names)| names.split(',').map(str::to_string).collect());
    for alias in super::aliases::all(&app) {
        if wanted.as_ref().is_some_and(|names| !names.iter().any(|name| super::filter_path::matches(name, &alias.name)))
        {
            continue;
        }
        let or_dash = |text: Option<String>| Cell::Text(text.unwrap_or_else(|| "-".to_string()));
        table.row([
            alias.name.into(),
            alias.index.into(),
            if alias.alias.filter.is_some() { "*".into() } else { "-".into() },
            or_dash(alias.alias.index_routing),
            or_dash(alias.alias.search_routing),
            or_dash(alias.alias.is_write_index.map(|is_write| is_write.to_string())),
        ]);
    }
    table.answer(&params, &rendering)
}

const NODES: &[Column] = &[
    extra("id", "nodeId", "unique node id"),
    extra("pid", "p", "process id"),
    column("ip", "i", "ip address"),
    extra("port", "po", "bound transport port"),
    extra("http_address", "http", "bound http address"),
    extra("version", "v", "es version"),
    extra("disk.total", "dt,diskTotal", "total disk space"),
    extra("disk.used", "du,diskUsed", "used disk space"),
    extra("disk.avail", "d,da,disk,diskAvail", "available disk space"),
    extra("disk.used_percent", "dup,diskUsedPercent", "used disk space percentage"),
    column("heap.percent", "hp,heapPercent", "the process's part of the machine's memory"),
    extra("ram.max", "rm,ramMax", "total machine memory"),
    column("ram.percent", "rp,ramPercent", "used machine memory ratio"),
    extra("ram.current", "rc,ramCurrent", "used memory of the process"),
    column("cpu", "", "recent cpu usage"),
    column("load_1m", "l", "1m load avg"),
    column("load_5m", "l", "5m load avg"),
    column("load_15m", "l", "15m load avg"),
    column("node.role", "r,role,nodeRole", "m:master eligible node, d:data node, i:ingest node"),
    column("master", "m", "*:current master"),
    column("name", "n", "node name"),
];

async fn nodes(
    State(app): State<Arc<AppState>>,
    params: Params,
    Extension(rendering): Extension<Rendering>,
) -> EsResult<EsResponse> {
    let full_id = params.bool_or("full_id", false)?;
    let address = publish_address(&app);
    let (host, port) = address.rsplit_once(':').unwrap_or((address.as_str(), ""));
    let (resident, memory) = (machine::resident_bytes(), machine::memory());
    let worker = app.clone();
    // The folder may lie on a disk that does not answer at once.
    let disk = app.manage(move || Ok(machine::disk(worker.catalog.folder()))).await?;
    let bytes = |bytes: Option<u64>| bytes.map_or(Cell::Missing, Cell::Bytes);
    let number = |number: Option<u64>| number.map_or(Cell::Missing, Cell::Number);
    // A percentage of the disk has decimals.
    let used_percent = |disk: machine::Space| Cell::Float(disk.used() as f64 * 100.0 / disk.total.max(1) as f64);
    let [one, five, fifteen] = machine::load().map_or([const { Cell::Missing }; 3], |load| load.map(Cell::Float));
    let id = node_id(&app);
    let mut table = Table::new(NODES);
    table.row([
        if full_id { id.into() } else { id.chars().take(4).collect::<String>().into() },
        Cell::Number(u64::from(std::process::id())),
        host.into(),
        port.into(),
        address.as_str().into(),
        info::VERSION.into(),
        bytes(disk.map(|disk| disk.total)),
        bytes(disk.map(machine::Space::used)),
        bytes(disk.map(|disk| disk.available)),
        disk.map_or(Cell::Missing, used_percent),
        number(resident.zip(memory).map(|(bytes, memory)| memory.percent(bytes))),
        bytes(memory.map(|memory| memory.total)),
        number(memory.map(machine::Space::used_percent)),
        bytes(resident),
        number(machine::cpu_percent()),
        one,
        five,
        fifteen,
        "dim".into(),
        "*".into(),
        app.options.node_name.as_str().into(),
    ]);
    table.answer(&params, &rendering)
}

const MASTER: &[Column] = &[
    column("id", "", "node id"),
    column("host", "h", "host name"),
    column("ip", "", "ip address"),
    column("node", "n", "node name"),
];

async fn master(
    State(app): State<Arc<AppState>>,
    params: Params,
    Extension(rendering): Extension<Rendering>,
) -> EsResult<EsResponse> {
    let address = publish_address(&app);
    let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
    let mut table = Table::new(MASTER);
    table.row([node_id(&app).into(), host.into(), host.into(), app.options.node_name.as_str().into()]);
    table.answer(&params, &rendering)
}

const SHARDS: &[Column] = &[
    column("index", "i,idx", "index name"),
    column("shard", "s,sh", "shard name"),
    column("prirep", "p,pr,primaryOrReplica", "primary or replica"),
    column("state", "st", "shard state"),
    column("docs", "d,dc", "number of docs in shard"),
    column("store", "sto", "store size of shard (how much disk it uses)"),
    column("dataset", "", "total size of dataset"),
    column("ip", "", "ip of node where it lives"),
    extra("id", "", "unique id of node where it lives"),
    column("node", "n", "name of node where it lives"),
    extra("segments.count", "sc,segmentsCount", "number of segments"),
];

async fn shards(
    State(app): State<Arc<AppState>>,
    target: Last,
    params: Params,
    Extension(rendering): Extension<Rendering>,
) -> EsResult<EsResponse> {
    let address = publish_address(&app);
    let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
    let mut table = Table::new(SHARDS);
    for index in chosen(&app, target, &params, IndicesOptions::everything()).await? {
        let state = if index.health() == "green" { "STARTED" } else { "UNASSIGNED" };
        let number =
            |of: fn(&ShardStats) -> u64| index.stats.as_ref().map_or(Cell::Missing, |stats| Cell::Number(of(stats)));
        let size = index.stats.map_or(Cell::Missing, |stats| Cell::Bytes(stats.store_bytes));
        table.row([
            index.name.as_str().into(),
            Cell::Number(0),
            "p".into(),
            state.into(),
            number(|stats| stats.documents),
            size.clone(),
            size,
            host.into(),
            node_id(&app).into(),
            app.options.node_name.as_str().into(),
            number(|stats| stats.segments),
        ]);
    }
    table.answer(&params, &rendering)
}

const SEGMENTS: &[Column] = &[
    column("index", "i,idx", "index name"),
    column("shard", "s,sh", "shard name"),
    column("prirep", "p,pr,primaryOrReplica", "primary or replica"),
    column("segment", "seg", "segment name"),
    column("docs.count", "dc,docsCount", "number of docs in segment"),
    column("docs.deleted", "dd,docsDeleted", "number of deleted docs in segment"),
];

async fn segments(
    State(app): State<Arc<AppState>>,
    target: Last,
    params: Params,
    Extension(rendering): Extension<Rendering>,
) -> EsResult<EsResponse> {
    let mut table = Table::new(SEGMENTS);
    for index in chosen(&app, target, &params, IndicesOptions::default()).await? {
        for segment in index.segments {
            table.row([
                index.name.as_str().into(),
                Cell::Number(0),
                "p".into(),
                segment.id.into(),
                Cell::Number(segment.documents),
                Cell::Number(segment.deleted_documents),
            ]);
        }
    }
    table.answer(&params, &rendering)
}

const TEMPLATES: &[Column] = &[
    column("name", "n", "template name"),
    column("index_patterns", "t", "template index patterns"),
    column("order", "o,p", "template application order/priority number"),
    column("version", "v", "version"),
    column("composed_of", "c", "component templates comprising index template"),
];

async fn templates(params: Params, Extension(rendering): Extension<Rendering>) -> EsResult<EsResponse> {
    Table::new(TEMPLATES).answer(&params, &rendering)
}

const PLUGINS: &[Column] = &[
    column("name", "n", "node name"),
    column("component", "c", "component"),
    column("version", "v", "component version"),
];

async fn plugins(params: Params, Extension(rendering): Extension<Rendering>) -> EsResult<EsResponse> {
    Table::new(PLUGINS).answer(&params, &rendering)
}

const ALLOCATION: &[Column] = &[
    column("shards", "s", "number of shards on node"),
    column("disk.indices", "di,diskIndices", "disk used by ES indices"),
    column("host", "h", "host of node"),
    column("ip", "", "ip of node"),
    column("node", "n", "name of node"),
];

async fn allocation(
    State(app): State<Arc<AppState>>,
    params: Params,
    Extension(rendering): Extension<Rendering>,
) -> EsResult<EsResponse> {
    let indices = all(&app).await?;
    let address = publish_address(&app);
    let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
    let mut table = Table::new(ALLOCATION);
    table.row([
        Cell::count(indices.len()),
        Cell::Bytes(totals(&indices).store_bytes),
        host.into(),
        host.into(),
        app.options.node_name.as_str().into(),
    ]);
    table.answer(&params, &rendering)
}

const THREAD_POOL: &[Column] = &[
    column("node_name", "nn", "node name"),
    column("name", "n", "thread pool name"),
    column("active", "a", "number of active threads"),
    column("queue", "q", "number of tasks currently in queue"),
    column("rejected", "r", "number of rejected tasks"),
    extra("completed", "c", "number of completed tasks"),
    extra("size", "sz", "number of threads in a fixed thread pool"),
    extra("queue_size", "qs", "maximum number of tasks permitted in queue"),
    extra("largest", "l", "highest number of seen active threads"),
];

async fn thread_pool(
    State(app): State<Arc<AppState>>,
    params: Params,
    Extension(rendering): Extension<Rendering>,
) -> EsResult<EsResponse> {
    let mut table = Table::new(THREAD_POOL);
    for pool in app.pools.all() {
        let stats = pool.stats();
        table.row([
            app.options.node_name.as_str().into(),
            pool.name().into(),
            Cell::count(stats.active),
            Cell::count(stats.queued),
            Cell::Number(stats.rejected),
            Cell::Number(stats.completed),
            Cell::count(stats.max_threads),
            Cell::count(stats.max_queued),
            Cell::count(stats.largest),
        ]);
    }
    table.answer(&params, &rendering)
}
