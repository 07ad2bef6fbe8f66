//! A session: the pairs to judge in their order, what is judged, and what is next.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::pace::Pace;
use super::qrels_file::{QrelsFile, is_writable};
use crate::document::DocumentId;
use crate::error::{Error, Result};

/// A query that documents are judged for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Topic {
    /// Its id in the qrels.
    pub id: String,
    /// What was searched for.
    pub text: String,
    /// What counts as relevant, where somebody wrote it down; else empty.
    pub narrative: String,
}

/// A query and a document that are judged together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The place in [`Session::topics`].
    pub topic_idx: usize,
    /// The document.
    pub document: DocumentId,
}

/// In which order pairs are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// One query after another: quickest, as a query is read once.
    #[default]
    ByQuery,
    /// A pair of each query in turn: wherever one stops, every query has about as many judgments.
    Interleaved,
}

/// How far a session is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Progress {
    /// Pairs that are judged.
    pub num_judged: usize,
    /// Pairs.
    pub num_pairs: usize,
    /// Queries whose pairs are all judged.
    pub num_topics_done: usize,
    /// Queries.
    pub num_topics: usize,
    /// Mean time of a pair, of late; `None` where there is no telling yet.
    pub per_pair: Option<Duration>,
}

impl Progress {
    /// The time that the rest takes at the present pace.
    pub fn time_left(&self) -> Option<Duration> {
        let left = u32::try_from(self.num_pairs - self.num_judged).unwrap_or(u32::MAX);
        self.per_pair.map(|per_pair| per_pair.saturating_mul(left))
    }
}

/// What is judged, and where one is. Every judgment is on disk when [`Session::judge`] returns.
#[derive(Debug)]
pub struct Session {
    topics: Vec<Topic>,
    pairs: Vec<Pair>,
    /// Indices into `pairs`, by topic.
    pairs_of: Vec<Vec<usize>>,
    file: QrelsFile,
    num_grades: i32,
    /// (pair, its grade before), the last at the end; of this session only.
    history: Vec<(usize, Option<i32>)>,
    pace: Pace,
}

impl Session {
    /// A session over the topics' pools. Pairs that `file` has a grade for are judged already.
    ///
    /// * `pools`: the documents of each topic, in the order to judge them.
    /// * `num_grades`: grades are `0..num_grades`.
    ///
    /// # Errors
    /// `InvalidInput` for an id that qrels cannot hold, a query that occurs twice, or where there is nothing to judge.
    pub fn new(
        topics: Vec<Topic>,
        pools: Vec<Vec<DocumentId>>,
        order: Order,
        num_grades: u8,
        file: QrelsFile,
    ) -> Result<Self> {
        let mut seen = HashSet::new();
        for topic in &topics {
            if !is_writable(&topic.id) {
                let text = format!("the query id {:?} is empty or has white space, which qrels cannot hold", topic.id);
                return Err(Error::invalid_input(text));
            }
            if !seen.insert(&topic.id) {
                return Err(Error::invalid_input(format!("query {:?} occurs twice", topic.id)));
            }
        }
        let pairs = in_order(pools, order);
        if let Some(pair) = pairs.iter().find(|pair| !is_writable(pair.document.as_str())) {
            let text =
                format!("the document id {:?} is empty or has white space, which qrels cannot hold", pair.document);
            return Err(Error::invalid_input(text));
        }
        let mut pairs_of = vec![Vec::new(); topics.len()];
        for (pair_idx, pair) in pairs.iter().enumerate() {
            match pairs_of.get_mut(pair.topic_idx) {
                Some(of_topic) => of_topic.push(pair_idx),
                None => return Err(Error::internal("more pools than queries")),
            }
        }
        if pairs.is_empty() {
            return Err(Error::invalid_input("no document was found for any query, so there is nothing to judge"));
        }
        let num_grades = i32::from(num_grades);
        Ok(Self { topics, pairs, pairs_of, file, num_grades, history: Vec::new(), pace: Pace::default() })
    }

    /// The queries.
    pub fn topics(&self) -> &[Topic] {
        &self.topics
    }

    /// The pairs, in the order to judge them.
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// Where the judgments go.
    pub fn file(&self) -> &QrelsFile {
        &self.file
    }

    /// The pairs of a topic, as places in [`Session::pairs`], ascending; none for a topic that there is not.
    pub fn pairs_of(&self, topic_idx: usize) -> &[usize] {
        self.pairs_of.get(topic_idx).map_or(&[], Vec::as_slice)
    }

