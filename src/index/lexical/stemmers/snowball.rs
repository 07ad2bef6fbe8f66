//! Snowball's stemmers by language, in the versions that Lucene has.
//!
//! `frostem` follows Snowball's main branch; its Danish, French, German, Italian, Turkish and Dutch have changed since Lucene took them over.
//! For these `rust-stemmers` has the older version.

use std::sync::Arc;

use frostem::Algorithm;

use crate::index::lexical::filters::Filter;

/// The stemmer of a language, by its name in lower case; `None` when there is none.
pub(in super::super) fn of_language(language: &str) -> Option<Filter> {
    let old = |name, algorithm| Filter::OldSnowball(name, Arc::new(rust_stemmers::Stemmer::create(algorithm)));
    let algorithm = match language {
        "danish" => return Some(old("danish", rust_stemmers::Algorithm::Danish)),
        "dutch" => return Some(old("dutch", rust_stemmers::Algorithm::Dutch)),
        "french" => return Some(old("french", rust_stemmers::Algorithm::French)),
        "german" => return Some(old("german", rust_stemmers::Algorithm::German)),
        "italian" => return Some(old("italian", rust_stemmers::Algorithm::Italian)),
        "turkish" => return Some(old("turkish", rust_stemmers::Algorithm::Turkish)),
        "arabic" => Algorithm::Arabic,
        "english" => Algorithm::English,
        "finnish" => Algorithm::Finnish,
        "greek" => Algorithm::Greek,
        "hungarian" => Algorithm::Hungarian,
        "norwegian" => Algorithm::Norwegian,
        "portuguese" => Algorithm::Portuguese,
        "romanian" => Algorithm::Romanian,
        "russian" => Algorithm::Russian,
        "spanish" => Algorithm::Spanish,
        "swedish" => Algorithm::Swedish,
        "tamil" => Algorithm::Tamil,
        _ => return None,
    };
    Some(Filter::Snowball(frostem::Stemmer::new(algorithm)))
}
