//! Per-document columns beside Tantivy's segments: the user's ids, content hashes, and the lengths of text fields.
//!
//! In: documents as they are indexed or merged. Out: a [`ColumnsReader`] a segment. Tantivy's store would decompress a block
//! to name a hit, and its merger fails where an old segment lacks a field's norms; this plugin does neither. Invariant: what
//! lies here has one entry a document of the segment, deleted ones included. Read next: [`plugin`], [`reader`], [`format`].

pub mod format;
pub mod plugin;
pub mod reader;

pub use plugin::ColumnsPlugin;
pub use reader::{ColumnsReader, FieldLengths};

/// The extension of the plugin's file in a segment.
pub const EXTENSION: &str = "col";
/// The field of Tantivy's schema that holds a document's id.
pub const ID_FIELD: &str = "_id";
/// The field (u64) that holds the hash of a document's content, for those who give one.
pub const HASH_FIELD: &str = "_hash";
