//! An object and where its id comes from: a document.

use serde_json::{Map, Value};

use super::strict_json::kind_of;
use crate::document::{Document, DocumentId};
use crate::error::{Error, Result};

/// Where ids come from; see [`Options::id_field`](super::Options::id_field).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum IdRules {
    /// `_id`, else `id`, else the index.
    Guess,
    /// `_id`, else the index.
    Elasticsearch,
    /// `_id`, which must be there.
    Beir,
    /// This field, which must be there.
    Field(String),
}

impl IdRules {
    pub(super) fn new(id_field: Option<&str>, is_beir: bool) -> Self {
        match id_field {
            Some("_id") if !is_beir => IdRules::Elasticsearch,
            Some(field) if field != "_id" => IdRules::Field(field.to_string()),
            _ if is_beir => IdRules::Beir,
            _ => IdRules::Guess,
        }
    }
}

/// Takes the id out of `source`.
///
/// # Errors
/// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if an id that must be there is not, or is none.
pub(super) fn document(mut source: Map<String, Value>, rules: &IdRules) -> Result<Document> {
    // `shift_remove` keeps the order of the other fields; `_id` usually comes first, so that all of them move once.
    let own_id = source.shift_remove("_id");
    let id = match (rules, own_id) {
        (IdRules::Field(field), _) => {
            let value = source.get(field).ok_or_else(|| {
                Error::invalid_input(format!("has no field {field:?}, which is to hold the id (--id-field)"))
            })?;
            Some(id_from(value).map_err(|error| error.in_field(field))?)
        }
        (_, Some(value)) => Some(id_from(&value).map_err(|error| error.in_field("_id"))?),
        (IdRules::Guess, None) => source.get("id").and_then(|value| id_from(value).ok()),
        (IdRules::Elasticsearch, None) => None,
        (IdRules::Beir, None) => return Err(Error::invalid_input("has no \"_id\", which a BEIR corpus needs")),
    };
    Ok(Document { id, source })
}

/// The id that a string or a whole number stands for.
pub(super) fn id_from(value: &Value) -> Result<DocumentId> {
    let id = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
        Value::Number(_) => return Err(Error::invalid_input("is a fraction, expected a string or a whole number")),
        other @ (Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
            return Err(Error::invalid_input(format!("is {}, expected a string or a whole number", kind_of(other))));
        }
    };
    if id.is_empty() {
        return Err(Error::invalid_input("is empty; leave it out to have an id given"));
    }
    if id.len() > DocumentId::MAX_BYTES {
        let num_bytes = id.len();
        let max_bytes = DocumentId::MAX_BYTES;
        return Err(Error::invalid_input(format!("has {num_bytes} bytes; an id has at most {max_bytes}")));
    }
    Ok(id.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value, rules: &IdRules) -> Result<(Option<String>, Value)> {
        let Value::Object(object) = value else { panic!("an object") };
        let document = document(object, rules)?;
        Ok((document.id.map(|id| id.to_string()), Value::Object(document.source)))
    }

    #[test]
    fn ids_come_from_where_the_rules_say() {
        let field = IdRules::Field("isbn".into());
        for (value, rules, id, source) in [
            (json!({"_id": "a", "t": 1}), &IdRules::Guess, Some("a"), json!({"t": 1})),
            (json!({"_id": 7, "id": 8}), &IdRules::Guess, Some("7"), json!({"id": 8})),
            (json!({"id": 8}), &IdRules::Guess, Some("8"), json!({"id": 8})),
            (json!({"id": null}), &IdRules::Guess, None, json!({"id": null})),
            (json!({"id": 1.5}), &IdRules::Guess, None, json!({"id": 1.5})),
            (json!({"id": 8}), &IdRules::Elasticsearch, None, json!({"id": 8})),
            (json!({"isbn": "i", "_id": "x"}), &field, Some("i"), json!({"isbn": "i"})),
            (json!({"_id": -3}), &IdRules::Beir, Some("-3"), json!({})),
        ] {
            let expected = (id.map(str::to_string), source);
            assert_eq!(read(value.clone(), rules).unwrap(), expected, "{value} {rules:?}");
        }
    }

    #[test]
    fn unusable_ids_are_refused() {
        let long = "x".repeat(513);
        for (value, rules, expected) in [
            (json!({"_id": null}), IdRules::Guess, "field \"_id\": is null, expected a string or a whole number"),
            (json!({"_id": 1.5}), IdRules::Guess, "field \"_id\": is a fraction, expected a string or a whole number"),
            (json!({"_id": ["a"]}), IdRules::Guess, "field \"_id\": is an array, expected a string or a whole number"),
            (json!({"_id": ""}), IdRules::Guess, "field \"_id\": is empty; leave it out to have an id given"),
            (json!({"_id": long}), IdRules::Guess, "field \"_id\": has 513 bytes; an id has at most 512"),
            (json!({"id": 1}), IdRules::Beir, "has no \"_id\", which a BEIR corpus needs"),
            (json!({}), IdRules::Field("k".into()), "has no field \"k\", which is to hold the id (--id-field)"),
        ] {
            assert_eq!(read(value, &rules).unwrap_err().to_string(), expected);
        }
    }
}
