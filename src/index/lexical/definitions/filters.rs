//! Token filters.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Params, stemming, stop, synonyms};
use crate::error::{Error, Result};
use crate::index::lexical::analyzers::{Chain, Step};
use crate::index::lexical::filters::{FRENCH_ARTICLES, Filter};
use crate::index::lexical::java_regex::{self, Replacement};
use crate::index::lexical::stopwords::{self, WordSet};
use crate::index::lexical::stream_filters::{
    CharKind, CjkBigrams, CommonGrams, Grams, Shingles, StreamFilter, WordDelimiter, WordParts,
};
use crate::index::lexical::{normalizations, stemmers};
use crate::schema::settings::IndexSettings;

/// What a filter may need beside its parameters.
pub(in super::super) struct Surroundings<'a> {
    pub(in super::super) settings: &'a IndexSettings,
    /// What stands before it in its analyzer; rules of synonyms are analysed by it.
    pub(in super::super) before: &'a Chain,
    /// Finds another filter by name.
    pub(in super::super) find: &'a dyn Fn(&str, &Chain) -> Result<Vec<Step>>,
}

/// The built-in one of this name; `None` when there is none.
pub(in super::super) fn named(name: &str) -> Option<Vec<Step>> {
    let normalization = |name: &'static str, rewrite: fn(&mut String)| Filter::Normalization(name, rewrite);
    let filter = match name {
        "apostrophe" => Filter::Apostrophe,
        "arabic_normalization" => normalization("arabic_normalization", stemmers::arabic::normalize),
        "arabic_stem" => Filter::Stem("arabic_stem", stemmers::arabic::stem),
        "asciifolding" => Filter::AsciiFolding,
        "cjk_width" => normalization("cjk_width", normalizations::cjk_width),
        "decimal_digit" => Filter::DecimalDigits,
        "dutch_stem" => stemmers::snowball::of_language("dutch")?,
        "elision" => Filter::Elision(WordSet::new(FRENCH_ARTICLES.iter().copied(), true)),
        "french_stem" => stemmers::snowball::of_language("french")?,
        "german_normalization" => normalization("german_normalization", stemmers::german::normalize),
        "length" => Filter::Length { min: 0, max: u32::MAX },
        "lowercase" => Filter::Lowercase,
        "porter_stem" | "stemmer" => Filter::PORTER,
        "reverse" => Filter::Reverse,
        "russian_stem" => stemmers::snowball::of_language("russian")?,
        "scandinavian_folding" => normalization("scandinavian_folding", normalizations::scandinavian_folding),
        "scandinavian_normalization" => {
            normalization("scandinavian_normalization", normalizations::scandinavian_normalization)
        }
        "snowball" => stemmers::snowball::of_language("english")?,
        "stop" => Filter::Stop(stopwords::english()),
        "trim" => Filter::Trim,
        "truncate" => Filter::Truncate(10),
        "uppercase" => Filter::Uppercase,
        _ => return Some(vec![Step::Stream(named_stream(name)?)]),
    };
    Some(vec![Step::Word(filter)])
}

fn named_stream(name: &str) -> Option<StreamFilter> {
    Some(match name {
        "cjk_bigram" => StreamFilter::CjkBigrams(CjkBigrams {
            han: true,
            hiragana: true,
            katakana: true,
            hangul: true,
            unigrams: false,
        }),
        "edge_ngram" => StreamFilter::Grams(Grams { min: 1, max: 1, edges_only: true, keep_original: false }),
        "fingerprint" => StreamFilter::Fingerprint { separator: " ".to_string(), max_len: 255 },
        "flatten_graph" => StreamFilter::FlattenGraph,
        "keyword_repeat" => StreamFilter::KeywordRepeat,
        "limit" => StreamFilter::Limit(1),
        "ngram" => StreamFilter::Grams(Grams { min: 1, max: 2, edges_only: false, keep_original: false }),
        "remove_duplicates" => StreamFilter::RemoveDuplicates,
        "shingle" => StreamFilter::Shingles(Shingles {
            min: 2,
            max: 2,
            unigrams: true,
            unigrams_if_none: false,
            separator: " ".to_string(),
            filler: "_".to_string(),
        }),
        "unique" => StreamFilter::Unique { same_position: false },
        "word_delimiter" | "word_delimiter_graph" => StreamFilter::WordDelimiter(WordDelimiter {
            graph: name == "word_delimiter_graph",
            cuts: WordParts {
                split_on_case_change: true,
                split_on_numerics: true,
                stem_english_possessive: true,
                kinds: BTreeMap::new(),
            },
            generate_words: true,
            generate_numbers: true,
            catenate_words: false,
            catenate_numbers: false,
            catenate_all: false,
            preserve_original: false,
            adjust_offsets: true,
            ignore_keywords: false,
            protected: WordSet::default(),
        }),
        _ => return None,
    })
}

