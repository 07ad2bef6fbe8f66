//! The lexical view: text to terms, BM25 in Elasticsearch's numbers, and the engine that finds the best of a union of terms.
//!
//! In: texts (when indexing) or weighted terms (when searching). Out: encoded tokens for Tantivy, or the best documents of a
//! segment. Invariant: positions, lengths and statistics are ours and follow Lucene; Tantivy keeps postings only.
//! Read next: [`analyzers`] (what a term is), [`registry`] (those that an index defines), [`graph`] (terms of a query that span several
//! positions), [`fields`] (what a searcher knows of a field), [`bm25`], [`top_k`].

pub mod analyzers;
pub mod registry;

mod built_in;
mod definitions;

mod char_filters;
mod html_strip;

mod path_hierarchy;
mod tokenizers;

mod filters;
mod folding;
mod normalizations;
mod porter;
mod stemmers;
mod stopwords;
pub mod stream;
mod stream_filters;

pub mod analyze;
pub mod graph;

mod categories;
mod java_regex;

pub mod bm25;
pub mod collector;
pub mod encoded_tokens;
pub mod fields;
pub mod top_k;

pub use analyzers::{Analyzer, Token};
pub use bm25::Bm25Params;
pub use fields::{FieldKind, FieldTable, LexicalField};
pub use graph::{GraphStep, TokenGraph};
pub use registry::{Analyzers, Part};
