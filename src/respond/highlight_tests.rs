//! Tests of [`super`]: what is shown, and that no text and no range breaks it.

use proptest::prelude::*;

use super::*;

const BRACKETS: HighlightStyle<'static> = HighlightStyle { before: "[", after: "]", ..HighlightStyle::PLAIN };

/// Every occurrence of each word.
fn find(text: &str, words: &[&str]) -> Vec<Range<usize>> {
    words.iter().flat_map(|word| text.match_indices(word).map(|(at, word)| at..at + word.len())).collect()
}

fn shown(text: &str, words: &[&str], bytes: usize) -> String {
    let matches = find(text, words);
    let fragment = best_fragment(text, &matches, bytes);
    mark(text, &fragment.range, &matches, &BRACKETS)
}

#[test]
fn the_stretch_with_the_most_different_words_is_shown() {
    let filler = "filler words go on and on ".repeat(20);
    let text = format!("wing wing wing {filler}a wing in the slipstream of a propeller");
    assert_eq!(shown(&text, &["wing", "slipstream"], 50), "…on a [wing] in the [slipstream] of a propeller");
    assert_eq!(shown(&text, &["wing"], 30), "[wing] [wing] [wing] filler words go…");
}

#[test]
fn a_fragment_begins_with_its_sentence_where_that_fits() {
    let text = "First there was nothing at all to be seen. Then the wing broke off and the flight was over for good.";
    assert_eq!(shown(text, &["wing"], 40), "…Then the [wing] broke off and the flight…");
    let endless = "on and on ".repeat(30) + "wing" + &" and on and on".repeat(30);
    let text = shown(&endless, &["wing"], 40);
    assert_eq!(text, "…on and on [wing] and on and on and on and…");
}

#[test]
fn without_matches_the_beginning_is_shown() {
    assert_eq!(shown("  A short text. ", &["none"], 160), "A short text.");
    assert_eq!(shown("One two three four five", &["none"], 9), "One two…");
    assert_eq!(shown("", &["none"], 9), "");
    assert!(best_fragments("One two", &[], 9, 3).is_empty());
}

#[test]
fn a_match_is_never_cut() {
    assert_eq!(shown("a incomprehensibilities b", &["incomprehensibilities"], 5), "…[incomprehensibilities]…");
}

#[test]
fn several_fragments_come_in_the_order_of_the_text_and_do_not_overlap() {
    let filler = " words that nobody asked for".repeat(10);
    let text = format!("alpha{filler} alpha beta{filler} beta{filler}");
    let matches = find(&text, &["alpha", "beta"]);
    let fragments = best_fragments(&text, &matches, 40, 2);
    assert_eq!(fragments.iter().map(|fragment| fragment.num_words).collect::<Vec<_>>(), [1, 2]);
    let all = best_fragments(&text, &matches, 40, 9);
    assert!(all.windows(2).all(|pair| pair[0].range.end <= pair[1].range.start));
    assert_eq!(all.len(), 3);
}

#[test]
fn overlapping_matches_are_marked_once() {
    let matches = [0..4, 2..6, 7..9, 7..9, 3..3, 5..100];
    assert_eq!(mark("abcdef gh", &(0..9), &matches, &BRACKETS), "[abcdef] [gh]");
}

#[test]
fn html_is_escaped_and_control_characters_are_not_passed_on() {
    let text = "<b>\u{1b}[2J & \"x\"";
    let shown = mark(text, &(0..text.len()), &find(text, &["x"]), &HighlightStyle::HTML);
    assert_eq!(shown, "&lt;b&gt;\u{fffd}[2J &amp; &quot;<em>x</em>&quot;");
    assert_eq!(mark("a\tb\n", &(0..4), &find("a\tb\n", &["a"]), &HighlightStyle::ANSI), "\u{1b}[1ma\u{1b}[0m b ");
}

#[test]
fn characters_of_several_bytes_stay_whole() {
    let text = "Überführung: größere Änderung — 日本語のテキスト、検索エンジン。".repeat(4);
    for bytes in 0..60 {
        let line = shown(&text, &["Änderung", "検索"], bytes);
        assert!(line.contains("[Änderung]") || line.contains("[検索]"), "{line}");
    }
}

/// The text with the marks taken off again.
fn plain(marked: &str) -> String {
    marked.trim_start_matches('…').trim_end_matches('…').replace(['\u{1}', '\u{2}'], "")
}

proptest! {
    #[test]
    fn any_text_and_any_ranges_are_safe(
        text in "[a-zäß日€🎉.!? \n]{0,200}",
        ranges in prop::collection::vec((0_usize..400, 0_usize..20), 0..8),
        bytes in 0_usize..100,
        num_fragments in 0_usize..4,
    ) {
        let matches: Vec<Range<usize>> = ranges.into_iter().map(|(start, len)| start..start + len).collect();
        let merged = merge(&text, &matches);
        let longest = merged.iter().map(Range::len).max().unwrap_or(0);
        let style = HighlightStyle { before: "\u{1}", after: "\u{2}", ..HighlightStyle::PLAIN };
        let mut fragments = best_fragments(&text, &matches, bytes, num_fragments);
        prop_assert!(fragments.len() <= num_fragments);
        prop_assert!(fragments.windows(2).all(|pair| pair[0].range.end <= pair[1].range.start));
        prop_assert!(num_fragments == 0 || fragments.is_empty() == merged.is_empty());
        let best = best_fragment(&text, &matches, bytes);
        prop_assert_eq!(best.num_matches == 0, merged.is_empty());
        fragments.push(best);
        for fragment in fragments {
            let part = text.get(fragment.range.clone());
            prop_assert!(part.is_some() && fragment.range.len() <= bytes.max(longest), "{:?} of {} bytes", fragment, bytes);
            let marked = mark(&text, &fragment.range, &matches, &style);
            prop_assert_eq!(plain(&marked), part.unwrap_or_default().replace('\n', " "));
            let num_marks = marked.matches('\u{1}').count();
            prop_assert_eq!(num_marks, marked.matches('\u{2}').count());
            prop_assert!(num_marks >= fragment.num_matches);
        }
    }

    #[test]
    fn marking_any_range_is_safe(text in "\\PC{0,40}", start in 0_usize..60, len in 0_usize..60, at in 0_usize..60) {
        mark(&text, &(start..start + len), &[at..at + len, start..start + 1], &HighlightStyle::HTML);
    }
}
