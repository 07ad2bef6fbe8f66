//! Keeps the first documents of a segment in an order of several keys.

use std::cmp::Ordering;

use tantivy::DocId;

use super::columns::Code;

/// A document and its keys as numbers, the first apart: most documents are turned away by it alone.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) first: Code,
    pub(super) rest: Box<[Code]>,
    pub(super) doc: DocId,
    pub(super) score: f32,
}

impl Entry {
    fn compare(&self, other: &Entry) -> Ordering {
        self.first.cmp(&other.first).then_with(|| self.rest.cmp(&other.rest)).then(self.doc.cmp(&other.doc))
    }
}

/// Keeps at least the first `depth` entries and at most twice as many. Documents must be offered by ascending number.
#[derive(Debug)]
pub(super) struct Top {
    depth: usize,
    kept: Vec<Entry>,
    /// Entries whose keys reach this are turned away: what is kept already is as good, and came first.
    limit: Option<(Code, Box<[Code]>)>,
}

impl Top {
    /// * `limit`: keys that cannot be among the first any more, known from earlier segments.
    pub(super) fn new(depth: usize, limit: Option<(Code, Box<[Code]>)>) -> Self {
        Self { depth, kept: Vec::with_capacity(depth.min(4096).saturating_mul(2)), limit }
    }

    /// How many are kept at the moment.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether a document with this first key is worth computing the others for.
    pub(super) fn may_enter(&self, first: Code) -> bool {
        self.depth > 0 && self.limit.as_ref().is_none_or(|(limit, _)| first <= *limit)
    }

    pub(super) fn offer(&mut self, entry: Entry) {
        let too_late = |(first, rest): &(Code, Box<[Code]>)| (entry.first, &entry.rest) >= (*first, rest);
        if self.depth == 0 || self.limit.as_ref().is_some_and(too_late) {
            return;
        }
        self.kept.push(entry);
        if self.kept.len() >= self.depth.saturating_mul(2).max(16) {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        if let Some(worst_idx) = self.depth.checked_sub(1)
            && self.kept.len() > self.depth
        {
            let (_, worst, _) = self.kept.select_nth_unstable_by(worst_idx, Entry::compare);
            self.limit = Some((worst.first, worst.rest.clone()));
            self.kept.truncate(self.depth);
        }
    }

    /// The first `depth`, in order.
    pub(super) fn into_sorted(mut self) -> Vec<Entry> {
        self.kept.sort_unstable_by(Entry::compare);
        self.kept.truncate(self.depth);
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn it_keeps_what_sorting_all_would_put_first(
            keys in proptest::collection::vec((0_u128..6, 0_u128..4), 0..120),
            depth in 0_usize..20,
        ) {
            let entries: Vec<Entry> = (0..).zip(&keys)
                .map(|(doc, &(first, second))| Entry { first, rest: [second].into(), doc, score: 0.0 })
                .collect();
            let mut top = Top::new(depth, None);
            for entry in &entries {
                if top.may_enter(entry.first) {
                    top.offer(entry.clone());
                }
            }
            let mut all = entries;
            all.sort_by_key(|entry| (entry.first, entry.rest[0], entry.doc));
            all.truncate(depth);
            proptest::prop_assert_eq!(top.into_sorted(), all);
        }
    }
}
