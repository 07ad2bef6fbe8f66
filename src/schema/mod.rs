//! The index definition: an Elasticsearch index body (`settings` and `mappings`), as JSON or YAML.
//!
//! In: the body as a user wrote it, or documents from which one is inferred ([`infer`]). Out: an [`IndexDefinition`], checked
//! field by field, and its flat list of fields ([`IndexDefinition::fields`]) that the index is built from. Invariant: whatever
//! is not supported is refused by name; nothing is silently ignored. Plain data: nothing here knows Tantivy.
//!
//! Read next: [`mapping`] for the types and their parameters, [`flatten`] for paths and multi-fields.

pub mod analysis;
pub mod chunking;
pub mod date;
pub mod dynamic;
pub mod field_caps;
pub mod flatten;
pub mod infer;
pub mod known_settings;
pub mod mapping;
pub mod settings;
pub mod source_filter;

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use chunking::ChunkingSettings;
pub use flatten::{Field, FieldAlias, FieldKind, Flattened};
pub use mapping::{FieldMapping, Mappings};
pub use settings::Settings;

use crate::error::{Error, ErrorKind, Result};

/// An index body as Elasticsearch takes it in `PUT /index`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IndexDefinition {
    /// Similarities, default fields, and what else belongs to the whole index.
    #[serde(default, skip_serializing_if = "Settings::is_default")]
    pub settings: Settings,
    /// The fields.
    #[serde(default)]
    pub mappings: Mappings,
}

impl IndexDefinition {
    /// Reads a definition from JSON, or YAML (of which JSON is a part).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with line and column when the text is malformed or a parameter has a wrong value;
    /// [`ErrorKind::Unsupported`] naming the type or parameter that this engine does not have.
    pub fn parse(text: &str) -> Result<Self> {
        let body: serde_json::Value = match serde_json::from_str(text) {
            Ok(body) => body,
            Err(json_error) => serde_norway::from_str(text).map_err(|yaml_error| {
                let error =
                    if text.trim_start().starts_with('{') { json_error.to_string() } else { yaml_error.to_string() };
                Error::invalid_input(format!("the index definition is neither JSON nor YAML: {error}"))
            })?,
        };
        Self::from_value(&body)
    }

    /// Reads a definition from a parsed body.
    ///
    /// # Errors
    /// As [`IndexDefinition::parse`].
    pub fn from_value(body: &serde_json::Value) -> Result<Self> {
        let Some(body) = body.as_object() else {
            return Err(Error::invalid_input("the index definition must be an object with `settings` and `mappings`"));
        };
        let mut definition = Self::default();
        for (key, value) in body {
            match key.as_str() {
                "settings" => definition.settings = Settings::from_value(value)?,
                "mappings" => definition.mappings = Mappings::from_value(value)?,
                "aliases" if value.as_object().is_some_and(serde_json::Map::is_empty) => {}
                other => {
                    return Err(Error::unsupported(format!(
                        "unknown part {other:?} of the index definition; `settings` and `mappings` are supported"
                    )));
                }
            }
        }
        definition.fields()?;
        Ok(definition)
    }

    /// Reads a definition from a file (`.json`, `.yaml` or `.yml`).
    ///
    /// # Errors
    /// As [`IndexDefinition::parse`], naming the file; [`ErrorKind::NotFound`] when it does not exist.
    pub fn from_file(path: &Path) -> Result<Self> {
        let text = fs_err::read_to_string(path).map_err(|error| {
            if error.kind() == std::io::ErrorKind::InvalidData {
                return Error::new(ErrorKind::InvalidInput, "is not UTF-8 text").in_file(path);
            }
            Error::from(error)
        })?;
        Self::parse(&text).map_err(|error| error.in_file(path))
    }

    /// The fields as the index holds them: objects flattened to dotted paths, multi-fields beside their parents, `copy_to`
    /// resolved. In the order of the mapping, a parent before its multi-fields.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] when two fields share a path, a `copy_to` names no field, or a field names a similarity
    /// that the settings lack.
    pub fn fields(&self) -> Result<Vec<Field>> {
        Ok(flatten::flatten(self)?.fields)
    }

    /// As [`IndexDefinition::fields`], with aliases and the paths of objects.
    ///
    /// # Errors
    /// As [`IndexDefinition::fields`].
    pub fn flattened(&self) -> Result<Flattened> {
        flatten::flatten(self)
    }

    /// Checks that the mapping has not more fields than the settings allow, as Elasticsearch counts them.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] in Elasticsearch's words.
    pub(crate) fn check_limits(&self) -> Result<()> {
        let flattened = self.flattened()?;
        let total = flattened.fields.len() + flattened.aliases.len() + flattened.objects.len();
        let refuse = |what: &str, limit: usize| {
            let reason = format!("Limit of {what} [{limit}] has been exceeded");
            Err(Error::invalid_input(reason.clone()).as_exception("illegal_argument_exception", reason))
        };
        let (max_fields, max_nested) = self.settings.mapping_limits();
        if total > max_fields {
            return refuse("total fields", max_fields);
        }
        if flattened.nested.len() > max_nested {
            return refuse("nested fields", max_nested);
        }
        let (max_depth, max_name) = self.settings.name_limits();
        let too = |reason: String| {
            Err(Error::invalid_input(reason.clone()).as_exception("illegal_argument_exception", reason))
        };
        // An object below the root is at depth two, as Elasticsearch counts.
        if let Some(path) = flattened.objects.iter().find(|path| path.matches('.').count() + 2 > max_depth) {
            return too(format!("Limit of mapping depth [{max_depth}] has been exceeded due to object field [{path}]"));
        }
        let paths = flattened.fields.iter().map(|field| &field.path).chain(&flattened.objects);
        let mut names = paths.filter_map(|path| path.rsplit('.').next());
        if let Some(name) = names.find(|name| name.chars().count() > max_name) {
            return too(format!("Field name [{name}] is longer than the limit of [{max_name}] characters"));
        }
        Ok(())
    }

