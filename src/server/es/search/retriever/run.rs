//! A tree to a ranked list, over one or several indices.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use serde_json::Value;

use super::fuse::{self, List};
use super::leaf::{LeafOrder, k_of, leaf_query};
use super::{DocRef, LinearChild, Origin, Pinned, Ranked, Ranking, Rescorer, Retriever, RetrieverKind, rerank};
use crate::index::TimeLimit;
use crate::models::Models;
use crate::retrieve::Searcher;
use crate::retrieve::collect::{CollectRequest, CollectedHit, collect, compare_hits, score_documents};
use crate::retrieve::query::{BoolQuery, IdsQuery, Query};
use crate::server::es::error::EsResult;
use crate::server::es::search::rescore::RescoreSpec;
use crate::server::es::search::target::Target;

/// What a search's leaves found by vectors, by index and leaf: found once, for the ranking and for what is counted.
#[derive(Debug, Default)]
pub(in crate::server::es::search) struct Resolved(Mutex<HashMap<(usize, usize), Query>>);

impl Resolved {
    fn keep(&self, shard: usize, leaf: usize, query: Query) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((shard, leaf), query);
    }

    /// The query of a leaf, where it was run.
    pub(in crate::server::es::search) fn get(&self, shard: usize, leaf: usize) -> Option<Query> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&(shard, leaf)).cloned()
    }
}

/// Runs trees of retrievers.
#[derive(Debug, Clone, Copy)]
pub(in crate::server::es::search) struct Runner<'a> {
    /// What is searched; [`DocRef::shard`] counts these.
    pub(in crate::server::es::search) targets: &'a [Target],
    /// Where cross-encoders come from.
    pub(in crate::server::es::search) models: &'a Models,
    /// That of the targets' searchers: leaves stop then, with what they have; a cross-encoder reads no more.
    pub(in crate::server::es::search) time_limit: &'a TimeLimit,
    /// Shared by the runners of one search over one snapshot.
    pub(in crate::server::es::search) resolved: &'a Resolved,
}

