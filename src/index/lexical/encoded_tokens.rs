//! Analysed text on its way into Tantivy: a compact text of tokens, and the tokenizer that reads it back.
//!
//! Tantivy's own `PreTokenizedString` is kept as JSON inside a document, and parsed at every look. Our tokens travel as
//! ordinary text instead: for each token the increment of its position over the token before (the first over -1), the
//! length of its term in bytes, and the term. Numbers are written in groups of six bits, lowest first, one ASCII character
//! each, with 0x40 set where another group follows, so that the whole is valid UTF-8.
//!
//! # Stability
//! Lives between an analyzer and a segment writer only; never stored.

use tantivy::Index;
use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

/// The name of the tokenizer of text fields in Tantivy's schema.
pub const ENCODED_TOKENS_TOKENIZER: &str = "bifocal_tokens";

/// The name of the same tokenizer for text fields whose length does not count in scores.
pub const WITHOUT_NORMS_TOKENIZER: &str = "bifocal_tokens_without_norms";

/// Makes [`ENCODED_TOKENS_TOKENIZER`] and its sister known to `index`; to be called after every creation and opening.
pub fn register_tokenizer(index: &Index) {
    index.tokenizers().register(WITHOUT_NORMS_TOKENIZER, EncodedTokensTokenizer::default());
    index.tokenizers().register(ENCODED_TOKENS_TOKENIZER, EncodedTokensTokenizer::default());
}

/// Appends one token to `encoded`.
pub(super) fn push_token(encoded: &mut String, position_increment: u32, term: &str) {
    push_number(encoded, u64::from(position_increment));
    push_number(encoded, term.len() as u64);
    encoded.push_str(term);
}

fn push_number(encoded: &mut String, mut number: u64) {
    loop {
        let group = (number & 0x3f).to_le_bytes()[0];
        number >>= 6;
        encoded.push(char::from(if number == 0 { group } else { group | 0x40 }));
        if number == 0 {
            return;
        }
    }
}

/// The tokens of an encoded text, in order, as (increment of the position, term). Ends at the first malformed byte.
pub fn decode(encoded: &str) -> impl Iterator<Item = (u32, &str)> {
    let mut rest = encoded;
    std::iter::from_fn(move || {
        let (increment, after_increment) = take_number(rest)?;
        let (term_len, after_len) = take_number(after_increment)?;
        let (term, after_term) = after_len.split_at_checked(usize::try_from(term_len).ok()?)?;
        rest = after_term;
        Some((u32::try_from(increment).ok()?, term))
    })
}

fn take_number(encoded: &str) -> Option<(u64, &str)> {
    let (mut number, mut shift) = (0_u64, 0_u32);
    for (at, byte) in encoded.bytes().enumerate() {
        if byte >= 0x80 || shift > 54 {
            return None;
        }
        number |= u64::from(byte & 0x3f) << shift;
        if byte & 0x40 == 0 {
            return Some((number, encoded.get(at + 1..)?));
        }
        shift += 6;
    }
    None
}

/// The length of an encoded field as Lucene counts it (`discountOverlaps`): tokens that advance the position.
pub fn field_length(encoded: &str) -> u32 {
    u32::try_from(decode(encoded).filter(|&(increment, _)| increment > 0).count()).unwrap_or(u32::MAX)
}

/// Reads encoded tokens for Tantivy's segment writer. Keeps one `Token` and no other memory.
#[derive(Debug, Clone, Default)]
pub struct EncodedTokensTokenizer {
    token: Token,
}

impl Tokenizer for EncodedTokensTokenizer {
    type TokenStream<'a> = EncodedTokenStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> EncodedTokenStream<'a> {
        self.token.reset();
        EncodedTokenStream { rest: text, next_position: 0, token: &mut self.token }
    }
}

/// The stream of [`EncodedTokensTokenizer`].
#[derive(Debug)]
pub struct EncodedTokenStream<'a> {
    rest: &'a str,
    /// One more than the position of the token before; 0 at the start.
    next_position: usize,
    token: &'a mut Token,
}

impl TokenStream for EncodedTokenStream<'_> {
    fn advance(&mut self) -> bool {
        let Some((increment, term)) = decode(self.rest).next() else { return false };
        let start = term.as_ptr() as usize - self.rest.as_ptr() as usize;
        self.rest = &self.rest[start + term.len()..];
        self.next_position += increment as usize;
        self.token.position = self.next_position.saturating_sub(1);
        self.token.text.clear();
        self.token.text.push_str(term);
        true
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_encoded_is_read_back(tokens in prop::collection::vec((0_u32..5000, "\\PC{0,80}"), 0..20)) {
            let mut encoded = String::new();
            for (increment, term) in &tokens {
                push_token(&mut encoded, *increment, term);
            }
            let decoded: Vec<(u32, String)> = decode(&encoded).map(|(increment, term)| (increment, term.to_string())).collect();
            prop_assert_eq!(&decoded, &tokens);
            let mut tokenizer = EncodedTokensTokenizer::default();
            let mut stream = tokenizer.token_stream(&encoded);
            let mut streamed = Vec::new();
            while stream.advance() {
                streamed.push(stream.token().text.clone());
            }
            prop_assert_eq!(streamed, tokens.into_iter().map(|(_, term)| term).collect::<Vec<_>>());
        }

        #[test]
        fn arbitrary_text_is_read_without_panic(text in "\\PC{0,200}") {
            decode(&text).for_each(drop);
        }
    }
}
