//! Text to raw words: Lucene's tokenizers. Next: [`super::filters`].
//!
//! Most cut the text into ranges ([`Tokenizer::for_each_word`]), which is what the fast path takes. `path_hierarchy` makes
//! terms of its own ([`super::path_hierarchy`]).

use unicode_segmentation::UnicodeSegmentation;

use super::categories::{
    CharSet, DIGITS, EXTENDERS, HAN, HANGUL, HIRAGANA, KATAKANA, LETTERS, NUMERIC_COMPANIONS, is_java_whitespace,
};
use super::java_regex::Pattern;
use super::path_hierarchy::PathHierarchy;
use super::stream::TokenKind;

/// Lucene's limit for a token of `standard`, `letter` and `whitespace`, in UTF-16 units; longer ones are cut into pieces.
pub(super) const MAX_TOKEN_LENGTH: usize = 255;

/// How a text is cut into words.
#[derive(Debug, Clone)]
pub(super) enum Tokenizer {
    /// Words by UAX #29, as Lucene's `StandardTokenizer`, cut to this length.
    Standard(usize),
    /// Runs of letters.
    Letter,
    /// What stands between white space, cut to this length.
    Whitespace(usize),
    /// The whole text is one token.
    Keyword,
    /// What stands between matches.
    Split(Pattern),
    /// What a group of each match holds.
    Match(Pattern, usize),
    /// What stands between characters of a set, cut to this length.
    CharGroup(CharGroup, usize),
    /// Substrings, by their length in characters.
    NGram { min: usize, max: usize, chars: Option<CharGroup>, edges_only: bool },
    /// A path and the paths above it.
    PathHierarchy(PathHierarchy),
}

/// Characters by class or by name.
#[derive(Debug, Clone, Default)]
pub(super) struct CharGroup {
    pub(super) sets: Vec<CharSet>,
    pub(super) white_space: bool,
    pub(super) chars: String,
}

impl CharGroup {
    pub(super) fn contains(&self, c: char) -> bool {
        self.sets.iter().any(|set| set.contains(c))
            || (self.white_space && is_java_whitespace(c))
            || self.chars.contains(c)
    }
}

impl Tokenizer {
    pub(super) const STANDARD: Tokenizer = Tokenizer::Standard(MAX_TOKEN_LENGTH);
    pub(super) const WHITESPACE: Tokenizer = Tokenizer::Whitespace(MAX_TOKEN_LENGTH);

    /// Calls `visit(start, end)` with the byte range of each word, in order. Nothing for `path_hierarchy`.
    pub(super) fn for_each_word(&self, text: &str, mut visit: impl FnMut(usize, usize)) {
        match self {
            Tokenizer::Standard(max_len) => standard_words(text, *max_len, &mut visit),
            Tokenizer::Letter => runs_of(text, |c| LETTERS.contains(c), MAX_TOKEN_LENGTH, &mut visit),
            Tokenizer::Whitespace(max_len) => runs_of(text, |c| !is_java_whitespace(c), *max_len, &mut visit),
            Tokenizer::Keyword => visit(0, text.len()),
            Tokenizer::Split(pattern) => {
                let mut from = 0;
                for found in pattern.find_iter(text) {
                    if found.start > from {
                        visit(from, found.start);
                    }
                    from = found.end;
                }
                if from < text.len() {
                    visit(from, text.len());
                }
            }
            Tokenizer::Match(pattern, group) => {
                let groups = pattern.captures_iter(text).filter_map(|groups| groups.get(*group));
                groups.filter(|found| !found.is_empty()).for_each(|found| visit(found.start, found.end));
            }
            Tokenizer::CharGroup(separators, max_len) => {
                runs_of(text, |c| !separators.contains(c), *max_len, &mut visit);
            }
            Tokenizer::NGram { min, max, chars, edges_only } => {
                let belongs = |c| chars.as_ref().is_none_or(|chars| chars.contains(c));
                runs_of(text, belongs, usize::MAX, &mut |start, end| {
                    grams(&text[start..end], *min, *max, *edges_only, &mut |from, to| visit(start + from, start + to));
                });
            }
            Tokenizer::PathHierarchy(_) => {}
        }
    }

    /// Lucene's type of a word that this tokenizer cut.
    pub(super) fn kind(&self, word: &str) -> TokenKind {
        if matches!(self, Tokenizer::Standard(_)) { standard_kind(word) } else { TokenKind::Word }
    }
}

/// Substrings of `min..=max` characters, by place, then by length.
pub(super) fn grams(text: &str, min: usize, max: usize, edges_only: bool, visit: &mut impl FnMut(usize, usize)) {
    let mut bounds: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    bounds.push(text.len());
    for start in 0..bounds.len().saturating_sub(1) {
        for length in min.max(1)..=max.min(bounds.len() - 1 - start) {
            visit(bounds[start], bounds[start + length]);
        }
        if edges_only {
            return;
        }
    }
}

