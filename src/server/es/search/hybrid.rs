//! Hybrid search: a `knn` section beside the query, or a tree of retrievers in place of it.
//!
//! In: the body's `knn` or `retriever`. Out: a [`QueryPhase`] like any other's, and what the answer says about itself
//! ([`Hybrid::extra`]): what its total counts, what its facets are over, whether the page comes from a kept list, what went wrong.
//! A `knn` section is a clause beside the query; a tree makes a ranked list, and later pages come from the list that the first page made.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tantivy::BitSet;

use super::body::SearchBody;
use super::json::score as number;
use super::params::SearchParams;
use super::query_phase::{Matching, Prepared, QueryPhase, Ranked, RunOptions, limited};
use super::response::SearchResponse;
use super::retriever::frozen::{Frozen, FrozenKey, FrozenRankings};
use super::retriever::{
    self, DocRef, Ranked as RankedDoc, Ranking, Resolved, Retriever, RetrieverKind, Runner, provenance,
};
use super::target::Target;
use crate::index::TimeLimit;
use crate::retrieve::collect::{CollectRequest, CollectedHit, SortValue, Total, TrackTotal, collect, score_documents};
use crate::retrieve::query::{BoolQuery, Query, ScoredDocs};
use crate::server::es::error::{EsError, EsResult};
use crate::server::state::AppState;

/// What aggregations of a hybrid search are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Basis {
    /// Every document that a query of the tree matches, and the nearest vectors.
    #[default]
    Matches,
    /// The ranked list alone.
    Candidates,
}

impl Basis {
    fn read(search: &SearchBody) -> EsResult<Self> {
        let Some(Value::Object(own)) = &search.bifocal else { return Ok(Self::default()) };
        let mut basis = Self::default();
        for (name, value) in own {
            basis = match (name.as_str(), value.as_str()) {
                ("facets", Some("matches")) => Basis::Matches,
                ("facets", Some("candidates")) => Basis::Candidates,
                ("facets", _) => {
                    let text = "[_bifocal] [facets] must be \"matches\" (whatever a query of the search matches) or \"candidates\" (the ranked list)";
                    return Err(EsError::illegal_argument(text));
                }
                _ => return Err(EsError::parsing(format!("[_bifocal] unknown field [{name}]"))),
            };
        }
        Ok(basis)
    }

    fn name(self) -> &'static str {
        match self {
            Basis::Matches => "matches",
            Basis::Candidates => "candidates",
        }
    }
}

/// A hybrid search that was run.
pub(super) struct Hybrid {
    pub(super) phase: QueryPhase,
    /// The indices as they were searched: those of the kept list where the page comes from one.
    pub(super) targets: Vec<Target>,
    /// The documents of the page, where they come from a tree.
    page: Vec<RankedDoc>,
    /// The tree, for explanations.
    tree: Option<Retriever>,
    /// The query and the `knn` sections by their names, an index each; empty for a tree.
    clauses: Vec<Vec<(String, Query)>>,
    /// `_bifocal` of the answer; `None` where Elasticsearch says no more.
    extra: Option<Map<String, Value>>,
}

/// Rewrites a body whose `retriever` is a single query, as Elasticsearch does, into the search that it is.
///
/// # Errors
/// `parsing_exception` and `illegal_argument_exception` for a retriever that cannot be, and beside what it must not stand.
pub(super) fn unfold(body: &mut Map<String, Value>) -> EsResult<()> {
    let Some(retriever) = body.get("retriever") else { return Ok(()) };
    for key in ["query", "knn", "sort", "search_after", "terminate_after", "rescore"] {
        if body.contains_key(key) {
            return Err(EsError::new(
                400,
                "action_request_validation_exception",
                format!("Validation Failed: 1: cannot specify [retriever] and [{key}];"),
            ));
        }
    }
    let tree = retriever::parse(retriever, None)?;
    let Retriever { kind, filter, min_score, .. } = tree;
    let is_single = matches!(kind, RetrieverKind::Standard(_) | RetrieverKind::Knn(_));
    if min_score.is_some() && is_single && body.contains_key("min_score") {
        return Err(EsError::illegal_argument("[min_score] of the search and of its retriever: say it once"));
    }
    match kind {
        RetrieverKind::Standard(standard) => {
            body.shift_remove("retriever");
            let query = match (standard.query, filter.is_empty()) {
                (query, true) => query,
                (None, false) => Some(json!({"bool": {"filter": filter}})),
                (Some(query), false) => Some(json!({"bool": {"must": [query], "filter": filter}})),
            };
            body.extend(query.map(|query| ("query".to_string(), query)));
            body.extend(standard.top_level);
        }
        RetrieverKind::Knn(mut knn) => {
            body.shift_remove("retriever");
            if !filter.is_empty() {
                knn.insert("filter".to_string(), Value::Array(filter));
            }
            body.insert("knn".to_string(), Value::Object(knn));
        }
        RetrieverKind::Rrf(_)
        | RetrieverKind::Linear(_)
        | RetrieverKind::TextSimilarity(_)
        | RetrieverKind::Pinned(_)
        | RetrieverKind::Rescorer(_) => return Ok(()),
    }
    body.extend(min_score.map(|min_score| ("min_score".to_string(), json!(min_score))));
    Ok(())
}