impl Runner<'_> {
    /// The best `depth` documents of a tree.
    ///
    /// # Errors
    /// What a query inside the tree is refused with; errors of reading the index. A cross-encoder that fails is a warning.
    pub(in crate::server::es::search) fn run(&self, retriever: &Retriever, depth: usize) -> EsResult<Ranking> {
        self.node(retriever, &[], 0, depth)
    }

    /// What a tree's leaves and pins match, an index each: the basis of totals and aggregations. A vector leaf matches its `k` nearest.
    ///
    /// # Errors
    /// What a query inside the tree is refused with.
    pub(in crate::server::es::search) fn matches(&self, retriever: &Retriever) -> EsResult<Vec<Query>> {
        let of_target = |(shard, target)| {
            let leaves = self.leaves(retriever, target)?.into_iter().enumerate();
            let mut should: Vec<Query> =
                leaves.map(|(leaf, query)| self.resolved.get(shard, leaf).unwrap_or(query)).collect();
            collect_pins(retriever, &mut should);
            Ok(Query::Bool(BoolQuery { should, ..BoolQuery::default() }))
        };
        self.targets.iter().enumerate().map(of_target).collect()
    }

    /// The queries of the leaves on one index, by the leaves' numbers.
    ///
    /// # Errors
    /// What a query inside the tree is refused with.
    pub(in crate::server::es::search) fn leaves(&self, retriever: &Retriever, target: &Target) -> EsResult<Vec<Query>> {
        let mut leaves = Vec::new();
        collect_leaves(target, retriever, &[], &mut leaves)?;
        Ok(leaves)
    }

    /// * `leaf`: the number of the first leaf at or below.
    fn node(&self, retriever: &Retriever, filters: &[Value], leaf: usize, depth: usize) -> EsResult<Ranking> {
        let filters: Vec<Value> = filters.iter().chain(&retriever.filter).cloned().collect();
        let mut ranking = match &retriever.kind {
            RetrieverKind::Standard(_) | RetrieverKind::Knn(_) => self.leaf(retriever, &filters, leaf, depth)?,
            RetrieverKind::Rrf(rrf) => {
                let children: Vec<&Retriever> = rrf.children.iter().map(|(child, _)| child).collect();
                let (rankings, warnings) = self.children(&children, &filters, leaf, rrf.rank_window_size)?;
                let weights = rrf.children.iter().map(|(_, weight)| *weight);
                let lists = lists(&children, weights, &rankings);
                Ranking { docs: fuse::rrf(&lists, rrf.rank_constant, rrf.rank_window_size), warnings }
            }
            RetrieverKind::Linear(linear) => {
                let children: Vec<&Retriever> = linear.children.iter().map(|child| &child.retriever).collect();
                let (rankings, warnings) = self.children(&children, &filters, leaf, linear.rank_window_size)?;
                let lists = lists(&children, linear.children.iter().map(|child: &LinearChild| child.weight), &rankings);
                let normalizers: Vec<_> = linear.children.iter().map(|child| child.normalizer).collect();
                Ranking { docs: fuse::linear(&lists, &normalizers, linear.rank_window_size), warnings }
            }
            RetrieverKind::TextSimilarity(params) => {
                let found = self.node(&params.child, &filters, leaf, params.rank_window_size)?;
                let searchers: Vec<&Searcher> = self.targets.iter().map(|index| index.searcher.as_ref()).collect();
                rerank::rerank(self.models, &searchers, params, retriever.min_score, self.time_limit, found)?
            }
            RetrieverKind::Pinned(pinned) => self.pinned(pinned, &filters, leaf)?,
            RetrieverKind::Rescorer(rescorer) => self.rescored(rescorer, &filters, leaf, depth)?,
        };
        // The re-ranker cuts by relevance itself, and keeps everything where it failed.
        if let (Some(min_score), false) =
            (retriever.min_score, matches!(retriever.kind, RetrieverKind::TextSimilarity(_)))
        {
            ranking.docs.retain(|doc| f64::from(doc.score) >= min_score);
        }
        ranking.docs.truncate(depth);
        Ok(ranking)
    }

    fn children(
        &self,
        children: &[&Retriever],
        filters: &[Value],
        first_leaf: usize,
        window: usize,
    ) -> EsResult<(Vec<Ranking>, Vec<String>)> {
        let mut leaf = first_leaf;
        let mut numbered = Vec::with_capacity(children.len());
        for child in children {
            numbered.push((*child, leaf));
            leaf += child.num_leaves();
        }
        let run = |(child, leaf): (&Retriever, usize)| self.node(child, filters, leaf, window);
        // A cross-encoder reads on its caller's thread: those that all searches and writes share are not for that.
        let mut rankings = if children.iter().any(|child| child.reranks()) {
            numbered.into_iter().map(run).collect::<EsResult<Vec<_>>>()?
        } else {
            numbered.into_par_iter().map(run).collect::<EsResult<Vec<_>>>()?
        };
        let warnings = rankings.iter_mut().flat_map(|ranking| std::mem::take(&mut ranking.warnings)).collect();
        Ok((rankings, warnings))
    }

    fn leaf(&self, retriever: &Retriever, filters: &[Value], leaf: usize, depth: usize) -> EsResult<Ranking> {
        let order = LeafOrder::of(retriever)?;
        let mut docs: Vec<(CollectedHit, Ranked)> = Vec::new();
        let mut keys = Vec::new();
        let mut warnings = Vec::new();
        let mut depth = depth;
        for (shard, index) in self.targets.iter().enumerate() {
            let query = leaf_query(index, retriever, filters)?;
            if let Some(k) = k_of(&query) {
                depth = depth.min(k);
            }
            let query = index.searcher.lexical().resolve(&query)?;
            let (sort, after, collapse) = order.resolve(index)?;
            let request = CollectRequest {
                sort: &sort,
                after: after.as_deref(),
                collapse: collapse.as_ref(),
                terminate_after: order.terminate_after(),
                track_scores: true,
                ..CollectRequest::top(&query, depth)
            };
            let collected = collect(&index.searcher, &request)?;
            self.resolved.keep(shard, leaf, query);
            if collected.timed_out {
                warnings.push(format!("the time was up before [{}] was searched through", index.index));
            }
            let origin = Arc::new(Origin::Leaf { kind: retriever.type_name(), leaf });
            for hit in collected.hits {
                let ranked = Ranked {
                    doc: DocRef { shard, locator: hit.locator },
                    id: index.searcher.id_of(hit.locator)?.into(),
                    score: hit.score.unwrap_or(0.0),
                    origin: origin.clone(),
                };
                docs.push((hit, ranked));
            }
            keys = sort;
        }
        // Stable: equal documents keep the order of the indices.
        docs.sort_by(|(a, _), (b, _)| compare_hits(&keys, a, b));
        let mut docs = order.one_of_each_group(docs);
        docs.truncate(depth);
        Ok(Ranking { docs, warnings })
    }

    fn pinned(&self, pinned: &Pinned, filters: &[Value], leaf: usize) -> EsResult<Ranking> {
        let mut ranking = self.node(&pinned.child, filters, leaf, pinned.rank_window_size)?;
        let mut found: Vec<Ranked> = Vec::new();
        let last = MAX_ORGANIC_SCORE.to_bits() + 1;
        let num_pinned = u32::try_from(pinned.docs.len()).unwrap_or(u32::MAX);
        for (place, (wanted_index, id)) in (0..).zip(&pinned.docs) {
            for (shard, index) in self.targets.iter().enumerate() {
                if wanted_index.as_deref().is_some_and(|wanted| wanted != index.index) {
                    continue;
                }
                let ids = Query::Ids(IdsQuery { values: vec![id.as_str().to_string()] });
                let query = index.filtered(ids)?;
                let hits = collect(&index.searcher, &CollectRequest::top(&query, 1))?.hits;
                found.extend(hits.into_iter().map(|hit| Ranked {
                    doc: DocRef { shard, locator: hit.locator },
                    id: id.clone(),
                    score: f32::from_bits(last.saturating_add(num_pinned).saturating_sub(place)),
                    origin: Arc::new(Origin::Pinned),
                }));
            }
        }
        ranking.docs.retain(|doc| found.iter().all(|pinned| pinned.doc != doc.doc));
        for doc in &mut ranking.docs {
            doc.score = doc.score.min(MAX_ORGANIC_SCORE);
        }
        found.append(&mut ranking.docs);
        found.truncate(pinned.rank_window_size);
        Ok(Ranking { docs: found, warnings: ranking.warnings })
    }

    fn rescored(&self, rescorer: &Rescorer, filters: &[Value], leaf: usize, depth: usize) -> EsResult<Ranking> {
        let mut ranking = self.node(&rescorer.child, filters, leaf, depth)?;
        for rescore in RescoreSpec::parse_all(&rescorer.rescore)? {
            let window = rescore.window_size.min(ranking.docs.len());
            let mut rest = ranking.docs.split_off(window);
            for (shard, index) in self.targets.iter().enumerate() {
                let of_index = |doc: &&mut Ranked| doc.doc.shard == shard;
                let locators: Vec<_> = ranking.docs.iter_mut().filter(of_index).map(|doc| doc.doc.locator).collect();
                let rescorer = rescore.resolve(index)?;
                let scores = score_documents(&index.searcher, &rescorer.query, &locators)?;
                for (doc, second) in ranking.docs.iter_mut().filter(of_index).zip(scores) {
                    let origin = Origin::Rescored { score_before: doc.score, before: doc.origin.clone() };
                    doc.score = rescorer.combined(doc.score, second);
                    doc.origin = Arc::new(origin);
                }
            }
            ranking.docs.sort_by(|a, b| b.score.total_cmp(&a.score));
            ranking.docs.append(&mut rest);
        }
        Ok(ranking)
    }
}

