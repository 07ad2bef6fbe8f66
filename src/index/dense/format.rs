//! The bytes of the `vec` and `graph` files of a segment.
//!
//! Both are the same kind of container, little-endian, version 1:
//!
//! | bytes | what |
//! |---|---|
//! | 0..8 | magic: `bifovec1` or `bifogrf1` |
//! | 8..12 | version, `u32` = 1 |
//! | 12..16 | length of the directory, `u32` |
//! | 16..24 | length of the whole file, `u64` |
//! | 24..56 | BLAKE3 of the directory, checked when the file is opened |
//! | 56..64 | zero |
//! | 64.. | the directory: JSON ([`VecDirectory`], [`GraphDirectory`](super::graph::GraphDirectory)) |
//! | next multiple of 64 | the sections, each at a multiple of 64 from here, zeros between |
//! | last 32 | BLAKE3 of everything before, checked on demand ([`Container::verify`]) |
//!
//! The `vec` file has per field of n vectors, in the order of documents: `docs` (n `u32`, the document of each vector,
//! ascending), `spans` (n times three `u32`: value, start, end; all ones where a vector has no passage), `vectors` (n rows of
//! `f32`, of `f16`, or of `i8` codes), `codes` (n rows of `i8`, the coarse copy), `scales` (n `f32`, of the codes), `errors`
//! (n `f32`, see `quantize.rs`; only with `codes`), `norms` (n `f32`, the length of each vector as stored, rounded up).
//!
//! History: version 1, the first.
#![deny(clippy::indexing_slicing)]

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tantivy::directory::OwnedBytes;

use super::bytes::{ALIGNMENT, Number, Numbers, aligned, as_bytes};
use super::params::VectorFieldParams;
use crate::error::{Error, ErrorKind, Result};

/// The first bytes of a `vec` file.
pub(crate) const VEC_MAGIC: [u8; 8] = *b"bifovec1";
/// The first bytes of a `graph` file.
pub(crate) const GRAPH_MAGIC: [u8; 8] = *b"bifogrf1";

const VERSION: u32 = 1;
const HEADER_BYTES: usize = 64;
const HASH_BYTES: usize = 32;

/// The directory of a `vec` file.
///
/// # Stability
/// Stored; see the layout above.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct VecDirectory {
    /// Documents of the segment, deleted ones included.
    pub(crate) max_doc: u32,
    /// The fields that have vectors, in the schema's order.
    pub(crate) fields: Vec<FieldEntry>,
}

/// Where one field's sections lie.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FieldEntry {
    pub(crate) name: String,
    pub(crate) params: VectorFieldParams,
    pub(crate) num_vectors: u32,
    pub(crate) docs: Section,
    pub(crate) spans: Option<Section>,
    pub(crate) vectors: Section,
    pub(crate) codes: Option<Section>,
    pub(crate) scales: Option<Section>,
    pub(crate) errors: Option<Section>,
    pub(crate) norms: Section,
}

/// A stretch of a container, from the start of its sections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Section {
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

/// Hands out places for sections, in the order in which they will be written.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    end: u64,
}

impl Layout {
    /// A section for `rows` times `row_bytes`.
    pub(crate) fn section(&mut self, rows: usize, row_bytes: usize) -> Section {
        let section = Section { offset: self.end, len: rows as u64 * row_bytes as u64 };
        self.end = (section.offset + section.len).next_multiple_of(ALIGNMENT as u64);
        section
    }
}

/// Writes a container front to back.
pub(crate) struct ContainerWriter<'a> {
    out: &'a mut dyn Write,
    hasher: blake3::Hasher,
    /// Bytes written since the sections started.
    written: u64,
}

