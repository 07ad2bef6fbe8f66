//! Words to terms: those of Lucene's token filters that rewrite or drop one term at a time.
//!
//! Filters that add tokens or look at several are in [`super::stream_filters`]. Next: [`super::analyzers`].

use std::borrow::Cow;
use std::sync::Arc;

use frostem::Stemmer;
use rustc_hash::FxHashMap;

use super::categories::{digit_value, is_java_whitespace, simple_lowercase, simple_uppercase};
use super::java_regex::{Pattern, Replacement};
use super::stopwords::WordSet;
use super::stream::units;
use super::{folding, porter};

/// One step of an analyzer. The enum is closed and its values are data, so that an analyzer is a list of them.
#[derive(Clone)]
pub(super) enum Filter {
    /// `LowerCaseFilter`: character by character, without regard to context.
    Lowercase,
    /// `TurkishLowerCaseFilter`: I becomes dotless, İ loses its dot.
    TurkishLowercase,
    /// `GreekLowerCaseFilter`: lower case without accents and with one form of sigma.
    GreekLowercase,
    /// `IrishLowerCaseFilter`: t and n before a capital vowel are set off by a hyphen.
    IrishLowercase,
    /// `UpperCaseFilter`.
    Uppercase,
    /// `StopFilter`: drops words and leaves a hole in the positions.
    Stop(WordSet),
    /// `KeepWordFilter`: drops all others.
    Keep(WordSet),
    /// `EnglishPossessiveFilter`: removes a final 's.
    EnglishPossessive,
    /// `ApostropheFilter`: removes an apostrophe and all after it.
    Apostrophe,
    /// `ElisionFilter`: removes an article before an apostrophe.
    Elision(WordSet),
    /// `DecimalDigitFilter`: other scripts' digits become 0 to 9.
    DecimalDigits,
    /// `ASCIIFoldingFilter`, without the original beside it.
    AsciiFolding,
    /// `LengthFilter`, in UTF-16 units.
    Length { min: u32, max: u32 },
    /// `TruncateTokenFilter`, in UTF-16 units.
    Truncate(u32),
    /// `TrimFilter`.
    Trim,
    /// `ReverseStringFilter`.
    Reverse,
    /// `SetKeywordMarkerFilter`, `PatternKeywordMarkerFilter`: stemmers leave these words alone.
    KeywordMarker(WordSet),
    /// The same by a pattern that the whole word matches.
    KeywordPattern(Pattern),
    /// `StemmerOverrideFilter`.
    StemmerOverride(Arc<FxHashMap<Box<str>, Box<str>>>),
    /// `PatternReplaceFilter`.
    PatternReplace { pattern: Pattern, replacement: Replacement, all: bool },
    /// A filter that rewrites characters, by its name.
    Normalization(&'static str, fn(&mut String)),
    /// A stemmer that is a function, by its name; leaves keywords alone.
    Stem(&'static str, fn(&mut String)),
    /// A Snowball stemmer; leaves keywords alone.
    Snowball(Stemmer),
    /// One of Snowball's version of 2018, by its name: as [`Filter::Snowball`].
    OldSnowball(&'static str, Arc<rust_stemmers::Stemmer>),
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Filter::Lowercase => "lowercase",
            Filter::TurkishLowercase => "turkish_lowercase",
            Filter::GreekLowercase => "greek_lowercase",
            Filter::IrishLowercase => "irish_lowercase",
            Filter::Uppercase => "uppercase",
            Filter::Stop(_) => "stop",
            Filter::Keep(_) => "keep",
            Filter::EnglishPossessive => "possessive_english",
            Filter::Apostrophe => "apostrophe",
            Filter::Elision(_) => "elision",
            Filter::DecimalDigits => "decimal_digit",
            Filter::AsciiFolding => "asciifolding",
            Filter::Length { .. } => "length",
            Filter::Truncate(_) => "truncate",
            Filter::Trim => "trim",
            Filter::Reverse => "reverse",
            Filter::KeywordMarker(_) | Filter::KeywordPattern(_) => "keyword_marker",
            Filter::StemmerOverride(_) => "stemmer_override",
            Filter::PatternReplace { .. } => "pattern_replace",
            Filter::Normalization(name, _) | Filter::Stem(name, _) => name,
            Filter::OldSnowball(name, _) => name,
            Filter::Snowball(stemmer) => return write!(f, "snowball({})", stemmer.algorithm().name()),
        })
    }
}

