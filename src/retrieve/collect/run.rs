//! The loop over what matches.

use std::collections::HashMap;

use tantivy::{BitSet, COLLECT_BLOCK_BUFFER_LEN, DocAddress, DocId, SegmentReader, TERMINATED};

use super::columns::{Code, encode_f64};
use super::keys::{FieldCodes, NestedDocs, SegmentKey};
use super::sort::{Direction, SortBy, SortKey, SortValue};
use super::top::{Entry, Top};
use super::{CollectRequest, Collected, CollectedHit, Total, TrackTotal, compare_hits};
use crate::error::{Error, Result};
use crate::index::lexical::collector::Collector;
use crate::retrieve::lexical::Prepared;
use crate::retrieve::query::Query;
use crate::retrieve::{DocLocator, Searcher};

/// How many documents are read between two looks at the clock.
const TICK: u32 = 2048;
/// The same in blocks.
const BLOCKS_A_TICK: u32 = 64;

/// Collects what a request asks for.
///
/// Hits of equal keys or scores come in the order of the segments. A search that was stopped (by the searcher's
/// [`TimeLimit`](crate::index::TimeLimit), by `terminate_after`) says so and has what it saw until then.
///
/// # Errors
/// Those of the query ([`LexicalSearcher::top`](crate::retrieve::lexical::LexicalSearcher::top)); `InvalidInput` where `after` does
/// not fit the order; `Corrupt` when a column is damaged.
pub fn collect(searcher: &Searcher, request: &CollectRequest<'_>) -> Result<Collected> {
    check_after(request)?;
    let post = request.post_filter.map(|filter| searcher.lexical().filter(filter)).transpose()?;
    if let Some(collected) = plain_words(searcher, request, post.as_deref())? {
        return Ok(collected);
    }
    let mut run = Run::new(searcher, request, post.as_deref())?;
    let weight = searcher.lexical().weight(request.query, run.needs_scores)?;
    let mut base = i64::from(request.shard) << 32;
    for (segment_ord, reader) in (0_u32..).zip(searcher.searcher().segment_readers()) {
        if run.is_stopped() && !request.keep_matching {
            break;
        }
        run.segment(&weight, segment_ord, reader, base)?;
        base += i64::from(reader.max_doc());
    }
    weight.check()?;
    run.finish()
}

/// How many documents match, counted no further than asked, without scores.
///
/// * `post`: sets by segment that matches must be in as well.
///
/// # Errors
/// As [`collect`].
pub(super) fn count(
    searcher: &Searcher,
    query: &Query,
    post: Option<&[BitSet]>,
    track: TrackTotal,
) -> Result<(Total, bool)> {
    let limit = track.limit();
    let mut found = 0_u64;
    if track == TrackTotal::No {
        return Ok((Total::default(), false));
    }
    let weight = searcher.lexical().weight(query, false)?;
    let has_limit = searcher.lexical().time_limit().applies();
    let mut buffer = [0; COLLECT_BLOCK_BUFFER_LEN];
    for (segment_ord, reader) in (0_u32..).zip(searcher.searcher().segment_readers()) {
        let roots = searcher.lexical().roots(segment_ord);
        if track == TrackTotal::Exact && post.is_none() && roots.is_none() && !has_limit {
            found += u64::from(weight.count(reader)?);
            continue;
        }
        let (alive, post) = (reader.alive_bitset(), post.map(|post| post.get(segment_ord as usize)));
        let mut scorer = weight.scorer(reader)?;
        let mut ticks = 0_u32;
        loop {
            let filled = scorer.fill_buffer(&mut buffer);
            let counts = |&&doc: &&DocId| {
                alive.is_none_or(|alive| alive.is_alive(doc))
                    && roots.is_none_or(|roots| roots.contains(doc))
                    && post.is_none_or(|post| post.is_some_and(|post| doc < post.max_value() && post.contains(doc)))
            };
            found += buffer.iter().take(filled).filter(counts).count() as u64;
            if found > limit {
                weight.check()?;
                return Ok((Total { value: found, at_least: true }.cut(track), false));
            }
            if filled < buffer.len() {
                break;
            }
            ticks += 1;
            if ticks.is_multiple_of(BLOCKS_A_TICK) && searcher.lexical().time_limit().is_up() {
                return Ok((Total { value: found, at_least: true }, true));
            }
        }
    }
    weight.check()?;
    Ok((Total { value: found, at_least: false }, false))
}

