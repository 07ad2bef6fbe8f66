//! Against OpenSearch's recorded answers (`fixtures/opensearch/aggregations.json`), and against what Elasticsearch documents where
//! OpenSearch differs.

mod properties;

use std::sync::{Arc, OnceLock};

use serde_json::json;
use tantivy::BitSet;

use super::*;
use crate::index::Index;
use crate::models::Models;
use crate::retrieve::Searcher;
use crate::schema::IndexDefinition;

/// An index of the tests.
struct TestIndex {
    name: String,
    definition: IndexDefinition,
    searcher: Searcher,
    _folder: tempfile::TempDir,
}

fn build(name: &str, properties: &Value, documents: &[Value], docs_a_segment: usize) -> TestIndex {
    let folder = tempfile::tempdir().unwrap();
    let definition = IndexDefinition::parse(&json!({"mappings": {"properties": properties}}).to_string()).unwrap();
    let index = Index::create(folder.path().join("i"), &definition, Arc::new(Models::default())).unwrap();
    for (segment, docs) in documents.chunks(docs_a_segment).enumerate() {
        let mut writer = index.writer().unwrap();
        for (at, doc) in docs.iter().enumerate() {
            let mut doc = doc.clone();
            doc["_id"] = json!((segment * docs_a_segment + at).to_string());
            writer.add(&doc.to_string()).unwrap();
        }
        writer.commit().unwrap();
        writer.finish().unwrap();
    }
    let searcher = Searcher::open(&index).unwrap();
    TestIndex { name: name.to_string(), definition: index.definition(), searcher, _folder: folder }
}

/// Runs a body of `aggs` over what `query` matches in some indices.
fn run(indices: &[&TestIndex], body: &Value, query: &Value, options: PrintOptions) -> EsResult<Value> {
    let mut partials = Vec::new();
    let mut first = None;
    for (index_ord, index) in indices.iter().enumerate() {
        let get = |_: &str, _: &crate::document::DocumentId| Ok(None);
        let context = QueryContext::new(
            &index.name,
            index.searcher.lexical().fields(),
            &index.definition,
            1_717_243_200_000,
            &get,
        );
        let aggregations = Aggregations::parse(body, &context)?;
        let query = query_dsl_of(query, &context)?;
        let docs: Vec<BitSet> = index.searcher.lexical().filter(&query)?;
        let scores: Vec<Vec<f32>> = docs.iter().map(|set| vec![1.0; set.max_value() as usize]).collect();
        let scores = aggregations.needs_scores().then_some(scores.as_slice());
        let context = Context { searcher: &index.searcher, index: &index.name, index_ord };
        partials.push(aggregations.collect(&context, DocSets { docs: &docs, scores })?);
        first.get_or_insert(aggregations);
    }
    let mut hits = |hit: &crate::aggregate::outcome::Hit, _: &crate::aggregate::request::TopHits| {
        let index = indices[hit.index_ord];
        let address = tantivy::DocAddress::new(hit.segment_ord, hit.doc_id);
        let id = index.searcher.lexical().id(address)?.to_string();
        let source = index.searcher.source(address)?;
        let printed = json!({"_index": index.name, "_id": id, "_score": hit.score, "_source": source});
        Ok(printed.as_object().unwrap().clone())
    };
    Ok(Value::Object(first.unwrap_or_default().finish(partials, options, &mut hits)?))
}

fn query_dsl_of(query: &Value, context: &QueryContext<'_>) -> EsResult<crate::retrieve::query::Query> {
    if query.is_null() {
        return Ok(crate::retrieve::query::Query::MatchAll);
    }
    super::super::query_dsl::parse(query, context)
}

fn fixture() -> &'static Value {
    static FIXTURE: OnceLock<Value> = OnceLock::new();
    FIXTURE.get_or_init(|| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/opensearch/aggregations.json");
        serde_json::from_str(&fs_err::read_to_string(path).unwrap()).unwrap()
    })
}

