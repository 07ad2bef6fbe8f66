//! A model's own tokenizer: token offsets for chunking, encoded texts and pairs for inference.
//!
//! Memory stays bounded whatever the length of a text: long texts are tokenised in windows that end at white space, and for
//! inference no further than the model reads.

use std::ops::Range;
use std::path::Path;

use tokenizers::tokenizer::{Encoding, PostProcessor as _, Tokenizer, TruncationDirection};

use super::Tokenize;
use crate::error::{Error, Result};

/// Bytes of a text that are tokenised at once. A tokenizer needs some hundred bytes of memory for each.
const WINDOW_BYTES: usize = 64 * 1024;

/// A window ends at white space if there is some in its last so many bytes.
const SEARCH_BYTES: usize = 4 * 1024;

/// An encoded text or pair, special tokens included, cut to the model's longest input.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Encoded {
    /// Numbers of the tokens.
    pub(super) ids: Vec<u32>,
    /// 0 for the first text of a pair, 1 for the second.
    pub(super) type_ids: Vec<u32>,
    /// Tokens that did not fit: of the text, or of the passage of a pair.
    pub(super) num_truncated: usize,
}

/// `tokenizer.json` of a model folder, loaded.
#[derive(Debug)]
pub(super) struct ModelTokenizer {
    tokenizer: Tokenizer,
    max_tokens: usize,
    pad_id: u32,
}

/// A query, tokenised once for all its pairs.
#[derive(Debug)]
pub(super) struct EncodedQuery(Encoding);

impl ModelTokenizer {
    /// Reads `tokenizer.json`.
    ///
    /// # Errors
    /// [`ErrorKind::Model`](crate::ErrorKind::Model) when the file cannot be understood.
    pub(super) fn open(file: &Path, max_tokens: usize) -> Result<Self> {
        let bytes = fs_err::read(file)?;
        let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(|error| {
            Error::model(format!("is no tokenizer: {error}; copy tokenizer.json of the model again")).in_file(file)
        })?;
        let pad_id = padding_id(&tokenizer);
        // Checkpoints bake in the truncation and padding of their training; ours differ.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(failed)?;
        let special = tokenizer.get_post_processor().map_or(0, |post| post.added_tokens(true));
        if max_tokens <= special {
            return Err(Error::model(format!("max_tokens is {max_tokens}, expected more than {special}")).in_file(file));
        }
        Ok(Self { tokenizer, max_tokens, pad_id })
    }

    /// The token that fills the rows of a batch up.
    pub(super) fn pad_id(&self) -> u32 {
        self.pad_id
    }

    /// One text with its special tokens. `num_truncated` is at least 1 when it was cut, and not the exact number.
    pub(super) fn encode(&self, text: &str) -> Result<Encoded> {
        let room = self.max_tokens - self.special(false);
        // One token is seldom longer than a dozen bytes; what lies far beyond the model's reach need not be tokenised.
        let mut bytes = room.saturating_mul(16).max(1024);
        let (mut encoding, whole) = loop {
            let head = text.get(..cut(text, bytes)).unwrap_or(text);
            let encoding = self.tokenizer.encode_fast(head, false).map_err(failed)?;
            if head.len() == text.len() || encoding.len() > room {
                break (encoding, head.len() == text.len());
            }
            bytes = bytes.saturating_mul(2);
        };
        let num_truncated = if whole { encoding.len().saturating_sub(room) } else { 1 };
        encoding.truncate(room, 0, TruncationDirection::Right);
        let encoding = self.tokenizer.post_process(encoding, None, true).map_err(failed)?;
        Ok(encoded(&encoding, num_truncated))
    }

    /// A query for [`ModelTokenizer::encode_pair`].
    pub(super) fn encode_query(&self, query: &str) -> Result<EncodedQuery> {
        let head = query.get(..cut(query, WINDOW_BYTES)).unwrap_or(query);
        Ok(EncodedQuery(self.tokenizer.encode_fast(head, false).map_err(failed)?))
    }

