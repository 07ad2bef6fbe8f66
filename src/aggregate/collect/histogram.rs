//! A bucket an interval of numbers or of time.

use super::{Block, Collector, Segment, Subs};
use crate::aggregate::bucket_ids::BucketIds;
use crate::aggregate::context::Context;
use crate::aggregate::key::Key;
use crate::aggregate::outcome::{Bucket, Buckets, Outcome, Values};
use crate::aggregate::request::{Bounds, DateHistogram, Histogram};
use crate::aggregate::rounding::Rounding;
use crate::aggregate::source::{KeyReader, NumberReader, misfit};
use crate::error::Result;
use crate::index::doc_values::ValueKind;

/// Where the intervals of so many units are known beforehand, they are looked up.
const MAX_BEGINNINGS: usize = 65_536;

/// `histogram`.
pub(super) struct HistogramCollector {
    reader: NumberReader,
    values: Option<Values>,
    interval: f64,
    offset: f64,
    hard_bounds: Bounds<f64>,
    ids: BucketIds,
    subs: Subs,
}

impl HistogramCollector {
    pub(super) fn new(context: &Context<'_>, request: &Histogram, subs: Subs) -> Result<Self> {
        let (reader, values) = NumberReader::new(context, &request.source, "histogram")?;
        let (interval, offset) = (request.interval, request.offset);
        let width = reader.range().and_then(|(min, max)| {
            let (first, last) = (place(min, interval, offset), place(max, interval, offset));
            Some((first, usize::try_from(last.checked_sub(first)?.checked_add(1)?).ok()?))
        });
        Ok(Self {
            reader,
            values,
            interval,
            offset,
            hard_bounds: request.hard_bounds,
            ids: BucketIds::new(width),
            subs,
        })
    }
}

/// The number of the interval that holds a value.
#[expect(clippy::cast_possible_truncation, reason = "floored, and saturating")]
fn place(value: f64, interval: f64, offset: f64) -> i64 {
    ((value - offset) / interval).floor() as i64
}

impl Collector for HistogramCollector {
    fn start_segment(&mut self, segment: Segment<'_>) -> Result<()> {
        self.reader.start_segment(segment.ord);
        self.subs.start_segment(segment)
    }

    fn collect(&mut self, block: Block<'_>) -> Result<()> {
        let mut last = None;
        for (position, value) in self.reader.read(block.docs).iter() {
            if !value.is_finite() {
                continue;
            }
            let place = place(value, self.interval, self.offset);
            // Several values of a document in one interval count once.
            if last.replace((position, place)) == Some((position, place)) {
                continue;
            }
            let begin = place as f64 * self.interval;
            let is_outside = self.hard_bounds.min.is_some_and(|min| begin < min)
                || self.hard_bounds.max.is_some_and(|max| begin > max);
            if is_outside {
                continue;
            }
            let (doc, owner) = block.at(position);
            self.subs.push(doc, self.ids.count(owner, place)?);
        }
        self.subs.flush(block.segment)
    }

    fn build(&mut self, owners: &[u32]) -> Result<Vec<Outcome>> {
        let (interval, offset) = (self.interval, self.offset);
        let key = |place: i64| Key::Double(place as f64 * interval + offset);
        built(&self.ids, owners, &mut self.subs, key, self.values.as_ref())
    }
}

/// Every bucket of the owners, by key.
fn built(
    ids: &BucketIds,
    owners: &[u32],
    subs: &mut Subs,
    key: impl Fn(i64) -> Key,
    values: Option<&Values>,
) -> Result<Vec<Outcome>> {
    let mut of_owners = ids.of_owners(owners);
    of_owners.iter_mut().for_each(|counted| counted.sort_unstable_by_key(|(_, number, _)| *number));
    let numbers: Vec<u32> = of_owners.iter().flatten().map(|(id, ..)| *id).collect();
    let mut results = subs.build(&numbers)?.into_iter();
    Ok(of_owners
        .into_iter()
        .map(|counted| {
            let bucket = |(_, number, count)| Bucket::keyed(key(number), count, results.next().unwrap_or_default());
            let buckets = counted.into_iter().map(bucket).collect();
            Outcome::Buckets(Buckets { values: vec![values.cloned()], buckets, ..Buckets::default() })
        })
        .collect())
}

