//! Runs to a [`Comparison`]: measures, significance, what moved, complementarity, worth of re-ranking.
//!
//! In: runs, judgments and what is known beside them ([`CompareInput`]); where only runs are known, the parts that need more
//! stay empty. Out: every value that the reports show. Invariant: a pure function; no index, no I/O, no clock, and seeded, so that the
//! same runs give the same figures.
//!
//! Read next: [`judged`] (queries and runs as all parts see them), [`significance_table`], [`moved`], [`curves`], [`slices`],
//! [`complementarity`], [`reranking`], [`conditions`].

mod complementarity;
mod conditions;
mod curves;
mod judged;
mod moved;
mod reranking;
mod significance_table;
mod slices;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::HashMap;

use self::judged::{Judged, count_u32};
use self::moved::Side;
use super::comparison::{Comparison, IndexFacts, Latency, PlanResult, QueryFacts, Statistics};
use super::dataset::Judgments;
use super::measures::Measure;
use super::run::{Rankings, Run, ScoredDocument};
use super::scoring::{Scores, ScoringOptions, score};

/// What is compared.
#[derive(Debug, Default)]
pub struct CompareInput<'a> {
    /// The collection's name.
    pub dataset: String,
    /// The command line, as typed.
    pub command: String,
    /// (id, text) of the queries to score, in order; texts are empty where only runs are known.
    pub queries: Vec<(String, String)>,
    /// The judgments.
    pub qrels: Option<&'a Judgments>,
    /// The measures; the first is the primary one.
    pub measures: Vec<Measure>,
    /// What means are over.
    pub options: ScoringOptions,
    /// Numbers of the collection.
    pub statistics: Statistics,
    /// What looks wrong with the data.
    pub warnings: Vec<String>,
    /// The index that was searched.
    pub index: Option<IndexFacts>,
    /// The plans and other systems' runs, in order; the first is the one that the others are compared with.
    pub systems: Vec<System>,
    /// Each leg's candidates, as deep as they were retrieved (1,000 where the engine ran), for complementarity.
    pub legs: Vec<(String, Rankings)>,
    /// What the cross-encoder said, one entry a plan that re-ranks.
    pub readings: Vec<Reading>,
    /// Titles (or first words) of documents, by id, for the documents that moved; may lack some.
    pub titles: HashMap<String, String>,
    /// A query's lexical overlap with its relevant documents by query id, 0 to 1.
    pub lexical_overlap: HashMap<String, f64>,
}

/// A plan with its run.
#[derive(Debug, Clone, Default)]
pub struct System {
    /// The run; its name is the plan's.
    pub run: Run,
    /// One query at a time, nothing remembered.
    pub latency: Option<Latency>,
    /// All cores busy.
    pub queries_per_second: Option<f64>,
    /// The plan as it ran.
    pub plan: Option<serde_json::Value>,
    /// What went wrong or was left out while it ran; goes into the comparison's warnings.
    pub warnings: Vec<String>,
}

/// What the cross-encoder of a plan said of the best candidates of each query.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// The plan's name.
    pub plan: String,
    /// The cross-encoder.
    pub model: String,
    /// The plan's weight of the cross-encoder beside the fused score; `None`: it decides alone.
    pub weight: Option<f64>,
    /// By query id: the fused candidates, best first, and the logits of the first of them.
    pub by_query: HashMap<String, (Vec<ScoredDocument>, Vec<f32>)>,
    /// Median milliseconds that reading so many candidates adds to a query; increasing depths.
    pub added_ms: Vec<(u32, f64)>,
}

/// Compares. Queries without judgments are left out; every per-query list follows [`Comparison::queries`].
///
/// Without a measure, or without judgments, there are no values to compare, and the lists stay empty.
pub fn compare(input: CompareInput<'_>) -> Comparison {
    let no_judgments = Judgments::new();
    let qrels = input.qrels.unwrap_or(&no_judgments);
    let judged = Judged::new(input.queries.iter().map(|(id, _)| id.as_str()), qrels, input.options);
    let scored = |system: &System| score(&system.run.rankings, qrels, &judged.ids, &input.measures, input.options);
    let scores: Vec<Scores> = input.systems.iter().map(scored).collect();
    let names: Vec<String> = input.measures.iter().map(|measure| measure.name().to_string()).collect();
    let queries = query_facts(&input, &judged);
    let mut comparison = Comparison {
        version: env!("CARGO_PKG_VERSION").to_string(),
        conditions: conditions::conditions(&input, &judged, &scores),
        warnings: conditions::warnings(&input, &judged),
        plans: plans(&input, &judged, &scores, &names, &queries),
        primary: names.first().cloned().unwrap_or_default(),
        measures: names,
        ..Comparison::default()
    };
    if let Some(primary) = input.measures.first() {
        comparison.complementarity = complementarity::complementarity(&judged, &input.legs, primary);
        comparison.reranking =
            input.readings.iter().map(|reading| reranking::worth(&judged, reading, primary)).collect();
    }
    let CompareInput { dataset, command, statistics, index, .. } = input;
    Comparison { dataset, command, statistics, index, queries, ..comparison }
}

fn query_facts(input: &CompareInput<'_>, judged: &Judged<'_>) -> Vec<QueryFacts> {
    let texts: HashMap<&str, &str> = input.queries.iter().map(|(id, text)| (id.as_str(), text.as_str())).collect();
    let facts = |query: &judged::JudgedQuery<'_>| {
        let text = texts.get(query.id).copied().unwrap_or_default();
        QueryFacts {
            id: query.id.to_string(),
            text: text.to_string(),
            num_relevant: count_u32(query.num_relevant),
            num_words: count_u32(num_words(text)),
            lexical_overlap: input.lexical_overlap.get(query.id).copied(),
        }
    };
    judged.queries.iter().map(facts).collect()
}

/// Words between blanks; punctuation that stands alone is none.
fn num_words(text: &str) -> usize {
    text.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count()
}

fn plans(
    input: &CompareInput<'_>,
    judged: &Judged<'_>,
    scores: &[Scores],
    names: &[String],
    queries: &[QueryFacts],
) -> Vec<PlanResult> {
    let parts = slices::parts(queries);
    let tables =
        significance_table::intervals(scores, names).into_iter().zip(significance_table::against_first(scores, names));
    let missing = vec![f64::NAN; queries.len()];
    let primary = |plan: usize| scores[plan].values.first().unwrap_or(&missing).as_slice();
    let side = |plan: usize| Side { rankings: &input.systems[plan].run.rankings, values: primary(plan) };
    tables
        .zip(&input.systems)
        .enumerate()
        .map(|(idx, ((intervals, against_first), system))| {
            let values = primary(idx);
            let counted: Vec<usize> = (0..values.len()).filter(|&query| !values[query].is_nan()).collect();
            let ranks = judged.relevant_ranks(&system.run.rankings);
            let changed = if idx == 0 { Vec::new() } else { moved::changed(judged, side(0), side(idx), &input.titles) };
            PlanResult {
                name: system.run.name.clone(),
                metrics: names.iter().cloned().zip((0..).map(|measure| scores[idx].mean(measure))).collect(),
                intervals,
                latency_ms: system.latency,
                queries_per_second: system.queries_per_second,
                plan: system.plan.clone(),
                per_query: names.iter().cloned().zip(scores[idx].values.iter().cloned()).collect(),
                against_first,
                changed,
                recall_at: curves::recall_at_depths(&judged.queries, &ranks, &counted),
                precision_at_recall: curves::precision_at_recall(&judged.queries, &ranks, &counted),
                slices: slices::slices(&parts, values),
            }
        })
        .collect()
}
