//! What a query looks for in one field: terms, patterns and phrases, whatever the shape of the query.

use crate::index::lexical::{Analyzer, FieldTable};
use crate::retrieve::query::{FieldValue, Fuzziness, Query, TermValue};

/// What is marked in a field.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) clauses: Vec<Sought>,
}

/// One thing that is looked for, and how much it counts.
#[derive(Debug)]
pub(super) struct Sought {
    pub(super) clause: Clause,
    /// The product of the boosts around it.
    pub(super) boost: f32,
}

/// One thing that is looked for.
#[derive(Debug)]
pub(super) enum Clause {
    /// Any of these terms; each counts by itself.
    Terms(Vec<String>),
    /// Terms that something holds of.
    Pattern { name: String, matches: TermTest },
    /// Terms one after another.
    Phrase(Phrase),
}

/// Terms one after another.
#[derive(Debug, Clone)]
pub(super) struct Phrase {
    /// The terms that may stand at each place, and the place's position.
    pub(super) places: Vec<(u32, Vec<String>)>,
    pub(super) slop: u32,
    /// The last place's terms are beginnings.
    pub(super) is_prefix: bool,
}

/// What holds of a term.
pub(super) enum TermTest {
    Prefix { text: String, ignores_case: bool },
    Wildcard { pattern: String, ignores_case: bool },
    Regex(regex::Regex),
    Fuzzy { term: String, edits: u8, prefix_length: usize, transpositions: bool },
}

impl std::fmt::Debug for TermTest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            TermTest::Prefix { .. } => "Prefix",
            TermTest::Wildcard { .. } => "Wildcard",
            TermTest::Regex(_) => "Regex",
            TermTest::Fuzzy { .. } => "Fuzzy",
        })
    }
}

/// Where the words of a query count.
pub(super) struct Scope<'a> {
    /// The fields whose parts of the query are marked; `None` takes those of any field.
    pub(super) fields: Option<&'a [String]>,
    pub(super) table: &'a FieldTable,
    /// Makes words of texts that are looked for in the field.
    pub(super) analyzer: Option<&'a Analyzer>,
}

impl Scope<'_> {
    fn has(&self, field: &str) -> bool {
        self.fields.is_none_or(|fields| fields.iter().any(|known| known == field))
    }

    /// Whether a query that names some fields (or none: the index's own) looks into one of these.
    fn has_any<'f>(&self, mut fields: impl Iterator<Item = &'f str>, is_empty: bool) -> bool {
        if is_empty {
            return self.table.defaults().iter().any(|(field, _)| self.has(field));
        }
        fields.any(|field| self.has(field))
    }

    fn tokens(&self, analyzer: Option<&str>, text: &str) -> Vec<(u32, String)> {
        let named = analyzer.and_then(|name| self.table.analyzers().get(name).ok());
        match named.as_ref().or(self.analyzer) {
            Some(analyzer) => analyzer.tokens(text).into_iter().map(|token| (token.position, token.term)).collect(),
            None => vec![(0, text.to_string())],
        }
    }
}

impl Wanted {
    pub(super) fn of(query: &Query, scope: &Scope<'_>) -> Self {
        let mut wanted = Self::default();
        wanted.collect(query, scope, 1.0);
        wanted
    }

