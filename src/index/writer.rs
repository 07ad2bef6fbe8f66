//! Operations to a commit.
//!
//! Documents are prepared on all cores, in batches; what changed is embedded, and only then given to Tantivy, whose own
//! threads build the segments. Nothing is visible before [`Writer::commit`], and a crash leaves the last commit.
//!
//! [`Writer`] is for a program that has the index to itself for a while. Under a store, which decides itself what replaces what,
//! documents are prepared by [`preparation`](super::preparation) and go through [`IndexFeed`].

mod embedding;
mod feed;

use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;
use serde_json::{Map, Value};
use tantivy::Term;
use tantivy::indexer::LogMergePolicy;

use super::convert::{self, Prepared};
use super::dense::GraphMergePolicy;
use super::snapshot::Snapshot;
use super::{Index, Opened};
use crate::document::{Document, DocumentId};
use crate::error::{Error, Location, Result};
use crate::ingest::{Action, Operation};
use crate::schema::infer::Observations;

pub(crate) use embedding::add_vectors;
pub(crate) use feed::{IndexFeed, MergeWish};

/// What Tantivy's threads may hold in memory before they write a segment, together.
const MEMORY_BYTES: usize = 256 << 20;

/// Writes to an index. One at a time; dropping it without [`Writer::commit`] forgets what was not committed.
pub struct Writer<'i> {
    index: &'i Index,
    opened: Arc<Opened>,
    /// `None` only while the mapping grows.
    tantivy: Option<tantivy::IndexWriter>,
    /// The last commit, for looking up what is there.
    committed: Snapshot,
    /// What was done since, by id.
    pending: HashMap<DocumentId, Pending>,
    /// How often a document without an id occurred, by its hash.
    anonymous: HashMap<u64, u32>,
    /// Skips documents whose source is stored already.
    skip_unchanged: bool,
}

impl std::fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("index", &self.index)
            .field("pending", &self.pending.len())
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pending {
    Written(u64),
    Deleted,
}

/// What [`Writer::apply`] did.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Applied {
    /// Documents that were added or replaced.
    pub num_indexed: u64,
    /// Documents that were stored already, as they are.
    pub num_unchanged: u64,
    /// Documents that were deleted.
    pub num_deleted: u64,
    /// Passages of the documents that were added or replaced.
    pub num_passages: u64,
    /// Passages that a model read; the others were in the cache.
    pub num_embedded: u64,
    /// Tokens that the model read.
    pub num_tokens: u64,
    /// Operations that could not be done, with their places; the others were.
    pub faults: Vec<Error>,
}

impl Applied {
    /// Adds what another call did.
    pub fn add(&mut self, other: Self) {
        self.num_indexed += other.num_indexed;
        self.num_unchanged += other.num_unchanged;
        self.num_deleted += other.num_deleted;
        self.num_passages += other.num_passages;
        self.num_embedded += other.num_embedded;
        self.num_tokens += other.num_tokens;
        self.faults.extend(other.faults);
    }
}

impl<'i> Writer<'i> {
    pub(super) fn open(index: &'i Index) -> Result<Self> {
        let opened = index.opened();
        let tantivy = open_tantivy_writer(&opened)?;
        let committed = index.snapshot()?;
        Ok(Self {
            index,
            opened,
            tantivy: Some(tantivy),
            committed,
            pending: HashMap::new(),
            anonymous: HashMap::new(),
            skip_unchanged: true,
        })
    }

    /// Writes documents again even if their source is stored as it is.
    #[must_use]
    pub fn rewriting_unchanged(mut self) -> Self {
        self.skip_unchanged = false;
        self
    }

