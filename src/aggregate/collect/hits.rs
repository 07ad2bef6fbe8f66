//! The best documents of each owner: `top_hits` and `top_metrics`.

use std::cmp::Ordering;

use tantivy::DocId;

use super::{Block, Collector, Segment, of_owner};
use crate::aggregate::context::Context;
use crate::aggregate::key::Key;
use crate::aggregate::outcome::{Hit, Hits, Outcome, Values};
use crate::aggregate::request::{HitOrder, HitOrderBy, OrderMode, TopHits, TopMetrics, ValueSource};
use crate::aggregate::source::{KeyReader, NumberReader};
use crate::error::Result;

/// Keeps the first documents of each owner in an order.
pub(super) struct HitsCollector {
    index_ord: usize,
    order: Vec<Criterion>,
    metrics: Vec<(KeyReader, Option<Values>)>,
    /// So many an owner.
    most: usize,
    with_scores: bool,
    segment: Segment<'static>,
    owners: Vec<Best>,
}

#[derive(Clone, Default)]
struct Best {
    total: u64,
    max_score: Option<f32>,
    /// Unordered; cut down to the first ones when there are twice as many as needed.
    entries: Vec<Entry>,
}

#[derive(Clone)]
struct Entry {
    segment_ord: usize,
    doc: DocId,
    score: Option<f32>,
    sort: Vec<Option<SortNumber>>,
    metrics: Vec<Option<i64>>,
}

#[derive(Clone, Copy, PartialEq)]
enum SortNumber {
    /// What a value's number stands for compares by the reader.
    Value(i64),
    Number(f64),
}

struct Criterion {
    by: By,
    descending: bool,
    missing_first: bool,
    values: Option<Values>,
}

enum By {
    Score,
    Place,
    /// The least or the greatest value.
    Value {
        reader: Box<KeyReader>,
        greatest: bool,
    },
    /// A figure over the values.
    Number {
        reader: Box<NumberReader>,
        mode: OrderMode,
    },
}

impl Criterion {
    fn new(context: &Context<'_>, order: &HitOrder) -> Result<Self> {
        let (by, values) = match &order.by {
            HitOrderBy::Score => (By::Score, None),
            HitOrderBy::Place => (By::Place, None),
            HitOrderBy::Field(field) => {
                let source =
                    ValueSource { field: field.clone(), missing: order.missing.clone(), ..ValueSource::default() };
                match order.mode {
                    OrderMode::Min | OrderMode::Max => {
                        let (reader, values) = KeyReader::new(context, &source)?;
                        (By::Value { reader: Box::new(reader), greatest: order.mode == OrderMode::Max }, values)
                    }
                    mode @ (OrderMode::Sum | OrderMode::Avg | OrderMode::Median) => {
                        let (reader, values) = NumberReader::new(context, &source, "top_hits")?;
                        (By::Number { reader: Box::new(reader), mode }, values)
                    }
                }
            }
        };
        Ok(Self { by, descending: order.descending, missing_first: order.missing_first, values })
    }

    fn start_segment(&mut self, ord: usize) {
        match &mut self.by {
            By::Score | By::Place => {}
            By::Value { reader, .. } => reader.start_segment(ord),
            By::Number { reader, .. } => reader.start_segment(ord),
        }
    }

    /// The sort values of a block's documents.
    fn read(&mut self, block: Block<'_>, found: &mut Vec<Option<SortNumber>>) {
        found.clear();
        found.resize(block.docs.len(), None);
        match &mut self.by {
            By::Score => {
                for (slot, &doc) in found.iter_mut().zip(block.docs) {
                    let score =
                        block.segment.scores.and_then(|scores| scores.get(doc as usize)).copied().unwrap_or(0.0);
                    *slot = Some(SortNumber::Number(f64::from(score)));
                }
            }
            By::Place => {
                for (slot, &doc) in found.iter_mut().zip(block.docs) {
                    *slot = Some(SortNumber::Value(i64::from(doc)));
                }
            }
            By::Value { reader, greatest } => {
                let greatest = *greatest;
                for (position, number) in reader.read(block.docs).iter() {
                    let Some(slot) = found.get_mut(position as usize) else { continue };
                    // Values of one document ascend.
                    if greatest || slot.is_none() {
                        *slot = Some(SortNumber::Value(number));
                    }
                }
            }
            By::Number { reader, mode } => {
                let mode = *mode;
                let values = reader.read(block.docs);
                let mut start = 0;
                for run in values.positions.chunk_by(|left, right| left == right) {
                    let of_doc = values.values.get(start..start + run.len()).unwrap_or_default();
                    start += run.len();
                    let (Some(position), Some(slot)) =
                        (run.first(), run.first().and_then(|position| found.get_mut(*position as usize)))
                    else {
                        continue;
                    };
                    let _ = position;
                    let sum: f64 = of_doc.iter().sum();
                    let middle = of_doc.len() / 2;
                    let at = |place: usize| of_doc.get(place).copied().unwrap_or(0.0);
                    *slot = Some(SortNumber::Number(match mode {
                        OrderMode::Avg => sum / of_doc.len() as f64,
                        OrderMode::Median if of_doc.len().is_multiple_of(2) => {
                            f64::midpoint(at(middle.saturating_sub(1)), at(middle))
                        }
                        OrderMode::Median => at(middle),
                        OrderMode::Sum | OrderMode::Min | OrderMode::Max => sum,
                    }));
                }
            }
        }
    }

