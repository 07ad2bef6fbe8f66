//! `collapse`: one hit for each value of a field, and what else has that value.

use serde_json::Value;

use super::inner_hits::InnerHitsSpec;
use super::json;
use super::target::Target;
use super::values;
use crate::index::doc_values::{ValueField, ValueKind};
use crate::retrieve::collect::{FieldSort, Missing, SortKind, SortValue};
use crate::retrieve::query::{BoolQuery, FieldName, Query, TermValue};
use crate::schema::flatten::FieldKind;
use crate::server::es::error::{EsError, EsResult};

/// What was asked for.
#[derive(Debug, Clone)]
pub(super) struct CollapseSpec {
    pub(super) field: String,
    pub(super) inner_hits: Vec<InnerHitsSpec>,
}

impl CollapseSpec {
    /// # Errors
    /// `x_content_parse_exception` for what it does not have.
    pub(super) fn parse(value: &Value) -> EsResult<Self> {
        let (mut field, mut inner_hits) = (None, Vec::new());
        for (name, value) in json::object("collapse", value)? {
            match name.as_str() {
                "field" => field = Some(json::text("collapse", name, value)?),
                "inner_hits" => {
                    inner_hits = match value {
                        Value::Array(specs) => specs.iter().map(InnerHitsSpec::parse).collect::<EsResult<_>>()?,
                        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                            vec![InnerHitsSpec::parse(value)?]
                        }
                    };
                }
                // Groups are searched one after another.
                "max_concurrent_group_searches" => drop(json::size("collapse", name, value)?),
                _ => return Err(json::unknown_field("collapse", name)),
            }
        }
        let field = field.ok_or_else(|| EsError::new(400, "x_content_parse_exception", "Required [field]"))?;
        if let Some(unnamed) = inner_hits.iter().position(|spec| spec.name.is_none())
            && inner_hits.len() > 1
        {
            return Err(EsError::illegal_argument(format!(
                "[inner_hits] number {} of [collapse] needs a [name]",
                unnamed + 1
            )));
        }
        Ok(Self { field, inner_hits })
    }

    /// The field in one index.
    pub(super) fn resolve(&self, target: &Target) -> EsResult<FieldSort> {
        let found = ValueField::resolve(&target.searcher, &self.field, &target.index)?;
        let Some(found) = found else {
            return Err(EsError::illegal_argument(format!(
                "no mapping found for `{}` in order to collapse on",
                self.field
            )));
        };
        let fits = match found.kind {
            ValueKind::Keyword
            | ValueKind::Long
            | ValueKind::UnsignedLong
            | ValueKind::Double
            | ValueKind::Boolean
            | ValueKind::Date => true,
            ValueKind::Ip | ValueKind::Id | ValueKind::IndexName => false,
        };
        if !fits {
            return Err(EsError::illegal_argument(format!(
                "collapse is not supported for the field [{}] of the type [{}]",
                self.field,
                values::type_name(found.kind)
            )));
        }
        let kind = SortKind::from(found.kind);
        Ok(FieldSort { field: Some(found), kind, missing: Missing::Last, mode: None, nested: None })
    }

    /// The documents of a group.
    pub(super) fn group_query(&self, value: &SortValue, target: &Target) -> Query {
        let term = |value| Query::Term(crate::retrieve::query::FieldValue { field: self.field.clone(), value });
        match value {
            SortValue::Null => Query::Bool(BoolQuery {
                must_not: vec![Query::Exists(FieldName { field: self.field.clone() })],
                ..BoolQuery::default()
            }),
            SortValue::Int(number) if is_boolean(&self.field, target) => term(TermValue::Bool(*number != 0)),
            SortValue::Int(number) => term(TermValue::Integer(*number)),
            SortValue::Unsigned(number) => term(TermValue::Unsigned(*number)),
            SortValue::Float(number) => term(TermValue::Float(*number)),
            SortValue::Text(text) => term(TermValue::Text(text.clone())),
            SortValue::Ip(address) => term(TermValue::Text(values::print_ip(*address))),
        }
    }
}

fn is_boolean(field: &str, target: &Target) -> bool {
    let kind = target.field(field).map(|field| &field.definition.kind);
    kind.is_some_and(|kind| matches!(kind, FieldKind::Boolean { .. }))
}

/// The value of a group, printed as the field's values are.
pub(super) fn print_group_value(value: &SortValue, field: &str, target: &Target) -> Value {
    match value {
        SortValue::Int(number) if is_boolean(field, target) => Value::Bool(*number != 0),
        SortValue::Int(millis)
            if target.field(field).is_some_and(|field| matches!(field.definition.kind, FieldKind::Date { .. })) =>
        {
            values::print_date(*millis, field, None, target)
        }
        SortValue::Null
        | SortValue::Int(_)
        | SortValue::Unsigned(_)
        | SortValue::Float(_)
        | SortValue::Text(_)
        | SortValue::Ip(_) => values::print_sort_value(value),
    }
}
