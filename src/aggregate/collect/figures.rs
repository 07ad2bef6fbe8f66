//! Figures over the values of each owner's documents.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Block, Collector, Segment, of_owner};
use crate::aggregate::context::Context;
use crate::aggregate::figures::distinct::{hash_bytes, hash_number};
use crate::aggregate::figures::{CompensatedSum, Digest, Distinct, Figures, Stats, StringStats};
use crate::aggregate::key::Key;
use crate::aggregate::outcome::{Metric, Outcome, Values};
use crate::aggregate::request::ValueSource;
use crate::aggregate::source::{self, KeyReader, NumberReader};
use crate::error::{Error, Result};
use crate::index::doc_values::{DocValues, ValueKind};

/// Numbers that are taken in one by one.
struct NumbersCollector<S, A> {
    reader: NumberReader,
    values: Option<Values>,
    states: Vec<S>,
    empty: S,
    add: A,
    figures: fn(S) -> Figures,
}

impl<S: Clone, A: Fn(&mut S, f64)> Collector for NumbersCollector<S, A> {
    fn start_segment(&mut self, segment: Segment<'_>) -> Result<()> {
        self.reader.start_segment(segment.ord);
        Ok(())
    }

    fn collect(&mut self, block: Block<'_>) -> Result<()> {
        let highest = block.owners.iter().max().map_or(0, |owner| *owner as usize + 1);
        if self.states.len() < highest {
            self.states.resize(highest, self.empty.clone());
        }
        for (position, value) in self.reader.read(block.docs).iter() {
            let (_, owner) = block.at(position);
            if let Some(state) = self.states.get_mut(owner as usize) {
                (self.add)(state, value);
            }
        }
        Ok(())
    }

    fn build(&mut self, owners: &[u32]) -> Result<Vec<Outcome>> {
        let state = |owner: u32| self.states.get(owner as usize).unwrap_or(&self.empty).clone();
        let metric = |owner| Metric { values: self.values.clone(), figures: (self.figures)(state(owner)) };
        Ok(owners.iter().map(|&owner| Outcome::Metric(metric(owner))).collect())
    }
}

/// `avg`, `sum`, `min`, `max`, `stats` and `extended_stats`: each takes in no more than it needs.
pub(super) fn stats(context: &Context<'_>, source: &ValueSource, aggregation: &str) -> Result<Box<dyn Collector>> {
    let (reader, values) = NumberReader::new(context, source, aggregation)?;
    fn collector(
        reader: NumberReader,
        values: Option<Values>,
        add: impl Fn(&mut Stats, f64) + 'static,
    ) -> Box<dyn Collector> {
        let (states, empty) = (Vec::new(), Stats::default());
        Box::new(NumbersCollector { reader, values, states, empty, add, figures: Figures::Stats })
    }
    Ok(match aggregation {
        "avg" | "sum" => collector(reader, values, |stats, value| {
            stats.count += 1;
            stats.sum.add(value);
        }),
        "min" | "max" => collector(reader, values, |stats, value| {
            stats.count += 1;
            stats.min = stats.min.min(value);
            stats.max = stats.max.max(value);
        }),
        _ => collector(reader, values, Stats::add),
    })
}

/// What is made of ranks.
pub(super) fn digest(
    context: &Context<'_>,
    source: &ValueSource,
    compression: f64,
    aggregation: &str,
) -> Result<Box<dyn Collector>> {
    let (reader, values) = NumberReader::new(context, source, aggregation)?;
    Ok(Box::new(NumbersCollector {
        reader,
        values,
        states: Vec::new(),
        empty: Digest::new(compression),
        add: Digest::add,
        figures: Figures::Digest,
    }))
}

/// `value_count`.
pub(super) fn count(context: &Context<'_>, source: &ValueSource) -> Result<Box<dyn Collector>> {
    let resolved = source::resolve(context, source)?;
    let values = resolved.values();
    Ok(Box::new(CountCollector {
        segments: resolved.segments,
        current: DocValues::Missing,
        counts_missing: source.missing.is_some(),
        values,
        counts: Vec::new(),
    }))
}

