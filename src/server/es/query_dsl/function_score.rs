//! `function_score` and `script_score`: another query's documents, scored by functions or an expression.
//!
//! <https://www.elastic.co/guide/en/elasticsearch/reference/8.18/query-dsl-function-score-query.html>

use serde_json::Value;

use super::super::error::{EsError, EsResult};
use super::context::QueryContext;
use super::field::{DateReading, Kind, Rounding, kind_of, type_of};
use super::object::{self, Common};
use super::rank_feature::duration;
use super::{painless, parse_inner};
use crate::retrieve::lexical::mix;
use crate::retrieve::query::script::{Expression, Script};
use crate::retrieve::query::{
    BoostMode, Decay, DecayShape, FieldValueFactor, FunctionClause, FunctionScoreQuery, Modifier, MultiValueMode,
    Query, RandomScore, ScoreFunction, ScoreMode, ScriptScoreQuery,
};

const QUERY: &str = "function_score";

/// `function_score`.
pub(super) fn function_score(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let (mut inner, mut functions, mut common) = (None, None, Common::default());
    let mut single: Option<(String, ScoreFunction)> = None;
    let mut single_weight = None;
    let (mut score_mode, mut boost_mode) = (ScoreMode::default(), BoostMode::default());
    let (mut max_boost, mut min_score) = (None, None);
    for (key, value) in object::members(QUERY, body)? {
        match key.as_str() {
            "query" => inner = Some(parse_inner(value, context)?),
            "functions" => functions = Some(read_functions(value, context)?),
            "score_mode" => score_mode = read_score_mode(&object::text(QUERY, key, value)?)?,
            "boost_mode" => boost_mode = read_boost_mode(&object::text(QUERY, key, value)?)?,
            "max_boost" => max_boost = Some(object::float(QUERY, key, value)?),
            "min_score" => min_score = Some(object::float(QUERY, key, value)?),
            "weight" => single_weight = Some(object::float(QUERY, key, value)?),
            _ if common.take(QUERY, key, value)? => {}
            _ => match read_function(key, value, context)? {
                Some(_) if single.is_some() => {
                    return Err(EsError::parsing(format!(
                        "failed to parse [{QUERY}] query. already found function [{}], now encountering [{key}]. use [functions] array if you want to define several functions.",
                        single.as_ref().map_or("", |(name, _)| name)
                    )));
                }
                Some(function) => single = Some((key.clone(), function)),
                None => {
                    return Err(EsError::parsing(format!(
                        "failed to parse [{QUERY}] query. field [{key}] is not supported"
                    )));
                }
            },
        }
    }
    let functions = match (functions, single, single_weight) {
        (Some(_), Some((name, _)), _) => {
            return Err(EsError::parsing(format!(
                "failed to parse [{QUERY}] query. already found [functions] array, now encountering [{name}]."
            )));
        }
        (Some(_), None, Some(_)) => {
            return Err(EsError::parsing(format!(
                "failed to parse [{QUERY}] query. already found [functions] array, now encountering [weight]."
            )));
        }
        (Some(functions), None, None) => functions,
        (None, None, None) => Vec::new(),
        (None, single, weight) => {
            vec![FunctionClause { filter: None, weight, function: single.map(|(_, function)| function) }]
        }
    };
    Ok(common.around(Query::FunctionScore(FunctionScoreQuery {
        query: Box::new(inner.unwrap_or(Query::MatchAll)),
        functions,
        score_mode,
        boost_mode,
        max_boost,
        min_score,
    })))
}

