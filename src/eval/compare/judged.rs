//! Queries, judgments and runs as the analyses look at them: a query's own document gone where it must not count, hits in
//! trec_eval's order.

use std::borrow::Cow;
use std::collections::HashMap;

use rayon::prelude::*;

use crate::document::DocumentId;
use crate::eval::dataset::Judgments;
use crate::eval::measures::Measure;
use crate::eval::run::{Rankings, ScoredDocument, sort_as_trec_eval};
use crate::eval::scoring::{Average, ScoringOptions, score};

/// Differences of a measure smaller than this are rounding, not change.
pub(super) const ROUNDING: f64 = 1e-9;

/// The judged queries, and how they are scored.
#[derive(Debug)]
pub(super) struct Judged<'a> {
    /// In the order of the comparison.
    pub(super) queries: Vec<JudgedQuery<'a>>,
    /// Their ids, in the same order.
    pub(super) ids: Vec<String>,
    pub(super) qrels: &'a Judgments,
    pub(super) options: ScoringOptions,
}

/// A query's judgments, as measures see them.
#[derive(Debug)]
pub(super) struct JudgedQuery<'a> {
    pub(super) id: &'a str,
    pub(super) judged: Cow<'a, HashMap<String, i32>>,
    pub(super) num_relevant: usize,
    own_removed: bool,
}

/// Where a run has a query's relevant documents.
#[derive(Debug, Default)]
pub(super) struct RankedQuery {
    /// Ranks from 1, ascending.
    pub(super) relevant_ranks: Vec<usize>,
    pub(super) num_retrieved: usize,
}

impl<'a> Judged<'a> {
    /// * `ids`: of queries; those without judgments are left out, as trec_eval leaves them out.
    pub(super) fn new(ids: impl Iterator<Item = &'a str>, qrels: &'a Judgments, options: ScoringOptions) -> Self {
        let queries: Vec<JudgedQuery<'a>> = ids
            .filter_map(|id| {
                let mut judged = Cow::Borrowed(qrels.get(id)?);
                if options.remove_own && judged.contains_key(id) {
                    judged.to_mut().remove(id);
                }
                let num_relevant = judged.values().filter(|&&grade| grade > 0).count();
                Some(JudgedQuery { id, judged, num_relevant, own_removed: options.remove_own })
            })
            .collect();
        let ids = queries.iter().map(|query| query.id.to_string()).collect();
        Self { queries, ids, qrels, options }
    }

    /// One measure's values, one a query; NaN where the query does not count.
    pub(super) fn values(&self, rankings: &Rankings, measure: &Measure) -> Vec<f64> {
        let scores = score(rankings, self.qrels, &self.ids, std::slice::from_ref(measure), self.options);
        scores.values.into_iter().next().unwrap_or_default()
    }

    /// Where a run has the relevant documents of each query.
    pub(super) fn relevant_ranks(&self, rankings: &Rankings) -> Vec<RankedQuery> {
        self.queries
            .par_iter()
            .map(|query| {
                let ranked = query.ranked(rankings);
                let relevant = (1..).zip(&ranked).filter(|(_, hit)| query.is_relevant(&hit.id));
                let relevant_ranks = relevant.map(|(rank, _)| rank).collect();
                RankedQuery { relevant_ranks, num_retrieved: ranked.len() }
            })
            .collect()
    }

    /// Whether a query whose ranking is empty counts in means.
    pub(super) fn counts_without_hits(&self) -> bool {
        match self.options.average {
            Average::Judged => true,
            Average::Retrieved => false,
        }
    }
}

impl JudgedQuery<'_> {
    pub(super) fn grade(&self, id: &DocumentId) -> Option<i32> {
        self.judged.get(id.as_str()).copied()
    }

    pub(super) fn is_relevant(&self, id: &DocumentId) -> bool {
        self.grade(id).is_some_and(|grade| grade > 0)
    }

    /// The query's hits, best first; empty where the run lacks the query.
    pub(super) fn ranked(&self, rankings: &Rankings) -> Vec<ScoredDocument> {
        let hits = rankings.get(self.id).map_or(&[][..], Vec::as_slice);
        let mut ranked: Vec<ScoredDocument> = hits.iter().filter(|hit| self.may_count(&hit.id)).cloned().collect();
        sort_as_trec_eval(&mut ranked);
        ranked
    }

    /// Whether a document counts for this query: not if it is the query itself and such are removed.
    pub(super) fn may_count(&self, id: &DocumentId) -> bool {
        !self.own_removed || id.as_str() != self.id
    }

    /// The share of the relevant documents that so many are; 0 where there are none, as in trec_eval.
    pub(super) fn recall(&self, num_found: usize) -> f64 {
        if self.num_relevant == 0 { 0.0 } else { num_found as f64 / self.num_relevant as f64 }
    }
}

/// The mean of what is not NaN; 0 of nothing.
pub(super) fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0usize);
    for value in values.into_iter().filter(|value| !value.is_nan()) {
        sum += value;
        count += 1;
    }
    if count == 0 { 0.0 } else { sum / count as f64 }
}

/// A count as the comparison's values hold it.
pub(super) fn count_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{qrels, rankings};
    use super::*;

    #[test]
    fn relevant_documents_are_found_in_trec_evals_order() {
        let qrels = qrels(&[("q", &[("a", 1), ("b", 2), ("c", 0), ("q", 1)])]);
        let run = rankings(&[("q", &[("c", 1.0), ("a", 1.0), ("b", 2.0), ("q", 3.0)])]);
        let kept = Judged::new(["q", "unjudged"].into_iter(), &qrels, ScoringOptions::default());
        assert_eq!(kept.ids, ["q"]);
        assert_eq!(kept.queries[0].num_relevant, 3);
        // Scores fall, and `c` stands before `a` of the same score.
        assert_eq!(kept.relevant_ranks(&run)[0].relevant_ranks, [1, 2, 4]);

        let options = ScoringOptions { remove_own: true, ..ScoringOptions::default() };
        let removed = Judged::new(["q"].into_iter(), &qrels, options);
        assert_eq!(removed.queries[0].num_relevant, 2);
        assert_eq!(removed.relevant_ranks(&run)[0].relevant_ranks, [1, 3]);
        assert_eq!(removed.relevant_ranks(&run)[0].num_retrieved, 3);
    }

    #[test]
    fn a_mean_leaves_out_what_is_missing() {
        assert_eq!(mean([1.0, f64::NAN, 0.0]), 0.5);
        assert_eq!(mean([f64::NAN]), 0.0);
    }
}
