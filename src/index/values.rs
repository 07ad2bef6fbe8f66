//! JSON values to what a field keeps of them, with Elasticsearch's rules and errors.

use std::net::{IpAddr, Ipv6Addr};

use serde_json::{Map, Value};

use super::dense::VectorValue;
use crate::error::{Error, Result};
use crate::schema::date::{DateFormats, Missing};
use crate::schema::flatten::{NumberField, VectorField};
use crate::schema::mapping::ElementType;

/// The longest term that Lucene takes, in bytes.
pub(crate) const MAX_TERM_BYTES: usize = 32_766;

/// Why a value does not fit: what our own user reads, and what Elasticsearch says behind its `failed to parse field`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fault {
    message: String,
    cause_kind: &'static str,
    cause: String,
}

impl Fault {
    fn new(wanted: &str, value: &Value, cause: impl Into<String>) -> Self {
        let message = format!("is {}, expected {wanted}", shown(value));
        Self { message, cause_kind: "illegal_argument_exception", cause: cause.into() }
    }

    fn out_of_range(number: impl std::fmt::Display, wanted: &str, cause: String) -> Self {
        Self { message: format!("is {number}, expected {wanted}"), cause_kind: "illegal_argument_exception", cause }
    }

    /// The error of a document.
    pub(crate) fn into_error(
        self,
        path: &str,
        type_name: &str,
        id: &str,
        source: &Map<String, Value>,
        value: &Value,
    ) -> Error {
        let place = Self::place(source, value);
        let reason = format!(
            "{place}failed to parse field [{path}] of type [{type_name}] in document with id '{id}'. Preview of field's value: \
             '{}'",
            preview(value)
        );
        Error::invalid_input(self.message)
            .as_exception(self.cause_kind, self.cause)
            .wrapped_in_exception("document_parsing_exception", reason)
            .in_field(path)
    }

    /// `[1:23] `: where a value stands in its document, when that is written without spaces; empty when it is not part of it.
    pub(crate) fn place(source: &Map<String, Value>, value: &Value) -> String {
        let mut column = 1;
        if find_in_object(source, value, &mut column) { format!("[1:{column}] ") } else { String::new() }
    }
}

/// Adds the width of what comes before `wanted`; whether it was found.
fn find_in_object(object: &Map<String, Value>, wanted: &Value, column: &mut usize) -> bool {
    *column += 1;
    for (key, value) in object {
        *column += width(&Value::from(key.as_str())) + 1;
        if find(value, wanted, column) {
            return true;
        }
        *column += 1;
    }
    *column += usize::from(object.is_empty());
    false
}

fn find(value: &Value, wanted: &Value, column: &mut usize) -> bool {
    if std::ptr::eq(value, wanted) {
        return true;
    }
    match value {
        Value::Object(object) => find_in_object(object, wanted, column),
        Value::Array(values) => {
            *column += 1;
            for value in values {
                if find(value, wanted, column) {
                    return true;
                }
                *column += 1;
            }
            *column += usize::from(values.is_empty());
            false
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            *column += width(value);
            false
        }
    }
}

fn width(value: &Value) -> usize {
    value.to_string().chars().count()
}

/// A value as Java prints it, cut to 200 letters.
fn preview(value: &Value) -> String {
    fn java(value: &Value, out: &mut String) {
        match value {
            Value::String(text) => out.push_str(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
            Value::Array(values) => {
                out.push('[');
                for (idx, value) in values.iter().enumerate() {
                    out.push_str(if idx > 0 { ", " } else { "" });
                    java(value, out);
                }
                out.push(']');
            }
            Value::Object(map) => {
                out.push('{');
                for (idx, (key, value)) in map.iter().enumerate() {
                    out.push_str(if idx > 0 { ", " } else { "" });
                    out.push_str(key);
                    out.push('=');
                    java(value, out);
                }
                out.push('}');
            }
        }
    }
    let mut out = String::new();
    java(value, &mut out);
    out.chars().take(200).collect()
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the text {:?}", text.chars().take(60).collect::<String>()),
        Value::Array(_) => "an array".to_string(),
        Value::Object(_) => "an object".to_string(),
    }
}