/// The way of plain words ordered by score: the union reads only what can win, and counting is a pass of its own.
fn plain_words(
    searcher: &Searcher,
    request: &CollectRequest<'_>,
    post: Option<&[BitSet]>,
) -> Result<Option<Collected>> {
    let is_plain = request.sort.is_empty()
        && request.after.is_none()
        && request.min_score.is_none()
        && request.terminate_after.is_none()
        && request.collapse.is_none()
        && request.slice.is_none()
        && !request.keep_matching
        && request.depth > 0;
    if !is_plain {
        return Ok(None);
    }
    let Some(top) = searcher.lexical().top_of_words(request.query, request.depth, post)? else { return Ok(None) };
    let hits: Vec<CollectedHit> = top
        .into_iter()
        .map(|found| CollectedHit {
            locator: DocLocator(found.address),
            score: Some(found.score),
            sort: Vec::new(),
            group: None,
        })
        .collect();
    let timed_out = searcher.lexical().time_limit().was_noticed();
    let (total, timed_out) = if timed_out {
        let seen = Total { value: hits.len() as u64, at_least: true };
        (seen.cut(request.track_total), true)
    } else if hits.len() < request.depth {
        let total = Total { value: hits.len() as u64, at_least: false };
        (total.cut(request.track_total), false)
    } else {
        count(searcher, request.query, post, request.track_total)?
    };
    let max_score = hits.first().and_then(|hit| hit.score);
    Ok(Some(Collected { hits, total, max_score, timed_out, ..Collected::default() }))
}

fn check_after(request: &CollectRequest<'_>) -> Result<()> {
    let Some(after) = request.after else { return Ok(()) };
    let expected = request.sort.len().max(1);
    if after.len() == expected {
        return Ok(());
    }
    Err(Error::invalid_input(format!("search_after has {} value(s) but sort has {expected}.", after.len())))
}

/// Whether all that match have the same score, so that the first found are the best.
fn scores_are_equal(query: &Query) -> bool {
    if let Query::Boost(boosted) = query {
        return scores_are_equal(&boosted.query);
    }
    if let Query::Named(named) = query {
        return scores_are_equal(&named.query);
    }
    if let Query::Bool(query) = query {
        return query.must.is_empty() && query.should.is_empty();
    }
    matches!(
        query,
        Query::MatchAll
            | Query::MatchNone
            | Query::ConstantScore(_)
            | Query::Ids(_)
            | Query::Exists(_)
            | Query::Range(_)
            | Query::Terms(_)
    )
}

fn is_match_all(query: &Query) -> bool {
    if let Query::Boost(boosted) = query {
        return is_match_all(&boosted.query);
    }
    if let Query::ConstantScore(inner) = query {
        return is_match_all(inner);
    }
    matches!(query, Query::MatchAll)
}

/// What a search knows between segments.
struct Run<'a> {
    searcher: &'a Searcher,
    request: &'a CollectRequest<'a>,
    post: Option<&'a [BitSet]>,
    needs_scores: bool,
    /// Documents come in the order of the hits.
    in_order: bool,
    order: Order,
    /// Matches that pass the post filter.
    found: u64,
    /// The number of all matches, where it is known without counting.
    known_total: Option<u64>,
    max_score: Option<f32>,
    timed_out: bool,
    terminated_early: bool,
    /// Nothing that is still to come can be a hit or is counted.
    saturated: bool,
    matching: Option<Vec<BitSet>>,
    scores: Option<Vec<Vec<f32>>>,
    nested: Vec<Option<Vec<BitSet>>>,
}

