//! From a search and its indices to ranked hits, totals and sets of documents.
//!
//! What is ranked comes as one query an index ([`Prepared::query`]). A hybrid search ranks elsewhere and puts its list in the place of
//! that query ([`Query::Docs`](crate::retrieve::query::Query::Docs), or [`QueryPhase::from_ranked`] where the order is already made);
//! everything after is shared: post filter, paging, collapse, fetch, highlights, aggregations over the sets.

use std::borrow::Cow;
use std::time::Instant;

use tantivy::BitSet;

use super::body::SearchBody;
use super::failures::{self, Failure};
use super::rescore::Rescorer;
use super::sort_spec::{self, ResolvedSort, SortSpec};
use super::target::Target;
use crate::index::TimeLimit;
use crate::retrieve::collect::{
    CollectRequest, CollectedHit, FieldSort, SortValue, Total, TrackTotal, collect, compare_hits,
};
use crate::retrieve::query::Query;
use crate::server::es::aggs::Aggregations;
use crate::server::es::error::EsResult;

/// A search in one index, understood.
#[derive(Debug)]
pub(super) struct Prepared {
    /// What is ranked, with the filters of the aliases and the index's boost.
    pub(super) query: Query,
    /// What the user asked for: for highlights, explanations, names and inner hits.
    pub(super) asked: Query,
    pub(super) post_filter: Option<Query>,
    pub(super) sort: ResolvedSort,
    pub(super) after: Option<Vec<SortValue>>,
    pub(super) rescorers: Vec<Rescorer>,
    pub(super) collapse: Option<FieldSort>,
    pub(super) aggs: Option<Aggregations>,
}

/// A hit and the index it is of.
#[derive(Debug, Clone)]
pub(super) struct Ranked {
    /// The index's place among the targets.
    pub(super) target: usize,
    pub(super) hit: CollectedHit,
}

/// What was found over all indices.
#[derive(Debug, Default)]
pub(super) struct QueryPhase {
    /// Each index understood, or `None` where it failed; in the order of the targets.
    pub(super) prepared: Vec<Option<Prepared>>,
    /// From the first one on, `from` included.
    pub(super) ranked: Vec<Ranked>,
    pub(super) total: Total,
    pub(super) max_score: Option<f32>,
    pub(super) timed_out: bool,
    pub(super) terminated_early: bool,
    pub(super) failures: Vec<Failure>,
    /// What the aggregations count, by index and segment; empty where there are none.
    pub(super) matching: Vec<Option<Matching>>,
}

/// What the aggregations of one index count.
#[derive(Debug, Clone, Default)]
pub(super) struct Matching {
    /// By segment, without deleted documents and nested objects.
    pub(super) docs: Vec<BitSet>,
    /// By segment and document number, where an aggregation needs them.
    pub(super) scores: Option<Vec<Vec<f32>>>,
}

/// How a search is run, beside what its body says.
#[derive(Debug, Clone, Default)]
pub(super) struct RunOptions {
    /// The order in place of the body's: that of a scroll or a point in time, with a tiebreaker.
    pub(super) sort: Option<Vec<SortSpec>>,
    /// Where a scroll goes on: the last hit's values.
    pub(super) scroll_after: Option<Vec<SortValue>>,
    /// A failing index fails the search.
    pub(super) all_or_nothing: bool,
    /// How hits are counted, in place of the body's way.
    pub(super) track_total: Option<TrackTotal>,
    /// Totals of inner hits are numbers.
    pub(super) total_as_int: bool,
    /// One for the whole search ([`time_limit`]).
    pub(super) time_limit: TimeLimit,
}

impl Prepared {
    /// Understands a search in one index.
    ///
    /// * `query`: what is ranked in place of the body's query.
    ///
    /// # Errors
    /// Those of the queries, the sort and the collapse.
    pub(super) fn new(
        search: &SearchBody,
        target: &Target,
        options: &RunOptions,
        query: Option<Query>,
    ) -> EsResult<Self> {
        let mut asked = match (query, &search.query) {
            (Some(query), _) => query,
            (None, Some(query)) => target.parse_query(query)?,
            (None, None) => Query::MatchAll,
        };
        target.prefilter(&mut asked)?;
        let lexical = target.searcher.lexical();
        let asked = lexical.resolve(&asked)?;
        let sort = sort_spec::resolve(options.sort.as_deref().unwrap_or(&search.sort), target)?;
        let after = match (&options.scroll_after, &search.search_after) {
            (Some(after), _) => Some(after.clone()),
            (None, Some(after)) => Some(sort.read_after(after, target)?),
            (None, None) => None,
        };
        let post_filter = search.post_filter.as_ref().map(|filter| target.parse_query(filter)).transpose()?;
        let groups = search.collapse.iter().flat_map(|collapse| &collapse.inner_hits);
        groups.into_iter().try_for_each(|spec| spec.check_window(target))?;
        let boost = search.indices_boost.iter().find(|(pattern, _)| target.is_named(pattern)).map(|(_, boost)| *boost);
        let query = match boost {
            Some(boost) => asked.clone().boosted(boost),
            None => asked.clone(),
        };
        Ok(Self {
            query: target.filtered(query)?,
            asked,
            post_filter: post_filter.map(|filter| lexical.resolve(&filter)).transpose()?,
            sort,
            after,
            rescorers: search.rescore.iter().map(|rescore| rescore.resolve(target)).collect::<EsResult<_>>()?,
            collapse: search.collapse.as_ref().map(|collapse| collapse.resolve(target)).transpose()?,
            aggs: match &search.aggs {
                Some(aggs) => Some(target.with_context(|context| Aggregations::parse(aggs, context))?),
                None => None,
            },
        })
    }

