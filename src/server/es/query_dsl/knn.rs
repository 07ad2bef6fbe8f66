//! `knn` and `semantic`: queries by vectors.
//!
//! <https://www.elastic.co/guide/en/elasticsearch/reference/8.18/query-dsl-knn-query.html>

use serde_json::Value;

use super::super::error::{EsError, EsResult};
use super::super::inference::check_model_name;
use super::compound::queries;
use super::context::QueryContext;
use super::object::{self, Common};
use crate::index::lexical::LexicalField;
use crate::index::values::bytes_of_hex;
use crate::retrieve::query::{KnnQuery, NestedQuery, NestedScoreMode, Query};
use crate::schema::flatten::FieldKind;
use crate::schema::mapping::ElementType;

/// Elasticsearch's limit.
const MAX_CANDIDATES: usize = 10_000;

/// `knn`.
pub(super) fn knn(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let (mut field, mut vector, mut builder, mut common) = (None, None, None, Common::default());
    let (mut k, mut num_candidates, mut similarity, mut filter) = (None, None, None, Vec::new());
    let mut inner_hits = None;
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
            "rescore_vector" => check_rescoring(value)?,
            "inner_hits" => inner_hits = Some(value.clone()),
            _ if common.take("knn", key, value)? => {}
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
    match num_candidates {
        Some(0) => return Err(EsError::illegal_argument("[num_candidates] must be greater than 0")),
        Some(candidates) if candidates > MAX_CANDIDATES => {
            return Err(EsError::illegal_argument(format!("[num_candidates] cannot exceed [{MAX_CANDIDATES}]")));
        }
        Some(_) | None => {}
    }
    if let (Some(k), Some(candidates)) = (k, num_candidates)
        && candidates < k
    {
        return Err(EsError::illegal_argument(format!(
            "[num_candidates] cannot be less than [k], but found num_candidates={candidates} and k={k}"
        )));
    }
    // Without `k`, every candidate is a match: one and a half times what is asked for, unless their number is given.
    let k = k.or(num_candidates).unwrap_or_else(|| (context.size.max(1) * 3).div_ceil(2).min(MAX_CANDIDATES));
    let Some(found) = context.find(&field) else { return Ok(common.around(Query::MatchNone)) };
    let vector = vector.map(|vector| vector.fitting(&found, context)).transpose()?;
    check_field(&field, &found, vector.as_deref(), context)?;
    if text.is_some() && model.is_none() && !context.is_semantic(&field) {
        return Err(EsError::illegal_argument("[model_id] must not be null."));
    }
    let path = found.nested().map(str::to_string);
    let whole_documents = context.nested_path().is_none() && path.is_some();
    let knn = Query::Knn(KnnQuery {
        whole_documents: whole_documents && inner_hits.is_none(),
        field,
        vector,
        text,
        model,
        k,
        num_candidates,
        similarity,
        filter,
    });
    let Some(inner_hits) = inner_hits else { return Ok(common.around(knn)) };
    let Some(path) = path.filter(|_| whole_documents) else {
        return Err(EsError::illegal_argument(
            "[inner_hits] of [knn] need a field of nested objects, and no [nested] query around it",
        ));
    };
    // What is nearest in each document is its score, boosted as it is shown.
    let Common { boost, name } = common;
    let query = Box::new(Common { boost, name: None }.around(knn));
    let score_mode = NestedScoreMode::Max;
    let nested = Query::Nested(NestedQuery { path, query, score_mode, parent: None, inner_hits: Some(inner_hits) });
    Ok(Common { boost: 1.0, name }.around(nested))
}

/// `rescore_vector`: what is found by coarse copies is scored from the finest in any case.
fn check_rescoring(value: &Value) -> EsResult<()> {
    let mut oversample = None;
    for (key, value) in object::members("rescore_vector", value)? {
        match key.as_str() {
            "oversample" => oversample = Some(object::float("rescore_vector", key, value)?),
            _ => return Err(EsError::parsing(format!("[rescore_vector] unknown field [{key}]"))),
        }
    }
    match oversample {
        None => Err(EsError::illegal_argument("Required [oversample]")),
        Some(factor) if factor == 0.0 || (1.0..10.0).contains(&factor) => Ok(()),
        Some(factor) => Err(EsError::illegal_argument(format!(
            "[oversample] must be 0, or greater or equal to 1 and less than 10, provided: {factor}"
        ))),
    }
}

/// Whether a field lies in nested objects while the query is about whole documents.
fn is_about_whole(field: &str, context: &QueryContext<'_>) -> bool {
    context.nested_path().is_none() && context.find(field).is_some_and(|field| field.nested().is_some())
}

/// A vector as it was written.
enum QueryVector {
    Numbers(Vec<f32>),
    /// Two hexadecimal digits a byte.
    Hex(String),
}

impl QueryVector {
    /// The numbers, for a field.
    fn fitting(self, found: &LexicalField, context: &QueryContext<'_>) -> EsResult<Vec<f32>> {
        let numbers = match self {
            QueryVector::Numbers(numbers) => numbers,
            QueryVector::Hex(text) => bytes_of_hex(&text).ok_or_else(|| {
                EsError::parsing(format!(
                    "[knn] failed to parse field [query_vector]: [{text}] are no hexadecimal bytes"
                ))
            })?,
        };
        let is_byte = |number: &f32| number.fract() == 0.0 && (-128.0..=127.0).contains(number);
        let kind = found.extra.mapping.as_deref().map(|mapping| &mapping.kind);
        if let Some(FieldKind::DenseVector(field)) = kind
            && field.element == ElementType::Byte
            && let Some(wrong) = numbers.iter().find(|number| !is_byte(number))
        {
            let reason =
                format!("element_type [byte] vectors only support integers between [-128, 127] but found [{wrong}]");
            return Err(context.cannot_create("illegal_argument_exception", reason));
        }
        Ok(numbers)
    }
}

fn read_vector(value: &Value) -> EsResult<QueryVector> {
    if let Value::String(text) = value {
        return Ok(QueryVector::Hex(text.clone()));
    }
    let Value::Array(values) = value else {
        return Err(EsError::parsing(
            "[knn] [query_vector] must be an array of numbers, or bytes as hexadecimal digits",
        ));
    };
    let number = |value: &Value| object::float("knn", "query_vector", value);
    let vector = values.iter().map(number).collect::<EsResult<Vec<_>>>()?;
    if vector.iter().any(|number| !number.is_finite()) {
        return Err(EsError::illegal_argument("a [query_vector] holds a number that is not finite"));
    }
    Ok(QueryVector::Numbers(vector))
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

fn check_field(field: &str, found: &LexicalField, vector: Option<&[f32]>, context: &QueryContext<'_>) -> EsResult<()> {
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
        let kind = super::field::type_of(&found);
        return Err(EsError::illegal_argument(format!(
            "Field [{field}] of type [{kind}] does not support semantic queries"
        )));
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