    fn collect(&mut self, query: &Query, scope: &Scope<'_>, boost: f32) {
        match query {
            Query::Match(query)
                if scope.has_any(query.fields.iter().map(|f| f.field.as_str()), query.fields.is_empty()) =>
            {
                for (_, term) in scope.tokens(query.analyzer.as_deref(), &query.text) {
                    self.word(term, query.fuzziness, boost);
                }
            }
            Query::Phrase(query)
                if scope.has_any(query.fields.iter().map(|f| f.field.as_str()), query.fields.is_empty()) =>
            {
                let tokens = scope.tokens(query.analyzer.as_deref(), &query.text);
                let places = tokens.into_iter().map(|(position, term)| (position, vec![term])).collect();
                self.phrase(Phrase { places, slop: query.slop, is_prefix: query.prefix }, boost);
            }
            Query::Term(FieldValue { field, value }) if scope.has(field) => {
                self.push(boost, Clause::Terms(vec![text_of(value)]));
            }
            Query::Terms(query) if scope.has(&query.field) => {
                self.push(boost, Clause::Terms(query.values.iter().map(text_of).collect()));
            }
            Query::Synonym(query) if scope.has(&query.field) => {
                self.push(boost, Clause::Terms(query.terms.iter().map(|term| term.term.clone()).collect()));
            }
            Query::TermPhrase(query) if scope.has(&query.field) => {
                let places = query.places.iter().map(|place| (place.position, place.terms.clone())).collect();
                self.phrase(Phrase { places, slop: query.slop, is_prefix: query.max_expansions.is_some() }, boost);
            }
            Query::CombinedTerm(query) if query.fields.iter().any(|field| scope.has(&field.field)) => {
                self.push(boost, Clause::Terms(query.terms.clone()));
            }
            Query::Blended(query) => {
                let terms = query.terms.iter().filter(|term| scope.has(&term.field));
                self.push(boost, Clause::Terms(terms.map(|term| term.term.clone()).collect()));
            }
            Query::Prefix(query) if scope.has(&query.field) => self.push(
                boost,
                Clause::Pattern {
                    name: format!("{}*", query.text),
                    matches: TermTest::Prefix { text: query.text.clone(), ignores_case: query.case_insensitive },
                },
            ),
            Query::Wildcard(query) if scope.has(&query.field) => self.push(
                boost,
                Clause::Pattern {
                    name: query.text.clone(),
                    matches: TermTest::Wildcard { pattern: query.text.clone(), ignores_case: query.case_insensitive },
                },
            ),
            Query::Regexp(query) if scope.has(&query.field) => {
                // Lucene's syntax agrees with ours on what is common; an expression that ours does not read marks nothing.
                let flags = if query.case_insensitive { "(?si)" } else { "(?s)" };
                if let Ok(regex) = regex::Regex::new(&format!("^{flags}(?:{})$", query.text)) {
                    self.push(boost, Clause::Pattern { name: query.text.clone(), matches: TermTest::Regex(regex) });
                }
            }
            Query::Fuzzy(query) if scope.has(&query.field) => self.push(
                boost,
                Clause::Pattern {
                    name: format!("{}~", query.term),
                    matches: TermTest::Fuzzy {
                        term: query.term.clone(),
                        edits: query.fuzziness.edits(&query.term),
                        prefix_length: query.prefix_length,
                        transpositions: query.transpositions,
                    },
                },
            ),
            Query::Bool(query) => {
                let parts = query.must.iter().chain(&query.should).chain(&query.filter);
                parts.for_each(|part| self.collect(part, scope, boost));
            }
            Query::Boosting(query) => self.collect(&query.positive, scope, boost),
            // Lucene's highlighter forgets what stands around a function.
            Query::FunctionScore(query) => self.collect(&query.query, scope, 1.0),
            Query::Boost(query) => self.collect(&query.query, scope, boost * query.boost),
            Query::DisMax(_)
            | Query::ConstantScore(_)
            | Query::Capped(_)
            | Query::ScriptScore(_)
            | Query::Nested(_)
            | Query::Named(_) => query.children().into_iter().for_each(|child| self.collect(child, scope, boost)),
            Query::MatchAll
            | Query::MatchNone
            | Query::Match(_)
            | Query::Phrase(_)
            | Query::Term(_)
            | Query::Terms(_)
            | Query::Synonym(_)
            | Query::TermPhrase(_)
            | Query::CombinedTerm(_)
            | Query::MoreLikeThis(_)
            | Query::Prefix(_)
            | Query::Wildcard(_)
            | Query::Regexp(_)
            | Query::Fuzzy(_)
            | Query::Range(_)
            | Query::Exists(_)
            | Query::Ids(_)
            | Query::RankFeature(_)
            | Query::DistanceFeature(_)
            | Query::Knn(_)
            | Query::Docs(_) => {}
        }
    }

    fn push(&mut self, boost: f32, clause: Clause) {
        self.clauses.push(Sought { clause, boost });
    }

    fn word(&mut self, term: String, fuzziness: Option<Fuzziness>, boost: f32) {
        let edits = fuzziness.map_or(0, |fuzziness| fuzziness.edits(&term));
        if edits == 0 {
            self.push(boost, Clause::Terms(vec![term]));
            return;
        }
        self.push(
            boost,
            Clause::Pattern {
                name: format!("{term}~{edits}"),
                matches: TermTest::Fuzzy { term, edits, prefix_length: 0, transpositions: true },
            },
        );
    }

    fn phrase(&mut self, mut phrase: Phrase, boost: f32) {
        // Terms at one place stand for one another.
        phrase.places.sort_by_key(|(position, _)| *position);
        let mut places: Vec<(u32, Vec<String>)> = Vec::new();
        for (position, terms) in phrase.places {
            match places.last_mut() {
                Some((known, alternatives)) if *known == position => alternatives.extend(terms),
                _ => places.push((position, terms)),
            }
        }
        phrase.places = places;
        match (phrase.places.as_slice(), phrase.is_prefix) {
            ([], _) => {}
            ([(_, terms)], false) => self.push(boost, Clause::Terms(terms.clone())),
            ([(_, terms)], true) => {
                for term in terms {
                    let matches = TermTest::Prefix { text: term.clone(), ignores_case: false };
                    self.push(boost, Clause::Pattern { name: format!("{term}*"), matches });
                }
            }
            _ => self.push(boost, Clause::Phrase(phrase)),
        }
    }
}