    /// Query and passage with their special tokens. The passage is cut to fit; only when the query alone leaves no room for it
    /// are both cut, the longer one first. `num_truncated` counts the passage's missing tokens exactly.
    pub(super) fn encode_pair(&self, query: &EncodedQuery, passage: &str) -> Result<Encoded> {
        let room = self.max_tokens - self.special(true);
        let head = passage.get(..cut(passage, WINDOW_BYTES)).unwrap_or(passage);
        let mut passage_encoding = self.tokenizer.encode_fast(head, false).map_err(failed)?;
        let mut query_encoding = query.0.clone();
        let rest = passage.get(head.len()..).unwrap_or_default();
        let num_passage_tokens = passage_encoding.len() + self.count(rest)?;
        let (query_room, passage_room) = shares(room, query_encoding.len(), passage_encoding.len());
        query_encoding.truncate(query_room, 0, TruncationDirection::Right);
        passage_encoding.truncate(passage_room, 0, TruncationDirection::Right);
        let num_truncated = num_passage_tokens.saturating_sub(passage_encoding.len());
        let pair = self.tokenizer.post_process(query_encoding, Some(passage_encoding), true).map_err(failed)?;
        Ok(encoded(&pair, num_truncated))
    }

    fn count(&self, text: &str) -> Result<usize> {
        windows(text).try_fold(0, |count, window| {
            let encoding = self.tokenizer.encode_fast(&text[window], false).map_err(failed)?;
            Ok(count + encoding.len())
        })
    }

    fn special(&self, is_pair: bool) -> usize {
        self.tokenizer.get_post_processor().map_or(0, |post| post.added_tokens(is_pair))
    }
}

impl Tokenize for ModelTokenizer {
    fn token_offsets(&self, text: &str) -> Result<Vec<Range<usize>>> {
        let mut offsets = Vec::new();
        for window in windows(text) {
            let start = window.start;
            let part = &text[window];
            let encoding = self.tokenizer.encode(part, false).map_err(failed)?;
            offsets.extend(encoding.get_offsets().iter().map(|&(from, to)| {
                let from = part.floor_char_boundary(from.min(part.len()));
                start + from..start + part.ceil_char_boundary(to.clamp(from, part.len()))
            }));
        }
        Ok(offsets)
    }
}

/// How many tokens of a query and of a passage fit into `room`.
fn shares(room: usize, query: usize, passage: usize) -> (usize, usize) {
    if query < room || passage == 0 {
        let query = query.min(room);
        return (query, passage.min(room - query));
    }
    let half = room / 2;
    let passage = passage.min(half);
    (room - passage, passage)
}

/// Consecutive pieces of `text` of about [`WINDOW_BYTES`] bytes that together are all of it.
fn windows(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let window = start..start + cut(rest, WINDOW_BYTES);
        start = window.end;
        Some(window)
    })
}

/// Where to cut `text` so that at most `bytes` bytes remain (a character at least): after white space, if there is some near.
fn cut(text: &str, bytes: usize) -> usize {
    if text.len() <= bytes {
        return text.len();
    }
    let end = text.floor_char_boundary(bytes).max(text.chars().next().map_or(0, char::len_utf8));
    let from = text.floor_char_boundary(end.saturating_sub(SEARCH_BYTES));
    let space = text.get(from..end).and_then(|tail| tail.char_indices().rev().find(|(_, char)| char.is_whitespace()));
    space.map_or(end, |(at, char)| from + at + char.len_utf8())
}

fn encoded(encoding: &Encoding, num_truncated: usize) -> Encoded {
    Encoded { ids: encoding.get_ids().to_vec(), type_ids: encoding.get_type_ids().to_vec(), num_truncated }
}

fn padding_id(tokenizer: &Tokenizer) -> u32 {
    let named = || ["[PAD]", "<pad>", "<|padding|>"].iter().find_map(|token| tokenizer.token_to_id(token));
    tokenizer.get_padding().map(|padding| padding.pad_id).or_else(named).unwrap_or(0)
}

