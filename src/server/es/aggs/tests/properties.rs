//! Terms equal a count by hand, histogram buckets tile, and two halves merge to the whole.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
struct Doc {
    tags: Vec<u8>,
    numbers: Vec<i64>,
    price: Option<f64>,
    day: Option<i64>,
}

impl Doc {
    fn json(&self) -> Value {
        let tags: Vec<String> = self.tags.iter().map(|tag| format!("t{tag}")).collect();
        let mut doc = json!({"tag": tags, "n": self.numbers});
        if let Some(price) = self.price {
            doc["price"] = json!(price);
        }
        if let Some(day) = self.day {
            doc["day"] = json!(day);
        }
        doc
    }
}

fn docs() -> impl Strategy<Value = Vec<Doc>> {
    let doc = (
        proptest::collection::vec(0..12_u8, 0..4),
        proptest::collection::vec(-20..20_i64, 0..3),
        proptest::option::of((-4000..4000_i32).prop_map(|quarters| f64::from(quarters) / 4.0)),
        proptest::option::of(1_690_000_000_000..1_750_000_000_000_i64),
    )
        .prop_map(|(tags, numbers, price, day)| Doc { tags, numbers, price, day });
    proptest::collection::vec(doc, 1..60)
}

fn properties() -> Value {
    json!({"tag": {"type": "keyword"}, "n": {"type": "long"}, "price": {"type": "double"}, "day": {"type": "date"}})
}

fn index_of(docs: &[Doc], docs_a_segment: usize) -> TestIndex {
    let documents: Vec<Value> = docs.iter().map(Doc::json).collect();
    build("i", &properties(), &documents, docs_a_segment)
}

fn answer(indices: &[&TestIndex], body: &Value) -> Value {
    run(indices, body, &Value::Null, PrintOptions::default()).unwrap()
}

