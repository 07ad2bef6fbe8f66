//! `query` and `fields` of `rrf` and `linear`, written out as the retrievers that they stand for.
//!
//! The fields of words are searched together, as one `multi_match`; each semantic field is searched by its meaning, and their lists are
//! fused among themselves first. So words and meanings have equal shares, however many fields there are of either.

use serde_json::json;

use super::{Linear, LinearChild, Retriever, RetrieverKind, Rrf, Simplified, Standard};
use crate::server::es::error::{EsError, EsResult};
use crate::server::es::query_dsl::{Fields, SimplifiedFields};
use crate::server::es::search::target::Target;

/// Replaces every text of a tree by retrievers.
///
/// # Errors
/// `illegal_argument_exception` for a field that holds words in one of the indices and meanings in another.
pub(in crate::server::es::search) fn expand(tree: Retriever, targets: &[Target]) -> EsResult<Retriever> {
    let kind = match tree.kind {
        RetrieverKind::Rrf(rrf) => RetrieverKind::Rrf(expand_rrf(rrf, targets)?),
        RetrieverKind::Linear(linear) => RetrieverKind::Linear(expand_linear(linear, targets)?),
        RetrieverKind::TextSimilarity(mut params) => {
            params.child = Box::new(expand(*params.child, targets)?);
            RetrieverKind::TextSimilarity(params)
        }
        RetrieverKind::Pinned(mut pinned) => {
            pinned.child = Box::new(expand(*pinned.child, targets)?);
            RetrieverKind::Pinned(pinned)
        }
        RetrieverKind::Rescorer(mut rescorer) => {
            rescorer.child = Box::new(expand(*rescorer.child, targets)?);
            RetrieverKind::Rescorer(rescorer)
        }
        kind @ (RetrieverKind::Standard(_) | RetrieverKind::Knn(_)) => kind,
    };
    Ok(Retriever { kind, ..tree })
}

fn expand_rrf(mut rrf: Rrf, targets: &[Target]) -> EsResult<Rrf> {
    let Some(simplified) = rrf.simplified.take() else {
        let expanded = |(child, weight)| Ok((expand(child, targets)?, weight));
        rrf.children = rrf.children.into_iter().map(expanded).collect::<EsResult<_>>()?;
        return Ok(rrf);
    };
    let parts = Parts::of(&simplified, targets, "rrf")?;
    let mut meanings = parts.meanings;
    rrf.children = parts.words.into_iter().map(|words| (words, 1.0)).collect();
    if meanings.len() == 1 {
        rrf.children.extend(meanings.pop().map(|(meaning, _)| (meaning, 1.0)));
    } else if !meanings.is_empty() {
        let inner = Rrf { children: meanings, simplified: None, ..rrf.clone() };
        rrf.children.push((retriever(RetrieverKind::Rrf(inner), "meanings"), 1.0));
    }
    if rrf.children.is_empty() {
        rrf.children.push((nothing(), 1.0));
    }
    Ok(rrf)
}

fn expand_linear(mut linear: Linear, targets: &[Target]) -> EsResult<Linear> {
    let Some(simplified) = linear.simplified.take() else {
        for child in &mut linear.children {
            child.retriever = expand(child.retriever.clone(), targets)?;
        }
        return Ok(linear);
    };
    let normalizer = linear.normalizer;
    let child = |(retriever, weight)| LinearChild { retriever, weight, normalizer };
    let parts = Parts::of(&simplified, targets, "linear")?;
    linear.children = parts.words.into_iter().map(|words| child((words, 1.0))).collect();
    if !parts.meanings.is_empty() {
        let children = parts.meanings.into_iter().map(child).collect();
        let inner = Linear { children, simplified: None, ..linear.clone() };
        linear.children.push(child((retriever(RetrieverKind::Linear(inner), "meanings"), 1.0)));
    }
    if linear.children.is_empty() {
        linear.children.push(child((nothing(), 1.0)));
    }
    Ok(linear)
}

/// The retrievers of a text.
struct Parts {
    words: Option<Retriever>,
    /// One a semantic field, with the field's weight.
    meanings: Vec<(Retriever, f32)>,
}

impl Parts {
    fn of(simplified: &Simplified, targets: &[Target], parent: &'static str) -> EsResult<Self> {
        let mut fields = SimplifiedFields::default();
        for target in targets {
            let own = target.with_context(|context| context.simplified_fields(parent, &simplified.fields))?;
            fields.words.extend(own.words);
            fields.meanings.extend(own.meanings);
        }
        if let Some((field, _)) = fields.meanings.iter().find(|(field, _)| fields.words.contains_key(*field)) {
            return Err(EsError::illegal_argument(format!(
                "[{parent}] [query] over several indices: the field [{field}] is semantic in some of them only; write [retrievers]"
            )));
        }
        let query = &simplified.query;
        let words = (!fields.words.is_empty()).then(|| {
            let names = weighted_names(&fields.words);
            let is_lenient = simplified.fields.is_empty() || simplified.fields.iter().any(|field| field == "*");
            let body = json!({"multi_match": {
                "query": query, "fields": names, "type": "most_fields", "lenient": is_lenient
            }});
            standard(body, "words")
        });
        let meaning =
            |(field, &weight): (&String, &f32)| (standard(json!({"match": {field: {"query": query}}}), field), weight);
        Ok(Self { words, meanings: fields.meanings.iter().map(meaning).collect() })
    }
}

fn weighted_names(fields: &Fields) -> Vec<String> {
    fields.iter().map(|(field, weight)| format!("{field}^{weight}")).collect()
}

fn nothing() -> Retriever {
    standard(json!({"match_none": {}}), "nothing")
}

fn standard(query: serde_json::Value, name: &str) -> Retriever {
    retriever(RetrieverKind::Standard(Standard { query: Some(query), ..Standard::default() }), name)
}

fn retriever(kind: RetrieverKind, name: &str) -> Retriever {
    Retriever { kind, filter: Vec::new(), min_score: None, name: Some(name.to_string()) }
}
