//! Queries as clients write them, on a small index: what they find, in which order, with which scores; and what is refused.

use std::sync::{Arc, OnceLock};

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::document::DocumentId;
use crate::index::Index;
use crate::models::{ModelOptions, Models};
use crate::retrieve::Searcher;
use crate::retrieve::query::Query;
use crate::server::es::error::EsResult;

struct Place {
    _folder: tempfile::TempDir,
    searcher: Searcher,
}

const MAPPING: &str = r#"{"mappings": {"properties": {
    "title": {"type": "text", "analyzer": "english", "fields": {"raw": {"type": "keyword"}}},
    "body": {"type": "text"},
    "tag": {"type": "keyword"},
    "year": {"type": "integer"},
    "price": {"type": "double"},
    "when": {"type": "date"},
    "open": {"type": "boolean"},
    "ip": {"type": "ip"},
    "rank": {"type": "rank_feature"},
    "topics": {"type": "rank_features"},
    "labels": {"type": "flattened"},
    "vector": {"type": "dense_vector", "dims": 2, "similarity": "dot_product"},
    "cosine": {"type": "dense_vector", "dims": 2},
    "who": {"type": "nested", "properties": {"name": {"type": "text"}, "age": {"type": "integer"},
        "v": {"type": "dense_vector", "dims": 2, "similarity": "dot_product"}}}
}}}"#;

const DOCUMENTS: &[&str] = &[
    r#"{"_id": "0", "title": "The quick brown fox", "body": "quick fox jumps over the lazy dog", "tag": ["a", "b"], "year": 2001,
        "price": 10.5, "when": "2024-01-01", "open": true, "ip": "10.0.0.1", "rank": 10, "topics": {"sport": 5}, "labels": {"k": "v1"},
        "vector": [1, 0], "cosine": [2, 0], "who": [{"name": "alice", "age": 30, "v": [1, 0]}, {"name": "bob", "age": 40, "v": [0.8, 0.6]}]}"#,
    r#"{"_id": "1", "title": "Brown bears", "body": "brown bears eat brown fish", "tag": "b", "year": 2005, "price": 20,
        "when": "2024-01-15T12:00:00Z", "open": false, "ip": "10.0.1.1", "rank": 40, "labels": {"k": "v2", "n": {"m": "deep"}},
        "vector": [0, 1], "cosine": [0, 3], "who": [{"name": "alice", "age": 50, "v": [0, 1]}]}"#,
    r#"{"_id": "2", "title": "Lazy dogs", "body": "the dog is lazy and the fox is not", "tag": "c", "year": 2010, "price": 5.25,
        "when": "2024-02-01", "open": true, "ip": "192.168.0.1", "vector": [0.6, 0.8], "cosine": [1, 1]}"#,
    r#"{"_id": "3", "title": "Foxes running", "body": "quick quick slow", "tag": "Abc", "year": 2001, "when": "2023-12-31"}"#,
];

fn place() -> &'static Place {
    static PLACE: OnceLock<Place> = OnceLock::new();
    PLACE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let definition = crate::schema::IndexDefinition::parse(MAPPING).unwrap();
        let models = Arc::new(Models::new(ModelOptions::default()));
        let index = Index::create(folder.path().join("i"), &definition, models).unwrap();
        let mut writer = index.writer().unwrap();
        for (nth, document) in DOCUMENTS.iter().enumerate() {
            writer.add(&document.replace('\n', " ")).unwrap();
            if nth == 1 {
                writer.commit().unwrap();
            }
        }
        writer.commit().unwrap();
        drop(writer);
        let searcher = Searcher::open(&index).unwrap();
        Place { _folder: folder, searcher }
    })
}

fn source_of(_index: &str, id: &DocumentId) -> EsResult<Option<Map<String, Value>>> {
    Ok(place().searcher.get(id)?)
}

fn read(query: &Value) -> EsResult<Query> {
    let searcher = &place().searcher;
    let context = QueryContext::new("books", searcher.table(), searcher.definition(), 1_706_745_600_000, &source_of);
    parse(query, &context)
}

