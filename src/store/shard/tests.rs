use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use serde_json::{Map, Value, json};

use super::*;
use crate::document::DocumentId;
use crate::models::ModelOptions;

fn models() -> Arc<Models> {
    Arc::new(Models::new(ModelOptions::default()))
}

fn definition(body: Value) -> IndexDefinition {
    IndexDefinition::from_value(&body).unwrap()
}

fn new_shard(body: Value) -> (tempfile::TempDir, Shard) {
    let folder = tempfile::tempdir().unwrap();
    let shard = Shard::create(&folder.path().join("shard"), &definition(body), models()).unwrap();
    (folder, shard)
}

/// A shard that never refreshes by itself.
fn still_shard() -> (tempfile::TempDir, Shard) {
    new_shard(json!({"settings": {"refresh_interval": "-1"}}))
}

fn reopen(folder: &tempfile::TempDir, shard: Shard) -> Shard {
    drop(shard);
    Shard::open(&folder.path().join("shard"), models()).unwrap()
}

fn source(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn op(id: &str, action: WriteAction) -> WriteOp {
    WriteOp::new(Some(id.into()), action)
}

fn index(id: &str, value: Value) -> WriteOp {
    op(id, WriteAction::Index(source(value)))
}

fn update(id: &str, doc: Value) -> WriteOp {
    op(id, WriteAction::Update(Update { doc: source(doc), detect_noop: true, ..Update::default() }))
}

fn get(shard: &Shard, id: &str) -> Option<(u64, u64, Value)> {
    let found = shard.get(&id.into(), Visibility::Realtime).unwrap()?;
    Some((found.version, found.seq_no, Value::Object((*found.source).clone())))
}

fn summary(written: &Written) -> (WriteResult, u64, u64) {
    (written.result, written.version, written.seq_no)
}

#[test]
fn a_write_is_read_at_once_and_searched_after_a_refresh() {
    let (folder, shard) = still_shard();
    let written = shard.write_one(index("1", json!({"title": "a wing"}))).unwrap();
    assert_eq!(summary(&written), (WriteResult::Created, 1, 0));
    assert_eq!(get(&shard, "1"), Some((1, 0, json!({"title": "a wing"}))));
    assert_eq!(shard.get(&"1".into(), Visibility::Refreshed).unwrap(), None);
    assert_eq!(shard.searcher().num_documents(), 0);
    shard.refresh().unwrap();
    assert_eq!(shard.searcher().num_documents(), 1);
    assert_eq!(get(&shard, "1"), Some((1, 0, json!({"title": "a wing"}))));
    let written = shard.write_one(index("1", json!({"title": "two wings"}))).unwrap();
    assert_eq!(summary(&written), (WriteResult::Updated, 2, 1));
    assert_eq!(shard.get(&"1".into(), Visibility::Refreshed).unwrap().unwrap().version, 1);
    let shard = reopen(&folder, shard);
    assert_eq!(get(&shard, "1"), Some((2, 1, json!({"title": "two wings"}))));
    assert_eq!(shard.searcher().num_documents(), 1);
}

#[test]
fn what_a_merge_made_is_searched_without_another_write() {
    let (_folder, shard) = still_shard();
    for number in 0..8 {
        shard.write_one(index(&number.to_string(), json!({"n": number}))).unwrap();
        shard.refresh().unwrap();
    }
    let num_segments = || shard.searcher().searcher().segment_readers().len();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while num_segments() > 1 {
        assert!(std::time::Instant::now() < until, "still {} segments", num_segments());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(shard.searcher().num_documents(), 8);
}

#[test]
fn deletions_are_remembered_for_a_while() {
    let (_folder, shard) = still_shard();
    shard.write_one(index("1", json!({}))).unwrap();
    assert_eq!(summary(&shard.write_one(op("1", WriteAction::Delete)).unwrap()), (WriteResult::Deleted, 2, 1));
    assert_eq!(get(&shard, "1"), None);
    shard.refresh().unwrap();
    assert_eq!(summary(&shard.write_one(op("1", WriteAction::Delete)).unwrap()), (WriteResult::NotFound, 3, 2));
    shard.refresh().unwrap();
    assert_eq!(summary(&shard.write_one(index("1", json!({}))).unwrap()), (WriteResult::Created, 4, 3));
    shard.refresh().unwrap();
    assert_eq!(shard.searcher().num_documents(), 1);
}

#[test]
fn conditions_are_checked_against_the_last_write() {
    let (_folder, shard) = still_shard();
    let mut conditional = index("1", json!({"n": 1}));
    conditional.condition = WriteCondition::SeqNo { seq_no: 0, primary_term: 1 };
    assert!(matches!(shard.write_one(conditional.clone()), Err(WriteError::VersionConflict(_))));
    shard.write_one(index("1", json!({"n": 0}))).unwrap();
    assert_eq!(shard.write_one(conditional.clone()).unwrap().version, 2);
    shard.refresh().unwrap();
    assert!(matches!(shard.write_one(conditional), Err(WriteError::VersionConflict(_))));
    let create = op("1", WriteAction::Create(source(json!({}))));
    let error = shard.write_one(create).unwrap_err();
    assert_eq!(error.to_string(), "[1]: version conflict, document already exists (current version [2])");
    let mut external = index("2", json!({}));
    external.condition = WriteCondition::ExternalVersion(40);
    assert_eq!(shard.write_one(external.clone()).unwrap().version, 40);
    assert!(matches!(shard.write_one(external), Err(WriteError::VersionConflict(_))));
}

#[test]
fn a_batch_is_done_in_order_and_one_fault_stops_no_other() {
    let (folder, shard) = new_shard(json!({"settings": {"refresh_interval": "-1"},
        "mappings": {"properties": {"n": {"type": "long"}}}}));
    let answers = shard.write(vec![
        index("1", json!({"n": 1})),
        update("1", json!({"m": 2})),
        index("2", json!({"n": "many"})),
        update("1", json!({"m": 2})),
        update("3", json!({"m": 2})),
        op("1", WriteAction::Delete),
        op("1", WriteAction::Create(source(json!({"n": 5})))),
        WriteOp::new(None, WriteAction::Index(source(json!({"n": 6})))),
    ]);
    let results: Vec<_> = answers.iter().map(|answer| answer.as_ref().map(|written| written.result).ok()).collect();
    let expected = [
        Some(WriteResult::Created),
        Some(WriteResult::Updated),
        None,
        Some(WriteResult::Noop),
        None,
        Some(WriteResult::Deleted),
        Some(WriteResult::Created),
        Some(WriteResult::Created),
    ];
    assert_eq!(results, expected);
    assert!(matches!(answers[4], Err(WriteError::Missing)));
    assert_eq!(get(&shard, "1").unwrap(), (4, 3, json!({"n": 5})));
    let made = answers[7].as_ref().unwrap().id.clone();
    assert_eq!(made.as_str().len(), 20);
    let shard = reopen(&folder, shard);
    assert_eq!(get(&shard, "1").unwrap(), (4, 3, json!({"n": 5})));
    assert_eq!(get(&shard, made.as_str()).unwrap().2, json!({"n": 6}));
    assert_eq!(shard.searcher().num_documents(), 2);
    // The process that wrote the first half did not close the shard.
    assert_eq!(shard.write_one(index("9", json!({}))).unwrap().primary_term, 2);
    assert_eq!(shard.get(&"1".into(), Visibility::Realtime).unwrap().unwrap().primary_term, 1);
}

#[test]
fn updates_merge_insert_and_notice_that_nothing_changes() {
    let (_folder, shard) = still_shard();
    let upsert = Update {
        doc: source(json!({"n": 1})),
        upsert: Some(source(json!({"n": 0}))),
        detect_noop: true,
        ..Update::default()
    };
    let written = shard.write_one(op("1", WriteAction::Update(upsert.clone()))).unwrap();
    assert_eq!((written.result, written.source), (WriteResult::Created, Some(Arc::new(source(json!({"n": 0}))))));
    assert_eq!(shard.write_one(op("1", WriteAction::Update(upsert.clone()))).unwrap().result, WriteResult::Updated);
    assert_eq!(shard.write_one(op("1", WriteAction::Update(upsert.clone()))).unwrap().result, WriteResult::Noop);
    let always = Update { detect_noop: false, ..upsert };
    assert_eq!(shard.write_one(op("1", WriteAction::Update(always))).unwrap().version, 3);
    let doc_as_upsert = Update { doc: source(json!({"a": {"b": 1}})), doc_as_upsert: true, ..Update::default() };
    shard.write_one(op("2", WriteAction::Update(doc_as_upsert))).unwrap();
    shard.write_one(update("2", json!({"a": {"c": 2}, "d": [3]}))).unwrap();
    assert_eq!(get(&shard, "2").unwrap().2, json!({"a": {"b": 1, "c": 2}, "d": [3]}));
}

#[test]
fn concurrent_updates_conflict_or_try_again() {
    let (_folder, shard) = new_shard(json!({}));
    shard.write_one(index("1", json!({}))).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let shard = &shard;
            scope.spawn(move || {
                for round in 0..10 {
                    let doc = source(json!({format!("k{thread}"): round}));
                    let update = Update { doc, detect_noop: true, retry_on_conflict: 1000, ..Update::default() };
                    shard.write_one(op("1", WriteAction::Update(update))).unwrap();
                }
            });
        }
    });
    assert_eq!(get(&shard, "1").unwrap().0, 41);
    assert_eq!(get(&shard, "1").unwrap().2, json!({"k0": 9, "k1": 9, "k2": 9, "k3": 9}));
}

