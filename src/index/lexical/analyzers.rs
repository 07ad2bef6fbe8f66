//! Analyzers: named pipelines from text to terms that behave as Elasticsearch's of the same name.
//!
//! An analyzer is data: character filters, a tokenizer, and steps. Where all of it takes words one by one, as in every
//! built-in language, one buffer runs through the filters and nothing else is allocated (the fast path). Anything else goes
//! by way of a [`Stream`]. [`super::registry`] makes the analyzers that an index defines; [`super::built_in`] has the others.

use std::sync::Arc;

use super::char_filters::{self, CharFilter};
use super::encoded_tokens;
use super::filters::Filter;
use super::graph::TokenGraph;
use super::stream::{FilteredText, Stream, StreamToken, Utf16Offsets};
use super::stream_filters::{Grams, StreamFilter};
use super::tokenizers::Tokenizer;
use crate::error::Result;

/// What Lucene adds to the position between two values of an array.
pub const POSITION_INCREMENT_GAP: u32 = 100;

/// A term of a text and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The term as it is indexed.
    pub term: String,
    /// Counted from 0; a dropped stop word leaves a hole.
    pub position: u32,
    /// How many positions it spans; more than 1 only where an analyzer makes graphs.
    pub position_length: u32,
    /// Where the word begins in the text, in bytes.
    pub start: usize,
    /// Where it ends, in bytes.
    pub end: usize,
}

/// A named pipeline from text to terms. Cheap to clone, `Send + Sync`.
#[derive(Debug, Clone)]
pub struct Analyzer(Arc<Pipeline>);

#[derive(Debug)]
struct Pipeline {
    name: String,
    chain: Chain,
    char_filters: Vec<CharFilter>,
    /// The filters before the first step that wants a stream.
    words: Vec<Filter>,
    /// The steps from there on.
    streams: Vec<Step>,
    fast: bool,
}

/// What an analyzer is made of, by name.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    pub(super) char_filters: Vec<(String, CharFilter)>,
    pub(super) tokenizer_name: String,
    pub(super) tokenizer: Tokenizer,
    pub(super) filters: Vec<(String, Vec<Step>)>,
    /// Whether it was put together by a user.
    pub(super) custom: bool,
    pub(super) position_increment_gap: u32,
}

impl Chain {
    /// A tokenizer and word filters, without names of their own.
    pub(super) fn words(tokenizer: Tokenizer, filters: Vec<Filter>) -> Self {
        Self {
            char_filters: Vec::new(),
            tokenizer_name: String::new(),
            tokenizer,
            filters: filters.into_iter().map(|filter| (format!("{filter:?}"), vec![Step::Word(filter)])).collect(),
            custom: false,
            position_increment_gap: POSITION_INCREMENT_GAP,
        }
    }
}

/// One step behind the tokenizer.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Word by word.
    Word(Filter),
    /// Over all tokens.
    Stream(StreamFilter),
}

impl Step {
    pub(super) fn apply(&self, mut stream: Stream) -> Stream {
        match self {
            Step::Stream(filter) => filter.apply(stream),
            Step::Word(filter) => {
                stream.retain(|token| filter.apply(&mut token.term, &mut token.keyword));
                stream
            }
        }
    }
}

impl PartialEq for Analyzer {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Analyzer {}

/// Every name that [`Analyzer::named`] knows: those that a mapping may name without defining them.
pub use crate::schema::ANALYZERS as ANALYZER_NAMES;

impl Analyzer {
    /// The built-in analyzer of this name. Those that an index defines are in [`super::Analyzers`].
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for a name not in [`ANALYZER_NAMES`].
    pub fn named(name: &str) -> Result<Self> {
        Ok(Self::new(name, super::built_in::chain(name)?))
    }

    pub(super) fn new(name: &str, chain: Chain) -> Self {
        let mut words = Vec::new();
        let mut streams: Vec<Step> = Vec::new();
        for step in chain.filters.iter().flat_map(|(_, steps)| steps) {
            match step {
                Step::Word(filter) if streams.is_empty() => words.push(filter.clone()),
                Step::Word(_) | Step::Stream(_) => streams.push(step.clone()),
            }
        }
        let char_filters: Vec<CharFilter> = chain.char_filters.iter().map(|(_, filter)| filter.clone()).collect();
        let fast =
            char_filters.is_empty() && streams.is_empty() && !matches!(chain.tokenizer, Tokenizer::PathHierarchy(_));
        Self(Arc::new(Pipeline { name: name.to_string(), chain, char_filters, words, streams, fast }))
    }

