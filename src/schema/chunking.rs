//! `chunking_settings` of a semantic field.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a long text becomes passages. Elasticsearch's names; sizes are counted in the bi-encoder's own tokens, where
/// Elasticsearch counts words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ChunkingSettings {
    /// Where a passage may end.
    pub strategy: ChunkingStrategy,
    /// The longest passage in tokens, at least 20 (10 for strategy `word`); 250, or what the bi-encoder reads where that is
    /// less, when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_chunk_size: Option<usize>,
    /// Tokens that two neighbours share (strategy `word`), at most half of `max_chunk_size`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap: Option<usize>,
    /// Sentences that two neighbours share (strategy `sentence`), 0 or 1; 1 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentence_overlap: Option<usize>,
}

/// Where a passage may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChunkingStrategy {
    /// At the end of a sentence; a heading stays with what follows it.
    #[default]
    Sentence,
    /// At the end of a word.
    Word,
    /// Nowhere: a text is one passage, of which the bi-encoder reads what it can.
    None,
}
