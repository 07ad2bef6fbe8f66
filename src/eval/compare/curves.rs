//! Recall against depth, and precision against recall.

use super::judged::{JudgedQuery, RankedQuery, mean};
use crate::eval::comparison::CurvePoint;

/// Where recall is looked at; a run that ends in between is also looked at there.
const DEPTHS: [usize; 12] = [1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 500, 1000];

/// Mean recall at depths from 1 to the longest ranking.
///
/// * `scored`: the places of the queries that count.
pub(super) fn recall_at_depths(queries: &[JudgedQuery<'_>], run: &[RankedQuery], scored: &[usize]) -> Vec<CurvePoint> {
    let longest = run.iter().map(|query| query.num_retrieved).max().unwrap_or(0);
    depths_up_to(&DEPTHS, longest)
        .into_iter()
        .map(|depth| {
            let recall = |&idx: &usize| {
                let found = run[idx].relevant_ranks.partition_point(|&rank| rank <= depth);
                queries[idx].recall(found)
            };
            CurvePoint { x: depth as f64, y: mean(scored.iter().map(recall)) }
        })
        .collect()
}

/// Mean interpolated precision at recall 0, .1, .. 1: the best precision at any rank from where that recall is reached, 0
/// where it is not reached.
///
/// Source: trec_eval 9, `m_iprec_at_recall.c`; recall `r` is reached with `floor(r * relevant + 0.9)` documents.
pub(super) fn precision_at_recall(
    queries: &[JudgedQuery<'_>],
    run: &[RankedQuery],
    scored: &[usize],
) -> Vec<CurvePoint> {
    let mut sums = [0.0; 11];
    for &idx in scored {
        let values = interpolated_precision(&run[idx].relevant_ranks, queries[idx].num_relevant);
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    }
    let count = scored.len().max(1) as f64;
    (0u32..).zip(sums).map(|(tenth, sum)| CurvePoint { x: f64::from(tenth) / 10.0, y: sum / count }).collect()
}

/// * `ranks`: of the relevant documents found, ascending from 1.
fn interpolated_precision(ranks: &[usize], num_relevant: usize) -> [f64; 11] {
    // The best precision from each relevant document on; between two of them precision only falls.
    let mut best = vec![0.0f64; ranks.len() + 1];
    for (before, &rank) in ranks.iter().enumerate().rev() {
        best[before] = ((before + 1) as f64 / rank as f64).max(best[before + 1]);
    }
    std::array::from_fn(|tenth| {
        // As trec_eval writes its levels: .30, not 3 times .10.
        let level = tenth as f64 / 10.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "trec_eval cuts the fraction off")]
        let needed = (level * num_relevant as f64 + 0.9) as usize;
        if needed > ranks.len() { 0.0 } else { best[needed.saturating_sub(1)] }
    })
}

/// Those of the depths that are reached, and the last one reached if it lies below the deepest.
pub(super) fn depths_up_to(depths: &[usize], reached: usize) -> Vec<usize> {
    let mut within: Vec<usize> = depths.iter().copied().filter(|&depth| depth <= reached).collect();
    if reached > 0 && depths.last().is_some_and(|&deepest| reached < deepest) && within.last() != Some(&reached) {
        within.push(reached);
    }
    within
}

#[cfg(test)]
mod tests {
    use super::super::judged::Judged;
    use super::super::tests::{qrels, rankings};
    use super::*;
    use crate::eval::scoring::ScoringOptions;

    #[test]
    fn depths_stop_where_the_run_does() {
        assert_eq!(depths_up_to(&DEPTHS, 10), [1, 2, 3, 5, 10]);
        assert_eq!(depths_up_to(&DEPTHS, 7), [1, 2, 3, 5, 7]);
        assert_eq!(depths_up_to(&DEPTHS, 5000), DEPTHS);
        assert!(depths_up_to(&DEPTHS, 0).is_empty());
    }

    #[test]
    fn interpolated_precision_is_trec_evals() {
        // Three of four relevant documents, at ranks 1, 3 and 4; recall .8 needs four.
        let [first, third] = [1.0, 3.0 / 4.0];
        let expected = [first, first, first, third, third, third, third, third, 0.0, 0.0, 0.0];
        assert_eq!(interpolated_precision(&[1, 3, 4], 4), expected);
        assert_eq!(interpolated_precision(&[2], 1), [0.5; 11]);
        assert_eq!(interpolated_precision(&[], 3), [0.0; 11]);
        assert_eq!(interpolated_precision(&[], 0), [0.0; 11]);
    }

    #[test]
    fn curves_are_means_over_the_queries_that_count() {
        let qrels = qrels(&[("1", &[("a", 1), ("b", 1)]), ("2", &[("c", 1)]), ("3", &[("d", 1)])]);
        let run = rankings(&[("1", &[("a", 9.0), ("x", 8.0), ("b", 7.0)]), ("2", &[("y", 2.0), ("c", 1.0)])]);
        let judged = Judged::new(["1", "2", "3"].into_iter(), &qrels, ScoringOptions::default());
        let ranks = judged.relevant_ranks(&run);
        let recall = recall_at_depths(&judged.queries, &ranks, &[0, 1]);
        let points: Vec<(f64, f64)> = recall.iter().map(|point| (point.x, point.y)).collect();
        assert_eq!(points, [(1.0, 0.25), (2.0, 0.75), (3.0, 1.0)]);
        let with_the_missing = recall_at_depths(&judged.queries, &ranks, &[0, 1, 2]);
        assert_eq!(with_the_missing[2].y, 2.0 / 3.0);
        let precision = precision_at_recall(&judged.queries, &ranks, &[0, 1]);
        assert_eq!(precision[0].y, (1.0 + 0.5) / 2.0);
        assert_eq!((precision[10].x, precision[10].y), (1.0, (2.0 / 3.0 + 0.5) / 2.0));
    }
}