/// A text, or a number's or boolean's.
pub(crate) fn text(value: &Value) -> Result<String, Fault> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Null | Value::Object(_) | Value::Array(_) => {
            let mut fault = Fault::new("text", value, "Can't get text on a START_OBJECT");
            fault.cause_kind = "illegal_state_exception";
            Err(fault)
        }
    }
}

/// Elasticsearch's name of a range of whole numbers.
fn range_name(min: i64, max: i64) -> &'static str {
    match (min, max) {
        (-128, 127) => "byte",
        (-32_768, 32_767) => "short",
        (-2_147_483_648, 2_147_483_647) => "integer",
        _ => "long",
    }
}

/// A whole number; `None` for an empty text.
pub(crate) fn integer(value: &Value, options: NumberField, min: i64, max: i64) -> Result<Option<i64>, Fault> {
    let Some(number) = whole_number(value, options, "a whole number")? else { return Ok(None) };
    match i64::try_from(number) {
        Ok(number) if (min..=max).contains(&number) => Ok(Some(number)),
        _ => {
            let wanted = format!("a whole number in {min}..={max}");
            let name = range_name(min, max);
            Err(Fault::out_of_range(number, &wanted, format!("Value [{number}] is out of range for a {name}")))
        }
    }
}

/// A whole number from 0 on; `None` for an empty text.
pub(crate) fn unsigned(value: &Value, options: NumberField) -> Result<Option<u64>, Fault> {
    let Some(number) = whole_number(value, options, "a whole number >= 0")? else { return Ok(None) };
    u64::try_from(number).map(Some).map_err(|_| {
        let wanted = format!("a whole number in 0..={}", u64::MAX);
        Fault::out_of_range(number, &wanted, format!("Value [{number}] is out of range for unsigned long"))
    })
}

/// A whole number; a fraction is cut off where the field coerces, as Elasticsearch does.
fn whole_number(value: &Value, options: NumberField, wanted: &str) -> Result<Option<i128>, Fault> {
    let whole = |text: &str| text.parse::<i128>().ok();
    match value {
        Value::Number(number) if !number.is_f64() => {
            let number = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
            Ok(number)
        }
        Value::String(text) if options.coerce && text.trim().is_empty() => Ok(None),
        Value::String(text) if options.coerce && whole(text.trim()).is_some() => Ok(whole(text.trim())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            let refuse = || Fault::new(wanted, value, format!("For input string: \"{}\"", preview(value)));
            let number = float(value, options).ok().flatten().ok_or_else(refuse)?;
            if number.fract() != 0.0 && !options.coerce {
                return Err(Fault::new(
                    wanted,
                    value,
                    format!("{number} cannot be converted to Long without data loss"),
                ));
            }
            #[expect(clippy::cast_possible_truncation, reason = "the fraction is meant to go; the cast saturates")]
            Ok(Some(number as i128))
        }
    }
}

/// A finite number; `None` for an empty text.
pub(crate) fn float(value: &Value, options: NumberField) -> Result<Option<f64>, Fault> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) if options.coerce && text.trim().is_empty() => return Ok(None),
        Value::String(text) if options.coerce => text.trim().parse().ok(),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let cause = match number {
        Some(number) if number.is_finite() => return Ok(Some(number)),
        Some(number) => format!("[double] supports only finite values, but got [{number:?}]"),
        None => format!("For input string: \"{}\"", preview(value)),
    };
    Err(Fault::new("a finite number", value, cause))
}

/// A number that must stay finite when it is rounded to its type.
pub(crate) fn rounded(
    number: f64,
    precision: crate::schema::flatten::FloatPrecision,
    type_name: &str,
) -> Result<f64, Fault> {
    let rounded = precision.round(number);
    if rounded.is_finite() {
        return Ok(rounded);
    }
    let cause = format!("[{type_name}] supports only finite values, but got [{number:?}]");
    Err(Fault::out_of_range(number, &format!("a number that fits type {type_name}"), cause))
}

