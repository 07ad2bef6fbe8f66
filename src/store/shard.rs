//! One index that is written while it is searched.
//!
//! In: [`WriteOp`]s. Out: [`Written`], documents by id, and [`Searcher`]s. A write is prepared (parsed, analysed, embedded) on the
//! caller's thread and outside of every lock. Under the lock its condition is checked, it gets its sequence number, goes into the
//! translog and into a queue; then the lock is released, and the caller waits for the translog's sync. The queue is emptied into Tantivy's
//! writer by whoever finds it free. A refresh commits, which makes segments durable and visible; the commit's payload says up to which
//! sequence number it holds everything. A flush commits and throws away what of the translog the commit holds. Opening a shard replays
//! the rest.
//!
//! Invariant: every acknowledged write is in the last commit or in the translog, and the lookup by id (live version map, then the
//! snapshot of the last commit) always finds the last one. Locks are taken in the order `growing`, `feed`, `state`.
//!
//! Read next: `writing.rs` (the way of a write), `commits.rs` (refresh, flush, replay, merges), `versions.rs` (the live version map).

mod background;
mod commits;
mod operations;
mod reading;
mod settings;
mod stats;
mod terms;
#[cfg(test)]
mod tests;
mod versions;
mod writing;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;

pub use self::operations::{
    StoredDocument, Update, Visibility, WriteAction, WriteCondition, WriteError, WriteOp, WriteResult, Written,
};
pub use self::settings::{Durability, StoreSettings};
pub use self::stats::{Count, Counter, Counters, ShardStats, Started};

use self::background::{Background, Wake};
use self::commits::FeedSlot;
use self::terms::Terms;
use self::versions::VersionMap;
use self::writing::Queue;
use super::translog::Translog;
use crate::error::{Error, Result};
use crate::index::Index;
use crate::models::Models;
use crate::retrieve::Searcher;
use crate::schema::{IndexDefinition, Settings};

/// The folder of the bifocal index in the folder of a shard.
const INDEX: &str = "index";
/// The folder of the translog in the folder of a shard.
const TRANSLOG: &str = "translog";

/// One index with its translog. `Send + Sync`; every method blocks, so call it from a thread for work, never from an async task.
///
/// Dropping it ends its background thread and writes nothing more; what was acknowledged is in the translog. [`Shard::close`] makes the
/// next opening quicker.
#[derive(Debug)]
pub struct Shard {
    inner: Arc<Inner>,
    background: Background,
}

/// What the shard and its background thread share.
#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    index: Index,
    translog: Translog,
    state: Mutex<State>,
    /// Rings when the queue has room again, when writes may go on, and when the shard is closed.
    room: Condvar,
    feed: Mutex<FeedSlot>,
    /// One change of the mapping at a time.
    growing: Mutex<()>,
    /// The last commit, which lookups by id fall back on.
    committed: ArcSwap<Searcher>,
    /// The last refresh.
    searcher: ArcSwap<Searcher>,
    settings: ArcSwap<StoreSettings>,
    counters: Arc<Counters>,
    wake: Wake,
}

/// What the short lock of every write guards.
struct State {
    versions: VersionMap,
    terms: Terms,
    /// Whether this process has written that it has the shard open.
    is_marked_open: bool,
    last_seq_no: Option<u64>,
    /// Up to here everything is in the last commit.
    committed: Option<u64>,
    /// Up to here searches see everything.
    visible: Option<u64>,
    /// Up to here the last flush holds everything.
    flushed: Option<u64>,
    queue: Queue,
    /// How many have writes stopped for a moment.
    pauses: usize,
    is_closed: bool,
    /// Whether the translog's growth was reported.
    is_flush_asked: bool,
    /// When the first write came that searches do not see.
    pending_since: Option<Instant>,
    last_write: Instant,
    listeners: Vec<(u64, Listener)>,
}

