//! What is answered about single documents, in `_doc` as in `_bulk`.

use serde_json::{Map, Value, json};

use super::params::Refresh;
use crate::document::DocumentId;
use crate::server::es::EsError;
use crate::store::catalog::IndexHandle;
use crate::store::shard::{WriteError, WriteResult, Written};

/// The answer to a write.
pub(in crate::server::es) fn written(index: &IndexHandle, done: &Written, refresh: Refresh) -> Map<String, Value> {
    let mut answer = Map::new();
    answer.insert("_index".to_string(), json!(index.name()));
    answer.insert("_id".to_string(), json!(done.id));
    answer.insert("_version".to_string(), json!(done.version));
    answer.insert("result".to_string(), json!(result_name(done.result)));
    let is_noop = done.result == WriteResult::Noop;
    if refresh == Refresh::Now && !is_noop {
        answer.insert("forced_refresh".to_string(), json!(true));
    }
    let copies = u64::from(!is_noop);
    answer.insert("_shards".to_string(), json!({"total": copies, "successful": copies, "failed": 0}));
    answer.insert("_seq_no".to_string(), json!(done.seq_no));
    answer.insert("_primary_term".to_string(), json!(done.primary_term));
    answer
}

fn result_name(result: WriteResult) -> &'static str {
    match result {
        WriteResult::Created => "created",
        WriteResult::Updated => "updated",
        WriteResult::Deleted => "deleted",
        WriteResult::NotFound => "not_found",
        WriteResult::Noop => "noop",
    }
}

/// The status of a write's answer.
pub(in crate::server::es) fn status_of(result: WriteResult) -> u16 {
    match result {
        WriteResult::Created => 201,
        WriteResult::Updated | WriteResult::Deleted | WriteResult::Noop => 200,
        WriteResult::NotFound => 404,
    }
}

/// Why a write was not done.
pub(in crate::server::es) fn write_error(index: &IndexHandle, id: Option<&DocumentId>, error: WriteError) -> EsError {
    let of_shard = |status, kind, reason: String| {
        EsError::new(status, kind, reason)
            .with("index_uuid", json!(index.uuid()))
            .with("shard", json!("0"))
            .with("index", json!(index.name()))
    };
    match error {
        WriteError::VersionConflict(text) => of_shard(409, "version_conflict_engine_exception", text),
        WriteError::Missing => {
            let id = id.map(DocumentId::as_str).unwrap_or_default();
            of_shard(404, "document_missing_exception", format!("[{id}]: document missing"))
        }
        WriteError::Closed => EsError::index_not_found(index.name()),
        WriteError::Other(error) => {
            let is_input = error.kind() == crate::ErrorKind::InvalidInput && error.exception().is_none();
            let said = EsError::from(error);
            if is_input { EsError { kind: "document_parsing_exception".to_string(), ..said } } else { said }
        }
    }
}

/// A source that is no JSON object.
pub(in crate::server::es) fn unparsable(why: &str) -> EsError {
    EsError::new(400, "document_parsing_exception", format!("failed to parse: {why}")).caused_by(EsError::new(
        400,
        "x_content_parse_exception",
        why,
    ))
}

/// A source that is no JSON.
pub(in crate::server::es) fn unreadable(error: EsError) -> EsError {
    EsError::new(400, "document_parsing_exception", format!("failed to parse: {}", error.reason)).caused_by(error)
}