/// Whether a cross-encoder will read, which belongs to the threads for inference.
pub(super) fn reranks(search: &SearchBody) -> bool {
    fn anywhere(value: &Value) -> bool {
        match value {
            Value::Object(members) => {
                members.iter().any(|(name, value)| name == "text_similarity_reranker" || anywhere(value))
            }
            Value::Array(values) => values.iter().any(anywhere),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        }
    }
    search.retriever.as_ref().is_some_and(anywhere)
}

/// Runs a search with a `knn` section or a tree of retrievers.
///
/// # Errors
/// As [`QueryPhase::run`], and what the tree is refused with.
pub(super) fn run(
    app: &Arc<AppState>,
    search: &SearchBody,
    params: &SearchParams,
    targets: &[Target],
    options: &RunOptions,
) -> EsResult<Hybrid> {
    let basis = Basis::read(search)?;
    match &search.retriever {
        Some(retriever) => tree(app, search, params, targets, options, retriever, basis),
        None => sections(app, search, params, targets, options, basis),
    }
}

/// The query and one or several `knn` sections: the sum of what each gives a document.
fn sections(
    app: &Arc<AppState>,
    search: &SearchBody,
    params: &SearchParams,
    targets: &[Target],
    options: &RunOptions,
    basis: Basis,
) -> EsResult<Hybrid> {
    if basis == Basis::Candidates {
        return Err(EsError::illegal_argument("[_bifocal] [facets] [candidates] needs a retriever that ranks a list"));
    }
    let sections: Vec<&Value> = match &search.knn {
        Some(Value::Array(sections)) => sections.iter().collect(),
        Some(section) => vec![section],
        None => Vec::new(),
    };
    let mut clauses: Vec<Vec<(String, Query)>> = vec![Vec::new(); targets.len()];
    for (target, clauses) in targets.iter().zip(&mut clauses) {
        if let Some(query) = &search.query {
            clauses.push(("query".to_string(), target.parse_query(query)?));
        }
    }
    for (number, section) in sections.into_iter().enumerate() {
        let name = format!("knn[{number}]");
        let Some(body) = section.as_object() else {
            return Err(EsError::parsing("[knn] must be an object or a list of objects"));
        };
        if let [only] = targets {
            let query = retriever::knn_query(only, body, &[])?;
            clauses.iter_mut().for_each(|clauses| clauses.push((name.clone(), query.clone())));
            continue;
        }
        // The nearest over all indices, not of each.
        let leaf =
            Retriever { kind: RetrieverKind::Knn(body.clone()), filter: Vec::new(), min_score: None, name: None };
        let limited = limited(targets, &options.time_limit);
        let resolved = Resolved::default();
        let runner =
            Runner { targets: &limited, models: &app.models, time_limit: &options.time_limit, resolved: &resolved };
        let ranking = runner.run(&leaf, usize::MAX)?;
        for (shard, (clauses, docs)) in clauses.iter_mut().zip(by_target(&ranking, targets.len())).enumerate() {
            // What found them adds nothing to their scores; it is there for inner hits and highlights.
            let found_by = resolved.get(shard, 0).map(|query| query.boosted(0.0)).into_iter().collect();
            let must = vec![Query::Docs(docs)];
            clauses.push((name.clone(), Query::Bool(BoolQuery { must, should: found_by, ..BoolQuery::default() })));
        }
    }
    let queries = clauses.iter().map(|clauses| {
        let should = clauses.iter().map(|(_, query)| query.clone()).collect();
        Query::Bool(BoolQuery { should, ..BoolQuery::default() })
    });
    let phase = QueryPhase::run(search, targets, options, queries.collect(), &app.options.node_name)?;
    let mut extra = Map::new();
    extra.insert("total".to_string(), json!("query matches and nearest vectors"));
    if search.aggs.is_some() {
        extra.insert("facets".to_string(), json!(basis.name()));
    }
    // Totals and facets are Elasticsearch's own here; they are told to those who ask.
    let extra = params.provenance.then_some(extra);
    Ok(Hybrid { phase, targets: targets.to_vec(), page: Vec::new(), tree: None, clauses, extra })
}

