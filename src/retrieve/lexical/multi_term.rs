//! Queries that stand for many terms: patterns and fuzzy terms, expanded over the dictionary and scored as they ask.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tantivy::query::{BooleanQuery, ConstScoreQuery, EmptyQuery, Occur, Query as TantivyQuery, TermQuery};
use tantivy::schema::IndexRecordOption;
use tantivy::{BitSet, Term};

use super::LexicalSearcher;
use super::automaton::regexp::too_complex;
use super::automaton::{Matcher, Pattern, Watched};
use super::compile::Compiler;
use super::expand::Expansion;
use super::term::{DocsLeaf, TermLeaf};
use crate::error::{Error, Result};
use crate::index::lexical::LexicalField;
use crate::retrieve::query::{FuzzyQuery, Rewrite};

/// The most terms of a query whose terms are scored one by one.
const MAX_SCORED_TERMS: usize = 1024;
/// Postings read between two looks at the clock.
const POSTINGS_A_LOOK: u64 = 1 << 16;

type Boxed = Box<dyn TantivyQuery>;

impl Compiler<'_> {
    /// Terms of a field that a pattern matches.
    pub(super) fn pattern(&self, name: &str, pattern: &Pattern, rewrite: Rewrite, boost: f32) -> Result<Boxed> {
        self.has_expanded.set(true);
        let field = &*self.searcher.field(name)?;
        if !field.has_terms() || !field.indexed {
            return Err(Error::invalid_input("is no text or keyword field, which patterns need").in_field(name));
        }
        match rewrite {
            Rewrite::Usual | Rewrite::ConstantScore => self.matching_docs(name, field, pattern, boost),
            Rewrite::Scoring | Rewrite::TopTerms(_) | Rewrite::TopTermsBoost(_) | Rewrite::TopTermsBlended(_) => {
                let expansions = self.searcher.matching_terms(name, field, pattern)?;
                self.rewritten(field, expansions, rewrite, boost)
            }
        }
    }

    fn matching_docs(&self, name: &str, field: &LexicalField, pattern: &Pattern, score: f32) -> Result<Boxed> {
        let matcher = pattern.matcher();
        let mut docs = HashMap::new();
        let time_limit = self.searcher.time_limit();
        let mut num_postings = 0_u64;
        for (reader, segment) in self.searcher.searcher().segment_readers().iter().zip(&self.searcher.snapshot.segments)
        {
            let Some(inverted) = segment.inverted.get(&field.field) else { continue };
            let mut found = BitSet::with_max_value(reader.max_doc());
            let watched = Watched::new(&matcher, time_limit);
            let mut stream = inverted.terms().search(watched).ge(pattern.prefix.as_bytes()).into_stream()?;
            while stream.advance() {
                num_postings += u64::from(stream.value().doc_freq);
                if num_postings >= POSTINGS_A_LOOK {
                    num_postings = 0;
                    if time_limit.is_up() {
                        break;
                    }
                }
                let mut postings =
                    inverted.read_block_postings_from_terminfo(stream.value(), IndexRecordOption::Basic)?;
                loop {
                    let block = postings.docs();
                    if block.is_empty() {
                        break;
                    }
                    block.iter().for_each(|&doc| {
                        found.insert(doc);
                    });
                    postings.advance();
                }
            }
            docs.insert(reader.segment_id(), found);
        }
        check_exhausted(name, &matcher)?;
        Ok(Box::new(DocsLeaf { docs: Arc::new(docs), score }))
    }

    /// The terms near a word.
    pub(super) fn fuzzy(&self, query: &FuzzyQuery, boost: f32) -> Result<Boxed> {
        self.has_expanded.set(true);
        let field = &*self.searcher.field(&query.field)?;
        if !field.has_terms() || !field.indexed {
            return Err(Error::invalid_input("is no text or keyword field, which fuzzy queries need")
                .in_field(query.field.clone()));
        }
        let edits = query.fuzziness.edits(&query.term);
        if edits == 0 {
            return self.term_leaf(field, field.text_term(&query.term), boost);
        }
        let rewrite = if query.rewrite == Rewrite::Usual {
            Rewrite::TopTermsBlended(query.max_expansions)
        } else {
            query.rewrite
        };
        let expansions = self.searcher.near(field, &query.term, edits, query.prefix_length, query.transpositions)?;
        self.rewritten(field, expansions, rewrite, boost)
    }

    /// * `expansions`: best first, as [`LexicalSearcher::near`] gives them.
    fn rewritten(
        &self,
        field: &LexicalField,
        mut expansions: Vec<Expansion>,
        rewrite: Rewrite,
        boost: f32,
    ) -> Result<Boxed> {
        let statistics = self.searcher.statistics(field.field)?;
        let norms = self.norms(field)?;
        let limit = match rewrite {
            Rewrite::TopTerms(limit) | Rewrite::TopTermsBoost(limit) | Rewrite::TopTermsBlended(limit) => Some(limit),
            Rewrite::Usual | Rewrite::ConstantScore | Rewrite::Scoring => None,
        };
        if let Some(limit) = limit {
            expansions.truncate(limit.min(MAX_SCORED_TERMS));
        }
        if matches!(rewrite, Rewrite::Scoring) && expansions.len() > MAX_SCORED_TERMS {
            return Err(Error::invalid_input(format!(
                "stands for {} terms, more than the {MAX_SCORED_TERMS} that can be scored one by one; use another rewrite",
                expansions.len()
            ))
            .in_field(self.searcher.searcher().schema().get_field_name(field.field)));
        }
        let most_frequent = expansions.iter().map(|expansion| expansion.doc_freq).max().unwrap_or(0);
        let clause = |expansion: Expansion| -> (Occur, Boxed) {
            let own = boost * expansion.boost;
            let term_query = || Box::new(TermQuery::new(expansion.term.clone(), IndexRecordOption::Basic));
            let query: Boxed = match rewrite {
                Rewrite::Usual | Rewrite::ConstantScore => term_query(),
                Rewrite::TopTermsBoost(_) => Box::new(ConstScoreQuery::new(term_query(), own)),
                Rewrite::Scoring | Rewrite::TopTerms(_) => {
                    let weight = statistics.weight(own, statistics.idf(expansion.doc_freq));
                    Box::new(TermLeaf { term: expansion.term, weight, norms: norms.clone() })
                }
                Rewrite::TopTermsBlended(_) => {
                    let weight = statistics.weight(own, statistics.idf(most_frequent));
                    Box::new(TermLeaf { term: expansion.term, weight, norms: norms.clone() })
                }
            };
            (Occur::Should, query)
        };
        let mut clauses: Vec<_> = expansions.into_iter().map(clause).collect();
        let query: Boxed = match clauses.len() {
            0 => Box::new(EmptyQuery),
            1 => clauses.remove(0).1,
            _ => Box::new(BooleanQuery::new(clauses)),
        };
        Ok(match rewrite {
            Rewrite::Usual | Rewrite::ConstantScore => Box::new(ConstScoreQuery::new(query, boost)),
            Rewrite::Scoring | Rewrite::TopTerms(_) | Rewrite::TopTermsBoost(_) | Rewrite::TopTermsBlended(_) => query,
        })
    }
}

