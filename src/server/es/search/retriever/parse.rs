//! The JSON of `retriever` to a tree. What a query inside it means is read later, index by index.

use serde_json::{Map, Value};

use super::{
    Linear, LinearChild, Normalizer, Pinned, Rescorer, Retriever, RetrieverKind, Rrf, Standard, TextSimilarity,
};
use crate::server::es::error::{EsError, EsResult};
use crate::server::es::inference::check_model_name;

/// Deeper trees are refused.
const MAX_DEPTH: usize = 8;
/// The largest window: the most documents that a leaf returns.
const MAX_WINDOW: usize = 10_000;
/// Elasticsearch's default for fusion's `k`.
const RANK_CONSTANT: u32 = 60;

/// Reads a retriever (`{"rrf": {..}}`).
///
/// * `size`: of the search; the default of `rank_window_size` is the greater of it and 10, as in Elasticsearch.
///
/// # Errors
/// `parsing_exception` for what is no retriever, `illegal_argument_exception` for a value out of range and for what is not
/// supported, by name.
pub(crate) fn parse(value: &Value, size: usize) -> EsResult<Retriever> {
    node(value, size, 0)
}

fn node(value: &Value, size: usize, depth: usize) -> EsResult<Retriever> {
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

fn rrf(body: &mut Body<'_>, size: usize, depth: usize) -> EsResult<RetrieverKind> {
    let rank_window_size = body.window(size)?;
    let rank_constant = match body.whole("rank_constant")? {
        None => RANK_CONSTANT,
        Some(constant) => u32::try_from(constant).ok().filter(|constant| *constant >= 1).ok_or_else(|| {
            EsError::illegal_argument("[rrf] [rank_constant] must be greater or equal to [1] for [rank_constant]")
        })?,
    };
    let mut children = Vec::new();
    if let Some(simple) = simplified(body, Normalizer::None)? {
        children.extend(simple.into_iter().map(|child| (child.retriever, child.weight)));
    }
    for child in body.list("retrievers")? {
        let (retriever, weight, _) = weighted(&child, "rrf", size, depth)?;
        children.push((retriever, weight));
    }
    if children.is_empty() {
        return Err(EsError::illegal_argument("[rrf] requires [retrievers], or [query] with [fields]"));
    }
    Ok(RetrieverKind::Rrf(Rrf { children, rank_constant, rank_window_size }))
}

fn linear(body: &mut Body<'_>, size: usize, depth: usize) -> EsResult<RetrieverKind> {
    let rank_window_size = body.window(size)?;
    let shared = body.text("normalizer")?.map(|name| normalizer(&name)).transpose()?;
    let mut children = simplified(body, shared.unwrap_or(Normalizer::MinMax))?.unwrap_or_default();
    for child in body.list("retrievers")? {
        let (retriever, weight, own) = weighted(&child, "linear", size, depth)?;
        let normalizer = own.or(shared).unwrap_or_default();
        children.push(LinearChild { retriever, weight, normalizer });
    }
    if children.is_empty() {
        return Err(EsError::illegal_argument("[linear] requires [retrievers], or [query] with [fields]"));
    }
    Ok(RetrieverKind::Linear(Linear { children, rank_window_size }))
}

/// `query` and `fields` in place of `retrievers`: one retriever a field, whose boost is its weight. The run decides by the field's
/// type whether words or meanings are searched: that is what `match` does.
fn simplified(body: &mut Body<'_>, normalizer: Normalizer) -> EsResult<Option<Vec<LinearChild>>> {
    let Some(query) = body.text("query")? else {
        return match body.take("fields") {
            None => Ok(None),
            Some(_) => Err(EsError::illegal_argument(format!("[{}] [fields] requires [query]", body.retriever))),
        };
    };
    if query.is_empty() {
        return Err(EsError::illegal_argument(format!("[{}] [query] cannot be empty", body.retriever)));
    }
    let mut children = Vec::new();
    for field in body.list("fields")? {
        let written = field
            .as_str()
            .ok_or_else(|| EsError::parsing(format!("[{}] [fields] must be names of fields", body.retriever)))?;
        let (path, weight) = match written.split_once('^') {
            None => (written, 1.0),
            Some((path, boost)) => (path, weight_of(boost.parse().ok(), body.retriever)?),
        };
        let query = serde_json::json!({"match": {path: {"query": query}}});
        let standard = Standard { query: Some(query), top_level: Map::new() };
        let retriever = Retriever {
            kind: RetrieverKind::Standard(standard),
            filter: Vec::new(),
            min_score: None,
            name: Some(path.to_string()),
        };
        children.push(LinearChild { retriever, weight, normalizer });
    }
    if children.is_empty() {
        return Err(EsError::illegal_argument(format!(
            "[{}] [query] requires [fields] here; name those to search",
            body.retriever
        )));
    }
    Ok(Some(children))
}

/// A child as it is, or as `{"retriever": {..}, "weight": 2, "normalizer": "minmax"}`.
fn weighted(value: &Value, parent: &str, size: usize, depth: usize) -> EsResult<(Retriever, f32, Option<Normalizer>)> {
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
        .ok_or_else(|| EsError::illegal_argument(format!("[{parent}] [weight] must be a number of at least 0")))
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

fn text_similarity(body: &mut Body<'_>, size: usize, depth: usize) -> EsResult<RetrieverKind> {
    let rank_window_size = body.window(size)?;
    let child = Box::new(body.child(size, depth)?);
    let inference_text = body.text("inference_text")?.ok_or_else(|| body.required("inference_text"))?;
    let budget_ms = body.whole("budget_ms")?.map(|budget| u64::try_from(budget).unwrap_or(1).max(1));
    let weight = body.number("weight")?;
    if weight.is_some_and(|weight| weight <= 0.0) {
        return Err(EsError::illegal_argument("[text_similarity_reranker] [weight] must be greater than 0"));
    }
    // Failures never fail the search here; false would.
    if body.take("allow_rerank_failures") == Some(Value::Bool(false)) {
        return Err(EsError::unsupported("[text_similarity_reranker] with [allow_rerank_failures] false"));
    }
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
    }))
}