/// A ranked list by index, for [`Query::Docs`].
fn by_target(ranking: &Ranking, num_targets: usize) -> Vec<ScoredDocs> {
    let mut docs: Vec<Vec<(u32, u32, f32)>> = vec![Vec::new(); num_targets];
    for doc in &ranking.docs {
        if let Some(of_target) = docs.get_mut(doc.doc.shard) {
            of_target.push((doc.doc.locator.0.segment_ord, doc.doc.locator.0.doc_id, doc.score));
        }
    }
    docs.into_iter().map(ScoredDocs::new).collect()
}

fn tree(
    app: &Arc<AppState>,
    search: &SearchBody,
    params: &SearchParams,
    targets: &[Target],
    options: &RunOptions,
    written: &Value,
    basis: Basis,
) -> EsResult<Hybrid> {
    let counters: Vec<_> = targets.iter().map(|target| target.counters.clone()).collect();
    let _counted: Vec<_> = counters.iter().map(|counters| counters.query.start()).collect();
    let (from, size) = (search.from(), search.size());
    let tree = retriever::expand(retriever::parse(written, search.size)?, targets)?;
    let key = key_of(&tree, targets);
    let lists = app.slot::<FrozenRankings>();
    let kept = if from > 0 { lists.get(key) } else { None };
    let is_kept = kept.is_some();
    let resolved = Resolved::default();
    let frozen = match kept {
        Some(frozen) => frozen,
        None => {
            let limited = limited(targets, &options.time_limit);
            let runner =
                Runner { targets: &limited, models: &app.models, time_limit: &options.time_limit, resolved: &resolved };
            let ranking = runner.run(&tree, usize::MAX)?;
            let searchers = targets.iter().map(|target| target.searcher.clone()).collect();
            let frozen = Arc::new(Frozen { searchers, ranking });
            lists.keep(key, frozen.clone());
            frozen
        }
    };
    let targets: Vec<Target> = targets
        .iter()
        .zip(&frozen.searchers)
        .map(|(target, searcher)| Target { searcher: searcher.clone(), ..target.clone() })
        .collect();
    let runner =
        Runner { targets: &targets, models: &app.models, time_limit: &options.time_limit, resolved: &resolved };
    let matches = runner.matches(&tree)?;
    let mut phase = QueryPhase::default();
    let track_total = options.track_total.unwrap_or(search.track_total());
    let mut passing: Vec<Option<Vec<BitSet>>> = Vec::new();
    let keeps_matches = search.aggs.is_some() && basis == Basis::Matches;
    for (target, query) in targets.iter().zip(matches) {
        // Hits that are found already are not taken back: only what is counted has an end.
        let limited = target.limited(&options.time_limit);
        let prepared = Prepared::new(search, &limited, options, Some(query))?;
        if track_total != TrackTotal::No || keeps_matches {
            let request = CollectRequest {
                query: &prepared.query,
                post_filter: prepared.post_filter.as_ref(),
                track_total,
                keep_matching: keeps_matches,
                shard: target.shard,
                ..CollectRequest::top(&prepared.query, 0)
            };
            let collected = collect(&limited.searcher, &request)?;
            phase.total = phase.total.plus(collected.total, track_total);
            phase.matching.push(collected.matching.map(unscored));
        } else {
            phase.matching.push(None);
        }
        let filter = prepared.post_filter.as_ref();
        passing.push(filter.map(|filter| target.searcher.lexical().filter(filter)).transpose()?);
        phase.prepared.push(Some(prepared));
    }
    phase.timed_out = options.time_limit.was_noticed();
    if search.aggs.is_some() && basis == Basis::Candidates {
        phase.matching = sets_of(&frozen.ranking, &targets).into_iter().map(|docs| Some(unscored(docs))).collect();
    }
    let mut listed: Vec<RankedDoc> = frozen.ranking.docs.clone();
    listed.retain(|doc| passing.get(doc.doc.shard).is_none_or(|sets| passes(sets.as_deref(), doc)));
    let min_score = search.min_score.map(f64::from);
    listed.retain(|doc| min_score.is_none_or(|least| f64::from(doc.score) >= least));
    let num_candidates = listed.len();
    let groups = collapse(search, &targets, &phase, &mut listed)?;
    phase.max_score = listed.first().map(|doc| doc.score);
    phase.total = match min_score {
        // What scores less is no match, and only what was ranked has a score.
        Some(_) => Total { value: num_candidates as u64, at_least: false }.cut(track_total),
        None => at_least(phase.total, num_candidates, track_total),
    };
    phase.ranked = listed
        .iter()
        .zip(groups)
        .take(from.saturating_add(size))
        .map(|(doc, group)| Ranked {
            target: doc.doc.shard,
            hit: CollectedHit { locator: doc.doc.locator, score: Some(doc.score), sort: Vec::new(), group },
        })
        .collect();
    let page = listed.into_iter().skip(from).take(size).collect();
    let mut extra = Map::new();
    extra.insert("total".to_string(), json!("query matches and nearest vectors"));
    extra.insert("candidates".to_string(), json!(num_candidates));
    if search.aggs.is_some() {
        extra.insert("facets".to_string(), json!(basis.name()));
    }
    if from > 0 {
        extra.insert("page_of_kept_list".to_string(), json!(is_kept));
    }
    if !frozen.ranking.warnings.is_empty() {
        extra.insert("warnings".to_string(), json!(frozen.ranking.warnings));
    }
    let tree = (search.explain || params.provenance).then_some(tree);
    Ok(Hybrid { phase, targets, page, tree, clauses: Vec::new(), extra: Some(extra) })
}

