//! Commits: what makes segments durable (flush) and visible (refresh), and what begins again after a failure (replay).

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, TryLockError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::settings::StoreSettings;
use super::terms::Terms;
use super::writing::Queued;
use super::{INDEX, Inner, Listener, State, TRANSLOG};
use crate::document::DocumentId;
use crate::error::{Error, Result};
use crate::index::Index;
use crate::index::writer::{IndexFeed, MergeWish};
use crate::models::Models;
use crate::retrieve::Searcher;
use crate::store::translog::{Change, Record, Translog};

/// So much of fed documents may wait for a commit. It bounds what stands in Tantivy's queue, which has a bound by number only.
const MAX_FED_BYTES: usize = 48 << 20;
/// The same of all indices of the process: with more, each that is fed commits its part, unless that is small.
const MAX_ALL_FED_BYTES: usize = 256 << 20;
const SMALL_PART_BYTES: usize = 4 << 20;
/// So many documents are replayed, or so many bytes of them, as one batch.
const REPLAY_DOCUMENTS: usize = 512;
const REPLAY_BYTES: usize = 8 << 20;
/// With more waiting for a refresh than this, it is not waited for (Elasticsearch's `index.max_refresh_listeners`).
const MAX_LISTENERS: usize = 1000;

/// What the lock of the feed guards.
#[derive(Debug, Default)]
pub(super) struct FeedSlot {
    /// `None` while nothing was written for a long time, and after a failure.
    feed: Option<IndexFeed>,
    fed: Fed,
    /// Whether what was fed since the last commit is lost, so that the translog must give it again.
    is_broken: bool,
    /// Whether nothing will ever be written again.
    is_abandoned: bool,
}

/// About what was fed to an index since the last commit; counted over all indices as well.
#[derive(Debug, Default)]
struct Fed(usize);

static ALL_FED_BYTES: AtomicUsize = AtomicUsize::new(0);

impl Fed {
    fn add(&mut self, bytes: usize) {
        self.0 += bytes;
        ALL_FED_BYTES.fetch_add(bytes, Ordering::Relaxed);
    }

    fn clear(&mut self) {
        ALL_FED_BYTES.fetch_sub(std::mem::take(&mut self.0), Ordering::Relaxed);
    }

    fn is_too_much(&self) -> bool {
        let all = ALL_FED_BYTES.load(Ordering::Relaxed);
        self.0 > MAX_FED_BYTES || (all > MAX_ALL_FED_BYTES && self.0 > SMALL_PART_BYTES)
    }
}

impl Drop for Fed {
    fn drop(&mut self) {
        self.clear();
    }
}

/// What a commit says of itself.
///
/// # Stability
/// Kept in the index's list of segments.
#[derive(Debug, Serialize, Deserialize)]
struct Payload {
    /// The commit holds everything up to this sequence number.
    seq_no: u64,
}

impl FeedSlot {
    pub(super) fn has_feed(&self) -> bool {
        self.feed.is_some()
    }

    /// Ends Tantivy's writer; all must be committed.
    pub(super) fn close_feed(&mut self) {
        self.feed = None;
        self.fed.clear();
    }

    /// Ends Tantivy's writer for good.
    pub(super) fn abandon(&mut self) {
        self.close_feed();
        self.is_broken = true;
        self.is_abandoned = true;
    }

    fn open(&mut self, index: &Index) -> Result<&mut IndexFeed> {
        if self.feed.is_none() {
            self.feed = Some(IndexFeed::open(index)?);
            self.fed.clear();
        }
        self.feed.as_mut().ok_or_else(|| Error::internal("the index has no writer"))
    }
}

