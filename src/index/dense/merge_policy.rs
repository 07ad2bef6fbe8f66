//! A merge policy that also sends large segments without a graph through a merge of their own.
//!
//! Commits write no graphs (see `plugin.rs`), so a segment that was large from birth would stay without. This policy lets an
//! inner one choose first; then it proposes every other segment whose `graph` file names pending fields. The merge runs on
//! Tantivy's merging threads. Limit, from Tantivy: when an index has a single committed segment without deletions, the policy
//! is not asked; call `IndexWriter::merge` with [`DenseReader::segments_without_graph`](super::DenseReader) after bulk loads.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use tantivy::index::{SegmentComponent, SegmentId};
use tantivy::merge_policy::{MergeCandidate, MergePolicy};
use tantivy::{Directory, Index, SegmentMeta};

use super::format::{Container, GRAPH_MAGIC};
use super::graph::GraphDirectory;
use super::plugin::GRAPH_EXTENSION;

/// See the module's text.
#[derive(Debug)]
pub struct GraphMergePolicy {
    inner: Box<dyn MergePolicy>,
    index: Index,
    /// What the `graph` files of known segments say; they never change.
    pending: Mutex<HashMap<SegmentId, bool>>,
}

impl GraphMergePolicy {
    /// * `inner`: chooses the ordinary merges, for instance Tantivy's `LogMergePolicy`.
    /// * `index`: the index that the writer belongs to.
    pub fn new(inner: Box<dyn MergePolicy>, index: &Index) -> Self {
        Self { inner, index: index.clone(), pending: Mutex::default() }
    }

    /// Whether a segment should have a graph and has none yet.
    pub(crate) fn is_pending(&self, segment: &SegmentMeta) -> bool {
        let mut known = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        *known.entry(segment.id()).or_insert_with(|| {
            let path = segment.relative_path(SegmentComponent::Custom(GRAPH_EXTENSION.to_string()));
            // An unreadable file is reported by those who search it; here it only means that nothing is proposed.
            let bytes = self.index.directory().open_read(&path).ok().and_then(|file| file.read_bytes().ok());
            let directory = bytes.and_then(|bytes| Container::open::<GraphDirectory>(bytes, GRAPH_MAGIC, &path).ok());
            directory.is_some_and(|(_, directory)| !directory.pending.is_empty())
        })
    }
}

impl MergePolicy for GraphMergePolicy {
    fn compute_merge_candidates(&self, segments: &[SegmentMeta]) -> Vec<MergeCandidate> {
        let mut candidates = self.inner.compute_merge_candidates(segments);
        let chosen: HashSet<SegmentId> = candidates.iter().flat_map(|candidate| candidate.0.iter().copied()).collect();
        for segment in segments {
            if !chosen.contains(&segment.id()) && self.is_pending(segment) {
                candidates.push(MergeCandidate(vec![segment.id()]));
            }
        }
        let alive: HashSet<SegmentId> = segments.iter().map(SegmentMeta::id).collect();
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).retain(|id, _| alive.contains(id));
        candidates
    }
}
