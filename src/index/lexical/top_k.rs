//! The best documents of a union of terms: what a query of plain words asks for.
//!
//! A segment is read in windows of documents, term at a time into an accumulator, as Lucene's `BooleanScorer` does, with
//! MaxScore's split of the terms (Turtle and Flood 1995): once `depth` documents are known, terms that cannot lift a document
//! over the worst of them by themselves are looked up only for the documents that other terms found. Scores are summed in
//! double precision, so that the order of terms changes nothing. Hits are not counted.

use tantivy::postings::BlockSegmentPostings;
use tantivy::{DocAddress, DocId, TERMINATED};

use super::bm25::{self, LENGTH_WITHOUT_NORMS};
use super::collector::Collector;
use crate::index::TimeLimit;

/// Documents read at a time: the accumulator's 16 KiB stay in the first-level cache.
const WINDOW: u32 = 2048;
/// Windows between two looks at the clock.
const WINDOWS_A_LOOK: u32 = if cfg!(test) { 1 } else { 16 };
/// Postings of a block, fixed by Tantivy's format.
const BLOCK: usize = 128;
/// Looking up a document in a posting list costs about as much as adding this many postings in order.
const LOOKUP_COST: usize = 12;

/// A document and its score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoredDoc {
    /// Larger is better.
    pub score: f32,
    /// Where it lies in the snapshot.
    pub address: DocAddress,
}

/// A segment with the terms to look for.
pub struct UnionSegment<'a> {
    /// Its number in the snapshot.
    pub segment_ord: u32,
    /// Its documents, deleted ones included.
    pub max_doc: u32,
    /// The terms that it has.
    pub terms: Vec<UnionTerm<'a>>,
    /// Whether a document may be found: not deleted, and passes the filter.
    pub accepts: &'a dyn Fn(DocId) -> bool,
}

/// A term of the union in one segment.
pub struct UnionTerm<'a> {
    postings: BlockSegmentPostings,
    /// Index into the current block of the first posting not yet added.
    next: usize,
    doc_freq: u32,
    has_freqs: bool,
    weight: f32,
    norm_inverses: &'a [f32; 256],
    lengths: &'a [u8],
    clauses: u64,
}

impl std::fmt::Debug for UnionTerm<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnionTerm")
            .field("doc_freq", &self.doc_freq)
            .field("weight", &self.weight)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for UnionSegment<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnionSegment")
            .field("segment_ord", &self.segment_ord)
            .field("terms", &self.terms)
            .finish_non_exhaustive()
    }
}

impl<'a> UnionTerm<'a> {
    /// * `postings`: at its start; with frequencies where the field has them.
    /// * `weight`: see [`bm25::FieldStatistics::weight`]; at least 0.
    /// * `lengths`: a coded length for each document; empty for a field without norms.
    /// * `clauses`: a bit for each clause of the query that the term satisfies; only read where more than one must match.
    /// * `has_freqs`: whether frequencies count; then `postings` have them.
    pub fn new(
        postings: BlockSegmentPostings,
        weight: f32,
        norm_inverses: &'a [f32; 256],
        lengths: &'a [u8],
        clauses: u64,
        has_freqs: bool,
    ) -> Self {
        let doc_freq = postings.doc_freq();
        Self { postings, next: 0, doc_freq, has_freqs, weight, norm_inverses, lengths, clauses }
    }

    fn next_doc(&self) -> DocId {
        self.postings.docs().get(self.next).copied().unwrap_or(TERMINATED)
    }

    /// Adds the scores of all postings from `window_start` up to `window_end`, and calls `mark(offset in the window)` for each.
    #[inline]
    fn add_window(&mut self, window_start: DocId, window_end: DocId, sums: &mut [f64], mut mark: impl FnMut(usize)) {
        loop {
            let docs = self.postings.docs();
            let Some(&last) = docs.last() else { return };
            let block_end = if last < window_end { docs.len() } else { docs.partition_point(|&doc| doc < window_end) };
            if self.next < block_end {
                let scores = self.block_scores(self.next, block_end);
                for (&doc, &score) in docs[self.next..block_end].iter().zip(&scores) {
                    let offset = (doc - window_start) as usize;
                    sums[offset] += f64::from(score);
                    mark(offset);
                }
            }
            if last >= window_end {
                self.next = block_end;
                return;
            }
            self.postings.advance();
            self.next = 0;
        }
    }

