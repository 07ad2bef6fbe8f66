//! Fragments of a text in which matched words are marked.
//!
//! Pure functions over a text and the byte ranges that matched: [`best_fragments`] chooses what to show, [`mark`] writes it.
//! Work is done around the matches only, so a long text costs no more than a short one with as many matches.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

/// How matches are marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HighlightStyle<'a> {
    /// Put before a match.
    pub before: &'a str,
    /// Put after a match.
    pub after: &'a str,
    /// Whether `&`, `<`, `>` and quotes of the text become entities.
    pub escape_html: bool,
    /// The length of a fragment to aim at, in bytes.
    pub fragment_bytes: usize,
}

/// About two lines of a terminal.
const FRAGMENT_BYTES: usize = 160;

impl HighlightStyle<'_> {
    /// `<em>` around matches, text escaped.
    pub const HTML: HighlightStyle<'static> =
        HighlightStyle { before: "<em>", after: "</em>", escape_html: true, fragment_bytes: FRAGMENT_BYTES };
    /// Bold on a terminal.
    pub const ANSI: HighlightStyle<'static> =
        HighlightStyle { before: "\u{1b}[1m", after: "\u{1b}[0m", escape_html: false, fragment_bytes: FRAGMENT_BYTES };
    /// No marks.
    pub const PLAIN: HighlightStyle<'static> =
        HighlightStyle { before: "", after: "", escape_html: false, fragment_bytes: FRAGMENT_BYTES };
}

/// A stretch of a text that is worth showing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// The bytes of the text, on word bounds, without white space at either end.
    pub range: Range<usize>,
    /// How many different words (case aside) are matched in it; 0 where nothing matched.
    pub num_words: usize,
    /// How many matches lie in it.
    pub num_matches: usize,
}

/// The fragment with the most different matched words, then the most matches, then the earliest; the beginning of the text
/// where nothing matched.
///
/// * `matches`: byte ranges in any order; empty ones and those that do not lie on character bounds of the text are ignored,
///   overlapping ones count as one.
/// * `fragment_bytes`: the length to aim at. A fragment ends at the bounds of words, begins with the match's sentence where that
///   fits, and is longer than this only where one match is.
pub fn best_fragment(text: &str, matches: &[Range<usize>], fragment_bytes: usize) -> Fragment {
    let none = || Fragment { range: widen(text, 0..0, 0..text.len(), fragment_bytes), num_words: 0, num_matches: 0 };
    best_fragments(text, matches, fragment_bytes, 1).pop().unwrap_or_else(none)
}

/// Up to `num_fragments` fragments that do not overlap, the best as [`best_fragment`] says, in the order of the text.
/// Nothing where nothing matched.
pub fn best_fragments(
    text: &str,
    matches: &[Range<usize>],
    fragment_bytes: usize,
    num_fragments: usize,
) -> Vec<Fragment> {
    let merged = merge(text, matches);
    let mut windows = windows(text, &merged, fragment_bytes);
    windows.sort_by_key(|window| std::cmp::Reverse((window.num_words, window.num_matches)));
    let mut fragments: Vec<Fragment> = Vec::new();
    for window in windows {
        if fragments.len() == num_fragments {
            break;
        }
        // Context must not run into a neighbour that is shown already.
        let free = free_around(text, &window.range, &fragments);
        let Some(free) = free else { continue };
        let range = widen(text, window.range, free, fragment_bytes);
        fragments.push(Fragment { range, ..window });
    }
    fragments.sort_by_key(|fragment| fragment.range.start);
    fragments
}

