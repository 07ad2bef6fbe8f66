//! A query tree to a tree of Tantivy queries whose leaves score by our BM25.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use tantivy::query::{
    AllQuery, BooleanQuery, ConstScoreQuery, DisjunctionMaxQuery, EmptyQuery, ExistsQuery, Occur,
    Query as TantivyQuery, RangeQuery, TermQuery, TermSetQuery,
};
use tantivy::schema::IndexRecordOption;
use tantivy::{BitSet, Term};

use super::LexicalSearcher;
use super::automaton::Pattern;
use super::expand::MAX_EXPANSIONS;
use super::functions::{Function, FunctionKind, FunctionScore, RandomSource, ScriptScore};
use super::nested::BlockJoin;
use super::numbers::NumberField;
use super::phrase::{PhraseLeaf, PhraseSlot, PhrasesLeaf};
use super::rescoring::{Cap, Demote, Faults, Rescored};
use super::synonyms::{CombinedLeaf, SynonymLeaf};
use super::term::{DocsLeaf, Norms, TermLeaf};
use super::values::{self, Side};
use super::words::{self, WordTerm, check_boost};
use crate::error::{Error, Result};
use crate::index::lexical::bm25::FieldStatistics;
use crate::index::lexical::{FieldKind, LexicalField};
use crate::retrieve::query::{
    BlendedQuery, BoolQuery, CombinedTermQuery, FieldValue, FieldValues, FunctionScoreQuery, Fuzziness, FuzzyQuery,
    IdsQuery, MatchQuery, NestedQuery, PatternQuery, PhraseQuery, Query, RangeQuery as Range, Rewrite, ScoreFunction,
    ScoreMode, SynonymQuery, TermPhraseQuery, TermValue,
};

/// Compiles queries for one snapshot.
pub(super) struct Compiler<'a> {
    pub(super) searcher: &'a LexicalSearcher,
    /// Where scorers say what went wrong.
    pub(super) faults: Faults,
    /// The nested objects that the part is about that is being compiled; `None` for whole documents.
    pub(super) scope: RefCell<Option<String>>,
    /// Whether anything was expanded over the dictionary of terms.
    pub(super) has_expanded: Cell<bool>,
}

type Boxed = Box<dyn TantivyQuery>;

/// Deeper trees are refused: each level is a level of the stack.
const MAX_DEPTH: usize = 100;

