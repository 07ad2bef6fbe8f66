//! `rank_feature` and `distance_feature`: scores by the value of a field.
//!
//! <https://www.elastic.co/guide/en/elasticsearch/reference/8.18/query-dsl-rank-feature-query.html>

use serde_json::Value;

use super::super::error::{EsError, EsResult};
use super::context::QueryContext;
use super::field::{DateReading, Kind, Rounding, kind_of, type_of};
use super::object::{self, Common};
use crate::retrieve::query::{DistanceFeatureQuery, Query, RankFeatureQuery, RankFunction};
use crate::schema::flatten::FieldKind;

/// `rank_feature`.
pub(super) fn rank_feature(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let (mut field, mut function, mut common) = (None, None, Common::default());
    for (key, value) in object::members("rank_feature", body)? {
        match key.as_str() {
            "field" => field = Some(object::text("rank_feature", key, value)?),
            "saturation" | "log" | "sigmoid" | "linear" => {
                if function.is_some() {
                    return Err(EsError::illegal_argument(
                        "Can only specify one of [log], [saturation], [sigmoid] and [linear]",
                    ));
                }
                function = Some(read_function(key, value)?);
            }
            _ if common.take("rank_feature", key, value)? => {}
            _ => return Err(EsError::parsing(format!("[rank_feature] unknown field [{key}]"))),
        }
    }
    let field = field.ok_or_else(|| EsError::illegal_argument("Required [field]"))?;
    let function = function.unwrap_or(RankFunction::Saturation { pivot: None });
    let Some(found) = context.find(&field) else { return Ok(common.around(Query::MatchNone)) };
    let positive = match found.extra.mapping.as_deref().map(|mapping| &mapping.kind) {
        Some(FieldKind::RankFeature { positive_score_impact } | FieldKind::RankFeatures { positive_score_impact }) => {
            *positive_score_impact
        }
        _ => {
            return Err(context.cannot_create(
                "illegal_argument_exception",
                format!(
                    "[rank_feature] query only works on [rank_feature] fields and features of [rank_features] fields, not [{}]",
                    type_of(&found)
                ),
            ));
        }
    };
    if !positive && matches!(function, RankFunction::Log { .. }) {
        return Err(context.cannot_create(
            "illegal_argument_exception",
            "Cannot use the [log] function with a field that has a negative score impact as it would trigger negative scores",
        ));
    }
    Ok(common.around(Query::RankFeature(RankFeatureQuery { field, function })))
}

fn read_function(name: &str, value: &Value) -> EsResult<RankFunction> {
    let (mut pivot, mut scaling_factor, mut exponent) = (None, None, None);
    for (key, value) in object::members("rank_feature", value)? {
        let number = object::float("rank_feature", key, value)?;
        match (name, key.as_str()) {
            ("saturation" | "sigmoid", "pivot") => pivot = Some(number),
            ("sigmoid", "exponent") => exponent = Some(number),
            ("log", "scaling_factor") => scaling_factor = Some(number),
            _ => return Err(EsError::parsing(format!("[{name}] unknown field [{key}]"))),
        }
    }
    let positive = |what: &str, number: f32| {
        if number.is_finite() && number > 0.0 {
            Ok(number)
        } else {
            Err(EsError::illegal_argument(format!("{what} must be > 0, got: {number}")))
        }
    };
    let missing = |what: &str| EsError::illegal_argument(format!("Required [{what}]"));
    Ok(match name {
        "log" => {
            let scaling_factor = scaling_factor.ok_or_else(|| missing("scaling_factor"))?;
            if !scaling_factor.is_finite() || scaling_factor < 1.0 {
                return Err(EsError::illegal_argument(format!("scalingFactor must be >= 1, got: {scaling_factor}")));
            }
            RankFunction::Log { scaling_factor }
        }
        "sigmoid" => RankFunction::Sigmoid {
            pivot: positive("pivot", pivot.ok_or_else(|| missing("pivot"))?)?,
            exponent: positive("exp", exponent.ok_or_else(|| missing("exponent"))?)?,
        },
        "linear" => RankFunction::Linear,
        _ => RankFunction::Saturation { pivot: pivot.map(|pivot| positive("pivot", pivot)).transpose()? },
    })
}

/// `distance_feature` over dates.
pub(super) fn distance_feature(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let (mut field, mut origin, mut pivot, mut common) = (None, None, None, Common::default());
    for (key, value) in object::members("distance_feature", body)? {
        match key.as_str() {
            "field" => field = Some(object::text("distance_feature", key, value)?),
            "origin" => origin = Some(value),
            "pivot" => pivot = Some(object::text("distance_feature", key, value)?),
            _ if common.take("distance_feature", key, value)? => {}
            _ => return Err(EsError::parsing(format!("[distance_feature] unknown field [{key}]"))),
        }
    }
    let missing = |what: &str| EsError::illegal_argument(format!("Required [{what}]"));
    let field = field.ok_or_else(|| missing("field"))?;
    let origin = object::text("distance_feature", "origin", origin.ok_or_else(|| missing("origin"))?)?;
    let pivot = pivot.ok_or_else(|| missing("pivot"))?;
    let Some(found) = context.find(&field) else { return Ok(common.around(Query::MatchNone)) };
    if kind_of(&found) != Kind::Date {
        return Err(context.cannot_create(
            "illegal_argument_exception",
            format!(
                "Illegal data type of [{}]![distance_feature] query can only be run on a date field here",
                type_of(&found)
            ),
        ));
    }
    // Elasticsearch reads an origin as the end of the day, month or year that it names.
    let origin = context.date(&found, &origin, &DateReading::default(), Rounding::Up)?;
    let pivot = duration("pivot", &pivot)?;
    if pivot <= 0 {
        return Err(EsError::illegal_argument("pivotDistance must be > 0"));
    }
    Ok(common.around(Query::DistanceFeature(DistanceFeatureQuery { field, origin, pivot })))
}

/// A duration (`7d`, `90s`, `1.5h`) in milliseconds.
pub(super) fn duration(what: &str, text: &str) -> EsResult<i64> {
    let refuse = || {
        EsError::illegal_argument(format!(
            "failed to parse setting [{what}] with value [{text}] as a time value: unit is missing or unrecognized"
        ))
    };
    let trimmed = text.trim().to_ascii_lowercase();
    if trimmed == "0" {
        return Ok(0);
    }
    let split = trimmed.find(|character: char| character.is_ascii_alphabetic()).ok_or_else(refuse)?;
    let (number, unit) = trimmed.split_at(split);
    let millis = match unit {
        "nanos" => 1e-6,
        "micros" => 1e-3,
        "ms" => 1.0,
        "s" => 1e3,
        "m" => 60e3,
        "h" => 3600e3,
        "d" => 86400e3,
        _ => return Err(refuse()),
    };
    let number: f64 = number.trim().parse().map_err(|_| refuse())?;
    let product = number * millis;
    if !product.is_finite() || product.abs() > 9e15 {
        return Err(refuse());
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked to be in range")]
    Ok(product as i64)
}
