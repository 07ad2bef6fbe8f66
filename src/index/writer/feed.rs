//! The writer of a store's index: it takes prepared documents in an order that others decided.

use tantivy::indexer::{IndexWriterOptions, LogMergePolicy, NoMergePolicy};
use tantivy::{SegmentMeta, Term};

use super::super::dense::GraphMergePolicy;
use super::super::preparation::PreparedDocument;
use super::super::{Index, Opened};
use super::clear_leftovers;
use crate::document::DocumentId;
use crate::error::{Error, Result};

/// What each of Tantivy's indexing threads may hold before it writes a segment.
const THREAD_BYTES: usize = 24 << 20;
/// Tantivy's indexing threads of one index; many indices may be written at once.
///
/// One keeps documents in the order of the writes, by which equal hits are listed, as in Elasticsearch. Parsing, analysis and
/// embedding are done before, on the threads of the requests.
const MAX_THREADS: usize = 1;
/// The share of deleted documents from which on a segment is rewritten.
const MAX_DELETED: f32 = 0.33;

/// Gives documents to Tantivy. One at a time for an index; nothing is durable or visible before [`IndexFeed::commit`].
///
/// It costs threads and memory while it lives: open it when something is written, close it when nothing is for a while.
pub(crate) struct IndexFeed {
    opened: std::sync::Arc<Opened>,
    tantivy: tantivy::IndexWriter,
}

impl std::fmt::Debug for IndexFeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IndexFeed").finish_non_exhaustive()
    }
}

impl IndexFeed {
    /// Opens it.
    ///
    /// # Errors
    /// `Busy` when another writer is alive, `Io` when the disk refuses.
    pub(crate) fn open(index: &Index) -> Result<Self> {
        if index.opened().directory.is_closed_for_writing() {
            index.reopen()?;
        }
        let opened = index.opened();
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get).min(MAX_THREADS);
        let options = IndexWriterOptions::builder()
            .num_worker_threads(threads)
            .memory_budget_per_thread(THREAD_BYTES)
            .num_merge_threads(1)
            .build();
        let tantivy: tantivy::IndexWriter = opened.tantivy.writer_with_options(options)?;
        clear_leftovers(&tantivy)?;
        let feed = Self { opened, tantivy };
        feed.merge_as_needed();
        // See `open_tantivy_writer`: this takes the last commit's stamp, so that no deletion has it.
        feed.tantivy.delete_term(Term::from_field_text(feed.opened.fields.id, ""));
        Ok(feed)
    }

    /// Removes a document, adds one, or both in one step.
    ///
    /// # Errors
    /// `Io` when Tantivy's threads were stopped by the disk; what was not committed is lost then.
    pub(crate) fn put(&self, removed: Option<&DocumentId>, added: Option<PreparedDocument>) -> Result<()> {
        let fields = &self.opened.fields;
        let steps = match (removed, added) {
            (Some(id), None) => fields.deletions(id),
            (_, Some(document)) => document.into_prepared().operations(fields, removed.is_some()),
            (None, None) => return Ok(()),
        };
        self.tantivy.run(steps)?;
        Ok(())
    }

    /// Makes everything durable, and visible to snapshots that are opened from now on.
    ///
    /// * `payload`: kept with the commit, see [`Index::committed_payload`].
    ///
    /// # Errors
    /// `Io` when the disk refuses; the last commit then stays, and what came after it is lost.
    pub(crate) fn commit(&mut self, payload: &str) -> Result<()> {
        let mut commit = self.tantivy.prepare_commit()?;
        commit.set_payload(payload);
        commit.commit()?;
        Ok(())
    }

    /// Whether merges are chosen as Tantivy's policy has it (the rule), or not at all.
    pub(crate) fn merge_as_needed(&self) {
        let mut policy = LogMergePolicy::default();
        policy.set_del_docs_ratio_before_merge(MAX_DELETED);
        self.tantivy.set_merge_policy(Box::new(GraphMergePolicy::new(Box::new(policy), &self.opened.tantivy)));
    }

    /// Begins the merge that brings the committed segments nearest to the wish; `None` when there is nothing to do.
    ///
    /// The caller waits for the merge without holding the feed, and calls [`IndexFeed::merge_as_needed`] at the end.
    ///
    /// # Errors
    /// `Io` when the list of segments cannot be read.
    pub(crate) fn begin_merge(&mut self, wish: MergeWish) -> Result<Option<PendingMerge>> {
        self.tantivy.set_merge_policy(Box::new(NoMergePolicy));
        let mut segments = self.opened.tantivy.searchable_segment_metas()?;
        segments.sort_by_key(SegmentMeta::num_docs);
        let chosen: Vec<_> = match wish {
            MergeWish::AtMost(most) if segments.len() > most => {
                segments.iter().take(segments.len() - most + 1).map(SegmentMeta::id).collect()
            }
            MergeWish::AtMost(1) => {
                let graphs = GraphMergePolicy::new(Box::new(NoMergePolicy), &self.opened.tantivy);
                let wanted = segments.iter().filter(|segment| segment.has_deletes() || graphs.is_pending(segment));
                wanted.map(SegmentMeta::id).collect()
            }
            MergeWish::AtMost(_) => Vec::new(),
            MergeWish::WithoutDeletes => {
                segments.iter().find(|segment| segment.has_deletes()).map(SegmentMeta::id).into_iter().collect()
            }
        };
        // Tantivy keeps the files of every segment whose description is alive.
        drop(segments);
        Ok((!chosen.is_empty()).then(|| PendingMerge(self.tantivy.merge(&chosen))))
    }

    /// Removes the files that no commit needs.
    ///
    /// # Errors
    /// `Io` when one cannot be removed.
    pub(crate) fn remove_unused_files(&self) -> Result<()> {
        self.tantivy.garbage_collect_files().wait()?;
        Ok(())
    }

    /// Waits for the merges under way, and closes. What was not committed is forgotten.
    ///
    /// # Errors
    /// `Io` when the disk refuses.
    pub(crate) fn finish(self) -> Result<()> {
        Ok(self.tantivy.wait_merging_threads()?)
    }
}

/// What segments a forced merge should leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MergeWish {
    /// So many; at least 1.
    AtMost(usize),
    /// As many as there are, none with deleted documents.
    WithoutDeletes,
}

/// A merge under way.
pub(crate) struct PendingMerge(tantivy::FutureResult<Option<SegmentMeta>>);

impl PendingMerge {
    /// Waits for its end.
    ///
    /// # Errors
    /// `Internal` when another merge took one of the segments meanwhile; `Io` when the disk refuses.
    pub(crate) fn wait(self) -> Result<()> {
        self.0.wait().map(|_| ()).map_err(Error::from)
    }
}
