//! Several ranked lists to one, with Elasticsearch's sums (32-bit floats, in the order of the lists) and ties.

use std::collections::HashMap;
use std::sync::Arc;

use super::{DocRef, Normalizer, Origin, Part, Ranked};

/// One list and its share.
#[derive(Debug)]
pub(crate) struct List<'a> {
    /// What it is called in provenance.
    pub(crate) name: Arc<str>,
    /// `_name`, where it was given one.
    pub(crate) own_name: Option<Arc<str>>,
    /// Finite and at least 0.
    pub(crate) weight: f32,
    /// Best first.
    pub(crate) docs: &'a [Ranked],
}

/// Reciprocal rank fusion: the sum over lists of `weight / (rank_constant + rank)`, rank from 1.
///
/// Ties as Elasticsearch breaks them: list by list, the document with the better score there, and one that a list has before
/// one that it lacks; then by index and place. Returns at most `window` documents, best first.
///
/// Source: Cormack, Clarke, Büttcher, SIGIR 2009.
pub(crate) fn rrf(lists: &[List<'_>], rank_constant: u32, window: usize) -> Vec<Ranked> {
    join(lists, "rrf", Some(rank_constant), window, |_, list, rank, doc| Part {
        retriever: list.name.clone(),
        rank,
        score: doc.score,
        normalized: None,
        weight: list.weight,
        #[expect(clippy::cast_precision_loss, reason = "ranks are far below 2^24")]
        contribution: list.weight * (1.0 / (rank_constant + rank) as f32),
        normalizer: Normalizer::None.name(),
        origin: doc.origin.clone(),
    })
}

/// The weighted sum of normalised scores; a document gets nothing from a list that lacks it.
///
/// * `normalizers`: one a list.
///
/// Returns at most `window` documents, best first, ties as [`rrf`].
pub(crate) fn linear(lists: &[List<'_>], normalizers: &[Normalizer], window: usize) -> Vec<Ranked> {
    let scales: Vec<Scale> = lists
        .iter()
        .enumerate()
        .map(|(idx, list)| Scale::of(list.docs, normalizers.get(idx).copied().unwrap_or_default()))
        .collect();
    join(lists, "linear", None, window, |list_idx, list, rank, doc| {
        let normalized = scales.get(list_idx).map_or(doc.score, |scale| scale.apply(doc.score));
        Part {
            retriever: list.name.clone(),
            rank,
            score: doc.score,
            normalized: Some(normalized),
            weight: list.weight,
            contribution: list.weight * normalized,
            normalizer: normalizers.get(list_idx).copied().unwrap_or_default().name(),
            origin: doc.origin.clone(),
        }
    })
}

/// Below this two scores are equal, as in Elasticsearch.
const EPSILON: f32 = 1e-6;

#[derive(Debug, Clone, Copy)]
enum Scale {
    Same,
    One,
    Shift { min: f32, range: f32 },
    Divide(f32),
}

impl Scale {
    fn of(docs: &[Ranked], normalizer: Normalizer) -> Self {
        let scores = docs.iter().map(|doc| doc.score);
        match normalizer {
            Normalizer::None => Scale::Same,
            Normalizer::MinMax => {
                let min = scores.clone().fold(f32::INFINITY, f32::min);
                let range = scores.fold(f32::NEG_INFINITY, f32::max) - min;
                if range.is_finite() && range.abs() >= EPSILON { Scale::Shift { min, range } } else { Scale::One }
            }
            Normalizer::L2Norm => {
                let length = scores.map(|score| f64::from(score) * f64::from(score)).sum::<f64>().sqrt();
                #[expect(clippy::cast_possible_truncation, reason = "scores are 32-bit floats")]
                let length = length as f32;
                if length >= EPSILON { Scale::Divide(length) } else { Scale::Same }
            }
        }
    }

    fn apply(self, score: f32) -> f32 {
        match self {
            Scale::Same => score,
            Scale::One => 1.0,
            Scale::Shift { min, range } => (score - min) / range,
            Scale::Divide(length) => score / length,
        }
    }
}

fn join(
    lists: &[List<'_>],
    kind: &'static str,
    rank_constant: Option<u32>,
    window: usize,
    part: impl Fn(usize, &List<'_>, u32, &Ranked) -> Part,
) -> Vec<Ranked> {
    struct Joined {
        doc: DocRef,
        id: crate::document::DocumentId,
        score: f32,
        parts: Vec<Option<Part>>,
    }
    let mut slots: HashMap<DocRef, usize> = HashMap::new();
    let mut joined: Vec<Joined> = Vec::new();
    for (list_idx, list) in lists.iter().enumerate() {
        for (rank, doc) in (1..).zip(list.docs) {
            let slot = *slots.entry(doc.doc).or_insert_with(|| {
                joined.push(Joined { doc: doc.doc, id: doc.id.clone(), score: 0.0, parts: vec![None; lists.len()] });
                joined.len() - 1
            });
            let Some(target) = joined.get_mut(slot) else { continue };
            let Some(place) = target.parts.get_mut(list_idx).filter(|place| place.is_none()) else { continue };
            let part = part(list_idx, list, rank, doc);
            target.score += part.contribution;
            *place = Some(part);
        }
    }
    joined.sort_by(|a, b| {
        let by_parts = || {
            a.parts.iter().zip(&b.parts).map(|(a, b)| match (a, b) {
                (Some(a), Some(b)) => b.score.total_cmp(&a.score),
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (None, None) => std::cmp::Ordering::Equal,
            })
        };
        b.score
            .total_cmp(&a.score)
            .then_with(|| by_parts().find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal))
            .then_with(|| (a.doc.shard, a.doc.locator).cmp(&(b.doc.shard, b.doc.locator)))
    });
    let weights: Arc<[f32]> = lists.iter().map(|list| list.weight).collect();
    let names: Arc<[Option<Arc<str>>]> = lists.iter().map(|list| list.own_name.clone()).collect();
    joined
        .into_iter()
        .take(window)
        .map(|joined| Ranked {
            doc: joined.doc,
            id: joined.id,
            score: joined.score,
            origin: Arc::new(Origin::Fused {
                kind,
                rank_constant,
                parts: joined.parts,
                weights: weights.clone(),
                names: names.clone(),
            }),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ranked(docs: &[(u32, f32)]) -> Vec<Ranked> {
        docs.iter()
            .map(|(doc, score)| Ranked {
                doc: DocRef { shard: 0, locator: crate::retrieve::DocLocator(tantivy::DocAddress::new(0, *doc)) },
                id: doc.to_string().into(),
                score: *score,
                origin: Arc::new(Origin::Leaf { kind: "standard", leaf: 0 }),
            })
            .collect()
    }

    fn list<'a>(docs: &'a [Ranked], weight: f32) -> List<'a> {
        List { name: "x".into(), own_name: None, weight, docs }
    }

    fn shown(docs: &[Ranked]) -> Vec<(&str, f32)> {
        docs.iter().map(|doc| (doc.id.as_str(), doc.score)).collect()
    }

    #[test]
    fn rrf_sums_reciprocal_ranks() {
        let (a, b) = (ranked(&[(1, 9.0), (2, 8.0)]), ranked(&[(3, 0.9), (1, 0.8)]));
        let fused = rrf(&[list(&a, 1.0), list(&b, 1.0)], 60, 10);
        assert_eq!(shown(&fused), [("1", 1.0 / 61.0 + 1.0 / 62.0), ("3", 1.0 / 61.0), ("2", 1.0 / 62.0)]);
        let fused = rrf(&[list(&a, 2.0), list(&b, 0.5)], 1, 2);
        assert_eq!(shown(&fused), [("1", 2.0 / 2.0 + 0.5 / 3.0), ("2", 2.0 / 3.0)]);
    }

    #[test]
    fn linear_sums_normalised_scores() {
        let (a, b) = (ranked(&[(1, 10.0), (2, 5.0), (4, 0.0)]), ranked(&[(3, 3.0), (1, 4.0)]));
        let fused = linear(&[list(&a, 2.0), list(&b, 1.0)], &[Normalizer::MinMax, Normalizer::None], 10);
        assert_eq!(shown(&fused), [("1", 2.0 + 4.0), ("3", 3.0), ("2", 1.0), ("4", 0.0)]);
        let fused = linear(&[list(&b, 1.0)], &[Normalizer::L2Norm], 10);
        assert_eq!(shown(&fused), [("1", 0.8), ("3", 0.6)]);
        // All equal: all are the best.
        let c = ranked(&[(1, 3.0), (2, 3.0)]);
        assert_eq!(shown(&linear(&[list(&c, 1.0)], &[Normalizer::MinMax], 10)), [("1", 1.0), ("2", 1.0)]);
    }

    #[test]
    fn equal_sums_go_by_the_lists_in_turn() {
        let (a, b) = (ranked(&[(2, 9.0)]), ranked(&[(1, 9.0)]));
        assert_eq!(shown(&rrf(&[list(&a, 1.0), list(&b, 1.0)], 60, 10)).first().map(|doc| doc.0), Some("2"));
        assert_eq!(shown(&rrf(&[list(&b, 1.0), list(&a, 1.0)], 60, 10)).first().map(|doc| doc.0), Some("1"));
    }

    proptest! {
        #[test]
        fn fused_lists_fall_and_hold_each_document_once(
            a in prop::collection::hash_map(0_u32..30, 0.0_f32..10.0, 0..20),
            b in prop::collection::hash_map(0_u32..30, 0.0_f32..10.0, 0..20),
        ) {
            let sorted = |docs: std::collections::HashMap<u32, f32>| {
                let mut docs: Vec<_> = docs.into_iter().collect();
                docs.sort_by(|a, b| b.1.total_cmp(&a.1));
                ranked(&docs)
            };
            let union: std::collections::BTreeSet<u32> = a.keys().chain(b.keys()).copied().collect();
            let (a, b) = (sorted(a), sorted(b));
            let lists = [list(&a, 1.0), list(&b, 0.7)];
            for fused in [rrf(&lists, 60, 100), linear(&lists, &[Normalizer::MinMax, Normalizer::L2Norm], 100)] {
                prop_assert!(fused.is_sorted_by(|a, b| a.score >= b.score));
                prop_assert_eq!(fused.len(), union.len());
            }
        }
    }
}