fn runs_of(text: &str, belongs: impl Fn(char) -> bool, max_len: usize, visit: &mut impl FnMut(usize, usize)) {
    let mut run_start = None;
    for (at, c) in text.char_indices() {
        match (belongs(c), run_start) {
            (true, None) => run_start = Some(at),
            (false, Some(start)) => {
                cut_run(text, start, at, max_len, visit);
                run_start = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }
    if let Some(start) = run_start {
        cut_run(text, start, text.len(), max_len, visit);
    }
}

/// PERF: white space of ASCII always separates words, so that the text is cut there first; pure ASCII pieces, which are
/// most, then take the segmenter's fast path even in a text that has other characters.
fn standard_words(text: &str, max_len: usize, visit: &mut impl FnMut(usize, usize)) {
    if text.is_ascii() {
        standard_words_in(text, 0, text, max_len, visit);
        return;
    }
    let mut offset = 0;
    for piece in text.split_inclusive(|c: char| c.is_ascii_whitespace()) {
        standard_words_in(piece, offset, text, max_len, visit);
        offset += piece.len();
    }
}

fn standard_words_in(piece: &str, offset: usize, text: &str, max_len: usize, visit: &mut impl FnMut(usize, usize)) {
    if piece.is_ascii() {
        for (at, word) in piece.unicode_word_indices() {
            cut_long(text, offset + at, offset + at + word.len(), max_len, visit);
        }
        return;
    }
    // Lucene keeps a run of letters of Thai, Lao, Khmer and Myanmar together, which UAX #29 leaves to dictionaries.
    let mut pending: Option<(usize, usize)> = None;
    for (at, word) in piece.split_word_bound_indices() {
        let (start, end) = (offset + at, offset + at + word.len());
        let is_complex = word.chars().next().is_some_and(is_south_east_asian);
        match pending {
            Some((pending_start, pending_end)) if is_complex && pending_end == start => {
                pending = Some((pending_start, end));
                continue;
            }
            Some((pending_start, pending_end)) => {
                cut_long(text, pending_start, pending_end, max_len, visit);
                pending = None;
            }
            None => {}
        }
        if is_complex {
            pending = Some((start, end));
        } else if is_standard_word(word) {
            cut_long(text, start, end, max_len, visit);
        }
    }
    if let Some((start, end)) = pending {
        cut_long(text, start, end, max_len, visit);
    }
}

/// Whether Lucene's grammar makes a token of this segment: it holds a letter, a decimal digit, or an emoji.
fn is_standard_word(segment: &str) -> bool {
    let mut chars = segment.chars();
    // A regional indicator makes a flag with another one only.
    if matches!((chars.next(), chars.next()), (Some('\u{1f1e6}'..='\u{1f1ff}'), None)) {
        return false;
    }
    segment.chars().any(|c| (c.is_alphabetic() && !EXTENDERS.contains(c)) || DIGITS.contains(c) || is_pictograph(c))
}

/// The type that `StandardTokenizer` gives a word.
fn standard_kind(word: &str) -> TokenKind {
    let Some(first) = word.chars().next() else { return TokenKind::Alphanum };
    let all = |set: &CharSet| word.chars().all(|c| set.contains(c) || EXTENDERS.contains(c));
    let is_number = |c: char| DIGITS.contains(c) || NUMERIC_COMPANIONS.contains(c);
    if word.chars().any(|c| DIGITS.contains(c)) && word.chars().all(is_number) {
        return if word.contains('\u{20e3}') { TokenKind::Emoji } else { TokenKind::Num };
    }
    if word.is_ascii() {
        return TokenKind::Alphanum;
    }
    if is_south_east_asian(first) {
        TokenKind::SoutheastAsian
    } else if HAN.contains(first) {
        TokenKind::Ideographic
    } else if HIRAGANA.contains(first) && all(&HIRAGANA) {
        TokenKind::Hiragana
    } else if all(&KATAKANA) {
        TokenKind::Katakana
    } else if all(&HANGUL) {
        TokenKind::Hangul
    } else if word.chars().any(is_pictograph) && !word.chars().any(|c| LETTERS.contains(c)) {
        TokenKind::Emoji
    } else {
        TokenKind::Alphanum
    }
}

/// Scripts of line-break class SA, which are written without spaces between words.
fn is_south_east_asian(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{edf}' | '\u{1000}'..='\u{103f}' | '\u{1050}'..='\u{108f}' | '\u{109a}'..='\u{109f}'
        | '\u{1780}'..='\u{17dd}' | '\u{1950}'..='\u{1974}' | '\u{1980}'..='\u{19c9}' | '\u{1a20}'..='\u{1a7c}'
        | '\u{aa60}'..='\u{aadf}' | '\u{a9e0}'..='\u{a9ef}')
        && !matches!(c, '\u{e50}'..='\u{e59}' | '\u{ed0}'..='\u{ed9}' | '\u{e3f}')
}

/// `Extended_Pictographic` of Unicode's emoji-data.txt, and the regional indicators that make flags.
fn is_pictograph(c: char) -> bool {
    matches!(c, '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{2194}'..='\u{2199}'
        | '\u{21a9}'..='\u{21aa}' | '\u{231a}'..='\u{231b}' | '\u{2328}' | '\u{2388}' | '\u{23cf}'
        | '\u{23e9}'..='\u{23f3}' | '\u{23f8}'..='\u{23fa}' | '\u{25aa}'..='\u{25ab}' | '\u{25b6}' | '\u{25c0}'
        | '\u{25fb}'..='\u{25fe}' | '\u{2600}'..='\u{2605}' | '\u{2607}'..='\u{2612}' | '\u{2614}'..='\u{2685}'
        | '\u{2690}'..='\u{2705}' | '\u{2708}'..='\u{2712}' | '\u{2714}' | '\u{2716}' | '\u{271d}' | '\u{2721}'
        | '\u{2728}' | '\u{2733}'..='\u{2734}' | '\u{2744}' | '\u{2747}' | '\u{274c}' | '\u{274e}'
        | '\u{2753}'..='\u{2755}' | '\u{2757}' | '\u{2763}'..='\u{2767}' | '\u{2795}'..='\u{2797}' | '\u{27a1}'
        | '\u{27b0}' | '\u{27bf}' | '\u{2934}'..='\u{2935}' | '\u{2b05}'..='\u{2b07}' | '\u{2b1b}'..='\u{2b1c}'
        | '\u{2b50}' | '\u{2b55}' | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}' | '\u{1f000}'..='\u{1f0ff}'
        | '\u{1f10d}'..='\u{1f10f}' | '\u{1f12f}' | '\u{1f16c}'..='\u{1f171}' | '\u{1f17e}'..='\u{1f17f}'
        | '\u{1f18e}' | '\u{1f191}'..='\u{1f19a}' | '\u{1f1ad}'..='\u{1f1ff}' | '\u{1f201}'..='\u{1f20f}'
        | '\u{1f21a}' | '\u{1f22f}' | '\u{1f232}'..='\u{1f23a}' | '\u{1f23c}'..='\u{1f23f}'
        | '\u{1f249}'..='\u{1f3fa}' | '\u{1f400}'..='\u{1f53d}' | '\u{1f546}'..='\u{1f64f}'
        | '\u{1f680}'..='\u{1f6ff}' | '\u{1f774}'..='\u{1f77f}' | '\u{1f7d5}'..='\u{1f7ff}'
        | '\u{1f80c}'..='\u{1f80f}' | '\u{1f90c}'..='\u{1f93a}' | '\u{1f93c}'..='\u{1f945}'
        | '\u{1f947}'..='\u{1faff}' | '\u{1fc00}'..='\u{1fffd}')
}

