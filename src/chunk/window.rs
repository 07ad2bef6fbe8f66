//! The `word` strategy: windows of even length that overlap by a fixed number of tokens, cut where words begin.

use std::ops::Range;

use super::token_map::TokenMap;
use super::{ChunkOptions, trimmed};

/// The windows over `whole`, which has more than `options.max_tokens` tokens.
pub(super) fn passages(text: &str, whole: Range<usize>, tokens: &TokenMap, options: &ChunkOptions) -> Vec<Range<usize>> {
    let (max_tokens, overlap) = (options.max_tokens, options.overlap_tokens);
    let num_tokens = tokens.len();
    // `n` windows that overlap by `overlap` cover `n * (size - overlap) + overlap` tokens.
    let stride = max_tokens - overlap;
    let num_windows = (num_tokens - overlap).div_ceil(stride);
    let size = (num_tokens - overlap).div_ceil(num_windows) + overlap;
    let mut ranges = Vec::new();
    let (mut first, mut start) = (0, whole.start);
    loop {
        // Even windows as long as words allow; a word that is moved to the next window must not make one more of them.
        let end = if num_tokens - first <= max_tokens {
            num_tokens
        } else {
            let no_less = first + overlap + 1;
            cut_at_or_before(text, tokens, first + size, no_less)
                .or_else(|| cut_after(text, tokens, first + size, first + max_tokens))
                .or_else(|| token_cut(tokens, first + max_tokens, no_less))
                .unwrap_or_else(|| character_end(tokens, first + max_tokens))
        };
        let end_position = tokens.start(end).unwrap_or(whole.end);
        ranges.push(trimmed(text, start..end_position));
        if end >= num_tokens {
            return ranges;
        }
        let next = cut_at_or_before(text, tokens, end, end.saturating_sub(overlap).max(first + 1))
            .filter(|_| overlap > 0)
            .map_or(end, |_| overlap_start(text, tokens, end, end.saturating_sub(overlap).max(first + 1)));
        (first, start) = (next, tokens.start(next).unwrap_or(whole.end));
    }
}
