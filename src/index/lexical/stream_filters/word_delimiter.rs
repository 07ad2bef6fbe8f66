//! `word_delimiter` and `word_delimiter_graph`: a word's parts, and parts joined again.

use super::super::stopwords::WordSet;
use super::super::stream::{Stream, StreamToken, to_u32};
use super::word_parts::{CharKind, Part, WordParts};

/// Their parameters.
#[derive(Debug, Clone)]
pub(in super::super) struct WordDelimiter {
    /// Whether joined parts span the positions of the parts (`word_delimiter_graph`) or lie on the first.
    pub(in super::super) graph: bool,
    pub(in super::super) cuts: WordParts,
    pub(in super::super) generate_words: bool,
    pub(in super::super) generate_numbers: bool,
    pub(in super::super) catenate_words: bool,
    pub(in super::super) catenate_numbers: bool,
    pub(in super::super) catenate_all: bool,
    pub(in super::super) preserve_original: bool,
    pub(in super::super) adjust_offsets: bool,
    pub(in super::super) ignore_keywords: bool,
    pub(in super::super) protected: WordSet,
}

/// Parts that are being joined.
#[derive(Debug, Default)]
struct Joined {
    units: Vec<u16>,
    parts: usize,
    kind: Option<CharKind>,
    /// Units of the word.
    start: usize,
    end: usize,
    /// The position, counted from the word's first.
    position: u32,
}

impl Joined {
    fn add(&mut self, word: &[u16], part: Part, position: u32) {
        if self.parts == 0 {
            self.start = part.start;
            self.position = position;
            self.kind = Some(part.kind);
        }
        self.units.extend_from_slice(word.get(part.start..part.end).unwrap_or_default());
        self.parts += 1;
        self.end = part.end;
    }
}

/// A token to come out: positions count from the word's first.
struct Output {
    term: String,
    from: u32,
    to: u32,
    start: usize,
    end: usize,
}

impl WordDelimiter {
    fn generates(&self, kind: CharKind) -> bool {
        (self.generate_words && kind.is_alpha()) || (self.generate_numbers && kind.is_digit())
    }

    fn catenates(&self, kind: CharKind) -> bool {
        (self.catenate_words && kind.is_alpha()) || (self.catenate_numbers && kind.is_digit())
    }

    /// Whether a joined run adds something to the parts that came out already.
    fn is_new(&self, joined: &Joined) -> bool {
        joined.parts != 1 || !joined.kind.is_some_and(|kind| self.generates(kind))
    }

    pub(super) fn apply(&self, stream: &mut Stream) {
        if self.graph { self.apply_graph(stream) } else { self.apply_flat(stream) }
    }

    fn apply_graph(&self, stream: &mut Stream) {
        let mut out = Vec::with_capacity(stream.tokens.len());
        let mut increment = 0_u32;
        let mut last_start = 0_u32;
        for token in stream.tokens.drain(..) {
            if self.ignore_keywords && token.keyword {
                out.push(token);
                continue;
            }
            increment = increment.saturating_add(token.increment);
            let word: Vec<u16> = token.term.encode_utf16().collect();
            let parts = self.cuts.parts(&word);
            let whole = parts.parts.first().is_some_and(|part| part.start == 0 && part.end == word.len());
            let keep = parts.parts.is_empty() && self.preserve_original;
            if whole || keep || self.protected.contains(&token.term) {
                out.push(StreamToken { increment: std::mem::take(&mut increment), ..token });
                continue;
            }
            if parts.parts.is_empty() {
                continue;
            }
            let adjusts = self.adjust_offsets && to_u32(word.len()) == token.end.saturating_sub(token.start);
            let mut position = 0;
            for output in self.outputs(&token.term, &word, &parts.parts, parts.is_single) {
                let (start, end) = if adjusts {
                    (token.start + to_u32(output.start), token.start + to_u32(output.end))
                } else {
                    (token.start, token.end)
                };
                let (start, end) = (start.max(last_start), end.max(last_start));
                last_start = start;
                out.push(StreamToken {
                    term: output.term,
                    start,
                    end,
                    increment: std::mem::take(&mut increment) + output.from.saturating_sub(position),
                    position_length: output.to.saturating_sub(output.from).max(1),
                    ..token
                });
                position = output.from;
            }
        }
        stream.tokens = out;
        stream.end_increment = stream.end_increment.saturating_add(increment);
    }

    fn outputs(&self, term: &str, word: &[u16], parts: &[Part], is_single: bool) -> Vec<Output> {
        let text = |start: usize, end: usize| String::from_utf16_lossy(word.get(start..end).unwrap_or_default());
        let mut outputs: Vec<Output> = Vec::new();
        let mut position = 0_u32;
        if let (true, Some(part)) = (is_single, parts.first()) {
            outputs.push(Output { term: text(part.start, part.end), from: 0, to: 1, start: part.start, end: part.end });
            position = 1;
        } else {
            let (mut run, mut all) = (Joined::default(), Joined::default());
            let mut last_run_parts = 0;
            let mut flush = |run: &mut Joined, position: &mut u32, outputs: &mut Vec<Output>| {
                if *position == run.position {
                    *position += 1;
                }
                last_run_parts = run.parts;
                if self.is_new(run) {
                    outputs.push(joined_output(run, *position));
                }
                *run = Joined::default();
            };
            for &part in parts {
                if run.kind.is_some_and(|kind| !kind.shares(part.kind)) {
                    flush(&mut run, &mut position, &mut outputs);
                }
                if self.catenates(part.kind) {
                    run.add(word, part, position);
                }
                if self.catenate_all {
                    all.add(word, part, position);
                }
                if self.generates(part.kind) {
                    outputs.push(Output {
                        term: text(part.start, part.end),
                        from: position,
                        to: position + 1,
                        start: part.start,
                        end: part.end,
                    });
                    position += 1;
                }
            }
            if run.parts > 0 {
                flush(&mut run, &mut position, &mut outputs);
            }
            if all.parts > last_run_parts {
                if position == all.position {
                    position += 1;
                }
                outputs.push(joined_output(&all, position));
            }
        }
        if self.preserve_original {
            let to = position.max(1);
            outputs.insert(0, Output { term: term.to_string(), from: 0, to, start: 0, end: word.len() });
        }
        // Where they begin, the longest first, the word itself before all.
        outputs.sort_by_key(|output| (output.from, std::cmp::Reverse(output.to)));
        outputs
    }

