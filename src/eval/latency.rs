//! What a query costs: one at a time with nothing remembered, then with all cores busy.

use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::comparison::Latency;
use crate::error::Result;
use crate::models::Models;
use crate::plan::ResolvedPlan;
use crate::retrieve::Searcher;
use crate::retrieve::query_syntax::QuerySyntax;
use crate::search::batch::Candidates;
use crate::search::{Fetch, SearchRequest, search_resolved};

/// How long a measurement may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// The most queries, taken evenly from all.
    pub queries: usize,
    /// No further query is begun after this.
    pub time: Duration,
}

impl Sample {
    /// For a plan: 200 queries, or 40 where a cross-encoder reads; about 10 seconds.
    pub fn of(plan: &ResolvedPlan) -> Self {
        Self { queries: if plan.rerank.is_some() { 40 } else { 200 }, time: Duration::from_secs(10) }
    }

    /// For one of the many plans of a sweep: 20 queries at most, about one second.
    pub fn small() -> Self {
        Self { queries: 20, time: Duration::from_secs(1) }
    }
}

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Timing {
    /// One query at a time, embedding included.
    pub latency: Latency,
    /// Queries that were timed one at a time.
    pub num_queries: usize,
    /// All cores busy.
    pub queries_per_second: f64,
    /// Median milliseconds that the re-ranking of one candidate takes; `None` where none was re-ranked.
    pub ms_per_candidate: Option<f64>,
}

/// Measures a plan on a sample of the queries. The first query runs once before, so that models and files are loaded.
///
/// With a cross-encoder, which uses every core for one query, `queries_per_second` is that of one query at a time.
///
/// * `check`: asked between queries whether to go on; its error ends the measurement.
///
/// # Errors
/// As [`search_resolved`].
pub fn measure(
    searcher: &Searcher,
    models: &Models,
    queries: &[(String, String)],
    among: Option<&Candidates>,
    plan: &ResolvedPlan,
    sample: Sample,
    check: fn() -> Result<()>,
) -> Result<Timing> {
    let queries = evenly(queries, sample.queries);
    let passages_each = plan.rerank.as_ref().map_or(1.0, |rerank| rerank.passages as f64);
    let search = |(id, text): &(String, String)| -> Result<(Duration, Option<f64>)> {
        check()?;
        let request = SearchRequest {
            text: text.clone(),
            syntax: QuerySyntax::Plain,
            among: among.map(|run| run.get(id).cloned().unwrap_or_default()),
            fetch: Fetch::Ids,
            ..SearchRequest::default()
        };
        let started = Instant::now();
        let response = search_resolved(searcher, models, &request, plan)?;
        let took = started.elapsed();
        let rerank = response.cost.stages.iter().find(|stage| stage.name == "rerank" && stage.passages > 0);
        let read = rerank.map(|stage| stage.took_ms * passages_each / stage.passages as f64);
        Ok((took, read))
    };
    let Some(first) = queries.first() else { return Ok(Timing::default()) };
    search(first)?;

    let begun = Instant::now();
    let mut times = Vec::with_capacity(queries.len());
    let mut reading = Vec::new();
    for query in &queries {
        let (took, read) = search(query)?;
        times.push(took.as_secs_f64() * 1e3);
        reading.extend(read);
        if begun.elapsed() >= sample.time {
            break;
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let latency = summary(&mut times);
    let queries_per_second = if plan.rerank.is_some() {
        times.len() as f64 / seconds
    } else {
        let busy = queries.get(..times.len()).unwrap_or(&queries);
        let begun = Instant::now();
        busy.par_iter().map(|query| search(query).map(drop)).collect::<Result<()>>()?;
        busy.len() as f64 / begun.elapsed().as_secs_f64()
    };
    let ms_per_candidate = (!reading.is_empty()).then(|| percentile(&mut reading, 50));
    Ok(Timing { latency, num_queries: times.len(), queries_per_second, ms_per_candidate })
}

/// The percentiles of milliseconds, in any order; they are sorted. 0 without any.
pub fn summary(times_ms: &mut [f64]) -> Latency {
    Latency { p50: percentile(times_ms, 50), p95: percentile(times_ms, 95) }
}

/// `count` of the queries at even distances, in their order; all where there are fewer.
fn evenly(queries: &[(String, String)], count: usize) -> Vec<&(String, String)> {
    let count = count.min(queries.len());
    (0..count).filter_map(|idx| queries.get(idx * queries.len() / count)).collect()
}

/// The value that `percent` of the values do not exceed (nearest rank); 0 without any.
fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values.get(rank - 1).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let mut values: Vec<f64> = (1..=20).rev().map(f64::from).collect();
        assert_eq!((percentile(&mut values, 50), percentile(&mut values, 95)), (10.0, 19.0));
        assert_eq!(percentile(&mut [7.0], 95), 7.0);
        assert_eq!(percentile(&mut [], 50), 0.0);
    }

    #[test]
    fn a_sample_spreads_over_all_queries() {
        let queries: Vec<(String, String)> = (0..10).map(|idx| (idx.to_string(), String::new())).collect();
        let ids = |count| evenly(&queries, count).into_iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>();
        assert_eq!(ids(4), ["0", "2", "5", "7"]);
        assert_eq!(ids(99).len(), 10);
        assert!(evenly(&[], 5).is_empty());
    }
}
