//! Changing a part of a document.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde_json::{Map, Value, json};

use super::get::SourceFilter;
use super::params::{VersionParams, invalid};
use super::{Refresh, Refreshing, check_id, status_of, write_error, written};
use crate::server::es::request::closest;
use crate::server::es::{Body, EsError, EsResponse, EsResult, Params};
use crate::server::state::AppState;
use crate::store::shard::{Update, WriteAction, WriteCondition, WriteOp, WriteResult, Written};

/// What a body may have.
const FIELDS: [&str; 9] = [
    "doc",
    "upsert",
    "doc_as_upsert",
    "detect_noop",
    "_source",
    "if_seq_no",
    "if_primary_term",
    "script",
    "scripted_upsert",
];

/// A body of `_update`, or of an `update` in `_bulk`.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::server::es) struct UpdateBody {
    pub(in crate::server::es) update: Update,
    /// What of the new source is answered; `None`: nothing.
    pub(in crate::server::es) returned: Option<SourceFilter>,
    /// `if_seq_no` and `if_primary_term` of the body.
    numbers: (Option<i64>, Option<i64>),
}

impl UpdateBody {
    /// Reads it.
    ///
    /// # Errors
    /// `x_content_parse_exception` for an unknown part, `action_request_validation_exception` for a missing one; scripts are refused.
    pub(in crate::server::es) fn read(body: Map<String, Value>) -> EsResult<Self> {
        let mut update = Update { detect_noop: true, ..Update::default() };
        let mut returned = None;
        let mut numbers = (None, None);
        let mut has_doc = false;
        for (name, value) in body {
            let wrong = |wanted: &str| {
                EsError::new(
                    400,
                    "x_content_parse_exception",
                    format!("[UpdateRequest] {name} doesn't support values of this type, expected {wanted}"),
                )
            };
            match (name.as_str(), value) {
                ("doc", Value::Object(doc)) => {
                    has_doc = true;
                    update.doc = doc;
                }
                ("upsert", Value::Object(upsert)) => update.upsert = Some(upsert),
                ("doc" | "upsert", _) => return Err(wrong("an object")),
                ("doc_as_upsert", value) => update.doc_as_upsert = flag(&value).ok_or_else(|| wrong("a boolean"))?,
                ("detect_noop", value) => update.detect_noop = flag(&value).ok_or_else(|| wrong("a boolean"))?,
                ("_source", value) => {
                    let filter = SourceFilter::from_value(&value)?;
                    returned = filter.is_wanted.then_some(filter);
                }
                ("if_seq_no", value) => numbers.0 = Some(value.as_i64().ok_or_else(|| wrong("a whole number"))?),
                ("if_primary_term", value) => numbers.1 = Some(value.as_i64().ok_or_else(|| wrong("a whole number"))?),
                ("scripted_upsert", value) if flag(&value) == Some(false) => {}
                ("script" | "scripted_upsert", _) => return Err(EsError::unsupported("[script] of an update")),
                (other, _) => {
                    let hint = closest(other, &FIELDS).map(|known| format!(" did you mean [{known}]?"));
                    let text = format!("[UpdateRequest] unknown field [{other}]{}", hint.unwrap_or_default());
                    return Err(EsError::new(400, "x_content_parse_exception", text));
                }
            }
        }
        if !has_doc {
            let fault = if update.doc_as_upsert {
                "doc must be specified if doc_as_upsert is enabled"
            } else {
                "script or doc is missing"
            };
            return Err(invalid(fault));
        }
        Ok(Self { update, returned, numbers })
    }

    /// Whether its parts may go with a condition on the document's sequence number.
    ///
    /// # Errors
    /// `action_request_validation_exception` for what writes a document that is not there.
    pub(in crate::server::es) fn check_condition(&self, condition: WriteCondition) -> EsResult<()> {
        if condition == WriteCondition::None {
            return Ok(());
        }
        if self.update.doc_as_upsert {
            return Err(invalid("compare and write operations can not be used with upsert"));
        }
        if self.update.upsert.is_some() {
            return Err(invalid("upsert requests don't support `if_seq_no` and `if_primary_term`"));
        }
        Ok(())
    }
}

fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text == "true" => Some(true),
        Value::String(text) if text == "false" => Some(false),
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

pub(super) async fn update(
    State(app): State<Arc<AppState>>,
    Path((index, id)): Path<(String, String)>,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    params.accept(&["timeout", "wait_for_active_shards", "lang", "include_source_on_error"]);
    let refresh = Refresh::read(&params)?;
    let routing = params.str("routing").map(str::to_string);
    let require_alias = params.bool_or("require_alias", false)?;
    let retries: u32 = params.number("retry_on_conflict")?.unwrap_or(0);
    let (if_seq_no, if_primary_term) = (params.number("if_seq_no")?, params.number("if_primary_term")?);
    let from_query = super::source_filter(&params);
    params.finish()?;
    check_id(&id)?;
    let mut read = UpdateBody::read(body.required_object()?)?;
    read.update.retry_on_conflict = retries;
    let numbers = VersionParams {
        if_seq_no: if_seq_no.or(read.numbers.0),
        if_primary_term: if_primary_term.or(read.numbers.1),
        ..VersionParams::default()
    };
    let condition = numbers.condition(false)?;
    read.check_condition(condition)?;
    if retries > 0 && numbers.if_seq_no.is_some() {
        return Err(invalid("compare and write operations can not be retried"));
    }
    let returned = from_query.or(read.returned);
    let worker = app.clone();
    let (answer, refreshing) = app
        .write(move || {
            let target = worker.catalog.write_target(&index, require_alias)?;
            let shard = target.index.shard_to_write()?;
            let id: crate::DocumentId = id.into();
            let op = WriteOp { id: Some(id.clone()), action: WriteAction::Update(read.update), routing, condition };
            let done = shard.write_one(op).map_err(|error| write_error(&target.index, Some(&id), error))?;
            let written_at = (done.result != WriteResult::Noop).then_some(done.seq_no);
            let refreshing = match written_at {
                Some(seq_no) => Refreshing::begin(&shard, refresh, Some(seq_no))?,
                None => Refreshing::none(),
            };
            let mut answer = written(&target.index, &done, refresh);
            if let Some(get) = returned.and_then(|filter| got(&done, &filter)) {
                answer.insert("get".to_string(), get);
            }
            Ok((EsResponse::with_status(status_of(done.result), Value::Object(answer)), refreshing))
        })
        .await?;
    refreshing.finish().await;
    Ok(answer)
}

/// The source after an update, as far as it was asked for.
pub(in crate::server::es) fn got(done: &Written, filter: &SourceFilter) -> Option<Value> {
    let source = done.source.as_ref()?;
    Some(
        json!({"_seq_no": done.seq_no, "_primary_term": done.primary_term, "found": true, "_source": filter.apply(source)}),
    )
}
