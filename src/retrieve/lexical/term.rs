//! Leaves of a compiled query: a term scored by our BM25, and a set of documents with one score.

use std::collections::HashMap;
use std::sync::Arc;

use tantivy::directory::OwnedBytes;
use tantivy::index::SegmentId;
use tantivy::postings::{Postings, SegmentPostings};
use tantivy::query::{BitSetDocSet, ConstScorer, EmptyScorer, EnableScoring, Explanation, Query, Scorer, Weight};
use tantivy::schema::IndexRecordOption;
use tantivy::{BitSet, DocId, DocSet, Score, SegmentReader, Term};

use super::SharedColumns;
use crate::index::lexical::bm25::{self, LENGTH_WITHOUT_NORMS, NormInverses};

/// A term with its weight, which holds idf and boost.
#[derive(Debug, Clone)]
pub(super) struct TermLeaf {
    pub(super) term: Term,
    pub(super) weight: f32,
    pub(super) norms: Norms,
}

/// How the lengths of a field's documents count.
#[derive(Debug, Clone)]
pub(super) struct Norms {
    pub(super) inverses: NormInverses,
    pub(super) columns: SharedColumns,
    /// Whether they count at all.
    pub(super) has_lengths: bool,
    /// Whether frequencies count; else each term counts once.
    pub(super) has_frequencies: bool,
}

/// [`Norms`] of one segment.
pub(super) struct SegmentNorms {
    inverses: NormInverses,
    lengths: OwnedBytes,
    has_frequencies: bool,
}

impl Norms {
    pub(super) fn of_segment(&self, term: &Term, reader: &SegmentReader) -> SegmentNorms {
        let columns = self.columns.get(&reader.segment_id()).filter(|_| self.has_lengths);
        let lengths = columns.map_or_else(OwnedBytes::empty, |columns| columns.length_bytes(term.field()));
        SegmentNorms { inverses: self.inverses.clone(), lengths, has_frequencies: self.has_frequencies }
    }
}

impl SegmentNorms {
    pub(super) fn inverse(&self, doc: DocId) -> f32 {
        self.inverses[usize::from(self.length_byte(doc).unwrap_or(LENGTH_WITHOUT_NORMS))]
    }

    /// The coded length of a document; `None` for a field without norms, or that the segment lacks.
    pub(super) fn length_byte(&self, doc: DocId) -> Option<u8> {
        self.lengths.get(doc as usize).copied()
    }
}

impl Query for TermLeaf {
    fn weight(&self, _scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for TermLeaf {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let inverted = reader.inverted_index(self.term.field())?;
        Ok(match inverted.read_postings(&self.term, IndexRecordOption::WithFreqs)? {
            None => Box::new(EmptyScorer),
            Some(postings) => Box::new(TermScorer {
                postings,
                weight: self.weight * boost,
                norms: self.norms.of_segment(&self.term, reader),
            }),
        })
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        explain_by_scorer(self, reader, doc)
    }
}

/// Tantivy's explanation of a leaf: its score. Ours is made in [`super::explain`].
pub(super) fn explain_by_scorer(
    weight: &dyn Weight,
    reader: &SegmentReader,
    doc: DocId,
) -> tantivy::Result<Explanation> {
    let mut scorer = weight.scorer(reader, 1.0)?;
    let matches = scorer.doc() == doc || (scorer.doc() < doc && scorer.seek(doc) == doc);
    Ok(Explanation::new("score", if matches { scorer.score() } else { 0.0 }))
}

struct TermScorer {
    postings: SegmentPostings,
    weight: f32,
    norms: SegmentNorms,
}

impl DocSet for TermScorer {
    fn advance(&mut self) -> DocId {
        self.postings.advance()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        self.postings.seek(target)
    }

    fn doc(&self) -> DocId {
        self.postings.doc()
    }

    fn size_hint(&self) -> u32 {
        self.postings.size_hint()
    }
}

impl Scorer for TermScorer {
    fn score(&mut self) -> Score {
        let freq = if self.norms.has_frequencies { self.postings.term_freq() as f32 } else { 1.0 };
        bm25::score(self.weight, self.norms.inverse(self.postings.doc()), freq)
    }
}

/// Sets of documents, found while the query was compiled, all with one score.
#[derive(Debug, Clone)]
pub(super) struct DocsLeaf {
    pub(super) docs: Arc<HashMap<SegmentId, BitSet>>,
    pub(super) score: f32,
}

impl Query for DocsLeaf {
    fn weight(&self, _scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for DocsLeaf {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        Ok(match self.docs.get(&reader.segment_id()) {
            None => Box::new(EmptyScorer),
            Some(docs) => Box::new(ConstScorer::new(BitSetDocSet::from(docs.clone()), self.score * boost)),
        })
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        explain_by_scorer(self, reader, doc)
    }
}
