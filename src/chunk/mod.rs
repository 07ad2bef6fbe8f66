//! Texts to passages: stretches that fit the embedder, cut where a reader would cut.
//!
//! In: the texts of one field. Out: [`PassageSpan`]s with byte offsets into those texts. A text that fits is one passage; a longer one is
//! cut into as few and as even passages as possible, by preference before headings, then between paragraphs, then between
//! sentences, then between words. Lengths are counted in the embedder's own tokens, and each text is tokenised once.
//!
//! *Invariants*, tested as properties: spans lie on character bounds and ascend; together they cover every character that is no white
//! space; none has more than [`ChunkOptions::max_tokens`] tokens; only neighbours overlap, and never across a heading.
//!
//! Reading order: `blocks.rs` (headings, paragraphs, lists, code), `sentence.rs`, `token_map.rs`, `units.rs` (all of these made into
//! pieces that are not cut further), `pack.rs` (pieces made into passages), `window.rs` (the `word` strategy).

mod settings;

mod blocks;
mod sentence;
mod token_map;
mod units;

mod pack;
mod window;

use std::ops::Range;

use crate::document::PassageSpan;
use crate::error::{Error, Result};
use crate::models::{ModelFingerprint, Tokenize};

use token_map::TokenMap;

/// How texts are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChunkOptions {
    /// Where cuts may be.
    pub strategy: ChunkStrategy,
    /// The most tokens a passage has, without the model's prefix and special tokens; at least 1, 250 by default.
    ///
    /// The one exception: a character that is more tokens by itself is not cut.
    pub max_tokens: usize,
    /// The most tokens at the end of a passage that are said again at the beginning of the next; at most half of `max_tokens`,
    /// 50 by default, 0 for none. With [`ChunkStrategy::Sentence`] whole sentences are repeated, and none after a cut at a heading.
    pub overlap_tokens: usize,
    /// The most sentences that are repeated; 2 by default. Only for [`ChunkStrategy::Sentence`].
    pub overlap_sentences: usize,
}

/// Where a text may be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ChunkStrategy {
    /// Before headings, paragraphs and sentences, in this order of preference; between words only where a sentence does not fit.
    #[default]
    Sentence,
    /// Between words: even windows, whatever the text says.
    Word,
    /// Nowhere: a text is a passage. What exceeds the model's longest input is not embedded.
    None,
}

impl Default for ChunkOptions {
    fn default() -> Self {
        Self { strategy: ChunkStrategy::Sentence, max_tokens: 250, overlap_tokens: 50, overlap_sentences: 2 }
    }
}

/// Special tokens around a text: `[CLS]` and `[SEP]`, or their like.
const NUM_SPECIAL_TOKENS: usize = 2;
/// A passage that is cut out of its text may be tokenised a little differently at its two ends.
const NUM_EDGE_TOKENS: usize = 4;

impl ChunkOptions {
    /// These options with `max_tokens` lowered to what `model` can read beside its passage prefix and special tokens, and
    /// `overlap_tokens` to half of that. Options that fit already come back unchanged.
    ///
    /// # Errors
    /// [`ErrorKind::Model`](crate::ErrorKind::Model) if the tokenizer fails on the prefix.
    pub fn fitted_to(mut self, model: &ModelFingerprint, tokenizer: &dyn Tokenize) -> Result<Self> {
        let prefix = model.passage_prefix.as_str();
        let num_prefix_tokens = if prefix.is_empty() { 0 } else { tokenizer.token_offsets(prefix)?.len() };
        let num_reserved = num_prefix_tokens + NUM_SPECIAL_TOKENS + NUM_EDGE_TOKENS;
        self.max_tokens = self.max_tokens.min(model.max_tokens.saturating_sub(num_reserved)).max(1);
        self.overlap_tokens = self.overlap_tokens.min(self.max_tokens / 2);
        Ok(self)
    }