/// Where two answers differ; numbers may by 1e-12 of their size.
fn difference(path: &str, ours: &Value, theirs: &Value, found: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (key, value) in theirs {
                match ours.get(key) {
                    Some(own) => difference(&format!("{path}/{key}"), own, value, found),
                    None => found.push(format!("{path}/{key} is missing, expected {value}")),
                }
            }
            for key in ours.keys().filter(|key| !theirs.contains_key(*key)) {
                found.push(format!("{path}/{key} is too much: {}", ours[key]));
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            if ours.len() != theirs.len() {
                found.push(format!(
                    "{path} has {} entries, expected {}: {ours:?} / {theirs:?}",
                    ours.len(),
                    theirs.len()
                ));
            }
            for (at, (own, value)) in ours.iter().zip(theirs).enumerate() {
                difference(&format!("{path}/{at}"), own, value, found);
            }
        }
        (Value::Number(own), Value::Number(value)) => {
            let (own, value) = (own.as_f64().unwrap(), value.as_f64().unwrap());
            if (own - value).abs() > 1e-12 * value.abs().max(1e-3) {
                found.push(format!("{path} is {own}, expected {value}"));
            }
        }
        (own, value) if own == value => {}
        (own, value) => found.push(format!("{path} is {own}, expected {value}")),
    }
}

/// Undoes what is known to differ: OpenSearch prints a missing `integer` as the greatest of 32 bits, and equal scores of significant
/// terms come in no order.
fn level(answer: &mut Value) {
    match answer {
        Value::Object(members) => {
            if let (true, Some(Value::Array(buckets))) = (members.contains_key("bg_count"), members.get_mut("buckets"))
            {
                buckets.sort_by_key(|bucket| bucket["key"].to_string());
            }
            members.values_mut().for_each(level);
        }
        Value::Array(values) => values.iter_mut().for_each(level),
        Value::Number(number) if number.as_i64() == Some(i64::from(i32::MAX)) => *answer = json!(i64::MAX),
        Value::Number(_) | Value::String(_) | Value::Bool(_) | Value::Null => {}
    }
}

#[test]
fn answers_are_opensearchs() {
    let fixture = fixture();
    let indices: Vec<TestIndex> = fixture["indices"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, index)| build(name, &index["properties"], index["documents"].as_array().unwrap(), 25))
        .collect();
    let mut wrong = Vec::new();
    let requests = fixture["requests"].as_array().unwrap();
    for request in requests {
        let pattern = request["index"].as_str().unwrap().trim_end_matches('*');
        let targets: Vec<&TestIndex> = indices.iter().filter(|index| index.name.starts_with(pattern)).collect();
        let options = PrintOptions { typed_keys: request["typed_keys"].as_bool().unwrap(), ..PrintOptions::default() };
        let mut found = Vec::new();
        match run(&targets, &request["aggs"], &request["query"], options) {
            Ok(mut answer) => {
                let mut expected = request["aggregations"].clone();
                level(&mut answer);
                level(&mut expected);
                difference("", &answer, &expected, &mut found);
            }
            Err(error) => found.push(error.to_string()),
        }
        if !found.is_empty() {
            found.truncate(4);
            wrong.push(format!("{}:\n    {}", request["name"].as_str().unwrap(), found.join("\n    ")));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), requests.len(), wrong.join("\n"));
}

