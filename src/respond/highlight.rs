//! Fragments of a text in which matched words are marked.
//!
//! Pure functions over a text and the byte ranges that matched.

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

impl HighlightStyle<'_> {
    /// `<em>` around matches, text escaped.
    pub const HTML: HighlightStyle<'static> =
        HighlightStyle { before: "<em>", after: "</em>", escape_html: true, fragment_bytes: 180 };
    /// Bold on a terminal.
    pub const ANSI: HighlightStyle<'static> =
        HighlightStyle { before: "\u{1b}[1m", after: "\u{1b}[0m", escape_html: false, fragment_bytes: 180 };
    /// No marks.
    pub const PLAIN: HighlightStyle<'static> =
        HighlightStyle { before: "", after: "", escape_html: false, fragment_bytes: 180 };
}

/// A stretch of a text that is worth showing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// The bytes of the text, on word bounds.
    pub range: Range<usize>,
    /// Distinct matches in it.
    pub num_matches: usize,
}

/// The fragment with the most matches, the earliest of equals; the beginning of the text where nothing matched.
///
/// * `matches`: byte ranges in ascending order; those that do not lie on character bounds of the text are ignored.
pub fn best_fragment(text: &str, matches: &[Range<usize>], fragment_bytes: usize) -> Fragment {
    let valid: Vec<&Range<usize>> = matches.iter().filter(|range| text.get((*range).clone()).is_some()).collect();
    let mut best = Fragment { range: widen(text, 0..0, fragment_bytes), num_matches: 0 };
    for (idx, first) in valid.iter().enumerate() {
        let within = |range: &&&Range<usize>| range.end <= first.start + fragment_bytes;
        let last = valid.iter().skip(idx).take_while(within).last().unwrap_or(first);
        let num_matches = valid.iter().skip(idx).take_while(within).count().max(1);
        if num_matches > best.num_matches {
            best = Fragment { range: widen(text, first.start..last.end.max(first.end), fragment_bytes), num_matches };
        }
    }
    best
}

/// Widens a range to about `bytes`, evenly on both sides, and to the bounds of words.
fn widen(text: &str, range: Range<usize>, bytes: usize) -> Range<usize> {
    let spare = bytes.saturating_sub(range.len());
    let start = range.start.saturating_sub(spare / 3);
    let end = range.end.saturating_add(spare - spare / 3).min(text.len());
    let mut bounds = text.split_word_bound_indices().map(|(at, _)| at).chain([text.len()]);
    let before = text.split_word_bound_indices().map(|(at, _)| at).take_while(|&at| at <= start).last().unwrap_or(0);
    let after = bounds.find(|&at| at >= end).unwrap_or(text.len());
    let shown = text.get(before..after).unwrap_or_default();
    let leading = shown.len() - shown.trim_start().len();
    let trailing = shown.len() - shown.trim_end().len();
    if shown.trim().is_empty() { before..before } else { before + leading..after - trailing }
}

/// The text of a fragment with its matches marked and an ellipsis where it was cut.
pub fn mark(text: &str, fragment: &Range<usize>, matches: &[Range<usize>], style: &HighlightStyle<'_>) -> String {
    let mut marked = String::with_capacity(fragment.len() + 32);
    if fragment.start > 0 {
        marked.push('…');
    }
    let mut at = fragment.start;
    for range in matches.iter().filter(|range| range.start >= fragment.start && range.end <= fragment.end) {
        if range.start < at {
            continue;
        }
        let (Some(plain), Some(matched)) = (text.get(at..range.start), text.get(range.clone())) else { continue };
        push(&mut marked, plain, style);
        marked.push_str(style.before);
        push(&mut marked, matched, style);
        marked.push_str(style.after);
        at = range.end;
    }
    push(&mut marked, text.get(at..fragment.end).unwrap_or_default(), style);
    if fragment.end < text.trim_end().len() {
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
            // Text must not steer the terminal.
            other if other.is_control() => marked.push('\u{fffd}'),
            other => marked.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_densest_stretch_is_shown() {
        let text = format!("wing {} a wing in a slipstream of a propeller", "filler words go on and on ".repeat(20));
        let find = |word: &str| text.rfind(word).map(|at| at..at + word.len()).unwrap();
        let matches = [0..4, find("wing"), find("slipstream")];
        let fragment = best_fragment(&text, &matches, 80);
        assert_eq!(fragment.num_matches, 2);
        let shown = mark(
            &text,
            &fragment.range,
            &matches,
            &HighlightStyle { before: "[", after: "]", ..HighlightStyle::PLAIN },
        );
        assert!(shown.contains("a [wing] in a [slipstream]"), "{shown}");
        assert!(shown.starts_with('…'));
    }

    #[test]
    fn html_is_escaped_and_control_characters_are_not_passed_on() {
        let shown = mark("<b>\u{1b}[2J & x", &(0..12), &[11..12], &HighlightStyle::HTML);
        assert_eq!(shown, "&lt;b&gt;\u{fffd}[2J &amp; <em>x</em>");
    }

    proptest! {
        #[test]
        fn any_text_and_any_ranges_are_safe(text in "\\PC{0,200}", ranges in proptest::collection::vec((0_usize..220, 0_usize..20), 0..6), bytes in 0_usize..100) {
            let mut matches: Vec<Range<usize>> = ranges.into_iter().map(|(start, len)| start..start + len).collect();
            matches.sort_by_key(|range| range.start);
            let fragment = best_fragment(&text, &matches, bytes);
            prop_assert!(text.get(fragment.range.clone()).is_some());
            let shown = mark(&text, &fragment.range, &matches, &HighlightStyle::PLAIN);
            let plain: String = shown.trim_start_matches('…').trim_end_matches('…').to_string();
            let is_part = text.contains(&plain) || text.contains('…') || text.contains(char::is_control);
            prop_assert!(is_part);
        }
    }
}
