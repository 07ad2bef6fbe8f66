//! The way of a write: resolved and prepared outside of the lock, numbered and logged inside, synced outside again.

use std::borrow::Cow;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rayon::prelude::*;
use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

use super::operations::{Rule, Stamp};
use super::settings::Durability;
use super::versions::{LiveVersion, Undo};
use super::{Inner, State, Update, WriteAction, WriteError, WriteOp, WriteResult, Written};
use crate::document::DocumentId;
use crate::error::{Error, ErrorKind, Result};
use crate::index::preparation::{Preparation, PreparedDocument};
use crate::retrieve::Searcher;
use crate::store::auto_id;
use crate::store::translog::{Change, Place, Position, Record};

/// Fewer lookups are not worth other threads.
const MIN_PARALLEL: usize = 64;
/// So much may wait for Tantivy's writer; who brings more waits.
const MAX_QUEUE_BYTES: usize = 16 << 20;
/// What a write takes beside its document: its place in the queue, in the live version map, among Tantivy's deletions.
const WRITE_BYTES: usize = 256;
/// The longest routing: a term of Lucene's.
const MAX_ROUTING_BYTES: usize = 32_766;
/// So long; then the write is refused.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// What waits for Tantivy's writer, in the order of the sequence numbers.
#[derive(Debug, Default)]
pub(super) struct Queue {
    items: Vec<Queued>,
    num_bytes: usize,
}

/// A write that is logged.
#[derive(Debug)]
pub(super) struct Queued {
    /// The document that is replaced or deleted; `None` where there is none.
    pub(super) removed: Option<DocumentId>,
    pub(super) added: Option<PreparedDocument>,
    pub(super) num_bytes: usize,
}

impl Queue {
    pub(super) fn take(&mut self) -> Vec<Queued> {
        self.num_bytes = 0;
        std::mem::take(&mut self.items)
    }

    fn push(&mut self, item: Queued) {
        self.num_bytes += item.num_bytes;
        self.items.push(item);
    }
}

/// An operation of a batch that is not done yet.
struct Task {
    /// Its place in the batch.
    place: usize,
    id: DocumentId,
    /// The id was made here, so there is no such document.
    is_new_id: bool,
    op: WriteOp,
    retries: u32,
}

/// What an operation comes down to.
struct Plan {
    task: Task,
    rule: Rule,
    /// `None` deletes.
    source: Option<Arc<Map<String, Value>>>,
    prepared: Option<PreparedDocument>,
}

type Answer = Result<Written, WriteError>;

impl Inner {
    pub(super) fn write(&self, ops: Vec<WriteOp>) -> Vec<Answer> {
        let since = Instant::now();
        let mut answers: Vec<Option<Answer>> = Vec::new();
        answers.resize_with(ops.len(), || None);
        let mut reached = None;
        // An update reads what is stored, so it begins a new wave where its document is written by the same one.
        let mut wave: Vec<Task> = Vec::new();
        let mut ids: FxHashMap<DocumentId, bool> = FxHashMap::default();
        for (place, op) in ops.into_iter().enumerate() {
            let is_new_id = op.id.is_none();
            let id = op.id.clone().unwrap_or_else(auto_id::next);
            let is_update = matches!(op.action, WriteAction::Update(_));
            if ids.get(&id).is_some_and(|was_update| *was_update || is_update) {
                self.write_wave(std::mem::take(&mut wave), &mut answers, &mut reached);
                ids.clear();
            }
            ids.insert(id.clone(), is_update);
            let retries = match &op.action {
                WriteAction::Update(update) => update.retry_on_conflict,
                WriteAction::Index(_) | WriteAction::Create(_) | WriteAction::Delete => 0,
            };
            wave.push(Task { place, id, is_new_id, op, retries });
        }
        self.write_wave(wave, &mut answers, &mut reached);
        if let Err(error) = self.acknowledge(reached) {
            for answer in &mut answers {
                if answer
                    .as_ref()
                    .is_some_and(|answer| answer.as_ref().is_ok_and(|written| written.result != WriteResult::Noop))
                {
                    *answer = Some(Err(Error::new(error.kind(), error.to_string()).into()));
                }
            }
        }
        if reached.is_some() {
            self.drain();
        }
        let answers: Vec<Answer> =
            answers.into_iter().map(|answer| answer.unwrap_or(Err(WriteError::Closed))).collect();
        self.count(&answers, since.elapsed());
        answers
    }

    fn acknowledge(&self, reached: Option<Position>) -> Result<()> {
        match (reached, self.settings.load().durability) {
            (Some(position), Durability::Request) => self.translog.sync(position),
            (Some(_), Durability::Async) => {
                self.wake.ring();
                Ok(())
            }
            (None, _) => Ok(()),
        }
    }

