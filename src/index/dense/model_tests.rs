//! The dense view as a whole, through Tantivy: whatever was added, replaced, deleted, merged and reopened, a snapshot has the
//! vectors of its alive documents, and exact search is a comparison with each of them.
//!
//! The oracle here keeps the documents in a map, rounds their vectors as the field says, and compares in 64-bit floats.

mod damage;
pub(crate) mod graphs;

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tantivy::collector::DocSetCollector;
use tantivy::directory::RamDirectory;
use tantivy::indexer::NoMergePolicy;
use tantivy::query::AllQuery;
use tantivy::schema::{Field, STORED, STRING, Schema, Value};
use tantivy::{BitSet, Directory, DocAddress, Index, IndexWriter, ReloadPolicy, Searcher, TantivyDocument, Term};

use super::*;
use crate::document::PassageSpan;

/// A document's vectors, each as long as the field's dimensions.
type Vectors = Vec<Vec<f32>>;

/// An index with an `id` and a vector field `v`, and what should be in it.
struct World {
    params: VectorFieldParams,
    plugin: VectorPlugin,
    directory: Box<dyn Directory>,
    writer: Option<IndexWriter>,
    index: Index,
    cache: DenseCache,
    written: BTreeMap<String, Vectors>,
    committed: BTreeMap<String, Vectors>,
}

impl World {
    fn new(params: VectorFieldParams, plugin: VectorPlugin, directory: Box<dyn Directory>) -> Self {
        let mut schema = Schema::builder();
        schema.add_text_field("id", STRING | STORED);
        params.add_to(&mut schema, "v").unwrap();
        let builder = Index::builder().schema(schema.build()).register_plugin(Arc::new(plugin.clone()));
        let index = builder.open_or_create(directory.box_clone()).unwrap();
        let writer = Some(writer(&index));
        let (written, committed) = Default::default();
        Self { params, plugin, directory, writer, index, cache: DenseCache::default(), written, committed }
    }

    fn in_ram(params: VectorFieldParams, plugin: VectorPlugin) -> Self {
        Self::new(params, plugin, Box::new(RamDirectory::create()))
    }

    fn writer(&mut self) -> &mut IndexWriter {
        self.writer.as_mut().unwrap()
    }

    fn field(&self, name: &str) -> Field {
        self.index.schema().get_field(name).unwrap()
    }

    fn put(&mut self, id: &str, vectors: Vectors) {
        let (id_field, vector_field) = (self.field("id"), self.field("v"));
        let mut doc = TantivyDocument::new();
        doc.add_text(id_field, id);
        if !vectors.is_empty() {
            let value = VectorValue {
                vectors: vectors.concat(),
                dims: self.params.dims,
                spans: self.params.multi.then(|| (0..vectors.len()).map(|place| span(id, place)).collect()),
            };
            doc.add_custom(vector_field, &value.encode(&self.params).unwrap());
        }
        self.delete(id);
        self.writer().add_document(doc).unwrap();
        self.written.insert(id.to_string(), vectors);
    }

    fn delete(&mut self, id: &str) {
        let term = Term::from_field_text(self.field("id"), id);
        self.writer().delete_term(term);
        self.written.remove(id);
    }

    fn commit(&mut self) {
        self.writer().commit().unwrap();
        self.committed = self.written.clone();
    }

    fn merge(&mut self) {
        let segments = self.index.searchable_segment_ids().unwrap();
        if !segments.is_empty() {
            self.writer().merge(&segments).wait().unwrap();
        }
    }

    /// What was not committed is lost.
    fn reopen(&mut self) {
        drop(self.writer.take());
        self.index = Index::open(self.directory.box_clone()).unwrap();
        self.index.register_plugin(Arc::new(self.plugin.clone()));
        self.writer = Some(writer(&self.index));
        // NOTE: Tantivy gives a writer's first operation the number of the last commit, so that a merge takes a deletion in
        // that place for a committed one. It would show in both views alike; here it would only blur the oracle.
        self.delete("nobody");
        self.cache = DenseCache::default();
        self.written = self.committed.clone();
    }

    fn searcher(&self) -> Searcher {
        searcher(&self.index)
    }

    fn dense(&self) -> (Searcher, DenseReader) {
        let searcher = self.searcher();
        let dense = DenseReader::open(&searcher, &self.cache).unwrap();
        (searcher, dense)
    }
}

fn writer(index: &Index) -> IndexWriter {
    let writer = index.writer_with_num_threads(1, 15_000_000).unwrap();
    writer.set_merge_policy(Box::new(NoMergePolicy));
    writer
}

fn searcher(index: &Index) -> Searcher {
    let reader: tantivy::IndexReader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into().unwrap();
    reader.searcher()
}

fn span(id: &str, place: usize) -> PassageSpan {
    PassageSpan { value_idx: id.len() as u32, start: place as u32, end: place as u32 + 1 }
}

