//! HNSW graphs of large segments, by usearch, over vectors that stay in the `vec` file.
//!
//! usearch keeps a copy of every vector inside its graph. Here it is given eight bytes a vector instead, the ordinal, and a
//! distance function of ours that looks the vector up in the mapped `vec` file: in its int8 codes where there are any, with this
//! crate's kernels. The graph then costs about 150 bytes a vector, whatever the dimensions, and nothing is stored twice. A
//! query is handed over as the address of its operand, marked by the highest bit.
//!
//! The `graph` file is a container (see `format.rs`) whose directory names the fields with a graph, and those that should
//! have one but do not yet: commits do not build graphs, merges do (see `merge_policy.rs`). Its checksum is compared when it is
//! opened, before usearch reads a byte of it.

use std::cell::{Cell, RefCell};
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tantivy::directory::OwnedBytes;
use usearch::{Index, IndexOptions, MetricKind, ScalarKind};

use super::distance::{Kernels, kernels};
use super::field::{FieldVectors, row_key};
use super::format::{Container, ContainerWriter, GRAPH_MAGIC, Layout, Section};
use super::params::{IndexKind, Similarity};
use super::quantize::PreparedQuery;
use crate::error::{Error, Result};

/// The directory of a `graph` file.
///
/// # Stability
/// Stored; see `format.rs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct GraphDirectory {
    pub(crate) graphs: Vec<GraphEntry>,
    /// Fields that are large enough for a graph and lack one: the next merge builds it.
    pub(crate) pending: Vec<String>,
}

/// One field's graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct GraphEntry {
    pub(crate) field: String,
    pub(crate) num_vectors: u32,
    pub(crate) section: Section,
}

/// Writes a `graph` file with these graphs (field and usearch's bytes).
pub(crate) fn write_graph_file(
    out: &mut dyn Write,
    graphs: &[(&FieldVectors, Vec<u8>)],
    pending: Vec<String>,
) -> io::Result<()> {
    let mut layout = Layout::default();
    let entry = |(field, bytes): &(&FieldVectors, Vec<u8>)| GraphEntry {
        field: field.name.clone(),
        num_vectors: u32::try_from(field.len()).unwrap_or(u32::MAX),
        section: layout.section(bytes.len(), 1),
    };
    let directory = GraphDirectory { graphs: graphs.iter().map(entry).collect(), pending };
    let mut writer = ContainerWriter::new(out, GRAPH_MAGIC, &directory, &layout)?;
    for ((_, bytes), entry) in graphs.iter().zip(&directory.graphs) {
        writer.start(entry.section)?;
        writer.write_all(bytes)?;
    }
    writer.finish(&layout)
}

