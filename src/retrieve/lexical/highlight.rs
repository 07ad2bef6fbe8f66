//! Which stretches of a text a query matched.

use std::collections::HashSet;
use std::ops::Range;

use crate::index::lexical::{Analyzer, Token};
use crate::retrieve::query::{BoolQuery, Fuzziness, MatchQuery, PhrasePlace, PhraseQuery, Query};

/// The byte ranges of `text` that `query` matched, ascending and apart.
///
/// Words are compared as `analyzer` makes them, whatever fields the query searched: a word that was found in a combined field
/// is marked in the field that it was copied from. Phrases mark only words that stand together. Clauses that exclude or filter
/// mark nothing.
///
/// * `field`: the field of the text; terms, prefixes and patterns mark only there.
pub fn highlight_ranges(query: &Query, field: &str, analyzer: &Analyzer, text: &str) -> Vec<Range<usize>> {
    let mut wanted = Wanted::default();
    wanted.collect(query, field, analyzer);
    if wanted.is_empty() {
        return Vec::new();
    }
    let tokens = analyzer.tokens(text);
    let mut ranges: Vec<Range<usize>> =
        tokens.iter().filter(|token| wanted.matches(&token.term)).map(|token| token.start..token.end).collect();
    for phrase in &wanted.phrases {
        ranges.extend(phrase_ranges(phrase, &tokens));
    }
    ranges.sort_by_key(|range| (range.start, range.end));
    ranges.dedup_by(|later, earlier| later.start < earlier.end);
    ranges
}

#[derive(Default)]
struct Wanted {
    words: HashSet<String>,
    prefixes: Vec<String>,
    fuzzy: Vec<(String, usize)>,
    /// Terms with their positions.
    phrases: Vec<Vec<(u32, String)>>,
}

impl Wanted {
    fn is_empty(&self) -> bool {
        self.words.is_empty() && self.prefixes.is_empty() && self.fuzzy.is_empty() && self.phrases.is_empty()
    }

    fn matches(&self, term: &str) -> bool {
        self.words.contains(term)
            || self.prefixes.iter().any(|prefix| term.starts_with(prefix.as_str()))
            || self.fuzzy.iter().any(|(word, edits)| within(word, term, *edits))
    }

    fn collect(&mut self, query: &Query, field: &str, analyzer: &Analyzer) {
        match query {
            Query::Match(MatchQuery { text, fuzziness, .. }) => {
                for term in analyzer.terms(text) {
                    match fuzziness.map_or(0, |fuzziness| Fuzziness::edits(fuzziness, &term)) {
                        0 => drop(self.words.insert(term)),
                        edits => self.fuzzy.push((term, usize::from(edits))),
                    }
                }
            }
            Query::Phrase(PhraseQuery { text, .. }) => {
                let terms: Vec<(u32, String)> =
                    analyzer.tokens(text).into_iter().map(|token| (token.position, token.term)).collect();
                match terms.as_slice() {
                    [] => {}
                    [(_, only)] => drop(self.words.insert(only.clone())),
                    _ => self.phrases.push(terms),
                }
            }
            Query::Term(term) if term.field == field => {
                self.words.insert(super::values::plain(&term.value));
            }
            Query::Terms(terms) if terms.field == field => {
                self.words.extend(terms.values.iter().map(super::values::plain))
            }
            Query::Synonym(query) if query.field == field => {
                self.words.extend(query.terms.iter().map(|synonym| synonym.term.clone()));
            }
            Query::Blended(query) => self.words.extend(query.terms.iter().map(|blended| blended.term.clone())),
            Query::CombinedTerm(query) => self.words.extend(query.terms.iter().cloned()),
            Query::TermPhrase(query) if query.field == field => {
                let first_of = |place: &PhrasePlace| Some((place.position, place.terms.first()?.clone()));
                self.phrases.push(query.places.iter().filter_map(first_of).collect());
            }
            Query::Prefix(prefix) => self.prefixes.push(prefix.text.clone()),
            Query::Fuzzy(fuzzy) => {
                self.fuzzy.push((fuzzy.term.clone(), usize::from(fuzzy.fuzziness.edits(&fuzzy.term))))
            }
            Query::Bool(BoolQuery { must, should, .. }) => {
                must.iter().chain(should).for_each(|clause| self.collect(clause, field, analyzer));
            }
            Query::Boosting(query) => self.collect(&query.positive, field, analyzer),
            Query::FunctionScore(query) => self.collect(&query.query, field, analyzer),
            Query::DisMax(_)
            | Query::ConstantScore(_)
            | Query::Boost(_)
            | Query::Capped(_)
            | Query::ScriptScore(_)
            | Query::Named(_) => query.children().into_iter().for_each(|query| self.collect(query, field, analyzer)),
            Query::MatchAll
            | Query::MatchNone
            | Query::Term(_)
            | Query::Terms(_)
            | Query::Wildcard(_)
            | Query::Regexp(_)
            | Query::Range(_)
            | Query::Exists(_)
            | Query::Ids(_)
            | Query::Synonym(_)
            | Query::TermPhrase(_)
            | Query::MoreLikeThis(_)
            | Query::RankFeature(_)
            | Query::DistanceFeature(_)
            | Query::Nested(_)
            | Query::Knn(_)
            | Query::Docs(_) => {}
        }
    }
}

