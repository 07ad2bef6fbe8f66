//! From names, wildcards and aliases to the indices of a search.

use std::sync::Arc;

use super::target::{Surroundings, Target};
use crate::server::es::error::{EsError, EsResult};
use crate::server::es::request::Params;
use crate::server::state::AppState;

/// What to do with names that are not there.
#[derive(Debug, Clone)]
pub(super) struct Resolve {
    pub(super) ignore_unavailable: bool,
    pub(super) allow_no_indices: bool,
    pub(super) expand_wildcards: Option<String>,
}

impl Default for Resolve {
    fn default() -> Self {
        Self { ignore_unavailable: false, allow_no_indices: true, expand_wildcards: None }
    }
}

impl Resolve {
    /// Reads `ignore_unavailable`, `allow_no_indices`, `expand_wildcards`, `ignore_throttled`.
    ///
    /// # Errors
    /// `illegal_argument_exception` for a value that is none.
    pub(super) fn read(params: &Params) -> EsResult<Self> {
        params.accept(&["ignore_throttled"]);
        Ok(Self {
            ignore_unavailable: params.bool_or("ignore_unavailable", false)?,
            allow_no_indices: params.bool_or("allow_no_indices", true)?,
            expand_wildcards: params.str("expand_wildcards").map(str::to_string),
        })
    }
}

/// Milliseconds since 1970.
pub(super) fn now_millis() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

/// The same indices, with the time of this request.
pub(super) fn at_now(targets: &[Target]) -> Vec<Target> {
    let now_millis = now_millis();
    targets.iter().map(|target| Target { now_millis, ..target.clone() }).collect()
}

/// The indices that some names mean, each with its last refreshed snapshot.
///
/// # Errors
/// 404 `index_not_found_exception`.
pub(super) fn resolve(_app: &Arc<AppState>, _names: &[String], _resolve: &Resolve) -> EsResult<Vec<Target>> {
    let _ = Surroundings { limits: Default::default(), node: String::new(), get: Box::new(|_, _| Ok(None)) };
    Err(EsError::unsupported("searching"))
}
