//! Searching the vectors of one searcher snapshot.
//!
//! Segments with a graph are walked, the others scanned; a filter that leaves few documents makes a scan the better way there
//! too. Whatever was walked is scored again from the finest copy, so that scores never depend on the way.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rayon::prelude::*;
use tantivy::index::SegmentId;
use tantivy::{BitSet, DocAddress, Searcher, SegmentReader};

use super::exact::{self, Allowed, PREFETCH_ROWS, Scored, Task, Work, best};
use super::field::FieldVectors;
use super::format::{Container, GRAPH_MAGIC};
use super::graph::{FieldGraph, GraphDirectory};
use super::params::{Element, Similarity, VectorFieldParams};
use super::plugin::{GRAPH_EXTENSION, file_name, open_vec_file, read_component};
use super::quantize::PreparedQuery;
use super::value::{check_vector, normalize};
use crate::document::PassageSpan;
use crate::error::{Error, Result};
use crate::index::TimeLimit;

/// The least breadth of a graph walk: below, recall suffers more than time is won.
const MIN_CANDIDATES: usize = 64;
/// A scan reads memory in order and compares only what the filter lets through; a walk jumps, and visits about 1 / selectivity as
/// many nodes. A scan of up to this many vectors per candidate and selectivity is taken to be the faster of the two: on two cores
/// with AVX2 a walk with 100 candidates took as long as the scan of about 20,000 vectors of 384 dimensions
/// (`cargo bench --bench dense -- crossover`).
const SCAN_PER_CANDIDATE: f64 = 200.0;

/// Opened segments, shared by the readers of an index; a segment is closed with the last reader that has it.
#[derive(Debug, Default)]
pub struct DenseCache {
    segments: Mutex<HashMap<SegmentId, Weak<SegmentVectors>>>,
}

/// A segment's vectors and graphs.
#[derive(Debug)]
struct SegmentVectors {
    vectors: Container,
    graphs: Option<Container>,
    fields: Vec<SegmentField>,
    pending: Vec<String>,
}

#[derive(Debug)]
struct SegmentField {
    vectors: Arc<FieldVectors>,
    graph: Option<FieldGraph>,
}

impl DenseCache {
    fn segment(&self, reader: &SegmentReader) -> Result<Arc<SegmentVectors>> {
        let id = reader.segment_id();
        let known = self.segments.lock().unwrap_or_else(PoisonError::into_inner).get(&id).and_then(Weak::upgrade);
        if let Some(segment) = known {
            return Ok(segment);
        }
        // Opened outside of the lock: a graph's checksum takes a while. Two readers may do it at once, one is kept.
        let segment = Arc::new(SegmentVectors::open(reader)?);
        let mut segments = self.segments.lock().unwrap_or_else(PoisonError::into_inner);
        segments.retain(|_, segment| segment.strong_count() > 0);
        segments.insert(id, Arc::downgrade(&segment));
        Ok(segment)
    }
}

impl SegmentVectors {
    fn open(reader: &SegmentReader) -> Result<Self> {
        let (vectors, opened) = open_vec_file(reader)?;
        let file = file_name(reader.segment_id(), GRAPH_EXTENSION);
        let bytes = read_component(reader, GRAPH_EXTENSION)?;
        let (graphs, directory): (_, GraphDirectory) = Container::open(bytes, GRAPH_MAGIC, &file)?;
        if opened.iter().any(|field| field.docs().last().is_some_and(|&doc| doc >= reader.max_doc())) {
            return Err(vectors.corrupt("belongs to another segment"));
        }
        if !directory.graphs.is_empty() {
            graphs.verify()?;
        }
        let mut fields = Vec::new();
        for vectors in opened {
            let entry = directory.graphs.iter().find(|entry| entry.field == vectors.name);
            let graph = entry.map(|entry| FieldGraph::open(&graphs, entry, &vectors)).transpose()?;
            fields.push(SegmentField { vectors, graph });
        }
        Ok(Self { vectors, graphs: Some(graphs), fields, pending: directory.pending })
    }

