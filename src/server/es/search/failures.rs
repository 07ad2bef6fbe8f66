//! What fails in one index of a search: a failure beside the other indices' hits, or the error of the whole search.

use serde_json::{Value, json};

use crate::server::es::error::EsError;

/// A search that failed in one index.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) index: String,
    pub(super) error: EsError,
}

impl Failure {
    /// As `_shards.failures` and `failed_shards` list it.
    pub(super) fn print(&self, node: &str) -> Value {
        json!({"shard": 0, "index": self.index, "node": node, "reason": self.error.to_object()})
    }
}

/// Whether a search's error is one of the request and not of an index: those are answered as they are.
pub(super) fn is_request_error(error: &EsError) -> bool {
    matches!(
        error.kind.as_str(),
        "parsing_exception"
            | "x_content_parse_exception"
            | "named_object_not_found_exception"
            | "action_request_validation_exception"
            | "index_not_found_exception"
            | "search_phase_execution_exception"
            | "es_rejected_execution_exception"
            | "circuit_breaking_exception"
    ) || error.reason.ends_with("is not supported by Bifocal")
}

/// The error of a search that failed in every index.
///
/// * `phase`: `query` or `fetch`.
pub(super) fn all_failed(failures: &[Failure], phase: &str, node: &str) -> EsError {
    let status = failures.iter().map(|failure| failure.error.status).max().unwrap_or(503);
    // As Elasticsearch: what is the same in several indices is said once.
    let mut grouped: Vec<&Failure> = Vec::new();
    for failure in failures {
        let is_known = grouped.iter().any(|known| {
            known.error.kind == failure.error.kind
                && (known.error.reason == failure.error.reason || known.index == failure.index)
        });
        if !is_known {
            grouped.push(failure);
        }
    }
    let shards: Vec<Value> = grouped.iter().map(|failure| failure.print(node)).collect();
    let error = EsError::new(status, "search_phase_execution_exception", "all shards failed")
        .with("phase", json!(phase))
        .with("grouped", json!(true))
        .with("failed_shards", json!(shards));
    match grouped.first() {
        Some(first) => error.caused_by(first.error.clone()),
        None => error,
    }
}

/// The error of a search whose time was up, where a part of the answer is not wanted.
pub(super) fn time_exceeded(index: &str, node: &str) -> EsError {
    let error = EsError::new(504, "search_timeout_exception", "Time exceeded").with("index", json!(index));
    all_failed(&[Failure { index: index.to_string(), error }], "query", node)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_cause_is_the_index_own_error() {
        let failure = |index: &str| Failure {
            index: index.to_string(),
            error: EsError::new(400, "query_shard_exception", "No mapping found for [x] in order to sort on")
                .with("index", json!(index)),
        };
        let body = all_failed(&[failure("a"), failure("b")], "query", "node").to_body();
        assert_eq!(body["status"], 400);
        assert_eq!(body["error"]["type"], "search_phase_execution_exception");
        assert_eq!(body["error"]["root_cause"][0]["type"], "query_shard_exception");
        assert_eq!(body["error"]["failed_shards"][0]["index"], "a");
        assert_eq!(body["error"]["phase"], "query");
    }
}
