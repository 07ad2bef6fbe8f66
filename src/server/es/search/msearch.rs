//! `_msearch`: several searches in one request, each with its own answer or error.

use std::sync::Arc;

use axum::extract::{Path, State};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};

use super::body::SearchBody;
use super::execute::{self, SearchRequest};
use super::params::SearchParams;
use super::response::SearchResponse;
use super::{App, json, names};
use crate::server::es::error::{EsError, EsResult};
use crate::server::es::request::{Body, Params, parse_json};
use crate::server::es::response::EsResponse;
use crate::server::state::AppState;
use crate::store::catalog::IndicesOptions;

/// One search's answer.
#[derive(Serialize)]
#[serde(untagged)]
enum Item {
    Found(Box<SearchResponse>),
    Failed(Value),
}

/// `GET|POST /_msearch`.
pub(super) async fn msearch_all(state: App, params: Params, body: Body) -> EsResult<EsResponse> {
    run(state, String::new(), params, body).await
}

/// `GET|POST /{index}/_msearch`.
pub(super) async fn msearch(state: App, Path(index): Path<String>, params: Params, body: Body) -> EsResult<EsResponse> {
    run(state, index, params, body).await
}

async fn run(State(app): App, index: String, params: Params, body: Body) -> EsResult<EsResponse> {
    params.accept(&[
        "max_concurrent_searches",
        "max_concurrent_shard_requests",
        "pre_filter_shard_size",
        "ccs_minimize_roundtrips",
    ]);
    let common = SearchParams {
        typed_keys: params.bool_or("typed_keys", false)?,
        total_as_int: params.bool_or("rest_total_hits_as_int", false)?,
        global_statistics: super::params::search_type(&params)?,
        provenance: params.bool_or("provenance", false)?,
        ..SearchParams::default()
    };
    let resolve = super::targets::options(&params)?;
    params.accept(&["routing"]);
    params.finish()?;
    let requests = read(&index, body.bytes(), &common, resolve)?;
    #[derive(Serialize)]
    struct Answer {
        took: u64,
        responses: Vec<Item>,
    }
    let began = std::time::Instant::now();
    // Searches that a cross-encoder reads for belong to the threads for inference, here as alone.
    let (reranked, others): (Vec<_>, Vec<_>) = (0_usize..)
        .zip(requests)
        .partition(|(_, request)| request.as_ref().is_ok_and(|request| super::hybrid::reranks(&request.search)));
    let others = super::embedding::embed_each(&app, others).await?;
    let state = app.clone();
    let answers = move |requests: Vec<(usize, EsResult<SearchRequest>)>| {
        let answer = |(place, request)| (place, answer(&state, request));
        Ok(requests.into_iter().map(answer).collect::<Vec<_>>())
    };
    let slow = answers.clone();
    let places: Vec<usize> = reranked.iter().map(|(place, _)| *place).collect();
    let reranked = async {
        if reranked.is_empty() {
            return Vec::new();
        }
        // That too much waits for a re-ranking is no fault of the other searches.
        let refused = |error: EsError| places.into_iter().map(|place| (place, Item::Failed(error.to_body()))).collect();
        app.infer(move || slow(reranked)).await.unwrap_or_else(refused)
    };
    let others = async { if others.is_empty() { Ok(Vec::new()) } else { app.search(move || answers(others)).await } };
    let (reranked, others) = tokio::join!(reranked, others);
    let mut items = others?;
    items.extend(reranked);
    items.sort_by_key(|(place, _)| *place);
    let responses = items.into_iter().map(|(_, item)| item).collect();
    let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    app.search(move || EsResponse::serialize(&Answer { took, responses })).await
}

fn answer(app: &Arc<AppState>, request: EsResult<SearchRequest>) -> Item {
    match request.and_then(|request| execute::search(app, request)) {
        Ok(mut response) => {
            response.status = Some(200);
            Item::Found(Box::new(response))
        }
        Err(error) => Item::Failed(error.to_body()),
    }
}

