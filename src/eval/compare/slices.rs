//! The primary measure over parts of the queries: by number of words, by lexical overlap with what is relevant.

use std::collections::BTreeSet;

use super::judged::{count_u32, mean};
use crate::eval::comparison::{QueryFacts, Slice};

/// What a slice by the number of words is called.
const BY_WORDS: &str = "words";
/// What a slice by lexical overlap is called.
const BY_OVERLAP: &str = "lexical overlap";
/// Fewer queries than this are cut into three parts by words, not four.
const FEW_QUERIES: usize = 40;

/// A part of the queries, the same for every plan.
#[derive(Debug)]
pub(super) struct Part {
    by: &'static str,
    label: String,
    /// Places in the list of queries, ascending.
    queries: Vec<usize>,
}

/// About equally large parts with whole-number edges; none is empty. Queries without text, or without a known overlap, are
/// in no part of that kind.
pub(super) fn parts(queries: &[QueryFacts]) -> Vec<Part> {
    let words: Vec<(u32, usize)> = (0..)
        .zip(queries)
        .filter(|(_, query)| query.num_words > 0)
        .map(|(idx, query)| (query.num_words, idx))
        .collect();
    let overlaps: Vec<(u32, usize)> =
        (0..).zip(queries).filter_map(|(idx, query)| Some((percent(query.lexical_overlap?), idx))).collect();
    let mut parts = by_quantiles(words, if queries.len() < FEW_QUERIES { 3 } else { 4 }, BY_WORDS, label_words);
    parts.extend(by_quantiles(overlaps, 4, BY_OVERLAP, label_overlap));
    parts
}

/// One plan's means over the parts.
pub(super) fn slices(parts: &[Part], values: &[f64]) -> Vec<Slice> {
    parts
        .iter()
        .map(|part| {
            let values = || part.queries.iter().map(|&idx| values[idx]).filter(|value| !value.is_nan());
            Slice {
                by: part.by.to_string(),
                part: part.label.clone(),
                num_queries: count_u32(values().count()),
                mean: mean(values()),
            }
        })
        .collect()
}

/// What a part's edges are, both included, and whether it is the first and the last.
#[derive(Debug, Clone, Copy)]
struct Edges {
    low: u32,
    high: u32,
    is_first: bool,
    is_last: bool,
}

/// * `values`: (what to cut by, query).
fn by_quantiles(
    mut values: Vec<(u32, usize)>,
    num_parts: usize,
    by: &'static str,
    label: fn(Edges) -> String,
) -> Vec<Part> {
    values.sort_unstable();
    // Only between different values may be cut; the cut nearest to each quantile is taken.
    let possible: Vec<usize> = (1..values.len()).filter(|&place| values[place - 1].0 != values[place].0).collect();
    let quantiles = (1..num_parts).map(|part| part * values.len() / num_parts);
    let cuts: BTreeSet<usize> =
        quantiles.filter_map(|place| possible.iter().copied().min_by_key(|cut| cut.abs_diff(place))).collect();
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain([values.len()]);
    let mut parts = Vec::new();
    let mut below = None;
    for (start, end) in starts.zip(ends) {
        let (Some(first), Some(last)) = (values.get(start), values[..end].last()) else { break };
        let low = below.map_or(first.0, |below: u32| below + 1);
        let edges = Edges { low, high: last.0, is_first: start == 0, is_last: end == values.len() };
        let mut queries: Vec<usize> = values[start..end].iter().map(|&(_, idx)| idx).collect();
        queries.sort_unstable();
        parts.push(Part { by, label: label(edges), queries });
        below = Some(last.0);
    }
    parts
}

fn label_words(edges: Edges) -> String {
    let Edges { low, high, is_first, is_last } = edges;
    if is_last && !is_first {
        format!("{low}+")
    } else if low == high {
        low.to_string()
    } else {
        format!("{low}-{high}")
    }
}

fn label_overlap(edges: Edges) -> String {
    let low = if edges.is_first { 0 } else { edges.low };
    let high = if edges.is_last { 100 } else { edges.high };
    format!("{low}-{high}%")
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 100")]
fn percent(share: f64) -> u32 {
    (share.clamp(0.0, 1.0) * 100.0).round() as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn queries(words_and_overlaps: &[(u32, Option<f64>)]) -> Vec<QueryFacts> {
        let query = |&(num_words, lexical_overlap)| QueryFacts { num_words, lexical_overlap, ..QueryFacts::default() };
        words_and_overlaps.iter().map(query).collect()
    }

    #[test]
    fn parts_have_whole_edges_and_means_are_over_what_counts() {
        let queries =
            queries(&[(1, Some(0.1)), (4, Some(0.2)), (5, Some(0.304)), (7, Some(1.0)), (9, None), (20, Some(0.4))]);
        let parts = parts(&queries);
        let labels: Vec<&str> = parts.iter().map(|part| part.label.as_str()).collect();
        assert_eq!(labels, ["1-4", "5-7", "8+", "0-10%", "11-20%", "21-30%", "31-100%"]);
        let slices = slices(&parts, &[0.5, 1.0, f64::NAN, 0.25, 0.0, 0.5]);
        let means: Vec<(u32, f64)> = slices.iter().map(|slice| (slice.num_queries, slice.mean)).collect();
        assert_eq!(means, [(2, 0.75), (1, 0.25), (2, 0.25), (1, 0.5), (1, 1.0), (0, 0.0), (2, 0.375)]);
    }

    #[test]
    fn queries_of_one_length_are_one_part_and_unknown_ones_none() {
        let same = parts(&queries(&[(3, None), (3, None)]));
        assert_eq!(same.iter().map(|part| part.label.as_str()).collect::<Vec<_>>(), ["3"]);
        assert!(parts(&queries(&[(0, None)])).is_empty());
    }

    proptest! {
        #[test]
        fn parts_partition_the_queries(words in prop::collection::vec((1u32..12, prop::option::of(0.0f64..=1.0)), 1..80)) {
            let queries = queries(&words);
            let parts = parts(&queries);
            for (by, most, expected) in [
                (BY_WORDS, 4, (0..queries.len()).collect::<Vec<_>>()),
                (BY_OVERLAP, 4, (0..).zip(&words).filter(|(_, word)| word.1.is_some()).map(|(idx, _)| idx).collect()),
            ] {
                let of_kind: Vec<&Part> = parts.iter().filter(|part| part.by == by).collect();
                prop_assert!(of_kind.len() <= most);
                prop_assert!(of_kind.iter().all(|part| !part.queries.is_empty()));
                let mut all: Vec<usize> = of_kind.iter().flat_map(|part| part.queries.clone()).collect();
                all.sort_unstable();
                prop_assert_eq!(all, expected);
                let labels: BTreeSet<&str> = of_kind.iter().map(|part| part.label.as_str()).collect();
                prop_assert_eq!(labels.len(), of_kind.len());
            }
        }
    }
}
