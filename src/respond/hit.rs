//! The response of a search.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::document::{DocumentId, PassageSpan};
use crate::rerank::RerankedCandidate;

/// The answer to a search.
///
/// # Stability
/// Printed by `bifocal search --json`; fields are added, not changed.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct SearchResponse {
    /// Milliseconds from the request to the answer.
    pub took_ms: f64,
    /// The plan's name.
    pub plan: String,
    /// Best first.
    pub hits: Vec<Hit>,
    /// What each stage cost.
    pub cost: Cost,
    /// What did not go as the plan says.
    pub warnings: Vec<Warning>,
}

impl SearchResponse {
    /// A response of these hits.
    pub fn new(plan: impl Into<String>, hits: Vec<Hit>, cost: Cost, warnings: Vec<Warning>, took_ms: f64) -> Self {
        Self { took_ms, plan: plan.into(), hits, cost, warnings }
    }
}

/// A document that was found.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Hit {
    /// The user's id.
    #[serde(rename = "_id")]
    pub id: DocumentId,
    /// The final score, larger is better.
    #[serde(rename = "_score")]
    pub score: f64,
    /// The document as it was given; absent where only ids were asked for.
    #[serde(rename = "_source", skip_serializing_if = "Option::is_none")]
    pub source: Option<Map<String, Value>>,
    /// Fragments in which the query's words are marked, by field.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schemars(with = "std::collections::BTreeMap<String, Vec<String>>")]
    pub highlights: Map<String, Value>,
    /// Where the score comes from.
    pub provenance: Provenance,
}

/// Where a hit's score comes from.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Provenance {
    /// One a leg, in the plan's order.
    pub legs: Vec<LegProvenance>,
    /// After fusion.
    pub fused: FusedProvenance,
    /// After re-ranking; null where the cross-encoder did not read the document.
    pub rerank: Option<RerankProvenance>,
    /// The passage that matched best; null where no leg knows one.
    pub passage: Option<PassageProvenance>,
}

/// What one leg had in a hit.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LegProvenance {
    /// The leg's name. PERF: shared by all hits, so that provenance costs a count and not a copy.
    #[serde(serialize_with = "serialize_shared")]
    #[schemars(with = "String")]
    pub leg: Arc<str>,
    /// The rank in the leg, from 1; null where the leg did not return the document.
    pub rank: Option<u32>,
    /// The leg's own score; null where the leg did not return the document.
    pub score: Option<f32>,
    /// The score on the common scale, or what stands for it where the leg did not return the document; null where ranks decide.
    pub normalized: Option<f64>,
    /// The leg's weight.
    pub weight: f64,
    /// What was added to the fused score.
    pub contribution: f64,
}

/// What fusion made of a hit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct FusedProvenance {
    /// The fused score.
    pub score: f64,
    /// The rank after fusion, from 1.
    pub rank: u32,
}

/// What the cross-encoder made of a hit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct RerankProvenance {
    /// 0 to 1.
    pub relevance: f32,
    /// The raw output.
    pub logit: f32,
    /// The rank after fusion, from 1.
    pub rank_before: u32,
    /// The rank after re-ranking, from 1.
    pub rank_after: u32,
    /// Tokens read.
    pub tokens: u32,
    /// Tokens that did not fit the model's input.
    pub truncated_tokens: u32,
}

/// The passage that matched.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PassageProvenance {
    /// The semantic field.
    #[serde(serialize_with = "serialize_shared")]
    #[schemars(with = "String")]
    pub field: Arc<str>,
    /// Its place in the field's texts.
    #[serde(flatten)]
    pub span: PassageSpan,
    /// The passage itself; null where only ids were asked for.
    pub text: Option<String>,
}

/// What a search cost.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
pub struct Cost {
    /// In the order of the flow; the legs run side by side.
    pub stages: Vec<StageCost>,
}

/// What a stage cost.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
pub struct StageCost {
    /// `retrieve`, a leg (`retrieve.lexical`), `embed`, `fuse`, `rerank` or `respond`.
    pub name: String,
    /// Milliseconds.
    pub took_ms: f64,
    /// Candidates that came out.
    pub candidates: usize,
    /// Passages or vectors that were scored.
    pub passages: u64,
    /// Tokens that a model read.
    pub tokens: u64,
}

/// Something that did not go as the plan says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Warning {
    /// For programs: `rerank_failed`, `rerank_budget`.
    pub code: String,
    /// For people.
    pub message: String,
}

fn serialize_shared<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

