//! A bucket a combination of values: `multi_terms` and `composite`.

use std::cmp::Ordering;

use rustc_hash::FxHashMap;
use tantivy::DocId;

use super::histogram::{Rounder, check_dates};
use super::select::{KeyLookup, select};
use super::{Block, Collector, Segment, Subs};
use crate::aggregate::bucket_ids::BucketIds;
use crate::aggregate::context::{Context, Scope, for_each_doc};
use crate::aggregate::key::{Key, double_of, sortable};
use crate::aggregate::outcome::{Bucket, Buckets, Outcome, Values};
use crate::aggregate::request::{Aggregation, BucketOrder, Composite, CompositeKeys, CompositeSource, MultiTerms};
use crate::aggregate::source::{KeyReader, NumberReader, number_of, text_of};
use crate::error::{Error, Result};
use crate::index::doc_values::ValueKind;
use crate::retrieve::query::TermValue;

/// Combinations of numbers, each with a number of its own.
#[derive(Default)]
struct Combinations {
    known: FxHashMap<Vec<Option<i64>>, i64>,
    list: Vec<Vec<Option<i64>>>,
}

impl Combinations {
    fn number(&mut self, parts: &[Option<i64>]) -> i64 {
        if let Some(number) = self.known.get(parts) {
            return *number;
        }
        let number = i64::try_from(self.list.len()).unwrap_or(i64::MAX);
        self.known.insert(parts.to_vec(), number);
        self.list.push(parts.to_vec());
        number
    }

    fn get(&self, number: i64) -> &[Option<i64>] {
        usize::try_from(number).ok().and_then(|number| self.list.get(number)).map_or(&[], Vec::as_slice)
    }
}

/// Visits every combination of one value a part. A part without values has none.
fn for_each_combination(
    parts: &[Vec<Option<i64>>],
    chosen: &mut Vec<Option<i64>>,
    visit: &mut impl FnMut(&[Option<i64>]) -> Result<()>,
) -> Result<()> {
    let Some(values) = parts.get(chosen.len()) else { return visit(chosen) };
    for value in values {
        chosen.push(*value);
        for_each_combination(parts, chosen, visit)?;
        chosen.pop();
    }
    Ok(())
}

/// The values of a block's documents, part by part and document by document.
fn gather(pairs: impl Iterator<Item = (u32, i64)>, of_docs: &mut [Vec<Option<i64>>]) {
    of_docs.iter_mut().for_each(Vec::clear);
    for (position, number) in pairs {
        if let Some(values) = of_docs.get_mut(position as usize) {
            values.push(Some(number));
        }
    }
}

/// `multi_terms`.
pub(super) struct MultiTermsCollector {
    readers: Vec<KeyReader>,
    values: Vec<Option<Values>>,
    combinations: Combinations,
    ids: BucketIds,
    subs: Subs,
    aggs: Vec<Aggregation>,
    order: Vec<BucketOrder>,
    shard_size: usize,
    least: u64,
    /// Combinations that only other documents have are buckets too.
    with_empty: bool,
    /// By part and document of a block.
    buffers: Vec<Vec<Vec<Option<i64>>>>,
}

impl MultiTermsCollector {
    pub(super) fn new(
        context: &Context<'_>,
        request: &MultiTerms,
        aggs: &[Aggregation],
        subs: Subs,
        scope: &Scope,
    ) -> Result<Self> {
        let mut readers = Vec::new();
        let mut values = Vec::new();
        for source in &request.sources {
            let (reader, kind) = KeyReader::new(context, source)?;
            readers.push(reader);
            values.push(kind);
        }
        let with_empty = request.min_doc_count == 0;
        let combinations = match with_empty {
            true => every_combination(context, scope, &mut readers)?,
            false => Combinations::default(),
        };
        Ok(Self {
            buffers: vec![Vec::new(); readers.len()],
            readers,
            values,
            with_empty,
            combinations,
            ids: BucketIds::new(None),
            subs,
            aggs: aggs.to_vec(),
            order: request.order.clone(),
            shard_size: request.shard_size,
            least: request.shard_min_doc_count.max(1),
        })
    }
}

/// The combinations that any document has.
fn every_combination(context: &Context<'_>, scope: &Scope, readers: &mut [KeyReader]) -> Result<Combinations> {
    let mut found = Combinations::default();
    for_each_block(context, scope, &mut |segment_ord, docs| {
        let mut of_docs = vec![vec![Vec::new(); readers.len()]; docs.len()];
        for (part, reader) in readers.iter_mut().enumerate() {
            reader.start_segment(segment_ord);
            for (position, number) in reader.read(docs).iter() {
                let parts = of_docs.get_mut(position as usize).and_then(|parts: &mut Vec<_>| parts.get_mut(part));
                if let Some(values) = parts {
                    values.push(Some(number));
                }
            }
        }
        for parts in &of_docs {
            for_each_combination(parts, &mut Vec::new(), &mut |combination| {
                found.number(combination);
                Ok(())
            })?;
        }
        Ok(())
    })?;
    Ok(found)
}

