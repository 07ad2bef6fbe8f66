//! Reading the documents: a tree of collectors, one an aggregation, that passes blocks of documents down.
//!
//! Every collector serves all buckets of its parent at once: each document of a block comes with the number of the bucket that
//! owns it. A bucket aggregation gives each of its own buckets a number and passes the document on with that. So a column is
//! read once a block whatever the number of buckets, and results are only built for the buckets that are returned.

mod figures;
mod filters;
mod histogram;
mod hits;
mod nested;
mod ranges;
mod sampler;
mod select;
mod significant;
mod terms;
mod tuples;

pub(super) use hits::compare_hits;
pub(super) use tuples::compare_composite;

use tantivy::{BitSet, DocId};

use super::context::{Context, Scope, for_each_doc};
use super::outcome::{Bucket, Outcome};
use super::request::{Aggregation, AggregationKind};
use crate::error::Result;
use crate::index::TimeLimit;

/// Documents that are read at once.
const BLOCK: usize = 2_048;

/// The documents to aggregate over, by segment.
#[derive(Debug, Clone, Copy)]
pub struct DocSets<'a> {
    /// A set for each segment, in the snapshot's order, without deleted documents and nested objects.
    pub docs: &'a [BitSet],
    /// The scores by segment and document number, where [`Aggregation::needs_scores`]; others are not looked at.
    pub scores: Option<&'a [Vec<f32>]>,
}

/// A segment while it is read.
#[derive(Debug, Clone, Copy)]
struct Segment<'a> {
    ord: usize,
    /// By document number.
    scores: Option<&'a [f32]>,
}

/// Documents with the buckets that own them; documents ascend, and come several times where several buckets own them.
#[derive(Clone, Copy)]
struct Block<'a> {
    docs: &'a [DocId],
    owners: &'a [u32],
    segment: Segment<'a>,
}

impl Block<'_> {
    /// The document and the owner at a place.
    fn at(&self, position: u32) -> (DocId, u32) {
        let position = position as usize;
        (self.docs.get(position).copied().unwrap_or(0), self.owners.get(position).copied().unwrap_or(0))
    }

    fn pairs(&self) -> impl Iterator<Item = (DocId, u32)> + '_ {
        self.docs.iter().copied().zip(self.owners.iter().copied())
    }
}

