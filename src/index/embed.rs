//! Passages to vectors: what the cache knows is not computed again.

use std::collections::HashMap;

use crate::error::Result;
use crate::models::{BiEncoder, EmbeddingCache};

/// What embedding a batch gave and cost.
#[derive(Debug, Default)]
pub(super) struct Embedded {
    /// One vector a text, in their order.
    pub(super) vectors: Vec<Vec<f32>>,
    /// Texts that the model read; the rest came from the cache or occurred twice.
    pub(super) num_embedded: u64,
    /// Tokens that the model read.
    pub(super) num_tokens: u64,
}

/// Embeds passages; equal texts once, and those in the cache not at all.
pub(super) fn embed(encoder: &dyn BiEncoder, cache: Option<&EmbeddingCache>, texts: &[String]) -> Result<Embedded> {
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(texts.len());
    let mut distinct: Vec<&str> = Vec::new();
    for text in texts {
        places.entry(text).or_insert_with(|| {
            distinct.push(text);
            distinct.len() - 1
        });
    }
    let mut vectors: Vec<Option<Vec<f32>>> = match cache {
        Some(cache) => cache.get(encoder.fingerprint(), &distinct),
        None => vec![None; distinct.len()],
    };
    let unknown: Vec<usize> =
        (0..distinct.len()).filter(|&place| vectors.get(place).is_some_and(Option::is_none)).collect();
    let mut embedded = Embedded::default();
    if !unknown.is_empty() {
        let batch: Vec<&str> = unknown.iter().filter_map(|&place| distinct.get(place).copied()).collect();
        let embeddings = encoder.embed_passages(&batch)?;
        embedded.num_embedded = batch.len() as u64;
        embedded.num_tokens = embeddings.num_tokens;
        if let Some(cache) = cache {
            cache.put(encoder.fingerprint(), &batch, &embeddings);
        }
        for (&place, vector) in unknown.iter().zip(embeddings.rows()) {
            if let Some(slot) = vectors.get_mut(place) {
                *slot = Some(vector.to_vec());
            }
        }
    }
    let vector_of =
        |text: &String| places.get(text.as_str()).and_then(|&place| vectors.get(place)?.clone()).unwrap_or_default();
    embedded.vectors = texts.iter().map(vector_of).collect();
    Ok(embedded)
}
