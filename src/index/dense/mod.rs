//! The dense view: vectors that are written, merged and deleted with the segment they belong to.
//!
//! In: a document's vectors ([`VectorValue`]) in a Tantivy custom field ([`VectorFieldParams::add_to`]). Out: the documents
//! closest to a query vector ([`DenseReader::search`]), of one searcher snapshot. Invariant: a snapshot's vectors are those of its
//! alive documents, no more, no less; exact search equals a comparison with every one of them.
//!
//! Every index registers [`VectorPlugin`] from its creation, vectors or not. It writes two files a segment: `vec`, the numbers
//! (`format.rs`), and `graph`, the HNSW graphs of large segments (`graph.rs`), which merges build ([`GraphMergePolicy`]).
//! Read on in `plugin.rs` (how a segment comes to be), `exact.rs` (how it is scanned) and `reader.rs` (how it is searched).

mod params;
mod value;

mod bytes;
mod distance;
mod quantize;

mod field;
mod format;
mod write;

mod graph;
mod merge_policy;
mod plugin;

mod exact;
mod reader;

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "a test's numbers are small")]
pub(crate) mod model_tests;

pub use distance::simd_level;
pub use merge_policy::GraphMergePolicy;
pub use params::{Element, IndexKind, MAX_DIMS, Similarity, VECTOR_FIELD_TYPE, VectorFieldParams};
pub use plugin::{HNSW_MIN_VECTORS, VectorPlugin};
pub use reader::{DenseCache, DenseCost, DenseHit, DenseHits, DenseMode, DenseQuery, DenseReader};
pub use value::VectorValue;