/// Called when a refresh has made a write visible (`true`), or the shard was closed before (`false`).
type Listener = Box<dyn FnOnce(bool) + Send>;

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("last_seq_no", &self.last_seq_no)
            .field("committed", &self.committed)
            .field("visible", &self.visible)
            .finish_non_exhaustive()
    }
}

impl Shard {
    /// Makes a shard in `folder`, which must not exist or be empty.
    ///
    /// # Errors
    /// As [`Index::create`].
    pub fn create(folder: &Path, definition: &IndexDefinition, models: Arc<Models>) -> Result<Self> {
        Index::create(folder.join(INDEX), definition, models.clone())?;
        let shard = Self::open(folder, models)?;
        // The translog's folder, too, must be found after a loss of power.
        fs_err::File::open(folder)?.sync_all()?;
        Ok(shard)
    }

    /// Opens the shard in `folder` and replays what its last commit lacks.
    ///
    /// # Errors
    /// `NotFound` when there is none, `Corrupt` naming the damaged file (and the offset, of a translog), `Unsupported` for a newer
    /// format; `Model` when a replayed document must be embedded and cannot be; `Io`.
    pub fn open(folder: &Path, models: Arc<Models>) -> Result<Self> {
        let inner = Arc::new(Inner::open(folder, models)?);
        Ok(Self { background: Background::new(inner.clone()), inner })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }

    /// The snapshot of the last refresh.
    pub fn searcher(&self) -> Arc<Searcher> {
        self.inner.searcher.load_full()
    }

    /// The mapping and the settings as they stand.
    pub fn definition(&self) -> IndexDefinition {
        self.inner.index.definition()
    }

    /// The index's settings as they stand.
    pub fn settings(&self) -> Settings {
        self.inner.index.definition().settings
    }

    /// The settings by which this shard refreshes, syncs and flushes.
    pub fn store_settings(&self) -> StoreSettings {
        **self.inner.settings.load()
    }

    /// Does writes in order. When it returns, what it answers is durable (by `index.translog.durability`).
    ///
    /// * `ops`: as many as fit in memory several times over; a batch shares one sync, one analysis and one embedding.
    ///
    /// Returns one result an operation, in their order. An operation that fails stops no other.
    pub fn write(&self, ops: Vec<WriteOp>) -> Vec<Result<Written, WriteError>> {
        self.background.start();
        self.inner.write(ops)
    }

    /// Does one write.
    ///
    /// # Errors
    /// Why it was not done.
    pub fn write_one(&self, op: WriteOp) -> Result<Written, WriteError> {
        self.write(vec![op]).pop().unwrap_or(Err(WriteError::Closed))
    }

    /// A document by its id; `None` when there is none.
    ///
    /// # Errors
    /// `Corrupt` when what holds it is damaged.
    pub fn get(&self, id: &crate::DocumentId, visibility: Visibility) -> Result<Option<StoredDocument>> {
        self.inner.get(id, visibility)
    }

    /// Puts a larger mapping in place of the index's. Writes wait meanwhile, searches do not; what was written before becomes visible.
    ///
    /// * `change`: given the definition as it stands, returns the one wanted; may be called only once at a time.
    ///
    /// # Errors
    /// What `change` says; `Conflict` naming a field that exists with another type; `NotFound` and `Model` when the bi-encoder of a
    /// new semantic field cannot be loaded; `Io`.
    pub fn put_mapping(&self, change: impl FnOnce(&IndexDefinition) -> Result<IndexDefinition>) -> Result<()> {
        self.inner.update_definition(change)
    }

    /// Changes the settings of the live index.
    ///
    /// * `change`: given the settings as they stand, returns those wanted, or refuses.
    ///
    /// # Errors
    /// What `change` says; `Io`.
    pub fn put_settings(&self, change: impl FnOnce(&Settings) -> Result<Settings>) -> Result<()> {
        self.inner.put_settings(change)?;
        self.background.start();
        self.inner.wake.ring();
        Ok(())
    }