impl Filter {
    /// The original Porter stemmer.
    pub(super) const PORTER: Filter = Filter::Stem("porter_stem", porter::stem);

    /// Whether it rewrites characters one by one, so that it also fits a part of a word and a keyword field's normalizer.
    pub(super) fn is_normalizing(&self) -> bool {
        match self {
            Filter::Lowercase
            | Filter::TurkishLowercase
            | Filter::GreekLowercase
            | Filter::IrishLowercase
            | Filter::Uppercase
            | Filter::DecimalDigits
            | Filter::AsciiFolding
            | Filter::Trim
            | Filter::Elision(_)
            | Filter::PatternReplace { .. }
            | Filter::Normalization(..) => true,
            Filter::Stop(_)
            | Filter::Keep(_)
            | Filter::EnglishPossessive
            | Filter::Apostrophe
            | Filter::Length { .. }
            | Filter::Truncate(_)
            | Filter::Reverse
            | Filter::KeywordMarker(_)
            | Filter::KeywordPattern(_)
            | Filter::StemmerOverride(_)
            | Filter::Stem(..)
            | Filter::Snowball(_)
            | Filter::OldSnowball(..) => false,
        }
    }

    /// Rewrites `term` in place; `false` drops it. `keyword` is set for words that stemmers must leave alone.
    ///
    /// PERF: lower case of ASCII, the commonest, is inlined.
    #[inline]
    pub(super) fn apply(&self, term: &mut String, keyword: &mut bool) -> bool {
        if matches!(self, Filter::Lowercase) && term.is_ascii() {
            term.make_ascii_lowercase();
            return true;
        }
        self.rewrite(term, keyword)
    }

    fn rewrite(&self, term: &mut String, keyword: &mut bool) -> bool {
        match self {
            Filter::Lowercase => map_chars(term, simple_lowercase),
            Filter::TurkishLowercase => turkish_lowercase(term),
            Filter::GreekLowercase => map_chars(term, greek_lowercase),
            Filter::IrishLowercase => irish_lowercase(term),
            Filter::Uppercase => map_chars(term, simple_uppercase),
            Filter::Stop(words) => return !words.contains(term),
            Filter::Keep(words) => return words.contains(term),
            Filter::EnglishPossessive => {
                let owner = term.strip_suffix(['s', 'S']).and_then(|rest| rest.strip_suffix(['\'', '’', '＇']));
                if let Some(owner_len) = owner.map(str::len) {
                    term.truncate(owner_len);
                }
            }
            Filter::Apostrophe => {
                if let Some(at) = term.find(['\'', '’']) {
                    term.truncate(at);
                }
            }
            Filter::Elision(articles) => elide(term, articles),
            Filter::DecimalDigits => map_chars(term, ascii_digit),
            Filter::AsciiFolding => folding::fold(term),
            Filter::Length { min, max } => return (*min..=*max).contains(&units(term)),
            Filter::Truncate(length) => {
                if !*keyword {
                    truncate(term, *length);
                }
            }
            Filter::Trim => {
                // Java's `trim` for the ends of a token: everything that `Character.isWhitespace` says.
                let trimmed = term.trim_matches(is_java_whitespace);
                if trimmed.len() < term.len() {
                    *term = trimmed.to_string();
                }
            }
            Filter::Reverse => *term = term.chars().rev().collect(),
            Filter::KeywordMarker(words) => *keyword |= words.contains(term),
            Filter::KeywordPattern(pattern) => {
                *keyword |= pattern.find(term).is_some_and(|found| found.len() == term.len());
            }
            Filter::StemmerOverride(rules) => {
                if !*keyword && let Some(stem) = rules.get(term.as_str()) {
                    term.clear();
                    term.push_str(stem);
                    *keyword = true;
                }
            }
            Filter::PatternReplace { pattern, replacement, all } => {
                if let Some(replaced) = replacement.replace(pattern, term, *all) {
                    *term = replaced;
                }
            }
            Filter::Normalization(_, rewrite) => rewrite(term),
            Filter::Stem(_, stem) => {
                if !*keyword {
                    stem(term);
                }
            }
            Filter::OldSnowball(_, stemmer) => {
                if !*keyword && let Cow::Owned(stemmed) = stemmer.stem(term) {
                    *term = stemmed;
                }
            }
            Filter::Snowball(stemmer) => {
                // A borrowed answer is the word itself.
                if !*keyword && let Cow::Owned(stemmed) = stemmer.stem(term) {
                    *term = stemmed;
                }
            }
        }
        true
    }
}

