//! Which documents of a segment are at the root: nested documents stand before their root and are no hits.
//!
//! A segment's documents never change, so the set is found once a segment and kept while a snapshot has the segment open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tantivy::index::SegmentId;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{BitSet, DocSet, SegmentReader, TERMINATED};

use crate::error::Result;

/// The roots of one segment; `None` where every document is one.
pub(super) type Roots = Option<Arc<BitSet>>;

/// The roots of segments, by their ids; shared by the snapshots of an index.
#[derive(Debug, Default)]
pub(super) struct RootsCache(Mutex<HashMap<SegmentId, Weak<BitSet>>>);

impl RootsCache {
    /// The roots of a segment.
    ///
    /// # Errors
    /// `Corrupt` or `Io` when the postings cannot be read.
    pub(super) fn open(&self, segment: &SegmentReader, nested_path: Field) -> Result<Roots> {
        let id = segment.segment_id();
        if let Some(found) = self.lock().get(&id).and_then(Weak::upgrade) {
            return Ok(Some(found));
        }
        let Some(roots) = find(segment, nested_path)?.map(Arc::new) else { return Ok(None) };
        let mut cache = self.lock();
        cache.retain(|_, kept| kept.strong_count() > 0);
        cache.insert(id, Arc::downgrade(&roots));
        Ok(Some(roots))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SegmentId, Weak<BitSet>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find(segment: &SegmentReader, nested_path: Field) -> Result<Option<BitSet>> {
    let inverted = segment.inverted_index(nested_path)?;
    let mut roots = None;
    let mut terms = inverted.terms().stream()?;
    while let Some((_, info)) = terms.next() {
        let roots = roots.get_or_insert_with(|| BitSet::with_max_value_and_full(segment.max_doc()));
        let mut postings = inverted.read_postings_from_terminfo(info, IndexRecordOption::Basic)?;
        while postings.doc() != TERMINATED {
            roots.remove(postings.doc());
            postings.advance();
        }
    }
    Ok(roots)
}
