//! `text_similarity_reranker`: a cross-encoder reads the question and a text of each of the best documents.
//!
//! A cross-encoder that fails, or has no time left, changes nothing: the documents stay as they stood before, and the answer says so.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Origin, Ranked, Ranking, TextSimilarity};
use crate::error::{ErrorKind, Result};
use crate::fuse::FusedCandidate;
use crate::index::TimeLimit;
use crate::models::Models;
use crate::plan::ResolvedRerank;
use crate::rerank::{self, PassageText};
use crate::retrieve::{PassageMatch, Searcher};
use crate::server::es::error::{EsError, EsResult};
use crate::server::es::inference::not_found;

/// Bytes of a document's text that a cross-encoder is given; it reads what fits its input.
const MAX_TEXT_BYTES: usize = 8000;

/// Re-ranks the best `params.rank_window_size` documents of `ranking`, and leaves the others out as Elasticsearch does.
///
/// * `searchers`: one an index, as [`super::DocRef::shard`] counts them.
/// * `min_score`: documents whose relevance is lower are left out.
/// * `time_limit`: reading stops then; the rest stays in its order.
///
/// Scores are relevances, 0 to 1, or sums of standardised scores where `params.weight` is given.
///
/// # Errors
/// `Corrupt` when a stored document is damaged. A model that is not there, cannot be loaded or fails is a warning of the ranking, unless
/// `params.allow_failures` is false: then 404 for one that is unknown, else 500.
pub(crate) fn rerank(
    models: &Models,
    searchers: &[&Searcher],
    params: &TextSimilarity,
    min_score: Option<f64>,
    time_limit: &TimeLimit,
    ranking: Ranking,
) -> EsResult<Ranking> {
    let Ranking { mut docs, mut warnings } = ranking;
    docs.truncate(params.rank_window_size);
    let name =
        params.inference_id.clone().filter(|id| !is_elastic_default(id)).or_else(|| models.default_cross_encoder());
    let Some(name) = name else {
        warnings
            .push("text_similarity_reranker: there is no cross-encoder; the order is that before re-ranking".into());
        return Ok(Ranking { docs, warnings });
    };
    let model = match models.check_is_here(&name).and_then(|()| models.cross_encoder(&name)) {
        Ok(model) => model,
        Err(error) => {
            let is_unknown = error.kind() == ErrorKind::NotFound && params.inference_id.is_some();
            if is_unknown && params.allow_failures == Some(false) {
                return Err(not_found(&name));
            }
            may_fail(params, &error.to_string())?;
            warnings.push(format!("text_similarity_reranker: {error}; the order is that before re-ranking"));
            return Ok(Ranking { docs, warnings });
        }
    };
    let reader = TextReader::new(searchers, params);
    // Candidates are named by their places, so that equal ids of two indices stay apart.
    let candidates = docs
        .iter()
        .enumerate()
        .map(|(idx, doc)| FusedCandidate {
            id: format!("{idx:05}").into(),
            locator: Some(doc.doc.locator),
            passage: None,
            score: f64::from(doc.score),
            parts: Vec::new(),
        })
        .collect();
    let resolved = ResolvedRerank {
        model: name,
        rerank_depth: params.rank_window_size,
        budget: params.budget_ms.map(Duration::from_millis).into_iter().chain(until(time_limit)).min(),
        weight: params.weight,
        passages: 1,
        min_score,
    };
    let texts_of = |candidate: &FusedCandidate| match place(candidate).and_then(|idx| docs.get(idx)) {
        Some(doc) => reader.texts_of(doc),
        None => Ok(Vec::new()),
    };
    let outcome = rerank::rerank(model.as_ref(), &params.inference_text, candidates, &resolved, texts_of)?;
    if let Some(failure) = outcome.failure {
        may_fail(params, &failure.to_string())?;
        warnings.push(format!("text_similarity_reranker: {failure}; the order is that before re-ranking"));
        return Ok(Ranking { docs, warnings });
    }
    if outcome.budget_exhausted {
        // The search itself, then, is what had no more time.
        time_limit.is_up();
        warnings.push(format!(
            "text_similarity_reranker: the time was up after {} of {} documents; the others follow as they stood before",
            outcome.num_read, outcome.num_asked
        ));
    }
    let reranked = outcome.candidates.iter().filter_map(|candidate| {
        let idx = place(&candidate.fused)?;
        let doc = docs.get(idx)?;
        let part = candidate.rerank.as_ref();
        let relevance = part.map(|part| part.relevance);
        #[expect(clippy::cast_possible_truncation, reason = "scores are 32-bit floats")]
        let score = match (params.weight, relevance) {
            (None, Some(relevance)) => relevance,
            (None, None) => 0.0,
            (Some(_), _) => candidate.score as f32,
        };
        let origin = Origin::Reranked {
            rank_before: u32::try_from(idx + 1).unwrap_or(u32::MAX),
            score_before: doc.score,
            relevance,
            logit: part.map(|part| part.logit),
            before: doc.origin.clone(),
        };
        Some(Ranked { score, origin: Arc::new(origin), ..doc.clone() })
    });
    Ok(Ranking { docs: reranked.collect(), warnings })
}

