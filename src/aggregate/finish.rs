//! Merged results to what is returned: ordered, cut to size, with gaps filled and pipelines computed.

use std::cmp::Ordering;

use super::collect::compare_composite;
use super::figures::{CompensatedSum, Digest, Distinct, Figures, Stats, StringStats};
use super::key::Key;
use super::merge::AggregateError;
use super::order;
use super::outcome::{Bucket, Buckets, Hits, Metric, Outcome};
use super::pipeline;
use super::request::{
    Aggregation, AggregationKind, BucketOrder, Composite, DateHistogram, Histogram, SignificantTerms,
};
use super::significance::score;

/// So many buckets may be returned in all.
pub const MAX_BUCKETS: usize = 65_536;

/// Finishes merged results.
///
/// * `most`: so many buckets may be returned in all ([`MAX_BUCKETS`]).
///
/// # Errors
/// [`AggregateError::TooManyBuckets`]; what a pipeline that names a result of the wrong type fails with.
pub fn finish(aggs: &[Aggregation], outcomes: Vec<Outcome>, most: usize) -> Result<Vec<Outcome>, AggregateError> {
    Finisher { most, left: most }.finish_all(aggs, outcomes)
}

struct Finisher {
    most: usize,
    /// So many buckets may still be made.
    left: usize,
}

impl Finisher {
    fn finish_all(&mut self, aggs: &[Aggregation], outcomes: Vec<Outcome>) -> Result<Vec<Outcome>, AggregateError> {
        let mut finished = Vec::with_capacity(outcomes.len());
        for (agg, outcome) in aggs.iter().zip(outcomes) {
            finished.push(self.finish_one(agg, outcome)?);
        }
        pipeline::siblings(aggs, &mut finished)?;
        Ok(finished)
    }

    fn finish_one(&mut self, agg: &Aggregation, outcome: Outcome) -> Result<Outcome, AggregateError> {
        Ok(match outcome {
            Outcome::Single(mut bucket) => {
                bucket.aggs = self.finish_all(&agg.aggs, bucket.aggs)?;
                Outcome::Single(bucket)
            }
            Outcome::Buckets(mut buckets) => {
                self.arrange(agg, &mut buckets)?;
                self.spend(buckets.buckets.len())?;
                for bucket in &mut buckets.buckets {
                    bucket.aggs = self.finish_all(&agg.aggs, std::mem::take(&mut bucket.aggs))?;
                }
                pipeline::parents(&agg.aggs, &mut buckets.buckets)?;
                Outcome::Buckets(buckets)
            }
            Outcome::Metric(mut metric) => {
                if let Figures::Digest(digest) = &mut metric.figures {
                    digest.settle();
                }
                Outcome::Metric(metric)
            }
            Outcome::Hits(mut hits) => {
                if let AggregationKind::TopHits(request) = &agg.kind {
                    hits.hits.drain(..request.from.min(hits.hits.len()));
                }
                Outcome::Hits(hits)
            }
            other @ (Outcome::Number(_) | Outcome::Nothing) => other,
        })
    }

