use serde_json::json;

use super::*;
use crate::models::ModelOptions;
use crate::store::shard::{WriteAction, WriteOp};

fn open(folder: &Path) -> Catalog {
    Catalog::open(folder, Arc::new(Models::new(ModelOptions::default()))).unwrap()
}

fn alias(value: Value) -> Alias {
    serde_json::from_value(value).unwrap()
}

fn add(index: &str, name: &str, value: Value) -> AliasAction {
    AliasAction::Add { index: index.to_string(), alias: name.to_string(), value: Box::new(alias(value)) }
}

/// `logs-1`, `logs-2` (with the alias `logs` on both, written to the second), `books` (alias `novels` with a filter), `.hidden`.
fn filled(folder: &Path) -> Catalog {
    let catalog = open(folder);
    for name in ["logs-1", "logs-2", "books"] {
        catalog.create(name, &IndexDefinition::default(), BTreeMap::new()).unwrap();
    }
    let actions = [
        add("logs-1", "logs", json!({})),
        add("logs-2", "logs", json!({"is_write_index": true})),
        add("books", "novels", json!({"filter": {"term": {"kind": "novel"}}})),
        add("books", "Poems", json!({"filter": {"term": {"kind": "poem"}}})),
    ];
    catalog.update_aliases(&actions).unwrap();
    catalog
}

fn names(found: &[Resolved]) -> Vec<&str> {
    found.iter().map(|found| found.index.name()).collect()
}

#[test]
fn indices_and_aliases_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = filled(folder.path());
    let uuid = catalog.cluster_uuid().to_string();
    let before = catalog.get("books").unwrap();
    before.shard().unwrap().write_one(WriteOp::new(Some("1".into()), WriteAction::Index(Map::new()))).unwrap();
    catalog.put_cluster_settings(&Map::from_iter([("action.auto_create_index".to_string(), json!("false"))])).unwrap();
    let busy = Catalog::open(folder.path(), Arc::new(Models::new(ModelOptions::default()))).unwrap_err();
    assert_eq!(busy.kind(), ErrorKind::Busy);
    catalog.delete(&["logs-1".to_string()]).unwrap();
    drop((catalog, before));
    let catalog = open(folder.path());
    assert_eq!(catalog.cluster_uuid(), uuid);
    assert_eq!(catalog.indices().keys().collect::<Vec<_>>(), ["books", "logs-2"]);
    assert_eq!(catalog.get("books").unwrap().aliases().keys().collect::<Vec<_>>(), ["Poems", "novels"]);
    assert_eq!(catalog.get("books").unwrap().shard().unwrap().searcher().num_documents(), 1);
    assert!(matches!(catalog.write_target("new", false), Err(CatalogError::NotFound(_))));
    assert_eq!(fs_err::read_dir(folder.path().join(INDICES)).unwrap().count(), 2);
}

#[test]
fn expressions_are_resolved_as_elasticsearch_does() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = filled(folder.path());
    let strict = IndicesOptions { allow_no_indices: false, ..IndicesOptions::default() };
    let lenient = IndicesOptions { ignore_unavailable: true, ..IndicesOptions::default() };
    let usual = IndicesOptions::default();
    let all = vec!["books", "logs-1", "logs-2"];
    let cases = [
        ("_all", usual, Some(all.clone())),
        ("*", usual, Some(all.clone())),
        ("", usual, Some(all)),
        ("books", usual, Some(vec!["books"])),
        ("books,logs-1", usual, Some(vec!["books", "logs-1"])),
        ("logs-*", usual, Some(vec!["logs-1", "logs-2"])),
        ("logs-*,-logs-1", usual, Some(vec!["logs-2"])),
        ("*,-logs*", usual, Some(vec!["books"])),
        ("logs", usual, Some(vec!["logs-1", "logs-2"])),
        ("nov*", usual, Some(vec!["books"])),
        ("x*", usual, Some(vec![])),
        ("x*", strict, None),
        ("missing", usual, None),
        ("missing,books", usual, None),
        ("missing,books", lenient, Some(vec!["books"])),
        ("-books", usual, None),
        ("_books", usual, None),
        ("<logs-{now/d}>", usual, None),
        ("other:logs", usual, None),
    ];
    for (expression, options, expected) in cases {
        let found = catalog.resolve(expression, options);
        assert_eq!(found.as_ref().ok().map(|found| names(found)), expected, "{expression}: {:?}", found.as_ref().err());
    }
    let filters = |expression: &str| catalog.resolve(expression, usual).unwrap().remove(0).filters;
    assert_eq!(filters("novels"), Some(vec![json!({"term": {"kind": "novel"}})]));
    assert_eq!(filters("novels,Poems").map(|filters| filters.len()), Some(2));
    assert_eq!(filters("novels,books"), None);
    assert_eq!(filters("books"), None);
}

