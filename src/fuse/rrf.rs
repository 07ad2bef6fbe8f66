//! Reciprocal rank fusion: ranks decide, scores do not.

use super::{FusedCandidate, LegPart, LegRun, join::join};
use crate::plan::{ResolvedRrf, RrfDialect};

/// Fuses runs by reciprocal rank: each document scores the sum over runs of `weight / (rank_constant + rank)`.
///
/// * `runs`: one a leg, each best first; lengths may differ and may be zero. Input scores are ignored.
/// * `params.rank_constant`: at least 1; 60 in the paper. Rank counts from 1.
/// * `params.dialect`: changes the formula as [`RrfDialect`] says.
/// * `params.rank_window_size`: each run is cut to it before, and the answer after.
///
/// Returns the union of all candidates, best first, ties by ascending [`DocumentId`](crate::DocumentId); scores lie in
/// `0..=sum of weights / (rank_constant + 1)` in the standard dialect. A run that did not return a document adds nothing.
/// O(n log n) in the total number of candidates.
///
/// Source: Cormack, Clarke, Büttcher, SIGIR 2009 (<https://doi.org/10.1145/1571941.1572114>).
pub fn rrf(runs: &[LegRun<'_>], params: &ResolvedRrf) -> Vec<FusedCandidate> {
    let window = params.rank_window_size.unwrap_or(usize::MAX);
    let runs: Vec<LegRun<'_>> = runs
        .iter()
        .map(|run| LegRun { weight: run.weight, candidates: &run.candidates[..run.candidates.len().min(window)] })
        .collect();
    let missing: Vec<LegPart> = runs
        .iter()
        .map(|run| LegPart { rank: None, score: None, normalized: None, weight: run.weight, contribution: 0.0 })
        .collect();
    let mut fused = join(&runs, &missing, |leg_idx, rank, score| LegPart {
        rank: Some(rank),
        score: Some(score),
        contribution: worth(params, runs[leg_idx].weight, rank),
        ..missing[leg_idx]
    });
    fused.truncate(window);
    fused
}

/// What a rank, counted from 1, adds.
fn worth(params: &ResolvedRrf, weight: f64, rank: u32) -> f64 {
    let (constant, rank) = (f64::from(params.rank_constant), f64::from(rank));
    match params.dialect {
        RrfDialect::Standard | RrfDialect::Elasticsearch => weight / (constant + rank),
        RrfDialect::ZeroBased => weight / (constant + rank - 1.0),
        RrfDialect::Qdrant if weight <= 0.0 => 0.0,
        RrfDialect::Qdrant => 1.0 / (constant + rank / weight - 1.0),
    }
}