/// The alive documents of a snapshot by Tantivy's own account.
fn documents(searcher: &Searcher) -> BTreeMap<DocAddress, String> {
    let id = searcher.schema().get_field("id").unwrap();
    let found = searcher.search(&AllQuery, &DocSetCollector).unwrap();
    let read = |address| {
        let doc: TantivyDocument = searcher.doc(address).unwrap();
        (address, doc.get_first(id).unwrap().as_str().unwrap().to_string())
    };
    found.into_iter().map(read).collect()
}

/// Small pseudo-random numbers that a test can write down.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as u32
    }

    /// In [-1, 1).
    fn float(&mut self) -> f32 {
        (self.next() % 20_000) as f32 / 10_000.0 - 1.0
    }

    fn vector(&mut self, dims: usize) -> Vec<f32> {
        (0..dims).map(|_| self.float()).collect()
    }
}

/// A vector that the similarity takes; on a lattice, where distances are exact and ties abound, for those that take any length.
fn vector(params: &VectorFieldParams, seed: u64) -> Vec<f32> {
    let mut numbers = Numbers(seed ^ 0x9e37_79b9);
    let mut vector: Vec<f32> = match params.similarity {
        Similarity::L2Norm | Similarity::MaxInnerProduct => {
            (0..params.dims).map(|_| (numbers.next() % 4) as f32 - 1.0).collect()
        }
        Similarity::Cosine | Similarity::DotProduct => numbers.vector(params.dims),
    };
    if params.similarity == Similarity::DotProduct {
        value::normalize(&mut vector);
    } else if params.similarity == Similarity::Cosine && vector.iter().all(|&number| number == 0.0) {
        vector[0] = 1.0;
    }
    vector
}

/// A vector as the field keeps it.
fn rounded(params: &VectorFieldParams, vector: &[f32]) -> Vec<f64> {
    let mut vector: Vec<f64> = vector.iter().map(|&number| f64::from(number)).collect();
    if params.similarity == Similarity::Cosine {
        let length = vector.iter().map(|number| number * number).sum::<f64>().sqrt();
        vector.iter_mut().for_each(|number| *number = f64::from((*number / length) as f32));
    }
    match params.element {
        Element::F32 => {}
        Element::F16 => vector.iter_mut().for_each(|number| *number = half::f16::from_f64(*number).to_f64()),
        // Whole numbers are kept as they are.
        Element::Int8 if vector.iter().all(|number| number.fract() == 0.0) => {}
        Element::Int8 => {
            let scale = vector.iter().fold(0.0f64, |most, number| most.max(number.abs())) as f32 / 127.0;
            if scale > 0.0 {
                for number in &mut vector {
                    *number = f64::from((*number as f32 / scale).round()) * f64::from(scale);
                }
            }
        }
    }
    vector
}

fn similarity(params: &VectorFieldParams, query: &[f32], stored: &[f64]) -> f64 {
    let query = rounded(&VectorFieldParams { element: Element::F32, ..params.clone() }, query);
    match params.similarity {
        Similarity::Cosine | Similarity::DotProduct | Similarity::MaxInnerProduct => {
            query.iter().zip(stored).map(|(a, b)| a * b).sum()
        }
        Similarity::L2Norm => -query.iter().zip(stored).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt(),
    }
}

/// The answer of a comparison with every vector: similarity descending, ties by address.
fn brute_force(
    world: &World,
    documents: &BTreeMap<DocAddress, String>,
    query: &[f32],
    allow: impl Fn(&str) -> bool,
) -> Vec<(DocAddress, f64)> {
    let best = |(address, id): (&DocAddress, &String)| {
        let vectors = world.committed[id].iter().map(|vector| rounded(&world.params, vector));
        let similarities = vectors.map(|stored| similarity(&world.params, query, &stored));
        // A sum of products that are all -0 is -0, which would stand below 0; the engine's sums begin with 0.
        Some((*address, similarities.map(|similarity| similarity + 0.0).max_by(f64::total_cmp)?))
    };
    let mut answer: Vec<_> = documents.iter().filter(|(_, id)| allow(id)).filter_map(best).collect();
    answer.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    answer
}