    fn spend(&mut self, num_buckets: usize) -> Result<(), AggregateError> {
        match self.left.checked_sub(num_buckets) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(AggregateError::TooManyBuckets { most: self.most }),
        }
    }

    /// Orders the buckets of an aggregation, and leaves out and adds what it asks for.
    fn arrange(&self, agg: &Aggregation, buckets: &mut Buckets) -> Result<(), AggregateError> {
        match &agg.kind {
            AggregationKind::Terms(terms) => {
                cut(&agg.aggs, buckets, &terms.order, terms.size, terms.min_doc_count);
            }
            AggregationKind::MultiTerms(terms) => {
                cut(&agg.aggs, buckets, &terms.order, terms.size, terms.min_doc_count);
            }
            AggregationKind::RareTerms(rare) => {
                buckets.buckets.retain(|bucket| bucket.doc_count <= rare.max_doc_count);
                buckets
                    .buckets
                    .sort_by(|left, right| left.doc_count.cmp(&right.doc_count).then_with(|| left.key.cmp(&right.key)));
            }
            AggregationKind::SignificantTerms(terms) => significant(terms, buckets),
            AggregationKind::Histogram(histogram) => self.histogram(agg, histogram, buckets)?,
            AggregationKind::DateHistogram(histogram) => self.date_histogram(agg, histogram, buckets)?,
            AggregationKind::Composite(composite) => page(composite, buckets),
            AggregationKind::AdjacencyMatrix(_) => buckets.buckets.retain(|bucket| bucket.doc_count > 0),
            _ => {}
        }
        Ok(())
    }

    fn histogram(&self, agg: &Aggregation, request: &Histogram, buckets: &mut Buckets) -> Result<(), AggregateError> {
        let (interval, offset) = (request.interval, request.offset);
        #[expect(clippy::cast_possible_truncation, reason = "floored, and saturating")]
        let place = |value: f64| ((value - offset) / interval).floor() as i64;
        #[expect(clippy::cast_possible_truncation, reason = "keys are multiples of the interval")]
        let place_of = |bucket: &Bucket| {
            let key = bucket.key.as_ref().and_then(Key::as_f64).unwrap_or(0.0);
            ((key - offset) / interval).round() as i64
        };
        if request.min_doc_count == 0 {
            let bounds = (request.extended_bounds.min.map(place), request.extended_bounds.max.map(place));
            let next = |at: i64| at.saturating_add(1);
            let key = |at: i64| Key::Double(at as f64 * interval + offset);
            self.fill(agg, buckets, bounds, place_of, next, key)?;
        }
        arrange_intervals(&agg.aggs, buckets, request.min_doc_count, &request.order);
        Ok(())
    }

    fn date_histogram(
        &self,
        agg: &Aggregation,
        request: &DateHistogram,
        buckets: &mut Buckets,
    ) -> Result<(), AggregateError> {
        if request.min_doc_count == 0 {
            let round = |millis: i64| request.rounding.round(millis);
            let bounds = (request.extended_bounds.min.map(round), request.extended_bounds.max.map(round));
            let place_of = |bucket: &Bucket| if let Some(Key::Long(millis)) = bucket.key { millis } else { 0 };
            self.fill(agg, buckets, bounds, place_of, |at| request.rounding.next(at), Key::Long)?;
        }
        arrange_intervals(&agg.aggs, buckets, request.min_doc_count, &request.order);
        Ok(())
    }

    /// Adds empty buckets between the first and the last, and up to the bounds.
    fn fill(
        &self,
        agg: &Aggregation,
        buckets: &mut Buckets,
        bounds: (Option<i64>, Option<i64>),
        place_of: impl Fn(&Bucket) -> i64,
        next: impl Fn(i64) -> i64,
        key: impl Fn(i64) -> Key,
    ) -> Result<(), AggregateError> {
        let known = std::mem::take(&mut buckets.buckets);
        let first = [known.first().map(&place_of), bounds.0].into_iter().flatten().min();
        let last = [known.last().map(&place_of), bounds.1].into_iter().flatten().max();
        // Bounds without any bucket make buckets only where both are given.
        let (Some(first), Some(last)) = (first, last) else { return Ok(()) };
        if known.is_empty() && (bounds.0.is_none() || bounds.1.is_none()) {
            return Ok(());
        }
        let mut without: Vec<Outcome> = agg.aggs.iter().map(empty).collect();
        if let Some(sibling) = known.first() {
            resemble(&mut without, &sibling.aggs);
        }
        let mut known = known.into_iter().peekable();
        let mut at = first;
        while at <= last {
            if buckets.buckets.len() >= self.left {
                return Err(AggregateError::TooManyBuckets { most: self.most });
            }
            let mut found = None;
            while let Some(bucket) = known.next_if(|bucket| place_of(bucket) <= at) {
                found = Some(bucket);
            }
            buckets.buckets.push(found.unwrap_or_else(|| Bucket::keyed(key(at), 0, without.clone())));
            let after = next(at);
            if after <= at {
                break;
            }
            at = after;
        }
        buckets.buckets.extend(known);
        Ok(())
    }
}

/// Buckets of intervals come in the order of their keys; they are ordered otherwise where that is asked for.
fn arrange_intervals(aggs: &[Aggregation], buckets: &mut Buckets, min_doc_count: u64, order: &[BucketOrder]) {
    buckets.buckets.retain(|bucket| bucket.doc_count >= min_doc_count);
    buckets.buckets.sort_by(|left, right| order::compare(aggs, order, left, right));
}

fn cut(aggs: &[Aggregation], buckets: &mut Buckets, order: &[BucketOrder], size: usize, min_doc_count: u64) {
    buckets.buckets.retain(|bucket| bucket.doc_count >= min_doc_count);
    buckets.buckets.sort_by(|left, right| order::compare(aggs, order, left, right));
    let dropped = buckets.buckets.split_off(size.min(buckets.buckets.len()));
    buckets.other_doc_count += dropped.iter().map(|bucket| bucket.doc_count).sum::<u64>();
}