impl Compiler<'_> {
    /// * `boost`: multiplies every score.
    pub(super) fn compile(&self, query: &Query, boost: f32) -> Result<Boxed> {
        self.at_depth(query, boost, 0)
    }

    /// * `faults`: where scorers say what went wrong.
    pub(super) fn new(searcher: &LexicalSearcher, faults: Faults) -> Compiler<'_> {
        Compiler { searcher, faults, scope: RefCell::new(None), has_expanded: Cell::new(false) }
    }

    /// A query without the documents that it is not about, so that no function has to score them.
    fn in_scope(&self, query: Boxed) -> Result<Boxed> {
        let scope = self.scope.borrow().clone();
        let inside: Boxed = match &scope {
            Some(path) => match self.searcher.nested_path_term(path)? {
                Some(term) => Box::new(TermQuery::new(term, IndexRecordOption::Basic)),
                None => return Ok(query),
            },
            None if self.searcher.roots_filter().is_some() => {
                Box::new(DocsLeaf { docs: Arc::new(self.searcher.parents(None)?), score: 0.0 })
            }
            None => return Ok(query),
        };
        Ok(Box::new(BooleanQuery::new(vec![(Occur::Must, query), (Occur::Must, constant(inside, 0.0))])))
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
            Query::Synonym(query) => self.synonyms(query, boost)?,
            Query::TermPhrase(query) => self.term_phrase(query, boost)?,
            Query::CombinedTerm(query) => self.combined_term(query, boost)?,
            Query::Blended(query) => self.blended(query, boost)?,
            Query::MoreLikeThis(query) => self.at_depth(&self.searcher.similar(query)?, boost, depth + 1)?,
            Query::Prefix(query) => self.pattern(
                &query.field,
                &Pattern::prefix(query, self.key_of(&query.field)?.as_deref())?,
                query.rewrite,
                boost,
            )?,
            Query::Wildcard(query) => self.pattern(
                &query.field,
                &Pattern::wildcard(query, self.key_of(&query.field)?.as_deref())?,
                query.rewrite,
                boost,
            )?,
            Query::Regexp(query) => self.pattern(
                &query.field,
                &Pattern::regexp(query, self.key_of(&query.field)?.as_deref())?,
                query.rewrite,
                boost,
            )?,
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
            Query::Boosting(query) => Box::new(Rescored {
                inner: self.at_depth(&query.positive, boost, depth + 1)?,
                others: vec![self.at_depth(&query.negative, 1.0, depth + 1)?],
                rescore: Arc::new(Demote { factor: check_boost(query.negative_boost)? }),
            }),
            Query::Capped(query) => Box::new(Rescored {
                inner: self.at_depth(&query.query, boost, depth + 1)?,
                others: Vec::new(),
                rescore: Arc::new(Cap { max_score: query.max_score }),
            }),
            Query::FunctionScore(query) => self.function_score(query, boost, depth)?,
            Query::ScriptScore(query) => Box::new(Rescored {
                inner: self.in_scope(self.at_depth(&query.query, 1.0, depth + 1)?)?,
                others: Vec::new(),
                rescore: Arc::new(ScriptScore {
                    script: Arc::new(self.searcher.expression_fields(&query.script)?),
                    min_score: query.min_score,
                    boost,
                    faults: self.faults.clone(),
                }),
            }),
            Query::RankFeature(query) => Box::new(self.searcher.feature_leaf(query, boost)?),
            Query::DistanceFeature(query) => Box::new(self.searcher.distance_leaf(query, boost)?),
            Query::Nested(query) => self.nested(query, boost, depth)?,
            Query::Knn(query) => Box::new(self.searcher.scored_docs_leaf(&self.searcher.nearest(query)?, boost)),
            Query::Docs(docs) => Box::new(self.searcher.scored_docs_leaf(docs, boost)),
            Query::Named(query) => self.at_depth(&query.query, boost, depth + 1)?,
        })
    }

    /// What stands before each term of a field inside of a `flattened` one.
    fn key_of(&self, name: &str) -> Result<Option<Arc<str>>> {
        Ok(self.searcher.field(name)?.extra.key_prefix.clone())
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
            return self.value(&word.name, &word.field, word.term.clone(), boost);
        }
        match fuzziness.map(|fuzziness| fuzziness.edits(&word.text)).filter(|&edits| edits > 0) {
            Some(edits) => self.fuzzy(&FuzzyQuery::new(&word.name, &word.text, Fuzziness::Edits(edits)), boost),
            None => self.term_leaf(&word.field, word.term.clone(), boost),
        }
    }

    pub(super) fn term_leaf(&self, field: &LexicalField, term: Term, boost: f32) -> Result<Boxed> {
        let statistics = self.searcher.statistics(field.field)?;
        let weight = statistics.weight(boost, statistics.idf(self.searcher.doc_freq(&term)?));
        Ok(Box::new(TermLeaf { term, weight, norms: self.norms(field)? }))
    }

    pub(super) fn norms(&self, field: &LexicalField) -> Result<Norms> {
        let inverses = self.searcher.statistics(field.field)?.norm_inverses.clone();
        let (has_lengths, has_frequencies) = (field.has_norms(), field.has_frequencies());
        Ok(Norms { inverses, columns: self.searcher.snapshot.columns.clone(), has_lengths, has_frequencies })
    }

    /// A value of a number, date or boolean field.
    fn value(&self, name: &str, field: &LexicalField, term: Term, boost: f32) -> Result<Boxed> {
        let query: Boxed = if field.indexed {
            Box::new(TermQuery::new(term.clone(), IndexRecordOption::Basic))
        } else if field.fast {
            Box::new(RangeQuery::new(Bound::Included(term.clone()), Bound::Included(term.clone())))
        } else {
            return Err(not_searchable(name));
        };
        if matches!(field.kind, FieldKind::Bool) && field.indexed {
            return Ok(constant(query, boost * self.searcher.truth_score(name, field, &term)?));
        }
        Ok(constant(query, boost))
    }

    fn term(&self, query: &FieldValue, boost: f32) -> Result<Boxed> {
        let field = &*self.searcher.field(&query.field)?;
        let term = values::term(&query.field, field, &query.value)?;
        if field.has_terms() && field.indexed {
            self.term_leaf(field, term, boost)
        } else {
            self.value(&query.field, field, term, boost)
        }
    }

    fn terms(&self, query: &FieldValues, boost: f32) -> Result<Boxed> {
        let field = &*self.searcher.field(&query.field)?;
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

    fn phrase(&self, query: &PhraseQuery, boost: f32) -> Result<Boxed> {
        let mut queries = Vec::new();
        for (name, field, own) in self.searcher.boosted_fields(&query.fields)? {
            let boost = boost * own;
            let field = &*field;
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
        let tokens = words::tokens(self.searcher.fields().analyzers(), field, query.analyzer.as_deref(), &query.text)?;
        let Some(first) = tokens.first().map(|token| token.position) else { return Ok(None) };
        let mut places: Vec<(u32, Vec<Term>)> = Vec::with_capacity(tokens.len());
        for (idx, token) in tokens.iter().enumerate() {
            let is_beginning = query.prefix && idx + 1 == tokens.len();
            let terms = if is_beginning {
                self.searcher.beginning_with(field, &token.term, MAX_EXPANSIONS)?
            } else {
                vec![field.text_term(&token.term)]
            };
            places.push((token.position - first, terms));
        }
        self.phrase_of(field, places, query.slop, boost)
    }

    /// * `places`: offsets from the first, each with the terms that may stand there.
    fn phrase_of(
        &self,
        field: &LexicalField,
        places: Vec<(u32, Vec<Term>)>,
        slop: u32,
        boost: f32,
    ) -> Result<Option<Boxed>> {
        let statistics = self.searcher.statistics(field.field)?;
        let mut slots: Vec<PhraseSlot> = Vec::with_capacity(places.len());
        let mut sum_idf = 0.0;
        for (offset, terms) in places {
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
            slots.push(PhraseSlot { offset, terms });
        }
        if let [slot] = slots.as_slice() {
            let leaf = |term: &Term| Ok((Occur::Should, self.term_leaf(field, term.clone(), boost)?));
            return Ok(Some(union(slot.terms.iter().map(leaf).collect::<Result<_>>()?)));
        }
        let weight = statistics.weight(boost, sum_idf);
        Ok(Some(Box::new(PhraseLeaf { slots, slop, weight, norms: self.norms(field)? })))
    }

    fn synonyms(&self, query: &SynonymQuery, boost: f32) -> Result<Boxed> {
        let field = &*self.searcher.field(&query.field)?;
        let statistics = self.searcher.statistics(field.field)?;
        let mut most_frequent = 0;
        let mut terms = Vec::with_capacity(query.terms.len());
        for synonym in &query.terms {
            let term = field.text_term(&synonym.term);
            most_frequent = most_frequent.max(self.searcher.doc_freq(&term)?);
            terms.push((term, check_boost(synonym.boost)?));
        }
        let weight = statistics.weight(boost, statistics.idf(most_frequent));
        Ok(Box::new(SynonymLeaf { terms, weight, norms: self.norms(field)? }))
    }

    fn term_phrase(&self, query: &TermPhraseQuery, boost: f32) -> Result<Boxed> {
        let field = &*self.searcher.field(&query.field)?;
        if !query.alternatives.is_empty() {
            return self.phrase_paths(field, query, boost);
        }
        let Some(first) = query.places.first().map(|place| place.position) else { return Ok(Box::new(EmptyQuery)) };
        let mut places: Vec<(u32, Vec<Term>)> = Vec::with_capacity(query.places.len());
        for (idx, place) in query.places.iter().enumerate() {
            let terms = match query.max_expansions {
                Some(limit) if idx + 1 == query.places.len() => {
                    let mut terms = Vec::new();
                    for prefix in &place.terms {
                        terms.extend(self.searcher.beginning_with(field, prefix, limit)?);
                    }
                    terms
                }
                _ => place.terms.iter().map(|term| field.text_term(term)).collect(),
            };
            places.push((place.position.saturating_sub(first), terms));
        }
        let leaf = self.phrase_of(field, places, query.slop, boost)?;
        Ok(leaf.unwrap_or_else(|| Box::new(EmptyQuery)))
    }

    /// Sequences of terms that count as one phrase, with the idfs of all their terms, as Lucene's spans are scored.
    fn phrase_paths(&self, field: &LexicalField, query: &TermPhraseQuery, boost: f32) -> Result<Boxed> {
        let statistics = self.searcher.statistics(field.field)?;
        let mut terms = BTreeSet::new();
        let mut phrases = Vec::new();
        for path in std::iter::once(&query.places).chain(&query.alternatives) {
            let first = path.first().map_or(0, |place| place.position);
            let mut slots = Vec::with_capacity(path.len());
            for (idx, place) in path.iter().enumerate() {
                let own: Vec<Term> = match (query.max_expansions, place.terms.as_slice()) {
                    // Several words of one place are no beginnings.
                    (Some(limit), [prefix]) if idx + 1 == path.len() => {
                        self.searcher.beginning_with(field, prefix, limit)?
                    }
                    (_, terms) => terms.iter().map(|term| field.text_term(term)).collect(),
                };
                terms.extend(own.iter().cloned());
                slots.push(PhraseSlot { offset: place.position.saturating_sub(first), terms: own });
            }
            phrases.push(slots);
        }
        let mut sum_idf = 0.0;
        for term in &terms {
            let doc_freq = self.searcher.doc_freq(term)?;
            if doc_freq > 0 {
                sum_idf += statistics.idf(doc_freq);
            }
        }
        let (weight, norms) = (statistics.weight(boost, sum_idf), self.norms(field)?);
        let leaf = |slots| PhraseLeaf { slots, slop: query.slop, weight, norms: norms.clone() };
        Ok(Box::new(PhrasesLeaf { phrases: phrases.into_iter().map(leaf).collect() }))
    }

    fn combined_term(&self, query: &CombinedTermQuery, boost: f32) -> Result<Boxed> {
        let (mut doc_freq, mut doc_count, mut sum_total_term_freq) = (0, 0, 0.0_f64);
        let (mut terms, mut fields, mut params) = (Vec::new(), Vec::new(), None);
        for wanted in &query.fields {
            let field = &*self.searcher.field(&wanted.field)?;
            let field_boost = check_boost(wanted.boost)?;
            let statistics = self.searcher.statistics(field.field)?;
            params = params.or(Some(statistics.params));
            doc_count = doc_count.max(statistics.doc_count);
            sum_total_term_freq += f64::from(field_boost) * statistics.sum_total_term_freq as f64;
            fields.push((Term::from_field_text(field.field, ""), field_boost));
            for term in &query.terms {
                let term = field.text_term(term);
                doc_freq = doc_freq.max(self.searcher.doc_freq(&term)?);
                terms.push((term, field_boost));
            }
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a sum of counts, at least 0")]
        let statistics = FieldStatistics::new(doc_count, sum_total_term_freq as u64, params.unwrap_or_default());
        Ok(Box::new(CombinedLeaf {
            terms,
            fields,
            weight: statistics.weight(boost, statistics.idf(doc_freq)),
            inverses: statistics.norm_inverses.clone(),
            columns: self.searcher.snapshot.columns.clone(),
        }))
    }

    /// Terms with the document frequency that their fields share, as Elasticsearch blends them.
    fn blended(&self, query: &BlendedQuery, boost: f32) -> Result<Boxed> {
        let mut terms = Vec::with_capacity(query.terms.len());
        let mut ceiling =
            u64::from(self.searcher.searcher().segment_readers().iter().map(|r| r.max_doc()).sum::<u32>());
        for blended in &query.terms {
            let field = self.searcher.field(&blended.field)?;
            if !field.has_terms() {
                let value = TermValue::Text(blended.term.clone());
                let term = values::term(&blended.field, &field, &value)?;
                terms.push((blended, field, term, 0));
                continue;
            }
            let term = field.text_term(&blended.term);
            let doc_freq = self.searcher.doc_freq(&term)?;
            if doc_freq > 0 {
                ceiling = ceiling.min(self.searcher.statistics(field.field)?.doc_count);
            }
            terms.push((blended, field, term, doc_freq));
        }
        let greatest = terms.iter().map(|(.., doc_freq)| *doc_freq).max().unwrap_or(0);
        let mut by_frequency: Vec<usize> = (0..terms.len()).collect();
        by_frequency.sort_by_key(|&idx| std::cmp::Reverse(terms[idx].3));
        // The field that has the term most often counts as the most frequent; each rarer one as a little more so.
        let mut shared = greatest.min(ceiling);
        let mut previous = greatest;
        let mut doc_freqs = vec![0; terms.len()];
        for idx in by_frequency {
            let current = terms[idx].3;
            if current == 0 {
                break;
            }
            shared += u64::from(previous > current);
            doc_freqs[idx] = shared.min(ceiling);
            previous = current;
        }
        let mut clauses: Vec<Boxed> = Vec::with_capacity(terms.len());
        for ((blended, field, term, _), doc_freq) in terms.into_iter().zip(doc_freqs) {
            let own = boost * check_boost(blended.boost)?;
            clauses.push(if field.has_terms() {
                let statistics = self.searcher.statistics(field.field)?;
                let weight = statistics.weight(own, statistics.idf(doc_freq));
                Box::new(TermLeaf { term, weight, norms: self.norms(&field)? })
            } else {
                self.value(&blended.field, &field, term, own)?
            });
        }
        Ok(match clauses.len() {
            0 => Box::new(EmptyQuery),
            1 => clauses.remove(0),
            _ => Box::new(DisjunctionMaxQuery::with_tie_breaker(clauses, check_boost(query.tie_breaker)?)),
        })
    }

    fn function_score(&self, query: &FunctionScoreQuery, boost: f32, depth: usize) -> Result<Boxed> {
        let (mut functions, mut others) = (Vec::new(), Vec::new());
        for clause in &query.functions {
            let filter = match &clause.filter {
                None | Some(Query::MatchAll) => None,
                Some(filter) => {
                    others.push(self.at_depth(filter, 1.0, depth + 1)?);
                    Some(others.len() - 1)
                }
            };
            functions.push(Function { filter, weight: clause.weight, kind: self.function(clause.function.as_ref())? });
        }
        // One function for all documents is no combination: Elasticsearch takes it as it is, its weight too.
        let score_mode = match functions.as_slice() {
            [Function { filter: None, .. }] => ScoreMode::First,
            _ => query.score_mode,
        };
        Ok(Box::new(Rescored {
            inner: self.in_scope(self.at_depth(&query.query, boost, depth + 1)?)?,
            others,
            rescore: Arc::new(FunctionScore {
                functions,
                score_mode,
                boost_mode: query.boost_mode,
                max_boost: query.max_boost.map_or(f64::from(f32::MAX), f64::from),
                min_score: query.min_score,
                faults: self.faults.clone(),
            }),
        }))
    }

    pub(super) fn function(&self, function: Option<&ScoreFunction>) -> Result<FunctionKind> {
        Ok(match function {
            None => FunctionKind::One,
            Some(ScoreFunction::FieldValueFactor(own)) => FunctionKind::FieldValue {
                field: self.searcher.number_field(&own.field)?,
                factor: f64::from(own.factor),
                modifier: own.modifier,
                missing: own.missing,
            },
            Some(ScoreFunction::Decay(decay)) => {
                FunctionKind::Decay { field: self.searcher.number_field(&decay.field)?, decay: decay.clone() }
            }
            Some(ScoreFunction::Random(random)) => {
                let source = match random.field.as_deref() {
                    None => RandomSource::Place(Arc::new(self.searcher.doc_bases())),
                    Some("_id") => RandomSource::Id(self.searcher.snapshot.columns.clone()),
                    Some("_seq_no") => {
                        RandomSource::Number(NumberField { name: "_seq_no".to_string(), kind: FieldKind::UnsignedLong })
                    }
                    Some(field) => RandomSource::Number(self.searcher.number_field(field)?),
                };
                FunctionKind::Random { source, salted_seed: random.salted_seed }
            }
            Some(ScoreFunction::Script(script)) => {
                FunctionKind::Script(Arc::new(self.searcher.expression_fields(script)?))
            }
        })
    }

    fn nested(&self, query: &NestedQuery, boost: f32, depth: usize) -> Result<Boxed> {
        let children = self.searcher.nested_path_term(&query.path)?;
        let objects: Boxed = match children {
            Some(term) => Box::new(TermQuery::new(term, IndexRecordOption::Basic)),
            None => return Ok(Box::new(EmptyQuery)),
        };
        let around = self.scope.replace(Some(query.path.clone()));
        let inner = self.at_depth(&query.query, boost, depth + 1);
        self.scope.replace(around);
        let inner = inner?;
        let clauses = vec![(Occur::Must, inner), (Occur::Must, constant(objects, 0.0))];
        Ok(Box::new(Rescored {
            inner: Box::new(BooleanQuery::new(clauses)),
            others: Vec::new(),
            rescore: Arc::new(BlockJoin {
                parents: Arc::new(self.searcher.parents(query.parent.as_deref())?),
                score_mode: query.score_mode,
            }),
        }))
    }

    fn range(&self, query: &Range, boost: f32) -> Result<Boxed> {
        let field = &*self.searcher.field(&query.field)?;
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
        let field = &*self.searcher.field(name)?;
        if let (Some(key), true) = (&field.extra.key_prefix, field.has_terms()) {
            let keyed = PatternQuery::new(name, "");
            return self.pattern(name, &Pattern::prefix(&keyed, Some(key))?, Rewrite::ConstantScore, boost);
        }
        if field.fast {
            let column = self.searcher.column_name(name, field);
            return Ok(constant(Box::new(ExistsQuery::new(column, false)), boost));
        }
        if !field.has_terms() {
            let mapped = field.extra.mapping.as_deref().map_or(name, |mapping| mapping.path.as_str());
            let Some(names) = self.searcher.fields().engine().field_names else {
                return Err(
                    Error::unsupported("has no column (`doc_values` is false), which `exists` needs").in_field(name)
                );
            };
            let query = TermQuery::new(Term::from_field_text(names, mapped), IndexRecordOption::Basic);
            return Ok(constant(Box::new(query), boost));
        }
        let mut docs = HashMap::new();
        for (reader, segment) in self.searcher.searcher().segment_readers().iter().zip(&self.searcher.snapshot.segments)
        {
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
