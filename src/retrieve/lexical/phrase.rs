//! Leaf of a compiled query: words at given distances, scored by our BM25 with the frequency of the phrase.
//!
//! Exact phrases count their occurrences; with slop, an occurrence that is `d` positions out of place counts `1 / (1 + d)`, found
//! as [`super::sloppy`] tells.

use tantivy::postings::{Postings, SegmentPostings};
use tantivy::query::{EmptyScorer, EnableScoring, Explanation, Query, Scorer, Weight};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, Score, SegmentReader, TERMINATED, Term};

use super::sloppy::{self, Place};
use super::term::{Norms, SegmentNorms, explain_by_scorer};
use crate::index::lexical::bm25;

/// A phrase: its places, each with the terms that may stand there.
#[derive(Debug, Clone)]
pub(super) struct PhraseLeaf {
    /// At least one.
    pub(super) slots: Vec<PhraseSlot>,
    pub(super) slop: u32,
    pub(super) weight: f32,
    pub(super) norms: Norms,
}

/// A place of a phrase.
#[derive(Debug, Clone)]
pub(super) struct PhraseSlot {
    /// Positions from the phrase's beginning.
    pub(super) offset: u32,
    /// Any of these; all of one field.
    pub(super) terms: Vec<Term>,
}

impl Query for PhraseLeaf {
    fn weight(&self, _scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for PhraseLeaf {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        Ok(match self.open(reader, boost)? {
            Some(scorer) => Box::new(scorer),
            None => Box::new(EmptyScorer),
        })
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        explain_by_scorer(self, reader, doc)
    }
}

impl PhraseLeaf {
    /// The scorer at its first match; `None` when a place of the phrase has no postings in this segment.
    pub(super) fn open(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Option<PhraseScorer>> {
        let Some(first_term) = self.slots.first().and_then(|slot| slot.terms.first()) else { return Ok(None) };
        let inverted = reader.inverted_index(first_term.field())?;
        let groups = match self.slop {
            0 => vec![None; self.slots.len()],
            _ => sloppy::groups(self.slots.iter().map(|slot| slot.terms.as_slice())),
        };
        let mut slots = Vec::with_capacity(self.slots.len());
        for (slot, group) in self.slots.iter().zip(groups) {
            let mut postings = Vec::with_capacity(slot.terms.len());
            for term in &slot.terms {
                postings.extend(inverted.read_postings(term, IndexRecordOption::WithFreqsAndPositions)?);
            }
            if postings.is_empty() {
                return Ok(None);
            }
            slots.push(SlotPostings { offset: slot.offset, group, postings, positions: Vec::new() });
        }
        if self.slop == 0 {
            slots.sort_by_key(SlotPostings::cost);
        } else {
            slots.sort_by_key(|slot| slot.offset);
        }
        let norms = self.norms.of_segment(first_term, reader);
        let mut scorer = PhraseScorer { slots, slop: self.slop, weight: self.weight * boost, norms, doc: 0, freq: 0.0 };
        scorer.find_from(0);
        Ok(Some(scorer))
    }
}

/// Phrases that count as one: their occurrences are summed before they are scored. All of one field and weight.
#[derive(Debug, Clone)]
pub(super) struct PhrasesLeaf {
    pub(super) phrases: Vec<PhraseLeaf>,
}

impl Query for PhrasesLeaf {
    fn weight(&self, _scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for PhrasesLeaf {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let mut phrases = Vec::with_capacity(self.phrases.len());
        for phrase in &self.phrases {
            phrases.extend(phrase.open(reader, boost)?);
        }
        Ok(if phrases.is_empty() { Box::new(EmptyScorer) } else { Box::new(PhrasesScorer { phrases }) })
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        explain_by_scorer(self, reader, doc)
    }
}

struct PhrasesScorer {
    phrases: Vec<PhraseScorer>,
}

impl DocSet for PhrasesScorer {
    fn advance(&mut self) -> DocId {
        let doc = self.doc();
        for phrase in self.phrases.iter_mut().filter(|phrase| phrase.doc == doc) {
            phrase.advance();
        }
        self.doc()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        for phrase in &mut self.phrases {
            phrase.seek(target);
        }
        self.doc()
    }

    fn doc(&self) -> DocId {
        self.phrases.iter().map(|phrase| phrase.doc).min().unwrap_or(TERMINATED)
    }