    /// As [`Shard::put_settings`], for settings that say how documents are analyzed: what is written from now on is analyzed anew,
    /// what was written before stays as it is.
    ///
    /// # Errors
    /// What `change` says; `InvalidInput` when a field needs an analyzer that would be gone; `Io`.
    pub fn put_static_settings(&self, change: impl FnOnce(&Settings) -> Result<Settings>) -> Result<()> {
        self.inner.put_static_settings(change)?;
        self.background.start();
        self.inner.wake.ring();
        Ok(())
    }

    /// Makes what was written visible to [`Shard::searcher`].
    ///
    /// # Errors
    /// `Io` when the disk refuses; nothing is lost, and the next refresh tries again.
    pub fn refresh(&self) -> Result<()> {
        self.inner.refresh()
    }

    /// Calls `done` once searches see everything up to `seq_no`: at once if they do, else from the thread that refreshes. Where the
    /// index does not refresh by itself, or too many wait, a refresh is asked for.
    ///
    /// `done` is told `false` if the shard is closed before.
    pub fn when_visible(&self, seq_no: u64, done: impl FnOnce(bool) + Send + 'static) {
        self.background.start();
        self.inner.when_visible(seq_no, Box::new(done));
    }

    /// Waits until searches see everything up to `seq_no`. Returns whether they do; if not, the shard was closed.
    pub fn wait_until_visible(&self, seq_no: u64) -> bool {
        let (done, is_done) = std::sync::mpsc::sync_channel(1);
        self.when_visible(seq_no, move |visible| {
            let _ = done.send(visible);
        });
        is_done.recv().unwrap_or(false)
    }

    /// Makes the segments durable and throws away what of the translog they hold.
    ///
    /// # Errors
    /// `Io` when the disk refuses; nothing is lost.
    pub fn flush(&self) -> Result<()> {
        self.inner.flush()
    }

    /// Merges segments until at most so many are left; 1 also drops deleted documents and builds the graphs of large vector fields.
    /// Writes and searches go on meanwhile.
    ///
    /// # Errors
    /// `Io` when the disk refuses.
    pub fn force_merge(&self, max_num_segments: std::num::NonZeroUsize) -> Result<()> {
        self.inner.force_merge(crate::index::writer::MergeWish::AtMost(max_num_segments.get()))
    }

    /// Rewrites the segments that hold deleted documents.
    ///
    /// # Errors
    /// `Io` when the disk refuses.
    pub fn expunge_deletes(&self) -> Result<()> {
        self.inner.force_merge(crate::index::writer::MergeWish::WithoutDeletes)
    }

    /// What was done since the shard was opened.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.inner.counters
    }

    /// Figures as they stand.
    ///
    /// # Errors
    /// `Io` when the files cannot be looked at.
    pub fn stats(&self) -> Result<ShardStats> {
        self.inner.stats()
    }

    /// The primary term in which a sequence number was given.
    pub fn primary_term_of(&self, seq_no: u64) -> u64 {
        self.inner.state().terms.of(seq_no)
    }

    /// The last sequence number; `None` when nothing was ever written.
    pub fn max_seq_no(&self) -> Option<u64> {
        self.inner.state().last_seq_no
    }

    /// Refuses writes from now on, and flushes. Reads and searches go on for those who hold the shard.
    ///
    /// # Errors
    /// `Io` when the flush fails; nothing is lost, the next opening replays more.
    pub fn close(&self) -> Result<()> {
        self.stop();
        self.inner.close()
    }

    /// Refuses writes from now on, for a shard whose folder will be removed.
    pub fn abandon(&self) {
        self.stop();
        let mut slot = self.inner.feed_slot();
        slot.abandon();
        self.inner.index.close_for_writing();
    }

    fn stop(&self) {
        let listeners = {
            let mut state = self.inner.state();
            state.is_closed = true;
            std::mem::take(&mut state.listeners)
        };
        self.inner.room.notify_all();
        for (_, listener) in listeners {
            listener(false);
        }
        self.background.stop();
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        self.stop();
        // What Tantivy's threads still do must not meet whoever opens the folder next.
        self.inner.feed_slot().close_feed();
        self.inner.index.close_for_writing();
    }
}

