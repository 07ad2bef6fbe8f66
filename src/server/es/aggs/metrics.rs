//! Figures: `avg`, `stats`, `percentiles` and the like.

use serde_json::Value;

use super::super::error::{EsError, EsResult};
use super::body::{Body, number};
use super::source::{Formatted, source, term_value};
use crate::aggregate::AggregationKind;
use crate::aggregate::request::ValueSource;

const PERCENTS: [f64; 7] = [1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0];
const COMPRESSION: f64 = 100.0;
/// `cardinality` is exact up to so many, and at most so many can be asked for.
const PRECISION_THRESHOLD: usize = 3_000;
const MAX_PRECISION_THRESHOLD: usize = 40_000;

/// Reads an aggregation that gives figures.
pub(super) fn metric(body: &mut Body<'_>) -> EsResult<AggregationKind> {
    let place = body.place();
    if place.kind == "weighted_avg" {
        return weighted_avg(body);
    }
    let source = source(body, Formatted::Yes)?;
    Ok(match place.kind {
        "avg" => AggregationKind::Avg(source),
        "sum" => AggregationKind::Sum(source),
        "min" => AggregationKind::Min(source),
        "max" => AggregationKind::Max(source),
        "stats" => AggregationKind::Stats(source),
        "value_count" => AggregationKind::ValueCount(source),
        "extended_stats" => {
            let sigma = body.number("sigma")?.unwrap_or(2.0);
            if sigma < 0.0 {
                return Err(EsError::illegal_argument(format!(
                    "[sigma] must be greater than or equal to 0. Found [{sigma:?}] in [{}]",
                    place.name
                )));
            }
            AggregationKind::ExtendedStats { source, sigma }
        }
        "cardinality" => {
            body.take("execution_hint");
            let threshold = body.integer("precision_threshold")?;
            if let Some(wrong) = threshold.filter(|threshold| *threshold < 0) {
                return Err(EsError::illegal_argument(format!(
                    "[precisionThreshold] must be greater than or equal to 0. Found [{wrong}] in [{}]",
                    place.name
                )));
            }
            let threshold = threshold.map(|threshold| usize::try_from(threshold).unwrap_or(usize::MAX));
            AggregationKind::Cardinality {
                source,
                precision_threshold: threshold.unwrap_or(PRECISION_THRESHOLD).min(MAX_PRECISION_THRESHOLD),
            }
        }
        "percentiles" => {
            body.refuse_null("percents")?;
            let percents = match numbers(body, "percents")? {
                None => PERCENTS.to_vec(),
                Some(percents) if percents.is_empty() => {
                    return Err(EsError::illegal_argument(
                        "[percents] must not be empty: [".to_string() + place.name + "]",
                    ));
                }
                Some(mut percents) => {
                    if let Some(wrong) = percents.iter().find(|percent| !(0.0..=100.0).contains(*percent)) {
                        return Err(EsError::illegal_argument(format!(
                            "percent must be in [0,100], got [{wrong:?}]: [{}]",
                            place.name
                        )));
                    }
                    percents.sort_by(f64::total_cmp);
                    percents.dedup();
                    percents
                }
            };
            let keyed = body.flag("keyed")?.unwrap_or(true);
            AggregationKind::Percentiles { source, percents, keyed, compression: digest_options(body)? }
        }
        "percentile_ranks" => {
            let mut values = numbers(body, "values")?.unwrap_or_default();
            if values.is_empty() {
                return Err(EsError::illegal_argument(format!(
                    "[values] must not be an empty array: [{}]",
                    place.name
                )));
            }
            values.sort_by(f64::total_cmp);
            let keyed = body.flag("keyed")?.unwrap_or(true);
            AggregationKind::PercentileRanks { source, values, keyed, compression: digest_options(body)? }
        }
        "median_absolute_deviation" => {
            let compression = compression(body, 1000.0, f64::NEG_INFINITY)?;
            if compression <= 0.0 {
                return Err(EsError::illegal_argument(format!(
                    "[compression] must be greater than 0. Found [{compression:?}] in [{}]",
                    place.name
                )));
            }
            AggregationKind::MedianAbsoluteDeviation { source, compression }
        }
        "boxplot" => AggregationKind::Boxplot { source, compression: compression(body, COMPRESSION, 0.0)? },
        _ => {
            AggregationKind::StringStats { source, show_distribution: body.flag("show_distribution")?.unwrap_or(false) }
        }
    })
}

fn numbers(body: &mut Body<'_>, key: &str) -> EsResult<Option<Vec<f64>>> {
    let place = body.place();
    match body.take(key) {
        None => Ok(None),
        Some(Value::Array(listed)) => {
            listed.iter().map(|value| number(place, key, value)).collect::<EsResult<_>>().map(Some)
        }
        Some(value) => Ok(Some(vec![number(place, key, value)?])),
    }
}

fn compression(body: &mut Body<'_>, default: f64, least: f64) -> EsResult<f64> {
    body.take("execution_hint");
    let compression = body.number("compression")?.unwrap_or(default);
    if compression < least {
        return Err(EsError::illegal_argument(format!(
            "[compression] must be greater than or equal to 0. Found [{compression:?}]"
        )));
    }
    Ok(compression.min(100_000.0))
}

/// `tdigest` (in an object or plainly); `hdr` is refused.
fn digest_options(body: &mut Body<'_>) -> EsResult<f64> {
    let place = body.place();
    body.refuse_unsupported("hdr")?;
    match body.take("tdigest") {
        None => compression(body, COMPRESSION, 0.0),
        Some(value) => {
            let mut inner = Body::inner(place, "tdigest", value)?;
            let compression = compression(&mut inner, COMPRESSION, 0.0)?;
            inner.end()?;
            Ok(compression)
        }
    }
}

fn weighted_avg(body: &mut Body<'_>) -> EsResult<AggregationKind> {
    let place = body.place();
    let (format, value_type) = (body.text("format")?, body.text("value_type")?);
    let _ = value_type;
    let mut part = |key: &str| -> EsResult<ValueSource> {
        let Some(value) = body.take(key) else {
            return Err(EsError::illegal_argument(format!("Required [{key}] of the aggregation [{}]", place.name)));
        };
        let mut inner = Body::inner(place, key, value)?;
        super::source::refuse_script(&mut inner)?;
        let field = inner.text("field")?.ok_or_else(|| {
            EsError::illegal_argument("Required one of fields [field, script], but none were specified. ")
        })?;
        let missing = inner.take("missing").map(|value| term_value(place, "missing", value)).transpose()?;
        inner.end()?;
        Ok(ValueSource { field, missing, format: format.clone(), ..ValueSource::default() })
    };
    Ok(AggregationKind::WeightedAvg { value: part("value")?, weight: part("weight")? })
}