/// The hits are the first of the answer. Where similarities are exact, so is the order; else each similarity is within rounding.
fn assert_equal(params: &VectorFieldParams, hits: &[DenseHit], answer: &[(DocAddress, f64)], depth: usize) {
    assert_eq!(hits.len(), answer.len().min(depth));
    let by_address: BTreeMap<DocAddress, f64> = answer.iter().copied().collect();
    let close = |got: f32, want: f64| (f64::from(got) - want).abs() <= 1e-5 * want.abs().max(1.0);
    for (hit, (_, want)) in hits.iter().zip(answer) {
        assert!(close(hit.similarity, *want), "rank has {}, want {want}", hit.similarity);
        let own = by_address[&hit.address];
        assert!(close(hit.similarity, own), "{:?} has {}, want {own}", hit.address, hit.similarity);
        assert_eq!(hit.score, params.similarity.score(hit.similarity));
    }
    for pair in hits.windows(2) {
        assert!(pair[0].similarity >= pair[1].similarity && pair[0].address != pair[1].address);
    }
    let lattice = matches!(params.similarity, Similarity::L2Norm | Similarity::MaxInnerProduct);
    if lattice {
        let got: Vec<DocAddress> = hits.iter().map(|hit| hit.address).collect();
        let want: Vec<DocAddress> = answer.iter().take(depth).map(|(address, _)| *address).collect();
        assert_eq!(got, want);
    }
}

/// One bitset a segment with the documents that are allowed.
fn filter(searcher: &Searcher, documents: &BTreeMap<DocAddress, String>, allow: impl Fn(&str) -> bool) -> Vec<BitSet> {
    let empty = |reader: &tantivy::SegmentReader| BitSet::with_max_value(reader.max_doc());
    let mut bits: Vec<BitSet> = searcher.segment_readers().iter().map(empty).collect();
    for (address, _) in documents.iter().filter(|(_, id)| allow(id)) {
        bits[address.segment_ord as usize].insert(address.doc_id);
    }
    bits
}

/// Compares a snapshot with what was committed.
fn check(world: &World, seed: u64) {
    let params = &world.params;
    let (searcher, dense) = world.dense();
    dense.verify().unwrap();
    let documents = documents(&searcher);
    let mut ids: Vec<&String> = documents.values().collect();
    ids.sort();
    assert_eq!(ids, world.committed.keys().collect::<Vec<_>>(), "Tantivy's documents");
    assert_eq!(dense.num_vectors("v"), world.committed.values().map(|vectors| vectors.len() as u64).sum::<u64>());

    let query = vector(params, seed);
    let everything = brute_force(world, &documents, &query, |_| true);
    let exact = |depth| DenseQuery { mode: DenseMode::Exact, ..DenseQuery::new("v", &query, depth) };
    let all = dense.search(&exact(1000)).unwrap().hits;
    assert_equal(params, &all, &everything, 1000);
    for depth in [0, 1, 3, 8] {
        assert_equal(params, &dense.search(&exact(depth)).unwrap().hits, &everything, depth);
        assert_eq!(dense.search(&exact(depth)).unwrap().hits, all[..depth.min(all.len())], "a prefix of all");
    }
    if let Some(middle) = all.get(all.len() / 2) {
        let least = Some(middle.similarity);
        let found = dense.search(&DenseQuery { min_similarity: least, ..exact(1000) }).unwrap().hits;
        assert_eq!(found, all.iter().copied().filter(|hit| hit.similarity >= middle.similarity).collect::<Vec<_>>());
    }
    let allow = |id: &str| !(id.bytes().map(u64::from).sum::<u64>() ^ seed).is_multiple_of(3);
    let bits = filter(&searcher, &documents, allow);
    let found = dense.search(&DenseQuery { filter: Some(&bits), ..exact(5) }).unwrap().hits;
    assert_equal(params, &found, &brute_force(world, &documents, &query, allow), 5);

    for hit in &all {
        let id = &documents[&hit.address];
        assert_eq!(dense.explain("v", &query, hit.address).unwrap(), Some(*hit));
        let stored = dense.vectors("v", hit.address);
        assert_eq!(stored.len(), world.committed[id].len());
        for (place, ((got, passage), want)) in stored.iter().zip(&world.committed[id]).enumerate() {
            let want = rounded(params, want);
            assert!(got.iter().zip(&want).all(|(got, want)| (f64::from(*got) - want).abs() < 1e-5), "{got:?} {want:?}");
            assert_eq!(*passage, params.multi.then(|| span(id, place)));
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Put { id: u8, num_vectors: usize, seed: u64 },
    Delete { id: u8 },
    Commit,
    Merge,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0u8..14, 0usize..4, any::<u64>()).prop_map(|(id, num_vectors, seed)| Step::Put { id, num_vectors, seed }),
        3 => (0u8..14).prop_map(|id| Step::Delete { id }),
        3 => Just(Step::Commit),
        1 => Just(Step::Merge),
        1 => Just(Step::Reopen),
    ]
}

