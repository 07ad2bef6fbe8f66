//! Expressions that score a document: what is left of Painless when only numbers, vectors and values of fields remain.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An expression, and what it was written as.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// As it was written, for explanations.
    pub source: String,
    /// What it computes.
    pub expression: Expression,
}

/// A node of an expression; every value is a number, truth is 1 and 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Expression {
    /// A number.
    Number(f64),
    /// The score of the query around.
    Score,
    /// The first value of a field; an error where a document has none.
    Value(String),
    /// How many values of a field a document has.
    Count(String),
    /// How near a document's vector is to a given one.
    Vector(VectorFunction),
    /// The negative.
    Negate(Box<Expression>),
    /// Truth turned over.
    Not(Box<Expression>),
    /// Two values combined.
    Binary(BinaryOperator, Box<Expression>, Box<Expression>),
    /// The second where the first is true, else the third.
    Choice(Box<Expression>, Box<Expression>, Box<Expression>),
    /// A function of numbers.
    Call(MathFunction, Vec<Expression>),
}

impl Expression {
    /// The expressions directly within.
    pub fn parts(&self) -> Vec<&Expression> {
        match self {
            Expression::Number(_)
            | Expression::Score
            | Expression::Value(_)
            | Expression::Count(_)
            | Expression::Vector(_) => Vec::new(),
            Expression::Negate(inner) | Expression::Not(inner) => vec![inner],
            Expression::Binary(_, left, right) => vec![left, right],
            Expression::Choice(condition, yes, no) => vec![condition, yes, no],
            Expression::Call(_, arguments) => arguments.iter().collect(),
        }
    }
}

/// How near a document's vector is to a given one, or what the vector is by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VectorFunction {
    /// Which measure.
    pub measure: VectorMeasure,
    /// A vector field's name.
    pub field: String,
    /// `[dims]`.
    pub vector: Vec<f32>,
}

/// A measure of two vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VectorMeasure {
    /// The cosine of their angle.
    CosineSimilarity,
    /// Their dot product.
    DotProduct,
    /// The sum of the differences.
    L1Norm,
    /// The length of the difference.
    L2Norm,
    /// The length of the document's own.
    Magnitude,
    /// How many there are in the document: 0 or 1.
    Count,
}

/// An operator between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BinaryOperator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `/` of whole numbers: cut off.
    DivideWhole,
    /// `%`
    Remainder,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `&&`
    And,
    /// `||`
    Or,
}

/// A function of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MathFunction {
    /// `Math.abs`
    Abs,
    /// `Math.ceil`
    Ceil,
    /// `Math.cos`
    Cos,
    /// `Math.exp`
    Exp,
    /// `Math.floor`
    Floor,
    /// `Math.log`: natural.
    Log,
    /// `Math.log10`
    Log10,
    /// `Math.max`
    Max,
    /// `Math.min`
    Min,
    /// `Math.pow`
    Pow,
    /// `Math.round`
    Round,
    /// `Math.sin`
    Sin,
    /// `Math.sqrt`
    Sqrt,
    /// `Math.tanh`
    Tanh,
    /// `saturation(value, k)`: `value / (k + value)`.
    Saturation,
    /// `sigmoid(value, k, a)`: `value^a / (k^a + value^a)`.
    Sigmoid,
    /// `decay*Linear(origin, scale, offset, decay, value)`.
    DecayLinear,
    /// `decay*Exp(origin, scale, offset, decay, value)`.
    DecayExp,
    /// `decay*Gauss(origin, scale, offset, decay, value)`.
    DecayGauss,
}
