//! Queries that change the scores of others, or score by a value.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Query;
use super::script::Script;

/// [`Query::Boosting`](super::Query::Boosting): what `positive` finds; the score times `negative_boost` where `negative` matches too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BoostingQuery {
    /// What must match.
    pub positive: Box<Query>,
    /// What lowers the score.
    pub negative: Box<Query>,
    /// At least 0.
    pub negative_boost: f32,
}

/// [`Query::Capped`](super::Query::Capped): another query's scores, none above `max_score`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CappedQuery {
    /// Whose scores.
    pub query: Box<Query>,
    /// The greatest score.
    pub max_score: f32,
}

/// [`Query::FunctionScore`](super::Query::FunctionScore): another query's documents, their scores combined with functions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FunctionScoreQuery {
    /// Whose documents.
    pub query: Box<Query>,
    /// The functions.
    #[serde(default)]
    pub functions: Vec<FunctionClause>,
    /// How the functions' values become one.
    #[serde(default)]
    pub score_mode: ScoreMode,
    /// How that value and the query's score become one.
    #[serde(default)]
    pub boost_mode: BoostMode,
    /// The greatest value of the functions together.
    #[serde(default)]
    pub max_boost: Option<f32>,
    /// Documents that score less are not found.
    #[serde(default)]
    pub min_score: Option<f32>,
}

/// A function and the documents that it applies to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FunctionClause {
    /// Only documents that match; `None` for all.
    #[serde(default)]
    pub filter: Option<Query>,
    /// Multiplies the function.
    #[serde(default)]
    pub weight: Option<f32>,
    /// `None` for 1.
    #[serde(default)]
    pub function: Option<ScoreFunction>,
}

/// A function of a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ScoreFunction {
    /// The value of a field.
    FieldValueFactor(FieldValueFactor),
    /// Falls with the distance of a field's value from an origin.
    Decay(Decay),
    /// A number from 0 to 1, the same for the same seed.
    Random(RandomScore),
    /// An expression.
    Script(Script),
}

/// `modifier(factor * value)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldValueFactor {
    /// A number field's name.
    pub field: String,
    /// Multiplies the value.
    #[serde(default = "super::one")]
    pub factor: f32,
    /// What is made of the product.
    #[serde(default)]
    pub modifier: Modifier,
    /// The value of documents without one; without it such a document is an error.
    #[serde(default)]
    pub missing: Option<f64>,
}

/// What a [`FieldValueFactor`] makes of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Modifier {
    /// Nothing.
    #[default]
    None,
    /// The common logarithm.
    Log,
    /// The common logarithm of 1 more.
    Log1p,
    /// The common logarithm of 2 more.
    Log2p,
    /// The natural logarithm.
    Ln,
    /// The natural logarithm of 1 more.
    Ln1p,
    /// The natural logarithm of 2 more.
    Ln2p,
    /// The square.
    Square,
    /// The square root.
    Sqrt,
    /// One over it.
    Reciprocal,
}

/// Falls from 1 at `offset` from the origin to `decay` at `offset + scale`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Decay {
    /// A number or date field's name; dates in milliseconds.
    pub field: String,
    /// How it falls.
    pub shape: DecayShape,
    /// Where it is 1.
    pub origin: f64,
    /// Above 0.
    pub scale: f64,
    /// At least 0.
    #[serde(default)]
    pub offset: f64,
    /// Between 0 and 1.
    pub decay: f64,
    /// Which distance counts where a document has several values.
    #[serde(default)]
    pub multi_value_mode: MultiValueMode,
}

/// The shape of a [`Decay`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecayShape {
    /// A bell.
    Gauss,
    /// Exponential.
    Exp,
    /// A straight line down to 0.
    Linear,
}

/// One number of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MultiValueMode {
    /// The least.
    #[default]
    Min,
    /// The greatest.
    Max,
    /// The mean.
    Avg,
    /// The sum.
    Sum,
}

/// A number from 0 to 1 by hashing a document's number, or a value of it, with a seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RandomScore {
    /// Seed and index, mixed.
    pub salted_seed: i32,
    /// The field whose value is hashed; `None` for the document's number in the snapshot.
    #[serde(default)]
    pub field: Option<String>,
}

/// How the values of several functions become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScoreMode {
    /// Their product.
    #[default]
    Multiply,
    /// Their sum.
    Sum,
    /// Their mean, weighted.
    Avg,
    /// The first that applies.
    First,
    /// The greatest.
    Max,
    /// The least.
    Min,
}

/// How the functions' value and the query's score become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BoostMode {
    /// Their product.
    #[default]
    Multiply,
    /// The functions' alone.
    Replace,
    /// Their sum.
    Sum,
    /// Their mean.
    Avg,
    /// The greater.
    Max,
    /// The lesser.
    Min,
}

/// [`Query::ScriptScore`](super::Query::ScriptScore): another query's documents, scored by an expression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScriptScoreQuery {
    /// Whose documents.
    pub query: Box<Query>,
    /// The score; negative or NaN is an error.
    pub script: Script,
    /// Documents that score less are not found.
    #[serde(default)]
    pub min_score: Option<f32>,
}

/// [`Query::RankFeature`](super::Query::RankFeature): documents that have the field, scored by its value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RankFeatureQuery {
    /// A `rank_feature` field's name, or a feature of a `rank_features` field.
    pub field: String,
    /// What is made of the value.
    pub function: RankFunction,
}

/// What a [`RankFeatureQuery`] makes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RankFunction {
    /// `value / (value + pivot)`; without a pivot, about the geometric mean of the index's values.
    Saturation {
        /// Where it is one half.
        pivot: Option<f32>,
    },
    /// `ln(scaling_factor + value)`.
    Log {
        /// At least 1.
        scaling_factor: f32,
    },
    /// `value^exponent / (value^exponent + pivot^exponent)`.
    Sigmoid {
        /// Where it is one half.
        pivot: f32,
        /// Above 0.
        exponent: f32,
    },
    /// The value.
    Linear,
}

/// [`Query::DistanceFeature`](super::Query::DistanceFeature): `pivot / (pivot + distance from the origin)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DistanceFeatureQuery {
    /// A date field's name.
    pub field: String,
    /// Milliseconds since 1970.
    pub origin: i64,
    /// Milliseconds, above 0.
    pub pivot: i64,
}

/// [`Query::Nested`](super::Query::Nested): documents of which a nested object matches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NestedQuery {
    /// The nested field's path.
    pub path: String,
    /// What the objects must match.
    pub query: Box<Query>,
    /// How the objects' scores become the document's.
    #[serde(default)]
    pub score_mode: NestedScoreMode,
    /// The nested path of the query around this one; `None` where the documents found are whole ones.
    #[serde(default)]
    pub parent: Option<String>,
    /// What the response shows of the objects, as it was asked.
    #[serde(default)]
    pub inner_hits: Option<serde_json::Value>,
}

/// How the scores of nested objects become their document's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NestedScoreMode {
    /// Their mean.
    #[default]
    Avg,
    /// Their sum.
    Sum,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// 0.
    None,
}
