//! Definitions of `settings.analysis` to the parts of analyzers: one file a kind of part.
//!
//! Each type's builder asks [`Params`] for the parameters it knows; [`Params::finish`] refuses those that nobody asked for.

pub(super) mod analyzers;
pub(super) mod char_filters;
pub(super) mod filters;
mod stemming;
mod stop;
pub(super) mod synonyms;
pub(super) mod tokenizers;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::schema::analysis::Component;

/// The parameters of one definition.
#[derive(Debug)]
pub(super) struct Params<'a> {
    /// `filter`, `tokenizer` ...
    pub(super) group: &'static str,
    pub(super) name: &'a str,
    pub(super) kind: &'a str,
    values: &'a BTreeMap<String, Value>,
    asked: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Params<'a> {
    /// # Errors
    /// `InvalidInput` when `type` is no text.
    pub(super) fn new(group: &'static str, name: &'a str, component: &'a Component) -> Result<Self> {
        let kind = match component.0.get("type") {
            Some(Value::String(kind)) => kind.as_str(),
            None => "",
            Some(other) => {
                return Err(Error::invalid_input(format!("the type of {group} [{name}] must be a text, got {other}")));
            }
        };
        Ok(Self::of_kind(group, name, kind, &component.0))
    }

    /// As if `type` were `kind`.
    pub(super) fn of_kind(
        group: &'static str,
        name: &'a str,
        kind: &'a str,
        values: &'a BTreeMap<String, Value>,
    ) -> Self {
        Self { group, name, kind, values, asked: RefCell::default() }
    }

    fn get(&self, key: &'static str) -> Option<&'a Value> {
        self.asked.borrow_mut().insert(key);
        self.values.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn has(&self, key: &'static str) -> bool {
        self.get(key).is_some()
    }

    /// A text; numbers and booleans count as they are written.
    pub(super) fn text(&self, key: &'static str) -> Result<Option<String>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(Some(value.to_string())),
            Some(value @ (Value::Array(_) | Value::Object(_) | Value::Null)) => Err(self.bad(key, value, "a text")),
        }
    }

    /// A whole number of at least 0, written as a number or a text.
    pub(super) fn number(&self, key: &'static str, default: u32) -> Result<u32> {
        Ok(self.optional_number(key)?.unwrap_or(default))
    }

    pub(super) fn optional_number(&self, key: &'static str) -> Result<Option<u32>> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let text = text.trim();
        text.parse().map(Some).map_err(|_| {
            Error::invalid_input(format!(
                "Failed to parse value [{text}] for setting [index.analysis.{}.{}.{key}]",
                self.group, self.name
            ))
        })
    }

    /// A whole number, of which -1 is one.
    pub(super) fn signed(&self, key: &'static str, default: i64) -> Result<i64> {
        let Some(text) = self.text(key)? else { return Ok(default) };
        text.trim().parse().map_err(|_| {
            Error::invalid_input(format!(
                "Failed to parse value [{text}] for setting [index.analysis.{}.{}.{key}]",
                self.group, self.name
            ))
        })
    }

    /// `true` or `false`, as booleans or texts.
    pub(super) fn flag(&self, key: &'static str, default: bool) -> Result<bool> {
        match self.text(key)?.as_deref() {
            None => Ok(default),
            Some("true") => Ok(true),
            // Elasticsearch reads an empty text as false.
            Some("false" | "") => Ok(false),
            Some(other) => Err(Error::invalid_input(format!(
                "Failed to parse value [{other}] as only [true] or [false] are allowed."
            ))),
        }
    }

    /// A list, or a text with commas between its items.
    pub(super) fn list(&self, key: &'static str) -> Result<Option<Vec<String>>> {
        Ok(match self.get(key) {
            None => None,
            Some(Value::Array(items)) => Some(self.items(key, items)?),
            Some(_) => self.text(key)?.map(|text| {
                text.split(',').map(|item| item.trim().to_string()).filter(|item| !item.is_empty()).collect()
            }),
        })
    }

    /// A list whose items may hold commas.
    pub(super) fn lines(&self, key: &'static str) -> Result<Option<Vec<String>>> {
        Ok(match self.get(key) {
            None => None,
            Some(Value::Array(items)) => Some(self.items(key, items)?),
            Some(_) => self.text(key)?.map(|text| vec![text]),
        })
    }

    fn items(&self, key: &'static str, items: &[Value]) -> Result<Vec<String>> {
        items
            .iter()
            .map(|item| match item {
                Value::String(text) => Ok(text.clone()),
                Value::Number(_) | Value::Bool(_) => Ok(item.to_string()),
                Value::Null | Value::Array(_) | Value::Object(_) => Err(self.bad(key, item, "a list of texts")),
            })
            .collect()
    }

    /// Refuses a file: an index carries its definitions with it.
    pub(super) fn no_file(&self, key: &'static str, instead: &str) -> Result<()> {
        if self.has(key) {
            return Err(self.unsupported(&format!("{key} (a file); write [{instead}] into the settings")));
        }
        Ok(())
    }

    fn bad(&self, key: &str, value: &Value, expected: &str) -> Error {
        Error::invalid_input(format!("[{key}] of {} [{}] must be {expected}, got {value}", self.group, self.name))
    }

    /// Something that this engine does not have, in this definition.
    pub(super) fn unsupported(&self, what: &str) -> Error {
        Error::unsupported(format!("{what} of {} [{}] (type [{}]) is not supported", self.group, self.name, self.kind))
    }

    /// A value that makes no sense.
    pub(super) fn invalid(&self, why: &str) -> Error {
        Error::invalid_input(why.to_string())
    }

    /// The type is none of those that are known.
    pub(super) fn unknown_type(&self) -> Error {
        let kind = self.kind;
        if KNOWN_TO_ELASTICSEARCH.contains(&kind) {
            return Error::unsupported(format!("{} type [{kind}] for [{}] is not supported", self.group, self.name));
        }
        Error::invalid_input(format!("Unknown {} type [{kind}] for [{}]", self.group, self.name))
    }

    /// # Errors
    /// `Unsupported` for a parameter that nobody asked for.
    pub(super) fn finish(&self) -> Result<()> {
        let asked = self.asked.borrow();
        let unknown =
            self.values.keys().find(|key| !matches!(key.as_str(), "type" | "version") && !asked.contains(key.as_str()));
        match unknown {
            None => Ok(()),
            Some(key) => Err(Error::unsupported(format!(
                "unknown parameter [{key}] of {} [{}] (type [{}])",
                self.group, self.name, self.kind
            ))),
        }
    }
}