    fn apply_flat(&self, stream: &mut Stream) {
        let mut out: Vec<StreamToken> = Vec::with_capacity(stream.tokens.len());
        let mut increment = 0_u32;
        for token in stream.tokens.drain(..) {
            if self.ignore_keywords && token.keyword {
                out.push(token);
                continue;
            }
            increment = increment.saturating_add(token.increment);
            let word: Vec<u16> = token.term.encode_utf16().collect();
            let parts = self.cuts.parts(&word);
            let whole = parts.parts.first().is_some_and(|part| part.start == 0 && part.end == word.len());
            if whole || self.protected.contains(&token.term) {
                out.push(StreamToken { increment: std::mem::take(&mut increment), ..token });
                continue;
            }
            if parts.parts.is_empty() && !self.preserve_original {
                // Not quite a hole: what Lucene does here is historical.
                if token.increment == 1 && !out.is_empty() {
                    increment -= 1;
                }
                continue;
            }
            self.flat_outputs(&token, &word, &parts.parts, parts.is_single, &mut increment, &mut out);
        }
        stream.tokens = out;
    }

    fn flat_outputs(
        &self,
        token: &StreamToken,
        word: &[u16],
        parts: &[Part],
        is_single: bool,
        increment: &mut u32,
        out: &mut Vec<StreamToken>,
    ) {
        let legal = to_u32(word.len()) == token.end.saturating_sub(token.start);
        if self.preserve_original {
            out.push(StreamToken { increment: std::mem::take(increment), ..token.clone() });
        }
        let mut flat = FlatOutputs {
            token,
            legal,
            increment,
            after_original: self.preserve_original,
            has_output: false,
            tokens: Vec::new(),
        };
        if let (true, Some(part)) = (is_single, parts.first()) {
            let units = word.get(part.start..part.end).unwrap_or_default();
            flat.push(units, part.start, part.end, false);
            if !legal
                && let Some(single) = flat.tokens.last_mut()
                && token.start + to_u32(part.start) <= token.end
            {
                single.start = token.start + to_u32(part.start);
            }
        } else {
            let (mut run, mut all) = (Joined::default(), Joined::default());
            let mut last_run_parts = 0;
            for &part in parts {
                if run.kind.is_some_and(|kind| !kind.shares(part.kind)) {
                    last_run_parts = run.parts;
                    if self.is_new(&run) {
                        flat.push(&run.units, run.start, run.end, true);
                    }
                    run = Joined::default();
                    flat.has_output = false;
                }
                if self.catenates(part.kind) {
                    run.add(word, part, 0);
                }
                if self.catenate_all {
                    all.add(word, part, 0);
                }
                if self.generates(part.kind) {
                    flat.push(word.get(part.start..part.end).unwrap_or_default(), part.start, part.end, false);
                }
            }
            if run.parts > 0 {
                last_run_parts = run.parts;
                if self.is_new(&run) {
                    flat.push(&run.units, run.start, run.end, true);
                }
            }
            if all.parts > last_run_parts {
                flat.push(&all.units, all.start, all.end, true);
            }
        }
        let mut tokens = flat.tokens;
        tokens.sort_by_key(|token| (token.start, std::cmp::Reverse(token.increment)));
        if out.is_empty()
            && let Some(first) = tokens.first_mut()
        {
            first.increment = first.increment.max(1);
        }
        out.append(&mut tokens);
    }
}

fn joined_output(joined: &Joined, to: u32) -> Output {
    Output {
        term: String::from_utf16_lossy(&joined.units),
        from: joined.position,
        to,
        start: joined.start,
        end: joined.end,
    }
}

/// What `word_delimiter` gives for one word, before it is sorted by offset.
struct FlatOutputs<'a> {
    token: &'a StreamToken,
    /// Whether the term is the text that the token spans.
    legal: bool,
    increment: &'a mut u32,
    after_original: bool,
    has_output: bool,
    tokens: Vec<StreamToken>,
}

impl FlatOutputs<'_> {
    fn push(&mut self, units: &[u16], start: usize, end: usize, joined: bool) {
        let (start, end) = if self.legal {
            (self.token.start + to_u32(start), self.token.start + to_u32(end))
        } else {
            (self.token.start, self.token.end)
        };
        let increment = self.next_increment(joined);
        self.tokens.push(StreamToken {
            term: String::from_utf16_lossy(units),
            start,
            end,
            increment,
            ..self.token.clone()
        });
    }

    /// Joined parts lie on the part before them; the first after the original lies on it.
    fn next_increment(&mut self, joined: bool) -> u32 {
        let increment = *self.increment;
        if self.has_output {
            *self.increment = 0;
            return if joined { 0 } else { increment.max(1) };
        }
        self.has_output = true;
        if std::mem::take(&mut self.after_original) {
            return 0;
        }
        *self.increment = 0;
        increment.max(1)
    }
}