fn phrase_ranges(phrase: &[(u32, String)], tokens: &[Token]) -> Vec<Range<usize>> {
    let Some((first_position, first_term)) = phrase.first() else { return Vec::new() };
    let mut ranges = Vec::new();
    for (idx, start) in tokens.iter().enumerate().filter(|(_, token)| &token.term == first_term) {
        let found: Option<Vec<&Token>> = phrase
            .iter()
            .map(|(position, term)| {
                let wanted = start.position + (position - first_position);
                tokens
                    .iter()
                    .skip(idx)
                    .take_while(|token| token.position <= wanted)
                    .find(|token| token.position == wanted && &token.term == term)
            })
            .collect();
        if let Some((first, last)) = found.as_ref().and_then(|found| Some((found.first()?, found.last()?))) {
            ranges.push(first.start..last.end);
        }
    }
    ranges
}

/// Whether two words differ by at most `edits` insertions, deletions, substitutions or swaps of neighbours.
fn within(a: &str, b: &str, edits: usize) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > edits {
        return false;
    }
    let (mut before, mut last): (Vec<usize>, Vec<usize>) = (Vec::new(), (0..=b.len()).collect());
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let substitution = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substitution.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().is_some_and(|&distance| distance <= edits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retrieve::query::Operator;

    fn marked(query: &Query, text: &str) -> Vec<String> {
        let analyzer = Analyzer::named("english").unwrap();
        highlight_ranges(query, "text", &analyzer, text).into_iter().map(|range| text[range].to_string()).collect()
    }

    #[test]
    fn words_are_found_by_their_stems() {
        assert_eq!(marked(&Query::words("running wings"), "The wing runs; it ran."), ["wing", "runs"]);
    }

    #[test]
    fn phrases_mark_only_words_that_stand_together() {
        let phrase = Query::Phrase(PhraseQuery {
            fields: vec![],
            text: "thin wing".into(),
            slop: 0,
            prefix: false,
            analyzer: None,
        });
        assert_eq!(marked(&phrase, "a wing, thin; a thin wing"), ["thin wing"]);
    }

    #[test]
    fn fuzzy_words_and_negations() {
        let Query::Match(mut fuzzy) = Query::words("slipstraem") else { panic!() };
        fuzzy.fuzziness = Some(Fuzziness::Auto);
        fuzzy.operator = Operator::Or;
        let query = Query::Bool(BoolQuery {
            should: vec![Query::Match(fuzzy)],
            must_not: vec![Query::words("wing")],
            ..BoolQuery::default()
        });
        assert_eq!(marked(&query, "a wing in a slipstream"), ["slipstream"]);
    }
}
