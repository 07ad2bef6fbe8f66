//! Keeps the best documents seen so far.

use std::cmp::Ordering;

use tantivy::DocAddress;

use super::top_k::ScoredDoc;

/// Keeps at least the best `depth` documents and at most twice as many: cheaper than a heap, at the price of a threshold that
/// lags a little. Documents must be offered by ascending address, so that of equal scores the first stays.
#[derive(Debug)]
pub struct Collector {
    depth: usize,
    kept: Vec<ScoredDoc>,
    threshold: f32,
}

impl Collector {
    /// Keeps nothing when `depth` is 0.
    pub fn new(depth: usize) -> Self {
        let threshold = if depth == 0 { f32::INFINITY } else { f32::NEG_INFINITY };
        Self { depth, kept: Vec::with_capacity(depth.min(4096).saturating_mul(2)), threshold }
    }

    /// A document must score more than this to be kept.
    pub fn threshold(&self) -> f64 {
        f64::from(self.threshold)
    }

    /// Takes a document into account. NaN is never kept.
    #[expect(clippy::cast_possible_truncation, reason = "as in Lucene, a sum of scores is rounded to single precision")]
    pub fn offer(&mut self, score: f64, address: DocAddress) {
        let score = score as f32;
        if score > self.threshold {
            self.kept.push(ScoredDoc { score, address });
            if self.kept.len() >= self.depth.saturating_mul(2) {
                self.shrink();
            }
        }
    }

    fn shrink(&mut self) {
        if let Some(worst_idx) = self.depth.checked_sub(1)
            && self.kept.len() > self.depth
        {
            let (_, worst, _) = self.kept.select_nth_unstable_by(worst_idx, best_first);
            self.threshold = worst.score;
            self.kept.truncate(self.depth);
        }
    }

    /// The best `depth`, by score descending and then by address.
    pub fn into_sorted(mut self) -> Vec<ScoredDoc> {
        self.kept.sort_unstable_by(best_first);
        self.kept.truncate(self.depth);
        self.kept
    }
}

fn best_first(left: &ScoredDoc, right: &ScoredDoc) -> Ordering {
    right.score.total_cmp(&left.score).then(left.address.cmp(&right.address))
}
