//! Which texts are run together: sorted by length, cut by memory, padded no further than the batch's longest.
//!
//! Pure functions; the sizes come from [`MemoryModel`], which says what a run of so many rows and tokens needs.

/// What a run needs, in bytes: `rows * (tokens * per_token + tokens * tokens * per_pair)`.
///
/// The first term is the layers' activations, the second the attention scores of one layer, which ONNX Runtime keeps twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryModel {
    /// Bytes a token.
    pub per_token: u64,
    /// Bytes a pair of tokens.
    pub per_pair: u64,
}

impl MemoryModel {
    /// For a transformer with vectors of `hidden` numbers and `num_heads` attention heads.
    ///
    /// Per token: the feed-forward layer's two tensors of `4 * hidden` floats, and a dozen of `hidden` (query, key, value,
    /// residual, norms, copies of the attention).
    pub fn of_transformer(hidden: usize, num_heads: usize) -> Self {
        Self { per_token: 4 * 20 * hidden as u64, per_pair: 4 * 2 * num_heads as u64 }
    }

    /// The bytes of a run of `rows` texts padded to `tokens`.
    pub fn bytes(&self, rows: usize, tokens: usize) -> u64 {
        let tokens = tokens as u64;
        let row = tokens
            .saturating_mul(self.per_token)
            .saturating_add(tokens.saturating_mul(tokens).saturating_mul(self.per_pair));
        row.saturating_mul(rows as u64)
    }
}

/// Texts that are run together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Positions in the caller's list, longest text first.
    pub rows: Vec<usize>,
    /// Tokens of the longest, to which the others are padded.
    pub tokens: usize,
}

/// Limits of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Most bytes of a run; a single text that needs more is still run, alone.
    pub memory_bytes: u64,
    /// Most padded tokens of a run; more brings no speed.
    pub tokens: usize,
    /// Most texts of a run, at least 1.
    pub rows: usize,
}

/// Padded tokens beyond which a larger batch is no faster on a CPU: the matrices no longer fit its caches.
pub(super) const USEFUL_TOKENS: usize = 4096;

/// Sorts texts by length and cuts them into batches.
///
/// * `lengths`: tokens of each text, special tokens included.
///
/// Every position occurs in exactly one batch; batches come longest first, which also spreads them best over threads. O(n log n).
pub fn batches(lengths: &[usize], memory: MemoryModel, limits: BatchLimits) -> Vec<Batch> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&row| (std::cmp::Reverse(lengths.get(row).copied()), row));
    let mut batches: Vec<Batch> = Vec::new();
    for row in order {
        let length = lengths.get(row).copied().unwrap_or_default();
        match batches.last_mut() {
            Some(batch) if fits(batch, memory, limits) => batch.rows.push(row),
            _ => batches.push(Batch { rows: vec![row], tokens: length }),
        }
    }
    batches
}

/// True when one more text, no longer than the batch's longest, may join.
fn fits(batch: &Batch, memory: MemoryModel, limits: BatchLimits) -> bool {
    let rows = batch.rows.len() + 1;
    rows <= limits.rows
        && rows.saturating_mul(batch.tokens) <= limits.tokens
        && memory.bytes(rows, batch.tokens) <= limits.memory_bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MEMORY: MemoryModel = MemoryModel { per_token: 100, per_pair: 10 };

    proptest! {
        #[test]
        fn every_text_is_in_one_batch_and_every_batch_within_its_limits(
            lengths in prop::collection::vec(0usize..600, 0..80),
            memory_bytes in 1u64..2_000_000,
            tokens in 1usize..5000,
            rows in 1usize..20,
        ) {
            let limits = BatchLimits { memory_bytes, tokens, rows };
            let batches = batches(&lengths, MEMORY, limits);
            let mut seen: Vec<usize> = batches.iter().flat_map(|batch| batch.rows.clone()).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
            for batch in &batches {
                prop_assert_eq!(Some(batch.tokens), batch.rows.iter().map(|&row| lengths[row]).max());
                if batch.rows.len() > 1 {
                    prop_assert!(batch.rows.len() <= rows);
                    prop_assert!(batch.rows.len() * batch.tokens <= tokens);
                    prop_assert!(MEMORY.bytes(batch.rows.len(), batch.tokens) <= memory_bytes);
                }
            }
            prop_assert!(batches.is_sorted_by(|a, b| a.tokens >= b.tokens));
        }
    }

    #[test]
    fn a_text_beyond_the_budget_runs_alone() {
        let limits = BatchLimits { memory_bytes: MEMORY.bytes(2, 10), tokens: 1000, rows: 100 };
        let rows: Vec<Vec<usize>> =
            batches(&[10, 900, 10, 10], MEMORY, limits).into_iter().map(|batch| batch.rows).collect();
        assert_eq!(rows, [vec![1], vec![0, 2], vec![3]]);
    }

    #[test]
    fn sizes_do_not_overflow() {
        assert_eq!(MEMORY.bytes(usize::MAX, usize::MAX), u64::MAX);
    }
}
