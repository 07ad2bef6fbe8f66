//! Results: of one index at first, then merged over indices, then finished.
//!
//! Results stand in the order of the request's aggregations, at every level; what they mean is said there.

use super::figures::Figures;
use super::key::Key;
use crate::index::doc_values::ValueKind;
use crate::schema::date::DateFormats;

/// The result of one aggregation.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// One bucket.
    Single(Bucket),
    /// Several.
    Buckets(Buckets),
    /// A figure.
    Metric(Metric),
    /// Documents.
    Hits(Hits),
    /// A number that was computed from other results; `None` where it cannot be.
    Number(Option<PipelineNumber>),
    /// A pipeline that is yet to be computed, or that leaves nothing behind.
    Nothing,
}

/// A number that was computed from other results.
#[derive(Debug, Clone, PartialEq)]
pub enum PipelineNumber {
    /// A number alone.
    Plain(f64),
    /// A difference, and what it is for the unit that was asked for.
    Derivative {
        /// The difference.
        value: f64,
        /// For the unit.
        normalized: Option<f64>,
    },
    /// For each part in percent the nearest of all numbers.
    Percentiles(Vec<(f64, Option<f64>)>),
    /// The least or the greatest number, and the keys of the buckets that have it.
    Extreme {
        /// The number.
        value: f64,
        /// The keys, as they are printed.
        keys: Vec<Key>,
        /// How keys are printed.
        values: Option<Values>,
    },
}

/// One bucket.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    /// What it is a bucket of; `None` for the only bucket of its aggregation.
    pub key: Option<Key>,
    /// How many documents.
    pub doc_count: u64,
    /// How many there may be more.
    pub error: i64,
    /// How many documents the background has.
    pub background: u64,
    /// How much it stands out.
    pub score: f64,
    /// The results of the sub-aggregations.
    pub aggs: Vec<Outcome>,
}

impl Bucket {
    /// A bucket without a key.
    pub fn single(doc_count: u64, aggs: Vec<Outcome>) -> Self {
        Self { key: None, doc_count, error: 0, background: 0, score: 0.0, aggs }
    }

    /// A bucket with a key.
    pub fn keyed(key: Key, doc_count: u64, aggs: Vec<Outcome>) -> Self {
        Self { key: Some(key), ..Self::single(doc_count, aggs) }
    }
}

/// Several buckets.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Buckets {
    /// What the keys are; for combinations one a part. Empty where no index has the field.
    pub values: Vec<Option<Values>>,
    /// The buckets.
    pub buckets: Vec<Bucket>,
    /// The documents of buckets that were left out.
    pub other_doc_count: u64,
    /// How many documents a bucket that was left out may have; -1 where nobody knows.
    pub error: i64,
    /// The documents that were looked at.
    pub foreground: u64,
    /// The documents of the background.
    pub background: u64,
    /// The key of the last bucket of a page.
    pub after: Option<Key>,
}

/// What values are.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    /// Their type.
    pub kind: ValueKind,
    /// Elasticsearch's name of the field's type.
    pub type_name: &'static str,
    /// The mapping's formats of dates.
    pub date_formats: Option<DateFormats>,
}

/// A figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// What the values are; `None` where no index has the field.
    pub values: Option<Values>,
    /// What was read.
    pub figures: Figures,
}

/// Documents in an order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Hits {
    /// How many there are in all.
    pub total: u64,
    /// The best score, where scores were asked for.
    pub max_score: Option<f32>,
    /// The first of them.
    pub hits: Vec<Hit>,
    /// What the order's values, then the metrics', are.
    pub values: Vec<Option<Values>>,
}

/// A document.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// Which of the searched indices it is in, by the number that the caller gave.
    pub index_ord: usize,
    /// Its segment's number in that index's snapshot.
    pub segment_ord: u32,
    /// Its number in the segment.
    pub doc_id: u32,
    /// Its score.
    pub score: Option<f32>,
    /// By what it was ordered: one value an order, `None` where it has none.
    pub sort: Vec<Option<Key>>,
    /// The values of the metrics that were asked for.
    pub metrics: Vec<Option<Key>>,
}
