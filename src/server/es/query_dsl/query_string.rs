//! stub
use super::super::error::{EsError, EsResult};
use super::context::QueryContext;
use crate::retrieve::query::Query;
use serde_json::Value;
pub(super) fn query_string(_body: &Value, _context: &QueryContext<'_>) -> EsResult<Query> {
    Err(EsError::unsupported("the query [query_string]"))
}
