//! JSON objects, strictly: valid UTF-8, no duplicate key, and errors that say what is wrong and in which column.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// The object that `bytes` hold; `line` is that of their first byte, and errors name the line they happened in.
///
/// # Errors
/// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if it is no UTF-8, no JSON, no object, or has a key twice.
pub(super) fn object(line: u64, bytes: &[u8]) -> Result<Map<String, Value>> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        let num_newlines = before.iter().filter(|&&byte| byte == b'\n').count() as u64;
        Error::invalid_input(format!(
            "is not valid UTF-8 (byte {} of the line); convert the file to UTF-8",
            before.len() - line_start + 1
        ))
        .at_line(line + num_newlines)
    })?;
    match serde_json::from_str(text.trim_ascii_end()) {
        Ok(Strict(Value::Object(object))) => Ok(object),
        Ok(Strict(other)) => {
            Err(Error::invalid_input(format!("is {}, expected a JSON object", kind_of(&other))).at_line(line))
        }
        Err(error) => Err(explain(error, text, line)),
    }
}

/// A value's type, with its article, for messages.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// serde_json's words, with the column beside them and the line added to that of the record.
fn explain(error: serde_json::Error, text: &str, line: u64) -> Error {
    let said = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let reason = said.strip_suffix(&place).unwrap_or(&said);
    let line_at = |number: usize| text.split('\n').nth(number.saturating_sub(1)).unwrap_or_default();
    // A line end that should not be there is at column 0 of the next line for serde_json, at the end of its own for a reader.
    let (line_in_text, column) = match (error.line(), error.column()) {
        (number @ 2.., 0) => (number - 1, line_at(number - 1).len() + 1),
        place => place,
    };
    let broken_line = line_at(line_in_text);
    let message = if let Some(name) = not_a_number(broken_line, column) {
        format!("{name} is not JSON (column {column}); write null, or leave the field out")
    } else if reason.starts_with("duplicate key") {
        format!("{reason} (column {column}); JSON objects name a key once")
    } else if reason == "recursion limit exceeded" {
        "is nested more than 127 levels deep; flatten it".to_string()
    } else if error.is_eof() {
        format!("is not complete JSON: {reason} (column {column}); the record is cut off")
    } else {
        format!("is not valid JSON: {reason} (column {column})")
    };
    Error::invalid_input(message).at_line(line + line_in_text.saturating_sub(1) as u64).with_source(error)
}

/// The number that JSON does not have at this column, if that is what stands there.
fn not_a_number(line: &str, column: usize) -> Option<&'static str> {
    let around = line.as_bytes().get(column.saturating_sub(2)..)?;
    let starts_with = |name: &str| {
        around.starts_with(name.as_bytes()) || around.get(1..).is_some_and(|rest| rest.starts_with(name.as_bytes()))
    };
    ["NaN", "-Infinity", "Infinity"].into_iter().find(|name| starts_with(name))
}

/// A JSON value without duplicate keys: Elasticsearch refuses them, and keeping the last would lose data without a word.
pub(crate) struct Strict(pub(crate) Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Strict(element)) = elements.next_element()? {
            array.push(element);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            match object.entry(key) {
                Entry::Vacant(vacant) => {
                    let Strict(value) = entries.next_value()?;
                    vacant.insert(value);
                }
                Entry::Occupied(occupied) => {
                    return Err(A::Error::custom(format!("duplicate key {:?}", occupied.key())));
                }
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: &[u8]) -> String {
        object(5, bytes).unwrap_err().to_string()
    }

    #[test]
    fn a_good_object_keeps_its_values_and_their_order() {
        let text = r#"{"b": 1, "a": [true, null, -2, 1.5, "x", {"c": 18446744073709551615}]}"#;
        let parsed = object(1, text.as_bytes()).unwrap();
        assert_eq!(Value::Object(parsed.clone()), serde_json::from_str::<Value>(text).unwrap());
        assert_eq!(parsed.keys().collect::<Vec<_>>(), ["b", "a"]);
    }

    #[test]
    fn every_fault_says_what_and_where() {
        for (bytes, expected) in [
            (&b"{\"a\": }"[..], "line 5: is not valid JSON: expected value (column 7)"),
            (
                b"{\"a\": \"b",
                "line 5: is not complete JSON: EOF while parsing a string (column 8); the record is cut off",
            ),
            (
                b"{\"a\": 1\n",
                "line 5: is not complete JSON: EOF while parsing an object (column 7); the record is cut off",
            ),
            (
                b"{\"a\":\n\"b\n\"}",
                "line 6: is not valid JSON: control character (\\u0000-\\u001F) found while parsing a string (column 3)",
            ),
            (b"[1]", "line 5: is an array, expected a JSON object"),
            (b"7", "line 5: is a number, expected a JSON object"),
            (b"{\"a\": NaN}", "line 5: NaN is not JSON (column 7); write null, or leave the field out"),
            (b"{\"a\": -Infinity}", "line 5: -Infinity is not JSON (column 8); write null, or leave the field out"),
            (b"{\"a\": [1,\nInfinity]}", "line 6: Infinity is not JSON (column 1); write null, or leave the field out"),
            (b"{\"a\": 1, \"a\": 2}", "line 5: duplicate key \"a\" (column 12); JSON objects name a key once"),
            (b"{\"x\": {\"a\": 1, \"a\": 2}}", "line 5: duplicate key \"a\" (column 18); JSON objects name a key once"),
            (b"{\"a\":\n\"\xff\"}", "line 6: is not valid UTF-8 (byte 2 of the line); convert the file to UTF-8"),
            (b"{\"a\": 1} 2", "line 5: is not valid JSON: trailing characters (column 10)"),
            (b"{\"a\": 1e999}", "line 5: is not valid JSON: number out of range (column 11)"),
        ] {
            assert_eq!(message(bytes), expected, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn deep_nesting_is_refused_and_does_not_exhaust_the_stack() {
        let deep = format!("{{\"a\": {}", "[".repeat(100_000));
        assert!(message(deep.as_bytes()).contains("127 levels"), "{}", message(deep.as_bytes()));
    }
}