enum Order {
    Score { best: Collector, below: Option<f32> },
    Keys(Vec<CollectedHit>),
    Groups(HashMap<GroupKey, CollectedHit>),
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum GroupKey {
    None,
    Number(u64),
    Text(String),
}

impl GroupKey {
    fn of(value: &SortValue) -> Self {
        match value {
            SortValue::Null => GroupKey::None,
            SortValue::Int(value) => GroupKey::Number(value.cast_unsigned()),
            SortValue::Unsigned(value) => GroupKey::Number(*value),
            SortValue::Float(value) => GroupKey::Number(value.to_bits()),
            SortValue::Text(text) => GroupKey::Text(text.clone()),
            SortValue::Ip(address) => GroupKey::Text(address.to_string()),
        }
    }
}

/// What a segment's loop fills.
enum SegmentOrder {
    Score,
    Keys(KeyedSegment),
    Groups { keyed: KeyedSegment, field: Box<FieldCodes>, best: HashMap<Option<Code>, Entry> },
}

struct KeyedSegment {
    keys: Vec<SegmentKey>,
    top: Top,
    after: Option<(Code, Box<[Code]>)>,
    scratch: Vec<Code>,
}

impl KeyedSegment {
    fn first_key(&mut self, doc: DocId, score: f32) -> Code {
        match self.keys.first() {
            Some(key) => key.key(doc, score, &mut self.scratch),
            None => !encode_f64(f64::from(score)),
        }
    }

    fn rest(&mut self, doc: DocId, score: f32) -> Box<[Code]> {
        let Self { keys, scratch, .. } = self;
        keys.iter().skip(1).map(|key| key.key(doc, score, scratch)).collect()
    }

    /// The document's entry, unless it comes before or at the place to start after.
    fn entry(&mut self, doc: DocId, score: f32, first: Code) -> Option<Entry> {
        if let Some((after, _)) = &self.after
            && first < *after
        {
            return None;
        }
        let rest = self.rest(doc, score);
        let is_after = self.after.as_ref().is_none_or(|(after, others)| (first, &rest) > (*after, others));
        is_after.then_some(Entry { first, rest, doc, score })
    }

    fn offer(&mut self, doc: DocId, score: f32) {
        let first = self.first_key(doc, score);
        if self.top.may_enter(first)
            && let Some(entry) = self.entry(doc, score, first)
        {
            self.top.offer(entry);
        }
    }

    /// The hit of an entry, with its values resolved.
    fn hit(&mut self, segment_ord: u32, entry: &Entry, keeps_score: bool) -> Result<CollectedHit> {
        let Self { keys, scratch, .. } = self;
        let codes = std::iter::once(&entry.first).chain(entry.rest.iter());
        let sort =
            keys.iter().zip(codes).map(|(key, &code)| key.value(entry.doc, code, scratch)).collect::<Result<_>>()?;
        Ok(CollectedHit {
            locator: DocLocator(DocAddress::new(segment_ord, entry.doc)),
            score: keeps_score.then_some(entry.score),
            sort,
            group: None,
        })
    }
}

impl<'a> Run<'a> {
    fn new(searcher: &'a Searcher, request: &'a CollectRequest<'a>, post: Option<&'a [BitSet]>) -> Result<Self> {
        let by_score = request.sort.is_empty();
        let needs_scores = (by_score && request.depth > 0)
            || request.track_scores
            || request.keep_scores
            || request.min_score.is_some()
            || request.sort.iter().any(SortKey::needs_scores);
        let order = if request.collapse.is_some() {
            Order::Groups(HashMap::new())
        } else if by_score {
            let below = match request.after {
                None => None,
                Some([value]) => Some(score_of(value)?),
                Some(_) => return Err(Error::invalid_input("search_after has more values than the score")),
            };
            Order::Score { best: Collector::new(request.depth), below }
        } else {
            Order::Keys(Vec::new())
        };
        let by_doc = request.sort.first().is_some_and(|key| {
            matches!(key.by, SortBy::Doc | SortBy::ShardDoc) && key.direction == Direction::Ascending
        });
        let num_segments = searcher.searcher().segment_readers().len();
        let has_nested = (0_u32..).take(num_segments).any(|ord| searcher.lexical().roots(ord).is_some());
        let counts_all = request.post_filter.is_none()
            && request.min_score.is_none()
            && request.slice.is_none()
            && request.terminate_after.is_none()
            && !has_nested;
        let known_total = (counts_all && is_match_all(request.query)).then(|| searcher.searcher().num_docs());
        Ok(Self {
            searcher,
            request,
            post,
            needs_scores,
            in_order: request.collapse.is_none()
                && !request.track_scores
                && ((by_score && scores_are_equal(request.query)) || by_doc),
            order,
            found: 0,
            known_total,
            max_score: None,
            timed_out: false,
            terminated_early: false,
            saturated: false,
            matching: request.keep_matching.then(Vec::new),
            scores: request.keep_scores.then(Vec::new),
            nested: nested_sets(searcher, request)?,
        })
    }

