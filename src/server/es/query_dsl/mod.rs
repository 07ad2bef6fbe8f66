//! Elasticsearch's query DSL to the engine's query tree: one file a query or a family of queries.

mod context;

pub use self::context::{QueryContext, QueryLimits};

use serde_json::Value;

use super::error::EsResult;
use crate::retrieve::query::Query;

/// Reads a query (`{"match": {..}}`).
///
/// # Errors
/// `parsing_exception` for what is no query, `illegal_argument_exception` for a value out of range or a part that is not
/// supported; each names the query and the field.
pub fn parse(_query: &Value, _context: &QueryContext<'_>) -> EsResult<Query> {
    Err(super::EsError::unsupported("the query DSL"))
}
