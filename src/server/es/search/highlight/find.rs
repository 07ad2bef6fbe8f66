//! Where in a field's values the wanted words stand.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::wanted::{Clause, Phrase, Sought, Wanted};
use crate::index::lexical::Token;

/// A stretch of a text that is marked, and what it counts as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// In characters of the joined text.
    pub(super) range: Range<usize>,
    /// Equal for what is the same word, pattern or phrase.
    pub(super) key: String,
}

/// The tokens of a field's values, which are joined by a character that stands in none.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// Terms with their positions and, in characters, where they stand.
    tokens: Vec<(String, u32, Range<usize>)>,
    by_position: BTreeMap<u32, Vec<usize>>,
    by_term: HashMap<String, Vec<usize>>,
}

impl Tokens {
    /// Adds a value's tokens.
    ///
    /// * `place`: turns a byte of the value into a character of the joined text.
    /// * `gap`: positions between this value and the one before.
    pub(super) fn add(&mut self, tokens: Vec<Token>, gap: u32, place: impl Fn(usize) -> usize) {
        let base = self.by_position.last_key_value().map_or(0, |(last, _)| last.saturating_add(1).saturating_add(gap));
        for token in tokens {
            let position = base.saturating_add(token.position);
            let at = self.tokens.len();
            self.by_position.entry(position).or_default().push(at);
            self.by_term.entry(token.term.clone()).or_default().push(at);
            self.tokens.push((token.term, position, place(token.start)..place(token.end)));
        }
    }

    /// Every token with what it is, in the order of the text.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, u32, &Range<usize>)> {
        self.tokens.iter().map(|(term, position, range)| (term.as_str(), *position, range))
    }

    /// What is wanted, in the order of the text. What several parts of a query want is found once for each.
    pub(super) fn find(&self, wanted: &Wanted) -> Vec<Found> {
        let mut found = Vec::new();
        for Sought { clause, .. } in &wanted.clauses {
            match clause {
                Clause::Terms(terms) => {
                    for term in terms {
                        let places = self.by_term.get(term).map(Vec::as_slice).unwrap_or_default();
                        found.extend(
                            places
                                .iter()
                                .filter_map(|at| self.tokens.get(*at))
                                .map(|(_, _, range)| Found { range: range.clone(), key: term.clone() }),
                        );
                    }
                }
                Clause::Pattern { name, matches } => {
                    let hits = self.tokens.iter().filter(|(term, ..)| matches.holds(term));
                    found.extend(hits.map(|(_, _, range)| Found { range: range.clone(), key: name.clone() }));
                }
                Clause::Phrase(phrase) => {
                    let key = key_of(phrase);
                    for span in self.phrase_spans(phrase) {
                        let tokens = span.iter().filter_map(|at| self.tokens.get(*at));
                        let ranges: Vec<&Range<usize>> = tokens.map(|(_, _, range)| range).collect();
                        let start = ranges.iter().map(|range| range.start).min();
                        let end = ranges.iter().map(|range| range.end).max();
                        if let (Some(start), Some(end)) = (start, end) {
                            found.push(Found { range: start..end, key: key.clone() });
                        }
                    }
                }
            }
        }
        found.sort_by(|a, b| (a.range.start, a.range.end, &a.key).cmp(&(b.range.start, b.range.end, &b.key)));
        found
    }

    /// The tokens that are marked one by one, each with how much it counts: those of phrases only where the phrase stands.
    pub(super) fn find_words(&self, wanted: &Wanted) -> Vec<Option<(String, f32)>> {
        let mut marks: Vec<Option<(String, f32)>> = vec![None; self.tokens.len()];
        let mut mark = |at: usize, boost: f32| {
            if let (Some(slot), Some((term, ..))) = (marks.get_mut(at), self.tokens.get(at)) {
                *slot = (boost > 0.0).then(|| (term.clone(), boost));
            }
        };
        for Sought { clause, boost } in &wanted.clauses {
            match clause {
                Clause::Terms(terms) => {
                    terms.iter().filter_map(|term| self.by_term.get(term)).flatten().for_each(|at| mark(*at, *boost));
                }
                Clause::Pattern { matches, .. } => {
                    let hits = self.tokens.iter().enumerate().filter(|(_, (term, ..))| matches.holds(term));
                    hits.for_each(|(at, (term, ..))| mark(at, boost * matches.part(term)));
                }
                Clause::Phrase(phrase) => {
                    self.phrase_spans(phrase).into_iter().flatten().for_each(|at| mark(at, *boost));
                }
            }
        }
        marks
    }

    /// The tokens of each place where a phrase stands.
    fn phrase_spans(&self, phrase: &Phrase) -> Vec<Vec<usize>> {
        let last = phrase.places.len().saturating_sub(1);
        let mut candidates: Vec<Vec<usize>> = Vec::with_capacity(phrase.places.len());
        for (nth, (_, terms)) in phrase.places.iter().enumerate() {
            let mut places: Vec<usize> = if nth == last && phrase.is_prefix {
                let begins = |(_, (term, ..)): &(usize, &(String, u32, Range<usize>))| {
                    terms.iter().any(|beginning| term.starts_with(beginning.as_str()))
                };
                self.tokens.iter().enumerate().filter(begins).map(|(at, _)| at).collect()
            } else {
                terms.iter().filter_map(|term| self.by_term.get(term)).flatten().copied().collect()
            };
            places.sort_unstable();
            candidates.push(places);
        }
        let mut spans = Vec::new();
        let Some(firsts) = candidates.first() else { return spans };
        for &first in firsts {
            if let Some(span) = self.span_from(first, phrase, &candidates) {
                spans.push(span);
            }
        }
        spans
    }

    /// Positions as if every word of the phrase stood at its beginning.
    fn shifted(&self, at: usize, offset: u32) -> i64 {
        self.tokens.get(at).map_or(0, |(_, position, _)| i64::from(*position) - i64::from(offset))
    }

    /// The tightest way to read a phrase with its first word at `first`, word by word, each at most `slop` out of place.
    fn span_from(&self, first: usize, phrase: &Phrase, candidates: &[Vec<usize>]) -> Option<Vec<usize>> {
        let offset = |nth: usize| phrase.places.get(nth).map_or(0, |(position, _)| *position);
        let mut span = vec![first];
        let (mut least, mut most) = (self.shifted(first, offset(0)), self.shifted(first, offset(0)));
        for (nth, places) in candidates.iter().enumerate().skip(1) {
            let spread = |at: usize| {
                let place = self.shifted(at, offset(nth));
                most.max(place) - least.min(place)
            };
            let best = places.iter().copied().filter(|at| !span.contains(at)).min_by_key(|at| (spread(*at), *at))?;
            if spread(best) > i64::from(phrase.slop) {
                return None;
            }
            let place = self.shifted(best, offset(nth));
            (least, most) = (least.min(place), most.max(place));
            span.push(best);
        }
        Some(span)
    }
}