    fn run(
        &mut self,
        search: &SearchBody,
        target: &Target,
        options: &RunOptions,
    ) -> EsResult<crate::retrieve::collect::Collected> {
        let _counted = target.counters.query.start();
        let window = self.rescorers.iter().map(|rescorer| rescorer.window_size).max().unwrap_or(0);
        let depth = search.from().saturating_add(search.size());
        let depth = if search.size() == 0 && self.rescorers.is_empty() { 0 } else { depth.max(window) };
        let request = CollectRequest {
            query: &self.query,
            post_filter: self.post_filter.as_ref(),
            min_score: search.min_score,
            sort: &self.sort.keys,
            after: self.after.as_deref(),
            depth,
            track_total: options.track_total.unwrap_or(search.track_total()),
            track_scores: search.track_scores,
            terminate_after: search.terminate_after,
            keep_matching: self.aggs.is_some(),
            keep_scores: self.aggs.as_ref().is_some_and(Aggregations::needs_scores),
            collapse: self.collapse.as_ref(),
            slice: search.slice,
            shard: target.shard,
        };
        let mut collected = collect(&target.searcher, &request)?;
        for rescorer in &mut self.rescorers {
            rescorer.rescore(target, &mut collected.hits)?;
        }
        if !self.rescorers.is_empty() {
            collected.max_score = collected.hits.first().and_then(|hit| hit.score);
        }
        Ok(collected)
    }
}

/// Until when a search may go on, from now.
pub(super) fn time_limit(search: &SearchBody) -> TimeLimit {
    TimeLimit::until(search.timeout.and_then(|timeout| Instant::now().checked_add(timeout)))
}

/// The same indices for one search, which ends when the time is up.
pub(super) fn limited<'t>(targets: &'t [Target], limit: &TimeLimit) -> Cow<'t, [Target]> {
    if !limit.applies() {
        return Cow::Borrowed(targets);
    }
    targets.iter().map(|target| target.limited(limit)).collect()
}

impl QueryPhase {
    /// Runs a search in all its indices and merges what they found.
    ///
    /// * `queries`: what is ranked in place of the body's query, by index; empty takes the body's.
    ///
    /// # Errors
    /// What is wrong with the request itself, and `search_phase_execution_exception` where every index failed.
    pub(super) fn run(
        search: &SearchBody,
        targets: &[Target],
        options: &RunOptions,
        queries: Vec<Query>,
        node: &str,
    ) -> EsResult<Self> {
        let limit = &options.time_limit;
        let targets = &*limited(targets, limit);
        let mut phase = Self::default();
        let mut queries = queries.into_iter();
        let track_total = options.track_total.unwrap_or(search.track_total());
        for (place, target) in targets.iter().enumerate() {
            let query = queries.next();
            let prepared = Prepared::new(search, target, options, query);
            let collected = prepared.and_then(|mut prepared| {
                let collected = prepared.run(search, target, options)?;
                Ok((prepared, collected))
            });
            let (prepared, collected) = match collected {
                Ok(found) => found,
                Err(error) if failures::is_request_error(&error) => return Err(error),
                Err(mut error) => {
                    if error.kind == "query_shard_exception" {
                        error = error.with("index_uuid", target.uuid.as_str().into());
                    }
                    phase.failures.push(Failure { index: target.index.clone(), error });
                    phase.prepared.push(None);
                    phase.matching.push(None);
                    continue;
                }
            };
            phase.total = phase.total.plus(collected.total, track_total);
            phase.max_score = match (phase.max_score, collected.max_score) {
                (Some(a), Some(b)) => Some(a.max(b)),
                (a, b) => a.or(b),
            };
            phase.timed_out |= collected.timed_out;
            phase.terminated_early |= collected.terminated_early;
            phase.ranked.extend(collected.hits.into_iter().map(|hit| Ranked { target: place, hit }));
            let scores = collected.scores;
            phase.matching.push(collected.matching.map(|docs| Matching { docs, scores }));
            phase.prepared.push(Some(prepared));
        }
        if !phase.failures.is_empty() && (phase.failures.len() == targets.len() || options.all_or_nothing) {
            return Err(failures::all_failed(&phase.failures, "query", node));
        }
        phase.timed_out |= limit.was_noticed();
        phase.merge(search);
        Ok(phase)
    }

    /// Puts the hits of all indices in order and leaves one of each group.
    fn merge(&mut self, search: &SearchBody) {
        let keys =
            self.prepared.iter().flatten().map(|prepared| &prepared.sort.keys).next().cloned().unwrap_or_default();
        if self.prepared.len() > 1 {
            // Stable: equal hits keep the order of the indices and of the documents.
            self.ranked.sort_by(|a, b| compare_hits(&keys, &a.hit, &b.hit));
        }
        if self.prepared.len() > 1 {
            self.leave_one_of_each_group(search);
        }
        self.ranked.truncate(search.from().saturating_add(search.size()));
    }

    fn leave_one_of_each_group(&mut self, search: &SearchBody) {
        if search.collapse.is_some() {
            let mut seen: Vec<SortValue> = Vec::new();
            self.ranked.retain(|ranked| match &ranked.hit.group {
                Some(group) if seen.iter().any(|known| known.compare(group).is_eq()) => false,
                Some(group) => {
                    seen.push(group.clone());
                    true
                }
                None => true,
            });
        }
    }

    /// The hits of the page, by the place of their index.
    pub(super) fn page(&self, search: &SearchBody) -> &[Ranked] {
        self.ranked.get(search.from()..).unwrap_or_default()
    }
}