/// Rewrites each character; no work where none changes.
pub(super) fn map_chars(term: &mut String, map: impl Fn(char) -> char) {
    if term.chars().any(|c| map(c) != c) {
        *term = term.chars().map(map).collect();
    }
}

/// A dot above (U+0307) that follows I makes it an i, with other marks between them or none.
fn turkish_lowercase(term: &mut String) {
    let chars: Vec<char> = term.chars().collect();
    let mut lower = String::with_capacity(term.len());
    let mut after_i = false;
    for (at, &c) in chars.iter().enumerate() {
        match c {
            'I' => {
                let rest = chars.get(at + 1..).unwrap_or_default();
                let dotted =
                    rest.iter().take_while(|&&c| super::categories::EXTENDERS.contains(c)).any(|&c| c == '\u{307}');
                lower.push(if dotted { 'i' } else { 'ı' });
                after_i = true;
                continue;
            }
            '\u{307}' if after_i => {
                after_i = false;
                continue;
            }
            'İ' => lower.push('i'),
            _ => lower.push(simple_lowercase(c)),
        }
        after_i &= super::categories::EXTENDERS.contains(c);
    }
    *term = lower;
}

fn greek_lowercase(c: char) -> char {
    match simple_lowercase(c) {
        'ς' => 'σ',
        'ά' => 'α',
        'έ' => 'ε',
        'ή' => 'η',
        'ί' | 'ϊ' | 'ΐ' => 'ι',
        'ύ' | 'ϋ' | 'ΰ' => 'υ',
        'ό' => 'ο',
        'ώ' => 'ω',
        lower => lower,
    }
}

fn irish_lowercase(term: &mut String) {
    let mut chars = term.chars();
    let prothesis = matches!(chars.next(), Some('n' | 't'))
        && matches!(chars.next(), Some('A' | 'E' | 'I' | 'O' | 'U' | 'Á' | 'É' | 'Í' | 'Ó' | 'Ú'));
    if prothesis {
        term.insert(1, '-');
    }
    map_chars(term, simple_lowercase);
}

fn ascii_digit(c: char) -> char {
    if c.is_ascii() {
        return c;
    }
    digit_value(c).and_then(|value| char::from_digit(value, 10)).unwrap_or(c)
}

fn truncate(term: &mut String, length: u32) {
    let mut left = length;
    let mut end = 0;
    for c in term.chars() {
        let width = if c.len_utf16() == 2 { 2 } else { 1 };
        if width > left {
            break;
        }
        left -= width;
        end += c.len_utf8();
    }
    term.truncate(end);
}

fn elide(term: &mut String, articles: &WordSet) {
    let Some(at) = term.find(['\'', '’']) else { return };
    if articles.contains(&term[..at]) {
        let apostrophe_len = if term.as_bytes().get(at) == Some(&b'\'') { 1 } else { '’'.len_utf8() };
        term.drain(..at + apostrophe_len);
    }
}

/// The articles that Lucene's `FrenchAnalyzer` elides.
pub(super) const FRENCH_ARTICLES: &[&str] =
    &["l", "m", "t", "qu", "n", "s", "j", "d", "c", "jusqu", "quoiqu", "lorsqu", "puisqu"];

/// The articles that Lucene's `ItalianAnalyzer` elides.
pub(super) const ITALIAN_ARTICLES: &[&str] = &[
    "c", "l", "all", "dall", "dell", "nell", "sull", "coll", "pell", "gl", "agl", "dagl", "degl", "negl", "sugl", "un",
    "m", "t", "s", "v", "d",
];
