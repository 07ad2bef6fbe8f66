//! A query of plain words to the engine for unions of terms.

use std::collections::HashMap;

use tantivy::schema::IndexRecordOption;
use tantivy::{BitSet, Term};

use super::LexicalSearcher;
use super::words::check_boost;
use crate::error::Result;
use crate::index::lexical::top_k::{ScoredDoc, UnionSegment, UnionTerm, top_k};
use crate::retrieve::query::{BoolQuery, BoostQuery, MatchQuery, Query};

/// The terms of a union, with the scores that they give.
#[derive(Debug, Default)]
pub(super) struct UnionPlan {
    terms: Vec<PlannedTerm>,
    required: u32,
}

#[derive(Debug)]
struct PlannedTerm {
    term: Term,
    weight: f32,
    clauses: u64,
}

/// More words than this cannot be told apart by the engine's bits.
const MAX_CLAUSES: usize = 64;

impl LexicalSearcher {
    /// The union that a query is; `None` when it is more than that.
    ///
    /// That is a match query over indexed text or keyword fields without fuzziness, boosted or not, or several of them of which
    /// any may match.
    pub(super) fn plan_union(&self, query: &Query) -> Result<Option<UnionPlan>> {
        let mut matches = Vec::new();
        if !gather(query, 1.0, &mut matches)? {
            return Ok(None);
        }
        let is_single = matches.len() == 1;
        let mut merged: HashMap<Term, PlannedTerm> = HashMap::new();
        let mut plan = UnionPlan { terms: Vec::new(), required: 1 };
        for (query, boost) in matches {
            let words = self.words(query)?;
            let plain = words.words.iter().flatten().all(|word| word.field.has_terms() && word.field.indexed);
            if !plain || (words.required > 1 && (!is_single || words.words.len() > MAX_CLAUSES)) {
                return Ok(None);
            }
            plan.required = u32::try_from(words.required).unwrap_or(u32::MAX);
            for (clause, terms) in words.words.into_iter().enumerate() {
                for word in terms {
                    let statistics = self.statistics(word.field.field)?;
                    let doc_freq = self.doc_freq(&word.term)?;
                    if doc_freq == 0 {
                        continue;
                    }
                    let weight = statistics.weight(boost * word.boost, statistics.idf(doc_freq));
                    let bit = 1_u64 << (clause % MAX_CLAUSES);
                    let planned = merged.entry(word.term.clone()).or_insert(PlannedTerm {
                        term: word.term,
                        weight: 0.0,
                        clauses: 0,
                    });
                    planned.weight += weight;
                    planned.clauses |= bit;
                }
            }
        }
        plan.terms = merged.into_values().collect();
        // Never a hash map's order.
        plan.terms.sort_by(|a, b| a.term.cmp(&b.term));
        Ok(Some(plan))
    }

    pub(super) fn top_of_union(
        &self,
        plan: &UnionPlan,
        depth: usize,
        filter: Option<&[BitSet]>,
    ) -> Result<Vec<ScoredDoc>> {
        let readers = self.searcher().segment_readers();
        let accepts: Vec<_> =
            (0_u32..).zip(readers).map(|(segment_ord, reader)| self.accepts(segment_ord, reader, filter)).collect();
        let mut segments = Vec::with_capacity(readers.len());
        for (((segment_ord, reader), view), accepts) in (0_u32..).zip(readers).zip(&self.0.segments).zip(&accepts) {
            let mut terms = Vec::with_capacity(plan.terms.len());
            for planned in &plan.terms {
                let field = planned.term.field();
                let Some(inverted) = view.inverted.get(&field) else { continue };
                let Some(info) = inverted.get_term_info(&planned.term)? else { continue };
                let postings = inverted.read_block_postings_from_terminfo(&info, IndexRecordOption::WithFreqs)?;
                let lengths = view.columns.lengths(field).map_or(&[][..], |lengths| lengths.bytes);
                let norms = &self.statistics(field)?.norm_inverses;
                terms.push(UnionTerm::new(postings, planned.weight, norms, lengths, planned.clauses));
            }
            segments.push(UnionSegment { segment_ord, max_doc: reader.max_doc(), terms, accepts: accepts.as_ref() });
        }
        Ok(top_k(segments, depth, plan.required))
    }
}

/// Collects match queries of which any may match; false when there is anything else.
fn gather<'q>(query: &'q Query, boost: f32, found: &mut Vec<(&'q MatchQuery, f32)>) -> Result<bool> {
    Ok(match query {
        Query::Match(query) if query.fuzziness.is_none() => {
            found.push((query, boost));
            true
        }
        Query::Boost(BoostQuery { query, boost: own }) => gather(query, boost * check_boost(*own)?, found)?,
        Query::Bool(BoolQuery { must, should, must_not, filter, minimum_should_match: None })
            if must.is_empty() && must_not.is_empty() && filter.is_empty() && !should.is_empty() =>
        {
            for clause in should {
                if !gather(clause, boost, found)? {
                    return Ok(false);
                }
            }
            true
        }
        Query::MatchAll
        | Query::MatchNone
        | Query::Match(_)
        | Query::Phrase(_)
        | Query::Term(_)
        | Query::Terms(_)
        | Query::Prefix(_)
        | Query::Fuzzy(_)
        | Query::Wildcard(_)
        | Query::Regexp(_)
        | Query::Range(_)
        | Query::Exists(_)
        | Query::Ids(_)
        | Query::Bool(_)
        | Query::DisMax(_)
        | Query::ConstantScore(_) => false,
    })
}
