//! Where a score comes from, as `_explanation` says it (Elasticsearch's tree of values) and as `_bifocal` does.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Origin, Part, Ranked};
use crate::server::es::search::json::score;

/// The tree of `_explanation`: `value`, `description`, `details`.
///
/// * `leaf(number)`: the explanation of the document's score in a leaf; `None` where there is nothing more to say than the score.
pub(crate) fn explanation(doc: &Ranked, leaf: &mut dyn FnMut(usize) -> Option<Value>) -> Value {
    explain(doc.score, &doc.origin, leaf)
}

fn explain(own: f32, origin: &Origin, leaf: &mut dyn FnMut(usize) -> Option<Value>) -> Value {
    match origin {
        Origin::Leaf { kind, leaf: number } => {
            leaf(*number).unwrap_or_else(|| node(own, format!("score of the {kind} retriever"), Vec::new()))
        }
        Origin::Fused { rank_constant, parts, weights, names, .. } => {
            let names = Names(names);
            let ranks: Vec<u32> = parts.iter().map(|part| part.as_ref().map_or(0, |part| part.rank)).collect();
            let description = match rank_constant {
                Some(constant) => format!(
                    "rrf score: [{own:?}] computed for initial ranks {ranks:?} with rankConstant: [{constant}] as sum of [weight / (rank + rankConstant)] for each query"
                ),
                None => {
                    let normalized: Vec<f32> = parts
                        .iter()
                        .map(|part| part.as_ref().and_then(|part| part.normalized).unwrap_or(0.0))
                        .collect();
                    format!(
                        "weighted linear combination score: [{own:?}] computed for normalized scores {normalized:?} and weights {weights:?} as sum of (weight[i] * score[i]) for each query."
                    )
                }
            };
            let details = parts
                .iter()
                .enumerate()
                .map(|(idx, part)| explain_part(&names.place(idx), part.as_ref(), *rank_constant, leaf))
                .collect();
            node(own, description, details)
        }
        Origin::Reranked { rank_before, score_before, relevance, logit, before } => {
            let description = match (relevance, logit) {
                (Some(relevance), Some(logit)) => format!(
                    "text_similarity_reranker: relevance [{relevance}] of the cross-encoder's output [{logit}], rank [{rank_before}] before"
                ),
                _ => format!("text_similarity_reranker: not read, rank [{rank_before}] before"),
            };
            node(own, description, vec![explain(*score_before, before, leaf)])
        }
        Origin::Pinned => {
            let original = node(own, format!("score of a pinned document: [{own:?}]"), Vec::new());
            node(own, "Pinned document, original explanation:".to_string(), vec![original])
        }
        Origin::Rescored { score_before, before } => {
            let before = explain(*score_before, before, leaf);
            node(own, "rescored by a second query".to_string(), vec![before])
        }
    }
}

/// The names that the lists of a fusion were given.
struct Names<'a>(&'a [Option<Arc<str>>]);

impl Names<'_> {
    /// How Elasticsearch says which list it is.
    fn place(&self, idx: usize) -> String {
        match self.0.get(idx) {
            Some(Some(name)) => format!("[{name}]"),
            Some(None) | None => format!("at index [{idx}]"),
        }
    }
}

fn explain_part(
    place: &str,
    part: Option<&Part>,
    rank_constant: Option<u32>,
    leaf: &mut dyn FnMut(usize) -> Option<Value>,
) -> Value {
    let Some(part) = part else {
        let kind = if rank_constant.is_some() { "rrf" } else { "weighted" };
        return node(0.0, format!("{kind} score: [0], result not found in query {place}"), Vec::new());
    };
    let Part { rank, normalized, weight, contribution, normalizer, .. } = part;
    let inner = explain(part.score, &part.origin, leaf);
    match rank_constant {
        Some(constant) => {
            let share = if *weight == 1.0 { "1".to_string() } else { format!("{weight:?}") };
            let description = format!(
                "rrf score: [{contribution:?}], for rank [{rank}] in query {place} computed as [{share} / ({rank} + {constant})], for matching query with score"
            );
            // The rank is the value, as in Elasticsearch.
            json!({"value": rank, "description": description, "details": [inner]})
        }
        None => {
            let normalized = normalized.unwrap_or(part.score);
            let description = format!(
                "weighted score: [{contribution:?}] in query {place} computed as [{weight:?} * {normalized:?}] using score normalizer [{normalizer}] for original matching query with score"
            );
            node(*contribution, description, vec![inner])
        }
    }
}

