//! `_count`: how many documents match.

use axum::extract::{Path, State};
use serde_json::{Value, json as value};

use super::failures::{self, Failure};
use super::params::query_of;
use super::targets;
use super::{App, names, response};
use crate::retrieve::collect::{CollectRequest, TrackTotal, collect};
use crate::retrieve::query::Query;
use crate::server::es::error::{EsError, EsResult};
use crate::server::es::request::{Body, Params};
use crate::server::es::response::EsResponse;

/// `GET|POST /_count`.
pub(super) async fn count_all(state: App, params: Params, body: Body) -> EsResult<EsResponse> {
    run(state, String::new(), params, body).await
}

/// `GET|POST /{index}/_count`.
pub(super) async fn count(state: App, Path(index): Path<String>, params: Params, body: Body) -> EsResult<EsResponse> {
    run(state, index, params, body).await
}

async fn run(State(app): App, index: String, params: Params, body: Body) -> EsResult<EsResponse> {
    let resolve = targets::options(&params)?;
    params.accept(&["preference", "routing"]);
    let min_score: Option<f32> = params.number("min_score")?;
    let terminate_after: Option<u64> = params.number("terminate_after")?;
    let mut query = query_of(&params)?;
    params.finish()?;
    for (name, member) in body.object()?.unwrap_or_default() {
        match name.as_str() {
            "query" if member.is_object() => query = query.or(Some(member)),
            _ => {
                return Err(EsError::parsing(format!("request does not support [{name}]")));
            }
        }
    }
    let state = app.clone();
    app.search(move || {
        let targets = targets::resolve(&state, &names(&index), resolve, 10)?;
        let node = &state.options.node_name;
        let mut failed = Vec::new();
        let (mut count, mut terminated) = (0_u64, false);
        for target in &targets {
            let counted = count_in(target, query.as_ref(), min_score, terminate_after.filter(|most| *most > 0));
            match counted {
                Ok((found, early)) => {
                    count += found;
                    terminated |= early;
                }
                Err(error) if failures::is_request_error(&error) => return Err(error),
                Err(error) => failed.push(Failure { index: target.index.clone(), error }),
            }
        }
        if !failed.is_empty() && failed.len() == targets.len() {
            return Err(failures::all_failed(&failed, "query", node));
        }
        let mut answer = value!({"count": count});
        if terminate_after.is_some_and(|most| most > 0) {
            answer["terminated_early"] = value!(terminated);
        }
        answer["_shards"] = response::shards(targets.len(), &failed, node);
        Ok(EsResponse::json(answer))
    })
    .await
}

fn count_in(
    target: &super::target::Target,
    query: Option<&Value>,
    min_score: Option<f32>,
    terminate_after: Option<u64>,
) -> EsResult<(u64, bool)> {
    let query = query.map_or(Ok(Query::MatchAll), |query| target.parse_query(query))?;
    let query = target.searcher.lexical().resolve(&target.filtered(query)?)?;
    let request =
        CollectRequest { min_score, terminate_after, track_total: TrackTotal::Exact, ..CollectRequest::top(&query, 0) };
    let collected = collect(&target.searcher, &request)?;
    Ok((collected.total.value, collected.terminated_early))
}