    fn is_stopped(&self) -> bool {
        self.timed_out || self.terminated_early || self.saturated
    }

    fn segment(&mut self, weight: &Prepared, segment_ord: u32, reader: &SegmentReader, base: i64) -> Result<()> {
        let mut set = self.matching.as_ref().map(|_| BitSet::with_max_value(reader.max_doc()));
        if let Some(scores) = &mut self.scores {
            scores.push(vec![0.0; reader.max_doc() as usize]);
        }
        if !self.is_stopped() {
            let mut segment = self.open_segment(segment_ord, base)?;
            self.read(weight, segment_ord, reader, base, &mut segment, set.as_mut())?;
            self.close_segment(segment_ord, segment)?;
        }
        if let (Some(sets), Some(set)) = (&mut self.matching, set) {
            sets.push(set);
        }
        Ok(())
    }

    fn read(
        &mut self,
        weight: &Prepared,
        segment_ord: u32,
        reader: &SegmentReader,
        base: i64,
        segment: &mut SegmentOrder,
        mut set: Option<&mut BitSet>,
    ) -> Result<()> {
        let request = self.request;
        let roots = self.searcher.lexical().roots(segment_ord);
        let alive = reader.alive_bitset();
        let post = self.post.map(|post| post.get(segment_ord as usize));
        let limit = if self.known_total.is_some() { 0 } else { request.track_total.limit() };
        let mut scorer = weight.scorer(reader)?;
        let mut doc = scorer.doc();
        let mut until_tick = TICK;
        let time_limit = self.searcher.lexical().time_limit();
        while doc != TERMINATED {
            until_tick -= 1;
            if until_tick == 0 {
                until_tick = TICK;
                if time_limit.is_up() {
                    self.timed_out = true;
                    return Ok(());
                }
            }
            let in_slice = request.slice.is_none_or(|slice| {
                let place = u64::try_from(base + i64::from(doc)).unwrap_or(0) & u64::from(u32::MAX);
                place % u64::from(slice.max.max(1)) == u64::from(slice.id)
            });
            if in_slice
                && alive.is_none_or(|alive| alive.is_alive(doc))
                && roots.is_none_or(|roots| roots.contains(doc))
            {
                let score = if self.needs_scores { scorer.score() } else { 0.0 };
                if request.min_score.is_none_or(|least| score >= least) {
                    if let Some(set) = set.as_deref_mut() {
                        set.insert(doc);
                    }
                    if let Some(slot) = self.scores.as_mut().and_then(|scores| scores.last_mut()?.get_mut(doc as usize))
                    {
                        *slot = score;
                    }
                    let passes =
                        post.is_none_or(|post| post.is_some_and(|post| doc < post.max_value() && post.contains(doc)));
                    if passes {
                        self.found += 1;
                        if request.track_scores {
                            self.max_score = Some(self.max_score.map_or(score, |most| most.max(score)));
                        }
                        self.offer(segment, segment_ord, doc, score);
                        if request.terminate_after.is_some_and(|after| self.found >= after) {
                            self.terminated_early = true;
                            return Ok(());
                        }
                        let enough = self.in_order && self.is_full(segment) || request.depth == 0;
                        if enough && self.found > limit && set.is_none() {
                            self.saturated = true;
                            return Ok(());
                        }
                    }
                }
            }
            doc = scorer.advance();
        }
        Ok(())
    }

