//! Buckets of queries, of missing values, and of nested objects.

use serde_json::Value;

use super::super::error::{EsError, EsResult};
use super::super::query_dsl::{self, QueryContext};
use super::body::{Body, refuse};
use super::source::{Formatted, source};
use crate::aggregate::AggregationKind;
use crate::aggregate::request::{AdjacencyMatrix, Filters};

/// Reads `filter`.
pub(super) fn filter(body: &mut Body<'_>, context: &QueryContext<'_>) -> EsResult<AggregationKind> {
    Ok(AggregationKind::Filter(Box::new(query_dsl::parse(body.whole(), context)?)))
}

/// Reads `filters`.
pub(super) fn filters(body: &mut Body<'_>, context: &QueryContext<'_>) -> EsResult<AggregationKind> {
    let place = body.place();
    let mut filters = Vec::new();
    let is_named = match body.take("filters") {
        Some(Value::Object(named)) => {
            for (name, query) in named {
                filters.push((Some(name.clone()), query_dsl::parse(query, context)?));
            }
            // Elasticsearch answers named filters by name.
            filters.sort_by(|left, right| left.0.cmp(&right.0));
            true
        }
        Some(Value::Array(anonymous)) => {
            for query in anonymous {
                filters.push((None, query_dsl::parse(query, context)?));
            }
            false
        }
        _ => return Err(EsError::illegal_argument(format!("[filters] cannot be empty. (in [{}])", place.name))),
    };
    if filters.is_empty() {
        return Err(EsError::illegal_argument(format!("[filters] cannot be empty. (in [{}])", place.name)));
    }
    let other_key = body.text("other_bucket_key")?;
    let wants_other = body.flag("other_bucket")?.unwrap_or(other_key.is_some());
    let other = wants_other.then(|| other_key.unwrap_or_else(|| "_other_".to_string()));
    let keyed = body.flag("keyed")?.unwrap_or(true) && is_named;
    Ok(AggregationKind::Filters(Filters { filters, other, keyed }))
}

/// Reads `adjacency_matrix`.
pub(super) fn adjacency_matrix(body: &mut Body<'_>, context: &QueryContext<'_>) -> EsResult<AggregationKind> {
    let place = body.place();
    let Some(Value::Object(named)) = body.take("filters") else {
        return Err(refuse(
            place,
            format!("Required [filters] of the [adjacency_matrix] aggregation [{}]", place.name),
        ));
    };
    let mut filters = Vec::new();
    for (name, query) in named {
        filters.push((name.clone(), query_dsl::parse(query, context)?));
    }
    filters.sort_by(|left, right| left.0.cmp(&right.0));
    let separator = body.text("separator")?.unwrap_or_else(|| "&".to_string());
    Ok(AggregationKind::AdjacencyMatrix(AdjacencyMatrix { filters, separator }))
}

/// Reads `missing`.
pub(super) fn missing(body: &mut Body<'_>) -> EsResult<AggregationKind> {
    Ok(AggregationKind::Missing(source(body, Formatted::No)?))
}

/// Reads `sampler`.
pub(super) fn sampler(body: &mut Body<'_>) -> EsResult<AggregationKind> {
    Ok(AggregationKind::Sampler { shard_size: body.size("shard_size", 1)?.unwrap_or(100) })
}

/// Reads `nested`.
pub(super) fn nested(body: &mut Body<'_>, _context: &QueryContext<'_>) -> EsResult<AggregationKind> {
    let Some(path) = body.text("path")? else {
        return Err(EsError::parsing(format!("Missing [path] field for nested aggregation [{}]", body.place().name)));
    };
    Ok(AggregationKind::Nested { path })
}

/// Reads `reverse_nested`.
pub(super) fn reverse_nested(body: &mut Body<'_>, context: &QueryContext<'_>) -> EsResult<AggregationKind> {
    let path = body.text("path")?;
    if let Some(path) = path.as_ref().filter(|path| !context.fields.nested_paths().contains(path)) {
        return Err(EsError::new(
            400,
            "aggregation_execution_exception",
            format!("[reverse_nested] nested path [{path}] is not nested"),
        ));
    }
    Ok(AggregationKind::ReverseNested { path })
}
