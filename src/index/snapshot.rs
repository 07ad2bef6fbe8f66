//! A snapshot: the documents of one commit, by id and by place.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};
use tantivy::schema::Value as _;
use tantivy::{BitSet, DocAddress, SegmentReader, TantivyDocument, Term};

use super::columns::ColumnsReader;
use super::dense::{DenseCache, DenseReader};
use super::fields::{IndexField, ROUTING_FIELD, SEQ_NO_FIELD, VERSION_FIELD};
use super::lexical::{Analyzer, FieldTable};
use super::roots::{Roots, RootsCache};
use super::{Opened, convert};
use crate::document::{DocumentId, PassageSpan};
use crate::error::{Error, Result};
use crate::models::BiEncoder;
use crate::schema::IndexDefinition;
use crate::schema::flatten::FieldKind;

/// The documents of one commit. `Send + Sync`, cheap to clone; what is committed later it does not see.
#[derive(Clone)]
pub struct Snapshot {
    opened: Arc<Opened>,
    searcher: tantivy::Searcher,
    /// One a segment.
    columns: Vec<Arc<ColumnsReader>>,
    /// One a segment; `None` where every document is a root.
    roots: Vec<Roots>,
    /// Roots that are not deleted.
    num_documents: u64,
    dense: DenseReader,
    /// One number a term over all segments, made when an aggregation first needs it.
    ordinals: Arc<super::doc_values::OrdinalsCache>,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("segments", &self.columns.len()).finish_non_exhaustive()
    }
}

/// A segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFigures {
    /// The beginning of its id, which its files begin with, too.
    pub id: String,
    /// Documents that are alive; nested objects count.
    pub documents: u64,
    /// Deleted ones that still take room.
    pub deleted_documents: u64,
}

/// Figures of an index.
///
/// # Stability
/// Printed by `bifocal stats --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct IndexStats {
    /// Documents that are not deleted.
    pub documents: u64,
    /// Passages with a vector, over all vector fields.
    pub passages: u64,
    /// Segments.
    pub segments: u64,
    /// Documents that are deleted and still take room.
    pub deleted_documents: u64,
    /// The size of the index's files.
    pub bytes: u64,
}

/// A document as a store keeps it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredSource {
    pub(crate) source: Map<String, Value>,
    pub(crate) seq_no: u64,
    pub(crate) version: u64,
    pub(crate) routing: Option<String>,
}

impl Snapshot {
    pub(super) fn open(opened: Arc<Opened>, cache: &DenseCache, roots_cache: &RootsCache) -> Result<Self> {
        opened.reader.reload()?;
        let searcher = opened.reader.searcher();
        let dense = DenseReader::open(&searcher, cache)?;
        let columns: Vec<Arc<ColumnsReader>> = searcher
            .segment_readers()
            .iter()
            .map(|reader| ColumnsReader::open(reader).map(Arc::new))
            .collect::<Result<_>>()?;
        let nested_path = opened.fields.nested_path;
        let roots: Vec<Roots> = if opened.fields.tree.nested_paths().is_empty() {
            vec![None; columns.len()]
        } else {
            let readers = searcher.segment_readers().iter();
            readers.map(|reader| roots_cache.open(reader, nested_path)).collect::<Result<_>>()?
        };
        let num_documents = searcher
            .segment_readers()
            .iter()
            .zip(&roots)
            .map(|(reader, roots)| num_alive(reader, roots.as_deref()))
            .sum();
        Ok(Self { opened, searcher, columns, roots, num_documents, dense, ordinals: Arc::default() })
    }

    /// The documents of a segment that are no nested ones, deleted ones included; `None` where all are. The root of a nested
    /// document is the next one.
    pub(crate) fn roots(&self, segment_ord: u32) -> Option<&BitSet> {
        self.roots.get(segment_ord as usize)?.as_deref()
    }

    /// The definition of the index as this snapshot knows it.
    pub fn definition(&self) -> &IndexDefinition {
        &self.opened.manifest.definition
    }

    /// The mapping's field of this path, or the one that an alias of this path stands for.
    pub(crate) fn field(&self, path: &str) -> Option<&IndexField> {
        self.opened.fields.get(path)
    }

    /// The engine's and the mapping's fields.
    #[cfg(test)]
    pub(crate) fn index_fields(&self) -> &super::fields::IndexFields {
        &self.opened.fields
    }

    /// The installation's models.
    pub(crate) fn models(&self) -> &crate::models::Models {
        &self.opened.models
    }

    /// Tantivy's snapshot.
    pub(crate) fn searcher(&self) -> &tantivy::Searcher {
        &self.searcher
    }

    /// The columns of a segment, by its number.
    pub(crate) fn columns(&self, segment_ord: u32) -> Option<&Arc<ColumnsReader>> {
        self.columns.get(segment_ord as usize)
    }

