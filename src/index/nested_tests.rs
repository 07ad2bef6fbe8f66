//! Random writes of documents with nested objects against a map, and an index of the program's first version.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use tantivy::schema::{Schema, TextOptions};
use tantivy::{DocSet, TantivyDocument};

use super::*;
use crate::document::Document;
use crate::ingest::{Action, Operation};
use crate::models::ModelOptions;

fn models() -> Arc<Models> {
    Arc::new(Models::new(ModelOptions { cache_dir: None, offline: true, ..ModelOptions::default() }))
}

#[derive(Debug, Clone)]
enum Step {
    /// A document with so many nested objects, each with so many inside.
    Write(u8, Vec<u8>),
    Delete(u8),
    Commit,
    Compact,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..6_u8, prop::collection::vec(0..3_u8, 0..4)).prop_map(|(id, inner)| Step::Write(id, inner)),
        3 => (0..6_u8).prop_map(Step::Delete),
        3 => Just(Step::Commit),
        1 => Just(Step::Compact),
        1 => Just(Step::Reopen),
    ]
}

fn source(inner: &[u8]) -> serde_json::Map<String, Value> {
    let objects: Vec<Value> = inner
        .iter()
        .enumerate()
        .map(|(n, count)| json!({"n": n, "m": vec![json!({"k": "x"}); usize::from(*count)]}))
        .collect();
    json!({"t": "words", "o": objects}).as_object().unwrap().clone()
}

/// The nested documents of each root, as (path, number) in their order.
fn roots_with_children(snapshot: &Snapshot) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    for (segment_ord, reader) in (0..).zip(snapshot.searcher().segment_readers()) {
        let roots = snapshot.roots(segment_ord);
        let columns = snapshot.columns(segment_ord).unwrap();
        let paths = reader.fast_fields().str("_nested_path").unwrap();
        let mut children = Vec::new();
        for doc in reader.doc_ids_alive() {
            if roots.is_none_or(|roots| roots.contains(doc)) {
                let id = columns.id(doc).unwrap().to_string();
                assert!(found.insert(id, std::mem::take(&mut children)).is_none(), "an id twice");
            } else {
                assert_eq!(columns.id(doc).unwrap(), "");
                let paths = paths.as_ref().unwrap();
                let mut path = String::new();
                paths.ord_to_str(paths.term_ords(doc).next().unwrap(), &mut path).unwrap();
                children.push(path);
            }
        }
        assert!(children.is_empty(), "children without a root");
    }
    found
}

fn expected_children(inner: &[u8]) -> Vec<String> {
    inner
        .iter()
        .flat_map(|count| std::iter::repeat_n("o.m", usize::from(*count)).chain(std::iter::once("o")))
        .map(str::to_string)
        .collect()
}

fn run(folder: &Path, steps: &[Step]) {
    let definition = IndexDefinition::from_value(&json!({"mappings": {"properties": {
        "t": {"type": "text"},
        "o": {"type": "nested", "properties": {
            "n": {"type": "long"}, "m": {"type": "nested", "properties": {"k": {"type": "keyword"}}}}}}}}))
    .unwrap();
    let models = models();
    drop(Index::create(folder, &definition, models.clone()).unwrap());
    let mut committed: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for session in steps.split(|step| matches!(step, Step::Reopen)) {
        let index = Index::open(folder, models.clone()).unwrap();
        let mut pending = committed.clone();
        let mut writer = index.writer().unwrap();
        for step in session {
            let apply = |writer: &mut Writer<'_>, action| {
                let applied = writer.apply(vec![Operation { action, location: Default::default() }]).unwrap();
                assert!(applied.faults.is_empty(), "{applied:?}");
            };
            match step {
                Step::Write(id, inner) => {
                    let document = Document { id: Some(format!("d{id}").into()), source: source(inner) };
                    apply(&mut writer, Action::Index(document));
                    pending.insert(format!("d{id}"), inner.clone());
                }
                Step::Delete(id) => {
                    apply(&mut writer, Action::Delete(format!("d{id}").into()));
                    pending.remove(&format!("d{id}"));
                }
                Step::Commit => {
                    writer.commit().unwrap();
                    committed = pending.clone();
                }
                Step::Compact => {
                    writer.compact().unwrap();
                    committed = pending.clone();
                }
                Step::Reopen => {}
            }
            let snapshot = index.snapshot().unwrap();
            let expected: BTreeMap<String, Vec<String>> =
                committed.iter().map(|(id, inner)| (id.clone(), expected_children(inner))).collect();
            assert_eq!(roots_with_children(&snapshot), expected, "{steps:?}");
            assert_eq!(snapshot.num_documents(), committed.len() as u64);
            let mut ids: Vec<String> = snapshot.ids().unwrap().iter().map(|id| id.as_str().to_string()).collect();
            ids.sort();
            assert_eq!(ids, committed.keys().cloned().collect::<Vec<_>>());
            for (id, inner) in &committed {
                assert_eq!(snapshot.get(&id.as_str().into()).unwrap(), Some(source(inner)));
            }
        }
        writer.finish().unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn nested_documents_live_and_die_with_their_roots(steps in prop::collection::vec(step(), 1..25)) {
        let folder = tempfile::tempdir().unwrap();
        run(&folder.path().join("index"), &steps);
    }
}

