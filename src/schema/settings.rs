//! `settings`: what belongs to the whole index.
//!
//! Elasticsearch takes them nested (`{"index": {"similarity": ..}}`), dotted (`{"index.similarity.default.k1": ..}`) or
//! without the `index` level; all are read into one form.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::analysis::AnalysisSettings;
use super::known_settings;
use crate::error::{Error, Result};

/// The settings of an index.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Everything lies under `index`, as Elasticsearch prints it.
    #[serde(default)]
    pub index: IndexSettings,
}

/// The settings below `index`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct IndexSettings {
    /// Analyzers, normalizers and what they are made of, by name.
    #[serde(default, skip_serializing_if = "AnalysisSettings::is_default")]
    pub analysis: AnalysisSettings,
    /// What `_analyze` may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analyze: Option<AnalyzeSettings>,
    /// How far `max_gram` may exceed `min_gram`; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ngram_diff: Option<u32>,
    /// How far `max_shingle_size` may exceed `min_shingle_size`; 3 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_shingle_diff: Option<u32>,
    /// BM25 parameters by name; a text field names one with `similarity`, and `default` is for those that name none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub similarity: BTreeMap<String, Similarity>,
    /// What a query without field names searches.
    #[serde(default, skip_serializing_if = "QuerySettings::is_default")]
    pub query: QuerySettings,
    /// Accepted, without effect: a Bifocal index has one shard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number_of_shards: Option<u32>,
    /// Accepted, without effect: a Bifocal index has no replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number_of_replicas: Option<u32>,
    /// Accepted; the server (a later version) uses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_interval: Option<String>,
    /// What else was set, by dotted names, as text: see [`super::known_settings`]. Written as objects.
    #[serde(flatten, serialize_with = "known_settings::write", deserialize_with = "known_settings::read")]
    #[schemars(with = "BTreeMap<String, Value>")]
    pub other: BTreeMap<String, String>,
}

/// `index.analyze`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnalyzeSettings {
    /// How many tokens `_analyze` may return; 10,000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_token_count: Option<u32>,
}

/// `index.query`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuerySettings {
    /// The fields that a query without field names searches, each with an optional boost (`title^2`); all text fields when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub default_field: Vec<String>,
}

impl QuerySettings {
    fn is_default(&self) -> bool {
        self == &Self::default()
    }
}

/// BM25 with its two parameters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Similarity {
    /// Only `BM25`.
    #[serde(rename = "type", default)]
    pub kind: SimilarityKind,
    /// How soon repetitions of a term stop to count; >= 0.
    #[serde(default = "default_k1")]
    pub k1: f32,
    /// How much the length of the field counts; 0..=1.
    #[serde(default = "default_b")]
    pub b: f32,
}

/// The formulas of `similarity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum SimilarityKind {
    /// Okapi BM25 as Elasticsearch computes it.
    #[default]
    BM25,
}

/// Elasticsearch's and Lucene's default.
fn default_k1() -> f32 {
    1.2
}

/// Elasticsearch's and Lucene's default.
fn default_b() -> f32 {
    0.75
}

impl Default for Similarity {
    fn default() -> Self {
        Self { kind: SimilarityKind::BM25, k1: default_k1(), b: default_b() }
    }
}

impl Settings {
    /// Whether nothing was set.
    pub fn is_default(&self) -> bool {
        self == &Self::default()
    }

    /// Reads the settings in any of Elasticsearch's forms.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) naming an unknown setting,
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a value out of range.
    pub fn from_value(value: &Value) -> Result<Self> {
        let mut flat = BTreeMap::new();
        flatten_keys("", value, &mut flat);
        let mut index = IndexSettings::default();
        for (key, value) in flat {
            // A null means the default.
            if value.is_null() {
                continue;
            }
            let key = key.strip_prefix("index.").unwrap_or(&key).to_string();
            let bad = |why: &str| Error::invalid_input(format!("setting `index.{key}` {why}, got {value}"));
            match key.split('.').collect::<Vec<_>>().as_slice() {
                ["number_of_shards"] => {
                    index.number_of_shards = Some(unsigned(&value).ok_or_else(|| bad("must be a whole number"))?);
                }
                ["number_of_replicas"] => {
                    index.number_of_replicas = Some(unsigned(&value).ok_or_else(|| bad("must be a whole number"))?);
                }
                ["analysis", path @ ..] => index.analysis.set(path, &value)?,
                ["analyze", "max_token_count"] => {
                    let count = unsigned(&value).ok_or_else(|| bad("must be a whole number"))?;
                    index.analyze = Some(AnalyzeSettings { max_token_count: Some(count) });
                }
                ["max_ngram_diff"] => {
                    index.max_ngram_diff = Some(unsigned(&value).ok_or_else(|| bad("must be a whole number"))?);
                }
                ["max_shingle_diff"] => {
                    index.max_shingle_diff = Some(unsigned(&value).ok_or_else(|| bad("must be a whole number"))?);
                }
                ["refresh_interval"] => index.refresh_interval = Some(plain(&value)),
                ["query", "default_field"] => {
                    index.query.default_field =
                        one_or_many(&value).map_err(|_| bad("must be a field or a list of fields"))?;
                }
                // Such fields match nothing, which is the default.
                ["query", "parse", "allow_unmapped_fields"] if plain(&value) == "true" => {}
                ["query", "parse", "allow_unmapped_fields"] => {
                    return Err(Error::unsupported(format!(
                        "setting `index.{key}` of false is not supported; leave it out"
                    )));
                }
                ["similarity", name, parameter] => {
                    let similarity = index.similarity.entry((*name).to_string()).or_default();
                    match *parameter {
                        "type" if plain(&value) == "BM25" => {}
                        "type" => {
                            return Err(Error::unsupported(format!(
                                "similarity {value} is not supported; use \"BM25\" (setting `index.{key}`)"
                            )));
                        }
                        "k1" => {
                            similarity.k1 =
                                number(&value).filter(|k1| *k1 >= 0.0).ok_or_else(|| bad("must be >= 0"))?;
                        }
                        "b" => {
                            similarity.b = number(&value)
                                .filter(|b| (0.0..=1.0).contains(b))
                                .ok_or_else(|| bad("must lie in 0..1"))?;
                        }
                        _ => return Err(unknown(&key)),
                    }
                }
                _ => {
                    if let Some(text) = known_settings::check(&key, &value)? {
                        index.other.insert(key, text);
                    }
                }
            }
        }
        Ok(Self { index })
    }