    fn compare(&self, left: Option<SortNumber>, right: Option<SortNumber>) -> Ordering {
        match (left, right) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => {
                if self.missing_first {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
            (Some(_), None) => {
                if self.missing_first {
                    Ordering::Greater
                } else {
                    Ordering::Less
                }
            }
            (Some(left), Some(right)) => {
                let ordering = match (left, right) {
                    (SortNumber::Value(left), SortNumber::Value(right)) => match &self.by {
                        By::Value { reader, .. } => reader.compare(left, right),
                        By::Score | By::Place | By::Number { .. } => left.cmp(&right),
                    },
                    (SortNumber::Number(left), SortNumber::Number(right)) => left.total_cmp(&right),
                    (SortNumber::Value(_), SortNumber::Number(_)) => Ordering::Less,
                    (SortNumber::Number(_), SortNumber::Value(_)) => Ordering::Greater,
                };
                if self.descending { ordering.reverse() } else { ordering }
            }
        }
    }

    fn keys(&self, numbers: &[Option<SortNumber>]) -> Result<Vec<Option<Key>>> {
        let there: Vec<i64> = numbers
            .iter()
            .filter_map(|number| match number {
                Some(SortNumber::Value(value)) => Some(*value),
                Some(SortNumber::Number(_)) | None => None,
            })
            .collect();
        let mut keys = match &self.by {
            By::Value { reader, .. } => reader.keys(&there)?,
            By::Score | By::Place | By::Number { .. } => there.into_iter().map(Key::Long).collect(),
        }
        .into_iter();
        Ok(numbers
            .iter()
            .map(|number| match number {
                Some(SortNumber::Value(_)) => keys.next(),
                Some(SortNumber::Number(number)) => Some(Key::Double(*number)),
                None => None,
            })
            .collect())
    }
}

impl HitsCollector {
    pub(super) fn top_hits(context: &Context<'_>, request: &TopHits) -> Result<Self> {
        let by_score;
        let order = if request.order.is_empty() {
            by_score = [HitOrder {
                by: HitOrderBy::Score,
                descending: true,
                missing_first: false,
                missing: None,
                mode: OrderMode::Max,
            }];
            &by_score
        } else {
            request.order.as_slice()
        };
        Self::new(context, order, request.from.saturating_add(request.size), &[])
    }

    pub(super) fn top_metrics(context: &Context<'_>, request: &TopMetrics) -> Result<Self> {
        Self::new(context, std::slice::from_ref(&request.order), request.size, &request.fields)
    }

    fn new(context: &Context<'_>, order: &[HitOrder], most: usize, fields: &[String]) -> Result<Self> {
        let order: Vec<Criterion> =
            order.iter().map(|criterion| Criterion::new(context, criterion)).collect::<Result<_>>()?;
        let metric =
            |field: &String| KeyReader::new(context, &ValueSource { field: field.clone(), ..ValueSource::default() });
        Ok(Self {
            index_ord: context.index_ord,
            with_scores: order.iter().any(|criterion| matches!(criterion.by, By::Score)),
            order,
            metrics: fields.iter().map(metric).collect::<Result<_>>()?,
            most,
            segment: Segment { ord: 0, scores: None },
            owners: Vec::new(),
        })
    }

    fn compare(order: &[Criterion], left: &Entry, right: &Entry) -> Ordering {
        for (at, criterion) in order.iter().enumerate() {
            let value = |entry: &Entry| entry.sort.get(at).copied().flatten();
            let ordering = criterion.compare(value(left), value(right));
            if ordering != Ordering::Equal {
                return ordering;
            }
        }
        (left.segment_ord, left.doc).cmp(&(right.segment_ord, right.doc))
    }
}

impl Collector for HitsCollector {
    fn start_segment(&mut self, segment: Segment<'_>) -> Result<()> {
        self.segment = Segment { ord: segment.ord, scores: None };
        self.order.iter_mut().for_each(|criterion| criterion.start_segment(segment.ord));
        self.metrics.iter_mut().for_each(|(reader, _)| reader.start_segment(segment.ord));
        Ok(())
    }

