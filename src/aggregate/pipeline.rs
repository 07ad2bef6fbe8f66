//! What is computed from other aggregations' results: over a sibling's buckets, or along the buckets that it stands in.

use super::figures::{Figures, Stats};
use super::key::Key;
use super::merge::AggregateError;
use super::order::{self, compare_numbers, number_at};
use super::outcome::{Bucket, Metric, Outcome, PipelineNumber};
use super::request::{
    Aggregation, AggregationKind, BucketOrder, GapPolicy, OrderBy, Path, PipelineKind, SiblingFigure,
};
use crate::error::Error;

/// Computes the pipelines that look at their siblings' buckets.
pub(super) fn siblings(aggs: &[Aggregation], outcomes: &mut [Outcome]) -> Result<(), AggregateError> {
    for (place, agg) in aggs.iter().enumerate() {
        let AggregationKind::Pipeline(pipeline) = &agg.kind else { continue };
        let PipelineKind::Siblings { figure, path, gaps } = &pipeline.kind else { continue };
        let outcome = over_siblings(&agg.name, aggs, outcomes, figure, path, *gaps)?;
        if let Some(slot) = outcomes.get_mut(place) {
            *slot = outcome;
        }
    }
    Ok(())
}

fn over_siblings(
    name: &str,
    aggs: &[Aggregation],
    outcomes: &[Outcome],
    figure: &SiblingFigure,
    path: &Path,
    gaps: GapPolicy,
) -> Result<Outcome, AggregateError> {
    let refuse = |text: String| {
        let error = Error::invalid_input(text.clone()).as_exception("action_request_validation_exception", text);
        AggregateError::Other(error)
    };
    let (sibling, rest) = match path.names.split_first() {
        Some((sibling, rest)) => (sibling.as_str(), rest),
        None => return Err(refuse(format!("No aggregation found for path [{path}]"))),
    };
    let found = aggs.iter().zip(outcomes).find(|(agg, _)| agg.name == sibling);
    let Some((agg, outcome)) = found else {
        return Err(refuse(format!(
            "Validation Failed: 1: buckets_path aggregation does not exist for aggregation [{name}]: {path};"
        )));
    };
    // Buckets may stand inside of aggregations that have one bucket.
    let (mut agg, mut outcome, mut rest) = (agg, outcome, rest);
    while let (Outcome::Single(bucket), Some((name, inner))) = (outcome, rest.split_first()) {
        let found = agg.aggs.iter().zip(&bucket.aggs).find(|(agg, _)| agg.name == *name);
        let Some((below, result)) = found else { break };
        (agg, outcome, rest) = (below, result, inner);
    }
    let Outcome::Buckets(buckets) = outcome else {
        return Err(refuse(format!(
            "Validation Failed: 1: The first aggregation in buckets_path must be a multi-bucket aggregation for aggregation [{name}] \
             found :[{sibling}] for buckets path: {path};"
        )));
    };
    let inner = match (rest, &path.property) {
        // What follows the name of buckets names something in each of them.
        ([], Some(name)) => Path { names: vec![name.clone()], property: None },
        ([], None) => Path { names: vec!["_count".to_string()], property: None },
        (rest, property) => {
            Path { names: rest.to_vec(), property: property.clone().filter(|property| property != "_count") }
        }
    };
    if let Some(bucket) = buckets.buckets.first() {
        order::check_number(&agg.aggs, bucket, &inner).map_err(|text| {
            AggregateError::Other(
                Error::invalid_input(text.clone()).as_exception("aggregation_execution_exception", text),
            )
        })?;
    }
    let mut numbers: Vec<(f64, &Option<Key>)> = Vec::new();
    for bucket in &buckets.buckets {
        if let Some(number) = value_of(&agg.aggs, bucket, &inner, gaps) {
            numbers.push((number, &bucket.key));
        }
    }
    let sum = || numbers.iter().map(|(number, _)| number).sum::<f64>();
    let plain = |number: f64| Outcome::Number(Some(PipelineNumber::Plain(number)));
    let extreme = |value: Option<f64>| {
        Outcome::Number(value.map(|value| PipelineNumber::Extreme {
            value,
            keys: numbers.iter().filter(|(number, _)| *number == value).filter_map(|(_, key)| (*key).clone()).collect(),
            values: buckets.values.first().cloned().flatten(),
        }))
    };
    Ok(match figure {
        SiblingFigure::Sum => plain(sum()),
        SiblingFigure::Avg if numbers.is_empty() => Outcome::Number(None),
        SiblingFigure::Avg => plain(sum() / numbers.len() as f64),
        SiblingFigure::Max => extreme(numbers.iter().map(|(number, _)| *number).reduce(f64::max)),
        SiblingFigure::Min => extreme(numbers.iter().map(|(number, _)| *number).reduce(f64::min)),
        SiblingFigure::Stats | SiblingFigure::ExtendedStats(_) => {
            let mut stats = Stats::default();
            numbers.iter().for_each(|(number, _)| stats.add(*number));
            Outcome::Metric(Metric { values: None, figures: Figures::Stats(stats) })
        }
        SiblingFigure::Percentiles { percents, .. } => {
            let mut sorted: Vec<f64> = numbers.iter().map(|(number, _)| *number).collect();
            sorted.sort_by(f64::total_cmp);
            let last = sorted.len().saturating_sub(1) as f64;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in the list")]
            let nearest = |percent: f64| sorted.get((percent / 100.0 * last).round() as usize).copied();
            let values = percents.iter().map(|&percent| (percent, nearest(percent))).collect();
            Outcome::Number(Some(PipelineNumber::Percentiles(values)))
        }
    })
}

