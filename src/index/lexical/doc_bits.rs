//! A set of documents of one segment: what a filter leaves.

use tantivy::{DocId, SegmentReader};

/// A bit for each document of a segment. Both legs ask it before they score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocBits {
    words: Vec<u64>,
}

impl DocBits {
    /// The empty set over `max_doc` documents.
    pub fn empty(max_doc: u32) -> Self {
        Self { words: vec![0; (max_doc as usize).div_ceil(64)] }
    }

    /// The documents of a segment that are not deleted.
    pub fn alive(segment: &SegmentReader) -> Self {
        let mut bits = Self::empty(segment.max_doc());
        segment.doc_ids_alive().for_each(|doc| bits.insert(doc));
        bits
    }

    /// Adds a document; one beyond the segment is ignored.
    pub fn insert(&mut self, doc: DocId) {
        if let Some(word) = self.words.get_mut(doc as usize / 64) {
            *word |= 1 << (doc % 64);
        }
    }

    /// Whether a document is in the set.
    #[inline]
    pub fn contains(&self, doc: DocId) -> bool {
        self.words.get(doc as usize / 64).is_some_and(|word| word & (1 << (doc % 64)) != 0)
    }

    /// Number of documents in the set.
    pub fn count(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    /// The documents, ascending.
    pub fn iter(&self) -> impl Iterator<Item = DocId> + '_ {
        self.words.iter().zip((0_u32..).step_by(64)).flat_map(|(&word, base)| {
            std::iter::successors(Some(word), |rest| Some(rest & rest.wrapping_sub(1)))
                .take_while(|&rest| rest != 0)
                .map(move |rest| base + rest.trailing_zeros())
        })
    }

    /// Bit `doc % 64` of word `doc / 64` stands for document `doc`.
    pub fn words(&self) -> &[u64] {
        &self.words
    }
}