impl LexicalSearcher {
    /// The terms of a field that a pattern matches, in their order, with their document frequencies.
    pub(super) fn matching_terms(&self, name: &str, field: &LexicalField, pattern: &Pattern) -> Result<Vec<Expansion>> {
        let matcher = pattern.matcher();
        let mut found: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
        for segment in &self.snapshot.segments {
            let Some(inverted) = segment.inverted.get(&field.field) else { continue };
            let watched = Watched::new(&matcher, self.time_limit());
            let mut stream = inverted.terms().search(watched).ge(pattern.prefix.as_bytes()).into_stream()?;
            while stream.advance() {
                *found.entry(stream.key().to_vec()).or_default() += u64::from(stream.value().doc_freq);
            }
        }
        check_exhausted(name, &matcher)?;
        let expansion = |(key, doc_freq): (Vec<u8>, u64)| {
            let term = Term::from_field_text(field.field, std::str::from_utf8(&key).ok()?);
            Some(Expansion { term, boost: 1.0, doc_freq })
        };
        Ok(found.into_iter().filter_map(expansion).collect())
    }
}

fn check_exhausted(name: &str, matcher: &Matcher) -> Result<()> {
    if matcher.is_exhausted() {
        return Err(Error::invalid_input(too_complex()).in_field(name));
    }
    Ok(())
}
