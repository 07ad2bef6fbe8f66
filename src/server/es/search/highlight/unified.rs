//! The unified highlighter: passages between the bounds of sentences, scored as small documents.
//!
//! The way is that of Lucene's `UnifiedHighlighter` as Elasticsearch runs it: matches in the order of the text open passages; a
//! passage scores by its words as a document would (BM25 with k1 1.2, b 0.75 and 87 for the average length), more at the beginning
//! of the text; the best are shown in the order of the text, or of their scores.

use std::ops::Range;

use super::breaks::{following, preceding, sentence_ends, word_ends};
use super::find::Found;
use super::spec::{Boundary, Style};

/// What is shown.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Snippet {
    pub(super) text: String,
    pub(super) score: f32,
}

#[derive(Debug, Clone, Default)]
struct Passage {
    range: Range<usize>,
    matches: Vec<Found>,
    score: f32,
}

/// Stands between two values of a field.
pub(super) const SEPARATOR: char = '\0';

const PIVOT: f32 = 87.0;
const K1: f32 = 1.2;
const B: f32 = 0.75;

/// The snippets of a text.
///
/// * `content`: the values of the field, joined by [`SEPARATOR`].
/// * `found`: in the order of the text.
pub(super) fn snippets(content: &[char], found: &[Found], style: &Style) -> Vec<Snippet> {
    let whole_values = style.number_of_fragments == 0;
    let most = if whole_values { usize::MAX } else { style.number_of_fragments };
    let mut passages: Vec<Passage> = Vec::new();
    let mut current: Option<Passage> = None;
    let mut breaker = Breaker::new(content, style);
    for matched in found {
        if matched.range.start >= content.len() {
            break;
        }
        if matched.range.end > content.len() {
            continue;
        }
        if current.as_ref().is_none_or(|passage| matched.range.start >= passage.range.end) {
            keep(&mut passages, current.take(), content.len(), most);
            let range = breaker.around(matched.range.start);
            current = Some(Passage { range, ..Passage::default() });
        }
        if let Some(passage) = &mut current {
            passage.matches.push(matched.clone());
        }
    }
    keep(&mut passages, current, content.len(), most);
    passages.sort_by_key(|passage| passage.range.start);
    if passages.is_empty() {
        return beginning(content, style.no_match_size)
            .map(|range| Snippet {
                text: show(content, &Passage { range, ..Passage::default() }, style),
                score: f32::NAN,
            })
            .into_iter()
            .collect();
    }
    let mut snippets: Vec<Snippet> =
        passages.iter().map(|passage| Snippet { text: show(content, passage, style), score: passage.score }).collect();
    if style.order_by_score {
        snippets.sort_by(|a, b| b.score.total_cmp(&a.score));
    }
    snippets
}

/// Keeps the best passages; of equal ones, the later goes.
fn keep(passages: &mut Vec<Passage>, passage: Option<Passage>, content_length: usize, most: usize) {
    let Some(mut passage) = passage else { return };
    passage.score = score(&passage, content_length);
    let worst = |passages: &[Passage]| {
        let order = |(_, a): &(usize, &Passage), (_, b): &(usize, &Passage)| {
            a.score.total_cmp(&b.score).then(a.range.start.cmp(&b.range.start))
        };
        passages.iter().enumerate().min_by(order).map(|(at, worst)| (at, worst.score))
    };
    if passages.len() >= most
        && let Some((_, least)) = worst(passages)
        && passage.score < least
    {
        return;
    }
    passages.push(passage);
    if passages.len() > most
        && let Some((at, _)) = worst(passages)
    {
        passages.remove(at);
    }
}

fn score(passage: &Passage, content_length: usize) -> f32 {
    let mut keys: Vec<&str> = Vec::new();
    for matched in &passage.matches {
        if !keys.contains(&matched.key.as_str()) {
            keys.push(&matched.key);
        }
    }
    // Each word counts as if it stood once in the text: so does Lucene where it marks whole phrases.
    let num_docs = 1.0 + content_length as f32 / PIVOT;
    let weight = (K1 + 1.0) * (1.0 + (num_docs + 0.5) / 1.5).ln();
    let norm = K1 * ((1.0 - B) + B * (passage.range.len() as f32 / PIVOT));
    let mut sum = 0.0;
    for key in keys {
        let freq = passage.matches.iter().filter(|matched| matched.key == key).count() as f32;
        sum += weight * (freq / (freq + norm));
    }
    sum * (1.0 + 1.0 / (PIVOT + passage.range.start as f32).ln())
}

