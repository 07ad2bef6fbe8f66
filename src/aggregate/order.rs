//! Orders of buckets, and the numbers of results that they and pipelines go by.

use std::cmp::Ordering;

use super::figures::stats::{Spread, Stats};
use super::figures::{Digest, Figures};
use super::outcome::{Bucket, Buckets, Metric, Outcome, PipelineNumber};
use super::request::{Aggregation, AggregationKind, BucketOrder, OrderBy, Path};
use crate::index::doc_values::ValueKind;

/// The order of two buckets; ties go by ascending key.
///
/// * `aggs`: the aggregations of each bucket, whose results it holds.
pub(super) fn compare(aggs: &[Aggregation], order: &[BucketOrder], left: &Bucket, right: &Bucket) -> Ordering {
    for criterion in order {
        let ordering = match &criterion.by {
            OrderBy::Count => directed(left.doc_count.cmp(&right.doc_count), criterion.descending),
            OrderBy::Key => directed(left.key.cmp(&right.key), criterion.descending),
            OrderBy::Path(path) => {
                compare_numbers(number_at(aggs, left, path), number_at(aggs, right, path), criterion.descending)
            }
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    left.key.cmp(&right.key)
}

fn directed(ordering: Ordering, descending: bool) -> Ordering {
    if descending { ordering.reverse() } else { ordering }
}

/// Numbers in an order; those that are missing come last in either.
pub(super) fn compare_numbers(left: Option<f64>, right: Option<f64>, descending: bool) -> Ordering {
    match (left.filter(|number| !number.is_nan()), right.filter(|number| !number.is_nan())) {
        (Some(left), Some(right)) => directed(left.total_cmp(&right), descending),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

/// Whether an order looks at sub-aggregations.
pub(super) fn needs_results(order: &[BucketOrder]) -> bool {
    order.iter().any(|criterion| matches!(criterion.by, OrderBy::Path(_)))
}

/// Whether buckets are ordered by their keys first of all.
pub(super) fn is_by_key(order: &[BucketOrder]) -> bool {
    order.first().is_some_and(|criterion| criterion.by == OrderBy::Key)
}

/// The number that a path leads to from a bucket; `None` where there is none.
pub(super) fn number_at(aggs: &[Aggregation], bucket: &Bucket, path: &Path) -> Option<f64> {
    let mut aggs = aggs;
    let mut bucket = bucket;
    let mut names = path.names.as_slice();
    loop {
        let (name, rest) = names.split_first()?;
        match name.as_str() {
            "_count" => return Some(bucket.doc_count as f64),
            "_key" => return bucket.key.as_ref().and_then(super::key::Key::as_f64),
            _ => {}
        }
        let place = aggs.iter().position(|agg| agg.name == *name)?;
        let (agg, outcome) = (aggs.get(place)?, bucket.aggs.get(place)?);
        match outcome {
            Outcome::Single(inner) => {
                if rest.is_empty() {
                    return match path.property.as_deref() {
                        None | Some("_count" | "doc_count") => Some(inner.doc_count as f64),
                        Some(_) => None,
                    };
                }
                (aggs, bucket, names) = (&agg.aggs, inner, rest);
            }
            Outcome::Metric(metric) if rest.is_empty() => {
                return figure(&agg.kind, metric, path.property.as_deref());
            }
            Outcome::Number(Some(number)) if rest.is_empty() => {
                return match (number, path.property.as_deref()) {
                    (PipelineNumber::Derivative { normalized, .. }, Some("normalized_value")) => *normalized,
                    (PipelineNumber::Percentiles(_), _) => None,
                    (
                        PipelineNumber::Plain(value)
                        | PipelineNumber::Derivative { value, .. }
                        | PipelineNumber::Extreme { value, .. },
                        _,
                    ) => Some(*value),
                };
            }
            Outcome::Hits(hits) if rest.is_empty() => {
                let AggregationKind::TopMetrics(metrics) = &agg.kind else { return None };
                let place = match path.property.as_deref() {
                    None => 0,
                    Some(field) => metrics.fields.iter().position(|known| known == field)?,
                };
                return hits.hits.first()?.metrics.get(place)?.as_ref()?.as_f64();
            }
            Outcome::Buckets(buckets) if rest.is_empty() && path.property.as_deref() == Some("_bucket_count") => {
                return Some(buckets.buckets.len() as f64);
            }
            Outcome::Buckets(_) | Outcome::Metric(_) | Outcome::Number(_) | Outcome::Hits(_) | Outcome::Nothing => {
                return None;
            }
        }
    }
}

/// Refuses a path of a pipeline that leads from a bucket to no single number: it ends at buckets or goes through them, or
/// names none of a metric's several figures.
///
/// # Errors
/// What is wrong with it, in Elasticsearch's words.
pub(super) fn check_number(aggs: &[Aggregation], bucket: &Bucket, path: &Path) -> Result<(), String> {
    const EXPECTED: &str =
        "buckets_path must reference either a number value or a single value numeric metric aggregation";
    let (mut aggs, mut bucket) = (aggs, bucket);
    let mut names = path.names.as_slice();
    while let Some((name, rest)) = names.split_first() {
        if matches!(name.as_str(), "_count" | "_key") {
            return Ok(());
        }
        let found = aggs.iter().zip(&bucket.aggs).find(|(agg, _)| agg.name == *name);
        let Some((agg, outcome)) = found else {
            return Err(format!("No aggregation [{name}] found for path [{path}]"));
        };
        match outcome {
            Outcome::Single(inner) => (aggs, bucket, names) = (&agg.aggs, inner, rest),
            Outcome::Buckets(buckets) if path.property.as_deref() != Some("_bucket_count") => {
                let got = if rest.is_empty() { java_class(buckets) } else { "Object[]" };
                return Err(format!("{EXPECTED}, got: [{got}] at aggregation [{name}]"));
            }
            Outcome::Metric(metric) if path.property.is_none() && has_several_figures(&agg.kind, metric) => {
                return Err(format!("{EXPECTED}, but [{name}] contains multiple values. Please specify which to use."));
            }
            Outcome::Buckets(_) | Outcome::Metric(_) | Outcome::Hits(_) | Outcome::Number(_) | Outcome::Nothing => {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn has_several_figures(kind: &AggregationKind, metric: &Metric) -> bool {
    match kind {
        AggregationKind::Percentiles { percents, .. } => percents.len() != 1,
        AggregationKind::PercentileRanks { values, .. } => values.len() != 1,
        kind => figure(kind, metric, None).is_none() && needs_property(kind),
    }
}

/// Elasticsearch's name of what holds buckets.
fn java_class(buckets: &Buckets) -> &'static str {
    match buckets.values.first().and_then(Option::as_ref).map(|values| values.kind) {
        Some(ValueKind::Keyword | ValueKind::Ip | ValueKind::Id | ValueKind::IndexName) => "StringTerms",
        Some(ValueKind::Double) => "DoubleTerms",
        Some(ValueKind::Long | ValueKind::UnsignedLong | ValueKind::Boolean | ValueKind::Date) => "LongTerms",
        None => "UnmappedTerms",
    }
}

/// Whether a metric's figures are told apart by name.
fn needs_property(kind: &AggregationKind) -> bool {
    matches!(
        kind,
        AggregationKind::Stats(_)
            | AggregationKind::ExtendedStats { .. }
            | AggregationKind::Percentiles { .. }
            | AggregationKind::PercentileRanks { .. }
            | AggregationKind::Boxplot { .. }
            | AggregationKind::StringStats { .. }
    )
}

/// A figure of a metric; the only one it has, where none is named.
pub(super) fn figure(kind: &AggregationKind, metric: &Metric, property: Option<&str>) -> Option<f64> {
    match (&metric.figures, kind) {
        (Figures::Stats(stats), kind) => {
            let property = match kind {
                AggregationKind::Avg(_) => "avg",
                AggregationKind::Sum(_) => "sum",
                AggregationKind::Min(_) => "min",
                AggregationKind::Max(_) => "max",
                _ => property?,
            };
            let sigma = if let AggregationKind::ExtendedStats { sigma, .. } = kind { *sigma } else { 2.0 };
            stats_figure(stats, sigma, property)
        }
        (Figures::Count(count), _) => Some(*count as f64),
        (Figures::Distinct(distinct), _) => Some(distinct.count() as f64),
        (Figures::Weighted { sum, weights }, _) => (weights.value() != 0.0).then(|| sum.value() / weights.value()),
        (Figures::Digest(digest), kind) => digest_figure(digest, kind, property),
        (Figures::Strings(strings), _) => Some(match property? {
            "count" => strings.count as f64,
            "min_length" => strings.min_length as f64,
            "max_length" => strings.max_length as f64,
            "avg_length" => strings.total_length as f64 / strings.count as f64,
            "entropy" => strings.entropy(),
            _ => return None,
        }),
    }
}

fn stats_figure(stats: &Stats, sigma: f64, property: &str) -> Option<f64> {
    Some(match property {
        "count" => stats.count as f64,
        "sum" => stats.sum.value(),
        _ if stats.count == 0 => return None,
        "min" => stats.min,
        "max" => stats.max,
        "avg" => stats.mean()?,
        "sum_of_squares" => stats.sum_of_squares.value(),
        "variance" | "variance_population" => stats.variance(Spread::Population),
        "variance_sampling" => stats.variance(Spread::Sampling),
        "std_deviation" | "std_deviation_population" => stats.deviation(Spread::Population),
        "std_deviation_sampling" => stats.deviation(Spread::Sampling),
        "std_upper" | "std_deviation_bounds.upper" => stats.bound(sigma, Spread::Population),
        "std_lower" | "std_deviation_bounds.lower" => stats.bound(-sigma, Spread::Population),
        _ => return None,
    })
}

fn digest_figure(digest: &Digest, kind: &AggregationKind, property: Option<&str>) -> Option<f64> {
    let mut digest = digest.clone();
    digest.settle();
    let value = match kind {
        AggregationKind::MedianAbsoluteDeviation { .. } => digest.median_absolute_deviation(),
        AggregationKind::PercentileRanks { values, .. } => {
            let value = match (property, values.as_slice()) {
                (None, [only]) => *only,
                (property, _) => property?.parse().ok()?,
            };
            100.0 * digest.rank(value)
        }
        AggregationKind::Percentiles { percents, .. } => {
            let percent = match (property, percents.as_slice()) {
                (None, [only]) => *only,
                (property, _) => property?.parse::<f64>().ok()?,
            };
            digest.quantile(percent / 100.0)
        }
        AggregationKind::Boxplot { .. } => match property? {
            "min" => digest.min(),
            "max" => digest.max(),
            "q1" => digest.quantile(0.25),
            "q2" => digest.quantile(0.5),
            "q3" => digest.quantile(0.75),
            _ => return None,
        },
        _ => digest.quantile(property?.parse::<f64>().ok()? / 100.0),
    };
    (!value.is_nan()).then_some(value)
}

/// Whether an order's path leads from an aggregation's buckets to a number, by the request alone.
///
/// # Errors
/// What is wrong with it, in Elasticsearch's words.
pub fn check_path(aggs: &[Aggregation], path: &Path) -> Result<(), String> {
    let mut aggs = aggs;
    let mut names = path.names.as_slice();
    while let Some((name, rest)) = names.split_first() {
        if matches!(name.as_str(), "_count" | "_key") && rest.is_empty() {
            return Ok(());
        }
        let Some(agg) = aggs.iter().find(|agg| agg.name == *name && !matches!(agg.kind, AggregationKind::Pipeline(_)))
        else {
            return Err(format!(
                "Invalid aggregation order path [{path}]. The provided aggregation [{name}] either does not exist, or is a pipeline \
                 aggregation and cannot be used to sort the buckets."
            ));
        };
        let is_single = matches!(
            agg.kind,
            AggregationKind::Filter(_)
                | AggregationKind::Missing(_)
                | AggregationKind::Global
                | AggregationKind::Nested { .. }
                | AggregationKind::ReverseNested { .. }
                | AggregationKind::Sampler { .. }
        );
        let is_metric = is_metric(&agg.kind);
        if rest.is_empty() && (is_single || is_metric) {
            if needs_property(&agg.kind) && path.property.is_none() {
                return Err(format!(
                    "Invalid aggregation order path [{path}]. When ordering on a multi-value metrics aggregation a metric name must \
                     be specified."
                ));
            }
            return Ok(());
        }
        if !is_single {
            return Err(format!(
                "Invalid aggregation order path [{path}]. Buckets can only be sorted on a sub-aggregator path that is built out of \
                 zero or more single-bucket aggregations within the path and a final single-bucket or a metrics aggregation at the \
                 path end. [{name}] is not single-bucket."
            ));
        }
        (aggs, names) = (&agg.aggs, rest);
    }
    Ok(())
}

/// Whether an aggregation gives figures and no buckets.
pub fn is_metric(kind: &AggregationKind) -> bool {
    match kind {
        AggregationKind::Avg(_)
        | AggregationKind::Sum(_)
        | AggregationKind::Min(_)
        | AggregationKind::Max(_)
        | AggregationKind::Stats(_)
        | AggregationKind::ExtendedStats { .. }
        | AggregationKind::ValueCount(_)
        | AggregationKind::Cardinality { .. }
        | AggregationKind::Percentiles { .. }
        | AggregationKind::PercentileRanks { .. }
        | AggregationKind::MedianAbsoluteDeviation { .. }
        | AggregationKind::Boxplot { .. }
        | AggregationKind::WeightedAvg { .. }
        | AggregationKind::StringStats { .. }
        | AggregationKind::TopHits(_)
        | AggregationKind::TopMetrics(_) => true,
        AggregationKind::Terms(_)
        | AggregationKind::RareTerms(_)
        | AggregationKind::MultiTerms(_)
        | AggregationKind::SignificantTerms(_)
        | AggregationKind::Histogram(_)
        | AggregationKind::DateHistogram(_)
        | AggregationKind::Range(_)
        | AggregationKind::IpRange(_)
        | AggregationKind::Filter(_)
        | AggregationKind::Filters(_)
        | AggregationKind::AdjacencyMatrix(_)
        | AggregationKind::Missing(_)
        | AggregationKind::Global
        | AggregationKind::Nested { .. }
        | AggregationKind::ReverseNested { .. }
        | AggregationKind::Sampler { .. }
        | AggregationKind::Composite(_)
        | AggregationKind::Pipeline(_) => false,
    }
}
