//! `_source`: which parts of a document are returned.

use serde_json::{Map, Value};

use super::json;
use crate::server::es::error::{EsError, EsResult};

/// Which parts of a source are returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SourceFilter {
    /// All of it.
    All,
    /// None of it.
    None,
    /// What is included (all, where that is empty) and not excluded.
    Parts { includes: Vec<Pattern>, excludes: Vec<Pattern> },
}

/// A path with wildcards, level by level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<char>);

impl SourceFilter {
    /// Reads `true`, `false`, a pattern, patterns, or `{"includes": .., "excludes": ..}`.
    ///
    /// # Errors
    /// `parsing_exception` for anything else.
    pub(super) fn parse(value: &Value) -> EsResult<Self> {
        match value {
            Value::Bool(true) => Ok(Self::All),
            Value::Bool(false) => Ok(Self::None),
            Value::String(_) | Value::Array(_) => {
                Ok(Self::parts(json::texts("_source", "includes", value)?, Vec::new()))
            }
            Value::Object(parts) => {
                let (mut includes, mut excludes) = (Vec::new(), Vec::new());
                for (name, value) in parts {
                    match name.as_str() {
                        "includes" | "include" => includes = json::texts("_source", name, value)?,
                        "excludes" | "exclude" => excludes = json::texts("_source", name, value)?,
                        _ => return Err(json::unknown_key(name, value)),
                    }
                }
                Ok(Self::parts(includes, excludes))
            }
            Value::Null | Value::Number(_) => Err(EsError::parsing(format!(
                "Expected one of [VALUE_BOOLEAN, START_OBJECT] but found [{}]",
                json::token_name(value)
            ))),
        }
    }

    /// What the parameters `_source`, `_source_includes` and `_source_excludes` say together.
    pub(super) fn from_params(
        source: Option<&str>,
        includes: Option<Vec<String>>,
        excludes: Option<Vec<String>>,
    ) -> Option<Self> {
        if includes.is_some() || excludes.is_some() {
            return Some(Self::parts(includes.unwrap_or_default(), excludes.unwrap_or_default()));
        }
        Some(match source? {
            "" | "true" => Self::All,
            "false" => Self::None,
            names => Self::parts(names.split(',').map(|name| name.trim().to_string()).collect(), Vec::new()),
        })
    }

    fn parts(includes: Vec<String>, excludes: Vec<String>) -> Self {
        if includes.is_empty() && excludes.is_empty() {
            return Self::All;
        }
        let patterns = |texts: Vec<String>| texts.iter().map(|text| Pattern::new(text)).collect();
        Self::Parts { includes: patterns(includes), excludes: patterns(excludes) }
    }

    /// The parts of a source that are returned; `None` for none at all.
    pub(super) fn apply(&self, source: Map<String, Value>) -> Option<Map<String, Value>> {
        match self {
            Self::All => Some(source),
            Self::None => None,
            Self::Parts { includes, excludes } => {
                Some(filter_object(source, &mut String::new(), includes, excludes, includes.is_empty()))
            }
        }
    }
}

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
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
    pub(super) fn matches(&self, text: &str) -> bool {
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
            let kept: Vec<Value> = values
                .into_iter()
                .filter_map(|value| filter_value(value, path, includes, excludes, included))
                .collect();
            (included || !kept.is_empty()).then_some(Value::Array(kept))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => included.then_some(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn filtered(filter: Value) -> Value {
        let source =
            json!({"a": {"b": 1, "c": {"d": 2, "e": 3}}, "list": [{"x": 1, "y": 2}, {"y": 3}], "t": "text", "n": null});
        let filter = SourceFilter::parse(&filter).unwrap();
        filter.apply(source.as_object().unwrap().clone()).map_or(Value::Null, Value::Object)
    }

    #[test]
    fn parts_of_a_source() {
        let cases = [
            (json!(false), Value::Null),
            (json!("t"), json!({"t": "text"})),
            (json!(["a.b", "t"]), json!({"a": {"b": 1}, "t": "text"})),
            (json!("a"), json!({"a": {"b": 1, "c": {"d": 2, "e": 3}}})),
            (json!("a.c.*"), json!({"a": {"c": {"d": 2, "e": 3}}})),
            (json!("*.d"), json!({"a": {"c": {"d": 2}}})),
            (json!("list.x"), json!({"list": [{"x": 1}]})),
            (json!({"excludes": ["a", "list.y"]}), json!({"list": [{"x": 1}, {}], "t": "text", "n": null})),
            (json!({"includes": ["a"], "excludes": ["*.e"]}), json!({"a": {"b": 1, "c": {"d": 2}}})),
            (json!({"include": "n"}), json!({"n": null})),
            (json!("nothing"), json!({})),
        ];
        for (filter, expected) in cases {
            assert_eq!(filtered(filter.clone()), expected, "{filter}");
        }
    }

    proptest::proptest! {
        #[test]
        fn wildcards_agree_with_regular_expressions(pattern in "[ab*.]{0,6}", text in "[ab.]{0,8}") {
            let regex = regex::Regex::new(&format!("^(?s:{})$", regex::escape(&pattern).replace("\\*", ".*"))).unwrap();
            proptest::prop_assert_eq!(Pattern::new(&pattern).matches(&text), regex.is_match(&text));
        }
    }
}
