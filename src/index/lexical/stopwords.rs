//! Stop words, by language: Lucene's English list, and the lists that Lucene's other analyzers carry (sources in each file).

use std::collections::HashSet;
use std::sync::Arc;

/// A set of words that a stop filter drops.
pub(super) type StopWords = Arc<HashSet<&'static str>>;

/// The 33 English words of Lucene's `EnglishAnalyzer` and Elasticsearch's `_english_`.
const ENGLISH: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "no", "not", "of",
    "on", "or", "such", "that", "the", "their", "then", "there", "these", "they", "this", "to", "was", "will", "with",
];

pub(super) fn english() -> StopWords {
    Arc::new(ENGLISH.iter().copied().collect())
}

/// Reads a list of `stopwords/`: one word a line, `#` begins a comment line.
pub(super) fn parse(list: &'static str) -> StopWords {
    Arc::new(list.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect())
}
