//! Text to raw words: Lucene's tokenizers. Next: [`super::filters`].

use unicode_segmentation::UnicodeSegmentation;

/// Lucene's limit for a token of `standard`, `letter` and `whitespace`, in UTF-16 units; longer ones are cut into pieces.
const MAX_TOKEN_LENGTH: usize = 255;

/// How a text is cut into words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tokenizer {
    /// Words by UAX #29, as Lucene's `StandardTokenizer`.
    Standard,
    /// Runs of letters.
    Letter,
    /// What stands between white space.
    Whitespace,
    /// The whole text is one token.
    Keyword,
}

impl Tokenizer {
    /// Calls `visit(start, end)` with the byte range of each word, in order.
    pub(super) fn for_each_word(self, text: &str, mut visit: impl FnMut(usize, usize)) {
        match self {
            Tokenizer::Standard => standard_words(text, &mut visit),
            Tokenizer::Letter => runs_of(text, char::is_alphabetic, &mut visit),
            Tokenizer::Whitespace => runs_of(text, |c| !is_java_whitespace(c), &mut visit),
            Tokenizer::Keyword if text.is_empty() => {}
            Tokenizer::Keyword => visit(0, text.len()),
        }
    }
}

/// Java's `Character.isWhitespace`: Unicode's spaces without the non-breaking ones, and the separators of ASCII.
fn is_java_whitespace(c: char) -> bool {
    match c {
        '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{85}' => false,
        '\u{1c}'..='\u{1f}' => true,
        _ => c.is_whitespace(),
    }
}

fn runs_of(text: &str, belongs: impl Fn(char) -> bool, visit: &mut impl FnMut(usize, usize)) {
    let mut run_start = None;
    for (at, c) in text.char_indices() {
        match (belongs(c), run_start) {
            (true, None) => run_start = Some(at),
            (false, Some(start)) => {
                cut_long(text, start, at, visit);
                run_start = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }
    if let Some(start) = run_start {
        cut_long(text, start, text.len(), visit);
    }
}

/// PERF: white space of ASCII always separates words, so that the text is cut there first; pure ASCII pieces, which are
/// most, then take the segmenter's fast path even in a text that has other characters.
fn standard_words(text: &str, visit: &mut impl FnMut(usize, usize)) {
    if text.is_ascii() {
        standard_words_in(text, 0, text, visit);
        return;
    }
    let mut offset = 0;
    for piece in text.split_inclusive(|c: char| c.is_ascii_whitespace()) {
        standard_words_in(piece, offset, text, visit);
        offset += piece.len();
    }
}

fn standard_words_in(piece: &str, offset: usize, text: &str, visit: &mut impl FnMut(usize, usize)) {
    if piece.is_ascii() {
        for (at, word) in piece.unicode_word_indices() {
            cut_long(text, offset + at, offset + at + word.len(), visit);
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
                cut_long(text, pending_start, pending_end, visit);
                pending = None;
            }
            None => {}
        }
        if is_complex {
            pending = Some((start, end));
        } else if is_standard_word(word) {
            cut_long(text, start, end, visit);
        }
    }
    if let Some((start, end)) = pending {
        cut_long(text, start, end, visit);
    }
}

/// Whether Lucene's grammar makes a token of this segment: it holds a letter, a decimal digit, or an emoji.
fn is_standard_word(segment: &str) -> bool {
    segment.chars().any(|c| c.is_alphabetic() || is_decimal_digit(c) || is_pictograph(c))
}

/// General category Nd: numeric characters without letters' numerals, superscripts, fractions and enclosed numbers.
fn is_decimal_digit(c: char) -> bool {
    c.is_ascii_digit()
        || (c > '\u{ff}'
            && c.is_numeric()
            && !matches!(c, '\u{2070}'..='\u{218b}' | '\u{2460}'..='\u{24ff}' | '\u{2776}'..='\u{2793}'
                | '\u{3007}'..='\u{33ff}' | '\u{9f4}'..='\u{9f9}' | '\u{b72}'..='\u{b77}' | '\u{bf0}'..='\u{bf2}'
                | '\u{c78}'..='\u{c7e}' | '\u{d58}'..='\u{d5e}' | '\u{d70}'..='\u{d78}' | '\u{f2a}'..='\u{f33}'
                | '\u{1369}'..='\u{137c}' | '\u{17f0}'..='\u{17f9}'))
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

/// Reports `text[start..end]`, in pieces of [`MAX_TOKEN_LENGTH`] where it is longer.
fn cut_long(text: &str, start: usize, end: usize, visit: &mut impl FnMut(usize, usize)) {
    if end - start <= MAX_TOKEN_LENGTH {
        visit(start, end);
        return;
    }
    let (mut piece_start, mut units) = (start, 0);
    for (at, c) in text[start..end].char_indices() {
        if units + c.len_utf16() > MAX_TOKEN_LENGTH {
            visit(piece_start, start + at);
            (piece_start, units) = (start + at, 0);
        }
        units += c.len_utf16();
    }
    visit(piece_start, end);
}