    fn field(&self, name: &str) -> Option<&SegmentField> {
        self.fields.iter().find(|field| field.vectors.name == name)
    }
}

/// How a dense search looks at segments that have a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DenseMode {
    /// Walks graphs where that is faster; may miss some of the closest documents.
    #[default]
    Auto,
    /// Looks at every vector.
    Exact,
    /// Walks every graph there is, also where a scan is taken to be faster: for measurements. A walk that finds too few documents
    /// still becomes a scan.
    Walk,
}

/// A question to [`DenseReader::search`].
#[derive(Debug, Clone, Copy)]
pub struct DenseQuery<'a> {
    /// The Tantivy field's name.
    pub field: &'a str,
    /// `[dims]`; need not be normalised for cosine.
    pub vector: &'a [f32],
    /// The most documents to return.
    pub depth: usize,
    /// The breadth of graph walks a segment, at least `depth`; `None` lets the reader choose.
    pub num_candidates: Option<usize>,
    /// The documents that may be returned: one bitset a segment, in the searcher's order, each with room for its `max_doc`.
    /// Deleted documents need not be cleared.
    pub filter: Option<&'a [BitSet]>,
    /// Only documents with at least this similarity ([`DenseHit::similarity`]: for `l2_norm` minus the distance).
    pub min_similarity: Option<f32>,
    /// Walk graphs, or not.
    pub mode: DenseMode,
    /// When it is up, the search ends with the closest that it has seen; `None` has no limit.
    pub time_limit: Option<&'a TimeLimit>,
}

impl<'a> DenseQuery<'a> {
    /// The `depth` closest documents, without filter.
    pub fn new(field: &'a str, vector: &'a [f32], depth: usize) -> Self {
        Self {
            field,
            vector,
            depth,
            num_candidates: None,
            filter: None,
            min_similarity: None,
            mode: DenseMode::Auto,
            time_limit: None,
        }
    }
}

/// A document that a dense search found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DenseHit {
    /// The document, in the searched snapshot.
    pub address: DocAddress,
    /// Elasticsearch's `_score` of the similarity ([`Similarity::score`]); larger is closer.
    pub score: f32,
    /// The similarity itself, larger is closer: cosine, dot product, or minus the distance.
    pub similarity: f32,
    /// The document's closest vector: its place in the segment.
    pub ordinal: u32,
    /// The passage of that vector, when the field keeps passages.
    pub span: Option<PassageSpan>,
}

/// What a dense search cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DenseCost {
    /// Vectors compared with the query, in any copy.
    pub vectors_scored: u64,
    /// Of these, compared again in the finest copy.
    pub vectors_rescored: u64,
    /// Segments whose graph was walked.
    pub segments_walked: u32,
    /// Segments that were scanned.
    pub segments_scanned: u32,
}

/// The answer of a dense search.
#[derive(Debug, Clone, PartialEq)]
pub struct DenseHits {
    /// At most `depth`, similarity descending, ties by address.
    pub hits: Vec<DenseHit>,
    /// The work it was.
    pub cost: DenseCost,
}

/// The vectors of a searcher snapshot. Cheap to clone; `Send + Sync`.
#[derive(Clone)]
pub struct DenseReader {
    searcher: Searcher,
    /// The schema's vector fields, read once.
    fields: Arc<[(String, VectorFieldParams)]>,
    segments: Vec<Arc<SegmentVectors>>,
}

impl std::fmt::Debug for DenseReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DenseReader").field("segments", &self.segments).finish_non_exhaustive()
    }
}

impl DenseReader {
    /// Opens the vectors of every segment of a snapshot; those in the cache are shared.
    ///
    /// # Errors
    /// `Corrupt` (naming the file) when a segment's file is damaged, `Io` when it cannot be read.
    pub fn open(searcher: &Searcher, cache: &DenseCache) -> Result<Self> {
        let segments = searcher.segment_readers().iter().map(|reader| cache.segment(reader)).collect::<Result<_>>()?;
        let fields = VectorFieldParams::fields_of(searcher.schema())?;
        let fields = fields.into_iter().map(|(_, name, params)| (name, params)).collect();
        Ok(Self { searcher: searcher.clone(), fields, segments })
    }

