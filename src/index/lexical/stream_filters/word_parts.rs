//! How `word_delimiter` cuts a word into parts: at what is neither letter nor digit, at changes of case and between letters
//! and digits. Works in UTF-16 units, as Java does.

use std::collections::BTreeMap;

use super::super::categories::{CASELESS, LOWER, NUMBERS, UPPER};

/// What a character counts as: a set of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct CharKind(u8);

impl CharKind {
    pub(in super::super) const LOWER: Self = Self(1);
    pub(in super::super) const UPPER: Self = Self(2);
    pub(in super::super) const DIGIT: Self = Self(4);
    pub(in super::super) const DELIMITER: Self = Self(8);
    pub(in super::super) const ALPHA: Self = Self(3);
    pub(in super::super) const ALPHANUM: Self = Self(7);

    pub(super) fn shares(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn is_alpha(self) -> bool {
        self.shares(Self::ALPHA)
    }

    pub(super) fn is_digit(self) -> bool {
        self.shares(Self::DIGIT)
    }

    pub(super) fn is_delimiter(self) -> bool {
        self.shares(Self::DELIMITER)
    }
}

/// Where words are cut.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct WordParts {
    pub(in super::super) split_on_case_change: bool,
    pub(in super::super) split_on_numerics: bool,
    pub(in super::super) stem_english_possessive: bool,
    /// Kinds of characters by the user's table.
    pub(in super::super) kinds: BTreeMap<char, CharKind>,
}

/// A part of a word: units `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: CharKind,
}

/// A word's parts.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) parts: Vec<Part>,
    /// Whether the word is one part with delimiters, or a final 's, around it.
    pub(super) is_single: bool,
}

impl WordParts {
    fn kind(&self, unit: u16) -> CharKind {
        let Some(c) = char::from_u32(u32::from(unit)) else { return CharKind::ALPHANUM };
        if let Some(kind) = self.kinds.get(&c) {
            return *kind;
        }
        // Lucene's table of the first 256 characters goes by other rules than a user's: Java calls the two ordinal indicators lower
        // case, and only ASCII has digits.
        if c.is_ascii_lowercase()
            || (self.kinds.is_empty() && matches!(c, 'ª' | 'º'))
            || (!c.is_ascii() && LOWER.contains(c))
        {
            CharKind::LOWER
        } else if c.is_ascii_uppercase() || (!c.is_ascii() && UPPER.contains(c)) {
            CharKind::UPPER
        } else if c.is_ascii_digit() {
            CharKind::DIGIT
        } else if u32::from(c) < 256 && self.kinds.is_empty() {
            CharKind::DELIMITER
        } else if NUMBERS.contains(c) {
            CharKind::DIGIT
        } else if CASELESS.contains(c) {
            CharKind::ALPHA
        } else {
            CharKind::DELIMITER
        }
    }

    fn breaks(&self, before: CharKind, after: CharKind) -> bool {
        if before.shares(after) {
            return false;
        }
        let letters = before.is_alpha() && after.is_alpha();
        if letters && (!self.split_on_case_change || before.shares(CharKind::UPPER)) {
            return false;
        }
        let mixed = (before.is_alpha() && after.is_digit()) || (before.is_digit() && after.is_alpha());
        self.split_on_numerics || !mixed
    }

    /// The parts of `word`, in order; none when it holds delimiters only.
    pub(super) fn parts(&self, word: &[u16]) -> Parts {
        let kinds: Vec<CharKind> = word.iter().map(|&unit| self.kind(unit)).collect();
        let delimiter = |at: usize| kinds.get(at).is_some_and(|kind| kind.is_delimiter());
        let mut first = 0;
        while first < word.len() && delimiter(first) {
            first += 1;
        }
        let mut last = word.len();
        while last > first && delimiter(last - 1) {
            last -= 1;
        }
        let possessive = |at: usize| {
            self.stem_english_possessive
                && at > 2
                && word.get(at - 2) == Some(&u16::from(b'\''))
                && matches!(word.get(at - 1), Some(&s) if s == u16::from(b's') || s == u16::from(b'S'))
                && kinds.get(at - 3).is_some_and(|kind| kind.is_alpha())
                && (at == last || delimiter(at))
        };
        let mut parts = Vec::new();
        let (mut start, mut skip_possessive) = (0, false);
        loop {
            if std::mem::take(&mut skip_possessive) {
                start += 2;
            }
            while start < last && delimiter(start) {
                start += 1;
            }
            if start >= last {
                break;
            }
            let kind_at = |at: usize| kinds.get(at).copied().unwrap_or(CharKind::DELIMITER);
            let mut end = start + 1;
            while end < last && !self.breaks(kind_at(end - 1), kind_at(end)) {
                end += 1;
            }
            skip_possessive = end + 1 < last && possessive(end + 2);
            let kind = kind_at(start);
            let kind = if kind == CharKind::LOWER || kind == CharKind::UPPER { CharKind::ALPHA } else { kind };
            parts.push(Part { start, end, kind });
            start = end;
        }
        let whole_end = if possessive(last) { last - 2 } else { last };
        let is_single = parts.first().is_some_and(|part| part.start == first && part.end == whole_end);
        Parts { parts, is_single }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_where_lucene_cuts_them() {
        let all = WordParts {
            split_on_case_change: true,
            split_on_numerics: true,
            stem_english_possessive: true,
            kinds: BTreeMap::new(),
        };
        for (word, expected) in [
            ("PowerShot", "Power|Shot"),
            ("Wi-Fi's", "Wi|Fi"),
            ("XL500", "XL|500"),
            ("--a--", "a"),
            ("O'Neil's", "O|Neil"),
            ("😀a", "😀a"),
            ("...", ""),
        ] {
            let units: Vec<u16> = word.encode_utf16().collect();
            let parts: Vec<String> = all
                .parts(&units)
                .parts
                .iter()
                .map(|part| String::from_utf16_lossy(&units[part.start..part.end]))
                .collect();
            assert_eq!(parts.join("|"), expected, "{word}");
        }
    }
}