fn failed(error: tokenizers::Error) -> Error {
    Error::model(format!("the tokenizer failed: {error}")).with_source(error)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::models::test_models::{fixture, shipped};

    fn tiny(max_tokens: usize) -> ModelTokenizer {
        ModelTokenizer::open(&fixture("tiny-bi-encoder").join("tokenizer.json"), max_tokens).unwrap()
    }

    fn slices(tokenizer: &ModelTokenizer, text: &str) -> Vec<String> {
        tokenizer.token_offsets(text).unwrap().into_iter().map(|range| text[range].to_string()).collect()
    }

    #[test]
    fn offsets_are_bytes_of_the_original_text() {
        let tokenizer = ModelTokenizer::open(&shipped("all-MiniLM-L6-v2").join("tokenizer.json"), 256).unwrap();
        // The normaliser lowercases, strips accents, drops control characters and puts spaces around Chinese characters.
        assert_eq!(slices(&tokenizer, "Café\u{0} vital"), ["Café", "vital"]);
        assert_eq!(slices(&tokenizer, "İSTANBUL’da kötü").concat(), "İSTANBUL’dakötü");
        assert_eq!(slices(&tokenizer, "東京 is big"), ["東", "京", "is", "big"]);
        // A combining accent belongs to no token.
        assert_eq!(slices(&tokenizer, "cafe\u{301} 😀 x"), ["cafe", "😀", "x"]);
    }

    proptest! {
        #[test]
        fn offsets_are_in_order_and_on_character_boundaries(text in "\\PC{0,60}") {
            let mut last = 0;
            for range in tiny(128).token_offsets(&text).unwrap() {
                prop_assert!(text.get(range.clone()).is_some(), "{range:?} of {text:?}");
                prop_assert!(range.start >= last);
                last = range.start;
            }
        }

        #[test]
        fn windows_cover_the_text(text in "\\PC{0,40}", bytes in 1usize..20) {
            let mut rest = text.as_str();
            while !rest.is_empty() {
                let at = cut(rest, bytes);
                prop_assert!(at > 0 && rest.is_char_boundary(at));
                rest = &rest[at..];
            }
        }
    }

    #[test]
    fn a_text_in_many_windows_has_the_tokens_of_the_whole() {
        let text = "the city of the river and the war in the north. ".repeat(3 * WINDOW_BYTES / 48);
        let tokenizer = tiny(128);
        let whole = tokenizer.tokenizer.encode(text.as_str(), false).unwrap();
        let offsets: Vec<(usize, usize)> =
            tokenizer.token_offsets(&text).unwrap().into_iter().map(|range| (range.start, range.end)).collect();
        assert_eq!(offsets, whole.get_offsets());
        assert_eq!(tokenizer.count(&text).unwrap(), whole.len());
    }

    #[test]
    fn a_long_text_is_cut_to_the_longest_input() {
        let tokenizer = tiny(16);
        let short = tokenizer.encode("the city").unwrap();
        assert_eq!((short.ids.len(), short.num_truncated), (4, 0));
        let exact = tokenizer.encode(&"the ".repeat(14)).unwrap();
        assert_eq!((exact.ids.len(), exact.num_truncated), (16, 0));
        let long = tokenizer.encode(&"the ".repeat(100_000)).unwrap();
        assert_eq!(long.ids.len(), 16);
        assert!(long.num_truncated > 0);
        assert_eq!(long.ids, exact.ids);
    }

    #[test]
    fn white_space_before_the_text_does_not_hide_it() {
        let tokenizer = tiny(16);
        let far = format!("{}the city", " ".repeat(50_000));
        assert_eq!(tokenizer.encode(&far).unwrap(), tokenizer.encode("the city").unwrap());
    }

    #[test]
    fn only_the_passage_of_a_pair_is_cut() {
        let tokenizer = tiny(16);
        let query = tokenizer.encode_query("the city of the river").unwrap();
        let pair = tokenizer.encode_pair(&query, &"war ".repeat(30)).unwrap();
        assert_eq!(pair.ids.len(), 16);
        // [CLS] five words [SEP] eight words [SEP]
        assert_eq!(pair.type_ids, [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
        assert_eq!(pair.num_truncated, 30 - 8);
        let long = tokenizer.encode_pair(&query, &"war ".repeat(100_000)).unwrap();
        assert_eq!((long.ids, long.num_truncated), (pair.ids, 100_000 - 8));
    }

    #[test]
    fn a_query_that_leaves_no_room_shares_it() {
        assert_eq!(shares(13, 5, 30), (5, 8));
        assert_eq!(shares(13, 5, 3), (5, 3));
        assert_eq!(shares(13, 40, 30), (7, 6));
        assert_eq!(shares(13, 40, 2), (11, 2));
        assert_eq!(shares(13, 40, 0), (13, 0));
    }
}