/// Reads pairs of lines: a header and a body.
///
/// A header that cannot be read fails the request; a body that cannot be, its own search.
fn read(
    index: &str,
    bytes: &Bytes,
    common: &SearchParams,
    resolve: IndicesOptions,
) -> EsResult<Vec<EsResult<SearchRequest>>> {
    let invalid = |text: &str| EsError::illegal_argument(text);
    if !bytes.ends_with(b"\n") {
        return Err(invalid("The msearch request must be terminated by a newline [\n]"));
    }
    let mut requests = Vec::new();
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).collect();
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    let mut lines = lines.into_iter();
    while let Some(header) = lines.next() {
        // An empty header is one without members.
        let header = if header.is_empty() { Map::new() } else { object(header)? };
        let Some(body) = lines.next().filter(|body| !body.is_empty()) else {
            return Err(invalid("the last search of the msearch request has no body"));
        };
        let mut request = one(index, &header, body, common, resolve);
        // As in Elasticsearch, this is a fault of the whole request.
        if let Ok(request) = &mut request {
            request.params.check_total(&mut request.search)?;
        }
        requests.push(request);
    }
    if requests.is_empty() {
        return Err(execute::validation(&["no requests added"]));
    }
    Ok(requests)
}

fn one(
    index: &str,
    header: &Map<String, Value>,
    body: &[u8],
    common: &SearchParams,
    resolve: IndicesOptions,
) -> EsResult<SearchRequest> {
    let mut request =
        SearchRequest { indices: names(index), params: common.clone(), resolve, ..SearchRequest::default() };
    for (name, member) in header {
        match name.as_str() {
            "index" | "indices" => {
                if !member.is_null() {
                    let listed = json::texts("msearch", name, member)?;
                    request.indices = listed.iter().flat_map(|part| names(part)).collect();
                }
            }
            "search_type" => match json::text("msearch", name, member)?.as_str() {
                "query_then_fetch" => request.params.global_statistics = false,
                "dfs_query_then_fetch" => request.params.global_statistics = true,
                other => return Err(EsError::illegal_argument(format!("No search type for [{other}]"))),
            },
            "allow_partial_search_results" => {
                request.params.all_or_nothing = !json::boolean("msearch", name, member)?;
            }
            "ignore_unavailable" | "ignoreUnavailable" => {
                request.resolve.ignore_unavailable = json::boolean("msearch", name, member)?;
            }
            "allow_no_indices" | "allowNoIndices" => {
                request.resolve.allow_no_indices = json::boolean("msearch", name, member)?;
            }
            "expand_wildcards" | "expandWildcards" => {
                let states = json::texts("msearch", name, member)?.join(",");
                let params = Params::parse("_msearch", &format!("expand_wildcards={states}"));
                request.resolve = crate::server::es::targets::read_options(&params, request.resolve)?;
            }
            "preference"
            | "routing"
            | "request_cache"
            | "requestCache"
            | "ccs_minimize_roundtrips"
            | "ignore_throttled" => {}
            _ => {
                return Err(EsError::illegal_argument(format!(
                    "key [{name}] is not supported in the metadata section"
                )));
            }
        }
    }
    let mut body = object(body)?;
    super::hybrid::unfold(&mut body)?;
    request.search = SearchBody::parse(&body)?;
    Ok(request)
}

fn object(line: &[u8]) -> EsResult<Map<String, Value>> {
    match parse_json(line)? {
        Value::Object(object) => Ok(object),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            Err(EsError::parsing(format!("expected an object, found [{}]", json::token_name(&other))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(text: &str) -> EsResult<Vec<EsResult<SearchRequest>>> {
        read("a", &Bytes::from(text.to_string()), &SearchParams::default(), IndicesOptions::default())
    }

    #[test]
    fn lines_are_headers_and_bodies() {
        let read = requests("{}\n{\"size\":1}\n{\"index\":[\"b\",\"c,d\"]}\n{\"size\":2}\n\n{\"colour\":1}\n").unwrap();
        let indices = |at: usize| read[at].as_ref().unwrap().indices.clone();
        assert_eq!((indices(0), indices(1)), (vec!["a".to_string()], vec!["b".into(), "c".into(), "d".into()]));
        assert_eq!(read[1].as_ref().unwrap().search.size, Some(2));
        assert!(read[2].as_ref().unwrap_err().reason.contains("[colour]"));
    }

    #[test]
    fn what_is_no_msearch_is_refused() {
        for (text, what) in [
            ("{}\n{}", "terminated by a newline"),
            ("\n", "no requests added"),
            ("{}\n", "has no body"),
            ("[]\n{}\n", "expected an object"),
        ] {
            let error = requests(text).unwrap_err();
            assert!(error.reason.contains(what), "{text:?}: {error}");
        }
        let error = requests("{\"colour\":1}\n{}\n").unwrap().remove(0).unwrap_err();
        assert!(error.reason.contains("key [colour] is not supported in the metadata section"));
    }

    #[test]
    fn errors_are_items() {
        let item = Item::Failed(EsError::parsing("x").to_body());
        assert_eq!(serde_json::to_value(&item).unwrap()["status"], serde_json::json!(400));
    }
}
