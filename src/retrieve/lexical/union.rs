//! A query of plain words to the engine for unions of terms.

use std::collections::HashMap;

use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{BitSet, Term};

use super::LexicalSearcher;
use super::words::{WordTerm, check_boost};
use crate::error::Result;
use crate::index::lexical::LexicalField;
use crate::index::lexical::top_k::{ScoredDoc, UnionSegment, UnionTerm, top_k};
use crate::retrieve::query::{BoolQuery, BoostQuery, Query};

/// The terms of a union, with the scores that they give.
#[derive(Debug, Default)]
pub(super) struct UnionPlan {
    terms: Vec<PlannedTerm>,
    required: u32,
}

#[derive(Debug)]
struct PlannedTerm {
    term: Term,
    field: UnionField,
    weight: f32,
    clauses: u64,
}

/// More words than this cannot be told apart by the engine's bits.
const MAX_CLAUSES: usize = 64;

impl LexicalSearcher {
    /// The union that a query is; `None` when it is more than that.
    ///
    /// That is words or terms of indexed text or keyword fields without fuzziness, boosted or not, of which some must match.
    pub(super) fn plan_union(&self, query: &Query) -> Result<Option<UnionPlan>> {
        let mut clauses = Vec::new();
        let Some(required) = self.gather(query, 1.0, &mut clauses)? else { return Ok(None) };
        if required > 1 && clauses.len() > MAX_CLAUSES {
            return Ok(None);
        }
        let mut merged: HashMap<Term, PlannedTerm> = HashMap::new();
        let mut plan = UnionPlan { terms: Vec::new(), required: u32::try_from(required).unwrap_or(u32::MAX) };
        for (clause, terms) in clauses.into_iter().enumerate() {
            for (field, term, boost) in terms {
                let statistics = self.statistics(field.field)?;
                let doc_freq = self.doc_freq(&term)?;
                if doc_freq == 0 {
                    continue;
                }
                let weight = statistics.weight(boost, statistics.idf(doc_freq));
                let bit = 1_u64 << (clause % MAX_CLAUSES);
                let planned =
                    merged.entry(term.clone()).or_insert(PlannedTerm { term, field, weight: 0.0, clauses: 0 });
                planned.weight += weight;
                planned.clauses |= bit;
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
        for (((segment_ord, reader), view), accepts) in
            (0_u32..).zip(readers).zip(&self.snapshot.segments).zip(&accepts)
        {
            let mut terms = Vec::with_capacity(plan.terms.len());
            for planned in &plan.terms {
                let field = planned.term.field();
                let Some(inverted) = view.inverted.get(&field) else { continue };
                let Some(info) = inverted.get_term_info(&planned.term)? else { continue };
                let postings = inverted.read_block_postings_from_terminfo(&info, IndexRecordOption::WithFreqs)?;
                let lengths = view.columns.lengths(field).map_or(&[][..], |lengths| lengths.bytes);
                let has_frequencies = planned.field.has_frequencies;
                let lengths = if planned.field.has_norms { lengths } else { &[] };
                let norms = &self.statistics(field)?.norm_inverses;
                terms.push(UnionTerm::new(postings, planned.weight, norms, lengths, planned.clauses, has_frequencies));
            }
            segments.push(UnionSegment { segment_ord, max_doc: reader.max_doc(), terms, accepts: accepts.as_ref() });
        }
        Ok(top_k(segments, depth, plan.required, &self.time_limit))
    }
}

/// The part of a query that scores, and the part that only filters; `None` for a query that cannot be taken apart so.
pub(super) fn without_filters(query: &Query) -> Option<(Query, Query)> {
    if let Query::Named(named) = query {
        return without_filters(&named.query);
    }
    let Query::Bool(parts) = query else { return None };
    if parts.filter.is_empty() && parts.must_not.is_empty() {
        return None;
    }
    let words = match (parts.must.as_slice(), parts.should.as_slice()) {
        ([only], []) if parts.num_required_should() == 0 => only.clone(),
        ([], [_, ..]) if parts.num_required_should() > 0 => Query::Bool(BoolQuery {
            should: parts.should.clone(),
            minimum_should_match: parts.minimum_should_match,
            ..BoolQuery::default()
        }),
        _ => return None,
    };
    let filter = BoolQuery { filter: parts.filter.clone(), must_not: parts.must_not.clone(), ..BoolQuery::default() };
    Some((words, Query::Bool(filter)))
}

/// A field and what counts in it.
#[derive(Debug, Clone, Copy)]
struct UnionField {
    field: Field,
    has_norms: bool,
    has_frequencies: bool,
}

impl UnionField {
    fn new(field: &LexicalField) -> Self {
        Self { field: field.field, has_norms: field.has_norms(), has_frequencies: field.has_frequencies() }
    }
}

/// The terms of which any satisfies a clause, each with its field and boost.
type Clause = Vec<(UnionField, Term, f32)>;

impl LexicalSearcher {
    /// Collects clauses and says how many of them must match; `None` when there is anything but words and terms.
    fn gather(&self, query: &Query, boost: f32, clauses: &mut Vec<Clause>) -> Result<Option<usize>> {
        Ok(match query {
            Query::Match(query) if query.fuzziness.is_none() => {
                let words = self.words(query)?;
                if !words.words.iter().flatten().all(|word| word.field.has_terms() && word.field.indexed) {
                    return Ok(None);
                }
                let clause = |terms: Vec<WordTerm<'_>>| {
                    terms
                        .into_iter()
                        .map(|word| (UnionField::new(&word.field), word.term, boost * word.boost))
                        .collect()
                };
                clauses.extend(words.words.into_iter().map(clause));
                Some(words.required)
            }
            Query::Term(query) => {
                let field = &*self.field(&query.field)?;
                if !field.has_terms() || !field.indexed {
                    return Ok(None);
                }
                clauses.push(vec![(
                    UnionField::new(field),
                    super::values::term(&query.field, field, &query.value)?,
                    boost,
                )]);
                Some(1)
            }
            Query::Boost(BoostQuery { query, boost: own }) => {
                return self.gather(query, boost * check_boost(*own)?, clauses);
            }
            Query::Named(query) => return self.gather(&query.query, boost, clauses),
            Query::Bool(BoolQuery { must, should, must_not, filter, minimum_should_match: None })
                if should.is_empty() && must_not.is_empty() && filter.is_empty() && must.len() == 1 =>
            {
                let Some(only) = must.first() else { return Ok(None) };
                return self.gather(only, boost, clauses);
            }
            Query::Bool(query)
                if query.must.is_empty()
                    && query.must_not.is_empty()
                    && query.filter.is_empty()
                    && !query.should.is_empty() =>
            {
                let required = query.num_required_should().max(1);
                for part in &query.should {
                    let before = clauses.len();
                    let Some(own) = self.gather(part, boost, clauses)? else { return Ok(None) };
                    if query.should.len() == 1 {
                        return Ok((required == 1).then_some(own));
                    }
                    // Several clauses of a part are one clause of the whole; more than one of them cannot be asked for then.
                    if own > 1 || (required > 1 && clauses.len() == before) {
                        return Ok(None);
                    }
                    if required > 1 {
                        let merged = clauses.drain(before..).flatten().collect();
                        clauses.push(merged);
                    }
                }
                Some(required)
            }
            Query::MatchAll
            | Query::MatchNone
            | Query::Match(_)
            | Query::Phrase(_)
            | Query::Terms(_)
            | Query::Synonym(_)
            | Query::TermPhrase(_)
            | Query::CombinedTerm(_)
            | Query::Blended(_)
            | Query::MoreLikeThis(_)
            | Query::Prefix(_)
            | Query::Fuzzy(_)
            | Query::Wildcard(_)
            | Query::Regexp(_)
            | Query::Range(_)
            | Query::Exists(_)
            | Query::Ids(_)
            | Query::Bool(_)
            | Query::DisMax(_)
            | Query::ConstantScore(_)
            | Query::Boosting(_)
            | Query::Capped(_)
            | Query::FunctionScore(_)
            | Query::ScriptScore(_)
            | Query::RankFeature(_)
            | Query::DistanceFeature(_)
            | Query::Nested(_)
            | Query::Knn(_)
            | Query::Docs(_) => None,
        })
    }
}
