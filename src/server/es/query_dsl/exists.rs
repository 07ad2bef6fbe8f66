//! `exists` and `ids`.
//!
//! <https://www.elastic.co/guide/en/elasticsearch/reference/8.18/query-dsl-exists-query.html>

use serde_json::Value;

use super::super::error::{EsError, EsResult};
use super::context::QueryContext;
use super::object::{self, Common};
use super::text::any_of;
use crate::retrieve::query::{FieldName, IdsQuery, Query};

/// `exists`.
pub(super) fn exists(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let (mut field, mut common) = (None, Common::default());
    for (key, value) in object::members("exists", body)? {
        match key.as_str() {
            "field" => field = Some(object::text("exists", key, value)?),
            _ if common.take("exists", key, value)? => {}
            _ => return Err(object::unknown("exists", key)),
        }
    }
    let field = field
        .filter(|field| !field.is_empty())
        .ok_or_else(|| EsError::parsing("[exists] must be provided with a [field]"))?;
    Ok(common.around(context.exists(&field)))
}

impl QueryContext<'_> {
    /// Documents that have a field, an object with any of its fields, or any field of a pattern; score 1.
    pub(super) fn exists(&self, field: &str) -> Query {
        if matches!(field, "_id" | "_index" | "_source" | "_seq_no" | "_version") {
            return Query::MatchAll;
        }
        let inside = format!("{field}.");
        let named = |name: &str| {
            name == field || name.starts_with(&inside) || (field.contains('*') && super::field::matches(field, name))
        };
        let exact = self.find(field).is_some();
        let found: Vec<Query> = self
            .existing_fields()
            .filter(|name| if exact { *name == field } else { named(name) })
            .map(|name| Query::Exists(FieldName { field: name.to_string() }))
            .collect();
        match found.len() {
            0 if exact => Query::Exists(FieldName { field: field.to_string() }),
            0 | 1 => any_of(found),
            _ => Query::ConstantScore(Box::new(any_of(found))),
        }
    }

    fn existing_fields(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| name).filter(|name| !super::field::is_keyed(name))
    }
}

/// `ids`.
pub(super) fn ids(body: &Value, _context: &QueryContext<'_>) -> EsResult<Query> {
    let (mut ids, mut common) = (None, Common::default());
    for (key, value) in object::members("ids", body)? {
        match key.as_str() {
            "values" => ids = Some(object::texts("ids", key, value)?),
            _ if common.take("ids", key, value)? => {}
            _ => {
                return Err(EsError::parsing(format!(
                    "[ids] unknown field [{key}]{}",
                    object::suggestion(key, &["values", "boost", "_name"])
                )));
            }
        }
    }
    let values = ids.ok_or_else(|| EsError::illegal_argument("Required [values]"))?;
    Ok(common.around(if values.is_empty() { Query::MatchNone } else { Query::Ids(IdsQuery { values }) }))
}
