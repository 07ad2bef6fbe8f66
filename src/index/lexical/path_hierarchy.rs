//! `path_hierarchy`: `/a/b` gives `/a` and `/a/b`, or in reverse `/a/b` and `a/b` and `b`.

use super::stream::{FilteredText, StreamToken, TokenKind, Utf16Offsets};

/// Its parameters.
#[derive(Debug, Clone)]
pub(super) struct PathHierarchy {
    pub(super) delimiter: char,
    pub(super) replacement: char,
    pub(super) reverse: bool,
    /// How many parts are left out, at the front, or in reverse at the end.
    pub(super) skip: usize,
}

impl PathHierarchy {
    /// All tokens share the first's position, as in Lucene 9 (Lucene 10 gives each its own).
    pub(super) fn tokens(&self, text: &FilteredText<'_>, offsets: &Utf16Offsets) -> Vec<StreamToken> {
        let ranges = if self.reverse { self.suffixes(&text.text) } else { self.prefixes(&text.text) };
        let mut tokens: Vec<StreamToken> = Vec::with_capacity(ranges.len());
        for (start, end) in ranges {
            let path = text.text.get(start..end).unwrap_or_default();
            tokens.push(StreamToken {
                term: path.chars().map(|c| if c == self.delimiter { self.replacement } else { c }).collect(),
                start: text.original(offsets.unit(start)),
                end: text.original(offsets.unit(end)),
                increment: u32::from(tokens.is_empty()),
                position_length: 1,
                kind: TokenKind::Word,
                keyword: false,
            });
        }
        tokens
    }

    fn prefixes(&self, text: &str) -> Vec<(usize, usize)> {
        // Parts begin at the start and at every delimiter after the first character.
        let mut starts: Vec<usize> = vec![0];
        starts.extend(text.match_indices(self.delimiter).map(|(at, _)| at).filter(|&at| at > 0));
        let Some(&first) = starts.get(self.skip).filter(|_| !text.is_empty()) else { return Vec::new() };
        let ends = starts.iter().skip(self.skip + 1).copied().chain([text.len()]);
        ends.map(|end| (first, end)).collect()
    }

    fn suffixes(&self, text: &str) -> Vec<(usize, usize)> {
        let mut starts: Vec<usize> = vec![0];
        starts.extend(text.match_indices(self.delimiter).map(|(at, delimiter)| at + delimiter.len()));
        if starts.last().is_some_and(|&last| last < text.len()) {
            starts.push(text.len());
        }
        let Some(end) = starts.len().checked_sub(1 + self.skip).and_then(|at| starts.get(at)).copied() else {
            return Vec::new();
        };
        starts.iter().take(starts.len() - 1 - self.skip).map(|&start| (start, end)).collect()
    }
}