    /// The scores of the current block's postings `start..end`, in the first places of the answer.
    ///
    /// PERF: two passes, so that the division runs over vectors.
    #[inline]
    fn block_scores(&self, start: usize, end: usize) -> [f32; BLOCK] {
        let mut scores = [0.0; BLOCK];
        let docs = &self.postings.docs()[start..end];
        let one_length = self.norm_inverses[usize::from(LENGTH_WITHOUT_NORMS)];
        match (self.has_freqs, self.lengths.is_empty()) {
            (false, true) => {
                scores[..docs.len()].fill(bm25::score(self.weight, one_length, 1.0));
                return scores;
            }
            (false, false) => {
                for (saturated, &doc) in scores.iter_mut().zip(docs) {
                    *saturated = self.norm_inverses[usize::from(self.lengths[doc as usize])];
                }
            }
            (true, true) => {
                let freqs = &self.postings.freqs()[start..end];
                for (saturated, &freq) in scores.iter_mut().zip(freqs) {
                    *saturated = one_length * freq as f32;
                }
            }
            (true, false) => {
                let freqs = &self.postings.freqs()[start..end];
                for ((saturated, &doc), &freq) in scores.iter_mut().zip(docs).zip(freqs) {
                    *saturated = self.norm_inverses[usize::from(self.lengths[doc as usize])] * freq as f32;
                }
            }
        }
        for saturated in &mut scores[..docs.len()] {
            *saturated = self.weight - self.weight / (1.0 + *saturated);
        }
        scores
    }

    /// The score of one document, 0 where the term is not in it. Documents must be asked for in ascending order.
    fn score_of(&mut self, doc: DocId) -> f32 {
        let at = self.postings.seek(doc);
        self.next = at;
        if self.postings.doc(at) != doc {
            return 0.0;
        }
        self.block_scores(at, at + 1)[0]
    }

    /// Moves to the first posting at or after `doc`, which may skip blocks.
    fn skip_to(&mut self, doc: DocId) {
        if self.next_doc() < doc {
            self.next = self.postings.seek(doc);
        }
    }

    /// Whether every score is above 0 even in the longest document, so that a sum of 0 means that no term was found.
    fn always_positive(&self) -> bool {
        bm25::score(self.weight, self.norm_inverses[255], 1.0) > 0.0
    }
}

/// Finds the best `depth` documents that match at least `minimum_should_match` clauses (0 and 1 both mean any).
///
/// Ordered by score descending, then by address. With more than one clause required, at most 64 clauses can be told apart. When the time
/// is up, the best of what was read until then.
pub fn top_k<'a>(
    segments: impl IntoIterator<Item = UnionSegment<'a>>,
    depth: usize,
    minimum_should_match: u32,
    time_limit: &TimeLimit,
) -> Vec<ScoredDoc> {
    let mut collector = Collector::new(depth);
    let mut clock = Clock { time_limit, num_windows: 0 };
    let mut scratch = Scratch::default();
    for mut segment in segments {
        segment.terms.retain(|term| term.doc_freq > 0);
        if minimum_should_match > 1 {
            collect_counting(&mut segment, minimum_should_match, &mut scratch, &mut collector, &mut clock);
        } else if is_dense(&segment) {
            collect_union::<true>(&mut segment, &mut scratch, &mut collector, &mut clock);
        } else {
            collect_union::<false>(&mut segment, &mut scratch, &mut collector, &mut clock);
        }
    }
    collector.into_sorted()
}

/// Looks at the time now and then.
struct Clock<'a> {
    time_limit: &'a TimeLimit,
    num_windows: u32,
}

impl Clock<'_> {
    /// Whether the time is up; called once a window.
    fn is_up(&mut self) -> bool {
        self.num_windows = self.num_windows.wrapping_add(1);
        self.num_windows.is_multiple_of(WINDOWS_A_LOOK) && self.time_limit.is_up()
    }
}

/// Whether windows are full enough that looking at every sum beats remembering which were touched.
fn is_dense(segment: &UnionSegment<'_>) -> bool {
    let postings: u64 = segment.terms.iter().map(|term| u64::from(term.doc_freq)).sum();
    postings * 8 >= u64::from(segment.max_doc) && segment.terms.iter().all(UnionTerm::always_positive)
}

/// Memory of a search, reused from window to window. All zero between windows.
struct Scratch {
    sums: Vec<f64>,
    touched: Vec<u64>,
    clauses: Vec<u64>,
    candidates: Vec<u32>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            sums: vec![0.0; WINDOW as usize],
            touched: vec![0; WINDOW as usize / 64],
            clauses: Vec::new(),
            candidates: Vec::with_capacity(WINDOW as usize),
        }
    }
}

