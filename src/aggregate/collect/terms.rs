//! A bucket a value.

use rustc_hash::FxHashSet;

use super::select::{Counted, Selected, select};
use super::{Block, Collector, Segment, Subs};
use crate::aggregate::bucket_ids::BucketIds;
use crate::aggregate::context::Context;
use crate::aggregate::key::Key;
use crate::aggregate::outcome::{Buckets, Outcome, Values};
use crate::aggregate::request::{
    Aggregation, BucketOrder, IncludeExclude, OrderBy, RareTerms, Terms, ValuePattern, ValueSource,
};
use crate::aggregate::source::{KeyReader, text_of};
use crate::error::{Error, Result};
use crate::index::doc_values::ValueKind;
use crate::retrieve::query::TermValue;
use crate::schema::date::{DateFormats, Missing};

/// Counts the documents of each value.
pub(super) struct TermsCollector {
    reader: KeyReader,
    values: Option<Values>,
    accepted: Accepted,
    ids: BucketIds,
    subs: Subs,
    aggs: Vec<Aggregation>,
    order: Vec<BucketOrder>,
    shard_size: usize,
    least: u64,
    most: u64,
    with_empty: bool,
}

/// `terms`.
pub(super) fn terms(
    context: &Context<'_>,
    name: &str,
    request: &Terms,
    aggs: &[Aggregation],
    subs: Subs,
) -> Result<TermsCollector> {
    let mut collector = new(context, name, &request.source, &request.values, subs)?;
    collector.order.clone_from(&request.order);
    collector.aggs = aggs.to_vec();
    collector.shard_size = request.shard_size;
    collector.least = request.shard_min_doc_count.max(1);
    collector.with_empty = request.min_doc_count == 0;
    Ok(collector)
}

/// `rare_terms`.
pub(super) fn rare_terms(context: &Context<'_>, name: &str, request: &RareTerms, subs: Subs) -> Result<TermsCollector> {
    let mut collector = new(context, name, &request.source, &request.values, subs)?;
    collector.order = vec![BucketOrder { by: OrderBy::Count, descending: false }];
    collector.most = request.max_doc_count;
    Ok(collector)
}

fn new(
    context: &Context<'_>,
    name: &str,
    source: &ValueSource,
    values: &IncludeExclude,
    subs: Subs,
) -> Result<TermsCollector> {
    let (mut reader, kind) = KeyReader::new(context, source)?;
    let accepted = Accepted::new(&mut reader, name, values, kind.as_ref(), source)?;
    let ids = BucketIds::new(reader.width().map(|width| (0, width)));
    Ok(TermsCollector {
        reader,
        values: kind,
        accepted,
        ids,
        subs,
        aggs: Vec::new(),
        order: Vec::new(),
        shard_size: usize::MAX,
        least: 1,
        most: u64::MAX,
        with_empty: false,
    })
}

impl Collector for TermsCollector {
    fn start_segment(&mut self, segment: Segment<'_>) -> Result<()> {
        self.reader.start_segment(segment.ord);
        self.subs.start_segment(segment)
    }

    fn collect(&mut self, block: Block<'_>) -> Result<()> {
        for (position, number) in self.reader.read(block.docs).iter() {
            if self.accepted.accepts(number) {
                let (doc, owner) = block.at(position);
                let id = self.ids.count(owner, number)?;
                self.subs.push(doc, id);
            }
        }
        self.subs.flush(block.segment)
    }

    fn build(&mut self, owners: &[u32]) -> Result<Vec<Outcome>> {
        if self.with_empty {
            let all: Vec<i64> = self.reader.all().into_iter().filter(|number| self.accepted.accepts(*number)).collect();
            for &owner in owners {
                for &number in &all {
                    self.ids.id(owner, number)?;
                }
            }
        }
        let mut of_owners = self.ids.of_owners(owners);
        let within = |(.., count): &Counted| {
            (*count >= self.least || (*count == 0 && self.with_empty && self.least <= 1)) && *count <= self.most
        };
        of_owners.iter_mut().for_each(|counted| counted.retain(within));
        let selected = select(of_owners, &self.reader, &self.order, self.shard_size, &self.aggs, &mut self.subs)?;
        Ok(selected.into_iter().map(|selected| buckets(selected, self.values.clone())).collect())
    }
}

pub(super) fn buckets(selected: Selected, values: Option<Values>) -> Outcome {
    let Selected { buckets, other_doc_count } = selected;
    Outcome::Buckets(Buckets { values: vec![values], buckets, other_doc_count, ..Buckets::default() })
}

/// Which values make buckets.
pub(super) enum Accepted {
    All,
    /// By a text's number over all segments.
    Ordinals(Vec<bool>),
    /// Only these, but for those.
    Numbers {
        only: Option<FxHashSet<i64>>,
        never: FxHashSet<i64>,
        partition: Option<(u32, u32)>,
    },
}

