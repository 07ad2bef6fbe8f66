//! What hits are ordered by.

use std::cmp::Ordering;
use std::net::Ipv6Addr;

use super::CollectedHit;
use crate::index::doc_values::{ValueField, ValueKind};
use crate::retrieve::query::Query;

/// One key of an order.
#[derive(Debug, Clone, PartialEq)]
pub struct SortKey {
    /// What is compared.
    pub by: SortBy,
    /// Which end comes first.
    pub direction: Direction,
}

/// Which end comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The smallest.
    Ascending,
    /// The largest.
    Descending,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq)]
pub enum SortBy {
    /// The score.
    Score,
    /// The place in the index.
    Doc,
    /// The index's number and the place in it: never equal for two documents of a search.
    ShardDoc,
    /// The values of a field.
    Field(Box<FieldSort>),
}

/// The values of a field.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldSort {
    /// The field; `None` where the index lacks it, and no document has a value.
    pub field: Option<ValueField>,
    /// How its values compare.
    pub kind: SortKind,
    /// Where documents without a value stand.
    pub missing: Missing,
    /// Which of several values counts; the smallest or largest by the direction when absent.
    pub mode: Option<Mode>,
    /// Values of nested documents.
    pub nested: Option<NestedSort>,
}

/// Which nested documents count.
#[derive(Debug, Clone, PartialEq)]
pub struct NestedSort {
    /// Their path.
    pub path: String,
    /// They must match this.
    pub filter: Option<Query>,
}

/// How values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SortKind {
    /// Whole numbers, dates as milliseconds, booleans as 0 and 1.
    Long,
    /// Whole numbers from 0 to 2^64 - 1.
    Unsigned,
    /// Numbers.
    Double,
    /// Terms, by their bytes.
    Text,
    /// Addresses.
    Ip,
}

impl From<ValueKind> for SortKind {
    fn from(kind: ValueKind) -> Self {
        match kind {
            ValueKind::Long | ValueKind::Boolean | ValueKind::Date => SortKind::Long,
            ValueKind::UnsignedLong => SortKind::Unsigned,
            ValueKind::Double => SortKind::Double,
            ValueKind::Ip => SortKind::Ip,
            ValueKind::Keyword | ValueKind::Id | ValueKind::IndexName => SortKind::Text,
        }
    }
}

/// Where documents without a value stand.
#[derive(Debug, Clone, PartialEq)]
pub enum Missing {
    /// Before all others.
    First,
    /// After all others.
    Last,
    /// As if they had this value.
    Value(SortValue),
}

/// Which of several values counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// All together; of numbers only.
    Sum,
    /// Their mean; of numbers only.
    Avg,
    /// The one in the middle; of numbers only.
    Median,
}

/// A value that a hit is ordered by.
#[derive(Debug, Clone, PartialEq)]
pub enum SortValue {
    /// No value, of a field of terms. (Numbers have their type's largest or smallest instead, as in Elasticsearch.)
    Null,
    /// A whole number.
    Int(i64),
    /// A whole number from 0.
    Unsigned(u64),
    /// A number.
    Float(f64),
    /// A term.
    Text(String),
    /// An address; IPv4 ones mapped into IPv6.
    Ip(Ipv6Addr),
}

impl SortValue {
    fn rank(&self) -> u8 {
        match self {
            SortValue::Null => 0,
            SortValue::Int(_) | SortValue::Unsigned(_) | SortValue::Float(_) => 1,
            SortValue::Text(_) => 2,
            SortValue::Ip(_) => 3,
        }
    }

    /// The number that it is.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            SortValue::Int(value) => Some(*value as f64),
            SortValue::Unsigned(value) => Some(*value as f64),
            SortValue::Float(value) => Some(*value),
            SortValue::Null | SortValue::Text(_) | SortValue::Ip(_) => None,
        }
    }

    /// Compares two values, numbers of different types by what they are worth; no value comes first.
    pub fn compare(&self, other: &SortValue) -> Ordering {
        use SortValue::{Float, Int, Ip, Text, Unsigned};
        match (self, other) {
            (Int(a), Int(b)) => a.cmp(b),
            (Unsigned(a), Unsigned(b)) => a.cmp(b),
            (Float(a), Float(b)) => a.total_cmp(b),
            (Int(a), Unsigned(b)) => i128::from(*a).cmp(&i128::from(*b)),
            (Unsigned(a), Int(b)) => i128::from(*a).cmp(&i128::from(*b)),
            (Int(a), Float(b)) => (*a as f64).total_cmp(b),
            (Float(a), Int(b)) => a.total_cmp(&(*b as f64)),
            (Unsigned(a), Float(b)) => (*a as f64).total_cmp(b),
            (Float(a), Unsigned(b)) => a.total_cmp(&(*b as f64)),
            (Text(a), Text(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Ip(a), Ip(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl SortKey {
    /// Compares two values of this key; `Less` comes first.
    pub fn compare(&self, a: &SortValue, b: &SortValue) -> Ordering {
        if let (SortBy::Field(field), true) = (&self.by, *a == SortValue::Null || *b == SortValue::Null) {
            let last = !matches!(field.missing, Missing::First);
            let order = (*a == SortValue::Null).cmp(&(*b == SortValue::Null));
            return if last { order } else { order.reverse() };
        }
        match self.direction {
            Direction::Ascending => a.compare(b),
            Direction::Descending => b.compare(a),
        }
    }

    /// Whether documents must be scored to be compared.
    pub fn needs_scores(&self) -> bool {
        matches!(self.by, SortBy::Score)
    }
}

/// Compares two hits of a search, of the same index or of two; `Less` comes first. Equal ones keep their order (sort stably).
///
/// * `keys`: empty compares scores, the larger first.
pub fn compare_hits(keys: &[SortKey], a: &CollectedHit, b: &CollectedHit) -> Ordering {
    if keys.is_empty() {
        let (a, b) = (a.score.unwrap_or(f32::NEG_INFINITY), b.score.unwrap_or(f32::NEG_INFINITY));
        return b.total_cmp(&a);
    }
    let pairs = keys.iter().zip(a.sort.iter().zip(&b.sort));
    pairs.map(|(key, (a, b))| key.compare(a, b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}
