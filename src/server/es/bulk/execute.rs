//! Batches of items to their shards, and the answer that grows with them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rayon::prelude::*;
use serde_json::{Map, Value, json};

use super::parse::{BulkKind, BulkOp};
use crate::document::DocumentId;
use crate::server::es::documents::{
    Refresh, Refreshing, SourceFilter, UpdateBody, check_id, got, status_of, unparsable, unreadable, write_error,
    written,
};
use crate::server::es::request::parse_json;
use crate::server::es::{EsError, EsResult};
use crate::server::state::AppState;
use crate::store::Shard;
use crate::store::catalog::IndexHandle;
use crate::store::shard::{WriteAction, WriteError, WriteOp, Written};

/// Fewer sources are not worth other threads.
const MIN_PARALLEL: usize = 16;

/// What a request has done so far.
#[derive(Debug)]
pub(super) struct Execution {
    refresh: Refresh,
    /// The answers to the items, printed, with commas between.
    items: Vec<u8>,
    num_items: usize,
    has_errors: bool,
    /// The shards that were written, by the uuids of their indices, with the last sequence number of each.
    touched: HashMap<String, (Arc<Shard>, u64)>,
}

/// What an item is answered with beside its error or success.
struct Item {
    kind: BulkKind,
    /// As the request named it, or the concrete one behind it.
    index: String,
    id: Option<DocumentId>,
    returned: Option<SourceFilter>,
}

impl Execution {
    pub(super) fn new(refresh: Refresh) -> Self {
        Self { refresh, items: Vec::new(), num_items: 0, has_errors: false, touched: HashMap::new() }
    }

    /// How many items were answered.
    pub(super) fn num_items(&self) -> usize {
        self.num_items
    }

    /// The size of the answers.
    pub(super) fn num_bytes(&self) -> usize {
        self.items.len()
    }

    /// Writes items, those of one index in their order.
    ///
    /// # Errors
    /// Only what stops the whole request; a fault of an item is its answer.
    pub(super) fn run(&mut self, app: &AppState, ops: Vec<BulkOp>) -> EsResult<()> {
        let prepared: Vec<(Item, BulkTarget, EsResult<WriteOp>)> = if ops.len() < MIN_PARALLEL {
            ops.into_iter().map(prepare).collect()
        } else {
            ops.into_par_iter().map(prepare).collect()
        };
        let mut targets: HashMap<BulkTarget, EsResult<Arc<IndexHandle>>> = HashMap::new();
        let mut batches: Vec<(Arc<IndexHandle>, Vec<usize>, Vec<WriteOp>)> = Vec::new();
        let mut batch_of: HashMap<String, usize> = HashMap::new();
        let mut items = Vec::with_capacity(prepared.len());
        let mut answers: Vec<Option<ItemAnswer>> = Vec::new();
        for (place, (mut item, target, op)) in prepared.into_iter().enumerate() {
            let index = targets.entry(target).or_insert_with_key(|target| target.find(app)).clone();
            if let Ok(index) = &index {
                item.index = index.name().to_string();
            }
            answers.push(None);
            match (op, index) {
                (Ok(op), Ok(index)) => {
                    let batch = *batch_of.entry(index.uuid().to_string()).or_insert_with(|| {
                        batches.push((index, Vec::new(), Vec::new()));
                        batches.len() - 1
                    });
                    if let Some((_, places, ops)) = batches.get_mut(batch) {
                        places.push(place);
                        ops.push(op);
                    }
                }
                (Err(error), Ok(_)) | (_, Err(error)) => {
                    if let Some(slot) = answers.last_mut() {
                        *slot = Some(Err(error));
                    }
                }
            }
            items.push(item);
        }
        for (index, places, ops) in batches {
            let done = match index.shard_to_write() {
                Ok(shard) => self.write(&index, &shard, ops),
                Err(error) => {
                    let error = EsError::from(error);
                    places.iter().map(|_| Err(Failed::Other(error.clone()))).collect()
                }
            };
            for (place, done) in places.into_iter().zip(done) {
                let id = items.get(place).and_then(|item: &Item| item.id.clone());
                if let Some(slot) = answers.get_mut(place) {
                    *slot = Some(match done {
                        Ok(written) => Ok((written, index.clone())),
                        Err(Failed::Write(error)) => Err(write_error(&index, id.as_ref(), error)),
                        Err(Failed::Other(error)) => Err(error),
                    });
                }
            }
        }
        for (item, answer) in items.into_iter().zip(answers) {
            self.answer(&item, answer)?;
        }
        Ok(())
    }

