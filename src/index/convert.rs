//! A document to what the index keeps of it: typed values, terms, and the texts to embed.

use serde_json::{Map, Value};
use tantivy::TantivyDocument;

use super::dense::VectorValue;
use super::fields::{IndexField, IndexFields};
use crate::document::DocumentId;
use crate::error::{Error, Result};
use crate::schema::date;
use crate::schema::flatten::{DateFormat, FieldKind, NumberField, VectorField};
use crate::schema::mapping::ElementType;

/// A document that is ready but for its semantic vectors.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) id: DocumentId,
    pub(crate) document: TantivyDocument,
    /// Of the source; equal hashes mean an unchanged document.
    pub(crate) hash: u64,
    /// One a semantic field that the document has text for.
    pub(crate) semantic: Vec<SemanticInput>,
}

/// What a semantic field embeds of one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SemanticInput {
    /// The field's place in [`IndexFields::mapped`].
    pub(crate) field_idx: usize,
    /// What is cut into passages; [`PassageSpan::value_idx`](crate::PassageSpan) counts these.
    pub(crate) texts: Vec<String>,
    /// What stands before each passage when it is embedded; may be empty.
    pub(crate) context: String,
}

/// Prepares a document.
///
/// # Errors
/// `InvalidInput` naming the field whose value does not fit its type.
pub(crate) fn prepare(fields: &IndexFields, id: DocumentId, source: &Map<String, Value>) -> Result<Prepared> {
    if id.as_str().is_empty() || id.as_str().len() > DocumentId::MAX_BYTES {
        return Err(Error::invalid_input(format!("an `_id` must have 1 to {} bytes", DocumentId::MAX_BYTES)));
    }
    let source_text =
        serde_json::to_string(source).map_err(|error| Error::internal("cannot write a source").with_source(error))?;
    let hash = content_hash(&source_text);
    let mut document = TantivyDocument::new();
    document.add_text(fields.id, id.as_str());
    document.add_u64(fields.hash, hash);
    let mut semantic = Vec::new();
    for (field_idx, field) in fields.mapped.iter().enumerate() {
        if matches!(field.definition.kind, FieldKind::SemanticText(_)) {
            semantic.extend(semantic_input(field_idx, field, source)?);
        } else {
            add_values(&mut document, field, source).map_err(|error| error.in_field(field.definition.path.clone()))?;
        }
    }
    document.add_text(fields.source, source_text);
    Ok(Prepared { id, document, hash, semantic })
}

/// The first eight bytes of the BLAKE3 hash of a source as it is stored.
pub(crate) fn content_hash(source: &str) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&blake3::hash(source.as_bytes()).as_bytes()[..8]);
    u64::from_le_bytes(bytes)
}

/// What a semantic field embeds of a source; `None` without any text.
///
/// The texts are those of the field and of the fields that are copied into it. Where these are blank, the context (a title)
/// is the text.
///
/// # Errors
/// `InvalidInput` when a value is an object.
pub(crate) fn semantic_input(
    field_idx: usize,
    field: &IndexField,
    source: &Map<String, Value>,
) -> Result<Option<SemanticInput>> {
    let FieldKind::SemanticText(semantic) = &field.definition.kind else { return Ok(None) };
    let texts = texts_of(&field.definition.sources, source)?;
    let contexts = texts_of(&semantic.context, source)?;
    let context = contexts.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ");
    Ok(if texts.iter().any(|text| !text.trim().is_empty()) {
        Some(SemanticInput { field_idx, texts, context })
    } else if context.is_empty() {
        None
    } else {
        Some(SemanticInput { field_idx, texts: vec![context], context: String::new() })
    })
}

fn texts_of(paths: &[String], source: &Map<String, Value>) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for path in paths {
        for value in values_at(source, path) {
            texts.extend(text_of(value).map_err(|error| error.in_field(path.clone()))?);
        }
    }
    Ok(texts)
}