/// Visits the documents of a scope, in blocks: the segment and the documents.
fn for_each_block(
    context: &Context<'_>,
    scope: &Scope,
    visit: &mut dyn FnMut(usize, &[DocId]) -> Result<()>,
) -> Result<()> {
    for (segment_ord, set) in context.members(scope)?.iter().enumerate() {
        let mut docs = Vec::new();
        for_each_doc(set, |doc| docs.push(doc));
        for chunk in docs.chunks(super::BLOCK) {
            visit(segment_ord, chunk)?;
        }
    }
    Ok(())
}

impl Collector for MultiTermsCollector {
    fn start_segment(&mut self, segment: Segment<'_>) -> Result<()> {
        self.readers.iter_mut().for_each(|reader| reader.start_segment(segment.ord));
        self.subs.start_segment(segment)
    }

    fn collect(&mut self, block: Block<'_>) -> Result<()> {
        for (reader, buffer) in self.readers.iter_mut().zip(&mut self.buffers) {
            buffer.resize(buffer.len().max(block.docs.len()), Vec::new());
            gather(reader.read(block.docs).iter(), buffer);
        }
        let mut chosen = Vec::new();
        for (place, (doc, owner)) in block.pairs().enumerate() {
            let of_place =
                |buffer: &mut Vec<Vec<Option<i64>>>| buffer.get_mut(place).map(std::mem::take).unwrap_or_default();
            let of_doc: Vec<Vec<Option<i64>>> = self.buffers.iter_mut().map(of_place).collect();
            for_each_combination(&of_doc, &mut chosen, &mut |combination| {
                let number = self.combinations.number(combination);
                self.subs.push(doc, self.ids.count(owner, number)?);
                Ok(())
            })?;
        }
        self.subs.flush(block.segment)
    }

    fn build(&mut self, owners: &[u32]) -> Result<Vec<Outcome>> {
        if self.with_empty {
            for &owner in owners {
                for number in 0..i64::try_from(self.combinations.list.len()).unwrap_or(i64::MAX) {
                    self.ids.id(owner, number)?;
                }
            }
        }
        let mut of_owners = self.ids.of_owners(owners);
        let least = if self.with_empty && self.least <= 1 { 0 } else { self.least };
        of_owners.iter_mut().for_each(|counted| counted.retain(|(.., count)| *count >= least));
        let lookup = TupleLookup { readers: &self.readers, combinations: &self.combinations };
        let selected = select(of_owners, &lookup, &self.order, self.shard_size, &self.aggs, &mut self.subs)?;
        Ok(selected
            .into_iter()
            .map(|selected| {
                Outcome::Buckets(Buckets {
                    values: self.values.clone(),
                    buckets: selected.buckets,
                    other_doc_count: selected.other_doc_count,
                    ..Buckets::default()
                })
            })
            .collect())
    }
}

struct TupleLookup<'a> {
    readers: &'a [KeyReader],
    combinations: &'a Combinations,
}

impl KeyLookup for TupleLookup<'_> {
    fn keys(&self, numbers: &[i64]) -> Result<Vec<Key>> {
        let mut tuples: Vec<Vec<Option<Key>>> = numbers.iter().map(|_| Vec::new()).collect();
        for (part, reader) in self.readers.iter().enumerate() {
            let of_part: Vec<i64> = numbers
                .iter()
                .map(|&number| self.combinations.get(number).get(part).copied().flatten().unwrap_or(0))
                .collect();
            for (tuple, key) in tuples.iter_mut().zip(reader.keys(&of_part)?) {
                tuple.push(Some(key));
            }
        }
        Ok(tuples.into_iter().map(Key::Tuple).collect())
    }

    fn is_ordered(&self) -> bool {
        false
    }
}

/// One part of a composite's key.
enum Part {
    Terms(KeyReader),
    Numbers { reader: NumberReader, interval: f64 },
    Dates { reader: KeyReader, rounder: Rounder },
}

impl Part {
    fn new(context: &Context<'_>, request: &CompositeSource) -> Result<(Self, Option<Values>)> {
        Ok(match &request.keys {
            CompositeKeys::Terms => {
                let (reader, values) = KeyReader::new(context, &request.source)?;
                (Part::Terms(reader), values)
            }
            CompositeKeys::Histogram { interval } => {
                let (reader, values) = NumberReader::new(context, &request.source, "composite")?;
                (Part::Numbers { reader, interval: *interval }, values)
            }
            CompositeKeys::DateHistogram(rounding) => {
                let (reader, values) = KeyReader::new(context, &request.source)?;
                check_dates(values.as_ref(), &request.source.field, "composite")?;
                let rounder = Rounder::new(rounding, reader.range());
                (Part::Dates { reader, rounder }, values)
            }
        })
    }