/// Three documents whose figures can be computed by hand.
fn small() -> &'static TestIndex {
    static SMALL: OnceLock<TestIndex> = OnceLock::new();
    SMALL.get_or_init(|| {
        let properties = json!({
            "text": {"type": "text"}, "tag": {"type": "keyword"}, "n": {"type": "long"}, "big": {"type": "unsigned_long"},
            "x": {"type": "double"}, "day": {"type": "date"}, "ip": {"type": "ip"}, "flat": {"type": "flattened"},
            "off": {"type": "keyword", "doc_values": false},
        });
        let documents = [
            json!({"tag": ["a", "b"], "n": 1, "x": 1.0, "big": 18446744073709551615_u64, "day": "2024-01-01", "ip": "10.0.0.2",
                "flat": {"k": "v", "l": {"m": "w"}}}),
            json!({"tag": "a", "n": 2, "x": 2.0, "big": 3, "day": "2024-01-02", "ip": "10.0.0.10", "flat": {"k": "v"}}),
            json!({"n": 4, "x": 10.0, "day": "2024-03-05"}),
        ];
        build("small", &properties, &documents, 2)
    })
}

fn small_answer(body: Value) -> Value {
    run(&[small()], &body, &Value::Null, PrintOptions::default()).unwrap()
}

#[test]
fn answers_are_elasticsearchs_where_opensearch_differs() {
    let cases = [
        (
            json!({"percentiles": {"field": "x", "percents": [0, 25, 50, 99, 100]}}),
            json!({"values": {"0.0": 1.0, "25.0": 1.5, "50.0": 2.0, "99.0": 9.84, "100.0": 10.0}}),
        ),
        (
            json!({"percentiles": {"field": "x", "percents": [50], "keyed": false}}),
            json!({"values": [{"key": 50.0, "value": 2.0}]}),
        ),
        (json!({"percentiles": {"field": "nowhere", "percents": [50]}}), json!({"values": {"50.0": null}})),
        (
            json!({"percentiles": {"field": "day", "percents": [0]}}),
            json!({"values": {"0.0": 1_704_067_200_000.0, "0.0_as_string": "2024-01-01T00:00:00.000Z"}}),
        ),
        (
            json!({"percentile_ranks": {"field": "x", "values": [0.5, 2, 6, 10]}}),
            json!({"values": {"0.5": 0.0, "2.0": 100.0 / 3.0, "6.0": 200.0 / 3.0, "10.0": 250.0 / 3.0}}),
        ),
        (json!({"median_absolute_deviation": {"field": "x"}}), json!({"value": 1.0})),
        (
            json!({"boxplot": {"field": "x"}}),
            json!({"min": 1.0, "max": 10.0, "q1": 1.5, "q2": 2.0, "q3": 6.0, "lower": 1.0, "upper": 10.0}),
        ),
        (
            json!({"string_stats": {"field": "tag"}}),
            json!({"count": 3, "min_length": 1, "max_length": 1, "avg_length": 1.0, "entropy": 0.918_295_834_054_489_6}),
        ),
        (
            json!({"top_metrics": {"metrics": [{"field": "n"}, {"field": "tag"}], "sort": {"day": "desc"}, "size": 2}}),
            json!({"top": [
                {"sort": ["2024-03-05T00:00:00.000Z"], "metrics": {"n": 4, "tag": null}},
                {"sort": ["2024-01-02T00:00:00.000Z"], "metrics": {"n": 2, "tag": "a"}},
            ]}),
        ),
        (
            json!({"terms": {"field": "big", "order": {"_key": "asc"}}}),
            json!({"doc_count_error_upper_bound": 0, "sum_other_doc_count": 0, "buckets": [
                {"key": 3, "doc_count": 1}, {"key": 18_446_744_073_709_551_615_u64, "doc_count": 1},
            ]}),
        ),
        (
            json!({"terms": {"field": "ip", "order": {"_key": "asc"}}}),
            json!({"doc_count_error_upper_bound": 0, "sum_other_doc_count": 0, "buckets": [
                {"key": "10.0.0.2", "doc_count": 1}, {"key": "10.0.0.10", "doc_count": 1},
            ]}),
        ),
        (
            json!({"terms": {"field": "ip", "include": ["10.0.0.10"]}}),
            json!({"doc_count_error_upper_bound": 0, "sum_other_doc_count": 0, "buckets": [{"key": "10.0.0.10", "doc_count": 1}]}),
        ),
        (
            json!({"terms": {"field": "flat.k"}}),
            json!({"doc_count_error_upper_bound": 0, "sum_other_doc_count": 0, "buckets": [{"key": "v", "doc_count": 2}]}),
        ),
        (
            json!({"terms": {"field": "flat"}}),
            json!({"doc_count_error_upper_bound": 0, "sum_other_doc_count": 0, "buckets": [
                {"key": "v", "doc_count": 2}, {"key": "w", "doc_count": 1},
            ]}),
        ),
        (
            json!({"terms": {"field": "_index"}}),
            json!({"doc_count_error_upper_bound": 0, "sum_other_doc_count": 0, "buckets": [{"key": "small", "doc_count": 3}]}),
        ),
        (json!({"cardinality": {"field": "big"}}), json!({"value": 2})),
        (
            json!({"sampler": {"shard_size": 2}, "aggs": {
                "s": {"value_count": {"field": "n"}}, "h": {"top_hits": {"size": 0}}}}),
            json!({"doc_count": 2, "s": {"value": 2}, "h": {"hits": {
                "total": {"value": 2, "relation": "eq"}, "max_score": 1.0, "hits": []}}}),
        ),
        (
            json!({"date_histogram": {"field": "nowhere", "calendar_interval": "year", "missing": "2024-05-05"}}),
            json!({"buckets": [
                {"key_as_string": "2024-01-01T00:00:00.000Z", "key": 1_704_067_200_000_i64, "doc_count": 3},
            ]}),
        ),
        (json!({"value_count": {"field": "tag"}}), json!({"value": 3})),
    ];
    for (agg, expected) in cases {
        let answer = small_answer(json!({"a": agg}));
        let mut found = Vec::new();
        difference("", &answer["a"], &expected, &mut found);
        assert!(found.is_empty(), "{agg}: {found:?}\n{}", answer["a"]);
    }
}

