//! The search plan: which legs, how they are fused, how the best are re-ranked, and which hits come back.
//!
//! In: JSON, YAML, a name, or Rust values. Out: a [`Plan`] as written, and, against what an index has ([`PlanContext`]), a
//! [`ResolvedPlan`] in which every default is filled and nothing contradicts. The command line, the HTTP API, the evaluator
//! and the library all use this one type. Invariant: nothing after [`Plan::resolve`] validates a plan.
//!
//! Read next: [`types`] (what one may write), [`named`] (plans that exist from the start), [`read`] (files),
//! [`resolve`] (defaults and checks), [`json_schema`] (`schema/plan.json`).

pub mod json_schema;
pub mod named;
pub mod read;
pub mod resolve;
pub mod types;

pub use json_schema::json_schema;
pub use resolve::{
    DenseField, FieldBoost, PlanContext, ResolvedDense, ResolvedFusion, ResolvedLeg, ResolvedLegKind, ResolvedLexical,
    ResolvedPlan, ResolvedRerank, ResolvedRrf,
};
pub use types::{DenseLeg, Fusion, Leg, LexicalLeg, Normalizer, Operator, Plan, Rerank, Rrf, RrfDialect, WeightedSum};