    fn count(&self, answers: &[Answer], took: Duration) {
        let counters = &self.counters;
        let mut each = [0_u64; 4];
        for answer in answers {
            let place = match answer.as_ref().map(|written| written.result) {
                Ok(WriteResult::Created | WriteResult::Updated) => 0,
                Ok(WriteResult::Deleted | WriteResult::NotFound) => 1,
                Ok(WriteResult::Noop) => 2,
                Err(_) => 3,
            };
            if let Some(count) = each.get_mut(place) {
                *count += 1;
            }
        }
        let share = took / u32::try_from(answers.len().max(1)).unwrap_or(u32::MAX);
        let all = [&counters.index, &counters.delete, &counters.noop_update, &counters.index_failed];
        for (counter, number) in all.into_iter().zip(each).filter(|(_, number)| *number > 0) {
            counter.add_many(number, share * u32::try_from(number).unwrap_or(u32::MAX));
        }
    }

    /// Writes operations none of which needs to read what another of them writes.
    fn write_wave(&self, mut tasks: Vec<Task>, answers: &mut [Option<Answer>], reached: &mut Option<Position>) {
        while !tasks.is_empty() {
            let mut plans = Vec::with_capacity(tasks.len());
            for task in std::mem::take(&mut tasks) {
                let place = task.place;
                match self.plan(task) {
                    Ok(Planned::Write(plan)) => plans.push(*plan),
                    Ok(Planned::Noop(written)) => put(answers, place, Ok(written)),
                    Err(error) => put(answers, place, Err(error)),
                }
            }
            match self.write_plans(plans, answers, &mut tasks) {
                Ok(position) => *reached = position.max(*reached),
                Err(failed) => {
                    for (place, error) in failed {
                        put(answers, place, Err(error));
                    }
                }
            }
        }
    }

    fn plan(&self, task: Task) -> Result<Planned, WriteError> {
        let mut rule = Rule::of(task.op.condition);
        let mut task = task;
        let source = match &mut task.op.action {
            WriteAction::Delete => None,
            WriteAction::Index(source) => Some(Arc::new(std::mem::take(source))),
            WriteAction::Create(source) => {
                rule = Rule::Absent;
                Some(Arc::new(std::mem::take(source)))
            }
            WriteAction::Update(update) => {
                let existing = self.get_realtime(&task.id)?;
                if let Some(found) = &existing {
                    // The update's own conditions are about what it read.
                    let current = Some((Stamp { seq_no: found.seq_no, version: found.version }, true));
                    rule.check(&task.id, current, |_| found.primary_term).map_err(WriteError::VersionConflict)?;
                } else if let Rule::SeqNo { .. } = rule {
                    return Err(WriteError::Missing);
                }
                if task.op.routing.is_none() {
                    task.op.routing = existing.as_ref().and_then(|found| found.routing.clone());
                }
                rule = Rule::Unchanged(existing.as_ref().map(|found| found.seq_no));
                match existing {
                    Some(found) => match updated(&found.source, update) {
                        Some(source) => Some(Arc::new(source)),
                        None => {
                            return Ok(Planned::Noop(Written {
                                id: task.id,
                                result: WriteResult::Noop,
                                version: found.version,
                                seq_no: found.seq_no,
                                primary_term: found.primary_term,
                                source: Some(found.source),
                            }));
                        }
                    },
                    None if update.doc_as_upsert => Some(Arc::new(update.doc.clone())),
                    None => Some(Arc::new(update.upsert.clone().ok_or(WriteError::Missing)?)),
                }
            }
        };
        Ok(Planned::Write(Box::new(Plan { task, rule, source, prepared: None })))
    }

    /// Prepares, numbers and logs. What met a conflict and may try again goes to `again`.
    ///
    /// # Errors
    /// What stops all of them, for each.
    fn write_plans(
        &self,
        mut plans: Vec<Plan>,
        answers: &mut [Option<Answer>],
        again: &mut Vec<Task>,
    ) -> Result<Option<Position>, Vec<(usize, WriteError)>> {
        loop {
            if plans.is_empty() {
                return Ok(None);
            }
            let preparation = match self.prepare(&mut plans, answers) {
                Ok(preparation) => preparation,
                Err(error) => return Err(for_each(&plans, &error)),
            };
            let stored = match self.look_up(&plans) {
                Ok(stored) => stored,
                Err(error) => return Err(for_each(&plans, &error)),
            };
            let state = match self.admitted() {
                Ok(state) => state,
                Err(Refused::Closed) => {
                    return Err(plans.iter().map(|plan| (plan.task.place, WriteError::Closed)).collect());
                }
                Err(Refused::Full) => {
                    let error = Error::new(ErrorKind::Busy, "too many writes wait for this index; try again later");
                    return Err(for_each(&plans, &error));
                }
            };
            // The mapping grew meanwhile: documents that were prepared for the old one might not fit the new one when replayed.
            if preparation.is_current(&self.index) {
                let places: Vec<usize> = plans.iter().map(|plan| plan.task.place).collect();
                return self.log(state, plans, &stored, answers, again).map_err(|error| {
                    places
                        .into_iter()
                        .map(|place| (place, Error::new(error.kind(), error.to_string()).into()))
                        .collect()
                });
            }
        }
    }

