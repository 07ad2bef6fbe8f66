//! Joins nested objects, which are documents of their own before their root, to the documents that they belong to.

use std::collections::HashMap;
use std::sync::Arc;

use tantivy::index::SegmentId;
use tantivy::query::{EmptyScorer, Scorer};
use tantivy::{BitSet, DocId, DocSet, Score, SegmentReader, TERMINATED};

use super::rescoring::Rescore;
use crate::retrieve::query::NestedScoreMode;

/// Turns matches of nested objects into matches of the documents around them.
#[derive(Debug)]
pub(super) struct BlockJoin {
    /// The documents that are found, by segment: roots, or the objects of a nested field around.
    pub(super) parents: Arc<HashMap<SegmentId, BitSet>>,
    pub(super) score_mode: NestedScoreMode,
}

impl Rescore for BlockJoin {
    fn filters(&self) -> bool {
        true
    }

    fn scorer(
        &self,
        reader: &SegmentReader,
        inner: Box<dyn Scorer>,
        _others: Vec<Box<dyn Scorer>>,
        boost: Score,
    ) -> tantivy::Result<Box<dyn Scorer>> {
        let Some(parents) = self.parents.get(&reader.segment_id()) else { return Ok(Box::new(EmptyScorer)) };
        let mut scorer =
            JoinScorer { inner, parents: parents.clone(), mode: self.score_mode, boost, doc: 0, score: 0.0 };
        scorer.find();
        Ok(Box::new(scorer))
    }
}

struct JoinScorer {
    /// Stands on the first matching child after those of the current document.
    inner: Box<dyn Scorer>,
    parents: BitSet,
    mode: NestedScoreMode,
    boost: f32,
    doc: DocId,
    score: f32,
}

/// The next document of a set, from `doc` on.
pub(super) fn next_in(set: &BitSet, doc: DocId) -> Option<DocId> {
    (doc..set.max_value()).find(|&doc| set.contains(doc))
}

impl JoinScorer {
    /// Reads the matching children of the next parent that has any.
    fn find(&mut self) -> DocId {
        let child = self.inner.doc();
        let parent = if child < TERMINATED { next_in(&self.parents, child) } else { None };
        let Some(parent) = parent else {
            self.doc = TERMINATED;
            return TERMINATED;
        };
        let mut scores = ChildScores::default();
        while self.inner.doc() < parent {
            if self.mode == NestedScoreMode::None {
                scores.add(0.0);
            } else {
                scores.add(self.inner.score());
            }
            self.inner.advance();
        }
        if self.inner.doc() == parent {
            // A document that is itself among the matches is no child of itself.
            self.inner.advance();
            if scores.count == 0 {
                return self.find();
            }
        }
        self.doc = parent;
        self.score = self.boost * scores.as_one(self.mode);
        parent
    }
}

impl DocSet for JoinScorer {
    fn advance(&mut self) -> DocId {
        if self.doc >= TERMINATED { TERMINATED } else { self.find() }
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if self.doc >= target {
            return self.doc;
        }
        if target >= self.parents.max_value() {
            self.doc = TERMINATED;
            return TERMINATED;
        }
        // The children of `target` stand after the parent before it.
        let first_child = (0..target).rev().find(|&doc| self.parents.contains(doc)).map_or(0, |before| before + 1);
        if self.inner.doc() < first_child {
            self.inner.seek(first_child);
        }
        self.find()
    }

    fn doc(&self) -> DocId {
        self.doc
    }

    fn size_hint(&self) -> u32 {
        self.inner.size_hint()
    }
}

impl Scorer for JoinScorer {
    fn score(&mut self) -> Score {
        self.score
    }
}

/// The scores of the children of one document.
#[derive(Debug, Default)]
pub(super) struct ChildScores {
    sum: f64,
    min: f32,
    max: f32,
    pub(super) count: u32,
}

impl ChildScores {
    pub(super) fn add(&mut self, score: f32) {
        self.min = if self.count == 0 { score } else { self.min.min(score) };
        self.max = if self.count == 0 { score } else { self.max.max(score) };
        self.sum += f64::from(score);
        self.count += 1;
    }

    #[expect(clippy::cast_possible_truncation, reason = "scores are single precision")]
    pub(super) fn as_one(&self, mode: NestedScoreMode) -> f32 {
        match mode {
            NestedScoreMode::Avg => (self.sum / f64::from(self.count.max(1))) as f32,
            NestedScoreMode::Sum => self.sum as f32,
            NestedScoreMode::Min => self.min,
            NestedScoreMode::Max => self.max,
            NestedScoreMode::None => 0.0,
        }
    }
}
