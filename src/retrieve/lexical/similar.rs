//! `more_like_this`: chooses the terms that set texts apart, and looks them up.
//!
//! A term's weight is its frequency in the liked texts times the idf of Lucene's `ClassicSimilarity`; the best of each field are kept.
//!
//! Source: the documentation of Lucene's `MoreLikeThis` and of Elasticsearch's query.

use std::collections::{BTreeMap, HashSet};

use super::LexicalSearcher;
use super::words;
use crate::error::Result;
use crate::index::lexical::FieldKind;
use crate::retrieve::query::{
    BoolQuery, FieldTexts, FieldValue, MinimumShouldMatch, MoreLikeThisQuery, Query, TermSelection, TermValue,
};

/// A chosen term.
#[derive(Debug, PartialEq)]
struct Chosen {
    field: String,
    term: String,
    score: f32,
}

impl LexicalSearcher {
    /// The terms of a query as one of `should`.
    pub(super) fn similar(&self, query: &MoreLikeThisQuery) -> Result<Query> {
        let mut skipped: HashSet<String> = query.selection.stop_words.iter().cloned().collect();
        for unlike in &query.unlike {
            skipped.extend(self.frequencies(unlike, query.analyzer.as_deref())?.into_keys());
        }
        let mut parts = Vec::new();
        if !query.like_fields.is_empty() {
            let mut by_field: BTreeMap<&str, BTreeMap<String, u64>> = BTreeMap::new();
            for liked in &query.like_fields {
                let all = by_field.entry(&liked.field).or_default();
                for (term, freq) in self.frequencies(liked, query.analyzer.as_deref())? {
                    *all.entry(term).or_default() += freq;
                }
            }
            let mut chosen = Vec::new();
            for (field, terms) in by_field {
                chosen.extend(self.choose(&query.selection, &[field], &terms, &skipped)?);
            }
            parts.push(looked_up(query, chosen));
        }
        if let (false, Some(first)) = (query.like_texts.is_empty(), query.fields.first()) {
            let liked = FieldTexts { field: first.clone(), texts: query.like_texts.clone() };
            let terms = self.frequencies(&liked, query.analyzer.as_deref())?;
            let fields: Vec<&str> = query.fields.iter().map(String::as_str).collect();
            let chosen = self.choose(&query.selection, &fields, &terms, &skipped)?;
            parts.push(looked_up(query, chosen));
        }
        Ok(match parts.len() {
            0 => Query::MatchNone,
            1 => parts.remove(0),
            _ => Query::Bool(BoolQuery { should: parts, ..BoolQuery::default() }),
        })
    }

    fn frequencies(&self, liked: &FieldTexts, analyzer: Option<&str>) -> Result<BTreeMap<String, u64>> {
        let Some(field) = self.fields().find(&liked.field).filter(|field| field.has_terms() && field.indexed) else {
            return Ok(BTreeMap::new());
        };
        let mut frequencies = BTreeMap::new();
        for text in &liked.texts {
            let terms = match (analyzer, &field.kind) {
                (None, FieldKind::Text { analyzer, .. }) => analyzer.terms(text),
                (Some(name), FieldKind::Text { .. }) => self.fields().analyzers().get(name)?.terms(text),
                _ => words::tokens(self.fields().analyzers(), &field, None, text)?
                    .into_iter()
                    .map(|token| token.term)
                    .collect(),
            };
            for term in terms {
                *frequencies.entry(term).or_default() += 1;
            }
        }
        Ok(frequencies)
    }

    /// The terms with the greatest tf-idf, each in the field of `fields` that has it in most documents; the least first.
    fn choose(
        &self,
        selection: &TermSelection,
        fields: &[&str],
        terms: &BTreeMap<String, u64>,
        skipped: &HashSet<String>,
    ) -> Result<Vec<Chosen>> {
        let num_docs = self.searcher().num_docs();
        let mut chosen = Vec::new();
        for (term, &freq) in terms {
            let length = term.chars().count();
            let is_noise = (selection.min_word_length > 0 && length < selection.min_word_length)
                || (selection.max_word_length > 0 && length > selection.max_word_length)
                || skipped.contains(term);
            if is_noise || freq < selection.min_term_freq {
                continue;
            }
            let mut best: Option<(&str, u64)> = None;
            for &name in fields {
                let Some(field) = self.fields().find(name) else { continue };
                let doc_freq = self.doc_freq(&field.text_term(term))?;
                if best.is_none_or(|(_, most)| doc_freq > most) {
                    best = Some((name, doc_freq));
                }
            }
            let Some((field, doc_freq)) = best else { continue };
            if doc_freq == 0 || doc_freq < selection.min_doc_freq || doc_freq > selection.max_doc_freq {
                continue;
            }
            let score = freq as f32 * classic_idf(doc_freq, num_docs);
            chosen.push(Chosen { field: field.to_string(), term: term.clone(), score });
        }
        chosen.sort_by(|a, b| b.score.total_cmp(&a.score));
        chosen.truncate(selection.max_query_terms);
        chosen.reverse();
        Ok(chosen)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "as in Lucene, rounded to single precision")]
fn classic_idf(doc_freq: u64, num_docs: u64) -> f32 {
    (((num_docs + 1) as f64 / (doc_freq + 1) as f64).ln() + 1.0) as f32
}

fn looked_up(query: &MoreLikeThisQuery, chosen: Vec<Chosen>) -> Query {
    let least = chosen.first().map_or(1.0, |chosen| chosen.score);
    let should: Vec<Query> = chosen
        .into_iter()
        .map(|chosen| {
            let term = Query::Term(FieldValue { field: chosen.field, value: TermValue::Text(chosen.term) });
            match query.boost_terms {
                Some(factor) => term.boosted(factor * chosen.score / least),
                None => term,
            }
        })
        .collect();
    if should.is_empty() {
        return Query::MatchNone;
    }
    let required = MinimumShouldMatch::number(&query.minimum_should_match, should.len()).unwrap_or(0);
    let minimum_should_match = (required > 0).then_some(MinimumShouldMatch::Count(required));
    Query::Bool(BoolQuery { should, minimum_should_match, ..BoolQuery::default() })
}
