//! `knn` and `semantic`: queries by vectors.
//!
//! <https://www.elastic.co/guide/en/elasticsearch/reference/8.18/query-dsl-knn-query.html>

use serde_json::Value;

use super::super::error::{EsError, EsResult};
use super::super::inference::check_model_name;
use super::compound::queries;
use super::context::QueryContext;
use super::object::{self, Common};
use crate::retrieve::query::{KnnQuery, Query};
use crate::schema::flatten::FieldKind;

/// Elasticsearch's limit.
const MAX_CANDIDATES: usize = 10_000;

/// `knn`.
pub(super) fn knn(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let (mut field, mut vector, mut builder, mut common) = (None, None, None, Common::default());
    let (mut k, mut num_candidates, mut similarity, mut filter) = (None, None, None, Vec::new());
    for (key, value) in object::members("knn", body)? {
        match key.as_str() {
            "field" => field = Some(object::text("knn", key, value)?),
            "query_vector" if value.is_null() => {}
            "query_vector" => vector = Some(read_vector(value)?),
            "query_vector_builder" => builder = Some(read_builder(value)?),
            "k" => k = Some(object::count("knn", key, value)?),
            "num_candidates" => num_candidates = Some(object::count("knn", key, value)?),
            "similarity" => similarity = Some(object::float("knn", key, value)?),
            "filter" => filter = queries("knn", key, value, context)?,
            // What is walked is always scored again from the finest copy.
            "rescore_vector" => drop(object::members("knn", value)?),
            _ if common.take("knn", key, value)? => {}
            "inner_hits" => return Err(object::unsupported("knn", key)),
            _ => return Err(EsError::parsing(format!("[knn] unknown field [{key}]"))),
        }
    }
    let field = field.ok_or_else(|| EsError::illegal_argument("Required [field]"))?;
    let (text, model) = match (&vector, builder) {
        (Some(_), Some(_)) => {
            return Err(EsError::illegal_argument(
                "only one of [query_vector] and [query_vector_builder] must be provided",
            ));
        }
        (None, None) => {
            return Err(EsError::illegal_argument("either [query_vector_builder] or [query_vector] must be provided"));
        }
        (_, builder) => builder.map_or((None, None), |(text, model)| (Some(text), model)),
    };
    if k == Some(0) {
        return Err(EsError::illegal_argument("[k] must be greater than 0"));
    }
    if num_candidates.is_some_and(|candidates| candidates > MAX_CANDIDATES) {
        return Err(EsError::illegal_argument(format!("[num_candidates] cannot exceed [{MAX_CANDIDATES}]")));
    }
    if let (Some(k), Some(candidates)) = (k, num_candidates)
        && candidates < k
    {
        return Err(EsError::illegal_argument(format!(
            "[num_candidates] cannot be less than [k], but found num_candidates={candidates} and k={k}"
        )));
    }
    // Without `k`, as many as are candidates, or as many as are asked for.
    let k = k.unwrap_or_else(|| context.size.max(1)).min(num_candidates.unwrap_or(usize::MAX).max(1));
    check_field(&field, vector.as_deref(), context)?;
    Ok(common.around(Query::Knn(KnnQuery {
        whole_documents: is_about_whole(&field, context),
        field,
        vector,
        text,
        model,
        k,
        num_candidates,
        similarity,
        filter,
    })))
}

/// Whether a field lies in nested objects while the query is about whole documents.
fn is_about_whole(field: &str, context: &QueryContext<'_>) -> bool {
    context.nested_path().is_none() && context.find(field).is_some_and(|field| field.nested().is_some())
}

fn read_vector(value: &Value) -> EsResult<Vec<f32>> {
    let Value::Array(values) = value else {
        return Err(EsError::unsupported("a [query_vector] that is no array of numbers"));
    };
    let number = |value: &Value| object::float("knn", "query_vector", value);
    let vector = values.iter().map(number).collect::<EsResult<Vec<_>>>()?;
    if vector.iter().any(|number| !number.is_finite()) {
        return Err(EsError::illegal_argument("a [query_vector] holds a number that is not finite"));
    }
    Ok(vector)
}

