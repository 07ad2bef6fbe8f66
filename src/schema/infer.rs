//! Documents to a definition: what `bifocal index` does without a mapping, and what `dynamic: true` does with new fields.
//!
//! Types follow Elasticsearch's dynamic mapping: text with a `.keyword` beside it, `long`, `float`, `boolean`, `date` for ISO
//! dates, `dense_vector` for arrays of 128 to 4096 fractions. A first inference (no mapping at all) adds two fields that make
//! a search work at once: `all_text`, into which every prose field is copied and which a query without field names searches, and
//! `semantic`, which embeds the same prose with the title before each passage.

use serde_json::{Map, Value};

use super::flatten::dynamic_at;
use super::mapping::{
    BooleanMapping, DateMapping, DenseVectorMapping, Dynamic, FieldMapping, KeywordMapping, NumberMapping,
    ObjectMapping, Properties, SemanticTextMapping, TextMapping,
};
use super::{IndexDefinition, Settings};
use crate::error::{Error, Result};

/// What a first inference may be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InferOptions {
    /// Leaves the semantic view out.
    pub lexical_only: bool,
    /// The bi-encoder of the semantic view; the default model when absent.
    pub inference_id: Option<String>,
}

/// What was seen of the fields of some documents. Grows with the number of distinct paths, not of documents.
#[derive(Debug, Clone, Default)]
pub struct Observations {
    fields: indexmap::IndexMap<String, Observed>,
    /// Prose for telling the language, at most [`LANGUAGE_SAMPLE_BYTES`].
    sample: String,
}

#[derive(Debug, Clone, Default)]
struct Observed {
    texts: u64,
    words: u64,
    dates: u64,
    integers: u64,
    fractions: u64,
    booleans: u64,
    /// The common length of arrays of numbers; `None` after two lengths differed.
    vector_len: Option<usize>,
    vectors: u64,
}

/// As much text as a language detector needs.
const LANGUAGE_SAMPLE_BYTES: usize = 20_000;

/// Words a value from which on a text is prose rather than a name or a code.
const PROSE_WORDS: f64 = 3.0;

/// Elasticsearch maps arrays of this many fractions to `dense_vector`; the upper bound is that of `dims`.
const VECTOR_DIMS: std::ops::RangeInclusive<usize> = 128..=4096;

impl Observations {
    /// Takes note of a document's fields that `definition` lacks and its `dynamic` rules let in.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) naming the field when the rule is `strict`.
    pub fn observe(&mut self, definition: &IndexDefinition, source: &Map<String, Value>) -> Result<()> {
        self.object(definition, Some(&definition.mappings.properties), "", source)
    }

    /// Whether no unknown field was seen.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Joins what two threads saw.
    pub fn merge(&mut self, other: Self) {
        for (path, seen) in other.fields {
            let into = self.fields.entry(path).or_default();
            into.vector_len = match (into.vectors, seen.vectors) {
                (0, _) => seen.vector_len,
                (_, 0) => into.vector_len,
                _ => into.vector_len.filter(|len| Some(*len) == seen.vector_len),
            };
            into.texts += seen.texts;
            into.words += seen.words;
            into.dates += seen.dates;
            into.integers += seen.integers;
            into.fractions += seen.fractions;
            into.booleans += seen.booleans;
            into.vectors += seen.vectors;
        }
        if self.sample.len() < LANGUAGE_SAMPLE_BYTES {
            self.sample.push_str(&other.sample);
        }
    }

