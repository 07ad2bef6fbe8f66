//! What all requests share.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use super::auth::Security;
use super::es::error::EsResult;
use super::limits::Limits;
use super::metrics::Metrics;
use super::threads::Pools;
use crate::error::Result;
use crate::models::Models;
use crate::store::Catalog;

/// How a server behaves, beside its limits.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerOptions {
    /// What a request may ask for.
    pub limits: Limits,
    /// The name that `GET /` and `_cluster` tell.
    pub cluster_name: String,
    /// The name of this one node.
    pub node_name: String,
    /// Answers carry `X-Elastic-Product: Elasticsearch`, which Elasticsearch's clients want.
    pub product_header: bool,
    /// Requests that take longer are logged; `None` logs none.
    pub slow_log: Option<Duration>,
    /// The file of users; `None` lets everyone in.
    pub users: Option<PathBuf>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            cluster_name: "bifocal".to_string(),
            node_name: "bifocal-0".to_string(),
            product_header: true,
            slow_log: Some(Duration::from_secs(5)),
            users: None,
        }
    }
}

/// What all requests share; behind an `Arc`.
#[derive(Debug)]
pub struct AppState {
    /// The indices.
    pub catalog: Catalog,
    /// Bi-encoders and cross-encoders; loaded at the first use.
    pub models: Arc<Models>,
    /// What a request may ask for.
    pub limits: Limits,
    /// Threads for what blocks.
    pub pools: Pools,
    /// What was asked, and how long it took.
    pub metrics: Metrics,
    /// Who may ask.
    pub security: Security,
    /// How this server behaves.
    pub options: ServerOptions,
    /// When the server started.
    pub started: SystemTime,
    /// Where the server listens, once it does.
    pub address: OnceLock<SocketAddr>,
    /// Bytes of bodies that are held.
    pub(super) in_flight_bytes: Arc<AtomicUsize>,
    slots: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

impl AppState {
    /// Opens a folder of indices, which is created when missing.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) or [`ErrorKind::Busy`](crate::ErrorKind::Busy) naming the file;
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) for a file of users that is none.
    pub fn open(folder: &Path, models: Arc<Models>, options: ServerOptions) -> Result<Arc<Self>> {
        let catalog = Catalog::open(folder, models.clone())?;
        let state = Arc::new(Self {
            security: Security::open(folder, options.users.as_deref())?,
            pools: Pools::new(&options.limits),
            metrics: Metrics::new(),
            limits: options.limits.clone(),
            started: SystemTime::now(),
            address: OnceLock::new(),
            in_flight_bytes: Arc::default(),
            slots: Mutex::default(),
            catalog,
            models,
            options,
        });
        // Names of models may stand in mappings before anybody asks for them.
        if let Err(error) = super::es::inference::Endpoints::of(&state) {
            return Err(crate::error::Error::corrupt(error.reason));
        }
        Ok(state)
    }

    /// Bytes of bodies that are held.
    pub fn in_flight_bytes(&self) -> usize {
        self.in_flight_bytes.load(Ordering::Relaxed)
    }

    /// What a group of APIs keeps between requests (open readers, counters): one value a type, made at the first use.
    pub fn slot<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default())).clone();
        slot.downcast().unwrap_or_default()
    }

    /// Runs a search or a read on the threads for searches.
    ///
    /// # Errors
    /// What the work returns; 429 when too much waits; 500 when the work panics.
    pub async fn search<T: Send + 'static>(&self, work: impl FnOnce() -> EsResult<T> + Send + 'static) -> EsResult<T> {
        self.pools.search.run(work).await
    }

    /// Runs a write on the threads for writes; it may wait for the disk.
    ///
    /// # Errors
    /// As [`AppState::search`].
    pub async fn write<T: Send + 'static>(&self, work: impl FnOnce() -> EsResult<T> + Send + 'static) -> EsResult<T> {
        self.pools.write.run(work).await
    }

    /// Embeds or re-ranks on the threads for inference.
    ///
    /// # Errors
    /// As [`AppState::search`].
    pub async fn infer<T: Send + 'static>(&self, work: impl FnOnce() -> EsResult<T> + Send + 'static) -> EsResult<T> {
        self.pools.infer.run(work).await
    }

    /// Creates, changes, refreshes or describes indices on the threads for that.
    ///
    /// # Errors
    /// As [`AppState::search`].
    pub async fn manage<T: Send + 'static>(&self, work: impl FnOnce() -> EsResult<T> + Send + 'static) -> EsResult<T> {
        self.pools.manage.run(work).await
    }
}