    /// Does a batch of operations, in order; visible after the next [`Writer::commit`].
    ///
    /// An operation that cannot be done (a value that does not fit its field, a `create` of an id that exists, an `update` of
    /// one that does not) becomes a fault of the answer. Fields that the mapping lacks are added to it where `dynamic` lets
    /// them in, which commits what came before.
    ///
    /// # Errors
    /// What stops all of them: a model that fails, a disk that refuses. The batch is then undone or not in parts unknown;
    /// drop the writer to return to the last commit.
    pub fn apply(&mut self, operations: Vec<Operation>) -> Result<Applied> {
        let mut applied = Applied::default();
        let mut steps = Vec::with_capacity(operations.len());
        for operation in operations {
            let location = operation.location.clone();
            match self.step(operation, &steps) {
                Ok(step) => steps.push(Located { step, location }),
                Err(error) => applied.faults.push(error.at(&location)),
            }
        }
        self.grow_mapping(&mut steps, &mut applied)?;
        let fields = &self.opened.fields;
        let prepared: Vec<Result<Ready>> = steps
            .into_par_iter()
            .map(|Located { step, location }| match step {
                Step::Delete(id) => Ok(Ready::Delete(id)),
                Step::Write(id, source) => {
                    convert::prepare(fields, id, &source).map(Ready::Write).map_err(|error| error.at(&location))
                }
            })
            .collect();
        let mut ready = Vec::with_capacity(prepared.len());
        for item in prepared {
            match item {
                Ok(Ready::Write(prepared)) if self.is_unchanged(&prepared, &ready)? => applied.num_unchanged += 1,
                Ok(item) => ready.push(item),
                Err(error) => applied.faults.push(error),
            }
        }
        self.embed_and_add(ready, &mut applied)?;
        Ok(applied)
    }

    /// Adds one document, a JSON object whose `_id`, if it has one, is its id. For many, [`Writer::apply`] is faster.
    ///
    /// # Errors
    /// `InvalidInput` when the text is no JSON object or a value does not fit its field; otherwise as [`Writer::apply`].
    pub fn add(&mut self, document: &str) -> Result<()> {
        let mut source: Map<String, Value> = serde_json::from_str(document)
            .map_err(|error| Error::invalid_input(format!("a document must be a JSON object ({error})")))?;
        let id = match source.shift_remove("_id") {
            None => None,
            Some(Value::String(id)) => Some(id.into()),
            Some(Value::Number(id)) => Some(id.to_string().into()),
            Some(_) => return Err(Error::invalid_input("must be text or a number").in_field("_id")),
        };
        let action = Action::Index(Document { id, source });
        let mut applied = self.apply(vec![Operation { action, location: Location::default() }])?;
        applied.faults.pop().map_or(Ok(()), Err)
    }

    /// Makes everything visible and durable.
    ///
    /// # Errors
    /// `Io` when the disk refuses; the last commit then stays.
    pub fn commit(&mut self) -> Result<()> {
        self.tantivy()?.commit()?;
        self.committed = self.index.snapshot()?;
        self.pending.clear();
        Ok(())
    }

    /// Merges all segments into one, which also drops deleted documents and builds the graphs of large vector fields.
    /// Commits first.
    ///
    /// # Errors
    /// `Io` when the disk refuses.
    pub fn compact(&mut self) -> Result<()> {
        self.commit()?;
        // Merges of the policy's own choice may be under way; they end first, and no new one begins meanwhile.
        if let Some(writer) = self.tantivy.take() {
            writer.wait_merging_threads()?;
        }
        let writer = self.tantivy.insert(open_tantivy_writer(&self.opened)?);
        writer.set_merge_policy(Box::new(tantivy::indexer::NoMergePolicy));
        self.committed = self.index.snapshot()?;
        let segments = self.opened.tantivy.searchable_segment_metas()?;
        let needs_graph = !self.committed.dense().segments_without_graph().is_empty();
        let has_deletes = segments.iter().any(tantivy::SegmentMeta::has_deletes);
        if segments.len() > 1 || (segments.len() == 1 && (needs_graph || has_deletes)) {
            let ids: Vec<_> = segments.iter().map(tantivy::SegmentMeta::id).collect();
            self.tantivy()?.merge(&ids).wait()?;
        }
        // Tantivy keeps the files of every segment whose description is alive.
        drop(segments);
        self.committed = self.index.snapshot()?;
        self.tantivy()?.garbage_collect_files().wait()?;
        let opened = self.opened.clone();
        set_merge_policy(self.tantivy()?, &opened);
        Ok(())
    }

    /// Waits for the merges under way. Call it last; what was not committed is forgotten.
    ///
    /// # Errors
    /// `Io` when the disk refuses.
    pub fn finish(mut self) -> Result<()> {
        if let Some(writer) = self.tantivy.take() {
            writer.wait_merging_threads()?;
        }
        Ok(())
    }