/// The greatest score of a document that is not pinned: 2^127, as in Elasticsearch, whose pinned documents have the next floats.
const MAX_ORGANIC_SCORE: f32 = f32::from_bits(0x7f00_0000);

fn lists<'a>(children: &[&Retriever], weights: impl Iterator<Item = f32>, rankings: &'a [Ranking]) -> Vec<List<'a>> {
    let weighted = children.iter().zip(weights).zip(rankings);
    weighted
        .map(|((child, weight), ranking)| List {
            name: child.name.as_deref().unwrap_or_else(|| child.type_name()).into(),
            own_name: child.name.as_deref().map(Into::into),
            weight,
            docs: &ranking.docs,
        })
        .collect()
}

fn collect_leaves(index: &Target, retriever: &Retriever, filters: &[Value], leaves: &mut Vec<Query>) -> EsResult<()> {
    let filters: Vec<Value> = filters.iter().chain(&retriever.filter).cloned().collect();
    match &retriever.kind {
        RetrieverKind::Standard(_) | RetrieverKind::Knn(_) => leaves.push(leaf_query(index, retriever, &filters)?),
        RetrieverKind::Rrf(rrf) => {
            rrf.children.iter().try_for_each(|(child, _)| collect_leaves(index, child, &filters, leaves))?;
        }
        RetrieverKind::Linear(linear) => {
            let mut children = linear.children.iter();
            children.try_for_each(|child| collect_leaves(index, &child.retriever, &filters, leaves))?;
        }
        RetrieverKind::TextSimilarity(params) => collect_leaves(index, &params.child, &filters, leaves)?,
        RetrieverKind::Rescorer(rescorer) => collect_leaves(index, &rescorer.child, &filters, leaves)?,
        RetrieverKind::Pinned(pinned) => collect_leaves(index, &pinned.child, &filters, leaves)?,
    }
    Ok(())
}

/// The documents that are named by `pinned` retrievers.
fn collect_pins(retriever: &Retriever, pins: &mut Vec<Query>) {
    match &retriever.kind {
        RetrieverKind::Standard(_) | RetrieverKind::Knn(_) => {}
        RetrieverKind::Rrf(rrf) => rrf.children.iter().for_each(|(child, _)| collect_pins(child, pins)),
        RetrieverKind::Linear(linear) => linear.children.iter().for_each(|child| collect_pins(&child.retriever, pins)),
        RetrieverKind::TextSimilarity(params) => collect_pins(&params.child, pins),
        RetrieverKind::Rescorer(rescorer) => collect_pins(&rescorer.child, pins),
        RetrieverKind::Pinned(pinned) => {
            let values = pinned.docs.iter().map(|(_, id)| id.as_str().to_string()).collect();
            pins.push(Query::Ids(IdsQuery { values }));
            collect_pins(&pinned.child, pins);
        }
    }
}
