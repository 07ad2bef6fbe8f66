//! What was written since the last commit, by id: the live version map.
//!
//! A write is looked up here first and in the snapshot of the last commit second. A commit begins by setting the map aside and ends, when
//! the new snapshot is there, by dropping what was set aside: at no moment is a document in neither. Deletions are remembered for a
//! while longer, so that a document that comes back goes on counting its versions.

use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::operations::Stamp;
use crate::document::DocumentId;
use crate::store::translog::Place;

/// How long a deleted document's version is remembered: Elasticsearch's `index.gc_deletes`.
const REMEMBER_DELETES: Duration = Duration::from_secs(60);
/// With more than this many, those that a commit holds are forgotten at once.
const MAX_DELETES: usize = 50_000;

/// The last change of a document.
#[derive(Debug, Clone, Copy)]
pub(super) struct LiveVersion {
    pub(super) stamp: Stamp,
    /// Where it is in the translog; `None` for a deletion.
    pub(super) place: Option<Place>,
}

#[derive(Debug, Clone, Copy)]
struct Deletion {
    stamp: Stamp,
    at: Instant,
}

#[derive(Debug, Default)]
pub(super) struct VersionMap {
    current: FxHashMap<DocumentId, LiveVersion>,
    /// What the commit under way, or one that failed, takes in.
    committing: FxHashMap<DocumentId, LiveVersion>,
    deletions: FxHashMap<DocumentId, Deletion>,
}

/// What a change put aside, so that it can be undone.
#[derive(Debug)]
pub(super) struct Undo {
    id: DocumentId,
    current: Option<LiveVersion>,
    deletion: Option<Deletion>,
}

impl VersionMap {
    /// The last change since the last commit; of a deleted document, longer.
    pub(super) fn get(&self, id: &DocumentId) -> Option<LiveVersion> {
        let found = self.current.get(id).or_else(|| self.committing.get(id)).copied();
        found.or_else(|| self.deletions.get(id).map(|deletion| LiveVersion { stamp: deletion.stamp, place: None }))
    }

    /// Notes a change.
    pub(super) fn put(&mut self, id: &DocumentId, version: LiveVersion) -> Undo {
        let current = self.current.insert(id.clone(), version);
        let deletion = match version.place {
            Some(_) => self.deletions.remove(id),
            None => self.deletions.insert(id.clone(), Deletion { stamp: version.stamp, at: Instant::now() }),
        };
        Undo { id: id.clone(), current, deletion }
    }

    /// Takes a change back; changes are taken back in reverse.
    pub(super) fn undo(&mut self, undo: Undo) {
        let Undo { id, current, deletion } = undo;
        match deletion {
            Some(deletion) => self.deletions.insert(id.clone(), deletion),
            None => self.deletions.remove(&id),
        };
        match current {
            Some(version) => self.current.insert(id, version),
            None => self.current.remove(&id),
        };
    }

    /// Says where the change of this sequence number lies, unless a later one has come.
    pub(super) fn set_place(&mut self, id: &DocumentId, seq_no: u64, place: Place) {
        if let Some(version) = self.current.get_mut(id)
            && version.stamp.seq_no == seq_no
        {
            version.place = Some(place);
        }
    }

    /// A commit begins: it takes in all that is here.
    pub(super) fn begin_commit(&mut self) {
        let current = std::mem::take(&mut self.current);
        if self.committing.is_empty() {
            self.committing = current;
        } else {
            self.committing.extend(current);
        }
    }

    /// The commit is visible to lookups; returns what may be dropped outside of the lock.
    pub(super) fn end_commit(&mut self, seq_no: u64) -> FxHashMap<DocumentId, LiveVersion> {
        let now = Instant::now();
        let remember = if self.deletions.len() > MAX_DELETES { Duration::ZERO } else { REMEMBER_DELETES };
        self.deletions.retain(|_, deletion| deletion.stamp.seq_no > seq_no || now - deletion.at < remember);
        std::mem::take(&mut self.committing)
    }
}
