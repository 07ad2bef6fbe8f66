//! Candidate lists that later pages come from.
//!
//! The first page of a retriever makes a list; a page with `from` above 0 takes the list that its first page made, on the same
//! snapshot, so that no document is seen twice or never because the index changed in between. Lists are kept for a minute (the server
//! looks every few seconds), and a limited number of them, as each keeps the files and the memory of its snapshot.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Ranking;
use crate::retrieve::Searcher;

/// How long a list is kept after it was made.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// How many lists are kept.
const MAX_LISTS: usize = 64;

/// What a list is found by: the indices and everything that decides the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrozenKey([u8; 32]);

impl FrozenKey {
    /// * `parts`: the indices' unique ids, the retriever, filters: whatever changes the list.
    pub(crate) fn new<'a>(parts: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            let text = part.to_string();
            hasher.update(&text.len().to_le_bytes());
            hasher.update(text.as_bytes());
        }
        Self(*hasher.finalize().as_bytes())
    }
}

/// A list and the snapshots that it is of.
#[derive(Debug)]
pub(crate) struct Frozen {
    /// One an index, as the list's documents count them.
    pub(crate) searchers: Vec<Arc<Searcher>>,
    /// The list.
    pub(crate) ranking: Ranking,
}

/// The lists that are kept; the oldest first.
#[derive(Debug, Default)]
pub(crate) struct FrozenRankings(Mutex<VecDeque<(FrozenKey, Instant, Arc<Frozen>)>>);

impl FrozenRankings {
    /// The list that was made for this key less than a minute ago.
    pub(crate) fn get(&self, key: FrozenKey) -> Option<Arc<Frozen>> {
        let mut kept = self.lock();
        expire(&mut kept, Instant::now());
        kept.iter().find(|(known, _, _)| *known == key).map(|(_, _, frozen)| frozen.clone())
    }

    /// Keeps a list in place of an older one of the same key.
    pub(crate) fn keep(&self, key: FrozenKey, frozen: Arc<Frozen>) {
        let mut kept = self.lock();
        let now = Instant::now();
        expire(&mut kept, now);
        kept.retain(|(known, _, _)| *known != key);
        while kept.len() >= MAX_LISTS {
            kept.pop_front();
        }
        kept.push_back((key, now, frozen));
    }

    /// Takes out the lists whose minute is over at `now`; whoever drops the last of a snapshot gives its files and memory back.
    pub(crate) fn take_expired(&self, now: Instant) -> Vec<Arc<Frozen>> {
        let mut kept = self.lock();
        let num_expired = kept.iter().take_while(|(_, at, _)| is_expired(*at, now)).count();
        kept.drain(..num_expired).map(|(_, _, frozen)| frozen).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<(FrozenKey, Instant, Arc<Frozen>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn expire(kept: &mut VecDeque<(FrozenKey, Instant, Arc<Frozen>)>, now: Instant) {
    while kept.front().is_some_and(|(_, at, _)| is_expired(*at, now)) {
        kept.pop_front();
    }
}

fn is_expired(kept_at: Instant, now: Instant) -> bool {
    now.saturating_duration_since(kept_at) > KEPT_FOR
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn frozen() -> Arc<Frozen> {
        Arc::new(Frozen { searchers: Vec::new(), ranking: Ranking::default() })
    }

    #[test]
    fn a_list_is_found_by_all_that_made_it() {
        let lists = FrozenRankings::default();
        let (a, b) = (FrozenKey::new([&json!("i"), &json!({"q": 1})]), FrozenKey::new([&json!("i"), &json!({"q": 2})]));
        lists.keep(a, frozen());
        assert!(lists.get(a).is_some() && lists.get(b).is_none());
        assert_ne!(FrozenKey::new([&json!("ab"), &json!("c")]), FrozenKey::new([&json!("a"), &json!("bc")]));
    }

    #[test]
    fn the_oldest_lists_go_first() {
        let lists = FrozenRankings::default();
        for number in 0..=MAX_LISTS {
            lists.keep(FrozenKey::new([&json!(number)]), frozen());
        }
        assert!(lists.get(FrozenKey::new([&json!(0)])).is_none());
        assert!(lists.get(FrozenKey::new([&json!(1)])).is_some());
    }

    #[test]
    fn what_expired_is_given_back_though_nobody_asks() {
        let lists = FrozenRankings::default();
        let list = frozen();
        let weak = Arc::downgrade(&list);
        lists.keep(FrozenKey::new([&json!(1)]), list);
        assert!(lists.take_expired(Instant::now()).is_empty());
        assert_eq!(lists.take_expired(Instant::now() + KEPT_FOR + Duration::from_secs(1)).len(), 1);
        assert!(weak.upgrade().is_none());
    }

    #[test]
    fn lists_expire() {
        let mut kept = VecDeque::from([(FrozenKey([0; 32]), Instant::now(), frozen())]);
        expire(&mut kept, Instant::now() + KEPT_FOR + Duration::from_secs(1));
        assert!(kept.is_empty());
    }
}
