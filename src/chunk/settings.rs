//! Elasticsearch's `chunking_settings` of a `semantic_text` field, and what they mean here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ChunkOptions, ChunkStrategy};
use crate::error::{Error, Result};

/// Elasticsearch's `chunking_settings`.
///
/// The same words with two differences: **sizes are counted in the embedder's tokens, not in words** (English has about 1.3 tokens a word, so the
/// same number makes somewhat shorter passages, and none is cut off by the model), and a size that the model cannot read is lowered to what it can.
///
/// - `sentence` (default): [`ChunkStrategy::Sentence`], which also looks at headings and paragraphs.
/// - `recursive`: the same; both `separator_group`s are covered by it. Own `separators` are refused.
/// - `word`: [`ChunkStrategy::Word`]. - `none`: [`ChunkStrategy::None`].
///
/// <https://www.elastic.co/docs/explore-analyze/elastic-inference/inference-api>
///
/// # Stability
/// Part of the index definition, which is stored with an index.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChunkingSettings {
    /// How to cut.
    #[serde(default)]
    pub strategy: Strategy,
    /// The most tokens a passage has, at least 20 (10 for `word` and `recursive`); 250 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_chunk_size: Option<usize>,
    /// For `word`: tokens that neighbours share, at most half of `max_chunk_size`; 100 by default, as in Elasticsearch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<usize>,
    /// For `sentence`: sentences that neighbours share, 0 or 1; 1 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentence_overlap: Option<usize>,
    /// For `recursive`: the kind of text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separator_group: Option<SeparatorGroup>,
    /// For `recursive`: refused, see [`ChunkingSettings::options`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separators: Option<Vec<String>>,
}

/// The names that Elasticsearch has for ways of cutting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// Between sentences.
    #[default]
    Sentence,
    /// Between words.
    Word,
    /// At headings, then paragraphs, then sentences.
    Recursive,
    /// Not at all.
    None,
}

/// Elasticsearch's two lists of separators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SeparatorGroup {
    /// Markdown's headings and rules.
    Markdown,
    /// Blank lines and line ends.
    Plaintext,
}

/// Elasticsearch's defaults.
const DEFAULT_MAX_CHUNK_SIZE: usize = 250;
const DEFAULT_WORD_OVERLAP: usize = 100;

impl ChunkingSettings {
    /// The same for [`passages`](super::passages), before it is fitted to a model.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if a number is out of its range or does not go with the strategy,
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for `separators`.
    pub fn options(&self) -> Result<ChunkOptions> {
        if self.separators.is_some() {
            return Err(Error::unsupported(
                "own separators are not supported; leave \"separators\" out (headings, paragraphs and sentences are found in any text)",
            ));
        }
        self.refuse_strays()?;
        let max_tokens = self.max_chunk_size.unwrap_or(DEFAULT_MAX_CHUNK_SIZE);
        let smallest = if self.strategy == Strategy::Sentence { 20 } else { 10 };
        if self.strategy != Strategy::None && max_tokens < smallest {
            return Err(Error::invalid_input(format!("max_chunk_size is {max_tokens}, the least is {smallest}")));
        }
        match self.strategy {
            Strategy::Sentence | Strategy::Recursive => {
                let default_overlap = usize::from(self.strategy == Strategy::Sentence);
                let overlap_sentences = self.sentence_overlap.unwrap_or(default_overlap);
                if overlap_sentences > 1 {
                    return Err(Error::invalid_input(format!("sentence_overlap is {overlap_sentences}, expected 0 or 1")));
                }
                let overlap_tokens = if overlap_sentences == 0 { 0 } else { max_tokens / 2 };
                Ok(ChunkOptions { strategy: ChunkStrategy::Sentence, max_tokens, overlap_tokens, overlap_sentences })
            }
            Strategy::Word => {
                let overlap_tokens = self.overlap.unwrap_or(DEFAULT_WORD_OVERLAP.min(max_tokens / 2));
                if overlap_tokens > max_tokens / 2 {
                    return Err(Error::invalid_input(format!(
                        "overlap is {overlap_tokens}, more than half of max_chunk_size ({max_tokens})"
                    )));
                }
                Ok(ChunkOptions { strategy: ChunkStrategy::Word, max_tokens, overlap_tokens, overlap_sentences: 0 })
            }
            Strategy::None => Ok(ChunkOptions { strategy: ChunkStrategy::None, ..ChunkOptions::default() }),
        }
    }

    /// A setting that does not go with the strategy is refused, as in Elasticsearch, and not ignored.
    fn refuse_strays(&self) -> Result<()> {
        let is = |strategy| self.strategy == strategy;
        for (name, is_given, is_allowed) in [
            ("max_chunk_size", self.max_chunk_size.is_some(), !is(Strategy::None)),
            ("overlap", self.overlap.is_some(), is(Strategy::Word)),
            ("sentence_overlap", self.sentence_overlap.is_some(), is(Strategy::Sentence)),
            ("separator_group", self.separator_group.is_some(), is(Strategy::Recursive)),
        ] {
            if is_given && !is_allowed {
                let message = "does not go with this strategy; leave it out or choose another strategy";
                return Err(Error::invalid_input(message).in_field(name));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(json: &str) -> Result<ChunkOptions> {
        serde_json::from_str::<ChunkingSettings>(json).map_err(|error| Error::invalid_input(error.to_string()))?.options()
    }

    #[test]
    fn settings_become_options() {
        for (json, strategy, max_tokens, overlap_tokens, overlap_sentences) in [
            ("{}", ChunkStrategy::Sentence, 250, 125, 1),
            (r#"{"strategy": "sentence", "max_chunk_size": 40, "sentence_overlap": 0}"#, ChunkStrategy::Sentence, 40, 0, 0),
            (r#"{"strategy": "word", "max_chunk_size": 120, "overlap": 40}"#, ChunkStrategy::Word, 120, 40, 0),
            (r#"{"strategy": "word", "max_chunk_size": 30}"#, ChunkStrategy::Word, 30, 15, 0),
            (
                r#"{"strategy": "recursive", "max_chunk_size": 200, "separator_group": "markdown"}"#,
                ChunkStrategy::Sentence,
                200,
                0,
                0,
            ),
            (r#"{"strategy": "none"}"#, ChunkStrategy::None, 250, 50, 2),
        ] {
            let expected = ChunkOptions { strategy, max_tokens, overlap_tokens, overlap_sentences };
            assert_eq!(options(json).unwrap(), expected, "{json}");
            expected.validate().unwrap();
        }
    }

    #[test]
    fn wrong_settings_are_refused_by_name() {
        for (json, expected) in [
            (r#"{"max_chunk_size": 10}"#, "max_chunk_size is 10, the least is 20"),
            (r#"{"sentence_overlap": 2}"#, "sentence_overlap is 2"),
            (r#"{"overlap": 2}"#, "field \"overlap\": does not go with this strategy"),
            (r#"{"strategy": "word", "max_chunk_size": 10, "overlap": 6}"#, "overlap is 6, more than half"),
            (r#"{"strategy": "none", "max_chunk_size": 100}"#, "field \"max_chunk_size\""),
            (r#"{"strategy": "recursive", "separators": ["\n"]}"#, "own separators are not supported"),
            (r#"{"strategy": "page"}"#, "unknown variant `page`"),
            (r#"{"size": 1}"#, "unknown field `size`"),
        ] {
            let message = options(json).unwrap_err().to_string();
            assert!(message.contains(expected), "{json}: {message}");
        }
    }
}