fn read_functions(value: &Value, context: &QueryContext<'_>) -> EsResult<Vec<FunctionClause>> {
    let Value::Array(values) = value else { return Err(object::misfit(QUERY, "functions", value, "an array")) };
    let read = |value: &Value| {
        let mut clause = FunctionClause { filter: None, weight: None, function: None };
        for (key, value) in object::members(QUERY, value)? {
            match key.as_str() {
                "filter" => clause.filter = Some(parse_inner(value, context)?),
                "weight" => clause.weight = Some(object::float(QUERY, key, value)?),
                _ => match read_function(key, value, context)? {
                    Some(_) if clause.function.is_some() => {
                        return Err(EsError::parsing(
                            "failed to parse function_score functions. already found a function, and another follows",
                        ));
                    }
                    Some(function) => clause.function = Some(function),
                    None => {
                        return Err(EsError::parsing(format!(
                            "failed to parse [{QUERY}] query. field [{key}] is not supported"
                        )));
                    }
                },
            }
        }
        if clause.function.is_none() && clause.weight.is_none() {
            return Err(EsError::parsing("an entry in functions list is missing a function."));
        }
        Ok(clause)
    };
    values.iter().map(read).collect()
}

/// A function by its name; `None` when there is none of it.
fn read_function(name: &str, value: &Value, context: &QueryContext<'_>) -> EsResult<Option<ScoreFunction>> {
    Ok(Some(match name {
        "field_value_factor" => field_value_factor(value, context)?,
        "gauss" => decay(DecayShape::Gauss, name, value, context)?,
        "exp" => decay(DecayShape::Exp, name, value, context)?,
        "linear" => decay(DecayShape::Linear, name, value, context)?,
        "random_score" => random_score(value, context)?,
        "script_score" => {
            let members = object::members(name, value)?;
            if let Some(unknown) = members.keys().find(|key| *key != "script") {
                return Err(EsError::parsing(format!("script_score query does not support [{unknown}]")));
            }
            let script =
                members.get("script").ok_or_else(|| EsError::parsing("script_score requires 'script' field"))?;
            ScoreFunction::Script(painless::script(script, context)?)
        }
        _ => return Ok(None),
    }))
}

fn field_value_factor(value: &Value, context: &QueryContext<'_>) -> EsResult<ScoreFunction> {
    let query = "field_value_factor";
    let (mut field, mut factor, mut modifier, mut missing) = (None, 1.0, Modifier::None, None);
    for (key, value) in object::members(query, value)? {
        match key.as_str() {
            "field" => field = Some(object::text(query, key, value)?),
            "factor" => factor = object::float(query, key, value)?,
            "modifier" => modifier = read_modifier(&object::text(query, key, value)?)?,
            "missing" => missing = Some(object::double(query, key, value)?),
            _ => return Err(EsError::parsing(format!("field_value_factor query does not support [{key}]"))),
        }
    }
    let field = field.ok_or_else(|| EsError::parsing("[field_value_factor] required field 'field' missing"))?;
    match (context.find(&field), missing) {
        (None, None) => Err(context.cannot_create(
            "illegal_argument_exception",
            format!("Unable to find a field mapper for field [{field}]. No 'missing' value defined."),
        )),
        // What no document has is missing everywhere.
        (None, Some(missing)) => {
            let value = crate::retrieve::lexical::field_value(missing, f64::from(factor), modifier)
                .map_err(EsError::illegal_argument)?;
            Ok(ScoreFunction::Script(Script { source: value.to_string(), expression: Expression::Number(value) }))
        }
        (Some(found), _) if !kind_of(&found).is_number() => Err(context.cannot_create(
            "illegal_argument_exception",
            format!(
                "field_value_factor needs a field of numbers, not [{field}] which is of type [{}]",
                type_of(&found)
            ),
        )),
        (Some(_), missing) => {
            Ok(ScoreFunction::FieldValueFactor(FieldValueFactor { field, factor, modifier, missing }))
        }
    }
}