/// Computes one aggregation for all buckets that own documents.
trait Collector {
    /// Turns to a segment; segments come in order, each once.
    fn start_segment(&mut self, segment: Segment<'_>) -> Result<()>;

    /// Takes in documents of the segment.
    fn collect(&mut self, block: Block<'_>) -> Result<()>;

    /// The results for some owners, in their order; an owner without documents has an empty result. Called once, at the end.
    fn build(&mut self, owners: &[u32]) -> Result<Vec<Outcome>>;
}

/// The sub-aggregations of an aggregation, and the documents that are about to be passed to them.
#[derive(Default)]
struct Subs {
    collectors: Vec<Box<dyn Collector>>,
    docs: Vec<DocId>,
    owners: Vec<u32>,
}

impl Subs {
    fn new(context: &Context<'_>, aggs: &[Aggregation], scope: &Scope) -> Result<Self> {
        let collectors = aggs.iter().map(|agg| make(context, agg, scope)).collect::<Result<_>>()?;
        Ok(Self { collectors, ..Self::default() })
    }

    fn start_segment(&mut self, segment: Segment<'_>) -> Result<()> {
        self.collectors.iter_mut().try_for_each(|collector| collector.start_segment(segment))
    }

    #[inline]
    fn push(&mut self, doc: DocId, owner: u32) {
        if !self.collectors.is_empty() {
            self.docs.push(doc);
            self.owners.push(owner);
        }
    }

    /// Passes what was pushed on.
    fn flush(&mut self, segment: Segment<'_>) -> Result<()> {
        if self.docs.is_empty() {
            return Ok(());
        }
        let block = Block { docs: &self.docs, owners: &self.owners, segment };
        self.collectors.iter_mut().try_for_each(|collector| collector.collect(block))?;
        self.docs.clear();
        self.owners.clear();
        Ok(())
    }

    /// The results of all sub-aggregations, for each owner.
    fn build(&mut self, owners: &[u32]) -> Result<Vec<Vec<Outcome>>> {
        let mut results: Vec<Vec<Outcome>> = owners.iter().map(|_| Vec::with_capacity(self.collectors.len())).collect();
        for collector in &mut self.collectors {
            for (result, outcome) in results.iter_mut().zip(collector.build(owners)?) {
                result.push(outcome);
            }
        }
        Ok(results)
    }
}

/// Computes aggregations over some documents of one index.
///
/// Returns a result for each aggregation, in their order; merge it with those of other indices, then finish it. When the time of
/// the searcher is up ([`TimeLimit`]), the results are of the documents that were read until then: [`BLOCK`] of each segment at least.
///
/// # Errors
/// `InvalidInput` in Elasticsearch's words for a field or a value that an aggregation cannot use; what compiling its queries
/// fails with; `Busy` where it makes too many buckets; `Corrupt` when a column is damaged.
pub fn collect(context: &Context<'_>, aggs: &[Aggregation], sets: DocSets<'_>) -> Result<Vec<Outcome>> {
    let scope = Scope::default();
    let time_limit = context.searcher.lexical().time_limit();
    let mut global = Vec::new();
    let mut others = Vec::new();
    for agg in aggs {
        let collector = make(context, agg, &scope)?;
        if agg.kind == AggregationKind::Global { global.push(collector) } else { others.push(collector) }
    }
    if !global.is_empty() {
        let all = context.members(&scope)?;
        let all: Vec<&BitSet> = all.iter().map(AsRef::as_ref).collect();
        run(&mut global, &all, None, time_limit)?;
    }
    let docs: Vec<&BitSet> = sets.docs.iter().collect();
    run(&mut others, &docs, sets.scores, time_limit)?;
    let (mut global, mut others) = (global.into_iter(), others.into_iter());
    let mut results = Vec::with_capacity(aggs.len());
    for agg in aggs {
        let next = if agg.kind == AggregationKind::Global { global.next() } else { others.next() };
        let built = next.map(|mut collector| collector.build(&[0])).transpose()?;
        results.push(built.and_then(|mut built| built.pop()).unwrap_or(Outcome::Nothing));
    }
    Ok(results)
}

fn run(
    collectors: &mut [Box<dyn Collector>],
    sets: &[&BitSet],
    scores: Option<&[Vec<f32>]>,
    time_limit: &TimeLimit,
) -> Result<()> {
    if collectors.is_empty() {
        return Ok(());
    }
    let owners = vec![0; BLOCK];
    let mut docs = Vec::with_capacity(BLOCK);
    for (ord, set) in sets.iter().enumerate() {
        let segment = Segment { ord, scores: scores.and_then(|scores| scores.get(ord)).map(Vec::as_slice) };
        for collector in collectors.iter_mut() {
            collector.start_segment(segment)?;
        }
        let mut pass = |docs: &mut Vec<DocId>| {
            let owners = owners.get(..docs.len()).unwrap_or_default();
            let block = Block { docs, owners, segment };
            let result = collectors.iter_mut().try_for_each(|collector| collector.collect(block));
            docs.clear();
            result
        };
        let mut result = Ok(());
        let mut is_over = false;
        for_each_doc(set, |doc| {
            if is_over {
                return;
            }
            docs.push(doc);
            if docs.len() == BLOCK {
                result = pass(&mut docs);
                is_over = result.is_err() || time_limit.is_up();
            }
        });
        result?;
        if !docs.is_empty() {
            pass(&mut docs)?;
        }
    }
    Ok(())
}

fn make(context: &Context<'_>, agg: &Aggregation, scope: &Scope) -> Result<Box<dyn Collector>> {
    let subs = || Subs::new(context, &agg.aggs, scope);
    Ok(match &agg.kind {
        AggregationKind::Terms(terms) => Box::new(terms::terms(context, &agg.name, terms, &agg.aggs, subs()?)?),
        AggregationKind::RareTerms(rare) => Box::new(terms::rare_terms(context, &agg.name, rare, subs()?)?),
        AggregationKind::MultiTerms(terms) => {
            Box::new(tuples::MultiTermsCollector::new(context, terms, &agg.aggs, subs()?, scope)?)
        }
        AggregationKind::SignificantTerms(terms) => {
            Box::new(significant::SignificantCollector::new(context, &agg.name, terms, subs()?, scope)?)
        }
        AggregationKind::Histogram(histogram) => {
            Box::new(histogram::HistogramCollector::new(context, histogram, subs()?)?)
        }
        AggregationKind::DateHistogram(histogram) => {
            Box::new(histogram::DateHistogramCollector::new(context, histogram, subs()?)?)
        }
        AggregationKind::Range(range) => Box::new(ranges::RangeCollector::new(context, range, subs()?)?),
        AggregationKind::IpRange(range) => Box::new(ranges::IpRangeCollector::new(context, range, subs()?)?),
        AggregationKind::Filter(query) => Box::new(filters::SingleCollector::filter(context, query, subs()?)?),
        AggregationKind::Filters(filters) => Box::new(filters::FiltersCollector::new(context, filters, subs()?)?),
        AggregationKind::AdjacencyMatrix(matrix) => {
            Box::new(filters::AdjacencyCollector::new(context, matrix, subs()?)?)
        }
        AggregationKind::Missing(source) => Box::new(filters::SingleCollector::missing(context, source, subs()?)?),
        AggregationKind::Global => Box::new(filters::SingleCollector::all(subs()?)),
        AggregationKind::Nested { path } => {
            let inner = Scope { path: Some(path.clone()) };
            Box::new(nested::NestedCollector::new(context, scope, &inner, Subs::new(context, &agg.aggs, &inner)?)?)
        }
        AggregationKind::ReverseNested { path } => {
            let outer = Scope { path: path.clone() };
            Box::new(nested::ReverseNestedCollector::new(context, &outer, Subs::new(context, &agg.aggs, &outer)?)?)
        }
        AggregationKind::Composite(composite) => {
            Box::new(tuples::CompositeCollector::new(context, composite, subs()?)?)
        }
        AggregationKind::TopHits(hits) => Box::new(hits::HitsCollector::top_hits(context, hits)?),
        AggregationKind::TopMetrics(metrics) => Box::new(hits::HitsCollector::top_metrics(context, metrics)?),
        AggregationKind::Sampler { shard_size } => Box::new(sampler::SamplerCollector::new(*shard_size, subs()?)),
        AggregationKind::Avg(source) => figures::stats(context, source, "avg")?,
        AggregationKind::Sum(source) => figures::stats(context, source, "sum")?,
        AggregationKind::Min(source) => figures::stats(context, source, "min")?,
        AggregationKind::Max(source) => figures::stats(context, source, "max")?,
        AggregationKind::Stats(source) => figures::stats(context, source, "stats")?,
        AggregationKind::ExtendedStats { source, .. } => figures::stats(context, source, "extended_stats")?,
        AggregationKind::ValueCount(source) => figures::count(context, source)?,
        AggregationKind::Cardinality { source, precision_threshold } => {
            figures::distinct(context, source, *precision_threshold)?
        }
        AggregationKind::Percentiles { source, compression, .. } => {
            figures::digest(context, source, *compression, "percentiles")?
        }
        AggregationKind::PercentileRanks { source, compression, .. } => {
            figures::digest(context, source, *compression, "percentile_ranks")?
        }
        AggregationKind::MedianAbsoluteDeviation { source, compression } => {
            figures::digest(context, source, *compression, "median_absolute_deviation")?
        }
        AggregationKind::Boxplot { source, compression } => figures::digest(context, source, *compression, "boxplot")?,
        AggregationKind::WeightedAvg { value, weight } => figures::weighted(context, value, weight)?,
        AggregationKind::StringStats { source, .. } => figures::strings(context, source)?,
        AggregationKind::Pipeline(_) => Box::new(NothingCollector),
    })
}

/// Leaves the place of a pipeline free.
struct NothingCollector;

impl Collector for NothingCollector {
    fn start_segment(&mut self, _segment: Segment<'_>) -> Result<()> {
        Ok(())
    }

    fn collect(&mut self, _block: Block<'_>) -> Result<()> {
        Ok(())
    }

    fn build(&mut self, owners: &[u32]) -> Result<Vec<Outcome>> {
        Ok(owners.iter().map(|_| Outcome::Nothing).collect())
    }
}

/// A number by owner, that grows as owners come.
fn of_owner<T: Clone>(list: &mut Vec<T>, owner: u32, empty: impl FnOnce() -> T) -> Option<&mut T> {
    let owner = owner as usize;
    if owner >= list.len() {
        list.resize(owner + 1, empty());
    }
    list.get_mut(owner)
}

/// One bucket an owner, of the counts by owner.
fn singles(counts: &[u64], owners: &[u32], subs: &mut Subs) -> Result<Vec<Outcome>> {
    let count = |owner: u32| counts.get(owner as usize).copied().unwrap_or(0);
    let aggs = subs.build(owners)?;
    Ok(owners.iter().zip(aggs).map(|(&owner, aggs)| Outcome::Single(Bucket::single(count(owner), aggs))).collect())
}
