//! Texts that searches look for by their meaning, embedded before a search begins, on threads of their own.
//!
//! A bi-encoder that is slow, or is being loaded, so keeps no thread for searches waiting. What is not found here (a text within an
//! aggregation, a model that fails) is met again by the search itself.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::contexts::{Context, Contexts};
use super::execute::SearchRequest;
use super::retriever::{self, Resolved, Runner};
use super::target::Target;
use super::{hybrid, targets};
use crate::index::TimeLimit;
use crate::retrieve::lexical::{EmbeddedTexts, TextToEmbed};
use crate::retrieve::query::Query;
use crate::schema::flatten::FieldKind;
use crate::server::es::error::EsResult;
use crate::server::state::AppState;

/// What was embedded, by the unique id of an index.
pub(super) type Embedded = HashMap<String, Arc<EmbeddedTexts>>;

/// Embeds what a search looks for. One that is re-ranked embeds on the threads for inference, where it runs.
///
/// # Errors
/// 429 when too much waits.
pub(super) async fn embed(app: &Arc<AppState>, mut request: SearchRequest) -> EsResult<SearchRequest> {
    if !may_embed(app, &request) {
        return Ok(request);
    }
    let state = app.clone();
    let work = move || {
        request.embedded = embedded(&state, &request);
        Ok(request)
    };
    app.pools.embed.run(work).await
}

/// Embeds what several searches look for; those that could not be read are left alone.
///
/// # Errors
/// As [`embed`].
pub(super) async fn embed_each<K: Send + 'static>(
    app: &Arc<AppState>,
    mut requests: Vec<(K, EsResult<SearchRequest>)>,
) -> EsResult<Vec<(K, EsResult<SearchRequest>)>> {
    let is_worth_it = |request: &EsResult<SearchRequest>| request.as_ref().is_ok_and(|request| may_embed(app, request));
    if !requests.iter().any(|(_, request)| is_worth_it(request)) {
        return Ok(requests);
    }
    let state = app.clone();
    let work = move || {
        for request in requests.iter_mut().filter_map(|(_, request)| request.as_mut().ok()) {
            request.embedded = embedded(&state, request);
        }
        Ok(requests)
    };
    app.pools.embed.run(work).await
}

/// The same indices with what was embedded for them.
pub(super) fn with_embedded(mut targets: Vec<Target>, embedded: &Embedded) -> Vec<Target> {
    for target in &mut targets {
        if let Some(texts) = embedded.get(&target.uuid) {
            target.searcher = Arc::new(target.searcher.with_embedded(texts.clone()));
        }
    }
    targets
}

/// Whether there may be anything to embed; quick, so that a task may ask.
fn may_embed(app: &Arc<AppState>, request: &SearchRequest) -> bool {
    let search = &request.search;
    let parts = [&search.query, &search.knn, &search.retriever, &search.post_filter];
    if hybrid::reranks(search) || parts.iter().all(|part| part.is_none()) {
        return false;
    }
    if parts.into_iter().flatten().any(names_model) || search.pit.is_some() {
        return true;
    }
    let Ok(resolved) = app.catalog.resolve(&request.indices.join(","), request.resolve) else { return false };
    resolved.iter().any(|resolved| {
        resolved.index.shard().is_ok_and(|shard| {
            let searcher = shard.searcher();
            let mut fields = searcher.fields().iter();
            fields.any(|field| matches!(field.definition.kind, FieldKind::SemanticText(_)))
        })
    })
}

fn names_model(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            members.iter().any(|(name, value)| name == "query_vector_builder" || names_model(value))
        }
        Value::Array(values) => values.iter().any(names_model),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn embedded(app: &Arc<AppState>, request: &SearchRequest) -> Embedded {
    let targets = match &request.search.pit {
        None => targets::resolve(app, &request.indices, request.resolve, request.search.size()),
        Some(pit) => app.slot::<Contexts>().get(&pit.id, None, &app.limits).map(|context| match context {
            Context::Pit(frozen) => targets::at_now(&frozen, request.search.size()),
            Context::Scroll(_) => Vec::new(),
        }),
    };
    let mut embedded = Embedded::new();
    for target in targets.unwrap_or_default() {
        let texts = texts_of(app, request, &target);
        if texts.is_empty() {
            continue;
        }
        match target.searcher.lexical().embed_texts(&texts) {
            Ok(texts) => {
                embedded.insert(target.uuid.clone(), Arc::new(texts));
            }
            Err(error) => tracing::debug!(%error, index = target.index, "the search meets this error again"),
        }
    }
    embedded
}

/// The texts of a search in one index; what cannot be read has none.
fn texts_of(app: &Arc<AppState>, request: &SearchRequest, target: &Target) -> Vec<TextToEmbed> {
    let search = &request.search;
    let mut queries: Vec<Query> = Vec::new();
    let parsed = [&search.query, &search.post_filter].into_iter().flatten().map(|query| target.parse_query(query));
    queries.extend(parsed.flatten());
    let sections = match &search.knn {
        Some(Value::Array(sections)) => sections.as_slice(),
        Some(section) => std::slice::from_ref(section),
        None => &[],
    };
    let bodies = sections.iter().filter_map(Value::as_object);
    queries.extend(bodies.filter_map(|body| retriever::knn_query(target, body, &[]).ok()));
    let targets = std::slice::from_ref(target);
    let tree = search.retriever.as_ref().and_then(|tree| retriever::parse(tree, search.size).ok());
    if let Some(tree) = tree.and_then(|tree| retriever::expand(tree, targets).ok()) {
        let time_limit = TimeLimit::default();
        let resolved = Resolved::default();
        let runner = Runner { targets, models: &app.models, time_limit: &time_limit, resolved: &resolved };
        queries.extend(runner.leaves(&tree, target).unwrap_or_default());
    }
    let mut texts: Vec<TextToEmbed> = Vec::new();
    for query in &mut queries {
        TextToEmbed::gather(query, &mut texts);
    }
    texts
}