/// # Errors
/// `Unsupported` or `InvalidInput`, naming the definition.
pub(in super::super) fn build(params: &Params<'_>, around: &Surroundings<'_>) -> Result<Vec<Step>> {
    let steps = match (stemming_filters(params)?, word_filter(params)?) {
        (Some(filters), _) => filters.into_iter().map(Step::Word).collect(),
        (None, Some(filter)) => vec![Step::Word(filter)],
        (None, None) => stream_steps(params, around)?,
    };
    params.finish()?;
    Ok(steps)
}

fn stemming_filters(params: &Params<'_>) -> Result<Option<Vec<Filter>>> {
    let stem = match params.kind {
        "stemmer" => stemming::stemmer,
        "snowball" => stemming::snowball,
        _ => return Ok(None),
    };
    let (language, name) = (params.text("language")?, params.text("name")?);
    let language = language.or(name);
    if params.kind == "stemmer" {
        return stem(language.as_deref().unwrap_or("porter")).map(Some);
    }
    let language = language.unwrap_or_else(|| "English".to_string());
    let mut chars = language.chars();
    let capital: String = chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default();
    stem(&capital).map(Some)
}

fn word_filter(params: &Params<'_>) -> Result<Option<Filter>> {
    Ok(Some(match params.kind {
        "lowercase" => match params.text("language")?.as_deref().map(str::to_lowercase).as_deref() {
            None => Filter::Lowercase,
            Some("greek") => Filter::GreekLowercase,
            Some("irish") => Filter::IrishLowercase,
            Some("turkish") => Filter::TurkishLowercase,
            Some(other) => return Err(params.invalid(&format!("language [{other}] not support for lower case"))),
        },
        "asciifolding" if !params.flag("preserve_original", false)? => Filter::AsciiFolding,
        "stop" if params.flag("remove_trailing", true)? => Filter::Stop(stop_words(params)?),
        "length" => {
            let (min, max) = (params.number("min", 0)?, params.number("max", i32::MAX.unsigned_abs())?);
            if min > max {
                return Err(params.invalid("maximum length must not be greater than minimum length"));
            }
            Filter::Length { min, max }
        }
        "truncate" => match params.signed("length", -1)? {
            ..=0 => return Err(params.invalid("length parameter must be provided")),
            length => Filter::Truncate(u32::try_from(length).unwrap_or(u32::MAX)),
        },
        "elision" => {
            params.no_file("articles_path", "articles")?;
            let ignore_case = params.flag("articles_case", false)?;
            let articles = params
                .list("articles")?
                .ok_or_else(|| params.invalid("elision filter requires [articles] or [articles_path] setting"))?;
            Filter::Elision(WordSet::new(articles.iter().map(String::as_str), ignore_case))
        }
        "keyword_marker" => keyword_marker(params)?,
        "stemmer_override" => stemmer_override(params)?,
        "pattern_replace" => {
            let pattern = params.text("pattern")?.ok_or_else(|| {
                params.invalid(&format!(
                    "pattern is missing for [{}] token filter of type 'pattern_replace'",
                    params.name
                ))
            })?;
            let regex = java_regex::compile(&pattern, &params.text("flags")?.unwrap_or_default())?;
            let replacement = Replacement::new(&params.text("replacement")?.unwrap_or_default(), &regex)?;
            Filter::PatternReplace { pattern: regex, replacement, all: params.flag("all", true)? }
        }
        "keep" => {
            params.no_file("keep_words_path", "keep_words")?;
            let ignore_case = params.flag("keep_words_case", false)?;
            let words = stop::words(params, "keep_words", ignore_case)?;
            Filter::Keep(words.ok_or_else(|| {
                params.invalid("keep requires either `keep_words` or `keep_words_path` to be configured")
            })?)
        }
        "apostrophe"
        | "arabic_normalization"
        | "arabic_stem"
        | "cjk_width"
        | "decimal_digit"
        | "dutch_stem"
        | "french_stem"
        | "german_normalization"
        | "porter_stem"
        | "reverse"
        | "russian_stem"
        | "scandinavian_folding"
        | "scandinavian_normalization"
        | "trim"
        | "uppercase" => match named(params.kind).and_then(|steps| steps.into_iter().next()) {
            Some(Step::Word(filter)) => filter,
            Some(Step::Stream(_)) | None => return Ok(None),
        },
        _ => return Ok(None),
    }))
}