/// A bucket's number, by the policy for buckets without one; `None` where it is left out.
fn value_of(aggs: &[Aggregation], bucket: &Bucket, path: &Path, gaps: GapPolicy) -> Option<f64> {
    let number = number_at(aggs, bucket, path).filter(|number| number.is_finite());
    let is_count = path.names.last().is_some_and(|name| name == "_count");
    match gaps {
        GapPolicy::KeepValues => number,
        _ if number.is_some() && (bucket.doc_count > 0 || is_count) => number,
        GapPolicy::Skip => None,
        GapPolicy::InsertZeros => Some(0.0),
    }
}

/// Whether a path leads to another pipeline that left nothing in this bucket.
fn lacks(aggs: &[Aggregation], bucket: &Bucket, path: &Path) -> bool {
    let place = path.names.first().and_then(|name| aggs.iter().position(|agg| agg.name == *name));
    matches!(place.and_then(|place| bucket.aggs.get(place)), Some(Outcome::Nothing | Outcome::Number(None)))
}

/// Computes the pipelines that go along the buckets they stand in, each after those that it looks at.
pub(super) fn parents(aggs: &[Aggregation], buckets: &mut Vec<Bucket>) -> Result<(), AggregateError> {
    let mut waiting: Vec<usize> = (0..aggs.len())
        .filter(|&place| match aggs.get(place).map(|agg| &agg.kind) {
            Some(AggregationKind::Pipeline(pipeline)) => !matches!(pipeline.kind, PipelineKind::Siblings { .. }),
            _ => false,
        })
        .collect();
    while !waiting.is_empty() {
        let names: Vec<&str> =
            waiting.iter().filter_map(|&place| aggs.get(place)).map(|agg| agg.name.as_str()).collect();
        let is_ready = |place: usize| {
            aggs.get(place).is_some_and(|agg| {
                paths(agg).iter().all(|path| path.names.first().is_none_or(|first| !names.contains(&first.as_str())))
            })
        };
        let Some(at) = waiting.iter().position(|&place| is_ready(place)) else {
            let text = format!("Cyclical dependency found with aggregations [{}]", names.join(", "));
            return Err(AggregateError::Other(Error::invalid_input(text)));
        };
        let place = waiting.remove(at);
        along(aggs, place, buckets);
    }
    Ok(())
}

