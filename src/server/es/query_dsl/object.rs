//! Members of a query's JSON object, read as leniently as Elasticsearch reads them and refused in its words.

use serde_json::{Map, Value};

use super::super::error::{EsError, EsResult};
use crate::retrieve::query::Query;

/// What every query has: `boost` and `_name`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Common {
    pub(super) boost: f32,
    pub(super) name: Option<String>,
}

impl Default for Common {
    fn default() -> Self {
        Self { boost: 1.0, name: None }
    }
}

impl Common {
    /// Takes a member that is one of these; false when it is another.
    pub(super) fn take(&mut self, query: &str, key: &str, value: &Value) -> EsResult<bool> {
        match key {
            "boost" => {
                let boost = float(query, key, value)?;
                if !boost.is_finite() || boost < 0.0 {
                    return Err(EsError::illegal_argument(format!(
                        "negative [boost] are not allowed in [{query}], use a value between 0 and 1 to deboost"
                    )));
                }
                self.boost = boost;
            }
            "_name" => self.name = Some(text(query, key, value)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The query with these.
    pub(super) fn around(self, query: Query) -> Query {
        let query = if self.boost == 1.0 { query } else { query.boosted(self.boost) };
        match self.name {
            Some(name) => query.with_name(name),
            None => query,
        }
    }
}

/// The members of a query's body.
pub(super) fn members<'v>(query: &str, body: &'v Value) -> EsResult<&'v Map<String, Value>> {
    body.as_object()
        .ok_or_else(|| EsError::parsing(format!("[{query}] query malformed, no start_object after query name")))
}

/// The one field of a body (`{"field": ..}`).
pub(super) fn one_field<'v>(query: &str, body: &'v Value) -> EsResult<(&'v str, &'v Value)> {
    let mut all = members(query, body)?.iter();
    let Some((field, value)) = all.next() else {
        return Err(EsError::illegal_argument(format!("field name is null or empty in [{query}]")));
    };
    match all.next() {
        None => Ok((field, value)),
        Some((second, _)) => Err(EsError::parsing(format!(
            "[{query}] query doesn't support multiple fields, found [{field}] and [{second}]"
        ))),
    }
}

/// A member that the query does not have.
pub(super) fn unknown(query: &str, key: &str) -> EsError {
    EsError::parsing(format!("[{query}] query does not support [{key}]"))
}

/// A member that the query has and this engine has not.
pub(super) fn unsupported(query: &str, key: &str) -> EsError {
    EsError::unsupported(format!("[{key}] of the query [{query}]"))
}

/// A text; numbers and truths as they are printed.
pub(super) fn text(query: &str, key: &str, value: &Value) -> EsResult<String> {
    plain(value).ok_or_else(|| misfit(query, key, value, "a string"))
}

/// The text of a plain value; `None` for null, an array or an object.
pub(super) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A number; one in quotes too.
pub(super) fn float(query: &str, key: &str, value: &Value) -> EsResult<f32> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    #[expect(clippy::cast_possible_truncation, reason = "single precision is meant")]
    number.map(|number| number as f32).ok_or_else(|| misfit(query, key, value, "a number"))
}

/// A number in double precision; one in quotes too.
pub(super) fn double(query: &str, key: &str, value: &Value) -> EsResult<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    number.filter(|number| number.is_finite()).ok_or_else(|| misfit(query, key, value, "a number"))
}

/// A whole number of 32 bits; one in quotes too.
pub(super) fn integer(query: &str, key: &str, value: &Value) -> EsResult<i32> {
    let number = match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let number = number.as_f64()?;
            #[expect(clippy::cast_possible_truncation, reason = "checked to be whole")]
            (number.fract() == 0.0 && number.abs() < 1e15).then_some(number as i64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    number.and_then(|number| i32::try_from(number).ok()).ok_or_else(|| misfit(query, key, value, "a whole number"))
}

/// A whole number of at least 0.
pub(super) fn count(query: &str, key: &str, value: &Value) -> EsResult<usize> {
    let number = integer(query, key, value)?;
    usize::try_from(number)
        .map_err(|_| EsError::illegal_argument(format!("[{query}] requires [{key}] to be at least 0, got [{number}]")))
}

/// A truth; one in quotes too.
pub(super) fn truth(query: &str, key: &str, value: &Value) -> EsResult<bool> {
    match value {
        Value::Bool(truth) => Ok(*truth),
        Value::String(text) if text == "true" => Ok(true),
        Value::String(text) if text == "false" => Ok(false),
        Value::String(text) => Err(EsError::illegal_argument(format!(
            "Failed to parse value [{text}] as only [true] or [false] are allowed."
        ))),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(misfit(query, key, value, "true or false"))
        }
    }
}

/// An array of texts, or one text.
pub(super) fn texts(query: &str, key: &str, value: &Value) -> EsResult<Vec<String>> {
    match value {
        Value::Array(values) => values.iter().map(|value| text(query, key, value)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            Ok(vec![text(query, key, value)?])
        }
    }
}

/// What JSON calls a value's kind, as Elasticsearch prints it.
pub(super) fn token(value: &Value) -> &'static str {
    match value {
        Value::Null => "VALUE_NULL",
        Value::Bool(_) => "VALUE_BOOLEAN",
        Value::Number(_) => "VALUE_NUMBER",
        Value::String(_) => "VALUE_STRING",
        Value::Array(_) => "START_ARRAY",
        Value::Object(_) => "START_OBJECT",
    }
}

/// A value of the wrong kind.
pub(super) fn misfit(query: &str, key: &str, value: &Value, expected: &str) -> EsError {
    let shown: String = value.to_string().chars().take(80).collect();
    EsError::parsing(format!("[{query}] [{key}] is [{shown}], expected {expected}"))
}

/// ` did you mean [x]?` for a name that is much like known ones.
pub(super) fn suggestion(name: &str, known: &[&str]) -> String {
    let mut near: Vec<(usize, &str)> = known
        .iter()
        .map(|known| (edits(name, known), *known))
        .filter(|(edits, known)| 2 * edits < name.chars().count().max(known.len()))
        .collect();
    near.sort_unstable();
    let names: Vec<&str> = near.into_iter().map(|(_, name)| name).collect();
    match names.as_slice() {
        [] => String::new(),
        [only] => format!(" did you mean [{only}]?"),
        several => format!(" did you mean any of [{}]?", several.join(", ")),
    }
}

fn edits(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, own) in left.chars().take(64).enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(at + 1);
        for ((pair, other), idx) in row.windows(2).zip(&right).zip(0..) {
            let &[diagonal, above] = pair else { continue };
            let before: usize = next.get(idx).copied().unwrap_or(0);
            next.push((diagonal + usize::from(own != *other)).min(above + 1).min(before + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