/// `true` or `false`, also in quotes; an empty text is false.
pub(crate) fn boolean(value: &Value) -> Result<bool, Fault> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::String(text) if text == "true" => Ok(true),
        Value::String(text) if text == "false" || text.is_empty() => Ok(false),
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            let cause = format!("Failed to parse value [{}] as only [true] or [false] are allowed.", preview(value));
            Err(Fault::new("true or false", value, cause))
        }
    }
}

/// Milliseconds since 1970.
pub(crate) fn date(value: &Value, formats: &DateFormats) -> Result<i64, Fault> {
    let found = match value {
        Value::String(text) => formats.parse(text, None, Missing::Least),
        Value::Number(number) => formats.parse(&number.to_string(), None, Missing::Least),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    found.ok_or_else(|| {
        let cause = format!("failed to parse date field [{}] with format [{formats}]", preview(value));
        Fault::new("a date (2024-05-01, 2024-05-01T10:00:00Z, milliseconds)", value, cause)
    })
}

/// An address, IPv4 mapped into IPv6.
pub(crate) fn ip(value: &Value) -> Result<Ipv6Addr, Fault> {
    let address = value.as_str().and_then(|text| text.parse::<IpAddr>().ok());
    match address {
        Some(IpAddr::V4(address)) => Ok(address.to_ipv6_mapped()),
        Some(IpAddr::V6(address)) => Ok(address),
        None => Err(Fault::new("an IP address", value, format!("'{}' is not an IP string literal.", preview(value)))),
    }
}

/// A number that raises scores, as Lucene codes it: 9 significant bits, and the reciprocal where smaller is better.
pub(crate) fn rank_feature(value: &Value, positive_score_impact: bool) -> Result<f64, Fault> {
    let lenient = NumberField { indexed: true, fast: true, coerce: true, ignore_malformed: false };
    #[expect(clippy::cast_possible_truncation, reason = "Lucene keeps these as 32-bit floats")]
    let number = float(value, lenient)?.unwrap_or(0.0) as f32;
    let number = if positive_score_impact { number } else { 1.0 / number };
    if !(number >= f32::MIN_POSITIVE && number.is_finite()) {
        let cause = format!(
            "featureValue must be a positive normal float, got: {number} for feature: which is less than the minimum positive \
             normal float: {}",
            f32::MIN_POSITIVE
        );
        return Err(Fault::new("a number > 0", value, cause));
    }
    Ok(f64::from(f32::from_bits(number.to_bits() & !0x7fff)))
}

/// The vectors of a dense_vector field: one array of numbers, or an array of such arrays.
pub(crate) fn dense_vectors(field: &VectorField, dims: usize, values: &[&Value]) -> Result<Option<VectorValue>, Fault> {
    let mut vectors: Vec<f32> = Vec::new();
    for value in values {
        if let (ElementType::Byte, Some(bytes)) = (field.element, value.as_str().and_then(bytes_of_hex)) {
            check_dims(bytes.len(), dims)?;
            vectors.extend(bytes);
            continue;
        }
        let Some(inner) = value.as_array() else {
            return Err(Fault::new(
                "an array of numbers",
                value,
                "the value of a dense_vector must be an array of numbers",
            ));
        };
        if inner.iter().any(Value::is_array) {
            for value in inner {
                push_vector(&mut vectors, field, dims, value)?;
            }
        } else {
            push_vector(&mut vectors, field, dims, value)?;
        }
    }
    Ok((!vectors.is_empty()).then_some(VectorValue { vectors, dims, spans: None }))
}

fn check_dims(len: usize, dims: usize) -> Result<(), Fault> {
    if len == dims {
        return Ok(());
    }
    Err(Fault {
        message: format!("has {len} numbers, the mapping says `dims` {dims}"),
        cause_kind: "illegal_argument_exception",
        cause: if len > dims {
            format!("The [dense_vector] field has more dimensions than defined in the mapping [{dims}]")
        } else {
            format!(
                "The [dense_vector] field has a different number of dimensions [{len}] than defined in the mapping [{dims}]"
            )
        },
    })
}

/// The bytes that a text of hexadecimal digits stands for, two a byte.
pub(crate) fn bytes_of_hex(text: &str) -> Option<Vec<f32>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.is_empty() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |&[high, low]: &[u8; 2]| Some(f32::from((digit(high)? << 4 | digit(low)?).cast_signed()));
    pairs.iter().map(byte).collect()
}

