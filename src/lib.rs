//! Bifocal: one index, two views. BM25 and embeddings return candidates; they are fused and re-ranked.

pub mod chunk;
pub mod document;
pub mod error;
pub mod eval;
pub mod fuse;
pub mod index;
pub mod ingest;
pub mod models;
pub mod plan;
pub mod rerank;
pub mod respond;
pub mod retrieve;
pub mod schema;

pub use document::{Document, DocumentId, PassageSpan};
pub use error::{Error, ErrorKind, Location, Result};
