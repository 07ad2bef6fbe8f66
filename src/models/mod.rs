//! Names to running models: catalogue, places, tokenizers, sessions.
//!
//! In: a model's name (`bge-small-en-v1.5`), a folder, or a hub repository. Out: a [`BiEncoder`] or a [`CrossEncoder`] that
//! batches by length, uses every core, and is shared by all threads. Invariant: only this folder knows `ort` and `tokenizers`.

mod stub;
use std::ops::Range;
pub use stub::*;

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
    /// BLAKE3 of the ONNX file and the tokenizer file, in hexadecimal.
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
