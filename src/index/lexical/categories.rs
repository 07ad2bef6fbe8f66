//! Sets of characters by Unicode's general categories and scripts, as Java's `Character` tells them.

use std::sync::LazyLock;

use regex_syntax::hir::{Class, HirKind};

/// A set of characters. Cheap to ask, more so for ASCII.
#[derive(Debug, Clone, Default)]
pub(super) struct CharSet {
    ranges: Vec<(char, char)>,
    ascii: u128,
}

impl CharSet {
    /// The set that a character class of a regular expression names (`\p{L}`, `[\p{P}_]`); empty when it is no class.
    pub(super) fn new(class: &str) -> Self {
        let ranges: Vec<(char, char)> = match regex_syntax::parse(class).map(regex_syntax::hir::Hir::into_kind) {
            Ok(HirKind::Class(Class::Unicode(set))) => set.iter().map(|range| (range.start(), range.end())).collect(),
            Ok(HirKind::Class(Class::Bytes(set))) => {
                set.iter().map(|range| (char::from(range.start()), char::from(range.end()))).collect()
            }
            _ => Vec::new(),
        };
        let mut ascii = 0;
        for byte in 0..128_u8 {
            if within(&ranges, char::from(byte)) {
                ascii |= 1 << byte;
            }
        }
        Self { ranges, ascii }
    }

    pub(super) fn contains(&self, c: char) -> bool {
        if c.is_ascii() { self.ascii >> (u32::from(c)) & 1 == 1 } else { within(&self.ranges, c) }
    }
}

fn within(ranges: &[(char, char)], c: char) -> bool {
    let after = ranges.partition_point(|&(start, _)| start <= c);
    after.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|&(_, end)| c <= end)
}

macro_rules! sets {
    ($($(#[$doc:meta])* $name:ident = $class:literal;)*) => {
        $($(#[$doc])* pub(super) static $name: LazyLock<CharSet> = LazyLock::new(|| CharSet::new($class));)*
    };
}
sets! {
    /// `Character.isLetter`.
    LETTERS = r"\p{L}";
    /// `Character.isDigit`.
    DIGITS = r"\p{Nd}";
    /// The punctuation of ngram tokenizers.
    PUNCTUATION = r"\p{P}";
    /// The symbols of ngram tokenizers.
    SYMBOLS = r"\p{S}";
    /// `Character.isUpperCase`.
    UPPER = r"\p{Lu}";
    /// `Character.isLowerCase`.
    LOWER = r"\p{Ll}";
    /// Letters without case, and marks: the letters that split no word in `word_delimiter`.
    CASELESS = r"[\p{Lt}\p{Lm}\p{Lo}\p{M}]";
    /// What `word_delimiter` takes for digits.
    NUMBERS = r"\p{N}";
    /// Without the marks of repetition, which Lucene takes for letters.
    HAN = r"[\p{Han}--\u{3005}\u{303b}]";
    HIRAGANA = r"\p{Hiragana}";
    KATAKANA = r"[\p{Katakana}\u{30fc}\u{ff70}\u{ff9e}\u{ff9f}\u{3031}-\u{3035}\u{309b}\u{309c}\u{30a0}]";
    HANGUL = r"\p{Hangul}";
    /// What stands inside numbers and extends words: marks, joiners, connecting punctuation, separators of numbers.
    NUMERIC_COMPANIONS = r"[\p{M}\p{Cf}\p{Pc},.;'\u{37e}\u{589}\u{60c}\u{60d}\u{66c}\u{7f8}\u{2018}\u{2019}\u{2024}\u{2044}\u{fe10}\u{fe14}\u{fe50}\u{fe52}\u{fe54}\u{ff07}\u{ff0c}\u{ff0e}\u{ff1b}]";
    /// Marks and formatting characters, which belong to the character before them.
    EXTENDERS = r"[\p{M}\p{Cf}\u{ff9e}\u{ff9f}]";
}

/// The zeros of every script's decimal digits; nine digits follow each.
const ZEROS: &[u32] = &[
    0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0,
    0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620,
    0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x11066, 0x110f0, 0x11136, 0x111d0,
    0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950, 0x11c50, 0x11d50, 0x11da0, 0x16a60,
    0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e4f0, 0x1e950, 0x1fbf0,
];

/// The value of a decimal digit of any script.
pub(super) fn digit_value(c: char) -> Option<u32> {
    let code = u32::from(c);
    let after = ZEROS.partition_point(|&zero| zero <= code);
    let zero = ZEROS.get(after.checked_sub(1)?)?;
    Some(code - zero).filter(|&value| value < 10)
}

/// Java's `Character.toLowerCase`: always one character for one.
pub(super) fn simple_lowercase(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    c.to_lowercase().next().unwrap_or(c)
}

/// Java's `Character.toUpperCase`: always one character for one.
pub(super) fn simple_uppercase(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => one,
        // Of the characters that become several, only the Greek ones with an iota below have a single upper case.
        _ => match c {
            '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => {
                char::from_u32(u32::from(c) + 8).unwrap_or(c)
            }
            '\u{1fb3}' => '\u{1fbc}',
            '\u{1fc3}' => '\u{1fcc}',
            '\u{1ff3}' => '\u{1ffc}',
            _ => c,
        },
    }
}

/// Java's `Character.isWhitespace`: Unicode's spaces without the non-breaking ones, and the separators of ASCII.
pub(super) fn is_java_whitespace(c: char) -> bool {
    match c {
        '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{85}' => false,
        '\u{1c}'..='\u{1f}' => true,
        _ => c.is_whitespace(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_java_says() {
        assert!(
            LETTERS.contains('é') && LETTERS.contains('क') && !LETTERS.contains('\u{93e}') && !LETTERS.contains('Ⅷ')
        );
        assert!(
            PUNCTUATION.contains('_') && SYMBOLS.contains('€') && SYMBOLS.contains('^') && !PUNCTUATION.contains('€')
        );
        assert_eq!(digit_value('٣'), Some(3));
        assert_eq!(digit_value('x'), None);
        assert_eq!(simple_uppercase('ß'), 'ß');
        assert_eq!(simple_uppercase('ᾳ'), 'ᾼ');
        for c in DIGITS.ranges.iter().flat_map(|&(start, end)| start..=end).filter(|c| u32::from(*c) < 0x1_0000) {
            assert!(digit_value(c).is_some(), "{c:?}");
        }
    }
}
