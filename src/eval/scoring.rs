//! Runs to values: every measure of every query.

use std::collections::HashMap;

use rayon::prelude::*;

use super::dataset::Judgments;
use super::measures::{Measure, score_ranking};
use super::run::Rankings;

/// What the means are over, and what is left out of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScoringOptions {
    /// Over which queries.
    pub average: Average,
    /// Whether a query's own document (same id) is removed from its ranking and its judgments, as ArguAna needs.
    pub remove_own: bool,
}

/// Over which queries a mean is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Average {
    /// All judged queries; one without hits counts 0 (`trec_eval -c`).
    #[default]
    Judged,
    /// The queries that the run has (trec_eval's default).
    Retrieved,
}

/// Values of one run: `[measure][query]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scores {
    /// In the order of the measures asked for, then of the queries given. With [`Average::Retrieved`], queries that the run lacks
    /// hold NaN and are left out of means.
    pub values: Vec<Vec<f64>>,
}

impl Scores {
    /// The mean of measure `idx`; 0 without any query.
    pub fn mean(&self, idx: usize) -> f64 {
        let values = self.values.get(idx).map(Vec::as_slice).unwrap_or_default();
        let (mut sum, mut num) = (0.0, 0.0);
        for value in values.iter().filter(|value| !value.is_nan()) {
            sum += value;
            num += 1.0;
        }
        if num > 0.0 { sum / num } else { 0.0 }
    }
}

/// Scores a run on `queries` (ids), on all cores. A query with an empty ranking is one that the run lacks, as a TREC run cannot
/// tell the two apart. A query without judgments scores 0.
pub fn score(
    rankings: &Rankings,
    qrels: &Judgments,
    queries: &[String],
    measures: &[Measure],
    options: ScoringOptions,
) -> Scores {
    let nothing_judged = HashMap::new();
    let score_one = |query: &String| {
        let ranking = rankings.get(query).map(Vec::as_slice).unwrap_or_default();
        if ranking.is_empty() && options.average == Average::Retrieved {
            return vec![f64::NAN; measures.len()];
        }
        let judged = qrels.get(query).unwrap_or(&nothing_judged);
        score_ranking(measures, ranking, judged, options.remove_own.then_some(query.as_str()))
    };
    let by_query: Vec<Vec<f64>> = queries.par_iter().with_min_len(16).map(score_one).collect();
    let column = |idx: usize| by_query.iter().filter_map(|values| values.get(idx).copied()).collect();
    Scores { values: (0..measures.len()).map(column).collect() }
}

#[cfg(test)]
mod tests {
    use super::super::run::ScoredDocument;
    use super::*;

    fn setting() -> (Rankings, Judgments, Vec<String>, Vec<Measure>) {
        let ranking = |ids: &[&str]| -> Vec<ScoredDocument> {
            let scores = (0..).zip(ids);
            scores.map(|(idx, &id)| ScoredDocument { id: id.into(), score: -f64::from(idx) }).collect()
        };
        let judged = |pairs: &[(&str, i32)]| pairs.iter().map(|&(id, grade)| (id.to_string(), grade)).collect();
        let rankings = HashMap::from([
            ("q1".to_string(), ranking(&["q1", "a", "b"])),
            ("q2".to_string(), ranking(&["x", "c"])),
            ("unjudged".to_string(), ranking(&["a"])),
        ]);
        let qrels = HashMap::from([
            ("q1".to_string(), judged(&[("q1", 1), ("a", 1)])),
            ("q2".to_string(), judged(&[("c", 1)])),
            ("q3".to_string(), judged(&[("d", 1)])),
        ]);
        let queries = ["q1", "q2", "q3"].map(str::to_string).to_vec();
        (rankings, qrels, queries, Measure::parse_list("rr,recall@1,judged").unwrap())
    }

    #[test]
    fn a_missing_query_counts_zero_or_not_at_all() {
        let (rankings, qrels, queries, measures) = setting();
        let judged = score(&rankings, &qrels, &queries, &measures, ScoringOptions::default());
        assert_eq!(judged.values, [vec![1.0, 0.5, 0.0], vec![0.5, 0.0, 0.0], vec![2.0 / 3.0, 0.5, 0.0]]);
        assert_eq!(judged.mean(0), 0.5);
        let options = ScoringOptions { average: Average::Retrieved, remove_own: false };
        let retrieved = score(&rankings, &qrels, &queries, &measures, options);
        assert!(retrieved.values[0][2].is_nan());
        assert_eq!(retrieved.mean(0), 0.75);
        assert_eq!(retrieved.mean(9), 0.0);
    }

    #[test]
    fn a_query_does_not_find_itself() {
        let (rankings, qrels, queries, measures) = setting();
        let options = ScoringOptions { remove_own: true, ..ScoringOptions::default() };
        let scores = score(&rankings, &qrels, &queries, &measures, options);
        assert_eq!(scores.values[0][0], 1.0, "a is first once q1 is gone");
        assert_eq!(scores.values[1][0], 1.0, "q1 is no relevant document of itself");
        assert_eq!(scores.values[2][0], 0.5);
    }
}
