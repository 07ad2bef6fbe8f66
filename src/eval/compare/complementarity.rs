//! What two legs find together and alone, and the best that any fusion or re-ranker could make of it.

use std::collections::HashSet;

use rayon::prelude::*;

use super::curves::depths_up_to;
use super::judged::{Judged, JudgedQuery, mean};
use crate::document::DocumentId;
use crate::eval::comparison::Complementarity;
use crate::eval::measures::{Measure, score_query};
use crate::eval::run::{Rankings, ScoredDocument};

/// Where legs are looked at; legs that end in between are also looked at there.
const DEPTHS: [usize; 3] = [10, 100, 1000];

/// A row a pair of legs and depth; pairs in the legs' order.
pub(super) fn complementarity(
    judged: &Judged<'_>,
    legs: &[(String, Rankings)],
    primary: &Measure,
) -> Vec<Complementarity> {
    let ranked: Vec<Vec<Vec<ScoredDocument>>> = legs
        .iter()
        .map(|(_, rankings)| judged.queries.par_iter().map(|query| query.ranked(rankings)).collect())
        .collect();
    let mut rows = Vec::new();
    for (second, after) in ranked.iter().enumerate() {
        for (first, before) in ranked.iter().enumerate().take(second) {
            let longest = |leg: &[Vec<ScoredDocument>]| leg.iter().map(Vec::len).max().unwrap_or(0);
            for depth in depths_up_to(&DEPTHS, longest(before).min(longest(after))) {
                let names = [legs[first].0.clone(), legs[second].0.clone()];
                rows.push(((first, second), row(judged, names, before, after, depth, primary)));
            }
        }
    }
    rows.sort_by_key(|(pair, row)| (*pair, row.depth));
    rows.into_iter().map(|(_, row)| row).collect()
}

/// What two legs' candidates of one query hold.
#[derive(Debug, Default)]
struct Found {
    only_first: usize,
    only_second: usize,
    both: usize,
    neither: usize,
    recall: f64,
    best_possible: f64,
    /// `None` where neither leg has a candidate.
    overlap: Option<f64>,
}

fn row(
    judged: &Judged<'_>,
    legs: [String; 2],
    first: &[Vec<ScoredDocument>],
    second: &[Vec<ScoredDocument>],
    depth: usize,
    primary: &Measure,
) -> Complementarity {
    let found: Vec<Found> = judged
        .queries
        .par_iter()
        .zip(first.par_iter().zip(second))
        .filter(|(_, (first, second))| judged.counts_without_hits() || !(first.is_empty() && second.is_empty()))
        .map(|(query, (first, second))| find(query, cut(first, depth), cut(second, depth), primary))
        .collect();
    let sum = |count: fn(&Found) -> usize| found.iter().map(count).sum::<usize>() as u64;
    Complementarity {
        legs,
        depth: super::judged::count_u32(depth),
        only_first: sum(|found| found.only_first),
        only_second: sum(|found| found.only_second),
        both: sum(|found| found.both),
        neither: sum(|found| found.neither),
        recall: mean(found.iter().map(|found| found.recall)),
        best_possible: mean(found.iter().map(|found| found.best_possible)),
        overlap: mean(found.iter().filter_map(|found| found.overlap)),
    }
}

fn cut(ranked: &[ScoredDocument], depth: usize) -> &[ScoredDocument] {
    &ranked[..depth.min(ranked.len())]
}

fn find(query: &JudgedQuery<'_>, first: &[ScoredDocument], second: &[ScoredDocument], primary: &Measure) -> Found {
    let in_first: HashSet<&DocumentId> = first.iter().map(|hit| &hit.id).collect();
    let in_second: HashSet<&DocumentId> = second.iter().map(|hit| &hit.id).collect();
    let relevant = |ids: &HashSet<&DocumentId>| ids.iter().filter(|id| query.is_relevant(id)).count();
    let shared: HashSet<&DocumentId> = in_first.intersection(&in_second).copied().collect();
    let union: Vec<&DocumentId> = in_first.union(&in_second).copied().collect();
    let both = relevant(&shared);
    let (only_first, only_second) = (relevant(&in_first) - both, relevant(&in_second) - both);
    let num_found = only_first + only_second + both;
    Found {
        only_first,
        only_second,
        both,
        neither: query.num_relevant - num_found,
        recall: query.recall(num_found),
        overlap: (!union.is_empty()).then(|| shared.len() as f64 / union.len() as f64),
        best_possible: best_possible(query, union, primary),
    }
}

