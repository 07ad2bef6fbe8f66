//! Stop words, by language: Lucene's English list, and the lists that Lucene's other analyzers carry (sources in each file).

use std::sync::Arc;

use rustc_hash::FxHashSet;

/// Words that a filter looks for. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct WordSet {
    words: Arc<FxHashSet<Box<str>>>,
    longest: usize,
    ignore_case: bool,
}

impl WordSet {
    /// A set that finds a word as it is written, or in any case.
    pub(super) fn new<'a>(words: impl IntoIterator<Item = &'a str>, ignore_case: bool) -> Self {
        let words: FxHashSet<Box<str>> =
            words.into_iter().map(|word| if ignore_case { lower(word).into() } else { word.into() }).collect();
        let longest = words.iter().map(|word| word.len()).max().unwrap_or(0);
        Self { words: Arc::new(words), longest, ignore_case }
    }

    /// PERF: most words are longer than any stop word, and need no look at the set.
    pub(super) fn contains(&self, term: &str) -> bool {
        if self.ignore_case {
            // Lower case may be shorter than upper case, by half at most.
            return term.len() <= 2 * self.longest && self.words.contains(lower(term).as_str());
        }
        term.len() <= self.longest && self.words.contains(term)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
}

fn lower(word: &str) -> String {
    word.chars().map(super::categories::simple_lowercase).collect()
}

/// The 33 English words of Lucene's `EnglishAnalyzer` and Elasticsearch's `_english_`.
const ENGLISH: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "no", "not", "of",
    "on", "or", "such", "that", "the", "their", "then", "there", "these", "they", "this", "to", "was", "will", "with",
];

pub(super) fn english() -> WordSet {
    WordSet::new(ENGLISH.iter().copied(), false)
}

/// The words of a language's list, by the name without underscores; `None` when there is none.
pub(super) fn of_language(name: &str) -> Option<Vec<&'static str>> {
    macro_rules! list {
        ($name:literal) => {
            include_str!(concat!("stopwords/", $name, ".txt"))
        };
    }
    let list = match name {
        "english" => return Some(ENGLISH.to_vec()),
        "arabic" => list!("arabic"),
        "danish" => list!("danish"),
        "dutch" => list!("dutch"),
        "finnish" => list!("finnish"),
        "french" => list!("french"),
        "german" => list!("german"),
        "greek" => list!("greek"),
        "hungarian" => list!("hungarian"),
        "italian" => list!("italian"),
        "norwegian" => list!("norwegian"),
        "portuguese" => list!("portuguese"),
        "romanian" => list!("romanian"),
        "russian" => list!("russian"),
        "spanish" => list!("spanish"),
        "swedish" => list!("swedish"),
        "tamil" => list!("tamil"),
        "turkish" => list!("turkish"),
        _ => return None,
    };
    Some(list.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect())
}
