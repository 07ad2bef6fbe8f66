//! The documents of a set of matches, one after the other.

use std::sync::Arc;

use serde_json::{Map, Value};
use tantivy::{BitSet, DocAddress};

use super::Collected;
use crate::document::DocumentId;
use crate::error::Result;
use crate::retrieve::Searcher;

/// Everything that a query found, on the snapshot on which it was found. A bit a document.
#[derive(Debug)]
pub struct MatchingDocuments {
    searcher: Arc<Searcher>,
    segments: Vec<BitSet>,
    number: u64,
}

/// A document that was found.
#[derive(Debug)]
pub struct MatchingDocument<'m> {
    searcher: &'m Searcher,
    address: DocAddress,
    /// Its id.
    pub id: DocumentId,
    /// Of its last change before the snapshot.
    pub seq_no: u64,
    /// Its version in the snapshot.
    pub version: u64,
    /// The routing that it was written with.
    pub routing: Option<String>,
}

impl MatchingDocuments {
    /// What was collected on `searcher` with [`keep_matching`](super::CollectRequest::keep_matching).
    pub fn new(searcher: Arc<Searcher>, collected: Collected) -> Self {
        let segments = collected.matching.unwrap_or_default();
        let number = segments.iter().map(|segment| segment.len() as u64).sum();
        Self { searcher, segments, number }
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        self.number
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.number == 0
    }

    /// Each, in the order of the segments; an error where a column is damaged.
    pub fn iter(&self) -> impl Iterator<Item = Result<MatchingDocument<'_>>> {
        (0_u32..).zip(&self.segments).flat_map(move |(segment_ord, segment)| {
            (0..segment.max_value())
                .filter(|doc_id| segment.contains(*doc_id))
                .map(move |doc_id| self.document(DocAddress { segment_ord, doc_id }))
        })
    }

    fn document(&self, address: DocAddress) -> Result<MatchingDocument<'_>> {
        let searcher = &*self.searcher;
        let (seq_no, version) = searcher.version(address)?;
        let id = searcher.lexical().id(address)?.into();
        let routing = searcher.routing(address)?;
        Ok(MatchingDocument { searcher, address, id, seq_no, version, routing })
    }
}

impl MatchingDocument<'_> {
    /// Its source, as it is stored.
    ///
    /// # Errors
    /// `Corrupt` when the store is damaged.
    pub fn source(&self) -> Result<Map<String, Value>> {
        self.searcher.source(self.address)
    }
}