/// Builds a field's graph with all cores and returns usearch's bytes.
///
/// # Errors
/// `Internal` when usearch fails (memory).
pub(crate) fn build(field: &Arc<FieldVectors>) -> Result<Vec<u8>> {
    let IndexKind::Hnsw { m, ef_construction } = field.params.index else {
        return Err(Error::internal("a graph was asked for a field that is mapped without"));
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let index = new_index(field, m, ef_construction)?;
    index.reserve_capacity_and_threads(field.len(), threads).map_err(failed)?;
    // A pool of its own: searches use the global one, and would wait behind insertions.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|thread| format!("graph-{thread}"))
        .build()
        .map_err(|source| Error::internal("threads for building a graph").with_source(source))?;
    let add = |ordinal: u64| index.add(ordinal, &payload(ordinal)).map_err(failed);
    if field.len() > 0 {
        // The first alone, so that the others have a place to start from.
        add(0)?;
        pool.install(|| (1..field.len() as u64).into_par_iter().try_for_each(add))?;
    }
    let mut bytes = vec![0; index.serialized_length()];
    index.save_to_buffer(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// A field's graph, opened for searching. `Sync`; more searches at once than there are places wait for one.
pub(crate) struct FieldGraph {
    /// NOTE: stands before `bytes`, since it points into them and must be dropped first.
    index: Index,
    bytes: OwnedBytes,
    places: Places,
}

impl std::fmt::Debug for FieldGraph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FieldGraph({} bytes)", self.bytes.len())
    }
}

/// What a walk through a graph found.
#[derive(Debug)]
pub(crate) struct Walk {
    /// Closest first, by the distance of the walk.
    pub(crate) ordinals: Vec<u32>,
    /// Vectors compared with the query.
    pub(crate) scored: u64,
}

impl FieldGraph {
    /// Maps a graph; the container's checksum must have been verified.
    pub(crate) fn open(container: &Container, entry: &GraphEntry, field: &Arc<FieldVectors>) -> Result<Self> {
        let bytes = container.section(entry.section)?;
        let refused = |what: &str| container.corrupt(what);
        if entry.num_vectors as usize != field.len() {
            return Err(refused("has a graph of another number of vectors"));
        }
        let mut index = new_index(field, 16, 1)?;
        let places = 2 * std::thread::available_parallelism().map_or(1, usize::from).max(4);
        index.reserve_capacity_and_threads(1, places).map_err(failed)?;
        // SAFETY: the bytes are mapped or allocated memory that neither moves nor changes; `self` keeps them as long as the index
        // and drops the index first. Their checksum was compared, so they are what `build` wrote.
        #[expect(unsafe_code, reason = "the graph is mapped, not copied")]
        let viewed = unsafe { index.view_from_buffer(&bytes) };
        viewed.map_err(|source| refused("has an unreadable graph").with_source(source))?;
        if index.size() != field.len() || index.dimensions() != PAYLOAD_BYTES {
            return Err(refused("has a graph of another shape"));
        }
        set_metric(&mut index, field);
        // The walk's breadth is what a search asks for, never more.
        index.change_expansion_search(1);
        Ok(Self { index, bytes, places: Places { free: Mutex::new(places), freed: Condvar::new() } })
    }

    /// Walks to the `count` vectors that are closest to the query among those with `allow(ordinal)`; also the walk's breadth.
    ///
    /// # Errors
    /// `Internal` when usearch fails (memory).
    pub(crate) fn walk(
        &self,
        query: &PreparedQuery,
        count: usize,
        allow: Option<&(dyn Fn(u32) -> bool + Sync)>,
    ) -> Result<Walk> {
        let operand = Operand { query, scored: Cell::new(0) };
        let address = std::ptr::from_ref(&operand).expose_provenance() as u64;
        let vector = payload(address | QUERY_BIT);
        let _place = self.places.take();
        let matches = match allow {
            None => self.index.search(&vector, count),
            Some(allow) => self.index.filtered_search(&vector, count, |key| u32::try_from(key).is_ok_and(allow)),
        }
        .map_err(failed)?;
        let ordinals = matches.keys.iter().filter_map(|&key| u32::try_from(key).ok()).collect();
        Ok(Walk { ordinals, scored: operand.scored.get() })
    }

    /// Memory that usearch keeps beside the mapped file.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.index.memory_usage()
    }
}

/// What usearch takes for a vector: an ordinal, or a query's address with the highest bit set.
const PAYLOAD_BYTES: usize = 8;
const QUERY_BIT: u64 = 1 << 63;

fn payload(number: u64) -> [i8; PAYLOAD_BYTES] {
    number.to_ne_bytes().map(u8::cast_signed)
}

/// A query on its walk.
struct Operand<'a> {
    query: &'a PreparedQuery,
    scored: Cell<u64>,
}

fn new_index(field: &Arc<FieldVectors>, m: usize, ef_construction: usize) -> Result<Index> {
    let options = IndexOptions {
        dimensions: PAYLOAD_BYTES,
        metric: MetricKind::IP,
        quantization: ScalarKind::I8,
        connectivity: m,
        expansion_add: ef_construction,
        expansion_search: 1,
        multi: false,
    };
    let mut index = Index::new(&options).map_err(failed)?;
    set_metric(&mut index, field);
    Ok(index)
}

fn set_metric(index: &mut Index, field: &Arc<FieldVectors>) {
    let metric = Metric { field: Arc::clone(field), kernels: kernels() };
    index.change_metric::<i8>(Box::new(move |a, b| {
        // SAFETY: usearch passes pointers to `dimensions` = 8 bytes of type i8; the reads need no alignment.
        #[expect(unsafe_code, reason = "usearch hands over raw pointers")]
        let (a, b) = unsafe { (a.cast::<u64>().read_unaligned(), b.cast::<u64>().read_unaligned()) };
        metric.distance(a, b)
    }));
}

