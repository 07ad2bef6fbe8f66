//! Values of fields, read and printed by the mapping.

use std::net::Ipv6Addr;

use serde_json::{Number, Value};

use super::target::Target;
use crate::index::doc_values::{DocValue, ValueKind};
use crate::retrieve::collect::SortValue;
use crate::schema::date::{DateFormats, Missing};
use crate::schema::flatten::FieldKind;
use crate::server::es::aggs::format::DecimalPattern;
use crate::server::es::error::{EsError, EsResult};

/// Elasticsearch's name of a kind of values.
pub(super) fn type_name(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Long => "long",
        ValueKind::UnsignedLong => "unsigned_long",
        ValueKind::Double => "double",
        ValueKind::Boolean => "boolean",
        ValueKind::Date => "date",
        ValueKind::Ip => "ip",
        ValueKind::Keyword => "keyword",
        ValueKind::Id => "_id",
        ValueKind::IndexName => "_index",
    }
}

/// The formats of a date field: those asked for, else the mapping's own.
pub(super) fn date_formats(field: &str, format: Option<&str>, target: &Target) -> EsResult<DateFormats> {
    if let Some(format) = format {
        return DateFormats::read(format)
            .map_err(|error| EsError::illegal_argument(format!("Invalid format: [{format}]: {error}")));
    }
    Ok(match target.field(field).map(|field| &field.definition.kind) {
        Some(FieldKind::Date { formats, .. }) => formats.clone(),
        Some(_) | None => DateFormats::default(),
    })
}

/// A date, printed; its milliseconds where the format is none (which is refused before).
pub(super) fn print_date(millis: i64, field: &str, format: Option<&str>, target: &Target) -> Value {
    match date_formats(field, format, target) {
        Ok(formats) => Value::String(formats.format(millis, None)),
        Err(_) => Value::from(millis),
    }
}

/// Reads a value that hits are ordered by, or that stands for a missing one.
///
/// # Errors
/// `illegal_argument_exception` naming the field.
pub(super) fn read(
    kind: ValueKind,
    field: &str,
    format: Option<&str>,
    value: &Value,
    target: &Target,
) -> EsResult<SortValue> {
    let failed = || EsError::illegal_argument(format!("Failed to parse search_after value for field [{field}]."));
    if value.is_null() {
        return Ok(SortValue::Null);
    }
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return Err(failed()),
    };
    match kind {
        ValueKind::Keyword | ValueKind::Id | ValueKind::IndexName => Ok(SortValue::Text(text)),
        ValueKind::Boolean => match text.as_str() {
            "true" | "1" => Ok(SortValue::Int(1)),
            "false" | "0" => Ok(SortValue::Int(0)),
            other => other.parse().map(SortValue::Int).map_err(|_| failed()),
        },
        ValueKind::Date => {
            if let Ok(millis) = text.parse::<i64>()
                && value.is_number()
            {
                return Ok(SortValue::Int(millis));
            }
            let formats = date_formats(field, format, target)?;
            let millis = formats.parse(&text, None, Missing::Least);
            millis.map(SortValue::Int).ok_or_else(|| {
                EsError::illegal_argument(format!(
                    "failed to parse date field [{text}] with format [{}]",
                    formats.as_str()
                ))
            })
        }
        ValueKind::Long => {
            text.parse().map(SortValue::Int).or_else(|_| text.parse().map(SortValue::Float)).map_err(|_| failed())
        }
        ValueKind::UnsignedLong => {
            text.parse().map(SortValue::Unsigned).or_else(|_| text.parse().map(SortValue::Float)).map_err(|_| failed())
        }
        ValueKind::Double => match text.as_str() {
            "Infinity" => Ok(SortValue::Float(f64::INFINITY)),
            "-Infinity" => Ok(SortValue::Float(f64::NEG_INFINITY)),
            _ => text.parse().map(SortValue::Float).map_err(|_| failed()),
        },
        ValueKind::Ip => parse_ip(&text).map(SortValue::Ip).ok_or_else(failed),
    }
}

/// An address; IPv4 ones mapped into IPv6.
pub(super) fn parse_ip(text: &str) -> Option<Ipv6Addr> {
    match text.parse::<std::net::IpAddr>().ok()? {
        std::net::IpAddr::V4(address) => Some(address.to_ipv6_mapped()),
        std::net::IpAddr::V6(address) => Some(address),
    }
}

/// An address as Elasticsearch prints it.
pub(super) fn print_ip(address: Ipv6Addr) -> String {
    address.to_ipv4_mapped().map_or_else(|| address.to_string(), |address| address.to_string())
}

/// A value that a hit is ordered by, as Elasticsearch prints it.
pub(super) fn print_sort_value(value: &SortValue) -> Value {
    match value {
        SortValue::Null => Value::Null,
        SortValue::Int(number) => Value::from(*number),
        SortValue::Unsigned(number) => Value::from(*number),
        SortValue::Float(number) => print_float(*number),
        SortValue::Text(text) => Value::String(text.clone()),
        SortValue::Ip(address) => Value::String(print_ip(*address)),
    }
}

/// A number; infinity and what is none as text, which JSON lacks.
pub(super) fn print_float(number: f64) -> Value {
    match Number::from_f64(number) {
        Some(number) => Value::Number(number),
        None if number.is_nan() => Value::String("NaN".to_string()),
        None => Value::String(if number > 0.0 { "Infinity" } else { "-Infinity" }.to_string()),
    }
}

/// A value of a column, as `docvalue_fields` prints it.
pub(super) fn print_doc_value(
    value: &DocValue,
    kind: ValueKind,
    field: &str,
    format: Option<&str>,
    target: &Target,
) -> Value {
    let number = match value {
        DocValue::Long(number) => Some(*number as f64),
        DocValue::Unsigned(number) => Some(*number as f64),
        DocValue::Double(number) => Some(*number),
        DocValue::Boolean(_) | DocValue::Ip(_) | DocValue::Text(_) => None,
    };
    if let (Some(format), Some(number)) = (format, number)
        && kind != ValueKind::Date
    {
        return Value::String(DecimalPattern::parse(format).print(number));
    }
    match (value, kind) {
        (DocValue::Long(millis), ValueKind::Date) => print_date(*millis, field, format, target),
        (DocValue::Long(number), _) => Value::from(*number),
        (DocValue::Unsigned(number), _) => Value::from(*number),
        (DocValue::Double(number), _) => print_float(*number),
        (DocValue::Boolean(flag), _) => Value::Bool(*flag),
        (DocValue::Ip(address), _) => Value::String(print_ip(*address)),
        (DocValue::Text(text), _) => Value::String(text.clone()),
    }
}