    fn collect(&mut self, block: Block<'_>) -> Result<()> {
        let mut sorts = vec![Vec::new(); self.order.len()];
        for (criterion, found) in self.order.iter_mut().zip(&mut sorts) {
            criterion.read(block, found);
        }
        let mut metrics: Vec<Vec<Option<i64>>> = vec![vec![None; block.docs.len()]; self.metrics.len()];
        for ((reader, _), found) in self.metrics.iter_mut().zip(&mut metrics) {
            for (position, number) in reader.read(block.docs).iter() {
                if let Some(slot) = found.get_mut(position as usize) {
                    slot.get_or_insert(number);
                }
            }
        }
        for (place, (doc, owner)) in block.pairs().enumerate() {
            let score = block.segment.scores.and_then(|scores| scores.get(doc as usize)).copied();
            let Some(best) = of_owner(&mut self.owners, owner, Best::default) else { continue };
            best.total += 1;
            if let Some(score) = score.filter(|_| self.with_scores) {
                best.max_score = Some(best.max_score.map_or(score, |max| max.max(score)));
            }
            if self.most == 0 {
                continue;
            }
            let at = |lists: &[Vec<Option<SortNumber>>]| {
                lists.iter().map(|list| list.get(place).copied().flatten()).collect()
            };
            best.entries.push(Entry {
                segment_ord: self.segment.ord,
                doc,
                score: score.filter(|_| self.with_scores),
                sort: at(&sorts),
                metrics: metrics.iter().map(|list| list.get(place).copied().flatten()).collect(),
            });
            if best.entries.len() >= self.most.saturating_mul(2).max(64) {
                let order = &self.order;
                best.entries.select_nth_unstable_by(self.most - 1, |left, right| Self::compare(order, left, right));
                best.entries.truncate(self.most);
            }
        }
        Ok(())
    }

    fn build(&mut self, owners: &[u32]) -> Result<Vec<Outcome>> {
        let values = self.order.iter().map(|criterion| criterion.values.clone());
        let values: Vec<_> = values.chain(self.metrics.iter().map(|(_, values)| values.clone())).collect();
        let mut outcomes = Vec::with_capacity(owners.len());
        for &owner in owners {
            let mut best = self.owners.get_mut(owner as usize).map(std::mem::take).unwrap_or_default();
            let order = &self.order;
            best.entries.sort_by(|left, right| Self::compare(order, left, right));
            best.entries.truncate(self.most);
            let mut hits: Vec<Hit> = best
                .entries
                .iter()
                .map(|entry| Hit {
                    index_ord: self.index_ord,
                    segment_ord: u32::try_from(entry.segment_ord).unwrap_or(u32::MAX),
                    doc_id: entry.doc,
                    score: entry.score,
                    sort: Vec::new(),
                    metrics: Vec::new(),
                })
                .collect();
            for (at, criterion) in self.order.iter().enumerate() {
                let numbers: Vec<_> = best.entries.iter().map(|entry| entry.sort.get(at).copied().flatten()).collect();
                for (hit, key) in hits.iter_mut().zip(criterion.keys(&numbers)?) {
                    hit.sort.push(key);
                }
            }
            for (at, (reader, _)) in self.metrics.iter().enumerate() {
                let numbers: Vec<_> =
                    best.entries.iter().map(|entry| entry.metrics.get(at).copied().flatten()).collect();
                let there: Vec<i64> = numbers.iter().copied().flatten().collect();
                let mut keys = reader.keys(&there)?.into_iter();
                for (hit, number) in hits.iter_mut().zip(numbers) {
                    hit.metrics.push(number.and_then(|_| keys.next()));
                }
            }
            let values = values.clone();
            outcomes.push(Outcome::Hits(Hits { total: best.total, max_score: best.max_score, hits, values }));
        }
        Ok(outcomes)
    }
}

/// The order of two hits, of one index or of several.
pub(in crate::aggregate) fn compare_hits(order: &[HitOrder], left: &Hit, right: &Hit) -> Ordering {
    if order.is_empty() {
        let by_score = right.score.unwrap_or(0.0).total_cmp(&left.score.unwrap_or(0.0));
        return by_score.then_with(|| place_of(left).cmp(&place_of(right)));
    }
    for (at, criterion) in order.iter().enumerate() {
        let value = |hit: &'_ Hit| hit.sort.get(at).cloned().flatten();
        let ordering = match (value(left), value(right)) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) if criterion.missing_first => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) if criterion.missing_first => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(left), Some(right)) if criterion.descending => right.cmp(&left),
            (Some(left), Some(right)) => left.cmp(&right),
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    place_of(left).cmp(&place_of(right))
}

fn place_of(hit: &Hit) -> (usize, u32, u32) {
    (hit.index_ord, hit.segment_ord, hit.doc_id)
}
