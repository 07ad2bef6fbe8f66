//! One writer, one searcher snapshot, two views.

pub mod dense;
pub mod lexical;