/// Distances of payloads. Must not panic: it is called from C++.
struct Metric {
    field: Arc<FieldVectors>,
    kernels: &'static Kernels,
}

impl Metric {
    #[inline]
    fn distance(&self, a: u64, b: u64) -> f32 {
        let (query, node) = match (a & QUERY_BIT != 0, b & QUERY_BIT != 0) {
            (false, false) => return self.between(a, b),
            (true, false) => (a, b),
            (false, true) => (b, a),
            (true, true) => return 0.0,
        };
        let Some(ordinal) = self.ordinal(node) else { return f32::MAX };
        let address = usize::try_from(query & !QUERY_BIT).unwrap_or(0);
        // SAFETY: only `walk` makes payloads with the highest bit set (stored ones are ordinals, below 2^32, and the file's
        // checksum was compared). Its operand outlives the search, which runs on the walking thread alone, so that the cell
        // is not shared. No user-space address has the highest bit set.
        #[expect(unsafe_code, reason = "a query passes through C++ as its address")]
        let operand = unsafe { &*std::ptr::with_exposed_provenance::<Operand<'_>>(address) };
        operand.scored.set(operand.scored.get() + 1);
        self.to_query(operand.query, ordinal)
    }

    fn ordinal(&self, node: u64) -> Option<usize> {
        usize::try_from(node).ok().filter(|&ordinal| ordinal < self.field.len())
    }

    #[inline]
    fn to_query(&self, query: &PreparedQuery, ordinal: usize) -> f32 {
        let Some(coarse) = self.field.coarse() else {
            return distance_of(self.similarity(), self.field.key(query, ordinal));
        };
        let mut dot = [0i32];
        let row = &coarse.codes[ordinal * coarse.dims..(ordinal + 1) * coarse.dims];
        (self.kernels.dot_rows_i16_i8)(&query.levels, row, &mut dot);
        #[expect(clippy::cast_precision_loss, reason = "the walk is approximate")]
        let dot = dot[0] as f32 * (query.step * coarse.scales[ordinal]);
        self.distance_from_dot(dot, || (query.norm, coarse.norms[ordinal]))
    }

    fn between(&self, a: u64, b: u64) -> f32 {
        let (Some(a), Some(b)) = (self.ordinal(a), self.ordinal(b)) else { return f32::MAX };
        let Some(coarse) = self.field.coarse() else { return self.between_fine(a, b) };
        let dims = coarse.dims;
        let dot =
            (self.kernels.dot_i8)(&coarse.codes[a * dims..(a + 1) * dims], &coarse.codes[b * dims..(b + 1) * dims]);
        #[expect(clippy::cast_precision_loss, reason = "the walk is approximate")]
        let dot = dot as f32 * (coarse.scales[a] * coarse.scales[b]);
        self.distance_from_dot(dot, || (coarse.norms[a], coarse.norms[b]))
    }

    fn between_fine(&self, a: usize, b: usize) -> f32 {
        thread_local! {
            static DECODED: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
        }
        DECODED.with_borrow_mut(|decoded| {
            self.field.decode(a, decoded);
            distance_of(self.similarity(), row_key(self.kernels, self.similarity(), decoded, self.field.row(b)))
        })
    }

    fn similarity(&self) -> Similarity {
        self.field.params.similarity
    }

    #[inline]
    fn distance_from_dot(&self, dot: f32, norms: impl FnOnce() -> (f32, f32)) -> f32 {
        match self.similarity() {
            Similarity::Cosine | Similarity::DotProduct | Similarity::MaxInnerProduct => 1.0 - dot,
            Similarity::L2Norm => {
                let (norm_a, norm_b) = norms();
                norm_a * norm_a + norm_b * norm_b - 2.0 * dot
            }
        }
    }
}

fn distance_of(similarity: Similarity, key: f32) -> f32 {
    match similarity {
        Similarity::Cosine | Similarity::DotProduct | Similarity::MaxInnerProduct => 1.0 - key,
        Similarity::L2Norm => -key,
    }
}

fn failed(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::internal(format!("the vector graph library failed: {source}")).with_source(source)
}

/// usearch refuses more searches at once than places were reserved; further ones wait here.
struct Places {
    free: Mutex<usize>,
    freed: Condvar,
}

struct Place<'a>(&'a Places);

impl Places {
    fn take(&self) -> Place<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Place(self)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}