/// The paths to what a pipeline is computed from.
pub fn paths(agg: &Aggregation) -> Vec<&Path> {
    let AggregationKind::Pipeline(pipeline) = &agg.kind else { return Vec::new() };
    match &pipeline.kind {
        PipelineKind::Siblings { path, .. }
        | PipelineKind::Derivative { path, .. }
        | PipelineKind::CumulativeSum { path } => vec![path],
        PipelineKind::BucketSort { order, .. } => order
            .iter()
            .filter_map(|criterion| if let OrderBy::Path(path) = &criterion.by { Some(path) } else { None })
            .collect(),
    }
}

fn along(aggs: &[Aggregation], place: usize, buckets: &mut Vec<Bucket>) {
    let Some(AggregationKind::Pipeline(pipeline)) = aggs.get(place).map(|agg| &agg.kind) else { return };
    match &pipeline.kind {
        PipelineKind::Siblings { .. } => {}
        PipelineKind::CumulativeSum { path } => {
            let mut sum = 0.0;
            for bucket in buckets {
                sum += number_at(aggs, bucket, path).filter(|number| number.is_finite()).unwrap_or(0.0);
                put(bucket, place, Outcome::Number(Some(PipelineNumber::Plain(sum))));
            }
        }
        PipelineKind::Derivative { path, gaps, unit_millis } => {
            let mut last: Option<(f64, Option<f64>)> = None;
            for bucket in buckets {
                // Next to a gap there is no difference, and that is said; next to a bucket that has no such result nothing is.
                let is_there = !lacks(aggs, bucket, path);
                let value = is_there.then(|| value_of(aggs, bucket, path, *gaps).unwrap_or(f64::NAN));
                let key = bucket.key.as_ref().and_then(Key::as_f64);
                if let (Some((before, key_before)), Some(value)) = (last, value) {
                    let units = unit_millis.and_then(|unit| Some((key? - key_before?) / unit as f64));
                    let normalized = units.map(|units| (value - before) / units);
                    let number = PipelineNumber::Derivative { value: value - before, normalized };
                    put(bucket, place, Outcome::Number(Some(number)));
                }
                last = value.map(|value| (value, key));
            }
        }
        PipelineKind::BucketSort { order, from, size, gaps } => {
            sort_buckets(aggs, order, *gaps, buckets);
            buckets.drain(..(*from).min(buckets.len()));
            buckets.truncate(size.unwrap_or(usize::MAX));
        }
    }
}

fn put(bucket: &mut Bucket, place: usize, outcome: Outcome) {
    if let Some(slot) = bucket.aggs.get_mut(place) {
        *slot = outcome;
    }
}

fn sort_buckets(aggs: &[Aggregation], order: &[BucketOrder], gaps: GapPolicy, buckets: &mut Vec<Bucket>) {
    if order.is_empty() {
        return;
    }
    let count = Path { names: vec!["_count".to_string()], property: None };
    let value = |bucket: &Bucket, by: &OrderBy| match by {
        OrderBy::Count => value_of(aggs, bucket, &count, gaps),
        OrderBy::Key => None,
        OrderBy::Path(path) => value_of(aggs, bucket, path, gaps),
    };
    // A bucket without any of the numbers is left out.
    buckets.retain(|bucket| {
        order.iter().any(|criterion| criterion.by == OrderBy::Key || value(bucket, &criterion.by).is_some())
    });
    buckets.sort_by(|left, right| {
        order
            .iter()
            .map(|criterion| match &criterion.by {
                OrderBy::Key if criterion.descending => right.key.cmp(&left.key),
                OrderBy::Key => left.key.cmp(&right.key),
                by => compare_numbers(value(left, by), value(right, by), criterion.descending),
            })
            .find(|ordering| ordering.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    });
}