    /// The documents whose vectors are closest to the query's, best first; a document counts with its closest vector.
    ///
    /// Without graphs, or with [`DenseMode::Exact`], the answer is exact. With them it may miss documents, and holds at least
    /// `depth` of those that the filter allows if there are as many.
    ///
    /// # Errors
    /// `NotFound` when the schema has no such vector field; `InvalidInput` when the vector has other dimensions, holds NaN or
    /// infinity, or has a length that the field's similarity refuses.
    pub fn search(&self, query: &DenseQuery<'_>) -> Result<DenseHits> {
        let params = self.params(query.field)?;
        let prepared = prepare(query.vector, params).map_err(|error| error.in_field(query.field))?;
        self.check_filter(query.filter)?;
        if query.depth == 0 {
            return Ok(DenseHits { hits: Vec::new(), cost: DenseCost::default() });
        }
        let least = query.min_similarity.map_or(f32::NEG_INFINITY, |least| loosened(params.similarity, least));
        let (walks, tasks) = self.divide(query);
        let no_limit = TimeLimit::default();
        let time_limit = query.time_limit.unwrap_or(&no_limit);
        let walked = run(&walks, |walk| walk.run(&prepared, query, time_limit))?;

        let mut scans = tasks;
        let mut cost = DenseCost::default();
        let mut scored = Vec::new();
        for (walk, outcome) in walks.iter().zip(walked) {
            cost.vectors_scored += outcome.work.scored;
            cost.vectors_rescored += outcome.work.rescored;
            match outcome.scored {
                Some(found) => {
                    cost.segments_walked += 1;
                    scored.extend(found);
                }
                None => scans.push(walk.scan()),
            }
        }
        cost.segments_scanned = u32::try_from(scans.len()).unwrap_or(u32::MAX);
        let (found, work) = exact::search(&scans, &prepared, query.depth, least, time_limit);
        cost.vectors_scored += work.scored;
        cost.vectors_rescored += work.rescored;
        if scored.is_empty() {
            scored = found;
        } else {
            scored.extend(found);
            scored = best(scored, query.depth);
        }
        let hits = scored.into_iter().map(|scored| self.hit(query.field, params.similarity, scored));
        let hits = hits.filter(|hit| query.min_similarity.is_none_or(|least| hit.similarity >= least)).collect();
        Ok(DenseHits { hits, cost })
    }

    /// How many vectors of alive documents the field has; 0 when there is no such field.
    pub fn num_vectors(&self, field: &str) -> u64 {
        let count = |(reader, segment): (&SegmentReader, &Arc<SegmentVectors>)| {
            let Some(field) = segment.field(field) else { return 0 };
            match reader.alive_bitset() {
                None => field.vectors.len(),
                Some(alive) => field.vectors.docs().iter().filter(|&&doc| alive.is_alive(doc)).count(),
            }
        };
        self.searcher.segment_readers().iter().zip(&self.segments).map(|pair| count(pair) as u64).sum()
    }

    /// Whether a segment has a graph of the field, so that a search may walk it and miss documents.
    pub fn has_graph(&self, field: &str) -> bool {
        self.segments.iter().filter_map(|segment| segment.field(field)).any(|field| field.graph.is_some())
    }

    /// A document's vectors as stored (normalised for cosine, rounded to the field's element), with their passages.
    pub fn vectors(&self, field: &str, address: DocAddress) -> Vec<(Vec<f32>, Option<PassageSpan>)> {
        let Some(field) = self.segments.get(address.segment_ord as usize).and_then(|segment| segment.field(field))
        else {
            return Vec::new();
        };
        let read = |ordinal| {
            let mut vector = Vec::new();
            field.vectors.decode(ordinal, &mut vector);
            (vector, field.vectors.span(ordinal))
        };
        field.vectors.ordinals(address.doc_id).map(read).collect()
    }

