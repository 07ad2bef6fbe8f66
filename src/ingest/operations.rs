//! The iterator: inputs one after the other, records in batches, a batch parsed on all cores, everything in order.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use rayon::prelude::*;

use super::bulk::Bulk;
use super::csv::Csv;
use super::format::{self, Format, Layout};
use super::json_values::JsonValues;
use super::jsonl::Jsonl;
use super::lines::Lines;
use super::object::IdRules;
use super::source::{self, Input, Pending, ReadProgress};
use super::{Fault, Operation, Options, Record, RecordReader};
use crate::error::{Error, Location, Result};

/// A batch is closed when it holds this much.
const BATCH_BYTES: usize = 4 << 20;
/// Or this many records.
const BATCH_RECORDS: usize = 8192;

/// Opens inputs for reading, one after the other in this order.
///
/// Paths and folders are looked up now, so that a typing error costs nothing; a file is opened when its turn comes. No input at
/// all gives an iterator that ends with the fault for an empty one.
///
/// ```
/// use bifocal::ingest::{self, Action, Input, Options};
///
/// let lines = r#"{"_id": "1", "title": "A Wing in a Slipstream"}"#;
/// let input = Input::Reader { name: "corpus.jsonl".into(), reader: Box::new(lines.as_bytes()) };
/// for operation in ingest::open(vec![input], Options::default())? {
///     if let Action::Index(document) = operation?.action {
///         assert_eq!(document.id.unwrap().as_str(), "1");
///     }
/// }
/// # Ok::<(), bifocal::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if a path does not exist or a folder holds no data file,
/// [`ErrorKind::Io`](crate::ErrorKind::Io) if one cannot be looked at.
pub fn open(inputs: Vec<Input>, options: Options) -> Result<Operations> {
    let first_name = inputs.first().map(|input| match input {
        Input::Path(path) => path.clone(),
        Input::Reader { name, .. } => name.clone(),
    });
    let (pending, progress) = source::find(inputs)?;
    Ok(Operations {
        pending: pending.into(),
        current: None,
        ready: VecDeque::new(),
        progress,
        options,
        first_name,
        num_seen: 0,
        is_over: false,
    })
}

/// The operations of some inputs, in order; made by [`open`].
///
/// The iterator ends after the first [`Fault::Input`]. Inputs with no operation and no bad record in any of them give one,
/// ("there are no documents"), so that an empty file is not taken for success. Parsing uses rayon's current thread pool.
pub struct Operations {
    pending: VecDeque<Pending>,
    current: Option<Current>,
    ready: VecDeque<Result<Operation, Fault>>,
    progress: Arc<ReadProgress>,
    options: Options,
    first_name: Option<PathBuf>,
    /// Operations and bad records so far.
    num_seen: u64,
    is_over: bool,
}

struct Current {
    name: PathBuf,
    ids: IdRules,
    records: Box<dyn RecordReader>,
}

impl std::fmt::Debug for Operations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operations")
            .field("pending", &self.pending)
            .field("options", &self.options)
            .field("num_seen", &self.num_seen)
            .finish_non_exhaustive()
    }
}

impl Operations {
    /// How far reading has come; may be kept and looked at from another thread.
    pub fn progress(&self) -> Arc<ReadProgress> {
        Arc::clone(&self.progress)
    }

    /// Reads and parses until something is ready or the inputs are at their end.
    fn fill(&mut self) {
        while self.ready.is_empty() && !self.is_over {
            if self.current.is_none() && !self.open_next() {
                return;
            }
            let Some(current) = &mut self.current else { return };
            let (batch, is_at_end) = read_batch(current.records.as_mut());
            let (name, ids) = (&current.name, &current.ids);
            self.ready = batch
                .into_par_iter()
                .map(|record| record.and_then(|record| parse(record, ids, name)))
                .map(|parsed| parsed.map_err(|fault| fault.map(|error| error.in_file(name))))
                .collect::<Vec<_>>()
                .into();
            self.num_seen += self.ready.len() as u64;
            if is_at_end {
                self.current = None;
            }
        }
    }

    /// Opens the next input; returns whether there is one to read.
    fn open_next(&mut self) -> bool {
        let Some(pending) = self.pending.pop_front() else {
            self.is_over = true;
            if self.num_seen == 0 {
                let error = Error::invalid_input("there are no documents in the input");
                let error = match &self.first_name {
                    Some(name) => error.in_file(name),
                    None => error,
                };
                self.ready.push_back(Err(Fault::Input(error)));
            }
            return false;
        };
        let name = pending.name.clone();
        match open_one(pending, &self.options, &self.progress) {
            Ok(current) => {
                self.current = Some(current);
                true
            }
            Err(error) => {
                self.ready.push_back(Err(Fault::Input(error.in_file(name))));
                false
            }
        }
    }
}

impl Iterator for Operations {
    type Item = Result<Operation, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty() {
            self.fill();
        }
        let next = self.ready.pop_front();
        if matches!(next, Some(Err(Fault::Input(_)))) {
            self.ready.clear();
            self.is_over = true;
        }
        next
    }
}

fn open_one(pending: Pending, options: &Options, progress: &Arc<ReadProgress>) -> Result<Current> {
    let name = pending.name.clone();
    let is_beir_folder = pending.is_beir && options.format == Format::Auto;
    let format = if is_beir_folder { Format::Beir } else { options.format };
    let extension = source::data_extension(&name);
    let source = pending.open(progress)?;
    let layout = format::layout(format, &source.head, source.is_whole, extension.as_deref())?;
    let max_bytes = options.max_record_bytes;
    let records: Box<dyn RecordReader> = match layout {
        Layout::Lines => Box::new(Jsonl { lines: Lines::new(source, max_bytes) }),
        Layout::Bulk => Box::new(Bulk::new(Lines::new(source, max_bytes))),
        Layout::Values => Box::new(JsonValues::new(source, max_bytes)),
        Layout::Rows { delimiter } => Box::new(Csv::new(Lines::new(source, max_bytes), delimiter, max_bytes)),
    };
    Ok(Current { name, ids: IdRules::new(options.id_field.as_deref(), format == Format::Beir), records })
}

/// The next records, and whether they are the last.
fn read_batch(records: &mut dyn RecordReader) -> (Vec<Result<Record, Fault>>, bool) {
    let mut batch = Vec::new();
    let mut num_bytes = 0;
    while num_bytes < BATCH_BYTES && batch.len() < BATCH_RECORDS {
        let Some(record) = records.next_record() else { return (batch, true) };
        num_bytes += record.as_ref().map_or(0, Record::num_bytes);
        batch.push(record);
    }
    (batch, false)
}

fn parse(record: Record, ids: &IdRules, name: &std::path::Path) -> Result<Operation, Fault> {
    let (action, line) = record.parse(ids).map_err(Fault::Record)?;
    Ok(Operation { action, location: Location { file: Some(name.to_path_buf()), line: Some(line), field: None } })
}
