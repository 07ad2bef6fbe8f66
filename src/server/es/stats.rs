//! `_stats` and `_segments`: figures of indices. Sections that this engine has nothing for are there, with zeros.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde_json::{Map, Value, json};

use super::maintenance::shards;
use super::nodes::node_id;
use super::request::closest;
use super::summary::IndexSummary;
use super::targets::{read_options, resolve};
use super::{EsError, EsResponse, EsResult, Params};
use crate::server::state::AppState;
use crate::store::catalog::{IndexHandle, IndicesOptions};
use crate::store::shard::{Count, Counters, ShardStats};

pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/_stats", get(all))
        .route("/_stats/{metric}", get(metrics_of_all))
        .route("/_segments", get(segments))
        .route("/{index}/_segments", get(segments))
        .route("/{index}/_stats", get(some))
        .route("/{index}/_stats/{metric}", get(metrics_of_some))
}

/// The parameter's names and the sections they mean.
const METRICS: [(&str, &str); 18] = [
    ("docs", "docs"),
    ("shard_stats", "shard_stats"),
    ("store", "store"),
    ("indexing", "indexing"),
    ("get", "get"),
    ("search", "search"),
    ("merge", "merges"),
    ("refresh", "refresh"),
    ("flush", "flush"),
    ("warmer", "warmer"),
    ("query_cache", "query_cache"),
    ("fielddata", "fielddata"),
    ("completion", "completion"),
    ("segments", "segments"),
    ("translog", "translog"),
    ("request_cache", "request_cache"),
    ("recovery", "recovery"),
    ("bulk", "bulk"),
];

async fn all(State(app): State<Arc<AppState>>, params: Params) -> EsResult<EsResponse> {
    tell(app, "_all".to_string(), "_all".to_string(), params).await
}

async fn metrics_of_all(
    State(app): State<Arc<AppState>>,
    Path(metric): Path<String>,
    params: Params,
) -> EsResult<EsResponse> {
    tell(app, "_all".to_string(), metric, params).await
}

async fn some(State(app): State<Arc<AppState>>, Path(index): Path<String>, params: Params) -> EsResult<EsResponse> {
    tell(app, index, "_all".to_string(), params).await
}

async fn metrics_of_some(
    State(app): State<Arc<AppState>>,
    Path((index, metric)): Path<(String, String)>,
    params: Params,
) -> EsResult<EsResponse> {
    tell(app, index, metric, params).await
}

async fn tell(app: Arc<AppState>, index: String, metric: String, params: Params) -> EsResult<EsResponse> {
    let options = read_options(&params, IndicesOptions { is_about_documents: true, ..IndicesOptions::default() })?;
    let level = params.one_of("level", &["cluster", "indices", "shards"])?.unwrap_or("indices").to_string();
    params.accept(&[
        "fields",
        "fielddata_fields",
        "completion_fields",
        "groups",
        "types",
        "forbid_closed_indices",
        "include_segment_file_sizes",
        "include_unloaded_segments",
    ]);
    params.finish()?;
    let sections = chosen(&metric, params.path())?;
    let told = app
        .manage({
            let app = app.clone();
            move || {
                let found = resolve(&app, &index, options)?;
                found.iter().map(|index| Ok((index.clone(), Figures::of(index)?))).collect::<EsResult<Vec<_>>>()
            }
        })
        .await?;
    let mut sum = Figures::default();
    let mut indices = Map::new();
    for (index, figures) in &told {
        sum.add(figures);
        let sections = only(figures.print(), &sections);
        let mut one = json!({"uuid": index.uuid(), "health": "green", "status": "open", "primaries": sections, "total": sections});
        if level == "shards" {
            let mut shard = sections.clone();
            if let Some(object) = shard.as_object_mut() {
                let routing =
                    json!({"state": "STARTED", "primary": true, "node": node_id(&app), "relocating_node": null});
                object.insert("routing".to_string(), routing);
                let seq_no = json!({"max_seq_no": figures.stats.max_seq_no.map_or(json!(-1), |number| json!(number))});
                object.insert("seq_no".to_string(), seq_no);
            }
            if let Some(object) = one.as_object_mut() {
                object.insert("shards".to_string(), json!({"0": [shard]}));
            }
        }
        indices.insert(index.name().to_string(), one);
    }
    let all = only(sum.print(), &sections);
    let mut answer = json!({"_shards": shards(told.len()), "_all": {"primaries": all, "total": all}});
    if let (true, Some(object)) = (level != "cluster", answer.as_object_mut()) {
        object.insert("indices".to_string(), Value::Object(indices));
    }
    Ok(answer.into())
}

