//! `range`, `date_range`, `ip_range`.

use serde_json::Value;

use super::super::error::{EsError, EsResult};
use super::super::query_dsl::QueryContext;
use super::body::{Body, number, refuse, text};
use super::histogram::Dates;
use super::source::{Formatted, source};
use crate::aggregate::request::{AddressRange, IpRange, NumberRange, Range, ValueType};
use crate::aggregate::{AggregationKind, address_of};
use crate::schema::date::Missing;

fn ranges<'a>(body: &mut Body<'a>) -> EsResult<Vec<Body<'a>>> {
    let place = body.place();
    let listed = match body.take("ranges") {
        Some(Value::Array(listed)) if !listed.is_empty() => listed,
        _ => {
            return Err(EsError::illegal_argument(format!(
                "No [ranges] specified for the [{}] aggregation",
                place.name
            )));
        }
    };
    listed.iter().map(|range| Body::inner(place, "ranges", range)).collect()
}

/// Reads `range`.
pub(super) fn range(body: &mut Body<'_>, context: &QueryContext<'_>) -> EsResult<AggregationKind> {
    let source = source(body, Formatted::Yes)?;
    let place = body.place();
    let is_date = context.fields.find(&source.field).is_some_and(|field| field.is_date());
    let dates = is_date.then(|| Dates::new(&source, context)).transpose()?;
    let read = |key: &str, value: &Value| match &dates {
        Some(dates) => Ok(dates.read(place, value, Missing::Least)? as f64),
        None => number(place, key, value),
    };
    let mut found = Vec::new();
    for mut range in ranges(body)? {
        let key = range.text("key")?;
        let from = range.take("from").map(|value| read("from", value)).transpose()?;
        let to = range.take("to").map(|value| read("to", value)).transpose()?;
        range.end()?;
        found.push(NumberRange { key, from, to });
    }
    sort(&mut found);
    Ok(AggregationKind::Range(Range {
        source,
        ranges: found,
        keyed: body.flag("keyed")?.unwrap_or(false),
        dates: false,
    }))
}

/// Ranges are answered by their lower ends, then by their upper ones; open ends are outermost.
fn sort(ranges: &mut [NumberRange]) {
    let lower = |range: &NumberRange| range.from.unwrap_or(f64::NEG_INFINITY);
    let upper = |range: &NumberRange| range.to.unwrap_or(f64::INFINITY);
    ranges
        .sort_by(|left, right| lower(left).total_cmp(&lower(right)).then_with(|| upper(left).total_cmp(&upper(right))));
}

/// Reads `date_range`.
pub(super) fn date_range(body: &mut Body<'_>, context: &QueryContext<'_>) -> EsResult<AggregationKind> {
    let mut source = source(body, Formatted::Yes)?;
    source.value_type.get_or_insert(ValueType::Date);
    let place = body.place();
    let dates = Dates::new(&source, context)?;
    let mut found = Vec::new();
    for mut range in ranges(body)? {
        let key = range.text("key")?;
        let mut bound = |key: &str| -> EsResult<Option<f64>> {
            let value = range.take(key).filter(|value| value.as_str() != Some(""));
            Ok(value.map(|value| dates.read(place, value, Missing::Least)).transpose()?.map(|millis| millis as f64))
        };
        let (from, to) = (bound("from")?, bound("to")?);
        range.end()?;
        found.push(NumberRange { key, from, to });
    }
    sort(&mut found);
    Ok(AggregationKind::Range(Range {
        source,
        ranges: found,
        keyed: body.flag("keyed")?.unwrap_or(false),
        dates: true,
    }))
}

/// Reads `ip_range`.
pub(super) fn ip_range(body: &mut Body<'_>) -> EsResult<AggregationKind> {
    let source = source(body, Formatted::No)?;
    let place = body.place();
    let mut found = Vec::new();
    for mut range in ranges(body)? {
        let key = range.text("key")?;
        let mask = range.text("mask")?;
        let mut bound = |key: &str| -> EsResult<Option<u128>> {
            match range.take(key) {
                None => Ok(None),
                Some(value) => Ok(Some(address_of(&text(place, key, value)?)?)),
            }
        };
        let (from, to) = (bound("from")?, bound("to")?);
        range.end()?;
        found.push(match mask {
            None => AddressRange { key, from, to },
            Some(mask) => {
                let network: ipnet::IpNet =
                    mask.parse().map_err(|_| refuse(place, format!("failed to parse the mask [{mask}]")))?;
                let (first, last) =
                    (address_of(&network.network().to_string())?, address_of(&network.broadcast().to_string())?);
                AddressRange { key: key.or(Some(mask)), from: Some(first), to: last.checked_add(1) }
            }
        });
    }
    found.sort_by(|left, right| {
        let ends = |range: &AddressRange| (range.from, range.to.is_none(), range.to);
        ends(left).cmp(&ends(right))
    });
    Ok(AggregationKind::IpRange(IpRange { source, ranges: found, keyed: body.flag("keyed")?.unwrap_or(false) }))
}
