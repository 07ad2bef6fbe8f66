//! Query to candidates: the legs.
//!
//! In: a searcher snapshot, a query, a leg of the plan. Out: at most `depth` scored [`Candidate`]s, best first, larger is
//! closer. Ties inside a leg go by the place in the index; from fusion on by [`DocumentId`].

pub mod collect;
pub mod dense;
pub mod lexical;
pub mod query;
pub mod query_syntax;
mod searcher;

use crate::document::{DocumentId, PassageSpan};

pub use searcher::Searcher;

/// A scored document inside the pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The user's id.
    pub id: DocumentId,
    /// Larger is closer; never NaN.
    pub score: f32,
    /// The passage that gave a dense score, with the semantic field it belongs to.
    pub passage: Option<PassageMatch>,
    /// Where the document lies in this snapshot; only `index` and `retrieve` look inside. `None` for a remote leg.
    pub locator: Option<DocLocator>,
}

/// Which passage of a document matched best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct PassageMatch {
    /// The place within the field's text.
    #[serde(flatten)]
    pub span: PassageSpan,
}

/// A document's place in one searcher snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocLocator(pub(crate) tantivy::DocAddress);
