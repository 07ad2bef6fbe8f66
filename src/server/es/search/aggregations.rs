//! Aggregations of a search: handed to [`aggs`](crate::server::es::aggs) with the sets of documents that they count.

use std::sync::Arc;

use serde_json::Value;

use super::params::SearchParams;
use super::query_phase::QueryPhase;
use super::target::Target;
use crate::server::es::error::{EsError, EsResult};
use crate::server::state::AppState;

/// Computes aggregations over what a search matched, before its post filter.
///
/// # Errors
/// Those of the aggregations.
pub(super) fn run(
    _app: &Arc<AppState>,
    _aggs: &Value,
    _params: &SearchParams,
    _targets: &[Target],
    _phase: &QueryPhase,
) -> EsResult<Value> {
    Err(EsError::unsupported("[aggs] in a search"))
}
