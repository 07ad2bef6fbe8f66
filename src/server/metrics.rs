//! The server's figures, and `/metrics` for Prometheus.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::http::Method;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::machine;
use super::state::AppState;
use crate::error::{Error, Result};

/// From half a millisecond to 16 seconds.
const SECONDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 4.0, 16.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    api: String,
    method: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ApiLabels {
    api: String,
    method: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PoolLabels {
    pool: &'static str,
    state: PoolState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
enum PoolState {
    Active,
    Queued,
    Rejected,
    Completed,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IndexLabels {
    index: String,
}

/// What was asked, and how long it took. Counting costs a few atomic additions a request.
#[derive(Debug)]
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    seconds: Family<ApiLabels, Histogram, fn() -> Histogram>,
    in_flight: AtomicI64,
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Counted<'a>(&'a AtomicI64);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Nothing was asked yet.
    pub fn new() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(SECONDS);
        Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(histogram),
            in_flight: AtomicI64::new(0),
        }
    }

    pub(super) fn begin(&self) -> Counted<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Counted(&self.in_flight)
    }

    /// Requests that are being answered.
    pub fn in_flight(&self) -> i64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn end(&self, api: &str, method: &Method, status: u16, took: Duration) {
        let method = standard_name(method).to_string();
        let api = api.to_string();
        let labels = RequestLabels { api: api.clone(), method: method.clone(), status };
        self.requests.get_or_create(&labels).inc();
        self.seconds.get_or_create(&ApiLabels { api, method }).observe(took.as_secs_f64());
    }

    /// The text that Prometheus reads.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`](crate::ErrorKind::Internal) where a figure cannot be printed.
    pub fn text(&self, app: &AppState) -> Result<String> {
        let mut registry = Registry::with_prefix("bifocal");
        registry.register("requests", "Requests by API, method and status", self.requests.clone());
        registry.register("request_seconds", "Time from a request to its answer", self.seconds.clone());
        let gauge = |registry: &mut Registry, name: &str, help: &str, value: i64| {
            let gauge = Gauge::<i64>::default();
            gauge.set(value);
            registry.register(name, help, gauge);
        };
        gauge(&mut registry, "requests_in_flight", "Requests being answered", self.in_flight());
        let pools = Family::<PoolLabels, Gauge>::default();
        for pool in app.pools.all() {
            let stats = pool.stats();
            for (state, value) in [
                (PoolState::Active, stats.active as u64),
                (PoolState::Queued, stats.queued as u64),
                (PoolState::Rejected, stats.rejected),
                (PoolState::Completed, stats.completed),
            ] {
                let labels = PoolLabels { pool: pool.name(), state };
                pools.get_or_create(&labels).set(whole(value));
            }
        }
        registry.register("pool_work", "Work of a pool of threads, by state", pools);
        let held = app.in_flight_bytes() as u64;
        gauge(&mut registry, "body_bytes", "Bytes of bodies that are held", whole(held));
        if let Some(bytes) = machine::resident_bytes().and_then(|bytes| i64::try_from(bytes).ok()) {
            gauge(&mut registry, "resident_bytes", "Memory of the process", bytes);
        }
        gauge(&mut registry, "models_loaded", "Models in memory", whole(app.models.num_loaded() as u64));
        let indices = app.catalog.indices();
        gauge(&mut registry, "indices", "Indices", whole(indices.len() as u64));
        let documents = Family::<IndexLabels, Gauge>::default();
        let store = Family::<IndexLabels, Gauge>::default();
        let translog = Family::<IndexLabels, Gauge>::default();
        for index in indices.values() {
            let Ok(shard) = index.shard() else { continue };
            let stats = shard.stats()?;
            let labels = IndexLabels { index: index.name().to_string() };
            documents.get_or_create(&labels).set(whole(stats.documents));
            store.get_or_create(&labels).set(whole(stats.store_bytes));
            translog.get_or_create(&labels).set(whole(stats.translog_bytes));
        }
        registry.register("index_documents", "Documents that searches see, by index", documents);
        registry.register("index_store_bytes", "Size of an index's files and translog", store);
        registry.register("index_translog_bytes", "Size of an index's translog", translog);
        let mut text = String::new();
        encode(&mut text, &registry).map_err(|error| Error::internal(error.to_string()))?;
        Ok(text)
    }
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Other methods than HTTP's own do not become labels.
fn standard_name(method: &Method) -> &str {
    match method.as_str() {
        name @ ("GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "OPTIONS" | "PATCH") => name,
        _ => "other",
    }
}