fn key_of(phrase: &Phrase) -> String {
    let words: Vec<String> = phrase.places.iter().map(|(_, terms)| terms.join("|")).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::lexical::Analyzer;

    fn tokens(text: &str) -> Tokens {
        let mut tokens = Tokens::default();
        tokens.add(Analyzer::named("standard").unwrap().tokens(text), 100, |byte| byte);
        tokens
    }

    fn phrase(words: &[&str], slop: u32, is_prefix: bool) -> Wanted {
        let places = (0..).zip(words).map(|(position, word)| (position, vec![word.to_string()])).collect();
        Wanted { clauses: vec![Sought { clause: Clause::Phrase(Phrase { places, slop, is_prefix }), boost: 1.0 }] }
    }

    fn marked(text: &str, wanted: &Wanted) -> Vec<String> {
        tokens(text).find(wanted).into_iter().map(|found| text[found.range].to_string()).collect()
    }

    #[test]
    fn phrases_are_found_as_one() {
        let text = "quick fox, a quick brown fox; brown quick";
        assert_eq!(marked(text, &phrase(&["quick", "fox"], 0, false)), ["quick fox"]);
        assert_eq!(marked(text, &phrase(&["quick", "fox"], 1, false)), ["quick fox", "quick brown fox"]);
        assert_eq!(marked(text, &phrase(&["quick", "bro"], 0, true)), ["quick brown"]);
        assert_eq!(marked(text, &phrase(&["quick", "brown"], 2, false)), ["quick brown", "brown quick"]);
    }

    #[test]
    fn words_of_phrases_are_marked_where_the_phrase_stands() {
        let text = "quick fox, a quick brown fox";
        let marks = tokens(text).find_words(&phrase(&["brown", "fox"], 0, false));
        let marked: Vec<usize> =
            marks.iter().enumerate().filter(|(_, mark)| mark.is_some()).map(|(at, _)| at).collect();
        assert_eq!(marked, [4, 5]);
    }
}