    /// Converts and embeds the documents, for a mapping to which is added what they bring; those that cannot be are answered.
    ///
    /// # Errors
    /// What stops all of them: a mapping that cannot grow.
    fn prepare(&self, plans: &mut Vec<Plan>, answers: &mut [Option<Answer>]) -> Result<Preparation> {
        loop {
            let preparation = self.index.preparation();
            let mut refused = FxHashMap::default();
            if preparation.definition().mappings.routing.is_some_and(|routing| routing.required) {
                let lacking = plans.iter().enumerate().filter(|(_, plan)| plan.task.op.routing.is_none());
                refused.extend(lacking.map(|(place, plan)| (place, routing_missing(&plan.task.id))));
                answer_refused(plans, std::mem::take(&mut refused), answers);
            }
            let long = plans.iter().enumerate().filter_map(|(place, plan)| Some((place, routing_too_long(plan)?)));
            refused.extend(long);
            answer_refused(plans, std::mem::take(&mut refused), answers);
            let documents: Vec<(&DocumentId, &Map<String, Value>)> =
                plans.iter().filter_map(|plan| plan.source.as_deref().map(|source| (&plan.task.id, source))).collect();
            let mut converted = preparation.convert(&documents).into_iter();
            for (place, plan) in plans.iter_mut().enumerate().filter(|(_, plan)| plan.source.is_some()) {
                match converted.next() {
                    Some(Ok(document)) => plan.prepared = Some(document),
                    Some(Err(error)) => {
                        refused.insert(place, error);
                    }
                    None => {}
                }
            }
            answer_refused(plans, refused, answers);
            if self.grow(&preparation, plans, answers)? {
                continue;
            }
            let embedded = preparation.embed(plans.iter_mut().filter_map(|plan| plan.prepared.as_mut()));
            if let Err(error) = embedded {
                let is_semantic = |plan: &Plan| plan.prepared.as_ref().is_some_and(PreparedDocument::is_semantic);
                let semantic = plans.iter().enumerate().filter(|(_, plan)| is_semantic(plan));
                let refused = semantic.map(|(place, _)| (place, again(&error))).collect();
                answer_refused(plans, refused, answers);
            }
            return Ok(preparation);
        }
    }

    /// Adds to the mapping what the documents bring, where `dynamic` lets it in; documents that it forbids are answered. Returns whether
    /// the mapping is another one now.
    fn grow(&self, preparation: &Preparation, plans: &mut Vec<Plan>, answers: &mut [Option<Answer>]) -> Result<bool> {
        let needs = |plan: &Plan| plan.prepared.as_ref().is_some_and(PreparedDocument::needs_mapping);
        let sources: Vec<(usize, &Map<String, Value>)> = plans
            .iter()
            .enumerate()
            .filter(|(_, plan)| needs(plan))
            .filter_map(|(place, plan)| plan.source.as_deref().map(|source| (place, source)))
            .collect();
        if sources.is_empty() {
            return Ok(false);
        }
        let mut refused = FxHashMap::default();
        let mut has_grown = false;
        // Each document sees what the ones before it brought, and what other writes brought meanwhile.
        self.update_definition(|current| {
            let mut definition = Cow::Borrowed(current);
            for (place, source) in &sources {
                match definition.grown_by(source) {
                    Ok(Some(grown)) => definition = Cow::Owned(grown),
                    Ok(None) => {}
                    Err(error) => {
                        refused.insert(*place, error);
                    }
                }
            }
            has_grown = matches!(definition, Cow::Owned(_)) || current != preparation.definition();
            Ok(definition.into_owned())
        })?;
        answer_refused(plans, refused, answers);
        Ok(has_grown)
    }

