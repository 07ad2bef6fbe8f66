//! `filter_path`: which parts of an answer are sent.
//!
//! Paths between commas, their steps between dots; `*` stands for any part of a name, `**` for any number of steps, a leading `-`
//! takes away. What is left with nothing inside is left out, as Elasticsearch does.

use serde_json::{Map, Value};

/// A read `filter_path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FilterPath {
    include: Vec<Vec<String>>,
    exclude: Vec<Vec<String>>,
}

/// What a set of paths finds in a member of an object.
enum Found<'p> {
    /// The whole value.
    Whole,
    /// What these rests of paths find inside.
    Inside(Vec<&'p [String]>),
    /// Nothing.
    Nothing,
}

impl FilterPath {
    /// Reads the parameter; `None` where it says nothing.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut paths = Self { include: Vec::new(), exclude: Vec::new() };
        for path in text.split(',').map(str::trim).filter(|path| !path.is_empty()) {
            let steps = |path: &str| path.split('.').map(str::to_string).collect();
            match path.strip_prefix('-') {
                Some(path) => paths.exclude.push(steps(path)),
                None => paths.include.push(steps(path)),
            }
        }
        (!paths.include.is_empty() || !paths.exclude.is_empty()).then_some(paths)
    }

    /// What the paths leave of a value; an empty object where they leave nothing.
    pub(crate) fn apply(&self, value: Value) -> Value {
        let kept = match self.include.as_slice() {
            [] => Some(value),
            paths => include(value, &start(paths)),
        };
        let kept = match self.exclude.as_slice() {
            [] => kept,
            paths => kept.and_then(|value| exclude(value, &start(paths))),
        };
        kept.unwrap_or_else(|| Value::Object(Map::new()))
    }
}

fn start(paths: &[Vec<String>]) -> Vec<&[String]> {
    paths.iter().map(Vec::as_slice).collect()
}

/// What the paths find in a member of this name.
fn below<'p>(paths: &[&'p [String]], name: &str) -> Found<'p> {
    let mut rests: Vec<&'p [String]> = Vec::new();
    let mut open: Vec<&'p [String]> = paths.to_vec();
    let mut ends = false;
    while let Some(path) = open.pop() {
        let Some((step, rest)) = path.split_first() else { continue };
        if step == "**" {
            // Any number of steps: this one and more, or none.
            rests.push(path);
            match rest {
                [] => ends = true,
                rest => open.push(rest),
            }
        } else if matches(step, name) {
            match rest {
                [] => ends = true,
                rest if rest.iter().all(|step| step == "**") => ends = true,
                rest => rests.push(rest),
            }
        }
    }
    match (ends, rests.is_empty()) {
        (true, _) => Found::Whole,
        (false, false) => Found::Inside(rests),
        (false, true) => Found::Nothing,
    }
}

fn include(value: Value, paths: &[&[String]]) -> Option<Value> {
    match value {
        Value::Object(object) => {
            let mut kept = Map::new();
            for (name, value) in object {
                let value = match below(paths, &name) {
                    Found::Whole => Some(value),
                    Found::Inside(rests) => include(value, &rests),
                    Found::Nothing => None,
                };
                if let Some(value) = value {
                    kept.insert(name, value);
                }
            }
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Array(array) => {
            let kept: Vec<Value> = array.into_iter().filter_map(|value| include(value, paths)).collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn exclude(value: Value, paths: &[&[String]]) -> Option<Value> {
    match value {
        Value::Object(object) => {
            let was_empty = object.is_empty();
            let mut kept = Map::new();
            for (name, value) in object {
                let value = match below(paths, &name) {
                    Found::Whole => None,
                    Found::Inside(rests) => exclude(value, &rests),
                    Found::Nothing => Some(value),
                };
                if let Some(value) = value {
                    kept.insert(name, value);
                }
            }
            (was_empty || !kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Array(array) => {
            let was_empty = array.is_empty();
            let kept: Vec<Value> = array.into_iter().filter_map(|value| exclude(value, paths)).collect();
            (was_empty || !kept.is_empty()).then_some(Value::Array(kept))
        }
        scalar @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => Some(scalar),
    }
}

/// Whether a name fits a pattern with `*`. Linear in the pattern times the name at worst.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut name_at) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while name_at < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, name_at));
                at += 1;
            }
            Some(byte) if name.get(name_at) == Some(byte) => {
                at += 1;
                name_at += 1;
            }
            _ => match star {
                Some((star_at, taken)) => {
                    star = Some((star_at, taken + 1));
                    at = star_at + 1;
                    name_at = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).is_none_or(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_choose_and_take_away() {
        let answer = json!({
            "took": 3, "timed_out": false, "empty": {}, "hits": {"total": {"value": 2}, "hits": [
                {"_id": "1", "_score": 1.5, "_source": {"title": "a", "year": 1}},
                {"_id": "2", "_score": 0.5, "_source": {"title": "b"}}]}});
        for (paths, expected) in [
            ("took", json!({"took": 3})),
            ("took,hits.hits._id", json!({"took": 3, "hits": {"hits": [{"_id": "1"}, {"_id": "2"}]}})),
            ("hits.hits._source.y*", json!({"hits": {"hits": [{"_source": {"year": 1}}]}})),
            ("**.value", json!({"hits": {"total": {"value": 2}}})),
            ("hits.**.title", json!({"hits": {"hits": [{"_source": {"title": "a"}}, {"_source": {"title": "b"}}]}})),
            ("hits.total.**", json!({"hits": {"total": {"value": 2}}})),
            ("-hits,-empty", json!({"took": 3, "timed_out": false})),
            (
                "hits.hits,-**._source",
                json!({"hits": {"hits": [{"_id": "1", "_score": 1.5}, {"_id": "2", "_score": 0.5}]}}),
            ),
            ("t*,-took", json!({"timed_out": false})),
            ("nothing", json!({})),
            ("took.deeper", json!({})),
        ] {
            let filter = FilterPath::parse(paths).unwrap();
            assert_eq!(filter.apply(answer.clone()), expected, "{paths}");
        }
        assert_eq!(FilterPath::parse(" , "), None);
    }

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, name, fits) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abb", false),
            ("*b*", "abc", true),
            ("a", "ab", false),
            ("", "", true),
            ("*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn excluding_all_and_including_all_are_opposites(name in "[a-z]{1,5}", value in 0..100) {
            let answer = json!({name.clone(): value});
            proptest::prop_assert_eq!(FilterPath::parse("**").unwrap().apply(answer.clone()), answer.clone());
            proptest::prop_assert_eq!(FilterPath::parse("-*").unwrap().apply(answer), json!({}));
        }
    }
}