/// Moments to the numbers of their intervals.
pub(super) struct Rounder {
    rounding: Rounding,
    /// The beginnings of all intervals that have values, where they are not too many.
    beginnings: Option<Vec<i64>>,
    /// The interval of the moment before: its beginning, the next one's, and its number.
    last: (i64, i64, i64),
}

impl Rounder {
    /// * `range`: the least and the greatest moment, where they are known.
    pub(super) fn new(rounding: &Rounding, range: Option<(i64, i64)>) -> Self {
        let beginnings = range.and_then(|(min, max)| rounding.beginnings(min, max, MAX_BEGINNINGS));
        Self { rounding: rounding.clone(), beginnings, last: (0, 0, 0) }
    }

    /// How many numbers there are, where they are known beforehand.
    pub(super) fn width(&self) -> Option<(i64, usize)> {
        self.beginnings.as_ref().map(|beginnings| (0, beginnings.len()))
    }

    /// The number of a moment's interval.
    #[inline]
    pub(super) fn place(&mut self, millis: i64) -> i64 {
        let (begin, end, place) = self.last;
        if millis >= begin && millis < end {
            return place;
        }
        self.last = match &self.beginnings {
            Some(beginnings) => {
                let next = beginnings.partition_point(|begin| *begin <= millis);
                let at = next.saturating_sub(1);
                let begin = beginnings.get(at).copied().unwrap_or(i64::MIN);
                let end = beginnings.get(next).copied().unwrap_or(i64::MAX);
                (begin, end, i64::try_from(at).unwrap_or(i64::MAX))
            }
            None => {
                let begin = self.rounding.round(millis);
                (begin, self.rounding.next(begin), begin)
            }
        };
        self.last.2
    }

    /// The beginning of the interval of a number.
    pub(super) fn beginning(&self, place: i64) -> i64 {
        match &self.beginnings {
            Some(beginnings) => {
                usize::try_from(place).ok().and_then(|place| beginnings.get(place)).copied().unwrap_or(place)
            }
            None => place,
        }
    }
}

/// `date_histogram`.
pub(super) struct DateHistogramCollector {
    reader: KeyReader,
    values: Option<Values>,
    rounder: Rounder,
    hard_bounds: Bounds<i64>,
    ids: BucketIds,
    subs: Subs,
}

impl DateHistogramCollector {
    pub(super) fn new(context: &Context<'_>, request: &DateHistogram, subs: Subs) -> Result<Self> {
        let (reader, values) = KeyReader::new(context, &request.source)?;
        check_dates(values.as_ref(), &request.source.field, "date_histogram")?;
        let rounder = Rounder::new(&request.rounding, reader.range());
        let ids = BucketIds::new(rounder.width());
        Ok(Self { reader, values, rounder, hard_bounds: request.hard_bounds, ids, subs })
    }
}

/// Dates, and whole numbers in their place.
pub(super) fn check_dates(values: Option<&Values>, field: &str, aggregation: &str) -> Result<()> {
    match values {
        Some(values) if !matches!(values.kind, ValueKind::Date | ValueKind::Long) => {
            Err(misfit(field, values.type_name, aggregation))
        }
        Some(_) | None => Ok(()),
    }
}

impl Collector for DateHistogramCollector {
    fn start_segment(&mut self, segment: Segment<'_>) -> Result<()> {
        self.reader.start_segment(segment.ord);
        self.subs.start_segment(segment)
    }

    fn collect(&mut self, block: Block<'_>) -> Result<()> {
        let mut last = None;
        for (position, millis) in self.reader.read(block.docs).iter() {
            let is_outside = self.hard_bounds.min.is_some_and(|min| millis < min)
                || self.hard_bounds.max.is_some_and(|max| millis >= max);
            if is_outside {
                continue;
            }
            let place = self.rounder.place(millis);
            if last.replace((position, place)) == Some((position, place)) {
                continue;
            }
            let (doc, owner) = block.at(position);
            self.subs.push(doc, self.ids.count(owner, place)?);
        }
        self.subs.flush(block.segment)
    }

    fn build(&mut self, owners: &[u32]) -> Result<Vec<Outcome>> {
        let rounder = &self.rounder;
        let key = |place| Key::Long(rounder.beginning(place));
        built(&self.ids, owners, &mut self.subs, key, self.values.as_ref())
    }
}
