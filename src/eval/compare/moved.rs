//! Which queries a plan wins and loses against the first, and the documents that moved.

use std::collections::HashMap;

use rayon::prelude::*;

use super::judged::{Judged, JudgedQuery, ROUNDING, count_u32};
use crate::eval::comparison::{ChangedQuery, MovedDocument};
use crate::eval::run::{Rankings, ScoredDocument};

/// Wins that are listed, and losses.
const MOST_QUERIES_EACH: usize = 50;
/// Relevant documents that are listed a query.
const MOST_RELEVANT: usize = 10;
/// Documents that are not known to be relevant, a query.
const MOST_OTHERS: usize = 5;
/// A relevant document that both plans rank below this has not moved where anyone looks.
const DEPTH: u32 = 100;
/// Where documents that are not relevant do harm.
const TOP: u32 = 10;

/// A plan's rankings with its values of the primary measure, one a query.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side<'a> {
    pub(super) rankings: &'a Rankings,
    pub(super) values: &'a [f64],
}

/// The queries in which `after` differs from `before`, the largest differences first: at most 50 wins and 50 losses.
pub(super) fn changed(
    judged: &Judged<'_>,
    before: Side<'_>,
    after: Side<'_>,
    titles: &HashMap<String, String>,
) -> Vec<ChangedQuery> {
    let mut differences: Vec<(usize, f64)> = (0..)
        .zip(before.values.iter().zip(after.values))
        .map(|(query, (before, after))| (query, after - before))
        // NaN, where a plan lacks the query, is no difference either.
        .filter(|(_, difference)| difference.abs() > ROUNDING)
        .collect();
    differences.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0)));
    let (mut wins, mut losses) = (0, 0);
    differences.retain(|&(_, difference)| {
        let listed = if difference > 0.0 { &mut wins } else { &mut losses };
        *listed += 1;
        *listed <= MOST_QUERIES_EACH
    });
    differences
        .into_par_iter()
        .map(|(query, difference)| {
            let of_query = &judged.queries[query];
            let moved = moved(of_query, &of_query.ranked(before.rankings), &of_query.ranked(after.rankings), titles);
            ChangedQuery { query, difference, moved }
        })
        .collect()
}

/// Relevant documents whose rank changed, those that moved where it matters most first, then others that came into the top 10.
fn moved(
    query: &JudgedQuery<'_>,
    before: &[ScoredDocument],
    after: &[ScoredDocument],
    titles: &HashMap<String, String>,
) -> Vec<MovedDocument> {
    let (ranks_before, ranks_after) = (ranks(before), ranks(after));
    let document = |id: &str| MovedDocument {
        id: id.to_string(),
        title: titles.get(id).cloned().unwrap_or_default(),
        grade: query.judged.get(id).copied(),
        rank_before: ranks_before.get(id).copied(),
        rank_after: ranks_after.get(id).copied(),
    };
    let mut relevant: Vec<MovedDocument> = query
        .judged
        .iter()
        .filter(|(_, grade)| **grade > 0)
        .map(|(id, _)| document(id))
        .filter(|moved| moved.rank_before != moved.rank_after)
        .filter(|moved| [moved.rank_before, moved.rank_after].into_iter().flatten().any(|rank| rank <= DEPTH))
        .collect();
    relevant.sort_by(|a, b| weight(b).total_cmp(&weight(a)).then_with(|| a.id.cmp(&b.id)));
    relevant.truncate(MOST_RELEVANT);
    let others = after
        .iter()
        .take(TOP as usize)
        .filter(|hit| !query.is_relevant(&hit.id))
        .map(|hit| document(hit.id.as_str()))
        .filter(|moved| moved.rank_before.is_none_or(|rank| rank > TOP))
        .take(MOST_OTHERS);
    relevant.extend(others);
    relevant
}

fn ranks(ranking: &[ScoredDocument]) -> HashMap<&str, u32> {
    (1..).zip(ranking).map(|(rank, hit)| (hit.id.as_str(), count_u32(rank))).collect()
}

/// How much a move matters: from rank 3 to 1 more than from 90 to 50.
fn weight(moved: &MovedDocument) -> f64 {
    let reciprocal = |rank: Option<u32>| rank.map_or(0.0, |rank| 1.0 / f64::from(rank));
    (reciprocal(moved.rank_after) - reciprocal(moved.rank_before)).abs()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{qrels, rankings};
    use super::*;
    use crate::eval::scoring::ScoringOptions;

    #[test]
    fn relevant_documents_come_first_and_stayers_not_at_all() {
        let qrels = qrels(&[("q", &[("a", 2), ("b", 1), ("c", 1), ("stays", 1), ("bad", 0)])]);
        let before = rankings(&[("q", &[("x", 9.0), ("stays", 8.0), ("a", 7.0), ("b", 6.0)])]);
        let after =
            rankings(&[("q", &[("a", 9.0), ("stays", 8.0), ("x", 7.0), ("bad", 6.0), ("c", 5.0), ("new", 4.0)])]);
        let judged = Judged::new(["q"].into_iter(), &qrels, ScoringOptions::default());
        let titles = HashMap::from([("a".to_string(), "On a".to_string())]);
        let side = |rankings, values| Side { rankings, values };
        let changed = changed(&judged, side(&before, &[0.25]), side(&after, &[0.75]), &titles);
        assert_eq!(changed.len(), 1);
        assert_eq!((changed[0].query, changed[0].difference), (0, 0.5));
        let moved: Vec<_> = changed[0]
            .moved
            .iter()
            .map(|moved| (moved.id.as_str(), moved.title.as_str(), moved.grade, moved.rank_before, moved.rank_after))
            .collect();
        assert_eq!(
            moved,
            [
                ("a", "On a", Some(2), Some(3), Some(1)),
                ("b", "", Some(1), Some(4), None),
                ("c", "", Some(1), None, Some(5)),
                ("bad", "", Some(0), None, Some(4)),
                ("new", "", None, None, Some(6)),
            ]
        );
    }

    #[test]
    fn the_largest_differences_are_listed_and_missing_queries_are_not() {
        let ids: Vec<String> = (0..120).map(|idx| idx.to_string()).collect();
        let qrels = ids.iter().map(|id| (id.clone(), HashMap::from([("a".to_string(), 1)]))).collect();
        let judged = Judged::new(ids.iter().map(String::as_str), &qrels, ScoringOptions::default());
        let before = vec![0.5; 120];
        // 60 wins, the later ones larger; 57 losses, two ties, one query that the plan lacks.
        let after: Vec<f64> = (0..120u32)
            .map(|idx| match idx {
                0..60 => 0.5 + f64::from(idx + 1) / 1000.0,
                60..117 => 0.5 - f64::from(idx) / 1000.0,
                117 | 118 => 0.5,
                _ => f64::NAN,
            })
            .collect();
        let none = Rankings::new();
        let side = |values| Side { rankings: &none, values };
        let changed = changed(&judged, side(&before), side(&after), &HashMap::new());
        assert_eq!(changed.iter().filter(|query| query.difference > 0.0).count(), 50);
        assert_eq!(changed.iter().filter(|query| query.difference < 0.0).count(), 50);
        assert_eq!(changed[0].query, 116);
        assert!(changed.windows(2).all(|pair| pair[0].difference.abs() >= pair[1].difference.abs()));
        // The ten smallest wins are those left out.
        assert!(changed.iter().all(|query| query.difference < 0.0 || query.query >= 10));
    }
}