    /// Whether as many hits are known as are wanted, of documents that come in order.
    fn is_full(&self, segment: &SegmentOrder) -> bool {
        let depth = self.request.depth;
        match (&self.order, segment) {
            (Order::Score { .. }, _) => self.request.after.is_none() && self.found >= depth as u64,
            (Order::Keys(hits), SegmentOrder::Keys(keyed)) => hits.len() + keyed.top.len() >= depth,
            (Order::Keys(_) | Order::Groups(_), _) => false,
        }
    }

    fn offer(&mut self, segment: &mut SegmentOrder, segment_ord: u32, doc: DocId, score: f32) {
        match (segment, &mut self.order) {
            (SegmentOrder::Score, Order::Score { best, below }) => {
                if below.is_none_or(|below| score < below) {
                    best.offer(f64::from(score), DocAddress::new(segment_ord, doc));
                }
            }
            (SegmentOrder::Keys(keyed), _) => keyed.offer(doc, score),
            (SegmentOrder::Groups { keyed, field, best }, _) => {
                let first = keyed.first_key(doc, score);
                let Some(entry) = keyed.entry(doc, score, first) else { return };
                let group = field.code(doc, &mut keyed.scratch);
                best.entry(group)
                    .and_modify(|kept| {
                        if (entry.first, &entry.rest) < (kept.first, &kept.rest) {
                            kept.clone_from(&entry);
                        }
                    })
                    .or_insert(entry);
            }
            (SegmentOrder::Score, Order::Keys(_) | Order::Groups(_)) => {}
        }
    }

    fn open_segment(&self, segment_ord: u32, base: i64) -> Result<SegmentOrder> {
        let request = self.request;
        if matches!(self.order, Order::Score { .. }) {
            return Ok(SegmentOrder::Score);
        }
        let mut keys = Vec::with_capacity(request.sort.len());
        for (nth, key) in request.sort.iter().enumerate() {
            let nested = self.nested_docs(nth, segment_ord)?;
            let base = if matches!(key.by, SortBy::Doc) { base & i64::from(u32::MAX) } else { base };
            keys.push(SegmentKey::open(self.searcher, segment_ord, key, base, nested)?);
        }
        let codes = |values: &[SortValue]| -> Result<Option<(Code, Box<[Code]>)>> {
            if keys.is_empty() {
                return values
                    .first()
                    .map(|value| Ok((!encode_f64(f64::from(score_of(value)?)), Box::default())))
                    .transpose();
            }
            let codes: Vec<Code> =
                keys.iter().zip(values).map(|(key, value)| key.key_of(value)).collect::<Result<_>>()?;
            Ok(codes.split_first().map(|(first, rest)| (*first, rest.into())))
        };
        let after = request.after.map(codes).transpose()?.flatten();
        let limit = match &self.order {
            Order::Keys(hits) if hits.len() >= request.depth => {
                hits.last().map(|worst| codes(&worst.sort)).transpose()?.flatten()
            }
            Order::Keys(_) | Order::Groups(_) | Order::Score { .. } => None,
        };
        let top = Top::new(request.depth, limit);
        let keyed = KeyedSegment { keys, top, after, scratch: Vec::new() };
        Ok(match request.collapse {
            None => SegmentOrder::Keys(keyed),
            Some(field) => {
                let field = FieldCodes::open(self.searcher, segment_ord, field, Direction::Ascending, None)?;
                SegmentOrder::Groups { keyed, field: Box::new(field), best: HashMap::new() }
            }
        })
    }