    /// The analyzer of a field that names this one; the index's `default`, else `standard`, where it names none.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when there is none of this name.
    pub(crate) fn analyzer_name(&self, name: Option<&str>) -> Result<String> {
        let own = |name: &str| self.settings.defines_analyzer(name);
        match name {
            None | Some("default") => Ok(if own("default") { "default" } else { "standard" }.to_string()),
            Some(name) if own(name) || ANALYZERS.contains(&name) => Ok(name.to_string()),
            Some(name) => {
                let reason = format!("analyzer [{name}] has not been configured in mappings");
                let error = Error::unsupported(format!(
                    "analyzer {name:?} is not supported; there are {}",
                    ANALYZERS.join(", ")
                ));
                Err(error.as_exception("mapper_parsing_exception", reason))
            }
        }
    }

    /// The analyzer of queries where a field names none at all: the index's `default_search`, else that of its documents.
    pub(crate) fn default_search_analyzer(&self, analyzer: &str) -> String {
        if self.settings.defines_analyzer("default_search") {
            "default_search".to_string()
        } else {
            analyzer.to_string()
        }
    }

    /// Checks that a normalizer of this name exists.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when there is none.
    pub(crate) fn check_normalizer(&self, name: &str, field: &str) -> Result<()> {
        if name == "lowercase" || self.settings.defines_normalizer(name) {
            return Ok(());
        }
        let reason = format!("normalizer [{name}] not found for field [{field}]");
        Err(Error::unsupported(reason.clone()).as_exception("mapper_parsing_exception", reason))
    }
}

/// The analyzers that a mapping may name.
pub const ANALYZERS: &[&str] = &[
    "standard",
    "simple",
    "whitespace",
    "keyword",
    "stop",
    "pattern",
    "fingerprint",
    "english",
    "arabic",
    "danish",
    "dutch",
    "finnish",
    "french",
    "german",
    "greek",
    "hungarian",
    "italian",
    "norwegian",
    "portuguese",
    "romanian",
    "russian",
    "spanish",
    "swedish",
    "tamil",
    "turkish",
];

/// The JSON Schema of an index definition, as `schema/index.json` holds it.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(IndexDefinition).to_value()
}

/// Compares a generated file with the repository's; with `BIFOCAL_BLESS=1` writes it instead.
#[cfg(test)]
pub(crate) fn check_generated(path: &str, generated: &serde_json::Value) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = format!("{}\n", serde_json::to_string_pretty(generated).unwrap());
    if std::env::var_os("BIFOCAL_BLESS").is_some() {
        fs_err::create_dir_all(file.parent().unwrap()).unwrap();
        fs_err::write(&file, text).unwrap();
    } else {
        let stored = fs_err::read_to_string(&file).unwrap_or_default();
        assert!(stored == text, "{path} is stale: run `BIFOCAL_BLESS=1 cargo test json_schema`");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_and_json_give_the_same_definition() {
        let json = r#"{"settings":{"index":{"similarity":{"default":{"type":"BM25","k1":0.9,"b":0.4}}}},
            "mappings":{"properties":{"title":{"type":"text","analyzer":"english","fields":{"raw":{"type":"keyword"}}}}}}"#;
        let yaml = "settings:\n  index.similarity.default: {type: BM25, k1: 0.9, b: 0.4}\nmappings:\n  properties:\n    title:\n      type: text\n      analyzer: english\n      fields:\n        raw: {type: keyword}\n";
        assert_eq!(IndexDefinition::parse(json).unwrap(), IndexDefinition::parse(yaml).unwrap());
    }

    #[test]
    fn a_definition_survives_being_written_and_read() {
        let text = include_str!("../../fixtures/mappings/everything.json");
        let definition = IndexDefinition::parse(text).unwrap();
        let written = serde_json::to_string(&definition).unwrap();
        assert_eq!(IndexDefinition::parse(&written).unwrap(), definition);
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        let cases = [
            (r#"{"mappings":{"properties":{"place":{"type":"geo_point"}}}}"#, "geo_point", "place"),
            (r#"{"mappings":{"properties":{"t":{"type":"text","colour":"red"}}}}"#, "colour", "t"),
            (r#"{"mappings":{"properties":{"a":{"properties":{"b":{"type":"shape"}}}}}}"#, "shape", "a.b"),
            (r#"{"mappings":{"runtime":{}}}"#, "runtime", ""),
            (r#"{"setings":{}}"#, "setings", ""),
            (r#"{"mappings":{"properties":{"t":{"type":"text","analyzer":"klingon"}}}}"#, "klingon", "t"),
            (r#"{"mappings":{"properties":{"v":{"type":"dense_vector","dims":0}}}}"#, "dims", "v"),
            (r#"{"mappings":{"properties":{"t":{"type":"text","similarity":"mine"}}}}"#, "mine", "t"),
            (r#"{"mappings":{"properties":{"t":{"type":"text","copy_to":"nowhere"}}}}"#, "nowhere", "t"),
        ];
        for (body, what, field) in cases {
            let error = IndexDefinition::parse(body).unwrap_err();
            assert!(error.to_string().contains(what), "{body}: {error}");
            assert_eq!(error.location().field.as_deref().unwrap_or(""), field, "{body}: {error}");
        }
    }

    #[test]
    fn the_json_schema_in_the_repository_is_the_one_of_the_code() {
        crate::schema::check_generated("schema/index.json", &json_schema());
    }
}