/// The beginning of the first value, for fields in which nothing was found.
fn beginning(content: &[char], size: usize) -> Option<Range<usize>> {
    if size == 0 {
        return None;
    }
    let start = content.iter().position(|character| *character != SEPARATOR)?;
    let rest = content.get(start..).unwrap_or_default();
    let end = start + rest.iter().position(|character| *character == SEPARATOR).unwrap_or(rest.len());
    if start + size >= end {
        return Some(start..end);
    }
    let ends = word_ends(content);
    Some(start..following(&ends, start + size).unwrap_or(content.len()))
}

fn show(content: &[char], passage: &Passage, style: &Style) -> String {
    let mut shown = String::new();
    let push = |range: Range<usize>, shown: &mut String| {
        for character in content.get(range).unwrap_or_default() {
            super::push_character(*character, style.escapes_html, shown);
        }
    };
    let mut at = passage.range.start;
    for matched in &passage.matches {
        let Range { start, end } = matched.range.clone();
        if start > at {
            push(at..start, &mut shown);
        }
        if end > at {
            shown.push_str(&style.pre_tag);
            push(at.max(start)..end, &mut shown);
            shown.push_str(&style.post_tag);
            at = end;
        }
    }
    push(at..at.max(passage.range.end), &mut shown);
    // The values' separators are no part of them.
    shown.trim_matches(|character: char| character.is_whitespace() || character == SEPARATOR).to_string()
}

/// Finds the passage around a match.
struct Breaker<'a> {
    content: &'a [char],
    whole_values: bool,
    fragment_size: usize,
    boundary: Boundary,
    /// The value that the bounds are of.
    value: Range<usize>,
    sentences: Vec<usize>,
    words: Vec<usize>,
    /// The stretch of whole sentences that was looked at last, and where the last passage ended in it.
    window: Range<usize>,
    last_end: usize,
}

impl<'a> Breaker<'a> {
    fn new(content: &'a [char], style: &Style) -> Self {
        Self {
            content,
            whole_values: style.number_of_fragments == 0,
            fragment_size: style.fragment_size,
            boundary: style.boundary,
            value: 0..0,
            sentences: Vec::new(),
            words: Vec::new(),
            window: 0..0,
            last_end: 0,
        }
    }

    /// The passage around the character `start`, which lies behind all those asked for before.
    fn around(&mut self, start: usize) -> Range<usize> {
        self.enter_value(start);
        let base = self.value.start;
        let local = start - base;
        let range = match (self.whole_values, self.boundary) {
            (true, _) => 0..self.value.len(),
            (false, Boundary::Word) => {
                preceding(&self.words, local + 1)..following(&self.words, local).unwrap_or(self.value.len())
            }
            (false, Boundary::Sentence) if self.fragment_size == 0 => {
                preceding(&self.sentences, local + 1)..following(&self.sentences, local).unwrap_or(self.value.len())
            }
            (false, Boundary::Sentence) => self.bounded(local),
        };
        base + range.start..base + range.end
    }

    fn enter_value(&mut self, start: usize) {
        if self.value.contains(&start) {
            return;
        }
        let is_separator = |character: &char| *character == SEPARATOR;
        let before = self.content.get(..start).unwrap_or_default().iter().rposition(is_separator);
        let after = self.content.get(start..).unwrap_or_default().iter().position(is_separator);
        self.value = before.map_or(0, |at| at + 1)..after.map_or(self.content.len(), |at| start + at);
        let text = self.content.get(self.value.clone()).unwrap_or_default();
        self.sentences = sentence_ends(text);
        self.words = word_ends(text);
        (self.window, self.last_end) = (0..0, 0);
    }

