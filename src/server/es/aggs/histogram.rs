//! `histogram` and `date_histogram`.

use serde_json::Value;

use super::super::error::{EsError, EsResult};
use super::super::query_dsl::QueryContext;
use super::body::{Body, Place, failed_field, number, refuse, text};
use super::source::{Formatted, source};
use super::terms::order;
use crate::aggregate::AggregationKind;
use crate::aggregate::request::{Bounds, BucketOrder, DateHistogram, Histogram, OrderBy, ValueSource, ValueType};
use crate::aggregate::rounding::{CalendarUnit, Interval, Rounding};
use crate::schema::date::{self, DateFormats, DateMath, Missing, TimeZone};

fn by_key() -> Vec<BucketOrder> {
    vec![BucketOrder { by: OrderBy::Key, descending: false }]
}

/// Reads `histogram`.
pub(super) fn histogram(body: &mut Body<'_>) -> EsResult<AggregationKind> {
    let place = body.place();
    let source = source(body, Formatted::Yes)?;
    let interval = body.number("interval")?.unwrap_or(0.0);
    if interval <= 0.0 {
        let reason = format!("[interval] must be >0 for histogram aggregation [{}]", place.name);
        return Err(failed_field(place, "interval", EsError::illegal_argument(reason)));
    }
    let offset = body.number("offset")?.unwrap_or(0.0);
    let min_doc_count = body.count("min_doc_count")?.unwrap_or(0);
    let bound = |key: &str, value: &Value| number(place, key, value);
    let extended_bounds = bounds(body, "extended_bounds", &bound)?;
    let hard_bounds = bounds(body, "hard_bounds", &bound)?;
    check_bounds(place, &extended_bounds, &hard_bounds, |bound| bound.to_string())?;
    Ok(AggregationKind::Histogram(Histogram {
        source,
        interval,
        offset,
        min_doc_count,
        extended_bounds,
        hard_bounds,
        keyed: body.flag("keyed")?.unwrap_or(false),
        order: order(body, by_key())?,
    }))
}

/// Reads `{"min": .., "max": ..}`.
fn bounds<T>(body: &mut Body<'_>, key: &str, read: &impl Fn(&str, &Value) -> EsResult<T>) -> EsResult<Bounds<T>> {
    let Some(value) = body.take(key) else { return Ok(Bounds { min: None, max: None }) };
    let mut inner = Body::inner(body.place(), key, value)?;
    let min = inner.take("min").map(|value| read("min", value)).transpose()?;
    let max = inner.take("max").map(|value| read("max", value)).transpose()?;
    inner.end()?;
    Ok(Bounds { min, max })
}

fn check_bounds<T: PartialOrd>(
    place: Place<'_>,
    extended: &Bounds<T>,
    hard: &Bounds<T>,
    print: impl Fn(&T) -> String,
) -> EsResult<()> {
    if let (Some(min), Some(max)) = (&extended.min, &extended.max)
        && min > max
    {
        return Err(EsError::illegal_argument(format!(
            "[extended_bounds.min][{}] cannot be greater than [extended_bounds.max][{}] for histogram aggregation [{}]",
            print(min),
            print(max),
            place.name
        )));
    }
    let below = matches!((&extended.min, &hard.min), (Some(extended), Some(hard)) if extended < hard);
    let above = matches!((&extended.max, &hard.max), (Some(extended), Some(hard)) if extended > hard);
    if below || above {
        return Err(EsError::illegal_argument(format!(
            "Extended bounds have to be inside hard bounds, in the aggregation [{}]",
            place.name
        )));
    }
    Ok(())
}

/// Reads `date_histogram`.
pub(super) fn date_histogram(body: &mut Body<'_>, context: &QueryContext<'_>) -> EsResult<AggregationKind> {
    let place = body.place();
    let mut source = source(body, Formatted::Yes)?;
    source.value_type.get_or_insert(ValueType::Date);
    let rounding = rounding(body, &source)?;
    let dates = Dates::new(&source, context)?;
    let bound = |_: &str, value: &Value| dates.read(place, value, Missing::Least);
    let extended_bounds = bounds(body, "extended_bounds", &bound)?;
    let hard_bounds = bounds(body, "hard_bounds", &bound)?;
    check_bounds(place, &extended_bounds, &hard_bounds, |millis| dates.formats.format(*millis, None))?;
    Ok(AggregationKind::DateHistogram(DateHistogram {
        rounding,
        source,
        min_doc_count: body.count("min_doc_count")?.unwrap_or(0),
        extended_bounds,
        hard_bounds,
        keyed: body.flag("keyed")?.unwrap_or(false),
        order: order(body, by_key())?,
    }))
}