    fn start_segment(&mut self, ord: usize) {
        match self {
            Part::Terms(reader) | Part::Dates { reader, .. } => reader.start_segment(ord),
            Part::Numbers { reader, .. } => reader.start_segment(ord),
        }
    }

    fn read(&mut self, block: Block<'_>, of_docs: &mut [Vec<Option<i64>>]) {
        match self {
            Part::Terms(reader) => gather(reader.read(block.docs).iter(), of_docs),
            Part::Numbers { reader, interval } => {
                let interval = *interval;
                let begin = |value: f64| sortable((value / interval).floor() * interval);
                gather(reader.read(block.docs).iter().map(|(at, value)| (at, begin(value))), of_docs);
            }
            Part::Dates { reader, rounder } => {
                of_docs.iter_mut().for_each(Vec::clear);
                for (position, millis) in reader.read(block.docs).iter() {
                    if let Some(values) = of_docs.get_mut(position as usize) {
                        let begin = rounder.place(millis);
                        values.push(Some(rounder.beginning(begin)));
                    }
                }
            }
        }
        of_docs.iter_mut().for_each(Vec::dedup);
    }

    fn keys(&self, numbers: &[i64]) -> Result<Vec<Key>> {
        Ok(match self {
            Part::Terms(reader) => reader.keys(numbers)?,
            Part::Numbers { .. } => numbers.iter().map(|&number| Key::Double(double_of(number))).collect(),
            Part::Dates { .. } => numbers.iter().map(|&number| Key::Long(number)).collect(),
        })
    }
}

/// `composite`.
pub(super) struct CompositeCollector {
    parts: Vec<Part>,
    requests: Vec<CompositeSource>,
    values: Vec<Option<Values>>,
    after: Option<Vec<Option<Key>>>,
    size: usize,
    combinations: Combinations,
    ids: BucketIds,
    subs: Subs,
    buffers: Vec<Vec<Vec<Option<i64>>>>,
}

impl CompositeCollector {
    pub(super) fn new(context: &Context<'_>, request: &Composite, subs: Subs) -> Result<Self> {
        let mut parts = Vec::new();
        let mut values = Vec::new();
        for source in &request.sources {
            let (part, kind) = Part::new(context, source)?;
            parts.push(part);
            values.push(kind);
        }
        let after = match &request.after {
            Some(after) => {
                let mut keys = Vec::new();
                for ((value, source), kind) in after.iter().zip(&request.sources).zip(&values) {
                    keys.push(value.as_ref().map(|value| after_key(value, source, kind.as_ref())).transpose()?);
                }
                Some(keys)
            }
            None => None,
        };
        Ok(Self {
            buffers: vec![Vec::new(); parts.len()],
            parts,
            requests: request.sources.clone(),
            values,
            after,
            size: request.size,
            combinations: Combinations::default(),
            ids: BucketIds::new(None),
            subs,
        })
    }
}

/// A part of `after` as a key of its source.
fn after_key(value: &TermValue, source: &CompositeSource, kind: Option<&Values>) -> Result<Key> {
    let formats = kind.and_then(|kind| kind.date_formats.as_ref());
    let number = |kind| number_of(value, Some(kind), formats, &source.name);
    #[expect(clippy::cast_possible_truncation, reason = "whole numbers, saturating")]
    let whole = |kind| match value {
        TermValue::Integer(whole) => Ok(*whole),
        TermValue::Bool(_) | TermValue::Unsigned(_) | TermValue::Float(_) | TermValue::Text(_) => {
            number(kind).map(|number| number as i64)
        }
    };
    Ok(match &source.keys {
        CompositeKeys::Histogram { .. } => Key::Double(number(ValueKind::Double)?),
        CompositeKeys::DateHistogram(_) => Key::Long(whole(ValueKind::Date)?),
        CompositeKeys::Terms => match kind.map(|kind| kind.kind) {
            None => match value {
                TermValue::Text(text) => Key::Text(text.clone()),
                TermValue::Bool(_) | TermValue::Integer(_) | TermValue::Unsigned(_) | TermValue::Float(_) => {
                    Key::Double(number(ValueKind::Double)?)
                }
            },
            Some(kind @ (ValueKind::Long | ValueKind::Date | ValueKind::Boolean)) => Key::Long(whole(kind)?),
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturating")]
            Some(ValueKind::UnsignedLong) => match value {
                TermValue::Unsigned(number) => Key::Unsigned(*number),
                TermValue::Bool(_) | TermValue::Integer(_) | TermValue::Float(_) | TermValue::Text(_) => {
                    Key::Unsigned(number(ValueKind::UnsignedLong)? as u64)
                }
            },
            Some(ValueKind::Double) => Key::Double(number(ValueKind::Double)?),
            Some(ValueKind::Ip) => Key::Ip(crate::aggregate::source::address_of(&text_of(value))?),
            Some(ValueKind::Keyword | ValueKind::Id | ValueKind::IndexName) => match value {
                TermValue::Text(text) => Key::Text(text.clone()),
                TermValue::Bool(_) | TermValue::Integer(_) | TermValue::Unsigned(_) | TermValue::Float(_) => {
                    let text = format!("Invalid value for [after.{}], expected string", source.name);
                    return Err(Error::invalid_input(text));
                }
            },
        },
    })
}

