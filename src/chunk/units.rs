//! The pieces of a text that are not cut further: headings, sentences, lines of code, and parts of what is too long for a passage.

use std::ops::Range;

use super::blocks::{self, BlockKind};
use super::token_map::TokenMap;
use super::{sentence, trimmed};

/// A piece. Pieces ascend, do not overlap, and leave out only white space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) range: Range<usize>,
    /// Its tokens and those of the white space before it (some tokenizers have such); at least 1, so that pieces without tokens
    /// come to an end too.
    pub(super) num_tokens: usize,
    pub(super) boundary: Boundary,
}

/// What a cut before a piece would cut. The order is that of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Boundary {
    /// The piece is a heading.
    Heading,
    Paragraph,
    Sentence,
    /// Within a sentence.
    Word,
    /// Within a word.
    Inside,
}

/// A piece is at most this part of a passage where a sentence has to be cut, so that passages can be made even.
const PIECES_A_PASSAGE: usize = 8;

/// The pieces of `text`, none with more than `max_tokens` tokens.
pub(super) fn units(text: &str, tokens: &TokenMap, max_tokens: usize) -> Vec<Unit> {
    let mut builder = Builder { text, tokens, max_tokens, units: Vec::new(), pending: None };
    for block in blocks::blocks(text) {
        let first = match (block.kind, block.is_apart) {
            (BlockKind::Heading, _) => Boundary::Heading,
            (BlockKind::Prose | BlockKind::Verbatim, true) => Boundary::Paragraph,
            (BlockKind::Prose | BlockKind::Verbatim, false) => Boundary::Sentence,
        };
        let content = &text[block.range.clone()];
        let starts = match block.kind {
            BlockKind::Heading => Vec::new(),
            BlockKind::Prose => sentence::starts(content),
            BlockKind::Verbatim => content.match_indices('\n').map(|(newline, _)| newline + 1).collect(),
        };
        let mut boundary = first;
        let mut start = block.range.start;
        for end in starts.into_iter().map(|start| block.range.start + start).chain([block.range.end]) {
            builder.piece(start..end, boundary);
            (start, boundary) = (end, Boundary::Sentence);
        }
    }
    builder.finish()
}

struct Builder<'a> {
    text: &'a str,
    tokens: &'a TokenMap,
    max_tokens: usize,
    units: Vec<Unit>,
    /// The last piece, which grows if the next begins inside a token.
    pending: Option<(Range<usize>, Boundary)>,
}

impl Builder<'_> {
    fn piece(&mut self, range: Range<usize>, boundary: Boundary) {
        let range = trimmed(self.text, range);
        if range.is_empty() {
            return;
        }
        if let Some((last, _)) = &mut self.pending
            && self.tokens.is_inside(range.start)
        {
            last.end = range.end;
            return;
        }
        self.flush();
        self.pending = Some((range, boundary));
    }

    fn finish(mut self) -> Vec<Unit> {
        self.flush();
        self.units
    }

    fn flush(&mut self) {
        let Some((range, boundary)) = self.pending.take() else { return };
        let last_end = self.units.last().map_or(0, |last| last.range.end);
        let num_gap_tokens = self.tokens.count(&(last_end..range.start));
        let num_tokens = self.tokens.count(&range);
        let first = self.units.len();
        if num_tokens <= self.max_tokens {
            self.units.push(Unit { range, num_tokens: num_tokens.max(1), boundary });
        } else {
            self.fragments(range, boundary);
        }
        if let Some(unit) = self.units.get_mut(first) {
            unit.num_tokens += num_gap_tokens;
        }
    }

    /// Cuts a piece that is too long where tokens begin: after a line end, else after a space, else within a word.
    fn fragments(&mut self, range: Range<usize>, mut boundary: Boundary) {
        let wanted = (self.max_tokens / PIECES_A_PASSAGE).max(1);
        let last_token = self.tokens.num_before(range.end);
        let mut token = self.tokens.num_before(range.start);
        let mut start = range.start;
        while last_token - token > wanted {
            let Some((next_token, next_boundary)) = self.next_cut(start, token, wanted, last_token) else { break };
            let end = self.tokens.start(next_token).unwrap_or(range.end);
            self.fragment(start..end, next_token - token, boundary);
            (start, token, boundary) = (end, next_token, next_boundary);
        }
        self.fragment(start..range.end, last_token - token, boundary);
    }

    fn fragment(&mut self, range: Range<usize>, num_tokens: usize, boundary: Boundary) {
        let range = trimmed(self.text, range);
        if !range.is_empty() {
            self.units.push(Unit { range, num_tokens: num_tokens.max(1), boundary });
        }
    }

    /// The token before which to cut next, from `token` on: the last word start among the next `wanted` tokens, else the first that leaves no
    /// more than `max_tokens`, else the last place between two characters among them.
    fn next_cut(&self, start: usize, token: usize, wanted: usize, last_token: usize) -> Option<(usize, Boundary)> {
        // Of several tokens on one character only the first may be cut off.
        let first_at = |position: usize, idx: usize| (self.tokens.num_before(position) == idx).then_some(position);
        let boundary_at = |idx: usize| self.boundary_before(start, first_at(self.tokens.start(idx)?, idx)?);
        let furthest = (token + self.max_tokens).min(last_token - 1);
        let near = token + 1..=(token + wanted).min(furthest);
        let far = *near.end() + 1..=furthest;
        let is_word = |(_, boundary): &(usize, Boundary)| *boundary != Boundary::Inside;
        let with_boundary = |idx: usize| boundary_at(idx).map(|boundary| (idx, boundary));
        near.clone()
            .rev()
            .filter_map(with_boundary)
            .find(is_word)
            .or_else(|| far.clone().filter_map(with_boundary).find(is_word))
            .or_else(|| (token + 1..=furthest).rev().find_map(with_boundary))
            // A character of more tokens than a passage may have: after it.
            .or_else(|| (furthest + 1..last_token).find_map(with_boundary))
    }

    /// What a cut at `position` would cut; `None` if nothing may be cut there: before the
    /// first character, in a token, in white space.
    fn boundary_before(&self, start: usize, position: usize) -> Option<Boundary> {
        let begins_with_space = self.text[position..].starts_with(char::is_whitespace);
        if position <= start || begins_with_space || self.tokens.is_inside(position) {
            return None;
        }
        let before = &self.text[start..position];
        let gap = &before[before.trim_end().len()..];
        Some(match (gap.is_empty(), gap.contains('\n')) {
            (true, _) => Boundary::Inside,
            (false, true) => Boundary::Sentence,
            (false, false) => Boundary::Word,
        })
    }
}