/// Whether Elasticsearch has a part or an analyzer of this name that this engine lacks.
pub(super) fn is_known_elsewhere(name: &str) -> bool {
    KNOWN_TO_ELASTICSEARCH.contains(&name)
}

/// Types that Elasticsearch has and this engine refuses by name.
const KNOWN_TO_ELASTICSEARCH: &[&str] = &[
    "condition",
    "predicate_token_filter",
    "delimited_payload",
    "dictionary_decompounder",
    "hyphenation_decompounder",
    "hunspell",
    "kstem",
    "min_hash",
    "phonetic",
    "icu_normalizer",
    "icu_folding",
    "icu_collation",
    "icu_transform",
    "icu_analyzer",
    "icu_tokenizer",
    "thai",
    "uax_url_email",
    "classic",
    "nori",
    "kuromoji",
    "smartcn",
    "indic_normalization",
    "hindi_normalization",
    "bengali_normalization",
    "sorani_normalization",
    "serbian_normalization",
    "persian_normalization",
    "persian_stem",
    "czech_stem",
    "brazilian_stem",
    "brazilian",
    "bulgarian",
    "armenian",
    "basque",
    "bengali",
    "catalan",
    "cjk",
    "czech",
    "estonian",
    "galician",
    "hindi",
    "indonesian",
    "irish",
    "latvian",
    "lithuanian",
    "persian",
    "serbian",
    "sorani",
];
