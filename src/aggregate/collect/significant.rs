//! A bucket a value that stands out against a background.

use rustc_hash::FxHashMap;
use tantivy::BitSet;

use super::terms::Accepted;
use super::{Block, Collector, Segment, Subs};
use crate::aggregate::bucket_ids::BucketIds;
use crate::aggregate::context::{Context, Scope, for_each_doc};
use crate::aggregate::key::Key;
use crate::aggregate::outcome::{Bucket, Buckets, Outcome, Values};
use crate::aggregate::request::{Heuristic, SignificantTerms};
use crate::aggregate::significance::score;
use crate::aggregate::source::KeyReader;
use crate::error::Result;

/// `significant_terms`.
pub(super) struct SignificantCollector {
    reader: KeyReader,
    values: Option<Values>,
    accepted: Accepted,
    ids: BucketIds,
    /// By owner: the documents that were looked at.
    looked_at: Vec<u64>,
    /// By value: the documents of the background that have it.
    background: FxHashMap<i64, u64>,
    background_size: u64,
    heuristic: Heuristic,
    shard_size: usize,
    least: u64,
    subs: Subs,
}

impl SignificantCollector {
    pub(super) fn new(
        context: &Context<'_>,
        name: &str,
        request: &SignificantTerms,
        subs: Subs,
        scope: &Scope,
    ) -> Result<Self> {
        let (mut reader, values) = KeyReader::new(context, &request.source)?;
        let accepted = Accepted::new(&mut reader, name, &request.values, values.as_ref(), &request.source)?;
        let (background, background_size) = match &request.background {
            Some(query) => {
                let sets = context.searcher.lexical().filter(query)?;
                count_background(&mut reader, sets.iter())
            }
            None => {
                let sets = context.members(scope)?;
                let (counts, _) = count_background(&mut reader, sets.iter().map(AsRef::as_ref));
                // As in Elasticsearch, the whole index is all it holds: nested objects too.
                let all = context.segment_readers().iter().map(|reader| u64::from(reader.num_docs())).sum();
                (counts, all)
            }
        };
        let ids = BucketIds::new(reader.width().map(|width| (0, width)));
        Ok(Self {
            reader,
            values,
            accepted,
            ids,
            looked_at: Vec::new(),
            background,
            background_size,
            heuristic: request.heuristic,
            shard_size: request.shard_size,
            least: request.shard_min_doc_count.max(1),
            subs,
        })
    }
}

fn count_background<'a>(reader: &mut KeyReader, sets: impl Iterator<Item = &'a BitSet>) -> (FxHashMap<i64, u64>, u64) {
    let mut counts: FxHashMap<i64, u64> = FxHashMap::default();
    let mut table: Vec<u64> = vec![0; reader.width().unwrap_or(0)];
    let mut size = 0;
    for (segment_ord, set) in sets.enumerate() {
        reader.start_segment(segment_ord);
        size += set.len() as u64;
        let mut docs = Vec::new();
        for_each_doc(set, |doc| docs.push(doc));
        for chunk in docs.chunks(super::BLOCK) {
            for (_, number) in reader.read(chunk).iter() {
                match usize::try_from(number).ok().and_then(|number| table.get_mut(number)) {
                    Some(count) => *count += 1,
                    None => *counts.entry(number).or_default() += 1,
                }
            }
        }
    }
    counts.extend((0..).zip(table).filter(|(_, count)| *count > 0));
    (counts, size)
}

impl Collector for SignificantCollector {
    fn start_segment(&mut self, segment: Segment<'_>) -> Result<()> {
        self.reader.start_segment(segment.ord);
        self.subs.start_segment(segment)
    }

    fn collect(&mut self, block: Block<'_>) -> Result<()> {
        for (_, owner) in block.pairs() {
            if let Some(looked_at) = super::of_owner(&mut self.looked_at, owner, || 0) {
                *looked_at += 1;
            }
        }
        for (position, number) in self.reader.read(block.docs).iter() {
            if self.accepted.accepts(number) {
                let (doc, owner) = block.at(position);
                self.subs.push(doc, self.ids.count(owner, number)?);
            }
        }
        self.subs.flush(block.segment)
    }

    fn build(&mut self, owners: &[u32]) -> Result<Vec<Outcome>> {
        let mut kept = Vec::with_capacity(owners.len());
        for (owner, counted) in owners.iter().zip(self.ids.of_owners(owners)) {
            let looked_at = self.looked_at.get(*owner as usize).copied().unwrap_or(0);
            let mut scored: Vec<(f64, u64, (u32, i64, u64))> = counted
                .into_iter()
                .filter(|(.., count)| *count >= self.least)
                .map(|counted| {
                    let background = self.background.get(&counted.1).copied().unwrap_or(0);
                    let score = score(self.heuristic, counted.2, looked_at, background, self.background_size);
                    (score, background, counted)
                })
                .filter(|(score, ..)| *score > 0.0)
                .collect();
            scored.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.2.1.cmp(&right.2.1)));
            scored.truncate(self.shard_size);
            kept.push((looked_at, scored));
        }
        let numbers: Vec<i64> = kept.iter().flat_map(|(_, scored)| scored).map(|(.., counted)| counted.1).collect();
        let ids: Vec<u32> = kept.iter().flat_map(|(_, scored)| scored).map(|(.., counted)| counted.0).collect();
        let mut keys = self.reader.keys(&numbers)?.into_iter();
        let mut results = self.subs.build(&ids)?.into_iter();
        Ok(kept
            .into_iter()
            .map(|(foreground, scored)| {
                let bucket = |(score, background, (.., count)): (f64, u64, (u32, i64, u64))| {
                    let key = keys.next().unwrap_or(Key::Place(0));
                    Bucket { score, background, ..Bucket::keyed(key, count, results.next().unwrap_or_default()) }
                };
                Outcome::Buckets(Buckets {
                    values: vec![self.values.clone()],
                    buckets: scored.into_iter().map(bucket).collect(),
                    foreground,
                    background: self.background_size,
                    ..Buckets::default()
                })
            })
            .collect())
    }
}
