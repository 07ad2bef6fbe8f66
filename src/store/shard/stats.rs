//! What a shard counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often something was done, and how long it took.
#[derive(Debug, Default)]
pub struct Counter {
    total: AtomicU64,
    micros: AtomicU64,
    current: AtomicU64,
}

/// What a [`Counter`] stood at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// How often it was done.
    pub total: u64,
    /// How long it took, all together, in milliseconds.
    pub millis: u64,
    /// How many are under way.
    pub current: u64,
}

impl Counter {
    /// Counts one that is over.
    pub fn add(&self, took: Duration) {
        self.add_many(1, took);
    }

    /// Counts several that are over.
    pub fn add_many(&self, number: u64, took: Duration) {
        self.total.fetch_add(number, Ordering::Relaxed);
        self.micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Counts one from now until the guard is dropped.
    pub fn start(&self) -> Started<'_> {
        self.current.fetch_add(1, Ordering::Relaxed);
        Started { counter: self, since: std::time::Instant::now() }
    }

    /// What it stands at.
    pub fn get(&self) -> Count {
        Count {
            total: self.total.load(Ordering::Relaxed),
            millis: self.micros.load(Ordering::Relaxed) / 1000,
            current: self.current.load(Ordering::Relaxed),
        }
    }
}

/// Something under way; made by [`Counter::start`].
#[derive(Debug)]
pub struct Started<'c> {
    counter: &'c Counter,
    since: std::time::Instant,
}

impl Drop for Started<'_> {
    fn drop(&mut self) {
        self.counter.current.fetch_sub(1, Ordering::Relaxed);
        self.counter.add(self.since.elapsed());
    }
}

/// The counters of a shard since it was opened. Searches are counted by those who run them.
#[derive(Debug, Default)]
pub struct Counters {
    /// Documents added, replaced or updated.
    pub index: Counter,
    /// Documents that could not be.
    pub index_failed: Counter,
    /// Deletions.
    pub delete: Counter,
    /// Updates that changed nothing.
    pub noop_update: Counter,
    /// Reads by id that found a document.
    pub get_found: Counter,
    /// Reads by id that found none.
    pub get_missing: Counter,
    /// Queries.
    pub query: Counter,
    /// Fetches of the hits of queries.
    pub fetch: Counter,
    /// Pages of scrolls.
    pub scroll: Counter,
    /// Refreshes.
    pub refresh: Counter,
    /// Flushes.
    pub flush: Counter,
    /// Forced merges.
    pub merge: Counter,
}

/// Figures of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ShardStats {
    /// Documents that searches see.
    pub documents: u64,
    /// Deleted documents that still take room.
    pub deleted_documents: u64,
    /// Segments that searches see.
    pub segments: u64,
    /// The size of the index's files and of the translog.
    pub store_bytes: u64,
    /// Records in the translog.
    pub translog_operations: u64,
    /// The size of the translog.
    pub translog_bytes: u64,
    /// Records that the last flush does not hold.
    pub uncommitted_operations: u64,
    /// The last sequence number; `None` when nothing was ever written.
    pub max_seq_no: Option<u64>,
    /// The primary term.
    pub primary_term: u64,
    /// Whether something was written that searches do not see.
    pub has_pending: bool,
}
