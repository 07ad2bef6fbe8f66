//! Retrieve: the plan's legs, side by side on one snapshot.

use std::time::{Duration, Instant};

use rayon::prelude::*;
use tantivy::BitSet;

use super::SearchRequest;
use crate::document::DocumentId;
use crate::error::{Error, Result};
use crate::index::lexical::Bm25Params;
use crate::plan::{ResolvedDense, ResolvedLeg, ResolvedLegKind, ResolvedLexical, ResolvedPlan};
use crate::retrieve::query::{BoolQuery, BoostedField, IdsQuery, MatchQuery, Operator, PhraseQuery, Query};
use crate::retrieve::{Candidate, DocLocator, Searcher, dense, query_syntax};

/// What a leg returned and what it cost.
#[derive(Debug, Clone, Default)]
pub struct LegOutcome {
    /// Best first, at most the leg's depth.
    pub candidates: Vec<Candidate>,
    /// The whole leg, embedding included.
    pub took: Duration,
    /// Embedding the query; zero for a lexical leg or where the vector was given.
    pub embedding_took: Duration,
    /// Tokens that the bi-encoder read.
    pub num_tokens: u64,
    /// Vectors that were compared with the query.
    pub num_vectors: u64,
    /// The query's vector, for a dense leg.
    pub(crate) vector: Vec<f32>,
}

/// Runs every leg of the plan; answer `i` is leg `i`'s.
pub(super) fn retrieve(searcher: &Searcher, request: &SearchRequest, plan: &ResolvedPlan) -> Result<Vec<LegOutcome>> {
    let filter = filter(searcher, request, plan)?;
    let run = |leg: &ResolvedLeg| run_leg(searcher, request, leg, filter.as_deref());
    match plan.legs.as_slice() {
        [] => Ok(Vec::new()),
        [only] => Ok(vec![run(only)?]),
        legs => legs.par_iter().map(run).collect(),
    }
}

/// The documents that may be candidates, a set a segment; `None` when all may.
pub(crate) fn filter(searcher: &Searcher, request: &SearchRequest, plan: &ResolvedPlan) -> Result<Option<Vec<BitSet>>> {
    filter_by(searcher, plan.filter.as_deref(), request.among.as_deref())
}

/// The documents that pass a plan's filter and are among those named, a set a segment; `None` when all are.
pub(crate) fn filter_by(
    searcher: &Searcher,
    filter: Option<&str>,
    among: Option<&[DocumentId]>,
) -> Result<Option<Vec<BitSet>>> {
    let of_plan = filter.map(|filter| query_syntax::parse(filter, searcher.lexical().fields()));
    let of_request = among.map(|ids| {
        let values = ids.iter().map(|id| id.as_str().to_string()).collect();
        Query::Ids(IdsQuery { values })
    });
    let filter: Vec<Query> = of_plan.into_iter().chain(of_request).collect();
    if filter.is_empty() {
        return Ok(None);
    }
    searcher.lexical().filter(&Query::Bool(BoolQuery { filter, ..BoolQuery::default() })).map(Some)
}

/// Runs one leg.
pub(crate) fn run_leg(
    searcher: &Searcher,
    request: &SearchRequest,
    leg: &ResolvedLeg,
    filter: Option<&[BitSet]>,
) -> Result<LegOutcome> {
    let started = Instant::now();
    let mut outcome = match &leg.kind {
        ResolvedLegKind::Lexical(lexical) => run_lexical(searcher, request, lexical, leg.depth, filter)?,
        ResolvedLegKind::Dense(dense) => run_dense(searcher, request, dense, leg.depth, filter)?,
    };
    outcome.took = started.elapsed();
    Ok(outcome)
}

fn run_lexical(
    searcher: &Searcher,
    request: &SearchRequest,
    leg: &ResolvedLexical,
    depth: usize,
    filter: Option<&[BitSet]>,
) -> Result<LegOutcome> {
    let query = lexical_query(searcher, request, leg);
    let view = searcher.lexical();
    let hits = match (leg.k1, leg.b) {
        (None, None) => view.top(&query, depth, filter)?,
        (k1, b) => {
            let change = |own: Bm25Params| Bm25Params::new(k1.unwrap_or(own.k1), b.unwrap_or(own.b));
            view.with_bm25(change)?.top(&query, depth, filter)?
        }
    };
    let candidate = |hit: crate::index::lexical::top_k::ScoredDoc| -> Result<Candidate> {
        Ok(Candidate {
            id: view.id(hit.address)?.into(),
            score: hit.score,
            passage: None,
            locator: Some(DocLocator(hit.address)),
        })
    };
    Ok(LegOutcome { candidates: hits.into_iter().map(candidate).collect::<Result<_>>()?, ..LegOutcome::default() })
}

/// The request's query with the leg's fields and operator where it names none.
pub(crate) fn lexical_query(searcher: &Searcher, request: &SearchRequest, leg: &ResolvedLexical) -> Query {
    let fields: Vec<BoostedField> =
        leg.fields.iter().map(|field| BoostedField { field: field.field.clone(), boost: field.boost }).collect();
    let mut query = match &request.query {
        Some(query) => query.clone(),
        None => request.syntax.query(&request.text, searcher.lexical().fields(), &fields),
    };
    apply_defaults(&mut query, &fields, leg.operator == crate::plan::Operator::And);
    query
}

#[expect(clippy::wildcard_enum_match_arm, reason = "any other query has only children to change")]
fn apply_defaults(query: &mut Query, fields: &[BoostedField], all_words: bool) {
    match query {
        Query::Match(MatchQuery { fields: own, operator, minimum_should_match, .. }) => {
            if own.is_empty() {
                own.extend_from_slice(fields);
            }
            if all_words && minimum_should_match.is_none() {
                *operator = Operator::And;
            }
        }
        Query::Phrase(PhraseQuery { fields: own, .. }) => {
            if own.is_empty() {
                own.extend_from_slice(fields);
            }
        }
        other => other.children_mut().into_iter().for_each(|child| apply_defaults(child, fields, all_words)),
    }
}

fn run_dense(
    searcher: &Searcher,
    request: &SearchRequest,
    leg: &ResolvedDense,
    depth: usize,
    filter: Option<&[BitSet]>,
) -> Result<LegOutcome> {
    let mut outcome = LegOutcome::default();
    let vector = match request.vectors.get(&leg.field) {
        Some(vector) => vector.clone(),
        None => {
            let text = request.syntax.words(&request.text);
            if text.trim().is_empty() {
                return Ok(outcome);
            }
            let started = Instant::now();
            let embeddings = searcher.encoder(&leg.field)?.embed_queries(&[text.as_ref()])?;
            outcome.embedding_took = started.elapsed();
            outcome.num_tokens = embeddings.num_tokens;
            embeddings
                .rows()
                .next()
                .map(<[f32]>::to_vec)
                .ok_or_else(|| Error::model("the bi-encoder gave no vector"))?
        }
    };
    let query = dense::DenseQuery {
        num_candidates: Some(leg.num_candidates),
        filter,
        mode: if leg.exact { dense::DenseMode::Exact } else { dense::DenseMode::default() },
        ..dense::DenseQuery::new(&leg.field, &vector, depth)
    };
    let found = searcher.dense().search(&query)?;
    outcome.num_vectors = found.cost.vectors_scored;
    outcome.candidates = dense::candidates(&found.hits, dense::DenseScore::Similarity, |address| {
        Ok(searcher.lexical().id(address)?.into())
    })?;
    outcome.vector = vector;
    Ok(outcome)
}
