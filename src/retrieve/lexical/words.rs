//! The words of a match query: which terms each word becomes in which field.

use std::borrow::Cow;
use std::collections::BTreeMap;

use tantivy::Term;

use super::LexicalSearcher;
use crate::error::{Error, Result};
use crate::index::lexical::{Analyzers, FieldKind, LexicalField, Token};
use crate::retrieve::query::{BoostedField, MatchQuery, Operator};

/// A term that a word became in one field.
#[derive(Debug, Clone)]
pub(super) struct WordTerm<'a> {
    pub(super) name: String,
    pub(super) field: Cow<'a, LexicalField>,
    pub(super) term: Term,
    /// The term as text.
    pub(super) text: String,
    pub(super) boost: f32,
}

/// The words of a query, in its order.
#[derive(Debug)]
pub(super) struct Words<'a> {
    /// Each word's terms, one a field that has it; a word that every analyzer drops is not there.
    pub(super) words: Vec<Vec<WordTerm<'a>>>,
    /// How many of the words a document needs.
    pub(super) required: usize,
}

impl LexicalSearcher {
    /// The fields of a query: those it names, else the index's defaults; every boost finite and at least 0.
    pub(super) fn boosted_fields(&self, named: &[BoostedField]) -> Result<Vec<(String, Cow<'_, LexicalField>, f32)>> {
        let defaults;
        let wanted = if named.is_empty() {
            defaults = self.fields().defaults();
            defaults.iter().map(|(name, boost)| (name.as_str(), *boost)).collect::<Vec<_>>()
        } else {
            named.iter().map(|field| (field.field.as_str(), field.boost)).collect()
        };
        let mut found = Vec::with_capacity(wanted.len());
        for (name, boost) in wanted {
            found.push((name.to_string(), self.field(name)?, check_boost(boost)?));
        }
        Ok(found)
    }

    /// Words are told apart by their places in the text, so that fields with different analyzers agree on them.
    pub(super) fn words(&self, query: &MatchQuery) -> Result<Words<'_>> {
        let mut by_place: BTreeMap<(usize, usize), Vec<WordTerm<'_>>> = BTreeMap::new();
        for (name, field, boost) in self.boosted_fields(&query.fields)? {
            let tokens = tokens(self.fields().analyzers(), &field, query.analyzer.as_deref(), &query.text)?;
            for (nth, token) in tokens.into_iter().enumerate() {
                let Some(term) = self.term_of(&name, &field, &token.term) else { continue };
                // Two tokens of one place (synonyms) are two words; the rest meet by their beginnings.
                let place = (token.start, if field.has_terms() { 0 } else { nth });
                by_place.entry(place).or_default().push(WordTerm {
                    name: name.clone(),
                    field: field.clone(),
                    term,
                    text: token.term,
                    boost,
                });
            }
        }
        let words: Vec<_> = by_place.into_values().collect();
        let required = match (query.minimum_should_match, query.operator) {
            (Some(minimum), _) => minimum.resolve(words.len()),
            (None, Operator::And) => words.len(),
            (None, Operator::Or) => 1,
        };
        Ok(Words { words, required: required.max(1) })
    }

    /// A word's term in a field; `None` when the word cannot be a value of it (letters in a field of numbers).
    fn term_of(&self, name: &str, field: &LexicalField, word: &str) -> Option<Term> {
        let value = crate::retrieve::query::TermValue::Text(word.to_string());
        super::values::term(name, field, &value).ok()
    }
}

/// The tokens of a query's text in a field; the whole text for a field that is not analysed.
pub(super) fn tokens(
    analyzers: &Analyzers,
    field: &LexicalField,
    analyzer: Option<&str>,
    text: &str,
) -> Result<Vec<Token>> {
    let whole =
        || vec![Token { term: text.trim().to_string(), position: 0, position_length: 1, start: 0, end: text.len() }];
    Ok(match (analyzer, &field.kind) {
        (Some(name), FieldKind::Text { .. } | FieldKind::Keyword) => analyzers.get(name)?.tokens(text),
        (None, FieldKind::Text { search_analyzer, .. }) => search_analyzer.tokens(text),
        (None, FieldKind::Keyword) => {
            vec![Token { term: text.to_string(), position: 0, position_length: 1, start: 0, end: text.len() }]
        }
        (
            _,
            FieldKind::Long
            | FieldKind::UnsignedLong
            | FieldKind::Double
            | FieldKind::Bool
            | FieldKind::Date
            | FieldKind::Ip
            | FieldKind::RankFeature
            | FieldKind::Vector,
        ) => whole(),
    })
}

/// A boost must be finite and at least 0.
pub(super) fn check_boost(boost: f32) -> Result<f32> {
    if boost.is_finite() && boost >= 0.0 {
        return Ok(boost);
    }
    Err(Error::invalid_input(format!("a boost is {boost}, expected a finite number of at least 0")))
}
