//! What `_analyze` answers: every token with its place, and with `explain` the tokens after each step.

use super::analyzers::{self, Analyzer, Step, advance};
use super::char_filters;
use super::filters::Filter;
use super::stream::{Stream, StreamToken};
use super::stream_filters::StreamFilter;
use crate::error::{Error, Result};

/// A token as `_analyze` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnalyzedToken {
    /// The term.
    pub token: String,
    /// In UTF-16 units of all texts laid one behind the other, one unit between them.
    pub start_offset: u32,
    /// As `start_offset`.
    pub end_offset: u32,
    /// Lucene's type, such as `<ALPHANUM>`.
    pub kind: &'static str,
    /// From 0.
    pub position: u32,
    /// At least 1; printed where it is more.
    pub position_length: u32,
    /// Whether stemmers leave it alone; `None` where no step asks.
    pub keyword: Option<bool>,
}

/// What `explain` shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Explanation {
    /// A built-in analyzer shows its tokens alone.
    BuiltIn {
        /// Its name.
        name: String,
        /// The tokens.
        tokens: Vec<AnalyzedToken>,
    },
    /// One that was put together shows each part.
    Custom {
        /// Name, and each text as it is after the filter.
        char_filters: Vec<(String, Vec<String>)>,
        /// Name and tokens.
        tokenizer: (String, Vec<AnalyzedToken>),
        /// Name and tokens of each filter, in order.
        filters: Vec<(String, Vec<AnalyzedToken>)>,
    },
}

/// How texts are laid behind each other, and how much may come out.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How far the positions of two texts lie apart.
    pub position_gap: u32,
    /// How many tokens may come out of a step.
    pub max_tokens: usize,
}

/// The tokens of `texts`.
///
/// # Errors
/// [`InvalidInput`](crate::ErrorKind::InvalidInput) for more tokens than the limit.
pub fn analyze<S: AsRef<str>>(analyzer: &Analyzer, texts: &[S], limits: Limits) -> Result<Vec<AnalyzedToken>> {
    let mut gathered = Gathered::new(limits);
    for text in texts {
        gathered.add(analyzer.stream(text.as_ref()), None)?;
    }
    Ok(gathered.tokens)
}

/// The tokens of `texts` after each step.
///
/// # Errors
/// As [`analyze`].
pub fn explain<S: AsRef<str>>(analyzer: &Analyzer, texts: &[S], limits: Limits) -> Result<Explanation> {
    let chain = analyzer.chain();
    let knows_keywords = chain.filters.iter().flat_map(|(_, steps)| steps).any(asks_for_keywords);
    if !chain.custom {
        let mut gathered = Gathered::new(limits);
        for text in texts {
            gathered.add(analyzer.stream(text.as_ref()), Some(knows_keywords))?;
        }
        return Ok(Explanation::BuiltIn { name: analyzer.name().to_string(), tokens: gathered.tokens });
    }
    let char_filters = chain
        .char_filters
        .iter()
        .enumerate()
        .map(|(at, (name, _))| {
            let filters: Vec<_> = chain.char_filters.iter().take(at + 1).map(|(_, filter)| filter.clone()).collect();
            let filtered = texts.iter().map(|text| char_filters::filter(&filters, text.as_ref()).text.into_owned());
            (name.clone(), filtered.collect())
        })
        .collect();
    let all: Vec<_> = chain.char_filters.iter().map(|(_, filter)| filter.clone()).collect();
    let mut streams: Vec<Stream> = texts
        .iter()
        .map(|text| {
            let filtered = char_filters::filter(&all, text.as_ref());
            analyzers::tokenize(&chain.tokenizer, &filtered, &[], text.as_ref())
        })
        .collect();
    let gather = |streams: &[Stream], knows: bool| -> Result<Vec<AnalyzedToken>> {
        let mut gathered = Gathered::new(limits);
        streams.iter().try_for_each(|stream| gathered.add(stream.clone(), Some(knows)))?;
        Ok(gathered.tokens)
    };
    // A tokenizer that comes with a filter shows what both make.
    let mut tokenized = gather(&streams, false)?;
    let mut filters = Vec::new();
    let mut knows = false;
    for (name, steps) in &chain.filters {
        knows |= steps.iter().any(asks_for_keywords);
        for stream in &mut streams {
            *stream = steps.iter().fold(std::mem::take(stream), |stream, step| step.apply(stream));
        }
        let tokens = gather(&streams, knows)?;
        if name.is_empty() {
            tokenized = tokens;
        } else {
            filters.push((name.clone(), tokens));
        }
    }
    Ok(Explanation::Custom { char_filters, tokenizer: (chain.tokenizer_name.clone(), tokenized), filters })
}

/// Whether a step reads or sets the mark that keeps stemmers off, so that `explain` shows it.
fn asks_for_keywords(step: &Step) -> bool {
    match step {
        Step::Word(filter) => matches!(
            filter,
            Filter::KeywordMarker(_)
                | Filter::KeywordPattern(_)
                | Filter::StemmerOverride(_)
                | Filter::Truncate(_)
                | Filter::Stem(..)
                | Filter::Snowball(_)
        ),
        Step::Stream(filter) => matches!(
            filter,
            StreamFilter::KeywordRepeat | StreamFilter::StopButLast(_) | StreamFilter::WordDelimiter(_)
        ),
    }
}

struct Gathered {
    tokens: Vec<AnalyzedToken>,
    limits: Limits,
    /// The position before the next text's first.
    last_position: i64,
    offset: u32,
}

impl Gathered {
    fn new(limits: Limits) -> Self {
        Self { tokens: Vec::new(), limits, last_position: -1, offset: 0 }
    }

    /// `show_keywords`: `None` and `Some(false)` print no mark.
    fn add(&mut self, stream: Stream, show_keywords: Option<bool>) -> Result<()> {
        let mut position = None::<u32>;
        let base = u32::try_from(self.last_position + 1).unwrap_or(u32::MAX);
        if self.tokens.len() + stream.tokens.len() > self.limits.max_tokens {
            return Err(Error::invalid_input(format!(
                "The number of tokens produced by calling _analyze has exceeded the allowed maximum of [{}]. This limit can be set by changing the [index.analyze.max_token_count] index level setting.",
                self.limits.max_tokens
            )));
        }
        for StreamToken { term, start, end, increment, position_length, kind, keyword } in stream.tokens {
            let here = advance(position, increment);
            position = Some(here);
            self.tokens.push(AnalyzedToken {
                token: term,
                start_offset: self.offset + start,
                end_offset: self.offset + end,
                kind: kind.as_str(),
                position: base.saturating_add(here),
                position_length,
                keyword: show_keywords.filter(|&show| show).map(|_| keyword),
            });
        }
        let consumed = position.map_or(0, |last| last.saturating_add(1)).saturating_add(stream.end_increment);
        self.last_position += i64::from(consumed) + i64::from(self.limits.position_gap);
        self.offset = self.offset.saturating_add(stream.end_offset).saturating_add(1);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
