//! The bytes of a columns file.
//!
//! ```text
//! magic "bifocol1"                          8 bytes
//! sections                                  in any order, each at a multiple of 8, little-endian
//!   id offsets   [num_docs + 1] u32         into the id bytes
//!   id bytes     UTF-8, one id after another
//!   hashes       [num_docs] u64             0 where a document gave none
//!   a field's    [num_docs] u32             tokens + 1; 0 where the document lacks the field
//!   a field's    [num_docs] u8              Lucene's SmallFloat.intToByte4 of the length; text fields only
//! directory      JSON of [`Directory`]
//! trailer        directory's offset u64, its length u64, the first 16 bytes of its BLAKE3, magic
//! ```
//!
//! Token counts are kept exactly beside the coded lengths because a merge that drops documents must know how many tokens go.
//!
//! # Stability
//! Version 1 (in the magic). Other versions are refused.

use std::io::{self, Write};
use std::ops::Range;

use serde::{Deserialize, Serialize};
use tantivy::fieldnorm::FieldNormReader;
use tantivy::schema::Field;

use crate::error::{Error, Result};

const MAGIC: &[u8; 8] = b"bifocol1";
const TRAILER_LEN: usize = 8 + 8 + 16 + 8;

/// Where everything lies; offsets count from the file's start.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Directory {
    pub(super) num_docs: u32,
    pub(super) id_offsets: Range<u64>,
    pub(super) id_bytes: Range<u64>,
    pub(super) hashes: Range<u64>,
    pub(super) fields: Vec<FieldDirectory>,
}

/// One field's part.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FieldDirectory {
    /// Tantivy's number of the field, which never changes: schemas are extended at their end only.
    pub(super) field: u32,
    pub(super) doc_count: u64,
    pub(super) sum_total_term_freq: u64,
    pub(super) counts: Range<u64>,
    /// `None` for a field without norms (keyword).
    pub(super) lengths: Option<Range<u64>>,
}

/// What one document has in one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum FieldEntry {
    /// The document lacks the field.
    #[default]
    Absent,
    /// It has it, perhaps without any token.
    Present {
        /// All tokens, or different values of a keyword field.
        num_tokens: u32,
        /// The length as Lucene codes it.
        length_byte: u8,
    },
}

impl FieldEntry {
    pub(super) fn new(num_tokens: u32, length: u32) -> Self {
        FieldEntry::Present { num_tokens, length_byte: FieldNormReader::fieldnorm_to_id(length) }
    }
}

/// Collects documents in order and writes them.
#[derive(Debug)]
pub(super) struct ColumnsBuilder {
    id_offsets: Vec<u32>,
    id_bytes: Vec<u8>,
    hashes: Vec<u64>,
    pub(super) fields: Vec<FieldBuilder>,
}

/// What is counted of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    /// The tokens of analysed text.
    Text {
        /// The length is kept too.
        has_norms: bool,
    },
    /// Different values.
    Keyword,
}

impl Counted {
    fn has_norms(self) -> bool {
        self == Counted::Text { has_norms: true }
    }
}

/// Collects one field.
#[derive(Debug)]
pub(super) struct FieldBuilder {
    pub(super) field: Field,
    pub(super) counted: Counted,
    counts: Vec<u32>,
    lengths: Vec<u8>,
}

impl ColumnsBuilder {
    /// For fields, each with what is counted of it.
    pub(super) fn new(fields: impl IntoIterator<Item = (Field, Counted)>) -> Self {
        let fields = fields
            .into_iter()
            .map(|(field, counted)| FieldBuilder { field, counted, counts: vec![], lengths: vec![] })
            .collect();
        Self { id_offsets: vec![0], id_bytes: vec![], hashes: vec![], fields }
    }

    /// Starts the next document; each field's entry follows by [`FieldBuilder::push`].
    pub(super) fn push_document(&mut self, id: &str, hash: u64) -> Result<()> {
        self.id_bytes.extend_from_slice(id.as_bytes());
        let end = u32::try_from(self.id_bytes.len())
            .map_err(|_| Error::invalid_input("the ids of one segment exceed 4 GiB; use shorter ids"))?;
        self.id_offsets.push(end);
        self.hashes.push(hash);
        Ok(())
    }

    pub(super) fn mem_usage(&self) -> usize {
        self.id_offsets.len() * 4
            + self.id_bytes.capacity()
            + self.hashes.len() * 8
            + self.fields.iter().map(|field| field.counts.len() * 5).sum::<usize>()
    }

