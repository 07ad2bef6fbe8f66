//! `range`.
//!
//! <https://www.elastic.co/guide/en/elasticsearch/reference/8.18/query-dsl-range-query.html>

use serde_json::Value;

use super::super::error::{EsError, EsResult};
use super::context::QueryContext;
use super::field::{DateReading, Kind, Number, Rounding, kind_of, type_of};
use super::object::{self, Common};
use crate::index::lexical::LexicalField;
use crate::retrieve::query::{Query, RangeQuery, TermValue};
use crate::schema::flatten::FloatPrecision;

/// Bounds as written: a value and whether it is inside.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bounds<'v> {
    pub(super) lower: Option<(&'v Value, bool)>,
    pub(super) upper: Option<(&'v Value, bool)>,
}

/// `range`.
pub(super) fn range(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let (field, value) = object::one_field("range", body)?;
    let Value::Object(members) = value else {
        return Err(EsError::parsing(format!("[range] query malformed, no start_object after query field [{field}]")));
    };
    let (mut bounds, mut reading, mut common) = (Bounds::default(), DateReading::default(), Common::default());
    let (mut include_lower, mut include_upper) = (None, None);
    for (key, value) in members {
        let bound = |inside: bool| (!value.is_null()).then_some((value, inside));
        match key.as_str() {
            "gt" => bounds.lower = bound(false),
            "gte" | "ge" | "from" => bounds.lower = bound(true),
            "lt" => bounds.upper = bound(false),
            "lte" | "le" | "to" => bounds.upper = bound(true),
            "include_lower" => include_lower = Some(object::truth("range", key, value)?),
            "include_upper" => include_upper = Some(object::truth("range", key, value)?),
            "format" => reading.format = Some(object::text("range", key, value)?),
            "time_zone" | "timezone" => reading.time_zone = Some(object::text("range", key, value)?),
            "relation" => relation(field, &object::text("range", key, value)?)?,
            _ if common.take("range", key, value)? => {}
            _ => return Err(object::unknown("range", key)),
        }
    }
    if let (Some((_, inside)), Some(given)) = (bounds.lower.as_mut(), include_lower) {
        *inside = given;
    }
    if let (Some((_, inside)), Some(given)) = (bounds.upper.as_mut(), include_upper) {
        *inside = given;
    }
    Ok(common.around(context.range(field, bounds, &reading)?))
}

fn relation(field: &str, relation: &str) -> EsResult<()> {
    match relation.to_ascii_lowercase().as_str() {
        "intersects" | "within" | "contains" => Ok(()),
        "disjoint" => Err(EsError::illegal_argument(format!("Field [{field}] does not support DISJOINT ranges"))),
        other => Err(EsError::illegal_argument(format!("[range] query does not support relation [{other}]"))),
    }
}

impl QueryContext<'_> {
    /// Values of a field between bounds. An unmapped field matches nothing; without bounds, the field has to be there.
    pub(super) fn range(&self, name: &str, bounds: Bounds<'_>, reading: &DateReading) -> EsResult<Query> {
        let Some(field) = self.find(name) else { return Ok(Query::MatchNone) };
        let kind = kind_of(&field);
        if kind != Kind::Date && reading.time_zone.is_some() {
            return Err(self.cannot_create(
                "illegal_argument_exception",
                format!("Field [{name}] of type [{}] does not support [time_zone]", type_of(&field)),
            ));
        }
        let bound = |bound: Option<(&Value, bool)>, side: Side| {
            let read = |(value, inside)| -> EsResult<(TermValue, bool)> {
                Ok((self.bound(name, &field, value, inside, side, reading)?, inside))
            };
            bound.map(read).transpose()
        };
        let lower = bound(bounds.lower, Side::Lower)?;
        let upper = bound(bounds.upper, Side::Upper)?;
        if lower.is_none() && upper.is_none() {
            return Ok(self.exists(name));
        }
        let mut range = RangeQuery { field: name.to_string(), ..RangeQuery::default() };
        match lower {
            Some((value, true)) => range.gte = Some(value),
            Some((value, false)) => range.gt = Some(value),
            None => {}
        }
        match upper {
            Some((value, true)) => range.lte = Some(value),
            Some((value, false)) => range.lt = Some(value),
            None => {}
        }
        Ok(Query::Range(range))
    }

    fn bound(
        &self,
        name: &str,
        field: &LexicalField,
        value: &Value,
        inside: bool,
        side: Side,
        reading: &DateReading,
    ) -> EsResult<TermValue> {
        let text = object::text("range", side.name(), value)?;
        Ok(match kind_of(field) {
            Kind::Text => TermValue::Text(text),
            Kind::Keyword => TermValue::Text(self.normalized(field, &text)),
            Kind::Truth => match text.as_str() {
                "true" => TermValue::Bool(true),
                "false" | "" => TermValue::Bool(false),
                _ => {
                    return Err(self.cannot_create(
                        "illegal_argument_exception",
                        format!("Can't parse boolean value [{text}], expected [true] or [false]"),
                    ));
                }
            },
            Kind::Whole => match self.number(&text)? {
                Number::Whole(number) => TermValue::Integer(number),
                Number::Large(number) => TermValue::Unsigned(number),
                Number::Fraction(number) => TermValue::Float(number),
            },
            Kind::Fraction => {
                let number = self.number(&text)?.as_f64();
                TermValue::Float(match (field.precision(), side) {
                    // Whole multiples inside of the bound.
                    (FloatPrecision::Scaled(factor), Side::Lower) => (number * factor).ceil() / factor,
                    (FloatPrecision::Scaled(factor), Side::Upper) => (number * factor).floor() / factor,
                    (precision, _) => precision.round(number),
                })
            }
            Kind::Ip => TermValue::Text(self.address(&text)?),
            Kind::Feature | Kind::Vector => {
                return Err(self.cannot_create(
                    "illegal_argument_exception",
                    format!("Field [{name}] of type [{}] does not support range queries", type_of(field)),
                ));
            }
            Kind::Date => {
                // `gt` and `lte` look at the end of what a date leaves open, `gte` and `lt` at its beginning.
                let rounding = match (side, inside) {
                    (Side::Lower, true) | (Side::Upper, false) => Rounding::Down,
                    (Side::Lower, false) | (Side::Upper, true) => Rounding::Up,
                };
                // Elasticsearch reads a range's dates before it makes the query: the error is the date's own.
                let millis = self.date(field, &text, reading, rounding);
                TermValue::Integer(millis.map_err(|mut error| match error.cause.take() {
                    Some(own) => *own,
                    None => error,
                })?)
            }
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Lower,
    Upper,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Side::Lower => "from",
            Side::Upper => "to",
        }
    }
}
