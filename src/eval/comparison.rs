//! What a comparison of plans found: plain values, from which the table, Markdown, HTML and JSON are written.
//!
//! Per-query lists have one entry a query, in the order of [`Comparison::queries`]. Measures are named as the user wrote
//! them (`ndcg@10`, `ndcg_cut_10`).
//!
//! # Stability
//! Serialised as JSON by `bifocal eval --json`, described by `schema/comparison.json`; `dataset` and `plans` with `name`,
//! `metrics` and `latency_ms` stay as they are.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// Plans, and other systems' runs, compared on one judged collection.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct Comparison {
    /// The collection's name, or the judgments' file where runs alone are scored.
    pub dataset: String,
    /// The version of Bifocal that made this.
    pub version: String,
    /// The command line that made this, as it was typed.
    pub command: String,
    /// What the means are over, and what was left out of runs, in words: printed with every table.
    pub conditions: Vec<String>,
    /// What looks wrong with the data: judged ids that the corpus lacks, duplicate ids, and so on.
    pub warnings: Vec<String>,
    /// Numbers of documents, queries and judgments.
    pub statistics: Statistics,
    /// The index that was searched; absent where runs alone are scored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<IndexFacts>,
    /// The measures, in the order asked for.
    pub measures: Vec<String>,
    /// The measure that differences, confidence intervals of differences and per-query lists are in.
    pub primary: String,
    /// The queries that were scored.
    pub queries: Vec<QueryFacts>,
    /// The plans, in the order asked for; the first is the one that the others are compared with.
    pub plans: Vec<PlanResult>,
    /// What the legs find together and alone, a row a pair of legs.
    pub complementarity: Vec<Complementarity>,
    /// Whether re-ranking pays, one entry a plan that re-ranks.
    pub reranking: Vec<RerankingWorth>,
}

/// Numbers of a judged collection.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct Statistics {
    /// Documents of the corpus; absent where only judgments and runs are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_documents: Option<u64>,
    /// Mean words a document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words_per_document: Option<f64>,
    /// Queries in the file.
    pub num_queries: u64,
    /// Queries with at least one judgment.
    pub num_judged_queries: u64,
    /// Queries with at least one relevant document.
    pub num_queries_with_relevant: u64,
    /// Mean words a query.
    pub words_per_query: f64,
    /// Judgments.
    pub num_judgments: u64,
    /// Mean relevant documents a query that has any.
    pub relevant_per_query: f64,
    /// Judgments by grade.
    pub grades: BTreeMap<i32, u64>,
}

/// The index that was searched.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct IndexFacts {
    /// Its folder.
    pub folder: String,
    /// Documents.
    pub num_documents: u64,
    /// Bytes on disk.
    pub num_bytes: u64,
    /// The bi-encoders of its semantic fields.
    pub models: Vec<String>,
    /// Seconds that indexing took; absent where the index was there already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_seconds: Option<f64>,
}

/// A query that was scored.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct QueryFacts {
    /// Its id.
    pub id: String,
    /// Its text; empty where only runs are known.
    pub text: String,
    /// Documents judged relevant.
    pub num_relevant: u32,
    /// Words.
    pub num_words: u32,
    /// The share of the query's words (analysed) that occur in its relevant documents, mean over these; 0 to 1. Absent where the
    /// documents are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lexical_overlap: Option<f64>,
}

/// One plan's figures.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct PlanResult {
    /// The plan's name, with what a sweep changed: `hybrid rrf.k=10`.
    pub name: String,
    /// Means by measure.
    pub metrics: BTreeMap<String, f64>,
    /// 95 percent bootstrap confidence intervals of the means, by measure.
    pub intervals: BTreeMap<String, [f64; 2]>,
    /// What one query takes; absent for runs from files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<Latency>,
    /// Queries a second, all cores busy; absent for runs from files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queries_per_second: Option<f64>,
    /// The plan as it ran; absent for runs from files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<serde_json::Value>,
    /// Values of every query, by measure; NaN (null in JSON) where the means leave the query out.
    #[serde(deserialize_with = "nan_from_null")]
    #[schemars(with = "BTreeMap<String, Vec<Option<f64>>>")]
    pub per_query: BTreeMap<String, Vec<f64>>,
    /// Against the first plan, by measure; empty for the first.
    pub against_first: BTreeMap<String, Difference>,
    /// Queries that this plan wins and loses against the first, the largest differences first; empty for the first.
    pub changed: Vec<ChangedQuery>,
    /// Mean recall at depths from 1 to the run's depth.
    pub recall_at: Vec<CurvePoint>,
    /// Mean interpolated precision at recall 0, .1, .. 1, as trec_eval's `iprec_at_recall`.
    pub precision_at_recall: Vec<CurvePoint>,
    /// Means of the primary measure over queries by length and by lexical overlap.
    pub slices: Vec<Slice>,
}

