//! stub
use serde_json::Value;
use super::context::QueryContext;
use super::super::error::{EsError, EsResult};
use crate::retrieve::query::Query;
pub(super) fn simple_query_string(_body: &Value, _context: &QueryContext<'_>) -> EsResult<Query> {
    Err(EsError::unsupported("the query [simple_query_string]"))
}