    fn write(&mut self, index: &IndexHandle, shard: &Arc<Shard>, ops: Vec<WriteOp>) -> Vec<Result<Written, Failed>> {
        let done = shard.write(ops);
        let last = done.iter().filter_map(|done| done.as_ref().ok()).map(|written| written.seq_no).max();
        if let Some(last) = last {
            let touched = self.touched.entry(index.uuid().to_string()).or_insert_with(|| (shard.clone(), last));
            touched.1 = touched.1.max(last);
        }
        done.into_iter().map(|done| done.map_err(Failed::Write)).collect()
    }

    fn answer(&mut self, item: &Item, answer: Option<ItemAnswer>) -> EsResult<()> {
        let missing = || Err(EsError::new(500, "exception", "the item was lost"));
        let body = match answer.unwrap_or_else(missing) {
            Ok((done, index)) => {
                let mut body = written(&index, &done, self.refresh);
                body.insert("status".to_string(), json!(status_of(done.result)));
                if let Some(get) = item.returned.as_ref().and_then(|filter| got(&done, filter)) {
                    body.insert("get".to_string(), get);
                }
                body
            }
            Err(error) => {
                self.has_errors = true;
                Map::from_iter([
                    ("_index".to_string(), json!(item.index)),
                    ("_id".to_string(), json!(item.id)),
                    ("status".to_string(), json!(error.status)),
                    ("error".to_string(), error.to_object()),
                ])
            }
        };
        if !self.items.is_empty() {
            self.items.push(b',');
        }
        self.num_items += 1;
        let printed = Map::from_iter([(item.kind.name().to_string(), Value::Object(body))]);
        serde_json::to_writer(&mut self.items, &printed)
            .map_err(|error| EsError::new(500, "exception", error.to_string()))
    }

    /// Refreshes as asked; the whole answer, and what it must wait for.
    ///
    /// # Errors
    /// What a refresh says.
    pub(super) fn finish(self, took: Duration) -> EsResult<(Vec<u8>, Refreshing)> {
        let mut refreshing = Refreshing::none();
        for (shard, last) in self.touched.values() {
            refreshing.add(shard, self.refresh, Some(*last))?;
        }
        let head = format!("{{\"errors\":{},\"took\":{},\"items\":[", self.has_errors, took.as_millis());
        let mut answer = head.into_bytes();
        answer.extend_from_slice(&self.items);
        answer.extend_from_slice(b"]}");
        Ok((answer, refreshing))
    }
}

/// What an item was answered, with the index it went to.
type ItemAnswer = EsResult<(Written, Arc<IndexHandle>)>;

enum Failed {
    Write(WriteError),
    Other(EsError),
}

/// Where an item goes, as the request says it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct BulkTarget {
    name: String,
    require_alias: bool,
    may_create: bool,
}

impl BulkTarget {
    fn find(&self, app: &AppState) -> EsResult<Arc<IndexHandle>> {
        let target = if self.may_create {
            app.catalog.write_target(&self.name, self.require_alias)
        } else {
            app.catalog.write_target_existing(&self.name)
        };
        Ok(target?.index)
    }
}

/// Reads an item's source.
fn prepare(op: BulkOp) -> (Item, BulkTarget, EsResult<WriteOp>) {
    let id = op.id.map(DocumentId::from);
    let may_create = op.kind != BulkKind::Delete;
    let target = BulkTarget { name: op.index.clone(), require_alias: op.require_alias && may_create, may_create };
    let mut returned = op.returned.filter(|_| op.kind == BulkKind::Update);
    let action = match op.kind {
        _ if id.as_ref().is_some_and(|id| id.as_str().is_empty()) => check_id("").map(|()| WriteAction::Delete),
        BulkKind::Delete => Ok(WriteAction::Delete),
        BulkKind::Index => source(&op.source).map(WriteAction::Index),
        BulkKind::Create => source(&op.source).map(WriteAction::Create),
        BulkKind::Update => source(&op.source).and_then(UpdateBody::read).and_then(|body| {
            body.check_condition(op.condition)?;
            if body.returned.is_some() {
                returned = body.returned;
            }
            let mut update = body.update;
            update.retry_on_conflict = op.retry_on_conflict;
            Ok(WriteAction::Update(update))
        }),
    };
    let (routing, condition) = (op.routing, op.condition);
    let write = action.map(|action| WriteOp { id: id.clone(), action, routing, condition });
    (Item { kind: op.kind, index: op.index, id, returned }, target, write)
}

fn source(bytes: &[u8]) -> EsResult<Map<String, Value>> {
    match parse_json(bytes) {
        Ok(Value::Object(source)) => Ok(source),
        Ok(_) => Err(unparsable("Malformed content, must start with an object")),
        Err(error) => Err(unreadable(error)),
    }
}
