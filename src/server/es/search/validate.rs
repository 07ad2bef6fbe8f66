//! `_validate/query`: whether a query can be understood, and as what.

use axum::extract::{Path, State};
use serde_json::{Map, Value, json as value};

use super::params::query_of;
use super::targets;
use super::{App, names, response};
use crate::retrieve::query::Query;
use crate::server::es::error::EsResult;
use crate::server::es::request::{Body, Params};
use crate::server::es::response::EsResponse;

/// `GET|POST /_validate/query`.
pub(super) async fn validate_all(state: App, params: Params, body: Body) -> EsResult<EsResponse> {
    run(state, String::new(), params, body).await
}

/// `GET|POST /{index}/_validate/query`.
pub(super) async fn validate(
    state: App,
    Path(index): Path<String>,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    run(state, index, params, body).await
}

async fn run(State(app): App, index: String, params: Params, body: Body) -> EsResult<EsResponse> {
    let resolve = targets::options(&params)?;
    let explains = params.bool_or("explain", false)? | params.bool_or("rewrite", false)?;
    params.accept(&["all_shards"]);
    let mut query = query_of(&params)?;
    params.finish()?;
    let body = body.object();
    let state = app.clone();
    app.search(move || {
        let targets = targets::resolve(&state, &names(&index), resolve, 10)?;
        let mut wrong: Option<String> = None;
        match body {
            Ok(body) => {
                for (name, member) in body.unwrap_or_default() {
                    if name == "query" && member.is_object() {
                        query = query.or(Some(member));
                    } else {
                        wrong = Some(format!("request does not support [{name}]"));
                    }
                }
            }
            Err(error) => wrong = Some(error.reason),
        }
        // What is no query at all is no matter of an index.
        if let (None, Some(query)) = (&wrong, &query)
            && let Err(error) = targets::check_query(&state, query)
        {
            wrong = Some(format!("{}[{}]", java_name(&error.kind), error.reason));
        }
        if let Some(reason) = wrong {
            let mut answer = value!({"valid": false});
            if explains {
                answer["error"] = Value::String(reason);
            }
            return Ok(EsResponse::json(answer));
        }
        let mut valid = true;
        let mut explanations = Vec::new();
        for target in &targets {
            let parsed = query.as_ref().map_or(Ok(Query::MatchAll), |query| target.parse_query(query));
            // A query that cannot be compiled is as wrong as one that cannot be read.
            let checked = parsed.and_then(|query| {
                target.searcher.lexical().weight(&query, false)?;
                Ok(query)
            });
            let mut explanation = Map::from_iter([("index".to_string(), value!(target.index))]);
            explanation.insert("valid".to_string(), value!(checked.is_ok()));
            match checked {
                Ok(query) => {
                    let text = serde_json::to_string(&query).unwrap_or_default();
                    explanation.insert("explanation".to_string(), Value::String(text));
                }
                Err(error) => {
                    valid = false;
                    explanation.insert("error".to_string(), Value::String(error.to_string()));
                }
            }
            explanations.push(Value::Object(explanation));
        }
        let mut answer =
            value!({"_shards": response::shards(targets.len(), &[], &state.options.node_name), "valid": valid});
        if explains {
            answer["explanations"] = Value::Array(explanations);
        }
        Ok(EsResponse::json(answer))
    })
    .await
}

/// The name of Elasticsearch's class that is behind a type of errors: `ParsingException` for `parsing_exception`.
fn java_name(kind: &str) -> String {
    let capitalized = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default()
    };
    kind.split('_').map(capitalized).collect()
}
