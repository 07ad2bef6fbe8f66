//! `cjk_bigram`: neighbouring characters of Chinese, Japanese and Korean in pairs.

use super::super::stream::{Stream, StreamToken, TokenKind, units};

/// Its parameters.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct CjkBigrams {
    pub(in super::super) han: bool,
    pub(in super::super) hiragana: bool,
    pub(in super::super) katakana: bool,
    pub(in super::super) hangul: bool,
    /// Single characters beside the pairs.
    pub(in super::super) unigrams: bool,
}

/// A character of a run, with its place.
struct Piece {
    text: String,
    start: u32,
    end: u32,
}

impl CjkBigrams {
    fn pairs(&self, kind: TokenKind) -> bool {
        match kind {
            TokenKind::Ideographic => self.han,
            TokenKind::Hiragana => self.hiragana,
            TokenKind::Katakana => self.katakana,
            TokenKind::Hangul => self.hangul,
            TokenKind::Word
            | TokenKind::Alphanum
            | TokenKind::Num
            | TokenKind::SoutheastAsian
            | TokenKind::Emoji
            | TokenKind::Url
            | TokenKind::Email
            | TokenKind::Apostrophe
            | TokenKind::Acronym
            | TokenKind::Company
            | TokenKind::Host
            | TokenKind::Cj
            | TokenKind::Single
            | TokenKind::Double
            | TokenKind::Synonym
            | TokenKind::Shingle
            | TokenKind::Gram
            | TokenKind::Fingerprint => false,
        }
    }

    pub(super) fn apply(&self, stream: &mut Stream) {
        let mut out = Vec::new();
        let mut run: Vec<Piece> = Vec::new();
        for token in stream.tokens.drain(..) {
            if !self.pairs(token.kind) {
                self.flush(&mut run, &mut out);
                out.push(token);
                continue;
            }
            if run.last().is_some_and(|last| last.end != token.start) {
                self.flush(&mut run, &mut out);
            }
            // Characters of a longer token lie side by side, where its text is the text it spans.
            let whole = units(&token.term) == token.end.saturating_sub(token.start);
            let mut start = token.start;
            for c in token.term.chars() {
                let end = if whole { start + if c.len_utf16() == 2 { 2 } else { 1 } } else { token.end };
                run.push(Piece { text: c.to_string(), start, end });
                start = if whole { end } else { token.start };
            }
        }
        self.flush(&mut run, &mut out);
        stream.tokens = out;
    }

    fn flush(&self, run: &mut Vec<Piece>, out: &mut Vec<StreamToken>) {
        let token = |text: String, start, end, increment, position_length, kind| StreamToken {
            term: text,
            start,
            end,
            increment,
            position_length,
            kind,
            keyword: false,
        };
        if let [only] = run.as_slice() {
            out.push(token(only.text.clone(), only.start, only.end, 1, 1, TokenKind::Single));
        }
        for pair in run.windows(2) {
            let [first, second] = pair else { continue };
            if self.unigrams {
                out.push(token(first.text.clone(), first.start, first.end, 1, 1, TokenKind::Single));
            }
            let (increment, length) = if self.unigrams { (0, 2) } else { (1, 1) };
            let text = format!("{}{}", first.text, second.text);
            out.push(token(text, first.start, second.end, increment, length, TokenKind::Double));
        }
        if self.unigrams
            && run.len() > 1
            && let Some(last) = run.last()
        {
            out.push(token(last.text.clone(), last.start, last.end, 1, 1, TokenKind::Single));
        }
        run.clear();
    }
}