/// What decides the order: the indices as they are named, and the tree with its windows.
fn key_of(tree: &Retriever, targets: &[Target]) -> FrozenKey {
    let indices: Vec<Value> =
        targets.iter().map(|target| json!([target.uuid, target.filters, target.aliases])).collect();
    FrozenKey::new([&Value::Array(indices), &json!(format!("{tree:?}"))])
}

/// A set whose documents have no scores of their own: those of a ranked list are no measure for sub-aggregations.
fn unscored(docs: Vec<BitSet>) -> Matching {
    Matching { docs, scores: None }
}

fn sets_of(ranking: &Ranking, targets: &[Target]) -> Vec<Vec<BitSet>> {
    let mut sets: Vec<Vec<BitSet>> = targets
        .iter()
        .map(|target| {
            let segments = target.searcher.searcher().segment_readers().iter();
            segments.map(|segment| BitSet::with_max_value(segment.max_doc())).collect()
        })
        .collect();
    for doc in &ranking.docs {
        let place = doc.doc.locator.0;
        if let Some(set) = sets.get_mut(doc.doc.shard).and_then(|sets| sets.get_mut(place.segment_ord as usize)) {
            set.insert(place.doc_id);
        }
    }
    sets
}

fn passes(sets: Option<&[BitSet]>, doc: &RankedDoc) -> bool {
    let Some(sets) = sets else { return true };
    let place = doc.doc.locator.0;
    sets.get(place.segment_ord as usize).is_some_and(|set| place.doc_id < set.max_value() && set.contains(place.doc_id))
}

/// A total is never less than what is listed (a pinned document need not match anything).
fn at_least(total: Total, listed: usize, track: TrackTotal) -> Total {
    let listed = Total { value: listed as u64, at_least: false }.cut(track);
    if listed.value > total.value { listed } else { total }
}