/// The measure of the candidates in the best order there is: higher grades first, unjudged ones last.
fn best_possible(query: &JudgedQuery<'_>, mut candidates: Vec<&DocumentId>, primary: &Measure) -> f64 {
    if candidates.is_empty() {
        return 0.0;
    }
    candidates.sort_by_cached_key(|&id| (std::cmp::Reverse(query.grade(id)), id));
    let count = candidates.len();
    let score = |place: usize| (count - place) as f64;
    let ideal: Vec<ScoredDocument> = candidates
        .into_iter()
        .enumerate()
        .map(|(place, id)| ScoredDocument { id: id.clone(), score: score(place) })
        .collect();
    score_query(std::slice::from_ref(primary), &ideal, &query.judged).first().copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::super::tests::{qrels, rankings};
    use super::*;
    use crate::eval::dataset::Judgments;
    use crate::eval::scoring::{Average, ScoringOptions};

    #[test]
    fn counts_are_written_out() {
        let qrels = qrels(&[("1", &[("a", 1), ("b", 2), ("c", 1), ("d", 1), ("z", 0)]), ("2", &[("e", 1)])]);
        let lexical = rankings(&[("1", &[("a", 3.0), ("b", 2.0), ("z", 1.0)])]);
        let dense = rankings(&[("1", &[("b", 0.9), ("c", 0.8), ("y", 0.7)])]);
        let legs = [("lexical".to_string(), lexical), ("dense".to_string(), dense)];
        let judged = Judged::new(["1", "2"].into_iter(), &qrels, ScoringOptions::default());
        let primary: Measure = "p@5".parse().unwrap();
        let rows = complementarity(&judged, &legs, &primary);
        assert_eq!(rows.len(), 1);
        let row = &rows[0];
        assert_eq!((row.legs.clone(), row.depth), (["lexical".to_string(), "dense".to_string()], 3));
        assert_eq!((row.only_first, row.only_second, row.both, row.neither), (1, 1, 1, 2));
        assert_eq!(row.recall, (3.0 / 4.0 + 0.0) / 2.0);
        assert_eq!(row.overlap, 1.0 / 5.0);
        assert_eq!(row.best_possible, (3.0 / 5.0 + 0.0) / 2.0);

        let options = ScoringOptions { average: Average::Retrieved, ..ScoringOptions::default() };
        let retrieved = Judged::new(["1", "2"].into_iter(), &qrels, options);
        assert_eq!(complementarity(&retrieved, &legs, &primary)[0].best_possible, 3.0 / 5.0);
    }

    #[test]
    fn depths_stop_at_what_the_shorter_leg_has() {
        let qrels = qrels(&[("1", &[("d3", 1)])]);
        let leg = |count: u32| {
            let hit = |idx: u32| ScoredDocument { id: format!("d{idx}").into(), score: -f64::from(idx) };
            Rankings::from([("1".to_string(), (0..count).map(hit).collect())])
        };
        let judged = Judged::new(["1"].into_iter(), &qrels, ScoringOptions::default());
        let primary: Measure = "ndcg@10".parse().unwrap();
        let depths = |first, second, third| -> Vec<u32> {
            let legs = [("a".to_string(), leg(first)), ("b".to_string(), leg(second)), ("c".to_string(), leg(third))];
            complementarity(&judged, &legs, &primary).iter().map(|row| row.depth).collect()
        };
        assert_eq!(depths(100, 300, 0), [10, 100]);
        assert_eq!(depths(150, 300, 5), [10, 100, 150, 5, 5]);
    }

    type Leg = Vec<(u8, u8)>;

    fn leg(hits: &Leg) -> Rankings {
        let scores: HashMap<u8, u8> = hits.iter().copied().collect();
        let hit = |(id, score): (&u8, &u8)| ScoredDocument { id: format!("d{id}").into(), score: f64::from(*score) };
        Rankings::from([("q".to_string(), scores.iter().map(hit).collect())])
    }

    proptest! {
        #[test]
        fn the_union_finds_what_either_leg_finds_and_no_fusion_beats_the_best_order(
            grades in prop::collection::vec(-1i32..4, 30),
            first in prop::collection::vec((0u8..40, 0u8..9), 1..25),
            second in prop::collection::vec((0u8..40, 0u8..9), 1..25),
            share in 0.0f64..1.0,
            measure in prop::sample::select(vec!["ndcg@10", "map", "p@5", "recall@10", "mrr", "rprec", "bpref"]),
        ) {
            let judged: HashMap<String, i32> = (0..).zip(&grades).map(|(id, grade)| (format!("d{id}"), *grade)).collect();
            let qrels = Judgments::from([("q".to_string(), judged)]);
            let judged = Judged::new(["q"].into_iter(), &qrels, ScoringOptions::default());
            let legs = [("a".to_string(), leg(&first)), ("b".to_string(), leg(&second))];
            let primary: Measure = measure.parse().unwrap();
            let rows = complementarity(&judged, &legs, &primary);
            prop_assert!(!rows.is_empty());
            for row in rows {
                let counts = row.only_first + row.only_second + row.both + row.neither;
                prop_assert_eq!(counts, judged.queries[0].num_relevant as u64);
                let depth = row.depth as usize;
                let mut fused: HashMap<DocumentId, f64> = HashMap::new();
                for (weight, (_, rankings)) in [share, 1.0 - share].into_iter().zip(&legs) {
                    let ranked = judged.queries[0].ranked(rankings);
                    let cut = cut(&ranked, depth);
                    let found = cut.iter().filter(|hit| judged.queries[0].is_relevant(&hit.id)).count();
                    prop_assert!(row.recall >= judged.queries[0].recall(found) - 1e-12);
                    for hit in cut {
                        *fused.entry(hit.id.clone()).or_default() += weight * hit.score;
                    }
                }
                let fused = fused.into_iter().map(|(id, score)| ScoredDocument { id, score }).collect();
                let value = judged.values(&Rankings::from([("q".to_string(), fused)]), &primary)[0];
                prop_assert!(row.best_possible >= value - 1e-12, "{} < {value}", row.best_possible);
            }
        }
    }
}