fn read_modifier(text: &str) -> EsResult<Modifier> {
    Ok(match text.to_ascii_lowercase().as_str() {
        "none" => Modifier::None,
        "log" => Modifier::Log,
        "log1p" => Modifier::Log1p,
        "log2p" => Modifier::Log2p,
        "ln" => Modifier::Ln,
        "ln1p" => Modifier::Ln1p,
        "ln2p" => Modifier::Ln2p,
        "square" => Modifier::Square,
        "sqrt" => Modifier::Sqrt,
        "reciprocal" => Modifier::Reciprocal,
        _ => {
            return Err(EsError::illegal_argument(format!(
                "No enum constant org.elasticsearch.common.lucene.search.function.FieldValueFactorFunction.Modifier.{}",
                text.to_uppercase()
            )));
        }
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds of JSON are treated alike")]
fn decay(shape: DecayShape, name: &str, value: &Value, context: &QueryContext<'_>) -> EsResult<ScoreFunction> {
    let (mut found, mut multi_value_mode) = (None, MultiValueMode::Min);
    for (key, value) in object::members(name, value)? {
        match value {
            Value::Object(_) => {
                if found.is_some() {
                    return Err(EsError::parsing(format!("malformed score function score parameters for [{name}]")));
                }
                found = Some((key, value));
            }
            _ if key == "multi_value_mode" => {
                multi_value_mode = match object::text(name, key, value)?.to_ascii_lowercase().as_str() {
                    "min" => MultiValueMode::Min,
                    "max" => MultiValueMode::Max,
                    "avg" => MultiValueMode::Avg,
                    "sum" => MultiValueMode::Sum,
                    other => return Err(EsError::illegal_argument(format!("Illegal sort mode: {other}"))),
                };
            }
            _ => return Err(EsError::parsing(format!("malformed score function score parameters for [{name}]"))),
        }
    }
    let (field, parameters) =
        found.ok_or_else(|| EsError::parsing(format!("malformed score function score parameters for [{name}]")))?;
    let Some(mapped) = context.find(field) else {
        return Err(context.shard_error(format!("failed to create query: unknown field [{field}]")));
    };
    let kind = kind_of(&mapped);
    if !matches!(kind, Kind::Date | Kind::Whole | Kind::Fraction) {
        return Err(context.cannot_create(
            "parsing_exception",
            format!("field [{field}] is of type [{}], but only numeric types are supported.", type_of(&mapped)),
        ));
    }
    let (mut origin, mut scale, mut offset, mut decay) = (None, None, 0.0, 0.5);
    let length = |key: &str, value: &Value| -> EsResult<f64> {
        if kind == Kind::Date {
            Ok(duration(key, &object::text(name, key, value)?)? as f64)
        } else {
            object::double(name, key, value)
        }
    };
    for (key, value) in object::members(name, parameters)? {
        match key.as_str() {
            "origin" if kind == Kind::Date => {
                let text = object::text(name, key, value)?;
                origin = Some(context.date(&mapped, &text, &DateReading::default(), Rounding::Down)? as f64);
            }
            "origin" => origin = Some(object::double(name, key, value)?),
            "scale" => scale = Some(length(key, value)?),
            "offset" => offset = length(key, value)?,
            "decay" => decay = object::double(name, key, value)?,
            _ => return Err(EsError::parsing(format!("parameter [{key}] not supported!"))),
        }
    }
    let origin = match origin {
        Some(origin) => origin,
        None if kind == Kind::Date => context.now_millis as f64,
        None => return Err(EsError::parsing("both [scale] and [origin] must be set for numeric fields.")),
    };
    let scale = scale.ok_or_else(|| EsError::parsing("[scale] must be set for a decay function."))?;
    if scale <= 0.0 {
        return Err(EsError::illegal_argument(format!("{name} : scale must be > 0.0.")));
    }
    if decay <= 0.0 || decay >= 1.0 {
        return Err(EsError::illegal_argument(format!("{name} : decay must be in the range [0..1].")));
    }
    if offset < 0.0 {
        return Err(EsError::illegal_argument(format!("{name} : offset must be > 0.0")));
    }
    Ok(ScoreFunction::Decay(Decay { field: field.clone(), shape, origin, scale, offset, decay, multi_value_mode }))
}

fn random_score(value: &Value, context: &QueryContext<'_>) -> EsResult<ScoreFunction> {
    let (mut seed, mut field) = (None, None);
    for (key, value) in object::members("random_score", value)? {
        match (key.as_str(), value) {
            ("seed", Value::Number(number)) => {
                let number = number.as_i64().ok_or_else(|| {
                    EsError::parsing("random_score seed must be an int, long or string, not a fraction")
                })?;
                seed = Some(i32::try_from(number).unwrap_or_else(|_| long_hash(number)));
            }
            ("seed", Value::String(text)) => seed = Some(text_hash(text)),
            ("seed", other) => {
                return Err(EsError::parsing(format!(
                    "random_score seed must be an int, long or string, not '{other}'"
                )));
            }
            ("field", value) => field = Some(object::text("random_score", key, value)?),
            _ => return Err(EsError::parsing(format!("random_score query does not support [{key}]"))),
        }
    }
    let salt = text_hash(context.index).wrapping_shl(10);
    let field = match (seed, field) {
        (None, _) => None,
        (Some(_), None) => Some("_id".to_string()),
        (Some(_), Some(field)) => Some(field),
    };
    if let Some(field) = &field
        && !matches!(field.as_str(), "_id" | "_seq_no")
    {
        match context.find(field) {
            None => {
                return Err(context.cannot_create(
                    "illegal_argument_exception",
                    format!(
                        "Field [{field}] is not mapped on [{}] and cannot be used as a source of random numbers.",
                        context.index
                    ),
                ));
            }
            Some(found) if !kind_of(&found).is_number() => {
                return Err(EsError::unsupported(format!(
                    "random_score over the field [{field}] of type [{}]",
                    type_of(&found)
                )));
            }
            Some(_) => {}
        }
    }
    let seed = seed.unwrap_or_else(|| long_hash(context.now_millis));
    Ok(ScoreFunction::Random(RandomScore { salted_seed: mix(seed ^ salt), field }))
}

/// Java's hash of a `long`.
fn long_hash(number: i64) -> i32 {
    let bits = number.cast_unsigned();
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
    ((bits ^ (bits >> 32)) as u32).cast_signed()
}

/// Java's hash of a text.
fn text_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

fn read_score_mode(text: &str) -> EsResult<ScoreMode> {
    Ok(match text {
        "multiply" => ScoreMode::Multiply,
        "sum" => ScoreMode::Sum,
        "avg" => ScoreMode::Avg,
        "first" => ScoreMode::First,
        "max" => ScoreMode::Max,
        "min" => ScoreMode::Min,
        other => return Err(EsError::illegal_argument(format!("illegal score_mode [{other}]"))),
    })
}

fn read_boost_mode(text: &str) -> EsResult<BoostMode> {
    Ok(match text {
        "multiply" => BoostMode::Multiply,
        "replace" => BoostMode::Replace,
        "sum" => BoostMode::Sum,
        "avg" => BoostMode::Avg,
        "max" => BoostMode::Max,
        "min" => BoostMode::Min,
        other => return Err(EsError::illegal_argument(format!("illegal boost_mode [{other}]"))),
    })
}

/// `script_score`.
pub(super) fn script_score(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let (mut inner, mut script, mut min_score, mut common) = (None, None, None, Common::default());
    for (key, value) in object::members("script_score", body)? {
        match key.as_str() {
            "query" => inner = Some(parse_inner(value, context)?),
            "script" => script = Some(painless::script(value, context)?),
            "min_score" => min_score = Some(object::float("script_score", key, value)?),
            _ if common.take("script_score", key, value)? => {}
            _ => return Err(EsError::parsing(format!("[script_score] unknown field [{key}]"))),
        }
    }
    let missing = |what: &str| EsError::illegal_argument(format!("Required [{what}]"));
    Ok(common.around(Query::ScriptScore(ScriptScoreQuery {
        query: Box::new(inner.ok_or_else(|| missing("query"))?),
        script: script.ok_or_else(|| missing("script"))?,
        min_score,
    })))
}
