//! Exact search: every allowed vector is looked at, and the answer is that of a comparison with each of them.
//!
//! Where int8 codes exist, a first pass reads only those. Each gives an interval that holds the exact key (see
//! `quantize.rs`). The k-th largest lower end over documents is a floor; vectors whose upper end reaches it are the only ones
//! that can belong to the answer, and are looked at again in the finest copy, most promising first. Large scans are split
//! over rayon's threads.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use rayon::prelude::*;
use tantivy::fastfield::AliveBitSet;
use tantivy::{DocAddress, DocId};

use super::distance::{Kernels, kernels};
use super::field::FieldVectors;
use super::params::Similarity;
use super::quantize::PreparedQuery;

/// Scans that read at least this many bytes are split over threads; below, waking one up costs more than it saves.
const PARALLEL_BYTES: usize = 1 << 20;
/// Rows a call of the integer kernel, so that its results stay in the first-level cache.
const BLOCK: usize = 64;

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
/// rounding.
pub(crate) fn search(tasks: &[Task<'_>], query: &PreparedQuery, depth: usize, least: f32) -> (Vec<Scored>, Work) {
    let bytes: usize = tasks.iter().map(Task::num_bytes).sum();
    let num_pieces = if bytes < PARALLEL_BYTES { 1 } else { rayon::current_num_threads() };
    search_in_pieces(tasks, query, depth, least, num_pieces)
}

fn search_in_pieces(
    tasks: &[Task<'_>],
    query: &PreparedQuery,
    depth: usize,
    least: f32,
    num_pieces: usize,
) -> (Vec<Scored>, Work) {
    let pieces = split(tasks, num_pieces);
    let scan = |piece: &Piece<'_>| {
        let mut scan = Scan::new(depth, least);
        scan_piece(piece, query, &mut scan);
        scan.finish()
    };
    let scans: Vec<Scan> =
        if num_pieces > 1 { pieces.par_iter().map(scan).collect() } else { pieces.iter().map(scan).collect() };
    let mut work = Work { scored: scans.iter().map(|scan| scan.scored).sum(), rescored: 0 };

    let mut floor = Floor::new(depth, least);
    for scan in &scans {
        scan.floor.lows.iter().for_each(|&Reverse(Ordered(low))| floor.offer(low));
    }
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
    let mut floor = Floor::new(depth, f32::NEG_INFINITY);
    for (found, piece) in found {
        if found.upper < floor.least {
            break;
        }
        let field = piece.task.field;
        let ordinal = found.ordinal as usize;
        let key = if field.coarse().is_some() {
            work.rescored += 1;
            field.key(query, ordinal)
        } else {
            found.upper
        };
        let address = DocAddress::new(piece.task.segment_ord, field.docs()[ordinal]);
        // The first key of a document, though maybe not its best, is a lower end for it.
        if !multi || seen.insert(address) {
            floor.offer(key);
        }
        scored.push(Scored { address, ordinal: found.ordinal, key });
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

fn scan_piece(piece: &Piece<'_>, query: &PreparedQuery, scan: &mut Scan) {
    let block = BlockScan { field: piece.task.field, query, kernels: kernels() };
    match &piece.task.allowed {
        Allowed::Alive(alive) => {
            let mut start = piece.range.start;
            while start < piece.range.end {
                let end = (start + BLOCK).min(piece.range.end);
                block.run(start..end, *alive, scan);
                start = end;
            }
        }
        Allowed::Listed(ordinals) => {
            let mut rest = &ordinals[piece.range.clone()];
            while let Some(&first) = rest.first() {
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
        let scales = &coarse.scales[range.clone()];
        let norms = &coarse.norms[range.clone()];
        let l2 = self.field.params.similarity == Similarity::L2Norm;
        for (place, (&doc, &dot)) in docs.iter().zip(dots.iter()).enumerate() {
            let ordinal = range.start + place;
            let error_norm = coarse.errors.map_or(0.0, |errors| errors[ordinal]);
            #[expect(clippy::cast_precision_loss, reason = "the bound's slack covers the rounding")]
            let estimate = dot as f32 * (self.query.step * scales[place]);
            let (estimate, error) = if l2 {
                let squared = self.query.norm * self.query.norm - 2.0 * estimate + norms[place] * norms[place];
                (-squared, self.query.l2_error(norms[place], error_norm))
            } else {
                (estimate, self.query.dot_error(norms[place], error_norm))
            };
            if estimate + error < scan.floor.least {
                continue;
            }
            if alive.is_none_or(|alive| alive.is_alive(doc)) {
                scan.offer(doc, ordinal, estimate - error, estimate + error);
            }
        }
    }
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
        Self { floor: Floor::new(depth, least), found: Vec::new(), scored: 0, current: None }
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
        let least = self.floor.least;
        self.found.retain(|found| found.upper >= least);
        self
    }
}

/// The `depth` largest numbers seen: the least of them is a floor for all others.
#[derive(Debug)]
struct Floor {
    depth: usize,
    /// What a number must reach.
    least: f32,
    lows: BinaryHeap<Reverse<Ordered>>,
}

impl Floor {
    fn new(depth: usize, least: f32) -> Self {
        Self { depth, least, lows: BinaryHeap::with_capacity((depth + 1).min(1 << 16)) }
    }

    #[inline]
    fn offer(&mut self, number: f32) {
        if self.lows.len() < self.depth {
            self.lows.push(Reverse(Ordered(number)));
        } else if let Some(mut low) = self.lows.peek_mut()
            && number > low.0.0
        {
            *low = Reverse(Ordered(number));
        }
        if self.lows.len() == self.depth
            && let Some(Reverse(Ordered(low))) = self.lows.peek()
        {
            self.least = self.least.max(*low);
        }
    }
}

/// Floats by their total order.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Ordered(f32);

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
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
            let odd = |ordinal: &u32| ordinal % 3 != 0;
            let all: Vec<Scored> = (0u32..).zip(&docs)
                .map(|(ordinal, &doc)| Scored { address: DocAddress::new(4, doc), ordinal, key: key(ordinal as usize) })
                .collect();
            let field = field(docs.clone(), &vectors, quantized);
            let task = |allowed| [Task { segment_ord: 4, field: &field, allowed }];
            let (got, _) = search_in_pieces(&task(Allowed::Alive(None)), &query, depth, f32::NEG_INFINITY, num_pieces);
            prop_assert_eq!(got, best(all.clone(), depth));
            let listed: Vec<u32> = (0..docs.len() as u32).filter(odd).collect();
            let tasks = task(Allowed::Listed(listed));
            let (got, _) = search_in_pieces(&tasks, &query, depth, f32::NEG_INFINITY, num_pieces);
            prop_assert_eq!(got, best(all.into_iter().filter(|scored| odd(&scored.ordinal)).collect(), depth));
        }
    }
}
