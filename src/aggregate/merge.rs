//! The results of several indices, added up.
//!
//! Buckets of the same key become one, whatever index they are of. For `terms`, each index returns its largest buckets only, so a
//! count may be too low; by how much at most is computed here.

use std::collections::BTreeMap;

use super::collect::compare_hits;
use super::key::Key;
use super::order;
use super::outcome::{Bucket, Buckets, Hits, Outcome, Values};
use super::request::{Aggregation, AggregationKind, BucketOrder, OrderBy};
use crate::error::Error;
use crate::index::doc_values::ValueKind;

/// Why results cannot be merged or finished.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AggregateError {
    /// More buckets than may be returned.
    #[error(
        "Trying to create too many buckets. Must be less than or equal to: [{most}] but this number of buckets was exceeded. This \
         limit can be set by changing the [search.max_buckets] cluster level setting."
    )]
    TooManyBuckets {
        /// So many may be.
        most: usize,
    },
    /// A field is text in one index and a number in another.
    #[error(
        "Failed trying to merge [{name}]: the field you gave in the aggregation query existed as two different types in two different \
         indices"
    )]
    TypesDiffer {
        /// The aggregation's name.
        name: String,
    },
    /// Another fault.
    #[error(transparent)]
    Other(#[from] Error),
}

/// The results of several indices as one; of one index they are only completed.
///
/// * `partials`: what [`collect`](super::collect()) gave for each index.
///
/// # Errors
/// [`AggregateError::TypesDiffer`].
pub fn merge(aggs: &[Aggregation], partials: Vec<Vec<Outcome>>) -> Result<Vec<Outcome>, AggregateError> {
    let mut by_agg: Vec<Vec<Outcome>> = aggs.iter().map(|_| Vec::with_capacity(partials.len())).collect();
    for partial in partials {
        for (of_agg, outcome) in by_agg.iter_mut().zip(partial) {
            of_agg.push(outcome);
        }
    }
    aggs.iter().zip(by_agg).map(|(agg, outcomes)| merge_one(agg, outcomes)).collect()
}

fn merge_one(agg: &Aggregation, outcomes: Vec<Outcome>) -> Result<Outcome, AggregateError> {
    let mut singles = Vec::new();
    let mut several = Vec::new();
    let mut metric: Option<super::outcome::Metric> = None;
    let mut hits: Option<Hits> = None;
    let mut last = Outcome::Nothing;
    for outcome in outcomes {
        match outcome {
            Outcome::Single(bucket) => singles.push(bucket),
            Outcome::Buckets(buckets) => several.push(buckets),
            Outcome::Metric(other) => match &mut metric {
                Some(metric) => {
                    metric.figures.merge(&other.figures);
                    metric.values = metric.values.take().or(other.values);
                }
                None => metric = Some(other),
            },
            Outcome::Hits(other) => match &mut hits {
                Some(hits) => merge_hits(agg, hits, other),
                None => hits = Some(other),
            },
            other @ (Outcome::Number(_) | Outcome::Nothing) => last = other,
        }
    }
    Ok(if let Some(metric) = metric {
        Outcome::Metric(metric)
    } else if let Some(hits) = hits {
        Outcome::Hits(hits)
    } else if !singles.is_empty() {
        Outcome::Single(merge_buckets(agg, singles)?)
    } else if !several.is_empty() {
        Outcome::Buckets(merge_several(agg, several)?)
    } else {
        last
    })
}

fn merge_buckets(agg: &Aggregation, buckets: Vec<Bucket>) -> Result<Bucket, AggregateError> {
    let mut merged = Bucket::single(0, Vec::new());
    let mut results = Vec::with_capacity(buckets.len());
    for bucket in buckets {
        merged.key = merged.key.or(bucket.key);
        merged.doc_count += bucket.doc_count;
        merged.background += bucket.background;
        merged.error += bucket.error;
        merged.score = bucket.score;
        results.push(bucket.aggs);
    }
    merged.aggs = merge(&agg.aggs, results)?;
    Ok(merged)
}

