//! Compares answers of two engines: what never can be equal is left out, numbers may be near, the rest must be the same.

use serde_json::{Map, Value};

/// Keys whose values are times, sizes of clusters or handles. OpenSearch 3 says `terminated_early` where it counted without reading.
const INCOMPARABLE: [&str; 8] =
    ["took", "timed_out", "_shards", "_scroll_id", "pit_id", "num_reduce_phases", "terminated_early", "reason"];
/// Scores are single precision and sums of them.
const SCORES: [&str; 5] = ["_score", "max_score", "score", "metric_score", "sort"];
/// Relative, of scores.
const SCORE_TOLERANCE: f64 = 1e-5;
/// Relative, of everything else: sums in another order.
const TOLERANCE: f64 = 1e-9;
/// Differences that are shown of one answer.
const MAX_SHOWN: usize = 6;

/// Leaves out what two engines never have in common. Of an error its type, its root causes' types and the status remain.
pub(crate) fn normalise(value: &Value) -> Value {
    match value {
        Value::Object(map) if map.contains_key("type") && map.contains_key("reason") => {
            let mut kept = Map::new();
            for key in ["type", "root_cause"] {
                if let Some(value) = map.get(key) {
                    kept.insert(key.to_string(), normalise(value));
                }
            }
            Value::Object(kept)
        }
        Value::Object(map) => {
            let kept = map.iter().filter(|(key, _)| !INCOMPARABLE.contains(&key.as_str()));
            Value::Object(kept.map(|(key, value)| (key.clone(), normalise(value))).collect())
        }
        Value::Array(values) => Value::Array(values.iter().map(normalise).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Every place that `pattern` names, as JSON pointers: `/a/*/b`, where `*` stands for any key or index.
pub(crate) fn places(value: &Value, pattern: &str) -> Vec<String> {
    let mut places = vec![String::new()];
    for part in pattern.split('/').skip(1) {
        let mut next = Vec::new();
        for place in &places {
            let here = value.pointer(place);
            let keys: Vec<String> = match (part, here) {
                ("*", Some(Value::Array(values))) => (0..values.len()).map(|i| i.to_string()).collect(),
                ("*", Some(Value::Object(map))) => {
                    map.keys().map(|key| key.replace('~', "~0").replace('/', "~1")).collect()
                }
                _ => vec![part.to_string()],
            };
            next.extend(keys.into_iter().map(|key| format!("{place}/{key}")));
        }
        places = next;
    }
    places.retain(|place| value.pointer(place).is_some());
    places
}

/// Removes what `pattern` names.
pub(crate) fn remove(value: &mut Value, pattern: &str) {
    for place in places(value, pattern).into_iter().rev() {
        let Some((parent, key)) = place.rsplit_once('/') else { continue };
        match value.pointer_mut(parent) {
            Some(Value::Object(map)) => {
                map.remove(&key.replace("~1", "/").replace("~0", "~"));
            }
            Some(Value::Array(values)) => {
                values.remove(key.parse().unwrap());
            }
            _ => {}
        }
    }
}

/// Only what `patterns` name, as an object from place to value.
pub(crate) fn only(value: &Value, patterns: &[String]) -> Value {
    let mut kept = Map::new();
    for pattern in patterns {
        for place in places(value, pattern) {
            kept.insert(place.clone(), value.pointer(&place).unwrap().clone());
        }
    }
    Value::Object(kept)
}

/// The differences, a line each; empty where the two are equal.
pub(crate) fn differences(expected: &Value, found: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    walk(expected, found, "", TOLERANCE, &mut lines);
    if lines.len() > MAX_SHOWN {
        let more = lines.len() - MAX_SHOWN;
        lines.truncate(MAX_SHOWN);
        lines.push(format!("and {more} more"));
    }
    lines
}

fn walk(expected: &Value, found: &Value, place: &str, tolerance: f64, lines: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(a), Value::Object(b)) => {
            for (key, value) in a {
                let place = format!("{place}/{key}");
                let is_score = SCORES.contains(&key.as_str()) || place.ends_with("xplanation/value");
                let tolerance = if is_score { SCORE_TOLERANCE } else { tolerance };
                match b.get(key) {
                    Some(other) => walk(value, other, &place, tolerance, lines),
                    None => lines.push(format!("{place}: expected {}, is absent", short(value))),
                }
            }
            for (key, value) in b {
                if !a.contains_key(key) {
                    lines.push(format!("{place}/{key}: expected nothing, found {}", short(value)));
                }
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            for (i, (x, y)) in a.iter().zip(b).enumerate() {
                walk(x, y, &format!("{place}/{i}"), tolerance, lines);
            }
            if a.len() != b.len() {
                lines.push(format!("{place}: expected {} elements, found {}", a.len(), b.len()));
            }
        }
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            if (a - b).abs() > tolerance * a.abs().max(b.abs()).max(1e-6) {
                lines.push(format!("{place}: expected {a}, found {b}"));
            }
        }
        _ if expected == found => {}
        _ => lines.push(format!("{place}: expected {}, found {}", short(expected), short(found))),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 160 { text } else { text.chars().take(157).collect::<String>() + "..." }
}

#[test]
fn near_numbers_are_equal_and_the_rest_is_shown_by_place() {
    use serde_json::json;
    let equal = |a: Value, b: Value| differences(&a, &b).is_empty();
    assert!(equal(json!({"_score": 1.0}), json!({"_score": 1.000_001})));
    assert!(!equal(json!({"value": 1.0}), json!({"value": 1.000_001})));
    assert!(equal(json!({"a": 2}), json!({"a": 2.0})));
    assert_eq!(differences(&json!({"a": [1, 2]}), &json!({"a": [1, 3]})), ["/a/1: expected 2, found 3"]);
    assert_eq!(differences(&json!({"a": 1}), &json!({"b": 1})).len(), 2);
}

#[test]
fn patterns_name_places() {
    use serde_json::json;
    let mut value = json!({"a": [{"b": 1, "c/d": 2}, {"b": 3}]});
    assert_eq!(places(&value, "/a/*/b"), ["/a/0/b", "/a/1/b"]);
    assert_eq!(only(&value, &["/a/0/*".to_string()]), json!({"/a/0/b": 1, "/a/0/c~1d": 2}));
    remove(&mut value, "/a/*/b");
    assert_eq!(value, json!({"a": [{"c/d": 2}, {}]}));
    assert_eq!(
        normalise(
            &json!({"took": 3, "error": {"type": "t", "reason": "r", "root_cause": [{"type": "u", "reason": "r"}]}})
        ),
        json!({"error": {"type": "t", "root_cause": [{"type": "u"}]}})
    );
}
