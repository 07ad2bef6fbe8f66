//! `pinned`: some documents first, in a given order, then what another query finds.
//!
//! <https://www.elastic.co/guide/en/elasticsearch/reference/8.18/query-dsl-pinned-query.html>

use serde_json::Value;

use super::super::error::{EsError, EsResult};
use super::context::QueryContext;
use super::object::{self, Common};
use super::parse_inner;
use crate::retrieve::query::{CappedQuery, DisMaxQuery, IdsQuery, Query};

/// The bits of the greatest score of what is not pinned; pinned documents score just above, in steps of one bit.
const MAX_ORGANIC_BITS: u32 = 0x7f00_0000;
const MAX_PINNED: usize = 100;

/// `pinned`.
pub(super) fn pinned(body: &Value, context: &QueryContext<'_>) -> EsResult<Query> {
    let (mut ids, mut docs, mut organic, mut common) = (None, None, None, Common::default());
    for (key, value) in object::members("pinned", body)? {
        match key.as_str() {
            "ids" => ids = Some(object::texts("pinned", key, value)?),
            "docs" => docs = Some(read_docs(value)?),
            "organic" => organic = Some(parse_inner(value, context)?),
            _ if common.take("pinned", key, value)? => {}
            _ => return Err(EsError::parsing(format!("[pinned] unknown field [{key}]"))),
        }
    }
    let organic = organic.ok_or_else(|| EsError::illegal_argument("Required [organic]"))?;
    let docs: Vec<(Option<String>, String)> = match (ids, docs) {
        (Some(_), Some(_)) => {
            return Err(EsError::illegal_argument("[ids] and [docs] cannot be used at the same time"));
        }
        (Some(ids), None) => ids.into_iter().map(|id| (None, id)).collect(),
        (None, Some(docs)) => docs,
        (None, None) => return Err(EsError::illegal_argument("[ids] or [docs] must be provided")),
    };
    if docs.len() > MAX_PINNED {
        return Err(EsError::illegal_argument(format!(
            "Max of {MAX_PINNED} IDs can be pinned, but {} were given",
            docs.len()
        )));
    }
    Ok(common.around(pin(&docs, organic, context.index)))
}

/// Puts documents before what `organic` finds.
///
/// * `docs`: (index, id); of another index they are left out, but keep their rank.
pub(super) fn pin(docs: &[(Option<String>, String)], organic: Query, index: &str) -> Query {
    let mut queries = Vec::with_capacity(docs.len() + 1);
    for ((wanted, id), rank) in docs.iter().zip(0_u32..) {
        if wanted.as_ref().is_some_and(|wanted| wanted != index) {
            continue;
        }
        let steps = u32::try_from(docs.len()).unwrap_or(u32::MAX).saturating_sub(rank);
        let score = f32::from_bits(MAX_ORGANIC_BITS.saturating_add(steps));
        queries.push(Query::Ids(IdsQuery { values: vec![id.clone()] }).boosted(score));
    }
    let capped = CappedQuery { query: Box::new(organic), max_score: f32::from_bits(MAX_ORGANIC_BITS) };
    queries.push(Query::Capped(capped));
    Query::DisMax(DisMaxQuery { queries, tie_breaker: 0.0 })
}

fn read_docs(value: &Value) -> EsResult<Vec<(Option<String>, String)>> {
    let Value::Array(docs) = value else { return Err(object::misfit("pinned", "docs", value, "an array")) };
    let read = |doc: &Value| {
        let (mut index, mut id) = (None, None);
        for (key, value) in object::members("pinned", doc)? {
            match key.as_str() {
                "_index" => index = Some(object::text("pinned", key, value)?),
                "_id" => id = Some(object::text("pinned", key, value)?),
                _ => return Err(EsError::parsing(format!("[specified_document] unknown field [{key}]"))),
            }
        }
        Ok((index, id.ok_or_else(|| EsError::illegal_argument("Required [_id]"))?))
    };
    docs.iter().map(read).collect()
}
