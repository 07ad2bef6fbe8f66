//! Values of a field by document: what sorting, aggregations, `docvalue_fields` and `function_score` read.
//!
//! [`ValueField::resolve`] finds a field by its name, once a query; [`ValueField::open`] opens its column in one segment;
//! [`DocValues`] gives the values of a document without allocating. A segment that is older than the field reads as documents
//! without it. Values of one document come in ascending order; keywords without repetition, numbers with, as in Lucene. Many
//! documents at once are read by [`ValueBlock`]. Terms that are the same in several segments get one number by [`ordinals`].

pub mod block;
pub mod ordinals;

use std::net::Ipv6Addr;
use std::sync::Arc;

use tantivy::DocId;
use tantivy::columnar::{Column, StrColumn};

pub use self::block::ValueBlock;
pub use self::ordinals::{GlobalOrdinals, OrdinalsCache};

use super::Snapshot;
use super::columns::{ColumnsReader, ID_FIELD};
use crate::error::{Error, Result};
use crate::schema::date::DateFormats;
use crate::schema::flatten::{FieldKind, FlattenedField};

/// The name of the constant "field" that holds the index's name.
pub const INDEX_FIELD: &str = "_index";

/// What the values of a field are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueKind {
    /// Whole numbers, `i64`.
    Long,
    /// Whole numbers, `u64`.
    UnsignedLong,
    /// `f64`.
    Double,
    /// 0 and 1.
    Boolean,
    /// Milliseconds since 1970, `i64`.
    Date,
    /// Addresses; IPv4 ones mapped into IPv6.
    Ip,
    /// Untokenised text, by ordinal.
    Keyword,
    /// The user's id of the document.
    Id,
    /// The index's name, the same for all documents.
    IndexName,
}

impl ValueKind {
    /// Whether the values are numbers (dates and booleans included).
    pub fn is_numeric(self) -> bool {
        match self {
            ValueKind::Long | ValueKind::UnsignedLong | ValueKind::Double | ValueKind::Boolean | ValueKind::Date => {
                true
            }
            ValueKind::Ip | ValueKind::Keyword | ValueKind::Id | ValueKind::IndexName => false,
        }
    }
}

/// The column, kind and key of a name inside of a `flattened` field (`labels.priority`).
fn inside_of<'n>(snapshot: &Snapshot, name: &'n str) -> Option<(String, ValueKind, Option<&'n str>)> {
    name.match_indices('.').find_map(|(at, _)| {
        let (parent, key) = (name.get(..at)?, name.get(at + 1..)?);
        let mapped = snapshot.field(parent)?;
        let FieldKind::Flattened(flattened) = &mapped.definition.kind else { return None };
        let column = FlattenedField::keyed_field(&mapped.definition.path);
        flattened.fast.then_some((column, ValueKind::Keyword, Some(key)))
    })
}

/// A field that has values by document.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueField {
    /// The name by which it was asked for.
    pub name: String,
    /// What its values are.
    pub kind: ValueKind,
    /// Elasticsearch's name of its type, for errors.
    pub type_name: &'static str,
    /// The mapping's formats of dates; `None` for other types.
    pub date_formats: Option<DateFormats>,
    /// The name of the index, the value of `_index`.
    index: Arc<str>,
    /// The column, where it is not named as the field.
    column: String,
    /// The key inside of a `flattened` field.
    key: Option<String>,
}

