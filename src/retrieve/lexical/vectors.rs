//! Vector queries inside a tree: they run first, and become sets of documents with scores.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tantivy::index::SegmentId;
use tantivy::query::{EmptyScorer, EnableScoring, Explanation, Query as TantivyQuery, Scorer, Weight};
use tantivy::{BitSet, DocId, DocSet, Score, SegmentReader, TERMINATED};

use super::LexicalSearcher;
use super::nested::next_in;
use super::term::explain_by_scorer;
use crate::error::{Error, Result};
use crate::index::dense::{DenseMode, DenseQuery, Similarity};
use crate::models::BiEncoder;
use crate::retrieve::query::{BoolQuery, KnnQuery, Query, ScoredDocs};

impl LexicalSearcher {
    /// Runs every vector query of a tree and puts the documents that it found in its place, so that a query which is run several times
    /// (for hits, totals and aggregations) looks at vectors once. The answer is good for this snapshot only.
    ///
    /// # Errors
    /// `NotFound` for a field without vectors, `InvalidInput` for a vector that does not fit, `Model` when a text cannot be embedded.
    pub fn resolve(&self, query: &Query) -> Result<Query> {
        let mut resolved = query.clone();
        self.resolve_in_place(&mut resolved)?;
        Ok(resolved)
    }

    fn resolve_in_place(&self, query: &mut Query) -> Result<()> {
        if let Query::Knn(knn) = query {
            *query = Query::Docs(self.nearest(knn)?);
            return Ok(());
        }
        query.children_mut().into_iter().try_for_each(|child| self.resolve_in_place(child))
    }

    /// The documents that a vector query finds, with Elasticsearch's `_score`.
    ///
    /// # Errors
    /// As [`LexicalSearcher::resolve`].
    pub fn nearest(&self, query: &KnnQuery) -> Result<ScoredDocs> {
        let index = self.index().ok_or_else(|| Error::unsupported("a vector query needs an index with vectors"))?;
        let field = index.fields().iter().find(|field| field.definition.path == query.field);
        let Some(params) = field.and_then(|field| field.vector.as_ref()) else {
            return Err(Error::not_found("is no vector or semantic field of this index").in_field(query.field.clone()));
        };
        let embedded;
        let vector = match (&query.vector, &query.text) {
            (Some(vector), _) => vector.as_slice(),
            (None, Some(text)) => {
                let wanted = TextToEmbed::new(query, text);
                match self.embedded.as_ref().and_then(|embedded| embedded.0.get(&wanted)) {
                    Some(vector) => vector.as_slice(),
                    None => {
                        embedded = self.embed_text(&wanted)?;
                        embedded.as_slice()
                    }
                }
            }
            (None, None) => {
                return Err(
                    Error::invalid_input("has neither a vector nor a text to look for").in_field(query.field.clone())
                );
            }
        };
        let filter = match field.and_then(|field| field.definition.nested.as_deref()) {
            Some(path) => Some(self.filtered_objects(path, &query.filter)?),
            None if query.filter.is_empty() => self.roots_filter(),
            None => {
                let query = Query::Bool(BoolQuery { filter: query.filter.clone(), ..BoolQuery::default() });
                Some(self.filter(&query)?)
            }
        };
        let min_similarity = query.similarity.map(|similarity| match params.similarity {
            Similarity::L2Norm => -similarity,
            Similarity::Cosine | Similarity::DotProduct | Similarity::MaxInnerProduct => similarity,
        });
        let mut depth = query.k;
        loop {
            let found = index.dense().search(&DenseQuery {
                field: &query.field,
                vector,
                depth,
                num_candidates: query.num_candidates.map(|candidates| candidates.max(depth)),
                filter: filter.as_deref(),
                min_similarity,
                mode: DenseMode::Auto,
                time_limit: Some(self.time_limit()),
            })?;
            let hits = found.hits.iter().map(|hit| (hit.address.segment_ord, hit.address.doc_id, hit.score));
            if !query.whole_documents {
                return Ok(ScoredDocs::new(hits.collect()));
            }
            let wholes = self.closest_objects(hits, query.k);
            if wholes.len() >= query.k || found.hits.len() < depth || self.time_limit().was_noticed() {
                return Ok(ScoredDocs::new(wholes));
            }
            depth = depth.saturating_mul(2);
        }
    }

    /// The documents of nested objects, at most `k`, each with its closest object's score.
    ///
    /// * `hits`: objects, best first.
    fn closest_objects(&self, hits: impl Iterator<Item = (u32, DocId, f32)>, k: usize) -> Vec<(u32, DocId, f32)> {
        let mut seen = HashSet::new();
        let mut wholes = Vec::new();
        for (segment_ord, doc, score) in hits {
            let root = self.roots(segment_ord).map_or(Some(doc), |roots| next_in(roots, doc));
            if let Some(root) = root
                && wholes.len() < k
                && seen.insert((segment_ord, root))
            {
                wholes.push((segment_ord, root, score));
            }
        }
        wholes
    }

    /// The objects of a nested field that every filter lets through: itself, or by the document that it belongs to.
    fn filtered_objects(&self, path: &str, filter: &[Query]) -> Result<Vec<BitSet>> {
        let mut allowed = self.nested_filter(path, None)?;
        for query in filter {
            let own = self.nested_filter(path, Some(query))?;
            let wholes = self.filter(query)?;
            for ((segment_ord, allowed), (own, wholes)) in (0_u32..).zip(&mut allowed).zip(own.iter().zip(&wholes)) {
                let mut passes = false;
                for doc in (0..allowed.max_value()).rev() {
                    if self.roots(segment_ord).is_none_or(|roots| roots.contains(doc)) {
                        passes = wholes.contains(doc);
                    }
                    if allowed.contains(doc) && !passes && !own.contains(doc) {
                        allowed.remove(doc);
                    }
                }
            }
        }
        Ok(allowed)
    }

