//! Elasticsearch's query DSL to the engine's query tree: one file a query or a family of queries.

use serde_json::{Map, Value};

use super::error::EsResult;
use crate::document::DocumentId;
use crate::index::lexical::FieldTable;
use crate::retrieve::query::Query;
use crate::schema::IndexDefinition;

/// What a query may need to know to be understood on one index.
pub struct QueryContext<'a> {
    /// The index's concrete name.
    pub index: &'a str,
    /// The fields that queries may name.
    pub fields: &'a FieldTable,
    /// The mapping.
    pub definition: &'a IndexDefinition,
    /// `now` of date math, in milliseconds since 1970.
    pub now_millis: i64,
    /// Looks up a document's source (index, id), for `terms` lookups and `more_like_this`.
    pub get: &'a dyn Fn(&str, &DocumentId) -> EsResult<Option<Map<String, Value>>>,
}

impl std::fmt::Debug for QueryContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueryContext").field("index", &self.index).finish_non_exhaustive()
    }
}

/// Reads a query (`{"match": {..}}`).
///
/// # Errors
/// `parsing_exception` for what is no query, `illegal_argument_exception` for a value out of range or a part that is not
/// supported; each names the query and the field.
pub fn parse(_query: &Value, _context: &QueryContext<'_>) -> EsResult<Query> {
    Err(super::EsError::unsupported("the query DSL"))
}
