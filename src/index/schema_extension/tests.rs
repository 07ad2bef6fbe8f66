//! The experiment behind the design: segments from before and after an extension live, merge and delete together.

use std::path::Path as FsPath;
use std::sync::Arc;

use tantivy::collector::{Count, DocSetCollector};
use tantivy::indexer::NoMergePolicy;
use tantivy::query::{RangeQuery, TermQuery};
use tantivy::schema::{CustomOptions, Field, IndexRecordOption, NumericOptions, TextFieldIndexing, TextOptions};
use tantivy::{IndexWriter, SegmentReader, TantivyDocument, Term};

use super::*;
use crate::index::columns::{ColumnsPlugin, ColumnsReader};
use crate::index::lexical::{Analyzer, encoded_tokens};
use crate::index::segment_directory::SegmentDirectory;

fn text_options() -> TextOptions {
    TextOptions::default().set_indexing_options(
        TextFieldIndexing::default()
            .set_tokenizer(encoded_tokens::ENCODED_TOKENS_TOKENIZER)
            .set_index_option(IndexRecordOption::WithFreqsAndPositions)
            .set_fieldnorms(false),
    )
}

fn keyword_options() -> TextOptions {
    TextOptions::default().set_fast("raw").set_indexing_options(
        TextFieldIndexing::default()
            .set_tokenizer("raw")
            .set_index_option(IndexRecordOption::Basic)
            .set_fieldnorms(false),
    )
}

fn open(path: &FsPath) -> Index {
    let mut index = Index::open(SegmentDirectory::open(path).unwrap()).unwrap();
    index.register_plugin(Arc::new(ColumnsPlugin));
    encoded_tokens::register_tokenizer(&index);
    index
}

fn create(path: &FsPath) -> Index {
    let mut builder = Schema::builder();
    builder.add_text_field("_id", keyword_options());
    builder.add_u64_field("_hash", NumericOptions::default());
    builder.add_text_field("title", text_options());
    let index = Index::builder().schema(builder.build()).register_plugin(Arc::new(ColumnsPlugin)).create_in_dir(path);
    let index = index.unwrap();
    encoded_tokens::register_tokenizer(&index);
    index
}

fn writer(index: &Index) -> IndexWriter {
    let writer: IndexWriter = index.writer_with_num_threads(1, 15_000_000).unwrap();
    writer.set_merge_policy(Box::new(NoMergePolicy));
    writer
}

fn field(index: &Index, name: &str) -> Field {
    index.schema().get_field(name).unwrap()
}

fn document(index: &Index, id: &str, title: &str) -> TantivyDocument {
    let mut document = TantivyDocument::new();
    document.add_text(field(index, "_id"), id);
    document.add_u64(field(index, "_hash"), title.len() as u64);
    document.add_text(field(index, "title"), Analyzer::named("english").unwrap().encode_values(&[title]));
    document
}

fn count(index: &Index, name: &str, term: &str) -> usize {
    let query = TermQuery::new(Term::from_field_text(field(index, name), term), IndexRecordOption::Basic);
    index.reader().unwrap().searcher().search(&query, &Count).unwrap()
}

fn alive_ids(segments: &[SegmentReader]) -> Vec<(String, u64)> {
    let mut ids = Vec::new();
    for segment in segments {
        let columns = ColumnsReader::open(segment).unwrap();
        ids.extend(
            segment.doc_ids_alive().map(|doc| (columns.id(doc).unwrap().to_string(), columns.content_hash(doc))),
        );
    }
    ids.sort();
    ids
}

