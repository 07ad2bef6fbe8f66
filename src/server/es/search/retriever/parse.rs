//! The JSON of `retriever` to a tree. What a query inside it means is read later, index by index.

use serde_json::{Map, Value};

use super::{
    Linear, LinearChild, Normalizer, Pinned, Rescorer, Retriever, RetrieverKind, Rrf, Simplified, Standard,
    TextSimilarity,
};
use crate::document::DocumentId;
use crate::server::es::error::{EsError, EsResult};
use crate::server::es::inference::check_model_name;
use crate::server::es::search::execute::validation;
use crate::server::es::search::rescore::RescoreSpec;
use crate::server::es::search::sort_spec::SortSpec;

/// Deeper trees are refused.
const MAX_DEPTH: usize = 8;
/// The largest window: the most documents that a leaf returns.
const MAX_WINDOW: usize = 10_000;
/// Elasticsearch's default for fusion's `k`.
const RANK_CONSTANT: u32 = 60;

/// Reads a retriever (`{"rrf": {..}}`).
///
/// * `size`: of the search, where it says one. No window may be smaller; the default of `rank_window_size` is the greater of it and 10.
///
/// # Errors
/// `parsing_exception` for what is no retriever, `illegal_argument_exception` for a value out of range and for what is not
/// supported, by name; `action_request_validation_exception` for a window that is smaller than the page.
pub(crate) fn parse(value: &Value, size: Option<usize>) -> EsResult<Retriever> {
    node(value, size, 0)
}

fn node(value: &Value, size: Option<usize>, depth: usize) -> EsResult<Retriever> {
    if depth > MAX_DEPTH {
        return Err(EsError::illegal_argument(format!("retrievers are nested more than {MAX_DEPTH} levels deep")));
    }
    let Some((name, body)) = value.as_object().filter(|map| map.len() == 1).and_then(|map| map.iter().next()) else {
        return Err(EsError::parsing("[retriever] must be an object with one retriever, such as {\"standard\": {..}}"));
    };
    let Some(body) = body.as_object() else {
        return Err(EsError::parsing(format!("[{name}] retriever malformed, expected an object")));
    };
    let mut body = Body { retriever: name, members: body.clone() };
    let filter = match body.take("filter") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(filters)) => filters,
        Some(filter) => vec![filter],
    };
    let min_score = body.number("min_score")?;
    let own_name = body.text("_name")?;
    let kind = match name.as_str() {
        "standard" => standard(&mut body)?,
        "knn" => RetrieverKind::Knn(std::mem::take(&mut body.members)),
        "rrf" => rrf(&mut body, size, depth)?,
        "linear" => linear(&mut body, size, depth)?,
        "text_similarity_reranker" => text_similarity(&mut body, size, depth)?,
        "pinned" => pinned(&mut body, size, depth)?,
        "rescorer" => rescorer(&mut body, size, depth)?,
        "rule" | "random_reranker" | "diversify" => return Err(EsError::unsupported(format!("[{name}] retriever"))),
        other => {
            let known = "standard, knn, rrf, linear, text_similarity_reranker, pinned, rescorer";
            return Err(EsError::parsing(format!("unknown retriever [{other}], there are {known}")));
        }
    };
    body.end()?;
    Ok(Retriever { kind, filter, min_score, name: own_name })
}

fn standard(body: &mut Body<'_>) -> EsResult<RetrieverKind> {
    let mut standard = Standard { query: body.take("query"), top_level: Map::new() };
    for key in ["sort", "search_after", "collapse", "terminate_after"] {
        if let Some(value) = body.take(key) {
            standard.top_level.insert(key.to_string(), value);
        }
    }
    Ok(RetrieverKind::Standard(standard))
}

fn rrf(body: &mut Body<'_>, size: Option<usize>, depth: usize) -> EsResult<RetrieverKind> {
    let rank_window_size = body.window(size)?;
    let rank_constant = match body.whole("rank_constant")? {
        None => RANK_CONSTANT,
        Some(constant) => u32::try_from(constant)
            .ok()
            .filter(|constant| *constant >= 1)
            .ok_or_else(|| EsError::illegal_argument("[rank_constant] must be greater or equal to [1] for [rrf]"))?,
    };
    let simplified = simplified(body)?;
    let mut children = Vec::new();
    for child in body.list("retrievers")? {
        let (retriever, weight, _) = weighted(&child, "rrf", size, depth)?;
        children.push((retriever, weight));
    }
    check_children(body, simplified.as_ref(), children.len())?;
    Ok(RetrieverKind::Rrf(Rrf { children, simplified, rank_constant, rank_window_size }))
}