    /// The similarity of one document to the query, whatever its rank: for explanations. `None` when it has no vector.
    ///
    /// # Errors
    /// As [`DenseReader::search`].
    pub fn explain(&self, field: &str, vector: &[f32], address: DocAddress) -> Result<Option<DenseHit>> {
        let params = self.params(field)?;
        let query = prepare(vector, params).map_err(|error| error.in_field(field))?;
        let segment = self.segments.get(address.segment_ord as usize);
        let Some(found) = segment.and_then(|segment| segment.field(field)) else { return Ok(None) };
        let scored = found.vectors.ordinals(address.doc_id).filter_map(|ordinal| {
            Some(Scored { address, ordinal: u32::try_from(ordinal).ok()?, key: found.vectors.key(&query, ordinal) })
        });
        let scored = best(scored.collect(), 1);
        Ok(scored.first().map(|scored| self.hit(field, params.similarity, *scored)))
    }

    /// The segments that are large enough for a graph and have none yet: what to give to `IndexWriter::merge`, one by one.
    pub fn segments_without_graph(&self) -> Vec<SegmentId> {
        let pairs = self.searcher.segment_readers().iter().zip(&self.segments);
        pairs.filter(|(_, segment)| !segment.pending.is_empty()).map(|(reader, _)| reader.segment_id()).collect()
    }

    /// Bytes of the mapped files, and bytes of memory kept beside them.
    pub fn num_bytes(&self) -> (usize, usize) {
        let mapped = |segment: &Arc<SegmentVectors>| {
            segment.vectors.num_bytes() + segment.graphs.as_ref().map_or(0, Container::num_bytes)
        };
        let graphs = self.segments.iter().flat_map(|segment| &segment.fields).filter_map(|field| field.graph.as_ref());
        (self.segments.iter().map(mapped).sum(), graphs.map(FieldGraph::memory_bytes).sum())
    }

    /// Reads every file and compares its checksum.
    ///
    /// # Errors
    /// `Corrupt`, naming the first file that differs.
    pub fn verify(&self) -> Result<()> {
        for segment in &self.segments {
            segment.vectors.verify()?;
            segment.graphs.as_ref().map_or(Ok(()), Container::verify)?;
        }
        Ok(())
    }

    fn params(&self, field: &str) -> Result<&VectorFieldParams> {
        let found = self.fields.iter().find(|(name, _)| name == field);
        found
            .map(|(_, params)| params)
            .ok_or_else(|| Error::not_found("there is no vector field of this name in the index").in_field(field))
    }

    fn check_filter(&self, filter: Option<&[BitSet]>) -> Result<()> {
        let Some(filter) = filter else { return Ok(()) };
        let readers = self.searcher.segment_readers();
        let fits = filter.len() == readers.len()
            && filter.iter().zip(readers).all(|(bits, reader)| bits.max_value() >= reader.max_doc());
        if fits { Ok(()) } else { Err(Error::internal("the filter was made for another snapshot")) }
    }

    /// Which segments are walked and which are scanned.
    fn divide<'a>(&'a self, query: &DenseQuery<'a>) -> (Vec<GraphSearch<'a>>, Vec<Task<'a>>) {
        let (mut walks, mut tasks) = (Vec::new(), Vec::new());
        for (segment_ord, (reader, segment)) in (0u32..).zip(self.searcher.segment_readers().iter().zip(&self.segments))
        {
            let Some(field) = segment.field(query.field) else { continue };
            let filter = query.filter.map(|filter| &filter[segment_ord as usize]);
            let search = GraphSearch { segment_ord, reader, field, filter };
            let walk = match query.mode {
                DenseMode::Auto => search.is_worth_a_walk(breadth(query)),
                DenseMode::Exact => false,
                DenseMode::Walk => field.graph.is_some(),
            };
            if walk {
                walks.push(search);
            } else {
                tasks.push(search.scan());
            }
        }
        (walks, tasks)
    }

    fn hit(&self, field: &str, similarity: Similarity, scored: Scored) -> DenseHit {
        let segment = self.segments.get(scored.address.segment_ord as usize);
        let span =
            segment.and_then(|segment| segment.field(field)).and_then(|f| f.vectors.span(scored.ordinal as usize));
        let value = similarity.of_key(scored.key);
        let Scored { address, ordinal, .. } = scored;
        DenseHit { address, score: similarity.score(value), similarity: value, ordinal, span }
    }
}