impl Accepted {
    pub(super) fn new(
        reader: &mut KeyReader,
        name: &str,
        values: &IncludeExclude,
        kind: Option<&Values>,
        source: &ValueSource,
    ) -> Result<Self> {
        if values.include.is_none() && values.exclude.is_none() && values.partition.is_none() {
            return Ok(Accepted::All);
        }
        // An index without the field has no values that could be chosen from.
        let Some(kind) = kind else { return Ok(Accepted::All) };
        match reader.width() {
            Some(width) if reader.is_text() => {
                let numbers: Vec<i64> = (0..i64::try_from(width).unwrap_or(i64::MAX)).collect();
                let holds = |pattern: &ValuePattern, text: &str| match pattern {
                    ValuePattern::Regex(regex) => regex.is_match(text),
                    ValuePattern::Values(values) => values.iter().any(|value| value == text),
                };
                let accepts = |key: &Key| {
                    let Key::Text(text) = key else { return false };
                    values.include.as_ref().is_none_or(|pattern| holds(pattern, text))
                        && values.exclude.as_ref().is_none_or(|pattern| !holds(pattern, text))
                        && values.partition.is_none_or(|(part, of)| {
                            murmur3(text.as_bytes(), PARTITION_SEED).rem_euclid(of.cast_signed().max(1))
                                == part.cast_signed()
                        })
                };
                Ok(Accepted::Ordinals(reader.keys(&numbers)?.iter().map(accepts).collect()))
            }
            _ => {
                let mut set = |pattern: &ValuePattern| match pattern {
                    ValuePattern::Regex(_) => Err(Error::invalid_input(format!(
                        "Aggregation [{name}] cannot support regular expression style include/exclude settings as they can only be \
                         applied to string fields. Use an array of {}",
                        match kind.kind {
                            ValueKind::Ip => "values for include/exclude clauses",
                            _ => "numeric values for include/exclude clauses used to filter numeric fields",
                        }
                    ))),
                    ValuePattern::Values(values) => {
                        values.iter().map(|value| number(reader, kind, value, source)).collect::<Result<_>>()
                    }
                };
                Ok(Accepted::Numbers {
                    only: values.include.as_ref().map(&mut set).transpose()?,
                    never: values.exclude.as_ref().map(&mut set).transpose()?.unwrap_or_default(),
                    partition: values.partition,
                })
            }
        }
    }

    #[inline]
    pub(super) fn accepts(&self, number: i64) -> bool {
        match self {
            Accepted::All => true,
            Accepted::Ordinals(accepted) => {
                usize::try_from(number).ok().and_then(|number| accepted.get(number)).copied().unwrap_or(false)
            }
            Accepted::Numbers { only, never, partition } => {
                only.as_ref().is_none_or(|only| only.contains(&number))
                    && !never.contains(&number)
                    && partition
                        .is_none_or(|(part, of)| mix64(number).rem_euclid(i64::from(of).max(1)) == i64::from(part))
            }
        }
    }
}

/// The number that stands for a value that is written as a text.
fn number(reader: &mut KeyReader, values: &Values, text: &str, source: &ValueSource) -> Result<i64> {
    let value = TermValue::Text(text.to_string());
    if values.kind == ValueKind::Date
        && let Some(millis) = date(values, text, source)
    {
        return Ok(millis);
    }
    reader.number_of(&value, values.kind).map_err(|_| {
        Error::invalid_input(format!(
            "[include] or [exclude] has [{}], which is no value of the field",
            text_of(&value)
        ))
        .in_field(&source.field)
    })
}

/// A date as the request, or else the mapping, writes it.
fn date(values: &Values, text: &str, source: &ValueSource) -> Option<i64> {
    let asked = source.format.as_deref().map(DateFormats::read).transpose().ok()?;
    asked.or_else(|| values.date_formats.clone()).unwrap_or_default().parse(text, None, Missing::Least)
}

const PARTITION_SEED: u32 = 31;

/// MurmurHash3 of 32 bits (Austin Appleby, public domain), by which texts fall on partitions.
fn murmur3(bytes: &[u8], seed: u32) -> i32 {
    const C1: u32 = 0xcc9e_2d51;
    const C2: u32 = 0x1b87_3593;
    let scramble = |word: u32| word.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2);
    let (words, rest) = bytes.as_chunks::<4>();
    let mut hash = seed;
    for word in words {
        hash ^= scramble(u32::from_le_bytes(*word));
        hash = hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    if !rest.is_empty() {
        let word = rest.iter().rev().fold(0_u32, |word, byte| (word << 8) | u32::from(*byte));
        hash ^= scramble(word);
    }
    hash ^= u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    (hash ^ (hash >> 16)).cast_signed()
}

/// A mixing of 64 bits (David Stafford's ninth variant), by which numbers fall on partitions.
fn mix64(number: i64) -> i64 {
    let mut bits = number.cast_unsigned();
    bits = (bits ^ (bits >> 32)).wrapping_mul(0x4cd6_944c_5cc2_0b6d);
    bits = (bits ^ (bits >> 29)).wrapping_mul(0xfc12_c5b1_9d32_59e9);
    (bits ^ (bits >> 32)).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur3_is_the_published_one() {
        // From the reference implementation's test vectors.
        for (text, seed, hash) in
            [("", 0, 0), ("", 1, 0x514e_28b7), ("test", 0, 0xba6b_d213), ("Hello, world!", 0, 0xc036_3e43)]
        {
            assert_eq!(murmur3(text.as_bytes(), seed).cast_unsigned(), hash, "{text}");
        }
    }
}