    /// What the last commit has of the documents; asked before the lock, so that under it few lookups are left.
    fn look_up(&self, plans: &[Plan]) -> Result<Stored> {
        let searcher = self.committed.load_full();
        let stamp = |plan: &Plan| if plan.task.is_new_id { Ok(None) } else { stamp_in(&searcher, &plan.task.id) };
        let stamps = if plans.len() < MIN_PARALLEL {
            plans.iter().map(stamp).collect::<Result<_>>()?
        } else {
            plans.par_iter().map(stamp).collect::<Result<_>>()?
        };
        Ok(Stored { searcher, stamps })
    }

    /// The lock, once the queue has room.
    fn admitted(&self) -> Result<MutexGuard<'_, State>, Refused> {
        let until = Instant::now() + MAX_WAIT;
        let mut state = self.state();
        loop {
            if state.is_closed {
                return Err(Refused::Closed);
            }
            if state.pauses == 0 && state.queue.num_bytes < MAX_QUEUE_BYTES {
                return Ok(state);
            }
            let is_full = state.pauses == 0;
            if is_full {
                // Whoever empties the queue may have just gone.
                drop(state);
                self.drain();
                state = self.state();
                if state.queue.num_bytes < MAX_QUEUE_BYTES {
                    continue;
                }
            }
            let rest = until.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return Err(Refused::Full);
            }
            let rest = rest.min(Duration::from_millis(100));
            state = self.room.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Numbers the writes and appends them to the translog, all or none.
    fn log(
        &self,
        mut state: MutexGuard<'_, State>,
        plans: Vec<Plan>,
        stored: &Stored,
        answers: &mut [Option<Answer>],
        again: &mut Vec<Task>,
    ) -> Result<Option<Position>> {
        if !state.is_marked_open {
            state.terms.write(&self.folder, false)?;
            state.is_marked_open = true;
        }
        let is_same_commit = Arc::ptr_eq(&stored.searcher, &self.committed.load_full());
        let mut next = state.last_seq_no.map_or(0, |last| last + 1);
        let mut undo: Vec<Undo> = Vec::with_capacity(plans.len());
        let mut logged: Vec<Logged> = Vec::with_capacity(plans.len());
        for (place, plan) in plans.into_iter().enumerate() {
            let current = match state.versions.get(&plan.task.id) {
                Some(live) => Some((live.stamp, live.place.is_some())),
                None if plan.task.is_new_id => None,
                None if is_same_commit => stored.stamps.get(place).copied().flatten().map(|stamp| (stamp, true)),
                None => match stamp_in(&self.committed.load(), &plan.task.id) {
                    Ok(stamp) => stamp.map(|stamp| (stamp, true)),
                    Err(error) => {
                        put(answers, plan.task.place, Err(error.into()));
                        continue;
                    }
                },
            };
            let version = match plan.rule.check(&plan.task.id, current, |seq_no| state.terms.of(seq_no)) {
                Ok(version) => version,
                Err(_) if matches!(plan.rule, Rule::Unchanged(_)) && plan.task.retries > 0 => {
                    again.push(Task { retries: plan.task.retries - 1, ..plan.task });
                    continue;
                }
                Err(text) => {
                    put(answers, plan.task.place, Err(WriteError::VersionConflict(text)));
                    continue;
                }
            };
            let stamp = Stamp { seq_no: next, version };
            next += 1;
            let place = plan.source.is_some().then_some(Place::PENDING);
            undo.push(state.versions.put(&plan.task.id, LiveVersion { stamp, place }));
            let existed = current.is_some_and(|(_, alive)| alive);
            logged.push(Logged { plan, stamp, existed });
        }
        let records: Vec<Record<'_>> = logged.iter().map(Logged::record).collect();
        if records.is_empty() {
            return Ok(None);
        }
        let (places, position) = match self.translog.append(&records) {
            Ok(appended) => appended,
            Err(error) => {
                for undo in undo.into_iter().rev() {
                    state.versions.undo(undo);
                }
                return Err(error);
            }
        };
        drop(records);
        let primary_term = state.terms.current();
        for (logged, place) in logged.into_iter().zip(places) {
            let Logged { plan, stamp, existed } = logged;
            let Plan { task, source, mut prepared, .. } = plan;
            if source.is_some() {
                state.versions.set_place(&task.id, stamp.seq_no, place);
            }
            if let Some(document) = &mut prepared {
                document.stamp(stamp.seq_no, stamp.version, task.op.routing.as_deref());
            }
            let num_bytes = WRITE_BYTES + prepared.as_ref().map_or(0, PreparedDocument::num_bytes);
            state.queue.push(Queued { removed: existed.then(|| task.id.clone()), added: prepared, num_bytes });
            let result = match (&source, existed) {
                (Some(_), false) => WriteResult::Created,
                (Some(_), true) => WriteResult::Updated,
                (None, true) => WriteResult::Deleted,
                (None, false) => WriteResult::NotFound,
            };
            let is_update = matches!(task.op.action, WriteAction::Update(_));
            let written = Written {
                id: task.id,
                result,
                version: stamp.version,
                seq_no: stamp.seq_no,
                primary_term,
                source: source.filter(|_| is_update),
            };
            put(answers, task.place, Ok(written));
        }
        state.last_seq_no = Some(next - 1);
        state.last_write = Instant::now();
        let mut is_news = state.pending_since.is_none();
        state.pending_since.get_or_insert_with(Instant::now);
        if !state.is_flush_asked && self.translog.stats().bytes > self.settings.load().flush_threshold {
            state.is_flush_asked = true;
            is_news = true;
        }
        drop(state);
        if is_news {
            self.wake.ring();
        }
        Ok(Some(position))
    }
}