/// Runs one or several, these side by side.
fn run<T: Sync, U: Send>(items: &[T], work: impl Fn(&T) -> Result<U> + Sync) -> Result<Vec<U>> {
    if items.len() > 1 { items.par_iter().map(&work).collect() } else { items.iter().map(work).collect() }
}

fn breadth(query: &DenseQuery<'_>) -> usize {
    query.num_candidates.unwrap_or(MIN_CANDIDATES).max(query.depth)
}

fn prepare(vector: &[f32], params: &VectorFieldParams) -> Result<PreparedQuery> {
    if vector.len() != params.dims {
        let (got, want) = (vector.len(), params.dims);
        return Err(Error::invalid_input(format!("the query vector has {got} dimensions, the field {want}")));
    }
    check_vector(vector, params.similarity, Element::F32)?;
    let mut values = vector.to_vec();
    if params.similarity == Similarity::Cosine {
        normalize(&mut values);
    }
    Ok(PreparedQuery::new(values))
}

/// A key that no vector of at least this similarity falls below, rounding included; the similarity itself decides later.
fn loosened(similarity: Similarity, least: f32) -> f32 {
    let key = similarity.to_key(least);
    key - key.abs() * 1e-4 - 1e-6
}

/// A segment of a search.
struct GraphSearch<'a> {
    segment_ord: u32,
    reader: &'a SegmentReader,
    field: &'a SegmentField,
    filter: Option<&'a BitSet>,
}

/// What a walk came to; no documents when it should be a scan after all.
struct Outcome {
    scored: Option<Vec<Scored>>,
    work: Work,
}

impl<'a> GraphSearch<'a> {
    /// The share of documents that the filter and deletions leave.
    fn selectivity(&self) -> f64 {
        let max_doc = f64::from(self.reader.max_doc().max(1));
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let filtered = self.filter.map_or(1.0, |filter| filter.len() as f64 / max_doc);
        filtered * f64::from(self.reader.num_docs()) / max_doc
    }

    fn is_worth_a_walk(&self, breadth: usize) -> bool {
        let selectivity = self.selectivity();
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let (vectors, breadth) = (self.field.vectors.len() as f64, breadth as f64);
        self.field.graph.is_some() && vectors * selectivity * selectivity > SCAN_PER_CANDIDATE * breadth
    }

    fn allows(&self, ordinal: u32) -> bool {
        let Some(&doc) = self.field.vectors.docs().get(ordinal as usize) else { return false };
        self.filter.is_none_or(|filter| filter.contains(doc))
            && self.reader.alive_bitset().is_none_or(|alive| alive.is_alive(doc))
    }

    /// Walks wider and wider until there are `depth` documents; several vectors may belong to one.
    fn run(&self, query: &PreparedQuery, asked: &DenseQuery<'_>, time_limit: &TimeLimit) -> Result<Outcome> {
        let mut outcome = Outcome { scored: None, work: Work::default() };
        let Some(graph) = &self.field.graph else { return Ok(outcome) };
        let vectors = &self.field.vectors;
        let restricted = self.filter.is_some() || self.reader.alive_bitset().is_some();
        let allow = |ordinal| self.allows(ordinal);
        let mut count = breadth(asked);
        while count.saturating_mul(4) <= vectors.len() && !time_limit.is_up() {
            let walk = graph.walk(query, count, restricted.then_some(&allow as &(dyn Fn(u32) -> bool + Sync)))?;
            outcome.work.scored += walk.scored;
            let docs = vectors.docs();
            let distinct = if vectors.params.multi {
                walk.ordinals.iter().map(|&ordinal| docs[ordinal as usize]).collect::<HashSet<_>>().len()
            } else {
                walk.ordinals.len()
            };
            if distinct >= asked.depth {
                outcome.scored = Some(self.rescore(query, &walk.ordinals, asked.depth, &mut outcome.work));
                return Ok(outcome);
            }
            count *= 2;
        }
        Ok(outcome)
    }

