//! What may be asked of a shard, and what it answers.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::document::DocumentId;
use crate::error::Error;

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
    /// How often to begin again when another write came in between.
    pub retry_on_conflict: u32,
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

impl WriteOp {
    /// An unconditional write without routing.
    pub fn new(id: Option<DocumentId>, action: WriteAction) -> Self {
        Self { id, action, routing: None, condition: WriteCondition::None }
    }
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
    /// The index was closed or deleted meanwhile.
    #[error("the index is closed")]
    Closed,
    /// A value that does not fit its field, or another fault of the input or the machine.
    #[error(transparent)]
    Other(#[from] Error),
}

/// Where a read may find a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Visibility {
    /// As the last acknowledged write left it.
    #[default]
    Realtime,
    /// As the last refresh left it.
    Refreshed,
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

/// The sequence number of a document's last change, with its primary term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) seq_no: u64,
    pub(super) version: u64,
}

/// What a write demands of the stored document, once updates are resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    Any,
    Absent,
    SeqNo {
        seq_no: u64,
        primary_term: u64,
    },
    External {
        version: u64,
        may_equal: bool,
    },
    /// As the update found it.
    Unchanged(Option<u64>),
}

impl Rule {
    pub(super) fn of(condition: WriteCondition) -> Self {
        match condition {
            WriteCondition::None => Rule::Any,
            WriteCondition::SeqNo { seq_no, primary_term } => Rule::SeqNo { seq_no, primary_term },
            WriteCondition::ExternalVersion(version) => Rule::External { version, may_equal: false },
            WriteCondition::ExternalVersionOrEqual(version) => Rule::External { version, may_equal: true },
        }
    }

    /// The new version; or, in Elasticsearch's words, why not.
    ///
    /// * `current`: the document, or the memory of a deleted one, and whether it is alive.
    /// * `term_of`: the primary term of a sequence number.
    pub(super) fn check(
        self,
        id: &DocumentId,
        current: Option<(Stamp, bool)>,
        term_of: impl Fn(u64) -> u64,
    ) -> Result<u64, String> {
        let alive = current.filter(|(_, alive)| *alive).map(|(stamp, _)| stamp);
        let next = current.map_or(1, |(stamp, _)| stamp.version + 1);
        let unlike = |seq_no: u64, term: u64| {
            let wanted = format!("[{id}]: version conflict, required seqNo [{seq_no}], primary term [{term}].");
            match alive {
                Some(found) => format!(
                    "{wanted} current document has seqNo [{}] and primary term [{}]",
                    found.seq_no,
                    term_of(found.seq_no)
                ),
                None => format!("{wanted} but no document was found"),
            }
        };
        match self {
            Rule::Any => Ok(next),
            Rule::Absent => match alive {
                Some(found) => Err(format!(
                    "[{id}]: version conflict, document already exists (current version [{}])",
                    found.version
                )),
                None => Ok(next),
            },
            Rule::SeqNo { seq_no, primary_term } => match alive {
                Some(found) if found.seq_no == seq_no && term_of(seq_no) == primary_term => Ok(next),
                _ => Err(unlike(seq_no, primary_term)),
            },
            Rule::Unchanged(base) => match (base, alive) {
                (None, None) => Ok(next),
                (Some(base), Some(found)) if found.seq_no == base => Ok(next),
                (None, Some(found)) => Err(format!(
                    "[{id}]: version conflict, document already exists (current version [{}])",
                    found.version
                )),
                (Some(base), _) => Err(unlike(base, term_of(base))),
            },
            Rule::External { version, may_equal } => match current {
                Some((found, _)) if found.version > version || (found.version == version && !may_equal) => {
                    let relation = if may_equal { "higher" } else { "higher or equal" };
                    Err(format!(
                        "[{id}]: version conflict, current version [{}] is {relation} to the one provided [{version}]",
                        found.version
                    )
                    .replace("higher to", "higher than"))
                }
                _ => Ok(version),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_say_what_elasticsearch_says() {
        let alive = Some((Stamp { seq_no: 7, version: 5 }, true));
        let deleted = Some((Stamp { seq_no: 7, version: 5 }, false));
        let external = |version, may_equal| Rule::External { version, may_equal };
        let seq_no = |seq_no, primary_term| Rule::SeqNo { seq_no, primary_term };
        let found = "current document has seqNo [7] and primary term [2]";
        let cases = [
            (Rule::Any, None, Ok(1)),
            (Rule::Any, alive, Ok(6)),
            (Rule::Any, deleted, Ok(6)),
            (Rule::Absent, None, Ok(1)),
            (Rule::Absent, deleted, Ok(6)),
            (Rule::Absent, alive, Err("document already exists (current version [5])".to_string())),
            (seq_no(7, 2), alive, Ok(6)),
            (seq_no(7, 1), alive, Err(format!("required seqNo [7], primary term [1]. {found}"))),
            (seq_no(3, 2), alive, Err(format!("required seqNo [3], primary term [2]. {found}"))),
            (seq_no(7, 2), deleted, Err("required seqNo [7], primary term [2]. but no document was found".to_string())),
            (seq_no(7, 2), None, Err("required seqNo [7], primary term [2]. but no document was found".to_string())),
            (Rule::Unchanged(Some(7)), alive, Ok(6)),
            (Rule::Unchanged(Some(6)), alive, Err(format!("required seqNo [6], primary term [2]. {found}"))),
            (Rule::Unchanged(None), deleted, Ok(6)),
            (Rule::Unchanged(None), alive, Err("document already exists (current version [5])".to_string())),
            (external(6, false), alive, Ok(6)),
            (external(5, true), alive, Ok(5)),
            (external(9, false), None, Ok(9)),
            (
                external(5, false),
                alive,
                Err("current version [5] is higher or equal to the one provided [5]".to_string()),
            ),
            (
                external(5, false),
                deleted,
                Err("current version [5] is higher or equal to the one provided [5]".to_string()),
            ),
            (external(4, true), alive, Err("current version [5] is higher than the one provided [4]".to_string())),
        ];
        for (rule, current, expected) in cases {
            let expected = expected.map_err(|text| format!("[a]: version conflict, {text}"));
            assert_eq!(rule.check(&"a".into(), current, |_| 2), expected, "{rule:?} {current:?}");
        }
    }
}
