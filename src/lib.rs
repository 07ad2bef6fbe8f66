//! Bifocal: one index, two views. A Tantivy BM25 index and an embedding index both return candidates; they are fused and
//! passed to a cross-encoder. Which legs run, and how, is said by a search plan.
//!
//! ```
//! use std::sync::Arc;
//! use bifocal::models::{ModelOptions, Models};
//! use bifocal::plan::Plan;
//! use bifocal::{Index, SearchRequest, Searcher, schema::IndexDefinition, search};
//!
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path().join("books.idx");
//! let models = Arc::new(Models::new(ModelOptions::default()));
//! let definition = IndexDefinition::parse(r#"{"mappings": {"properties": {"title": {"type": "text"}}}}"#)?;
//! let index = Index::create(&folder, &definition, models.clone())?;
//! let mut writer = index.writer()?;
//! writer.add(r#"{"_id": "1", "title": "A wing in a slipstream"}"#)?;
//! writer.commit()?;
//! let plan = Plan::parse("lexical")?;
//! let response = search(&Searcher::open(&index)?, &models, &SearchRequest::new("wing"), &plan)?;
//! assert_eq!(response.hits[0].id.as_str(), "1");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | step | what it does | folder |
//! |---|---|---|
//! | ingest | files to documents | [`ingest`] |
//! | chunk | texts to passages | [`chunk`] |
//! | index | documents to segments with a lexical and a dense view | [`index`](mod@index) |
//! | retrieve | a query to candidates, leg by leg | [`retrieve`] |
//! | fuse | candidates of several legs to one list | [`fuse`] |
//! | rerank | a cross-encoder reads the best | [`rerank`] |
//! | respond | candidates to hits with provenance | [`respond`] |
//!
//! Beside the flow stand [`plan`] (what to do), [`schema`] (what an index holds), [`models`] (what embeds and re-ranks) and
//! [`eval`] (how good it is). [`search`](mod@search) wires the query's half.
//!
//! [`store`] keeps indices durable while they are written and searched.
//!
//! Features: `cli` adds the command line, `server` Elasticsearch's REST API, `hub` models by name from the Hugging Face hub. The
//! library builds with none.

pub mod aggregate;
pub mod chunk;
#[cfg(feature = "cli")]
pub mod cli;
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
pub mod search;
#[cfg(feature = "server")]
pub mod server;
pub mod store;

pub use document::{Document, DocumentId, PassageSpan};
pub use error::{Error, ErrorKind, Location, Result};
pub use index::Index;
pub use retrieve::Searcher;
pub use search::{SearchRequest, search};
