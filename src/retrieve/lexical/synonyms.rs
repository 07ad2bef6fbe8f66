//! Leaves of several terms scored as one: synonyms of a field, and a term of several fields that count as one.

use tantivy::fieldnorm::FieldNormReader;
use tantivy::postings::{Postings, SegmentPostings};
use tantivy::query::{EmptyScorer, EnableScoring, Explanation, Query, Scorer, Weight};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, Score, SegmentReader, TERMINATED, Term};

use super::SharedColumns;
use super::term::{Norms, SegmentNorms, explain_by_scorer};
use crate::index::lexical::bm25::{self, NormInverses};

/// Terms of one field; see [`SynonymQuery`](crate::retrieve::query::SynonymQuery).
#[derive(Debug, Clone)]
pub(super) struct SynonymLeaf {
    /// Of one field, each with what its frequency is multiplied by.
    pub(super) terms: Vec<(Term, f32)>,
    pub(super) weight: f32,
    pub(super) norms: Norms,
}

/// Terms of several fields; see [`CombinedTermQuery`](crate::retrieve::query::CombinedTermQuery).
#[derive(Debug, Clone)]
pub(super) struct CombinedLeaf {
    /// Each with its field's boost.
    pub(super) terms: Vec<(Term, f32)>,
    /// A term of each field, with the field's boost: where lengths are taken from.
    pub(super) fields: Vec<(Term, f32)>,
    pub(super) weight: f32,
    pub(super) inverses: NormInverses,
    pub(super) columns: SharedColumns,
}

impl Query for SynonymLeaf {
    fn weight(&self, _scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Query for CombinedLeaf {
    fn weight(&self, _scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for SynonymLeaf {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let Some((first, _)) = self.terms.first() else { return Ok(Box::new(EmptyScorer)) };
        let norms = self.norms.of_segment(first, reader);
        open(&self.terms, reader, self.weight * boost, move |doc| norms.inverse(doc))
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        explain_by_scorer(self, reader, doc)
    }
}

impl Weight for CombinedLeaf {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let norms = Norms {
            inverses: self.inverses.clone(),
            columns: self.columns.clone(),
            has_lengths: true,
            has_frequencies: true,
        };
        let fields: Vec<(SegmentNorms, f32)> =
            self.fields.iter().map(|(term, boost)| (norms.of_segment(term, reader), *boost)).collect();
        let inverses = self.inverses.clone();
        open(&self.terms, reader, self.weight * boost, move |doc| {
            let lengths = fields.iter().filter_map(|(norms, boost)| Some((norms.length_byte(doc)?, *boost)));
            inverses[usize::from(combined_length_byte(lengths))]
        })
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        explain_by_scorer(self, reader, doc)
    }
}

/// The coded sum of the fields' lengths, each times its boost; fields that the document lacks (byte 0) count nothing.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "lengths are small and not negative")]
pub(super) fn combined_length_byte(lengths: impl Iterator<Item = (u8, f32)>) -> u8 {
    let sum: f32 = lengths.map(|(byte, boost)| boost * FieldNormReader::id_to_fieldnorm(byte) as f32).sum();
    FieldNormReader::fieldnorm_to_id(sum.round() as u32)
}

fn open(
    terms: &[(Term, f32)],
    reader: &SegmentReader,
    weight: f32,
    norm_inverse: impl Fn(DocId) -> f32 + Send + Sync + 'static,
) -> tantivy::Result<Box<dyn Scorer>> {
    let mut postings = Vec::with_capacity(terms.len());
    for (term, boost) in terms {
        let inverted = reader.inverted_index(term.field())?;
        if let Some(found) = inverted.read_postings(term, IndexRecordOption::WithFreqs)? {
            postings.push((found, *boost));
        }
    }
    if postings.is_empty() {
        return Ok(Box::new(EmptyScorer));
    }
    let mut scorer = SummedScorer { postings, weight, norm_inverse, doc: 0 };
    scorer.find();
    Ok(Box::new(scorer))
}

/// Walks several posting lists and scores the sum of their frequencies.
struct SummedScorer<N> {
    postings: Vec<(SegmentPostings, f32)>,
    weight: f32,
    norm_inverse: N,
    doc: DocId,
}

impl<N> SummedScorer<N> {
    fn find(&mut self) -> DocId {
        self.doc = self.postings.iter().map(|(postings, _)| postings.doc()).min().unwrap_or(TERMINATED);
        self.doc
    }
}

impl<N: Fn(DocId) -> f32 + Send + Sync + 'static> DocSet for SummedScorer<N> {
    fn advance(&mut self) -> DocId {
        let doc = self.doc;
        if doc >= TERMINATED {
            return TERMINATED;
        }
        for (postings, _) in &mut self.postings {
            if postings.doc() == doc {
                postings.advance();
            }
        }
        self.find()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        for (postings, _) in &mut self.postings {
            if postings.doc() < target {
                postings.seek(target);
            }
        }
        self.find()
    }

    fn doc(&self) -> DocId {
        self.doc
    }

    fn size_hint(&self) -> u32 {
        self.postings.iter().map(|(postings, _)| postings.size_hint()).max().unwrap_or(0)
    }
}

impl<N: Fn(DocId) -> f32 + Send + Sync + 'static> Scorer for SummedScorer<N> {
    fn score(&mut self) -> Score {
        let here = self.postings.iter().filter(|(postings, _)| postings.doc() == self.doc);
        let freq: f32 = here.map(|(postings, boost)| boost * postings.term_freq() as f32).sum();
        bm25::score(self.weight, (self.norm_inverse)(self.doc), freq)
    }
}