fn buckets(answer: &Value) -> &Vec<Value> {
    answer["buckets"].as_array().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn terms_are_a_count_by_hand(docs in docs(), docs_a_segment in 5..40_usize) {
        let index = index_of(&docs, docs_a_segment);
        let body = json!({
            "tags": {"terms": {"field": "tag", "size": 100}, "aggs": {"s": {"sum": {"field": "price"}}}},
            "numbers": {"terms": {"field": "n", "size": 100}},
        });
        let answer = answer(&[&index], &body);
        let mut by_tag: BTreeMap<String, (u64, f64)> = BTreeMap::new();
        let mut by_number: BTreeMap<i64, u64> = BTreeMap::new();
        for doc in &docs {
            for tag in doc.tags.iter().collect::<BTreeSet<_>>() {
                let (count, sum) = by_tag.entry(format!("t{tag}")).or_default();
                *count += 1;
                *sum += doc.price.unwrap_or(0.0);
            }
            for number in doc.numbers.iter().collect::<BTreeSet<_>>() {
                *by_number.entry(*number).or_default() += 1;
            }
        }
        let found: BTreeMap<String, (u64, f64)> = buckets(&answer["tags"])
            .iter()
            .map(|bucket| {
                let key = bucket["key"].as_str().unwrap().to_string();
                (key, (bucket["doc_count"].as_u64().unwrap(), bucket["s"]["value"].as_f64().unwrap()))
            })
            .collect();
        prop_assert_eq!(found, by_tag);
        let found: BTreeMap<i64, u64> = buckets(&answer["numbers"])
            .iter()
            .map(|bucket| (bucket["key"].as_i64().unwrap(), bucket["doc_count"].as_u64().unwrap()))
            .collect();
        prop_assert_eq!(found, by_number);
        for name in ["tags", "numbers"] {
            let counts: Vec<u64> =
                buckets(&answer[name]).iter().map(|bucket| bucket["doc_count"].as_u64().unwrap()).collect();
            prop_assert!(counts.is_sorted_by(|left, right| left >= right));
        }
    }

    #[test]
    fn histogram_buckets_tile(docs in docs(), interval in 1..400_u32, offset in 0..100_u32) {
        let index = index_of(&docs, 20);
        let (interval, offset) = (f64::from(interval) / 2.0, f64::from(offset) / 4.0);
        let body = json!({
            "h": {"histogram": {"field": "price", "interval": interval, "offset": offset},
                "aggs": {"s": {"stats": {"field": "price"}}}},
            "d": {"date_histogram": {"field": "day", "calendar_interval": "month", "time_zone": "Europe/Berlin"},
                "aggs": {"s": {"stats": {"field": "day"}}}},
        });
        let answer = answer(&[&index], &body);
        for (name, wanted) in [
            ("h", docs.iter().filter(|doc| doc.price.is_some()).count()),
            ("d", docs.iter().filter(|doc| doc.day.is_some()).count()),
        ] {
            let buckets = buckets(&answer[name]);
            let total: u64 = buckets.iter().map(|bucket| bucket["doc_count"].as_u64().unwrap()).sum();
            prop_assert_eq!(total, wanted as u64);
            for pair in buckets.windows(2) {
                let (key, next) = (pair[0]["key"].as_f64().unwrap(), pair[1]["key"].as_f64().unwrap());
                prop_assert!(key < next);
                if name == "h" {
                    prop_assert!((next - key - interval).abs() < 1e-9);
                }
                if let (Some(min), Some(max)) = (pair[0]["s"]["min"].as_f64(), pair[0]["s"]["max"].as_f64()) {
                    prop_assert!(key <= min && max < next, "{key} <= {min} .. {max} < {next}");
                }
            }
        }
    }

    #[test]
    fn two_halves_merge_to_the_whole(docs in docs(), at in 0..60_usize) {
        let (left, right) = docs.split_at(at.min(docs.len()));
        let (whole, left, right) = (index_of(&docs, 25), index_of(left, 13), index_of(right, 40));
        let metrics = json!({
            "avg": {"avg": {"field": "price"}}, "ext": {"extended_stats": {"field": "price"}},
            "card": {"cardinality": {"field": "tag"}}, "many": {"cardinality": {"field": "n"}},
            "count": {"value_count": {"field": "n"}}, "perc": {"percentiles": {"field": "price"}},
            "rank": {"percentile_ranks": {"field": "price", "values": [-10, 0, 10]}},
        });
        let mut body = json!({
            "tags": {"terms": {"field": "tag", "size": 100}, "aggs": metrics},
            "numbers": {"terms": {"field": "n", "size": 5, "shard_size": 100, "order": {"avg": "desc"}},
                "aggs": {"avg": {"avg": {"field": "price"}}}},
            "multi": {"multi_terms": {"terms": [{"field": "tag"}, {"field": "n"}], "size": 1000}},
            "h": {"histogram": {"field": "price", "interval": 100}, "aggs": {"tags": {"terms": {"field": "tag", "size": 100}}}},
            "d": {"date_histogram": {"field": "day", "calendar_interval": "month"}, "aggs": {
                "s": {"sum": {"field": "price"}}, "c": {"cumulative_sum": {"buckets_path": "s"}}}},
            "r": {"range": {"field": "price", "ranges": [{"to": 0}, {"from": -50, "to": 50}, {"from": 0}]}},
            "c": {"composite": {"sources": [{"t": {"terms": {"field": "tag", "missing_bucket": true}}},
                {"n": {"terms": {"field": "n", "order": "desc"}}}], "size": 7}},
            "f": {"filters": {"filters": {"a": {"term": {"tag": "t1"}}, "b": {"range": {"n": {"gte": 0}}}}, "other_bucket": true}},
            "m": {"missing": {"field": "price"}},
            "sig": {"significant_terms": {"field": "tag", "min_doc_count": 1, "shard_size": 100}},
        });
        for (name, metric) in metrics.as_object().unwrap() {
            body[name] = metric.clone();
        }
        let (one, mut two) = (answer(&[&whole], &body), answer(&[&left, &right], &body));
        // Of the halves nobody knows whether terms that are left out have more.
        two["numbers"]["doc_count_error_upper_bound"] = one["numbers"]["doc_count_error_upper_bound"].clone();
        let mut found = Vec::new();
        difference("", &two, &one, &mut found);
        prop_assert!(found.is_empty(), "{:?}", found);
    }
}
