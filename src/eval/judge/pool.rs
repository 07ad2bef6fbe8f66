//! Pooling: which documents of a query are judged, and in which order.

use std::collections::BTreeSet;

use crate::document::DocumentId;

/// The first `depth` documents of every ranking, each once.
///
/// * `rankings`: best first; lengths may differ and may be zero.
/// * `seed`, `query`: the same give the same order.
///
/// The order is that of a keyed hash of the query's and the document's ids. So it depends neither on the order of the rankings nor
/// on any rank in them (an assessor cannot guess who found a document, or how high), and two documents keep their order when a
/// deeper pool brings others between them.
///
/// Source of the method: Spärck Jones, van Rijsbergen, "Report on the need for and provision of an 'ideal' information retrieval
/// test collection", 1975; TREC judges pools without their ranks.
pub fn pool(rankings: &[&[DocumentId]], depth: usize, seed: u64, query: &str) -> Vec<DocumentId> {
    let union: BTreeSet<&DocumentId> = rankings.iter().flat_map(|ranking| ranking.iter().take(depth)).collect();
    let mut keyed: Vec<([u8; 32], &DocumentId)> =
        union.into_iter().map(|document| (key(seed, query, document), document)).collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, document)| document.clone()).collect()
}

fn key(seed: u64, query: &str, document: &DocumentId) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.update(&(query.len() as u64).to_le_bytes());
    hasher.update(query.as_bytes());
    hasher.update(document.as_str().as_bytes());
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn ids(numbers: &[u16]) -> Vec<DocumentId> {
        let mut seen = HashSet::new();
        numbers.iter().filter(|number| seen.insert(**number)).map(|number| format!("d{number}").into()).collect()
    }

    fn pooled(rankings: &[Vec<DocumentId>], depth: usize, seed: u64) -> Vec<DocumentId> {
        let rankings: Vec<&[DocumentId]> = rankings.iter().map(Vec::as_slice).collect();
        pool(&rankings, depth, seed, "q1")
    }

    fn rankings() -> impl Strategy<Value = Vec<Vec<DocumentId>>> {
        let ranking = prop::collection::vec(0_u16..60, 0..30).prop_map(|numbers| ids(&numbers));
        prop::collection::vec(ranking, 0..5)
    }

    proptest! {
        #[test]
        fn every_ranking_s_best_are_in_the_pool_and_nothing_else_is(rankings in rankings(), depth in 0_usize..20, seed: u64) {
            let pool = pooled(&rankings, depth, seed);
            let found: HashSet<&DocumentId> = pool.iter().collect();
            prop_assert_eq!(found.len(), pool.len(), "a document is there twice");
            let best: HashSet<&DocumentId> = rankings.iter().flat_map(|ranking| ranking.iter().take(depth)).collect();
            prop_assert_eq!(found, best);
        }

        #[test]
        fn the_order_tells_nothing_of_rankings_and_ranks(rankings in rankings(), depth in 1_usize..20, seed: u64) {
            let pool = pooled(&rankings, depth, seed);
            // Who found what, and how high, is changed in every way; what was found is not.
            let mut best: Vec<Vec<DocumentId>> =
                rankings.iter().map(|ranking| ranking.iter().take(depth).cloned().collect()).collect();
            best.reverse();
            best.iter_mut().for_each(|ranking| ranking.reverse());
            prop_assert_eq!(&pooled(&best, depth, seed), &pool);
            prop_assert_eq!(&pooled(std::slice::from_ref(&pool), pool.len(), seed), &pool);
            let alone: Vec<Vec<DocumentId>> = pool.iter().map(|document| vec![document.clone()]).collect();
            prop_assert_eq!(&pooled(&alone, 1, seed), &pool);
        }

        #[test]
        fn a_deeper_pool_keeps_the_order_of_a_shallower_one(rankings in rankings(), depth in 1_usize..15, seed: u64) {
            let shallow = pooled(&rankings, depth, seed);
            let kept: HashSet<&DocumentId> = shallow.iter().collect();
            let deep = pooled(&rankings, depth + 5, seed);
            let again: Vec<DocumentId> = deep.into_iter().filter(|document| kept.contains(document)).collect();
            prop_assert_eq!(again, shallow);
        }
    }

    #[test]
    fn seeds_and_queries_order_differently() {
        let documents: Vec<DocumentId> = (0..50).map(|number| format!("d{number}").into()).collect();
        let orders: HashSet<Vec<DocumentId>> =
            [(0, "q1"), (1, "q1"), (0, "q2")].map(|(seed, query)| pool(&[&documents], 50, seed, query)).into();
        assert_eq!(orders.len(), 3);
    }

    #[test]
    fn a_document_s_place_does_not_follow_its_rank() {
        // Over many queries the best document of a ranking is as often in the pool's second half as in its first.
        let documents: Vec<DocumentId> = (0..20).map(|number| format!("d{number}").into()).collect();
        let first_half = (0..1000)
            .filter(|query| {
                let pool = pool(&[&documents], 20, 7, &format!("q{query}"));
                pool.iter().position(|document| document == &documents[0]).is_some_and(|place| place < 10)
            })
            .count();
        // Binomial with 1,000 draws: five standard deviations are 79.
        assert!((421..=579).contains(&first_half), "{first_half} of 1000");
    }
}
