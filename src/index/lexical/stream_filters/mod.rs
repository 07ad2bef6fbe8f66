//! Lucene's token filters that add, join or reorder tokens, or look at more than one. Each is a function from [`Stream`] to
//! [`Stream`]. Filters that see one term at a time are in [`super::filters`].

mod cjk_bigram;
mod common_grams;
mod flatten_graph;
mod grams;
mod patterns;
mod shingle;
pub(super) mod synonym_map;
mod synonyms;
mod word_delimiter;
mod word_parts;

use std::sync::Arc;

use rustc_hash::FxHashSet;

pub(super) use cjk_bigram::CjkBigrams;
pub(super) use common_grams::CommonGrams;
pub(super) use grams::Grams;
pub(super) use shingle::Shingles;
pub(super) use synonym_map::SynonymMap;
pub(super) use word_delimiter::WordDelimiter;
pub(super) use word_parts::{CharKind, WordParts};

use super::analyzers::Step;
use super::folding;
use super::java_regex::Pattern;
use super::stopwords::WordSet;
use super::stream::{Stream, StreamToken, TokenKind, units};

/// A filter over streams.
#[derive(Debug, Clone)]
pub(super) enum StreamFilter {
    /// `ASCIIFoldingFilter` with the original behind the folded term.
    FoldBeside,
    /// `SuggestStopFilter`: a stop word at the very end stays, as it may be the beginning of another word.
    StopButLast(WordSet),
    /// `KeywordRepeatFilter`: each token twice, the first for stemmers to leave alone.
    KeywordRepeat,
    /// `RemoveDuplicatesTokenFilter`: one of each term a position.
    RemoveDuplicates,
    /// Elasticsearch's `unique`: one of each term a text, or a position.
    Unique { same_position: bool },
    /// `LimitTokenCountFilter`.
    Limit(usize),
    /// `TypeTokenFilter`: keeps tokens of these types, or all others.
    KeepTypes { types: Vec<String>, include: bool },
    /// `FingerprintFilter`: the sorted terms as one.
    Fingerprint { separator: String, max_len: u32 },
    /// `NGramTokenFilter`, `EdgeNGramTokenFilter`.
    Grams(Grams),
    /// `ShingleFilter`.
    Shingles(Shingles),
    /// `FixedShingleFilter`: runs of exactly so many tokens; `trailing` ones go beyond the end.
    FixedShingles { size: usize, trailing: bool },
    /// `CommonGramsFilter`.
    CommonGrams(CommonGrams),
    /// `CJKBigramFilter`.
    CjkBigrams(CjkBigrams),
    /// `PatternCaptureGroupTokenFilter`.
    PatternCapture { patterns: Vec<Pattern>, keep_original: bool },
    /// `WordDelimiterFilter`, `WordDelimiterGraphFilter`.
    WordDelimiter(WordDelimiter),
    /// `SynonymFilter`: synonyms of several words lie over the words that follow.
    Synonyms(Arc<SynonymMap>),
    /// `SynonymGraphFilter`: synonyms of several words stand beside the word.
    SynonymGraph(Arc<SynonymMap>),
    /// `FlattenGraphFilter`.
    FlattenGraph,
    /// Elasticsearch's `multiplexer`: each token through several chains, what they give at one place.
    Multiplexer { chains: Vec<Vec<Step>>, keep_original: bool },
}

impl StreamFilter {
    /// Whether it may make tokens that span several positions.
    pub(super) fn makes_graphs(&self) -> bool {
        matches!(
            self,
            Self::SynonymGraph(_)
                | Self::Synonyms(_)
                | Self::WordDelimiter(_)
                | Self::Shingles(_)
                | Self::CommonGrams(_)
                | Self::CjkBigrams(_)
        )
    }

