//! Random operations against a map: both legs see exactly the documents of the last commit.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bifocal::ingest::{Action, Operation};
use bifocal::models::{ModelOptions, Models};
use bifocal::plan::Plan;
use bifocal::schema::IndexDefinition;
use bifocal::{DocumentId, Index, Location, SearchRequest, Searcher, search};
use proptest::prelude::*;
use serde_json::json;

const DEFINITION: &str = r#"{"mappings": {"dynamic": "strict", "properties": {
    "text": {"type": "text"},
    "vector": {"type": "dense_vector", "dims": 4, "similarity": "l2_norm"}}}}"#;

/// Few ids, so that most writes replace.
const NUM_IDS: u8 = 8;

#[derive(Debug, Clone)]
enum Step {
    /// Adds or replaces; without a vector the dense leg must not see the document.
    Write {
        id: u8,
        word: u8,
        vector: Option<[i8; 4]>,
    },
    Delete {
        id: u8,
    },
    Commit,
    Compact,
    /// Forgets what was not committed.
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let write = (0..NUM_IDS, 0..4_u8, proptest::option::weighted(0.8, any::<[i8; 4]>()));
    prop_oneof![
        8 => write.prop_map(|(id, word, vector)| Step::Write { id, word, vector }),
        3 => (0..NUM_IDS).prop_map(|id| Step::Delete { id }),
        3 => Just(Step::Commit),
        1 => Just(Step::Compact),
        1 => Just(Step::Reopen),
    ]
}

#[derive(Debug, Clone, PartialEq)]
struct Expected {
    text: String,
    vector: Option<[i8; 4]>,
}

impl Expected {
    fn source(&self) -> serde_json::Map<String, serde_json::Value> {
        let mut source = serde_json::Map::new();
        source.insert("text".into(), json!(self.text));
        if let Some(vector) = self.vector {
            source.insert("vector".into(), json!(vector));
        }
        source
    }
}

type Documents = BTreeMap<String, Expected>;

fn models() -> Arc<Models> {
    let mut options = ModelOptions::default();
    options.cache_dir = None;
    options.offline = true;
    Arc::new(Models::new(options))
}

fn operation(action: Action) -> Vec<Operation> {
    vec![Operation { action, location: Location::default() }]
}

/// Runs the steps; the documents of the last commit at the end.
fn run(folder: &Path, models: &Arc<Models>, steps: &[Step]) {
    let definition = IndexDefinition::parse(DEFINITION).unwrap();
    drop(Index::create(folder, &definition, models.clone()).unwrap());
    let mut committed = Documents::new();
    for session in steps.split(|step| matches!(step, Step::Reopen)) {
        let index = Index::open(folder, models.clone()).unwrap();
        check(&index, models, &committed);
        let mut writer = index.writer().unwrap();
        let mut pending = committed.clone();
        for step in session {
            match step {
                Step::Write { id, word, vector } => {
                    let expected = Expected { text: format!("every word{word}"), vector: *vector };
                    let document = bifocal::Document { id: Some(format!("d{id}").into()), source: expected.source() };
                    let applied = writer.apply(operation(Action::Index(document))).unwrap();
                    assert!(applied.faults.is_empty(), "{applied:?}");
                    let unchanged = pending.insert(format!("d{id}"), expected.clone()) == Some(expected);
                    assert_eq!(
                        (applied.num_indexed, applied.num_unchanged),
                        (u64::from(!unchanged), u64::from(unchanged))
                    );
                }
                Step::Delete { id } => {
                    let applied = writer.apply(operation(Action::Delete(format!("d{id}").into()))).unwrap();
                    assert_eq!(applied.num_deleted, u64::from(pending.remove(&format!("d{id}")).is_some()));
                }
                Step::Commit => writer.commit().unwrap(),
                Step::Compact => writer.compact().unwrap(),
                Step::Reopen => {}
            }
            if matches!(step, Step::Commit | Step::Compact) {
                committed.clone_from(&pending);
            }
            // What is not committed is not seen.
            check(&index, models, &committed);
        }
    }
    check(&Index::open(folder, models.clone()).unwrap(), models, &committed);
}

/// The snapshot, the lexical leg and the dense leg see `expected` and nothing else.
fn check(index: &Index, models: &Models, expected: &Documents) {
    let searcher = Searcher::open(index).unwrap();
    let ids = |wanted: &dyn Fn(&Expected) -> bool| {
        expected.iter().filter(|(_, document)| wanted(document)).map(|(id, _)| id.clone()).collect::<Vec<String>>()
    };
    let mut seen: Vec<String> = searcher.ids().unwrap().iter().map(ToString::to_string).collect();
    seen.sort();
    assert_eq!(seen, ids(&|_| true));
    for id in 0..NUM_IDS {
        let id = format!("d{id}");
        let source = searcher.get(&DocumentId::from(id.as_str())).unwrap();
        assert_eq!(source, expected.get(&id).map(Expected::source), "{id}");
    }
    let found = |request: &SearchRequest, plan: &str| {
        let response = search(&searcher, models, request, &Plan::parse(plan).unwrap()).unwrap();
        for hit in &response.hits {
            assert_eq!(hit.source, expected.get(hit.id.as_str()).map(Expected::source), "{}", hit.id);
        }
        response.hits
    };
    for word in ["every", "word0", "word3"] {
        let hits = found(&SearchRequest::new(word), r#"{"legs": [{"lexical": {}}], "size": 100}"#);
        let mut seen: Vec<String> = hits.iter().map(|hit| hit.id.to_string()).collect();
        seen.sort();
        assert_eq!(seen, ids(&|document| document.text.contains(word)), "{word}");
    }
    let query = [3.0, -1.0, 0.5, 7.0];
    let mut request = SearchRequest::new("every");
    request.vectors.insert("vector".into(), query.to_vec());
    let hits = found(&request, r#"{"legs": [{"dense": {"field": "vector", "exact": true}}], "size": 100}"#);
    let mut seen: Vec<String> = hits.iter().map(|hit| hit.id.to_string()).collect();
    seen.sort();
    assert_eq!(seen, ids(&|document| document.vector.is_some()));
    let distance = |id: &str| {
        let vector = expected[id].vector.unwrap();
        vector.iter().zip(query).map(|(a, b)| (f32::from(*a) - b).powi(2)).sum::<f32>()
    };
    let distances: Vec<f32> = hits.iter().map(|hit| distance(hit.id.as_str())).collect();
    assert!(distances.windows(2).all(|pair| pair[0] <= pair[1] * 1.0001), "not nearest first: {distances:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 40, ..ProptestConfig::default() })]
    #[test]
    fn both_legs_see_the_documents_of_the_last_commit(steps in proptest::collection::vec(step(), 10..40)) {
        let folder = tempfile::tempdir().unwrap();
        run(&folder.path().join("a.idx"), &models(), &steps);
    }
}

#[test]
fn an_uncommitted_deletion_does_not_outlive_its_writer() {
    let write = |id, word| Step::Write { id, word, vector: Some([1, 2, 3, 4]) };
    let folder = tempfile::tempdir().unwrap();
    let steps = [
        write(1, 0),
        Step::Commit,
        write(2, 1),
        Step::Commit,
        Step::Delete { id: 1 },
        Step::Reopen,
        Step::Compact,
        write(1, 1),
        Step::Delete { id: 2 },
        Step::Commit,
        Step::Compact,
        write(2, 0),
        Step::Delete { id: 2 },
        Step::Commit,
    ];
    run(&folder.path().join("a.idx"), &models(), &steps);
}
