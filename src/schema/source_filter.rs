//! Parts of a document: `_source` filtering by patterns of paths.

use serde_json::{Map, Value};

use super::mapping::templates::simple_match;

/// The parts of `source` that an include names (all where there are none) and no exclude does.
///
/// A pattern is a dotted path in which `*` stands for any letters, dots too; a path that names an object means all of it. Objects
/// that become empty stay where the source had them in full, as in Elasticsearch, and go where everything in them was excluded.
pub fn filter(source: &Map<String, Value>, includes: &[String], excludes: &[String]) -> Map<String, Value> {
    if includes.is_empty() && excludes.is_empty() {
        return source.clone();
    }
    object(source, "", includes, excludes, includes.is_empty())
}

/// `included`: everything here is named already.
fn object(
    source: &Map<String, Value>,
    prefix: &str,
    includes: &[String],
    excludes: &[String],
    included: bool,
) -> Map<String, Value> {
    let mut kept = Map::new();
    for (key, inner) in source {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        if let Some(value) = value(inner, &path, includes, excludes, included) {
            kept.insert(key.clone(), value);
        }
    }
    kept
}

fn value(inner: &Value, path: &str, includes: &[String], excludes: &[String], included: bool) -> Option<Value> {
    if excludes.iter().any(|pattern| simple_match(pattern, path)) {
        return None;
    }
    let included = included || includes.iter().any(|pattern| simple_match(pattern, path));
    match inner {
        Value::Object(map) => {
            let kept = object(map, path, includes, excludes, included);
            (!kept.is_empty() || (included && map.is_empty()) || (included && !excludes_reach(path, excludes)))
                .then_some(Value::Object(kept))
        }
        Value::Array(values) if values.iter().any(|value| value.is_object() || value.is_array()) => {
            let kept: Vec<Value> =
                values.iter().filter_map(|inner| value(inner, path, includes, excludes, included)).collect();
            (included || !kept.is_empty()).then_some(Value::Array(kept))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            included.then(|| inner.clone())
        }
    }
}

/// Whether an exclude may name something inside of `path`.
fn excludes_reach(path: &str, excludes: &[String]) -> bool {
    excludes.iter().any(|pattern| pattern.contains('*') || pattern.starts_with(&format!("{path}.")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parts_are_chosen_by_patterns() {
        let source = json!({"a": 1, "b": {"c": 2, "d": {"e": 3}}, "l": [{"x": 1, "y": 2}, {"y": 3}], "v": [0.5, 1.0]});
        let cases = [
            (&[][..], &["v"][..], json!({"a": 1, "b": {"c": 2, "d": {"e": 3}}, "l": [{"x": 1, "y": 2}, {"y": 3}]})),
            (&["a"], &[], json!({"a": 1})),
            (&["b"], &[], json!({"b": {"c": 2, "d": {"e": 3}}})),
            (&["b.c"], &[], json!({"b": {"c": 2}})),
            (&["b.*"], &["b.d"], json!({"b": {"c": 2}})),
            (&["*.e"], &[], json!({"b": {"d": {"e": 3}}})),
            (&["l.y"], &[], json!({"l": [{"y": 2}, {"y": 3}]})),
            (&["nothing"], &[], json!({})),
            (&[], &["*"], json!({})),
            (&[], &["b.c"], json!({"a": 1, "b": {"d": {"e": 3}}, "l": [{"x": 1, "y": 2}, {"y": 3}], "v": [0.5, 1.0]})),
        ];
        for (includes, excludes, expected) in cases {
            let own = |list: &[&str]| list.iter().map(|text| (*text).to_string()).collect::<Vec<_>>();
            let found = filter(source.as_object().unwrap(), &own(includes), &own(excludes));
            assert_eq!(Value::Object(found), expected, "{includes:?} {excludes:?}");
        }
    }
}