impl<'a> ContainerWriter<'a> {
    /// Writes the header and the directory; the sections of `layout` follow by [`ContainerWriter::start`] and `write_all`.
    pub(crate) fn new(
        out: &'a mut dyn Write,
        magic: [u8; 8],
        directory: &impl Serialize,
        layout: &Layout,
    ) -> io::Result<Self> {
        let directory = serde_json::to_vec(directory)?;
        let directory_len =
            u32::try_from(directory.len()).map_err(|_| io::Error::other("the directory is too long"))?;
        let start = sections_start(directory.len()).ok_or_else(|| io::Error::other("the directory is too long"))?;
        let file_len = start as u64 + layout.end + HASH_BYTES as u64;
        let mut writer = Self { out, hasher: blake3::Hasher::new(), written: 0 };
        writer.write_all(&magic)?;
        writer.write_all(&VERSION.to_le_bytes())?;
        writer.write_all(&directory_len.to_le_bytes())?;
        writer.write_all(&file_len.to_le_bytes())?;
        writer.write_all(blake3::hash(&directory).as_bytes())?;
        writer.write_all(&[0; 8])?;
        writer.write_all(&directory)?;
        writer.zeros(start as u64 - writer.written)?;
        writer.written = 0;
        Ok(writer)
    }

    /// Fills up to where `section` starts; what is written next belongs to it.
    pub(crate) fn start(&mut self, section: Section) -> io::Result<()> {
        let gap = section.offset.checked_sub(self.written).ok_or_else(|| io::Error::other("sections out of order"))?;
        self.zeros(gap)
    }

    /// Writes a whole section of numbers.
    pub(crate) fn numbers<T: Number>(&mut self, section: Section, numbers: &[T]) -> io::Result<()> {
        self.start(section)?;
        self.write_all(as_bytes(numbers))
    }

    /// Fills up to the end and writes the checksum.
    pub(crate) fn finish(mut self, layout: &Layout) -> io::Result<()> {
        self.start(Section { offset: layout.end, len: 0 })?;
        let hash = self.hasher.finalize();
        self.out.write_all(hash.as_bytes())
    }

    fn zeros(&mut self, count: u64) -> io::Result<()> {
        let mut left = count;
        while left > 0 {
            let block = left.min(ALIGNMENT as u64);
            let zeros = [0u8; ALIGNMENT];
            self.write_all(zeros.get(..usize::try_from(block).unwrap_or(ALIGNMENT)).unwrap_or(&zeros))?;
            left -= block;
        }
        Ok(())
    }
}

impl Write for ContainerWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.hasher.update(bytes);
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Where sections start after a directory of this length.
fn sections_start(directory_len: usize) -> Option<usize> {
    HEADER_BYTES.checked_add(directory_len)?.checked_next_multiple_of(ALIGNMENT)
}

/// An opened container: header and directory have been checked, the sections are mapped.
#[derive(Clone)]
pub(crate) struct Container {
    file: PathBuf,
    bytes: OwnedBytes,
    start: usize,
}

impl std::fmt::Debug for Container {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Container({}, {} bytes)", self.file.display(), self.bytes.len())
    }
}

impl Container {
    /// Checks the header and reads the directory.
    ///
    /// * `file`: the name for errors.
    ///
    /// # Errors
    /// `Corrupt` when the file is truncated or damaged, `Unsupported` when a later version of the program wrote it.
    pub(crate) fn open<D: DeserializeOwned>(bytes: OwnedBytes, magic: [u8; 8], file: &Path) -> Result<(Self, D)> {
        let bytes = aligned(bytes);
        let corrupt = |what: &str| damaged(what).in_file(file);
        let (header, _) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or_else(|| corrupt("is too short"))?;
        if header.first_chunk() != Some(&magic) {
            return Err(corrupt("does not begin as it should"));
        }
        let version = u32_at(header, 8);
        if version != VERSION {
            let message =
                format!("has format version {version}, this program reads {VERSION}; use the one that wrote it");
            return Err(Error::new(ErrorKind::Unsupported, message).in_file(file));
        }
        if u64_at(header, 16) != bytes.len() as u64 {
            return Err(corrupt("has another length than its header says"));
        }
        let directory_len = u32_at(header, 12) as usize;
        let start = sections_start(directory_len).ok_or_else(|| corrupt("has a damaged header"))?;
        if start.checked_add(HASH_BYTES).is_none_or(|least| least > bytes.len()) {
            return Err(corrupt("is too short"));
        }
        let directory = bytes.get(HEADER_BYTES..HEADER_BYTES + directory_len).ok_or_else(|| corrupt("is too short"))?;
        if header.get(24..56) != Some(blake3::hash(directory).as_bytes().as_slice()) {
            return Err(corrupt("has a damaged directory"));
        }
        let directory = serde_json::from_slice(directory)
            .map_err(|source| corrupt("has an unreadable directory").with_source(source))?;
        Ok((Self { file: file.to_path_buf(), bytes, start }, directory))
    }

