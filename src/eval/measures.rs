//! The measures of a ranking, equal to trec_eval's.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use super::run::ScoredDocument;
use crate::error::{Error, Result};

/// A measure as a user wrote it, such as `nDCG@10`, `ndcg_cut_10`, `map`, `P(rel=2)@5`, `rbp(p=0.8)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    written: String,
}

impl Measure {
    /// Parses a list with commas.
    ///
    /// # Errors
    /// `InvalidInput` that names the unknown measure and lists those there are.
    pub fn parse_list(list: &str) -> Result<Vec<Measure>> {
        list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::parse).collect()
    }

    /// The name for JSON: lower case as the user wrote it (`ndcg@10`, `ndcg_cut_10`).
    pub fn name(&self) -> &str {
        &self.written
    }

    /// The name for people, as ir_measures spells it: `nDCG@10`, `AP`, `RR@10`, `R@100`.
    pub fn label(&self) -> String {
        unimplemented!("helper data")
    }
}

impl FromStr for Measure {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let _ = name;
        unimplemented!("helper data")
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// Values of one query's ranking, one a measure; `judged` is document id to grade.
pub fn score_query(measures: &[Measure], ranking: &[ScoredDocument], judged: &HashMap<String, i32>) -> Vec<f64> {
    let _ = (measures, ranking, judged);
    unimplemented!("helper data")
}
