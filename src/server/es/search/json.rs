//! Reading typed members of a request's body, with Elasticsearch's words where they do not fit.

use serde_json::{Map, Value};

use crate::server::es::error::{EsError, EsResult};

/// Elasticsearch's name of what a value begins with.
pub(super) fn token_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "VALUE_NULL",
        Value::Bool(_) => "VALUE_BOOLEAN",
        Value::Number(_) => "VALUE_NUMBER",
        Value::String(_) => "VALUE_STRING",
        Value::Array(_) => "START_ARRAY",
        Value::Object(_) => "START_OBJECT",
    }
}

/// What Elasticsearch says of a key that a search's body does not have, or not with such a value.
pub(super) fn unknown_key(name: &str, value: &Value) -> EsError {
    EsError::parsing(format!("Unknown key for a {} in [{name}].", token_name(value)))
}

/// What Elasticsearch says of a field that a part of the body does not have.
pub(super) fn unknown_field(part: &str, name: &str) -> EsError {
    EsError::new(400, "x_content_parse_exception", format!("[{part}] unknown field [{name}]"))
}

fn wrong(part: &str, name: &str, value: &Value, expected: &str) -> EsError {
    let text = format!("[{part}] {name} doesn't support values of type: {}; expected {expected}", token_name(value));
    EsError::new(400, "x_content_parse_exception", text)
}

/// An object, or an error that names the part.
pub(super) fn object<'v>(part: &str, value: &'v Value) -> EsResult<&'v Map<String, Value>> {
    value
        .as_object()
        .ok_or_else(|| EsError::parsing(format!("[{part}] expected an object, but found [{}]", token_name(value))))
}

/// `true`, `false`, or either as text.
pub(super) fn boolean(part: &str, name: &str, value: &Value) -> EsResult<bool> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::String(text) if text == "true" => Ok(true),
        Value::String(text) if text == "false" => Ok(false),
        Value::String(text) => Err(EsError::illegal_argument(format!(
            "Failed to parse value [{text}] as only [true] or [false] are allowed."
        ))),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(wrong(part, name, value, "a boolean"))
        }
    }
}

/// A whole number, which may come as text.
pub(super) fn integer(part: &str, name: &str, value: &Value) -> EsResult<i64> {
    let number = match value {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    number.ok_or_else(|| wrong(part, name, value, "a whole number"))
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and within the range")]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
}

/// A whole number from 0.
pub(super) fn size(part: &str, name: &str, value: &Value) -> EsResult<usize> {
    let number = integer(part, name, value)?;
    usize::try_from(number)
        .map_err(|_| EsError::illegal_argument(format!("[{name}] parameter cannot be negative, found [{number}]")))
}

/// A whole number from 0 that Java's `int` holds.
pub(super) fn int_size(part: &str, name: &str, value: &Value) -> EsResult<usize> {
    match integer(part, name, value)? {
        number if i32::try_from(number).is_err() => Err(EsError::new(
            400,
            "input_coercion_exception",
            format!("Numeric value ({number}) out of range of int ({} - {})", i32::MIN, i32::MAX),
        )),
        _ => size(part, name, value),
    }
}

/// A finite number, which may come as text.
pub(super) fn float(part: &str, name: &str, value: &Value) -> EsResult<f32> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    #[expect(clippy::cast_possible_truncation, reason = "scores and weights have single precision")]
    let number = number.map(|number: f64| number as f32).filter(|number| number.is_finite());
    number.ok_or_else(|| wrong(part, name, value, "a number"))
}

/// A text; numbers and booleans as they are written.
pub(super) fn text(part: &str, name: &str, value: &Value) -> EsResult<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(wrong(part, name, value, "a string")),
    }
}

/// A text or an array of texts.
pub(super) fn texts(part: &str, name: &str, value: &Value) -> EsResult<Vec<String>> {
    match value {
        Value::Array(values) => values.iter().map(|value| text(part, name, value)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            Ok(vec![text(part, name, value)?])
        }
    }
}

/// A number of single precision as JSON: the fewest digits that read as the same number, as Java prints it.
pub(in crate::server::es) fn score(score: f32) -> Value {
    let shortest: Option<f64> = score.to_string().parse().ok();
    shortest.and_then(serde_json::Number::from_f64).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scores_have_the_digits_of_single_precision() {
        assert_eq!(score(1.2345).to_string(), "1.2345");
        assert_eq!(score(1.0).to_string(), "1.0");
        assert_eq!(score(f32::NAN), Value::Null);
    }

    #[test]
    fn values_may_come_as_text() {
        assert_eq!(integer("search", "from", &json!("3")).unwrap(), 3);
        assert_eq!(integer("search", "from", &json!(3.0)).unwrap(), 3);
        assert!(integer("search", "from", &json!(3.5)).is_err());
        assert!(size("search", "size", &json!(-1)).unwrap_err().reason.contains("cannot be negative"));
        assert!(boolean("search", "explain", &json!("yes")).is_err());
        assert_eq!(texts("search", "x", &json!(["a", 1])).unwrap(), ["a", "1"]);
    }
}
