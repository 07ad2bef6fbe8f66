//! Tokens with all that Lucene knows of them, for filters that add, join and reorder tokens, and for `_analyze`.
//!
//! Simple pipelines never come here (see [`super::analyzers`]). A stream is a whole text's tokens in a vector, so that a
//! filter is a function from vector to vector. Offsets count UTF-16 units of the original text, as Lucene's do.

use std::borrow::Cow;

/// A token of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamToken {
    /// The term.
    pub term: String,
    /// Where it begins in the original text, in UTF-16 units.
    pub start: u32,
    /// Where it ends, in UTF-16 units.
    pub end: u32,
    /// How far it stands behind the token before it; 0 shares its place.
    pub increment: u32,
    /// How many positions it spans; more than 1 only in a graph.
    pub position_length: u32,
    /// Lucene's name of its kind.
    pub kind: TokenKind,
    /// Whether stemmers leave it alone.
    pub keyword: bool,
}

/// All tokens of a text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Stream {
    pub(super) tokens: Vec<StreamToken>,
    /// Holes after the last token.
    pub(super) end_increment: u32,
    /// The length of the original text, in UTF-16 units.
    pub(super) end_offset: u32,
}

impl Stream {
    /// Keeps some tokens, rewritten at will; the increments of those that go are added to the next.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&mut StreamToken) -> bool) {
        let mut skipped = 0_u32;
        self.tokens.retain_mut(|token| {
            if keep(token) {
                token.increment = token.increment.saturating_add(std::mem::take(&mut skipped));
                return true;
            }
            skipped = skipped.saturating_add(token.increment);
            false
        });
        self.end_increment = self.end_increment.saturating_add(skipped);
    }
}

/// What Lucene calls a token's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(missing_docs, reason = "the names are Lucene's, see `as_str`")]
pub enum TokenKind {
    #[default]
    Word,
    Alphanum,
    Num,
    SoutheastAsian,
    Ideographic,
    Hiragana,
    Katakana,
    Hangul,
    Emoji,
    Url,
    Email,
    Apostrophe,
    Acronym,
    Company,
    Host,
    Cj,
    Single,
    Double,
    Synonym,
    Shingle,
    Gram,
    Fingerprint,
}

impl TokenKind {
    /// Every kind.
    pub const ALL: [TokenKind; 22] = [
        TokenKind::Word,
        TokenKind::Alphanum,
        TokenKind::Num,
        TokenKind::SoutheastAsian,
        TokenKind::Ideographic,
        TokenKind::Hiragana,
        TokenKind::Katakana,
        TokenKind::Hangul,
        TokenKind::Emoji,
        TokenKind::Url,
        TokenKind::Email,
        TokenKind::Apostrophe,
        TokenKind::Acronym,
        TokenKind::Company,
        TokenKind::Host,
        TokenKind::Cj,
        TokenKind::Single,
        TokenKind::Double,
        TokenKind::Synonym,
        TokenKind::Shingle,
        TokenKind::Gram,
        TokenKind::Fingerprint,
    ];

    /// As `_analyze` prints it.
    pub const fn as_str(self) -> &'static str {
        match self {
            TokenKind::Word => "word",
            TokenKind::Alphanum => "<ALPHANUM>",
            TokenKind::Num => "<NUM>",
            TokenKind::SoutheastAsian => "<SOUTHEAST_ASIAN>",
            TokenKind::Ideographic => "<IDEOGRAPHIC>",
            TokenKind::Hiragana => "<HIRAGANA>",
            TokenKind::Katakana => "<KATAKANA>",
            TokenKind::Hangul => "<HANGUL>",
            TokenKind::Emoji => "<EMOJI>",
            TokenKind::Url => "<URL>",
            TokenKind::Email => "<EMAIL>",
            TokenKind::Apostrophe => "<APOSTROPHE>",
            TokenKind::Acronym => "<ACRONYM>",
            TokenKind::Company => "<COMPANY>",
            TokenKind::Host => "<HOST>",
            TokenKind::Cj => "<CJ>",
            TokenKind::Single => "<SINGLE>",
            TokenKind::Double => "<DOUBLE>",
            TokenKind::Synonym => "SYNONYM",
            TokenKind::Shingle => "shingle",
            TokenKind::Gram => "gram",
            TokenKind::Fingerprint => "fingerprint",
        }
    }
}

