//! Many plans over the same queries: every leg is retrieved once, and so is every pair that a cross-encoder reads.

use std::sync::Arc;

use super::run::{Rankings, Run};
use crate::error::Result;
use crate::fuse::FusedCandidate;
use crate::models::Models;
use crate::plan::{ResolvedLeg, ResolvedPlan};
use crate::retrieve::{Candidate, Searcher};

/// Answers queries under many plans. What legs return depends on the leg and the filter alone, so it is kept and used again, cut
/// to the depth that a plan asks for.
#[derive(Debug)]
pub struct Collector<'a> {
    searcher: &'a Searcher,
    models: &'a Models,
    queries: &'a [(String, String)],
}

/// One list a query, best first, in the order of the queries.
pub type LegCandidates = Arc<Vec<Vec<Candidate>>>;

impl<'a> Collector<'a> {
    /// For these queries (id, text).
    pub fn new(searcher: &'a Searcher, models: &'a Models, queries: &'a [(String, String)]) -> Self {
        Self { searcher, models, queries }
    }

    /// What a leg returns, `depth` candidates at most.
    ///
    /// # Errors
    /// As [`search_resolved`](crate::search::search_resolved).
    pub fn leg(&mut self, leg: &ResolvedLeg, filter: Option<&str>, depth: usize) -> Result<LegCandidates> {
        let _ = (leg, filter, depth, self.searcher, self.models);
        unimplemented!("helper engine")
    }

    /// The plan's fused candidates, all of them.
    ///
    /// # Errors
    /// As [`search_resolved`](crate::search::search_resolved).
    pub fn fused(&mut self, plan: &ResolvedPlan) -> Result<Vec<Vec<FusedCandidate>>> {
        let _ = plan;
        unimplemented!("helper engine")
    }

    /// The cross-encoder's logits of the first `depth` fused candidates of each query (`plan.rerank` says which model and how many
    /// passages); remembered in the cache of embeddings. `progress` is called with the number of queries done.
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
        let _ = (plan, fused, depth, progress, self.queries);
        unimplemented!("helper engine")
    }

    /// The plan's run, `plan.size` documents a query: exactly what [`search_resolved`](crate::search::search_resolved) returns.
    ///
    /// # Errors
    /// As [`Collector::logits`].
    pub fn run(&mut self, plan: &ResolvedPlan) -> Result<Run> {
        let _ = (plan, Rankings::new());
        unimplemented!("helper engine")
    }
}
