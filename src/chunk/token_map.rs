//! Where the tokens of a text lie: counts of any stretch, and whether a place is inside a token.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::models::Tokenize;

/// The tokens of a text. Starts and ends ascend; several tokens may lie on one character.
#[derive(Debug, Default)]
pub(super) struct TokenMap {
    starts: Vec<u32>,
    ends: Vec<u32>,
}

/// A tokenizer holds a hundred bytes a token while it works: long texts are given to it in parts of about this size.
const PART_BYTES: usize = 64 << 10;

impl TokenMap {
    /// Tokenises `text` once.
    pub(super) fn new(text: &str, tokenizer: &dyn Tokenize) -> Result<Self> {
        let mut map = Self::default();
        let mut start = 0;
        while start < text.len() {
            let end = part_end(text, start);
            for token in tokenizer.token_offsets(&text[start..end])? {
                map.push(text, start + token.start..start + token.end)?;
            }
            start = end;
        }
        Ok(map)
    }

    /// Adds a token without the white space that some tokenizers count to it.
    fn push(&mut self, text: &str, token: Range<usize>) -> Result<()> {
        let floor = |position: usize| text.floor_char_boundary(position.min(text.len()));
        let (start, end) = (floor(token.start), floor(token.end));
        let covered = text.get(start..end).unwrap_or_default();
        let start = start + (covered.len() - covered.trim_start().len());
        let too_large = |_| Error::invalid_input("a text field has more than 4 GiB; split the document");
        let start = u32::try_from(start).map_err(too_large)?.max(self.starts.last().copied().unwrap_or(0));
        let end = u32::try_from(end).map_err(too_large)?.max(start).max(self.ends.last().copied().unwrap_or(0));
        self.starts.push(start);
        self.ends.push(end);
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// How many tokens begin before `position`.
    pub(super) fn num_before(&self, position: usize) -> usize {
        self.starts.partition_point(|&start| (start as usize) < position)
    }

    /// How many tokens begin in `range`.
    pub(super) fn count(&self, range: &Range<usize>) -> usize {
        self.num_before(range.end) - self.num_before(range.start)
    }

    /// Whether a token begins before `position` and ends after it.
    pub(super) fn is_inside(&self, position: usize) -> bool {
        let num_before = self.num_before(position);
        num_before > 0 && self.ends[num_before - 1] as usize > position
    }

    /// First byte of token `idx`, `None` after the last.
    pub(super) fn start(&self, idx: usize) -> Option<usize> {
        self.starts.get(idx).map(|&start| start as usize)
    }
}

/// Where the part that begins at `start` ends: after a blank line if there is one in its second half, else after white space, else
/// anywhere between two characters.
fn part_end(text: &str, start: usize) -> usize {
    let limit = text.floor_char_boundary(start + PART_BYTES);
    if limit == text.len() {
        return limit;
    }
    let middle = text.floor_char_boundary(start + PART_BYTES / 2);
    let second_half = &text[middle..limit];
    if let Some(gap) = second_half.rfind("\n\n") {
        return middle + gap + 2;
    }
    match second_half.char_indices().rev().find(|(_, c)| c.is_whitespace()) {
        Some((space, c)) => middle + space + c.len_utf8(),
        None => limit,
    }
}