    fn object(
        &mut self,
        definition: &IndexDefinition,
        known: Option<&Properties>,
        prefix: &str,
        source: &Map<String, Value>,
    ) -> Result<()> {
        for (name, value) in source {
            let mapping = known.and_then(|known| known.get(name));
            let path = || if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            match mapping {
                Some(FieldMapping::Object(object)) if object.enabled == Some(false) => {}
                Some(mapping) => {
                    let Some(properties) = mapping.properties() else { continue };
                    for object_value in objects(value) {
                        self.object(definition, Some(properties), &path(), object_value)?;
                    }
                }
                None if value.is_null() || value.as_array().is_some_and(Vec::is_empty) => {}
                None => match dynamic_at(definition, prefix) {
                    Dynamic::False => {}
                    Dynamic::Strict => {
                        let error = Error::invalid_input(
                            "is not in the mapping, and `dynamic` is `strict`; add it to the mapping",
                        );
                        return Err(error.in_field(path()));
                    }
                    Dynamic::True if name.is_empty() || name.starts_with('_') => {
                        let error =
                            Error::invalid_input("a field's name must not be empty nor begin with `_`; rename it");
                        return Err(error.in_field(path()));
                    }
                    Dynamic::True => self.unknown(definition, path(), value)?,
                },
            }
        }
        Ok(())
    }

    fn unknown(&mut self, definition: &IndexDefinition, path: String, value: &Value) -> Result<()> {
        match value {
            Value::Null => {}
            Value::Object(map) => self.object(definition, None, &path, map)?,
            Value::Array(values) if values.len() > 1 && values.iter().all(Value::is_number) => {
                let seen = self.fields.entry(path).or_default();
                seen.vector_len = (seen.vectors == 0 || seen.vector_len == Some(values.len())).then_some(values.len());
                seen.vectors += 1;
                let fractions = values.iter().filter(|value| value.is_f64()).count() as u64;
                seen.fractions += fractions;
                seen.integers += values.len() as u64 - fractions;
            }
            Value::Array(values) => {
                for value in values {
                    self.unknown(definition, path.clone(), value)?;
                }
            }
            Value::Bool(_) => self.fields.entry(path).or_default().booleans += 1,
            Value::Number(number) => {
                let seen = self.fields.entry(path).or_default();
                if number.is_f64() { seen.fractions += 1 } else { seen.integers += 1 }
            }
            Value::String(text) => {
                let seen = self.fields.entry(path).or_default();
                seen.texts += 1;
                let words = text.split_whitespace().take(1000).count();
                seen.words += words as u64;
                seen.dates += u64::from(looks_like_date(text));
                if words as f64 >= PROSE_WORDS && self.sample.len() < LANGUAGE_SAMPLE_BYTES {
                    self.sample.extend(text.chars().take(2000));
                    self.sample.push('\n');
                }
            }
        }
        Ok(())
    }

    /// The definition for documents that came without a mapping.
    pub fn first_definition(&self, options: &InferOptions) -> IndexDefinition {
        let analyzer = language_analyzer(&self.sample);
        let mut definition = IndexDefinition::default();
        self.add_to(&mut definition, Some(analyzer));
        let has_prose = self.fields.values().any(Observed::is_prose);
        // A title may be two words long, and is what people look for.
        let is_searched =
            |path: &str, seen: &Observed| seen.is_prose() || (has_prose && seen.is_text() && is_title(path));
        let prose: Vec<&String> =
            self.fields.iter().filter(|(path, seen)| is_searched(path, seen)).map(|(path, _)| path).collect();
        if prose.is_empty() {
            return definition;
        }
        let properties = &mut definition.mappings.properties;
        let all_text = free_name(properties, "all_text");
        for path in &prose {
            if let Some(FieldMapping::Text(text)) = lookup(properties, path) {
                text.copy_to.push(all_text.clone());
            }
        }
        properties.insert(
            all_text.clone(),
            FieldMapping::Text(TextMapping { analyzer: Some(analyzer.to_string()), ..TextMapping::default() }),
        );
        if !options.lexical_only {
            let (context, body): (Vec<&String>, Vec<&String>) =
                prose.iter().partition(|path| is_title(path) && prose.len() > 1);
            let semantic = free_name(properties, "semantic");
            properties.insert(
                semantic,
                FieldMapping::SemanticText(SemanticTextMapping {
                    inference_id: options.inference_id.clone(),
                    copy_from: body.into_iter().cloned().collect(),
                    context_from: context.into_iter().cloned().collect(),
                    ..SemanticTextMapping::default()
                }),
            );
        }
        definition.settings = Settings::default();
        definition.settings.index.query.default_field = vec![all_text];
        definition
    }

