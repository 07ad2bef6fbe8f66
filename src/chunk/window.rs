//! The `word` strategy: windows of even length that overlap by a number of tokens, cut where words begin.

use std::ops::Range;

use super::token_map::TokenMap;
use super::{ChunkOptions, trimmed};

/// The windows over `whole`, which has more than `options.max_tokens` tokens.
///
/// `n` windows of `size` tokens that overlap by `overlap` cover `n * (size - overlap) + overlap`. The least `n` gives the size; a
/// window ends with the last word that fits, so that the last window may be shorter, or one more than `n`.
pub(super) fn passages(
    text: &str,
    whole: Range<usize>,
    tokens: &TokenMap,
    options: &ChunkOptions,
) -> Vec<Range<usize>> {
    let (max_tokens, overlap) = (options.max_tokens, options.overlap_tokens);
    let (first_token, last_token) = (tokens.num_before(whole.start), tokens.num_before(whole.end));
    let num_tokens = (last_token - first_token).max(overlap + 1);
    let num_windows = (num_tokens - overlap).div_ceil(max_tokens - overlap);
    let size = (num_tokens - overlap).div_ceil(num_windows) + overlap;
    let cuts = Cuts { text, tokens };
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let (mut first, mut previous_end) = (first_token, first_token);
    loop {
        let start = if first == first_token { whole.start } else { tokens.start(first).unwrap_or(whole.end) };
        if last_token - first <= max_tokens {
            ranges.push(trimmed(text, start..whole.end));
            return ranges;
        }
        // A window says something new, and begins after the end of the window before the last.
        let least = first.max(previous_end) + 1;
        let end = cuts
            .last_word_start(least..first + size + 1)
            .or_else(|| cuts.first_word_start(first + size + 1..first + max_tokens + 1))
            .or_else(|| cuts.last_character_start(least..first + max_tokens + 1));
        if end.is_none() && first < previous_end {
            // What is repeated leaves no place for something new.
            first = previous_end;
            continue;
        }
        let end = end.or_else(|| cuts.first_character_start(first + max_tokens + 1..last_token));
        let Some(end) = end else {
            ranges.push(trimmed(text, start..whole.end));
            return ranges;
        };
        ranges.push(trimmed(text, start..tokens.start(end).unwrap_or(whole.end)));
        let earliest = end.saturating_sub(overlap).max(previous_end).max(first + 1);
        first = cuts.first_word_start(earliest..end).unwrap_or(end);
        previous_end = end;
    }
}

/// Tokens before which a text may be cut.
struct Cuts<'a> {
    text: &'a str,
    tokens: &'a TokenMap,
}

impl Cuts<'_> {
    fn last_word_start(&self, mut among: Range<usize>) -> Option<usize> {
        among.rfind(|&token| self.is_word_start(token))
    }

    fn first_word_start(&self, mut among: Range<usize>) -> Option<usize> {
        among.find(|&token| self.is_word_start(token))
    }

    fn last_character_start(&self, mut among: Range<usize>) -> Option<usize> {
        among.rfind(|&token| self.is_cut(token))
    }

    fn first_character_start(&self, mut among: Range<usize>) -> Option<usize> {
        among.find(|&token| self.is_cut(token))
    }

    fn is_word_start(&self, token: usize) -> bool {
        self.is_cut(token)
            && self.tokens.start(token).is_some_and(|position| self.text[..position].ends_with(char::is_whitespace))
    }

    /// Whether this token begins with a character that is no white space, and no other goes over its beginning. Of several tokens on one
    /// character it is the first.
    fn is_cut(&self, token: usize) -> bool {
        self.tokens.start(token).is_some_and(|position| {
            position > 0
                && !self.text[position..].starts_with(char::is_whitespace)
                && !self.tokens.is_inside(position)
                && self.tokens.num_before(position) == token
        })
    }
}