impl ValueField {
    /// Finds a field; `None` where the mapping lacks it.
    ///
    /// * `index`: the concrete name of the index, for `_index` and for errors.
    ///
    /// # Errors
    /// `InvalidInput`, in Elasticsearch's words, for a field without values by document: text, vectors, `doc_values: false`.
    pub fn resolve(snapshot: &Snapshot, name: &str, index: &str) -> Result<Option<Self>> {
        let found = |kind, column: &str, key: Option<&str>| Self {
            name: name.to_string(),
            kind,
            type_name: type_name(kind),
            date_formats: None,
            index: Arc::from(index),
            column: column.to_string(),
            key: key.map(str::to_string),
        };
        match name {
            ID_FIELD => return Ok(Some(found(ValueKind::Id, name, None))),
            INDEX_FIELD => return Ok(Some(found(ValueKind::IndexName, name, None))),
            "_seq_no" | "_version" => return Ok(Some(found(ValueKind::UnsignedLong, name, None))),
            "_routing" | "_nested_path" => return Ok(Some(found(ValueKind::Keyword, name, None))),
            _ => {}
        }
        let Some(mapped) = snapshot.field(name) else {
            return Ok(inside_of(snapshot, name).map(|(column, kind, key)| found(kind, &column, key)));
        };
        let column = mapped.definition.path.as_str();
        let (kind, fast) = match &mapped.definition.kind {
            FieldKind::Text(_) => return Err(no_fielddata(name, index)),
            FieldKind::DenseVector(_) => return Err(unsupported(name, "dense_vector")),
            FieldKind::SemanticText(_) => return Err(unsupported(name, "semantic_text")),
            FieldKind::Keyword { fast, .. } => (ValueKind::Keyword, *fast),
            FieldKind::Integer { options, .. } => (ValueKind::Long, options.fast),
            FieldKind::Unsigned(options) => (ValueKind::UnsignedLong, options.fast),
            FieldKind::Float { options, .. } => (ValueKind::Double, options.fast),
            FieldKind::Boolean { fast, .. } => (ValueKind::Boolean, *fast),
            FieldKind::Date { options, .. } => (ValueKind::Date, options.fast),
            FieldKind::TokenCount { options, .. } => (ValueKind::Long, options.fast),
            FieldKind::Ip(options) => (ValueKind::Ip, options.fast),
            FieldKind::Flattened(flattened) => (ValueKind::Keyword, flattened.fast),
            FieldKind::RankFeature { .. } => return Err(unsupported(name, "rank_feature")),
            FieldKind::RankFeatures { .. } => return Err(unsupported(name, "rank_features")),
            FieldKind::Binary => return Err(unsupported(name, "binary")),
        };
        if !fast {
            return Err(without_doc_values(name, mapped.definition.type_name));
        }
        let date_formats =
            if let FieldKind::Date { formats, .. } = &mapped.definition.kind { Some(formats.clone()) } else { None };
        Ok(Some(Self { type_name: mapped.definition.type_name, date_formats, ..found(kind, column, None) }))
    }

    /// Opens the field's column in one segment of the snapshot.
    ///
    /// # Errors
    /// `Corrupt` or `Io` when the column cannot be read.
    pub fn open(&self, snapshot: &Snapshot, segment_ord: u32) -> Result<DocValues> {
        let Some(reader) = snapshot.searcher().segment_readers().get(segment_ord as usize) else {
            return Ok(DocValues::Missing);
        };
        let columns = reader.fast_fields();
        // A column that the segment's schema does not have reads as one without values.
        if reader.schema().get_field(&self.column).is_err() && self.kind != ValueKind::IndexName {
            return Ok(DocValues::Missing);
        }
        let opened = match self.kind {
            ValueKind::Long | ValueKind::Date => columns.column_opt::<i64>(&self.column)?.map(DocValues::Long),
            ValueKind::UnsignedLong => columns.column_opt::<u64>(&self.column)?.map(DocValues::Unsigned),
            ValueKind::Double => columns.column_opt::<f64>(&self.column)?.map(DocValues::Double),
            ValueKind::Boolean => columns.column_opt::<bool>(&self.column)?.map(DocValues::Boolean),
            ValueKind::Ip => columns.column_opt::<Ipv6Addr>(&self.column)?.map(DocValues::Ip),
            ValueKind::Keyword => match columns.str(&self.column)? {
                Some(column) => KeywordValues::new(column, self.key.as_deref())?.map(DocValues::Keyword),
                None => None,
            },
            ValueKind::Id => snapshot.columns(segment_ord).map(|columns| DocValues::Id(columns.clone())),
            ValueKind::IndexName => Some(DocValues::Constant(self.index.clone())),
        };
        Ok(opened.unwrap_or(DocValues::Missing))
    }

    /// Opens the field's columns in every segment, in the snapshot's order.
    ///
    /// # Errors
    /// As [`ValueField::open`].
    pub fn open_all(&self, snapshot: &Snapshot) -> Result<Vec<DocValues>> {
        let num_segments = u32::try_from(snapshot.searcher().segment_readers().len()).unwrap_or(u32::MAX);
        (0..num_segments).map(|segment_ord| self.open(snapshot, segment_ord)).collect()
    }

    /// What names the field's dictionary of terms in a cache.
    pub(crate) fn cache_key(&self) -> String {
        match &self.key {
            Some(key) => format!("{}\u{0}{key}", self.column),
            None => self.column.clone(),
        }
    }
}

