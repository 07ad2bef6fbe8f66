//! The measures of a ranking, equal to trec_eval's.
//!
//! [`grammar`] reads what a user writes, in trec_eval's spelling or ir_measures'; [`formulas`] computes it. Pure functions: no
//! index, no I/O.

mod formulas;
mod grammar;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use super::run::ScoredDocument;
use crate::error::{Error, Result};

pub(super) use formulas::score_ranking;

/// A measure as a user wrote it, such as `nDCG@10`, `ndcg_cut_10`, `map`, `P(rel=2)@5`, `rbp(p=0.8)`.
///
/// ```
/// use bifocal::eval::measures::Measure;
///
/// let measures = Measure::parse_list("nDCG@10,P_5,recip_rank")?;
/// let labels: Vec<String> = measures.iter().map(Measure::label).collect();
/// assert_eq!(labels, ["nDCG@10", "P@5", "RR"]);
/// assert_eq!(measures[0].name(), "ndcg@10");
/// # Ok::<(), bifocal::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    written: String,
    formula: Formula,
}

/// What is computed. `rel` is the lowest grade that counts as relevant, at least 1; `k` the cutoff in ranks.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Formula {
    /// Normalised discounted cumulative gain: gains are the grades above 0, the discount is `log2(rank + 1)`.
    Ndcg { k: Option<NonZeroU32> },
    /// Relevant documents in the first `k`, over `k`.
    Precision { rel: i32, k: NonZeroU32 },
    /// Relevant documents in the first `k`, over all relevant documents.
    Recall { rel: i32, k: NonZeroU32 },
    /// Mean over all relevant documents of the precision at their ranks; 0 for those that are not in the first `k`.
    AveragePrecision { rel: i32, k: Option<NonZeroU32> },
    /// One over the rank of the first relevant document.
    ReciprocalRank { rel: i32, k: Option<NonZeroU32> },
    /// Binary preference: how seldom judged irrelevant documents stand above relevant ones.
    Bpref { rel: i32 },
    /// Precision at the number of relevant documents.
    RPrecision { rel: i32 },
    /// Whether a relevant document is in the first `k`.
    Success { rel: i32, k: NonZeroU32 },
    /// Rank-biased precision: `(1 - p)` times the sum of `p^(rank - 1)` over relevant documents in the first `k`.
    RankBiasedPrecision { rel: i32, persistence: f64, k: Option<NonZeroU32> },
    /// Judged documents in the first `k`, over `k` or the number of retrieved documents, whichever is smaller.
    Judged { k: Option<NonZeroU32> },
    /// The highest precision at any rank where recall is at least `recall`.
    InterpolatedPrecision { rel: i32, recall: f64 },
}

impl Measure {
    /// Parses a list with commas (not those within parentheses). `iprec` stands for `IPrec@0` to `IPrec@1` in steps of 0.1, as
    /// `iprec_at_recall` does in trec_eval. What occurs twice is kept once.
    ///
    /// # Errors
    /// `InvalidInput` that names the unknown measure and lists those there are; or says that the list is empty.
    pub fn parse_list(list: &str) -> Result<Vec<Measure>> {
        let mut measures: Vec<Measure> = Vec::new();
        let mut seen = HashSet::new();
        for name in grammar::split_list(list) {
            for measure in grammar::expand(name).iter().map(|name| name.parse::<Measure>()) {
                let measure = measure?;
                if seen.insert(measure.written.clone()) {
                    measures.push(measure);
                }
            }
        }
        if measures.is_empty() {
            return Err(Error::invalid_input(format!("no measure is named; {}", grammar::KNOWN)));
        }
        Ok(measures)
    }

    /// The name for JSON: lower case as the user wrote it (`ndcg@10`, `ndcg_cut_10`).
    pub fn name(&self) -> &str {
        &self.written
    }

    /// The name for people, as ir_measures spells it: `nDCG@10`, `AP`, `RR@10`, `R@100`.
    pub fn label(&self) -> String {
        grammar::label(&self.formula)
    }

    /// How deep the measure looks; `None`: at all that is retrieved.
    pub fn cutoff(&self) -> Option<usize> {
        self.formula.cutoff().map(|k| k.get() as usize)
    }
}

impl Formula {
    fn cutoff(&self) -> Option<NonZeroU32> {
        match *self {
            Formula::Precision { k, .. } | Formula::Recall { k, .. } | Formula::Success { k, .. } => Some(k),
            Formula::Ndcg { k }
            | Formula::AveragePrecision { k, .. }
            | Formula::ReciprocalRank { k, .. }
            | Formula::RankBiasedPrecision { k, .. }
            | Formula::Judged { k } => k,
            Formula::Bpref { .. } | Formula::RPrecision { .. } | Formula::InterpolatedPrecision { .. } => None,
        }
    }
}

impl FromStr for Measure {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let written = name.trim().to_ascii_lowercase();
        let formula = grammar::parse(&written)?;
        Ok(Self { written, formula })
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// Values of one query's ranking, one a measure; `judged` is document id to grade. The ranking may be in any order: it is read
/// as [`sort_as_trec_eval`](super::run::sort_as_trec_eval) sorts it. A query without a relevant document has 0 everywhere but in
/// `Judged`, whose value does not depend on relevance.
///
/// A grade below 0 means "in the pool, but not judged", as in trec_eval: it is neither relevant nor irrelevant. `Judged` counts
/// it, as ir_measures does.
pub fn score_query(measures: &[Measure], ranking: &[ScoredDocument], judged: &HashMap<String, i32>) -> Vec<f64> {
    score_ranking(measures, ranking, judged, None)
}