impl Inner {
    pub(super) fn open(folder: &Path, models: Arc<Models>) -> Result<Self> {
        let index = Index::open(folder.join(INDEX), models)?;
        let committed = committed_seq_no(&index)?;
        let mut replay = Replay::new(&index, committed);
        let translog = Translog::open(&folder.join(TRANSLOG), |record| replay.take(record))?;
        let num_replayed = replay.num_records;
        let (feed, last_seq_no) = replay.finish()?;
        if let (Some(mut feed), Some(last)) = (feed, last_seq_no) {
            feed.commit(&payload(last)?)?;
            tracing::info!(folder = %folder.display(), num_replayed, "replayed the translog");
        }
        let searcher = Arc::new(Searcher::open(&index)?);
        let settings = StoreSettings::of(&index.definition().settings);
        let terms = Terms::read(folder)?.resumed(last_seq_no.map_or(0, |last| last + 1));
        let inner = Self {
            folder: folder.to_path_buf(),
            translog,
            state: std::sync::Mutex::new(State {
                versions: super::VersionMap::default(),
                terms,
                is_marked_open: false,
                last_seq_no,
                committed: last_seq_no,
                visible: last_seq_no,
                flushed: last_seq_no,
                queue: super::Queue::default(),
                pauses: 0,
                is_closed: false,
                is_flush_asked: false,
                pending_since: None,
                last_write: Instant::now(),
                listeners: Vec::new(),
            }),
            room: std::sync::Condvar::new(),
            feed: std::sync::Mutex::default(),
            growing: std::sync::Mutex::default(),
            committed: ArcSwap::new(searcher.clone()),
            searcher: ArcSwap::new(searcher),
            settings: ArcSwap::new(Arc::new(settings)),
            counters: Arc::default(),
            wake: super::Wake::default(),
            index,
        };
        // All of it is in a commit now.
        if let Some(last) = last_seq_no {
            inner.translog.trim(last)?;
        }
        Ok(inner)
    }