/// The values of a field in one segment. `Send + Sync`; cheap to clone.
#[derive(Clone)]
pub enum DocValues {
    /// No document of the segment has the field.
    Missing,
    /// Whole numbers, and dates in milliseconds since 1970.
    Long(Column<i64>),
    /// Whole numbers of 0 and above.
    Unsigned(Column<u64>),
    /// Numbers.
    Double(Column<f64>),
    /// Booleans.
    Boolean(Column<bool>),
    /// Addresses.
    Ip(Column<Ipv6Addr>),
    /// Keywords.
    Keyword(KeywordValues),
    /// The user's ids.
    Id(Arc<ColumnsReader>),
    /// The same text for every document.
    Constant(Arc<str>),
}

impl std::fmt::Debug for DocValues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            DocValues::Missing => "Missing",
            DocValues::Long(_) => "Long",
            DocValues::Unsigned(_) => "Unsigned",
            DocValues::Double(_) => "Double",
            DocValues::Boolean(_) => "Boolean",
            DocValues::Ip(_) => "Ip",
            DocValues::Keyword(_) => "Keyword",
            DocValues::Id(_) => "Id",
            DocValues::Constant(_) => "Constant",
        })
    }
}

/// One value, for printing.
#[derive(Debug, Clone, PartialEq)]
pub enum DocValue {
    /// A whole number, or a date in milliseconds since 1970.
    Long(i64),
    /// A whole number of 0 and above.
    Unsigned(u64),
    /// A number.
    Double(f64),
    /// A boolean.
    Boolean(bool),
    /// An address.
    Ip(Ipv6Addr),
    /// A keyword, an id, an index's name.
    Text(String),
}

/// The keywords of one segment: ordinals into a sorted dictionary.
#[derive(Clone)]
pub struct KeywordValues {
    column: StrColumn,
    /// The ordinals of the field: all of the dictionary, or those of one key of a flattened field.
    ords: std::ops::Range<u64>,
    /// So many bytes of each term are the key.
    prefix_bytes: usize,
}

impl std::fmt::Debug for KeywordValues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeywordValues").field("ords", &self.ords).finish_non_exhaustive()
    }
}

impl KeywordValues {
    fn new(column: StrColumn, key: Option<&str>) -> Result<Option<Self>> {
        let Some(key) = key else {
            let ords = 0..column.num_terms() as u64;
            return Ok(Some(Self { column, ords, prefix_bytes: 0 }));
        };
        // A flattened field's column has the terms `key NUL value`; those of one key follow one another.
        let after = |hit| match hit {
            tantivy::columnar::TermOrdHit::Exact(ord) | tantivy::columnar::TermOrdHit::Next(ord) => ord,
        };
        let start = after(column.dictionary().term_ord_or_next(format!("{key}\u{0}"))?);
        let end = after(column.dictionary().term_ord_or_next(format!("{key}\u{1}"))?);
        let end = end.min(column.num_terms() as u64);
        Ok((start < end).then(|| Self { column, ords: start..end, prefix_bytes: key.len() + 1 }))
    }

    /// How many different terms there are; ordinals are smaller than this.
    pub fn num_terms(&self) -> u64 {
        self.ords.end - self.ords.start
    }

    /// Visits the ordinals of a document, ascending, each once.
    pub fn for_each_ord(&self, doc: DocId, mut visit: impl FnMut(u64)) {
        let column = self.column.ords();
        let rows = column.index.value_row_ids(doc);
        if rows.len() <= 1 {
            for row in rows {
                let ord = column.values.get_val(row);
                if self.ords.contains(&ord) {
                    visit(ord - self.ords.start);
                }
            }
            return;
        }
        // Documents have few values: repeated passes for the next larger one need no memory.
        let mut last = None;
        loop {
            let above = |ord: &u64| self.ords.contains(ord) && last.is_none_or(|last| *ord > last);
            let next = rows.clone().map(|row| column.values.get_val(row)).filter(above).min();
            let Some(ord) = next else { return };
            visit(ord - self.ords.start);
            last = Some(ord);
        }
    }

    /// The term of an ordinal, into a buffer. `false`, and an empty buffer, where there is none.
    ///
    /// # Errors
    /// `Corrupt` when the dictionary is damaged.
    pub fn term(&self, ord: u64, buffer: &mut String) -> Result<bool> {
        buffer.clear();
        if ord >= self.num_terms() {
            return Ok(false);
        }
        let found = self.column.ord_to_str(ord + self.ords.start, buffer)?;
        if self.prefix_bytes > 0 {
            buffer.replace_range(..self.prefix_bytes.min(buffer.len()), "");
        }
        Ok(found)
    }

