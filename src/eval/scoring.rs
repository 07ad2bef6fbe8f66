//! Runs to values: every measure of every query.

use super::dataset::Judgments;
use super::measures::Measure;
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
        let _ = idx;
        unimplemented!("helper data")
    }
}

/// Scores a run on `queries` (ids), on all cores.
pub fn score(
    rankings: &Rankings,
    qrels: &Judgments,
    queries: &[String],
    measures: &[Measure],
    options: ScoringOptions,
) -> Scores {
    let _ = (rankings, qrels, queries, measures, options);
    unimplemented!("helper data")
}