    /// Gives Tantivy what waits in the queue, unless someone else does.
    pub(super) fn drain(&self) {
        let mut slot = match self.feed.try_lock() {
            Ok(slot) => slot,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        // What comes meanwhile is for those who brought it.
        let queued = self.state().queue.take();
        self.room.notify_all();
        if queued.is_empty() || slot.is_broken {
            return;
        }
        let fed = self.feed_all(&mut slot, queued);
        let fed = match fed {
            Ok(()) if slot.fed.is_too_much() => self.commit(&mut slot),
            other => other,
        };
        if let Err(error) = fed {
            tracing::error!(%error, folder = %self.folder.display(), "the index takes no documents; they stay in the translog");
        }
    }

    /// Gives Tantivy documents, in their order. After an error the slot is broken: the translog has what is lost.
    fn feed_all(&self, slot: &mut FeedSlot, queued: Vec<Queued>) -> Result<()> {
        if slot.is_broken || queued.is_empty() {
            return Ok(());
        }
        // A panic on the way must not look as if all had been fed: the next commit would say that it holds it.
        slot.is_broken = true;
        let fed = (|| {
            let feed = slot.open(&self.index)?;
            let mut bytes = 0;
            for Queued { removed, added, num_bytes } in queued {
                feed.put(removed.as_ref(), added)?;
                bytes += num_bytes;
            }
            slot.fed.add(bytes);
            Ok(())
        })();
        match fed {
            Ok(()) => slot.is_broken = false,
            Err(_) => slot.close_feed(),
        }
        fed
    }

    /// Commits all that was written before the call, and shows it to lookups by id. Searches see it when the caller publishes it.
    pub(super) fn commit(&self, slot: &mut FeedSlot) -> Result<()> {
        if slot.is_broken {
            self.rebuild(slot)?;
        }
        let (queued, seq_no) = {
            let mut state = self.state();
            if state.last_seq_no == state.committed {
                return Ok(());
            }
            state.versions.begin_commit();
            (state.queue.take(), state.last_seq_no)
        };
        self.room.notify_all();
        let Some(seq_no) = seq_no else { return Ok(()) };
        self.feed_all(slot, queued)?;
        // Until it is done: see `feed_all`.
        slot.is_broken = true;
        let committed = slot.open(&self.index).and_then(|feed| feed.commit(&payload(seq_no)?));
        slot.fed.clear();
        if let Err(error) = committed {
            slot.close_feed();
            return Err(error);
        }
        slot.is_broken = false;
        self.committed.store(Arc::new(Searcher::open(&self.index)?));
        let mut state = self.state();
        state.committed = Some(seq_no);
        let dropped = state.versions.end_commit(seq_no);
        drop(state);
        drop(dropped);
        Ok(())
    }

    /// Opens Tantivy's writer anew and gives it again what the last commit lacks, from the translog.
    fn rebuild(&self, slot: &mut FeedSlot) -> Result<()> {
        if slot.is_abandoned {
            return Err(Error::conflict("the index is closed"));
        }
        slot.close_feed();
        self.index.reopen()?;
        let committed = committed_seq_no(&self.index)?;
        let mut replay = Replay::new(&self.index, committed);
        self.translog.replay_after(committed, |record| replay.take(record))?;
        // Writes go on meanwhile; the last few come with writes stopped.
        let _pause = super::Pause::new(self);
        let replayed = replay.last_seq_no;
        self.translog.replay_after(replayed, |record| replay.take(record))?;
        let (feed, _) = replay.finish()?;
        // The translog had what stands in the queue.
        let waiting = self.state().queue.take();
        self.room.notify_all();
        drop(waiting);
        slot.feed = feed;
        slot.fed.clear();
        slot.is_broken = false;
        tracing::info!(folder = %self.folder.display(), "the index takes documents again");
        Ok(())
    }

    pub(super) fn refresh(&self) -> Result<()> {
        let _counted = self.counters.refresh.start();
        let mut slot = self.feed_slot();
        self.refresh_slot(&mut slot)
    }

    fn refresh_slot(&self, slot: &mut FeedSlot) -> Result<()> {
        self.commit(slot)?;
        self.publish(self.committed.load_full());
        Ok(())
    }

    /// Shows a snapshot of the last commit to lookups and searches. The caller holds the feed.
    pub(super) fn publish(&self, searcher: Arc<Searcher>) {
        self.committed.store(searcher.clone());
        self.searcher.store(searcher);
        let listeners: Vec<(u64, Listener)> = {
            let mut state = self.state();
            state.visible = state.committed;
            // A write that came during the commit waits for the next refresh, counted from now.
            state.pending_since = (state.last_seq_no != state.visible).then(Instant::now);
            let visible = state.visible;
            let (done, waiting) =
                std::mem::take(&mut state.listeners).into_iter().partition(|(seq_no, _)| Some(*seq_no) <= visible);
            state.listeners = waiting;
            done
        };
        for (_, listener) in listeners {
            listener(true);
        }
    }

    pub(super) fn when_visible(&self, seq_no: u64, done: Listener) {
        let mut state = self.state();
        if state.visible.is_some_and(|visible| visible >= seq_no) || state.is_closed {
            let visible = state.visible.is_some_and(|visible| visible >= seq_no);
            drop(state);
            done(visible);
            return;
        }
        state.listeners.push((seq_no, done));
        let ask = state.listeners.len() > MAX_LISTENERS || self.settings.load().refresh_interval.is_none();
        drop(state);
        if ask {
            self.wake.ask_refresh();
        }
    }

    pub(super) fn flush(&self) -> Result<()> {
        let _counted = self.counters.flush.start();
        let mut slot = self.feed_slot();
        self.flush_slot(&mut slot)
    }

    fn flush_slot(&self, slot: &mut FeedSlot) -> Result<()> {
        self.translog.roll()?;
        self.commit(slot)?;
        let committed = {
            let mut state = self.state();
            state.flushed = state.committed;
            state.is_flush_asked = false;
            state.committed
        };
        match committed {
            Some(seq_no) => self.translog.trim(seq_no),
            None => Ok(()),
        }
    }

    /// Takes in what merges have made since the last refresh: searches read fewer segments, and the files of the old ones go.
    pub(super) fn settle(&self) -> Result<()> {
        let _slot = self.feed_slot();
        if !self.index.has_other_segments(self.committed.load().searcher())? {
            return Ok(());
        }
        let searcher = Arc::new(Searcher::open(&self.index)?);
        let shows_all = {
            let state = self.state();
            state.visible == state.committed
        };
        // Where refreshes are rarer than commits, the segments also hold what is not to be seen yet.
        if shows_all {
            self.publish(searcher);
        } else {
            self.committed.store(searcher);
        }
        Ok(())
    }

    /// Ends Tantivy's threads, which nobody needed for a long time.
    pub(super) fn rest(&self) -> Result<()> {
        let mut slot = self.feed_slot();
        self.refresh_slot(&mut slot)?;
        if let Some(feed) = slot.feed.take() {
            feed.finish()?;
        }
        // Merges may have come to an end since the last refresh.
        self.publish(Arc::new(Searcher::open(&self.index)?));
        Ok(())
    }

    pub(super) fn close(&self) -> Result<()> {
        let mut slot = self.feed_slot();
        let is_marked_open = self.state().is_marked_open;
        let flushed = if is_marked_open { self.flush_slot(&mut slot) } else { Ok(()) };
        slot.close_feed();
        self.index.close_for_writing();
        flushed?;
        if is_marked_open {
            self.state().terms.write(&self.folder, true)?;
        }
        Ok(())
    }

    pub(super) fn force_merge(&self, wish: MergeWish) -> Result<()> {
        let _counted = self.counters.merge.start();
        // Merges of the policy's own choice may be under way and take the segments first; then it is tried again.
        let mut wait = Duration::from_millis(20);
        let until = Instant::now() + Duration::from_secs(600);
        let result = loop {
            let begun = {
                let mut slot = self.feed_slot();
                let begun = self.refresh_slot(&mut slot);
                begun.and_then(|()| slot.open(&self.index)?.begin_merge(wish))
            };
            match begun {
                Ok(None) => break Ok(()),
                Ok(Some(merge)) => match merge.wait() {
                    Ok(()) => {}
                    Err(error) if Instant::now() > until => break Err(error),
                    Err(_) => {
                        std::thread::sleep(wait);
                        wait = (wait * 2).min(Duration::from_secs(2));
                    }
                },
                Err(error) => break Err(error),
            }
        };
        let mut slot = self.feed_slot();
        self.refresh_slot(&mut slot)?;
        let searcher = Arc::new(Searcher::open(&self.index)?);
        self.publish(searcher);
        let feed = slot.open(&self.index)?;
        feed.merge_as_needed();
        feed.remove_unused_files()?;
        result
    }
}

fn payload(seq_no: u64) -> Result<String> {
    serde_json::to_string(&Payload { seq_no })
        .map_err(|error| Error::internal("cannot write what a commit holds").with_source(error))
}

fn committed_seq_no(index: &Index) -> Result<Option<u64>> {
    let Some(text) = index.committed_payload()? else { return Ok(None) };
    let payload: Payload = serde_json::from_str(&text).map_err(|error| {
        Error::corrupt("the last commit does not say what it holds; restore the index from a copy").with_source(error)
    })?;
    Ok(Some(payload.seq_no))
}

/// Gives an index the records that its last commit lacks, in batches.
struct Replay<'i> {
    index: &'i Index,
    committed: Option<u64>,
    last_seq_no: Option<u64>,
    feed: Option<IndexFeed>,
    num_records: u64,
    batch: Vec<Record<'static>>,
    num_bytes: usize,
}