    fn size_hint(&self) -> u32 {
        self.phrases.iter().map(PhraseScorer::size_hint).max().unwrap_or(0)
    }
}

impl Scorer for PhrasesScorer {
    fn score(&mut self) -> Score {
        let doc = self.doc();
        let here = || self.phrases.iter().filter(|phrase| phrase.doc == doc);
        let freq: f32 = here().map(|phrase| phrase.freq).sum();
        here().next().map_or(0.0, |phrase| bm25::score(phrase.weight, phrase.norms.inverse(doc), freq))
    }
}

struct SlotPostings {
    offset: u32,
    group: Option<usize>,
    postings: Vec<SegmentPostings>,
    /// In the current document, minus the offset, ascending.
    positions: Vec<i64>,
}

impl SlotPostings {
    fn cost(&self) -> u32 {
        self.postings.iter().map(SegmentPostings::doc_freq).sum()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        let docs = self.postings.iter_mut().map(|postings| match postings.doc() {
            doc if doc < target => postings.seek(target),
            doc => doc,
        });
        docs.min().unwrap_or(TERMINATED)
    }

    fn load_positions(&mut self, doc: DocId) {
        self.positions.clear();
        let mut raw = Vec::new();
        for postings in self.postings.iter_mut().filter(|postings| postings.doc() == doc) {
            postings.positions(&mut raw);
            self.positions.extend(raw.iter().map(|&position| i64::from(position) - i64::from(self.offset)));
        }
        if self.postings.len() > 1 {
            self.positions.sort_unstable();
            self.positions.dedup();
        }
    }
}

/// Walks the documents that hold a phrase.
pub(super) struct PhraseScorer {
    slots: Vec<SlotPostings>,
    slop: u32,
    weight: f32,
    norms: SegmentNorms,
    doc: DocId,
    freq: f32,
}

impl PhraseScorer {
    fn find_from(&mut self, mut target: DocId) -> DocId {
        loop {
            self.doc = self.align(target);
            if self.doc >= TERMINATED {
                self.doc = TERMINATED;
                return TERMINATED;
            }
            let doc = self.doc;
            self.slots.iter_mut().for_each(|slot| slot.load_positions(doc));
            self.freq = if self.slop == 0 { exact_freq(&self.slots) } else { sloppy_freq(&self.slots, self.slop) };
            if self.freq > 0.0 {
                return doc;
            }
            target = doc + 1;
        }
    }

    /// The first document at or after `target` that every slot has.
    fn align(&mut self, mut target: DocId) -> DocId {
        loop {
            let furthest = self.slots.iter_mut().map(|slot| slot.seek(target)).max().unwrap_or(TERMINATED);
            if furthest == target || furthest >= TERMINATED {
                return furthest;
            }
            target = furthest;
        }
    }
}

impl DocSet for PhraseScorer {
    fn advance(&mut self) -> DocId {
        if self.doc >= TERMINATED {
            return TERMINATED;
        }
        self.find_from(self.doc + 1)
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if target <= self.doc {
            return self.doc;
        }
        if target >= TERMINATED {
            self.doc = TERMINATED;
            return TERMINATED;
        }
        self.find_from(target)
    }

    fn doc(&self) -> DocId {
        self.doc
    }

    fn size_hint(&self) -> u32 {
        self.slots.first().map_or(0, SlotPostings::cost)
    }
}

impl Scorer for PhraseScorer {
    fn score(&mut self) -> Score {
        bm25::score(self.weight, self.norms.inverse(self.doc), self.freq)
    }
}

/// How many positions all slots share.
fn exact_freq(slots: &[SlotPostings]) -> f32 {
    let Some((first, others)) = slots.split_first() else { return 0.0 };
    let shared = first
        .positions
        .iter()
        .filter(|&position| others.iter().all(|other| other.positions.binary_search(position).is_ok()));
    shared.count() as f32
}

fn sloppy_freq(slots: &[SlotPostings], slop: u32) -> f32 {
    let places: Vec<Place<'_>> =
        slots.iter().map(|slot| Place { offset: slot.offset, positions: &slot.positions, group: slot.group }).collect();
    sloppy::freq(&places, slop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn freq(positions: &[(u32, &[i64])]) -> f32 {
        let slots: Vec<SlotPostings> = positions
            .iter()
            .map(|&(offset, at)| SlotPostings {
                offset,
                group: None,
                postings: vec![],
                positions: at.iter().map(|position| position - i64::from(offset)).collect(),
            })
            .collect();
        exact_freq(&slots)
    }

    #[test]
    fn exact_phrases_are_counted() {
        assert_eq!(freq(&[(0, &[3, 9]), (1, &[4, 8, 10])]), 2.0);
        assert_eq!(freq(&[(0, &[3]), (2, &[4])]), 0.0);
    }
}
