//! Every measure of every plan against the first plan: tests, intervals, wins and losses.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::eval::comparison::Difference;
use crate::eval::scoring::Scores;
use crate::eval::significance::{bootstrap_interval, correct, difference};

/// Confidence intervals of the means, by plan and measure.
pub(super) fn intervals(scores: &[Scores], measures: &[String]) -> Vec<BTreeMap<String, [f64; 2]>> {
    let of_plan = |scores: &Scores| {
        let intervals = scores.values.par_iter().map(|values| bootstrap_interval(values));
        measures.iter().cloned().zip(intervals.collect::<Vec<_>>()).collect()
    };
    scores.par_iter().map(of_plan).collect()
}

/// Differences to the first plan, by plan and measure; empty for the first. Queries that either plan lacks are left out.
pub(super) fn against_first(scores: &[Scores], measures: &[String]) -> Vec<BTreeMap<String, Difference>> {
    let Some((first, others)) = scores.split_first() else { return Vec::new() };
    let by_measure: Vec<Vec<Difference>> = (0..measures.len())
        .into_par_iter()
        .map(|measure| {
            let to_first = |other: &Scores| difference(&first.values[measure], &other.values[measure]);
            let mut differences: Vec<Difference> = others.par_iter().map(to_first).collect();
            correct(&mut differences.iter_mut().collect::<Vec<_>>());
            differences
        })
        .collect();
    let of_plan = |plan: usize| {
        measures.iter().cloned().zip(by_measure.iter().map(|differences| differences[plan].clone())).collect()
    };
    std::iter::once(BTreeMap::new()).chain((0..others.len()).map(of_plan)).collect()
}

/// The queries that both plans have.
pub(super) fn num_paired(before: &[f64], after: &[f64]) -> usize {
    before.iter().zip(after).filter(|(before, after)| !before.is_nan() && !after.is_nan()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_queries_that_both_have_are_tested_and_holm_is_over_the_other_plans() {
        let scores = |values: &[f64]| Scores { values: vec![values.to_vec()] };
        let nan = f64::NAN;
        let first = [0.1, 0.2, 0.3, 0.4, 0.5, nan];
        let all = [
            scores(&first),
            scores(&[0.2, 0.3, 0.4, 0.6, nan, 0.9]),
            scores(&[0.1, 0.2, 0.3, 0.4, 0.6, 0.7]),
            scores(&[nan; 6]),
        ];
        let differences = against_first(&all, &["map".to_string()]);
        assert!(differences[0].is_empty());
        let better = &differences[1]["map"];
        assert!((better.mean - 0.5 / 4.0).abs() < 1e-12);
        assert_eq!((better.wins, better.ties, better.losses), (4, 0, 0));
        assert!((better.p_t_test_holm - (3.0 * better.p_t_test).min(1.0)).abs() < 1e-12);
        let one = &differences[2]["map"];
        assert_eq!((one.wins, one.ties, one.losses), (1, 4, 0));
        let nothing = &differences[3]["map"];
        assert_eq!((nothing.wins, nothing.ties, nothing.losses, nothing.p_t_test_holm), (0, 0, 0, 1.0));
        assert_eq!(num_paired(&first, &all[1].values[0]), 4);
        let intervals = intervals(&all, &["map".to_string()]);
        let [low, high] = intervals[0]["map"];
        assert!((0.1..0.3).contains(&low) && high > 0.3 && high <= 0.5, "{low} to {high}");
        assert_eq!(intervals[3]["map"], [0.0, 0.0]);
    }
}
