//! Many plans over the same queries: every leg is retrieved once, and so is every pair that a cross-encoder reads.
//!
//! Read next: `readings` (the pairs), [`sweep`](super::sweep) (where so many plans come from), [`latency`](super::latency) (what a
//! query costs when nothing is kept).

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;

use super::readings::Readings;
use super::run::{Rankings, Run, ScoredDocument};
use crate::error::Result;
use crate::fuse::{FusedCandidate, LegRun, fuse};
use crate::models::Models;
use crate::plan::{ResolvedLeg, ResolvedLegKind, ResolvedPlan};
use crate::rerank::{self, RerankedCandidate};
use crate::retrieve::query_syntax::QuerySyntax;
use crate::retrieve::{Candidate, Searcher};
use crate::search::batch::{self, embed_for};
use crate::search::{Fetch, SearchRequest, filter_by, run_leg};

/// Answers queries under many plans. What legs return depends on the leg and the filter alone, so it is kept and used again, cut
/// to the depth that a plan asks for. A leg that walks a graph may find other documents at another depth; it is run anew for
/// each depth, so that every plan sees what a search by it sees.
#[derive(Debug)]
pub struct Collector<'a> {
    pub(super) searcher: &'a Searcher,
    pub(super) models: &'a Models,
    pub(super) queries: &'a [(String, String)],
    /// Only these documents are candidates, by query id.
    among: Option<&'a batch::Candidates>,
    /// Legs are retrieved at least this deep.
    min_depth: usize,
    pub(super) check: fn() -> Result<()>,
    /// Query vectors by semantic field, in the order of the queries; empty for a query without words.
    vectors: BTreeMap<String, Arc<Vec<Vec<f32>>>>,
    legs: Vec<KnownLeg>,
    pub(super) readings: Readings,
}

/// One list a query, best first, in the order of the queries.
pub type LegCandidates = Arc<Vec<Vec<Candidate>>>;

/// A leg that was retrieved.
#[derive(Debug)]
struct KnownLeg {
    key: LegKey,
    depth: usize,
    candidates: LegCandidates,
}

/// What decides a leg's candidates, but for their number.
#[derive(Debug, PartialEq)]
struct LegKey {
    kind: ResolvedLegKind,
    filter: Option<String>,
    /// The depth, where a graph is walked.
    walked_depth: Option<usize>,
}

impl KnownLeg {
    /// Whether it serves a plan that asks for `depth` candidates.
    fn serves(&self, key: &LegKey, depth: usize) -> bool {
        let has_all = || self.candidates.iter().all(|list| list.len() < self.depth);
        self.key == *key && (self.depth >= depth || has_all())
    }
}

impl<'a> Collector<'a> {
    /// For these queries (id, text).
    pub fn new(searcher: &'a Searcher, models: &'a Models, queries: &'a [(String, String)]) -> Self {
        Self {
            searcher,
            models,
            queries,
            among: None,
            min_depth: 0,
            check: || Ok(()),
            vectors: BTreeMap::new(),
            legs: Vec::new(),
            readings: Readings::default(),
        }
    }

    /// Lets only the documents named here for a query be its candidates; a query that is missing here has none.
    #[must_use]
    pub fn among(mut self, candidates: Option<&'a batch::Candidates>) -> Self {
        self.among = candidates;
        self
    }

    /// Retrieves every leg at least this deep from the start, so that a deeper plan that comes later finds it done.
    #[must_use]
    pub fn at_least(mut self, depth: usize) -> Self {
        self.min_depth = depth;
        self
    }

    /// Asks `check` between queries whether to go on; its error ends the work.
    #[must_use]
    pub fn checking(mut self, check: fn() -> Result<()>) -> Self {
        self.check = check;
        self
    }

    /// Fails when the work is to end.
    pub(super) fn check(&self) -> Result<()> {
        (self.check)()
    }

    /// What a leg returns, `depth` candidates at most.
    ///
    /// # Errors
    /// As [`search_resolved`](crate::search::search_resolved).
    pub fn leg(&mut self, leg: &ResolvedLeg, filter: Option<&str>, depth: usize) -> Result<LegCandidates> {
        let known = self.known(leg, filter, depth)?;
        let Some(found) = self.legs.get(known).map(|known| known.candidates.clone()) else { return Ok(Arc::default()) };
        if found.iter().all(|list| list.len() <= depth) {
            return Ok(found);
        }
        Ok(Arc::new(found.iter().map(|list| list.iter().take(depth).cloned().collect()).collect()))
    }

