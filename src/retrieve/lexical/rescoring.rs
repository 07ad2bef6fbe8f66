//! Queries around others that change their scores: the frame that they share, and the plain ones.

use std::sync::{Arc, Mutex, PoisonError};

use tantivy::query::{EnableScoring, Explanation, Query as TantivyQuery, Scorer, Weight};
use tantivy::{DocId, DocSet, Score, SegmentReader, TERMINATED};

use super::term::explain_by_scorer;
use crate::error::{Error, Result};

/// What went wrong while documents were scored: a scorer cannot say, so it is asked afterwards.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults(Arc<Mutex<Option<Fault>>>);

#[derive(Debug)]
enum Fault {
    Score(String),
    /// A script met what it cannot compute with.
    Script(String),
}

impl Faults {
    /// Keeps the first fault.
    pub(super) fn report(&self, problem: impl FnOnce() -> String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| Fault::Score(problem()));
    }

    /// Keeps the first fault, one of a script.
    pub(super) fn report_script(&self, problem: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(Fault::Script(problem));
    }

    /// Fails with the first fault, if there was one.
    pub(super) fn check(&self) -> Result<()> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(Fault::Score(problem)) => Err(Error::invalid_input(problem)),
            Some(Fault::Script(problem)) => {
                let error = Error::invalid_input(problem.clone()).as_exception("illegal_argument_exception", problem);
                Err(error.wrapped_in_exception("script_exception", "runtime error"))
            }
            None => Ok(()),
        }
    }
}

/// What a query around another does in one segment.
pub(super) trait Rescore: std::fmt::Debug + Send + Sync + 'static {
    /// Whether it leaves out documents by their score, so that scores are needed even where only documents are asked for.
    fn filters(&self) -> bool {
        false
    }

    /// * `inner`: the scorer of the query inside.
    /// * `others`: one for each of the other queries that it was given.
    fn scorer(
        &self,
        reader: &SegmentReader,
        inner: Box<dyn Scorer>,
        others: Vec<Box<dyn Scorer>>,
        boost: Score,
    ) -> tantivy::Result<Box<dyn Scorer>>;

    /// Whether `boost` is for the inner scorer and not for what is made of it.
    fn boosts_inner(&self) -> bool {
        false
    }
}

/// A query around another.
#[derive(Debug)]
pub(super) struct Rescored {
    pub(super) inner: Box<dyn TantivyQuery>,
    pub(super) others: Vec<Box<dyn TantivyQuery>>,
    pub(super) rescore: Arc<dyn Rescore>,
}

impl Clone for Rescored {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.box_clone(),
            others: self.others.iter().map(|other| other.box_clone()).collect(),
            rescore: self.rescore.clone(),
        }
    }
}

struct RescoredWeight {
    inner: Box<dyn Weight>,
    others: Vec<Box<dyn Weight>>,
    rescore: Arc<dyn Rescore>,
}

impl TantivyQuery for Rescored {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        let is_scoring = scoring.is_scoring_enabled();
        if !is_scoring && !self.rescore.filters() {
            return self.inner.weight(scoring);
        }
        let inner_scoring = match scoring.searcher() {
            Some(searcher) if !is_scoring => EnableScoring::enabled_from_searcher(searcher),
            _ => scoring,
        };
        let others = self.others.iter().map(|other| other.weight(scoring)).collect::<tantivy::Result<_>>()?;
        Ok(Box::new(RescoredWeight { inner: self.inner.weight(inner_scoring)?, others, rescore: self.rescore.clone() }))
    }
}

impl Weight for RescoredWeight {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let (inside, outside) = if self.rescore.boosts_inner() { (boost, 1.0) } else { (1.0, boost) };
        let inner = self.inner.scorer(reader, inside)?;
        let others = self.others.iter().map(|other| other.scorer(reader, 1.0)).collect::<tantivy::Result<_>>()?;
        self.rescore.scorer(reader, inner, others, outside)
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        explain_by_scorer(self, reader, doc)
    }
}

/// A scorer whose scores are a function of the document and the inner score, with an optional least score.
pub(super) struct MappedScorer<F> {
    inner: Box<dyn Scorer>,
    map: F,
    min_score: Option<f32>,
    /// The score of the current document where it had to be computed to know whether the document is found.
    known: Option<f32>,
}

impl<F: FnMut(DocId, f32) -> f32 + Send + 'static> MappedScorer<F> {
    pub(super) fn new(inner: Box<dyn Scorer>, min_score: Option<f32>, map: F) -> Self {
        let mut scorer = Self { inner, map, min_score, known: None };
        scorer.find();
        scorer
    }

    /// Goes on to a document that scores enough, the current one included.
    fn find(&mut self) -> DocId {
        self.known = None;
        let Some(min_score) = self.min_score else { return self.inner.doc() };
        while self.inner.doc() < TERMINATED {
            let inner_score = self.inner.score();
            let score = (self.map)(self.inner.doc(), inner_score);
            if score >= min_score {
                self.known = Some(score);
                break;
            }
            self.inner.advance();
        }
        self.inner.doc()
    }
}

impl<F: FnMut(DocId, f32) -> f32 + Send + 'static> DocSet for MappedScorer<F> {
    fn advance(&mut self) -> DocId {
        self.inner.advance();
        self.find()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if self.inner.doc() >= target {
            return self.inner.doc();
        }
        self.inner.seek(target);
        self.find()
    }

    fn doc(&self) -> DocId {
        self.inner.doc()
    }

    fn size_hint(&self) -> u32 {
        self.inner.size_hint()
    }
}

impl<F: FnMut(DocId, f32) -> f32 + Send + 'static> Scorer for MappedScorer<F> {
    fn score(&mut self) -> Score {
        match self.known {
            Some(score) => score,
            None => {
                let inner_score = self.inner.score();
                (self.map)(self.inner.doc(), inner_score)
            }
        }
    }
}

/// Whether another scorer, which only moves forward, has this document.
pub(super) fn has_doc(scorer: &mut dyn Scorer, doc: DocId) -> bool {
    let at = if scorer.doc() < doc { scorer.seek(doc) } else { scorer.doc() };
    at == doc
}

/// The score times a factor where another query matches too.
#[derive(Debug)]
pub(super) struct Demote {
    pub(super) factor: f32,
}

impl Rescore for Demote {
    fn scorer(
        &self,
        _reader: &SegmentReader,
        inner: Box<dyn Scorer>,
        others: Vec<Box<dyn Scorer>>,
        boost: Score,
    ) -> tantivy::Result<Box<dyn Scorer>> {
        let factor = self.factor;
        let mut others = others;
        Ok(Box::new(MappedScorer::new(inner, None, move |doc, score| {
            let is_demoted = others.iter_mut().any(|other| has_doc(other.as_mut(), doc));
            boost * if is_demoted { score * factor } else { score }
        })))
    }
}

/// Scores up to a limit.
#[derive(Debug)]
pub(super) struct Cap {
    pub(super) max_score: f32,
}

impl Rescore for Cap {
    fn scorer(
        &self,
        _reader: &SegmentReader,
        inner: Box<dyn Scorer>,
        _others: Vec<Box<dyn Scorer>>,
        boost: Score,
    ) -> tantivy::Result<Box<dyn Scorer>> {
        let max_score = self.max_score;
        Ok(Box::new(MappedScorer::new(inner, None, move |_, score| boost * score.min(max_score))))
    }
}
