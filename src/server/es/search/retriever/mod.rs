//! `retriever`: a tree whose leaves find documents and whose inner nodes fuse, re-rank or pin them.
//!
//! In: the JSON of a `retriever`, and the searched indices. Out: one ranked list ([`Ranking`]) with, for each document, where its
//! score comes from ([`Origin`]). Invariant: everything here works on ranked lists; what a query means is said by
//! [`query_dsl`](crate::server::es::query_dsl), and what is done with the list afterwards by the modules around.
//! Read next: [`parse`] (JSON to a tree), [`simplified`] (a text to retrievers), [`run`] (a tree to a list), [`leaf`] (a leaf on one
//! index), [`fuse`](mod@fuse) (several lists to one).

pub(crate) mod frozen;
pub(crate) mod fuse;
pub(crate) mod leaf;
pub(crate) mod parse;
pub(crate) mod provenance;
pub(crate) mod rerank;
pub(crate) mod run;
pub(crate) mod simplified;

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::document::DocumentId;
use crate::retrieve::DocLocator;

pub(super) use leaf::knn_query;
pub(super) use parse::parse;
pub(super) use run::{Resolved, Runner};
pub(super) use simplified::expand;

/// A node of the tree.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Retriever {
    /// What it does.
    pub(crate) kind: RetrieverKind,
    /// Only documents that match all of these queries (Elasticsearch's JSON) are found by the leaves below.
    pub(crate) filter: Vec<Value>,
    /// Documents that score lower are left out.
    pub(crate) min_score: Option<f64>,
    /// `_name`, for provenance.
    pub(crate) name: Option<String>,
}

/// What a node does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RetrieverKind {
    /// A query; the best by score.
    Standard(Standard),
    /// Nearest vectors of a field; the body of a `knn` query.
    Knn(Map<String, Value>),
    /// Reciprocal rank fusion.
    Rrf(Rrf),
    /// The weighted sum of normalised scores.
    Linear(Linear),
    /// A cross-encoder reads the best.
    TextSimilarity(TextSimilarity),
    /// Named documents stand first.
    Pinned(Pinned),
    /// A second query scores the best again.
    Rescorer(Rescorer),
}

/// `standard`.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Standard {
    /// The query, Elasticsearch's JSON; every document when absent.
    pub(crate) query: Option<Value>,
    /// `sort`, `search_after`, `collapse` and `terminate_after`.
    pub(crate) top_level: Map<String, Value>,
}

/// `rrf`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rrf {
    /// What is fused, each with its weight.
    pub(crate) children: Vec<(Retriever, f32)>,
    /// A text in place of them, until the mapping is known.
    pub(crate) simplified: Option<Simplified>,
    /// Fusion's `k`, from 1.
    pub(crate) rank_constant: u32,
    /// Documents taken from each child; at least 1.
    pub(crate) rank_window_size: usize,
}

/// `linear`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Linear {
    /// What is fused.
    pub(crate) children: Vec<LinearChild>,
    /// A text in place of them, until the mapping is known.
    pub(crate) simplified: Option<Simplified>,
    /// That of the retrievers which a text becomes.
    pub(crate) normalizer: Normalizer,
    /// Documents taken from each child; at least 1.
    pub(crate) rank_window_size: usize,
}

/// One retriever of a [`Linear`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LinearChild {
    /// What finds.
    pub(crate) retriever: Retriever,
    /// Multiplies its normalised scores; at least 0.
    pub(crate) weight: f32,
    /// How its scores are put on a common scale.
    pub(crate) normalizer: Normalizer,
}

/// `query` and `fields` of `rrf` and `linear`, as they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Simplified {
    /// What is looked for.
    pub(crate) query: String,
    /// Names and patterns with their weights; the index's default fields where there are none.
    pub(crate) fields: Vec<String>,
}

/// Elasticsearch's score normalisers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Normalizer {
    /// The scores themselves.
    #[default]
    None,
    /// `(score - min) / (max - min)`; 1 where all are equal.
    MinMax,
    /// `score / sqrt(sum of squares)`.
    L2Norm,
}

impl Normalizer {
    /// Elasticsearch's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Normalizer::None => "none",
            Normalizer::MinMax => "minmax",
            Normalizer::L2Norm => "l2_norm",
        }
    }
}

/// `text_similarity_reranker`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TextSimilarity {
    /// What finds.
    pub(crate) child: Box<Retriever>,
    /// The field whose text is read; the best passages of the document when absent (Bifocal's addition).
    pub(crate) field: Option<String>,
    /// The cross-encoder; the installation's own when absent.
    pub(crate) inference_id: Option<String>,
    /// The question.
    pub(crate) inference_text: String,
    /// How many documents are read; at least 1.
    pub(crate) rank_window_size: usize,
    /// Milliseconds after which the rest stays unread (Bifocal's addition).
    pub(crate) budget_ms: Option<u64>,
    /// Adds `weight` times the standardised logit to the standardised score, in place of the cross-encoder's order alone
    /// (Bifocal's addition).
    pub(crate) weight: Option<f64>,
    /// `allow_rerank_failures`: false fails the search; else the order before stands, with a warning.
    pub(crate) allow_failures: Option<bool>,
}

/// `pinned`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pinned {
    /// What finds the others.
    pub(crate) child: Box<Retriever>,
    /// (index, id) in order; any of the searched indices when the index is absent.
    pub(crate) docs: Vec<(Option<String>, DocumentId)>,
    /// Documents taken from the child; at least 1.
    pub(crate) rank_window_size: usize,
}