/// `DENSE`: candidates are the sums above 0; else the touched bits.
fn collect_union<const DENSE: bool>(
    segment: &mut UnionSegment<'_>,
    scratch: &mut Scratch,
    collector: &mut Collector,
    clock: &mut Clock<'_>,
) {
    segment.terms.sort_by(|left, right| left.weight.total_cmp(&right.weight));
    // bounds[i] is the most that the first i terms can give together.
    let mut bounds = vec![0.0_f64; segment.terms.len() + 1];
    for (idx, term) in segment.terms.iter().enumerate() {
        bounds[idx + 1] = bounds[idx] + f64::from(term.weight);
    }
    let mut num_optional = 0;
    while !clock.is_up() {
        while num_optional < segment.terms.len() && bounds[num_optional + 1] <= collector.threshold() {
            num_optional += 1;
        }
        let (optional, essential) = segment.terms.split_at_mut(num_optional);
        let next_doc = essential.iter().map(UnionTerm::next_doc).min().unwrap_or(TERMINATED);
        if next_doc >= segment.max_doc {
            return;
        }
        let window_start = next_doc - next_doc % WINDOW;
        let window_end = segment.max_doc.min(window_start + WINDOW);
        for term in essential {
            if DENSE {
                term.add_window(window_start, window_end, &mut scratch.sums, |_| {});
            } else {
                let touched = &mut scratch.touched;
                term.add_window(window_start, window_end, &mut scratch.sums, |at| touched[at / 64] |= 1 << (at % 64));
            }
        }
        let window = Window { start: window_start, end: window_end, segment_ord: segment.segment_ord };
        find_candidates::<DENSE>(scratch, collector.threshold() - bounds[num_optional]);
        scratch.candidates.retain(|&offset| (segment.accepts)(window_start + offset));
        add_optional(optional, &bounds, window, segment.max_doc, scratch, collector.threshold());
        for &offset in &scratch.candidates {
            collector.offer(scratch.sums[offset as usize], window.address(offset));
        }
        scratch.sums.fill(0.0);
        if !DENSE {
            scratch.touched.fill(0);
        }
    }
}

#[derive(Clone, Copy)]
struct Window {
    start: DocId,
    end: DocId,
    segment_ord: u32,
}

impl Window {
    fn address(self, offset: u32) -> DocAddress {
        DocAddress::new(self.segment_ord, self.start + offset)
    }
}

/// Lists the offsets whose sums exceed `at_least`.
fn find_candidates<const DENSE: bool>(scratch: &mut Scratch, at_least: f64) {
    scratch.candidates.clear();
    if !DENSE {
        for (&word, base) in scratch.touched.iter().zip((0_u32..).step_by(64)) {
            let mut rest = word;
            while rest != 0 {
                let offset = base + rest.trailing_zeros();
                rest &= rest - 1;
                if scratch.sums[offset as usize] > at_least {
                    scratch.candidates.push(offset);
                }
            }
        }
        return;
    }
    let at_least = at_least.max(0.0);
    for (sums, base) in scratch.sums.chunks_exact(8).zip((0_u32..).step_by(8)) {
        // PERF: most groups of eight have nothing; the maximum is found without branches.
        if sums.iter().fold(0.0_f64, |most, &sum| if sum > most { sum } else { most }) > at_least {
            scratch.candidates.extend((base..).zip(sums).filter(|&(_, &sum)| sum > at_least).map(|(offset, _)| offset));
        }
    }
}

/// Adds the optional terms' scores to the candidates, the weightiest first, and drops those that can no longer win.
fn add_optional(
    optional: &mut [UnionTerm<'_>],
    bounds: &[f64],
    window: Window,
    max_doc: u32,
    scratch: &mut Scratch,
    threshold: f64,
) {
    for (idx, term) in optional.iter_mut().enumerate().rev() {
        let sums = &mut scratch.sums;
        scratch.candidates.retain(|&offset| sums[offset as usize] + bounds[idx + 1] > threshold);
        if scratch.candidates.is_empty() {
            return;
        }
        let postings_a_window = term.doc_freq as usize * WINDOW as usize / max_doc as usize;
        if scratch.candidates.len() * LOOKUP_COST > postings_a_window {
            term.skip_to(window.start);
            term.add_window(window.start, window.end, sums, |_| {});
        } else {
            for &offset in &scratch.candidates {
                sums[offset as usize] += f64::from(term.score_of(window.start + offset));
            }
        }
    }
}

/// Reads every posting and counts clauses; for queries of which more than one word must match.
fn collect_counting(
    segment: &mut UnionSegment<'_>,
    minimum_should_match: u32,
    scratch: &mut Scratch,
    collector: &mut Collector,
    clock: &mut Clock<'_>,
) {
    scratch.clauses.resize(WINDOW as usize, 0);
    while !clock.is_up() {
        let next_doc = segment.terms.iter().map(UnionTerm::next_doc).min().unwrap_or(TERMINATED);
        if next_doc >= segment.max_doc {
            return;
        }
        let window_start = next_doc - next_doc % WINDOW;
        let window_end = segment.max_doc.min(window_start + WINDOW);
        let window = Window { start: window_start, end: window_end, segment_ord: segment.segment_ord };
        for term in &mut segment.terms {
            let (satisfied, clauses) = (term.clauses, &mut scratch.clauses);
            term.add_window(window_start, window_end, &mut scratch.sums, |at| clauses[at] |= satisfied);
        }
        for (offset, clauses) in (0_u32..).zip(&scratch.clauses) {
            if clauses.count_ones() >= minimum_should_match && (segment.accepts)(window_start + offset) {
                collector.offer(scratch.sums[offset as usize], window.address(offset));
            }
        }
        scratch.sums.fill(0.0);
        scratch.clauses.fill(0);
    }
}
