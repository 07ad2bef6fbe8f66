//! `match`, `match_phrase`, `match_phrase_prefix`, `match_bool_prefix`: a text in one field.
//!
//! <https://www.elastic.co/guide/en/elasticsearch/reference/8.18/full-text-queries.html>

use serde_json::Value;

use super::super::error::{EsError, EsResult};
use super::context::QueryContext;
use super::object::{self, Common};
use super::text::{Form, TextOptions};
use crate::retrieve::query::Query;

/// Parameters of `match`.
const MATCH: &[&str] = &[
    "operator",
    "minimum_should_match",
    "fuzziness",
    "prefix_length",
    "max_expansions",
    "fuzzy_transpositions",
    "fuzzy_rewrite",
    "lenient",
    "zero_terms_query",
    "analyzer",
    "auto_generate_synonyms_phrase_query",
];

/// `match`; on a semantic field, `semantic`.
pub(super) fn matching(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let (field, value) = object::one_field("match", body)?;
    let (text, options, common) = read("match", MATCH, value)?;
    let query = if context.is_semantic(field) {
        super::knn::semantic_in(field, &object::text("match", "query", text)?, context)?
    } else {
        context.text_query(field, text, Form::Words, &options)?
    };
    Ok(common.around(query))
}

/// `match_phrase`.
pub(super) fn match_phrase(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    one("match_phrase", &["slop", "analyzer", "zero_terms_query"], Form::Phrase, body, context)
}

/// `match_phrase_prefix`.
pub(super) fn match_phrase_prefix(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let known = ["slop", "analyzer", "zero_terms_query", "max_expansions"];
    one("match_phrase_prefix", &known, Form::PhrasePrefix, body, context)
}

/// `match_bool_prefix`.
pub(super) fn match_bool_prefix(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let known = [
        "operator",
        "minimum_should_match",
        "fuzziness",
        "prefix_length",
        "max_expansions",
        "fuzzy_transpositions",
        "fuzzy_rewrite",
        "analyzer",
    ];
    one("match_bool_prefix", &known, Form::BoolPrefix, body, context)
}

fn one(query: &'static str, known: &[&str], form: Form, body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let (field, value) = object::one_field(query, body)?;
    let (text, options, common) = read(query, known, value)?;
    Ok(common.around(context.text_query(field, text, form, &options)?))
}

/// A field's text and parameters: the text alone, or an object.
fn read<'v>(query: &'static str, known: &[&str], value: &'v Value) -> EsResult<(&'v Value, TextOptions, Common)> {
    let (mut options, mut common) = (TextOptions::new(query), Common::default());
    let Value::Object(members) = value else {
        if value.is_array() {
            return Err(EsError::parsing(format!("[{query}] unknown token [START_ARRAY] after [{query}]")));
        }
        return Ok((present(query, Some(value))?, options, common));
    };
    let mut text = None;
    for (key, value) in members {
        if key == "query" {
            text = Some(value);
        } else if common.take(query, key, value)? {
        } else if !known.contains(&key.as_str()) || !options.take(key, value)? {
            return Err(object::unknown(query, key));
        }
    }
    Ok((present(query, text)?, options, common))
}

/// The text, which must be there.
pub(super) fn present<'v>(query: &str, text: Option<&'v Value>) -> EsResult<&'v Value> {
    match text {
        None | Some(Value::Null) => Err(EsError::illegal_argument(format!("[{query}] requires query value"))),
        Some(other @ (Value::Array(_) | Value::Object(_))) => {
            Err(EsError::parsing(format!("[{query}] unknown token [{}] after [query]", object::token(other))))
        }
        Some(text) => Ok(text),
    }
}
