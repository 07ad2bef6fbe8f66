//! Reading a segment's columns, straight from the memory map. Every access is checked against the file's length.

use std::path::PathBuf;

use tantivy::directory::OwnedBytes;
use tantivy::index::SegmentComponent;
use tantivy::schema::Field;
use tantivy::{DocId, SegmentReader};

use super::EXTENSION;
use super::format::{self, Directory, FieldDirectory, FieldEntry};
use crate::error::{Error, Result};

/// The columns of one segment. Open it once a segment and keep it: opening checks the directory.
#[derive(Debug, Clone)]
pub struct ColumnsReader {
    bytes: OwnedBytes,
    directory: Directory,
    file: PathBuf,
}

/// What BM25 wants to know of a field in one segment, deleted documents included, as in Lucene.
#[derive(Debug, Clone, Copy)]
pub struct FieldLengths<'a> {
    /// One coded length a document (`FieldNormReader::id_to_fieldnorm` decodes); empty for a field without norms (keyword).
    pub bytes: &'a [u8],
    /// Documents with at least one token in the field.
    pub doc_count: u64,
    /// Tokens of the field over all documents; for a keyword field the different values of each.
    pub sum_total_term_freq: u64,
}

impl ColumnsReader {
    /// Opens the columns of a segment.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt), naming the file, when it is missing, torn, damaged, or of another
    /// number of documents than the segment.
    pub fn open(segment: &SegmentReader) -> Result<Self> {
        let component = SegmentComponent::Custom(EXTENSION.to_string());
        let file = PathBuf::from(format!("{}.{EXTENSION}", segment.segment_id().uuid_string()));
        let bytes = segment
            .open_read(component)
            .map_err(|source| Error::from(tantivy::TantivyError::from(source)))
            .and_then(|slice| slice.read_bytes().map_err(Error::from))
            .map_err(|error| error.in_file(&file))?;
        let directory = format::read_directory(&bytes).map_err(|error| error.in_file(&file))?;
        if directory.num_docs != segment.max_doc() {
            return Err(Error::corrupt(format!(
                "has {} documents where its segment has {}; restore the index from a copy or index again",
                directory.num_docs,
                segment.max_doc()
            ))
            .in_file(&file));
        }
        Ok(Self { bytes, directory, file })
    }

    /// The user's id of a document.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) when the column is damaged or `doc` is not of this segment.
    pub fn id(&self, doc: DocId) -> Result<&str> {
        self.find_id(doc).ok_or_else(|| {
            Error::corrupt(format!("has a damaged id of document {doc}; restore the index from a copy or index again"))
                .in_file(&self.file)
        })
    }

    fn find_id(&self, doc: DocId) -> Option<&str> {
        let offsets = format::slice(&self.bytes, &self.directory.id_offsets)?;
        let start = format::read_u32(offsets, doc as usize)?;
        let end = format::read_u32(offsets, (doc as usize).checked_add(1)?)?;
        let ids = format::slice(&self.bytes, &self.directory.id_bytes)?;
        std::str::from_utf8(ids.get(start as usize..end as usize)?).ok()
    }

    /// The content hash that came with a document; 0 if none did.
    pub fn content_hash(&self, doc: DocId) -> u64 {
        format::slice(&self.bytes, &self.directory.hashes)
            .and_then(|hashes| format::read_u64(hashes, doc as usize))
            .unwrap_or(0)
    }

    /// The lengths of a field; `None` when no document of this segment can have it (the field is younger).
    pub fn lengths(&self, field: Field) -> Option<FieldLengths<'_>> {
        let found = self.field(field)?;
        let bytes = match &found.lengths {
            Some(range) => format::slice(&self.bytes, range)?,
            None => &[],
        };
        Some(FieldLengths { bytes, doc_count: found.doc_count, sum_total_term_freq: found.sum_total_term_freq })
    }

    /// The coded lengths of a field as [`ColumnsReader::lengths`] has them, kept alive by themselves; empty for a field without
    /// norms or one that this segment lacks.
    pub fn length_bytes(&self, field: Field) -> OwnedBytes {
        let range = self.field(field).and_then(|found| found.lengths.as_ref());
        let inside = range.filter(|range| format::slice(&self.bytes, range).is_some());
        let bounds =
            inside.and_then(|range| Some(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?));
        bounds.map_or_else(OwnedBytes::empty, |bounds| self.bytes.slice(bounds))
    }

    /// Whether a document has a text or keyword field, even one without any term.
    pub fn has_field(&self, field: Field, doc: DocId) -> bool {
        self.count(field, doc) > 0
    }

    /// Number of documents of the segment, deleted ones included.
    pub fn num_docs(&self) -> u32 {
        self.directory.num_docs
    }

    fn count(&self, field: Field, doc: DocId) -> u32 {
        self.field(field)
            .and_then(|found| format::slice(&self.bytes, &found.counts))
            .and_then(|counts| format::read_u32(counts, doc as usize))
            .unwrap_or(0)
    }

    fn field(&self, field: Field) -> Option<&FieldDirectory> {
        self.directory.fields.iter().find(|found| found.field == field.field_id())
    }

    pub(super) fn entry(&self, field: Field, doc: DocId) -> FieldEntry {
        match self.count(field, doc) {
            0 => FieldEntry::Absent,
            count => FieldEntry::Present {
                num_tokens: count - 1,
                length_byte: self
                    .lengths(field)
                    .and_then(|lengths| lengths.bytes.get(doc as usize).copied())
                    .unwrap_or(0),
            },
        }
    }
}