    /// The vector of a text by the model of a semantic field.
    ///
    /// # Errors
    /// `NotFound` when the field has no model, `Model` when it cannot be loaded or fails.
    pub fn embed(&self, field: &str, text: &str) -> Result<Vec<f32>> {
        let index = self.index().ok_or_else(|| Error::unsupported("a vector query needs an index with vectors"))?;
        embed_with(index.encoder(field)?.as_ref(), field, text)
    }

    /// Embeds texts, each once.
    ///
    /// # Errors
    /// As [`LexicalSearcher::embed`]; a model that a text names is not downloaded ([`Models::check_is_here`](crate::models::Models)).
    pub fn embed_texts(&self, texts: &[TextToEmbed]) -> Result<EmbeddedTexts> {
        let mut embedded = EmbeddedTexts::default();
        for text in texts {
            if !embedded.0.contains_key(text) {
                embedded.0.insert(text.clone(), self.embed_text(text)?);
            }
        }
        Ok(embedded)
    }

    fn embed_text(&self, wanted: &TextToEmbed) -> Result<Vec<f32>> {
        let TextToEmbed { field, model, text } = wanted;
        let index = self.index().ok_or_else(|| Error::unsupported("a vector query needs an index with vectors"))?;
        match model {
            None => self.embed(field, text),
            Some(model) => {
                index.models().check_is_here(model)?;
                embed_with(index.models().bi_encoder(model)?.as_ref(), field, text)
            }
        }
    }

    /// The scored leaf of documents found before.
    pub(super) fn scored_docs_leaf(&self, found: &ScoredDocs, boost: f32) -> ScoredDocsLeaf {
        let mut docs: HashMap<SegmentId, Vec<(DocId, f32)>> = HashMap::new();
        for &(segment_ord, doc, score) in found.docs.iter() {
            if let Some(reader) = self.searcher().segment_readers().get(segment_ord as usize) {
                docs.entry(reader.segment_id()).or_default().push((doc, score * boost));
            }
        }
        ScoredDocsLeaf { docs: Arc::new(docs) }
    }

    /// The roots of every segment as a filter; `None` where all documents are roots.
    pub(super) fn roots_filter(&self) -> Option<Vec<BitSet>> {
        let readers = self.searcher().segment_readers();
        let has_children = (0_u32..).zip(readers).any(|(segment_ord, _)| self.roots(segment_ord).is_some());
        has_children.then(|| {
            let roots = |(segment_ord, reader): (u32, &SegmentReader)| {
                self.roots(segment_ord).cloned().unwrap_or_else(|| BitSet::with_max_value_and_full(reader.max_doc()))
            };
            (0_u32..).zip(readers).map(roots).collect()
        })
    }
}

/// A text that a vector query looks for, and what must embed it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TextToEmbed {
    field: String,
    /// `None` is the field's own.
    model: Option<String>,
    text: String,
}

/// Vectors of texts, made before the search that looks for them.
#[derive(Debug, Default)]
pub struct EmbeddedTexts(HashMap<TextToEmbed, Vec<f32>>);

impl TextToEmbed {
    fn new(query: &KnnQuery, text: &str) -> Self {
        Self { field: query.field.clone(), model: query.model.clone(), text: text.to_string() }
    }

    /// Adds the texts of a tree to `found`.
    pub fn gather(query: &mut Query, found: &mut Vec<Self>) {
        if let Query::Knn(knn) = query
            && let (None, Some(text)) = (&knn.vector, &knn.text)
        {
            found.push(Self::new(knn, text));
        }
        query.children_mut().into_iter().for_each(|child| Self::gather(child, found));
    }
}

fn embed_with(encoder: &dyn BiEncoder, field: &str, text: &str) -> Result<Vec<f32>> {
    let embeddings = encoder.embed_queries(&[text])?;
    let vector = embeddings.rows().next().map(<[f32]>::to_vec);
    vector.ok_or_else(|| Error::internal("the model gave no vector for a query").in_field(field))
}

/// Documents with a score each, by segment, ascending.
#[derive(Debug, Clone)]
pub(super) struct ScoredDocsLeaf {
    pub(super) docs: Arc<HashMap<SegmentId, Vec<(DocId, f32)>>>,
}

impl TantivyQuery for ScoredDocsLeaf {
    fn weight(&self, _scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for ScoredDocsLeaf {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        Ok(match self.docs.get(&reader.segment_id()) {
            None => Box::new(EmptyScorer),
            Some(docs) => Box::new(ScoredDocsScorer { docs: docs.clone(), at: 0, boost }),
        })
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        explain_by_scorer(self, reader, doc)
    }
}

struct ScoredDocsScorer {
    docs: Vec<(DocId, f32)>,
    at: usize,
    boost: f32,
}

impl DocSet for ScoredDocsScorer {
    fn advance(&mut self) -> DocId {
        self.at += usize::from(self.at < self.docs.len());
        self.doc()
    }

    fn doc(&self) -> DocId {
        self.docs.get(self.at).map_or(TERMINATED, |&(doc, _)| doc)
    }

    fn size_hint(&self) -> u32 {
        u32::try_from(self.docs.len()).unwrap_or(u32::MAX)
    }
}

impl Scorer for ScoredDocsScorer {
    fn score(&mut self) -> Score {
        self.boost * self.docs.get(self.at).map_or(0.0, |&(_, score)| score)
    }
}
