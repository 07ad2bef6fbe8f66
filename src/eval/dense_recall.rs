//! How many of the closest documents approximate search finds, against comparing every vector: so that an evaluator can tell what
//! the model misses from what the index misses.

use std::time::Instant;

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::index::dense::DenseReader;
use crate::retrieve::Searcher;
use crate::retrieve::dense::{DenseHits, DenseMode, DenseQuery};

/// Queries before the clock starts, so that the vectors' pages are in memory.
const WARM_UP: usize = 16;

/// Dense search at one setting against exact search.
///
/// # Stability
/// Serialised as JSON by `bifocal eval --dense-recall`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct DenseRecall {
    /// How segments with a graph were searched.
    pub setting: DenseSetting,
    /// The breadth of graph walks; absent where the engine chooses, and for exact search.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_candidates: Option<usize>,
    /// Documents asked for.
    pub k: usize,
    /// Queries asked.
    pub num_queries: usize,
    /// The mean share of the `k` closest documents that were found; of equally close ones any will do. 1 where every search was
    /// exact.
    pub recall: f64,
    /// All cores busy; embedding is not in it.
    pub queries_per_second: f64,
    /// Mean number of vectors that a query was compared with.
    pub vectors_compared: f64,
    /// Mean number of segments a query whose graph was walked.
    pub segments_walked: f64,
    /// Mean number of segments a query that were scanned, which is exact.
    pub segments_scanned: f64,
    /// What the figures are not: empty, or that the search was exact anyway and why.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub note: String,
}

/// How segments with a graph are searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DenseSetting {
    /// Every vector is compared.
    Exact,
    /// As plans search: a graph is walked where that is faster.
    Default,
    /// Every graph is walked, also where a scan is faster.
    Walk,
}

/// Measures exact search, then search as plans do it with the engine's own breadth and with each of `num_candidates`. Where that scans
/// although there is a graph, a row with the graph walked follows.
///
/// * `field`: a field with vectors; `vectors`: of the queries, `[query][dims]`.
///
/// Without a vector there are no rows.
///
/// # Errors
/// `NotFound` when the index has no such vector field; `InvalidInput` when a vector does not fit it.
pub fn dense_recall(
    searcher: &Searcher,
    field: &str,
    vectors: &[Vec<f32>],
    k: usize,
    num_candidates: &[usize],
) -> Result<Vec<DenseRecall>> {
    measure(searcher.dense(), field, vectors, k, num_candidates)
}

fn measure(
    dense: &DenseReader,
    field: &str,
    vectors: &[Vec<f32>],
    k: usize,
    num_candidates: &[usize],
) -> Result<Vec<DenseRecall>> {
    if vectors.is_empty() {
        return Ok(Vec::new());
    }
    let asked = Asked { dense, field, vectors, k };
    asked.run(&vectors[..vectors.len().min(WARM_UP)], DenseSetting::Exact, None)?;
    let (exact, seconds) = asked.run(vectors, DenseSetting::Exact, None)?;
    let mut rows = vec![asked.row(DenseSetting::Exact, None, &exact, &exact, seconds)];
    for breadth in std::iter::once(None).chain(num_candidates.iter().copied().map(Some)) {
        let (found, seconds) = asked.run(vectors, DenseSetting::Default, breadth)?;
        rows.push(asked.row(DenseSetting::Default, breadth, &exact, &found, seconds));
        let (walked, seconds) = asked.run(vectors, DenseSetting::Walk, breadth)?;
        let num_walked = |found: &[DenseHits]| found.iter().map(|hits| hits.cost.segments_walked).sum::<u32>();
        if num_walked(&walked) > num_walked(&found) {
            rows.push(asked.row(DenseSetting::Walk, breadth, &exact, &walked, seconds));
        }
    }
    let has_graph = rows.iter().any(|row| row.segments_walked > 0.0);
    for row in rows.iter_mut().filter(|row| row.setting != DenseSetting::Exact && row.segments_walked == 0.0) {
        row.note = if has_graph {
            "exact anyway: scanning is taken to be faster than walking here".to_string()
        } else {
            "exact anyway: no segment has a graph (segments of fewer than 20,000 vectors get none; `bifocal compact` builds those \
             that are pending)"
                .to_string()
        };
    }
    Ok(rows)
}

/// What every setting is asked.
#[derive(Clone, Copy)]
struct Asked<'a> {
    dense: &'a DenseReader,
    field: &'a str,
    vectors: &'a [Vec<f32>],
    k: usize,
}

