//! JSONL: a document a line. A BEIR corpus is JSONL whose documents have `_id`, `title`, `text` and perhaps `metadata`.

use super::lines::Lines;
use super::object::{self, IdRules};
use super::{Action, Fault, Record, RecordReader, strict_json};
use crate::error::Result;

/// The lines of a file, blank ones left out.
pub(super) struct Jsonl {
    pub(super) lines: Lines,
}

impl RecordReader for Jsonl {
    fn next_record(&mut self) -> Option<Result<Record, Fault>> {
        let line = self.lines.next_filled()?;
        Some(line.map(|line| Record::Object { line: line.number, bytes: line.bytes }))
    }
}

/// The document that begins at `line`.
pub(super) fn parse(line: u64, bytes: &[u8], ids: &IdRules) -> Result<(Action, u64)> {
    let object = strict_json::object(line, bytes)?;
    let document = object::document(object, ids).map_err(|error| error.at_line(line))?;
    Ok((Action::Index(document), line))
}