fn stop_words(params: &Params<'_>) -> Result<WordSet> {
    params.no_file("stopwords_path", "stopwords")?;
    let ignore_case = params.flag("ignore_case", false)?;
    let words = stop::words(params, "stopwords", ignore_case)?;
    Ok(words.unwrap_or_else(|| WordSet::new(stopwords::of_language("english").unwrap_or_default(), ignore_case)))
}

fn keyword_marker(params: &Params<'_>) -> Result<Filter> {
    params.no_file("keywords_path", "keywords")?;
    let ignore_case = params.flag("ignore_case", false)?;
    let words = stop::words(params, "keywords", ignore_case)?;
    let pattern = params.text("keywords_pattern")?;
    match (words, pattern) {
        (Some(_), Some(_)) => {
            Err(params.invalid("cannot specify both `keywords_pattern` and `keywords` or `keywords_path`"))
        }
        (None, None) => Err(params.invalid(
            "keyword filter requires either `keywords`, `keywords_path`, or `keywords_pattern` to be configured",
        )),
        (Some(words), None) => Ok(Filter::KeywordMarker(words)),
        // The whole word must match.
        (None, Some(pattern)) => Ok(Filter::KeywordPattern(java_regex::compile(&format!("^(?:{pattern})$"), "")?)),
    }
}

fn stemmer_override(params: &Params<'_>) -> Result<Filter> {
    params.no_file("rules_path", "rules")?;
    let rules = params.lines("rules")?.ok_or_else(|| {
        params.invalid("stemmer override filter requires either `rules` or `rules_path` to be configured")
    })?;
    let mut table = rustc_hash::FxHashMap::default();
    for rule in &rules {
        let bad = || Error::invalid_input(format!("Invalid Keyword override Rule:{rule}"));
        let (words, stem) = rule.split_once("=>").ok_or_else(bad)?;
        let stem = stem.trim();
        if stem.is_empty() || stem.contains("=>") {
            return Err(bad());
        }
        for word in words.split(',').map(str::trim) {
            if word.is_empty() {
                return Err(bad());
            }
            // The first rule for a word counts.
            table.entry(word.into()).or_insert_with(|| stem.into());
        }
    }
    Ok(Filter::StemmerOverride(Arc::new(table)))
}

