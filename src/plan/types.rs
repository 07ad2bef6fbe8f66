//! What a plan may say: plain serde types without behaviour. Absent parts have the defaults that [`super::resolve`] fills in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A search plan: legs return candidates, fusion joins them, a cross-encoder re-ranks the best of them.
///
/// ```
/// let plan: bifocal::plan::Plan = serde_json::from_str(
///     r#"{ "legs": [ {"lexical": {"weight": 0.4}}, {"dense": {"weight": 0.6}} ],
///          "fusion": {"weighted_sum": {"normalizer": "z_score"}} }"#,
/// )?;
/// assert_eq!(plan.legs.len(), 2);
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// # Stability
/// Written in users' files and sent over HTTP; described by `schema/plan.json`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Plan {
    /// What the plan is called in answers and as the tag of TREC runs. Default: the name under which it was found, else `plan`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub name: Option<String>,
    /// The ways to get candidates; they run side by side on one snapshot. A plan without legs only re-ranks the candidates
    /// that its caller brings (search inside one document).
    pub legs: Vec<Leg>,
    /// How candidates of several legs become one list. Default with two legs or more: the weighted sum of z-scores. With one
    /// leg and no fusion the leg's own scores are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fusion: Option<Fusion>,
    /// Re-ranking by a cross-encoder. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rerank: Option<Rerank>,
    /// Only documents that match this query, in the search box's syntax (`lang:en year:[2019 TO *]`), are candidates of any
    /// leg; it does not change scores. Default: every document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// The number of hits to return, 0 to 10,000. Default 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10_000))]
    pub size: Option<usize>,
    /// The number of best hits to leave out first. `size + offset` is at most 10,000. Default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10_000))]
    pub offset: Option<usize>,
    /// Hits whose final score is below this are cut. Default: none are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_score: Option<f64>,
}

impl Plan {
    /// Sets the depth of every leg.
    pub fn set_depth(&mut self, depth: usize) {
        for leg in &mut self.legs {
            match leg {
                Leg::Lexical(leg) => leg.depth = Some(depth),
                Leg::Dense(leg) => leg.depth = Some(depth),
            }
        }
    }
}

/// One way of getting candidates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Leg {
    /// BM25 over text fields.
    Lexical(LexicalLeg),
    /// Nearest vectors of a `semantic_text` or `dense_vector` field.
    Dense(DenseLeg),
}

/// The lexical leg: BM25 over text fields.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct LexicalLeg {
    /// What the leg is called in answers. Default `lexical`, then `lexical-2` and so on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub name: Option<String>,
    /// The number of candidates to return, 1 to 10,000. Default 100, or `size + offset` where that is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub depth: Option<usize>,
    /// The share in the fusion, at least 0; not all may be 0. Default for weighted sums 0.4 for the lexical legs together
    /// beside dense ones; for reciprocal rank fusion, and where all legs are lexical, 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub weight: Option<f64>,
    /// The fields to search, each with an optional boost after `^` and with `*` for any text: `["title^2", "body*"]`.
    /// Default: the fields that the index searches by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub fields: Option<Vec<String>>,
    /// BM25's saturation of term frequencies, at least 0. Default: the field's own (1.2 unless its mapping says otherwise).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub k1: Option<f32>,
    /// BM25's share of length normalisation, 0 to 1. Default: the field's own (0.75 unless its mapping says otherwise).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub b: Option<f32>,
    /// Whether a document needs one of the query's words or all of them. Default `or`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<Operator>,
}

/// How the words of a query are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    /// One word is enough; more words score higher.
    #[default]
    Or,
    /// Every word must occur.
    And,
}

/// The dense leg: nearest vectors of one field. A document scores as its best passage.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct DenseLeg {
    /// What the leg is called in answers. Default `dense`, then `dense-2` and so on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub name: Option<String>,
    /// The number of candidates to return, 1 to 10,000. Default 100, or `size + offset` where that is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub depth: Option<usize>,
    /// The share in the fusion, at least 0; not all may be 0. Default for weighted sums 0.6 for the dense legs together
    /// beside lexical ones; for reciprocal rank fusion, and where all legs are dense, 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub weight: Option<f64>,
    /// The `semantic_text` or `dense_vector` field. Default: the index's default one, or the only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The nearest neighbours that a graph's walk keeps in view, `depth` to 10,000: more find more and take longer. Default
    /// one and a half times `depth`, at least 100. Exact search ignores it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub num_candidates: Option<usize>,
    /// Compares every vector instead of walking a graph. Default false: the engine chooses by size and filter.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub exact: bool,
}