/// Keeps the first document of each group; returns the values, a document each.
fn collapse(
    search: &SearchBody,
    targets: &[Target],
    phase: &QueryPhase,
    listed: &mut Vec<RankedDoc>,
) -> EsResult<Vec<Option<SortValue>>> {
    if search.collapse.is_none() {
        return Ok(vec![None; listed.len()]);
    }
    let by_target = by_target(&Ranking { docs: listed.clone(), warnings: Vec::new() }, targets.len());
    let mut firsts: HashMap<DocRef, SortValue> = HashMap::new();
    for (shard, (target, docs)) in targets.iter().zip(by_target).enumerate() {
        let own = phase.prepared.get(shard).and_then(Option::as_ref).and_then(|own| own.collapse.as_ref());
        let query = Query::Docs(docs);
        let request = CollectRequest { collapse: own, ..CollectRequest::top(&query, listed.len()) };
        for hit in collect(&target.searcher, &request)?.hits {
            firsts.insert(DocRef { shard, locator: hit.locator }, hit.group.unwrap_or(SortValue::Null));
        }
    }
    let mut groups: Vec<Option<SortValue>> = Vec::new();
    let mut kept = Vec::new();
    for doc in listed.drain(..) {
        let Some(value) = firsts.remove(&doc.doc) else { continue };
        if groups.iter().flatten().any(|known| known.compare(&value).is_eq()) {
            continue;
        }
        groups.push(Some(value));
        kept.push(doc);
    }
    *listed = kept;
    Ok(groups)
}

impl Hybrid {
    /// Puts explanations and provenance into the hits, and what is to be said of the whole into the answer.
    ///
    /// # Errors
    /// When a document cannot be read.
    pub(super) fn annotate(
        &self,
        app: &AppState,
        search: &SearchBody,
        params: &SearchParams,
        response: &mut SearchResponse,
    ) -> EsResult<()> {
        if let Some(extra) = &self.extra {
            response.extra.insert("_bifocal".to_string(), Value::Object(extra.clone()));
        }
        let Some(tree) = &self.tree else {
            return if params.provenance { self.tell_clauses(search, response) } else { Ok(()) };
        };
        let no_limit = TimeLimit::default();
        let resolved = Resolved::default();
        let runner = Runner { targets: &self.targets, models: &app.models, time_limit: &no_limit, resolved: &resolved };
        for (doc, hit) in self.page.iter().zip(&mut response.hits) {
            if search.explain
                && let Some(target) = self.targets.get(doc.doc.shard)
            {
                let leaves = runner.leaves(tree, target)?;
                let explained = provenance::explanation(doc, &mut |leaf| {
                    let query = leaves.get(leaf)?;
                    let explanation = target.searcher.explain(query, doc.doc.locator).ok().flatten()?;
                    Some(super::fetch::print_explanation(&explanation))
                });
                hit.tail.insert("_explanation".to_string(), explained);
            }
            if params.provenance {
                hit.tail.insert("_bifocal".to_string(), provenance::compact(doc));
            }
        }
        Ok(())
    }

    /// Puts what the query and each section gave into the hits.
    fn tell_clauses(&self, search: &SearchBody, response: &mut SearchResponse) -> EsResult<()> {
        for (found, hit) in self.phase.page(search).iter().zip(&mut response.hits) {
            let (Some(target), Some(clauses)) = (self.targets.get(found.target), self.clauses.get(found.target)) else {
                continue;
            };
            let mut parts = Vec::new();
            for (name, query) in clauses {
                let query = target.searcher.lexical().resolve(query)?;
                let scores = score_documents(&target.searcher, &query, &[found.hit.locator])?;
                parts.extend(scores.into_iter().flatten().map(|score| json!({"name": name, "score": number(score)})));
            }
            let score = found.hit.score.map(number);
            hit.tail.insert("_bifocal".to_string(), json!({"score": score, "from": {"sum": parts}}));
        }
        Ok(())
    }
}

/// The provenance of hits that one query found.
pub(super) fn tell_query(response: &mut SearchResponse) {
    for hit in &mut response.hits {
        let score = hit.head.get("_score").cloned().unwrap_or(Value::Null);
        hit.tail.insert("_bifocal".to_string(), json!({"score": score, "from": {"retriever": "standard"}}));
    }
}