fn stream_steps(params: &Params<'_>, around: &Surroundings<'_>) -> Result<Vec<Step>> {
    let filter = match params.kind {
        "asciifolding" => StreamFilter::FoldBeside,
        "stop" => StreamFilter::StopButLast(stop_words(params)?),
        "keyword_repeat" => StreamFilter::KeywordRepeat,
        "remove_duplicates" => StreamFilter::RemoveDuplicates,
        "flatten_graph" => StreamFilter::FlattenGraph,
        "unique" => StreamFilter::Unique { same_position: params.flag("only_on_same_position", false)? },
        "limit" => {
            params.flag("consume_all_tokens", false)?;
            StreamFilter::Limit(params.number("max_token_count", 1)? as usize)
        }
        "keep_types" => keep_types(params)?,
        "fingerprint" => StreamFilter::Fingerprint {
            separator: params.text("separator")?.unwrap_or_else(|| " ".to_string()),
            max_len: params.number("max_output_size", 255)?,
        },
        "ngram" | "edge_ngram" => return grams(params, around.settings),
        "shingle" => shingles(params, around.settings)?,
        "common_grams" => {
            params.no_file("common_words_path", "common_words")?;
            let ignore_case = params.flag("ignore_case", false)?;
            let words = stop::words(params, "common_words", ignore_case)?.ok_or_else(|| {
                params.invalid("missing or empty [common_words] or [common_words_path] configuration for common_grams token filter")
            })?;
            StreamFilter::CommonGrams(CommonGrams { words, query_mode: params.flag("query_mode", false)? })
        }
        "cjk_bigram" => {
            let ignored = params.list("ignored_scripts")?.unwrap_or_default();
            let pairs = |script: &str| !ignored.iter().any(|ignored| ignored == script);
            StreamFilter::CjkBigrams(CjkBigrams {
                han: pairs("han"),
                hiragana: pairs("hiragana"),
                katakana: pairs("katakana"),
                hangul: pairs("hangul"),
                unigrams: params.flag("output_unigrams", false)?,
            })
        }
        "pattern_capture" => {
            let patterns = params.lines("patterns")?.ok_or_else(|| {
                params.invalid("required setting 'patterns' is missing for token filter [pattern_capture]")
            })?;
            StreamFilter::PatternCapture {
                patterns: patterns.iter().map(|pattern| java_regex::compile(pattern, "")).collect::<Result<_>>()?,
                keep_original: params.flag("preserve_original", true)?,
            }
        }
        "word_delimiter" | "word_delimiter_graph" => StreamFilter::WordDelimiter(word_delimiter(params)?),
        "synonym" => StreamFilter::Synonyms(Arc::new(synonyms::map(params, around.before)?)),
        "synonym_graph" => StreamFilter::SynonymGraph(Arc::new(synonyms::map(params, around.before)?)),
        "multiplexer" => multiplexer(params, around)?,
        _ => return Err(params.unknown_type()),
    };
    Ok(vec![Step::Stream(filter)])
}

fn keep_types(params: &Params<'_>) -> Result<StreamFilter> {
    let types = params
        .list("types")?
        .filter(|types| !types.is_empty())
        .ok_or_else(|| params.invalid("keep_types requires `types` to be configured"))?;
    let include = match params.text("mode")?.as_deref() {
        None | Some("include") => true,
        Some("exclude") => false,
        Some(other) => {
            return Err(params.invalid(&format!(
                "`keep_types` tokenfilter mode can only be [include] or [exclude] but was [{other}]."
            )));
        }
    };
    Ok(StreamFilter::KeepTypes { types, include })
}

fn grams(params: &Params<'_>, settings: &IndexSettings) -> Result<Vec<Step>> {
    let edges_only = params.kind == "edge_ngram";
    let (min, max) = (params.number("min_gram", 1)?, params.number("max_gram", 2)?);
    super::tokenizers::check_grams(min, max)?;
    let most = settings.max_ngram_diff.unwrap_or(1);
    if !edges_only && max - min > most {
        return Err(params.invalid(&format!(
            "The difference between max_gram and min_gram in NGram Tokenizer must be less than or equal to: [{most}] but was [{}]. This limit can be set by changing the [index.max_ngram_diff] index level setting.",
            max - min
        )));
    }
    let keep_original = params.flag("preserve_original", false)?;
    let grams = Grams { min: min as usize, max: max as usize, edges_only, keep_original };
    let step = Step::Stream(StreamFilter::Grams(grams));
    if !edges_only {
        return Ok(vec![step]);
    }
    match params.text("side")?.as_deref() {
        None | Some("front") => Ok(vec![step]),
        Some("back") => Ok(vec![Step::Word(Filter::Reverse), step, Step::Word(Filter::Reverse)]),
        Some(other) => Err(params.invalid(&format!("invalid side: {other}"))),
    }
}