struct CountCollector {
    segments: Vec<DocValues>,
    current: DocValues,
    counts_missing: bool,
    values: Option<Values>,
    counts: Vec<u64>,
}

impl Collector for CountCollector {
    fn start_segment(&mut self, segment: Segment<'_>) -> Result<()> {
        self.current = self.segments.get(segment.ord).cloned().unwrap_or(DocValues::Missing);
        Ok(())
    }

    fn collect(&mut self, block: Block<'_>) -> Result<()> {
        for (doc, owner) in block.pairs() {
            let num_values = self.current.num_values(doc) as u64;
            let counted = if num_values == 0 && self.counts_missing { 1 } else { num_values };
            if let Some(count) = of_owner(&mut self.counts, owner, || 0) {
                *count += counted;
            }
        }
        Ok(())
    }

    fn build(&mut self, owners: &[u32]) -> Result<Vec<Outcome>> {
        let count = |owner: u32| self.counts.get(owner as usize).copied().unwrap_or(0);
        let metric = |owner| Metric { values: self.values.clone(), figures: Figures::Count(count(owner)) };
        Ok(owners.iter().map(|&owner| Outcome::Metric(metric(owner))).collect())
    }
}

/// `cardinality`.
pub(super) fn distinct(context: &Context<'_>, source: &ValueSource, threshold: usize) -> Result<Box<dyn Collector>> {
    let (reader, values) = KeyReader::new(context, source)?;
    Ok(Box::new(DistinctCollector { reader, values, threshold, numbers: Vec::new(), hashed: Vec::new() }))
}

struct DistinctCollector {
    reader: KeyReader,
    values: Option<Values>,
    threshold: usize,
    /// Of texts: their ordinals, which cost less than the texts.
    numbers: Vec<FxHashSet<i64>>,
    /// Of numbers: their hashes.
    hashed: Vec<Distinct>,
}

impl Collector for DistinctCollector {
    fn start_segment(&mut self, segment: Segment<'_>) -> Result<()> {
        self.reader.start_segment(segment.ord);
        Ok(())
    }

    fn collect(&mut self, block: Block<'_>) -> Result<()> {
        let by_hash = matches!(
            self.values.as_ref().map(|values| values.kind),
            Some(ValueKind::Long | ValueKind::UnsignedLong | ValueKind::Double | ValueKind::Boolean | ValueKind::Date)
        );
        let threshold = self.threshold;
        for (position, number) in self.reader.read(block.docs).iter() {
            let (_, owner) = block.at(position);
            if by_hash {
                if let Some(distinct) = of_owner(&mut self.hashed, owner, || Distinct::new(threshold)) {
                    distinct.insert(hash_number(number.cast_unsigned()));
                }
            } else if let Some(numbers) = of_owner(&mut self.numbers, owner, FxHashSet::default) {
                numbers.insert(number);
            }
        }
        Ok(())
    }

    fn build(&mut self, owners: &[u32]) -> Result<Vec<Outcome>> {
        let sets = || owners.iter().filter_map(|&owner| self.numbers.get(owner as usize));
        let mut all: Vec<i64> = sets().flatten().copied().collect();
        all.sort_unstable();
        all.dedup();
        let hash = |key: &Key| match key {
            Key::Text(text) => hash_bytes(text.as_bytes()),
            Key::Ip(address) => hash_bytes(&address.to_be_bytes()),
            Key::Long(_) | Key::Unsigned(_) | Key::Double(_) | Key::Tuple(_) | Key::Place(_) => 0,
        };
        let keys = self.reader.keys(&all)?;
        let hashes: FxHashMap<i64, u64> = all.iter().copied().zip(keys.iter().map(hash)).collect();
        let outcome = |&owner: &u32| {
            let mut distinct =
                self.hashed.get(owner as usize).cloned().unwrap_or_else(|| Distinct::new(self.threshold));
            for number in self.numbers.get(owner as usize).into_iter().flatten() {
                distinct.insert(hashes.get(number).copied().unwrap_or_default());
            }
            Outcome::Metric(Metric { values: self.values.clone(), figures: Figures::Distinct(distinct) })
        };
        Ok(owners.iter().map(outcome).collect())
    }
}

