//! Vector queries inside a tree: they run first, and become sets of documents with scores.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;
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
        let nested = field.and_then(|field| field.definition.nested.as_deref());
        let filter = match nested {
            Some(path) => Some(self.filtered_objects(path, &query.filter)?),
            None if query.filter.is_empty() => self.roots_filter(),
            None => {
                let query = Query::Bool(BoolQuery { filter: query.filter.clone(), ..BoolQuery::default() });
                Some(self.filter(&query)?)
            }
        };
        let min_similarity = min_similarity(query, params.similarity);
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
            let chosen = if nested.is_none() { hits.collect() } else { self.closest_objects(hits, query) };
            let is_whole = nested.is_none() || chosen.len() >= query.k || found.hits.len() < depth;
            if is_whole || self.time_limit().was_noticed() {
                let by = KnnQuery { vector: Some(vector.to_vec()), text: None, ..query.clone() };
                return Ok(ScoredDocs { found_by: Some(Arc::new(by)), ..ScoredDocs::new(chosen) });
            }
            depth = depth.saturating_mul(2);
        }
    }

    /// The closest object of each document, or the documents themselves where whole ones are looked for; at most `k`.
    ///
    /// * `hits`: objects, best first.
    fn closest_objects(
        &self,
        hits: impl Iterator<Item = (u32, DocId, f32)>,
        query: &KnnQuery,
    ) -> Vec<(u32, DocId, f32)> {
        let mut seen = HashSet::new();
        let mut closest = Vec::new();
        for (segment_ord, doc, score) in hits {
            let root = self.roots(segment_ord).map_or(Some(doc), |roots| next_in(roots, doc));
            if let Some(root) = root
                && closest.len() < query.k
                && seen.insert((segment_ord, root))
            {
                closest.push((segment_ord, if query.whole_documents { root } else { doc }, score));
            }
        }
        closest
    }

    /// The query with every object of one document that its vector queries could have found, each as near as it is: what they found
    /// are the closest objects alone. `None` where there is nothing to add.
    ///
    /// * `objects`: the numbers of the document's objects.
    ///
    /// # Errors
    /// As [`LexicalSearcher::resolve`].
    pub(crate) fn with_all_objects(
        &self,
        query: &Query,
        segment_ord: u32,
        objects: std::ops::Range<DocId>,
    ) -> Result<Option<Query>> {
        if !names_objects(query) {
            return Ok(None);
        }
        let mut completed = query.clone();
        self.add_objects(&mut completed, segment_ord, &objects)?;
        Ok(Some(completed))
    }

    fn add_objects(&self, query: &mut Query, segment_ord: u32, objects: &std::ops::Range<DocId>) -> Result<()> {
        if let Query::Docs(found) = query
            && let Some(by) = &found.found_by
        {
            *found = self.compared(by, segment_ord, objects)?;
            return Ok(());
        }
        query.children_mut().into_iter().try_for_each(|child| self.add_objects(child, segment_ord, objects))
    }

    /// Every object of a document, compared with the vector of a query.
    fn compared(&self, by: &KnnQuery, segment_ord: u32, objects: &std::ops::Range<DocId>) -> Result<ScoredDocs> {
        let index = self.index().ok_or_else(|| Error::unsupported("a vector query needs an index with vectors"))?;
        let Some(vector) = &by.vector else { return Ok(ScoredDocs::default()) };
        let mut allowed: Vec<BitSet> = Vec::new();
        for (ord, reader) in (0_u32..).zip(self.searcher().segment_readers()) {
            let mut set = BitSet::with_max_value(reader.max_doc());
            if ord == segment_ord {
                for doc in objects.clone() {
                    set.insert(doc);
                }
            }
            allowed.push(set);
        }
        let field = index.fields().iter().find(|field| field.definition.path == by.field);
        let Some(params) = field.and_then(|field| field.vector.as_ref()) else { return Ok(ScoredDocs::default()) };
        let min_similarity = min_similarity(by, params.similarity);
        let found = index.dense().search(&DenseQuery {
            field: &by.field,
            vector,
            depth: objects.len(),
            num_candidates: None,
            filter: Some(&allowed),
            min_similarity,
            mode: DenseMode::Exact,
            time_limit: Some(self.time_limit()),
        })?;
        let hits = found.hits.iter().map(|hit| (hit.address.segment_ord, hit.address.doc_id, hit.score));
        Ok(ScoredDocs::new(hits.collect()))
    }

    /// The objects of a nested field that every filter lets through: itself, or by the document that it belongs to.
    fn filtered_objects(&self, path: &str, filter: &[Query]) -> Result<Vec<BitSet>> {
        let mut allowed = self.nested_filter(path, None)?;
        for query in filter {
            // A filter is about whole documents, unless it names fields of the objects.
            let own = if names_fields_of(query, path) { Some(self.nested_filter(path, Some(query))?) } else { None };
            let wholes = self.filter(query)?;
            for ((segment_ord, allowed), wholes) in (0_u32..).zip(&mut allowed).zip(&wholes) {
                let own = own.as_ref().and_then(|own| own.get(segment_ord as usize));
                let mut passes = false;
                for doc in (0..allowed.max_value()).rev() {
                    if self.roots(segment_ord).is_none_or(|roots| roots.contains(doc)) {
                        passes = wholes.contains(doc);
                    }
                    if allowed.contains(doc) && !passes && !own.is_some_and(|own| own.contains(doc)) {
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

/// As the dense view takes it, for which larger is closer.
fn min_similarity(query: &KnnQuery, similarity: Similarity) -> Option<f32> {
    query.similarity.map(|least| match similarity {
        Similarity::L2Norm => -least,
        Similarity::Cosine | Similarity::DotProduct | Similarity::MaxInnerProduct => least,
    })
}

/// Whether objects in it may have been found as the closest of their documents.
fn names_objects(query: &Query) -> bool {
    matches!(query, Query::Docs(found) if found.found_by.is_some()) || query.children().into_iter().any(names_objects)
}

/// Whether a query names a field of the objects at `path`.
fn names_fields_of(query: &Query, path: &str) -> bool {
    fn anywhere(value: &Value, path: &str) -> bool {
        match value {
            Value::String(text) => text.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')),
            Value::Array(values) => values.iter().any(|value| anywhere(value, path)),
            Value::Object(members) => members.iter().any(|(name, value)| {
                let is_name = matches!(name.as_str(), "field" | "fields") || !value.is_string();
                is_name && anywhere(value, path)
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
    serde_json::to_value(query).is_ok_and(|query| anywhere(&query, path))
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
