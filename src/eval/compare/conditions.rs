//! In words: what the means are over, what was left out, which tests were made; and what looks wrong with a run.

use super::CompareInput;
use super::judged::Judged;
use super::significance_table::num_paired;
use crate::eval::scoring::{Average, Scores};
use crate::eval::significance::{NUM_PERMUTATIONS, NUM_SAMPLES, SEED};

/// A sentence a condition, as they stand above a table.
pub(super) fn conditions(input: &CompareInput<'_>, judged: &Judged<'_>, scores: &[Scores]) -> Vec<String> {
    let mut conditions = vec![averages(input, judged, scores)];
    if judged.queries.len() < input.queries.len() {
        let count = input.queries.len() - judged.queries.len();
        conditions.push(format!("{} without judgments left out", queries(count)));
    }
    conditions.push(if input.options.remove_own {
        "a query's own document (same id) is removed from rankings and judgments".to_string()
    } else {
        "documents with their query's id are kept".to_string()
    });
    conditions.push("ties are broken as trec_eval does: score, then document id, both descending".to_string());
    conditions.push(format!(
        "95% intervals by bootstrap over queries (percentile method, {NUM_SAMPLES} samples, seed {SEED})"
    ));
    if let [first, _, ..] = input.systems.as_slice() {
        let others = input.systems.len() - 1;
        conditions.push(format!(
            "differences to {:?}: paired t-test and paired randomisation test ({NUM_PERMUTATIONS} permutations, seed {SEED}), \
             two-sided; Holm-corrected by measure over {others} {}",
            first.run.name,
            if others == 1 { "comparison" } else { "comparisons" }
        ));
        conditions.extend(left_out_of_pairs(input, judged, scores));
    }
    if !input.readings.is_empty() {
        conditions.push(
            "the advised re-ranking depth is chosen on the queries that its gain is measured on, which flatters it a little"
                .to_string(),
        );
    }
    conditions
}

fn averages(input: &CompareInput<'_>, judged: &Judged<'_>, scores: &[Scores]) -> String {
    let count = judged.queries.len();
    match input.options.average {
        Average::Judged => {
            format!("means over {count} judged {}; a query without hits counts 0 (trec_eval -c)", noun(count))
        }
        Average::Retrieved => {
            let lacking: Vec<String> = input
                .systems
                .iter()
                .zip(scores)
                .map(|(system, scores)| (&system.run.name, num_counted(scores)))
                .filter(|(_, counted)| *counted < count)
                .map(|(name, counted)| format!("{name:?} {counted}"))
                .collect();
            let exceptions = if lacking.is_empty() { String::new() } else { format!(", but {}", lacking.join(", ")) };
            format!(
                "means over the judged queries that a run has (trec_eval without -c): {count} of {count}{exceptions}; means over \
                 different queries cannot be compared"
            )
        }
    }
}

fn left_out_of_pairs<'a>(
    input: &'a CompareInput<'_>,
    judged: &'a Judged<'_>,
    scores: &'a [Scores],
) -> impl Iterator<Item = String> + 'a {
    let primary = |scores: &'a Scores| scores.values.first().map_or(&[][..], Vec::as_slice);
    let first = scores.first().map_or(&[][..], primary);
    input.systems.iter().zip(scores).skip(1).filter_map(move |(system, scores)| {
        let left_out = judged.queries.len() - num_paired(first, primary(scores));
        let name = &system.run.name;
        (left_out > 0 && !first.is_empty())
            .then(|| format!("difference of {name:?}: {} that either run lacks left out", queries(left_out)))
    })
}

/// The input's warnings, the plans', and runs that lack judged queries.
pub(super) fn warnings(input: &CompareInput<'_>, judged: &Judged<'_>) -> Vec<String> {
    let mut warnings = input.warnings.clone();
    for system in &input.systems {
        let name = &system.run.name;
        warnings.extend(system.warnings.iter().map(|warning| format!("{name}: {warning}")));
        let has_hits = |id: &String| system.run.rankings.get(id).is_some_and(|hits| !hits.is_empty());
        let lacking = judged.ids.iter().filter(|id| !has_hits(id)).count();
        if lacking == judged.ids.len() && lacking > 0 {
            warnings.push(format!("{name}: no hits for any of the judged queries; check that the query ids match"));
        } else if lacking > 0 {
            warnings.push(format!("{name}: no hits for {lacking} of {} judged queries", judged.ids.len()));
        }
    }
    warnings
}

fn num_counted(scores: &Scores) -> usize {
    scores.values.first().map_or(0, |values| values.iter().filter(|value| !value.is_nan()).count())
}

fn queries(count: usize) -> String {
    format!("{count} {}", noun(count))
}

fn noun(count: usize) -> &'static str {
    if count == 1 { "query" } else { "queries" }
}
