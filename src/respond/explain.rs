//! Why a document is, or is not, among the hits: the facts of every stage, as a tree.

use serde::Serialize;

use super::hit::{FusedProvenance, RerankProvenance};
use crate::document::DocumentId;

/// What became of one document under one query and plan.
///
/// # Stability
/// Printed by `bifocal explain --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WhyNot {
    /// The document.
    #[serde(rename = "_id")]
    pub id: DocumentId,
    /// The plan's name.
    pub plan: String,
    /// The final rank, from 1; null when it is not among the candidates.
    pub rank: Option<u32>,
    /// Whether the plan's `size` and `offset` show it.
    pub is_shown: bool,
    /// One sentence: the first thing that kept it out, or that nothing did.
    pub verdict: String,
    /// Whether the plan's filter lets it pass; null without a filter.
    pub passes_filter: Option<bool>,
    /// One a leg.
    pub legs: Vec<LegFacts>,
    /// After fusion; null when no leg returned it.
    pub fused: Option<FusedProvenance>,
    /// What the cross-encoder did; null when it did not read the document.
    pub rerank: Option<RerankProvenance>,
}

/// What one leg says of the document.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LegFacts {
    /// The leg's name.
    pub leg: String,
    /// Candidates that the leg returns.
    pub depth: usize,
    /// The document's score, whatever its rank; null when it does not match at all.
    pub score: Option<f32>,
    /// Its rank among all documents as far as it was looked for, from 1; null when it does not match or is beyond [`LegFacts::searched`].
    pub rank: Option<u32>,
    /// How deep the rank was looked for.
    pub searched: usize,
    /// The score of the last candidate that the leg returned.
    pub last_score: Option<f32>,
    /// How the score is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<serde_json::Value>,
}

/// The facts that [`WhyNot::assemble`] judges.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The document.
    pub id: DocumentId,
    /// The plan's name.
    pub plan: String,
    /// The plan's `size`.
    pub size: usize,
    /// The plan's `offset`.
    pub offset: usize,
    /// See [`WhyNot::passes_filter`].
    pub passes_filter: Option<bool>,
    /// See [`WhyNot::legs`].
    pub legs: Vec<LegFacts>,
    /// See [`WhyNot::fused`].
    pub fused: Option<FusedProvenance>,
    /// See [`WhyNot::rerank`].
    pub rerank: Option<RerankProvenance>,
    /// The final rank.
    pub rank: Option<u32>,
    /// Candidates that the cross-encoder reads; `None` without re-ranking.
    pub rerank_depth: Option<usize>,
}

impl WhyNot {
    /// Judges the facts of one document.
    pub fn assemble(facts: Facts) -> Self {
        let shown =
            facts.rank.is_some_and(|rank| rank as usize > facts.offset && rank as usize <= facts.offset + facts.size);
        let verdict = verdict(&facts, shown);
        Self {
            id: facts.id,
            plan: facts.plan,
            rank: facts.rank,
            is_shown: shown,
            verdict,
            passes_filter: facts.passes_filter,
            legs: facts.legs,
            fused: facts.fused,
            rerank: facts.rerank,
        }
    }
}

fn verdict(facts: &Facts, shown: bool) -> String {
    if facts.passes_filter == Some(false) {
        return "the filter of the plan leaves it out".to_string();
    }
    if let (true, Some(rank)) = (shown, facts.rank) {
        return format!("it is hit {rank}");
    }
    let Some(fused) = &facts.fused else {
        let missed: Vec<String> = facts.legs.iter().map(missed).collect();
        return format!("no leg returned it: {}", missed.join("; "));
    };
    match facts.rank {
        None => "it was cut by a minimum score".to_string(),
        Some(rank) if (rank as usize) <= facts.offset => {
            format!("it is hit {rank}, before the offset {}", facts.offset)
        }
        Some(rank) => {
            let window = facts.offset + facts.size;
            let reason = match (&facts.rerank, facts.rerank_depth) {
                (Some(rerank), _) if rerank.rank_before as usize <= window => {
                    format!("the cross-encoder moved it from rank {} to {rank}", rerank.rank_before)
                }
                (None, Some(depth)) => format!(
                    "it is at rank {} after fusion, beyond the {depth} that the cross-encoder reads",
                    fused.rank
                ),
                _ => format!("its fused rank is {}", fused.rank),
            };
            format!("it is candidate {rank}, beyond the first {window}: {reason}")
        }
    }
}

