//! Queries by vectors, and sets of documents that were found before.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Query;

/// [`Query::Knn`](super::Query::Knn): the documents whose vectors are closest, with Elasticsearch's `_score`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KnnQuery {
    /// A vector or semantic field's name.
    pub field: String,
    /// `[dims]`; `None` has `text` embedded by the field's model.
    #[serde(default)]
    pub vector: Option<Vec<f32>>,
    /// What is embedded where there is no vector.
    #[serde(default)]
    pub text: Option<String>,
    /// The bi-encoder that embeds `text`; `None` for the field's own.
    #[serde(default)]
    pub model: Option<String>,
    /// The most documents.
    pub k: usize,
    /// The breadth of graph walks, at least `k`.
    #[serde(default)]
    pub num_candidates: Option<usize>,
    /// Only documents with at least this similarity (for `l2_norm`: at most this distance).
    #[serde(default)]
    pub similarity: Option<f32>,
    /// Only documents that match these.
    #[serde(default)]
    pub filter: Vec<Query>,
    /// The field lies in nested objects, and whole documents are looked for: each counts with its closest object.
    #[serde(default)]
    pub whole_documents: bool,
}

/// Documents of one snapshot with their scores, found before. Never written or read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScoredDocs {
    /// (segment, document, score), ascending.
    pub docs: Arc<Vec<(u32, u32, f32)>>,
    /// The vector query that found them, for what is shown of a hit: the other objects of a document, the passages that are close.
    pub found_by: Option<Arc<KnnQuery>>,
}

impl ScoredDocs {
    /// Sorts documents by their place.
    pub fn new(mut docs: Vec<(u32, u32, f32)>) -> Self {
        docs.sort_unstable_by_key(|&(segment, doc, _)| (segment, doc));
        Self { docs: Arc::new(docs), found_by: None }
    }
}