impl<'i> Replay<'i> {
    fn new(index: &'i Index, committed: Option<u64>) -> Self {
        Self { index, committed, last_seq_no: committed, feed: None, num_records: 0, batch: Vec::new(), num_bytes: 0 }
    }

    fn take(&mut self, record: Record<'static>) -> Result<()> {
        if Some(record.seq_no) <= self.committed {
            return Ok(());
        }
        self.last_seq_no = self.last_seq_no.max(Some(record.seq_no));
        self.num_records += 1;
        self.num_bytes += match &record.change {
            Change::Written { source, .. } => source.len(),
            Change::Deleted => 0,
        };
        self.batch.push(record);
        if self.batch.len() >= REPLAY_DOCUMENTS || self.num_bytes >= REPLAY_BYTES { self.replay() } else { Ok(()) }
    }

    fn replay(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        self.num_bytes = 0;
        let mut sources: Vec<Option<Map<String, Value>>> = Vec::with_capacity(batch.len());
        for record in &batch {
            sources.push(match &record.change {
                Change::Written { source, .. } => Some(serde_json::from_str(source).map_err(|error| {
                    Error::corrupt(format!("the translog's source of document {:?} is no JSON object", record.id))
                        .with_source(error)
                })?),
                Change::Deleted => None,
            });
        }
        let documents: Vec<(&DocumentId, &Map<String, Value>)> = batch
            .iter()
            .zip(&sources)
            .filter_map(|(record, source)| source.as_ref().map(|source| (&record.id, source)))
            .collect();
        let mut prepared = self.index.preparation().prepare(&documents).into_iter();
        let feed = match &mut self.feed {
            Some(feed) => feed,
            None => self.feed.insert(IndexFeed::open(self.index)?),
        };
        for record in batch {
            let added = match &record.change {
                Change::Deleted => None,
                Change::Written { routing, .. } => match prepared.next() {
                    Some(Ok(mut document)) => {
                        document.stamp(record.seq_no, record.version, routing.as_deref());
                        Some(document)
                    }
                    Some(Err(error)) => {
                        let text =
                            format!("cannot replay the write {} of document {:?}: {error}", record.seq_no, record.id);
                        return Err(Error::new(error.kind(), text).with_source(error));
                    }
                    None => return Err(Error::internal("a prepared document is missing")),
                },
            };
            feed.put(Some(&record.id), added)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(Option<IndexFeed>, Option<u64>)> {
        if !self.batch.is_empty() {
            self.replay()?;
        }
        Ok((self.feed, self.last_seq_no))
    }
}
