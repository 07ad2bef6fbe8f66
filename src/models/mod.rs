//! Names to running models: catalogue, places, tokenizers, sessions.
//!
//! In: a model's name (`bge-small-en-v1.5`), a folder, or a hub repository. Out: a [`BiEncoder`] or a [`CrossEncoder`] that
//! batches by length, uses every core, and is shared by all threads. Invariant: only this folder knows `ort` and `tokenizers`.
//!
//! Read on in the order of a model's life: [`Models`] (the front door), [`catalogue`] and [`locate`] (name to files),
//! [`describe`] (files to facts), [`tokenizer`], [`runtime`], [`session`], [`batching`], [`inference`] (facts to a running
//! model), [`bi_encoder`] and [`cross_encoder`] (the two traits), [`embedding_cache`], [`remembered_scores`].

mod batching;
mod bi_encoder;
mod cache_dir;
mod catalogue;
mod check;
mod cross_encoder;
mod describe;
mod embedding_cache;
mod hub;
mod inference;
mod locate;
mod pooling;
mod registry;
mod remembered_scores;
mod runtime;
mod session;
#[cfg(test)]
pub(crate) mod test_models;
mod tokenizer;

use std::ops::Range;

pub use batching::{Batch, BatchLimits, MemoryModel, batches};
pub use bi_encoder::{OnnxBiEncoder, open_bi_encoder};
pub use cache_dir::{CACHE_ENV, default_cache_dir};
pub use catalogue::{CatalogueEntry, catalogue};
pub use check::{CheckReport, EmbeddingSpeed, bench_passages};
pub use cross_encoder::{OnnxCrossEncoder, open_cross_encoder, sigmoid};
pub use describe::{DESCRIPTION_FILE, ModelDescription, ModelKind, Similarity, TOKENIZER_FILE};
pub use embedding_cache::{CACHE_FILE, EmbeddingCache};
pub use locate::{MODELS_ENV, Place};
pub use registry::{DEFAULT_BI_ENCODER, DEFAULT_INFERENCE_MEMORY_BYTES, ModelInfo, ModelOptions, Models};
pub(crate) use remembered_scores::RememberedScores;
pub use runtime::{LIBRARY_ENV, check_runtime};

use crate::error::Result;

/// Cuts a text into a model's own tokens.
pub trait Tokenize: Send + Sync {
    /// The byte range of each token of `text`, in order, without special tokens and without truncation.
    ///
    /// # Errors
    /// [`ErrorKind::Model`](crate::ErrorKind::Model) when the tokenizer fails.
    fn token_offsets(&self, text: &str) -> Result<Vec<Range<usize>>>;
}

/// Turns texts into vectors. Prefixes of queries and passages are the model's own and are added here.
pub trait BiEncoder: Send + Sync + std::fmt::Debug {
    /// What made the vectors; stored with an index.
    fn fingerprint(&self) -> &ModelFingerprint;

    /// The model's tokenizer, for chunking.
    fn tokenizer(&self) -> &dyn Tokenize;

    /// Embeds queries. Row `i` of the answer belongs to `queries[i]`, whatever the batching. Empty input gives no rows.
    ///
    /// # Errors
    /// [`ErrorKind::Model`](crate::ErrorKind::Model) when inference fails.
    fn embed_queries(&self, queries: &[&str]) -> Result<Embeddings>;

    /// Embeds passages, as [`BiEncoder::embed_queries`] does queries.
    ///
    /// # Errors
    /// [`ErrorKind::Model`](crate::ErrorKind::Model) when inference fails.
    fn embed_passages(&self, passages: &[&str]) -> Result<Embeddings>;
}

/// Vectors of a batch: `[len, dims]`, row-major, normalised to length 1 where the model's similarity is cosine.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Embeddings {
    /// Numbers a vector.
    pub dims: usize,
    /// `len * dims` numbers.
    pub values: Vec<f32>,
    /// Tokens that were read, special tokens included.
    pub num_tokens: u64,
    /// Texts that were cut off at the model's longest input.
    pub num_truncated: u64,
}

impl Embeddings {
    /// The vectors, in the order of the texts.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.dims.max(1))
    }
}

/// Reads a query and a passage together and says how relevant the passage is.
pub trait CrossEncoder: Send + Sync + std::fmt::Debug {
    /// Which model this is.
    fn fingerprint(&self) -> &ModelFingerprint;

    /// The model's tokenizer, for chunking.
    fn tokenizer(&self) -> &dyn Tokenize;

    /// Scores pairs; answer `i` belongs to `passages[i]`, whatever the batching.
    ///
    /// # Errors
    /// [`ErrorKind::Model`](crate::ErrorKind::Model) when inference fails.
    fn score(&self, query: &str, passages: &[&str]) -> Result<Vec<PairScore>>;
}

/// A cross-encoder's answer for one pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairScore {
    /// The model's raw output.
    pub logit: f32,
    /// `1 / (1 + exp(-logit))`, in 0..=1.
    pub relevance: f32,
    /// Tokens of the pair that were read, special tokens included.
    pub num_tokens: u32,
    /// Tokens of the passage that did not fit.
    pub num_truncated_tokens: u32,
}

/// What identifies a model: two models with equal fingerprints give equal vectors.
///
/// # Stability
/// Stored in the manifest of every index with a semantic field.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFingerprint {
    /// The name under which it was asked for (catalogue name, repository or folder).
    pub name: String,
    /// BLAKE3 of the BLAKE3 hashes of the ONNX file, the tokenizer file and the ONNX file's external data, in hexadecimal.
    pub hash: String,
    /// Numbers a vector; 0 for a cross-encoder.
    pub dims: usize,
    /// How token vectors become one.
    pub pooling: Pooling,
    /// Put before a query.
    pub query_prefix: String,
    /// Put before a passage.
    pub passage_prefix: String,
    /// Whether vectors have length 1 (cosine); otherwise the dot product of the raw vectors ranks.
    pub normalized: bool,
    /// Longest input in tokens, special tokens included.
    pub max_tokens: usize,
}

impl ModelFingerprint {
    /// True when both models give the same vectors, whatever they are called.
    pub fn same_vectors(&self, other: &ModelFingerprint) -> bool {
        let named_alike = ModelFingerprint { name: self.name.clone(), ..other.clone() };
        *self == named_alike
    }
}

/// How the vectors of the tokens become the vector of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// The first token's vector.
    Cls,
    /// The mean over the tokens of the text.
    Mean,
    /// The model's own pooled output, or a cross-encoder's logit.
    None,
}