    /// Scores what a walk found from the finest copy; documents with several vectors by all of them, of which the walk may
    /// have seen another than the best.
    fn rescore(&self, query: &PreparedQuery, ordinals: &[u32], depth: usize, work: &mut Work) -> Vec<Scored> {
        let vectors = &self.field.vectors;
        let docs = vectors.docs();
        if !vectors.params.multi {
            work.rescored += ordinals.len() as u64;
            let scored = ordinals.iter().enumerate().map(|(place, &ordinal)| {
                if let Some(&soon) = ordinals.get(place + PREFETCH_ROWS) {
                    vectors.prefetch(soon as usize);
                }
                let address = DocAddress::new(self.segment_ord, docs[ordinal as usize]);
                Scored { address, ordinal, key: vectors.key(query, ordinal as usize) }
            });
            return best(scored.collect(), depth);
        }
        let mut found: Vec<u32> = ordinals.iter().map(|&ordinal| docs[ordinal as usize]).collect();
        found.sort_unstable();
        found.dedup();
        #[expect(clippy::cast_possible_truncation, reason = "ordinals are u32 on disk")]
        let listed = found.iter().flat_map(|&doc| vectors.ordinals(doc)).map(|ordinal| ordinal as u32).collect();
        let task = Task { segment_ord: self.segment_ord, field: vectors, allowed: Allowed::Listed(listed) };
        let (scored, more) = exact::search(&[task], query, depth, f32::NEG_INFINITY, &TimeLimit::default());
        work.scored += more.scored;
        work.rescored += more.rescored;
        scored
    }

    fn scan(&self) -> Task<'a> {
        let vectors = &self.field.vectors;
        let alive = self.reader.alive_bitset();
        let allowed = match self.filter {
            None => Allowed::Alive(alive),
            Some(filter) => {
                Allowed::Listed(listed(vectors, filter, |doc| alive.is_none_or(|alive| alive.is_alive(doc))))
            }
        };
        Task { segment_ord: self.segment_ord, field: vectors, allowed }
    }
}

/// The ordinals of the documents in a filter, ascending.
fn listed(vectors: &FieldVectors, filter: &BitSet, alive: impl Fn(u32) -> bool) -> Vec<u32> {
    let docs = vectors.docs();
    let mut ordinals = Vec::with_capacity(filter.len().min(docs.len()));
    let mut place = 0;
    let mut bucket = 0;
    // Walks the words of the filter that are not empty, and gallops through the documents of the vectors.
    while place < docs.len()
        && let Some(next) = filter.first_non_empty_bucket(bucket)
    {
        let mut word = filter.tinyset(next);
        while let Some(bit) = word.pop_lowest() {
            let doc = next * 64 + bit;
            place += gallop(&docs[place..], doc);
            while docs.get(place) == Some(&doc) {
                if alive(doc) {
                    #[expect(clippy::cast_possible_truncation, reason = "ordinals are u32 on disk")]
                    ordinals.push(place as u32);
                }
                place += 1;
            }
        }
        bucket = next + 1;
    }
    ordinals
}

/// How many of these ascending numbers are smaller than `doc`.
fn gallop(docs: &[u32], doc: u32) -> usize {
    let mut step = 1;
    while docs.get(step).is_some_and(|&other| other < doc) {
        step *= 2;
    }
    let from = step / 2;
    let to = (step + 1).min(docs.len());
    from.min(to) + docs[from.min(to)..to].partition_point(|&other| other < doc)
}