/// `rescorer`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rescorer {
    /// What finds.
    pub(crate) child: Box<Retriever>,
    /// As `rescore` of a search: one rescorer or a list of them.
    pub(crate) rescore: Value,
}

impl Retriever {
    /// The leaves at and below it.
    pub(crate) fn num_leaves(&self) -> usize {
        match &self.kind {
            RetrieverKind::Standard(_) | RetrieverKind::Knn(_) => 1,
            RetrieverKind::Rrf(rrf) => rrf.children.iter().map(|(child, _)| child.num_leaves()).sum(),
            RetrieverKind::Linear(linear) => linear.children.iter().map(|child| child.retriever.num_leaves()).sum(),
            RetrieverKind::TextSimilarity(params) => params.child.num_leaves(),
            RetrieverKind::Pinned(pinned) => pinned.child.num_leaves(),
            RetrieverKind::Rescorer(rescorer) => rescorer.child.num_leaves(),
        }
    }

    /// Whether a cross-encoder reads anywhere in it.
    pub(crate) fn reranks(&self) -> bool {
        match &self.kind {
            RetrieverKind::TextSimilarity(_) => true,
            RetrieverKind::Standard(_) | RetrieverKind::Knn(_) => false,
            RetrieverKind::Rrf(rrf) => rrf.children.iter().any(|(child, _)| child.reranks()),
            RetrieverKind::Linear(linear) => linear.children.iter().any(|child| child.retriever.reranks()),
            RetrieverKind::Pinned(pinned) => pinned.child.reranks(),
            RetrieverKind::Rescorer(rescorer) => rescorer.child.reranks(),
        }
    }

    /// How many documents it ranks; `None` where it has no bound of its own.
    pub(crate) fn window(&self) -> Option<usize> {
        match &self.kind {
            RetrieverKind::Standard(_) | RetrieverKind::Knn(_) | RetrieverKind::Rescorer(_) => None,
            RetrieverKind::Rrf(rrf) => Some(rrf.rank_window_size),
            RetrieverKind::Linear(linear) => Some(linear.rank_window_size),
            RetrieverKind::TextSimilarity(params) => Some(params.rank_window_size),
            RetrieverKind::Pinned(pinned) => Some(pinned.rank_window_size),
        }
    }

    /// Elasticsearch's name of the kind.
    pub(crate) fn type_name(&self) -> &'static str {
        match self.kind {
            RetrieverKind::Standard(_) => "standard",
            RetrieverKind::Knn(_) => "knn",
            RetrieverKind::Rrf(_) => "rrf",
            RetrieverKind::Linear(_) => "linear",
            RetrieverKind::TextSimilarity(_) => "text_similarity_reranker",
            RetrieverKind::Pinned(_) => "pinned",
            RetrieverKind::Rescorer(_) => "rescorer",
        }
    }
}

/// Where a document lies: in which of the searched indices, and where there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct DocRef {
    /// The place of its index in the list of those that are searched.
    pub(crate) shard: usize,
    /// Its place in that index's snapshot.
    pub(crate) locator: DocLocator,
}

/// A document of a ranked list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ranked {
    /// Where it lies.
    pub(crate) doc: DocRef,
    /// The user's id.
    pub(crate) id: DocumentId,
    /// Larger is better; never NaN.
    pub(crate) score: f32,
    /// Where the score comes from.
    pub(crate) origin: Arc<Origin>,
}

/// A ranked list, best first, and what is to be said of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ranking {
    /// Best first, each document once.
    pub(crate) docs: Vec<Ranked>,
    /// What did not go as it should have (a cross-encoder that failed), for the answer.
    pub(crate) warnings: Vec<String>,
}

/// Where a document's score comes from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Origin {
    /// A leaf's own score.
    Leaf {
        /// `standard` or `knn`.
        kind: &'static str,
        /// Its number among the leaves of the tree, from the left.
        leaf: usize,
    },
    /// The sum of what each list gave; `None` where a list lacks the document.
    Fused {
        /// `rrf` or `linear`.
        kind: &'static str,
        /// Fusion's constant, for `rrf`.
        rank_constant: Option<u32>,
        /// One a list.
        parts: Vec<Option<Part>>,
        /// The weight of each list.
        weights: Arc<[f32]>,
        /// `_name` of each list.
        names: Arc<[Option<Arc<str>>]>,
    },
    /// A cross-encoder read it.
    Reranked {
        /// The rank before, from 1.
        rank_before: u32,
        /// The score before.
        score_before: f32,
        /// 0 to 1; `None` where it was not read.
        relevance: Option<f32>,
        /// The raw output.
        logit: Option<f32>,
        /// Where the score before comes from.
        before: Arc<Origin>,
    },
    /// It was named.
    Pinned,
    /// A second query scored it.
    Rescored {
        /// The score before.
        score_before: f32,
        /// Where that comes from.
        before: Arc<Origin>,
    },
}

/// What one list gave to a fused score.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    /// The retriever's `_name`, or its kind.
    pub(crate) retriever: Arc<str>,
    /// The document's rank there, from 1.
    pub(crate) rank: u32,
    /// Its score there.
    pub(crate) score: f32,
    /// The score on the common scale, for `linear`.
    pub(crate) normalized: Option<f32>,
    /// The list's weight.
    pub(crate) weight: f32,
    /// What was added.
    pub(crate) contribution: f32,
    /// How the score came on the common scale: `none`, `minmax`, `l2_norm`.
    pub(crate) normalizer: &'static str,
    /// Where the score there comes from.
    pub(crate) origin: Arc<Origin>,
}
