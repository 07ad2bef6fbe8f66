//! Exact search: every allowed vector is looked at, and the answer is that of a comparison with each of them.
//!
//! Where int8 codes exist, a first pass reads only those. Each gives an interval that holds the exact key (see
//! `quantize.rs`). The k-th largest lower end over documents is a floor; vectors whose upper end reaches it are the only ones
//! that can belong to the answer, and are looked at again in the finest copy, most promising first. Large scans are split
//! over rayon's threads.

use std::ops::Range;

use rayon::prelude::*;
use tantivy::fastfield::AliveBitSet;
use tantivy::{DocAddress, DocId};

use super::distance::{Kernels, kernels};
use super::field::{Coarse, FieldVectors};
use super::params::Similarity;
use super::quantize::PreparedQuery;
use crate::index::TimeLimit;

/// Scans that read at least this many bytes are split over threads. Two threads took about as long as one for half of it
/// (`benches/dense.rs`), and searches that come at once use the cores better whole. Tests split small scans, too.
const PARALLEL_BYTES: usize = if cfg!(test) { 1 << 18 } else { 8 << 20 };
/// Rows a call of the integer kernel, so that its results stay in the first-level cache.
const BLOCK: usize = 64;
/// Blocks between two looks at the clock: well under a millisecond.
const BLOCKS_A_LOOK: usize = if cfg!(test) { 1 } else { 64 };
/// Rows that are looked at more closely, or not, together.
const CHUNK: usize = 16;

/// How many rows ahead the finest copy is asked for: rows lie apart, and the wait for one is that of a few distances.
pub(crate) const PREFETCH_ROWS: usize = 4;

/// A segment's part of a scan.
pub(crate) struct Task<'a> {
    pub(crate) segment_ord: u32,
    pub(crate) field: &'a FieldVectors,
    pub(crate) allowed: Allowed<'a>,
}

/// Which vectors of a segment may be returned.
pub(crate) enum Allowed<'a> {
    /// Those of documents that are not deleted (`None`: none is).
    Alive(Option<&'a AliveBitSet>),
    /// These ordinals, ascending.
    Listed(Vec<u32>),
}

/// A document with its best vector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scored {
    pub(crate) address: DocAddress,
    pub(crate) ordinal: u32,
    /// See [`FieldVectors::key`].
    pub(crate) key: f32,
}

/// How much work a search was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// Vectors compared with the query, in any copy.
    pub(crate) scored: u64,
    /// Of the finest copy, after a coarser one.
    pub(crate) rescored: u64,
}

