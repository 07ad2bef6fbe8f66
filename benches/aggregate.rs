//! Aggregations over 200,000 documents of one index, one thread, warm.
//!
//! ```text
//! cargo bench --bench aggregate                 # 200,000 documents
//! cargo bench --bench aggregate -- 1000000      # more
//! ```
//!
//! Documents have a keyword of 50 values, one of 20,000, two keywords in a list, a price, a date over two years and a rating; all from one
//! seed. A figure is the median of 15 runs over all documents after two that do not count, from the request's JSON to the answer's.
//! Left out: finding the documents, the HTTP server. Beside it stands what an index in several segments costs more.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]

use std::sync::Arc;
use std::time::Instant;

use bifocal::aggregate::{Context, DocSets};
use bifocal::document::Document;
use bifocal::ingest::{Action, Operation};
use bifocal::models::Models;
use bifocal::retrieve::query::Query;
use bifocal::schema::IndexDefinition;
use bifocal::server::es::aggs::{Aggregations, PrintOptions};
use bifocal::server::es::query_dsl::QueryContext;
use bifocal::{Index, Location, Searcher};
use serde_json::{Value, json};

const MAPPING: &str = r#"{"mappings":{"properties":{
    "brand":{"type":"keyword"},"user":{"type":"keyword"},"tags":{"type":"keyword"},
    "price":{"type":"double"},"day":{"type":"date"},"rating":{"type":"integer"}}}}"#;

fn main() {
    let num_docs: usize = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(200_000);
    let folder = tempfile::tempdir().unwrap();
    let definition = IndexDefinition::parse(MAPPING).unwrap();
    let index = Index::create(folder.path().join("i"), &definition, Arc::new(Models::default())).unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let mut writer = index.writer().unwrap();
    for start in (0..num_docs).step_by(20_000) {
        let operations = (start..num_docs.min(start + 20_000)).map(|number| {
            let source = json!({
                "brand": format!("brand-{}", random.u32(0..50)), "user": format!("user-{}", random.u32(0..20_000)),
                "tags": [format!("t{}", random.u32(0..30)), format!("t{}", random.u32(0..30))],
                "price": f64::from(random.u32(0..100_000)) / 100.0, "rating": random.u32(1..6),
                "day": 1_640_995_200_000_u64 + random.u64(0..63_072_000_000),
            });
            let source = source.as_object().unwrap().clone();
            let document = Document { id: Some(number.to_string().into()), source };
            Operation { action: Action::Index(document), location: Location::default() }
        });
        let operations = operations.collect();
        writer.apply(operations).unwrap();
        if start % 60_000 == 0 {
            writer.commit().unwrap();
        }
    }
    writer.commit().unwrap();
    let several = Searcher::open(&index).unwrap();
    measure(&several, &definition);
    writer.compact().unwrap();
    writer.finish().unwrap();
    measure(&Searcher::open(&index).unwrap(), &definition);
}

fn measure(searcher: &Searcher, definition: &IndexDefinition) {
    let docs = searcher.lexical().filter(&Query::MatchAll).unwrap();
    let num_docs: usize = docs.iter().map(tantivy::BitSet::len).sum();
    println!("\n{num_docs} documents, {} segments", docs.len());
    let day = |more: Value| {
        let mut histogram = json!({"date_histogram": {"field": "day", "calendar_interval": "month"}});
        histogram["aggs"] = more;
        histogram
    };
    let cases = [
        ("terms/50", json!({"terms": {"field": "brand"}})),
        ("terms/20000", json!({"terms": {"field": "user"}})),
        ("terms/lists", json!({"terms": {"field": "tags"}})),
        ("terms/numbers", json!({"terms": {"field": "rating"}})),
        ("terms/50+avg", json!({"terms": {"field": "brand"}, "aggs": {"p": {"avg": {"field": "price"}}}})),
        (
            "terms/20000+avg, by it",
            json!({"terms": {"field": "user", "order": {"p": "desc"}}, "aggs": {"p": {"avg": {"field": "price"}}}}),
        ),
        ("terms/50+terms/30", json!({"terms": {"field": "brand"}, "aggs": {"t": {"terms": {"field": "tags"}}}})),
        ("date_histogram", day(json!({}))),
        ("date_histogram+avg", day(json!({"p": {"avg": {"field": "price"}}}))),
        (
            "date_histogram in Berlin",
            json!({"date_histogram": {"field": "day", "calendar_interval": "day", "time_zone": "Europe/Berlin"}}),
        ),
        (
            "histogram+stats",
            json!({"histogram": {"field": "price", "interval": 50}, "aggs": {"s": {"stats": {"field": "price"}}}}),
        ),
        ("cardinality/20000", json!({"cardinality": {"field": "user"}})),
        ("percentiles", json!({"percentiles": {"field": "price"}})),
        (
            "composite/50x5",
            json!({"composite": {"sources": [{"b": {"terms": {"field": "brand"}}}, {"r": {"terms": {"field": "rating"}}}]}}),
        ),
    ];
    for (name, agg) in cases {
        let body = json!({"a": agg});
        let mut millis: Vec<f64> = (0..17)
            .map(|_| {
                let started = Instant::now();
                let answer = answer(searcher, definition, &docs, &body);
                assert!(answer.contains_key("a"));
                started.elapsed().as_secs_f64() * 1e3
            })
            .skip(2)
            .collect();
        millis.sort_by(f64::total_cmp);
        println!("aggregate/{name:<28} {:8.2} ms", millis.get(7).copied().unwrap_or(f64::NAN));
    }
}

fn answer(
    searcher: &Searcher,
    definition: &IndexDefinition,
    docs: &[tantivy::BitSet],
    body: &Value,
) -> serde_json::Map<String, Value> {
    let get = |_: &str, _: &bifocal::DocumentId| Ok(None);
    let context = QueryContext::new("i", searcher.lexical().fields(), definition, 0, &get);
    let aggregations = Aggregations::parse(body, &context).unwrap();
    let context = Context { searcher, index: "i", index_ord: 0 };
    let partial = aggregations.collect(&context, DocSets { docs, scores: None }).unwrap();
    let mut hits =
        |_: &bifocal::aggregate::outcome::Hit, _: &bifocal::aggregate::request::TopHits| Ok(serde_json::Map::new());
    aggregations.finish(vec![partial], PrintOptions::default(), &mut hits).unwrap()
}