    pub(super) fn apply(&self, mut stream: Stream) -> Stream {
        match self {
            Self::FoldBeside => fold_beside(&mut stream),
            Self::StopButLast(words) => stop_but_last(&mut stream, words),
            Self::KeywordRepeat => keyword_repeat(&mut stream),
            Self::RemoveDuplicates => remove_duplicates(&mut stream),
            Self::Unique { same_position } => unique(&mut stream, *same_position),
            Self::Limit(count) => {
                if stream.tokens.len() > *count {
                    stream.tokens.truncate(*count);
                    stream.end_increment = 0;
                }
            }
            Self::KeepTypes { types, include } => {
                stream.retain(|token| types.iter().any(|kind| kind == token.kind.as_str()) == *include);
            }
            Self::Fingerprint { separator, max_len } => fingerprint(&mut stream, separator, *max_len),
            Self::Grams(grams) => grams.apply(&mut stream),
            Self::Shingles(shingles) => shingles.apply(&mut stream),
            Self::FixedShingles { size, trailing } => shingle::fixed(&mut stream, *size, *trailing),
            Self::CommonGrams(grams) => grams.apply(&mut stream),
            Self::CjkBigrams(bigrams) => bigrams.apply(&mut stream),
            Self::PatternCapture { patterns, keep_original } => {
                patterns::capture(&mut stream, patterns, *keep_original)
            }
            Self::WordDelimiter(delimiter) => delimiter.apply(&mut stream),
            Self::Synonyms(map) => synonyms::flat(&mut stream, map),
            Self::SynonymGraph(map) => synonyms::graph(&mut stream, map),
            Self::FlattenGraph => flatten_graph::flatten(&mut stream),
            Self::Multiplexer { chains, keep_original } => multiplex(&mut stream, chains, *keep_original),
        }
        stream
    }
}

fn fold_beside(stream: &mut Stream) {
    let mut out = Vec::with_capacity(stream.tokens.len());
    for token in stream.tokens.drain(..) {
        let mut folded = token.term.clone();
        folding::fold(&mut folded);
        if folded == token.term {
            out.push(token);
            continue;
        }
        out.push(StreamToken { term: folded, ..token.clone() });
        out.push(StreamToken { increment: 0, ..token });
    }
    stream.tokens = out;
}

fn stop_but_last(stream: &mut Stream, words: &WordSet) {
    let last_end = stream.end_offset;
    let last = stream.tokens.len().saturating_sub(1);
    let mut at = 0;
    stream.retain(|token| {
        let is_last = at == last && token.end == last_end;
        at += 1;
        is_last || !words.contains(&token.term)
    });
    // The kept word is none for a stemmer.
    if let Some(token) = stream.tokens.last_mut()
        && token.end == last_end
        && words.contains(&token.term)
    {
        token.keyword = true;
    }
}

fn keyword_repeat(stream: &mut Stream) {
    let mut out = Vec::with_capacity(stream.tokens.len() * 2);
    for token in stream.tokens.drain(..) {
        out.push(StreamToken { keyword: true, ..token.clone() });
        out.push(StreamToken { increment: 0, keyword: false, ..token });
    }
    stream.tokens = out;
}

fn remove_duplicates(stream: &mut Stream) {
    let mut seen: FxHashSet<String> = FxHashSet::default();
    stream.retain(|token| {
        if token.increment > 0 {
            seen.clear();
        }
        seen.insert(token.term.clone())
    });
}

/// A token that goes takes its increment with it, as in Elasticsearch.
fn unique(stream: &mut Stream, same_position: bool) {
    let mut seen: FxHashSet<String> = FxHashSet::default();
    stream.tokens.retain(|token| {
        if same_position && token.increment > 0 {
            seen.clear();
        }
        seen.insert(token.term.clone())
    });
}

fn fingerprint(stream: &mut Stream, separator: &str, max_len: u32) {
    let mut terms: Vec<String> = stream.tokens.drain(..).map(|token| token.term).collect();
    if terms.is_empty() {
        return;
    }
    // Java compares UTF-16 units.
    terms.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
    terms.dedup();
    let joined = terms.join(separator);
    stream.end_increment = 0;
    if units(&joined) <= max_len {
        stream.tokens.push(StreamToken {
            term: joined,
            start: 0,
            end: stream.end_offset,
            increment: 1,
            position_length: 1,
            kind: TokenKind::Fingerprint,
            keyword: false,
        });
    }
}

fn multiplex(stream: &mut Stream, chains: &[Vec<Step>], keep_original: bool) {
    let mut out = Vec::new();
    let mut skipped = 0_u32;
    for token in stream.tokens.drain(..) {
        let (increment, end) = (token.increment, token.end);
        let mut at_this_place = Vec::new();
        if keep_original {
            at_this_place.push(token.clone());
        }
        for chain in chains {
            let single = Stream {
                tokens: vec![StreamToken { increment: 1, ..token.clone() }],
                end_increment: 0,
                end_offset: end,
            };
            let result = chain.iter().fold(single, |stream, step| step.apply(stream));
            at_this_place.extend(result.tokens);
        }
        let mut first = true;
        skipped = skipped.saturating_add(increment);
        for mut token in at_this_place {
            token.increment = if std::mem::take(&mut first) { std::mem::take(&mut skipped) } else { 0 };
            out.push(token);
        }
    }
    stream.tokens = out;
    stream.end_increment = stream.end_increment.saturating_add(skipped);
    remove_duplicates(stream);
}
