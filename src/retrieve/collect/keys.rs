//! The keys of an order as numbers: in one segment, comparing keys is comparing numbers, the smaller first.

use tantivy::{BitSet, DocId};

use super::columns::{self, Code, combine, decode_f64, encode_f64};
use super::sort::{Direction, FieldSort, Missing, Mode, SortBy, SortKey, SortKind, SortValue};
use crate::error::{Error, Result};
use crate::index::Snapshot;
use crate::index::doc_values::DocValues;

/// Before everything and after everything.
const FIRST: Code = 0;
const LAST: Code = Code::MAX;

/// One key in one segment.
pub(super) struct SegmentKey {
    source: Source,
    descending: bool,
}

enum Source {
    Score,
    /// The place in the index; `base` is that of the segment's first document.
    Doc {
        base: i64,
    },
    Field(Box<FieldCodes>),
}

/// A field's codes in one segment: one a document.
pub(super) struct FieldCodes {
    values: DocValues,
    kind: SortKind,
    mode: Mode,
    missing: MissingCode,
    nested: Option<NestedDocs>,
    descending: bool,
}

enum MissingCode {
    First,
    Last,
    /// Before the direction is applied.
    Value(Code, SortValue),
}

/// The nested documents of a segment whose values count.
pub(super) struct NestedDocs {
    pub(super) roots: BitSet,
    pub(super) matching: BitSet,
}

impl NestedDocs {
    /// Calls `visit` with each of a root's nested documents that count: they lie between the root before and it.
    fn for_each(&self, root: DocId, mut visit: impl FnMut(DocId)) {
        let mut start = root;
        while start > 0 && !self.roots.contains(start - 1) {
            start -= 1;
        }
        (start..root).filter(|&doc| self.matching.contains(doc)).for_each(&mut visit);
    }
}

impl FieldCodes {
    pub(super) fn open(
        snapshot: &Snapshot,
        segment_ord: u32,
        field: &FieldSort,
        direction: Direction,
        nested: Option<NestedDocs>,
    ) -> Result<Self> {
        let values = match &field.field {
            Some(field) => field.open(snapshot, segment_ord)?,
            None => DocValues::Missing,
        };
        let descending = direction == Direction::Descending;
        let missing = match &field.missing {
            Missing::First => MissingCode::First,
            Missing::Last => MissingCode::Last,
            Missing::Value(value) => match columns::code_of(&values, field.kind, value)? {
                Some(code) => MissingCode::Value(code, value.clone()),
                None => MissingCode::Last,
            },
        };
        let mode = field.mode.unwrap_or(if descending { Mode::Max } else { Mode::Min });
        Ok(Self { values, kind: field.kind, mode, missing, nested, descending })
    }

    /// The document's code before the direction is applied; `None` where it has no value.
    pub(super) fn code(&self, doc: DocId, scratch: &mut Vec<Code>) -> Option<Code> {
        scratch.clear();
        match &self.nested {
            None => columns::push_codes(&self.values, doc, self.kind, scratch),
            Some(nested) => nested.for_each(doc, |child| columns::push_codes(&self.values, child, self.kind, scratch)),
        }
        combine(scratch, self.kind, self.mode)
    }

    /// The value behind [`FieldCodes::code`].
    pub(super) fn value_of(&self, code: Option<Code>) -> Result<SortValue> {
        code.map_or(Ok(SortValue::Null), |code| columns::value_of(&self.values, self.kind, code))
    }

    fn key(&self, doc: DocId, scratch: &mut Vec<Code>) -> Code {
        match (self.code(doc, scratch), &self.missing) {
            (Some(code), _) => self.directed(code),
            (None, MissingCode::Value(code, _)) => self.directed(*code),
            (None, MissingCode::First) => FIRST,
            (None, MissingCode::Last) => LAST,
        }
    }

    fn directed(&self, code: Code) -> Code {
        if self.descending { !code } else { code }
    }