#[test]
fn what_is_wrong_is_said_in_elasticsearchs_words() {
    let cases = [
        (
            json!({"a": {"avg_bucket": {"buckets_path": "x>y"}}}),
            "action_request_validation_exception",
            "buckets_path aggregation does not exist for aggregation [a]: x>y",
        ),
        (
            json!({"a": {"avgs": {"field": "n"}}}),
            "parsing_exception",
            "Unknown aggregation type [avgs] did you mean [avg]?",
        ),
        (
            json!({"a": {"geo_bounds": {"field": "n"}}}),
            "illegal_argument_exception",
            "the aggregation type [geo_bounds] (of the aggregation [a]) is not supported",
        ),
        (
            json!({"a[": {"avg": {"field": "n"}}}),
            "parsing_exception",
            "Invalid aggregation name [a[]. Aggregation names can contain any character except '[', ']', and '>'",
        ),
        (json!({"a": {}}), "parsing_exception", "Missing definition for aggregation [a]"),
        (
            json!({"a": 1}),
            "parsing_exception",
            "Aggregation definition for [a starts with a [VALUE_NUMBER], expected a [START_OBJECT].",
        ),
        (
            json!({"a": {"avg": 1}}),
            "parsing_exception",
            "Expected [START_OBJECT] under [avg], but got a [VALUE_NUMBER] in [a]",
        ),
        (
            json!({"a": {"avg": {"field": "n"}, "sum": {"field": "n"}}}),
            "parsing_exception",
            "Found two aggregation type definitions in [a]: [avg] and [sum]",
        ),
        (
            json!({"a": {"avg": {}}}),
            "illegal_argument_exception",
            "Required one of fields [field, script], but none were specified.",
        ),
        (
            json!({"a": {"avg": {"script": "1"}}}),
            "illegal_argument_exception",
            "a script in an aggregation ([a] of type [avg]) is not supported",
        ),
        (
            json!({"a": {"terms": {"field": "n", "sise": 3}}}),
            "x_content_parse_exception",
            "[terms] unknown field [sise] did you mean [size]?",
        ),
        (
            json!({"a": {"terms": {"field": "n", "size": 0}}}),
            "illegal_argument_exception",
            "[size] must be greater than 0. Found [0] in [a]",
        ),
        (
            json!({"a": {"terms": {"field": "text"}}}),
            "illegal_argument_exception",
            "Fielddata is disabled on [text] in [small]. Text fields are not optimised",
        ),
        (
            json!({"a": {"terms": {"field": "off"}}}),
            "illegal_argument_exception",
            "Can't load fielddata on [off] because fielddata is unsupported on fields of type [keyword]. Use doc values instead.",
        ),
        (
            json!({"a": {"terms": {"field": "_id"}}}),
            "illegal_argument_exception",
            "Fielddata access on the _id field is disallowed",
        ),
        (
            json!({"a": {"avg": {"field": "tag"}}}),
            "illegal_argument_exception",
            "Field [tag] of type [keyword] is not supported for aggregation [avg]",
        ),
        (
            json!({"a": {"date_histogram": {"field": "tag", "calendar_interval": "day"}}}),
            "illegal_argument_exception",
            "Field [tag] of type [keyword] is not supported for aggregation [date_histogram]",
        ),
        (
            json!({"a": {"date_histogram": {"field": "day", "calendar_interval": "2d"}}}),
            "x_content_parse_exception",
            "The supplied interval [2d] could not be parsed as a calendar interval.",
        ),
        (
            json!({"a": {"date_histogram": {"field": "day"}}}),
            "illegal_argument_exception",
            "Invalid interval specified, must be non-null and non-empty",
        ),
        (
            json!({"a": {"date_histogram": {"field": "day", "fixed_interval": "1d", "calendar_interval": "day"}}}),
            "x_content_parse_exception",
            "Cannot use [fixed_interval] with [calendar_interval] configuration option.",
        ),
        (
            json!({"a": {"histogram": {"field": "n", "interval": 0}}}),
            "x_content_parse_exception",
            "[interval] must be >0 for histogram aggregation [a]",
        ),
        (
            json!({"a": {"terms": {"field": "n", "order": {"b": "asc"}}}}),
            "aggregation_execution_exception",
            "Invalid aggregation order path [b]. The provided aggregation [b] either does not exist, or is a pipeline aggregation",
        ),
        (
            json!({"a": {"terms": {"field": "n", "include": "x.*"}}}),
            "illegal_argument_exception",
            "cannot support regular expression style include/exclude settings",
        ),
        (
            json!({"a": {"avg": {"field": "n"}, "aggs": {"b": {"avg": {"field": "n"}}}}}),
            "aggregation_initialization_exception",
            "Aggregator [a] of type [avg] cannot accept sub-aggregations",
        ),
        (
            json!({"a": {"terms": {"field": "n"}, "aggs": {"c": {"composite": {"sources": [{"t": {"terms": {"field": "n"}}}]}}}}}),
            "illegal_argument_exception",
            "[composite] aggregation cannot be used with a parentAggregation of type: [terms]",
        ),
        (
            json!({"a": {"terms": {"field": "n"}, "aggs": {"g": {"global": {}}}}}),
            "aggregation_execution_exception",
            "Aggregator [g] of type [global] can only be defined as a top level aggregation",
        ),
        (
            json!({"a": {"percentiles": {"field": "n", "hdr": {}}}}),
            "illegal_argument_exception",
            "[hdr] of the aggregation [a] of type [percentiles] is not supported",
        ),
        (
            json!({"a": {"derivative": {"buckets_path": "x"}}}),
            "action_request_validation_exception",
            "derivative aggregation [a] must have a histogram",
        ),
        (
            json!({"a": {"composite": {"sources": [{"t": {"terms": {"field": "n"}}}], "after": {}}}}),
            "illegal_argument_exception",
            "Missing value for [after.t]",
        ),
        (
            json!({"a": {"top_hits": {"size": 101}}}),
            "illegal_argument_exception",
            "Top hits result window is too large",
        ),
        (
            json!({"a": {"date_histogram": {"field": "day", "fixed_interval": "1ms"}}}),
            "too_many_buckets_exception",
            "Trying to create too many buckets. Must be less than or equal to: [65536]",
        ),
        (
            json!({"a": {"histogram": {"field": "n", "interval": 1e-9}}}),
            "too_many_buckets_exception",
            "Trying to create too many buckets.",
        ),
    ];
    for (body, kind, reason) in cases {
        let error = run(&[small()], &body, &Value::Null, PrintOptions::default()).expect_err(&body.to_string());
        // A field's own error stands behind that of its parser.
        let cause = error.cause.as_ref().map_or("", |cause| &cause.reason);
        let is_told = error.reason.contains(reason) || cause.contains(reason);
        assert!(error.kind == kind && is_told, "{body}: {error}\nexpected {kind}: {reason}");
    }
}

