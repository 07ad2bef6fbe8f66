//! What cross-encoders say of candidates: each pair is read once, whatever the number of plans that ask for it.

use std::collections::HashMap;

use rayon::prelude::*;

use super::retrieval::Collector;
use crate::error::{Error, Result};
use crate::fuse::FusedCandidate;
use crate::models::{CrossEncoder, RememberedScores};
use crate::plan::{ResolvedLegKind, ResolvedPlan};
use crate::rerank::PassageText;
use crate::retrieve::DocLocator;
use crate::search::PassageReader;

/// Queries whose passages are fetched at once: enough for all cores, few enough for a quick answer to Ctrl-C.
const BATCH: usize = 16;

/// The best passages' logits that are known.
#[derive(Debug, Default)]
pub(super) struct Readings(Vec<(ReadingKey, Vec<Logits>)>);

/// Of one query, by document; `None` where a document has no text to read.
type Logits = HashMap<DocLocator, Option<f32>>;

/// What decides which passages of a document are read, and by which model.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ReadingKey {
    model: String,
    num_passages: usize,
    /// The semantic field of the first dense leg, whose vectors choose the passages.
    field: Option<String>,
}

impl Readings {
    fn place(&mut self, key: &ReadingKey, num_queries: usize) -> usize {
        if let Some(place) = self.0.iter().position(|(known, _)| known == key) {
            return place;
        }
        self.0.push((key.clone(), vec![Logits::new(); num_queries]));
        self.0.len() - 1
    }
}

impl Collector<'_> {
    /// The logits of the first `depth` candidates of each query; `None` where a candidate has no text to read.
    pub(super) fn read(
        &mut self,
        plan: &ResolvedPlan,
        fused: &[Vec<FusedCandidate>],
        depth: usize,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Vec<Option<f32>>>> {
        let params = plan
            .rerank
            .as_ref()
            .ok_or_else(|| Error::invalid_plan("is absent, so there is nothing to read").in_field("rerank"))?;
        let encoder = self.models.cross_encoder(&params.model)?;
        let remembering = self.models.embedding_cache().map(|cache| RememberedScores::new(encoder.as_ref(), cache));
        let model: &dyn CrossEncoder = match &remembering {
            Some(remembering) => remembering,
            None => encoder.as_ref(),
        };
        let field = plan.legs.iter().find_map(|leg| match &leg.kind {
            ResolvedLegKind::Dense(dense) => Some(dense.field.clone()),
            ResolvedLegKind::Lexical(_) => None,
        });
        let vectors = field.as_deref().map(|field| self.vectors_of(field)).transpose()?;
        let key = ReadingKey { model: params.model.clone(), num_passages: params.passages, field };
        let place = self.readings.place(&key, self.queries.len());
        let texts_of = |query_idx: usize, known: &Logits| -> Result<Vec<(DocLocator, Vec<PassageText>)>> {
            let none: &[f32] = &[];
            let vector = vectors.as_ref().and_then(|rows| rows.get(query_idx)).map_or(none, Vec::as_slice);
            // The reader takes the vector of the first dense leg, which is the same for every leg here.
            let reader = PassageReader::new(self.searcher, plan, &vec![vector; plan.legs.len()], params.passages);
            let candidates = fused.get(query_idx).map_or(&[][..], Vec::as_slice);
            let mut texts = Vec::new();
            for candidate in candidates.iter().take(depth) {
                if let Some(locator) = candidate.locator.filter(|locator| !known.contains_key(locator)) {
                    texts.push((locator, reader.passages_of(candidate)?));
                }
            }
            Ok(texts)
        };
        for first in (0..self.queries.len()).step_by(BATCH) {
            self.check()?;
            let last = (first + BATCH).min(self.queries.len());
            let Some((_, known)) = self.readings.0.get_mut(place) else { break };
            let texts: Vec<Vec<(DocLocator, Vec<PassageText>)>> = (first..last)
                .into_par_iter()
                .map(|idx| known.get(idx).map_or_else(|| Ok(Vec::new()), |known| texts_of(idx, known)))
                .collect::<Result<_>>()?;
            for (query_idx, texts) in (first..).zip(texts) {
                (self.check)()?;
                if let (Some((_, query)), Some(known)) = (self.queries.get(query_idx), known.get_mut(query_idx)) {
                    known.extend(read_query(model, query, &texts, params.passages)?);
                }
                progress(query_idx + 1);
            }
        }
        let known = self.readings.0.get(place).map_or(&[][..], |(_, known)| known.as_slice());
        let of_query = |(list, known): (&Vec<FusedCandidate>, &Logits)| {
            let logit = |candidate: &FusedCandidate| known.get(&candidate.locator?).copied().flatten();
            list.iter().take(depth).map(logit).collect()
        };
        Ok(fused.iter().zip(known).map(of_query).collect())
    }
}

/// The logit of each document's best passage.
fn read_query(
    model: &dyn CrossEncoder,
    query: &str,
    texts: &[(DocLocator, Vec<PassageText>)],
    num_passages: usize,
) -> Result<Vec<(DocLocator, Option<f32>)>> {
    let passages: Vec<&str> = texts
        .iter()
        .flat_map(|(_, passages)| passages.iter().take(num_passages))
        .map(|passage| passage.text.as_str())
        .collect();
    let scores = if passages.is_empty() { Vec::new() } else { model.score(query, &passages)? };
    if scores.len() != passages.len() {
        let text = format!("the cross-encoder gave {} scores for {} passages", scores.len(), passages.len());
        return Err(Error::model(text));
    }
    if scores.iter().any(|score| score.logit.is_nan()) {
        return Err(Error::model("the cross-encoder gave a score that is not a number; check the model's file"));
    }
    let mut scores = scores.into_iter();
    Ok(texts
        .iter()
        .map(|(locator, passages)| {
            let own = scores.by_ref().take(passages.len().min(num_passages));
            (*locator, own.map(|score| score.logit).reduce(f32::max))
        })
        .collect())
}
