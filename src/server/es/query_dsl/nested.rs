//! `nested`.
//!
//! <https://www.elastic.co/guide/en/elasticsearch/reference/8.18/query-dsl-nested-query.html>

use serde_json::Value;

use super::super::error::{EsError, EsResult};
use super::context::QueryContext;
use super::object::{self, Common};
use super::parse_inner;
use crate::retrieve::query::{NestedQuery, NestedScoreMode, Query};

/// `nested`.
pub(super) fn nested(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let (mut path, mut inner, mut common) = (None, None, Common::default());
    let (mut score_mode, mut ignore_unmapped, mut inner_hits) = (NestedScoreMode::Avg, false, None);
    for (key, value) in object::members("nested", body)? {
        match key.as_str() {
            "path" => path = Some(object::text("nested", key, value)?),
            "query" => inner = Some(value),
            "score_mode" => score_mode = mode(&object::text("nested", key, value)?)?,
            "ignore_unmapped" => ignore_unmapped = object::truth("nested", key, value)?,
            "inner_hits" => inner_hits = Some(value.clone()),
            _ if common.take("nested", key, value)? => {}
            _ => return Err(object::unknown("nested", key)),
        }
    }
    let path = path.ok_or_else(|| EsError::illegal_argument("[nested] requires 'path' field"))?;
    let inner = inner.ok_or_else(|| EsError::illegal_argument("[nested] requires 'query' field"))?;
    if !context.fields.nested_paths().contains(&path) {
        if ignore_unmapped {
            return Ok(common.around(Query::MatchNone));
        }
        return Err(context.shard_error(format!(
            "failed to create query: [nested] failed to find nested object under path [{path}]"
        )));
    }
    let parent = context.nested_path();
    let query = context.inside(&path, || parse_inner(inner, context))?;
    Ok(common.around(Query::Nested(NestedQuery { path, query: Box::new(query), score_mode, parent, inner_hits })))
}

fn mode(text: &str) -> EsResult<NestedScoreMode> {
    Ok(match text {
        "avg" => NestedScoreMode::Avg,
        "sum" => NestedScoreMode::Sum,
        "min" => NestedScoreMode::Min,
        "max" => NestedScoreMode::Max,
        "none" => NestedScoreMode::None,
        other => {
            return Err(EsError::illegal_argument(format!("No score mode for child query [{other}] found")));
        }
    })
}