    /// The definition with the new fields added, as `dynamic: true` does it.
    pub fn extended_definition(&self, definition: &IndexDefinition) -> IndexDefinition {
        let mut extended = definition.clone();
        self.add_to(&mut extended, None);
        extended
    }

    fn add_to(&self, definition: &mut IndexDefinition, analyzer: Option<&str>) {
        for (path, seen) in &self.fields {
            if let Some(mapping) = seen.mapping(analyzer) {
                insert(&mut definition.mappings.properties, path, mapping);
            }
        }
    }
}

impl Observed {
    fn is_text(&self) -> bool {
        self.texts > 0 && self.dates < self.texts
    }

    fn is_prose(&self) -> bool {
        self.is_text() && self.words as f64 / self.texts as f64 >= PROSE_WORDS
    }

    fn mapping(&self, analyzer: Option<&str>) -> Option<FieldMapping> {
        let numbers = self.integers + self.fractions;
        Some(if self.texts > 0 && self.dates == self.texts && numbers + self.booleans == 0 {
            FieldMapping::Date(DateMapping::default())
        } else if self.texts > 0 {
            let keyword = KeywordMapping { ignore_above: Some(256), ..KeywordMapping::default() };
            FieldMapping::Text(TextMapping {
                analyzer: analyzer.filter(|_| self.is_prose()).map(str::to_string),
                fields: Properties::from_iter([("keyword".to_string(), FieldMapping::Keyword(keyword))]),
                ..TextMapping::default()
            })
        } else if let Some(dims) = self.vector_len.filter(|len| VECTOR_DIMS.contains(len) && self.fractions > 0) {
            FieldMapping::DenseVector(DenseVectorMapping { dims: Some(dims), ..DenseVectorMapping::default() })
        } else if self.fractions > 0 {
            FieldMapping::Float(NumberMapping::default())
        } else if self.integers > 0 {
            FieldMapping::Long(NumberMapping::default())
        } else if self.booleans > 0 {
            FieldMapping::Boolean(BooleanMapping::default())
        } else {
            return None;
        })
    }
}

fn objects(value: &Value) -> Vec<&Map<String, Value>> {
    match value {
        Value::Object(map) => vec![map],
        Value::Array(values) => values.iter().flat_map(objects).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

fn is_title(path: &str) -> bool {
    let name = path.rsplit('.').next().unwrap_or(path).to_ascii_lowercase();
    ["title", "name", "heading", "headline", "subject", "question"].contains(&name.as_str())
}

/// An ISO date (`2024-05-01`, with or without a time), as Elasticsearch's date detection takes it.
fn looks_like_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 10
        && bytes.len() <= 35
        && bytes.iter().take(4).all(u8::is_ascii_digit)
        && super::date::parse_iso(text).is_some()
}

/// The analyzer of the language of `sample`; `standard` when it cannot be told or has none.
fn language_analyzer(sample: &str) -> &'static str {
    use whatlang::Lang;
    let Some(info) = whatlang::detect(sample).filter(whatlang::Info::is_reliable) else { return "standard" };
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other language has no analyzer of its own")]
    match info.lang() {
        Lang::Eng => "english",
        Lang::Ara => "arabic",
        Lang::Dan => "danish",
        Lang::Nld => "dutch",
        Lang::Fin => "finnish",
        Lang::Fra => "french",
        Lang::Deu => "german",
        Lang::Ell => "greek",
        Lang::Hun => "hungarian",
        Lang::Ita => "italian",
        Lang::Nob => "norwegian",
        Lang::Por => "portuguese",
        Lang::Ron => "romanian",
        Lang::Rus => "russian",
        Lang::Spa => "spanish",
        Lang::Swe => "swedish",
        Lang::Tur => "turkish",
        _ => "standard",
    }
}

fn free_name(properties: &Properties, wanted: &str) -> String {
    let mut name = wanted.to_string();
    while properties.contains_key(&name) {
        name.push('_');
    }
    name
}