/// The text and the model of `{"text_embedding": {"model_id": .., "model_text": ..}}`.
fn read_builder(value: &Value) -> EsResult<(String, Option<String>)> {
    let members = object::members("knn", value)?;
    let Some((kind, body)) = members.iter().next().filter(|_| members.len() == 1) else {
        return Err(EsError::parsing("[query_vector_builder] malformed, expected one builder"));
    };
    if kind != "text_embedding" {
        return Err(EsError::unsupported(format!("the query_vector_builder [{kind}]")));
    }
    let (mut text, mut model) = (None, None);
    for (key, value) in object::members("text_embedding", body)? {
        match key.as_str() {
            "model_text" => text = Some(object::text("text_embedding", key, value)?),
            "model_id" => {
                let name = object::text("text_embedding", key, value)?;
                check_model_name("model_id", &name)?;
                model = Some(name);
            }
            _ => return Err(EsError::parsing(format!("[text_embedding] unknown field [{key}]"))),
        }
    }
    let text = text.ok_or_else(|| EsError::illegal_argument("Required [model_text]"))?;
    Ok((text, model))
}

fn check_field(field: &str, vector: Option<&[f32]>, context: &QueryContext<'_>) -> EsResult<()> {
    let Some(found) = context.find(field) else {
        return Err(
            context.shard_error(format!("failed to create query: field [{field}] does not exist in the mapping"))
        );
    };
    match (found.extra.mapping.as_deref().map(|mapping| &mapping.kind), vector) {
        (Some(FieldKind::DenseVector(own)), _) if !own.indexed => Err(context.cannot_create(
            "illegal_argument_exception",
            format!("to perform knn search on field [{field}], its mapping must have [index] set to [true]"),
        )),
        (Some(FieldKind::DenseVector(own)), Some(vector)) if own.dims.is_some_and(|dims| dims != vector.len()) => {
            Err(context.cannot_create(
                "illegal_argument_exception",
                format!(
                    "The query vector has a different number of dimensions [{}] than the document vectors [{}].",
                    vector.len(),
                    own.dims.unwrap_or(0)
                ),
            ))
        }
        (Some(FieldKind::DenseVector(_) | FieldKind::SemanticText(_)), _) => Ok(()),
        _ => Err(context
            .cannot_create("illegal_argument_exception", "[knn] queries are only supported on [dense_vector] fields")),
    }
}

/// `semantic`.
pub(super) fn semantic(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let (mut field, mut text, mut common) = (None, None, Common::default());
    for (key, value) in object::members("semantic", body)? {
        match key.as_str() {
            "field" => field = Some(object::text("semantic", key, value)?),
            "query" => text = Some(object::text("semantic", key, value)?),
            "inner_hits" => return Err(object::unsupported("semantic", key)),
            _ if common.take("semantic", key, value)? => {}
            _ => return Err(EsError::parsing(format!("[semantic] unknown field [{key}]"))),
        }
    }
    let field = field.ok_or_else(|| EsError::illegal_argument("Required [field]"))?;
    let text = text.ok_or_else(|| EsError::illegal_argument("Required [query]"))?;
    Ok(common.around(semantic_in(&field, &text, context)?))
}

/// A text by its meaning in a semantic field. An unmapped field matches nothing.
pub(super) fn semantic_in(field: &str, text: &str, context: &QueryContext<'_>) -> EsResult<Query> {
    if !context.is_semantic(field) {
        let Some(found) = context.find(field) else { return Ok(Query::MatchNone) };
        return Err(context.cannot_create(
            "illegal_argument_exception",
            format!("Field [{field}] of type [{}] does not support semantic queries", super::field::type_of(&found)),
        ));
    }
    if text.trim().is_empty() {
        return Ok(Query::MatchNone);
    }
    Ok(Query::Knn(KnnQuery {
        field: field.to_string(),
        vector: None,
        text: Some(text.to_string()),
        model: None,
        k: context.size.max(10),
        num_candidates: None,
        similarity: None,
        filter: Vec::new(),
        whole_documents: is_about_whole(field, context),
    }))
}
