//! Elasticsearch's query DSL to the engine's query tree: one file a query or a family of queries.
//!
//! In: JSON and a [`QueryContext`]. Out: a [`Query`] whose texts are analysed and whose dates are numbers, so that nothing right of here
//! needs the mapping's words. Fields that the mapping lacks match nothing, as in Elasticsearch. Whatever a query may say and this engine
//! does not have is refused by name. Read next: [`context`], `object` (how members are read), `text` (analysis to terms).

mod compound;
mod context;
mod exists;
mod field;
mod full_text;
mod function_score;
mod knn;
mod more_like_this;
mod multi_match;
mod nested;
mod object;
mod painless;
mod pinned;
mod query_string;
mod range;
mod rank_feature;
mod simple_query_string;
mod term_level;
mod text;

pub use self::context::{QueryContext, QueryLimits, SourceOf};
pub(in crate::server::es) use self::multi_match::{Fields, SimplifiedFields};

use serde_json::Value;

use super::error::{EsError, EsResult};
use crate::retrieve::query::Query;

/// Reads a query (`{"match": {..}}`).
///
/// # Errors
/// `parsing_exception` for what is no query, `illegal_argument_exception` for a value out of range or a part that is not
/// supported, `query_shard_exception` for what does not fit the index; each names the query and the field. `too_many_nested_clauses`
/// and `illegal_argument_exception` for what is too large.
pub fn parse(query: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let parsed = parse_inner(query, context)?;
    let mut left = context.limits.max_clause_count;
    check_clauses(&parsed, &mut left, context.limits.max_clause_count)?;
    Ok(parsed)
}

/// Reads a query inside of another.
fn parse_inner(query: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let _level = context.enter()?;
    let Value::Object(members) = query else {
        return Err(EsError::parsing("[_na] query malformed, must start with start_object"));
    };
    let mut members = members.iter();
    let Some((name, body)) = members.next() else {
        return Err(EsError::illegal_argument("query malformed, empty clause found"));
    };
    if !body.is_object() {
        return Err(match QUERIES.iter().any(|known| known == name) {
            true => EsError::parsing(format!("[{name}] query malformed, no start_object after query name")),
            false => unknown_query(name),
        });
    }
    let parsed = dispatch(name, body, context)?;
    if members.next().is_some() {
        return Err(EsError::parsing(format!(
            "[{name}] malformed query, expected [END_OBJECT] but found [FIELD_NAME]"
        )));
    }
    Ok(parsed)
}

fn dispatch(name: &str, body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    match name {
        "bool" => compound::bool(body, context),
        "boosting" => compound::boosting(body, context),
        "combined_fields" => multi_match::combined_fields(body, context),
        "constant_score" => compound::constant_score(body, context),
        "dis_max" => compound::dis_max(body, context),
        "distance_feature" => rank_feature::distance_feature(body, context),
        "exists" => exists::exists(body, context),
        "function_score" => function_score::function_score(body, context),
        "fuzzy" => term_level::fuzzy(body, context),
        "ids" => exists::ids(body, context),
        "knn" => knn::knn(body, context),
        "match" => full_text::matching(body, context),
        "match_all" => compound::match_all(body),
        "match_bool_prefix" => full_text::match_bool_prefix(body, context),
        "match_none" => compound::match_none(body),
        "match_phrase" => full_text::match_phrase(body, context),
        "match_phrase_prefix" => full_text::match_phrase_prefix(body, context),
        "more_like_this" => more_like_this::more_like_this(body, context),
        "multi_match" => multi_match::multi_match(body, context),
        "nested" => nested::nested(body, context),
        "pinned" => pinned::pinned(body, context),
        "prefix" => term_level::prefix(body, context),
        "query_string" => query_string::query_string(body, context),
        "range" => range::range(body, context),
        "rank_feature" => rank_feature::rank_feature(body, context),
        "regexp" => term_level::regexp(body, context),
        "script_score" => function_score::script_score(body, context),
        "semantic" => knn::semantic(body, context),
        "simple_query_string" => simple_query_string::simple_query_string(body, context),
        "term" => term_level::term(body, context),
        "terms" => term_level::terms(body, context),
        "wildcard" => term_level::wildcard(body, context),
        "wrapper" => compound::wrapper(body, context),
        other if REFUSED.contains(&other) => Err(EsError::unsupported(format!("the query [{other}]"))),
        other => Err(unknown_query(other)),
    }
}

/// The queries that are understood.
const QUERIES: &[&str] = &[
    "bool",
    "boosting",
    "combined_fields",
    "constant_score",
    "dis_max",
    "distance_feature",
    "exists",
    "function_score",
    "fuzzy",
    "ids",
    "knn",
    "match",
    "match_all",
    "match_bool_prefix",
    "match_none",
    "match_phrase",
    "match_phrase_prefix",
    "more_like_this",
    "multi_match",
    "nested",
    "pinned",
    "prefix",
    "query_string",
    "range",
    "rank_feature",
    "regexp",
    "script_score",
    "semantic",
    "simple_query_string",
    "term",
    "terms",
    "wildcard",
    "wrapper",
];

/// Elasticsearch's other queries.
const REFUSED: &[&str] = &[
    "field_masking_span",
    "geo_bounding_box",
    "geo_distance",
    "geo_grid",
    "geo_polygon",
    "geo_shape",
    "has_child",
    "has_parent",
    "intervals",
    "parent_id",
    "percolate",
    "rule",
    "rule_query",
    "script",
    "shape",
    "span_containing",
    "span_first",
    "span_multi",
    "span_near",
    "span_not",
    "span_or",
    "span_term",
    "span_within",
    "sparse_vector",
    "terms_set",
    "text_expansion",
    "weighted_tokens",
];

fn unknown_query(name: &str) -> EsError {
    EsError::parsing(format!("unknown query [{name}]{}", object::suggestion(name, QUERIES)))
}

/// Counts the leaves of a query.
fn check_clauses(query: &Query, left: &mut usize, limit: usize) -> EsResult<()> {
    let children = query.children();
    if children.is_empty() {
        *left = left.checked_sub(1).ok_or_else(|| {
            EsError::new(
                400,
                "too_many_nested_clauses",
                format!("Query contains too many nested clauses; maxClauseCount is set to {limit}"),
            )
        })?;
    }
    children.into_iter().try_for_each(|child| check_clauses(child, left, limit))
}

#[cfg(test)]
mod tests;