/// Reports the run `text[start..end]`, in pieces where it is longer; a piece ends where it has `max_len` UTF-16 units or one more.
fn cut_run(text: &str, start: usize, end: usize, max_len: usize, visit: &mut impl FnMut(usize, usize)) {
    if end - start <= max_len {
        visit(start, end);
        return;
    }
    let (mut piece_start, mut units) = (start, 0);
    for (at, c) in text[start..end].char_indices() {
        units += c.len_utf16();
        if units >= max_len {
            let piece_end = start + at + c.len_utf8();
            visit(piece_start, piece_end);
            (piece_start, units) = (piece_end, 0);
        }
    }
    if piece_start < end {
        visit(piece_start, end);
    }
}

/// Reports the word `text[start..end]`. Where it is longer than `max_len` UTF-16 units, the words that a window of this length
/// shows, one after the other.
///
/// PERF: the test of the length is where it is inlined, the cutting where it is not.
#[inline]
fn cut_long(text: &str, start: usize, end: usize, max_len: usize, visit: &mut impl FnMut(usize, usize)) {
    if end - start <= max_len { visit(start, end) } else { cut_in_windows(text, start, end, max_len, visit) }
}

#[cold]
#[inline(never)]
fn cut_in_windows(text: &str, start: usize, end: usize, max_len: usize, visit: &mut dyn FnMut(usize, usize)) {
    let mut rest = start;
    while end - rest > max_len {
        let mut units = 0;
        let window = text[rest..end].char_indices().find(|(_, c)| {
            units += c.len_utf16();
            units > max_len
        });
        let Some((len, _)) = window else { break };
        let mut first = None;
        let mut keep_first = |start, end| {
            first.get_or_insert((start, end));
        };
        let mut keep_first: &mut dyn FnMut(usize, usize) = &mut keep_first;
        standard_words_in(&text[rest..rest + len], rest, text, usize::MAX, &mut keep_first);
        match first {
            Some((start, end)) => {
                visit(start, end);
                rest = end;
            }
            // Nothing fits: as Lucene does, go on behind what was looked at.
            None => rest += len.max(text[rest..].chars().next().map_or(1, char::len_utf8)),
        }
    }
    if rest == start {
        visit(start, end);
        return;
    }
    let mut visit = visit;
    standard_words_in(&text[rest..end], rest, text, usize::MAX, &mut visit);
}
