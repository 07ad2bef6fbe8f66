//! How good a run is: judged queries in, figures out.
//!
//! In: a dataset in BEIR layout ([`Dataset`]) and runs. Out: the measures that trec_eval computes, over all judged queries that
//! have a relevant document. Invariant: pure functions over values; ties are broken as trec_eval breaks them (score descending,
//! then document id descending), whatever order the engine returned.

pub mod comparison;
pub mod dataset;
pub mod measures;

pub use dataset::{Dataset, Judgments};
pub use measures::{Figures, Scored, evaluate, mean};
