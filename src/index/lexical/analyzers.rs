//! Analyzers: named pipelines from text to terms that behave as Elasticsearch's of the same name.
//!
//! An analyzer is data: a tokenizer and a list of filters. `english` is the original Porter stemmer with Lucene's 33 stop
//! words. The other languages take Lucene's stop words and the Snowball stemmer; Lucene itself uses Snowball for `danish`,
//! `dutch` (an older version of the algorithm), `finnish`, `hungarian`, `norwegian`, `romanian`, `russian`, `swedish`, `tamil` and `turkish`, but lighter stemmers
//! of its own for `arabic`, `french`, `german`, `greek`, `italian`, `portuguese` and `spanish`, whose terms may differ from ours.

use std::sync::Arc;

use frostem::{Algorithm, Stemmer};

use super::encoded_tokens;
use super::filters::{FRENCH_ARTICLES, Filter, ITALIAN_ARTICLES};
use super::stopwords;
use super::tokenizers::Tokenizer;
use crate::error::{Error, Result};

/// What Lucene adds to the position between two values of an array.
pub const POSITION_INCREMENT_GAP: u32 = 100;

/// A term of a text and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The term as it is indexed.
    pub term: String,
    /// Counted from 0; a dropped stop word leaves a hole.
    pub position: u32,
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
    tokenizer: Tokenizer,
    filters: Vec<Filter>,
}

impl PartialEq for Analyzer {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Analyzer {}

/// Every name that [`Analyzer::named`] knows: those that a mapping may name.
pub use crate::schema::ANALYZERS as ANALYZER_NAMES;

impl Analyzer {
    /// The built-in analyzer of this name.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for a name not in [`ANALYZER_NAMES`].
    pub fn named(name: &str) -> Result<Self> {
        let (tokenizer, filters) = match name {
            "standard" => (Tokenizer::Standard, vec![Filter::Lowercase]),
            "simple" => (Tokenizer::Letter, vec![Filter::Lowercase]),
            "whitespace" => (Tokenizer::Whitespace, vec![]),
            "keyword" => (Tokenizer::Keyword, vec![]),
            "stop" => (Tokenizer::Letter, vec![Filter::Lowercase, Filter::Stop(stopwords::english())]),
            "english" => (
                Tokenizer::Standard,
                vec![
                    Filter::EnglishPossessive,
                    Filter::Lowercase,
                    Filter::Stop(stopwords::english()),
                    Filter::PorterStem,
                ],
            ),
            _ => (Tokenizer::Standard, language_filters(name)?),
        };
        Ok(Self(Arc::new(Pipeline { name: name.to_string(), tokenizer, filters })))
    }

    /// The name it was made under.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The tokens of `text`, in order.
    pub fn tokens(&self, text: &str) -> Vec<Token> {
        let mut tokens = Vec::new();
        self.for_each_token(text, |term, position, start, end| {
            tokens.push(Token { term: term.to_string(), position, start, end });
        });
        tokens
    }

    /// The terms of `text`, in order, without their places.
    pub fn terms(&self, text: &str) -> Vec<String> {
        let mut terms = Vec::new();
        self.for_each_token(text, |term, _, _, _| terms.push(term.to_string()));
        terms
    }

    /// Brings a part of a word to the form that terms have, without cutting or stemming it (Elasticsearch's normalisation).
    pub fn normalize(&self, part: &str) -> String {
        let mut term = part.to_string();
        self.0.filters.iter().filter(|filter| filter.is_normalizing()).for_each(|filter| {
            filter.apply(&mut term);
        });
        term
    }

    /// Analyses the values of one field of one document for Tantivy, with [`POSITION_INCREMENT_GAP`] between them.
    ///
    /// Returns what [`encoded_tokens`] describes; empty when no value has a term. Add it to the document as text of a field
    /// whose tokenizer is [`encoded_tokens::ENCODED_TOKENS_TOKENIZER`], at most once a field and document.
    pub fn encode_values<S: AsRef<str>>(&self, values: &[S]) -> String {
        self.encode_values_with_gap(values, POSITION_INCREMENT_GAP)
    }

    /// As [`Analyzer::encode_values`], with so many positions between values.
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
    /// PERF: one buffer for all terms of a text.
    pub fn for_each_token(&self, text: &str, mut visit: impl FnMut(&str, u32, usize, usize)) -> u32 {
        let mut term = String::new();
        let mut position = 0;
        self.0.tokenizer.for_each_word(text, |start, end| {
            term.clear();
            term.push_str(&text[start..end]);
            if self.0.filters.iter().all(|filter| filter.apply(&mut term)) {
                visit(&term, position, start, end);
            }
            position += 1;
        });
        position
    }
}

fn language_filters(name: &str) -> Result<Vec<Filter>> {
    macro_rules! language {
        ($list:literal, $algorithm:ident) => {
            language!($list, $algorithm, [Filter::Lowercase])
        };
        ($list:literal, $algorithm:ident, [$($before:expr),*]) => {
            vec![
                $($before,)*
                Filter::Stop(stopwords::parse(include_str!(concat!("stopwords/", $list, ".txt")))),
                Filter::Snowball(Stemmer::new(Algorithm::$algorithm)),
            ]
        };
    }
    Ok(match name {
        "arabic" => language!("arabic", Arabic, [Filter::Lowercase, Filter::DecimalDigits]),
        "danish" => language!("danish", Danish),
        "dutch" => language!("dutch", Dutch),
        "finnish" => language!("finnish", Finnish),
        "french" => language!("french", French, [Filter::Elision(FRENCH_ARTICLES), Filter::Lowercase]),
        "german" => language!("german", German),
        "greek" => language!("greek", Greek, [Filter::GreekLowercase]),
        "hungarian" => language!("hungarian", Hungarian),
        "italian" => language!("italian", Italian, [Filter::Elision(ITALIAN_ARTICLES), Filter::Lowercase]),
        "norwegian" => language!("norwegian", Norwegian),
        "portuguese" => language!("portuguese", Portuguese),
        "romanian" => language!("romanian", Romanian),
        "russian" => language!("russian", Russian),
        "spanish" => language!("spanish", Spanish),
        "swedish" => language!("swedish", Swedish),
        "tamil" => language!("tamil", Tamil, [Filter::Lowercase, Filter::DecimalDigits]),
        "turkish" => language!("turkish", Turkish, [Filter::Apostrophe, Filter::TurkishLowercase]),
        _ => {
            return Err(Error::unsupported(format!(
                "analyzer {name:?} is not supported (known: {})",
                ANALYZER_NAMES.join(", ")
            )));
        }
    })
}

#[cfg(test)]
mod tests;
