//! Numbers for buckets: a pair of an owning bucket and a key to a number, counted from 0.
//!
//! Where keys are small numbers, a table is looked up; where they are not, or the table would become large, a hash map.

use rustc_hash::FxHashMap;

use crate::error::{Error, Result};

const NONE: u32 = u32::MAX;
/// Larger tables become hash maps: 16 MiB.
const MAX_TABLE: usize = 4 << 20;
/// More buckets than this are refused while they are made; how many may be returned is checked later.
const MAX_BUCKETS: usize = 10_000_000;

/// The buckets of one aggregation.
#[derive(Debug)]
pub(super) struct BucketIds {
    map: Map,
    /// By number: the owning bucket and the key.
    entries: Vec<(u32, i64)>,
    /// By number: how many documents.
    counts: Vec<u64>,
}

#[derive(Debug)]
enum Map {
    Table { width: usize, base: i64, ids: Vec<u32> },
    Hash(FxHashMap<(u32, i64), u32>),
}

impl BucketIds {
    /// No bucket yet.
    ///
    /// * `keys`: the least key and how many there can be, where both are known.
    pub(super) fn new(keys: Option<(i64, usize)>) -> Self {
        let map = match keys {
            Some((base, width)) if width <= MAX_TABLE => Map::Table { width: width.max(1), base, ids: Vec::new() },
            _ => Map::Hash(FxHashMap::default()),
        };
        Self { map, entries: Vec::new(), counts: Vec::new() }
    }

    /// Counts a document of a bucket, which is made where there is none. The bucket's number.
    #[inline]
    pub(super) fn count(&mut self, owner: u32, key: i64) -> Result<u32> {
        let id = self.id(owner, key)?;
        if let Some(count) = self.counts.get_mut(id as usize) {
            *count += 1;
        }
        Ok(id)
    }

    /// The number of a bucket, which is made where there is none.
    #[inline]
    pub(super) fn id(&mut self, owner: u32, key: i64) -> Result<u32> {
        if let Map::Table { width, base, ids } = &self.map
            && let Some(within) = usize::try_from(key.wrapping_sub(*base)).ok().filter(|within| within < width)
            && let Some(&id) = ids.get(owner as usize * width + within)
            && id != NONE
        {
            return Ok(id);
        }
        self.make(owner, key)
    }

    fn make(&mut self, owner: u32, key: i64) -> Result<u32> {
        if self.entries.len() >= MAX_BUCKETS {
            return Err(Error::new(
                crate::error::ErrorKind::Busy,
                format!("the aggregation makes more than {MAX_BUCKETS} buckets; narrow the query or use composite"),
            ));
        }
        let next = u32::try_from(self.entries.len()).unwrap_or(NONE);
        if let Map::Table { width, base, ids } = &mut self.map {
            let within = usize::try_from(key.wrapping_sub(*base)).ok().filter(|within| within < width);
            let needed = (owner as usize + 1).saturating_mul(*width);
            match within {
                Some(within) if needed <= MAX_TABLE => {
                    if ids.len() < needed {
                        ids.resize(needed.max(ids.len() * 2).min(MAX_TABLE), NONE);
                    }
                    if let Some(id) = ids.get_mut(owner as usize * *width + within) {
                        *id = next;
                    }
                    self.entries.push((owner, key));
                    self.counts.push(0);
                    return Ok(next);
                }
                _ => {
                    let known = (0..).zip(&self.entries).map(|(id, entry)| (*entry, id));
                    self.map = Map::Hash(known.collect());
                }
            }
        }
        let Map::Hash(known) = &mut self.map else { return Ok(next) };
        let id = *known.entry((owner, key)).or_insert(next);
        if id == next {
            self.entries.push((owner, key));
            self.counts.push(0);
        }
        Ok(id)
    }

    /// The buckets of some owners, in the order of `owners`; of each bucket its number, key and count.
    pub(super) fn of_owners(&self, owners: &[u32]) -> Vec<Vec<(u32, i64, u64)>> {
        let mut places: FxHashMap<u32, usize> = FxHashMap::default();
        for (place, owner) in owners.iter().enumerate() {
            places.entry(*owner).or_insert(place);
        }
        let mut found = vec![Vec::new(); owners.len()];
        for (id, ((owner, key), count)) in (0..).zip(self.entries.iter().zip(&self.counts)) {
            if let Some(buckets) = places.get(owner).and_then(|place| found.get_mut(*place)) {
                buckets.push((id, *key, *count));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tables_and_hash_maps_count_alike(
            pairs in proptest::collection::vec((0..50_u32, -5..20_i64), 0..300),
            width in 0..25_usize,
        ) {
            let mut expected: HashMap<(u32, i64), u64> = HashMap::new();
            let mut table = BucketIds::new(Some((-5, width)));
            let mut hash = BucketIds::new(None);
            for (owner, key) in &pairs {
                *expected.entry((*owner, *key)).or_default() += 1;
                table.count(*owner, *key).unwrap();
                hash.count(*owner, *key).unwrap();
            }
            let owners: Vec<u32> = (0..50).collect();
            for ids in [table, hash] {
                let mut found = HashMap::new();
                for (owner, buckets) in owners.iter().zip(ids.of_owners(&owners)) {
                    for (_, key, count) in buckets {
                        prop_assert!(found.insert((*owner, key), count).is_none());
                    }
                }
                prop_assert_eq!(&found, &expected);
            }
        }
    }
}
