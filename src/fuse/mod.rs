//! Candidates of several legs to one list.
//!
//! In: one [`LegRun`] a leg, each best first. Out: [`FusedCandidate`]s, best first, each with the part that every leg had in
//! it, so that every hit can say where it comes from. Ties go by ascending [`DocumentId`], so that the order of the legs and
//! a merge of segments change nothing. Invariant: pure functions over values, no index and no I/O; scores are never NaN.
//!
//! Read next: [`rrf`](mod@rrf) (ranks), [`weighted_sum`](mod@weighted_sum) (scores), [`normalize`] (scales of scores).

use crate::document::DocumentId;
use crate::plan::ResolvedFusion;
use crate::retrieve::{Candidate, DocLocator, PassageMatch};

mod join;
pub mod normalize;
pub mod rrf;
pub mod weighted_sum;

pub use normalize::{LegScale, normalize};
pub use rrf::rrf;
pub use weighted_sum::weighted_sum;

/// What one leg returned.
#[derive(Debug, Clone, Copy)]
pub struct LegRun<'a> {
    /// The leg's share; finite and at least 0 (the plan has seen to it).
    pub weight: f64,
    /// Best first, each document once (a second occurrence is ignored), scores not NaN; may be empty.
    pub candidates: &'a [Candidate],
}

/// A document with its fused score and where that came from.
#[derive(Debug, Clone, PartialEq)]
pub struct FusedCandidate {
    /// The user's id.
    pub id: DocumentId,
    /// Where it lies in the searcher's snapshot, if any leg knew.
    pub locator: Option<DocLocator>,
    /// The matching passage of the leg that contributed most among those that know a passage.
    pub passage: Option<PassageMatch>,
    /// Larger is better; never NaN.
    pub score: f64,
    /// One a leg, in the legs' order; `score` is the sum of their contributions.
    pub parts: Vec<LegPart>,
}

/// What one leg had in a document's fused score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LegPart {
    /// The document's rank in the leg, from 1; `None` where the leg did not return it.
    pub rank: Option<u32>,
    /// The leg's own score; `None` where the leg did not return it.
    pub score: Option<f32>,
    /// The score on the common scale, or what stands for it where the leg did not return the document; `None` where ranks decide.
    pub normalized: Option<f64>,
    /// The leg's weight.
    pub weight: f64,
    /// What was added to the fused score.
    pub contribution: f64,
}

/// Fuses as the plan says. Without fusion (`None`) the scores of the only leg are kept as they are.
///
/// * `runs`: one a leg, in the plan's order. With several runs and no fusion their scores are summed with their weights.
///
/// Returns the union of all candidates, best first, ties by ascending [`DocumentId`]. O(n log n).
pub fn fuse(runs: &[LegRun<'_>], fusion: Option<&ResolvedFusion>) -> Vec<FusedCandidate> {
    match fusion {
        Some(ResolvedFusion::Rrf(params)) => rrf(runs, params),
        Some(ResolvedFusion::WeightedSum { normalizer }) => weighted_sum(runs, *normalizer),
        None => weighted_sum(runs, crate::plan::Normalizer::None),
    }
}

#[cfg(test)]
mod tests;