fn play(params: &VectorFieldParams, steps: &[Step]) {
    // Graphs for all but the smallest segments: exact search and merges must not care.
    let mut world = World::in_ram(params.clone(), VectorPlugin::with_hnsw_min_vectors(6));
    for step in steps.iter().chain([&Step::Commit, &Step::Merge]) {
        match *step {
            Step::Put { id, num_vectors, seed } => {
                let num_vectors = if params.multi { num_vectors } else { num_vectors.min(1) };
                world.put(
                    &format!("d{id}"),
                    (0..num_vectors as u64).map(|place| vector(params, seed.wrapping_add(place))).collect(),
                );
                continue;
            }
            Step::Delete { id } => {
                world.delete(&format!("d{id}"));
                continue;
            }
            Step::Commit => world.commit(),
            Step::Merge => world.merge(),
            Step::Reopen => world.reopen(),
        }
        check(&world, world.committed.len() as u64 * 77 + 5);
    }
}

/// Every way to store and compare vectors.
fn every_kind_of_field() -> Vec<VectorFieldParams> {
    let mut kinds = Vec::new();
    for similarity in [Similarity::Cosine, Similarity::DotProduct, Similarity::L2Norm, Similarity::MaxInnerProduct] {
        for element in [Element::F32, Element::F16, Element::Int8] {
            for (quantized, multi) in [(false, false), (false, true), (true, false), (true, true)] {
                let dims = [3, 17, 40][kinds.len() % 3];
                let index = if kinds.len() % 2 == 0 { IndexKind::Flat } else { IndexKind::HNSW_DEFAULT };
                kinds.push(VectorFieldParams { dims, similarity, element, quantized, index, multi });
            }
        }
    }
    kinds
}

#[test]
fn a_snapshot_has_the_vectors_of_its_documents_and_exact_search_compares_with_each() {
    for params in every_kind_of_field() {
        let mut runner = TestRunner::new(Config { cases: 3, failure_persistence: None, ..Config::default() });
        let outcome = runner.run(&prop::collection::vec(step(), 1..40), |steps| {
            play(&params, &steps);
            Ok::<_, TestCaseError>(())
        });
        if let Err(failure) = outcome {
            panic!("{params:?}: {failure}");
        }
    }
}

#[test]
fn a_scan_that_is_split_over_threads_answers_the_same() {
    for (multi, quantized) in [(false, false), (true, true)] {
        // Wide enough that few documents reach the size from which scans are split.
        let params = VectorFieldParams { multi, quantized, element: Element::F16, ..VectorFieldParams::new(1500) };
        let mut world = World::in_ram(params.clone(), VectorPlugin::default());
        for id in 0..300u64 {
            let num_vectors = if multi { 1 + id % 5 } else { 1 };
            world.put(&format!("d{id}"), (0..num_vectors).map(|place| vector(&params, id * 8 + place)).collect());
            if id == 50 {
                world.commit();
            }
        }
        (0..300).step_by(7).for_each(|id| world.delete(&format!("d{id}")));
        world.commit();
        let (searcher, dense) = world.dense();
        let documents = documents(&searcher);
        let query = vector(&params, 999_999);
        let answer = brute_force(&world, &documents, &query, |_| true);
        let found = dense.search(&DenseQuery::new("v", &query, 20)).unwrap();
        assert_equal(&params, &found.hits, &answer, 20);
        let allow = |id: &str| !id.ends_with('3');
        let bits = filter(&searcher, &documents, allow);
        let found = dense.search(&DenseQuery { filter: Some(&bits), ..DenseQuery::new("v", &query, 20) }).unwrap();
        assert_equal(&params, &found.hits, &brute_force(&world, &documents, &query, allow), 20);
    }
}

#[test]
fn faulty_queries_are_refused() {
    use crate::error::ErrorKind;
    let mut world = World::in_ram(VectorFieldParams::new(3), VectorPlugin::default());
    world.put("a", vec![vec![1.0, 2.0, 3.0]]);
    world.commit();
    let (searcher, dense) = world.dense();
    let kind = |field, vector: &[f32]| dense.search(&DenseQuery::new(field, vector, 1)).unwrap_err().kind();
    assert_eq!(kind("w", &[1.0, 2.0, 3.0]), ErrorKind::NotFound);
    assert_eq!(kind("id", &[1.0, 2.0, 3.0]), ErrorKind::NotFound);
    assert_eq!(kind("v", &[1.0, 2.0]), ErrorKind::InvalidInput);
    assert_eq!(kind("v", &[1.0, f32::NAN, 3.0]), ErrorKind::InvalidInput);
    assert_eq!(kind("v", &[0.0; 3]), ErrorKind::InvalidInput);
    let other = [BitSet::with_max_value(5), BitSet::with_max_value(5)];
    let query = DenseQuery { filter: Some(&other), ..DenseQuery::new("v", &[1.0, 2.0, 3.0], 1) };
    assert_eq!(dense.search(&query).unwrap_err().kind(), ErrorKind::Internal);
    let none: Vec<BitSet> = searcher.segment_readers().iter().map(|r| BitSet::with_max_value(r.max_doc())).collect();
    let query = DenseQuery { filter: Some(&none), ..query };
    assert_eq!(dense.search(&query).unwrap().hits, []);
}