#[test]
fn the_mapping_grows_while_others_write() {
    let (folder, shard) = new_shard(json!({}));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let shard = &shard;
            scope.spawn(move || {
                for round in 0..12 {
                    let field = format!("f{}", (thread + round) % 8);
                    shard.write_one(index(&format!("{thread}-{round}"), json!({field: round, "all": "x"}))).unwrap();
                }
            });
        }
    });
    let fields = shard.definition().mappings.properties.len();
    assert_eq!(fields, 9);
    shard.refresh().unwrap();
    assert_eq!(shard.searcher().num_documents(), 48);
    let shard = reopen(&folder, shard);
    assert_eq!(shard.searcher().num_documents(), 48);
    assert_eq!(shard.definition().mappings.properties.len(), 9);
}

#[test]
fn what_waits_for_a_refresh_is_told() {
    let (_folder, shard) = new_shard(json!({"settings": {"refresh_interval": "50ms"}}));
    let written = shard.write_one(index("1", json!({"n": 1}))).unwrap();
    assert!(shard.wait_until_visible(written.seq_no));
    assert_eq!(shard.searcher().num_documents(), 1);
    // Where the index does not refresh by itself, waiting asks for it.
    let (_folder, shard) = still_shard();
    let written = shard.write_one(index("1", json!({"n": 1}))).unwrap();
    assert!(shard.wait_until_visible(written.seq_no));
    let written = shard.write_one(index("2", json!({"n": 1}))).unwrap();
    shard.close().unwrap();
    assert!(!shard.wait_until_visible(written.seq_no) || shard.searcher().num_documents() == 2);
    assert!(matches!(shard.write_one(index("3", json!({}))), Err(WriteError::Closed)));
}