/// How the legs' candidates become one list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fusion {
    /// Reciprocal rank fusion: scores do not matter, ranks do.
    Rrf(Rrf),
    /// The weighted sum of normalised scores.
    WeightedSum(WeightedSum),
}

/// Reciprocal rank fusion.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Rrf {
    /// How fast a rank's worth falls, at least 1. Default: the dialect's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub rank_constant: Option<u32>,
    /// Whose formula. Default `standard`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dialect: Option<RrfDialect>,
    /// Only this many best candidates of each leg count, and only this many are returned (Elasticsearch's
    /// `rank_window_size`), at least `size + offset`. Default: all; in the dialect `elasticsearch`, `size + offset`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub rank_window_size: Option<usize>,
}

/// Which engine's reciprocal rank fusion: they rank alike only where ranks start alike and weights mean the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RrfDialect {
    /// `weight / (60 + rank)`, rank from 1. Source: Cormack, Clarke, Büttcher, SIGIR 2009; also OpenSearch, ranx and pyserini.
    #[default]
    Standard,
    /// `weight / (60 + rank - 1)`: ranks from 0. Source: LanceDB's earlier releases, and other code that enumerates from 0.
    ZeroBased,
    /// `1 / (2 + rank / weight - 1)`: ranks from 0 and a smaller constant; a weight stretches the ranks instead of scaling
    /// the score, and a weight of 0 gives 0. Source: `lib/segment/src/common/reciprocal_rank_fusion.rs` of qdrant/qdrant at 037600e8.
    Qdrant,
    /// The standard formula over a window: each leg is cut to `rank_window_size` (by default the number of hits asked for)
    /// before, and the list after. Source: Elasticsearch's `rrf` retriever.
    Elasticsearch,
}

/// The weighted sum of normalised scores.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct WeightedSum {
    /// How each leg's scores are put on one scale. Default `z_score`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalizer: Option<Normalizer>,
}

/// How one leg's scores are put on a scale that can be summed. Each is increasing and straight, so it keeps the leg's
/// order and the proportions of its gaps.
///
/// What a document gets from a leg that did not return it is *missing* below. Scores count as all equal also where there is
/// only one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Normalizer {
    /// `(score - mean) / deviation`. All equal: 0. Missing: the leg's lowest, and at most -1.
    #[default]
    ZScore,
    /// `(score - min) / (max - min)`, in 0..=1. All equal: 1. Missing: 0.
    MinMax,
    /// `score / |max|`: the theoretical minimum, 0, stays 0; at most 1 where the best score is positive. All 0: 0. Missing:
    /// 0, or the leg's lowest where that is negative.
    MaxTheoreticalMin,
    /// `(score - (mean - 3 deviations)) / (6 deviations)`: 0..=1 for scores within three deviations, a little outside for the
    /// rest. All equal: 0.5. Missing: 0, or the leg's lowest where that is negative. Source: Mazzeschi 2023; as Qdrant's `dbsf`.
    DistributionBased,
    /// `score / sqrt(sum of squared scores)`, in -1..=1. All 0: 0. Missing: 0, or the leg's lowest where that is negative.
    L2,
    /// The score itself. Missing: 0, or the leg's lowest where that is negative.
    None,
}

impl Normalizer {
    /// Every normaliser, in declaration order.
    pub const ALL: [Normalizer; 6] = [
        Normalizer::ZScore,
        Normalizer::MinMax,
        Normalizer::MaxTheoreticalMin,
        Normalizer::DistributionBased,
        Normalizer::L2,
        Normalizer::None,
    ];
}

/// Re-ranking by a cross-encoder, which reads the query and a document's best passages together.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Rerank {
    /// The cross-encoder: a name of the catalogue, a folder, or a hub repository. Default: the installation's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How many of the best candidates are read, 1 to 10,000; the rest stay below them in their order. Default 50, or
    /// `size + offset` where that is more, or all candidates where they are fewer; without legs, all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub rerank_depth: Option<usize>,
    /// Stops reading after this many milliseconds and answers with the best order reached so far. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub budget_ms: Option<u64>,
    /// How much the cross-encoder's score adds to the fused one, above 0: both are standardised over the candidates that
    /// were read, and the final score is `fused + weight * cross_encoder`. Default null: the cross-encoder alone decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub weight: Option<f64>,
    /// How many of a document's best passages are read, 1 to 100; the best one counts. Default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub passages: Option<usize>,
    /// Cuts every document whose relevance, 0 to 1, is below this, and those that were not read. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub min_score: Option<f64>,
}
