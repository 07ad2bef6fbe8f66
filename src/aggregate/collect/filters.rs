//! Buckets of what queries match, and of documents without a value.

use std::sync::Arc;

use tantivy::{BitSet, DocId};

use super::{Block, Collector, Segment, Subs, of_owner, singles};
use crate::aggregate::bucket_ids::BucketIds;
use crate::aggregate::context::{Context, holds};
use crate::aggregate::key::Key;
use crate::aggregate::outcome::{Bucket, Buckets, Outcome};
use crate::aggregate::request::{AdjacencyMatrix, Filters, ValueSource};
use crate::aggregate::source;
use crate::error::Result;
use crate::index::doc_values::DocValues;
use crate::retrieve::query::Query;

/// The documents that a query matches, by segment.
struct Matches {
    segments: Vec<Arc<BitSet>>,
    current: Option<Arc<BitSet>>,
}

impl Matches {
    fn new(context: &Context<'_>, query: &Query) -> Result<Self> {
        let segments = context.searcher.lexical().filter_with_nested(query)?.into_iter().map(Arc::new).collect();
        Ok(Self { segments, current: None })
    }

    fn start_segment(&mut self, ord: usize) {
        self.current = self.segments.get(ord).cloned();
    }

    fn hold(&self, doc: DocId) -> bool {
        self.current.as_ref().is_some_and(|set| holds(set, doc))
    }
}

enum Accepts {
    All,
    Matching(Matches),
    Missing { segments: Vec<DocValues>, current: DocValues },
}

/// One bucket an owner: of what a query matches, of documents without a value, or of all.
pub(super) struct SingleCollector {
    accepts: Accepts,
    counts: Vec<u64>,
    subs: Subs,
}

impl SingleCollector {
    pub(super) fn filter(context: &Context<'_>, query: &Query, subs: Subs) -> Result<Self> {
        Ok(Self { accepts: Accepts::Matching(Matches::new(context, query)?), counts: Vec::new(), subs })
    }

    pub(super) fn missing(context: &Context<'_>, source: &ValueSource, subs: Subs) -> Result<Self> {
        let segments = source::resolve(context, source)?.segments;
        // A value is put for the missing one: none is missing.
        let accepts = if source.missing.is_some() {
            Accepts::Matching(Matches { segments: Vec::new(), current: None })
        } else {
            Accepts::Missing { segments, current: DocValues::Missing }
        };
        Ok(Self { accepts, counts: Vec::new(), subs })
    }

    pub(super) fn all(subs: Subs) -> Self {
        Self { accepts: Accepts::All, counts: Vec::new(), subs }
    }
}

impl Collector for SingleCollector {
    fn start_segment(&mut self, segment: Segment<'_>) -> Result<()> {
        match &mut self.accepts {
            Accepts::All => {}
            Accepts::Matching(matches) => matches.start_segment(segment.ord),
            Accepts::Missing { segments, current } => {
                *current = segments.get(segment.ord).cloned().unwrap_or(DocValues::Missing);
            }
        }
        self.subs.start_segment(segment)
    }

    fn collect(&mut self, block: Block<'_>) -> Result<()> {
        for (doc, owner) in block.pairs() {
            let accepted = match &self.accepts {
                Accepts::All => true,
                Accepts::Matching(matches) => matches.hold(doc),
                Accepts::Missing { current, .. } => !current.has_value(doc),
            };
            if accepted {
                if let Some(count) = of_owner(&mut self.counts, owner, || 0) {
                    *count += 1;
                }
                self.subs.push(doc, owner);
            }
        }
        self.subs.flush(block.segment)
    }

    fn build(&mut self, owners: &[u32]) -> Result<Vec<Outcome>> {
        singles(&self.counts, owners, &mut self.subs)
    }
}

/// A bucket a query.
pub(super) struct FiltersCollector {
    filters: Vec<Matches>,
    has_other: bool,
    ids: BucketIds,
    subs: Subs,
}

impl FiltersCollector {
    pub(super) fn new(context: &Context<'_>, request: &Filters, subs: Subs) -> Result<Self> {
        let filters: Vec<Matches> =
            request.filters.iter().map(|(_, query)| Matches::new(context, query)).collect::<Result<_>>()?;
        let ids = BucketIds::new(Some((0, filters.len() + 1)));
        Ok(Self { filters, has_other: request.other.is_some(), ids, subs })
    }
}

impl Collector for FiltersCollector {
    fn start_segment(&mut self, segment: Segment<'_>) -> Result<()> {
        self.filters.iter_mut().for_each(|filter| filter.start_segment(segment.ord));
        self.subs.start_segment(segment)
    }

