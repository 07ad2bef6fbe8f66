//! What Elasticsearch's `chunking_settings` of a `semantic_text` field mean here.
//!
//! The same words with two differences: **sizes are counted in the embedder's tokens, not in words** (English has more tokens than words, so
//! the same number makes somewhat shorter passages, and none is cut off by the model); and a size that the model cannot read is
//! lowered to what it can ([`ChunkOptions::fitted_to`]), with no error. `sentence` also looks at headings and paragraphs, which
//! Elasticsearch leaves to its `recursive` strategy.
//!
//! <https://www.elastic.co/docs/explore-analyze/elastic-inference/inference-api>

use super::{ChunkOptions, ChunkStrategy};
use crate::error::{Error, Result};
use crate::schema::ChunkingSettings;
use crate::schema::chunking::ChunkingStrategy;

/// Elasticsearch's limits and default for `max_chunk_size` and `overlap`.
const MIN_SENTENCE_CHUNK_SIZE: usize = 20;
const MIN_WORD_CHUNK_SIZE: usize = 10;
const DEFAULT_WORD_OVERLAP: usize = 100;

impl ChunkOptions {
    /// The options that a field's settings ask for, before they are fitted to a model. What is absent has the default: 250
    /// tokens; with `sentence` 1 sentence of overlap (at most half a passage), with `word` 100 tokens (at most half).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if a number is out of Elasticsearch's range, or does not go with the
    /// strategy: it would be ignored.
    pub fn from_settings(settings: &ChunkingSettings) -> Result<Self> {
        refuse_strays(settings)?;
        let default = ChunkOptions::default();
        let max_tokens = settings.max_chunk_size.unwrap_or(default.max_tokens);
        let at_least = |smallest| {
            if max_tokens >= smallest {
                return Ok(());
            }
            Err(Error::invalid_input(format!("is {max_tokens}, the least is {smallest}")).in_field("max_chunk_size"))
        };
        match settings.strategy {
            ChunkingStrategy::Sentence => {
                at_least(MIN_SENTENCE_CHUNK_SIZE)?;
                let overlap_sentences = settings.sentence_overlap.unwrap_or(1);
                if overlap_sentences > 1 {
                    let message = format!("is {overlap_sentences}, expected 0 or 1");
                    return Err(Error::invalid_input(message).in_field("sentence_overlap"));
                }
                let overlap_tokens = if overlap_sentences == 0 { 0 } else { max_tokens / 2 };
                Ok(Self { strategy: ChunkStrategy::Sentence, max_tokens, overlap_tokens, overlap_sentences })
            }
            ChunkingStrategy::Word => {
                at_least(MIN_WORD_CHUNK_SIZE)?;
                let overlap_tokens = settings.overlap.unwrap_or(DEFAULT_WORD_OVERLAP.min(max_tokens / 2));
                if overlap_tokens > max_tokens / 2 {
                    let message = format!("is {overlap_tokens}, more than half of max_chunk_size ({max_tokens})");
                    return Err(Error::invalid_input(message).in_field("overlap"));
                }
                Ok(Self { strategy: ChunkStrategy::Word, max_tokens, overlap_tokens, overlap_sentences: 0 })
            }
            ChunkingStrategy::None => Ok(Self { strategy: ChunkStrategy::None, ..default }),
        }
    }
}

fn refuse_strays(settings: &ChunkingSettings) -> Result<()> {
    let is = |strategy| settings.strategy == strategy;
    for (name, is_given, is_allowed) in [
        ("max_chunk_size", settings.max_chunk_size.is_some(), !is(ChunkingStrategy::None)),
        ("overlap", settings.overlap.is_some(), is(ChunkingStrategy::Word)),
        ("sentence_overlap", settings.sentence_overlap.is_some(), is(ChunkingStrategy::Sentence)),
    ] {
        if is_given && !is_allowed {
            let message = "does not go with this strategy; leave it out or choose another strategy";
            return Err(Error::invalid_input(message).in_field(name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(json: &str) -> Result<ChunkOptions> {
        ChunkOptions::from_settings(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn settings_become_options() {
        use ChunkStrategy::{None, Sentence, Word};
        for (json, strategy, max_tokens, overlap_tokens, overlap_sentences) in [
            ("{}", Sentence, 250, 125, 1),
            (r#"{"strategy": "sentence", "max_chunk_size": 40, "sentence_overlap": 0}"#, Sentence, 40, 0, 0),
            (r#"{"strategy": "word", "max_chunk_size": 120, "overlap": 40}"#, Word, 120, 40, 0),
            (r#"{"strategy": "word", "max_chunk_size": 30}"#, Word, 30, 15, 0),
            (r#"{"strategy": "none"}"#, None, 250, 50, 2),
        ] {
            let expected = ChunkOptions { strategy, max_tokens, overlap_tokens, overlap_sentences };
            assert_eq!(options(json).unwrap(), expected, "{json}");
            expected.validate().unwrap();
        }
    }

    #[test]
    fn wrong_settings_are_refused_by_name() {
        for (json, expected) in [
            (r#"{"max_chunk_size": 10}"#, "field \"max_chunk_size\": is 10, the least is 20"),
            (r#"{"sentence_overlap": 2}"#, "field \"sentence_overlap\": is 2"),
            (r#"{"overlap": 2}"#, "field \"overlap\": does not go with this strategy"),
            (r#"{"strategy": "word", "max_chunk_size": 10, "overlap": 6}"#, "field \"overlap\": is 6, more than half"),
            (r#"{"strategy": "none", "max_chunk_size": 100}"#, "field \"max_chunk_size\": does not go"),
        ] {
            let message = options(json).unwrap_err().to_string();
            assert!(message.contains(expected), "{json}: {message}");
        }
    }
}
