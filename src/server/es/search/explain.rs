//! `_explain/{id}`: how a query scores one document.

use axum::extract::{Path, State};
use serde_json::{Map, Value, json as value};

use super::body::{SearchBody, StoredFields};
use super::fetch::{self, Fetcher};
use super::params::query_of;
use super::source_filter::SourceFilter;
use super::targets;
use super::{App, execute};
use crate::document::DocumentId;
use crate::retrieve::collect::CollectedHit;
use crate::retrieve::query::Query;
use crate::server::es::error::{EsError, EsResult};
use crate::server::es::request::{Body, Params};
use crate::server::es::response::EsResponse;
use crate::store::catalog::IndicesOptions;

/// `GET|POST /{index}/_explain/{id}`.
pub(super) async fn explain(
    State(app): App,
    Path((index, id)): Path<(String, String)>,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    params.accept(&["preference", "routing"]);
    let mut search = SearchBody::default();
    let source = params.str("_source").map(str::to_string);
    let filter =
        SourceFilter::from_params(source.as_deref(), params.list("_source_includes"), params.list("_source_excludes"));
    if let Some(names) = params.list("stored_fields") {
        search.stored_fields = Some(StoredFields::parse(names)?);
    }
    let mut query = query_of(&params)?;
    params.finish()?;
    for (name, member) in body.object()?.unwrap_or_default() {
        match name.as_str() {
            "query" if member.is_object() => query = query.or(Some(member)),
            _ => return Err(EsError::parsing(format!("request does not support [{name}]"))),
        }
    }
    let query = query.ok_or_else(|| execute::validation(&["query is missing"]))?;
    let state = app.clone();
    app.search(move || {
        let targets = targets::resolve(&state, std::slice::from_ref(&index), IndicesOptions::default(), 10)?;
        let [target] = targets.as_slice() else {
            return Err(EsError::illegal_argument(format!(
                "alias [{index}] has more than one index associated with it, can't execute a single index op"
            )));
        };
        let mut answer =
            Map::from_iter([("_index".to_string(), value!(target.index)), ("_id".to_string(), value!(id))]);
        let Some(locator) = target.searcher.locator(&DocumentId::from(id.as_str()))? else {
            answer.insert("matched".to_string(), value!(false));
            return Ok(EsResponse::with_status(404, Value::Object(answer)));
        };
        let asked = target.searcher.lexical().resolve(&target.parse_query(&query)?)?;
        let filtered = target.filtered(asked.clone())?;
        let matches = target.searcher.explain(&filtered, locator)?.is_some();
        let explanation = if matches { target.searcher.explain(&asked, locator)? } else { None };
        answer.insert("matched".to_string(), value!(matches));
        let printed = match &explanation {
            Some(explanation) => fetch::print_explanation(explanation),
            None => value!({"value": 0.0, "description": "no matching term", "details": []}),
        };
        answer.insert("explanation".to_string(), printed);
        if let Some(filter) = filter.filter(|filter| *filter != SourceFilter::None) {
            search.source = Some(filter);
            let fetcher = Fetcher::new(&search, target, &Query::MatchAll)?;
            let hit = CollectedHit { locator, score: None, sort: Vec::new(), group: None };
            answer.insert("get".to_string(), fetcher.get_result(&hit)?);
        }
        Ok(EsResponse::json(Value::Object(answer)))
    })
    .await
}
