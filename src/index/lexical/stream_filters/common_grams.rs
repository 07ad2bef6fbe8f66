//! `common_grams`: common words joined with their neighbours, beside the words or, for queries, in their place.

use super::super::stopwords::WordSet;
use super::super::stream::{Stream, StreamToken, TokenKind};

/// Its parameters.
#[derive(Debug, Clone)]
pub(in super::super) struct CommonGrams {
    pub(in super::super) words: WordSet,
    /// Leave out words that a pair holds.
    pub(in super::super) query_mode: bool,
}

impl CommonGrams {
    pub(super) fn apply(&self, stream: &mut Stream) {
        let tokens = std::mem::take(&mut stream.tokens);
        let mut out: Vec<StreamToken> = Vec::with_capacity(tokens.len() * 2);
        for (at, token) in tokens.iter().enumerate() {
            out.push(token.clone());
            let Some(next) = tokens.get(at + 1) else { break };
            if self.words.contains(&token.term) || self.words.contains(&next.term) {
                out.push(StreamToken {
                    term: format!("{}_{}", token.term, next.term),
                    start: token.start,
                    end: next.end,
                    increment: 0,
                    position_length: 2,
                    kind: TokenKind::Gram,
                    keyword: false,
                });
            }
        }
        if self.query_mode {
            out = only_grams(out);
        }
        stream.tokens = out;
    }
}

/// Drops a word before its pair, and a last word that the pair before it holds.
fn only_grams(tokens: Vec<StreamToken>) -> Vec<StreamToken> {
    let mut out: Vec<StreamToken> = Vec::with_capacity(tokens.len());
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let before_gram = tokens.peek().is_some_and(|next| next.kind == TokenKind::Gram);
        let closed_by_gram = tokens.peek().is_none()
            && token.kind != TokenKind::Gram
            && out.last().is_some_and(|last| last.kind == TokenKind::Gram);
        if token.kind == TokenKind::Gram {
            out.push(StreamToken { increment: 1, position_length: 1, ..token });
        } else if !before_gram && !closed_by_gram {
            out.push(token);
        }
    }
    out
}