#[test]
fn a_flush_empties_the_translog_and_a_merge_drops_what_is_deleted() {
    let (folder, shard) = still_shard();
    for round in 0..3 {
        shard.write((0..20).map(|id| index(&id.to_string(), json!({"n": round}))).collect());
        shard.refresh().unwrap();
    }
    let stats = shard.stats().unwrap();
    assert_eq!((stats.documents, stats.translog_operations, stats.uncommitted_operations), (20, 60, 60));
    assert!(stats.store_bytes > 1000);
    shard.flush().unwrap();
    let stats = shard.stats().unwrap();
    assert_eq!((stats.translog_operations, stats.uncommitted_operations), (0, 0));
    shard.force_merge(NonZeroUsize::MIN).unwrap();
    let stats = shard.stats().unwrap();
    assert_eq!((stats.documents, stats.deleted_documents, stats.segments), (20, 0, 1));
    shard.write((0..5).map(|id| op(&id.to_string(), WriteAction::Delete)).collect());
    shard.expunge_deletes().unwrap();
    assert_eq!((shard.stats().unwrap().documents, shard.stats().unwrap().deleted_documents), (15, 0));
    shard.close().unwrap();
    let shard = reopen(&folder, shard);
    assert_eq!(shard.searcher().num_documents(), 15);
    assert_eq!(shard.write_one(index("x", json!({}))).unwrap().seq_no, 65);
}

#[test]
fn settings_change_on_the_live_index_and_stay() {
    let (folder, shard) = still_shard();
    shard
        .put_settings(|settings| {
            let mut changed = settings.clone();
            changed.index.refresh_interval = Some("20ms".into());
            Ok(changed)
        })
        .unwrap();
    let written = shard.write_one(index("1", json!({"n": 1}))).unwrap();
    assert!(shard.wait_until_visible(written.seq_no));
    let shard = reopen(&folder, shard);
    assert_eq!(shard.store_settings().refresh_interval, Some(std::time::Duration::from_millis(20)));
}