    /// Whole sentences of `fragment_size` characters together; a longer sentence is cut at words around the match.
    fn bounded(&mut self, start: usize) -> Range<usize> {
        let most = self.fragment_size;
        let (mut from, mut to);
        let offset = start + 1;
        if offset > self.window.start && offset < self.window.end {
            (from, to) = (self.last_end, self.window.end);
        } else {
            from = preceding(&self.sentences, offset);
            to = following(&self.sentences, start).unwrap_or(self.value.len());
            self.window = from..to;
            while to - from < most {
                match following(&self.sentences, to) {
                    Some(end) if end - from <= most => {
                        to = end;
                        self.window.end = end;
                    }
                    Some(_) | None => break,
                }
            }
        }
        if to.saturating_sub(from) > most {
            if offset.saturating_sub(most) > from {
                from = from.max(preceding(&self.words, offset - most));
            }
            let remaining = most.saturating_sub(offset - from.min(offset));
            if offset + remaining < self.window.end {
                to = self.window.end.min(following(&self.words, offset + remaining).unwrap_or(self.window.end));
            }
        }
        self.last_end = to.max(start);
        from..to.max(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style() -> Style {
        super::super::spec::HighlightSpec::parse(&serde_json::json!({}))
            .and_then(|spec| spec.defaults.over(&spec.defaults, super::super::spec::Kind::Unified))
            .unwrap()
    }

    fn found(text: &str, words: &[&str]) -> Vec<Found> {
        let mut found: Vec<Found> = words
            .iter()
            .flat_map(|word| {
                text.match_indices(word).map(|(at, word)| Found { range: at..at + word.len(), key: word.to_string() })
            })
            .collect();
        found.sort_by_key(|found| (found.range.start, found.range.end));
        found
    }

    fn shown(text: &str, words: &[&str], style: &Style) -> Vec<String> {
        let content: Vec<char> = text.chars().collect();
        snippets(&content, &found(text, words), style).into_iter().map(|snippet| snippet.text).collect()
    }

    #[test]
    fn passages_are_sentences() {
        let text = "The thin wing. A slipstream is what a propeller makes. Nothing here at all, and it is long enough to stand alone. \
                    The wing again.";
        assert_eq!(
            shown(text, &["wing"], &style()),
            ["The thin <em>wing</em>. A slipstream is what a propeller makes.", "The <em>wing</em> again."]
        );
    }

    #[test]
    fn long_sentences_are_cut_at_words() {
        let words =
            "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon";
        let mut narrow = style();
        narrow.fragment_size = 30;
        assert_eq!(shown(words, &["kappa"], &narrow), ["delta epsilon zeta eta theta iota <em>kappa</em>"]);
    }

    #[test]
    fn whole_values_and_the_beginning() {
        let mut whole = style();
        whole.number_of_fragments = 0;
        assert_eq!(
            shown("a wing\0no\0the wing. Yes.", &["wing"], &whole),
            ["a <em>wing</em>", "the <em>wing</em>. Yes."]
        );
        let mut beginning = style();
        beginning.no_match_size = 8;
        assert_eq!(shown("nothing to be found here", &[], &beginning), ["nothing to"]);
        assert_eq!(shown("short\0other", &[], &beginning), ["short"]);
        assert!(shown("nothing", &[], &style()).is_empty());
    }

    #[test]
    fn the_best_are_kept_in_the_order_of_the_text() {
        let text = "One wing here and nothing that would be of use otherwise, to fill the line up to its end. \
                    A wing and a slipstream stand in this sentence, which makes it the best of all that there are. \
                    Then a wing once more, and again words that fill the line without any need for being there.";
        let mut one = style();
        one.number_of_fragments = 1;
        let best = shown(text, &["wing", "slipstream"], &one);
        assert!(best.len() == 1 && best[0].starts_with("A <em>wing</em> and a <em>slipstream</em>"), "{best:?}");
        let mut ordered = style();
        ordered.order_by_score = true;
        assert_eq!(shown(text, &["wing", "slipstream"], &ordered)[0], best[0]);
    }

    #[test]
    fn text_is_escaped_and_matches_overlap() {
        let mut html = style();
        html.escapes_html = true;
        let text = "<b>wing & co</b>";
        let content: Vec<char> = text.chars().collect();
        let found = [Found { range: 3..7, key: "wing".into() }, Found { range: 5..12, key: "other".into() }];
        let shown: Vec<String> = snippets(&content, &found, &html).into_iter().map(|snippet| snippet.text).collect();
        assert_eq!(shown, ["&lt;b&gt;<em>wing</em><em> &amp; co</em>&lt;&#x2F;b&gt;"]);
    }
}