fn pinned(body: &mut Body<'_>, size: usize, depth: usize) -> EsResult<RetrieverKind> {
    let rank_window_size = body.window(size)?;
    let child = Box::new(body.child(size, depth)?);
    let ids = body.list("ids")?;
    let docs = body.list("docs")?;
    if ids.is_empty() == docs.is_empty() {
        return Err(EsError::illegal_argument("[pinned] either [ids] or [docs] must be given, and not both"));
    }
    let wrong = || EsError::parsing("[pinned] [ids] must be texts, and [docs] objects with [_index] and [_id]");
    let mut pinned = Vec::new();
    for id in &ids {
        pinned.push((None, id.as_str().ok_or_else(wrong)?.into()));
    }
    for doc in &docs {
        let id = doc.get("_id").and_then(Value::as_str).ok_or_else(wrong)?;
        pinned.push((doc.get("_index").and_then(Value::as_str).map(str::to_string), id.into()));
    }
    if pinned.len() > 100 {
        return Err(EsError::illegal_argument("[pinned] there are more than 100 pinned documents"));
    }
    Ok(RetrieverKind::Pinned(Pinned { child, docs: pinned, rank_window_size }))
}

fn rescorer(body: &mut Body<'_>, size: usize, depth: usize) -> EsResult<RetrieverKind> {
    let child = Box::new(body.child(size, depth)?);
    let Some(rescore @ (Value::Array(_) | Value::Object(_))) = body.take("rescore") else {
        return Err(body.required("rescore"));
    };
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

    fn child(&mut self, size: usize, depth: usize) -> EsResult<Retriever> {
        let child = self.take("retriever").ok_or_else(|| self.required("retriever"))?;
        node(&child, size, depth + 1)
    }

    fn window(&mut self, size: usize) -> EsResult<usize> {
        let window = match self.whole("rank_window_size")? {
            None => size.max(10),
            Some(window) => usize::try_from(window).unwrap_or(0),
        };
        let name = self.retriever;
        if !(1..=MAX_WINDOW).contains(&window) {
            let text = format!("[{name}] [rank_window_size] must lie in 1..={MAX_WINDOW}, got [{window}]");
            return Err(EsError::illegal_argument(text));
        }
        if window < size {
            return Err(EsError::illegal_argument(format!(
                "[{name}] requires [rank_window_size: {window}] be greater than or equal to [size: {size}]"
            )));
        }
        Ok(window)
    }

    fn end(&self) -> EsResult<()> {
        match self.members.keys().next() {
            None => Ok(()),
            Some(key) => Err(EsError::parsing(format!("[{}] unknown field [{key}]", self.retriever))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_retriever_is_read() {
        for (body, kind) in [
            (
                json!({"standard": {"query": {"match_all": {}}, "filter": {"term": {"a": 1}}, "min_score": 2}}),
                "standard",
            ),
            (json!({"knn": {"field": "v", "query_vector": [1], "k": 3, "num_candidates": 5}}), "knn"),
            (json!({"rrf": {"retrievers": [{"standard": {}}, {"retriever": {"knn": {}}, "weight": 2}]}}), "rrf"),
            (
                json!({"linear": {"retrievers": [{"retriever": {"standard": {}}, "weight": 2, "normalizer": "minmax"}]}}),
                "linear",
            ),
            (json!({"linear": {"query": "x", "fields": ["a^2", "b"], "normalizer": "l2_norm"}}), "linear"),
            (
                json!({"text_similarity_reranker": {"retriever": {"standard": {}}, "field": "t", "inference_text": "x"}}),
                "text_similarity_reranker",
            ),
            (json!({"pinned": {"retriever": {"standard": {}}, "ids": ["1"]}}), "pinned"),
            (json!({"rescorer": {"retriever": {"standard": {}}, "rescore": {"query": {}}}}), "rescorer"),
        ] {
            assert_eq!(parse(&body, 10).unwrap().type_name(), kind, "{body}");
        }
    }

    #[test]
    fn windows_weights_and_fields_are_kept() {
        let RetrieverKind::Linear(linear) =
            parse(&json!({"linear": {"query": "x", "fields": ["a^2", "b"]}}), 20).unwrap().kind
        else {
            panic!("no linear")
        };
        assert_eq!(linear.rank_window_size, 20);
        let shown: Vec<_> = linear.children.iter().map(|child| (child.weight, child.normalizer)).collect();
        assert_eq!(shown, [(2.0, Normalizer::MinMax), (1.0, Normalizer::MinMax)]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, what) in [
            (json!({"rff": {}}), "unknown retriever [rff]"),
            (json!({"rule": {}}), "[rule] retriever is not supported"),
            (json!({"rrf": {}}), "[rrf] requires [retrievers]"),
            (json!({"rrf": {"retrievers": [{"standard": {}}], "rank_constant": 0}}), "[rank_constant]"),
            (json!({"rrf": {"retrievers": [{"standard": {}}], "rank_window_size": 5}}), "[rank_window_size: 5]"),
            (json!({"rrf": {"retrievers": [{"retriever": {"standard": {}}, "weight": -1}]}}), "[weight]"),
            (
                json!({"linear": {"retrievers": [{"retriever": {"standard": {}}, "normalizer": "z"}]}}),
                "Unknown normalizer [z]",
            ),
            (json!({"text_similarity_reranker": {"retriever": {"standard": {}}}}), "requires [inference_text]"),
            (json!({"pinned": {"retriever": {"standard": {}}}}), "either [ids] or [docs]"),
            (json!({"standard": {"colour": 1}}), "[standard] unknown field [colour]"),
            (json!([]), "[retriever] must be an object"),
        ] {
            let error = parse(&body, 10).unwrap_err();
            assert!(error.reason.contains(what), "{body}: {}", error.reason);
        }
    }

    #[test]
    fn deep_nesting_is_refused() {
        let mut body = json!({"standard": {}});
        for _ in 0..20 {
            body = json!({"rrf": {"retrievers": [body]}});
        }
        assert!(parse(&body, 10).unwrap_err().reason.contains("nested"));
    }
}
