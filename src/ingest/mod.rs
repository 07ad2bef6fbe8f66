//! Bytes to operations: what the user's files ask of the index, one after the other.
//!
//! In: paths, folders, standard input, or any reader, plain or compressed with gzip or zstd. Out: [`Operations`], an iterator
//! of [`Operation`]s in the order of the input, each with its file and line. Nothing is held but one batch (about 4 MiB) and the
//! record at hand, whatever the size of the input.
//!
//! *Invariant*: no record is lost without a word. A record that cannot be read is a [`Fault::Record`] and the iterator goes on
//! with the next; an input that ends early is a [`Fault::Input`], which no caller may skip, and the iterator ends.
//!
//! Which format a file has is decided in [`Format`]; where ids come from in [`Options::id_field`]. Read next: `source.rs`
//! (files, folders, decompression), `format.rs` (detection), then one file a format.
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod source;

mod format;
mod lines;

mod bulk;
mod csv;
mod json_values;
mod jsonl;

mod object;
mod operations;
mod strict_json;

use std::fmt;

use serde_json::{Map, Value};

use crate::document::{Document, DocumentId};
use crate::error::{Error, Location};

pub use format::Format;
pub use operations::{Operations, open};
pub use source::{Input, ReadProgress};
pub(crate) use strict_json::Strict;

/// One thing to do to the index, with where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// What to do.
    pub action: Action,
    /// File and line, for errors that show up later (a mapping that refuses the document). The line is that of the document:
    /// in a `_bulk` file the source line, or the action line where there is none.
    pub location: Location,
}

/// What an [`Operation`] does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Adds the document, in place of one with the same id.
    Index(Document),
    /// Adds the document; a conflict if one with the same id exists. Only from `_bulk`.
    Create(Document),
    /// Changes some fields of a document. Only from `_bulk`.
    Update(PartialDocument),
    /// Removes the document, if it exists. Only from `_bulk`.
    Delete(DocumentId),
}

/// The body of an Elasticsearch `update`: `doc`, `doc_as_upsert` and `upsert`. Scripts are refused by name.
#[derive(Debug, Clone, PartialEq)]
pub struct PartialDocument {
    /// Which document.
    pub id: DocumentId,
    /// The fields to change, `doc`.
    pub fields: Map<String, Value>,
    /// What to do when there is no such document.
    pub upsert: Upsert,
}

/// What an update does when its document does not exist.
#[derive(Debug, Clone, PartialEq)]
pub enum Upsert {
    /// Fails: there is nothing to update.
    Missing,
    /// Adds the partial document as a whole one (`doc_as_upsert: true`).
    Fields,
    /// Adds this document (`upsert`).
    Source(Map<String, Value>),
}

impl PartialDocument {
    /// The document after the update, `None` if there was none and none is to be made.
    ///
    /// Objects are merged key by key at every level, everything else (arrays too) is replaced, as Elasticsearch does. New keys
    /// come after the old ones.
    pub fn apply(self, existing: Option<Map<String, Value>>) -> Option<Document> {
        let source = match (existing, self.upsert) {
            (Some(mut source), _) => {
                merge(&mut source, self.fields);
                source
            }
            (None, Upsert::Fields) => self.fields,
            (None, Upsert::Source(source)) => source,
            (None, Upsert::Missing) => return None,
        };
        Some(Document { id: Some(self.id), source })
    }
}

fn merge(base: &mut Map<String, Value>, changes: Map<String, Value>) {
    for (key, change) in changes {
        match (base.get_mut(&key), change) {
            (Some(Value::Object(inner)), Value::Object(change)) => merge(inner, change),
            (_, change) => {
                base.insert(key, change);
            }
        }
    }
}

/// How inputs are read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// The format of every input; [`Format::Auto`] by default.
    pub format: Format,
    /// The top-level field that holds a document's id.
    ///
    /// With `None`, the default, it is `_id`, or else `id`:
    /// - `_id` (a string or a whole number) is taken out of the source; any other type is a bad record.
    /// - Where there is no `_id`, `id` is used if it is a usable one (a string of 1 to 512 bytes or a whole number), and *stays* in
    ///   the source. Thus indexing a corpus twice replaces its documents; two documents with the same `id` replace each other too.
    ///   Elasticsearch knows only `_id`: name `_id` here to have that.
    /// - Otherwise the index gives an id.
    ///
    /// With a name, every record must have that field; it stays in the source unless it is `_id`. An `_id` beside it is dropped:
    /// a source has no `_id` field. With `Some("_id")` records without one get their id from the index.
    ///
    /// `_bulk` files say their ids in the action line, and this is not looked at.
    pub id_field: Option<String>,
    /// The longest record (a line, an element of an array, a row) in bytes; 32 MiB by default. Longer ones are bad records, and
    /// are not held in memory. Elasticsearch's limit for a whole request is 100 MB.
    pub max_record_bytes: usize,
}

impl Options {
    /// See [`Options::max_record_bytes`].
    pub const DEFAULT_MAX_RECORD_BYTES: usize = 32 << 20;
}

impl Default for Options {
    fn default() -> Self {
        Self { format: Format::Auto, id_field: None, max_record_bytes: Self::DEFAULT_MAX_RECORD_BYTES }
    }
}

/// What kept something from being read.
#[derive(Debug)]
pub enum Fault {
    /// This record is bad; the ones after it are read. `--on-error` decides whether to go on.
    Record(Error),
    /// The rest of the input cannot be read (a truncated archive, a failing disk), or there was nothing in it at all. The iterator
    /// has ended, the input is incomplete, and a caller must not treat it as success.
    Input(Error),
}

impl Fault {
    /// The error, whichever it is.
    pub fn error(&self) -> &Error {
        match self {
            Fault::Record(error) | Fault::Input(error) => error,
        }
    }

    fn map(self, change: impl FnOnce(Error) -> Error) -> Self {
        match self {
            Fault::Record(error) => Fault::Record(change(error)),
            Fault::Input(error) => Fault::Input(change(error)),
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Record(error) | Fault::Input(error) => error,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error().fmt(f)
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(self.error())
    }
}

/// Splits one input into records, in order, without parsing them: that is done for a batch at once, on all cores.
trait RecordReader: Send {
    /// The next record; `None` at the end, and after a [`Fault::Input`].
    fn next_record(&mut self) -> Option<Result<Record, Fault>>;
}

/// The bytes of one record, before they are parsed.
enum Record {
    /// A JSON object that is a document.
    Object { line: u64, bytes: Vec<u8> },
    /// An action of `_bulk` with its source line.
    Bulk { action: bulk::ActionLine, source: Option<lines::Line> },
    /// A row of a CSV file.
    Row(csv::Row),
}

impl Record {
    /// The memory it holds, in bytes.
    fn num_bytes(&self) -> usize {
        match self {
            Record::Object { bytes, .. } => bytes.len(),
            Record::Bulk { source, .. } => source.as_ref().map_or(0, |line| line.bytes.len()) + 64,
            Record::Row(row) => row.num_bytes(),
        }
    }

    /// The action it stands for, and the line to name in later errors.
    fn parse(self, ids: &object::IdRules) -> Result<(Action, u64), Error> {
        match self {
            Record::Object { line, bytes } => jsonl::parse(line, &bytes, ids),
            Record::Bulk { action, source } => bulk::parse(action, source),
            Record::Row(row) => row.parse(ids),
        }
    }
}

#[cfg(test)]
mod tests;