fn add_values(document: &mut TantivyDocument, mapped: &IndexField, source: &Map<String, Value>) -> Result<()> {
    let Some(field) = mapped.field else { return Ok(()) };
    if let (FieldKind::DenseVector(vector), Some(params)) = (&mapped.definition.kind, &mapped.vector) {
        if let Some(value) = dense_vectors(vector, &mapped.definition.sources, source)? {
            document.add_custom(field, &value.encode(params)?);
        }
        return Ok(());
    }
    let values = mapped.definition.sources.iter().flat_map(|path| values_at(source, path));
    match &mapped.definition.kind {
        FieldKind::Text(_) => {
            let mut texts = Vec::new();
            for value in values {
                texts.extend(text_of(value)?);
            }
            if let (Some(analyzer), false) = (&mapped.analyzer, texts.is_empty()) {
                document.add_text(field, analyzer.encode_values(&texts));
            }
        }
        FieldKind::Keyword { ignore_above, .. } => {
            for value in values {
                if let Some(text) =
                    text_of(value)?.filter(|text| ignore_above.is_none_or(|most| text.chars().count() <= most))
                {
                    document.add_text(field, text);
                }
            }
        }
        FieldKind::Integer { min, max, options } => {
            for value in values {
                if let Some(number) = lenient(*options, integer(value, *options, *min, *max))? {
                    document.add_i64(field, number);
                }
            }
        }
        FieldKind::Unsigned(options) => {
            for value in values {
                if let Some(number) = lenient(*options, unsigned(value, *options))? {
                    document.add_u64(field, number);
                }
            }
        }
        FieldKind::Float { scaling_factor, options } => {
            for value in values {
                if let Some(number) = lenient(*options, float(value, *options))? {
                    document.add_f64(field, scaling_factor.map_or(number, |factor| (number * factor).round() / factor));
                }
            }
        }
        FieldKind::Boolean { .. } => {
            for value in values {
                if let Some(flag) = boolean(value)? {
                    document.add_bool(field, flag);
                }
            }
        }
        FieldKind::Date { formats, options } => {
            for value in values {
                if let Some(millis) = lenient(*options, date(value, formats))? {
                    document.add_i64(field, millis);
                }
            }
        }
        FieldKind::DenseVector(_) | FieldKind::SemanticText(_) => {}
    }
    Ok(())
}

/// The values at a dotted path, arrays taken apart. A key with dots (`{"a.b": 1}`) is the same as nested objects.
pub(crate) fn values_at<'a>(source: &'a Map<String, Value>, path: &str) -> Vec<&'a Value> {
    let mut found = Vec::new();
    collect(source, path, &mut |value| flatten_arrays(value, &mut found));
    found
}

fn collect<'a>(source: &'a Map<String, Value>, path: &str, visit: &mut impl FnMut(&'a Value)) {
    if let Some(value) = source.get(path) {
        visit(value);
    }
    for (at, _) in path.match_indices('.') {
        let (first, rest) = (&path[..at], &path[at + 1..]);
        match source.get(first) {
            Some(Value::Object(inner)) => collect(inner, rest, visit),
            Some(Value::Array(values)) => {
                for inner in values.iter().filter_map(Value::as_object) {
                    collect(inner, rest, visit);
                }
            }
            _ => {}
        }
    }
}

fn flatten_arrays<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| flatten_arrays(value, found)),
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => found.push(value),
    }
}

fn text_of(value: &Value) -> Result<Option<String>> {
    match value {
        Value::String(text) => Ok(Some(text.clone())),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Bool(flag) => Ok(Some(flag.to_string())),
        Value::Null => Ok(None),
        Value::Object(_) | Value::Array(_) => Err(expected("text", value)),
    }
}

fn lenient<T>(options: NumberField, value: Result<Option<T>>) -> Result<Option<T>> {
    if options.ignore_malformed { Ok(value.unwrap_or(None)) } else { value }
}

fn integer(value: &Value, options: NumberField, min: i64, max: i64) -> Result<Option<i64>> {
    let Some(number) = whole_number(value, options, "a whole number")? else { return Ok(None) };
    match i64::try_from(number) {
        Ok(number) if (min..=max).contains(&number) => Ok(Some(number)),
        _ => Err(Error::invalid_input(format!("is {number}, expected a whole number in {min}..={max}"))),
    }
}

fn unsigned(value: &Value, options: NumberField) -> Result<Option<u64>> {
    let Some(number) = whole_number(value, options, "a whole number >= 0")? else { return Ok(None) };
    let refuse = |_| Error::invalid_input(format!("is {number}, expected a whole number in 0..={}", u64::MAX));
    u64::try_from(number).map(Some).map_err(refuse)
}

/// A whole number; a fraction is cut off where the field coerces, as Elasticsearch does.
fn whole_number(value: &Value, options: NumberField, wanted: &str) -> Result<Option<i128>> {
    let whole = |text: &str| text.parse::<i128>().ok();
    match value {
        Value::Number(number) if !number.is_f64() => Ok(whole(&number.to_string())),
        Value::String(text) if options.coerce && text.trim().is_empty() => Ok(None),
        Value::String(text) if options.coerce && whole(text.trim()).is_some() => Ok(whole(text.trim())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            let number = float(value, options).ok().flatten().ok_or_else(|| expected(wanted, value))?;
            if number.fract() != 0.0 && !options.coerce {
                return Err(expected(wanted, value));
            }
            #[expect(clippy::cast_possible_truncation, reason = "the fraction is meant to go; the cast saturates")]
            Ok(Some(number as i128))
        }
    }
}

fn float(value: &Value, options: NumberField) -> Result<Option<f64>> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) if options.coerce && text.trim().is_empty() => return Ok(None),
        Value::String(text) if options.coerce => text.trim().parse().ok(),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    number.filter(|number| number.is_finite()).map(Some).ok_or_else(|| expected("a finite number", value))
}

fn boolean(value: &Value) -> Result<Option<bool>> {
    match value {
        Value::Bool(flag) => Ok(Some(*flag)),
        Value::String(text) if text == "true" => Ok(Some(true)),
        Value::String(text) if text == "false" || text.is_empty() => Ok(Some(false)),
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            Err(expected("true or false", value))
        }
    }
}