    fn close_segment(&mut self, segment_ord: u32, segment: SegmentOrder) -> Result<()> {
        let keeps_score = (self.needs_scores && (self.request.sort.is_empty() || self.request.track_scores))
            || self.request.sort.iter().any(SortKey::needs_scores);
        match (segment, &mut self.order) {
            (SegmentOrder::Keys(mut keyed), Order::Keys(hits)) => {
                let top = std::mem::replace(&mut keyed.top, Top::new(0, None));
                for entry in top.into_sorted() {
                    hits.push(keyed.hit(segment_ord, &entry, keeps_score)?);
                }
                hits.sort_by(|a, b| compare_hits(self.request.sort, a, b));
                hits.truncate(self.request.depth);
            }
            (SegmentOrder::Groups { mut keyed, field, best }, Order::Groups(groups)) => {
                for (group, entry) in best {
                    let value = field.value_of(group)?;
                    let mut hit = keyed.hit(segment_ord, &entry, keeps_score)?;
                    let key = GroupKey::of(&value);
                    hit.group = Some(value);
                    let is_better =
                        groups.get(&key).is_none_or(|kept| compare_hits(self.request.sort, &hit, kept).is_lt());
                    if is_better {
                        groups.insert(key, hit);
                    }
                }
            }
            (SegmentOrder::Score | SegmentOrder::Keys(_) | SegmentOrder::Groups { .. }, _) => {}
        }
        Ok(())
    }

    fn nested_docs(&self, nth_key: usize, segment_ord: u32) -> Result<Option<NestedDocs>> {
        let Some(Some(sets)) = self.nested.get(nth_key) else { return Ok(None) };
        let roots = self.searcher.lexical().roots(segment_ord);
        let (Some(matching), Some(roots)) = (sets.get(segment_ord as usize), roots) else { return Ok(None) };
        Ok(Some(NestedDocs { roots: roots.clone(), matching: matching.clone() }))
    }

    fn finish(self) -> Result<Collected> {
        let request = self.request;
        let hits = match self.order {
            Order::Score { best, .. } => {
                let hit = |found: crate::index::lexical::top_k::ScoredDoc| CollectedHit {
                    locator: DocLocator(found.address),
                    score: Some(found.score),
                    sort: Vec::new(),
                    group: None,
                };
                best.into_sorted().into_iter().map(hit).collect()
            }
            Order::Keys(hits) => hits,
            Order::Groups(groups) => {
                let mut hits: Vec<CollectedHit> = groups.into_values().collect();
                hits.sort_by(|a, b| compare_hits(request.sort, a, b).then(a.locator.cmp(&b.locator)));
                hits.truncate(request.depth);
                hits
            }
        };
        // As in Elasticsearch: an order that begins with the score knows the best one without looking at all matches.
        let begins_with_score = request.sort.first().is_none_or(|key| {
            matches!(key.by, SortBy::Score)
                && key.direction == Direction::Descending
                && request.collapse.is_none()
                && !request.track_scores
        });
        let max_score = if begins_with_score { hits.first().and_then(|hit| hit.score) } else { self.max_score };
        let timed_out = self.timed_out || self.searcher.lexical().time_limit().was_noticed();
        let total = match self.known_total {
            Some(total) => Total { value: total, at_least: false },
            None => Total { value: self.found, at_least: self.saturated || timed_out },
        };
        let total = total.cut(request.track_total);
        Ok(Collected {
            hits,
            total,
            max_score,
            timed_out,
            terminated_early: self.terminated_early,
            matching: self.matching,
            scores: self.scores,
        })
    }
}

fn score_of(value: &SortValue) -> Result<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "scores have single precision")]
    let score = value.as_f64().map(|score| score as f32);
    score.ok_or_else(|| Error::invalid_input("search_after has a value that is no number for `_score`"))
}

/// For each key that is ordered by nested documents: those that count, by segment.
fn nested_sets(searcher: &Searcher, request: &CollectRequest<'_>) -> Result<Vec<Option<Vec<BitSet>>>> {
    let sets = |key: &SortKey| -> Result<Option<Vec<BitSet>>> {
        let SortBy::Field(field) = &key.by else { return Ok(None) };
        let Some(nested) = &field.nested else { return Ok(None) };
        searcher.lexical().nested_filter(&nested.path, nested.filter.as_ref()).map(Some)
    };
    request.sort.iter().map(sets).collect()
}