/// A count as `u32`; texts of more than 4 GiB do not occur.
pub(super) fn to_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The length in UTF-16 units.
pub(super) fn units(text: &str) -> u32 {
    if text.is_ascii() { to_u32(text.len()) } else { to_u32(text.chars().map(char::len_utf16).sum()) }
}

/// From bytes of a text to UTF-16 units and back.
#[derive(Debug)]
pub(super) enum Utf16Offsets {
    /// ASCII: they are the same.
    Same(u32),
    /// The unit at which each byte's character begins, one more at the end.
    ByByte(Vec<u32>),
}

impl Utf16Offsets {
    pub(super) fn new(text: &str) -> Self {
        if text.is_ascii() {
            return Self::Same(to_u32(text.len()));
        }
        let mut by_byte = Vec::with_capacity(text.len() + 1);
        let mut unit = 0_u32;
        for c in text.chars() {
            by_byte.extend(std::iter::repeat_n(unit, c.len_utf8()));
            unit += if c.len_utf16() == 2 { 2 } else { 1 };
        }
        by_byte.push(unit);
        Self::ByByte(by_byte)
    }

    /// The unit at which the character at `byte` begins.
    pub(super) fn unit(&self, byte: usize) -> u32 {
        match self {
            Self::Same(_) => to_u32(byte),
            Self::ByByte(by_byte) => by_byte.get(byte).or(by_byte.last()).copied().unwrap_or(0),
        }
    }

    /// The byte at which the character at `unit` begins; inside a surrogate pair, that of the pair.
    pub(super) fn byte(&self, unit: u32) -> usize {
        match self {
            Self::Same(len) => unit.min(*len) as usize,
            Self::ByByte(by_byte) => {
                let last = by_byte.len().saturating_sub(1);
                let after = by_byte.partition_point(|&at| at <= unit);
                let Some(found) = after.checked_sub(1).and_then(|at| by_byte.get(at)).copied() else { return 0 };
                by_byte.partition_point(|&at| at < found).min(last)
            }
        }
    }

    /// The length in units.
    pub(super) fn len(&self) -> u32 {
        match self {
            Self::Same(len) => *len,
            Self::ByByte(by_byte) => by_byte.last().copied().unwrap_or(0),
        }
    }
}

/// Where a filtered text's offsets lie in the text before it: differences by offset, in UTF-16 units, rising.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Corrections {
    at: Vec<(u32, i64)>,
}

impl Corrections {
    /// From `offset` of the filtered text on, the original's is larger by `difference`.
    pub(super) fn add(&mut self, offset: u32, difference: i64) {
        match self.at.last_mut() {
            Some((last, known)) if *last == offset => *known = difference,
            _ => self.at.push((offset, difference)),
        }
    }

    /// The difference at the end.
    pub(super) fn last_difference(&self) -> i64 {
        self.at.last().map_or(0, |&(_, difference)| difference)
    }

    /// The original offset of one of the filtered text.
    pub(super) fn correct(&self, offset: u32) -> u32 {
        let after = self.at.partition_point(|&(at, _)| at <= offset);
        let difference = after.checked_sub(1).and_then(|at| self.at.get(at)).map_or(0, |&(_, difference)| difference);
        u32::try_from((i64::from(offset) + difference).max(0)).unwrap_or(u32::MAX)
    }
}

/// A text after its character filters, and the way back.
#[derive(Debug)]
pub(super) struct FilteredText<'a> {
    pub(super) text: Cow<'a, str>,
    /// One a filter that changed something, in the order of the filters.
    pub(super) corrections: Vec<Corrections>,
}

impl FilteredText<'_> {
    /// The offset in the original text of a unit of the filtered one.
    pub(super) fn original(&self, unit: u32) -> u32 {
        self.corrections.iter().rev().fold(unit, |offset, corrections| corrections.correct(offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn bytes_and_units_map_back(text in "\\PC{0,40}") {
            let offsets = Utf16Offsets::new(&text);
            proptest::prop_assert_eq!(offsets.len(), units(&text));
            for at in text.char_indices().map(|(at, _)| at).chain([text.len()]) {
                proptest::prop_assert_eq!(offsets.byte(offsets.unit(at)), at);
            }
        }
    }
}
