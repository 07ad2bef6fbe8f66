//! Segments with a graph: what is found, with deletions, filters and many searches at once.

use std::collections::HashSet;

use super::*;

const DIMS: usize = 24;
const CLUSTERS: u32 = 40;

/// A point near one of the centres.
pub(crate) fn clustered(seed: u64) -> Vec<f32> {
    let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut centre = Numbers(u64::from(numbers.next() % CLUSTERS) + 1);
    (0..DIMS).map(|_| centre.float() + 0.35 * numbers.float()).collect()
}

/// `num` documents in one segment, which has a graph if they are at least `hnsw_min_vectors`; the vector field is `v`.
pub(crate) fn reader(num: u64, hnsw_min_vectors: usize) -> DenseReader {
    let params = VectorFieldParams { index: IndexKind::HNSW_DEFAULT, ..VectorFieldParams::new(DIMS) };
    let mut world = World::in_ram(params, VectorPlugin::with_hnsw_min_vectors(hnsw_min_vectors));
    (0..num).for_each(|id| world.put(&format!("d{id}"), vec![clustered(id)]));
    world.commit();
    world.merge();
    world.dense().1
}

/// `num` (at least 600) documents in one segment with a graph.
fn example(num: u64, params: VectorFieldParams) -> World {
    let params = VectorFieldParams { index: IndexKind::HNSW_DEFAULT, ..params };
    let mut world = World::in_ram(params, VectorPlugin::with_hnsw_min_vectors(250));
    for id in 0..num {
        world.put(&format!("d{id}"), vec![clustered(id)]);
        if id == num / 2 {
            world.commit();
        }
    }
    world.commit();
    let (_, dense) = world.dense();
    assert_eq!(dense.segments_without_graph().len(), 2, "commits build no graph");
    world.merge();
    let (_, dense) = world.dense();
    assert_eq!(dense.segments_without_graph(), []);
    assert!(dense.num_bytes().0 > 0);
    world
}

/// The share of the exact answers' documents that walks find, over several queries; every answer's scores must be exact.
fn recall(dense: &DenseReader, query: DenseQuery<'_>) -> f64 {
    let (mut found, mut wanted) = (0, 0);
    for seed in 0..25 {
        let vector = clustered(1_000_000 + seed);
        let query = DenseQuery { vector: &vector, mode: DenseMode::Walk, ..query };
        let walked = dense.search(&query).unwrap();
        let exact = dense.search(&DenseQuery { mode: DenseMode::Exact, ..query }).unwrap();
        assert_eq!((walked.cost.segments_walked, walked.cost.segments_scanned), (1, 0));
        assert_eq!((exact.cost.segments_walked, exact.cost.segments_scanned), (0, 1));
        assert_eq!(walked.hits.len(), exact.hits.len());
        let answer: HashSet<DocAddress> = exact.hits.iter().map(|hit| hit.address).collect();
        wanted += answer.len();
        found += walked.hits.iter().filter(|hit| answer.contains(&hit.address)).count();
        for hit in walked.hits.iter().filter(|hit| answer.contains(&hit.address)) {
            assert!(exact.hits.contains(hit), "the score does not depend on the way");
        }
    }
    f64::from(found as u32) / f64::from(wanted as u32)
}

