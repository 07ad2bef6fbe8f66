//! The weighted sum of normalised scores.

use super::{FusedCandidate, LegPart, LegRun, join::join, normalize};
use crate::plan::Normalizer;

/// Fuses runs by the sum over runs of `weight * normalised score`.
///
/// * `runs`: one a leg, each best first; lengths may differ and may be zero. Scores are put on one scale per run, over all
///   its candidates: cutting a run changes the scale.
/// * `normalizer`: the scale, and what a document gets from a run that did not return it; see [`Normalizer`].
///
/// Returns the union of all candidates, best first, ties by ascending [`DocumentId`](crate::DocumentId). A single run keeps
/// its order. O(n log n) in the total number of candidates.
///
/// Source: Fox and Shaw, TREC-2, 1994 (CombSUM); Montague and Aslam, CIKM 2001 (the normalisers).
pub fn weighted_sum(runs: &[LegRun<'_>], normalizer: Normalizer) -> Vec<FusedCandidate> {
    let scales: Vec<_> =
        runs.iter().map(|run| normalize(normalizer, run.candidates.iter().map(|candidate| candidate.score))).collect();
    let part = |weight: f64, rank: Option<u32>, score: Option<f32>, normalized: f64| LegPart {
        rank,
        score,
        normalized: Some(normalized),
        weight,
        contribution: weight * normalized,
    };
    let missing: Vec<LegPart> =
        runs.iter().zip(&scales).map(|(run, scale)| part(run.weight, None, None, scale.missing)).collect();
    join(runs, &missing, |leg_idx, rank, score| {
        part(runs[leg_idx].weight, Some(rank), Some(score), scales[leg_idx].apply(score))
    })
}