/// The `depth` documents with the largest keys, best first, ties by address; only keys of at least `least` are sought, up to
/// rounding. When the time is up, of the vectors that were looked at until then.
pub(crate) fn search(
    tasks: &[Task<'_>],
    query: &PreparedQuery,
    depth: usize,
    least: f32,
    time_limit: &TimeLimit,
) -> (Vec<Scored>, Work) {
    let bytes: usize = tasks.iter().map(Task::num_bytes).sum();
    let num_pieces = if bytes < PARALLEL_BYTES { 1 } else { rayon::current_num_threads() };
    search_in_pieces(tasks, query, depth, least, num_pieces, time_limit)
}

fn search_in_pieces(
    tasks: &[Task<'_>],
    query: &PreparedQuery,
    depth: usize,
    least: f32,
    num_pieces: usize,
    time_limit: &TimeLimit,
) -> (Vec<Scored>, Work) {
    let pieces = split(tasks, num_pieces);
    let scan = |piece: &Piece<'_>| {
        let mut scan = Scan::new(depth, least);
        scan_piece(piece, query, &mut scan, time_limit);
        scan.finish()
    };
    let scans: Vec<Scan> =
        if num_pieces > 1 { pieces.par_iter().map(scan).collect() } else { pieces.iter().map(scan).collect() };
    let mut work = Work { scored: scans.iter().map(|scan| scan.scored).sum(), rescored: 0 };

    let mut floor = Floor::new(depth, least, depth);
    scans.iter().flat_map(|scan| &scan.floor.lows).for_each(|&low| floor.offer(low));
    floor.tighten();
    let mut found: Vec<(Found, &Piece<'_>)> = scans
        .iter()
        .zip(&pieces)
        .flat_map(|(scan, piece)| scan.found.iter().map(move |found| (*found, piece)))
        .filter(|(found, _)| found.upper >= floor.least)
        .collect();
    found.sort_unstable_by(|(a, _), (b, _)| b.upper.total_cmp(&a.upper));
    (rescore(&found, query, depth, &mut work), work)
}

/// Looks at the finest copy of the vectors found, most promising first, until no further one can enter.
fn rescore(found: &[(Found, &Piece<'_>)], query: &PreparedQuery, depth: usize, work: &mut Work) -> Vec<Scored> {
    let mut scored: Vec<Scored> = Vec::with_capacity(found.len().min(4 * depth));
    let multi = found.iter().any(|(_, piece)| piece.task.field.params.multi);
    let mut seen = std::collections::HashSet::new();
    // A short lag: what it saves is less than looking at a row.
    let mut floor = Floor::new(depth, f32::NEG_INFINITY, 1 + depth / 16);
    for (place, (candidate, piece)) in found.iter().enumerate() {
        if candidate.upper < floor.least {
            break;
        }
        if let Some((soon, piece)) = found.get(place + PREFETCH_ROWS)
            && piece.task.field.coarse().is_some()
        {
            piece.task.field.prefetch(soon.ordinal as usize);
        }
        let field = piece.task.field;
        let ordinal = candidate.ordinal as usize;
        let key = if field.coarse().is_some() {
            work.rescored += 1;
            field.key(query, ordinal)
        } else {
            candidate.upper
        };
        let address = DocAddress::new(piece.task.segment_ord, field.docs()[ordinal]);
        // The first key of a document, though maybe not its best, is a lower end for it.
        if !multi || seen.insert(address) {
            floor.offer(key);
        }
        scored.push(Scored { address, ordinal: candidate.ordinal, key });
    }
    best(scored, depth)
}

/// One entry a document, its best; the `depth` best of them, best first, ties by address.
pub(crate) fn best(mut scored: Vec<Scored>, depth: usize) -> Vec<Scored> {
    let by_document = |a: &Scored, b: &Scored| {
        a.address.cmp(&b.address).then(b.key.total_cmp(&a.key)).then(a.ordinal.cmp(&b.ordinal))
    };
    scored.sort_unstable_by(by_document);
    scored.dedup_by_key(|scored| scored.address);
    scored.sort_unstable_by(|a, b| b.key.total_cmp(&a.key).then(a.address.cmp(&b.address)));
    scored.truncate(depth);
    scored
}

/// A stretch of a task, for one thread. A document's vectors are never split.
struct Piece<'a> {
    task: &'a Task<'a>,
    /// Of ordinals, or of places in the list.
    range: Range<usize>,
}

/// Cuts the tasks into about `num_pieces` of about the same size, and at least one a task.
fn split<'a>(tasks: &'a [Task<'a>], num_pieces: usize) -> Vec<Piece<'a>> {
    let total: usize = tasks.iter().map(Task::num_bytes).sum();
    let share = total.div_ceil(num_pieces.max(1)).max(1);
    let mut pieces = Vec::new();
    for task in tasks {
        let len = task.len();
        let parts = task.num_bytes().div_ceil(share).max(1);
        let mut start = 0;
        for part in 1..=parts {
            let mut end = len * part / parts;
            while end > start && end < len && task.doc(end - 1) == task.doc(end) {
                end += 1;
            }
            if end > start {
                pieces.push(Piece { task, range: start..end });
                start = end;
            }
        }
    }
    pieces
}

impl Task<'_> {
    /// Vectors to look at.
    fn len(&self) -> usize {
        match &self.allowed {
            Allowed::Alive(_) => self.field.len(),
            Allowed::Listed(ordinals) => ordinals.len(),
        }
    }

    /// What a scan of them reads.
    fn num_bytes(&self) -> usize {
        let width = if self.field.coarse().is_some() { 1 } else { 4 };
        self.len() * self.field.params.dims * width
    }

    /// The document at a place of the scan.
    fn doc(&self, place: usize) -> DocId {
        let ordinal = match &self.allowed {
            Allowed::Alive(_) => place,
            Allowed::Listed(ordinals) => ordinals[place] as usize,
        };
        self.field.docs()[ordinal]
    }
}

fn scan_piece(piece: &Piece<'_>, query: &PreparedQuery, scan: &mut Scan, time_limit: &TimeLimit) {
    let mut num_blocks = 0_usize;
    let mut is_up = || {
        num_blocks += 1;
        num_blocks.is_multiple_of(BLOCKS_A_LOOK) && time_limit.is_up()
    };
    let block = BlockScan { field: piece.task.field, query, kernels: kernels() };
    match &piece.task.allowed {
        Allowed::Alive(alive) => {
            let mut start = piece.range.start;
            while start < piece.range.end && !is_up() {
                let end = (start + BLOCK).min(piece.range.end);
                block.run(start..end, *alive, scan);
                start = end;
            }
        }
        Allowed::Listed(ordinals) => {
            let mut rest = &ordinals[piece.range.clone()];
            while let Some(&first) = rest.first()
                && !is_up()
            {
                let run = rest.iter().zip(first..).take(BLOCK).take_while(|(ordinal, next)| *ordinal == next).count();
                block.run(first as usize..first as usize + run, None, scan);
                rest = &rest[run..];
            }
        }
    }
}

struct BlockScan<'a> {
    field: &'a FieldVectors,
    query: &'a PreparedQuery,
    kernels: &'static Kernels,
}

impl BlockScan<'_> {
    /// Offers the vectors of at most [`BLOCK`] consecutive ordinals.
    #[inline]
    fn run(&self, range: Range<usize>, alive: Option<&AliveBitSet>, scan: &mut Scan) {
        let docs = &self.field.docs()[range.clone()];
        scan.scored += range.len() as u64;
        let Some(coarse) = self.field.coarse() else {
            for (&doc, ordinal) in docs.iter().zip(range) {
                if alive.is_none_or(|alive| alive.is_alive(doc)) {
                    let key = self.field.key(self.query, ordinal);
                    scan.offer(doc, ordinal, key, key);
                }
            }
            return;
        };
        let mut dots = [0i32; BLOCK];
        let dots = &mut dots[..range.len()];
        let rows = &coarse.codes[range.start * coarse.dims..range.end * coarse.dims];
        (self.kernels.dot_rows_i16_i8)(&self.query.levels, rows, dots);
        let intervals = self.intervals(&coarse, &range, dots);
        for (place, chunk) in intervals.uppers[..range.len()].chunks(CHUNK).enumerate() {
            // Without branches, so that the compiler makes vector instructions of it; most chunks end here.
            if !chunk.iter().fold(false, |any, &upper| any | (upper >= scan.floor.least)) {
                continue;
            }
            for (place, &upper) in (place * CHUNK..).zip(chunk) {
                if upper >= scan.floor.least && alive.is_none_or(|alive| alive.is_alive(docs[place])) {
                    scan.offer(docs[place], range.start + place, intervals.lowers[place], upper);
                }
            }
        }
    }

    /// Between what the exact keys of a block's vectors lie, given the products of their codes with the query's levels.
    #[inline]
    fn intervals(&self, coarse: &Coarse<'_>, range: &Range<usize>, dots: &[i32]) -> Intervals {
        let mut intervals = Intervals { lowers: [0.0; BLOCK], uppers: [0.0; BLOCK] };
        let Intervals { lowers, uppers } = &mut intervals;
        let errors = coarse.errors.map_or(&[0.0; BLOCK][..range.len()], |errors| &errors[range.clone()]);
        let stored = coarse.norms[range.clone()].iter().zip(errors).zip(&coarse.scales[range.clone()]);
        let rows = lowers.iter_mut().zip(uppers.iter_mut()).zip(dots.iter().zip(stored));
        let query = self.query;
        #[expect(clippy::cast_precision_loss, reason = "the bound's slack covers the rounding")]
        let product = |dot: i32, scale: f32| dot as f32 * (query.step * scale);
        if self.field.params.similarity == Similarity::L2Norm {
            for ((lower, upper), (&dot, ((&norm, &error), &scale))) in rows {
                let estimate = -(query.norm * query.norm - 2.0 * product(dot, scale) + norm * norm);
                let error = query.l2_error(norm, error);
                (*lower, *upper) = (estimate - error, estimate + error);
            }
        } else {
            for ((lower, upper), (&dot, ((&norm, &error), &scale))) in rows {
                let estimate = product(dot, scale);
                let error = query.dot_error(norm, error);
                (*lower, *upper) = (estimate - error, estimate + error);
            }
        }
        intervals
    }
}

/// Of the vectors of a block.
struct Intervals {
    lowers: [f32; BLOCK],
    uppers: [f32; BLOCK],
}

/// A vector that may belong to the answer.
#[derive(Debug, Clone, Copy)]
struct Found {
    upper: f32,
    ordinal: u32,
}

/// What a scan of one piece gathers.
#[derive(Debug)]
struct Scan {
    floor: Floor,
    found: Vec<Found>,
    scored: u64,
    /// The document whose vectors are going by, with the largest lower end so far.
    current: Option<(DocId, f32)>,
}

impl Scan {
    fn new(depth: usize, least: f32) -> Self {
        Self { floor: Floor::new(depth, least, depth.max(64)), found: Vec::new(), scored: 0, current: None }
    }

    /// A vector whose key lies in [lower, upper]; documents come in ascending order.
    #[inline]
    fn offer(&mut self, doc: DocId, ordinal: usize, lower: f32, upper: f32) {
        match &mut self.current {
            Some((current, best)) if *current == doc => *best = best.max(lower),
            current => {
                if let Some((_, low)) = current.replace((doc, lower)) {
                    self.floor.offer(low);
                }
            }
        }
        if upper >= self.floor.least {
            #[expect(clippy::cast_possible_truncation, reason = "ordinals are u32 on disk")]
            let ordinal = ordinal as u32;
            self.found.push(Found { upper, ordinal });
        }
    }

    fn finish(mut self) -> Self {
        if let Some((_, low)) = self.current.take() {
            self.floor.offer(low);
        }
        self.floor.tighten();
        let least = self.floor.least;
        self.found.retain(|found| found.upper >= least);
        self
    }
}

/// A floor under the `depth` largest numbers seen. It is found by selection, from time to time, which costs a fraction of
/// keeping a heap; in between it may lag behind.
#[derive(Debug)]
struct Floor {
    depth: usize,
    /// What a number must reach.
    least: f32,
    /// The largest numbers, and at most `slack` others that came since the last selection.
    lows: Vec<f32>,
    slack: usize,
}

impl Floor {
    /// * `depth`: at least 1.
    /// * `slack`: how many numbers the floor may lag behind, at least 1.
    fn new(depth: usize, least: f32, slack: usize) -> Self {
        Self { depth, least, lows: Vec::with_capacity(depth.saturating_add(slack).min(1 << 14)), slack }
    }

    #[inline]
    fn offer(&mut self, number: f32) {
        if number >= self.least || self.lows.len() < self.depth {
            self.lows.push(number);
            let first = self.lows.len() == self.depth;
            if first || self.lows.len() >= self.depth.saturating_add(self.slack) {
                self.tighten();
            }
        }
    }

    /// Catches up.
    fn tighten(&mut self) {
        if self.lows.len() < self.depth {
            return;
        }
        let (_, &mut low, _) = self.lows.select_nth_unstable_by(self.depth - 1, |a, b| b.total_cmp(a));
        self.lows.truncate(self.depth);
        self.least = self.least.max(low);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tantivy::directory::OwnedBytes;

    use super::*;
    use crate::index::dense::field::NO_SPAN;
    use crate::index::dense::format::{Container, VEC_MAGIC, VecDirectory};
    use crate::index::dense::params::VectorFieldParams;
    use crate::index::dense::write::{FieldToWrite, Part, write_vec_file};

    fn field(docs: Vec<u32>, vectors: &[f32], quantized: bool) -> FieldVectors {
        let params = VectorFieldParams {
            similarity: Similarity::MaxInnerProduct,
            multi: true,
            quantized,
            ..VectorFieldParams::new(vectors.len() / docs.len())
        };
        let spans = vec![NO_SPAN; docs.len()];
        let to_write = FieldToWrite { name: "v".into(), params, docs, spans, parts: vec![Part::New(vectors)] };
        let mut file = Vec::new();
        write_vec_file(&mut file, 1000, &[to_write]).unwrap();
        let (container, directory): (_, VecDirectory) =
            Container::open(OwnedBytes::new(file), VEC_MAGIC, "x.vec".as_ref()).unwrap();
        FieldVectors::open(&container, directory.fields[0].clone(), 1000).unwrap()
    }

    proptest! {
        #[test]
        fn pieces_and_lists_change_nothing(
            docs in prop::collection::vec(0u32..40, 1..120),
            numbers in prop::collection::vec(-4i8..4, 3 * 120),
            quantized: bool, num_pieces in 1usize..9, depth in 1usize..20,
        ) {
            // Small whole numbers: many ties, exact sums.
            let mut docs = docs;
            docs.sort_unstable();
            let vectors: Vec<f32> = numbers[..docs.len() * 3].iter().map(|&x| f32::from(x)).collect();
            let query = PreparedQuery::new(vec![1.0, -2.0, 1.0]);
            let key = |ordinal: usize| vectors[ordinal * 3] - 2.0 * vectors[ordinal * 3 + 1] + vectors[ordinal * 3 + 2];
            let odd = |ordinal: &u32| !ordinal.is_multiple_of(3);
            let all: Vec<Scored> = (0u32..).zip(&docs)
                .map(|(ordinal, &doc)| Scored { address: DocAddress::new(4, doc), ordinal, key: key(ordinal as usize) })
                .collect();
            let field = field(docs.clone(), &vectors, quantized);
            let task = |allowed| [Task { segment_ord: 4, field: &field, allowed }];
            let (got, _) = search_in_pieces(&task(Allowed::Alive(None)), &query, depth, f32::NEG_INFINITY, num_pieces, &TimeLimit::default());
            prop_assert_eq!(got, best(all.clone(), depth));
            let listed: Vec<u32> = (0u32..).take(docs.len()).filter(odd).collect();
            let tasks = task(Allowed::Listed(listed));
            let (got, _) = search_in_pieces(&tasks, &query, depth, f32::NEG_INFINITY, num_pieces, &TimeLimit::default());
            prop_assert_eq!(got, best(all.into_iter().filter(|scored| odd(&scored.ordinal)).collect(), depth));
        }
    }
}