impl Provenance {
    /// Copies what the stages know of a candidate.
    ///
    /// * `leg_names`: in the plan's order.
    /// * `fused_rank`: from 1.
    /// * `passage_field`: the semantic field that passages belong to.
    pub fn of(
        candidate: &RerankedCandidate,
        leg_names: &[Arc<str>],
        fused_rank: u32,
        passage_field: Option<&Arc<str>>,
    ) -> Self {
        let legs = leg_names.iter().zip(&candidate.fused.parts).map(|(name, part)| LegProvenance {
            leg: name.clone(),
            rank: part.rank,
            score: part.score,
            normalized: part.normalized,
            weight: part.weight,
            contribution: part.contribution,
        });
        let passage = candidate.rerank.and_then(|part| part.passage).or(candidate.fused.passage);
        Self {
            legs: legs.collect(),
            fused: FusedProvenance { score: candidate.fused.score, rank: fused_rank },
            rerank: candidate.rerank.map(|part| RerankProvenance {
                relevance: part.relevance,
                logit: part.logit,
                rank_before: part.rank_before,
                rank_after: part.rank_after,
                tokens: part.num_tokens,
                truncated_tokens: part.num_truncated_tokens,
            }),
            passage: passage.zip(passage_field).map(|(passage, field)| PassageProvenance {
                field: field.clone(),
                span: passage.span,
                text: None,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuse::{FusedCandidate, LegPart};
    use crate::rerank::RerankPart;
    use crate::retrieve::PassageMatch;

    #[test]
    fn the_json_has_the_names_that_programs_rely_on() {
        let provenance = Provenance {
            legs: vec![],
            fused: FusedProvenance { score: 1.0, rank: 1 },
            rerank: None,
            passage: Some(PassageProvenance {
                field: "semantic".into(),
                span: PassageSpan { value_idx: 0, start: 1, end: 2 },
                text: None,
            }),
        };
        let hit = Hit { id: "a".into(), score: 1.0, source: Some(Map::new()), highlights: Map::new(), provenance };
        let response = SearchResponse::new("hybrid", vec![hit], Cost::default(), vec![], 0.5);
        let value = serde_json::to_value(&response).unwrap();
        for pointer in [
            "/took_ms",
            "/plan",
            "/hits/0/_id",
            "/hits/0/_score",
            "/hits/0/_source",
            "/hits/0/provenance/passage/start",
        ] {
            assert!(value.pointer(pointer).is_some(), "{pointer}");
        }
    }

    #[test]
    fn provenance_is_what_the_stages_knew() {
        let part =
            |rank, score, contribution| LegPart { rank, score, normalized: Some(0.5), weight: 0.5, contribution };
        let passage = |start| PassageMatch { span: PassageSpan { value_idx: 0, start, end: start + 9 } };
        let candidate = RerankedCandidate {
            fused: FusedCandidate {
                id: "a".into(),
                locator: None,
                passage: Some(passage(10)),
                score: 0.25,
                parts: vec![part(Some(3), Some(7.5), 0.25), part(None, None, 0.0)],
            },
            score: 0.75,
            rerank: Some(RerankPart {
                rank_before: 2,
                rank_after: 1,
                logit: 2.0,
                relevance: 0.875,
                num_tokens: 40,
                num_truncated_tokens: 5,
                passage: Some(passage(50)),
            }),
        };
        let names: [Arc<str>; 2] = ["lexical".into(), "dense".into()];
        let provenance = Provenance::of(&candidate, &names, 2, Some(&"body".into()));
        let expect = serde_json::json!({
            "legs": [
                {"leg": "lexical", "rank": 3, "score": 7.5, "normalized": 0.5, "weight": 0.5, "contribution": 0.25},
                {"leg": "dense", "rank": null, "score": null, "normalized": 0.5, "weight": 0.5, "contribution": 0.0}
            ],
            "fused": {"score": 0.25, "rank": 2},
            "rerank": {"relevance": 0.875, "logit": 2.0, "rank_before": 2, "rank_after": 1, "tokens": 40, "truncated_tokens": 5},
            "passage": {"field": "body", "value_idx": 0, "start": 50, "end": 59, "text": null}
        });
        assert_eq!(serde_json::to_value(&provenance).unwrap(), expect);
        let unread = RerankedCandidate { rerank: None, ..candidate };
        let provenance = Provenance::of(&unread, &names, 2, None);
        assert_eq!((provenance.rerank, provenance.passage), (None, None));
    }
}