fn linear(body: &mut Body<'_>, size: Option<usize>, depth: usize) -> EsResult<RetrieverKind> {
    let rank_window_size = body.window(size)?;
    let shared = body.text("normalizer")?.map(|name| normalizer(&name)).transpose()?;
    let simplified = simplified(body)?;
    if simplified.is_some() && shared.is_none() {
        return Err(EsError::illegal_argument("[linear] [normalizer] must be provided when [query] is specified"));
    }
    let mut children = Vec::new();
    for child in body.list("retrievers")? {
        let (retriever, weight, own) = weighted(&child, "linear", size, depth)?;
        let normalizer = own.or(shared).unwrap_or_default();
        children.push(LinearChild { retriever, weight, normalizer });
    }
    check_children(body, simplified.as_ref(), children.len())?;
    Ok(RetrieverKind::Linear(Linear { children, simplified, normalizer: shared.unwrap_or_default(), rank_window_size }))
}

/// Either retrievers, or a text.
fn check_children(body: &Body<'_>, simplified: Option<&Simplified>, num_children: usize) -> EsResult<()> {
    let name = body.retriever;
    match (simplified.is_some(), num_children) {
        (true, 1..) => Err(EsError::illegal_argument(format!("[{name}] cannot combine [retrievers] and [query]"))),
        (false, 0) => Err(EsError::illegal_argument(format!("[{name}] must provide [retrievers] or [query]"))),
        (true, 0) | (false, 1..) => Ok(()),
    }
}

/// `query` and `fields` in place of `retrievers`; what becomes of them depends on the mapping ([`super::simplified`]).
fn simplified(body: &mut Body<'_>) -> EsResult<Option<Simplified>> {
    let name = body.retriever;
    let refuse = |what: &str| Err(EsError::illegal_argument(format!("[{name}] {what}")));
    let has_fields = body.members.contains_key("fields");
    let Some(query) = body.text("query")? else {
        return if has_fields { refuse("[query] must be provided when [fields] is specified") } else { Ok(None) };
    };
    if query.is_empty() {
        return refuse("[query] cannot be empty");
    }
    let mut fields = Vec::new();
    for field in body.list("fields")? {
        let Some(written) = field.as_str() else {
            return Err(EsError::parsing(format!("[{name}] [fields] must be names of fields")));
        };
        if let Some((_, boost)) = written.split_once('^') {
            match boost.parse::<f32>() {
                Ok(boost) if boost < 0.0 => return refuse("per-field weights must be non-negative"),
                Ok(boost) if boost.is_finite() => {}
                Ok(_) | Err(_) => return refuse(&format!("the weight of the field [{written}] is no number")),
            }
        }
        fields.push(written.to_string());
    }
    if has_fields && fields.is_empty() {
        return refuse("[fields] cannot be empty");
    }
    Ok(Some(Simplified { query, fields }))
}

/// A child as it is, or as `{"retriever": {..}, "weight": 2, "normalizer": "minmax"}`.
fn weighted(
    value: &Value,
    parent: &str,
    size: Option<usize>,
    depth: usize,
) -> EsResult<(Retriever, f32, Option<Normalizer>)> {
    let Some(inner) = value.get("retriever") else { return Ok((node(value, size, depth + 1)?, 1.0, None)) };
    let members = value.as_object().cloned().unwrap_or_default();
    let mut body = Body { retriever: parent, members };
    body.take("retriever");
    let weight = match body.take("weight") {
        None => 1.0,
        Some(weight) => weight_of(weight.as_f64(), parent)?,
    };
    let normalizer = body.text("normalizer")?.map(|name| normalizer(&name)).transpose()?;
    if normalizer.is_some() && parent == "rrf" {
        return Err(EsError::parsing("[rrf] unknown field [normalizer]"));
    }
    body.end()?;
    Ok((node(inner, size, depth + 1)?, weight, normalizer))
}

