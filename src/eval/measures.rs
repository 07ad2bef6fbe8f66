//! nDCG@10, R@100, AP and RR@10, as trec_eval computes them.

use std::collections::HashMap;

/// A retrieved document: its id and score.
pub type Scored = (String, f64);

/// The figures of one query, or their means.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
pub struct Figures {
    /// nDCG@10 with linear gains.
    #[serde(rename = "ndcg@10")]
    pub ndcg_10: f64,
    /// The share of the relevant documents that are among the first 100.
    #[serde(rename = "recall@100")]
    pub recall_100: f64,
    /// Average precision.
    #[serde(rename = "map")]
    pub average_precision: f64,
    /// One over the rank of the first relevant document, 0 when it is beyond 10.
    #[serde(rename = "mrr@10")]
    pub reciprocal_rank_10: f64,
}

/// Scores one query's run against its judgments (document id to grade; relevant from 1 on).
///
/// nDCG: gains are the grades, discounted by `log2(rank + 1)`, over the same sum of the ideal order.
///
/// Source: trec_eval 9.0 (`m_ndcg_cut.c`, `m_recall.c`, `m_map.c`, `m_recip_rank.c`).
pub fn evaluate(run: &[Scored], judged: &HashMap<String, i32>) -> Figures {
    let mut order: Vec<&Scored> = run.iter().collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| b.0.cmp(&a.0)));
    let grades: Vec<i32> = order.iter().map(|(id, _)| judged.get(id).copied().unwrap_or(0)).collect();
    let mut ideal: Vec<i32> = judged.values().copied().filter(|&grade| grade > 0).collect();
    ideal.sort_unstable_by(|a, b| b.cmp(a));
    let num_relevant = ideal.len() as f64;
    if ideal.is_empty() {
        return Figures::default();
    }
    let relevant_in = |depth: usize| grades.iter().take(depth).filter(|&&grade| grade > 0).count() as f64;
    let mut found = 0.0;
    let mut sum_precision = 0.0;
    for (rank, &grade) in (1_u32..).zip(&grades) {
        if grade > 0 {
            found += 1.0;
            sum_precision += found / f64::from(rank);
        }
    }
    let first = grades.iter().take(10).position(|&grade| grade > 0);
    Figures {
        ndcg_10: dcg(&grades, 10) / dcg(&ideal, 10),
        recall_100: relevant_in(100) / num_relevant,
        average_precision: sum_precision / num_relevant,
        reciprocal_rank_10: first.map_or(0.0, |idx| 1.0 / (idx as f64 + 1.0)),
    }
}

fn dcg(grades: &[i32], depth: usize) -> f64 {
    let gain = |(rank, &grade): (u32, &i32)| f64::from(grade.max(0)) / f64::from(rank + 1).log2();
    (1_u32..).zip(grades.iter().take(depth)).map(gain).sum()
}

/// The mean over queries; all 0 without any.
pub fn mean(figures: &[Figures]) -> Figures {
    let count = figures.len().max(1) as f64;
    let of = |value: fn(&Figures) -> f64| figures.iter().map(value).sum::<f64>() / count;
    Figures {
        ndcg_10: of(|figures| figures.ndcg_10),
        recall_100: of(|figures| figures.recall_100),
        average_precision: of(|figures| figures.average_precision),
        reciprocal_rank_10: of(|figures| figures.reciprocal_rank_10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn judged(grades: &[(&str, i32)]) -> HashMap<String, i32> {
        grades.iter().map(|(id, grade)| ((*id).to_string(), *grade)).collect()
    }

    fn run(ids: &[&str]) -> Vec<Scored> {
        (0..).zip(ids).map(|(rank, id)| ((*id).to_string(), -f64::from(rank))).collect()
    }

    #[test]
    fn the_formulas_written_out() {
        let figures = evaluate(&run(&["x", "a", "y", "b"]), &judged(&[("a", 2), ("b", 1), ("c", 1), ("x", 0)]));
        let dcg = 2.0 / 3_f64.log2() + 1.0 / 5_f64.log2();
        let ideal = 2.0 / 2_f64.log2() + 1.0 / 3_f64.log2() + 1.0 / 4_f64.log2();
        assert!((figures.ndcg_10 - dcg / ideal).abs() < 1e-12);
        assert!((figures.average_precision - (1.0 / 2.0 + 2.0 / 4.0) / 3.0).abs() < 1e-12);
        assert!((figures.recall_100 - 2.0 / 3.0).abs() < 1e-12);
        assert!((figures.reciprocal_rank_10 - 0.5).abs() < 1e-12);
    }

    #[test]
    fn ties_go_by_document_id_descending_as_in_trec_eval() {
        let tied = vec![("a".to_string(), 1.0), ("b".to_string(), 1.0)];
        assert!((evaluate(&tied, &judged(&[("a", 1)])).reciprocal_rank_10 - 0.5).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn every_figure_lies_in_0_to_1_and_the_ideal_run_has_1(grades in proptest::collection::vec(0_i32..4, 1..30)) {
            let judged: HashMap<String, i32> = (0..).zip(&grades).map(|(id, grade): (i32, _)| (id.to_string(), *grade)).collect();
            let arbitrary: Vec<Scored> = (0..grades.len()).map(|id| (id.to_string(), (id * 7 % 11) as f64)).collect();
            let ideal: Vec<Scored> = judged.iter().map(|(id, grade)| (id.clone(), f64::from(*grade))).collect();
            let figures = evaluate(&arbitrary, &judged);
            for value in [figures.ndcg_10, figures.recall_100, figures.average_precision, figures.reciprocal_rank_10] {
                prop_assert!((0.0..=1.0 + 1e-12).contains(&value));
            }
            if grades.iter().any(|&grade| grade > 0) {
                let best = evaluate(&ideal, &judged);
                prop_assert!((best.ndcg_10 - 1.0).abs() < 1e-12 && (best.average_precision - 1.0).abs() < 1e-12);
            }
        }
    }
}
