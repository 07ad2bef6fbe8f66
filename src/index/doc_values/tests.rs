//! Values by document, over several segments, old ones too.

use std::sync::Arc;

use super::*;
use crate::index::Index;
use crate::models::Models;
use crate::schema::IndexDefinition;

const MAPPING: &str = r#"{"mappings":{"properties":{
    "title":{"type":"text"},
    "tag":{"type":"keyword"},
    "hidden":{"type":"keyword","doc_values":false},
    "year":{"type":"long"},
    "price":{"type":"double"},
    "big":{"type":"unsigned_long"},
    "sold":{"type":"boolean"},
    "day":{"type":"date"}}}}"#;

/// An index of one segment a slice.
fn index(segments: &[&[&str]]) -> (tempfile::TempDir, Snapshot) {
    let folder = tempfile::tempdir().unwrap();
    let definition = IndexDefinition::parse(MAPPING).unwrap();
    let index = Index::create(folder.path().join("i"), &definition, Arc::new(Models::default())).unwrap();
    for docs in segments {
        let mut writer = index.writer().unwrap();
        docs.iter().for_each(|doc| writer.add(doc).unwrap());
        writer.commit().unwrap();
        writer.finish().unwrap();
    }
    (folder, index.snapshot().unwrap())
}

fn values(snapshot: &Snapshot, field: &str) -> Vec<(String, Vec<DocValue>)> {
    let field = ValueField::resolve(snapshot, field, "books").unwrap().unwrap();
    let mut found = Vec::new();
    for (segment_ord, reader) in (0..).zip(snapshot.searcher().segment_readers()) {
        let values = field.open(snapshot, segment_ord).unwrap();
        for doc in reader.doc_ids_alive() {
            let mut of_doc = Vec::new();
            values.for_each(doc, |value| of_doc.push(value)).unwrap();
            assert_eq!(values.num_values(doc), of_doc.len(), "{values:?}");
            assert_eq!(values.has_value(doc), !of_doc.is_empty());
            found.push((snapshot.columns(segment_ord).unwrap().id(doc).unwrap().to_string(), of_doc));
        }
    }
    found.sort_by(|left, right| left.0.cmp(&right.0));
    found
}