fn weight_of(weight: Option<f64>, parent: &str) -> EsResult<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "scores are 32-bit floats")]
    let weight = weight.map(|weight| weight as f32);
    weight
        .filter(|weight| weight.is_finite() && *weight >= 0.0)
        .ok_or_else(|| EsError::illegal_argument(format!("[{parent}] [weight] must be non-negative")))
}

fn normalizer(name: &str) -> EsResult<Normalizer> {
    match name {
        "none" => Ok(Normalizer::None),
        "minmax" => Ok(Normalizer::MinMax),
        "l2_norm" => Ok(Normalizer::L2Norm),
        other => {
            Err(EsError::illegal_argument(format!("Unknown normalizer [{other}]; there are none, minmax and l2_norm")))
        }
    }
}

fn text_similarity(body: &mut Body<'_>, size: Option<usize>, depth: usize) -> EsResult<RetrieverKind> {
    let rank_window_size = body.window(size)?;
    let child = Box::new(body.child(size, depth)?);
    let inference_text = body.text("inference_text")?.ok_or_else(|| body.required("inference_text"))?;
    let budget_ms = body.whole("budget_ms")?.map(|budget| u64::try_from(budget).unwrap_or(1).max(1));
    let weight = body.number("weight")?;
    if weight.is_some_and(|weight| weight <= 0.0) {
        return Err(EsError::illegal_argument("[text_similarity_reranker] [weight] must be greater than 0"));
    }
    let allow_failures = match body.take("allow_rerank_failures") {
        None | Some(Value::Null) => None,
        Some(Value::Bool(allowed)) => Some(allowed),
        Some(_) => return Err(body.wrong("allow_rerank_failures", "true or false")),
    };
    if body.take("chunk_rescorer").is_some() {
        return Err(EsError::unsupported("[text_similarity_reranker] with [chunk_rescorer]"));
    }
    let inference_id = body.text("inference_id")?;
    if let Some(name) = &inference_id {
        check_model_name("inference_id", name)?;
    }
    Ok(RetrieverKind::TextSimilarity(TextSimilarity {
        child,
        field: body.text("field")?,
        inference_id,
        inference_text,
        rank_window_size,
        budget_ms,
        weight,
        allow_failures,
    }))
}

fn pinned(body: &mut Body<'_>, size: Option<usize>, depth: usize) -> EsResult<RetrieverKind> {
    let rank_window_size = body.window(size)?;
    let child = Box::new(body.child(size, depth)?);
    check_pinned_child(&child)?;
    let has = |key: &str| body.members.get(key).is_some_and(|value| !value.is_null());
    if has("ids") && has("docs") {
        return Err(EsError::illegal_argument("[pinned] Both 'ids' and 'docs' cannot be specified at the same time"));
    }
    let ids = body.list("ids")?;
    let docs = body.list("docs")?;
    if ids.is_empty() && docs.is_empty() {
        return Err(EsError::illegal_argument(
            "[pinned] Either 'ids' or 'docs' must be provided and non-empty for pinned retriever",
        ));
    }
    let wrong = || EsError::parsing("[pinned] [ids] must be texts, and [docs] objects with [_index] and [_id]");
    let mut pinned: Vec<(Option<String>, DocumentId)> = Vec::new();
    let mut pin = |place: (Option<String>, DocumentId), what: &str| {
        if pinned.contains(&place) {
            let text = format!("[pinned] duplicate {what} found in list: [{}]", place.1.as_str());
            return Err(EsError::illegal_argument(text));
        }
        pinned.push(place);
        Ok(())
    };
    for id in &ids {
        pin((None, id.as_str().ok_or_else(wrong)?.into()), "id")?;
    }
    for doc in &docs {
        let id = doc.get("_id").and_then(Value::as_str).ok_or_else(wrong)?;
        pin((doc.get("_index").and_then(Value::as_str).map(str::to_string), id.into()), "doc")?;
    }
    if pinned.len() > 100 {
        return Err(EsError::illegal_argument("[pinned] there are more than 100 pinned documents"));
    }
    Ok(RetrieverKind::Pinned(Pinned { child, docs: pinned, rank_window_size }))
}