    fn collect(&mut self, block: Block<'_>) -> Result<()> {
        for (doc, owner) in block.pairs() {
            let mut matched = false;
            for (place, filter) in (0_i64..).zip(&self.filters) {
                if filter.hold(doc) {
                    matched = true;
                    self.subs.push(doc, self.ids.count(owner, place)?);
                }
            }
            if !matched && self.has_other {
                let other = i64::try_from(self.filters.len()).unwrap_or(i64::MAX);
                self.subs.push(doc, self.ids.count(owner, other)?);
            }
        }
        self.subs.flush(block.segment)
    }

    fn build(&mut self, owners: &[u32]) -> Result<Vec<Outcome>> {
        let num_buckets = self.filters.len() + usize::from(self.has_other);
        places(&mut self.ids, owners, num_buckets, &mut self.subs)
    }
}

/// A bucket for each of the places `0..num_buckets`, empty ones too, for each owner.
pub(super) fn places(ids: &mut BucketIds, owners: &[u32], num_buckets: usize, subs: &mut Subs) -> Result<Vec<Outcome>> {
    // Places that no document came to get a number too, so that their sub-aggregations are there.
    for &owner in owners {
        for place in 0..num_buckets {
            ids.id(owner, i64::try_from(place).unwrap_or(i64::MAX))?;
        }
    }
    let of_owners = ids.of_owners(owners);
    let numbers: Vec<u32> = of_owners.iter().flatten().map(|(id, ..)| *id).collect();
    let mut aggs = subs.build(&numbers)?.into_iter();
    Ok(of_owners
        .into_iter()
        .map(|buckets| {
            let bucket = |(_, key, count): (u32, i64, u64)| {
                let place = usize::try_from(key).unwrap_or(usize::MAX);
                Bucket::keyed(Key::Place(place), count, aggs.next().unwrap_or_default())
            };
            let mut buckets: Vec<Bucket> = buckets.into_iter().map(bucket).collect();
            buckets.sort_by(|left, right| left.key.cmp(&right.key));
            Outcome::Buckets(Buckets { buckets, ..Buckets::default() })
        })
        .collect())
}

/// A bucket a query and a pair of queries.
pub(super) struct AdjacencyCollector {
    names: Vec<String>,
    filters: Vec<Matches>,
    separator: String,
    ids: BucketIds,
    subs: Subs,
}

impl AdjacencyCollector {
    pub(super) fn new(context: &Context<'_>, request: &AdjacencyMatrix, subs: Subs) -> Result<Self> {
        let filters: Vec<Matches> =
            request.filters.iter().map(|(_, query)| Matches::new(context, query)).collect::<Result<_>>()?;
        let names = request.filters.iter().map(|(name, _)| name.clone()).collect();
        let ids = BucketIds::new(Some((0, filters.len() * filters.len())));
        Ok(Self { names, filters, separator: request.separator.clone(), ids, subs })
    }
}

impl Collector for AdjacencyCollector {
    fn start_segment(&mut self, segment: Segment<'_>) -> Result<()> {
        self.filters.iter_mut().for_each(|filter| filter.start_segment(segment.ord));
        self.subs.start_segment(segment)
    }

    fn collect(&mut self, block: Block<'_>) -> Result<()> {
        let num_filters = self.filters.len();
        for (doc, owner) in block.pairs() {
            for first in 0..num_filters {
                if !self.filters.get(first).is_some_and(|filter| filter.hold(doc)) {
                    continue;
                }
                for second in first..num_filters {
                    if self.filters.get(second).is_some_and(|filter| filter.hold(doc)) {
                        let pair = i64::try_from(first * num_filters + second).unwrap_or(i64::MAX);
                        self.subs.push(doc, self.ids.count(owner, pair)?);
                    }
                }
            }
        }
        self.subs.flush(block.segment)
    }

    fn build(&mut self, owners: &[u32]) -> Result<Vec<Outcome>> {
        let of_owners = self.ids.of_owners(owners);
        let numbers: Vec<u32> = of_owners.iter().flatten().map(|(id, ..)| *id).collect();
        let mut aggs = self.subs.build(&numbers)?.into_iter();
        let num_filters = self.filters.len().max(1);
        let name = |pair: usize| {
            let of = |place: usize| self.names.get(place).cloned().unwrap_or_default();
            let (first, second) = (pair / num_filters, pair % num_filters);
            if first == second { of(first) } else { format!("{}{}{}", of(first), self.separator, of(second)) }
        };
        Ok(of_owners
            .into_iter()
            .map(|buckets| {
                let bucket = |(_, pair, count): (u32, i64, u64)| {
                    let key = Key::Text(name(usize::try_from(pair).unwrap_or(0)));
                    Bucket::keyed(key, count, aggs.next().unwrap_or_default())
                };
                let buckets = buckets.into_iter().map(bucket).collect();
                Outcome::Buckets(Buckets { buckets, ..Buckets::default() })
            })
            .collect())
    }
}