fn text_of(value: &TermValue) -> String {
    match value {
        TermValue::Bool(flag) => flag.to_string(),
        TermValue::Integer(number) => number.to_string(),
        TermValue::Unsigned(number) => number.to_string(),
        TermValue::Float(number) => number.to_string(),
        TermValue::Text(text) => text.clone(),
    }
}

impl TermTest {
    /// How much of a boost a term gets that it holds of: one that is near, by how near it is.
    pub(super) fn part(&self, term: &str) -> f32 {
        let TermTest::Fuzzy { term: wanted, edits, transpositions, .. } = self else { return 1.0 };
        let distance = (0..*edits).find(|edits| is_near(wanted, term, usize::from(*edits), *transpositions));
        let length = wanted.chars().count().min(term.chars().count());
        match distance.unwrap_or(*edits) {
            0 => 1.0,
            distance => (1.0 - f32::from(distance) / length as f32).max(0.0),
        }
    }

    pub(super) fn holds(&self, term: &str) -> bool {
        let fold = |text: &str, ignores_case: bool| if ignores_case { text.to_lowercase() } else { text.to_string() };
        match self {
            TermTest::Prefix { text, ignores_case: false } => term.starts_with(text.as_str()),
            TermTest::Prefix { text, ignores_case } => {
                fold(term, *ignores_case).starts_with(&fold(text, *ignores_case))
            }
            TermTest::Wildcard { pattern, ignores_case } => {
                wildcard(&fold(pattern, *ignores_case), &fold(term, *ignores_case))
            }
            TermTest::Regex(regex) => regex.is_match(term),
            TermTest::Fuzzy { term: wanted, edits, prefix_length, transpositions } => {
                let same_beginning = wanted.chars().take(*prefix_length).eq(term.chars().take(*prefix_length));
                same_beginning && is_near(wanted, term, usize::from(*edits), *transpositions)
            }
        }
    }
}

/// `*` any letters, `?` one, `\` before either takes it literally.
fn wildcard(pattern: &str, text: &str) -> bool {
    #[derive(PartialEq)]
    enum Part {
        Any,
        One,
        Letter(char),
    }
    let mut parts = Vec::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        parts.push(match character {
            '*' => Part::Any,
            '?' => Part::One,
            '\\' => Part::Letter(characters.next().unwrap_or('\\')),
            other => Part::Letter(other),
        });
    }
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut in_text, mut star) = (0, 0, None::<(usize, usize)>);
    while let Some(character) = text.get(in_text) {
        match parts.get(at) {
            Some(Part::Any) => {
                star = Some((at, in_text));
                at += 1;
            }
            Some(Part::One) => (at, in_text) = (at + 1, in_text + 1),
            Some(Part::Letter(letter)) if letter == character => (at, in_text) = (at + 1, in_text + 1),
            Some(Part::Letter(_)) | None => {
                let Some((star_at, began)) = star else { return false };
                (at, in_text) = (star_at + 1, began + 1);
                star = Some((star_at, began + 1));
            }
        }
    }
    parts.iter().skip(at).all(|part| *part == Part::Any)
}

/// Whether two words differ by at most `edits` insertions, deletions, substitutions or (where counted as one) swaps of neighbours.
fn is_near(a: &str, b: &str, edits: usize, transpositions: bool) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > edits {
        return false;
    }
    let (mut before, mut last): (Vec<usize>, Vec<usize>) = (Vec::new(), (0..=b.len()).collect());
    for (i, left) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, right) in b.iter().enumerate() {
            let at = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX / 2);
            let mut best = (at(&last, j) + usize::from(left != right)).min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = transpositions && i > 0 && j > 0 && a.get(i - 1) == Some(right) && b.get(j - 1) == Some(left);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().is_some_and(|distance| *distance <= edits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_of_terms() {
        let wild = |pattern: &str| TermTest::Wildcard { pattern: pattern.to_string(), ignores_case: false };
        assert!(wild("wi*g").holds("wing") && wild("w?ng").holds("wing") && !wild("w?g").holds("wing"));
        assert!(wild("a\\*").holds("a*") && !wild("a\\*").holds("ab"));
        let fuzzy =
            |transpositions| TermTest::Fuzzy { term: "wing".into(), edits: 1, prefix_length: 1, transpositions };
        assert!(fuzzy(true).holds("wign") && !fuzzy(false).holds("wign") && !fuzzy(true).holds("ving"));
        assert!(TermTest::Prefix { text: "Wi".into(), ignores_case: true }.holds("wing"));
    }
}