/// Pinned documents have scores, and so what follows them is ordered by score.
fn check_pinned_child(child: &Retriever) -> EsResult<()> {
    let RetrieverKind::Standard(standard) = &child.kind else { return Ok(()) };
    if let Some(sort) = standard.top_level.get("sort")
        && !SortSpec::parse_all(sort)?.iter().all(SortSpec::is_score_descending)
    {
        let text = format!("[pinned] retriever only supports sorting by score, invalid sort criterion: {sort}");
        return Err(EsError::illegal_argument(text));
    }
    if standard.query.is_none() && child.filter.is_empty() {
        return Err(EsError::illegal_argument("[pinned] Underlying query cannot be null for pinned retriever"));
    }
    Ok(())
}

fn rescorer(body: &mut Body<'_>, size: Option<usize>, depth: usize) -> EsResult<RetrieverKind> {
    let child = Box::new(body.child(size, depth)?);
    let Some(rescore @ (Value::Array(_) | Value::Object(_))) = body.take("rescore") else {
        return Err(body.required("rescore"));
    };
    for spec in RescoreSpec::parse_all(&rescore)? {
        check_window(body.retriever, "window_size", spec.window_size, size)?;
        if let Some(window) = child.window()
            && spec.window_size > window
        {
            return Err(validation(&[&format!(
                "[rescorer] requires [window_size: {}] to be smaller than or equal to its sub retriever's {} [rank_window_size: {window}]",
                spec.window_size,
                child.type_name()
            )]));
        }
    }
    Ok(RetrieverKind::Rescorer(Rescorer { child, rescore }))
}

/// The members of a retriever that are not read yet.
struct Body<'a> {
    retriever: &'a str,
    members: Map<String, Value>,
}

impl Body<'_> {
    fn take(&mut self, key: &str) -> Option<Value> {
        self.members.remove(key)
    }

    fn wrong(&self, key: &str, expected: &str) -> EsError {
        EsError::parsing(format!("[{}] [{key}] must be {expected}", self.retriever))
    }

    fn required(&self, key: &str) -> EsError {
        EsError::illegal_argument(format!("[{}] requires [{key}]", self.retriever))
    }

    fn text(&mut self, key: &str) -> EsResult<Option<String>> {
        match self.take(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(key, "text")),
        }
    }

    fn number(&mut self, key: &str) -> EsResult<Option<f64>> {
        match self.take(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or_else(|| self.wrong(key, "a number")),
        }
    }

    fn whole(&mut self, key: &str) -> EsResult<Option<i64>> {
        match self.take(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_i64().map(Some).ok_or_else(|| self.wrong(key, "a whole number")),
        }
    }

    fn list(&mut self, key: &str) -> EsResult<Vec<Value>> {
        match self.take(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => Ok(values),
            Some(_) => Err(self.wrong(key, "a list")),
        }
    }

    fn child(&mut self, size: Option<usize>, depth: usize) -> EsResult<Retriever> {
        let child = self.take("retriever").ok_or_else(|| self.required("retriever"))?;
        node(&child, size, depth + 1)
    }

    fn window(&mut self, size: Option<usize>) -> EsResult<usize> {
        let window = match self.whole("rank_window_size")? {
            None => size.unwrap_or(0).max(10),
            Some(window) => usize::try_from(window).map_err(|_| {
                EsError::illegal_argument(format!("[rank_window_size] parameter cannot be negative, found [{window}]"))
            })?,
        };
        let name = self.retriever;
        if !(1..=MAX_WINDOW).contains(&window) {
            let text = format!("[{name}] [rank_window_size] must lie in 1..={MAX_WINDOW}, got [{window}]");
            return Err(EsError::illegal_argument(text));
        }
        check_window(name, "rank_window_size", window, size)?;
        Ok(window)
    }

    fn end(&self) -> EsResult<()> {
        match self.members.keys().next() {
            None => Ok(()),
            Some(key) => Err(EsError::parsing(format!("[{}] unknown field [{key}]", self.retriever))),
        }
    }
}

/// A page that is larger than what is ranked would end early.
fn check_window(name: &str, part: &str, window: usize, size: Option<usize>) -> EsResult<()> {
    match size {
        Some(size) if window < size => Err(validation(&[&format!(
            "[{name}] requires [{part}: {window}] be greater than or equal to [size: {size}]"
        )])),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