#[test]
fn writes_go_to_an_index_or_to_the_write_index_of_an_alias() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = filled(folder.path());
    let target = |name: &str, require_alias| catalog.write_target(name, require_alias);
    assert_eq!(target("logs", false).unwrap().index.name(), "logs-2");
    assert_eq!(target("novels", true).unwrap().index.name(), "books");
    assert!(matches!(target("books", true), Err(CatalogError::NotAnAlias(_))));
    let made = target("made", false).unwrap();
    assert!(made.was_created && !target("made", false).unwrap().was_created);
    for name in ["Upper", "..", "a/b", "_x", "<x>", "a:b"] {
        assert!(target(name, false).is_err(), "{name}");
    }
    catalog.update_aliases(&[add("logs-2", "logs", json!({}))]).unwrap();
    let error = target("logs", false).unwrap_err().to_string();
    assert!(error.starts_with("no write index is defined for alias [logs]."), "{error}");
    assert!(matches!(catalog.one("logs"), Err(CatalogError::Invalid(_))));
    let rule = |rule: &str| Map::from_iter([("action.auto_create_index".to_string(), json!(rule))]);
    catalog.put_cluster_settings(&rule("-no*,+new*")).unwrap();
    assert!(target("now", false).is_err() && target("other", false).is_err());
    assert!(target("newer", false).unwrap().was_created);
}

#[test]
fn wrong_changes_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = filled(folder.path());
    let before = fs_err::read(folder.path().join(FILE)).unwrap();
    let remove = |alias: &str, must_exist| AliasAction::Remove {
        indices: vec!["books".to_string()],
        aliases: vec![alias.to_string()],
        must_exist,
    };
    let wrong: Vec<Vec<AliasAction>> = vec![
        vec![add("missing", "a", json!({}))],
        vec![add("books", "ok", json!({})), add("books", "a b", json!({}))],
        vec![add("books", "logs-1", json!({}))],
        vec![add("logs-1", "logs", json!({"is_write_index": true}))],
        vec![remove("nothing", None)],
        vec![AliasAction::RemoveIndex { index: "missing".to_string() }],
    ];
    for actions in wrong {
        catalog.update_aliases(&actions).unwrap_err();
    }
    let create = |name: &str| catalog.create(name, &IndexDefinition::default(), BTreeMap::new());
    assert!(matches!(create("books"), Err(CatalogError::Exists { .. })));
    assert!(matches!(create("novels"), Err(CatalogError::InvalidName { .. })));
    assert!(matches!(create("../books"), Err(CatalogError::InvalidName { .. })));
    let bad = BTreeMap::from_iter([("books".to_string(), Alias::default())]);
    assert!(catalog.create("new", &IndexDefinition::default(), bad).is_err());
    assert!(catalog.delete(&["books".to_string(), "missing".to_string()]).is_err());
    assert_eq!(fs_err::read(folder.path().join(FILE)).unwrap(), before);
    assert_eq!(fs_err::read_dir(folder.path().join(INDICES)).unwrap().count(), 3);
    catalog.update_aliases(&[remove("nothing", Some(false)), remove("nov*", None)]).unwrap();
    // An alias may take the name of an index that goes.
    let swap = [AliasAction::RemoveIndex { index: "logs-1".to_string() }, add("logs-2", "logs-1", json!({}))];
    catalog.update_aliases(&swap).unwrap();
    assert_eq!(catalog.write_target("logs-1", true).unwrap().index.name(), "logs-2");
}

#[test]
fn a_deleted_index_is_gone_for_those_who_hold_it() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = filled(folder.path());
    let held = catalog.get("books").unwrap().shard().unwrap();
    held.write_one(WriteOp::new(Some("1".into()), WriteAction::Index(Map::new()))).unwrap();
    held.refresh().unwrap();
    let searcher = held.searcher();
    catalog.delete(&["books".to_string()]).unwrap();
    let refused = held.write_one(WriteOp::new(Some("2".into()), WriteAction::Index(Map::new())));
    assert!(matches!(refused, Err(crate::store::shard::WriteError::Closed)));
    assert_eq!(searcher.get(&"1".into()).unwrap(), Some(Map::new()));
    catalog.create("books", &IndexDefinition::default(), BTreeMap::new()).unwrap();
    assert_eq!(catalog.get("books").unwrap().shard().unwrap().searcher().num_documents(), 0);
}

#[test]
fn what_a_crash_leaves_is_cleared_and_an_index_that_cannot_be_opened_stops_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = filled(folder.path());
    let uuid = catalog.get("books").unwrap().uuid().to_string();
    drop(catalog);
    let indices = folder.path().join(INDICES);
    fs_err::create_dir_all(indices.join(format!("x{DELETED}")).join("index")).unwrap();
    fs_err::create_dir_all(indices.join("halfmade").join("index")).unwrap();
    fs_err::write(indices.join(&uuid).join("index").join("bifocal.json"), "{").unwrap();
    let catalog = open(folder.path());
    assert_eq!(fs_err::read_dir(&indices).unwrap().count(), 3);
    let damaged = catalog.get("books").unwrap();
    assert!(matches!(damaged.shard(), Err(CatalogError::Unavailable { .. })));
    assert!(catalog.get("logs-1").unwrap().shard().is_ok());
    catalog.delete(&["books".to_string()]).unwrap();
    drop((catalog, damaged));
    fs_err::write(folder.path().join(FILE), "{\"format\": 9}").unwrap();
    let error = Catalog::open(folder.path(), Arc::new(Models::new(ModelOptions::default()))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
