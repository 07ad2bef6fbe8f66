//! What a crash in the middle of a commit leaves behind.

use std::path::Path;
use std::sync::Arc;

use super::Index;
use crate::error::Location;
use crate::ingest::{Action, Operation};
use crate::models::{ModelOptions, Models};
use crate::schema::IndexDefinition;

fn models() -> Arc<Models> {
    Arc::new(Models::new(ModelOptions { cache_dir: None, offline: true, ..ModelOptions::default() }))
}

/// One session: deletes a document and commits.
fn delete_first(folder: &Path) {
    let index = Index::open(folder, models()).unwrap();
    let mut writer = index.writer().unwrap();
    let action = Action::Delete("1".into());
    writer.apply(vec![Operation { action, location: Location::default() }]).unwrap();
    writer.commit().unwrap();
    writer.finish().unwrap();
}

#[test]
fn files_of_an_unfinished_commit_stop_no_later_one() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("a.idx");
    let definition = IndexDefinition::parse(r#"{"mappings": {"properties": {"t": {"type": "text"}}}}"#).unwrap();
    let index = Index::create(&folder, &definition, models()).unwrap();
    let mut writer = index.writer().unwrap();
    for id in 1..4 {
        writer.add(&format!(r#"{{"_id": "{id}", "t": "wing {id}"}}"#)).unwrap();
    }
    writer.commit().unwrap();
    writer.finish().unwrap();
    drop(index);
    // The deletion's file is written, and the power fails before `meta.json` names it.
    let meta = folder.join("segments/meta.json");
    let before = fs_err::read(&meta).unwrap();
    delete_first(&folder);
    fs_err::write(&meta, before).unwrap();
    assert_eq!(Index::open(&folder, models()).unwrap().snapshot().unwrap().num_documents(), 3);
    delete_first(&folder);
    assert_eq!(Index::open(&folder, models()).unwrap().snapshot().unwrap().num_documents(), 2);
}
