//! What the fuzz targets call, and what `tests/it/es/fuzz.rs` calls with made-up input in every `make test`.
//!
//! Each entry takes bytes and must return: no panic, no endless work, no internal error.

use std::sync::Arc;

use bifocal::ingest::{Action, Operation};
use bifocal::models::{ModelOptions, Models};
use bifocal::schema::IndexDefinition;
use bifocal::server::es::bulk::parse::{BulkDefaults, BulkParser};
use bifocal::server::es::query_dsl::{self, QueryContext};
use bifocal::{Document, DocumentId, ErrorKind, Index, Location, Searcher};
use serde_json::{Value, json};

const DEFINITION: &str = r#"{"mappings": {"dynamic": "strict", "properties": {
    "title": {"type": "text"}, "english": {"type": "text", "analyzer": "english"}, "tag": {"type": "keyword"},
    "pages": {"type": "integer"}, "price": {"type": "double"}, "day": {"type": "date"}, "ok": {"type": "boolean"},
    "address": {"type": "ip"}, "flat": {"type": "flattened"}, "vector": {"type": "dense_vector", "dims": 2},
    "feature": {"type": "rank_feature"}, "parts": {"type": "nested", "properties": {"name": {"type": "keyword"}}}}}}"#;

/// A small index of every kind of field, and a searcher of it.
pub struct Library {
    searcher: Searcher,
    definition: IndexDefinition,
    _index: Index,
    _folder: tempfile::TempDir,
}

impl Library {
    /// Thirty documents in a folder of their own.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let definition: IndexDefinition = IndexDefinition::parse(DEFINITION).unwrap();
        let mut options = ModelOptions::default();
        options.cache_dir = None;
        options.offline = true;
        let models = Arc::new(Models::new(options));
        let index = Index::create(folder.path().join("index"), &definition, models).unwrap();
        let mut writer = index.writer().unwrap();
        let document = |number: u64| {
            let source = json!({"title": format!("old storm number{number}"), "english": "running foxes", "tag": ["a", "b"],
                "pages": number, "price": 1.5, "day": "2024-01-01", "ok": true, "address": "10.0.0.1", "flat": {"a": "b"},
                "vector": [1, number], "feature": 2, "parts": [{"name": "x"}, {"name": "y"}]});
            let Value::Object(source) = source else { unreachable!() };
            let document = Document { id: Some(number.to_string().into()), source };
            Operation { action: Action::Index(document), location: Location::default() }
        };
        writer.apply((0..30).map(document).collect()).unwrap();
        writer.finish().unwrap();
        let searcher = Searcher::open(&index).unwrap();
        Self { searcher, definition: index.definition(), _index: index, _folder: folder }
    }

    /// A query as it stands in a body: refused with a 4xx, or run. Says whether it ran.
    pub fn query(&self, query: &Value) -> bool {
        let lexical = self.searcher.lexical();
        let get = |_: &str, _: &DocumentId| Ok(None);
        let context = QueryContext::new("library", lexical.fields(), &self.definition, 1_700_000_000_000, &get);
        match query_dsl::parse(query, &context) {
            Err(error) => {
                assert!(error.status < 500, "{query}: {error:?}");
                false
            }
            Ok(parsed) => {
                for error in [lexical.top(&parsed, 5, None).err(), lexical.count(&parsed).err()].into_iter().flatten() {
                    assert!(error.kind() != ErrorKind::Internal, "{query}: {error}");
                }
                true
            }
        }
    }

    /// Bytes as a query in JSON. Says whether it ran.
    pub fn query_dsl(&self, bytes: &[u8]) -> bool {
        serde_json::from_slice(bytes).is_ok_and(|query| self.query(&query))
    }

    /// Bytes as the syntax of `query_string` and `simple_query_string`.
    pub fn query_string(&self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        for name in ["query_string", "simple_query_string"] {
            self.query(&json!({name: {"query": text, "fields": ["title^2", "english", "pages"], "lenient": true}}));
        }
    }

    /// Bytes as the syntax of the search box, which never fails.
    pub fn search_box(&self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let query = bifocal::retrieve::query_syntax::parse(&text, self.searcher.lexical().fields());
        if let Err(error) = self.searcher.lexical().top(&query, 5, None) {
            assert!(error.kind() != ErrorKind::Internal, "{text:?}: {error}");
        }
    }
}

/// Bytes as a `_bulk` body: whole and in pieces they are the same operations.
pub fn bulk(bytes: &[u8]) {
    let read = |size: usize| {
        let mut defaults = BulkDefaults::default();
        defaults.index = Some("library".to_string());
        let mut parser = BulkParser::new(defaults);
        let mut result = Ok(());
        for piece in bytes.chunks(size.max(1)) {
            result = result.and_then(|()| parser.push(piece));
        }
        result = result.and_then(|()| parser.finish());
        match result {
            Ok(()) => format!("{:?}", parser.take()),
            Err(error) => {
                assert!(error.status < 500, "{error:?}");
                format!("{error:?}")
            }
        }
    };
    let whole = read(bytes.len());
    for size in [1, 7, 64] {
        assert_eq!(whole, read(size), "in pieces of {size}: {:?}", String::from_utf8_lossy(bytes));
    }
}