/// Whether the search goes on without re-ranking.
fn may_fail(params: &TextSimilarity, what: &str) -> EsResult<()> {
    match params.allow_failures {
        Some(false) => Err(EsError::new(500, "exception", format!("[text_similarity_reranker] search failed: {what}"))),
        Some(true) | None => Ok(()),
    }
}

/// Elastic's own endpoints, for which this installation's cross-encoder stands.
fn is_elastic_default(id: &str) -> bool {
    id.starts_with(".rerank") || id.starts_with(".elser") || id.is_empty()
}

/// What is left of the search's own time.
fn until(time_limit: &TimeLimit) -> Option<Duration> {
    time_limit.deadline().map(|deadline| deadline.saturating_duration_since(Instant::now()))
}

fn place(candidate: &FusedCandidate) -> Option<usize> {
    candidate.id.as_str().parse().ok()
}

/// Finds what is read of a document.
struct TextReader<'a> {
    searchers: &'a [&'a Searcher],
    field: Option<&'a str>,
    /// A semantic field and the question's vector, one an index; for the passages of long texts.
    passages: Vec<Option<(String, Vec<f32>)>>,
}

impl<'a> TextReader<'a> {
    fn new(searchers: &'a [&'a Searcher], params: &'a TextSimilarity) -> Self {
        let field = params.field.as_deref();
        let passages = searchers
            .iter()
            .map(|searcher| {
                let semantic = searcher.semantic_field_for(field)?;
                let encoder = searcher.encoder(&semantic).ok()?;
                let vectors = encoder.embed_queries(&[params.inference_text.as_str()]).ok()?;
                let vector = vectors.rows().next()?.to_vec();
                Some((semantic, vector))
            })
            .collect();
        Self { searchers, field, passages }
    }

    /// The passage that is closest to the question, else the text of the field, else the beginning of the document's prose.
    fn texts_of(&self, doc: &Ranked) -> Result<Vec<PassageText>> {
        let Some(searcher) = self.searchers.get(doc.doc.shard) else { return Ok(Vec::new()) };
        let source = searcher.source_of(doc.doc.locator)?;
        if let Some(Some((field, vector))) = self.passages.get(doc.doc.shard) {
            let similarity = |passage: &[f32]| passage.iter().zip(vector).map(|(a, b)| a * b).sum::<f32>();
            let best = searcher
                .dense()
                .vectors(field, doc.doc.locator.0)
                .into_iter()
                .filter_map(|(passage, span)| Some((similarity(&passage), span?)))
                .max_by(|a, b| a.0.total_cmp(&b.0));
            if let Some((_, span)) = best
                && let Some(text) = searcher.passage_text(field, &source, span)?
            {
                let context = searcher.context(field, &source)?;
                let text = if context.is_empty() { text } else { format!("{context}\n{text}") };
                return Ok(vec![PassageText { passage: Some(PassageMatch { span }), text }]);
            }
        }
        let mut text = match self.field {
            Some(field) => searcher.own_texts(field, &source).join("\n"),
            None => searcher.plain_text(&source, MAX_TEXT_BYTES),
        };
        text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
        Ok(if text.is_empty() { Vec::new() } else { vec![PassageText { passage: None, text }] })
    }
}