#[test]
fn old_and_new_segments_search_delete_and_merge_together() {
    let folder = tempfile::tempdir().unwrap();
    let index = create(folder.path());
    let mut old_writer = writer(&index);
    for (id, title) in [("1", "the quick foxes"), ("2", "lazy dogs"), ("3", "a fox and a fox")] {
        old_writer.add_document(document(&index, id, title)).unwrap();
    }
    old_writer.commit().unwrap();
    old_writer.delete_term(Term::from_field_text(field(&index, "_id"), "2"));
    old_writer.commit().unwrap();

    let extension = || {
        vec![
            FieldEntry::new_text("body".into(), text_options()),
            FieldEntry::new_text("tag".into(), keyword_options()),
            FieldEntry::new_u64("year".into(), NumericOptions::default().set_fast().set_indexed()),
            FieldEntry::new_custom("vectors".into(), CustomOptions::new("test", serde_json::json!({}))),
        ]
    };
    assert_eq!(extend_schema(&index, extension()).unwrap_err().kind(), crate::ErrorKind::Busy);
    old_writer.wait_merging_threads().unwrap();
    extend_schema(&index, extension()).unwrap();
    assert_eq!(extend_schema(&index, extension()).unwrap_err().kind(), crate::ErrorKind::Conflict);

    let index = open(folder.path());
    let mut new_writer = writer(&index);
    for (id, body, year) in [("4", "foxes run", 2001_u64), ("5", "dogs ran and ran", 2002), ("6", "gone", 2003)] {
        let mut document = document(&index, id, "old field");
        document.add_text(field(&index, "body"), Analyzer::named("english").unwrap().encode_values(&[body]));
        document.add_text(field(&index, "tag"), "b");
        document.add_text(field(&index, "tag"), "a");
        document.add_text(field(&index, "tag"), "b");
        document.add_u64(field(&index, "year"), year);
        document.add_custom(field(&index, "vectors"), b"payload");
        new_writer.add_document(document).unwrap();
    }
    new_writer.commit().unwrap();
    // A replacement and a delete that reach over the two kinds of segments.
    new_writer.delete_term(Term::from_field_text(field(&index, "_id"), "6"));
    new_writer.delete_term(Term::from_field_text(field(&index, "_id"), "1"));
    new_writer.add_document(document(&index, "1", "replaced")).unwrap();
    new_writer.commit().unwrap();

    let check = |index: &Index, num_segments: usize| {
        let searcher = index.reader().unwrap().searcher();
        assert_eq!(searcher.segment_readers().len(), num_segments);
        assert_eq!(searcher.num_docs(), 4);
        let ids: Vec<String> = alive_ids(searcher.segment_readers()).into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, ["1", "3", "4", "5"]);
        assert_eq!((count(index, "title", "fox"), count(index, "title", "replac")), (1, 1));
        assert_eq!((count(index, "body", "ran"), count(index, "tag", "a")), (1, 2));
        let year = |year| std::ops::Bound::Included(Term::from_field_u64(field(index, "year"), year));
        let range = RangeQuery::new(year(2002), year(2002));
        assert_eq!(searcher.search(&range, &DocSetCollector).unwrap().len(), 1);
    };
    check(&index, 3);
    new_writer.merge(&index.searchable_segment_ids().unwrap()).wait().unwrap();
    check(&index, 1);

    // After the merge the figures are exact again: nothing deleted is counted, and a lacking field reads as lacking.
    let searcher = index.reader().unwrap().searcher();
    let columns = ColumnsReader::open(searcher.segment_reader(0)).unwrap();
    let body = columns.lengths(field(&index, "body")).unwrap();
    assert_eq!((body.doc_count, body.sum_total_term_freq), (2, 2 + 3));
    let title = columns.lengths(field(&index, "title")).unwrap();
    assert_eq!((title.doc_count, title.sum_total_term_freq, title.bytes.len()), (4, 2 + 1 + 2 + 2, 4));
    let tag = columns.lengths(field(&index, "tag")).unwrap();
    assert_eq!((tag.doc_count, tag.sum_total_term_freq, tag.bytes.len()), (2, 4, 0));
    let with_body = (0..4).filter(|&doc| columns.has_field(field(&index, "body"), doc)).count();
    assert_eq!(with_body, 2);
}

#[test]
fn a_duplicate_among_the_new_fields_is_a_conflict() {
    let folder = tempfile::tempdir().unwrap();
    let index = create(folder.path());
    let twice = ["x", "x"].map(|name| FieldEntry::new_text(name.into(), keyword_options()));
    assert_eq!(extend_schema(&index, twice.to_vec()).unwrap_err().kind(), crate::ErrorKind::Conflict);
}

#[test]
fn a_torn_or_damaged_columns_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let index = create(folder.path());
    let mut writer = writer(&index);
    writer.add_document(document(&index, "1", "the quick foxes")).unwrap();
    writer.commit().unwrap();
    let searcher = index.reader().unwrap().searcher();
    let file = folder.path().join(format!("{}.col", searcher.segment_reader(0).segment_id().uuid_string()));
    let whole = fs_err::read(&file).unwrap();
    drop(searcher);
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        fs_err::write(&file, damaged).unwrap();
        // Whatever byte is wrong: an error that names the file, or values, but never a panic.
        let searcher = open(folder.path()).reader().unwrap().searcher();
        match ColumnsReader::open(searcher.segment_reader(0)) {
            Ok(columns) => {
                let _ = columns.id(0).map_err(|error| assert!(error.to_string().contains(".col"), "{error}"));
                let _ = (columns.content_hash(0), columns.id(7).unwrap_err());
            }
            Err(error) => assert!(error.to_string().contains(".col"), "{error}"),
        }
        fs_err::write(&file, &whole[..at]).unwrap();
        let searcher = open(folder.path()).reader().unwrap().searcher();
        let error = ColumnsReader::open(searcher.segment_reader(0)).unwrap_err();
        assert!(error.to_string().contains(".col"), "{error}");
        assert_eq!(error.kind(), crate::ErrorKind::Corrupt, "{error}");
    }
}