fn shingles(params: &Params<'_>, settings: &IndexSettings) -> Result<StreamFilter> {
    let (min, max) = (params.number("min_shingle_size", 2)?, params.number("max_shingle_size", 2)?);
    let unigrams = params.flag("output_unigrams", true)?;
    if min < 2 || max < 2 {
        return Err(params.invalid("min_shingle_size and max_shingle_size must be at least 2"));
    }
    if min > max {
        return Err(params.invalid("Max shingle size must be >= min shingle size"));
    }
    let most = settings.max_shingle_diff.unwrap_or(3);
    let difference = max - min + u32::from(unigrams);
    if difference > most {
        return Err(params.invalid(&format!(
            "In Shingle TokenFilter the difference between max_shingle_size and min_shingle_size (and +1 if outputting unigrams) must be less than or equal to: [{most}] but was [{difference}]. This limit can be set by changing the [index.max_shingle_diff] index level setting."
        )));
    }
    Ok(StreamFilter::Shingles(Shingles {
        min: min as usize,
        max: max as usize,
        unigrams,
        unigrams_if_none: params.flag("output_unigrams_if_no_shingles", false)?,
        separator: params.text("token_separator")?.unwrap_or_else(|| " ".to_string()),
        filler: params.text("filler_token")?.unwrap_or_else(|| "_".to_string()),
    }))
}

fn word_delimiter(params: &Params<'_>) -> Result<WordDelimiter> {
    params.no_file("protected_words_path", "protected_words")?;
    params.no_file("type_table_path", "type_table")?;
    let graph = params.kind == "word_delimiter_graph";
    let mut kinds = BTreeMap::new();
    for rule in params.lines("type_table")?.unwrap_or_default() {
        let (c, kind) = type_rule(&rule)?;
        kinds.insert(c, kind);
    }
    let protected = params.list("protected_words")?.unwrap_or_default();
    Ok(WordDelimiter {
        graph,
        cuts: WordParts {
            split_on_case_change: params.flag("split_on_case_change", true)?,
            split_on_numerics: params.flag("split_on_numerics", true)?,
            stem_english_possessive: params.flag("stem_english_possessive", true)?,
            kinds,
        },
        generate_words: params.flag("generate_word_parts", true)?,
        generate_numbers: params.flag("generate_number_parts", true)?,
        catenate_words: params.flag("catenate_words", false)?,
        catenate_numbers: params.flag("catenate_numbers", false)?,
        catenate_all: params.flag("catenate_all", false)?,
        preserve_original: params.flag("preserve_original", false)?,
        adjust_offsets: !graph || params.flag("adjust_offsets", true)?,
        ignore_keywords: graph && params.flag("ignore_keywords", false)?,
        protected: WordSet::new(protected.iter().map(String::as_str), false),
    })
}

/// `$ => DIGIT`.
fn type_rule(rule: &str) -> Result<(char, CharKind)> {
    let bad = |why: &str| Error::invalid_input(format!("Invalid Mapping Rule : [{rule}]{why}"));
    let (from, kind) = rule.rsplit_once("=>").ok_or_else(|| bad(""))?;
    let from = from.trim();
    let kind = match kind.trim() {
        "LOWER" => CharKind::LOWER,
        "UPPER" => CharKind::UPPER,
        "ALPHA" => CharKind::ALPHA,
        "DIGIT" => CharKind::DIGIT,
        "ALPHANUM" => CharKind::ALPHANUM,
        "SUBWORD_DELIM" => CharKind::DELIMITER,
        _ => return Err(bad(". Illegal type.")),
    };
    let mut chars = from.chars();
    let c = match (chars.next(), chars.next()) {
        (Some(c), None) => c,
        (Some('\\'), Some('u')) => u32::from_str_radix(chars.as_str(), 16)
            .ok()
            .and_then(char::from_u32)
            .ok_or_else(|| bad(". Illegal character."))?,
        (Some('\\'), Some(escaped)) if chars.next().is_none() => match escaped {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            other => other,
        },
        _ => return Err(bad(". Only a single character is allowed.")),
    };
    Ok((c, kind))
}

fn multiplexer(params: &Params<'_>, around: &Surroundings<'_>) -> Result<StreamFilter> {
    let filters = params.lines("filters")?.unwrap_or_default();
    let mut keep_original = params.flag("preserve_original", true)?;
    let mut chains = Vec::new();
    for chain in &filters {
        let names: Vec<&str> = chain.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        if names.is_empty() {
            keep_original = true;
            continue;
        }
        let mut steps = Vec::new();
        for name in names {
            steps.extend((around.find)(name, around.before)?);
        }
        chains.push(steps);
    }
    Ok(StreamFilter::Multiplexer { chains, keep_original })
}
