//! A mapping as the index sees it: one flat list of fields with dotted paths.

use super::mapping::{
    DenseVectorMapping, Dynamic, ElementType, FieldMapping, NumberMapping, Properties, SemanticTextMapping,
    TextMapping, VectorIndexOptions, VectorSimilarity,
};
use super::{ChunkingSettings, IndexDefinition};
use crate::error::{Error, Result};

/// A field of the index.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The dotted path by which queries name it (`author.name`, `title.raw`).
    pub path: String,
    /// The paths in `_source` that its values come from: its own (or its parent's, for a multi-field), then those of the
    /// fields that are copied into it.
    pub sources: Vec<String>,
    /// What it is.
    pub kind: FieldKind,
}

/// What a field is, with all defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldKind {
    /// Analysed text.
    Text(TextField),
    /// A value searched as a whole.
    Keyword {
        /// Longer values (in characters) are not indexed.
        ignore_above: Option<usize>,
        /// Searchable.
        indexed: bool,
        /// Has a column.
        fast: bool,
    },
    /// A whole number that fits `min..=max`.
    Integer {
        /// The least value.
        min: i64,
        /// The greatest value.
        max: i64,
        /// How values are read.
        options: NumberField,
    },
    /// A whole number, 0..2^64-1.
    Unsigned(NumberField),
    /// A 64-bit floating-point number, rounded to multiples of `1 / scaling_factor` where that is given.
    Float {
        /// See `scaled_float`.
        scaling_factor: Option<f64>,
        /// How values are read.
        options: NumberField,
    },
    /// `true` or `false`.
    Boolean {
        /// Searchable.
        indexed: bool,
        /// Has a column.
        fast: bool,
    },
    /// Milliseconds since 1970-01-01T00:00:00Z.
    Date {
        /// Formats in order of trial.
        formats: Vec<DateFormat>,
        /// How values are read.
        options: NumberField,
    },
    /// Vectors that the user gives.
    DenseVector(VectorField),
    /// Text that is cut into passages and embedded.
    SemanticText(SemanticField),
}

/// A text field.
#[derive(Debug, Clone, PartialEq)]
pub struct TextField {
    /// The analyzer of documents.
    pub analyzer: String,
    /// The analyzer of queries.
    pub search_analyzer: String,
    /// BM25's `k1`.
    pub k1: f32,
    /// BM25's `b`.
    pub b: f32,
    /// Searchable.
    pub indexed: bool,
    /// Positions between two values.
    pub position_increment_gap: u32,
}

/// How a number is read and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberField {
    /// Searchable.
    pub indexed: bool,
    /// Has a column.
    pub fast: bool,
    /// Numbers in quotes are taken, and whole numbers are cut off from fractions.
    pub coerce: bool,
    /// A malformed value is left out.
    pub ignore_malformed: bool,
}

/// A format of dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateFormat {
    /// ISO 8601: a date, with or without time, fraction and offset; the time without a date is not taken.
    DateOptionalTime,
    /// Milliseconds since 1970.
    EpochMillis,
    /// Seconds since 1970.
    EpochSecond,
}

/// A vector field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VectorField {
    /// Numbers a vector.
    pub dims: usize,
    /// How near two vectors are.
    pub similarity: VectorSimilarity,
    /// How a number is kept.
    pub element: ElementType,
    /// How the vectors are searched.
    pub index: VectorIndexOptions,
}

/// A semantic field.
#[derive(Debug, Clone, PartialEq)]
pub struct SemanticField {
    /// The bi-encoder's name; `None` for the default model.
    pub inference_id: Option<String>,
    /// How texts become passages.
    pub chunking: Option<ChunkingSettings>,
    /// How a number is kept.
    pub element: ElementType,
    /// How the vectors are searched.
    pub index: VectorIndexOptions,
    /// Paths in `_source` of the texts that are put before each passage.
    pub context: Vec<String>,
}

impl Field {
    /// Whether its values are analysed text.
    pub fn is_text(&self) -> bool {
        matches!(self.kind, FieldKind::Text(_))
    }

    /// Whether it has vectors.
    pub fn is_vector(&self) -> bool {
        matches!(self.kind, FieldKind::DenseVector(_) | FieldKind::SemanticText(_))
    }
}