    pub(super) fn ordinals_cache(&self) -> &super::doc_values::OrdinalsCache {
        &self.ordinals
    }

    /// The fields that queries may name.
    pub(crate) fn table(&self) -> &Arc<FieldTable> {
        &self.opened.table
    }

    /// The mapping's fields.
    pub(crate) fn fields(&self) -> &[IndexField] {
        &self.opened.fields.mapped
    }

    /// The dense view.
    pub fn dense(&self) -> &DenseReader {
        &self.dense
    }

    /// How many documents there are.
    pub fn num_documents(&self) -> u64 {
        self.num_documents
    }

    /// A document's source; `None` when there is none of this id.
    ///
    /// # Errors
    /// `Corrupt` when the store is damaged.
    pub fn get(&self, id: &DocumentId) -> Result<Option<Map<String, Value>>> {
        self.locate(id)?.map(|address| self.source(address)).transpose()
    }

    /// The ids of all documents, in the order of the segments.
    ///
    /// # Errors
    /// `Corrupt` when a column is damaged.
    pub fn ids(&self) -> Result<Vec<DocumentId>> {
        let mut ids = Vec::new();
        for ((columns, reader), roots) in self.columns.iter().zip(self.searcher.segment_readers()).zip(&self.roots) {
            for doc_id in reader.doc_ids_alive().filter(|doc| roots.as_ref().is_none_or(|roots| roots.contains(*doc))) {
                ids.push(columns.id(doc_id)?.into());
            }
        }
        Ok(ids)
    }

    /// Figures of this snapshot.
    ///
    /// # Errors
    /// `Io` when the files cannot be looked at.
    pub fn stats(&self) -> Result<IndexStats> {
        let readers = self.searcher.segment_readers();
        let vectors = self.fields().iter().filter(|field| field.vector.is_some());
        Ok(IndexStats {
            documents: self.num_documents,
            passages: vectors.map(|field| self.dense.num_vectors(&field.definition.path)).sum(),
            segments: readers.len() as u64,
            deleted_documents: readers.iter().map(|reader| u64::from(reader.num_deleted_docs())).sum(),
            bytes: self.searcher.space_usage()?.total().get_bytes(),
        })
    }

    /// The bi-encoder of a semantic field.
    ///
    /// # Errors
    /// `NotFound` when there is no such field, `ModelMismatch` when the model changed, `Model` when it cannot be loaded.
    pub fn encoder(&self, field: &str) -> Result<Arc<dyn BiEncoder>> {
        self.opened.encoder(field)
    }

    /// The text of a passage of a semantic field; `None` when the span lies outside of the document's texts.
    ///
    /// # Errors
    /// `InvalidInput` when a value of the source is an object.
    pub fn passage_text(&self, field: &str, source: &Map<String, Value>, span: PassageSpan) -> Result<Option<String>> {
        let Some(found) = self.opened.fields.get(field) else { return Ok(None) };
        let input = convert::semantic_input(0, found, source)?;
        let text = input.and_then(|input| input.texts.into_iter().nth(span.value_idx as usize));
        Ok(text.and_then(|text| text.get(span.range()).map(str::to_string)))
    }

    /// What stands before each passage of a semantic field when it is embedded.
    pub(crate) fn context(&self, field: &str, source: &Map<String, Value>) -> Result<String> {
        let Some(found) = self.opened.fields.get(field) else { return Ok(String::new()) };
        Ok(convert::semantic_input(0, found, source)?.map(|input| input.context).unwrap_or_default())
    }

    /// The text fields and their analyzers, for highlights.
    pub(crate) fn highlighted_fields(&self) -> impl Iterator<Item = (&str, &Analyzer)> {
        let texts = self.fields().iter().filter(|field| matches!(field.definition.kind, FieldKind::Text(_)));
        texts.filter_map(|field| Some((field.definition.path.as_str(), field.analyzer.as_ref()?)))
    }

