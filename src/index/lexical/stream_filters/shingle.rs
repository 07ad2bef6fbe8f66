//! `shingle`: neighbouring tokens joined.

use std::collections::BTreeMap;

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

/// Runs of exactly `size` positions, joined by spaces; holes are empty words. Every way through stacked tokens is one run.
pub(super) fn fixed(stream: &mut Stream, size: usize, trailing: bool) {
    let tokens = std::mem::take(&mut stream.tokens);
    let mut position = 0_u64;
    // The place at which each token begins, and those that begin at each place.
    let mut places: Vec<u64> = Vec::with_capacity(tokens.len());
    let mut starting: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (at, token) in tokens.iter().enumerate() {
        position += u64::from(token.increment);
        places.push(position);
        starting.entry(position).or_default().push(at);
    }
    let mut end = tokens
        .iter()
        .zip(&places)
        .map(|(token, place)| place + u64::from(token.position_length.max(1)))
        .max()
        .unwrap_or(0);
    end += u64::from(stream.end_increment);
    if trailing {
        end = end.max(places.last().map_or(0, |last| last + u64::from(to_u32(size))));
    }
    let mut out: Vec<StreamToken> = Vec::new();
    let mut last_place = 0;
    for (at, (token, &place)) in tokens.iter().zip(&places).enumerate() {
        let mut runs = vec![(vec![Some(at)], place + u64::from(token.position_length.max(1)))];
        for _ in 1..size {
            let mut longer = Vec::new();
            for (run, next) in runs {
                if next >= end {
                    continue;
                }
                let Some(following) = starting.get(&next) else {
                    let hole = run.iter().copied().chain([None]).collect();
                    longer.push((hole, next + 1));
                    continue;
                };
                for &following in following.iter().take(MAX_RUNS.saturating_sub(longer.len())) {
                    let span = tokens.get(following).map_or(1, |token| u64::from(token.position_length.max(1)));
                    longer.push((run.iter().copied().chain([Some(following)]).collect(), next + span));
                }
            }
            runs = longer;
        }
        for (run, _) in runs {
            let words: Vec<&str> = run
                .iter()
                .map(|word| word.and_then(|at| tokens.get(at)).map_or("", |token| token.term.as_str()))
                .collect();
            let last = run.iter().rev().flatten().next().and_then(|&at| tokens.get(at)).unwrap_or(token);
            out.push(StreamToken {
                term: words.join(" "),
                start: token.start,
                end: last.end.max(token.start),
                increment: u32::try_from(place - last_place).unwrap_or(u32::MAX),
                position_length: 1,
                kind: TokenKind::Shingle,
                keyword: false,
            });
            last_place = place;
        }
    }
    stream.tokens = out;
    stream.end_increment = 0;
}

/// How many runs may begin at one token.
const MAX_RUNS: usize = 100;