    /// The ordinal of a term, or else of the first term after it (possibly [`KeywordValues::num_terms`]).
    ///
    /// # Errors
    /// `Corrupt` when the dictionary is damaged.
    pub fn lookup(&self, term: &str) -> Result<std::result::Result<u64, u64>> {
        use tantivy::columnar::TermOrdHit;
        let hit = if self.prefix_bytes == 0 {
            self.column.dictionary().term_ord_or_next(term)?
        } else {
            let mut first = String::new();
            self.column.ord_to_str(self.ords.start, &mut first)?;
            let key = first.get(..self.prefix_bytes).unwrap_or_default();
            self.column.dictionary().term_ord_or_next(format!("{key}{term}"))?
        };
        let within = |ord: u64| ord.clamp(self.ords.start, self.ords.end) - self.ords.start;
        Ok(match hit {
            TermOrdHit::Exact(ord) => Ok(within(ord)),
            TermOrdHit::Next(ord) => Err(within(ord)),
        })
    }

    /// Visits the terms of ascending ordinals, in one pass.
    ///
    /// # Errors
    /// `Corrupt` when the dictionary is damaged.
    pub fn terms(&self, ords: &[u64], mut visit: impl FnMut(&str)) -> Result<()> {
        let shifted: Vec<u64> = ords.iter().map(|ord| ord + self.ords.start).collect();
        self.column.dictionary().sorted_ords_to_term_cb(&shifted, |term| {
            visit(std::str::from_utf8(term.get(self.prefix_bytes..).unwrap_or_default()).unwrap_or_default());
        })?;
        Ok(())
    }

    pub(super) fn column(&self) -> &Column<u64> {
        self.column.ords()
    }

    pub(super) fn range(&self) -> &std::ops::Range<u64> {
        &self.ords
    }

    pub(super) fn prefix_bytes(&self) -> usize {
        self.prefix_bytes
    }

    pub(super) fn dictionary_stream(&self) -> Result<tantivy::columnar::Streamer<'_>> {
        if self.prefix_bytes == 0 {
            return Ok(self.column.dictionary().stream()?);
        }
        let mut first = String::new();
        self.column.ord_to_str(self.ords.start, &mut first)?;
        let key = first.get(..self.prefix_bytes).unwrap_or_default();
        Ok(self.column.dictionary().prefix_range(key).into_stream()?)
    }
}

impl DocValues {
    /// How many values a document has; keywords that are repeated count once each.
    pub fn num_values(&self, doc: DocId) -> usize {
        match self {
            DocValues::Missing => 0,
            DocValues::Long(column) => column.index.value_row_ids(doc).len(),
            DocValues::Unsigned(column) => column.index.value_row_ids(doc).len(),
            DocValues::Double(column) => column.index.value_row_ids(doc).len(),
            DocValues::Boolean(column) => column.index.value_row_ids(doc).len(),
            DocValues::Ip(column) => column.index.value_row_ids(doc).len(),
            DocValues::Keyword(keywords) => {
                let mut count = 0;
                keywords.for_each_ord(doc, |_| count += 1);
                count
            }
            DocValues::Id(_) | DocValues::Constant(_) => 1,
        }
    }

    /// Whether a document has a value.
    pub fn has_value(&self, doc: DocId) -> bool {
        match self {
            DocValues::Keyword(keywords) if keywords.prefix_bytes() == 0 => {
                keywords.column().index.value_row_ids(doc).start < keywords.column().index.value_row_ids(doc).end
            }
            DocValues::Missing
            | DocValues::Long(_)
            | DocValues::Unsigned(_)
            | DocValues::Double(_)
            | DocValues::Boolean(_)
            | DocValues::Ip(_)
            | DocValues::Keyword(_)
            | DocValues::Id(_)
            | DocValues::Constant(_) => self.num_values(doc) > 0,
        }
    }

    /// Visits a document's numbers, ascending; booleans as 0 and 1, dates in milliseconds. Texts and addresses have none.
    pub fn for_each_f64(&self, doc: DocId, mut visit: impl FnMut(f64)) {
        match self {
            DocValues::Long(column) => ascending(column, doc, |value| visit(value as f64)),
            DocValues::Unsigned(column) => ascending(column, doc, |value| visit(value as f64)),
            DocValues::Double(column) => ascending(column, doc, visit),
            DocValues::Boolean(column) => ascending(column, doc, |value| visit(f64::from(u8::from(value)))),
            DocValues::Missing
            | DocValues::Ip(_)
            | DocValues::Keyword(_)
            | DocValues::Id(_)
            | DocValues::Constant(_) => {}
        }
    }

