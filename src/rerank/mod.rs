//! Candidates to candidates: a cross-encoder reads the query and the best passages of the best candidates.
//!
//! In: fused candidates, best first, and a way to get a candidate's passages as text. Out: [`Reranked`]: the same candidates in
//! a new order, with what the cross-encoder said of each. The best candidates are read first, so that a time budget leaves
//! the best order that could be reached. Invariants: a candidate that was read stands above every candidate that was not;
//! those that were not keep their order; final scores fall from the first to the last; a model that fails changes nothing.
//!
//! Read next: [`budget`] (how much to read at once), [`combine`] (fused score and relevance to one score).

use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::fuse::FusedCandidate;
use crate::models::{CrossEncoder, PairScore, sigmoid};
use crate::plan::ResolvedRerank;
use crate::retrieve::PassageMatch;

pub mod budget;
pub mod combine;

use budget::Budget;

/// A passage as the cross-encoder reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassageText {
    /// Where it stands in the document; `None` for text that is no stored passage (a title put before it, a whole field).
    pub passage: Option<PassageMatch>,
    /// The text to read.
    pub text: String,
}

/// A candidate after re-ranking.
#[derive(Debug, Clone, PartialEq)]
pub struct RerankedCandidate {
    /// As fusion left it, its own score included.
    pub fused: FusedCandidate,
    /// The final score; larger is better, never NaN.
    pub score: f64,
    /// What the cross-encoder said; `None` where it did not read the document.
    pub rerank: Option<RerankPart>,
}

/// What the cross-encoder said of a document.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RerankPart {
    /// The rank after fusion, from 1.
    pub rank_before: u32,
    /// The rank after re-ranking and after the cut by relevance, from 1.
    pub rank_after: u32,
    /// The raw output for the best passage.
    pub logit: f32,
    /// `1 / (1 + exp(-logit))`, 0 to 1.
    pub relevance: f32,
    /// Tokens read, over all passages of the document.
    pub num_tokens: u32,
    /// Tokens of those passages that did not fit into the model's input.
    pub num_truncated_tokens: u32,
    /// The passage that scored best.
    pub passage: Option<PassageMatch>,
}

/// What came of re-ranking.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Reranked {
    /// Best first.
    pub candidates: Vec<RerankedCandidate>,
    /// Candidates that were to be read: the best `rerank_depth`, or all where they are fewer.
    pub num_asked: usize,
    /// Candidates that were read.
    pub num_read: usize,
    /// Pairs of query and passage that were scored.
    pub num_passages: usize,
    /// Tokens that the model read.
    pub num_tokens: u64,
    /// Candidates that were cut because their relevance is too low or unknown.
    pub num_cut: usize,
    /// Whether the time budget ended the reading before all were read.
    pub budget_exhausted: bool,
    /// Why the model failed; the order is then that of the fusion, and nothing was cut.
    pub failure: Option<Error>,
}

impl Reranked {
    /// The outcome where nothing is read: `candidates` in the order given, which is the fused one.
    pub fn unread(candidates: Vec<RerankedCandidate>) -> Self {
        Self { candidates, ..Self::default() }
    }
}

/// Re-ranks the best `params.rerank_depth` candidates.
///
/// * `candidates`: best first.
/// * `passages_of`: a candidate's passages, the best to read first; at most `params.passages` of them are read. It is called
///   for a candidate just before it is read. A candidate without passages is not read.
///
/// The best passage's logit is the document's. How it makes the final score is said in [`combine`]. Candidates that were
/// not read follow in their fused order, unless `params.min_score` cuts them. The time budget counts from the call; the first
/// few pairs are read however small it is.
///
/// # Errors
/// What `passages_of` fails with. A model that fails is no error but [`Reranked::failure`].
pub fn rerank(
    model: &dyn CrossEncoder,
    query: &str,
    candidates: Vec<FusedCandidate>,
    params: &ResolvedRerank,
    passages_of: impl FnMut(&FusedCandidate) -> Result<Vec<PassageText>>,
) -> Result<Reranked> {
    let started = Instant::now();
    rerank_by_clock(model, query, candidates, params, passages_of, &|| started.elapsed())
}

/// Re-ranks candidates whose logits are known already, exactly as [`rerank`] would; the time budget does not count.
///
/// * `logits`: of the best candidates, in their order; those beyond `params.rerank_depth` are ignored. `None` where a candidate
///   has no passage to read.
pub(crate) fn rerank_known(
    candidates: Vec<FusedCandidate>,
    logits: &[Option<f32>],
    params: &ResolvedRerank,
) -> Reranked {
    let num_asked = candidates.len().min(params.rerank_depth);
    let part = |(rank, logit): (u32, &Option<f32>)| {
        logit.map(|logit| RerankPart {
            rank_before: rank,
            rank_after: rank,
            logit,
            relevance: sigmoid(logit),
            num_tokens: 0,
            num_truncated_tokens: 0,
            passage: None,
        })
    };
    let mut parts: Vec<Option<RerankPart>> = (1..).zip(logits.iter().take(num_asked)).map(part).collect();
    parts.resize(num_asked, None);
    let num_read = parts.iter().flatten().count();
    let mut outcome = Reranked { num_asked, num_read, ..Reranked::default() };
    arrange(&mut outcome, candidates, parts, params);
    outcome
}