fn merge_several(agg: &Aggregation, mut several: Vec<Buckets>) -> Result<Buckets, AggregateError> {
    let values = agree(agg, &mut several)?;
    let num_indices = several.len();
    let mut merged = Buckets { values, ..Buckets::default() };
    let mut by_key: BTreeMap<Option<Key>, Vec<Bucket>> = BTreeMap::new();
    let mut unknown = false;
    for buckets in several {
        let error = index_error(&agg.kind, &buckets);
        unknown |= error.is_none();
        merged.other_doc_count += buckets.other_doc_count;
        merged.foreground += buckets.foreground;
        merged.background += buckets.background;
        merged.error += error.unwrap_or(0);
        for mut bucket in buckets.buckets {
            // What this index knows is not wrong; what the others do not return may be.
            bucket.error = -error.unwrap_or(0);
            by_key.entry(bucket.key.clone()).or_default().push(bucket);
        }
    }
    for buckets in by_key.into_values() {
        let mut bucket = merge_buckets(agg, buckets)?;
        bucket.error = if unknown { -1 } else { bucket.error + merged.error };
        merged.buckets.push(bucket);
    }
    merged.error = match (unknown, num_indices) {
        (true, _) => -1,
        (false, 1) => 0,
        (false, _) => merged.error,
    };
    Ok(merged)
}

/// How many documents a bucket that an index does not return may have; `None` where nobody knows.
fn index_error(kind: &AggregationKind, buckets: &Buckets) -> Option<i64> {
    let (order, shard_size): (&[BucketOrder], usize) = match kind {
        AggregationKind::Terms(terms) => (&terms.order, terms.shard_size),
        AggregationKind::MultiTerms(terms) => (&terms.order, terms.shard_size),
        _ => return Some(0),
    };
    if buckets.buckets.is_empty() || buckets.buckets.len() < shard_size || order::is_by_key(order) {
        return Some(0);
    }
    match order.first() {
        Some(BucketOrder { by: OrderBy::Count, descending: true }) => {
            let least = buckets.buckets.iter().map(|bucket| bucket.doc_count).min();
            Some(least.and_then(|least| i64::try_from(least).ok()).unwrap_or(0))
        }
        _ => None,
    }
}

/// What the values of all indices are; whole numbers become floating-point ones where an index has these.
fn agree(agg: &Aggregation, several: &mut [Buckets]) -> Result<Vec<Option<Values>>, AggregateError> {
    let num_parts = several.iter().map(|buckets| buckets.values.len()).max().unwrap_or(0);
    let mut agreed: Vec<Option<Values>> = Vec::with_capacity(num_parts);
    for part in 0..num_parts {
        let mut found: Option<Values> = None;
        let mut mixed = false;
        for values in several.iter().filter_map(|buckets| buckets.values.get(part)?.as_ref()) {
            match &mut found {
                None => found = Some(values.clone()),
                Some(known) if known.kind == values.kind => {
                    known.date_formats = known.date_formats.take().or_else(|| values.date_formats.clone());
                }
                Some(known) if known.kind.is_numeric() && values.kind.is_numeric() => {
                    mixed = true;
                    if known.kind != ValueKind::Double && values.kind == ValueKind::Double {
                        *known = values.clone();
                    }
                }
                Some(_) => return Err(AggregateError::TypesDiffer { name: agg.name.clone() }),
            }
        }
        if mixed && found.as_ref().is_some_and(|values| values.kind == ValueKind::Double) && num_parts == 1 {
            for bucket in several.iter_mut().flat_map(|buckets| &mut buckets.buckets) {
                if let Some(number) = bucket.key.as_ref().and_then(Key::as_f64) {
                    bucket.key = Some(Key::Double(number));
                }
            }
        }
        agreed.push(found);
    }
    Ok(agreed)
}

fn merge_hits(agg: &Aggregation, merged: &mut Hits, other: Hits) {
    merged.total += other.total;
    merged.max_score = match (merged.max_score, other.max_score) {
        (Some(left), Some(right)) => Some(left.max(right)),
        (left, right) => left.or(right),
    };
    merged.hits.extend(other.hits);
    for (own, other) in merged.values.iter_mut().zip(other.values) {
        *own = own.take().or(other);
    }
    let (order, most) = match &agg.kind {
        AggregationKind::TopHits(hits) => (hits.order.as_slice(), hits.from.saturating_add(hits.size)),
        AggregationKind::TopMetrics(metrics) => (std::slice::from_ref(&metrics.order), metrics.size),
        _ => return,
    };
    merged.hits.sort_by(|left, right| compare_hits(order, left, right));
    merged.hits.truncate(most);
}