/// Matches in order, each on character bounds, none overlapping another.
fn merge(text: &str, matches: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut valid: Vec<Range<usize>> = matches
        .iter()
        .filter(|range| text.get((*range).clone()).is_some_and(|text| !text.is_empty()))
        .cloned()
        .collect();
    valid.sort_unstable_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(valid.len());
    for range in valid {
        match merged.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// For each match, the stretch from it to the last match that still fits into a fragment.
fn windows(text: &str, merged: &[Range<usize>], fragment_bytes: usize) -> Vec<Fragment> {
    let words: Vec<String> = merged.iter().map(|range| text[range.clone()].to_lowercase()).collect();
    let mut windows = Vec::with_capacity(merged.len());
    for (first, start) in merged.iter().enumerate() {
        let fitting =
            merged[first..].iter().take_while(|range| range.end - start.start <= fragment_bytes).count().max(1);
        let mut different: Vec<&String> = words[first..first + fitting].iter().collect();
        different.sort_unstable();
        different.dedup();
        let range = start.start..merged[first + fitting - 1].end;
        windows.push(Fragment { range, num_words: different.len(), num_matches: fitting });
    }
    windows
}

/// The bytes around `range` that no fragment covers; `None` where `range` itself meets one.
fn free_around(text: &str, range: &Range<usize>, fragments: &[Fragment]) -> Option<Range<usize>> {
    let mut free = 0..text.len();
    for taken in fragments.iter().map(|fragment| &fragment.range) {
        if taken.end <= range.start {
            free.start = free.start.max(taken.end);
        } else if taken.start >= range.end {
            free.end = free.end.min(taken.start);
        } else {
            return None;
        }
    }
    Some(free)
}

/// Adds context on both sides, up to about `bytes` in all and within `free`: from the beginning of the sentence where that
/// leaves room, else a third before and the rest after, cut at the bounds of words.
fn widen(text: &str, range: Range<usize>, free: Range<usize>, bytes: usize) -> Range<usize> {
    let spare = bytes.saturating_sub(range.len());
    let reach = floor(text, range.start.saturating_sub(spare * 2 / 3).max(free.start));
    let before = &text[reach..range.start];
    let sentence = match before.split_sentence_bound_indices().last() {
        // The last sentence's start, unless it is only the edge of what was looked at.
        Some((at, _)) if at > 0 || reach == free.start => Some(reach + at),
        Some(_) | None => None,
    };
    let third = floor(text, range.start.saturating_sub(spare / 3).max(free.start));
    let start = sentence.unwrap_or_else(|| match third == free.start {
        true => third,
        false => {
            third
                + text[third..range.start]
                    .split_word_bound_indices()
                    .map(|(at, _)| at)
                    .nth(1)
                    .unwrap_or(range.start - third)
        }
    });
    let end_limit = floor(text, start.saturating_add(bytes).max(range.end).min(free.end));
    let end = match end_limit == free.end {
        true => end_limit,
        false => range.end + last_word_bound(&text[range.end..], end_limit - range.end),
    };
    trim(text, start..end, &range)
}

/// The last bound of words in `text` at or before `limit`.
fn last_word_bound(text: &str, limit: usize) -> usize {
    text.split_word_bound_indices().map(|(at, word)| at + word.len()).take_while(|&at| at <= limit).last().unwrap_or(0)
}

/// Without white space at either end, but never less than `least`.
fn trim(text: &str, range: Range<usize>, least: &Range<usize>) -> Range<usize> {
    let shown = &text[range.clone()];
    let start = range.start + (shown.len() - shown.trim_start().len());
    let end = range.start + shown.trim_end().len();
    if least.is_empty() { start.min(end)..end } else { start.min(least.start)..end.max(least.end) }
}

/// The character bound at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at)
}

/// The text of a fragment with its matches marked and an ellipsis where it was cut.
///
/// * `fragment`: bytes of the text on character bounds; nothing is written for others.
/// * `matches`: as in [`best_fragment`]; those that leave the fragment are not marked.
///
/// White space of any kind becomes a space, and other control characters U+FFFD: text must not steer the terminal.
pub fn mark(text: &str, fragment: &Range<usize>, matches: &[Range<usize>], style: &HighlightStyle<'_>) -> String {
    if text.get(fragment.clone()).is_none() {
        return String::new();
    }
    let mut marked = String::with_capacity(fragment.len() + 32);
    if !text[..fragment.start].trim_start().is_empty() {
        marked.push('…');
    }
    let mut at = fragment.start;
    let merged = merge(text, matches);
    for range in merged.iter().filter(|range| range.start >= fragment.start && range.end <= fragment.end) {
        push(&mut marked, &text[at..range.start], style);
        marked.push_str(style.before);
        push(&mut marked, &text[range.clone()], style);
        marked.push_str(style.after);
        at = range.end;
    }
    push(&mut marked, &text[at..fragment.end], style);
    if !text[fragment.end..].trim_end().is_empty() {
        marked.push('…');
    }
    marked
}

fn push(marked: &mut String, text: &str, style: &HighlightStyle<'_>) {
    for character in text.chars() {
        match character {
            '&' if style.escape_html => marked.push_str("&amp;"),
            '<' if style.escape_html => marked.push_str("&lt;"),
            '>' if style.escape_html => marked.push_str("&gt;"),
            '"' if style.escape_html => marked.push_str("&quot;"),
            '\'' if style.escape_html => marked.push_str("&#39;"),
            '\n' | '\r' | '\t' => marked.push(' '),
            other if other.is_control() => marked.push(char::REPLACEMENT_CHARACTER),
            other => marked.push(other),
        }
    }
}

#[cfg(test)]
#[path = "highlight_tests.rs"]
mod tests;