/// Random writes, refreshes, flushes and reopenings against a map.
#[test]
fn a_shard_is_a_map_with_versions() {
    let mut random = fastrand::Rng::with_seed(7);
    let (folder, mut shard) = still_shard();
    let mut model: BTreeMap<String, (u64, Value)> = BTreeMap::new();
    let mut versions: BTreeMap<String, u64> = BTreeMap::new();
    for step in 0..400 {
        let id = random.u32(..12).to_string();
        match random.u32(..20) {
            0..10 => {
                let value = json!({"n": step, "t": "word"});
                let written = shard.write_one(index(&id, value.clone())).unwrap();
                let version = versions.entry(id.clone()).or_default();
                *version += 1;
                assert_eq!(written.version, *version, "step {step}");
                model.insert(id, (*version, value));
            }
            10..14 => {
                let written = shard.write_one(op(&id, WriteAction::Delete)).unwrap();
                let version = versions.entry(id.clone()).or_default();
                *version += 1;
                assert_eq!(written.version, *version, "step {step}");
                assert_eq!(written.result == WriteResult::Deleted, model.remove(&id).is_some());
            }
            14..17 => shard.refresh().unwrap(),
            17 => shard.flush().unwrap(),
            18 => shard.force_merge(NonZeroUsize::MIN).unwrap(),
            _ => {
                if random.bool() {
                    shard.close().unwrap();
                }
                shard = reopen(&folder, shard);
                // Versions of deleted documents are forgotten.
                versions.retain(|id, _| model.contains_key(id));
            }
        }
        for (id, (version, value)) in &model {
            let found = get(&shard, id).unwrap();
            assert_eq!((found.0, &found.2), (*version, value), "step {step}, document {id}");
        }
    }
    shard.refresh().unwrap();
    let mut ids: Vec<DocumentId> = shard.searcher().ids().unwrap();
    ids.sort();
    assert_eq!(ids, model.keys().map(|id| id.as_str().into()).collect::<Vec<DocumentId>>());
}

#[test]
fn documents_grow_the_mapping_as_elasticsearch_does() {
    let (folder, shard) = new_shard(json!({"mappings": {"dynamic_templates": [
        {"ids": {"match": "*_id", "mapping": {"type": "keyword"}}}],
        "properties": {"strict": {"type": "object", "dynamic": "strict"}, "v": {"type": "dense_vector"}}}}));
    let answers = shard.write(vec![
        index("1", json!({"title": "words", "day": "2024-05-01", "user_id": "u", "n": 1, "v": [1, 2, 3]})),
        index("2", json!({"strict": {"new": 1}})),
        index("3", json!({"n": "not a number"})),
        index("4", json!({"n": 2.5, "tags": ["a", "b"], "o": {"x": true}})),
    ]);
    let kind = |answer: &Result<Written, WriteError>| match answer {
        Err(WriteError::Other(error)) => error.exception().map(|exception| exception.kind),
        _ => None,
    };
    let kinds: Vec<_> = answers.iter().map(kind).collect();
    assert_eq!(kinds, [None, Some("strict_dynamic_mapping_exception"), Some("document_parsing_exception"), None]);
    let expected = json!({"dynamic_templates": [{"ids": {"match": "*_id", "mapping": {"type": "keyword"}}}], "properties": {
        "day": {"type": "date"}, "n": {"type": "long"}, "o": {"properties": {"x": {"type": "boolean"}}},
        "strict": {"type": "object", "dynamic": "strict"},
        "tags": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}},
        "title": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}},
        "user_id": {"type": "keyword"},
        "v": {"type": "dense_vector", "dims": 3, "index": true, "similarity": "cosine",
            "index_options": {"type": "int8_hnsw", "m": 16, "ef_construction": 100}}}});
    assert_eq!(shard.definition().mappings.to_value(), expected);
    let shard = reopen(&folder, shard);
    assert_eq!(shard.definition().mappings.to_value(), expected);
    assert_eq!(shard.searcher().num_documents(), 2);
}

#[test]
fn a_required_routing_is_asked_for() {
    let (_folder, shard) = new_shard(json!({"mappings": {"_routing": {"required": true}}}));
    let error = shard.write_one(index("1", json!({}))).unwrap_err();
    assert!(
        matches!(&error, WriteError::Other(error)
        if error.exception().is_some_and(|exception| exception.kind == "routing_missing_exception")),
        "{error}"
    );
    let mut routed = index("1", json!({}));
    routed.routing = Some("r".to_string());
    shard.write_one(routed).unwrap();
    assert!(shard.write_one(op("1", WriteAction::Delete)).is_err());
}

#[test]
fn a_routing_that_cannot_be_kept_fails_its_own_write() {
    let (_folder, shard) = still_shard();
    let mut long = index("1", json!({}));
    long.routing = Some("r".repeat(70_000));
    let answers = shard.write(vec![long, index("2", json!({}))]);
    assert!(answers[0].as_ref().unwrap_err().to_string().contains("70000 bytes"));
    assert_eq!(summary(answers[1].as_ref().unwrap()), (WriteResult::Created, 1, 0));
}

#[test]
fn new_settings_leave_nothing_unsynced_behind() {
    let (_folder, shard) = new_shard(json!({"settings": {"index.translog.durability": "async"}}));
    shard.write_one(index("1", json!({}))).unwrap();
    assert!(shard.inner.translog.has_unsynced());
    shard.put_settings(|settings| Ok(settings.clone())).unwrap();
    assert!(!shard.inner.translog.has_unsynced());
}