fn node(value: f32, description: String, details: Vec<Value>) -> Value {
    json!({"value": score(value), "description": description, "details": details})
}

/// The compact object of a hit: what each retriever gave, fusion, re-ranking.
pub(crate) fn compact(doc: &Ranked) -> Value {
    json!({"score": score(doc.score), "from": of(&doc.origin)})
}

fn of(origin: &Origin) -> Value {
    match origin {
        Origin::Leaf { kind, .. } => json!({"retriever": kind}),
        Origin::Fused { kind, rank_constant, parts, .. } => {
            let parts: Vec<Value> = parts.iter().flatten().map(part).collect();
            match rank_constant {
                Some(constant) => json!({"retriever": kind, "rank_constant": constant, "parts": parts}),
                None => json!({"retriever": kind, "parts": parts}),
            }
        }
        Origin::Reranked { rank_before, score_before, relevance, logit, before } => json!({
            "retriever": "text_similarity_reranker", "relevance": relevance.map(score), "logit": logit.map(score), "rank_before": rank_before,
            "score_before": score(*score_before), "before": of(before)
        }),
        Origin::Pinned => json!({"retriever": "pinned"}),
        Origin::Rescored { score_before, before } => {
            json!({"retriever": "rescorer", "score_before": score(*score_before), "before": of(before)})
        }
    }
}

fn part(part: &Part) -> Value {
    let mut object = json!({
        "name": &*part.retriever, "rank": part.rank, "score": score(part.score), "weight": score(part.weight),
        "contribution": score(part.contribution)
    });
    if let (Some(object), Some(normalized)) = (object.as_object_mut(), part.normalized) {
        object.insert("normalized".to_string(), score(normalized));
    }
    if let (Some(object), false) = (object.as_object_mut(), matches!(*part.origin, Origin::Leaf { .. })) {
        object.insert("from".to_string(), of(&part.origin));
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retrieve::DocLocator;
    use crate::server::es::search::retriever::DocRef;

    #[test]
    fn the_sum_is_told_list_by_list() {
        let leaf = Arc::new(Origin::Leaf { kind: "standard", leaf: 0 });
        let part = Part {
            retriever: "words".into(),
            rank: 2,
            score: 7.5,
            normalized: None,
            weight: 1.0,
            contribution: 1.0 / 62.0,
            normalizer: "none",
            origin: leaf,
        };
        let doc = Ranked {
            doc: DocRef { shard: 0, locator: DocLocator(tantivy::DocAddress::new(0, 0)) },
            id: "a".into(),
            score: 1.0 / 62.0,
            origin: Arc::new(Origin::Fused {
                kind: "rrf",
                rank_constant: Some(60),
                parts: vec![Some(part), None],
                weights: Arc::new([1.0, 1.0]),
                names: Arc::new([Some("words".into()), None]),
            }),
        };
        let explained = explanation(&doc, &mut |leaf| Some(json!({"leaf": leaf})));
        assert_eq!(explained["details"][0]["details"][0], json!({"leaf": 0}));
        assert_eq!(explained["details"][0]["value"], json!(2));
        assert!(explained["details"][0]["description"].as_str().is_some_and(|text| text.contains("query [words]")));
        assert_eq!(explained["details"][1]["value"], json!(0.0));
        assert_eq!(
            explained["details"][1]["description"],
            json!("rrf score: [0], result not found in query at index [1]")
        );
        assert!(explained["description"].as_str().is_some_and(|text| text.contains("initial ranks [2, 0]")));
        let compact = compact(&doc);
        assert_eq!(compact["from"]["parts"][0]["name"], json!("words"));
        assert_eq!(compact["from"]["rank_constant"], json!(60));
    }
}