    /// Checks the ranges given at the fields.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if one is left.
    pub fn validate(&self) -> Result<()> {
        if self.max_tokens == 0 {
            return Err(Error::invalid_input("max_tokens is 0; a passage needs at least 1 token"));
        }
        if self.overlap_tokens > self.max_tokens / 2 {
            return Err(Error::invalid_input(format!(
                "overlap_tokens is {}, more than half of max_tokens ({}); lower it",
                self.overlap_tokens, self.max_tokens
            )));
        }
        Ok(())
    }
}

/// Cuts the texts of one field into passages.
///
/// * `texts`: the field's text, or the texts of its array. Each that holds more than white space gives at least one passage; the others give none.
/// * `tokenizer`: the embedder's. Each text is given to it once, a long one in parts of about 64 KiB that end between paragraphs or words.
///
/// Returns spans in the order of the texts, then of their starts. They begin and end with characters that are no white space. A
/// text of at most `options.max_tokens` tokens is one passage. Time is linear in the length of the texts, for a given `max_tokens`.
///
/// ```
/// use std::ops::Range;
/// use bifocal::chunk::{ChunkOptions, passages};
///
/// struct Words;
/// impl bifocal::models::Tokenize for Words {
///     fn token_offsets(&self, text: &str) -> bifocal::Result<Vec<Range<usize>>> {
///         let start_of = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
///         Ok(text.split_whitespace().map(|word| start_of(word)..start_of(word) + word.len()).collect())
///     }
/// }
///
/// let mut options = ChunkOptions::default();
/// (options.max_tokens, options.overlap_tokens) = (6, 0);
/// let texts = ["A slipstream lifts wings. It does so at any angle.", "Short."];
/// let cut: Vec<&str> =
///     passages(&texts, &options, &Words)?.iter().map(|span| &texts[span.value_idx as usize][span.range()]).collect();
/// assert_eq!(cut, ["A slipstream lifts wings.", "It does so at any angle.", "Short."]);
/// # Ok::<(), bifocal::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) for options out of range and texts above 4 GiB,
/// [`ErrorKind::Model`](crate::ErrorKind::Model) if the tokenizer fails.
pub fn passages(texts: &[&str], options: &ChunkOptions, tokenizer: &dyn Tokenize) -> Result<Vec<PassageSpan>> {
    options.validate()?;
    let mut spans = Vec::with_capacity(texts.len());
    for (value_idx, text) in texts.iter().enumerate() {
        let too_large = |_| Error::invalid_input("a text field has more than 4 GiB; split the document");
        let value_idx = u32::try_from(value_idx).map_err(too_large)?;
        u32::try_from(text.len()).map_err(too_large)?;
        for range in ranges(text, options, tokenizer)? {
            let start = u32::try_from(range.start).map_err(too_large)?;
            let end = u32::try_from(range.end).map_err(too_large)?;
            spans.push(PassageSpan { value_idx, start, end });
        }
    }
    Ok(spans)
}

/// The passages of one text.
fn ranges(text: &str, options: &ChunkOptions, tokenizer: &dyn Tokenize) -> Result<Vec<Range<usize>>> {
    let whole = trimmed(text, 0..text.len());
    if whole.is_empty() {
        return Ok(Vec::new());
    }
    if options.strategy == ChunkStrategy::None {
        return Ok(vec![whole]);
    }
    let tokens = TokenMap::new(text, tokenizer)?;
    if tokens.len() <= options.max_tokens {
        return Ok(vec![whole]);
    }
    Ok(match options.strategy {
        ChunkStrategy::Sentence => pack::passages(&units::units(text, &tokens, options.max_tokens), options),
        ChunkStrategy::Word | ChunkStrategy::None => window::passages(text, whole, &tokens, options),
    })
}

/// `range` without the white space at its ends; empty, at its start, if there is nothing else.
fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    let end = start + part.trim().len();
    if start == range.end { range.start..range.start } else { start..end }
}

#[cfg(test)]
mod tests;