    /// Writes the file; the caller closes `out`.
    pub(super) fn write(self, out: &mut dyn Write) -> Result<()> {
        let num_docs =
            u32::try_from(self.hashes.len()).map_err(|_| Error::internal("too many documents in a segment"))?;
        let mut sections = SectionWriter { out, written: 0 };
        sections.put(MAGIC)?;
        let id_offsets = sections.section(self.id_offsets.iter().flat_map(|offset| offset.to_le_bytes()))?;
        let id_bytes = sections.section(self.id_bytes.iter().copied())?;
        let hashes = sections.section(self.hashes.iter().flat_map(|hash| hash.to_le_bytes()))?;
        let mut fields = Vec::with_capacity(self.fields.len());
        for field in &self.fields {
            fields.push(FieldDirectory {
                field: field.field.field_id(),
                doc_count: field.counts.iter().filter(|&&count| count > 1).count() as u64,
                sum_total_term_freq: field.counts.iter().map(|&count| u64::from(count.saturating_sub(1))).sum(),
                counts: sections.section(field.counts.iter().flat_map(|count| count.to_le_bytes()))?,
                lengths: match field.counted.has_norms() {
                    true => Some(sections.section(field.lengths.iter().copied())?),
                    false => None,
                },
            });
        }
        let directory = Directory { num_docs, id_offsets, id_bytes, hashes, fields };
        sections.finish(&directory)?;
        Ok(())
    }
}

impl FieldBuilder {
    /// The entry of the document that was pushed last.
    pub(super) fn push(&mut self, entry: FieldEntry) {
        let (count, length) = match entry {
            FieldEntry::Absent => (0, 0),
            FieldEntry::Present { num_tokens, length_byte } => (num_tokens.saturating_add(1), length_byte),
        };
        self.counts.push(count);
        if self.counted.has_norms() {
            self.lengths.push(length);
        }
    }
}

struct SectionWriter<'a> {
    out: &'a mut dyn Write,
    written: u64,
}

impl SectionWriter<'_> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn section(&mut self, bytes: impl Iterator<Item = u8>) -> io::Result<Range<u64>> {
        let padding = self.written.next_multiple_of(8) - self.written;
        for _ in 0..padding {
            self.put(&[0])?;
        }
        let start = self.written;
        let mut buffer = Vec::with_capacity(1 << 13);
        for byte in bytes {
            buffer.push(byte);
            if buffer.len() == buffer.capacity() {
                self.put(&buffer)?;
                buffer.clear();
            }
        }
        self.put(&buffer)?;
        Ok(start..self.written)
    }

    fn finish(&mut self, directory: &Directory) -> io::Result<()> {
        let json = serde_json::to_vec(directory)?;
        let start = self.written;
        self.put(&json)?;
        self.put(&start.to_le_bytes())?;
        self.put(&(json.len() as u64).to_le_bytes())?;
        self.put(&blake3::hash(&json).as_bytes()[..16])?;
        self.put(MAGIC)
    }
}

/// Reads and checks the directory of a columns file: magics, checksum, and that every section lies inside the file and has
/// the length that `num_docs` asks for.
///
/// # Errors
/// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt), without the file's name.
pub(super) fn read_directory(file: &[u8]) -> Result<Directory> {
    let torn = || Error::corrupt("is cut short or not a columns file; restore the index from a copy or index again");
    let trailer_start = file.len().checked_sub(TRAILER_LEN).ok_or_else(torn)?;
    let (body, trailer) = file.split_at(trailer_start);
    if !body.starts_with(MAGIC) || !trailer.ends_with(MAGIC) {
        return Err(torn());
    }
    let start = read_u64(trailer, 0).ok_or_else(torn)?;
    let len = read_u64(trailer, 1).ok_or_else(torn)?;
    let end = start.checked_add(len).ok_or_else(torn)?;
    let json = slice(body, &(start..end)).ok_or_else(torn)?;
    if blake3::hash(json).as_bytes()[..16] != trailer[16..32] {
        return Err(Error::corrupt("has a damaged directory (checksum); restore the index from a copy or index again"));
    }
    let directory: Directory = serde_json::from_slice(json)
        .map_err(|source| Error::corrupt("has a directory that cannot be read").with_source(source))?;
    if directory.has_sections_within(start) { Ok(directory) } else { Err(torn()) }
}

impl Directory {
    fn has_sections_within(&self, end: u64) -> bool {
        let num_docs = u64::from(self.num_docs);
        let fits = |range: &Range<u64>, len: Option<u64>| {
            range.start <= range.end && range.end <= end && len.is_none_or(|len| range.end - range.start == len)
        };
        fits(&self.id_offsets, Some(4 * (num_docs + 1)))
            && fits(&self.id_bytes, None)
            && fits(&self.hashes, Some(8 * num_docs))
            && self.fields.iter().all(|field| {
                fits(&field.counts, Some(4 * num_docs))
                    && field.lengths.as_ref().is_none_or(|lengths| fits(lengths, Some(num_docs)))
            })
    }
}

/// `range` of `bytes`, if it lies inside.
pub(super) fn slice<'a>(bytes: &'a [u8], range: &Range<u64>) -> Option<&'a [u8]> {
    bytes.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
}

/// The `idx`-th little-endian number of `bytes`.
pub(super) fn read_u32(bytes: &[u8], idx: usize) -> Option<u32> {
    let start = idx.checked_mul(4)?;
    Some(u32::from_le_bytes(bytes.get(start..start.checked_add(4)?)?.try_into().ok()?))
}

/// The `idx`-th little-endian number of `bytes`.
pub(super) fn read_u64(bytes: &[u8], idx: usize) -> Option<u64> {
    let start = idx.checked_mul(8)?;
    Some(u64::from_le_bytes(bytes.get(start..start.checked_add(8)?)?.try_into().ok()?))
}
