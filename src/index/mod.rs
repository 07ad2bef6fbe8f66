//! One writer, one searcher snapshot, two views.

pub mod columns;
pub mod dense;
pub mod lexical;
pub mod schema_extension;
