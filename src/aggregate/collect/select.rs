//! Which of the counted buckets an index returns.

use std::cmp::Ordering;

use super::Subs;
use crate::aggregate::key::Key;
use crate::aggregate::order;
use crate::aggregate::outcome::Bucket;
use crate::aggregate::request::{Aggregation, BucketOrder, OrderBy};
use crate::aggregate::source::KeyReader;
use crate::error::Result;

/// What buckets' numbers stand for.
pub(super) trait KeyLookup {
    /// The keys of numbers, in their order.
    fn keys(&self, numbers: &[i64]) -> Result<Vec<Key>>;

    /// Whether numbers compare as their keys do.
    fn is_ordered(&self) -> bool;
}

impl KeyLookup for KeyReader {
    fn keys(&self, numbers: &[i64]) -> Result<Vec<Key>> {
        self.keys(numbers)
    }

    fn is_ordered(&self) -> bool {
        self.is_ordered()
    }
}

/// A counted bucket: its number, its key's number, its documents.
pub(super) type Counted = (u32, i64, u64);

/// The buckets that one owner returns, and the documents of those that it does not.
#[derive(Default)]
pub(super) struct Selected {
    pub(super) buckets: Vec<Bucket>,
    pub(super) other_doc_count: u64,
}

/// Takes the first `size` buckets of each owner in an order.
///
/// * `aggs`: the sub-aggregations, for orders that look at their results.
pub(super) fn select(
    of_owners: Vec<Vec<Counted>>,
    lookup: &dyn KeyLookup,
    order: &[BucketOrder],
    size: usize,
    aggs: &[Aggregation],
    subs: &mut Subs,
) -> Result<Vec<Selected>> {
    if order::needs_results(order) || !lookup.is_ordered() {
        return select_by_results(of_owners, lookup, order, size, aggs, subs);
    }
    let mut kept = Vec::with_capacity(of_owners.len());
    let mut others = Vec::with_capacity(of_owners.len());
    for mut counted in of_owners {
        let by_order = |left: &Counted, right: &Counted| compare(order, left, right);
        let mut other = 0;
        if counted.len() > size {
            if size > 0 {
                counted.select_nth_unstable_by(size - 1, by_order);
            }
            other = counted.drain(size..).map(|(.., count)| count).sum();
        }
        counted.sort_unstable_by(by_order);
        kept.push(counted);
        others.push(other);
    }
    let numbers: Vec<i64> = kept.iter().flatten().map(|(_, number, _)| *number).collect();
    let ids: Vec<u32> = kept.iter().flatten().map(|(id, ..)| *id).collect();
    let mut keys = lookup.keys(&numbers)?.into_iter();
    let mut results = subs.build(&ids)?.into_iter();
    let bucket = |(.., count): Counted| {
        let key = keys.next().unwrap_or(Key::Place(0));
        Bucket::keyed(key, count, results.next().unwrap_or_default())
    };
    let mut bucket = bucket;
    Ok(kept
        .into_iter()
        .zip(others)
        .map(|(counted, other_doc_count)| Selected {
            buckets: counted.into_iter().map(&mut bucket).collect(),
            other_doc_count,
        })
        .collect())
}

fn compare(order: &[BucketOrder], left: &Counted, right: &Counted) -> Ordering {
    for criterion in order {
        let ordering = match criterion.by {
            OrderBy::Count => left.2.cmp(&right.2),
            OrderBy::Key => left.1.cmp(&right.1),
            OrderBy::Path(_) => Ordering::Equal,
        };
        if ordering != Ordering::Equal {
            return if criterion.descending { ordering.reverse() } else { ordering };
        }
    }
    left.1.cmp(&right.1)
}

/// Builds every bucket to know which come first.
fn select_by_results(
    of_owners: Vec<Vec<Counted>>,
    lookup: &dyn KeyLookup,
    order: &[BucketOrder],
    size: usize,
    aggs: &[Aggregation],
    subs: &mut Subs,
) -> Result<Vec<Selected>> {
    let ids: Vec<u32> = of_owners.iter().flatten().map(|(id, ..)| *id).collect();
    let numbers: Vec<i64> = of_owners.iter().flatten().map(|(_, number, _)| *number).collect();
    let mut keys = lookup.keys(&numbers)?.into_iter();
    let mut results = subs.build(&ids)?.into_iter();
    Ok(of_owners
        .into_iter()
        .map(|counted| {
            let mut buckets: Vec<Bucket> = counted
                .into_iter()
                .map(|(.., count)| {
                    let key = keys.next().unwrap_or(Key::Place(0));
                    Bucket::keyed(key, count, results.next().unwrap_or_default())
                })
                .collect();
            buckets.sort_by(|left, right| order::compare(aggs, order, left, right));
            let dropped = buckets.split_off(size.min(buckets.len()));
            Selected { buckets, other_doc_count: dropped.iter().map(|bucket| bucket.doc_count).sum() }
        })
        .collect())
}