fn significant(request: &SignificantTerms, buckets: &mut Buckets) {
    let (foreground, background) = (buckets.foreground, buckets.background);
    for bucket in &mut buckets.buckets {
        bucket.score = score(request.heuristic, bucket.doc_count, foreground, bucket.background, background);
    }
    buckets.buckets.retain(|bucket| bucket.score > 0.0 && bucket.doc_count >= request.min_doc_count);
    buckets.buckets.sort_by(|left, right| right.score.total_cmp(&left.score).then_with(|| left.key.cmp(&right.key)));
    buckets.buckets.truncate(request.size);
}

fn page(request: &Composite, buckets: &mut Buckets) {
    let compare = |left: &Bucket, right: &Bucket| match (&left.key, &right.key) {
        (Some(Key::Tuple(left)), Some(Key::Tuple(right))) => compare_composite(&request.sources, left, right),
        _ => Ordering::Equal,
    };
    buckets.buckets.sort_by(compare);
    buckets.buckets.truncate(request.size);
    buckets.after = buckets.buckets.last().and_then(|bucket| bucket.key.clone());
}

/// Gives results without documents what those beside them know of the field and of the background.
fn resemble(empty: &mut [Outcome], siblings: &[Outcome]) {
    for (empty, sibling) in empty.iter_mut().zip(siblings) {
        match (empty, sibling) {
            (Outcome::Metric(empty), Outcome::Metric(sibling)) => empty.values.clone_from(&sibling.values),
            (Outcome::Single(empty), Outcome::Single(sibling)) => resemble(&mut empty.aggs, &sibling.aggs),
            (Outcome::Buckets(empty), Outcome::Buckets(sibling)) => {
                empty.background = sibling.background;
                empty.values.clone_from(&sibling.values);
                for (empty, sibling) in empty.buckets.iter_mut().zip(&sibling.buckets) {
                    resemble(&mut empty.aggs, &sibling.aggs);
                }
            }
            _ => {}
        }
    }
}

/// The result of an aggregation that saw no document.
fn empty(agg: &Aggregation) -> Outcome {
    let empty_aggs = || agg.aggs.iter().map(empty).collect();
    let places = |num_buckets: usize| {
        let buckets = (0..num_buckets).map(|place| Bucket::keyed(Key::Place(place), 0, empty_aggs())).collect();
        Outcome::Buckets(Buckets { values: vec![None], buckets, ..Buckets::default() })
    };
    let metric = |figures| Outcome::Metric(Metric { values: None, figures });
    match &agg.kind {
        AggregationKind::Terms(_)
        | AggregationKind::RareTerms(_)
        | AggregationKind::MultiTerms(_)
        | AggregationKind::SignificantTerms(_)
        | AggregationKind::Histogram(_)
        | AggregationKind::DateHistogram(_)
        | AggregationKind::AdjacencyMatrix(_)
        | AggregationKind::Composite(_) => Outcome::Buckets(Buckets::default()),
        AggregationKind::Range(range) => places(range.ranges.len()),
        AggregationKind::IpRange(range) => places(range.ranges.len()),
        AggregationKind::Filters(filters) => places(filters.filters.len() + usize::from(filters.other.is_some())),
        AggregationKind::Filter(_)
        | AggregationKind::Missing(_)
        | AggregationKind::Global
        | AggregationKind::Nested { .. }
        | AggregationKind::ReverseNested { .. }
        | AggregationKind::Sampler { .. } => Outcome::Single(Bucket::single(0, empty_aggs())),
        AggregationKind::TopHits(_) | AggregationKind::TopMetrics(_) => Outcome::Hits(Hits::default()),
        AggregationKind::Avg(_)
        | AggregationKind::Sum(_)
        | AggregationKind::Min(_)
        | AggregationKind::Max(_)
        | AggregationKind::Stats(_)
        | AggregationKind::ExtendedStats { .. } => metric(Figures::Stats(Stats::default())),
        AggregationKind::ValueCount(_) => metric(Figures::Count(0)),
        AggregationKind::Cardinality { precision_threshold, .. } => {
            metric(Figures::Distinct(Distinct::new(*precision_threshold)))
        }
        AggregationKind::Percentiles { compression, .. }
        | AggregationKind::PercentileRanks { compression, .. }
        | AggregationKind::MedianAbsoluteDeviation { compression, .. }
        | AggregationKind::Boxplot { compression, .. } => metric(Figures::Digest(Digest::new(*compression))),
        AggregationKind::WeightedAvg { .. } => {
            metric(Figures::Weighted { sum: CompensatedSum::default(), weights: CompensatedSum::default() })
        }
        AggregationKind::StringStats { .. } => metric(Figures::Strings(StringStats::default())),
        AggregationKind::Pipeline(_) => Outcome::Nothing,
    }
}