    /// The texts that a source itself holds at a field's path; none for a field that only gets copies.
    pub(crate) fn own_texts<'s>(&self, field: &str, source: &'s Map<String, Value>) -> Vec<&'s str> {
        convert::values_at(source, field).into_iter().filter_map(Value::as_str).collect()
    }

    /// The numbers that a source itself holds at a field's path: a vector as it was given.
    pub(crate) fn own_numbers(&self, field: &str, source: &Map<String, Value>) -> Vec<f32> {
        #[expect(clippy::cast_possible_truncation, reason = "vectors are single precision")]
        let number = |value: &Value| value.as_f64().map(|value| value as f32);
        convert::values_at(source, field).into_iter().filter_map(number).collect()
    }

    /// The beginning of a document's prose, for a cross-encoder that has no passages to read.
    pub(crate) fn plain_text(&self, source: &Map<String, Value>, max_bytes: usize) -> String {
        let mut text = String::new();
        for (field, _) in self.highlighted_fields() {
            for own in self.own_texts(field, source) {
                if text.len() + own.len() < max_bytes || text.is_empty() {
                    text.push_str(own);
                    text.push('\n');
                }
            }
        }
        text.truncate(text.floor_char_boundary(max_bytes));
        text
    }

    pub(crate) fn locate(&self, id: &DocumentId) -> Result<Option<DocAddress>> {
        let term = Term::from_field_text(self.opened.fields.id, id.as_str());
        for (segment_ord, reader) in (0_u32..).zip(self.searcher.segment_readers()) {
            let inverted = reader.inverted_index(self.opened.fields.id)?;
            if let Some(mut postings) = inverted.read_postings(&term, tantivy::schema::IndexRecordOption::Basic)? {
                use tantivy::DocSet;
                while postings.doc() != tantivy::TERMINATED {
                    if !reader.is_deleted(postings.doc()) {
                        return Ok(Some(DocAddress::new(segment_ord, postings.doc())));
                    }
                    postings.advance();
                }
            }
        }
        Ok(None)
    }

    /// A document by its id, with what a store keeps of it; `None` when there is none.
    ///
    /// # Errors
    /// `Corrupt` when the store or a column is damaged.
    pub(crate) fn stored(&self, id: &DocumentId) -> Result<Option<StoredSource>> {
        let Some(address) = self.locate(id)? else { return Ok(None) };
        let (seq_no, version) = self.version(address)?;
        Ok(Some(StoredSource { source: self.source(address)?, seq_no, version, routing: self.routing(address)? }))
    }

    /// The sequence number and the version of a document by its id; `None` when there is none.
    ///
    /// # Errors
    /// `Corrupt` when a column is damaged.
    pub(crate) fn stamp(&self, id: &DocumentId) -> Result<Option<(u64, u64)>> {
        self.locate(id)?.map(|address| self.version(address)).transpose()
    }

    /// The segments, in their order.
    pub fn segments(&self) -> Vec<SegmentFigures> {
        let readers = self.searcher.segment_readers().iter();
        readers
            .map(|reader| SegmentFigures {
                id: reader.segment_id().short_uuid_string(),
                documents: u64::from(reader.num_docs()),
                deleted_documents: u64::from(reader.num_deleted_docs()),
            })
            .collect()
    }

    /// Documents, deleted ones that still take room, segments.
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        let readers = self.searcher.segment_readers();
        let deleted = readers.iter().map(|reader| u64::from(reader.num_deleted_docs())).sum();
        (self.searcher.num_docs(), deleted, readers.len() as u64)
    }

    /// The sequence number and the version of a document; 0 and 1 where it was written without (by the command line).
    pub(crate) fn version(&self, address: DocAddress) -> Result<(u64, u64)> {
        let fast = self.searcher.segment_reader(address.segment_ord).fast_fields();
        let first = |name: &str| -> Result<Option<u64>> {
            Ok(fast.column_opt::<u64>(name)?.and_then(|column| column.first(address.doc_id)))
        };
        Ok((first(SEQ_NO_FIELD)?.unwrap_or(0), first(VERSION_FIELD)?.unwrap_or(1)))
    }

    /// The routing that a document was written with.
    pub(crate) fn routing(&self, address: DocAddress) -> Result<Option<String>> {
        let fast = self.searcher.segment_reader(address.segment_ord).fast_fields();
        let Some(column) = fast.str(ROUTING_FIELD)? else { return Ok(None) };
        let Some(ord) = column.term_ords(address.doc_id).next() else { return Ok(None) };
        let mut routing = String::new();
        column.ord_to_str(ord, &mut routing)?;
        Ok(Some(routing))
    }

    pub(crate) fn content_hash(&self, address: DocAddress) -> u64 {
        self.columns.get(address.segment_ord as usize).map_or(0, |columns| columns.content_hash(address.doc_id))
    }

    pub(crate) fn source(&self, address: DocAddress) -> Result<Map<String, Value>> {
        let document: TantivyDocument = self.searcher.doc(address)?;
        let damaged = || {
            Error::corrupt("the stored source of a document is damaged; restore the index from a copy or index again")
        };
        let text =
            document.get_first(self.opened.fields.source).and_then(|value| value.as_str()).ok_or_else(damaged)?;
        serde_json::from_str(text).map_err(|error| damaged().with_source(error))
    }
}

/// The roots of a segment that are not deleted.
fn num_alive(reader: &SegmentReader, roots: Option<&BitSet>) -> u64 {
    match roots {
        None => u64::from(reader.num_docs()),
        Some(roots) => reader.doc_ids_alive().filter(|doc| roots.contains(*doc)).count() as u64,
    }
}