/// Reads `calendar_interval`, `fixed_interval`, `time_zone` (which the source has) and `offset`.
pub(super) fn rounding(body: &mut Body<'_>, source: &ValueSource) -> EsResult<Rounding> {
    let place = body.place();
    if let Some(interval) = body.text("interval")? {
        return Err(EsError::illegal_argument(format!(
            "[interval] on [date_histogram] is deprecated, use [fixed_interval] or [calendar_interval] in the future. (interval \
             [{interval}] of [{}] is not supported by Bifocal, as in Elasticsearch 8)",
            place.name
        )));
    }
    let interval = match (body.text("calendar_interval")?, body.text("fixed_interval")?) {
        (Some(_), Some(_)) => {
            let reason = "Cannot use [fixed_interval] with [calendar_interval] configuration option.";
            return Err(failed_field(place, "fixed_interval", EsError::illegal_argument(reason)));
        }
        (Some(unit), None) => Interval::Calendar(CalendarUnit::parse(&unit).ok_or_else(|| {
            let reason = format!("The supplied interval [{unit}] could not be parsed as a calendar interval.");
            failed_field(place, "calendar_interval", EsError::illegal_argument(reason))
        })?),
        (None, Some(length)) => match duration(&length) {
            Some(millis) if millis > 0 => Interval::Fixed(millis),
            Some(_) => {
                return Err(EsError::illegal_argument("Zero or negative time interval not supported"));
            }
            None => {
                let reason = format!(
                    "failed to parse setting [date_histogram.fixedInterval] with value [{length}] as a time value: unit is missing or \
                     unrecognized"
                );
                return Err(failed_field(place, "fixed_interval", EsError::illegal_argument(reason)));
            }
        },
        (None, None) => {
            return Err(EsError::illegal_argument("Invalid interval specified, must be non-null and non-empty"));
        }
    };
    let offset = match body.take("offset") {
        None => 0,
        Some(Value::Number(millis)) => millis.as_i64().unwrap_or(0),
        Some(value) => {
            let written = text(place, "offset", value)?;
            let (sign, length) = match written.strip_prefix('-') {
                Some(length) => (-1, length),
                None => (1, written.strip_prefix('+').unwrap_or(&written)),
            };
            sign * duration(length).ok_or_else(|| {
                refuse(
                    place,
                    format!("failed to parse setting [date_histogram.offset] with value [{written}] as a time value"),
                )
            })?
        }
    };
    let zone = match &source.time_zone {
        Some(zone) => Some(date::zone(zone)?).filter(|zone| *zone != TimeZone::UTC),
        None => None,
    };
    Ok(Rounding { interval, zone, offset })
}

/// A length of time (`90m`) in milliseconds.
pub(super) fn duration(text: &str) -> Option<i64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.trim_end_matches(|char: char| char.is_ascii_alphabetic());
    let count: f64 = digits.trim().parse().ok()?;
    let unit: f64 = match text.get(digits.len()..)? {
        "ms" => 1.0,
        "s" => 1_000.0,
        "m" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        "micros" => 0.001,
        "nanos" => 0.000_001,
        _ => return None,
    };
    #[expect(clippy::cast_possible_truncation, reason = "the fraction of a millisecond goes")]
    Some((count * unit) as i64)
}

/// Reads dates as a field, or the request, writes them.
pub(super) struct Dates {
    pub(super) formats: DateFormats,
    pub(super) zone: Option<TimeZone>,
    now_millis: i64,
}

impl Dates {
    pub(super) fn new(source: &ValueSource, context: &QueryContext<'_>) -> EsResult<Self> {
        let formats = match &source.format {
            Some(format) => DateFormats::read(format)?,
            None => context.fields.find(&source.field).map(|field| field.date_formats().clone()).unwrap_or_default(),
        };
        let zone = source.time_zone.as_deref().map(date::zone).transpose()?;
        Ok(Self { formats, zone, now_millis: context.now_millis })
    }

    /// Milliseconds since 1970 of a number of them, or of a date with date math.
    pub(super) fn read(&self, place: Place<'_>, value: &Value, missing: Missing) -> EsResult<i64> {
        match value {
            // A number is milliseconds, but for formats that read it otherwise.
            Value::Number(number) => {
                let text = number.to_string();
                let read = self.formats.parse(&text, self.zone.as_ref(), missing).filter(|_| number.is_i64());
                #[expect(clippy::cast_possible_truncation, reason = "milliseconds, saturating")]
                Ok(read.or_else(|| number.as_i64()).unwrap_or_else(|| number.as_f64().unwrap_or(0.0) as i64))
            }
            other => {
                let math = DateMath { formats: &self.formats, now_millis: self.now_millis, zone: self.zone.as_ref() };
                Ok(math.parse(&text(place, "date", other)?, missing)?)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn lengths_of_time_are_read() {
        for (text, millis) in [
            ("90m", Some(5_400_000)),
            ("30d", Some(2_592_000_000)),
            ("1.5h", Some(5_400_000)),
            ("10ms", Some(10)),
            ("2s", Some(2_000)),
            ("1w", None),
            ("day", None),
            ("", None),
        ] {
            assert_eq!(duration(text), millis, "{text}");
        }
    }
}
