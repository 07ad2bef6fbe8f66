//! How good a run is: judged queries in, figures out.
//!
//! In: judged queries ([`dataset`]) and runs ([`run`]), the engine's or any other system's. Out: a [`Comparison`](comparison::Comparison):
//! the measures that trec_eval computes, significance, what moved and why. Invariant: measures, tests and comparisons are pure
//! functions over values; ties are broken as trec_eval breaks them (score descending, then document id descending), whatever order
//! the engine returned.

pub mod compare;
pub mod comparison;
pub mod dataset;
pub mod dense_recall;
pub mod json_schema;
pub mod judge;
pub mod latency;
mod lines;
pub mod measures;
mod readings;
pub mod remote;
pub mod report;
pub mod retrieval;
pub mod run;
pub mod scoring;
pub mod significance;
pub mod sweep;
pub mod tune;

pub use dataset::{Dataset, Judgments};
pub use run::Run;
