//! The names of aggregations, known and unknown.

use super::super::error::EsError;

/// What is supported.
pub(super) const SUPPORTED: [&str; 44] = [
    "adjacency_matrix",
    "avg",
    "avg_bucket",
    "boxplot",
    "bucket_sort",
    "cardinality",
    "composite",
    "cumulative_sum",
    "date_histogram",
    "date_range",
    "derivative",
    "extended_stats",
    "extended_stats_bucket",
    "filter",
    "filters",
    "global",
    "histogram",
    "ip_range",
    "max",
    "max_bucket",
    "median_absolute_deviation",
    "min",
    "min_bucket",
    "missing",
    "multi_terms",
    "nested",
    "percentile_ranks",
    "percentiles",
    "percentiles_bucket",
    "range",
    "rare_terms",
    "reverse_nested",
    "sampler",
    "significant_terms",
    "stats",
    "stats_bucket",
    "string_stats",
    "sum",
    "sum_bucket",
    "terms",
    "top_hits",
    "top_metrics",
    "value_count",
    "weighted_avg",
];

/// What Elasticsearch has and this engine does not.
const UNSUPPORTED: [&str; 36] = [
    "auto_date_histogram",
    "bucket_correlation",
    "bucket_count_ks_test",
    "bucket_script",
    "bucket_selector",
    "cartesian_bounds",
    "cartesian_centroid",
    "categorize_text",
    "change_point",
    "children",
    "cumulative_cardinality",
    "diversified_sampler",
    "frequent_item_sets",
    "geo_bounds",
    "geo_centroid",
    "geo_distance",
    "geo_line",
    "geohash_grid",
    "geohex_grid",
    "geotile_grid",
    "inference",
    "ip_prefix",
    "matrix_stats",
    "moving_fn",
    "moving_percentiles",
    "normalize",
    "parent",
    "random_sampler",
    "rate",
    "scripted_metric",
    "serial_diff",
    "significant_text",
    "t_test",
    "time_series",
    "variable_width_histogram",
    "moving_avg",
];

/// The error of an aggregation type that is not read.
pub(super) fn unknown(kind: &str, name: &str) -> EsError {
    if UNSUPPORTED.contains(&kind) {
        return EsError::unsupported(format!("the aggregation type [{kind}] (of the aggregation [{name}])"));
    }
    let guess = did_you_mean(kind, SUPPORTED.iter().chain(&UNSUPPORTED).copied());
    EsError::parsing(format!("Unknown aggregation type [{kind}]{guess}"))
}

/// The names that one may have meant, as a question; empty where there are none.
pub(super) fn did_you_mean<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> String {
    let near = known.map(|known| (similarity(written, known), known));
    let mut near: Vec<(f64, &str)> = near.filter(|(similarity, _)| *similarity > 0.5).collect();
    near.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(right.1)));
    let names: Vec<&str> = near.into_iter().map(|(_, known)| known).collect();
    match names.as_slice() {
        [] => String::new(),
        [only] => format!(" did you mean [{only}]?"),
        several => format!(" did you mean any of [{}]?", several.join(", ")),
    }
}

/// 1 minus the edits per letter of the longer text.
fn similarity(left: &str, right: &str) -> f64 {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let longest = left.len().max(right.len());
    if longest == 0 {
        return 1.0;
    }
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, from) in left.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, to) in right.iter().enumerate() {
            let at = |row: &[usize], place: usize| row.get(place).copied().unwrap_or(usize::MAX - 1);
            let replaced = at(&row, j) + usize::from(from != to);
            next.push(replaced.min(at(&row, j + 1) + 1).min(at(&next, j) + 1));
        }
        row = next;
    }
    1.0 - row.last().copied().unwrap_or(longest) as f64 / longest as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_guessed() {
        for (kind, reason) in [
            ("term", "Unknown aggregation type [term] did you mean [terms]?"),
            ("zzzzzz", "Unknown aggregation type [zzzzzz]"),
            ("averag", "Unknown aggregation type [averag]"),
        ] {
            assert!(unknown(kind, "x").reason.starts_with(reason), "{}", unknown(kind, "x").reason);
        }
        assert!(unknown("geo_bounds", "x").reason.contains("[geo_bounds]"));
    }
}
