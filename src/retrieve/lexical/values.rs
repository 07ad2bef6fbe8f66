//! Values of a query to terms of Tantivy, by the kind of the field.

use std::ops::Bound;

use tantivy::Term;

use crate::error::{Error, Result};
use crate::index::lexical::{FieldKind, LexicalField};
use crate::retrieve::query::TermValue;
use crate::schema::date;
use crate::schema::flatten::FlattenedField;

/// The term of a value, for looking it up.
pub(super) fn term(name: &str, field: &LexicalField, value: &TermValue) -> Result<Term> {
    let misfit = |expected: &str| {
        Error::invalid_input(format!("cannot hold {}, expected {expected}", display(value))).in_field(name)
    };
    Ok(match field.kind {
        FieldKind::Text { .. } => Term::from_field_text(field.field, &plain(value)),
        FieldKind::Keyword => field.text_term(&field.normalized(&plain(value))),
        FieldKind::Long => Term::from_field_i64(field.field, whole(value).ok_or_else(|| misfit("a whole number"))?),
        FieldKind::UnsignedLong => {
            let number = unsigned(value).ok_or_else(|| misfit("a whole number of at least 0"))?;
            Term::from_field_u64(field.field, number)
        }
        FieldKind::Double => Term::from_field_f64(field.field, float(value).ok_or_else(|| misfit("a number"))?),
        FieldKind::Bool => Term::from_field_bool(field.field, boolean(value).ok_or_else(|| misfit("true or false"))?),
        FieldKind::Date => {
            let millis = date_millis(value).ok_or_else(|| misfit("a date (ISO 8601, or milliseconds since 1970)"))?;
            Term::from_field_i64(field.field, millis)
        }
        FieldKind::Ip => {
            let address = plain(value).parse::<std::net::IpAddr>().map_err(|_| misfit("an IP address"))?;
            Term::from_field_ip_addr(
                field.field,
                match address {
                    std::net::IpAddr::V4(address) => address.to_ipv6_mapped(),
                    std::net::IpAddr::V6(address) => address,
                },
            )
        }
        FieldKind::RankFeature | FieldKind::Vector => return Err(misfit("no term: it has none")),
    })
}

/// A lower or upper bound; a fraction as the bound of whole numbers moves to the next of them.
pub(super) fn bound(name: &str, field: &LexicalField, value: Bound<&TermValue>, side: Side) -> Result<Bound<Term>> {
    let (value, inclusive) = match value {
        Bound::Unbounded => {
            // Inside of a `flattened` field, the terms of a key lie together.
            let Some(key) = &field.extra.key_prefix else { return Ok(Bound::Unbounded) };
            return Ok(match side {
                Side::Lower => Bound::Included(Term::from_field_text(field.field, key)),
                Side::Upper => {
                    let after = key.trim_end_matches(FlattenedField::SEPARATOR);
                    Bound::Excluded(Term::from_field_text(field.field, &format!("{after}\u{1}")))
                }
            });
        }
        Bound::Included(value) => (value, true),
        Bound::Excluded(value) => (value, false),
    };
    let is_whole = matches!(field.kind, FieldKind::Long | FieldKind::UnsignedLong);
    if is_whole
        && let Some(number) = float(value)
        && number.fract() != 0.0
    {
        let rounded = match side {
            Side::Lower => number.ceil(),
            Side::Upper => number.floor(),
        };
        return Ok(Bound::Included(term(name, field, &TermValue::Float(rounded))?));
    }
    let term = term(name, field, value)?;
    Ok(if inclusive { Bound::Included(term) } else { Bound::Excluded(term) })
}

/// Which end of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Its beginning.
    Lower,
    /// Its end.
    Upper,
}

/// Whether a text can be a value of this field.
pub(in crate::retrieve) fn fits(field: &LexicalField, text: &str) -> bool {
    term("", field, &TermValue::Text(text.to_string())).is_ok()
}

/// The value as Elasticsearch would index it in a keyword field.
pub(super) fn plain(value: &TermValue) -> String {
    match value {
        TermValue::Text(text) => text.clone(),
        TermValue::Bool(value) => value.to_string(),
        TermValue::Integer(value) => value.to_string(),
        TermValue::Unsigned(value) => value.to_string(),
        TermValue::Float(value) => value.to_string(),
    }
}

fn display(value: &TermValue) -> String {
    match value {
        TermValue::Text(text) => format!("{text:?}"),
        TermValue::Bool(_) | TermValue::Integer(_) | TermValue::Unsigned(_) | TermValue::Float(_) => plain(value),
    }
}

fn whole(value: &TermValue) -> Option<i64> {
    match value {
        TermValue::Integer(number) => Some(*number),
        TermValue::Unsigned(number) => i64::try_from(*number).ok(),
        TermValue::Float(number) => whole_float(*number),
        TermValue::Text(text) => text.trim().parse().ok().or_else(|| whole_float(text.trim().parse().ok()?)),
        TermValue::Bool(_) => None,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
fn whole_float(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number >= i64::MIN as f64 && number < i64::MAX as f64).then_some(number as i64)
}

fn unsigned(value: &TermValue) -> Option<u64> {
    match value {
        TermValue::Unsigned(number) => Some(*number),
        TermValue::Text(text) => text.trim().parse().ok().or_else(|| u64::try_from(whole(value)?).ok()),
        TermValue::Integer(_) | TermValue::Float(_) | TermValue::Bool(_) => u64::try_from(whole(value)?).ok(),
    }
}

fn float(value: &TermValue) -> Option<f64> {
    let number = match value {
        TermValue::Integer(number) => *number as f64,
        TermValue::Unsigned(number) => *number as f64,
        TermValue::Float(number) => *number,
        TermValue::Text(text) => text.trim().parse().ok()?,
        TermValue::Bool(_) => return None,
    };
    number.is_finite().then_some(number)
}

fn boolean(value: &TermValue) -> Option<bool> {
    match value {
        TermValue::Bool(value) => Some(*value),
        TermValue::Text(text) if text == "true" => Some(true),
        TermValue::Text(text) if text == "false" || text.is_empty() => Some(false),
        TermValue::Text(_) | TermValue::Integer(_) | TermValue::Unsigned(_) | TermValue::Float(_) => None,
    }
}

fn date_millis(value: &TermValue) -> Option<i64> {
    match value {
        TermValue::Text(text) => date::parse_iso(text).or_else(|| text.trim().parse().ok()),
        TermValue::Integer(_) | TermValue::Unsigned(_) | TermValue::Float(_) | TermValue::Bool(_) => whole(value),
    }
}