/// The schema as the first version made it: the engine's fields were three.
fn first_schema() -> Schema {
    let mut schema = Schema::builder();
    let raw = tantivy::schema::TextFieldIndexing::default()
        .set_tokenizer("raw")
        .set_index_option(tantivy::schema::IndexRecordOption::Basic)
        .set_fieldnorms(false);
    schema.add_text_field("_id", TextOptions::default().set_indexing_options(raw.clone()));
    schema.add_u64_field("_hash", tantivy::schema::NumericOptions::default());
    schema.add_text_field("_source", TextOptions::default().set_stored());
    schema.add_text_field("k", TextOptions::default().set_indexing_options(raw).set_fast("raw"));
    schema.build()
}

#[test]
fn an_index_of_the_first_version_opens_and_grows() {
    let folder = tempfile::tempdir().unwrap();
    let body = json!({"mappings": {"properties": {"k": {"type": "keyword"}}}});
    let definition = IndexDefinition::from_value(&body).unwrap();
    fs_err::create_dir_all(folder.path().join(SEGMENTS)).unwrap();
    Manifest::new(definition.clone(), BTreeMap::new()).write(folder.path()).unwrap();
    {
        let schema = first_schema();
        let index = tantivy::Index::builder()
            .schema(schema.clone())
            .register_plugin(Arc::new(columns::ColumnsPlugin))
            .register_plugin(Arc::new(dense::VectorPlugin::default()))
            .open_or_create(SegmentDirectory::open(&folder.path().join(SEGMENTS)).unwrap())
            .unwrap();
        let mut writer: tantivy::IndexWriter = index.writer_with_num_threads(1, 15_000_000).unwrap();
        let mut document = TantivyDocument::new();
        document.add_text(schema.get_field("_id").unwrap(), "old");
        document.add_u64(schema.get_field("_hash").unwrap(), 1);
        document.add_text(schema.get_field("_source").unwrap(), r#"{"k":"a"}"#);
        document.add_text(schema.get_field("k").unwrap(), "a");
        writer.add_document(document).unwrap();
        writer.commit().unwrap();
        writer.wait_merging_threads().unwrap();
    }
    let index = Index::open(folder.path(), models()).unwrap();
    let more = json!({"properties": {"n": {"type": "nested", "properties": {"x": {"type": "long"}}}}});
    index.extend_definition(&definition.merged_with(&more).unwrap()).unwrap();
    let mut writer = index.writer().unwrap();
    writer.add(r#"{"_id": "new", "k": "b", "n": [{"x": 1}, {"x": 2}]}"#).unwrap();
    writer.commit().unwrap();
    for _ in 0..2 {
        let snapshot = index.snapshot().unwrap();
        let found = roots_with_children(&snapshot);
        assert_eq!(found.keys().collect::<Vec<_>>(), ["new", "old"]);
        assert_eq!((found["new"].len(), found["old"].len()), (2, 0));
        assert_eq!(snapshot.num_documents(), 2);
        let address = snapshot.locate(&"old".into()).unwrap().unwrap();
        assert_eq!(snapshot.version(address).unwrap(), (0, 1));
        assert_eq!(snapshot.routing(address).unwrap(), None);
        writer.compact().unwrap();
    }
    let snapshot = index.snapshot().unwrap();
    let field = snapshot.index_fields().mapped[0].field.unwrap();
    let reader = &snapshot.searcher().segment_readers()[0];
    let term = tantivy::Term::from_field_text(field, "a");
    let inverted = reader.inverted_index(field).unwrap();
    let postings = inverted.read_postings(&term, tantivy::schema::IndexRecordOption::Basic).unwrap().unwrap();
    assert_eq!(postings.size_hint(), 1);
}
