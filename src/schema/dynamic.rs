//! Dynamic mapping: the fields that a document adds to an index, as Elasticsearch adds them.
//!
//! In: a definition and a document that has a field which the mapping lacks (`index::convert` tells). Out: the definition with
//! that field. Strings become `text` with a `keyword` beside it, dates are detected, whole numbers are `long`, fractions `float`; the first
//! value of an array decides, but 128 to 4096 fractions are a vector. `dynamic_templates` go first. The command line has an inference
//! of its own ([`super::infer`]), which looks at many documents at once.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::IndexDefinition;
use super::date::{DateFormats, Missing};
use super::mapping::{Dynamic, ElementType, FieldMapping, Mappings, ObjectMapping, Properties, read_field};
use crate::error::{Error, Result};

/// Arrays of so many fractions are vectors.
const VECTOR_DIMS: std::ops::RangeInclusive<usize> = 128..=4096;

/// Elasticsearch's `dynamic_date_formats` where a mapping names none.
const DATE_FORMATS: [&str; 2] =
    ["strict_date_optional_time||epoch_millis", "yyyy/MM/dd HH:mm:ss||yyyy/MM/dd||epoch_millis"];

static DEFAULT_DATES: LazyLock<Vec<DateFormats>> =
    LazyLock::new(|| DATE_FORMATS.iter().filter_map(|format| DateFormats::read(format).ok()).collect());

impl IndexDefinition {
    /// The definition with the fields that a document adds; `None` when it adds none.
    ///
    /// # Errors
    /// `InvalidInput` in Elasticsearch's words: a new field where `dynamic` is `strict`, a name that cannot be, a template whose mapping
    /// cannot be had, more fields than `index.mapping.total_fields.limit`.
    pub fn grown_by(&self, source: &Map<String, Value>) -> Result<Option<Self>> {
        let mut mappings = self.mappings.clone();
        let dates: Vec<DateFormats> = match (&self.mappings.date_detection, &self.mappings.dynamic_date_formats) {
            (Some(false), _) => Vec::new(),
            (_, None) => DEFAULT_DATES.clone(),
            (_, Some(formats)) => formats
                .iter()
                .filter(|format| *format != "none")
                .map(|format| DateFormats::read(format))
                .collect::<Result<_>>()?,
        };
        let mut growth = Growth { rules: &self.mappings, dates, has_grown: false };
        let dynamic = self.mappings.dynamic_rule();
        growth.object(&mut mappings.properties, "", dynamic, source)?;
        if !growth.has_grown {
            return Ok(None);
        }
        let grown = Self { settings: self.settings.clone(), mappings };
        grown.check_limits()?;
        grown.fields()?;
        Ok(Some(grown))
    }
}

struct Growth<'a> {
    rules: &'a Mappings,
    dates: Vec<DateFormats>,
    has_grown: bool,
}