pub(super) fn flatten(definition: &IndexDefinition) -> Result<Vec<Field>> {
    let mut walk = Walk { definition, fields: Vec::new(), copies: Vec::new() };
    walk.properties("", None, &definition.mappings.properties)?;
    let Walk { mut fields, copies, .. } = walk;
    for (from, to) in copies {
        let Some(target) = fields.iter_mut().find(|field| field.path == to) else {
            return Err(Error::invalid_input(format!("`copy_to` names {to:?}, which is no field of the mapping"))
                .in_field(from));
        };
        if !target.sources.contains(&from) {
            target.sources.push(from);
        }
    }
    for (idx, field) in fields.iter().enumerate() {
        if fields.iter().take(idx).any(|earlier| earlier.path == field.path) {
            return Err(Error::invalid_input("is defined twice").in_field(field.path.clone()));
        }
    }
    Ok(fields)
}

struct Walk<'a> {
    definition: &'a IndexDefinition,
    fields: Vec<Field>,
    /// (source path, target path)
    copies: Vec<(String, String)>,
}

impl Walk<'_> {
    /// `source` is the path in `_source` for multi-fields, whose own path names no value there.
    fn properties(&mut self, prefix: &str, source: Option<&str>, properties: &Properties) -> Result<()> {
        for (name, mapping) in properties {
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            self.field(&path, source.unwrap_or(&path), mapping).map_err(|error| error.in_field(path.clone()))?;
        }
        Ok(())
    }

    fn field(&mut self, path: &str, source: &str, mapping: &FieldMapping) -> Result<()> {
        let (kind, multi_fields, copy_to): (_, Option<&Properties>, &[String]) = match mapping {
            FieldMapping::Object(object) => {
                if object.enabled != Some(false) {
                    self.properties(path, None, &object.properties)?;
                }
                return Ok(());
            }
            FieldMapping::Text(text) => (self.text(text)?, Some(&text.fields), &text.copy_to),
            FieldMapping::Keyword(keyword) => (
                FieldKind::Keyword {
                    ignore_above: keyword.ignore_above.map(|above| above as usize),
                    indexed: keyword.index.unwrap_or(true),
                    fast: keyword.doc_values.unwrap_or(true),
                },
                Some(&keyword.fields),
                &keyword.copy_to,
            ),
            FieldMapping::Long(number) => (integer(number, i64::MIN, i64::MAX), Some(&number.fields), &[]),
            FieldMapping::Integer(number) => {
                (integer(number, i32::MIN.into(), i32::MAX.into()), Some(&number.fields), &[])
            }
            FieldMapping::Short(number) => {
                (integer(number, i16::MIN.into(), i16::MAX.into()), Some(&number.fields), &[])
            }
            FieldMapping::Byte(number) => (integer(number, i8::MIN.into(), i8::MAX.into()), Some(&number.fields), &[]),
            FieldMapping::UnsignedLong(number) => (FieldKind::Unsigned(options(number)), Some(&number.fields), &[]),
            FieldMapping::Double(number) | FieldMapping::Float(number) | FieldMapping::HalfFloat(number) => {
                (FieldKind::Float { scaling_factor: None, options: options(number) }, Some(&number.fields), &[])
            }
            FieldMapping::ScaledFloat(scaled) => (
                FieldKind::Float {
                    scaling_factor: Some(scaled.scaling_factor),
                    options: NumberField {
                        indexed: scaled.index.unwrap_or(true),
                        fast: scaled.doc_values.unwrap_or(true),
                        coerce: scaled.coerce.unwrap_or(true),
                        ignore_malformed: scaled.ignore_malformed.unwrap_or(false),
                    },
                },
                None,
                &[],
            ),
            FieldMapping::Boolean(boolean) => (
                FieldKind::Boolean { indexed: boolean.index.unwrap_or(true), fast: boolean.doc_values.unwrap_or(true) },
                None,
                &[],
            ),
            FieldMapping::Date(date) => (
                FieldKind::Date {
                    formats: date_formats(date.format.as_deref())?,
                    options: NumberField {
                        indexed: date.index.unwrap_or(true),
                        fast: date.doc_values.unwrap_or(true),
                        coerce: true,
                        ignore_malformed: date.ignore_malformed.unwrap_or(false),
                    },
                },
                None,
                &[],
            ),
            FieldMapping::DenseVector(vector) => (FieldKind::DenseVector(dense_vector(vector)), None, &[]),
            FieldMapping::SemanticText(semantic) => {
                for from in &semantic.copy_from {
                    self.copies.push((from.clone(), path.to_string()));
                }
                (FieldKind::SemanticText(semantic_text(semantic)), None, &[])
            }
        };
        self.fields.push(Field { path: path.to_string(), sources: vec![source.to_string()], kind });
        self.copies.extend(copy_to.iter().map(|to| (source.to_string(), to.clone())));
        if let Some(multi_fields) = multi_fields {
            self.properties(path, Some(source), multi_fields)?;
        }
        Ok(())
    }

    fn text(&self, text: &TextMapping) -> Result<FieldKind> {
        let similarity = self.definition.settings.similarity(text.similarity.as_deref())?;
        let analyzer = text.analyzer.clone().unwrap_or_else(|| "standard".to_string());
        Ok(FieldKind::Text(TextField {
            search_analyzer: text.search_analyzer.clone().unwrap_or_else(|| analyzer.clone()),
            analyzer,
            k1: similarity.k1,
            b: similarity.b,
            indexed: text.index.unwrap_or(true),
            position_increment_gap: text.position_increment_gap.unwrap_or(100),
        }))
    }
}

