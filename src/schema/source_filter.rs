//! Parts of a document: `_source` filtering by patterns of paths.

use serde_json::{Map, Value};

/// A path with wildcards, level by level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<char>);

/// The parts of `source` that an include names (all where there are none) and no exclude does.
///
/// A pattern is a dotted path in which `*` stands for any letters, dots too; a path that names an object means all of it. Objects
/// that become empty stay, but for those in lists, as in Elasticsearch.
pub fn filter(source: &Map<String, Value>, includes: &[String], excludes: &[String]) -> Map<String, Value> {
    if includes.is_empty() && excludes.is_empty() {
        return source.clone();
    }
    let patterns = |texts: &[String]| texts.iter().map(|text| Pattern::new(text)).collect::<Vec<_>>();
    filter_parts(source.clone(), &patterns(includes), &patterns(excludes))
}

/// As [`filter`], with patterns that were read before.
pub(crate) fn filter_parts(
    source: Map<String, Value>,
    includes: &[Pattern],
    excludes: &[Pattern],
) -> Map<String, Value> {
    filter_object(source, &mut String::new(), includes, excludes, includes.is_empty())
}

impl Pattern {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.chars().collect())
    }

    /// Whether the whole of `path` matches, or an object above it.
    fn covers(&self, path: &str) -> bool {
        let mut ends = path.match_indices('.').map(|(at, _)| at).chain(std::iter::once(path.len()));
        ends.any(|end| path.get(..end).is_some_and(|above| self.matches(above)))
    }

    /// Whether something below `path` may match.
    fn reaches_into(&self, path: &str) -> bool {
        // The places in the pattern that a beginning of `path.` leads to.
        let mut places = self.with_stars_skipped(vec![0]);
        for character in path.chars().chain(std::iter::once('.')) {
            let after = |&place: &usize| match self.0.get(place) {
                Some('*') => Some(place),
                Some(&wanted) if wanted == character => Some(place + 1),
                Some(_) | None => None,
            };
            places = self.with_stars_skipped(places.iter().filter_map(after).collect());
        }
        !places.is_empty()
    }

    /// The places, and those behind stars, which may stand for nothing.
    fn with_stars_skipped(&self, mut places: Vec<usize>) -> Vec<usize> {
        let mut at = 0;
        while let Some(&place) = places.get(at) {
            if self.0.get(place) == Some(&'*') {
                places.push(place + 1);
            }
            at += 1;
        }
        places.sort_unstable();
        places.dedup();
        places
    }

    /// Whether the whole of `text` matches; `*` stands for any letters, dots included.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let (pattern, text) = (&self.0, text.chars().collect::<Vec<char>>());
        let (mut at, mut in_text) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while let Some(character) = text.get(in_text) {
            match pattern.get(at) {
                Some('*') => {
                    star = Some((at, in_text));
                    at += 1;
                }
                Some(wanted) if wanted == character => {
                    at += 1;
                    in_text += 1;
                }
                Some(_) | None => {
                    let Some((star_at, began)) = star else { return false };
                    at = star_at + 1;
                    in_text = began + 1;
                    star = Some((star_at, began + 1));
                }
            }
        }
        pattern.iter().skip(at).all(|character| *character == '*')
    }
}

fn filter_object(
    object: Map<String, Value>,
    path: &mut String,
    includes: &[Pattern],
    excludes: &[Pattern],
    included: bool,
) -> Map<String, Value> {
    let mut kept = Map::new();
    let length = path.len();
    for (name, value) in object {
        if length > 0 {
            path.push('.');
        }
        path.push_str(&name);
        let is_included = included || includes.iter().any(|pattern| pattern.covers(path));
        let is_excluded = excludes.iter().any(|pattern| pattern.covers(path));
        let may_be = is_included || includes.iter().any(|pattern| pattern.reaches_into(path));
        if may_be
            && !is_excluded
            && let Some(value) = filter_value(value, path, includes, excludes, is_included)
        {
            kept.insert(name, value);
        }
        path.truncate(length);
    }
    kept
}

fn filter_value(
    value: Value,
    path: &mut String,
    includes: &[Pattern],
    excludes: &[Pattern],
    included: bool,
) -> Option<Value> {
    match value {
        Value::Object(object) => {
            let kept = filter_object(object, path, includes, excludes, included);
            // An object of which nothing was asked for is not there; one that is included stays, even if all was excluded.
            (included || !kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Array(values) => {
            // What becomes empty in a list goes, where excludes name something inside.
            let drops_empty = excludes.iter().any(|pattern| pattern.reaches_into(path));
            let kept: Vec<Value> = values
                .into_iter()
                .filter_map(|value| filter_value(value, path, includes, excludes, included))
                .filter(|value| !drops_empty || !is_empty(value))
                .collect();
            (included || !kept.is_empty()).then_some(Value::Array(kept))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => included.then_some(value),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(object) => object.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
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
            (&[], &["l.y"], json!({"a": 1, "b": {"c": 2, "d": {"e": 3}}, "l": [{"x": 1}], "v": [0.5, 1.0]})),
            (
                &[],
                &["b.d.e"],
                json!({"a": 1, "b": {"c": 2, "d": {}}, "l": [{"x": 1, "y": 2}, {"y": 3}], "v": [0.5, 1.0]}),
            ),
            (&[], &["b.c"], json!({"a": 1, "b": {"d": {"e": 3}}, "l": [{"x": 1, "y": 2}, {"y": 3}], "v": [0.5, 1.0]})),
        ];
        for (includes, excludes, expected) in cases {
            let own = |list: &[&str]| list.iter().map(|text| (*text).to_string()).collect::<Vec<_>>();
            let found = filter(source.as_object().unwrap(), &own(includes), &own(excludes));
            assert_eq!(Value::Object(found), expected, "{includes:?} {excludes:?}");
        }
    }
}