    /// A section's bytes.
    ///
    /// # Errors
    /// `Corrupt` when it does not lie inside the file.
    pub(crate) fn section(&self, section: Section) -> Result<OwnedBytes> {
        let range = || {
            let from = self.start.checked_add(usize::try_from(section.offset).ok()?)?;
            let to = from.checked_add(usize::try_from(section.len).ok()?)?;
            (to <= self.bytes.len().checked_sub(HASH_BYTES)?).then_some(from..to)
        };
        range().map(|range| self.bytes.slice(range)).ok_or_else(|| self.corrupt("has a section beyond its end"))
    }

    /// A section as `len` numbers.
    ///
    /// # Errors
    /// `Corrupt` when it has another length or does not lie inside the file.
    pub(crate) fn numbers<T: Number>(&self, section: Section, len: usize) -> Result<Numbers<T>> {
        Numbers::new(self.section(section)?, len).ok_or_else(|| self.corrupt("has a section of a wrong length"))
    }

    /// Reads the whole file and compares its checksum.
    ///
    /// # Errors
    /// `Corrupt` when it differs.
    pub(crate) fn verify(&self) -> Result<()> {
        let intact =
            self.bytes.split_last_chunk::<HASH_BYTES>().is_some_and(|(data, hash)| blake3::hash(data) == *hash);
        if intact { Ok(()) } else { Err(self.corrupt("does not match its checksum")) }
    }

    /// An error that names the file.
    pub(crate) fn corrupt(&self, what: &str) -> Error {
        damaged(what).in_file(&self.file)
    }

    /// The file's length.
    pub(crate) fn num_bytes(&self) -> usize {
        self.bytes.len()
    }
}

fn damaged(what: &str) -> Error {
    Error::corrupt(format!("the file {what}; restore the index from a copy, or index again"))
}

fn u32_at(bytes: &[u8; HEADER_BYTES], place: usize) -> u32 {
    bytes.get(place..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u32::from_le_bytes(*word))
}

fn u64_at(bytes: &[u8; HEADER_BYTES], place: usize) -> u64 {
    bytes.get(place..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u64::from_le_bytes(*word))
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "tests may panic")]
mod tests {
    use super::*;

    fn example() -> (Vec<u8>, Section, Section) {
        let mut layout = Layout::default();
        let (first, second) = (layout.section(3, 4), layout.section(5, 1));
        let mut file = Vec::new();
        let mut writer = ContainerWriter::new(&mut file, VEC_MAGIC, &vec![first, second], &layout).unwrap();
        writer.numbers(first, &[1u32, 2, 3]).unwrap();
        writer.numbers(second, &[-1i8, -2, -3, -4, -5]).unwrap();
        writer.finish(&layout).unwrap();
        (file, first, second)
    }

    fn open(bytes: Vec<u8>) -> Result<(Container, Vec<Section>)> {
        Container::open(OwnedBytes::new(bytes), VEC_MAGIC, Path::new("x.vec"))
    }

    #[test]
    fn sections_come_back() {
        let (file, first, second) = example();
        let (container, directory) = open(file).unwrap();
        assert_eq!(directory, [first, second]);
        assert_eq!(container.numbers::<u32>(first, 3).unwrap().as_slice(), [1, 2, 3]);
        assert_eq!(container.numbers::<i8>(second, 5).unwrap().as_slice(), [-1, -2, -3, -4, -5]);
        container.verify().unwrap();
        assert_eq!(container.numbers::<u32>(first, 4).unwrap_err().kind(), ErrorKind::Corrupt);
        let beyond = Section { offset: u64::MAX - 3, len: 64 };
        assert_eq!(container.section(beyond).unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn every_truncation_and_every_flipped_byte_is_found() {
        let (file, _, _) = example();
        for len in 0..file.len() {
            let error = open(file[..len].to_vec()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(error.to_string().starts_with("x.vec: "), "{error}");
        }
        for place in 0..file.len() {
            let mut damaged = file.clone();
            damaged[place] ^= 0x20;
            let found = match open(damaged) {
                Ok((container, _)) => container.verify().is_err(),
                Err(_) => true,
            };
            assert!(found, "byte {place}");
        }
    }
}
