//! `_source`: which parts of a document are returned.

use serde_json::{Map, Value};

use super::json;
use crate::schema::source_filter::{Pattern, filter_parts};
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
            Self::Parts { includes, excludes } => Some(filter_parts(source, includes, excludes)),
        }
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
            (json!({"excludes": ["a", "list.y"]}), json!({"list": [{"x": 1}], "t": "text", "n": null})),
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
