//! The analyzers that need no definition, and what they are made of when they are configured.
//!
//! `english` is the original Porter stemmer with Lucene's 33 stop words. The other languages take Lucene's stop words and its
//! stemmer: Snowball for most, lighter ones ([`super::stemmers`]) for French, German, Italian, Portuguese, Spanish and Arabic. Known to
//! differ: `greek` (Lucene has a stemmer of its own).

use super::analyzers::{Chain, Step};
use super::filters::{FRENCH_ARTICLES, Filter, ITALIAN_ARTICLES};
use super::java_regex;
use super::stemmers;
use super::stopwords::{self, WordSet};
use super::stream_filters::StreamFilter;
use super::tokenizers::Tokenizer;
use crate::error::{Error, Result};

/// What a configuration may change in a language's analyzer.
#[derive(Debug, Default)]
pub(super) struct Options {
    /// In place of the language's own.
    pub(super) stopwords: Option<WordSet>,
    /// Words that are not stemmed.
    pub(super) stem_exclusion: WordSet,
}

/// The parts of the analyzer of this name, as it is without configuration.
///
/// # Errors
/// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for an unknown name.
pub(super) fn chain(name: &str) -> Result<Chain> {
    configured(name, Options::default())
}

/// The parts of a configured analyzer.
///
/// # Errors
/// As [`chain`].
pub(super) fn configured(name: &str, options: Options) -> Result<Chain> {
    let (tokenizer, filters) = match name {
        "standard" => (Tokenizer::STANDARD, with_stop(options.stopwords)),
        "simple" => (Tokenizer::Letter, vec![Filter::Lowercase]),
        "whitespace" => (Tokenizer::WHITESPACE, vec![]),
        "keyword" => (Tokenizer::Keyword, vec![]),
        "stop" => (Tokenizer::Letter, with_stop(Some(options.stopwords.unwrap_or_else(stopwords::english)))),
        "pattern" => (Tokenizer::Split(java_regex::compile(r"\W+", "")?), with_stop(options.stopwords)),
        "fingerprint" => {
            let stop = options.stopwords.filter(|words| !words.is_empty()).map(Filter::Stop);
            (Tokenizer::STANDARD, [Filter::Lowercase, Filter::AsciiFolding].into_iter().chain(stop).collect())
        }
        _ => (Tokenizer::STANDARD, language_filters(name, options)?),
    };
    let mut chain = Chain::words(tokenizer, filters);
    if name == "fingerprint" {
        let joined = StreamFilter::Fingerprint { separator: " ".to_string(), max_len: 255 };
        chain.filters.push((name.to_string(), vec![Step::Stream(joined)]));
    }
    Ok(chain)
}

fn with_stop(stopwords: Option<WordSet>) -> Vec<Filter> {
    let stop = stopwords.filter(|words| !words.is_empty()).map(Filter::Stop);
    [Filter::Lowercase].into_iter().chain(stop).collect()
}

/// A language's filters: what comes before the stop words, what between them and the stemmer, the stemmer.
struct Language {
    before: Vec<Filter>,
    between: Vec<Filter>,
    stem: Filter,
}

impl Language {
    fn new(stem: Filter) -> Self {
        Self { before: vec![Filter::Lowercase], between: Vec::new(), stem }
    }

    fn before(mut self, filters: Vec<Filter>) -> Self {
        self.before = filters;
        self
    }

    fn between(mut self, filters: Vec<Filter>) -> Self {
        self.between = filters;
        self
    }
}

fn language(name: &str) -> Option<Language> {
    let snowball = |name| Language::new(stemmers::snowball::of_language(name).unwrap_or(Filter::PORTER));
    let elision = |articles: &[&str]| Filter::Elision(WordSet::new(articles.iter().copied(), true));
    Some(match name {
        "arabic" => Language::new(Filter::Stem("arabic", stemmers::arabic::stem))
            .before(vec![Filter::Lowercase, Filter::DecimalDigits])
            .between(vec![Filter::Normalization("arabic_normalization", stemmers::arabic::normalize)]),
        "danish" => snowball("danish"),
        "dutch" => snowball("dutch"),
        "english" => Language::new(Filter::PORTER).before(vec![Filter::EnglishPossessive, Filter::Lowercase]),
        "finnish" => snowball("finnish"),
        "french" => Language::new(Filter::Stem("light_french", stemmers::french::light))
            .before(vec![elision(FRENCH_ARTICLES), Filter::Lowercase]),
        "german" => Language::new(Filter::Stem("light_german", stemmers::german::light))
            .between(vec![Filter::Normalization("german_normalization", stemmers::german::normalize)]),
        "greek" => snowball("greek").before(vec![Filter::GreekLowercase]),
        "hungarian" => snowball("hungarian"),
        "italian" => Language::new(Filter::Stem("light_italian", stemmers::italian::light))
            .before(vec![elision(ITALIAN_ARTICLES), Filter::Lowercase]),
        "norwegian" => snowball("norwegian"),
        "portuguese" => Language::new(Filter::Stem("light_portuguese", stemmers::portuguese::light)),
        "romanian" => snowball("romanian"),
        "russian" => snowball("russian"),
        "spanish" => Language::new(Filter::Stem("light_spanish", stemmers::spanish::light)),
        "swedish" => snowball("swedish"),
        "tamil" => snowball("tamil").before(vec![Filter::Lowercase, Filter::DecimalDigits]),
        "turkish" => snowball("turkish").before(vec![Filter::Apostrophe, Filter::TurkishLowercase]),
        _ => return None,
    })
}

fn language_filters(name: &str, options: Options) -> Result<Vec<Filter>> {
    let Some(Language { before, between, stem }) = language(name) else {
        return Err(Error::unsupported(format!(
            "analyzer [{name}] is not supported (known: {})",
            crate::schema::ANALYZERS.join(", ")
        )));
    };
    let own = || WordSet::new(stopwords::of_language(name).unwrap_or_default(), false);
    let mut filters = before;
    filters.push(Filter::Stop(options.stopwords.unwrap_or_else(own)));
    let exclusion = (!options.stem_exclusion.is_empty()).then_some(Filter::KeywordMarker(options.stem_exclusion));
    // German normalises behind the exclusion, Arabic before it.
    if name == "arabic" {
        filters.extend(between);
        filters.extend(exclusion);
    } else {
        filters.extend(exclusion);
        filters.extend(between);
    }
    filters.push(stem);
    Ok(filters)
}
