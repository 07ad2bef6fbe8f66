//! A query tree to a tree of Tantivy queries whose leaves score by our BM25.

use std::collections::HashMap;
use std::ops::Bound;
use std::sync::Arc;

use tantivy::query::{
    AllQuery, BooleanQuery, ConstScoreQuery, DisjunctionMaxQuery, EmptyQuery, ExistsQuery, Occur,
    Query as TantivyQuery, RangeQuery, RegexQuery, TermQuery, TermSetQuery,
};
use tantivy::schema::IndexRecordOption;
use tantivy::{BitSet, Term};

use super::LexicalSearcher;
use super::phrase::{PhraseLeaf, PhraseSlot};
use super::term::{DocsLeaf, Norms, TermLeaf};
use super::values::{self, Side};
use super::words::{self, WordTerm, check_boost};
use crate::error::{Error, Result};
use crate::index::lexical::{FieldKind, LexicalField};
use crate::retrieve::query::{
    BoolQuery, FieldText, FieldValue, FieldValues, Fuzziness, FuzzyQuery, IdsQuery, MatchQuery, PhraseQuery, Query,
    RangeQuery as Range,
};

/// Compiles queries for one snapshot.
pub(super) struct Compiler<'a> {
    pub(super) searcher: &'a LexicalSearcher,
}

type Boxed = Box<dyn TantivyQuery>;

/// Deeper trees are refused: each level is a level of the stack.
const MAX_DEPTH: usize = 64;