async fn segments(
    State(app): State<Arc<AppState>>,
    target: Option<Path<String>>,
    params: Params,
) -> EsResult<EsResponse> {
    let options = read_options(&params, IndicesOptions { is_about_documents: true, ..IndicesOptions::default() })?;
    params.accept(&["verbose"]);
    params.finish()?;
    let target = target.map_or_else(|| "_all".to_string(), |Path(target)| target);
    let found = app
        .manage({
            let app = app.clone();
            move || {
                resolve(&app, &target, options)?
                    .iter()
                    .map(|index| {
                        // A closed index has none to tell of.
                        index.shard()?;
                        IndexSummary::of(index)
                    })
                    .collect::<EsResult<Vec<_>>>()
            }
        })
        .await?;
    let node = node_id(&app);
    let indices = found.iter().map(|index| {
        let segments = index.segments.iter().map(|segment| {
            let told = json!({"num_docs": segment.documents, "deleted_docs": segment.deleted_documents, "committed": true, "search": true,
                "compound": false});
            (format!("_{}", segment.id), told)
        });
        let shard = json!({
            "routing": {"state": "STARTED", "primary": true, "node": node},
            "num_committed_segments": index.segments.len(),
            "num_search_segments": index.segments.len(),
            "segments": segments.collect::<Map<String, Value>>(),
        });
        (index.name.clone(), json!({"shards": {"0": [shard]}}))
    });
    let indices: Map<String, Value> = indices.collect();
    Ok(json!({"_shards": shards(found.len()), "indices": indices}).into())
}

/// An error that names the metric that was probably meant.
pub(super) fn unknown_metric(path: &str, name: &str, known: &[&str]) -> EsError {
    let hint = closest(name, known).map(|known| format!(" -> did you mean [{known}]?")).unwrap_or_default();
    EsError::illegal_argument(format!("request [{path}] contains unrecognized metric: [{name}]{hint}"))
}

/// The figures of all open indices together, by section.
///
/// * `metric`: which sections, `_all` for each.
///
/// # Errors
/// `illegal_argument_exception` for an unknown section.
pub(super) fn of_node(app: &AppState, metric: &str, path: &str) -> EsResult<Value> {
    let sections = chosen(metric, path)?;
    let mut sum = Figures::default();
    for index in app.catalog.indices().values().filter(|index| !index.is_closed()) {
        // An index that could not be opened has no figures.
        if let Ok(figures) = Figures::of(index) {
            sum.add(&figures);
        }
    }
    Ok(only(sum.print(), &sections))
}

fn only(value: Value, sections: &[&str]) -> Value {
    let Value::Object(object) = value else { return value };
    Value::Object(object.into_iter().filter(|(name, _)| sections.contains(&name.as_str())).collect())
}

/// The sections that a list of metrics means.
fn chosen(metric: &str, path: &str) -> EsResult<Vec<&'static str>> {
    let mut sections = Vec::new();
    for name in metric.split(',').map(str::trim) {
        if name == "_all" {
            return Ok(METRICS.iter().map(|(_, section)| *section).collect());
        }
        let Some((_, section)) = METRICS.iter().find(|(known, _)| *known == name) else {
            let known: Vec<&str> = METRICS.iter().map(|(name, _)| *name).collect();
            return Err(unknown_metric(path, name, &known));
        };
        sections.push(*section);
    }
    Ok(sections)
}

/// The figures of one shard, or of several together.
#[derive(Debug, Clone, Default)]
struct Figures {
    stats: ShardStats,
    num_shards: u64,
    index: Count,
    index_failed: Count,
    delete: Count,
    noop_update: Count,
    get_found: Count,
    get_missing: Count,
    query: Count,
    fetch: Count,
    scroll: Count,
    refresh: Count,
    flush: Count,
    merge: Count,
}

impl Figures {
    fn of(index: &IndexHandle) -> EsResult<Self> {
        let shard = index.shard()?;
        let counters: &Counters = shard.counters();
        Ok(Self {
            stats: shard.stats()?,
            num_shards: 1,
            index: counters.index.get(),
            index_failed: counters.index_failed.get(),
            delete: counters.delete.get(),
            noop_update: counters.noop_update.get(),
            get_found: counters.get_found.get(),
            get_missing: counters.get_missing.get(),
            query: counters.query.get(),
            fetch: counters.fetch.get(),
            scroll: counters.scroll.get(),
            refresh: counters.refresh.get(),
            flush: counters.flush.get(),
            merge: counters.merge.get(),
        })
    }

    fn add(&mut self, other: &Self) {
        self.stats.documents += other.stats.documents;
        self.stats.deleted_documents += other.stats.deleted_documents;
        self.stats.segments += other.stats.segments;
        self.stats.store_bytes += other.stats.store_bytes;
        self.stats.translog_operations += other.stats.translog_operations;
        self.stats.translog_bytes += other.stats.translog_bytes;
        self.stats.uncommitted_operations += other.stats.uncommitted_operations;
        self.num_shards += other.num_shards;
        for (own, other) in [
            (&mut self.index, other.index),
            (&mut self.index_failed, other.index_failed),
            (&mut self.delete, other.delete),
            (&mut self.noop_update, other.noop_update),
            (&mut self.get_found, other.get_found),
            (&mut self.get_missing, other.get_missing),
            (&mut self.query, other.query),
            (&mut self.fetch, other.fetch),
            (&mut self.scroll, other.scroll),
            (&mut self.refresh, other.refresh),
            (&mut self.flush, other.flush),
            (&mut self.merge, other.merge),
        ] {
            own.total += other.total;
            own.millis += other.millis;
            own.current += other.current;
        }
    }

