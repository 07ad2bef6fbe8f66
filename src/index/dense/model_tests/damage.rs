//! Files that were damaged, and segments from before a field existed.

use std::path::{Path, PathBuf};

use tantivy::directory::MmapDirectory;
use tantivy::schema::SchemaBuilder;

use super::*;
use crate::error::{Error, ErrorKind};
use crate::index::schema_extension::extend_schema;

fn on_disk(folder: &Path, params: VectorFieldParams, plugin: VectorPlugin) -> World {
    World::new(params, plugin, Box::new(MmapDirectory::open(folder).unwrap()))
}

/// An index on disk with one merged segment that has a graph; returns its `vec` and `graph` files.
fn example(folder: &Path) -> (World, [PathBuf; 2]) {
    let params = VectorFieldParams { index: IndexKind::HNSW_DEFAULT, ..VectorFieldParams::new(8) };
    let mut world = on_disk(folder, params.clone(), VectorPlugin::with_hnsw_min_vectors(10));
    for id in 0..40u64 {
        world.put(&format!("d{id}"), vec![vector(&params, id)]);
    }
    world.commit();
    world.merge();
    check(&world, 3);
    let segment = world.index.searchable_segment_ids().unwrap()[0].uuid_string();
    let files = ["vec", "graph"].map(|extension| folder.join(format!("{segment}.{extension}")));
    (world, files)
}

/// Opens the folder afresh: Tantivy shares maps of a file within an opened directory.
fn open_and_verify(folder: &Path) -> Result<(), Error> {
    DenseReader::open(&searcher(&Index::open_in_dir(folder)?), &DenseCache::default())?.verify()
}

impl World {
    fn reopen_folder(&mut self, folder: &Path) {
        self.directory = Box::new(MmapDirectory::open(folder).unwrap());
        self.reopen();
    }
}

fn assert_names(error: &Error, file: &Path, what: &str) {
    let name = file.file_name().unwrap().to_str().unwrap();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
    assert!(error.to_string().contains(name), "{what}: {error}");
}

/// Overwrites a file by another, as memory maps of the old one stay valid.
fn replace(file: &Path, bytes: &[u8]) {
    fs_err::remove_file(file).unwrap();
    fs_err::write(file, bytes).unwrap();
}

#[test]
fn damage_is_found_and_the_file_named() {
    let folder = tempfile::tempdir().unwrap();
    let (mut world, files) = example(folder.path());
    for file in &files {
        let intact = fs_err::read(file).unwrap();
        let index = folder.path();
        for len in [0, 1, 63, 64, 100, intact.len() / 2, intact.len() - 40, intact.len() - 1] {
            replace(file, &intact[..len]);
            assert_names(&open_and_verify(index).unwrap_err(), file, &format!("{len} bytes left"));
        }
        for place in (0..8).chain(12..64).chain((64..intact.len()).step_by(97)) {
            let mut damaged = intact.clone();
            damaged[place] ^= 0x10;
            replace(file, &damaged);
            match open_and_verify(index) {
                Err(error) => assert_names(&error, file, &format!("byte {place}")),
                // Tantivy's own footer follows; it is not ours to check.
                Ok(()) => assert!(place + 200 > intact.len(), "byte {place} of {} was missed", intact.len()),
            }
        }
        let mut later = intact.clone();
        later[8] = 2;
        replace(file, &later);
        assert_eq!(open_and_verify(index).unwrap_err().kind(), ErrorKind::Unsupported);
        fs_err::remove_file(file).unwrap();
        assert_names(&open_and_verify(index).unwrap_err(), file, "removed");
        fs_err::write(file, &intact).unwrap();
        open_and_verify(index).unwrap();
    }
    // A merge must not give damaged vectors a fresh checksum.
    let mut damaged = fs_err::read(&files[0]).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0x10;
    replace(&files[0], &damaged);
    world.reopen_folder(folder.path());
    world.put("more", vec![vector(&world.params.clone(), 77)]);
    world.commit();
    let segments = world.index.searchable_segment_ids().unwrap();
    let error = Error::from(world.writer().merge(&segments).wait().unwrap_err());
    assert_names(&error, &files[0], "merge");
}

#[test]
fn segments_from_before_a_field_lack_its_vectors_and_merge() {
    let folder = tempfile::tempdir().unwrap();
    let (mut world, _) = example(folder.path());
    drop(world.writer.take());
    let later = VectorFieldParams { multi: true, similarity: Similarity::L2Norm, ..VectorFieldParams::new(2) };
    let mut fields = SchemaBuilder::new();
    let field = later.add_to(&mut fields, "later").unwrap();
    extend_schema(&world.index, vec![fields.build().get_field_entry(field).clone()]).unwrap();
    world.reopen();
    check(&world, 4);
    let (_, dense) = world.dense();
    assert_eq!(dense.search(&DenseQuery::new("later", &[1.0, 2.0], 5)).unwrap().hits, []);
    assert_eq!(dense.num_vectors("later"), 0);

    let mut doc = TantivyDocument::new();
    doc.add_text(world.field("id"), "new");
    let value = VectorValue { vectors: vec![1.0, 2.0, 9.0, 9.0], dims: 2, spans: None };
    doc.add_custom(world.field("later"), &value.encode(&later).unwrap());
    world.writer().add_document(doc).unwrap();
    world.written.insert("new".to_string(), Vec::new());
    world.delete("d3");
    world.commit();
    for merged in [false, true] {
        if merged {
            world.merge();
        }
        check(&world, 5);
        let (searcher, dense) = world.dense();
        let hits = dense.search(&DenseQuery::new("later", &[1.0, 3.0], 5)).unwrap().hits;
        assert_eq!(hits.len(), 1);
        assert_eq!((hits[0].similarity, documents(&searcher)[&hits[0].address].as_str()), (-1.0, "new"));
        assert_eq!(dense.num_vectors("later"), 2);
    }
}

#[test]
fn a_field_stored_another_way_since_is_rewritten_by_the_next_merge() {
    let folder = tempfile::tempdir().unwrap();
    let (mut world, _) = example(folder.path());
    drop(world.writer.take());
    let meta = folder.path().join("meta.json");
    let text = fs_err::read_to_string(&meta).unwrap();
    assert!(text.contains(r#""f32""#));
    fs_err::write(&meta, text.replace(r#""f32""#, r#""f16""#)).unwrap();
    world.reopen();
    let params = world.params.clone();
    check(&world, 6);
    world.put("d7", vec![vector(&params, 1000)]);
    world.commit();
    world.merge();
    world.params.element = Element::F16;
    check(&world, 6);
}