    fn tantivy(&mut self) -> Result<&mut tantivy::IndexWriter> {
        self.tantivy.as_mut().ok_or_else(|| Error::internal("the writer lost its index"))
    }

    fn step(&mut self, operation: Operation, earlier: &[Located]) -> Result<Step> {
        Ok(match operation.action {
            Action::Index(document) => {
                let id = match document.id {
                    Some(id) => id,
                    None => self.anonymous_id(&document.source)?,
                };
                Step::Write(id, document.source)
            }
            Action::Create(document) => {
                let id = match document.id {
                    Some(id) => id,
                    None => self.anonymous_id(&document.source)?,
                };
                if self.current(&id, earlier)?.is_some() {
                    return Err(Error::conflict(format!("document {id:?} exists already; use `index` to replace it")));
                }
                Step::Write(id, document.source)
            }
            Action::Update(partial) => {
                let id = partial.id.clone();
                let existing = self.current(&id, earlier)?;
                match partial.apply(existing) {
                    Some(document) => Step::Write(id, document.source),
                    None => {
                        let text = format!("document {id:?} does not exist; add it first, or use `doc_as_upsert`");
                        return Err(Error::not_found(text));
                    }
                }
            }
            Action::Delete(id) => Step::Delete(id),
        })
    }

    /// A document's source as earlier operations leave it.
    fn current(&mut self, id: &DocumentId, earlier: &[Located]) -> Result<Option<Map<String, Value>>> {
        for Located { step, .. } in earlier.iter().rev() {
            match step {
                Step::Write(written, source) if written == id => return Ok(Some(source.clone())),
                Step::Delete(deleted) if deleted == id => return Ok(None),
                Step::Write(..) | Step::Delete(_) => {}
            }
        }
        match self.pending.get(id) {
            Some(Pending::Deleted) => return Ok(None),
            // Its source is only in Tantivy's hands.
            Some(Pending::Written(_)) => self.commit()?,
            None => {}
        }
        self.committed.get(id)
    }

    /// An id for a document that has none: the hash of its source, with a number after the first of equal ones. Indexing
    /// the same file twice thus gives the same ids.
    fn anonymous_id(&mut self, source: &Map<String, Value>) -> Result<DocumentId> {
        let text = serde_json::to_string(source)
            .map_err(|error| Error::internal("cannot write a source").with_source(error))?;
        let hash = convert::content_hash(&text);
        let count = self.anonymous.entry(hash).or_default();
        *count += 1;
        Ok(if *count == 1 { format!("{hash:016x}") } else { format!("{hash:016x}-{count}") }.into())
    }

    /// Adds the fields that the mapping lacks.
    fn grow_mapping(&mut self, steps: &mut Vec<Located>, applied: &mut Applied) -> Result<()> {
        let definition = &self.opened.manifest.definition;
        let seen: Vec<Result<Observations>> = steps
            .par_iter()
            .map(|Located { step, location }| {
                let mut seen = Observations::default();
                if let Step::Write(_, source) = step {
                    seen.observe(definition, source).map_err(|error| error.at(location))?;
                }
                Ok(seen)
            })
            .collect();
        let mut all = Observations::default();
        let mut keep = Vec::with_capacity(seen.len());
        for seen in seen {
            keep.push(seen.is_ok());
            match seen {
                Ok(seen) if seen.is_empty() => {}
                Ok(seen) => all.merge(seen),
                Err(error) => applied.faults.push(error),
            }
        }
        let mut kept = keep.into_iter();
        steps.retain(|_| kept.next().unwrap_or(true));
        if all.is_empty() {
            return Ok(());
        }
        let extended = all.extended_definition(definition);
        if &extended == definition {
            return Ok(());
        }
        self.commit()?;
        drop(self.tantivy.take());
        let grown = self.index.extend_definition(&extended);
        self.opened = self.index.opened();
        self.tantivy = Some(open_tantivy_writer(&self.opened)?);
        self.committed = self.index.snapshot()?;
        grown
    }