impl Asked<'_> {
    /// The answers, and the seconds that they took together.
    fn run(
        &self,
        vectors: &[Vec<f32>],
        setting: DenseSetting,
        num_candidates: Option<usize>,
    ) -> Result<(Vec<DenseHits>, f64)> {
        let mode = match setting {
            DenseSetting::Exact => DenseMode::Exact,
            DenseSetting::Default => DenseMode::Auto,
            DenseSetting::Walk => DenseMode::Walk,
        };
        let started = Instant::now();
        let search = |vector: &Vec<f32>| {
            let query = DenseQuery { num_candidates, mode, ..DenseQuery::new(self.field, vector, self.k) };
            self.dense.search(&query)
        };
        let answers = vectors.par_iter().map(search).collect::<Result<_>>()?;
        Ok((answers, started.elapsed().as_secs_f64()))
    }

    fn row(
        &self,
        setting: DenseSetting,
        num_candidates: Option<usize>,
        exact: &[DenseHits],
        found: &[DenseHits],
        seconds: f64,
    ) -> DenseRecall {
        let count = self.vectors.len() as f64;
        let mean = |of: fn(&DenseHits) -> f64| found.iter().map(of).sum::<f64>() / count;
        DenseRecall {
            setting,
            num_candidates,
            k: self.k,
            num_queries: self.vectors.len(),
            recall: exact.iter().zip(found).map(|(exact, found)| share_found(exact, found)).sum::<f64>() / count,
            queries_per_second: count / seconds.max(1e-9),
            vectors_compared: mean(|hits| hits.cost.vectors_scored as f64),
            segments_walked: mean(|hits| f64::from(hits.cost.segments_walked)),
            segments_scanned: mean(|hits| f64::from(hits.cost.segments_scanned)),
            note: String::new(),
        }
    }
}

/// The share of the exact answer that another one holds; 1 where there is nothing to find. Similarities do not depend on the way of
/// searching, so that what is as close as the last exact hit is as good.
fn share_found(exact: &DenseHits, found: &DenseHits) -> f64 {
    let Some(last) = exact.hits.last() else { return 1.0 };
    let num_found = found.hits.iter().filter(|hit| hit.similarity >= last.similarity).count();
    num_found as f64 / exact.hits.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::dense::model_tests::graphs::{clustered, reader};

    fn queries() -> Vec<Vec<f32>> {
        (0..30).map(|seed| clustered(1_000_000 + seed)).collect()
    }

    #[test]
    fn walks_are_measured_against_every_vector() {
        let dense = reader(2000, 250);
        let rows = measure(&dense, "v", &queries(), 10, &[16, 400]).unwrap();
        let settings: Vec<_> = rows.iter().map(|row| (row.setting, row.num_candidates)).collect();
        use DenseSetting::{Default, Exact, Walk};
        assert_eq!(
            settings,
            [
                (Exact, None),
                (Default, None),
                (Walk, None),
                (Default, Some(16)),
                (Walk, Some(16)),
                (Default, Some(400)),
                (Walk, Some(400))
            ]
        );
        // 2,000 vectors are scanned faster than walked, and that is said.
        assert!(rows.iter().filter(|row| row.setting == Default).all(|row| row.recall == 1.0));
        assert!(rows[1].note.contains("faster") && rows[2].note.is_empty());
        let (narrow, broad) = (&rows[4], &rows[6]);
        assert_eq!((narrow.segments_walked, narrow.segments_scanned), (1.0, 0.0));
        assert!(narrow.recall > 0.5 && narrow.recall <= broad.recall && broad.recall > 0.95, "{rows:?}");
        assert!(narrow.vectors_compared < broad.vectors_compared);
        assert!(rows.iter().all(|row| row.queries_per_second > 0.0 && row.num_queries == 30));
    }

    #[test]
    fn without_a_graph_every_search_is_exact_and_the_row_says_so() {
        let dense = reader(600, 10_000);
        let rows = measure(&dense, "v", &queries(), 5, &[50]).unwrap();
        assert_eq!(rows.len(), 3);
        assert!(rows.iter().all(|row| row.recall == 1.0 && row.segments_walked == 0.0));
        assert!(rows[1..].iter().all(|row| row.note.contains("no segment has a graph")));
    }

    #[test]
    fn missing_fields_and_other_dimensions_are_refused() {
        let dense = reader(10, 10_000);
        assert!(measure(&dense, "w", &queries(), 5, &[]).is_err());
        assert!(measure(&dense, "v", &[vec![1.0]], 5, &[]).is_err());
        assert!(measure(&dense, "v", &[], 5, &[]).unwrap().is_empty());
    }
}
