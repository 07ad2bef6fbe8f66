//! `composite`.

use serde_json::Value;

use super::super::error::{EsError, EsResult};
use super::super::query_dsl::QueryContext;
use super::body::{Body, Place, refuse, text};
use super::histogram::{Dates, rounding};
use super::source::{Formatted, source, term_value};
use crate::aggregate::AggregationKind;
use crate::aggregate::request::{Composite, CompositeKeys, CompositeSource};
use crate::index::lexical::FieldKind;
use crate::retrieve::query::TermValue;
use crate::schema::date::Missing;

/// Reads `composite`.
pub(super) fn composite(body: &mut Body<'_>, context: &QueryContext<'_>) -> EsResult<AggregationKind> {
    let place = body.place();
    let Some(Value::Array(listed)) = body.take("sources") else {
        return Err(EsError::illegal_argument("Required [sources]"));
    };
    if listed.is_empty() {
        return Err(EsError::illegal_argument("Composite [sources] cannot be null or empty"));
    }
    let mut sources: Vec<CompositeSource> = Vec::new();
    for part in listed {
        let part = read_source(place, part)?;
        if sources.iter().any(|known| known.name == part.name) {
            return Err(EsError::illegal_argument(format!(
                "Composite source names must be unique, found duplicates: [{}]",
                part.name
            )));
        }
        sources.push(part);
    }
    let after = match body.take("after") {
        None => None,
        Some(Value::Object(members)) => {
            let mut values = Vec::new();
            for part in &sources {
                let Some(value) = members.get(&part.name) else {
                    return Err(EsError::illegal_argument(format!("Missing value for [after.{}]", part.name)));
                };
                values.push(if value.is_null() { None } else { Some(after_value(place, part, value, context)?) });
            }
            if members.len() != sources.len() {
                return Err(EsError::illegal_argument(format!(
                    "[after] has {} value(s) but [sources] has {}",
                    members.len(),
                    sources.len()
                )));
            }
            Some(values)
        }
        Some(other) => {
            return Err(refuse(place, format!("[after] must be an object, not {}", super::body::token(other))));
        }
    };
    let size = body.size("size", 1)?.unwrap_or(10);
    Ok(AggregationKind::Composite(Composite { sources, size, after }))
}

fn read_source(place: Place<'_>, value: &Value) -> EsResult<CompositeSource> {
    let mut members = value.as_object().into_iter().flatten();
    let (Some((name, definition)), None) = (members.next(), members.next()) else {
        return Err(refuse(place, "[composite] a source must be an object with one name".to_string()));
    };
    let mut members = definition.as_object().into_iter().flatten();
    let (Some((kind, definition)), None) = (members.next(), members.next()) else {
        return Err(refuse(place, format!("[composite] the source [{name}] must be an object with one type")));
    };
    let mut body = Body::inner(place, name, definition)?;
    let source = source(&mut body, Formatted::Yes)?;
    let keys = match kind.as_str() {
        "terms" => CompositeKeys::Terms,
        "histogram" => match body.number("interval")? {
            Some(interval) if interval > 0.0 => CompositeKeys::Histogram { interval },
            _ => {
                return Err(EsError::illegal_argument(format!(
                    "[interval] must be greater than 0 for [histogram] source [{name}]"
                )));
            }
        },
        "date_histogram" => CompositeKeys::DateHistogram(rounding(&mut body, &source)?),
        "geotile_grid" => return Err(EsError::unsupported(format!("the composite source type [{kind}] of [{name}]"))),
        other => return Err(EsError::parsing(format!("invalid source type: {other}"))),
    };
    let descending = match body.text("order")?.map(|order| order.to_ascii_lowercase()).as_deref() {
        None | Some("asc") => false,
        Some("desc") => true,
        Some(other) => {
            return Err(refuse(place, format!("[composite] unknown order [{other}] of the source [{name}]")));
        }
    };
    let missing_bucket = body.flag("missing_bucket")?.unwrap_or(false);
    let missing_first = match body.text("missing_order")?.as_deref() {
        None | Some("default") => None,
        Some("first") => Some(true),
        Some("last") => Some(false),
        Some(other) => {
            return Err(refuse(place, format!("[composite] unknown missing_order [{other}] of the source [{name}]")));
        }
    };
    if missing_first.is_some() && !missing_bucket {
        return Err(EsError::illegal_argument(format!(
            "missingOrder can only be set if missingBucket is true (source [{name}])"
        )));
    }
    body.end()?;
    Ok(CompositeSource { name: name.clone(), source, keys, descending, missing_bucket, missing_first })
}

/// A value of `after`, with dates that were printed read again.
fn after_value(
    place: Place<'_>,
    part: &CompositeSource,
    value: &Value,
    context: &QueryContext<'_>,
) -> EsResult<TermValue> {
    let is_date = match &part.keys {
        CompositeKeys::DateHistogram(_) => true,
        CompositeKeys::Terms => {
            context.fields.find(&part.source.field).is_some_and(|field| matches!(field.kind, FieldKind::Date))
        }
        CompositeKeys::Histogram { .. } => false,
    };
    if is_date && value.is_string() {
        let dates = Dates::new(&part.source, context)?;
        let written = text(place, "after", value)?;
        // Milliseconds come back as a text from clients that read keys as texts.
        let millis = match written.parse() {
            Ok(millis) if part.source.format.is_none() => millis,
            _ => dates.read(place, value, Missing::Least)?,
        };
        return Ok(TermValue::Integer(millis));
    }
    term_value(place, "after", value)
}