impl Compiler<'_> {
    /// * `boost`: multiplies every score.
    pub(super) fn compile(&self, query: &Query, boost: f32) -> Result<Boxed> {
        self.at_depth(query, boost, 0)
    }

    fn at_depth(&self, query: &Query, boost: f32, depth: usize) -> Result<Boxed> {
        if depth > MAX_DEPTH {
            return Err(Error::invalid_input(format!(
                "the query is nested more than {MAX_DEPTH} levels deep; flatten it"
            )));
        }
        Ok(match query {
            Query::MatchAll => constant(Box::new(AllQuery), boost),
            Query::MatchNone => Box::new(EmptyQuery),
            Query::Match(query) => self.matching(query, boost)?,
            Query::Phrase(query) => self.phrase(query, boost)?,
            Query::Term(query) => self.term(query, boost)?,
            Query::Terms(query) => self.terms(query, boost)?,
            Query::Prefix(FieldText { field, text }) => self.pattern(field, &format!("{}.*", escaped(text)), boost)?,
            Query::Wildcard(FieldText { field, text }) => self.pattern(field, &wildcard_pattern(text), boost)?,
            Query::Regexp(FieldText { field, text }) => self.pattern(field, text, boost)?,
            Query::Fuzzy(query) => self.fuzzy(query, boost)?,
            Query::Range(query) => self.range(query, boost)?,
            Query::Exists(name) => self.exists(&name.field, boost)?,
            Query::Ids(query) => self.ids(query, boost)?,
            Query::Bool(query) => self.combination(query, boost, depth)?,
            Query::DisMax(query) => {
                let compile = |query| self.at_depth(query, boost, depth + 1);
                let queries = query.queries.iter().map(compile).collect::<Result<Vec<_>>>()?;
                Box::new(DisjunctionMaxQuery::with_tie_breaker(queries, check_boost(query.tie_breaker)?))
            }
            Query::ConstantScore(query) => constant(self.at_depth(query, 1.0, depth + 1)?, boost),
            Query::Boost(query) => self.at_depth(&query.query, boost * check_boost(query.boost)?, depth + 1)?,
        })
    }

    fn matching(&self, query: &MatchQuery, boost: f32) -> Result<Boxed> {
        let words = self.searcher.words(query)?;
        let mut clauses = Vec::with_capacity(words.words.len());
        for terms in &words.words {
            let mut fields = Vec::with_capacity(terms.len());
            for word in terms {
                fields.push((Occur::Should, self.word(word, query.fuzziness, boost)?));
            }
            clauses.push((Occur::Should, union(fields)));
        }
        if words.required > clauses.len() || clauses.is_empty() {
            return Ok(Box::new(EmptyQuery));
        }
        Ok(Box::new(BooleanQuery::with_minimum_required_clauses(clauses, words.required)))
    }

    fn word(&self, word: &WordTerm<'_>, fuzziness: Option<Fuzziness>, boost: f32) -> Result<Boxed> {
        let boost = boost * word.boost;
        if !word.field.has_terms() {
            return self.value(&word.name, word.field, word.term.clone(), boost);
        }
        match fuzziness.map(|fuzziness| fuzziness.edits(&word.text)).filter(|&edits| edits > 0) {
            Some(edits) => self.near(word.field, &word.text, edits, 0, true, boost),
            None => self.term_leaf(word.field, word.term.clone(), boost),
        }
    }

    fn term_leaf(&self, field: &LexicalField, term: Term, boost: f32) -> Result<Boxed> {
        let statistics = self.searcher.statistics(field.field)?;
        let weight = statistics.weight(boost, statistics.idf(self.searcher.doc_freq(&term)?));
        Ok(Box::new(TermLeaf { term, weight, norms: self.norms(field)? }))
    }

    fn norms(&self, field: &LexicalField) -> Result<Norms> {
        let inverses = self.searcher.statistics(field.field)?.norm_inverses.clone();
        Ok(Norms { inverses, columns: self.searcher.0.columns.clone() })
    }

    /// A value of a number, date or boolean field.
    fn value(&self, name: &str, field: &LexicalField, term: Term, boost: f32) -> Result<Boxed> {
        let query: Boxed = if field.indexed {
            Box::new(TermQuery::new(term, IndexRecordOption::Basic))
        } else if field.fast {
            Box::new(RangeQuery::new(Bound::Included(term.clone()), Bound::Included(term)))
        } else {
            return Err(not_searchable(name));
        };
        Ok(constant(query, boost))
    }

    fn term(&self, query: &FieldValue, boost: f32) -> Result<Boxed> {
        let field = self.searcher.field(&query.field)?;
        let term = values::term(&query.field, field, &query.value)?;
        if field.has_terms() && field.indexed {
            self.term_leaf(field, term, boost)
        } else {
            self.value(&query.field, field, term, boost)
        }
    }

    fn terms(&self, query: &FieldValues, boost: f32) -> Result<Boxed> {
        let field = self.searcher.field(&query.field)?;
        if !field.indexed {
            return Err(not_searchable(&query.field));
        }
        let term = |value| values::term(&query.field, field, value);
        let terms = query.values.iter().map(term).collect::<Result<Vec<_>>>()?;
        Ok(constant(Box::new(TermSetQuery::new(terms)), boost))
    }

    fn ids(&self, query: &IdsQuery, boost: f32) -> Result<Boxed> {
        let Some(id) = self.searcher.fields().id() else { return Ok(Box::new(EmptyQuery)) };
        let terms = query.values.iter().map(|value| Term::from_field_text(id, value));
        Ok(constant(Box::new(TermSetQuery::new(terms)), boost))
    }

    /// Terms that a regular expression matches as a whole.
    fn pattern(&self, name: &str, pattern: &str, boost: f32) -> Result<Boxed> {
        let field = self.searcher.field(name)?;
        if !field.has_terms() || !field.indexed {
            return Err(Error::invalid_input("is no text or keyword field, which patterns need").in_field(name));
        }
        let query = RegexQuery::from_pattern(pattern, field.field).map_err(|source| {
            let text = format!("the pattern {pattern:?} cannot be read or is too large; simplify it");
            Error::invalid_input(text).in_field(name).with_source(source)
        })?;
        Ok(constant(Box::new(query), boost))
    }

    fn fuzzy(&self, query: &FuzzyQuery, boost: f32) -> Result<Boxed> {
        let field = self.searcher.field(&query.field)?;
        if !field.has_terms() || !field.indexed {
            return Err(Error::invalid_input("is no text or keyword field, which fuzzy queries need")
                .in_field(query.field.clone()));
        }
        let edits = query.fuzziness.edits(&query.term);
        self.near(field, &query.term, edits, query.prefix_length, query.transpositions, boost)
    }

    /// The terms near a word, each with the idf of the most frequent of them and a boost for its nearness, as Lucene blends them.
    fn near(
        &self,
        field: &LexicalField,
        word: &str,
        edits: u8,
        prefix: usize,
        transpositions: bool,
        boost: f32,
    ) -> Result<Boxed> {
        let expansions = self.searcher.near(field, word, edits, prefix, transpositions)?;
        let statistics = self.searcher.statistics(field.field)?;
        let most_frequent = expansions.iter().map(|expansion| expansion.doc_freq).max().unwrap_or(0);
        let idf = statistics.idf(most_frequent);
        let norms = self.norms(field)?;
        let leaf = |expansion: super::expand::Expansion| -> (Occur, Boxed) {
            let weight = statistics.weight(boost * expansion.boost, idf);
            (Occur::Should, Box::new(TermLeaf { term: expansion.term, weight, norms: norms.clone() }))
        };
        Ok(union(expansions.into_iter().map(leaf).collect()))
    }

    fn phrase(&self, query: &PhraseQuery, boost: f32) -> Result<Boxed> {
        let mut queries = Vec::new();
        for (name, field, own) in self.searcher.boosted_fields(&query.fields)? {
            let boost = boost * own;
            let FieldKind::Text { .. } = field.kind else {
                let word = values::term(&name, field, &query.text.as_str().into());
                if let Ok(term) = word {
                    queries.push(if field.has_terms() {
                        self.term_leaf(field, term, boost)?
                    } else {
                        self.value(&name, field, term, boost)?
                    });
                }
                continue;
            };
            if let Some(leaf) = self.phrase_in(field, query, boost)? {
                queries.push(leaf);
            }
        }
        Ok(match queries.len() {
            0 => Box::new(EmptyQuery),
            1 => queries.remove(0),
            _ => Box::new(DisjunctionMaxQuery::new(queries)),
        })
    }

    fn phrase_in(&self, field: &LexicalField, query: &PhraseQuery, boost: f32) -> Result<Option<Boxed>> {
        let tokens = words::tokens(field, query.analyzer.as_deref(), &query.text)?;
        let Some(first) = tokens.first().map(|token| token.position) else { return Ok(None) };
        let statistics = self.searcher.statistics(field.field)?;
        let mut slots: Vec<PhraseSlot> = Vec::with_capacity(tokens.len());
        let mut sum_idf = 0.0;
        for (idx, token) in tokens.iter().enumerate() {
            let is_beginning = query.prefix && idx + 1 == tokens.len();
            let terms = if is_beginning {
                self.searcher.beginning_with(field, &token.term)?
            } else {
                vec![Term::from_field_text(field.field, &token.term)]
            };
            // As in Lucene, every term that may stand at a place adds its idf.
            let mut is_indexed = false;
            for term in &terms {
                let doc_freq = self.searcher.doc_freq(term)?;
                if doc_freq > 0 {
                    sum_idf += statistics.idf(doc_freq);
                    is_indexed = true;
                }
            }
            if !is_indexed {
                return Ok(None);
            }
            slots.push(PhraseSlot { offset: token.position - first, terms });
        }
        if let ([slot], false) = (slots.as_slice(), query.prefix)
            && let Some(term) = slot.terms.first()
        {
            return self.term_leaf(field, term.clone(), boost).map(Some);
        }
        let weight = statistics.weight(boost, sum_idf);
        Ok(Some(Box::new(PhraseLeaf { slots, slop: query.slop, weight, norms: self.norms(field)? })))
    }

    fn range(&self, query: &Range, boost: f32) -> Result<Boxed> {
        let field = self.searcher.field(&query.field)?;
        if !field.indexed && !field.fast {
            return Err(not_searchable(&query.field));
        }
        let lower = match (&query.gt, &query.gte) {
            (Some(value), _) => Bound::Excluded(value),
            (None, Some(value)) => Bound::Included(value),
            (None, None) => Bound::Unbounded,
        };
        let upper = match (&query.lt, &query.lte) {
            (Some(value), _) => Bound::Excluded(value),
            (None, Some(value)) => Bound::Included(value),
            (None, None) => Bound::Unbounded,
        };
        let lower = values::bound(&query.field, field, lower, Side::Lower)?;
        let upper = values::bound(&query.field, field, upper, Side::Upper)?;
        if matches!((&lower, &upper), (Bound::Unbounded, Bound::Unbounded)) {
            return self.exists(&query.field, boost);
        }
        Ok(constant(Box::new(RangeQuery::new(lower, upper)), boost))
    }

    fn exists(&self, name: &str, boost: f32) -> Result<Boxed> {
        let field = self.searcher.field(name)?;
        if field.fast {
            return Ok(constant(Box::new(ExistsQuery::new(name.to_string(), false)), boost));
        }
        if !field.has_terms() {
            return Err(
                Error::unsupported("has no column (`doc_values` is false), which `exists` needs").in_field(name)
            );
        }
        let mut docs = HashMap::new();
        for (reader, segment) in self.searcher.searcher().segment_readers().iter().zip(&self.searcher.0.segments) {
            let mut found = BitSet::with_max_value(reader.max_doc());
            for doc in (0..reader.max_doc()).filter(|&doc| segment.columns.has_field(field.field, doc)) {
                found.insert(doc);
            }
            docs.insert(reader.segment_id(), found);
        }
        Ok(Box::new(DocsLeaf { docs: Arc::new(docs), score: boost }))
    }

    fn combination(&self, query: &BoolQuery, boost: f32, depth: usize) -> Result<Boxed> {
        let mut clauses: Vec<(Occur, Boxed)> = Vec::new();
        for clause in &query.must {
            clauses.push((Occur::Must, self.at_depth(clause, boost, depth + 1)?));
        }
        for clause in &query.filter {
            clauses.push((Occur::Must, constant(self.at_depth(clause, 1.0, depth + 1)?, 0.0)));
        }
        for clause in &query.should {
            clauses.push((Occur::Should, self.at_depth(clause, boost, depth + 1)?));
        }
        if clauses.is_empty() {
            // As in Elasticsearch: without a positive clause every document matches, with score 1 unless something is excluded.
            let score = if query.must_not.is_empty() { boost } else { 0.0 };
            clauses.push((Occur::Must, constant(Box::new(AllQuery), score)));
        }
        for clause in &query.must_not {
            clauses.push((Occur::MustNot, self.at_depth(clause, 1.0, depth + 1)?));
        }
        let required = query.num_required_should();
        if required > query.should.len() {
            return Ok(Box::new(EmptyQuery));
        }
        Ok(Box::new(BooleanQuery::with_minimum_required_clauses(clauses, required)))
    }
}

fn constant(query: Boxed, score: f32) -> Boxed {
    Box::new(ConstScoreQuery::new(query, score))
}

fn union(mut clauses: Vec<(Occur, Boxed)>) -> Boxed {
    match clauses.len() {
        0 => Box::new(EmptyQuery),
        1 => clauses.remove(0).1,
        _ => Box::new(BooleanQuery::new(clauses)),
    }
}

fn not_searchable(name: &str) -> Error {
    Error::invalid_input("is neither indexed nor has a column; set \"index\": true in the mapping to search it")
        .in_field(name)
}

/// A text as a regular expression that matches just it.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    text.chars().for_each(|character| push_escaped(&mut pattern, character));
    pattern
}

fn push_escaped(pattern: &mut String, character: char) {
    if character.is_ascii_punctuation() && character != '_' && character != '"' && character != '\'' {
        pattern.push('\\');
    }
    pattern.push(character);
}

/// `*` any letters, `?` one, `\` before either takes it literally.
fn wildcard_pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 8);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '*' => pattern.push_str(".*"),
            '?' => pattern.push('.'),
            '\\' => push_escaped(&mut pattern, characters.next().unwrap_or('\\')),
            other => push_escaped(&mut pattern, other),
        }
    }
    pattern
}