/// JSON has no NaN, and serde_json writes it as null.
fn nan_from_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Vec<f64>>, D::Error> {
    let values = BTreeMap::<String, Vec<Option<f64>>>::deserialize(deserializer)?;
    let number = |value: Option<f64>| value.unwrap_or(f64::NAN);
    Ok(values.into_iter().map(|(measure, values)| (measure, values.into_iter().map(number).collect())).collect())
}

/// Milliseconds of one query, nothing remembered from earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Latency {
    /// Half of the queries take no longer.
    pub p50: f64,
    /// 95 percent take no longer.
    pub p95: f64,
}

/// A point of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CurvePoint {
    /// Depth, or recall.
    pub x: f64,
    /// Recall, or precision.
    pub y: f64,
}

/// How far a plan is from the first one, query by query.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct Difference {
    /// Mean difference; positive where this plan is better.
    pub mean: f64,
    /// 95 percent bootstrap confidence interval of the mean difference.
    pub interval: [f64; 2],
    /// Two-sided paired t-test.
    pub p_t_test: f64,
    /// Two-sided paired randomisation test.
    pub p_randomisation: f64,
    /// `p_t_test`, corrected by Holm over the plans compared on this measure.
    pub p_t_test_holm: f64,
    /// `p_randomisation`, corrected by Holm over the plans compared on this measure.
    pub p_randomisation_holm: f64,
    /// Cohen's d of the paired differences: mean over standard deviation.
    pub effect_size: f64,
    /// Queries where this plan is better.
    pub wins: u32,
    /// Queries where both are equal.
    pub ties: u32,
    /// Queries where this plan is worse.
    pub losses: u32,
}

/// A query on which two plans differ, and the judged documents that moved.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct ChangedQuery {
    /// The query's place in [`Comparison::queries`].
    pub query: usize,
    /// The difference in the primary measure.
    pub difference: f64,
    /// Relevant documents whose rank changed, and the unjudged or irrelevant ones that came into the top 10.
    pub moved: Vec<MovedDocument>,
}

/// A document that stands elsewhere in another plan's ranking.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct MovedDocument {
    /// The document's id.
    pub id: String,
    /// Its title or first words, where the index is at hand.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Its grade; absent where nobody judged it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grade: Option<i32>,
    /// The rank in the first plan, from 1; absent where it is not retrieved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank_before: Option<u32>,
    /// The rank in this plan, from 1; absent where it is not retrieved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank_after: Option<u32>,
}

/// The primary measure over a part of the queries.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct Slice {
    /// What the parts are made by: `words` or `lexical overlap`.
    pub by: String,
    /// Which part: `1-4`, `5-7`, ..
    pub part: String,
    /// Queries in it.
    pub num_queries: u32,
    /// The mean.
    pub mean: f64,
}

/// Which relevant documents two legs find, at one depth.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct Complementarity {
    /// The legs, such as `lexical` and `dense`.
    pub legs: [String; 2],
    /// Candidates of each leg.
    pub depth: u32,
    /// Relevant documents that only the first leg finds.
    pub only_first: u64,
    /// Relevant documents that only the second leg finds.
    pub only_second: u64,
    /// Relevant documents that both find.
    pub both: u64,
    /// Relevant documents that neither finds.
    pub neither: u64,
    /// Recall of the legs' candidates together.
    pub recall: f64,
    /// The best mean of the primary measure that any fusion or re-ranker could reach on the legs' candidates.
    pub best_possible: f64,
    /// Mean overlap of the two legs' candidates: shared over all (Jaccard).
    pub overlap: f64,
}

/// Quality against re-ranking depth, and what to do.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct RerankingWorth {
    /// The plan.
    pub plan: String,
    /// The cross-encoder.
    pub model: String,
    /// A row a depth; the first has depth 0: no re-ranking.
    pub by_depth: Vec<RerankingDepth>,
    /// What to do, in a sentence.
    pub recommendation: String,
    /// The probability that re-ranking is better than not, over bootstrap samples of the queries; 0 to 1.
    pub confidence: f64,
}

/// Re-ranking to one depth.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct RerankingDepth {
    /// Candidates that the cross-encoder reads.
    pub depth: u32,
    /// Recall of these candidates: the most that re-ranking could deliver.
    pub candidate_recall: f64,
    /// The primary measure.
    pub mean: f64,
    /// 95 percent bootstrap confidence interval of its difference to no re-ranking.
    pub interval: [f64; 2],
    /// Shares of the queries that gain, lose and stay.
    pub gain: f64,
    /// See `gain`.
    pub lose: f64,
    /// See `gain`.
    pub stay: f64,
    /// Median milliseconds that re-ranking adds to a query.
    pub added_ms_p50: f64,
}
