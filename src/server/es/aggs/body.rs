//! The members of an aggregation's body: taken one by one, so that what is left over is refused.

use serde_json::{Map, Value};

use super::super::error::{EsError, EsResult};
use super::names;

/// Which aggregation is read; for errors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// Its type.
    pub(super) kind: &'a str,
    /// Its name.
    pub(super) name: &'a str,
}

/// The members of an object that are yet to be read.
#[derive(Debug)]
pub(super) struct Body<'a> {
    place: Place<'a>,
    value: &'a Value,
    members: Vec<(&'a str, &'a Value)>,
    /// What was asked for, which is what may stand here.
    known: Vec<String>,
}

impl<'a> Body<'a> {
    /// * `value`: an object; what is none has no members.
    pub(super) fn new(place: Place<'a>, value: &'a Value) -> Self {
        let members = value.as_object().map(members).unwrap_or_default();
        Self { place, value, members, known: Vec::new() }
    }

    /// An object inside of the aggregation's body.
    ///
    /// # Errors
    /// Where it is none.
    pub(super) fn inner(place: Place<'a>, field: &str, value: &'a Value) -> EsResult<Self> {
        match value {
            Value::Object(object) => Ok(Self { place, value, members: members(object), known: Vec::new() }),
            other => {
                Err(refuse(place, format!("[{}] {field} doesn't support values of type: {}", place.kind, token(other))))
            }
        }
    }

    pub(super) fn place(&self) -> Place<'a> {
        self.place
    }

    /// The whole value, whose members then count as read.
    pub(super) fn whole(&mut self) -> &'a Value {
        self.members.clear();
        self.value
    }

    /// A member; null is as if it were not there.
    pub(super) fn take(&mut self, key: &str) -> Option<&'a Value> {
        self.known.push(key.to_string());
        let at = self.members.iter().position(|(known, _)| *known == key)?;
        Some(self.members.swap_remove(at).1).filter(|value| !value.is_null())
    }

    /// Refuses a null, where that is not as if the member were not there.
    pub(super) fn refuse_null(&self, key: &str) -> EsResult<()> {
        match self.members.iter().find(|(known, value)| *known == key && value.is_null()) {
            Some((_, null)) => Err(misfit(self.place, key, null)),
            None => Ok(()),
        }
    }

    /// Refuses a member that Elasticsearch has and this engine does not.
    pub(super) fn refuse_unsupported(&mut self, key: &str) -> EsResult<()> {
        match self.take(key) {
            None => Ok(()),
            Some(_) => Err(EsError::unsupported(format!(
                "[{key}] of the aggregation [{}] of type [{}]",
                self.place.name, self.place.kind
            ))),
        }
    }

    /// A text; numbers and booleans are taken as they are written.
    pub(super) fn text(&mut self, key: &str) -> EsResult<Option<String>> {
        self.take(key).map(|value| text(self.place, key, value)).transpose()
    }

    /// A number; numbers in quotes too.
    pub(super) fn number(&mut self, key: &str) -> EsResult<Option<f64>> {
        self.take(key).map(|value| number(self.place, key, value)).transpose()
    }

    /// A whole number; numbers in quotes too.
    pub(super) fn integer(&mut self, key: &str) -> EsResult<Option<i64>> {
        self.take(key).map(|value| integer(self.place, key, value)).transpose()
    }

    /// A size: at least `least`.
    pub(super) fn size(&mut self, key: &str, least: i64) -> EsResult<Option<usize>> {
        let Some(size) = self.integer(key)? else { return Ok(None) };
        if size < least {
            let bound =
                if least == 1 { "greater than 0".to_string() } else { format!("greater than or equal to {least}") };
            return Err(EsError::illegal_argument(format!(
                "[{key}] must be {bound}. Found [{size}] in [{}]",
                self.place.name
            )));
        }
        Ok(Some(usize::try_from(size).unwrap_or(usize::MAX)))
    }

    /// A number of documents.
    pub(super) fn count(&mut self, key: &str) -> EsResult<Option<u64>> {
        let Some(count) = self.integer(key)? else { return Ok(None) };
        u64::try_from(count).map(Some).map_err(|_| {
            EsError::illegal_argument(format!(
                "[{key}] must be greater than or equal to 0. Found [{count}] in [{}]",
                self.place.name
            ))
        })
    }

    /// A boolean; in quotes too.
    pub(super) fn flag(&mut self, key: &str) -> EsResult<Option<bool>> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(text)) if text == "true" => Ok(Some(true)),
            Some(Value::String(text)) if text == "false" => Ok(Some(false)),
            Some(other) => Err(misfit(self.place, key, other)),
        }
    }

    /// Refuses what was not read.
    pub(super) fn end(&self) -> EsResult<()> {
        match self.members.first() {
            None => Ok(()),
            Some((key, _)) => {
                let reason = format!("[{}] unknown field [{key}]", self.place.kind);
                let guess = names::did_you_mean(key, self.known.iter().map(String::as_str));
                match guess.is_empty() {
                    true => Err(refuse(self.place, reason)),
                    false => Err(EsError::new(400, "x_content_parse_exception", reason + &guess)),
                }
            }
        }
    }
}

fn members(object: &Map<String, Value>) -> Vec<(&str, &Value)> {
    object.iter().map(|(key, value)| (key.as_str(), value)).collect()
}

/// An error of what cannot be read, which says whose it is.
pub(super) fn refuse(place: Place<'_>, reason: String) -> EsError {
    let named = if reason.contains(&format!("[{}]", place.name)) {
        reason
    } else {
        format!("{reason} in the aggregation [{}]", place.name)
    };
    EsError::new(400, "x_content_parse_exception", named)
}

/// The error of a value that its field does not take, as Elasticsearch's parsers wrap it.
pub(super) fn failed_field(place: Place<'_>, field: &str, cause: EsError) -> EsError {
    EsError::new(400, "x_content_parse_exception", format!("[{}] failed to parse field [{field}]", place.kind))
        .caused_by(cause)
}

fn misfit(place: Place<'_>, key: &str, value: &Value) -> EsError {
    refuse(place, format!("[{}] {key} doesn't support values of type: {}", place.kind, token(value)))
}

/// A text; numbers and booleans are taken as they are written.
pub(super) fn text(place: Place<'_>, key: &str, value: &Value) -> EsResult<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(misfit(place, key, value)),
    }
}

/// A number; numbers in quotes too.
pub(super) fn number(place: Place<'_>, key: &str, value: &Value) -> EsResult<f64> {
    let found = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return Err(misfit(place, key, value)),
    };
    found
        .filter(|number: &f64| number.is_finite())
        .ok_or_else(|| refuse(place, format!("[{}] failed to parse field [{key}]", place.kind)))
}

/// A whole number; numbers in quotes too, and numbers with a fraction, which is cut off.
pub(super) fn integer(place: Place<'_>, key: &str, value: &Value) -> EsResult<i64> {
    if let Some(whole) = value.as_i64() {
        return Ok(whole);
    }
    #[expect(clippy::cast_possible_truncation, reason = "the fraction is meant to go; the cast saturates")]
    Ok(number(place, key, value)? as i64)
}

/// Elasticsearch's name of what a value begins with.
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