/// Ids with scores, best first; equal scores by id.
fn hits(query: &Value) -> Vec<(String, f32)> {
    let searcher = &place().searcher;
    let parsed = read(query).unwrap_or_else(|error| panic!("{query}: {error} {:?}", error.cause));
    let found = searcher.lexical().top(&parsed, 100, None).unwrap_or_else(|error| panic!("{query}: {error}"));
    let count = searcher.lexical().count(&parsed).unwrap();
    assert_eq!(count, found.len() as u64, "{query}: counted {count}, found {found:?}");
    let mut hits: Vec<(String, f32)> = found
        .into_iter()
        .map(|hit| {
            let alone = searcher.lexical().score(&parsed, hit.address).unwrap();
            assert!(
                alone.is_some_and(|alone| (alone - hit.score).abs() <= 1e-5 * hit.score.abs()),
                "{query}: {alone:?}"
            );
            let explained = searcher.lexical().explain(&parsed, hit.address).unwrap().unwrap();
            let same = (explained.value - f64::from(hit.score)).abs() <= 1e-5 * f64::from(hit.score.abs()).max(1e-6);
            assert!(same, "{query}: {} {explained:?}", hit.score);
            (searcher.lexical().id(hit.address).unwrap().to_string(), hit.score)
        })
        .collect();
    hits.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    hits
}

fn ids(query: &Value) -> String {
    let mut ids: Vec<String> = hits(query).into_iter().map(|(id, _)| id).collect();
    ids.sort();
    ids.concat()
}

fn score(query: &Value, id: &str) -> f64 {
    let found = hits(query).into_iter().find(|(found, _)| found == id);
    f64::from(found.unwrap_or_else(|| panic!("{query} does not find {id}")).1)
}

