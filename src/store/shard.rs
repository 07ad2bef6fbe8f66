//! One index that is written while it is searched.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::document::DocumentId;
use crate::error::Error;
use crate::retrieve::Searcher;

/// What to do with a document.
#[derive(Debug, Clone, PartialEq)]
pub enum WriteAction {
    /// Adds or replaces it.
    Index(Map<String, Value>),
    /// Adds it; a conflict where it exists.
    Create(Map<String, Value>),
    /// Merges a part into it.
    Update(Update),
    /// Removes it.
    Delete,
}

/// A partial document.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Update {
    /// Merged into the stored source, object by object.
    pub doc: Map<String, Value>,
    /// The document where there is none.
    pub upsert: Option<Map<String, Value>>,
    /// `doc` is the document where there is none.
    pub doc_as_upsert: bool,
    /// An update that changes nothing writes nothing.
    pub detect_noop: bool,
}

/// What must hold of the stored document, or nothing is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WriteCondition {
    /// Nothing.
    #[default]
    None,
    /// The last change has this sequence number (`if_seq_no`, `if_primary_term`).
    SeqNo {
        /// Its number.
        seq_no: u64,
        /// Its term.
        primary_term: u64,
    },
    /// The new version, given by the caller, is greater than the stored one.
    ExternalVersion(u64),
    /// The new version, given by the caller, is at least the stored one.
    ExternalVersionOrEqual(u64),
}

/// One write.
#[derive(Debug, Clone, PartialEq)]
pub struct WriteOp {
    /// The document; `None` has the shard give an id.
    pub id: Option<DocumentId>,
    /// What to do with it.
    pub action: WriteAction,
    /// Kept and returned; one shard needs none.
    pub routing: Option<String>,
    /// What must hold.
    pub condition: WriteCondition,
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteResult {
    /// There was none of this id.
    Created,
    /// There was one.
    Updated,
    /// It is gone.
    Deleted,
    /// There was nothing to delete.
    NotFound,
    /// The update would have changed nothing.
    Noop,
}

/// An acknowledged write.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The document's id, given or made.
    pub id: DocumentId,
    /// What was done.
    pub result: WriteResult,
    /// From 1 upwards, by document.
    pub version: u64,
    /// From 0 upwards, by index.
    pub seq_no: u64,
    /// Always at least 1.
    pub primary_term: u64,
    /// The source as it is now, after an update.
    pub source: Option<Arc<Map<String, Value>>>,
}

/// Why a write was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The condition does not hold, or a `create` met a document.
    #[error("{0}")]
    VersionConflict(String),
    /// There is no document to update.
    #[error("document missing")]
    Missing,
    /// A value that does not fit its field, or another fault of the input or the machine.
    #[error(transparent)]
    Other(#[from] Error),
}

/// A document by its id.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredDocument {
    /// Its id.
    pub id: DocumentId,
    /// From 1 upwards.
    pub version: u64,
    /// Of its last change.
    pub seq_no: u64,
    /// Of its last change.
    pub primary_term: u64,
    /// As it was given.
    pub routing: Option<String>,
    /// As it was given.
    pub source: Arc<Map<String, Value>>,
}

/// One index with its translog. `Send + Sync`; every method blocks, so call it from a thread for work, never from an async task.
#[derive(Debug)]
pub struct Shard {
    searcher: arc_swap::ArcSwap<Searcher>,
}

impl Shard {
    /// The snapshot of the last refresh.
    pub fn searcher(&self) -> Arc<Searcher> {
        self.searcher.load_full()
    }
}