    fn print(&self) -> Value {
        let Self { stats, .. } = self;
        json!({
            "docs": {"count": stats.documents, "deleted": stats.deleted_documents, "total_size_in_bytes": stats.store_bytes},
            "shard_stats": {"total_count": self.num_shards},
            "store": {"size_in_bytes": stats.store_bytes, "total_data_set_size_in_bytes": stats.store_bytes, "reserved_in_bytes": 0},
            "indexing": {
                "index_total": self.index.total,
                "index_time_in_millis": self.index.millis,
                "index_current": self.index.current,
                "index_failed": self.index_failed.total,
                "delete_total": self.delete.total,
                "delete_time_in_millis": self.delete.millis,
                "delete_current": self.delete.current,
                "noop_update_total": self.noop_update.total,
                "is_throttled": false,
                "throttle_time_in_millis": 0,
            },
            "get": {
                "total": self.get_found.total + self.get_missing.total,
                "time_in_millis": self.get_found.millis + self.get_missing.millis,
                "exists_total": self.get_found.total,
                "exists_time_in_millis": self.get_found.millis,
                "missing_total": self.get_missing.total,
                "missing_time_in_millis": self.get_missing.millis,
                "current": self.get_found.current + self.get_missing.current,
            },
            "search": {
                "open_contexts": 0,
                "query_total": self.query.total,
                "query_time_in_millis": self.query.millis,
                "query_current": self.query.current,
                "fetch_total": self.fetch.total,
                "fetch_time_in_millis": self.fetch.millis,
                "fetch_current": self.fetch.current,
                "scroll_total": self.scroll.total,
                "scroll_time_in_millis": self.scroll.millis,
                "scroll_current": self.scroll.current,
                "suggest_total": 0,
                "suggest_time_in_millis": 0,
                "suggest_current": 0,
            },
            "merges": {
                "current": self.merge.current,
                "current_docs": 0,
                "current_size_in_bytes": 0,
                "total": self.merge.total,
                "total_time_in_millis": self.merge.millis,
                "total_docs": 0,
                "total_size_in_bytes": 0,
                "total_stopped_time_in_millis": 0,
                "total_throttled_time_in_millis": 0,
                "total_auto_throttle_in_bytes": 0,
            },
            "refresh": {
                "total": self.refresh.total,
                "total_time_in_millis": self.refresh.millis,
                "external_total": self.refresh.total,
                "external_total_time_in_millis": self.refresh.millis,
                "listeners": 0,
            },
            "flush": {"total": self.flush.total, "periodic": 0, "total_time_in_millis": self.flush.millis},
            "warmer": {"current": 0, "total": 0, "total_time_in_millis": 0},
            "query_cache": {"memory_size_in_bytes": 0, "total_count": 0, "hit_count": 0, "miss_count": 0, "cache_size": 0, "cache_count": 0, "evictions": 0},
            "fielddata": {"memory_size_in_bytes": 0, "evictions": 0},
            "completion": {"size_in_bytes": 0},
            "segments": {
                "count": stats.segments,
                "memory_in_bytes": 0,
                "index_writer_memory_in_bytes": 0,
                "version_map_memory_in_bytes": 0,
                "fixed_bit_set_memory_in_bytes": 0,
                "max_unsafe_auto_id_timestamp": -1,
                "file_sizes": {},
            },
            "translog": {
                "operations": stats.translog_operations,
                "size_in_bytes": stats.translog_bytes,
                "uncommitted_operations": stats.uncommitted_operations,
                "uncommitted_size_in_bytes": stats.translog_bytes,
                "earliest_last_modified_age": 0,
            },
            "request_cache": {"memory_size_in_bytes": 0, "evictions": 0, "hit_count": 0, "miss_count": 0},
            "recovery": {"current_as_source": 0, "current_as_target": 0, "throttle_time_in_millis": 0},
            "bulk": {"total_operations": 0, "total_time_in_millis": 0, "total_size_in_bytes": 0, "avg_time_in_millis": 0, "avg_size_in_bytes": 0},
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_its_section() {
        let printed = Figures::default().print();
        for (metric, section) in METRICS {
            assert!(printed.get(section).is_some(), "{section}");
            assert_eq!(chosen(metric, "/_stats").unwrap(), [section]);
        }
        assert_eq!(chosen("_all", "/x").unwrap().len(), METRICS.len());
        assert!(chosen("docs,zebra", "/_stats").unwrap_err().reason.contains("[zebra]"));
    }
}