    /// The plan's fused candidates, all of them.
    ///
    /// # Errors
    /// As [`search_resolved`](crate::search::search_resolved).
    pub fn fused(&mut self, plan: &ResolvedPlan) -> Result<Vec<Vec<FusedCandidate>>> {
        let filter = plan.filter.as_deref();
        let places: Vec<usize> =
            plan.legs.iter().map(|leg| self.known(leg, filter, leg.depth)).collect::<Result<_>>()?;
        let known: Vec<(&ResolvedLeg, &LegCandidates)> = plan
            .legs
            .iter()
            .zip(places)
            .filter_map(|(leg, place)| Some((leg, &self.legs.get(place)?.candidates)))
            .collect();
        let fused = |query_idx: usize| {
            let runs: Vec<LegRun<'_>> = known
                .iter()
                .map(|(leg, lists)| {
                    let all = lists.get(query_idx).map_or(&[][..], Vec::as_slice);
                    LegRun { weight: leg.weight, candidates: all.get(..leg.depth).unwrap_or(all) }
                })
                .collect();
            fuse(&runs, plan.fusion.as_ref())
        };
        Ok((0..self.queries.len()).into_par_iter().map(fused).collect())
    }

    /// The cross-encoder's logits of the first `depth` fused candidates of each query (`plan.rerank` says which model and how many
    /// passages); remembered in the cache of embeddings. `progress` is called with the number of queries done.
    ///
    /// A candidate without a text to read gets the lowest logit of its query, so that it stands below those that were read.
    ///
    /// # Errors
    /// As [`search_resolved`](crate::search::search_resolved), and `Model` where the cross-encoder fails.
    pub fn logits(
        &mut self,
        plan: &ResolvedPlan,
        fused: &[Vec<FusedCandidate>],
        depth: usize,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Vec<f32>>> {
        let read = self.read(plan, fused, depth, progress)?;
        let without_gaps = |logits: Vec<Option<f32>>| {
            let lowest = logits.iter().flatten().copied().fold(f32::INFINITY, f32::min);
            let lowest = if lowest.is_finite() { lowest } else { 0.0 };
            logits.into_iter().map(|logit| logit.unwrap_or(lowest)).collect()
        };
        Ok(read.into_iter().map(without_gaps).collect())
    }

    /// The plan's run, `plan.size` documents a query: exactly what [`search_resolved`](crate::search::search_resolved) returns,
    /// but that a time budget of the re-ranking does not count. Queries without hits are left out, as in a run's file.
    ///
    /// # Errors
    /// As [`Collector::logits`].
    pub fn run(&mut self, plan: &ResolvedPlan) -> Result<Run> {
        let fused = self.fused(plan)?;
        let ranked: Vec<Vec<RerankedCandidate>> = match &plan.rerank {
            None => fused.into_iter().map(|list| crate::search::without_reranking(list).candidates).collect(),
            Some(params) => {
                let logits = self.read(plan, &fused, params.rerank_depth, &mut |_| ())?;
                let arrange = |(list, logits): (Vec<FusedCandidate>, Vec<Option<f32>>)| {
                    rerank::rerank_known(list, &logits, params).candidates
                };
                fused.into_iter().zip(logits).map(arrange).collect()
            }
        };
        let mut rankings = Rankings::new();
        for ((id, _), candidates) in self.queries.iter().zip(ranked) {
            let kept: Vec<ScoredDocument> = candidates
                .into_iter()
                .filter(|candidate| plan.min_score.is_none_or(|min| candidate.score >= min))
                .skip(plan.offset)
                .take(plan.size)
                .map(|candidate| ScoredDocument { id: candidate.fused.id, score: candidate.score })
                .collect();
            if !kept.is_empty() {
                rankings.insert(id.clone(), kept);
            }
        }
        Ok(Run { name: plan.name.clone(), rankings })
    }

    /// The vectors of the queries for a semantic field, in their order; queries without words are left out.
    ///
    /// # Errors
    /// `NotFound` when there is no such field; `Model` and `ModelMismatch` when the queries cannot be embedded.
    pub fn query_vectors(&mut self, field: &str) -> Result<Vec<Vec<f32>>> {
        let rows = self.vectors_of(field)?;
        Ok(rows.iter().filter(|row| !row.is_empty()).cloned().collect())
    }

    /// The place of a leg that was retrieved deep enough; retrieves it where there is none.
    fn known(&mut self, leg: &ResolvedLeg, filter: Option<&str>, depth: usize) -> Result<usize> {
        let key = self.key(leg, filter, depth);
        if let Some(place) = self.legs.iter().position(|known| known.serves(&key, depth)) {
            return Ok(place);
        }
        let deep = if key.walked_depth.is_some() { depth } else { depth.max(self.min_depth) };
        let candidates = Arc::new(self.retrieve(leg, filter, deep)?);
        let found = KnownLeg { key, depth: deep, candidates };
        match self.legs.iter_mut().position(|known| known.key == found.key) {
            Some(place) => {
                if let Some(known) = self.legs.get_mut(place) {
                    *known = found;
                }
                Ok(place)
            }
            None => {
                self.legs.push(found);
                Ok(self.legs.len() - 1)
            }
        }
    }

    fn key(&self, leg: &ResolvedLeg, filter: Option<&str>, depth: usize) -> LegKey {
        let mut kind = leg.kind.clone();
        let mut walked_depth = None;
        if let ResolvedLegKind::Dense(dense) = &mut kind {
            if dense.exact || !self.searcher.dense().has_graph(&dense.field) {
                // Every vector is compared, whatever the breadth of walks.
                (dense.exact, dense.num_candidates) = (true, 0);
            } else {
                walked_depth = Some(depth);
            }
        }
        LegKey { kind, filter: filter.map(str::to_string), walked_depth }
    }

    /// The leg's candidates of every query.
    fn retrieve(&mut self, leg: &ResolvedLeg, filter: Option<&str>, depth: usize) -> Result<Vec<Vec<Candidate>>> {
        let mut leg = ResolvedLeg { depth, ..leg.clone() };
        let vectors = match &mut leg.kind {
            ResolvedLegKind::Dense(dense) => {
                dense.num_candidates = dense.num_candidates.max(depth);
                Some((dense.field.clone(), self.vectors_of(&dense.field)?))
            }
            ResolvedLegKind::Lexical(_) => None,
        };
        let of_all = if self.among.is_none() { filter_by(self.searcher, filter, None)? } else { None };
        let candidates = |(idx, (id, text)): (usize, &(String, String))| -> Result<Vec<Candidate>> {
            self.check()?;
            let mut request = SearchRequest {
                text: text.clone(),
                syntax: QuerySyntax::Plain,
                fetch: Fetch::Ids,
                ..SearchRequest::default()
            };
            if let Some((field, rows)) = &vectors
                && let Some(vector) = rows.get(idx).filter(|vector| !vector.is_empty())
            {
                request.vectors.insert(field.clone(), vector.clone());
            }
            let own = match self.among {
                Some(run) => filter_by(self.searcher, filter, Some(run.get(id).map_or(&[][..], Vec::as_slice)))?,
                None => None,
            };
            let passing = own.as_deref().or(of_all.as_deref());
            Ok(run_leg(self.searcher, &request, &leg, passing)?.candidates)
        };
        self.queries.par_iter().enumerate().map(candidates).collect()
    }

    /// The queries' vectors for a semantic field, embedded once; empty for a query without words.
    pub(super) fn vectors_of(&mut self, field: &str) -> Result<Arc<Vec<Vec<f32>>>> {
        if let Some(known) = self.vectors.get(field) {
            return Ok(known.clone());
        }
        self.check()?;
        let mut rows = embed_for(self.searcher, self.queries, field)?;
        for (row, (_, text)) in rows.iter_mut().zip(self.queries) {
            if text.trim().is_empty() {
                row.clear();
            }
        }
        let rows = Arc::new(rows);
        self.vectors.insert(field.to_string(), rows.clone());
        Ok(rows)
    }
}

#[cfg(test)]
#[path = "retrieval_tests.rs"]
mod tests;
