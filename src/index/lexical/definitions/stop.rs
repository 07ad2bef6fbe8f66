//! Lists of words: `stopwords`, `keep_words`, `common_words`.

use super::Params;
use crate::error::Result;
use crate::index::lexical::stopwords::{self, WordSet};

/// The words of `key`: a list, a text with commas, or names of languages' lists (`_english_`); `None` when it is not there.
pub(super) fn words(params: &Params<'_>, key: &'static str, ignore_case: bool) -> Result<Option<WordSet>> {
    let Some(listed) = params.list(key)? else { return Ok(None) };
    let mut words: Vec<&str> = Vec::new();
    for word in &listed {
        match word.strip_prefix('_').and_then(|rest| rest.strip_suffix('_')) {
            Some("none") => {}
            Some(language) if KNOWN_LISTS.contains(&language) => {
                let Some(list) = stopwords::of_language(language) else {
                    return Err(params.unsupported(&format!("the list of words [{word}]")));
                };
                words.extend(list);
            }
            _ => words.push(word),
        }
    }
    Ok(Some(WordSet::new(words, ignore_case)))
}

/// The languages whose lists Elasticsearch names.
const KNOWN_LISTS: &[&str] = &[
    "arabic",
    "armenian",
    "basque",
    "bengali",
    "brazilian",
    "bulgarian",
    "catalan",
    "cjk",
    "czech",
    "danish",
    "dutch",
    "english",
    "estonian",
    "finnish",
    "french",
    "galician",
    "german",
    "greek",
    "hindi",
    "hungarian",
    "indonesian",
    "irish",
    "italian",
    "latvian",
    "lithuanian",
    "norwegian",
    "persian",
    "portuguese",
    "romanian",
    "russian",
    "serbian",
    "sorani",
    "spanish",
    "swedish",
    "tamil",
    "thai",
    "turkish",
];
