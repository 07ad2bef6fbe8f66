//! The plain highlighter: fragments of a size, word by word, scored by the boosts of the different words that they have.
//!
//! The way is that of Lucene's `Highlighter` as Elasticsearch runs it: a value is cut after the word that reaches the next multiple
//! of the fragment's size, but not inside of a phrase, and not so late that hardly anything would be left.

use std::ops::Range;

use super::find::Tokens;
use super::spec::Style;
use super::wanted::Wanted;

/// A fragment of one value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fragment {
    pub(super) text: String,
    pub(super) score: f32,
    nth: usize,
}

/// The fragments of one value, the best first.
pub(super) fn fragments(value: &[char], tokens: &Tokens, wanted: &Wanted, style: &Style) -> Vec<Fragment> {
    let marks = tokens.find_words(wanted);
    let mut cutter = Cutter { size: style.fragment_size, num_fragments: 1, spans: spans(tokens, &marks, wanted) };
    let mut state = State { value, style, shown: String::new(), at: 0, group: None };
    let mut done: Vec<Fragment> = Vec::new();
    let mut words: Vec<(String, f32)> = Vec::new();
    let finish = |shown: &mut String, words: &mut Vec<(String, f32)>, done: &mut Vec<Fragment>| {
        let score = words.iter().map(|(_, boost)| boost).sum();
        done.push(Fragment { text: std::mem::take(shown), score, nth: done.len() });
        words.clear();
    };
    for ((nth, (_, _, range)), mark) in tokens.iter().enumerate().zip(&marks) {
        let is_distinct = state.group.as_ref().is_some_and(|(group, _)| range.start >= group.end);
        if is_distinct {
            state.flush();
            if style.number_of_fragments > 0 && cutter.cuts_before(nth, range, value.len(), style.simple_fragmenter) {
                finish(&mut state.shown, &mut words, &mut done);
            }
        }
        if let Some((word, boost)) = mark
            && !words.iter().any(|(known, _)| known == word)
        {
            words.push((word.clone(), *boost));
        }
        let (group, marked) = state.group.get_or_insert_with(|| (range.clone(), false));
        group.end = group.end.max(range.end);
        *marked |= mark.is_some();
    }
    state.flush();
    state.push(state.at..value.len());
    finish(&mut state.shown, &mut words, &mut done);
    done.retain(|fragment| fragment.score > 0.0);
    done.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.nth.cmp(&b.nth)));
    done.truncate(if style.number_of_fragments == 0 { 1 } else { style.number_of_fragments });
    done
}

/// The beginning of a value without what is looked for: its words that end within `size` characters, or all of it where all do.
pub(super) fn beginning(value: &[char], tokens: &Tokens, size: usize, escapes_html: bool) -> Option<String> {
    let ends = || tokens.iter().map(|(_, _, range)| range.end);
    let end = ends().take_while(|end| *end <= size).last()?;
    let mut shown = String::new();
    let characters = value.iter().take(end);
    characters.for_each(|character| super::push_character(*character, escapes_html, &mut shown));
    Some(shown)
}

struct State<'a> {
    value: &'a [char],
    style: &'a Style,
    shown: String,
    at: usize,
    /// Words that overlap, and whether one is marked.
    group: Option<(Range<usize>, bool)>,
}

impl State<'_> {
    fn push(&mut self, range: Range<usize>) {
        for character in self.value.get(range).unwrap_or_default() {
            super::push_character(*character, self.style.escapes_html, &mut self.shown);
        }
    }

    fn flush(&mut self) {
        let Some((range, marked)) = self.group.take() else { return };
        self.push(self.at..range.start.max(self.at));
        if marked {
            self.shown.push_str(&self.style.pre_tag);
        }
        self.push(range.start.max(self.at)..range.end);
        if marked {
            self.shown.push_str(&self.style.post_tag);
        }
        self.at = self.at.max(range.end);
    }
}

/// The runs of tokens that are phrases: no cut falls inside.
fn spans(tokens: &Tokens, marks: &[Option<(String, f32)>], wanted: &Wanted) -> Vec<Range<usize>> {
    let has_phrases = wanted.clauses.iter().any(|clause| matches!(clause.clause, super::wanted::Clause::Phrase(_)));
    if !has_phrases {
        return Vec::new();
    }
    let mut runs: Vec<Range<usize>> = Vec::new();
    for ((nth, _), mark) in tokens.iter().enumerate().zip(marks) {
        match (mark, runs.last_mut()) {
            (Some(_), Some(run)) if run.end == nth => run.end = nth + 1,
            (Some(_), _) => runs.push(nth..nth + 1),
            (None, _) => {}
        }
    }
    runs
}

struct Cutter {
    size: usize,
    num_fragments: usize,
    spans: Vec<Range<usize>>,
}

impl Cutter {
    fn cuts_before(&mut self, nth: usize, range: &Range<usize>, length: usize, is_simple: bool) -> bool {
        let reached = range.end >= self.size.saturating_mul(self.num_fragments);
        let cuts = if is_simple {
            reached
        } else {
            let is_inside = self.spans.iter().any(|span| span.contains(&nth) && nth > span.start);
            reached && length.saturating_sub(range.end) >= self.size / 2 && !is_inside
        };
        if cuts {
            self.num_fragments += 1;
        }
        cuts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::lexical::Analyzer;
    use crate::server::es::search::highlight::spec::HighlightSpec;
    use crate::server::es::search::highlight::wanted::{Clause, Sought};

    fn shown(text: &str, words: &[&str], options: serde_json::Value) -> Vec<String> {
        let spec = HighlightSpec::parse(&options).unwrap();
        let style = spec.defaults.over(&spec.defaults, super::super::spec::Kind::Unified).unwrap();
        let value: Vec<char> = text.chars().collect();
        let mut tokens = Tokens::default();
        tokens.add(Analyzer::named("standard").unwrap().tokens(text), 0, |byte| byte);
        let sought = |word: &&str| {
            let (word, boost) =
                word.split_once('^').map_or((*word, 1.0), |(word, boost)| (word, boost.parse().unwrap()));
            Sought { clause: Clause::Terms(vec![word.to_string()]), boost }
        };
        let wanted = Wanted { clauses: words.iter().map(sought).collect() };
        fragments(&value, &tokens, &wanted, &style).into_iter().map(|fragment| fragment.text).collect()
    }

    #[test]
    fn fragments_end_behind_the_word_that_reaches_their_size() {
        let text = "one two three four five six seven eight nine ten eleven twelve";
        assert_eq!(
            shown(text, &["two", "eight", "nine"], serde_json::json!({"fragment_size": 20})),
            ["one <em>two</em> three four", " five six seven <em>eight</em>", " <em>nine</em> ten eleven twelve"]
        );
        assert_eq!(
            shown(text, &["two"], serde_json::json!({"number_of_fragments": 0})),
            ["one <em>two</em> three four five six seven eight nine ten eleven twelve"]
        );
        assert!(shown(text, &["none"], serde_json::json!({})).is_empty());
        let boosted = serde_json::json!({"fragment_size": 20, "number_of_fragments": 1});
        assert_eq!(shown(text, &["two", "eight^3", "nine"], boosted), [" five six seven <em>eight</em>"]);
    }
}
