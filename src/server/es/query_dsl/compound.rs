//! `bool`, `boosting`, `constant_score`, `dis_max`, `match_all`, `match_none`, `wrapper`: queries around others.
//!
//! <https://www.elastic.co/guide/en/elasticsearch/reference/8.18/compound-queries.html>

use base64::Engine as _;
use serde_json::Value;

use super::super::error::{EsError, EsResult};
use super::context::QueryContext;
use super::object::{self, Common};
use super::{parse_inner, text};
use crate::retrieve::query::{BoolQuery, BoostingQuery, DisMaxQuery, Query};

/// One query or an array of them.
pub(super) fn queries(query: &str, key: &str, value: &Value, context: &QueryContext<'_>) -> EsResult<Vec<Query>> {
    match value {
        Value::Array(values) => values.iter().map(|value| parse_inner(value, context)).collect(),
        Value::Object(_) => Ok(vec![parse_inner(value, context)?]),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err(object::misfit(query, key, value, "a query"))
        }
    }
}

/// `bool`.
pub(super) fn bool(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let (mut parts, mut common, mut minimum) = (BoolQuery::default(), Common::default(), None);
    for (key, value) in object::members("bool", body)? {
        match key.as_str() {
            "must" => parts.must = queries("bool", key, value, context)?,
            "should" => parts.should = queries("bool", key, value, context)?,
            "filter" => parts.filter = queries("bool", key, value, context)?,
            "must_not" | "mustNot" => parts.must_not = queries("bool", key, value, context)?,
            "minimum_should_match" if value.is_null() => {}
            "minimum_should_match" => minimum = Some(object::text("bool", key, value)?),
            "adjust_pure_negative" => {
                if !object::truth("bool", key, value)? {
                    return Err(object::unsupported("bool", "adjust_pure_negative: false"));
                }
            }
            _ if common.take("bool", key, value)? => {}
            _ => {
                let known = [
                    "must",
                    "should",
                    "filter",
                    "must_not",
                    "minimum_should_match",
                    "adjust_pure_negative",
                    "boost",
                    "_name",
                ];
                return Err(EsError::parsing(format!(
                    "[bool] query does not support [{key}]{}",
                    object::suggestion(key, &known)
                )));
            }
        }
    }
    if let Some(minimum) = minimum {
        parts.minimum_should_match = text::minimum_count(&minimum, parts.should.len())?;
    }
    Ok(common.around(Query::Bool(parts)))
}

/// `boosting`.
pub(super) fn boosting(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let (mut positive, mut negative, mut factor, mut common) = (None, None, None, Common::default());
    for (key, value) in object::members("boosting", body)? {
        match key.as_str() {
            "positive" => positive = Some(parse_inner(value, context)?),
            "negative" => negative = Some(parse_inner(value, context)?),
            "negative_boost" => factor = Some(object::float("boosting", key, value)?),
            _ if common.take("boosting", key, value)? => {}
            _ => return Err(object::unknown("boosting", key)),
        }
    }
    let missing = |what: &str| EsError::parsing(format!("[boosting] query requires '{what}' query to be set'"));
    let negative_boost = factor.filter(|factor| *factor >= 0.0).ok_or_else(|| {
        EsError::parsing("[boosting] query requires 'negative_boost' to be set to be a positive value'")
    })?;
    Ok(common.around(Query::Boosting(BoostingQuery {
        positive: Box::new(positive.ok_or_else(|| missing("positive"))?),
        negative: Box::new(negative.ok_or_else(|| missing("negative"))?),
        negative_boost,
    })))
}

/// `constant_score`.
pub(super) fn constant_score(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let (mut filter, mut common) = (None, Common::default());
    for (key, value) in object::members("constant_score", body)? {
        match key.as_str() {
            "filter" if value.is_array() => {
                return Err(EsError::parsing("unexpected token [START_ARRAY]"));
            }
            "filter" => {
                if filter.is_some() {
                    return Err(EsError::parsing("[constant_score] accepts only one [filter] element."));
                }
                filter = Some(parse_inner(value, context)?);
            }
            _ if common.take("constant_score", key, value)? => {}
            _ => return Err(object::unknown("constant_score", key)),
        }
    }
    let filter = filter.ok_or_else(|| EsError::parsing("[constant_score] requires a 'filter' element"))?;
    Ok(common.around(Query::ConstantScore(Box::new(filter))))
}

/// `dis_max`.
pub(super) fn dis_max(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let (mut queries_found, mut tie_breaker, mut common) = (None, 0.0, Common::default());
    for (key, value) in object::members("dis_max", body)? {
        match key.as_str() {
            "queries" => queries_found = Some(queries("dis_max", key, value, context)?),
            "tie_breaker" => tie_breaker = object::float("dis_max", key, value)?,
            _ if common.take("dis_max", key, value)? => {}
            _ => return Err(object::unknown("dis_max", key)),
        }
    }
    let queries = queries_found
        .filter(|queries| !queries.is_empty())
        .ok_or_else(|| EsError::parsing("[dis_max] requires 'queries' field with at least one clause"))?;
    Ok(common.around(Query::DisMax(DisMaxQuery { queries, tie_breaker })))
}

/// `match_all`.
pub(super) fn match_all(body: &Value) -> EsResult<Query> {
    bare("match_all", body, Query::MatchAll)
}

/// `match_none`.
pub(super) fn match_none(body: &Value) -> EsResult<Query> {
    bare("match_none", body, Query::MatchNone)
}

fn bare(query: &str, body: &Value, of: Query) -> EsResult<Query> {
    let mut common = Common::default();
    for (key, value) in object::members(query, body)? {
        if !common.take(query, key, value)? {
            return Err(EsError::parsing(format!("[{query}] unknown field [{key}]")));
        }
    }
    Ok(common.around(of))
}

/// `wrapper`: another query in base64.
pub(super) fn wrapper(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let mut inner = None;
    for (key, value) in object::members("wrapper", body)? {
        match key.as_str() {
            "query" => inner = Some(object::text("wrapper", key, value)?),
            _ => return Err(EsError::parsing(format!("[wrapper] query malformed, expected `query` but was {key}"))),
        }
    }
    let inner =
        inner.filter(|inner| !inner.is_empty()).ok_or_else(|| EsError::parsing("[wrapper] query has no [query]"))?;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(inner.as_bytes())
        .map_err(|_| EsError::parsing("[wrapper] [query] is not base64"))?;
    let query: Value = serde_json::from_slice(&bytes)
        .map_err(|error| EsError::parsing(format!("[wrapper] [query] is no JSON: {error}")))?;
    parse_inner(&query, context)
}