#[test]
fn walks_find_the_closest_respect_deletions_and_filters() {
    let mut world = example(2000, VectorFieldParams::new(DIMS));
    let query = DenseQuery { num_candidates: Some(64), ..DenseQuery::new("v", &[], 10) };
    let (_, dense) = world.dense();
    let all = recall(&dense, query);
    assert!(all >= 0.9, "recall {all}");

    (0..2000).step_by(3).for_each(|id| world.delete(&format!("d{id}")));
    world.commit();
    let (searcher, dense) = world.dense();
    assert_eq!(searcher.segment_readers().len(), 1);
    let documents = documents(&searcher);
    let alive = recall(&dense, query);
    assert!(alive >= 0.9, "recall {alive} with a third deleted");
    for seed in 0..10 {
        let vector = clustered(3 * seed);
        let hits = dense.search(&DenseQuery { vector: &vector, mode: DenseMode::Walk, ..query }).unwrap().hits;
        assert!(hits.iter().all(|hit| documents.contains_key(&hit.address)), "no deleted document");
    }

    let allow = |id: &str| id.ends_with('1') || id.ends_with('5');
    let bits = filter(&searcher, &documents, allow);
    let filtered = DenseQuery { filter: Some(&bits), ..query };
    let share = recall(&dense, filtered);
    assert!(share >= 0.9, "recall {share} behind a filter");
    for seed in 0..10 {
        let vector = clustered(seed);
        let hits = dense.search(&DenseQuery { vector: &vector, mode: DenseMode::Walk, ..filtered }).unwrap().hits;
        assert_eq!(hits.len(), 10);
        assert!(hits.iter().all(|hit| allow(&documents[&hit.address])));
    }
    // Left to itself, the reader scans so small a segment.
    let vector = clustered(1);
    let found = dense.search(&DenseQuery { vector: &vector, ..filtered }).unwrap();
    assert_eq!(found.cost.segments_scanned, 1);

    world.merge();
    world.reopen();
    let (_, dense) = world.dense();
    let merged = recall(&dense, query);
    assert!(merged >= 0.9, "recall {merged} after another merge");
}

#[test]
fn a_walk_without_enough_documents_becomes_a_scan() {
    let world = example(900, VectorFieldParams { quantized: false, ..VectorFieldParams::new(DIMS) });
    let (searcher, dense) = world.dense();
    let documents = documents(&searcher);
    let bits = filter(&searcher, &documents, |id| id == "d7" || id == "d8");
    let vector = clustered(1);
    let query = DenseQuery { filter: Some(&bits), mode: DenseMode::Walk, ..DenseQuery::new("v", &vector, 10) };
    let found = dense.search(&query).unwrap();
    assert_eq!((found.hits.len(), found.cost.segments_walked, found.cost.segments_scanned), (2, 0, 1));
}

#[test]
fn every_similarity_and_element_is_walked() {
    for (similarity, element, quantized) in [
        (Similarity::L2Norm, Element::F32, true),
        (Similarity::L2Norm, Element::F16, false),
        (Similarity::Cosine, Element::Int8, true),
        (Similarity::Cosine, Element::F32, false),
    ] {
        let world = example(600, VectorFieldParams { similarity, element, quantized, ..VectorFieldParams::new(DIMS) });
        let (_, dense) = world.dense();
        let query = DenseQuery { num_candidates: Some(40), ..DenseQuery::new("v", &[], 10) };
        let share = recall(&dense, query);
        assert!(share >= 0.9, "recall {share} with {similarity:?}, {element:?}, {quantized}");
    }
}

#[test]
fn more_searches_at_once_than_a_graph_has_places_wait_for_one() {
    let world = example(600, VectorFieldParams::new(DIMS));
    let (_, dense) = world.dense();
    let query = DenseQuery { num_candidates: Some(20), mode: DenseMode::Walk, ..DenseQuery::new("v", &[], 5) };
    let vectors: Vec<Vec<f32>> = (0..10).map(clustered).collect();
    let search = |vector: &Vec<f32>| dense.search(&DenseQuery { vector, ..query }).unwrap().hits;
    let alone: Vec<Vec<DenseHit>> = vectors.iter().map(search).collect();
    std::thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| assert_eq!(vectors.iter().map(search).collect::<Vec<_>>(), alone));
        }
    });
}

#[test]
fn passages_of_one_document_count_once_in_a_walk() {
    let params = VectorFieldParams { multi: true, index: IndexKind::HNSW_DEFAULT, ..VectorFieldParams::new(DIMS) };
    let mut world = World::in_ram(params, VectorPlugin::with_hnsw_min_vectors(300));
    for id in 0..200u64 {
        // Passages of a document lie close together.
        let near = |place: u64| {
            let mut vector = clustered(id);
            vector[place as usize] += 0.05;
            vector
        };
        world.put(&format!("d{id}"), (0..4).map(near).collect());
    }
    world.commit();
    world.merge();
    let (_, dense) = world.dense();
    assert!(recall(&dense, DenseQuery { num_candidates: Some(40), ..DenseQuery::new("v", &[], 10) }) >= 0.9);
}
