//! `shingle`: neighbouring tokens joined.

use super::super::stream::{Stream, StreamToken, TokenKind, to_u32};

/// Its parameters.
#[derive(Debug, Clone)]
pub(in super::super) struct Shingles {
    pub(in super::super) min: usize,
    pub(in super::super) max: usize,
    pub(in super::super) unigrams: bool,
    pub(in super::super) unigrams_if_none: bool,
    pub(in super::super) separator: String,
    /// Stands for a hole in the positions.
    pub(in super::super) filler: String,
}

struct Slot {
    token: StreamToken,
    filler: bool,
}

impl Shingles {
    pub(super) fn apply(&self, stream: &mut Stream) {
        let slots = self.slots(stream);
        let mut out = Vec::new();
        let mut any_shingle = false;
        for start in 0..slots.len() {
            let mut here = false;
            let sizes = self.unigrams.then_some(1).into_iter().chain(self.min..=self.max);
            for size in sizes {
                let Some(window) = slots.get(start..start + size) else { break };
                if window.iter().all(|slot| slot.filler) {
                    continue;
                }
                let (Some(first), Some(last)) = (window.first(), window.last()) else { continue };
                let terms: Vec<&str> = window.iter().map(|slot| slot.token.term.as_str()).collect();
                any_shingle |= size > 1;
                out.push(StreamToken {
                    term: terms.join(&self.separator),
                    start: first.token.start,
                    end: last.token.end,
                    increment: u32::from(!std::mem::replace(&mut here, true)),
                    position_length: to_u32(if self.unigrams { size } else { (size - self.min + 1).max(1) }),
                    kind: if size > 1 { TokenKind::Shingle } else { first.token.kind },
                    keyword: first.token.keyword,
                });
            }
        }
        if !any_shingle && self.unigrams_if_none && !self.unigrams {
            out = slots
                .into_iter()
                .filter(|slot| !slot.filler)
                .map(|slot| StreamToken { increment: 1, ..slot.token })
                .collect();
        }
        stream.tokens = out;
        stream.end_increment = 0;
    }

    /// The tokens with fillers for the holes between them, at most one less than the longest shingle at a time.
    fn slots(&self, stream: &mut Stream) -> Vec<Slot> {
        let mut slots = Vec::with_capacity(stream.tokens.len());
        let most = self.max.saturating_sub(1);
        let filler = |at: u32, kind: TokenKind| Slot {
            token: StreamToken {
                term: self.filler.clone(),
                start: at,
                end: at,
                increment: 1,
                position_length: 1,
                kind,
                keyword: false,
            },
            filler: true,
        };
        for token in stream.tokens.drain(..) {
            let holes = (token.increment.saturating_sub(1) as usize).min(most);
            slots.extend((0..holes).map(|_| filler(token.start, token.kind)));
            slots.push(Slot { token, filler: false });
        }
        let holes = (stream.end_increment as usize).min(most);
        slots.extend((0..holes).map(|_| filler(stream.end_offset, TokenKind::Word)));
        slots
    }
}
