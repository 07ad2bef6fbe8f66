//! Where values come from: `field`, `missing`, `format`, `time_zone`, `value_type`.

use serde_json::Value;

use super::super::error::{EsError, EsResult};
use super::body::{Body, Place, text};
use crate::aggregate::request::{ValueSource, ValueType};
use crate::retrieve::query::TermValue;

/// What an aggregation may say of its values beside the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Formatted {
    /// How they are printed, and in which time zone.
    Yes,
    /// Nothing.
    No,
}

/// Reads the source of an aggregation's values.
///
/// # Errors
/// Where no field is named, or a script is.
pub(super) fn source(body: &mut Body<'_>, formatted: Formatted) -> EsResult<ValueSource> {
    refuse_script(body)?;
    let Some(field) = body.text("field")? else {
        return Err(EsError::illegal_argument(format!(
            "Required one of fields [field, script], but none were specified. (in the aggregation [{}])",
            body.place().name
        )));
    };
    let missing = body.take("missing").map(|value| term_value(body.place(), "missing", value)).transpose()?;
    let value_type = match body.text("value_type")? {
        Some(name) => Some(value_type(body.place(), &name)?),
        None => None,
    };
    let (format, time_zone) = match formatted {
        Formatted::Yes => (body.text("format")?, body.text("time_zone")?),
        Formatted::No => (None, None),
    };
    Ok(ValueSource { field, missing, format, time_zone, value_type })
}

/// Refuses a script by name.
pub(super) fn refuse_script(body: &mut Body<'_>) -> EsResult<()> {
    match body.take("script") {
        None => Ok(()),
        Some(_) => Err(EsError::unsupported(format!(
            "a script in an aggregation ([{}] of type [{}])",
            body.place().name,
            body.place().kind
        ))),
    }
}

fn value_type(place: Place<'_>, name: &str) -> EsResult<ValueType> {
    Ok(match name {
        "string" => ValueType::Text,
        "byte" | "short" | "integer" | "long" => ValueType::Long,
        "float" | "double" | "numeric" | "number" => ValueType::Double,
        "date" => ValueType::Date,
        "ip" => ValueType::Ip,
        "boolean" => ValueType::Boolean,
        _ => {
            return Err(EsError::illegal_argument(format!(
                "Unknown value type [{name}] in the aggregation [{}]",
                place.name
            )));
        }
    })
}

/// A value of a field.
pub(super) fn term_value(place: Place<'_>, key: &str, value: &Value) -> EsResult<TermValue> {
    Ok(match value {
        Value::Bool(flag) => TermValue::Bool(*flag),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(whole), ..) => TermValue::Integer(whole),
            (None, Some(whole), _) => TermValue::Unsigned(whole),
            (None, None, number) => TermValue::Float(number.unwrap_or(f64::NAN)),
        },
        Value::String(_) | Value::Null | Value::Array(_) | Value::Object(_) => {
            TermValue::Text(text(place, key, value)?)
        }
    })
}