/// The order of two composite keys.
pub(in crate::aggregate) fn compare_composite(
    sources: &[CompositeSource],
    left: &[Option<Key>],
    right: &[Option<Key>],
) -> Ordering {
    for ((source, left), right) in sources.iter().zip(left).zip(right) {
        let null_first = source.missing_first.unwrap_or(!source.descending);
        let ordering = match (left, right) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => {
                if null_first {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
            (Some(_), None) => {
                if null_first {
                    Ordering::Greater
                } else {
                    Ordering::Less
                }
            }
            (Some(left), Some(right)) if source.descending => right.cmp(left),
            (Some(left), Some(right)) => left.cmp(right),
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    Ordering::Equal
}

impl Collector for CompositeCollector {
    fn start_segment(&mut self, segment: Segment<'_>) -> Result<()> {
        self.parts.iter_mut().for_each(|part| part.start_segment(segment.ord));
        self.subs.start_segment(segment)
    }

    fn collect(&mut self, block: Block<'_>) -> Result<()> {
        for (part, buffer) in self.parts.iter_mut().zip(&mut self.buffers) {
            buffer.resize(buffer.len().max(block.docs.len()), Vec::new());
            part.read(block, buffer);
        }
        let mut chosen = Vec::new();
        for (place, (doc, owner)) in block.pairs().enumerate() {
            let mut of_doc = Vec::with_capacity(self.buffers.len());
            for (buffer, request) in self.buffers.iter_mut().zip(&self.requests) {
                let mut values = buffer.get_mut(place).map(std::mem::take).unwrap_or_default();
                if values.is_empty() && request.missing_bucket {
                    values.push(None);
                }
                of_doc.push(values);
            }
            for_each_combination(&of_doc, &mut chosen, &mut |combination| {
                let number = self.combinations.number(combination);
                self.subs.push(doc, self.ids.count(owner, number)?);
                Ok(())
            })?;
        }
        self.subs.flush(block.segment)
    }

    fn build(&mut self, owners: &[u32]) -> Result<Vec<Outcome>> {
        let mut pages = Vec::with_capacity(owners.len());
        for counted in self.ids.of_owners(owners) {
            let numbers: Vec<i64> = counted.iter().map(|(_, number, _)| *number).collect();
            let mut tuples: Vec<Vec<Option<Key>>> = numbers.iter().map(|_| Vec::new()).collect();
            for (place, part) in self.parts.iter().enumerate() {
                let of_part: Vec<Option<i64>> =
                    numbers.iter().map(|&number| self.combinations.get(number).get(place).copied().flatten()).collect();
                let there: Vec<i64> = of_part.iter().copied().flatten().collect();
                let mut keys = part.keys(&there)?.into_iter();
                for (tuple, value) in tuples.iter_mut().zip(of_part) {
                    tuple.push(value.and_then(|_| keys.next()));
                }
            }
            let mut page: Vec<(Vec<Option<Key>>, u32, u64)> =
                tuples.into_iter().zip(counted).map(|(tuple, (id, _, count))| (tuple, id, count)).collect();
            if let Some(after) = &self.after {
                page.retain(|(tuple, ..)| compare_composite(&self.requests, tuple, after) == Ordering::Greater);
            }
            page.sort_by(|left, right| compare_composite(&self.requests, &left.0, &right.0));
            page.truncate(self.size);
            pages.push(page);
        }
        let ids: Vec<u32> = pages.iter().flatten().map(|(_, id, _)| *id).collect();
        let mut results = self.subs.build(&ids)?.into_iter();
        Ok(pages
            .into_iter()
            .map(|page| {
                let bucket =
                    |(tuple, _, count)| Bucket::keyed(Key::Tuple(tuple), count, results.next().unwrap_or_default());
                let buckets = page.into_iter().map(bucket).collect();
                Outcome::Buckets(Buckets { values: self.values.clone(), buckets, ..Buckets::default() })
            })
            .collect())
    }
}