fn date(value: &Value, formats: &[DateFormat]) -> Result<Option<i64>> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return Err(expected("a date", value)),
    };
    let read = |format: &DateFormat| match format {
        DateFormat::DateOptionalTime if value.is_string() || text.len() == 4 => date::parse_iso(&text),
        DateFormat::DateOptionalTime => None,
        DateFormat::EpochMillis => text.trim().parse().ok(),
        DateFormat::EpochSecond => text.trim().parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1000)),
    };
    formats
        .iter()
        .find_map(read)
        .map(Some)
        .ok_or_else(|| expected("a date (2024-05-01, 2024-05-01T10:00:00Z, milliseconds)", value))
}

/// The vectors of a dense_vector field: one array of numbers, or an array of such arrays.
fn dense_vectors(field: &VectorField, paths: &[String], source: &Map<String, Value>) -> Result<Option<VectorValue>> {
    let mut raw = Vec::new();
    for path in paths {
        collect(source, path, &mut |value| raw.push(value));
    }
    let mut vectors: Vec<f32> = Vec::new();
    for value in raw.into_iter().filter(|value| !value.is_null()) {
        let values = value.as_array().ok_or_else(|| expected("an array of numbers", value))?;
        if values.iter().any(Value::is_array) {
            for inner in values {
                push_vector(&mut vectors, field, inner)?;
            }
        } else {
            push_vector(&mut vectors, field, value)?;
        }
    }
    Ok((!vectors.is_empty()).then_some(VectorValue { vectors, dims: field.dims, spans: None }))
}

fn push_vector(vectors: &mut Vec<f32>, field: &VectorField, value: &Value) -> Result<()> {
    let values = value.as_array().ok_or_else(|| expected("an array of numbers", value))?;
    if values.len() != field.dims {
        let text = format!("has {} numbers, the mapping says `dims` {}", values.len(), field.dims);
        return Err(Error::invalid_input(text));
    }
    for value in values {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "vectors are kept as f32; infinities are refused by encode"
        )]
        let number = value.as_f64().ok_or_else(|| expected("a number in the vector", value))? as f32;
        if field.element == ElementType::Byte && !(number.fract() == 0.0 && (-128.0..=127.0).contains(&number)) {
            return Err(Error::invalid_input(format!(
                "has {number} in a vector of bytes, expected a whole number in -128..=127"
            )));
        }
        vectors.push(number);
    }
    Ok(())
}

fn expected(wanted: &str, value: &Value) -> Error {
    let found = match value {
        Value::Null => "null".to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the text {:?}", text.chars().take(60).collect::<String>()),
        Value::Array(_) => "an array".to_string(),
        Value::Object(_) => "an object".to_string(),
    };
    Error::invalid_input(format!("is {found}, expected {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn dotted_keys_objects_and_arrays_are_one() {
        for source in [json!({"a": {"b": [1, [2]]}}), json!({"a.b": [1, 2]}), json!({"a": [{"b": 1}, {"b": 2}]})] {
            let found: Vec<_> =
                values_at(source.as_object().unwrap(), "a.b").into_iter().map(|v| v.as_i64().unwrap()).collect();
            assert_eq!(found, [1, 2], "{source}");
        }
    }

    const COERCE: NumberField = NumberField { indexed: true, fast: true, coerce: true, ignore_malformed: false };

    #[test]
    fn numbers_are_coerced_as_elasticsearch_does() {
        let strict = NumberField { coerce: false, ..COERCE };
        assert_eq!(integer(&json!("5"), COERCE, 0, 9).unwrap(), Some(5));
        assert_eq!(integer(&json!(5.9), COERCE, 0, 9).unwrap(), Some(5));
        assert_eq!(integer(&json!(""), COERCE, 0, 9).unwrap(), None);
        assert!(integer(&json!(5.9), strict, 0, 9).is_err());
        assert!(integer(&json!("5"), strict, 0, 9).is_err());
        assert!(integer(&json!(10), COERCE, 0, 9).unwrap_err().to_string().contains("0..=9"));
        assert_eq!(unsigned(&json!(u64::MAX), COERCE).unwrap(), Some(u64::MAX));
        assert!(unsigned(&json!(-1), COERCE).is_err());
        assert!(float(&json!("abc"), COERCE).is_err());
    }

    #[test]
    fn dates_are_read_by_the_formats_in_turn() {
        let both = [DateFormat::DateOptionalTime, DateFormat::EpochMillis];
        assert_eq!(date(&json!("1970-01-02"), &both).unwrap(), Some(86_400_000));
        assert_eq!(date(&json!(150_000), &both).unwrap(), Some(150_000));
        assert_eq!(date(&json!("7"), &[DateFormat::EpochSecond]).unwrap(), Some(7000));
        assert!(date(&json!("tomorrow"), &both).is_err());
    }
}