fn rerank_by_clock(
    model: &dyn CrossEncoder,
    query: &str,
    candidates: Vec<FusedCandidate>,
    params: &ResolvedRerank,
    mut passages_of: impl FnMut(&FusedCandidate) -> Result<Vec<PassageText>>,
    elapsed: &dyn Fn() -> Duration,
) -> Result<Reranked> {
    let num_asked = candidates.len().min(params.rerank_depth);
    let mut outcome = Reranked { num_asked, ..Reranked::default() };
    let mut parts: Vec<Option<RerankPart>> = vec![None; num_asked];
    let mut budget = Budget::new(params.budget, elapsed);
    let mut next = 0;
    while next < num_asked {
        let Some(num_pairs) = budget.next_slice() else {
            outcome.budget_exhausted = true;
            break;
        };
        let slice = gather(&candidates[..num_asked], next, num_pairs, params.passages, &mut passages_of)?;
        let first = next;
        next += slice.len();
        match read(model, query, &slice) {
            Ok(scores) => {
                budget.spent(scores.len());
                outcome.num_passages += scores.len();
                outcome.num_tokens += scores.iter().map(|score| u64::from(score.num_tokens)).sum::<u64>();
                for (idx, part) in (first..).zip(best_passages(&slice, &scores, first)) {
                    parts[idx] = part;
                }
            }
            Err(failure) => {
                let candidates = candidates.into_iter().map(unread).collect();
                return Ok(Reranked { num_asked, failure: Some(failure), ..Reranked::unread(candidates) });
            }
        }
    }
    outcome.num_read = parts.iter().flatten().count();
    arrange(&mut outcome, candidates, parts, params);
    Ok(outcome)
}

/// The passages of the next candidates, until there are `num_pairs`; at least one candidate.
fn gather(
    candidates: &[FusedCandidate],
    first: usize,
    num_pairs: usize,
    passages_each: usize,
    passages_of: &mut impl FnMut(&FusedCandidate) -> Result<Vec<PassageText>>,
) -> Result<Vec<Vec<PassageText>>> {
    let mut slice: Vec<Vec<PassageText>> = Vec::new();
    let mut gathered = 0;
    for candidate in &candidates[first..] {
        let mut passages = passages_of(candidate)?;
        passages.truncate(passages_each);
        gathered += passages.len();
        slice.push(passages);
        if gathered >= num_pairs {
            break;
        }
    }
    Ok(slice)
}

/// One score a passage, in the order of the slice.
fn read(model: &dyn CrossEncoder, query: &str, slice: &[Vec<PassageText>]) -> Result<Vec<PairScore>> {
    let texts: Vec<&str> = slice.iter().flatten().map(|passage| passage.text.as_str()).collect();
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let scores = model.score(query, &texts)?;
    if scores.len() != texts.len() {
        let (num_scores, num_texts) = (scores.len(), texts.len());
        return Err(Error::model(format!("the cross-encoder gave {num_scores} scores for {num_texts} passages")));
    }
    if scores.iter().any(|score| score.logit.is_nan()) {
        return Err(Error::model("the cross-encoder gave a score that is not a number; check the model's file"));
    }
    Ok(scores)
}

/// Each candidate's best passage; the earlier of two equal ones.
fn best_passages(slice: &[Vec<PassageText>], scores: &[PairScore], first: usize) -> Vec<Option<RerankPart>> {
    let mut rest = scores;
    let mut parts = Vec::with_capacity(slice.len());
    for (idx, passages) in slice.iter().enumerate() {
        let (own, after) = rest.split_at(passages.len());
        rest = after;
        let mut best: Option<(&PassageText, &PairScore)> = None;
        for (passage, score) in passages.iter().zip(own) {
            if best.is_none_or(|(_, known)| score.logit > known.logit) {
                best = Some((passage, score));
            }
        }
        let rank = u32::try_from(first + idx + 1).unwrap_or(u32::MAX);
        parts.push(best.map(|(passage, score)| RerankPart {
            rank_before: rank,
            rank_after: rank,
            logit: score.logit,
            relevance: score.relevance,
            num_tokens: own.iter().map(|score| score.num_tokens).sum(),
            num_truncated_tokens: own.iter().map(|score| score.num_truncated_tokens).sum(),
            passage: passage.passage,
        }));
    }
    parts
}

fn unread(fused: FusedCandidate) -> RerankedCandidate {
    RerankedCandidate { score: fused.score, fused, rerank: None }
}

/// Read candidates in their new order, then the others; cut; ranks counted anew.
fn arrange(
    outcome: &mut Reranked,
    candidates: Vec<FusedCandidate>,
    parts: Vec<Option<RerankPart>>,
    params: &ResolvedRerank,
) {
    let all = candidates.len();
    let (mut read, mut rest): (Vec<RerankedCandidate>, Vec<RerankedCandidate>) = candidates
        .into_iter()
        .zip(parts.into_iter().chain(std::iter::repeat(None)))
        .map(|(fused, rerank)| RerankedCandidate { score: fused.score, fused, rerank })
        .partition(|candidate| candidate.rerank.is_some());
    combine::set_final_scores(&mut read, params.weight);
    read.sort_by(|a, b| {
        let logit = |candidate: &RerankedCandidate| candidate.rerank.map_or(f32::NEG_INFINITY, |part| part.logit);
        // Relevances of very sure answers are equal when printed; their logits still tell them apart.
        let order = b.score.total_cmp(&a.score).then_with(|| logit(b).total_cmp(&logit(a)));
        order.then_with(|| a.fused.id.cmp(&b.fused.id))
    });
    if let Some(min_score) = params.min_score {
        read.retain(|candidate| candidate.rerank.is_some_and(|part| f64::from(part.relevance) >= min_score));
        rest.clear();
    }
    if let Some(last) = read.last() {
        combine::put_below(&mut rest, last.score);
    }
    read.append(&mut rest);
    for (rank, candidate) in (1u32..).zip(&mut read) {
        if let Some(part) = &mut candidate.rerank {
            part.rank_after = rank;
        }
    }
    outcome.num_cut = all - read.len();
    outcome.candidates = read;
}

#[cfg(test)]
mod tests;