fn integer(number: &NumberMapping, min: i64, max: i64) -> FieldKind {
    FieldKind::Integer { min, max, options: options(number) }
}

fn options(number: &NumberMapping) -> NumberField {
    NumberField {
        indexed: number.index.unwrap_or(true),
        fast: number.doc_values.unwrap_or(true),
        coerce: number.coerce.unwrap_or(true),
        ignore_malformed: number.ignore_malformed.unwrap_or(false),
    }
}

fn dense_vector(vector: &DenseVectorMapping) -> VectorField {
    VectorField {
        dims: vector.dims,
        similarity: vector.similarity,
        element: vector.element_type,
        index: vector.index_options.unwrap_or_default(),
    }
}

fn semantic_text(semantic: &SemanticTextMapping) -> SemanticField {
    SemanticField {
        inference_id: semantic.inference_id.clone(),
        chunking: semantic.chunking_settings.clone(),
        element: semantic.element_type.unwrap_or_default(),
        index: semantic.index_options.unwrap_or_default(),
        context: semantic.context_from.clone(),
    }
}

fn date_formats(format: Option<&str>) -> Result<Vec<DateFormat>> {
    let format = format.unwrap_or("strict_date_optional_time||epoch_millis");
    format
        .split("||")
        .map(|name| match name {
            "strict_date_optional_time"
            | "date_optional_time"
            | "strict_date"
            | "date"
            | "yyyy-MM-dd"
            | "strict_date_time"
            | "date_time" => Ok(DateFormat::DateOptionalTime),
            "epoch_millis" => Ok(DateFormat::EpochMillis),
            "epoch_second" => Ok(DateFormat::EpochSecond),
            other => Err(Error::unsupported(format!(
                "date format {other:?} is not supported; use strict_date_optional_time, epoch_millis or epoch_second"
            ))),
        })
        .collect()
}

/// The rule for unknown fields at the place `path` (a dotted path of an object, empty for the top).
pub(crate) fn dynamic_at(definition: &IndexDefinition, path: &str) -> Dynamic {
    let mut rule = definition.mappings.dynamic;
    let mut properties = &definition.mappings.properties;
    for name in path.split('.').filter(|name| !name.is_empty()) {
        match properties.get(name) {
            Some(FieldMapping::Object(object)) => {
                if object.enabled == Some(false) {
                    return Dynamic::False;
                }
                rule = object.dynamic.unwrap_or(rule);
                properties = &object.properties;
            }
            _ => break,
        }
    }
    rule
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_multi_fields_and_copies_become_one_list() {
        let definition = IndexDefinition::parse(
            r#"{"mappings":{"properties":{
                "author":{"properties":{"name":{"type":"text","fields":{"raw":{"type":"keyword"}},"copy_to":"all"}}},
                "all":{"type":"text","analyzer":"english"},
                "meaning":{"type":"semantic_text","copy_from":["all_source","author.name"],"context_from":"title"}}}}"#,
        )
        .unwrap();
        let fields = definition.fields().unwrap();
        let found: Vec<_> = fields.iter().map(|field| (field.path.as_str(), field.sources.join(","))).collect();
        assert_eq!(
            found,
            [
                ("author.name", "author.name".to_string()),
                ("author.name.raw", "author.name".to_string()),
                ("all", "all,author.name".to_string()),
                ("meaning", "meaning,all_source,author.name".to_string()),
            ]
        );
    }

    #[test]
    fn the_nearest_object_decides_what_happens_to_unknown_fields() {
        let definition = IndexDefinition::parse(
            r#"{"mappings":{"dynamic":"strict","properties":{"a":{"dynamic":true,"properties":{"b":{"type":"object"}}},"c":{"enabled":false,"type":"object"}}}}"#,
        )
        .unwrap();
        for (path, rule) in [("", Dynamic::Strict), ("a", Dynamic::True), ("a.b", Dynamic::True), ("c", Dynamic::False)]
        {
            assert_eq!(dynamic_at(&definition, path), rule, "{path}");
        }
    }
}
