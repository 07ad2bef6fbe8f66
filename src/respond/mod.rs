//! Candidates to hits: what the user sees, and where each score comes from.
//!
//! In: re-ranked candidates with the facts that every stage left behind. Out: a [`SearchResponse`], which the command line
//! prints, `--json` writes and the server will send. Invariant: provenance is always there, copied from what the stages know
//! already; nothing is computed for it.
//!
//! Read next: [`hit`] (the response), [`highlight`] (fragments of text), [`explain`] (why a document is not among the hits).

pub mod explain;
pub mod highlight;
pub mod hit;

pub use explain::WhyNot;
pub use highlight::{Fragment, HighlightStyle, best_fragment, best_fragments, mark};
pub use hit::{
    Cost, FusedProvenance, Hit, LegProvenance, PassageProvenance, Provenance, RerankProvenance, SearchResponse,
    StageCost, Warning,
};