impl Growth<'_> {
    fn object(
        &mut self,
        properties: &mut Properties,
        prefix: &str,
        dynamic: Dynamic,
        source: &Map<String, Value>,
    ) -> Result<()> {
        for (name, value) in source {
            self.field(properties, prefix, dynamic, name, value)?;
        }
        Ok(())
    }

    /// Looks at one field, whose name may be a path with dots.
    fn field(
        &mut self,
        properties: &mut Properties,
        prefix: &str,
        dynamic: Dynamic,
        name: &str,
        value: &Value,
    ) -> Result<()> {
        if !properties.contains_key(name)
            && let Some((first, rest)) = name.split_once('.')
        {
            check_name(name, name)?;
            return self.inside(properties, prefix, dynamic, (first, rest), value);
        }
        let path = join(prefix, name);
        let Some(mapping) = properties.get_mut(name) else {
            return self.unknown(properties, &path, dynamic, name, value);
        };
        if matches!(mapping, FieldMapping::Object(object) if object.enabled == Some(false)) {
            return Ok(());
        }
        let dynamic = mapping.dynamic().unwrap_or(dynamic);
        match mapping.properties_mut() {
            Some(inner) => {
                for object in objects(value) {
                    self.object(inner, &path, dynamic, object)?;
                }
            }
            None => self.has_grown |= complete(mapping, value),
        }
        Ok(())
    }

    /// A name with dots: the first part is an object, which is made where it is missing.
    fn inside(
        &mut self,
        properties: &mut Properties,
        prefix: &str,
        dynamic: Dynamic,
        (first, rest): (&str, &str),
        value: &Value,
    ) -> Result<()> {
        let path = join(prefix, first);
        if !properties.contains_key(first) {
            match dynamic {
                Dynamic::False => return Ok(()),
                Dynamic::Strict => return Err(strict(prefix, first)),
                Dynamic::True if !has_content(value) => return Ok(()),
                Dynamic::True => {
                    let object = self.of_template(&path, first, "object", "object")?;
                    self.add(
                        properties,
                        first,
                        object.unwrap_or_else(|| FieldMapping::Object(ObjectMapping::default())),
                    );
                }
            }
        }
        let Some(mapping) = properties.get_mut(first) else { return Ok(()) };
        let dynamic = mapping.dynamic().unwrap_or(dynamic);
        match mapping.properties_mut() {
            Some(inner) => self.field(inner, &path, dynamic, rest, value),
            // Writing the document says what is wrong.
            None => Ok(()),
        }
    }

    fn unknown(
        &mut self,
        properties: &mut Properties,
        path: &str,
        dynamic: Dynamic,
        name: &str,
        value: &Value,
    ) -> Result<()> {
        let prefix = path.strip_suffix(name).unwrap_or_default().trim_end_matches('.');
        match dynamic {
            Dynamic::False => return Ok(()),
            Dynamic::Strict => return Err(strict(prefix, name)),
            Dynamic::True => {}
        }
        check_name(name, path)?;
        match value {
            Value::Null => Ok(()),
            Value::Object(map) => self.new_object(properties, path, dynamic, name, map),
            Value::Array(values) => {
                if self.is_vector(path, name, values) {
                    let mapping = read_field(path, &json!({"type": "dense_vector", "dims": values.len()}))?;
                    self.add(properties, name, mapping);
                    return Ok(());
                }
                // The first value decides; objects all add their fields.
                for value in values {
                    self.field(properties, prefix, dynamic, name, value)?;
                }
                Ok(())
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                let mapping = self.leaf(path, name, value)?;
                self.add(properties, name, mapping);
                Ok(())
            }
        }
    }

    fn new_object(
        &mut self,
        properties: &mut Properties,
        path: &str,
        dynamic: Dynamic,
        name: &str,
        map: &Map<String, Value>,
    ) -> Result<()> {
        let mapping = self.of_template(path, name, "object", "object")?;
        self.add(properties, name, mapping.unwrap_or_else(|| FieldMapping::Object(ObjectMapping::default())));
        let Some(mapping) = properties.get_mut(name) else { return Ok(()) };
        if matches!(mapping, FieldMapping::Object(object) if object.enabled == Some(false)) {
            return Ok(());
        }
        let dynamic = mapping.dynamic().unwrap_or(dynamic);
        match mapping.properties_mut() {
            Some(inner) => self.object(inner, path, dynamic, map),
            None => Ok(()),
        }
    }

    fn add(&mut self, properties: &mut Properties, name: &str, mapping: FieldMapping) {
        self.has_grown = true;
        properties.insert(name.to_string(), mapping);
    }

    /// The mapping of a new field with a value that is no object.
    fn leaf(&self, path: &str, name: &str, value: &Value) -> Result<FieldMapping> {
        let (kind, date) = self.kind_of(value);
        let dynamic_type = if kind == "string" {
            "text"
        } else if kind == "double" {
            "float"
        } else {
            kind
        };
        if let Some(mapping) = self.of_template(path, name, kind, dynamic_type)? {
            return Ok(mapping);
        }
        // A template for strings is also for those that look like dates or numbers.
        let body = match (kind, date) {
            ("string", _) => json!({"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}),
            ("date", Some(format)) if format.as_str() != super::date::DEFAULT_FORMAT => {
                json!({"type": "date", "format": format.as_str()})
            }
            _ => json!({"type": dynamic_type}),
        };
        read_field(path, &body)
    }

    /// What a value is for `match_mapping_type`.
    fn kind_of(&self, value: &Value) -> (&'static str, Option<&DateFormats>) {
        match value {
            Value::Bool(_) => ("boolean", None),
            Value::Number(number) if number.is_f64() => ("double", None),
            Value::Number(_) => ("long", None),
            Value::String(text) => {
                let is_long = text.parse::<i64>().is_ok();
                let is_double = is_long || text.trim().parse::<f64>().is_ok();
                if self.rules.numeric_detection == Some(true) && is_double {
                    return (if is_long { "long" } else { "double" }, None);
                }
                // Numbers are too often no dates.
                let reads = |format: &&DateFormats| format.parse(text, None, Missing::Least).is_some();
                match self.dates.iter().find(reads).filter(|_| !is_double) {
                    Some(format) => ("date", Some(format)),
                    None => ("string", None),
                }
            }
            Value::Null | Value::Array(_) | Value::Object(_) => ("object", None),
        }
    }

    fn of_template(&self, path: &str, name: &str, kind: &str, dynamic_type: &str) -> Result<Option<FieldMapping>> {
        let Some(template) = self.rules.dynamic_templates.iter().find(|template| template.matches(path, name, kind))
        else {
            return Ok(None);
        };
        read_field(path, &template.mapping_for(name, dynamic_type)).map(Some)
    }

    fn is_vector(&self, path: &str, name: &str, values: &[Value]) -> bool {
        VECTOR_DIMS.contains(&values.len())
            && values.iter().all(Value::is_f64)
            && !self.rules.dynamic_templates.iter().any(|template| template.matches(path, name, "double"))
    }
}

/// Completes a field's mapping by its first value; whether there was anything to complete.
fn complete(mapping: &mut FieldMapping, value: &Value) -> bool {
    #[expect(clippy::wildcard_enum_match_arm, reason = "no other type is completed by a value")]
    match mapping {
        FieldMapping::DenseVector(vector) if vector.dims.is_none() => {
            let dims = match value.as_array() {
                Some(values) => values.first().and_then(Value::as_array).unwrap_or(values).len(),
                // Bytes as hexadecimal digits.
                None => match value.as_str() {
                    Some(digits) if vector.element_type == ElementType::Byte => digits.len() / 2,
                    Some(_) | None => return false,
                },
            };
            vector.dims = (1..=4096).contains(&dims).then_some(dims);
            vector.dims.is_some()
        }
        FieldMapping::ConstantKeyword(constant) if constant.value.is_none() => {
            let first = match value {
                Value::Array(values) => values.first().unwrap_or(&Value::Null),
                value => value,
            };
            constant.value = match first {
                Value::String(text) => Some(text.clone()),
                Value::Number(_) | Value::Bool(_) => Some(first.to_string()),
                Value::Null | Value::Array(_) | Value::Object(_) => None,
            };
            constant.value.is_some()
        }
        _ => false,
    }
}

fn objects(value: &Value) -> Vec<&Map<String, Value>> {
    match value {
        Value::Object(map) => vec![map],
        Value::Array(values) => values.iter().flat_map(objects).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// Whether a value adds a field.
fn has_content(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(values) => values.iter().any(has_content),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => true,
    }
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_string() } else { format!("{prefix}.{name}") }
}

/// A new field where there must be none.
pub(crate) fn strict(prefix: &str, name: &str) -> Error {
    let within = if prefix.is_empty() { "_doc" } else { prefix };
    let reason = format!("mapping set to strict, dynamic introduction of [{name}] within [{within}] is not allowed");
    Error::invalid_input(reason.clone())
        .as_exception("strict_dynamic_mapping_exception", reason)
        .in_field(join(prefix, name))
}

fn check_name(name: &str, path: &str) -> Result<()> {
    let reason = if name.is_empty() {
        "field name cannot be an empty string".to_string()
    } else if name.trim().is_empty() {
        format!("Field name cannot contain only whitespace: [{name}]")
    } else if name.split('.').any(str::is_empty) {
        format!("field name starting or ending with a [.] makes object resolution ambiguous: [{path}]")
    } else {
        return Ok(());
    };
    let error = Error::invalid_input("a field's name must not be empty nor have an empty part; rename it");
    Err(error.as_exception("document_parsing_exception", reason).in_field(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mapping that documents make, one after another.
    fn grow(mappings: Value, documents: &[Value]) -> Result<Value> {
        let mut definition = IndexDefinition::from_value(&json!({"mappings": mappings}))?;
        for document in documents {
            if let Some(grown) = definition.grown_by(document.as_object().unwrap())? {
                definition = grown;
            }
            assert!(definition.grown_by(document.as_object().unwrap())?.is_none(), "grows twice: {document}");
        }
        Ok(definition.mappings.to_value())
    }

    #[test]
    fn values_get_elasticsearchs_types() {
        let text = json!({"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}});
        let cases = [
            (json!("words"), text.clone()),
            (json!(1), json!({"type": "long"})),
            (json!(1.5), json!({"type": "float"})),
            (json!(true), json!({"type": "boolean"})),
            (json!("2024-05-01"), json!({"type": "date"})),
            (json!("2024-05-01T10:00:00Z"), json!({"type": "date"})),
            (json!("2024/05/01"), json!({"type": "date", "format": "yyyy/MM/dd HH:mm:ss||yyyy/MM/dd||epoch_millis"})),
            (json!("2024"), text.clone()),
            (json!("12.5"), text.clone()),
            (json!(["a", 1]), text.clone()),
            (json!([null, 1]), json!({"type": "long"})),
            (json!({"a": 1}), json!({"properties": {"a": {"type": "long"}}})),
            (json!({}), json!({"type": "object"})),
            (json!([{"a": 1}, {"b": true}]), json!({"properties": {"a": {"type": "long"}, "b": {"type": "boolean"}}})),
            (
                json!(vec![0.5; 128]),
                json!({"type": "dense_vector", "dims": 128, "index": true, "similarity": "cosine",
                "index_options": {"type": "int8_hnsw", "m": 16, "ef_construction": 100}}),
            ),
            (json!(vec![0.5; 127]), json!({"type": "float"})),
            (json!(vec![1; 128]), json!({"type": "long"})),
        ];
        for (value, expected) in cases {
            let found = grow(json!({}), &[json!({"f": value})]).unwrap();
            assert_eq!(found, json!({"properties": {"f": expected}}), "{value}");
        }
        for nothing in [json!(null), json!([]), json!([null])] {
            assert_eq!(grow(json!({}), &[json!({"f": nothing})]).unwrap(), json!({}), "{nothing}");
        }
    }

    #[test]
    fn names_with_dots_are_objects() {
        let found = grow(json!({}), &[json!({"a.b.c": 1}), json!({"a": {"b.d": true}})]).unwrap();
        let b = json!({"properties": {"c": {"type": "long"}, "d": {"type": "boolean"}}});
        assert_eq!(found, json!({"properties": {"a": {"properties": {"b": b}}}}));
        for name in ["", " ", "a..b", ".a", "a."] {
            assert!(grow(json!({}), &[json!({name: 1})]).is_err(), "{name:?}");
        }
    }

    #[test]
    fn rules_are_followed() {
        assert_eq!(grow(json!({"dynamic": false}), &[json!({"f": 1})]).unwrap(), json!({"dynamic": "false"}));
        let strict = grow(json!({"dynamic": "strict"}), &[json!({"f": 1})]).unwrap_err();
        let exception = strict.exception().unwrap();
        assert_eq!(exception.kind, "strict_dynamic_mapping_exception");
        assert_eq!(exception.reason, "mapping set to strict, dynamic introduction of [f] within [_doc] is not allowed");
        let inner = json!({"properties": {"o": {"type": "object", "dynamic": "strict"}}});
        let error = grow(inner, &[json!({"o": {"f": 1}})]).unwrap_err();
        assert!(error.exception().unwrap().reason.contains("[f] within [o]"));
        let found = grow(json!({"date_detection": false}), &[json!({"f": "2024-05-01"})]).unwrap();
        assert_eq!(found.pointer("/properties/f/type"), Some(&json!("text")));
        let found = grow(json!({"numeric_detection": true}), &[json!({"l": "1", "d": "1.5", "s": "x"})]).unwrap();
        assert_eq!(found.pointer("/properties/l/type"), Some(&json!("long")));
        assert_eq!(found.pointer("/properties/d/type"), Some(&json!("float")));
        let found =
            grow(json!({"dynamic_date_formats": ["MM/dd/yyyy"]}), &[json!({"f": "09/25/2015", "g": "2024-05-01"})]);
        let found = found.unwrap();
        assert_eq!(found.pointer("/properties/f"), Some(&json!({"type": "date", "format": "MM/dd/yyyy"})));
        assert_eq!(found.pointer("/properties/g/type"), Some(&json!("text")));
    }

    #[test]
    fn templates_come_first() {
        let templates = json!([
            {"longs": {"match": "long_*", "unmatch": "*_text", "mapping": {"type": "long"}}},
            {"names": {"path_match": "name.*", "path_unmatch": "*.middle", "mapping": {"type": "text", "copy_to": "full"}}},
            {"nested": {"match_mapping_type": "object", "match": "items", "mapping": {"type": "nested"}}},
            {"named": {"match_mapping_type": "string", "match": "english", "mapping": {"type": "text", "analyzer": "{name}"}}},
            {"strings": {"match_mapping_type": "string", "mapping": {"type": "keyword"}}},
            {"numbers": {"match_mapping_type": ["long", "double"], "mapping": {"type": "{dynamic_type}", "index": false}}},
        ]);
        let mappings = json!({"dynamic_templates": templates, "properties": {"full": {"type": "text"}}});
        let document = json!({"long_n": "5", "long_text": "x", "name": {"first": "A", "middle": "B"}, "items": [{"n": 1}],
            "english": "words", "x": 1.5});
        let found = grow(mappings, &[document]).unwrap();
        for (path, expected) in [
            ("/properties/long_n", json!({"type": "long"})),
            ("/properties/long_text", json!({"type": "keyword"})),
            ("/properties/name/properties/first", json!({"type": "text", "copy_to": ["full"]})),
            ("/properties/name/properties/middle", json!({"type": "keyword"})),
            ("/properties/items", json!({"type": "nested", "properties": {"n": {"type": "long", "index": false}}})),
            ("/properties/english", json!({"type": "text", "analyzer": "english"})),
            ("/properties/x", json!({"type": "float", "index": false})),
        ] {
            assert_eq!(found.pointer(path), Some(&expected), "{path} of {found}");
        }
    }

    #[test]
    fn the_first_value_completes_a_mapping() {
        let mappings = json!({"properties": {"v": {"type": "dense_vector"}, "c": {"type": "constant_keyword"}}});
        let found = grow(mappings, &[json!({"v": [1, 2, 3], "c": "one"})]).unwrap();
        assert_eq!(found.pointer("/properties/v/dims"), Some(&json!(3)));
        assert_eq!(found.pointer("/properties/c/value"), Some(&json!("one")));
    }
}