#[test]
fn text_and_numbers_do_not_merge() {
    let text = build("text", &json!({"v": {"type": "keyword"}}), &[json!({"v": "1"})], 9);
    let long = build("long", &json!({"v": {"type": "long"}}), &[json!({"v": 1}), json!({"v": 2})], 9);
    let double = build("double", &json!({"v": {"type": "double"}}), &[json!({"v": 1.0}), json!({"v": 1.5})], 9);
    let body = json!({"a": {"terms": {"field": "v"}}});
    let error = run(&[&text, &long], &body, &Value::Null, PrintOptions::default()).unwrap_err();
    assert!(error.reason.contains("[a]") && error.reason.contains("two different types"), "{error}");
    let merged =
        run(&[&long, &double], &body, &Value::Null, PrintOptions { typed_keys: true, ..Default::default() }).unwrap();
    let expected = json!({"dterms#a": {"doc_count_error_upper_bound": 0, "sum_other_doc_count": 0, "buckets": [
        {"key": 1.0, "doc_count": 2}, {"key": 1.5, "doc_count": 1}, {"key": 2.0, "doc_count": 1},
    ]}});
    assert_eq!(merged, expected);
}

#[test]
fn reading_ends_when_the_time_is_up() {
    let docs: Vec<Value> = (0..20_000).map(|n| json!({"n": n})).collect();
    let mut index = build("i", &json!({"n": {"type": "integer"}}), &docs, 20_000);
    let body = json!({"count": {"value_count": {"field": "n"}}, "all": {"global": {}}});
    let whole = run(&[&index], &body, &Value::Null, PrintOptions::default()).unwrap();
    assert_eq!(whole, json!({"count": {"value": 20_000}, "all": {"doc_count": 20_000}}));
    let all = index.searcher.lexical().filter(&crate::retrieve::query::Query::MatchAll).unwrap();
    let limit = crate::index::TimeLimit::until(Some(std::time::Instant::now()));
    index.searcher = index.searcher.with_time_limit(limit.clone());
    let get = |_: &str, _: &crate::document::DocumentId| Ok(None);
    let context = QueryContext::new("i", index.searcher.lexical().fields(), &index.definition, 0, &get);
    let aggregations = Aggregations::parse(&body, &context).unwrap();
    let context = Context { searcher: &index.searcher, index: "i", index_ord: 0 };
    let part = aggregations.collect(&context, DocSets { docs: &all, scores: None }).unwrap();
    let mut hits = |_: &crate::aggregate::outcome::Hit, _: &crate::aggregate::request::TopHits| Ok(Map::new());
    let part = Value::Object(aggregations.finish(vec![part], PrintOptions::default(), &mut hits).unwrap());
    // A block of each segment.
    let expected = all.len() * 2_048;
    assert_eq!(part, json!({"count": {"value": expected}, "all": {"doc_count": expected}}));
    assert!(limit.was_noticed());
}