fn insert(properties: &mut Properties, path: &str, mapping: FieldMapping) {
    match path.split_once('.') {
        None => {
            properties.entry(path.to_string()).or_insert(mapping);
        }
        Some((first, rest)) => {
            let object =
                properties.entry(first.to_string()).or_insert_with(|| FieldMapping::Object(ObjectMapping::default()));
            if let Some(inner) = object.properties_mut() {
                insert(inner, rest, mapping);
            }
        }
    }
}

fn lookup<'a>(properties: &'a mut Properties, path: &str) -> Option<&'a mut FieldMapping> {
    match path.split_once('.') {
        None => properties.get_mut(path),
        Some((first, rest)) => lookup(properties.get_mut(first)?.properties_mut()?, rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn observe(documents: &[Value]) -> Observations {
        let mut seen = Observations::default();
        for document in documents {
            seen.observe(&IndexDefinition::default(), document.as_object().unwrap()).unwrap();
        }
        seen
    }

    #[test]
    fn a_beir_corpus_gets_a_lexical_and_a_semantic_view() {
        let seen = observe(&[json!({"title": "a wing in a slipstream", "metadata": {},
            "text": "an experimental study of a wing in a propeller slipstream was made in order to determine the lift"})]);
        let definition = seen.first_definition(&InferOptions::default());
        definition.fields().unwrap();
        let FieldMapping::SemanticText(semantic) = &definition.mappings.properties["semantic"] else { panic!() };
        assert_eq!((&semantic.copy_from, &semantic.context_from), (&vec!["text".into()], &vec!["title".into()]));
        let FieldMapping::Text(text) = &definition.mappings.properties["all_text"] else { panic!() };
        assert_eq!(text.analyzer.as_deref(), Some("english"));
        assert_eq!(definition.settings.index.query.default_field, ["all_text"]);
    }

    #[test]
    fn arrays_of_paragraphs_are_prose() {
        let seen = observe(&[
            json!({"title": "Ted Cassidy", "paragraphs": ["Ted Cassidy was an American actor.", "He was very tall indeed."]}),
        ]);
        let definition = seen.first_definition(&InferOptions::default());
        let FieldMapping::SemanticText(semantic) = &definition.mappings.properties["semantic"] else { panic!() };
        assert_eq!(semantic.copy_from, ["paragraphs"]);
    }

    #[test]
    fn types_follow_the_values() {
        let seen = observe(&[
            json!({"n": 1, "x": 1, "ok": true, "day": "2024-05-01", "at": "2024-05-01T10:00:00Z", "who": {"name": "Ann"}, "v": vec![0.5; 128], "few": [1, 2]}),
            json!({"n": 2, "x": 1.5, "day": "2024-06-01", "who": [{"age": 3}], "nothing": null, "v": vec![0.25; 128]}),
        ]);
        let definition = seen.extended_definition(&IndexDefinition::default());
        let value = serde_json::to_value(&definition).unwrap();
        let kind = |path: &str| value.pointer(&format!("/mappings/properties/{path}/type")).and_then(Value::as_str);
        let expected = [
            ("n", "long"),
            ("x", "float"),
            ("ok", "boolean"),
            ("day", "date"),
            ("at", "date"),
            ("who", "object"),
            ("who/properties/name", "text"),
            ("who/properties/age", "long"),
            ("v", "dense_vector"),
            ("few", "long"),
        ];
        for (path, want) in expected {
            assert_eq!(kind(path), Some(want), "{path}");
        }
        assert_eq!(kind("nothing"), None);
    }

    #[test]
    fn strict_refuses_and_false_ignores() {
        let strict = IndexDefinition::parse(r#"{"mappings":{"dynamic":"strict"}}"#).unwrap();
        let document = json!({"colour": "red"});
        let error = Observations::default().observe(&strict, document.as_object().unwrap()).unwrap_err();
        assert_eq!(error.location().field.as_deref(), Some("colour"));
        let ignoring = IndexDefinition::parse(r#"{"mappings":{"dynamic":false}}"#).unwrap();
        let mut seen = Observations::default();
        seen.observe(&ignoring, document.as_object().unwrap()).unwrap();
        assert!(seen.is_empty());
    }
}