#[test]
fn queries_find_what_they_should() {
    let mut faults = Vec::new();
    for (query, expected) in [
        (json!({"match_all": {}}), "0123"),
        (json!({"match_none": {}}), ""),
        (json!({"match": {"title": "fox"}}), "03"),
        (json!({"match": {"title": "quick bears"}}), "01"),
        (json!({"match": {"body": {"query": "quick fox", "operator": "and"}}}), "0"),
        (json!({"match": {"body": {"query": "quick fox dog lazy", "minimum_should_match": "75%"}}}), "02"),
        (json!({"match": {"body": {"query": "quikc", "fuzziness": "AUTO"}}}), "03"),
        (json!({"match": {"body": {"query": "quikc", "fuzziness": 1, "fuzzy_transpositions": false}}}), ""),
        (json!({"match": {"title": {"query": "the", "zero_terms_query": "all"}}}), "0123"),
        (json!({"match": {"title": "the"}}), ""),
        (json!({"match": {"nothing": "x"}}), ""),
        (json!({"match": {"year": "2001"}}), "03"),
        (json!({"match": {"year": {"query": "soon", "lenient": true}}}), ""),
        (json!({"match": {"tag": "b"}}), "01"),
        (json!({"match_phrase": {"body": "lazy dog"}}), "0"),
        (json!({"match_phrase": {"body": {"query": "lazy dog", "slop": 3}}}), "02"),
        (json!({"match_phrase_prefix": {"body": "lazy do"}}), "0"),
        (json!({"match_phrase_prefix": {"body": "qui"}}), "03"),
        (json!({"match_bool_prefix": {"body": "bears qui"}}), "013"),
        (json!({"match_bool_prefix": {"body": {"query": "quick ju", "operator": "and"}}}), "0"),
        (json!({"multi_match": {"query": "brown dog", "fields": ["title", "body"]}}), "012"),
        (json!({"multi_match": {"query": "brown lazy", "fields": ["title^2", "body"], "type": "most_fields"}}), "012"),
        (
            json!({"multi_match": {"query": "quick bears", "fields": ["title", "body"], "type": "cross_fields", "operator": "and"}}),
            "",
        ),
        (json!({"multi_match": {"query": "lazy dog", "fields": ["title", "b*"], "type": "phrase"}}), "02"),
        (json!({"multi_match": {"query": "2001"}}), "03"),
        (json!({"combined_fields": {"query": "brown fox", "fields": ["body"], "operator": "and"}}), ""),
        (json!({"combined_fields": {"query": "lazy fox", "fields": ["body"], "operator": "and"}}), "02"),
        (json!({"term": {"tag": "b"}}), "01"),
        (json!({"term": {"tag": {"value": "ABC", "case_insensitive": true}}}), "3"),
        (json!({"term": {"year": 2001}}), "03"),
        (json!({"term": {"year": 2001.5}}), ""),
        (json!({"term": {"year": 99_999_999_999_i64}}), ""),
        (json!({"term": {"open": "true"}}), "02"),
        (json!({"term": {"when": "2024-01-15"}}), "1"),
        (json!({"term": {"ip": "10.0.0.0/16"}}), "01"),
        (json!({"term": {"ip": "10.0.0.1"}}), "0"),
        (json!({"term": {"_id": "2"}}), "2"),
        (json!({"term": {"labels": "v1"}}), "0"),
        (json!({"term": {"labels.k": "v2"}}), "1"),
        (json!({"term": {"labels.n.m": "deep"}}), "1"),
        (json!({"terms": {"tag": ["a", "c"]}}), "02"),
        (json!({"terms": {"year": [2005, 2010]}}), "12"),
        (json!({"terms": {"tag": {"index": "books", "id": "0", "path": "tag"}}}), "01"),
        (json!({"range": {"year": {"gte": 2001, "lt": 2010}}}), "013"),
        (json!({"range": {"when": {"gte": "2024-01-01", "lte": "2024-01-15"}}}), "01"),
        (json!({"range": {"when": {"gte": "now-1M/M", "lt": "now/M"}}}), "01"),
        (json!({"range": {"when": {"gt": "01/01/2024", "format": "dd/MM/yyyy"}}}), "12"),
        (json!({"range": {"when": {"gte": "2024-01-01", "time_zone": "+01:00"}}}), "012"),
        (json!({"range": {"price": {"gt": 5.25}}}), "01"),
        (json!({"range": {"ip": {"gte": "10.0.0.2", "lte": "10.0.255.255"}}}), "1"),
        (json!({"range": {"labels.k": {"gte": "v2"}}}), "1"),
        (json!({"prefix": {"tag": "A"}}), "3"),
        (json!({"prefix": {"tag": {"value": "A", "case_insensitive": true}}}), "03"),
        (json!({"prefix": {"labels.k": "v"}}), "01"),
        (json!({"wildcard": {"title.raw": {"value": "*fox*"}}}), "0"),
        (json!({"wildcard": {"title.raw": {"value": "*FOX*", "case_insensitive": true}}}), "03"),
        (json!({"regexp": {"body": "qu.*"}}), "03"),
        (json!({"regexp": {"body": {"value": "(fox|bears)"}}}), "012"),
        (json!({"fuzzy": {"body": "quack"}}), "03"),
        (json!({"fuzzy": {"body": {"value": "fex", "fuzziness": 1}}}), "02"),
        (json!({"exists": {"field": "price"}}), "012"),
        (json!({"exists": {"field": "labels.n.m"}}), "1"),
        (json!({"exists": {"field": "labels"}}), "01"),
        (json!({"exists": {"field": "rank"}}), "01"),
        (json!({"exists": {"field": "vector"}}), "012"),
        (json!({"exists": {"field": "nothing"}}), ""),
        (json!({"ids": {"values": ["1", "3", "9"]}}), "13"),
        (json!({"bool": {"must": {"match": {"body": "fox"}}, "must_not": [{"term": {"tag": "a"}}]}}), "2"),
        (json!({"bool": {"should": [{"term": {"tag": "a"}}, {"term": {"tag": "b"}}], "minimum_should_match": 2}}), "0"),
        (json!({"bool": {"must_not": {"term": {"tag": "b"}}}}), "23"),
        (json!({"bool": {}}), "0123"),
        (json!({"constant_score": {"filter": {"term": {"tag": "b"}}, "boost": 3}}), "01"),
        (json!({"dis_max": {"queries": [{"term": {"tag": "a"}}, {"term": {"tag": "c"}}]}}), "02"),
        (
            json!({"boosting": {"positive": {"match": {"body": "fox"}}, "negative": {"term": {"tag": "a"}}, "negative_boost": 0.1}}),
            "02",
        ),
        (
            json!({"nested": {"path": "who", "query": {"bool": {"must": [{"match": {"who.name": "alice"}}, {"range": {"who.age": {"gte": 40}}}]}}}}),
            "1",
        ),
        (json!({"nested": {"path": "who", "query": {"match": {"who.name": "bob"}}}}), "0"),
        (json!({"nested": {"path": "gone", "query": {"match_all": {}}, "ignore_unmapped": true}}), ""),
        (json!({"bool": {"must_not": {"nested": {"path": "who", "query": {"exists": {"field": "who.name"}}}}}}), "23"),
        (
            json!({"more_like_this": {"fields": ["body"], "like": "quick fox", "min_term_freq": 1, "min_doc_freq": 1, "minimum_should_match": 1}}),
            "023",
        ),
        (
            json!({"more_like_this": {"fields": ["body"], "like": {"_id": "0"}, "min_term_freq": 1, "min_doc_freq": 2, "minimum_should_match": 1}}),
            "23",
        ),
        (json!({"pinned": {"ids": ["3", "1"], "organic": {"match": {"body": "fox"}}}}), "0123"),
        (json!({"knn": {"field": "vector", "query_vector": [1, 0], "k": 2, "num_candidates": 10}}), "02"),
        (json!({"knn": {"field": "vector", "query_vector": [1, 0], "k": 2, "filter": {"term": {"tag": "b"}}}}), "01"),
        (json!({"knn": {"field": "cosine", "query_vector": [1, 0], "k": 5, "similarity": 0.5}}), "02"),
        (json!({"knn": {"field": "who.v", "query_vector": [1, 0], "k": 2}}), "01"),
        (json!({"knn": {"field": "who.v", "query_vector": [1, 0], "k": 2, "filter": {"term": {"tag": "a"}}}}), "0"),
        (json!({"nested": {"path": "who", "query": {"knn": {"field": "who.v", "query_vector": [1, 0], "k": 1}}}}), "0"),
        // The nearest object of each of the two nearest documents.
        (
            json!({"nested": {"path": "who", "query": {"knn": {"field": "who.v", "query_vector": [1, 0], "k": 2}}}}),
            "01",
        ),
        (
            json!({"bool": {"must": {"match": {"body": "quick fox"}}, "filter": {"term": {"year": 2001}}, "must_not": {"term": {"tag": "a"}}}}),
            "3",
        ),
        (
            json!({"bool": {"should": [{"match": {"body": "quick"}}, {"match": {"body": "fox"}}], "minimum_should_match": 2, "filter": {"exists": {"field": "year"}}}}),
            "0",
        ),
        (json!({"rank_feature": {"field": "rank"}}), "01"),
        (json!({"rank_feature": {"field": "topics.sport", "linear": {}}}), "0"),
        (
            json!({"function_score": {"query": {"match_all": {}}, "field_value_factor": {"field": "price", "missing": 1}, "min_score": 6}}),
            "01",
        ),
        (
            json!({"script_score": {"query": {"exists": {"field": "vector"}}, "script": {"source": "dotProduct(params.q, 'vector') + 1", "params": {"q": [1, 0]}}, "min_score": 1.5}}),
            "02",
        ),
        (json!({"wrapper": {"query": "eyJ0ZXJtIjp7InRhZyI6ImIifX0="}}), "01"),
        (json!({"query_string": {"query": "title:fox AND body:quick"}}), "03"),
        (json!({"query_string": {"query": "quick -jumps", "default_field": "body"}}), "3"),
        (json!({"query_string": {"query": "(bears OR fox) AND lazy", "fields": ["body"]}}), "02"),
        (json!({"query_string": {"query": "body:\"lazy dog\"~3"}}), "02"),
        (json!({"query_string": {"query": "year:[2001 TO 2005}"}}), "03"),
        (json!({"query_string": {"query": "year:>=2005"}}), "12"),
        (json!({"query_string": {"query": "_exists_:price AND NOT tag:c"}}), "01"),
        (json!({"query_string": {"query": "qui*", "default_field": "body"}}), "03"),
        (json!({"query_string": {"query": "body:/be[a-z]+s/"}}), "1"),
        (json!({"query_string": {"query": "quikc~", "fields": ["body"]}}), "03"),
        (json!({"query_string": {"query": "quick lazy", "default_field": "body", "default_operator": "AND"}}), "0"),
        (json!({"query_string": {"query": "quick lazy fox", "default_field": "body", "minimum_should_match": 3}}), "0"),
        (json!({"query_string": {"query": "*"}}), "0123"),
        (json!({"query_string": {"query": "tag:(a c)"}}), ""),
        (json!({"query_string": {"query": "tag:(a OR c)"}}), "02"),
        (json!({"query_string": {"query": "t*:fox", "lenient": true}}), "03"),
        (json!({"query_string": {"query": ""}}), ""),
        (json!({"simple_query_string": {"query": "quick + -jumps", "fields": ["body"]}}), "3"),
        (json!({"simple_query_string": {"query": "\"lazy dog\"", "fields": ["body"]}}), "0"),
        (json!({"simple_query_string": {"query": "bea* | (lazy + jumps)", "fields": ["body"]}}), "01"),
        (json!({"simple_query_string": {"query": "quikc~1 (((", "fields": ["body"]}}), "03"),
        (json!({"simple_query_string": {"query": "quick bears", "fields": ["body"], "default_operator": "and"}}), ""),
        (json!({"simple_query_string": {"query": "quick|bears", "fields": ["body"], "flags": "NONE"}}), "013"),
        (json!({"distance_feature": {"field": "when", "origin": "2024-01-15", "pivot": "7d"}}), "0123"),
    ] {
        let found = std::panic::catch_unwind(|| ids(&query));
        if found.as_deref().ok() != Some(expected) {
            faults.push(format!("{query}: {found:?}, expected {expected:?}: {:?}", read(&query)));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn scores_follow_the_formulas() {
    let faults = std::cell::RefCell::new(Vec::new());
    let close = |query: Value, id: &str, expected: f64| {
        let found = std::panic::catch_unwind(|| score(&query, id)).unwrap_or(f64::NAN);
        if (found - expected).abs() > 1e-5 * expected.abs().max(1.0) || found.is_nan() {
            faults.borrow_mut().push(format!("{query} on {id}: {found}, expected {expected}"));
        }
    };
    close(json!({"term": {"year": {"value": 2001, "boost": 2.5}}}), "0", 2.5);
    close(json!({"terms": {"tag": ["a"], "boost": 2}}), "0", 2.0);
    close(json!({"constant_score": {"filter": {"match": {"body": "fox"}}, "boost": 1.5}}), "0", 1.5);
    close(json!({"bool": {"filter": {"match": {"body": "fox"}}}}), "0", 0.0);
    close(json!({"prefix": {"body": {"value": "qui", "boost": 3}}}), "0", 3.0);
    close(
        json!({"knn": {"field": "vector", "query_vector": [1, 0], "k": 3, "boost": 2}}),
        "2",
        2.0 * (1.0 + 0.6) / 2.0,
    );
    close(json!({"knn": {"field": "who.v", "query_vector": [0, 1], "k": 3}}), "0", 0.8);
    close(json!({"knn": {"field": "cosine", "query_vector": [5, 0], "k": 3}}), "2", (1.0 + 0.5_f64.sqrt()) / 2.0);
    let value = |function: Value| json!({"function_score": {"query": {"match_all": {}}, "functions": [function], "boost_mode": "replace"}});
    close(
        value(json!({"field_value_factor": {"field": "price", "factor": 2, "modifier": "ln1p", "missing": 1}})),
        "0",
        22.0_f64.ln(),
    );
    close(
        value(json!({"gauss": {"price": {"origin": 10.5, "scale": 10, "decay": 0.25}}})),
        "1",
        0.25_f64.powf(0.95 * 0.95),
    );
    close(value(json!({"exp": {"when": {"origin": "2024-01-01", "scale": "31d", "offset": "0d"}}})), "2", 0.5);
    close(value(json!({"linear": {"year": {"origin": 2001, "scale": 8}}})), "1", 1.0 - 4.0 / 16.0);
    close(value(json!({"weight": 7, "filter": {"term": {"tag": "a"}}})), "0", 7.0);
    close(value(json!({"weight": 7, "filter": {"term": {"tag": "a"}}})), "1", 1.0);
    close(
        json!({"function_score": {"query": {"constant_score": {"filter": {"match_all": {}}, "boost": 3}}, "score_mode": "sum", "boost_mode": "sum",
            "functions": [{"weight": 2}, {"filter": {"term": {"tag": "a"}}, "weight": 5}], "max_boost": 6, "boost": 10}}),
        "0",
        30.0 + 6.0,
    );
    close(json!({"script_score": {"query": {"match_all": {}}, "script": "doc['year'].value / 10 + Math.sqrt(16) * params.w", "boost": 2}}).with_params(), "0", 2.0 * (200.0 + 2.0));
    close(
        json!({"script_score": {"query": {"exists": {"field": "cosine"}}, "script": {"source": "cosineSimilarity(params.q, 'cosine') + 1.0", "params": {"q": [1, 1]}}}}),
        "2",
        2.0,
    );
    close(
        json!({"script_score": {"query": {"exists": {"field": "cosine"}}, "script": {"source": "1 / (1 + l2norm(params.q, 'cosine'))", "params": {"q": [0, 0]}}}}),
        "1",
        0.25,
    );
    close(json!({"rank_feature": {"field": "rank", "saturation": {"pivot": 10}, "boost": 4}}), "1", 3.2);
    close(json!({"rank_feature": {"field": "rank", "log": {"scaling_factor": 4}}}), "0", 14.0_f64.ln());
    close(json!({"distance_feature": {"field": "when", "origin": "2024-01-08T00:00:00Z", "pivot": "7d"}}), "0", 0.5);
    close(json!({"distance_feature": {"field": "when", "origin": "2024-01-08", "pivot": "8d"}}), "0", 0.5);
    close(
        json!({"nested": {"path": "who", "score_mode": "sum", "query": {"range": {"who.age": {"gte": 0, "boost": 2}}}}}),
        "0",
        4.0,
    );
    close(json!({"nested": {"path": "who", "query": {"range": {"who.age": {"gte": 0, "boost": 2}}}}}), "0", 2.0);
    close(json!({"nested": {"path": "who", "score_mode": "none", "query": {"match": {"who.name": "bob"}}}}), "0", 0.0);
    let fox = score(&json!({"match": {"body": "fox"}}), "0");
    let quick = score(&json!({"match": {"body": "quick"}}), "0");
    let title = score(&json!({"match": {"title": "fox"}}), "0");
    close(json!({"match": {"body": {"query": "quick fox", "boost": 2}}}), "0", 2.0 * (fox + quick));
    close(
        json!({"multi_match": {"query": "fox", "fields": ["title^2", "body"], "tie_breaker": 0.5}}),
        "0",
        2.0 * title + 0.5 * fox,
    );
    close(
        json!({"multi_match": {"query": "fox", "fields": ["title", "body"], "type": "most_fields"}}),
        "0",
        title + fox,
    );
    close(
        json!({"dis_max": {"queries": [{"match": {"body": "fox"}}, {"match": {"title": "fox"}}], "tie_breaker": 0.25}}),
        "0",
        fox.max(title) + 0.25 * fox.min(title),
    );
    close(
        json!({"boosting": {"positive": {"match": {"body": "fox"}}, "negative": {"term": {"tag": "a"}}, "negative_boost": 0.1}}),
        "0",
        0.1 * fox,
    );
    close(json!({"query_string": {"query": "body:fox^3"}}), "0", 3.0 * fox);
    close(json!({"query_string": {"query": "quick fox", "default_field": "body"}}), "0", quick + fox);
    close(json!({"match_phrase": {"body": "quick"}}), "0", quick);
    close(json!({"combined_fields": {"query": "fox", "fields": ["body"]}}), "0", fox);
    close(json!({"pinned": {"ids": ["3"], "organic": {"match": {"body": "fox"}}}}), "3", 1.701_411_9e38);
    let faults = faults.into_inner();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

trait WithParams {
    fn with_params(self) -> Self;
}

impl WithParams for Value {
    /// The script with a parameter `w` of one half.
    fn with_params(mut self) -> Self {
        let script = self["script_score"]["script"].take();
        self["script_score"]["script"] = json!({"source": script, "params": {"w": 0.5}});
        self
    }
}

#[test]
fn random_scores_are_the_same_for_the_same_seed() {
    let random = |seed: i64| {
        hits(&json!({"function_score": {"random_score": {"seed": seed, "field": "_seq_no"}, "boost_mode": "replace"}}))
    };
    assert_eq!(random(7), random(7));
    let by_id = |seed: i64| hits(&json!({"function_score": {"random_score": {"seed": seed}, "boost_mode": "replace"}}));
    assert_ne!(by_id(7), by_id(8));
    assert!(by_id(7).iter().all(|(_, score)| (0.0..1.0).contains(score)));
}

#[test]
fn names_are_kept() {
    let query = read(&json!({"bool": {"should": [
        {"match": {"body": {"query": "fox", "_name": "words"}}},
        {"term": {"tag": {"value": "a", "_name": "tag", "boost": 2}}}
    ], "_name": "whole"}}))
    .unwrap();
    let names: Vec<&str> = query.named().iter().map(|named| named.name.as_str()).collect();
    assert_eq!(names, ["whole", "words", "tag"]);
}

#[test]
fn what_cannot_be_read_is_refused_in_elasticsearchs_words() {
    let mut faults = Vec::new();
    for (query, kind, reason) in [
        (json!([]), "parsing_exception", "must start with start_object"),
        (json!({}), "illegal_argument_exception", "query malformed, empty clause found"),
        (json!({"mtch": {"a": 1}}), "parsing_exception", "unknown query [mtch] did you mean [match]?"),
        (json!({"match": 5}), "parsing_exception", "[match] query malformed, no start_object after query name"),
        (
            json!({"match": {"title": "x"}, "term": {}}),
            "parsing_exception",
            "[match] malformed query, expected [END_OBJECT] but found [FIELD_NAME]",
        ),
        (
            json!({"match": {"title": {"query": "x", "colour": 1}}}),
            "parsing_exception",
            "[match] query does not support [colour]",
        ),
        (
            json!({"match": {"a": "x", "b": "y"}}),
            "parsing_exception",
            "doesn't support multiple fields, found [a] and [b]",
        ),
        (
            json!({"match": {"title": {"query": "x", "operator": "xor"}}}),
            "illegal_argument_exception",
            "No enum constant",
        ),
        (
            json!({"match": {"title": {"query": "x", "fuzziness": "3"}}}),
            "illegal_argument_exception",
            "Valid edit distances are [0, 1, 2] but was [3]",
        ),
        (
            json!({"match": {"title": {"query": "x", "boost": -1}}}),
            "illegal_argument_exception",
            "negative [boost] are not allowed",
        ),
        (json!({"match": {"title": ["x"]}}), "parsing_exception", "unknown token [START_ARRAY]"),
        (
            json!({"match": {"year": "soon"}}),
            "query_shard_exception",
            "failed to create query: For input string: \"soon\"",
        ),
        (json!({"term": {"when": "soon"}}), "query_shard_exception", "failed to parse date field [soon]"),
        (json!({"range": {"when": {"gte": "soon"}}}), "parse_exception", "failed to parse date field [soon]"),
        (json!({"term": {"ip": "soon"}}), "query_shard_exception", "'soon' is not an IP string literal."),
        (json!({"term": {"open": "maybe"}}), "query_shard_exception", "Can't parse boolean value [maybe]"),
        (json!({"terms": {"tag": "a"}}), "parsing_exception", "[terms] query does not support [tag]"),
        (json!({"range": {"year": {"above": 1}}}), "parsing_exception", "[range] query does not support [above]"),
        (json!({"range": {"year": 5}}), "parsing_exception", "no start_object after query field [year]"),
        (
            json!({"prefix": {"year": "2"}}),
            "query_shard_exception",
            "Can only use prefix queries on keyword, text and wildcard fields - not on [year] which is of type [integer]",
        ),
        (json!({"exists": {}}), "parsing_exception", "must be provided with a [field]"),
        (
            json!({"bool": {"most": []}}),
            "parsing_exception",
            "[bool] query does not support [most] did you mean any of [must, boost]?",
        ),
        (json!({"constant_score": {}}), "parsing_exception", "requires a 'filter' element"),
        (json!({"dis_max": {"queries": []}}), "parsing_exception", "requires 'queries' field"),
        (
            json!({"nested": {"path": "gone", "query": {"match_all": {}}}}),
            "query_shard_exception",
            "failed to find nested object under path [gone]",
        ),
        (
            json!({"knn": {"field": "vector", "query_vector": [1]}}),
            "query_shard_exception",
            "different number of dimensions [1] than the document vectors [2]",
        ),
        (
            json!({"knn": {"field": "tag", "query_vector": [1]}}),
            "query_shard_exception",
            "[knn] queries are only supported on [dense_vector] fields",
        ),
        (
            json!({"knn": {"field": "vector", "query_vector": [1, 2], "k": 5, "num_candidates": 2}}),
            "illegal_argument_exception",
            "[num_candidates] cannot be less than [k]",
        ),
        (
            json!({"script_score": {"query": {"match_all": {}}, "script": "System.exit(1)"}}),
            "script_exception",
            "compile error",
        ),
        (
            json!({"function_score": {"functions": [{"filter": {"match_all": {}}}]}}),
            "parsing_exception",
            "missing a function",
        ),
        (json!({"query_string": {"query": "a AND (b"}}), "query_shard_exception", "Failed to parse query [a AND (b]"),
        (json!({"query_string": {"query": "a:b:c"}}), "query_shard_exception", "Failed to parse query"),
        (
            json!({"query_string": {"query": "x", "colour": 1}}),
            "parsing_exception",
            "[query_string] query does not support [colour]",
        ),
        (
            json!({"geo_distance": {}}),
            "illegal_argument_exception",
            "the query [geo_distance] is not supported by Bifocal",
        ),
        (json!({"intervals": {}}), "illegal_argument_exception", "is not supported by Bifocal"),
        (
            json!({"multi_match": {"query": "x", "type": "cross_fields", "fuzziness": 1}}),
            "parsing_exception",
            "Fuzziness not allowed for type [cross_fields]",
        ),
        (json!({"rank_feature": {"field": "year"}}), "query_shard_exception", "only works on [rank_feature] fields"),
        (
            json!({"combined_fields": {"query": "x", "fields": ["title", "body"]}}),
            "query_shard_exception",
            "must have the same search analyzer",
        ),
        (
            json!({"regexp": {"tag": "a(b"}}),
            "query_shard_exception",
            "failed to create query: expected ')' at position 3",
        ),
        (
            json!({"query_string": {"query": "tag:/a[/", "fields": ["tag"]}}),
            "query_shard_exception",
            "failed to create query",
        ),
        (json!({"regexp": {"tag": "x".repeat(2000)}}), "illegal_argument_exception", "The length of regex [2000]"),
    ] {
        match read(&query) {
            Err(error) if error.kind == kind && error.reason.contains(reason) && error.status == 400 => {}
            other => faults.push(format!("{query}: {other:?}, expected {kind} {reason}")),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn large_queries_are_refused() {
    let deep = (0..40).fold(json!({"match_all": {}}), |inner, _| json!({"bool": {"must": [inner]}}));
    assert!(read(&deep).unwrap_err().reason.contains("maximum nested depth"));
    let wide: Vec<Value> = (0..5000).map(|n| json!({"term": {"tag": n.to_string()}})).collect();
    assert_eq!(read(&json!({"bool": {"should": wide}})).unwrap_err().kind, "too_many_nested_clauses");
    let terms: Vec<u32> = (0..70_000).collect();
    assert!(read(&json!({"terms": {"year": terms}})).unwrap_err().reason.contains("index.max_terms_count"));
}

fn any_value() -> impl Strategy<Value = Value> {
    let names = proptest::sample::select(vec![
        "match",
        "bool",
        "must",
        "should",
        "query",
        "title",
        "year",
        "when",
        "term",
        "terms",
        "range",
        "gte",
        "boost",
        "_name",
        "nested",
        "path",
        "who",
        "knn",
        "field",
        "vector",
        "query_vector",
        "k",
        "function_score",
        "functions",
        "weight",
        "script_score",
        "script",
        "source",
        "query_string",
        "fields",
        "more_like_this",
        "like",
        "pinned",
        "ids",
        "organic",
        "regexp",
        "value",
        "multi_match",
        "type",
        "fuzzy",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f32>().prop_map(|number| json!(number)),
        "[a-z*?~\"()\\[\\]:^+/ -]{0,12}".prop_map(Value::from),
        names.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((names.clone(), inner), 0..4).prop_map(|members| members
                .into_iter()
                .map(|(name, value)| (name.to_string(), value))
                .collect::<Map<_, _>>()
                .into()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_json_is_read_or_refused(body in any_value(), name in proptest::sample::select(QUERIES.to_vec())) {
        for query in [body.clone(), json!({name: body.clone()}), json!({name: {"title": body}})] {
            if let Ok(parsed) = read(&query) {
                let _ = place().searcher.lexical().top(&parsed, 3, None);
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[a-z0-9AND ORT+|&!(){}\\[\\]^\"~*?:/\\\\<>=-]{0,30}") {
        let strict = json!({"query_string": {"query": text.as_str(), "fields": ["body", "year", "tag"]}});
        if let Ok(parsed) = read(&strict) {
            let _ = place().searcher.lexical().top(&parsed, 3, None);
        }
        let simple = json!({"simple_query_string": {"query": text.as_str(), "fields": ["body", "tag"]}});
        let parsed = read(&simple);
        prop_assert!(parsed.is_ok(), "{:?}", parsed);
        let script = json!({"script_score": {"query": {"match_all": {}}, "script": text.as_str()}});
        let _ = read(&script);
    }
}