#[test]
fn every_type_is_read_by_document() {
    use DocValue::{Boolean, Double, Long, Text, Unsigned};
    let (_folder, snapshot) = index(&[
        &[
            r#"{"_id":"1","tag":["b","a","b"],"year":[7,-1,7],"price":0.5,"big":18446744073709551615,"sold":true,"day":"1970-01-01T00:00:01Z"}"#,
            r#"{"_id":"2"}"#,
        ],
        &[r#"{"_id":"3","tag":"c","year":3}"#],
        &[r#"{"_id":"4","title":"of no value"}"#],
    ]);
    let text = |text: &str| Text(text.to_string());
    for (field, expected) in [
        ("tag", vec![vec![text("a"), text("b")], vec![], vec![text("c")], vec![]]),
        ("year", vec![vec![Long(-1), Long(7), Long(7)], vec![], vec![Long(3)], vec![]]),
        ("price", vec![vec![Double(0.5)], vec![], vec![], vec![]]),
        ("big", vec![vec![Unsigned(u64::MAX)], vec![], vec![], vec![]]),
        ("sold", vec![vec![Boolean(true)], vec![], vec![], vec![]]),
        ("day", vec![vec![Long(1000)], vec![], vec![], vec![]]),
        ("_id", vec![vec![text("1")], vec![text("2")], vec![text("3")], vec![text("4")]]),
        ("_index", vec![vec![text("books")]; 4]),
    ] {
        let found: Vec<Vec<DocValue>> = values(&snapshot, field).into_iter().map(|(_, values)| values).collect();
        assert_eq!(found, expected, "{field}");
    }
}

#[test]
fn fields_without_values_are_refused_in_elasticsearchs_words() {
    let (_folder, snapshot) = index(&[&[r#"{"_id":"1","title":"x"}"#]]);
    let error = |field| ValueField::resolve(&snapshot, field, "books").unwrap_err().to_string();
    assert!(error("title").starts_with(
        "Fielddata is disabled on [title] in [books]. Text fields are not optimised for operations that require per-document field data"
    ));
    assert!(
        error("hidden").starts_with(
            "Can't load fielddata on [hidden] because fielddata is unsupported on fields of type [keyword]"
        )
    );
    assert_eq!(ValueField::resolve(&snapshot, "nowhere", "books").unwrap(), None);
}

#[test]
fn terms_have_one_number_over_all_segments() {
    let (_folder, snapshot) = index(&[
        &[r#"{"tag":["m","c"]}"#, r#"{"tag":"z"}"#],
        &[r#"{"year":1}"#],
        &[r#"{"tag":["a","m"]}"#],
        &[r#"{"tag":"z"}"#],
    ]);
    let field = ValueField::resolve(&snapshot, "tag", "books").unwrap().unwrap();
    let segments = field.open_all(&snapshot).unwrap();
    let ordinals = snapshot.ordinals(&field, &segments).unwrap();
    assert_eq!(ordinals.num_terms(), 4);
    assert_eq!(ordinals.terms(&segments, &[0, 1, 2, 3]).unwrap(), ["a", "c", "m", "z"]);
    assert_eq!(ordinals.term(&segments, 2).unwrap(), "m");
    for (segment_ord, values) in segments.iter().enumerate() {
        let DocValues::Keyword(keywords) = values else { continue };
        for own in 0..keywords.num_terms() {
            let global =
                ordinals.of_segment(segment_ord).map_or(own, |map| u64::from(map[usize::try_from(own).unwrap()]));
            let mut term = String::new();
            assert!(keywords.term(own, &mut term).unwrap());
            assert_eq!(ordinals.term(&segments, u32::try_from(global).unwrap()).unwrap(), term);
            assert_eq!(keywords.lookup(&term).unwrap(), Ok(own));
        }
    }
    assert!(Arc::ptr_eq(&ordinals, &snapshot.ordinals(&field, &segments).unwrap()), "made once a snapshot");
}

#[test]
fn blocks_read_what_single_reads_do() {
    let (_folder, snapshot) = index(&[&[
        r#"{"tag":["b","a","b"],"year":[7,-1,7],"price":[2.5,0.5]}"#,
        r#"{"tag":"a"}"#,
        r#"{"year":4,"price":1}"#,
        r#"{}"#,
    ]]);
    let open = |field| ValueField::resolve(&snapshot, field, "books").unwrap().unwrap();
    let mut buffers = block::ConversionBuffers::default();
    for (segment_ord, reader) in (0..).zip(snapshot.searcher().segment_readers()) {
        let docs: Vec<DocId> = (0..reader.max_doc()).flat_map(|doc| [doc, doc]).collect();
        for field in ["year", "price", "tag"] {
            let values = open(field).open(&snapshot, segment_ord).unwrap();
            let mut expected = Vec::new();
            for (position, &doc) in (0..).zip(&docs) {
                values.for_each_f64(doc, |value| expected.push((position, value)));
            }
            let mut block = ValueBlock::<f64>::default();
            block.read_numbers(&values, &docs, &mut buffers);
            assert_eq!(block.iter().collect::<Vec<_>>(), expected, "{field}");
        }
        let DocValues::Keyword(tags) = open("tag").open(&snapshot, segment_ord).unwrap() else { continue };
        let mut expected = Vec::new();
        for (position, &doc) in (0..).zip(&docs) {
            tags.for_each_ord(doc, |ord| expected.push((position, ord)));
        }
        let mut ords = ValueBlock::<u64>::default();
        ords.read_ords(&tags, &docs);
        assert_eq!(ords.iter().collect::<Vec<_>>(), expected);
        assert!(!expected.is_empty());
    }
}
