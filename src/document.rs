//! The nouns that every stage shares: a document, its id, and the passages it is cut into.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The user's `_id` of a document. Cheap to clone; ordered by bytes, which is the order of ties from fusion on.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentId(Arc<str>);

impl DocumentId {
    /// The longest `_id` that is accepted, in bytes, as in Elasticsearch.
    pub const MAX_BYTES: usize = 512;

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for DocumentId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

impl From<String> for DocumentId {
    fn from(id: String) -> Self {
        Self(id.into())
    }
}

impl Serialize for DocumentId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DocumentId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl schemars::JsonSchema for DocumentId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DocumentId".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        String::json_schema(generator)
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A document as the user gave it: an id and a JSON object. The object is returned as `_source`, unchanged.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The user's `_id`; `None` lets the index give one.
    pub id: Option<DocumentId>,
    /// The fields.
    pub source: serde_json::Map<String, serde_json::Value>,
}

/// A stretch of one text value of a document, the unit that is embedded and that the cross-encoder reads.
///
/// # Stability
/// Spans are stored in segments (see `index/dense/format.rs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PassageSpan {
    /// Which text of the field, counted from 0: a field that holds an array of texts has several.
    pub value_idx: u32,
    /// First byte of the passage within that text.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl PassageSpan {
    /// The byte range within the text.
    pub fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}