    /// Visits a document's whole numbers, ascending; booleans as 0 and 1, dates in milliseconds. Others have none.
    pub fn for_each_i64(&self, doc: DocId, mut visit: impl FnMut(i64)) {
        match self {
            DocValues::Long(column) => ascending(column, doc, visit),
            DocValues::Boolean(column) => ascending(column, doc, |value| visit(i64::from(value))),
            DocValues::Missing
            | DocValues::Unsigned(_)
            | DocValues::Double(_)
            | DocValues::Ip(_)
            | DocValues::Keyword(_)
            | DocValues::Id(_)
            | DocValues::Constant(_) => {}
        }
    }

    /// Visits a document's values, ascending.
    ///
    /// # Errors
    /// `Corrupt` when a dictionary or the ids are damaged.
    pub fn for_each(&self, doc: DocId, mut visit: impl FnMut(DocValue)) -> Result<()> {
        match self {
            DocValues::Missing => {}
            DocValues::Long(column) => ascending(column, doc, |value| visit(DocValue::Long(value))),
            DocValues::Unsigned(column) => ascending(column, doc, |value| visit(DocValue::Unsigned(value))),
            DocValues::Double(column) => ascending(column, doc, |value| visit(DocValue::Double(value))),
            DocValues::Boolean(column) => ascending(column, doc, |value| visit(DocValue::Boolean(value))),
            DocValues::Ip(column) => ascending(column, doc, |value| visit(DocValue::Ip(value))),
            DocValues::Keyword(keywords) => {
                let mut ords = Vec::new();
                keywords.for_each_ord(doc, |ord| ords.push(ord));
                keywords.terms(&ords, |term| visit(DocValue::Text(term.to_string())))?;
            }
            DocValues::Id(columns) => visit(DocValue::Text(columns.id(doc)?.to_string())),
            DocValues::Constant(text) => visit(DocValue::Text(text.to_string())),
        }
        Ok(())
    }
}

/// Visits the values of one document, ascending, repeated ones as often as they are there.
fn ascending<T>(column: &Column<T>, doc: DocId, mut visit: impl FnMut(T))
where
    T: PartialOrd + Copy + std::fmt::Debug + Send + Sync + 'static,
{
    let rows = column.index.value_row_ids(doc);
    if rows.len() <= 1 {
        rows.for_each(|row| visit(column.values.get_val(row)));
        return;
    }
    // As for keywords: no memory, and documents have few values.
    let mut last: Option<T> = None;
    loop {
        let mut next: Option<T> = None;
        let mut times = 0;
        for row in rows.clone() {
            let value = column.values.get_val(row);
            if last.is_none_or(|last| value > last) {
                match next {
                    Some(least) if value > least => {}
                    Some(least) if value == least => times += 1,
                    _ => {
                        next = Some(value);
                        times = 1;
                    }
                }
            }
        }
        let Some(value) = next else { return };
        (0..times).for_each(|_| visit(value));
        last = Some(value);
    }
}

/// Elasticsearch's words for a text field where values by document are needed.
fn no_fielddata(name: &str, index: &str) -> Error {
    Error::invalid_input(format!(
        "Fielddata is disabled on [{name}] in [{index}]. Text fields are not optimised for operations that require per-document \
         field data like aggregations and sorting, so these operations are disabled by default. Please use a keyword field \
         instead. Alternatively, set fielddata=true on [{name}] in order to load field data by uninverting the inverted index. \
         Note that this can use significant memory."
    ))
}

fn unsupported(name: &str, kind: &str) -> Error {
    Error::invalid_input(format!("Field [{name}] of type [{kind}] doesn't support sorting or aggregations"))
}

/// The name of the type of a field that no mapping has.
fn type_name(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Long => "long",
        ValueKind::UnsignedLong => "unsigned_long",
        ValueKind::Double => "double",
        ValueKind::Boolean => "boolean",
        ValueKind::Date => "date",
        ValueKind::Ip => "ip",
        ValueKind::Keyword => "keyword",
        ValueKind::Id => "_id",
        ValueKind::IndexName => "_index",
    }
}

fn without_doc_values(name: &str, kind: &str) -> Error {
    Error::invalid_input(format!(
        "Can't load fielddata on [{name}] because fielddata is unsupported on fields of type [{kind}]. Use doc values instead."
    ))
}

#[cfg(test)]
mod tests;