    fn is_unchanged(&self, prepared: &Prepared, earlier: &[Ready]) -> Result<bool> {
        if !self.skip_unchanged {
            return Ok(false);
        }
        // PERF: a later copy of an id within one batch is rare; it is written again rather than searched for.
        if let Some(pending) = self.pending.get(&prepared.id) {
            return Ok(*pending == Pending::Written(prepared.hash) && earlier.is_empty());
        }
        let Some(address) = self.committed.locate(&prepared.id)? else { return Ok(false) };
        let same = self.committed.content_hash(address) == prepared.hash;
        Ok(same && !earlier.iter().any(|item| item.id() == &prepared.id))
    }

    fn embed_and_add(&mut self, mut ready: Vec<Ready>, applied: &mut Applied) -> Result<()> {
        let mut documents: Vec<&mut Prepared> = ready.iter_mut().filter_map(Ready::document).collect();
        let embedded = embedding::add_vectors(&self.opened, self.index.models(), &mut documents)?;
        applied.num_passages += embedded.num_passages;
        applied.num_embedded += embedded.num_embedded;
        applied.num_tokens += embedded.num_tokens;
        let fields = &self.opened.clone().fields;
        for item in ready {
            let writer = self.tantivy.as_ref().ok_or_else(|| Error::internal("the writer lost its index"))?;
            match item {
                Ready::Delete(id) => {
                    let existed = match self.pending.get(&id) {
                        Some(pending) => *pending != Pending::Deleted,
                        None => self.committed.locate(&id)?.is_some(),
                    };
                    applied.num_deleted += u64::from(existed);
                    writer.run(fields.deletions(&id))?;
                    self.pending.insert(id, Pending::Deleted);
                }
                Ready::Write(prepared) => {
                    let (id, hash) = (prepared.id.clone(), prepared.hash);
                    if let Err(error) = writer.run(prepared.operations(fields, true)) {
                        return Err(self.cause_of(error));
                    }
                    applied.num_indexed += 1;
                    self.pending.insert(id, Pending::Written(hash));
                }
            }
        }
        Ok(())
    }

    /// Why Tantivy takes no more documents: what stopped its threads (a full disk), which only a commit tells.
    fn cause_of(&mut self, error: tantivy::TantivyError) -> Error {
        match self.tantivy.as_mut().map(tantivy::IndexWriter::prepare_commit) {
            Some(Err(cause)) => cause.into(),
            Some(Ok(_)) | None => error.into(),
        }
    }
}

struct Located {
    step: Step,
    location: Location,
}

enum Step {
    Write(DocumentId, Map<String, Value>),
    Delete(DocumentId),
}

enum Ready {
    Write(Prepared),
    Delete(DocumentId),
}

impl Ready {
    fn id(&self) -> &DocumentId {
        match self {
            Ready::Write(prepared) => &prepared.id,
            Ready::Delete(id) => id,
        }
    }

    fn document(&mut self) -> Option<&mut Prepared> {
        match self {
            Ready::Write(prepared) => Some(prepared),
            Ready::Delete(_) => None,
        }
    }
}

/// Removes the files of a commit that a crash left unfinished: a new commit has the same stamp and wants the same names, and Tantivy
/// writes over no file.
fn clear_leftovers(writer: &tantivy::IndexWriter) -> Result<()> {
    writer.garbage_collect_files().wait()?;
    Ok(())
}

fn open_tantivy_writer(opened: &Opened) -> Result<tantivy::IndexWriter> {
    let num_threads = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get).min(8);
    let writer = opened.tantivy.writer_with_num_threads(num_threads, MEMORY_BYTES)?;
    clear_leftovers(&writer)?;
    set_merge_policy(&writer, opened);
    // Tantivy 0.27 gives a new writer's first operation the last commit's stamp, and a merge before the next commit would apply
    // an uncommitted deletion to committed documents. An operation that deletes nothing takes that stamp.
    writer.delete_term(Term::from_field_text(opened.fields.id, ""));
    Ok(writer)
}

fn set_merge_policy(writer: &tantivy::IndexWriter, opened: &Opened) {
    writer.set_merge_policy(Box::new(GraphMergePolicy::new(Box::new(LogMergePolicy::default()), &opened.tantivy)));
}