    /// The name it was made under.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What the positions of two values of a field lie apart, where the field says nothing else.
    pub fn position_increment_gap(&self) -> u32 {
        self.0.chain.position_increment_gap
    }

    /// The same with its words joined in runs of so many (`_2gram` of `search_as_you_type`).
    #[must_use]
    pub fn with_shingles(&self, size: usize) -> Self {
        self.and_then(StreamFilter::FixedShingles { size, trailing: false }, None)
    }

    /// The same with the first 1 to 20 letters of runs of so many words, shorter ones at the end (`_index_prefix`).
    #[must_use]
    pub fn with_shingle_prefixes(&self, size: usize) -> Self {
        let prefixes = Grams { min: 1, max: 20, edges_only: true, keep_original: true };
        self.and_then(StreamFilter::FixedShingles { size, trailing: true }, Some(StreamFilter::Grams(prefixes)))
    }

    fn and_then(&self, filter: StreamFilter, another: Option<StreamFilter>) -> Self {
        let mut chain = self.0.chain.clone();
        let steps = [Some(filter), another].into_iter().flatten().map(Step::Stream).collect();
        chain.filters.push(("shingle".to_string(), steps));
        Self::new(self.name(), chain)
    }

    pub(super) fn chain(&self) -> &Chain {
        &self.0.chain
    }

    /// The tokens of `text`, in order.
    pub fn tokens(&self, text: &str) -> Vec<Token> {
        let mut tokens = Vec::new();
        if self.0.fast {
            self.for_each_token(text, |term, position, start, end| {
                tokens.push(Token { term: term.to_string(), position, position_length: 1, start, end });
            });
            return tokens;
        }
        let offsets = Utf16Offsets::new(text);
        let mut position = None::<u32>;
        for token in self.stream(text).tokens {
            let here = advance(position, token.increment);
            position = Some(here);
            tokens.push(Token {
                term: token.term,
                position: here,
                position_length: token.position_length,
                start: offsets.byte(token.start),
                end: offsets.byte(token.end),
            });
        }
        tokens
    }

    /// The tokens of a query's text as a graph; see [`TokenGraph`] for the queries that Lucene makes of it.
    pub fn graph(&self, text: &str) -> TokenGraph {
        TokenGraph::new(self.tokens(text))
    }

    /// Whether a text may have tokens that span several positions, so that [`Analyzer::graph`] is worth asking.
    pub fn makes_graphs(&self) -> bool {
        self.0.streams.iter().any(|step| matches!(step, Step::Stream(filter) if filter.makes_graphs()))
    }

    /// The tokens of `text` with Lucene's types and UTF-16 offsets.
    pub fn stream_tokens(&self, text: &str) -> Vec<StreamToken> {
        self.stream(text).tokens
    }

    /// The terms of `text`, in order, without their places.
    pub fn terms(&self, text: &str) -> Vec<String> {
        let mut terms = Vec::new();
        self.for_each_token(text, |term, _, _, _| terms.push(term.to_string()));
        terms
    }

    /// Brings a part of a word to the form that terms have, without cutting or stemming it (Elasticsearch's normalisation).
    pub fn normalize(&self, part: &str) -> String {
        let filters: Vec<CharFilter> =
            self.0.char_filters.iter().filter(|filter| filter.is_normalizing()).cloned().collect();
        let mut term = char_filters::filter(&filters, part).text.into_owned();
        for step in self.0.chain.filters.iter().flat_map(|(_, steps)| steps) {
            match step {
                Step::Word(filter) if filter.is_normalizing() => {
                    filter.apply(&mut term, &mut false);
                }
                Step::Stream(StreamFilter::FoldBeside) => super::folding::fold(&mut term),
                Step::Word(_) | Step::Stream(_) => {}
            }
        }
        term
    }

    /// A keyword's value as a normalizer makes it: the terms of the whole, one after the other.
    pub fn normalize_value(&self, value: &str) -> String {
        let mut normalized = String::with_capacity(value.len());
        self.for_each_token(value, |term, _, _, _| normalized.push_str(term));
        normalized
    }

    /// Analyses the values of one field of one document for Tantivy, with [`POSITION_INCREMENT_GAP`] between them.
    ///
    /// Returns what [`encoded_tokens`] describes; empty when no value has a term. Add it to the document as text of a field
    /// whose tokenizer is [`encoded_tokens::ENCODED_TOKENS_TOKENIZER`], at most once a field and document.
    pub fn encode_values<S: AsRef<str>>(&self, values: &[S]) -> String {
        self.encode_values_with_gap(values, POSITION_INCREMENT_GAP)
    }

