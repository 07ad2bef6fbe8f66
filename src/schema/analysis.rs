//! `settings.analysis`: the analyzers, normalizers, tokenizers, token filters and character filters that an index defines.
//!
//! In: the settings below `analysis`, nested or dotted, values as strings, numbers, booleans or lists. Out: one
//! [`Component`] a name, as it was written; what its parameters mean is checked where the analyzers are built
//! (`src/index/lexical/registry.rs`), so that there is one list of types and parameters. Plain data.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};

/// What an index defines for the analysis of its texts, by name.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnalysisSettings {
    /// Analyzers: a tokenizer with filters, or a configured built-in one. `default` is for fields that name none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub analyzer: BTreeMap<String, Component>,
    /// Normalizers of keyword fields.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub normalizer: BTreeMap<String, Component>,
    /// Tokenizers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tokenizer: BTreeMap<String, Component>,
    /// Token filters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub filter: BTreeMap<String, Component>,
    /// Character filters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub char_filter: BTreeMap<String, Component>,
}

/// One definition: its parameters by name, `type` among them, as they were written.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Component(pub BTreeMap<String, Value>);

impl Component {
    /// Its `type`.
    pub fn kind(&self) -> Option<&str> {
        self.0.get("type").and_then(Value::as_str)
    }

    /// Reads an inline definition (`{"type": "stop", "stopwords": ["a"]}`), whose keys may be dotted.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) when it is no object.
    pub fn from_value(value: &Value) -> Result<Self> {
        if !value.is_object() {
            return Err(Error::invalid_input(format!("a definition of analysis must be an object, got {value}")));
        }
        let mut flat = BTreeMap::new();
        super::settings::flatten_keys("", value, &mut flat);
        flat.remove("");
        Ok(Self(flat))
    }
}

impl AnalysisSettings {
    /// Whether nothing is defined.
    pub fn is_default(&self) -> bool {
        self == &Self::default()
    }

    /// Takes one flattened setting: `path` is what follows `analysis.`, such as `["filter", "my_stop", "stopwords"]`.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for a group that is none of the five,
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) where a name or a parameter is missing.
    pub(super) fn set(&mut self, path: &[&str], value: &Value) -> Result<()> {
        let [group, name, parameter @ ..] = path else {
            let what = path.join(".");
            return Err(Error::invalid_input(format!(
                "setting `index.analysis.{what}` must be an object of definitions, got {value}"
            )));
        };
        let group = match *group {
            "analyzer" => &mut self.analyzer,
            "normalizer" => &mut self.normalizer,
            "tokenizer" => &mut self.tokenizer,
            "filter" => &mut self.filter,
            "char_filter" => &mut self.char_filter,
            other => {
                return Err(Error::unsupported(format!(
                    "unknown setting `index.analysis.{other}`; there are analyzer, normalizer, tokenizer, filter and char_filter"
                )));
            }
        };
        if parameter.is_empty() {
            if value.as_object().is_some_and(serde_json::Map::is_empty) {
                group.entry((*name).to_string()).or_default();
                return Ok(());
            }
            return Err(Error::invalid_input(format!(
                "setting `index.analysis.{}` must be an object, got {value}",
                path.join(".")
            )));
        }
        group.entry((*name).to_string()).or_default().0.insert(parameter.join("."), value.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::settings::Settings;

    #[test]
    fn nested_and_dotted_definitions_are_read_alike() {
        let nested = Settings::from_value(&json!({"analysis": {
            "analyzer": {"mine": {"type": "custom", "tokenizer": "standard", "filter": ["lowercase", "s"]}},
            "filter": {"s": {"type": "stop", "stopwords": ["a", "b"]}}}}))
        .unwrap();
        let dotted = Settings::from_value(&json!({
            "index.analysis.analyzer.mine.type": "custom",
            "analysis.analyzer.mine.tokenizer": "standard",
            "index": {"analysis.analyzer.mine": {"filter": ["lowercase", "s"]}},
            "analysis": {"filter.s.type": "stop", "filter": {"s.stopwords": ["a", "b"]}}}))
        .unwrap();
        assert_eq!(nested, dotted);
        assert_eq!(nested.index.analysis.filter["s"].kind(), Some("stop"));
        let printed = serde_json::to_value(&nested).unwrap();
        assert_eq!(Settings::from_value(&printed).unwrap(), nested);
    }

    #[test]
    fn what_is_no_definition_is_refused() {
        for (body, what) in [
            (json!({"analysis": {"analyser": {"a": {"type": "stop"}}}}), "analysis.analyser"),
            (json!({"analysis": {"analyzer": {"a": "stop"}}}), "analysis.analyzer.a"),
            (json!({"analysis": {"analyzer": 1}}), "analysis.analyzer"),
            (json!({"analysis": 1}), "analysis"),
        ] {
            let error = Settings::from_value(&body).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }
}