fn push_vector(vectors: &mut Vec<f32>, field: &VectorField, dims: usize, value: &Value) -> Result<(), Fault> {
    let refuse = |value: &Value, wanted: &str| Fault::new(wanted, value, format!("{} in a dense_vector", shown(value)));
    let values = value.as_array().ok_or_else(|| refuse(value, "an array of numbers"))?;
    check_dims(values.len(), dims)?;
    for value in values {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "vectors are kept as f32; infinities are refused by encode"
        )]
        let number = value.as_f64().ok_or_else(|| refuse(value, "a number in the vector"))? as f32;
        if field.element == ElementType::Byte && !(number.fract() == 0.0 && (-128.0..=127.0).contains(&number)) {
            return Err(Fault {
                message: format!("has {number} in a vector of bytes, expected a whole number in -128..=127"),
                cause_kind: "illegal_argument_exception",
                cause: format!(
                    "element_type [byte] vectors only support integers between [-128, 127] but found [{number}]"
                ),
            });
        }
        vectors.push(number);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const COERCE: NumberField = NumberField { indexed: true, fast: true, coerce: true, ignore_malformed: false };

    #[test]
    fn numbers_are_coerced_as_elasticsearch_does() {
        let strict = NumberField { coerce: false, ..COERCE };
        assert_eq!(integer(&json!("5"), COERCE, 0, 9).unwrap(), Some(5));
        assert_eq!(integer(&json!(5.9), COERCE, 0, 9).unwrap(), Some(5));
        assert_eq!(integer(&json!(""), COERCE, 0, 9).unwrap(), None);
        assert!(integer(&json!(5.9), strict, 0, 9).is_err());
        assert!(integer(&json!("5"), strict, 0, 9).is_err());
        assert!(integer(&json!(10), COERCE, 0, 9).unwrap_err().message.contains("0..=9"));
        assert_eq!(unsigned(&json!(u64::MAX), COERCE).unwrap(), Some(u64::MAX));
        assert!(unsigned(&json!(-1), COERCE).is_err());
        assert!(float(&json!("abc"), COERCE).is_err());
    }

    #[test]
    fn dates_are_read_by_the_formats_in_turn() {
        let both = DateFormats::default();
        assert_eq!(date(&json!("1970-01-02"), &both).unwrap(), 86_400_000);
        assert_eq!(date(&json!(150_000), &both).unwrap(), 150_000);
        assert_eq!(date(&json!("7"), &DateFormats::read("epoch_second").unwrap()).unwrap(), 7000);
        assert!(date(&json!("tomorrow"), &both).is_err());
    }

    #[test]
    fn a_feature_keeps_nine_bits() {
        assert_eq!(rank_feature(&json!(10), true).unwrap(), 10.0);
        assert_eq!(rank_feature(&json!(0.1), true).unwrap(), f64::from(f32::from_bits(0.1_f32.to_bits() & !0x7fff)));
        assert_eq!(rank_feature(&json!(4), false).unwrap(), 0.25);
        assert!(rank_feature(&json!(0), true).is_err());
        assert!(rank_feature(&json!(-1), true).is_err());
    }

    #[test]
    fn a_place_is_the_column_in_compact_json() {
        let source = json!({"a": [1, {"b": "x"}], "c": {}, "d": "é", "e": "here"});
        let map = source.as_object().unwrap();
        let text = source.to_string();
        let column = 1 + text.chars().position(|char| char == 'h').unwrap() - 1;
        assert_eq!(Fault::place(map, &map["e"]), format!("[1:{column}] "));
        assert_eq!(Fault::place(map, &json!("elsewhere")), "");
    }
}