    /// As [`Analyzer::encode_values`], with the gap that a field's `position_increment_gap` says.
    pub fn encode_values_with_gap<S: AsRef<str>>(&self, values: &[S], gap: u32) -> String {
        let text_bytes: usize = values.iter().map(|value| value.as_ref().len()).sum();
        let mut encoded = String::with_capacity(text_bytes + text_bytes / 4);
        // Lucene's state while inverting: the position starts before 0, and holes at a value's end count.
        let (mut last_position, mut base) = (None::<u32>, 0_u32);
        for value in values {
            let num_positions = self.for_each_token(value.as_ref(), |term, position, _, _| {
                let position = base.saturating_add(position);
                let increment = last_position.map_or(position.saturating_add(1), |last| position.saturating_sub(last));
                encoded_tokens::push_token(&mut encoded, increment, term);
                last_position = Some(position);
            });
            base = base.saturating_add(num_positions).saturating_add(gap);
        }
        encoded
    }

    /// Visits (term, position, start, end) of each token; returns the number of positions, dropped words included.
    ///
    /// PERF: one buffer for all terms of a text, on the fast path.
    pub fn for_each_token(&self, text: &str, mut visit: impl FnMut(&str, u32, usize, usize)) -> u32 {
        if !self.0.fast {
            return self.for_each_stream_token(text, visit);
        }
        let mut term = String::new();
        let mut position = 0;
        self.0.chain.tokenizer.for_each_word(text, |start, end| {
            term.clear();
            term.push_str(&text[start..end]);
            let mut keyword = false;
            if self.0.words.iter().all(|filter| filter.apply(&mut term, &mut keyword)) {
                visit(&term, position, start, end);
            }
            position += 1;
        });
        position
    }

    fn for_each_stream_token(&self, text: &str, mut visit: impl FnMut(&str, u32, usize, usize)) -> u32 {
        let stream = self.stream(text);
        let offsets = Utf16Offsets::new(text);
        let mut position = None::<u32>;
        for token in &stream.tokens {
            let here = advance(position, token.increment);
            position = Some(here);
            visit(&token.term, here, offsets.byte(token.start), offsets.byte(token.end));
        }
        position.map_or(0, |last| last.saturating_add(1)).saturating_add(stream.end_increment)
    }

    /// All steps over `text`.
    pub(super) fn stream(&self, text: &str) -> Stream {
        let filtered = char_filters::filter(&self.0.char_filters, text);
        let stream = tokenize(&self.0.chain.tokenizer, &filtered, &self.0.words, text);
        self.0.streams.iter().fold(stream, |stream, step| step.apply(stream))
    }
}

/// The position of a token behind one at `position`.
pub(super) fn advance(position: Option<u32>, increment: u32) -> u32 {
    position.map_or(increment.saturating_sub(1), |position| position.saturating_add(increment))
}

/// Cuts a filtered text into tokens and runs the `words` over each.
pub(super) fn tokenize(tokenizer: &Tokenizer, filtered: &FilteredText<'_>, words: &[Filter], original: &str) -> Stream {
    let offsets = Utf16Offsets::new(&filtered.text);
    let end_offset = if filtered.corrections.is_empty() { offsets.len() } else { super::stream::units(original) };
    if let Tokenizer::PathHierarchy(paths) = tokenizer {
        let stream = Stream { tokens: paths.tokens(filtered, &offsets), end_increment: 0, end_offset };
        return words.iter().fold(stream, |stream, filter| Step::Word(filter.clone()).apply(stream));
    }
    let mut stream = Stream { tokens: Vec::new(), end_increment: 0, end_offset };
    let mut term = String::new();
    let mut increment = 0;
    tokenizer.for_each_word(&filtered.text, |start, end| {
        let word = filtered.text.get(start..end).unwrap_or_default();
        increment += 1;
        term.clear();
        term.push_str(word);
        let mut keyword = false;
        if words.iter().all(|filter| filter.apply(&mut term, &mut keyword)) {
            stream.tokens.push(StreamToken {
                term: term.clone(),
                start: filtered.original(offsets.unit(start)),
                end: filtered.original(offsets.unit(end)),
                increment: std::mem::take(&mut increment),
                position_length: 1,
                kind: tokenizer.kind(word),
                keyword,
            });
        }
    });
    stream.end_increment = increment;
    stream
}

#[cfg(test)]
mod tests;
