//! Collecting: from everything that matches a query in one [`Searcher`](super::Searcher) to the hits of a page, a total and a set.
//!
//! In: a [`CollectRequest`] (query, order, how far to count). Out: [`Collected`]: the best `depth` documents in order, how many
//! match, and, when asked, which (for aggregations). Invariants: equal hits keep the order of the segments; only root documents
//! are seen; a search that is ordered by fields alone scores nothing; one that is ordered by score and is made of plain words
//! reads only what can win, and counts apart, without scores and no further than asked.
//!
//! Read next: [`sort`] (what hits are ordered by), `keys` (the same as numbers, segment by segment), `run` (the loop).

mod columns;
mod documents;
mod keys;
mod matching;
mod run;
pub mod sort;
#[cfg(test)]
mod tests;
mod top;

use tantivy::BitSet;

use super::DocLocator;
use super::query::Query;

pub use documents::{MetaColumns, NestedHit, NestedPlace, score_documents};
pub use matching::{MatchingDocument, MatchingDocuments};
pub use run::collect;
pub use sort::{Direction, FieldSort, Missing, Mode, NestedSort, SortBy, SortKey, SortKind, SortValue, compare_hits};

/// What to collect.
#[derive(Debug, Clone)]
pub struct CollectRequest<'a> {
    /// What must match.
    pub query: &'a Query,
    /// Applied to the hits and their total, and not to [`Collected::matching`].
    pub post_filter: Option<&'a Query>,
    /// Documents that score less are no matches at all.
    pub min_score: Option<f32>,
    /// The order of the hits; empty is by score, the best first.
    pub sort: &'a [SortKey],
    /// Only hits that come after this place: a value for each key of `sort` (or the score alone).
    pub after: Option<&'a [SortValue]>,
    /// How many hits; 0 only counts.
    pub depth: usize,
    /// How far to count.
    pub track_total: TrackTotal,
    /// Whether hits have scores though the order needs none.
    pub track_scores: bool,
    /// Stops after so many matches.
    pub terminate_after: Option<u64>,
    /// Whether the set of matches is wanted.
    pub keep_matching: bool,
    /// Whether the scores of all matches are wanted with it.
    pub keep_scores: bool,
    /// One hit, the first, for each value of this field.
    pub collapse: Option<&'a FieldSort>,
    /// One part of the documents.
    pub slice: Option<Slice>,
    /// The index's number in a search over several; part of `_shard_doc`.
    pub shard: u32,
}

impl<'a> CollectRequest<'a> {
    /// The best `depth` by score.
    pub fn top(query: &'a Query, depth: usize) -> Self {
        Self {
            query,
            post_filter: None,
            min_score: None,
            sort: &[],
            after: None,
            depth,
            track_total: TrackTotal::No,
            track_scores: false,
            terminate_after: None,
            keep_matching: false,
            keep_scores: false,
            collapse: None,
            slice: None,
            shard: 0,
        }
    }
}

/// How far to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackTotal {
    /// Not at all.
    No,
    /// Until there are more than this.
    UpTo(u64),
    /// To the end.
    Exact,
}

impl TrackTotal {
    /// The number after which counting may stop.
    pub fn limit(self) -> u64 {
        match self {
            TrackTotal::No => 0,
            TrackTotal::UpTo(limit) => limit,
            TrackTotal::Exact => u64::MAX,
        }
    }
}

/// How many documents match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Total {
    /// So many.
    pub value: u64,
    /// Or more.
    pub at_least: bool,
}

impl Total {
    /// The total of two sets, again cut at the limit.
    #[must_use]
    pub fn plus(self, other: Total, track: TrackTotal) -> Total {
        let sum = Total { value: self.value.saturating_add(other.value), at_least: self.at_least || other.at_least };
        sum.cut(track)
    }

    /// As Elasticsearch prints it: never more than the limit.
    #[must_use]
    pub fn cut(self, track: TrackTotal) -> Total {
        let limit = track.limit();
        if self.value > limit { Total { value: limit, at_least: true } } else { self }
    }
}

/// One of `max` parts of the documents, by a hash of their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// Counted from 0.
    pub id: u32,
    /// At least 2.
    pub max: u32,
}

/// A document that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct CollectedHit {
    /// Where it lies in the snapshot.
    pub locator: DocLocator,
    /// `None` where the order needs no scores and none were asked for.
    pub score: Option<f32>,
    /// A value for each key of the order; empty where it is by score alone.
    pub sort: Vec<SortValue>,
    /// The value it was collapsed by; [`SortValue::Null`] where it has none.
    pub group: Option<SortValue>,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Collected {
    /// In order.
    pub hits: Vec<CollectedHit>,
    /// How many there are, cut at the limit; without a meaning for [`TrackTotal::No`].
    pub total: Total,
    /// The best score; `None` where nothing was scored or found.
    pub max_score: Option<f32>,
    /// Whether the time was up before all was seen.
    pub timed_out: bool,
    /// Whether `terminate_after` stopped it.
    pub terminated_early: bool,
    /// The matches by segment, before the post filter, when asked for.
    pub matching: Option<Vec<BitSet>>,
    /// Their scores by segment and document number, when asked for.
    pub scores: Option<Vec<Vec<f32>>>,
}