    /// What Elasticsearch prints for a document: of a number that is missing, the extreme value that stands for it.
    fn value(&self, doc: DocId, scratch: &mut Vec<Code>) -> Result<SortValue> {
        let code = self.code(doc, scratch);
        if code.is_some() {
            return self.value_of(code);
        }
        let is_largest = match &self.missing {
            MissingCode::Value(_, value) => return Ok(value.clone()),
            MissingCode::First => self.descending,
            MissingCode::Last => !self.descending,
        };
        Ok(match self.kind {
            SortKind::Text | SortKind::Ip => SortValue::Null,
            SortKind::Double => SortValue::Float(if is_largest { f64::INFINITY } else { f64::NEG_INFINITY }),
            SortKind::Long => SortValue::Int(if is_largest { i64::MAX } else { i64::MIN }),
            SortKind::Unsigned => SortValue::Unsigned(if is_largest { u64::MAX } else { 0 }),
        })
    }

    fn key_of(&self, value: &SortValue) -> Result<Code> {
        Ok(match (columns::code_of(&self.values, self.kind, value)?, &self.missing) {
            // What stands for a missing number is at the very end, beside those that are as large.
            (Some(_), MissingCode::First) if is_extreme(value, self.descending) => FIRST,
            (Some(_), MissingCode::Last) if is_extreme(value, !self.descending) => LAST,
            (Some(code), _) => self.directed(code),
            (None, MissingCode::First) => FIRST,
            (None, MissingCode::Last | MissingCode::Value(..)) => LAST,
        })
    }
}

/// Whether a value is the largest or smallest of its type.
fn is_extreme(value: &SortValue, largest: bool) -> bool {
    match value {
        SortValue::Int(value) => *value == if largest { i64::MAX } else { i64::MIN },
        SortValue::Unsigned(value) => *value == if largest { u64::MAX } else { 0 },
        SortValue::Float(value) => value.is_infinite() && (*value > 0.0) == largest,
        SortValue::Null | SortValue::Text(_) | SortValue::Ip(_) => false,
    }
}

impl SegmentKey {
    /// * `base`: the number of documents in the segments before, plus the index's number times 2^32 for `_shard_doc`.
    pub(super) fn open(
        snapshot: &Snapshot,
        segment_ord: u32,
        key: &SortKey,
        base: i64,
        nested: Option<NestedDocs>,
    ) -> Result<Self> {
        let source = match &key.by {
            SortBy::Score => Source::Score,
            SortBy::Doc | SortBy::ShardDoc => Source::Doc { base },
            SortBy::Field(field) => {
                Source::Field(Box::new(FieldCodes::open(snapshot, segment_ord, field, key.direction, nested)?))
            }
        };
        Ok(Self { source, descending: key.direction == Direction::Descending })
    }

    /// A document's key; smaller comes first.
    pub(super) fn key(&self, doc: DocId, score: f32, scratch: &mut Vec<Code>) -> Code {
        match &self.source {
            Source::Score => self.directed(encode_f64(f64::from(score))),
            Source::Doc { base } => self.directed(columns::encode_i64(base + i64::from(doc))),
            Source::Field(field) => field.key(doc, scratch),
        }
    }

    /// A document's value, as it is printed.
    pub(super) fn value(&self, doc: DocId, key: Code, scratch: &mut Vec<Code>) -> Result<SortValue> {
        Ok(match &self.source {
            Source::Score => SortValue::Float(decode_f64(self.directed(key))),
            Source::Doc { base } => SortValue::Int(base + i64::from(doc)),
            Source::Field(field) => field.value(doc, scratch)?,
        })
    }

    /// The key that a document with this value would have.
    pub(super) fn key_of(&self, value: &SortValue) -> Result<Code> {
        match (&self.source, value) {
            (Source::Field(field), value) => field.key_of(value),
            (Source::Score, SortValue::Float(score)) => Ok(self.directed(encode_f64(*score))),
            (Source::Score, SortValue::Int(score)) => Ok(self.directed(encode_f64(*score as f64))),
            (Source::Doc { .. }, SortValue::Int(doc)) => Ok(self.directed(columns::encode_i64(*doc))),
            (Source::Score | Source::Doc { .. }, _) => Err(Error::invalid_input(
                "search_after has a value that is no number for `_score`, `_doc` or `_shard_doc`",
            )),
        }
    }

    fn directed(&self, code: Code) -> Code {
        if self.descending { !code } else { code }
    }
}