enum Planned {
    Write(Box<Plan>),
    Noop(Written),
}

enum Refused {
    Closed,
    Full,
}

/// What a commit has of some documents.
struct Stored {
    searcher: Arc<Searcher>,
    stamps: Vec<Option<Stamp>>,
}

/// A write that has its numbers.
struct Logged {
    plan: Plan,
    stamp: Stamp,
    /// Whether there was a document.
    existed: bool,
}

impl Logged {
    fn record(&self) -> Record<'_> {
        let change = match &self.plan.prepared {
            Some(document) => Change::Written {
                routing: self.plan.task.op.routing.as_deref().map(Cow::Borrowed),
                source: Cow::Borrowed(document.source_text()),
            },
            None => Change::Deleted,
        };
        Record { seq_no: self.stamp.seq_no, version: self.stamp.version, id: self.plan.task.id.clone(), change }
    }
}

fn stamp_in(searcher: &Searcher, id: &DocumentId) -> Result<Option<Stamp>> {
    Ok(searcher.stamp(id)?.map(|(seq_no, version)| Stamp { seq_no, version }))
}

/// The error of a write to an index that asks for a routing.
fn routing_missing(id: &DocumentId) -> Error {
    let reason = format!("routing is required for document [{id}]");
    Error::invalid_input(reason.clone()).as_exception("routing_missing_exception", reason)
}

/// The error of a routing that no index can keep.
fn routing_too_long(plan: &Plan) -> Option<Error> {
    let bytes = plan.task.op.routing.as_ref()?.len();
    (bytes > MAX_ROUTING_BYTES).then(|| {
        let text =
            format!("the routing of document [{}] has {bytes} bytes, more than {MAX_ROUTING_BYTES}", plan.task.id);
        Error::invalid_input(text)
    })
}

fn put(answers: &mut [Option<Answer>], place: usize, answer: Answer) {
    if let Some(slot) = answers.get_mut(place) {
        *slot = Some(answer);
    }
}

fn for_each(plans: &[Plan], error: &Error) -> Vec<(usize, WriteError)> {
    plans.iter().map(|plan| (plan.task.place, again(error).into())).collect()
}

/// The same error once more; sources cannot be shared.
fn again(error: &Error) -> Error {
    let mut copy = Error::new(error.kind(), error.message());
    if let Some(field) = &error.location().field {
        copy = copy.in_field(field.clone());
    }
    copy
}

/// Answers the plans whose places are named, and takes them out.
fn answer_refused(plans: &mut Vec<Plan>, mut refused: FxHashMap<usize, Error>, answers: &mut [Option<Answer>]) {
    if refused.is_empty() {
        return;
    }
    let mut place = 0;
    plans.retain(|plan| {
        let error = refused.remove(&place);
        place += 1;
        match error {
            Some(error) => {
                put(answers, plan.task.place, Err(error.into()));
                false
            }
            None => true,
        }
    });
}

/// The source with the update merged in; `None` where that changes nothing and the update asks about it.
fn updated(source: &Map<String, Value>, update: &Update) -> Option<Map<String, Value>> {
    let mut merged = source.clone();
    let changed = merge(&mut merged, &update.doc);
    (changed || !update.detect_noop).then_some(merged)
}

/// Merges objects key by key; all else is replaced. Returns whether anything changed.
fn merge(base: &mut Map<String, Value>, changes: &Map<String, Value>) -> bool {
    let mut changed = false;
    for (key, change) in changes {
        match (base.get_mut(key), change) {
            (Some(Value::Object(inner)), Value::Object(change)) => changed |= merge(inner, change),
            (Some(value), change) if value == change => {}
            (_, change) => {
                base.insert(key.clone(), change.clone());
                changed = true;
            }
        }
    }
    changed
}
