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
    // The session's files are written, and the power fails before `meta.json` names them.
    let twin = folder.with_file_name("b.idx");
    copy(&folder, &twin, |_| true);
    delete_first(&twin);
    let segments = folder.join("segments");
    copy(&twin.join("segments"), &segments, |name| name == ".managed.json" || !segments.join(name).exists());
    assert_eq!(Index::open(&folder, models()).unwrap().snapshot().unwrap().num_documents(), 3);
    delete_first(&folder);
    assert_eq!(Index::open(&folder, models()).unwrap().snapshot().unwrap().num_documents(), 2);
}

fn copy(from: &Path, to: &Path, wanted: impl Fn(&str) -> bool + Copy) {
    fs_err::create_dir_all(to).unwrap();
    for entry in fs_err::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(&name), wanted);
        } else if wanted(&name) {
            fs_err::copy(entry.path(), to.join(&name)).unwrap();
        }
    }
}
