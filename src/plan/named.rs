//! The plans that exist from the start.

use super::types::{DenseLeg, Fusion, Leg, LexicalLeg, Normalizer, Plan, Rerank, WeightedSum};

/// How much the cross-encoder adds in `hybrid-rerank`: what `training/calibrate.py` found best for the shipped one, on sources that it
/// was not trained on (`training/figures/calibration.bifocal-reranker-small.json`).
const RERANK_WEIGHT: f64 = 1.0;

impl Plan {
    /// The names that [`Plan::named`] knows.
    pub const NAMES: [&'static str; 4] = ["lexical", "dense", "hybrid", "hybrid-rerank"];

    /// A plan that exists from the start, or `None`.
    ///
    /// * `lexical`: BM25 alone. `dense`: nearest vectors alone.
    /// * `hybrid`: the best 100 of each, summed as z-scores with weights .4 and .6.
    /// * `hybrid-rerank`: the same, and a cross-encoder reads the best 50.
    pub fn named(name: &str) -> Option<Plan> {
        let lexical = || Leg::Lexical(LexicalLeg::default());
        let dense = || Leg::Dense(DenseLeg::default());
        let (legs, rerank) = match name {
            "lexical" => (vec![lexical()], None),
            "dense" => (vec![dense()], None),
            "hybrid" => (vec![lexical(), dense()], None),
            "hybrid-rerank" => {
                (vec![lexical(), dense()], Some(Rerank { weight: Some(RERANK_WEIGHT), ..Rerank::default() }))
            }
            _ => return None,
        };
        let fusion =
            (legs.len() > 1).then_some(Fusion::WeightedSum(WeightedSum { normalizer: Some(Normalizer::ZScore) }));
        Some(Plan { name: Some(name.to_string()), legs, fusion, rerank, ..Plan::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_plan() {
        for name in Plan::NAMES {
            let plan = Plan::named(name).unwrap();
            assert_eq!(plan.name.as_deref(), Some(name));
            assert_eq!(plan.rerank.is_some(), name.ends_with("rerank"));
        }
        assert_eq!(Plan::named("hybird"), None);
    }
}