impl Inner {
    /// No code that can panic for the input's sake runs under the locks.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn feed_slot(&self) -> MutexGuard<'_, FeedSlot> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put_settings(&self, change: impl FnOnce(&Settings) -> Result<Settings>) -> Result<()> {
        let _growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        let settings = change(&self.index.definition().settings)?;
        let live = StoreSettings::of(&settings);
        self.index.put_settings(settings)?;
        self.settings.store(Arc::new(live));
        // What was acknowledged before it was durable is not left behind by a stricter setting.
        self.translog.sync(self.translog.position())?;
        // What a query takes from the settings comes with the next searcher.
        let _slot = self.feed_slot();
        self.publish(Arc::new(Searcher::open(&self.index)?));
        Ok(())
    }

    fn put_static_settings(&self, change: impl FnOnce(&Settings) -> Result<Settings>) -> Result<()> {
        let _growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        let settings = change(&self.index.definition().settings)?;
        let live = StoreSettings::of(&settings);
        let mut slot = self.feed_slot();
        // As for a mapping: what was prepared by the old analyzers is committed, and none comes in between.
        let _pause = Pause::new(self);
        self.commit(&mut slot)?;
        slot.close_feed();
        self.index.put_settings(settings)?;
        self.settings.store(Arc::new(live));
        self.publish(Arc::new(Searcher::open(&self.index)?));
        Ok(())
    }

    fn update_definition(&self, change: impl FnOnce(&IndexDefinition) -> Result<IndexDefinition>) -> Result<()> {
        let _growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.index.definition();
        let wanted = change(&current)?;
        if wanted == current {
            return Ok(());
        }
        // What can be refused is refused before writes are stopped.
        self.index.checker(&wanted)?;
        let mut slot = self.feed_slot();
        // A document that was prepared for the old mapping might not fit the new one when it is replayed. So all such are in the commit
        // before the mapping changes, and none comes in between.
        let _pause = Pause::new(self);
        if self.state().is_closed {
            return Err(Error::conflict("the index is closed"));
        }
        self.commit(&mut slot)?;
        slot.close_feed();
        let extended = self.index.extend_definition(&wanted);
        self.publish(Arc::new(Searcher::open(&self.index)?));
        extended
    }

    fn stats(&self) -> Result<ShardStats> {
        let searcher = self.searcher.load_full();
        let translog = self.translog.stats();
        let (documents, deleted_documents, segments) = searcher.counts();
        let state = self.state();
        let uncommitted = match (state.last_seq_no, state.flushed) {
            (Some(last), Some(flushed)) => last - flushed.min(last),
            (Some(last), None) => last + 1,
            (None, _) => 0,
        };
        let mut stats = ShardStats {
            documents,
            deleted_documents,
            segments,
            store_bytes: 0,
            translog_operations: translog.num_records,
            translog_bytes: translog.bytes,
            uncommitted_operations: uncommitted,
            max_seq_no: state.last_seq_no,
            primary_term: state.terms.current(),
            has_pending: state.last_seq_no != state.visible,
        };
        drop(state);
        stats.store_bytes = folder_bytes(&self.folder.join(INDEX))? + translog.bytes;
        Ok(stats)
    }
}

/// Keeps writes from being numbered while it lives.
struct Pause<'i>(&'i Inner);

impl<'i> Pause<'i> {
    fn new(inner: &'i Inner) -> Self {
        inner.state().pauses += 1;
        Self(inner)
    }
}

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        self.0.state().pauses -= 1;
        self.0.room.notify_all();
    }
}

/// The size of all files below a folder; files that vanish meanwhile count nothing.
fn folder_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let Ok(meta) = entry.metadata() else { continue };
        bytes += if meta.is_dir() { folder_bytes(&entry.path())? } else { meta.len() };
    }
    Ok(bytes)
}
