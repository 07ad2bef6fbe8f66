//! A run: what a plan, or any other system, returned for each query.

use std::collections::HashMap;
use std::path::Path;

use crate::document::DocumentId;
use crate::error::Result;

/// A retrieved document.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredDocument {
    /// Its id.
    pub id: DocumentId,
    /// Its score, larger is better; finite.
    pub score: f64,
}

/// The documents of each query, by the query's id. Their order does not matter to measures, which sort as trec_eval does.
pub type Rankings = HashMap<String, Vec<ScoredDocument>>;

/// A named run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Run {
    /// The tag: the plan's name, or what the file says.
    pub name: String,
    /// The documents of each query.
    pub rankings: Rankings,
}

impl Run {
    /// Reads a TREC run (`query Q0 document rank score tag`, gzip where the name ends in `.gz`); the rank column is ignored.
    ///
    /// # Errors
    /// `NotFound` when the file is missing; `InvalidInput` with file and line for a malformed line, a score that is no finite
    /// number, or a document that a query has twice.
    pub fn read(file: &Path) -> Result<Self> {
        let _ = file;
        unimplemented!("helper data")
    }
}

/// Sorts as trec_eval does: score descending, then document id descending.
pub fn sort_as_trec_eval(ranking: &mut [ScoredDocument]) {
    ranking.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| b.id.cmp(&a.id)));
}