    /// A pair's grade; `None` when it is not judged, or there is no such pair. A file may hold grades that this session does not
    /// give.
    pub fn grade(&self, pair_idx: usize) -> Option<i32> {
        let pair = self.pairs.get(pair_idx)?;
        self.file.grade(&self.topics.get(pair.topic_idx)?.id, pair.document.as_str())
    }

    /// Says that somebody reads a pair now, from when on the pace is taken.
    pub fn reads(&mut self, now: Instant) {
        self.pace.start(now);
    }

    /// Grades a pair, or changes its grade, durably.
    ///
    /// # Errors
    /// `NotFound` for a pair, `InvalidInput` for a grade that there is not; otherwise as [`QrelsFile::set`]. Nothing is judged then.
    pub fn judge(&mut self, pair_idx: usize, grade: i32, now: Instant) -> Result<()> {
        if !(0..self.num_grades).contains(&grade) {
            let last = self.num_grades - 1;
            return Err(Error::invalid_input(format!("there is no grade {grade}; grades are 0 to {last}")));
        }
        let before = self.grade(pair_idx);
        self.set(pair_idx, Some(grade))?;
        if before.is_none() {
            self.pace.judged(now);
        }
        if before != Some(grade) {
            self.history.push((pair_idx, before));
        }
        Ok(())
    }

    /// Takes back the last judgment of this session that is not taken back yet: its pair has its earlier grade again, or none.
    /// Returns the pair; `None` when there is nothing to take back.
    ///
    /// # Errors
    /// As [`QrelsFile::set`]; the judgment then stands.
    pub fn undo(&mut self) -> Result<Option<usize>> {
        let Some(&(pair_idx, before)) = self.history.last() else { return Ok(None) };
        self.set(pair_idx, before)?;
        self.history.pop();
        Ok(Some(pair_idx))
    }

    /// The first pair after `pair_idx` that is not judged, from the beginning again after the last; `None` when all are judged.
    pub fn next_open(&self, pair_idx: usize) -> Option<usize> {
        let after = pair_idx.saturating_add(1).min(self.pairs.len());
        (after..self.pairs.len()).chain(0..after).find(|&pair_idx| self.grade(pair_idx).is_none())
    }

    /// The first pair that is not judged: where to go on.
    pub fn first_open(&self) -> Option<usize> {
        (0..self.pairs.len()).find(|&pair_idx| self.grade(pair_idx).is_none())
    }

    /// The first pair that is not judged of another query: the next ones, then those before; `None` when there is none.
    pub fn next_topic(&self, pair_idx: usize) -> Option<usize> {
        let topic_idx = self.pairs.get(pair_idx)?.topic_idx;
        let others = (topic_idx + 1..self.topics.len()).chain(0..topic_idx);
        others.flat_map(|topic_idx| self.pairs_of(topic_idx)).copied().find(|&pair_idx| self.grade(pair_idx).is_none())
    }

    /// How far the session is. O(number of pairs).
    pub fn progress(&self) -> Progress {
        let judged_of = |pairs: &[usize]| pairs.iter().filter(|&&pair_idx| self.grade(pair_idx).is_some()).count();
        let judged: Vec<usize> = self.pairs_of.iter().map(|pairs| judged_of(pairs)).collect();
        let is_done = |(judged, pairs): &(&usize, &Vec<usize>)| **judged == pairs.len();
        Progress {
            num_judged: judged.iter().sum(),
            num_pairs: self.pairs.len(),
            num_topics_done: judged.iter().zip(&self.pairs_of).filter(is_done).count(),
            num_topics: self.topics.len(),
            per_pair: self.pace.per_pair(),
        }
    }

    fn set(&mut self, pair_idx: usize, grade: Option<i32>) -> Result<()> {
        let last = self.pairs.len() - 1;
        let missing = || Error::not_found(format!("there is no pair {pair_idx}; pairs are 0 to {last}"));
        let pair = self.pairs.get(pair_idx).ok_or_else(missing)?;
        let topic = self.topics.get(pair.topic_idx).ok_or_else(missing)?;
        self.file.set(&topic.id, pair.document.as_str(), grade)
    }
}

/// The pools' documents as pairs.
fn in_order(pools: Vec<Vec<DocumentId>>, order: Order) -> Vec<Pair> {
    let mut keyed: Vec<((usize, usize), Pair)> = Vec::new();
    for (topic_idx, pool) in pools.into_iter().enumerate() {
        for (place, document) in pool.into_iter().enumerate() {
            let key = match order {
                Order::ByQuery => (topic_idx, place),
                Order::Interleaved => (place, topic_idx),
            };
            keyed.push((key, Pair { topic_idx, document }));
        }
    }
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, pair)| pair).collect()
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