/// `weighted_avg`.
pub(super) fn weighted(context: &Context<'_>, value: &ValueSource, weight: &ValueSource) -> Result<Box<dyn Collector>> {
    let (value, values) = NumberReader::new(context, value, "weighted_avg")?;
    let (weight, _) = NumberReader::new(context, weight, "weighted_avg")?;
    Ok(Box::new(WeightedCollector { value, weight, values, sums: Vec::new() }))
}

struct WeightedCollector {
    value: NumberReader,
    weight: NumberReader,
    values: Option<Values>,
    sums: Vec<(CompensatedSum, CompensatedSum)>,
}

impl Collector for WeightedCollector {
    fn start_segment(&mut self, segment: Segment<'_>) -> Result<()> {
        self.value.start_segment(segment.ord);
        self.weight.start_segment(segment.ord);
        Ok(())
    }

    fn collect(&mut self, block: Block<'_>) -> Result<()> {
        let weights = self.weight.read(block.docs);
        if weights.positions.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(Error::invalid_input(
                "Encountered more than one weight for a single document. Use a script to combine multiple weights-per-doc into a \
                 single value.",
            ));
        }
        let mut weights = weights.iter().peekable();
        for (position, value) in self.value.read(block.docs).iter() {
            while weights.next_if(|(at, _)| *at < position).is_some() {}
            let Some(&(_, weight)) = weights.peek().filter(|(at, _)| *at == position) else { continue };
            let (_, owner) = block.at(position);
            if let Some((sum, total)) = of_owner(&mut self.sums, owner, Default::default) {
                sum.add(value * weight);
                total.add(weight);
            }
        }
        Ok(())
    }

    fn build(&mut self, owners: &[u32]) -> Result<Vec<Outcome>> {
        let figures = |owner: u32| {
            let (sum, weights) = self.sums.get(owner as usize).copied().unwrap_or_default();
            Figures::Weighted { sum, weights }
        };
        let metric = |owner| Metric { values: self.values.clone(), figures: figures(owner) };
        Ok(owners.iter().map(|&owner| Outcome::Metric(metric(owner))).collect())
    }
}

/// `string_stats`.
pub(super) fn strings(context: &Context<'_>, source: &ValueSource) -> Result<Box<dyn Collector>> {
    let (reader, values) = KeyReader::new(context, source)?;
    if let Some(values) = values.as_ref().filter(|_| !reader.is_text()) {
        return Err(source::misfit(&source.field, values.type_name, "string_stats"));
    }
    Ok(Box::new(StringsCollector { reader, values, counts: Vec::new() }))
}

struct StringsCollector {
    reader: KeyReader,
    values: Option<Values>,
    /// By owner: how often each text is there.
    counts: Vec<FxHashMap<i64, u64>>,
}

impl Collector for StringsCollector {
    fn start_segment(&mut self, segment: Segment<'_>) -> Result<()> {
        self.reader.start_segment(segment.ord);
        Ok(())
    }

    fn collect(&mut self, block: Block<'_>) -> Result<()> {
        for (position, number) in self.reader.read(block.docs).iter() {
            let (_, owner) = block.at(position);
            if let Some(counts) = of_owner(&mut self.counts, owner, FxHashMap::default) {
                *counts.entry(number).or_default() += 1;
            }
        }
        Ok(())
    }

    fn build(&mut self, owners: &[u32]) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::with_capacity(owners.len());
        for &owner in owners {
            let mut stats = StringStats::default();
            if let Some(counts) = self.counts.get(owner as usize) {
                let numbers: Vec<i64> = counts.keys().copied().collect();
                for (key, number) in self.reader.keys(&numbers)?.into_iter().zip(&numbers) {
                    if let Key::Text(text) = key {
                        (0..counts.get(number).copied().unwrap_or(0)).for_each(|_| stats.add(&text));
                    }
                }
            }
            let figures = Figures::Strings(stats);
            outcomes.push(Outcome::Metric(Metric { values: self.values.clone(), figures }));
        }
        Ok(outcomes)
    }
}
