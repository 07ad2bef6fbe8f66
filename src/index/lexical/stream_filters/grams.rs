//! `ngram` and `edge_ngram` as token filters: substrings of each term, all at the term's place.

use super::super::stream::{Stream, StreamToken};
use super::super::tokenizers::grams;

/// Their parameters; lengths count characters.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Grams {
    pub(in super::super) min: usize,
    pub(in super::super) max: usize,
    pub(in super::super) edges_only: bool,
    /// Also terms that are no gram, for they are too short or too long.
    pub(in super::super) keep_original: bool,
}

impl Grams {
    pub(super) fn apply(&self, stream: &mut Stream) {
        let mut out = Vec::with_capacity(stream.tokens.len() * (self.max - self.min + 2));
        let mut increment = 0_u32;
        for token in stream.tokens.drain(..) {
            increment = increment.saturating_add(token.increment);
            let length = if token.term.is_ascii() { token.term.len() } else { token.term.chars().count() };
            if self.keep_original && length < self.min {
                out.push(StreamToken { increment: std::mem::take(&mut increment), ..token });
                continue;
            }
            grams(&token.term, self.min, self.max, self.edges_only, &mut |start, end| {
                out.push(StreamToken {
                    term: token.term[start..end].to_string(),
                    increment: std::mem::take(&mut increment),
                    ..StreamToken { term: String::new(), ..token }
                });
            });
            if self.keep_original && length > self.max {
                out.push(StreamToken { increment: 0, ..token });
            }
        }
        stream.tokens = out;
        stream.end_increment = increment;
    }
}
