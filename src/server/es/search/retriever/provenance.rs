//! Where a score comes from, as `_explanation` says it (Elasticsearch's tree of values) and as `_bifocal` does.

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
        Origin::Fused { kind, rank_constant, parts } => {
            let ranks: Vec<u32> = parts.iter().map(|part| part.as_ref().map_or(0, |part| part.rank)).collect();
            let description = match rank_constant {
                Some(constant) => format!(
                    "rrf score: [{own}] computed for initial ranks {ranks:?} with rankConstant: [{constant}] as sum of [weight / (rank + rankConstant)] for each query"
                ),
                None => format!(
                    "weighted {kind} combination score: [{own}] computed as sum of [weight * normalised score] for each query"
                ),
            };
            let details = parts
                .iter()
                .enumerate()
                .map(|(idx, part)| explain_part(idx, part.as_ref(), kind, *rank_constant, leaf))
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
        Origin::Pinned => node(own, "pinned".to_string(), Vec::new()),
        Origin::Rescored { score_before, before } => {
            let before = explain(*score_before, before, leaf);
            node(own, "rescored by a second query".to_string(), vec![before])
        }
    }
}

fn explain_part(
    idx: usize,
    part: Option<&Part>,
    kind: &str,
    rank_constant: Option<u32>,
    leaf: &mut dyn FnMut(usize) -> Option<Value>,
) -> Value {
    let Some(part) = part else {
        return node(0.0, format!("{kind}: [0], result not found in query at index [{idx}]"), Vec::new());
    };
    let Part { retriever, rank, normalized, weight, contribution, .. } = part;
    let inner = explain(part.score, &part.origin, leaf);
    let description = match (rank_constant, normalized) {
        (Some(constant), _) => format!(
            "rrf score: [{contribution}], for rank [{rank}] in query at index [{idx}] ({retriever}) computed as [{weight} / ({rank} + {constant})], for matching query with score"
        ),
        (None, Some(normalized)) => format!(
            "weighted score: [{contribution}] in query at index [{idx}] ({retriever}) computed as [{weight} * {normalized}], from score"
        ),
        (None, None) => format!("score: [{contribution}] in query at index [{idx}] ({retriever})"),
    };
    node(*contribution, description, vec![inner])
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
        Origin::Fused { kind, rank_constant, parts } => {
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
    use std::sync::Arc;

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
            origin: leaf,
        };
        let doc = Ranked {
            doc: DocRef { shard: 0, locator: DocLocator(tantivy::DocAddress::new(0, 0)) },
            id: "a".into(),
            score: 1.0 / 62.0,
            origin: Arc::new(Origin::Fused { kind: "rrf", rank_constant: Some(60), parts: vec![Some(part), None] }),
        };
        let explained = explanation(&doc, &mut |leaf| Some(json!({"leaf": leaf})));
        assert_eq!(explained["details"][0]["details"][0], json!({"leaf": 0}));
        assert_eq!(explained["details"][1]["value"], json!(0.0));
        assert!(explained["description"].as_str().is_some_and(|text| text.contains("initial ranks [2, 0]")));
        let compact = compact(&doc);
        assert_eq!(compact["from"]["parts"][0]["name"], json!("words"));
        assert_eq!(compact["from"]["rank_constant"], json!(60));
    }
}
