//! Finding documents and writing them, batch by batch.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::read::{ByQuery, Conflicts};
use crate::document::DocumentId;
use crate::retrieve::collect::{CollectRequest, MatchingDocuments, Slice, TrackTotal, collect};
use crate::retrieve::query::{BoolQuery, Query};
use crate::server::es::documents::write_error;
use crate::server::es::query_dsl::{self, QueryContext};
use crate::server::es::search::body::{DEFAULT_MAX_SLICES, check_slices};
use crate::server::es::{EsError, EsResponse, EsResult};
use crate::server::state::AppState;
use crate::store::catalog::{IndexHandle, Resolved};
use crate::store::shard::{Visibility, WriteAction, WriteCondition, WriteError, WriteOp, WriteResult, Written};

/// What happens to a document that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Delete,
    /// It is written again as it is.
    Write,
}

/// What was done.
#[derive(Debug)]
pub(super) struct Outcome {
    since: Instant,
    pub(super) total: u64,
    pub(super) batches: u64,
    created: u64,
    updated: u64,
    deleted: u64,
    conflicts: u64,
    failures: Vec<(u16, Value)>,
}

impl Default for Outcome {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            total: 0,
            batches: 0,
            created: 0,
            updated: 0,
            deleted: 0,
            conflicts: 0,
            failures: Vec::new(),
        }
    }
}

impl Outcome {
    /// Whether a failure ends the request.
    pub(super) fn is_stopped(&self) -> bool {
        !self.failures.is_empty()
    }

    /// Counts the answer to a write.
    pub(super) fn count(
        &mut self,
        index: &IndexHandle,
        id: &DocumentId,
        done: Result<Written, WriteError>,
        conflicts: Conflicts,
    ) {
        let error = match done {
            Ok(written) => {
                match written.result {
                    WriteResult::Created => self.created += 1,
                    WriteResult::Updated => self.updated += 1,
                    WriteResult::Deleted => self.deleted += 1,
                    WriteResult::NotFound | WriteResult::Noop => {}
                }
                return;
            }
            Err(error) => error,
        };
        if let WriteError::VersionConflict(_) = &error {
            self.conflicts += 1;
            if conflicts == Conflicts::Proceed {
                return;
            }
        }
        let error = write_error(index, Some(id), error);
        let failure = json!({"index": index.name(), "id": id, "cause": error.to_object(), "status": error.status});
        self.failures.push((error.status, failure));
    }

    /// The answer.
    ///
    /// * `shown`: which of `created`, `updated` and `deleted` it has.
    pub(super) fn answer(self, shown: &[&str]) -> EsResponse {
        let mut answer = Map::new();
        let took = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        answer.insert("took".to_string(), json!(took));
        answer.insert("timed_out".to_string(), json!(false));
        answer.insert("total".to_string(), json!(self.total));
        for (name, number) in [("updated", self.updated), ("created", self.created), ("deleted", self.deleted)] {
            if shown.contains(&name) {
                answer.insert(name.to_string(), json!(number));
            }
        }
        answer.insert("batches".to_string(), json!(self.batches));
        answer.insert("version_conflicts".to_string(), json!(self.conflicts));
        answer.insert("noops".to_string(), json!(0));
        answer.insert("retries".to_string(), json!({"bulk": 0, "search": 0}));
        answer.insert("throttled_millis".to_string(), json!(0));
        answer.insert("requests_per_second".to_string(), json!(-1.0));
        answer.insert("throttled_until_millis".to_string(), json!(0));
        let status = self.failures.iter().map(|(status, _)| *status).max().unwrap_or(200);
        let failures: Vec<Value> = self.failures.into_iter().map(|(_, failure)| failure).collect();
        answer.insert("failures".to_string(), json!(failures));
        EsResponse::with_status(status, Value::Object(answer))
    }
}

/// The documents of an index that a query finds, and that the filters of the aliases which named it let through.
pub(super) fn find(
    app: &AppState,
    target: &Resolved,
    query: &Option<Value>,
    slice: Option<Slice>,
) -> EsResult<MatchingDocuments> {
    let shard = target.index.shard_to_read()?;
    let searcher = shard.searcher();
    let definition = shard.definition();
    let get = |index: &str, id: &DocumentId| {
        let shard = app.catalog.one(index)?.shard_to_read()?;
        let found = shard.get(id, Visibility::Realtime).map_err(EsError::from)?;
        Ok(found.map(|found| (*found.source).clone()))
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis());
    let now = i64::try_from(now).unwrap_or(0);
    let mut context = QueryContext::new(target.index.name(), searcher.table(), &definition, now, &get);
    context.limits.max_clause_count = app.limits.max_clause_count;
    context.limits.max_terms_count = app.limits.max_terms_count;
    context.limits = context.limits.of_index(&definition.settings);
    let parse = |query: &Value| query_dsl::parse(query, &context);
    let mut query = match query {
        Some(query) => parse(query)?,
        None => parse(&json!({"match_all": {}}))?,
    };
    if let Some(filters) = &target.filters {
        let should = filters.iter().map(parse).collect::<EsResult<Vec<Query>>>()?;
        query = query.filtered(vec![Query::Bool(BoolQuery { should, ..BoolQuery::default() })]);
    }
    if let Some(slice) = slice {
        let most = definition.settings.other("max_slices_per_scroll").and_then(|text| text.parse().ok());
        check_slices(slice, most.unwrap_or(DEFAULT_MAX_SLICES))?;
    }
    let mut request = CollectRequest::top(&query, 0);
    request.keep_matching = true;
    request.track_total = TrackTotal::Exact;
    request.slice = slice;
    let collected = collect(&searcher, &request)?;
    Ok(MatchingDocuments::new(searcher, collected))
}

/// Writes what was found back to its own index; returns how many more the request may touch.
pub(super) fn rewrite(
    target: &Resolved,
    found: &MatchingDocuments,
    change: Change,
    request: &ByQuery,
    mut left: u64,
    outcome: &mut Outcome,
) -> EsResult<u64> {
    let shard = target.index.shard_to_write()?;
    let mut documents = found.iter();
    loop {
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(request.batch);
        let batch: Vec<_> = documents.by_ref().take(size).collect::<crate::Result<_>>()?;
        if batch.is_empty() {
            return Ok(left);
        }
        left -= batch.len() as u64;
        outcome.batches += 1;
        let mut ids = Vec::with_capacity(batch.len());
        let mut ops = Vec::with_capacity(batch.len());
        for document in batch {
            let action = match change {
                Change::Delete => WriteAction::Delete,
                Change::Write => WriteAction::Index(document.source()?),
            };
            let condition =
                WriteCondition::SeqNo { seq_no: document.seq_no, primary_term: shard.primary_term_of(document.seq_no) };
            ids.push(document.id.clone());
            ops.push(WriteOp { id: Some(document.id.clone()), action, routing: document.routing, condition });
        }
        for (id, done) in ids.iter().zip(shard.write(ops)) {
            outcome.count(&target.index, id, done, request.conflicts);
        }
        if outcome.is_stopped() {
            return Ok(left);
        }
    }
}
