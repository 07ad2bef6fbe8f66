//! Runs to a [`Comparison`]: measures, significance, what moved, complementarity, worth of re-ranking. Pure: no index, no I/O.

use std::collections::HashMap;

use super::comparison::{Comparison, IndexFacts, Latency, Statistics};
use super::dataset::Judgments;
use super::measures::Measure;
use super::run::{Rankings, Run, ScoredDocument};
use super::scoring::ScoringOptions;

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

/// Compares.
pub fn compare(input: CompareInput<'_>) -> Comparison {
    let _ = input;
    unimplemented!("helper compare")
}