fn missed(leg: &LegFacts) -> String {
    match (leg.score, leg.rank) {
        (None, _) => format!("{} does not match it", leg.leg),
        (Some(score), Some(rank)) if rank as usize <= leg.depth => {
            format!("{} would have it at rank {rank} (score {score:.4}), but its walk of the graph missed it", leg.leg)
        }
        (Some(score), Some(rank)) => {
            format!("{} has it at rank {rank} (score {score:.4}), beyond its depth {}", leg.leg, leg.depth)
        }
        (Some(score), None) => format!("{} scores it {score:.4}, below the first {}", leg.leg, leg.searched),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        let leg = LegFacts {
            leg: "lexical".into(),
            depth: 100,
            score: Some(1.5),
            rank: Some(140),
            searched: 10_000,
            last_score: Some(2.0),
            explanation: None,
        };
        Facts {
            id: "7".into(),
            plan: "hybrid".into(),
            size: 10,
            offset: 0,
            passes_filter: None,
            legs: vec![leg],
            fused: None,
            rerank: None,
            rank: None,
            rerank_depth: None,
        }
    }

    #[test]
    fn the_first_reason_is_named() {
        assert_eq!(
            WhyNot::assemble(facts()).verdict,
            "no leg returned it: lexical has it at rank 140 (score 1.5000), beyond its depth 100"
        );
        let filtered = Facts { passes_filter: Some(false), ..facts() };
        assert!(WhyNot::assemble(filtered).verdict.contains("filter"));
        let found = Facts { fused: Some(FusedProvenance { score: 1.0, rank: 3 }), rank: Some(3), ..facts() };
        assert!(WhyNot::assemble(found.clone()).is_shown);
        let beyond = Facts { size: 2, ..found.clone() };
        assert_eq!(WhyNot::assemble(beyond).verdict, "it is candidate 3, beyond the first 2: its fused rank is 3");
        let skipped = WhyNot::assemble(Facts { offset: 5, ..found.clone() });
        assert_eq!((skipped.verdict.as_str(), skipped.is_shown), ("it is hit 3, before the offset 5", false));
        assert!(WhyNot::assemble(Facts { rank: None, ..found }).verdict.contains("minimum score"));
    }

    #[test]
    fn every_way_of_missing_a_leg_is_told_apart() {
        let with = |score, rank| {
            let mut facts = facts();
            facts.legs[0].score = score;
            facts.legs[0].rank = rank;
            WhyNot::assemble(facts).verdict
        };
        assert_eq!(with(None, None), "no leg returned it: lexical does not match it");
        assert_eq!(with(Some(0.5), None), "no leg returned it: lexical scores it 0.5000, below the first 10000");
        assert!(with(Some(0.5), Some(3)).contains("missed it"));
    }

    #[test]
    fn the_cross_encoder_is_named_where_it_decided() {
        let rerank = RerankProvenance {
            relevance: 0.1,
            logit: -2.2,
            rank_before: 4,
            rank_after: 30,
            tokens: 90,
            truncated_tokens: 0,
        };
        let moved = Facts {
            fused: Some(FusedProvenance { score: 1.0, rank: 4 }),
            rank: Some(30),
            rerank: Some(rerank),
            rerank_depth: Some(50),
            ..facts()
        };
        assert!(WhyNot::assemble(moved.clone()).verdict.contains("moved it from rank 4 to 30"));
        let unread =
            Facts { fused: Some(FusedProvenance { score: 1.0, rank: 60 }), rank: Some(60), rerank: None, ..moved };
        assert!(WhyNot::assemble(unread).verdict.contains("beyond the 50 that the cross-encoder reads"));
    }
}
