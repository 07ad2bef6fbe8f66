//! A bucket a range.

use super::filters::places;
use super::{Block, Collector, Segment, Subs};
use crate::aggregate::bucket_ids::BucketIds;
use crate::aggregate::context::Context;
use crate::aggregate::outcome::{Outcome, Values};
use crate::aggregate::request::{AddressRange, IpRange, NumberRange, Range};
use crate::aggregate::source::{self, NumberReader};
use crate::error::Result;
use crate::index::doc_values::block::IpBlock;
use crate::index::doc_values::{DocValues, ValueKind};
use crate::schema::flatten::{FieldKind, FloatPrecision};

/// `range` and `date_range`.
pub(super) struct RangeCollector {
    reader: NumberReader,
    values: Option<Values>,
    ranges: Vec<NumberRange>,
    /// By range: the place of the last document that was counted.
    counted: Vec<Option<u32>>,
    ids: BucketIds,
    subs: Subs,
}

impl RangeCollector {
    pub(super) fn new(context: &Context<'_>, request: &Range, subs: Subs) -> Result<Self> {
        let aggregation = if request.dates { "date_range" } else { "range" };
        let (reader, values) = NumberReader::new(context, &request.source, aggregation)?;
        let mut ranges = request.ranges.clone();
        // As in Elasticsearch, ends are as coarse as the values: 0.04 is no less than itself.
        if let Some(FieldKind::Float { precision, .. }) =
            context.searcher.field(&request.source.field).map(|field| &field.definition.kind)
            && matches!(precision, FloatPrecision::Single | FloatPrecision::Half)
        {
            for end in ranges.iter_mut().flat_map(|range| [&mut range.from, &mut range.to]) {
                *end = end.map(|end| precision.round(end));
            }
        }
        let ids = BucketIds::new(Some((0, ranges.len())));
        Ok(Self { reader, values, counted: vec![None; ranges.len()], ranges, ids, subs })
    }
}

impl Collector for RangeCollector {
    fn start_segment(&mut self, segment: Segment<'_>) -> Result<()> {
        self.reader.start_segment(segment.ord);
        self.subs.start_segment(segment)
    }

    fn collect(&mut self, block: Block<'_>) -> Result<()> {
        self.counted.fill(None);
        for (position, value) in self.reader.read(block.docs).iter() {
            for ((place, range), counted) in (0_i64..).zip(&self.ranges).zip(&mut self.counted) {
                let is_inside = range.from.is_none_or(|from| value >= from) && range.to.is_none_or(|to| value < to);
                // Several values of a document in one range count once.
                if is_inside && counted.replace(position) != Some(position) {
                    let (doc, owner) = block.at(position);
                    self.subs.push(doc, self.ids.count(owner, place)?);
                }
            }
        }
        self.subs.flush(block.segment)
    }

    fn build(&mut self, owners: &[u32]) -> Result<Vec<Outcome>> {
        let outcomes = places(&mut self.ids, owners, self.ranges.len(), &mut self.subs)?;
        Ok(with_values(outcomes, self.values.as_ref()))
    }
}

fn with_values(mut outcomes: Vec<Outcome>, values: Option<&Values>) -> Vec<Outcome> {
    for outcome in &mut outcomes {
        if let Outcome::Buckets(buckets) = outcome {
            buckets.values = vec![values.cloned()];
        }
    }
    outcomes
}

/// `ip_range`.
pub(super) struct IpRangeCollector {
    segments: Vec<DocValues>,
    current: DocValues,
    values: Option<Values>,
    missing: Option<u128>,
    ranges: Vec<AddressRange>,
    counted: Vec<Option<u32>>,
    block: IpBlock,
    ids: BucketIds,
    subs: Subs,
}

impl IpRangeCollector {
    pub(super) fn new(context: &Context<'_>, request: &IpRange, subs: Subs) -> Result<Self> {
        let resolved = source::resolve(context, &request.source)?;
        if resolved.kind.is_some_and(|kind| kind != ValueKind::Ip) {
            return Err(resolved.misfit(&request.source.field, "ip_range"));
        }
        let missing = match &request.source.missing {
            Some(value) => Some(source::address_of(&source::text_of(value))?),
            None => None,
        };
        let values = resolved.values();
        let ranges = request.ranges.clone();
        Ok(Self {
            segments: resolved.segments,
            current: DocValues::Missing,
            values,
            missing,
            counted: vec![None; ranges.len()],
            ids: BucketIds::new(Some((0, ranges.len()))),
            ranges,
            block: IpBlock::default(),
            subs,
        })
    }
}

impl Collector for IpRangeCollector {
    fn start_segment(&mut self, segment: Segment<'_>) -> Result<()> {
        self.current = self.segments.get(segment.ord).cloned().unwrap_or(DocValues::Missing);
        self.subs.start_segment(segment)
    }

    fn collect(&mut self, block: Block<'_>) -> Result<()> {
        self.counted.fill(None);
        self.block.read(&self.current, block.docs);
        if let Some(missing) = self.missing {
            self.block.put_missing(block.docs.len(), missing);
        }
        for (&position, &value) in self.block.positions.iter().zip(&self.block.values) {
            for ((place, range), counted) in (0_i64..).zip(&self.ranges).zip(&mut self.counted) {
                let is_inside = range.from.is_none_or(|from| value >= from) && range.to.is_none_or(|to| value < to);
                if is_inside && counted.replace(position) != Some(position) {
                    let (doc, owner) = block.at(position);
                    self.subs.push(doc, self.ids.count(owner, place)?);
                }
            }
        }
        self.subs.flush(block.segment)
    }

    fn build(&mut self, owners: &[u32]) -> Result<Vec<Outcome>> {
        let outcomes = places(&mut self.ids, owners, self.ranges.len(), &mut self.subs)?;
        Ok(with_values(outcomes, self.values.as_ref()))
    }
}
