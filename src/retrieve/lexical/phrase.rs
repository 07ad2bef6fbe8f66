//! Leaf of a compiled query: words at given distances, scored by our BM25 with the frequency of the phrase.
//!
//! Exact phrases count their occurrences; with slop, an occurrence that is `d` positions out of place counts `1 / (1 + d)`, found
//! as Lucene's `SloppyPhraseMatcher` does (without its special care for words that repeat within the phrase).

use tantivy::postings::{Postings, SegmentPostings};
use tantivy::query::{EmptyScorer, EnableScoring, Explanation, Query, Scorer, Weight};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, Score, SegmentReader, TERMINATED, Term};

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
        let mut slots = Vec::with_capacity(self.slots.len());
        for slot in &self.slots {
            let mut postings = Vec::with_capacity(slot.terms.len());
            for term in &slot.terms {
                postings.extend(inverted.read_postings(term, IndexRecordOption::WithFreqsAndPositions)?);
            }
            if postings.is_empty() {
                return Ok(None);
            }
            slots.push(SlotPostings { offset: slot.offset, postings, positions: Vec::new() });
        }
        slots.sort_by_key(SlotPostings::cost);
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

/// The sum of `1 / (1 + d)` over the occurrences that are at most `slop` positions out of place.
fn sloppy_freq(slots: &[SlotPostings], slop: u32) -> f32 {
    let lists: Vec<&[i64]> = slots.iter().map(|slot| slot.positions.as_slice()).collect();
    let mut at = vec![0_usize; lists.len()];
    let position = |at: &[usize], slot: usize| lists[slot].get(at[slot]).copied();
    let Some(mut end) = (0..lists.len())
        .map(|slot| position(&at, slot))
        .collect::<Option<Vec<_>>>()
        .and_then(|all| all.into_iter().max())
    else {
        return 0.0;
    };
    let mut freq = 0.0;
    loop {
        // The slot that stands first moves on while it stays first; its last place gives the shortest match.
        let mut order: Vec<(i64, usize)> =
            (0..lists.len()).filter_map(|slot| Some((position(&at, slot)?, slot))).collect();
        order.sort_unstable();
        let Some(&(first, slot)) = order.first() else { return freq };
        let next = order.get(1).map_or(i64::MAX, |&(position, _)| position);
        let mut shortest = end - first;
        let exhausted = loop {
            at[slot] += 1;
            match position(&at, slot) {
                None => break true,
                Some(moved) if moved > next => {
                    end = end.max(moved);
                    break false;
                }
                Some(moved) => {
                    end = end.max(moved);
                    shortest = shortest.min(end - moved);
                }
            }
        };
        if shortest <= i64::from(slop) {
            freq += 1.0 / (1.0 + shortest as f32);
        }
        if exhausted {
            return freq;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn freq(slop: u32, positions: &[(u32, &[i64])]) -> f32 {
        let slots: Vec<SlotPostings> = positions
            .iter()
            .map(|&(offset, at)| SlotPostings {
                offset,
                postings: vec![],
                positions: at.iter().map(|position| position - i64::from(offset)).collect(),
            })
            .collect();
        if slop == 0 { exact_freq(&slots) } else { sloppy_freq(&slots, slop) }
    }

    #[test]
    fn phrases_are_counted_as_lucene_counts_them() {
        assert_eq!(freq(0, &[(0, &[3, 9]), (1, &[4, 8, 10])]), 2.0);
        assert_eq!(freq(0, &[(0, &[3]), (2, &[4])]), 0.0);
        // One word between costs 1, the reverse order costs 2.
        assert_eq!(freq(1, &[(0, &[3]), (1, &[5])]), 0.5);
        assert_eq!(freq(1, &[(0, &[4]), (1, &[3])]), 0.0);
        assert!((freq(2, &[(0, &[4]), (1, &[3])]) - 1.0 / 3.0).abs() < 1e-6);
        assert_eq!(freq(2, &[(0, &[3, 20]), (1, &[4, 21])]), 2.0);
    }
}