    /// Whether the settings define an analyzer of this name.
    pub fn defines_analyzer(&self, name: &str) -> bool {
        self.index.analysis.analyzer.contains_key(name)
    }

    /// Whether the settings define a normalizer of this name.
    pub fn defines_normalizer(&self, name: &str) -> bool {
        self.index.analysis.normalizer.contains_key(name)
    }

    /// A setting by its dotted name below `index` (`translog.durability`), of those that have no field of their own here.
    pub fn other(&self, name: &str) -> Option<&str> {
        self.index.other.get(name).map(String::as_str)
    }

    /// How many fields and `nested` objects a mapping may have.
    pub(crate) fn mapping_limits(&self) -> (usize, usize) {
        let limit = |name, default| self.other(name).and_then(|text| text.parse().ok()).unwrap_or(default);
        (limit("mapping.total_fields.limit", 1000), limit("mapping.nested_fields.limit", 50))
    }

    /// Whether values that do not fit their field are left out, where the field does not say (`index.mapping.ignore_malformed`).
    pub(crate) fn ignores_malformed(&self) -> bool {
        self.other("mapping.ignore_malformed") == Some("true")
    }

    /// How many nested objects a document may have.
    pub(crate) fn max_nested_objects(&self) -> usize {
        self.other("mapping.nested_objects.limit").and_then(|text| text.parse().ok()).unwrap_or(10_000)
    }

    /// How deep objects of a mapping may lie, and how long the name of a field may be.
    pub(crate) fn name_limits(&self) -> (usize, usize) {
        let limit = |name, default| self.other(name).and_then(|text| text.parse().ok()).unwrap_or(default);
        (limit("mapping.depth.limit", 20), limit("mapping.field_name_length.limit", usize::MAX))
    }

    /// The BM25 parameters of a field: those of the similarity that it names, else the index's default.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) when no similarity has that name.
    pub fn similarity(&self, name: Option<&str>) -> Result<Similarity> {
        let table = &self.index.similarity;
        match name {
            None | Some("default") => Ok(table.get("default").copied().unwrap_or_default()),
            Some(name) => match table.get(name) {
                Some(similarity) => Ok(*similarity),
                None if name == "BM25" => Ok(Similarity::default()),
                None => Err(Error::invalid_input(format!(
                    "similarity {name:?} is not defined; add it under `settings.index.similarity`"
                ))),
            },
        }
    }
}

fn unknown(key: &str) -> Error {
    known_settings::unknown(key)
}

/// Dotted paths to what is no object; an empty object stays, as it may define something by its name alone.
pub(super) fn flatten_keys(prefix: &str, value: &Value, out: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) if map.is_empty() && prefix.contains("analysis.") => {
            out.insert(prefix.to_string(), value.clone());
        }
        Value::Object(map) => {
            for (key, value) in map {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten_keys(&path, value, out);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            out.insert(prefix.to_string(), value.clone());
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

fn unsigned(value: &Value) -> Option<u32> {
    plain(value).parse().ok()
}

fn number(value: &Value) -> Option<f32> {
    plain(value).parse().ok().filter(|number: &f32| number.is_finite())
}

/// Reads `"a"` and `["a", "b"]` alike.
pub(super) fn one_or_many<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_form_of_a_setting_is_read_alike() {
        let nested = Settings::from_value(&json!({"index": {"similarity": {"default": {"type": "BM25", "k1": 0.9}}}}));
        let dotted = Settings::from_value(&json!({"index.similarity.default.k1": "0.9"}));
        let bare = Settings::from_value(&json!({"similarity": {"default": {"k1": 0.9}}}));
        assert_eq!(nested.as_ref().unwrap(), dotted.as_ref().unwrap());
        assert_eq!(nested.unwrap(), bare.unwrap());
    }

    #[test]
    fn unknown_settings_and_values_out_of_range_are_refused() {
        for (body, what) in [
            (json!({"index": {"colour": 1}}), "colour"),
            (json!({"similarity": {"x": {"type": "DFR"}}}), "DFR"),
            (json!({"similarity": {"x": {"b": 1.5}}}), "0..1"),
            (json!({"similarity": {"x": {"k1": -1}}}), ">= 0"),
        ] {
            assert!(Settings::from_value(&body).unwrap_err().to_string().contains(what));
        }
    }
}
