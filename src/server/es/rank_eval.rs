//! `_rank_eval`: how good a search is, by rated documents. A request is any search, retrievers included.

mod metric;

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde_json::{Map, Value, json};

use self::metric::Metric;
use super::error::{EsError, EsResult};
use super::request::{Body, Params};
use super::response::EsResponse;
use super::search;
use crate::server::state::AppState;

/// The most searches of one request.
const MAX_REQUESTS: usize = 10_000;

/// The routes of this group.
pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/_rank_eval", get(everywhere).post(everywhere))
        .route("/{index}/_rank_eval", get(somewhere).post(somewhere))
}

async fn everywhere(State(app): State<Arc<AppState>>, params: Params, body: Body) -> EsResult<EsResponse> {
    evaluate(app, "_all".to_string(), params, body).await
}

async fn somewhere(
    State(app): State<Arc<AppState>>,
    Path(index): Path<String>,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    evaluate(app, index, params, body).await
}

async fn evaluate(app: Arc<AppState>, target: String, params: Params, body: Body) -> EsResult<EsResponse> {
    params.accept(&["allow_no_indices", "expand_wildcards", "ignore_unavailable", "search_type"]);
    params.finish()?;
    let body = body.required_object()?;
    for key in body.keys() {
        match key.as_str() {
            "requests" | "metric" | "max_concurrent_searches" => {}
            "templates" => return Err(EsError::unsupported("[rank_eval] with [templates]")),
            other => return Err(EsError::parsing(format!("[rank_eval] unknown field [{other}]"))),
        }
    }
    let metric = Metric::parse(body.get("metric"))?;
    let requests = body.get("requests").and_then(Value::as_array).filter(|requests| !requests.is_empty());
    let requests = requests.ok_or_else(|| EsError::parsing("[rank_eval] requires [requests], a list of searches"))?;
    if requests.len() > MAX_REQUESTS {
        return Err(EsError::illegal_argument(format!("[rank_eval] has more than {MAX_REQUESTS} requests")));
    }
    let rated = requests.iter().map(Rated::parse).collect::<EsResult<Vec<_>>>()?;
    let (mut details, mut failures, mut sum) = (Map::new(), Map::new(), 0.0);
    for request in &rated {
        if details.contains_key(&request.id) || failures.contains_key(&request.id) {
            return Err(EsError::illegal_argument(format!(
                "[rank_eval] has two requests with the id [{}]",
                request.id
            )));
        }
        let mut search_body = request.body.clone();
        search_body.insert("size".to_string(), json!(metric.k));
        search_body.entry("_source").or_insert(Value::Bool(false));
        search_body.entry("track_total_hits").or_insert(Value::Bool(false));
        match search::run_body(app.clone(), &target, search_body).await {
            Ok(answer) => {
                let (score, detail) = request.judged(&metric, &answer);
                sum += score;
                details.insert(request.id.clone(), detail);
            }
            Err(error) => {
                failures.insert(request.id.clone(), error.to_body());
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "at most ten thousand")]
    let mean = if details.is_empty() { 0.0 } else { sum / details.len() as f64 };
    Ok(EsResponse::json(json!({"metric_score": mean, "details": details, "failures": failures})))
}

/// A search and the ratings of its documents.
struct Rated {
    id: String,
    body: Map<String, Value>,
    /// By index and id.
    ratings: HashMap<(String, String), i64>,
}

impl Rated {
    fn parse(value: &Value) -> EsResult<Self> {
        let wrong = |what: &str| EsError::parsing(format!("[rank_eval] a request must have {what}"));
        let request = value.as_object().ok_or_else(|| wrong("[id], [request] and [ratings]"))?;
        for key in request.keys() {
            match key.as_str() {
                "id" | "request" | "ratings" => {}
                "template_id" | "params" | "summary_fields" => {
                    return Err(EsError::unsupported(format!("[rank_eval] a request with [{key}]")));
                }
                other => {
                    return Err(EsError::parsing(format!("[rank_eval] a request has the unknown field [{other}]")));
                }
            }
        }
        let id = request.get("id").and_then(Value::as_str).ok_or_else(|| wrong("an [id], a text"))?;
        let body = request.get("request").and_then(Value::as_object).ok_or_else(|| wrong("a [request], a search"))?;
        for key in ["aggs", "aggregations", "suggest", "highlight", "explain", "profile"] {
            if body.contains_key(key) {
                return Err(EsError::illegal_argument(format!("Query in rated requests should not contain [{key}]")));
            }
        }
        let mut ratings = HashMap::new();
        for rating in request.get("ratings").and_then(Value::as_array).ok_or_else(|| wrong("[ratings], a list"))? {
            let text = |key: &str| rating.get(key).and_then(Value::as_str).map(str::to_string);
            let (Some(index), Some(document)) = (text("_index"), text("_id")) else {
                return Err(wrong("ratings with [_index], [_id] and [rating]"));
            };
            let grade =
                rating.get("rating").and_then(Value::as_i64).ok_or_else(|| wrong("a whole number as [rating]"))?;
            if ratings.insert((index.clone(), document.clone()), grade).is_some() {
                let text = format!(
                    "Found duplicate rated document key [{{\"_index\":\"{index}\",\"_id\":\"{document}\"}}] in evaluation request [{id}]"
                );
                return Err(EsError::illegal_argument(text));
            }
        }
        Ok(Self { id: id.to_string(), body: body.clone(), ratings })
    }

    fn judged(&self, metric: &Metric, answer: &Value) -> (f64, Value) {
        let empty = Vec::new();
        let hits = answer.pointer("/hits/hits").and_then(Value::as_array).unwrap_or(&empty);
        let text = |hit: &Value, key: &str| hit.get(key).and_then(Value::as_str).unwrap_or_default().to_string();
        let rating_of = |hit: &Value| self.ratings.get(&(text(hit, "_index"), text(hit, "_id"))).copied();
        let hits: Vec<&Value> = hits.iter().take(metric.k).collect();
        let ratings: Vec<Option<i64>> = hits.iter().map(|hit| rating_of(hit)).collect();
        let all: Vec<i64> = self.ratings.values().copied().collect();
        let outcome = metric.score(&ratings, &all);
        let unrated: Vec<Value> = hits
            .iter()
            .zip(&ratings)
            .filter(|(_, rating)| rating.is_none())
            .map(|(hit, _)| json!({"_index": hit.get("_index"), "_id": hit.get("_id")}))
            .collect();
        let shown: Vec<Value> =
            hits.iter().zip(&ratings).map(|(hit, rating)| json!({"hit": hit, "rating": rating})).collect();
        let detail = json!({
            "metric_score": outcome.score, "unrated_docs": unrated, "hits": shown, "metric_details": outcome.details
        });
        (outcome.score, detail)
    }
}
