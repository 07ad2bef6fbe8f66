//! Stop words, by language: Lucene's English list, and the lists that Lucene's other analyzers carry (sources in each file).

use std::collections::HashSet;
use std::sync::Arc;

/// The words that a stop filter drops. Cheap to clone.
#[derive(Clone)]
pub(super) struct StopWords {
    words: Arc<HashSet<&'static str>>,
    longest: usize,
}

impl StopWords {
    fn new(words: impl Iterator<Item = &'static str>) -> Self {
        let words: HashSet<&'static str> = words.collect();
        let longest = words.iter().map(|word| word.len()).max().unwrap_or(0);
        Self { words: Arc::new(words), longest }
    }

    /// PERF: most words are longer than any stop word, and need no look at the set.
    pub(super) fn contains(&self, term: &str) -> bool {
        term.len() <= self.longest && self.words.contains(term)
    }
}

/// The 33 English words of Lucene's `EnglishAnalyzer` and Elasticsearch's `_english_`.
const ENGLISH: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "no", "not", "of",
    "on", "or", "such", "that", "the", "their", "then", "there", "these", "they", "this", "to", "was", "will", "with",
];

pub(super) fn english() -> StopWords {
    StopWords::new(ENGLISH.iter().copied())
}

/// Reads a list of `stopwords/`: one word a line, `#` begins a comment line.
pub(super) fn parse(list: &'static str) -> StopWords {
    StopWords::new(list.lines().filter(|line| !line.starts_with('#') && !line.is_empty()))
}
