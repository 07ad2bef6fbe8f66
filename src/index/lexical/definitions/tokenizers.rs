//! Tokenizers.

use super::Params;
use crate::error::{Error, Result};
use crate::index::lexical::categories::{DIGITS, LETTERS, PUNCTUATION, SYMBOLS};
use crate::index::lexical::filters::Filter;
use crate::index::lexical::java_regex;
use crate::index::lexical::path_hierarchy::PathHierarchy;
use crate::index::lexical::tokenizers::{CharGroup, Tokenizer};
use crate::schema::settings::IndexSettings;

/// A tokenizer, and a filter where it comes with one (`lowercase`).
pub(in super::super) type Parts = (Tokenizer, Option<Filter>);

/// The built-in one of this name.
pub(in super::super) fn named(name: &str) -> Option<Parts> {
    let tokenizer = match name {
        "standard" => Tokenizer::STANDARD,
        "letter" => Tokenizer::Letter,
        "lowercase" => return Some((Tokenizer::Letter, Some(Filter::Lowercase))),
        "whitespace" => Tokenizer::WHITESPACE,
        "keyword" => Tokenizer::Keyword,
        "pattern" => Tokenizer::Split(java_regex::compile(r"\W+", "").ok()?),
        "ngram" => Tokenizer::NGram { min: 1, max: 2, chars: None, edges_only: false },
        "edge_ngram" => Tokenizer::NGram { min: 1, max: 2, chars: None, edges_only: true },
        "path_hierarchy" => {
            Tokenizer::PathHierarchy(PathHierarchy { delimiter: '/', replacement: '/', reverse: false, skip: 0 })
        }
        _ => return None,
    };
    Some((tokenizer, None))
}

/// # Errors
/// `Unsupported` or `InvalidInput`, naming the definition.
pub(in super::super) fn build(params: &Params<'_>, settings: &IndexSettings) -> Result<Parts> {
    let tokenizer = match params.kind {
        "standard" => Tokenizer::Standard(max_token_length(params)?),
        "letter" => Tokenizer::Letter,
        "lowercase" => {
            params.finish()?;
            return Ok((Tokenizer::Letter, Some(Filter::Lowercase)));
        }
        "whitespace" => Tokenizer::Whitespace(max_token_length(params)?),
        "keyword" => {
            // How much Lucene reads at a time.
            params.number("buffer_size", 256)?;
            Tokenizer::Keyword
        }
        "pattern" => {
            let pattern = params.text("pattern")?.unwrap_or_else(|| r"\W+".to_string());
            let regex = java_regex::compile(&pattern, &params.text("flags")?.unwrap_or_default())?;
            match params.signed("group", -1)? {
                -1 => Tokenizer::Split(regex),
                group => {
                    let group = usize::try_from(group).ok().filter(|&group| group < regex.num_groups());
                    let group =
                        group.ok_or_else(|| params.invalid("invalid group specified: pattern has no such group"))?;
                    Tokenizer::Match(regex, group)
                }
            }
        }
        "char_group" => {
            let max_token_length = max_token_length(params)?;
            Tokenizer::CharGroup(char_group(params)?, max_token_length)
        }
        "ngram" | "edge_ngram" => ngram(params, settings)?,
        "path_hierarchy" => path_hierarchy(params)?,
        "simple_pattern" | "simple_pattern_split" => {
            return Err(Error::unsupported(format!(
                "tokenizer type [{}] for [{}] is not supported; use [pattern]",
                params.kind, params.name
            )));
        }
        _ => return Err(params.unknown_type()),
    };
    params.finish()?;
    Ok((tokenizer, None))
}

fn max_token_length(params: &Params<'_>) -> Result<usize> {
    match params.number("max_token_length", 255)? {
        0 => Err(params.invalid("maxTokenLength must be greater than zero")),
        length @ 1..=1_048_576 => Ok(length as usize),
        _ => Err(params.invalid("maxTokenLength may not exceed 1048576")),
    }
}

fn ngram(params: &Params<'_>, settings: &IndexSettings) -> Result<Tokenizer> {
    let edges_only = params.kind == "edge_ngram";
    let (min, max) = (params.number("min_gram", 1)?, params.number("max_gram", 2)?);
    check_grams(min, max)?;
    let most = settings.max_ngram_diff.unwrap_or(1);
    if !edges_only && max - min > most {
        return Err(params.invalid(&format!(
            "The difference between max_gram and min_gram in NGram Tokenizer must be less than or equal to: [{most}] but was [{}]. This limit can be set by changing the [index.max_ngram_diff] index level setting.",
            max - min
        )));
    }
    let chars = token_chars(params)?;
    Ok(Tokenizer::NGram { min: min as usize, max: max as usize, chars, edges_only })
}

/// Both kinds of grams want a smallest of at least 1 and a largest no smaller.
pub(super) fn check_grams(min: u32, max: u32) -> Result<()> {
    if min == 0 {
        return Err(Error::invalid_input("minGram must be greater than zero"));
    }
    if min > max {
        return Err(Error::invalid_input("minGram must not be greater than maxGram"));
    }
    Ok(())
}

fn token_chars(params: &Params<'_>) -> Result<Option<CharGroup>> {
    let custom = params.text("custom_token_chars")?;
    let Some(names) = params.list("token_chars")?.filter(|names| !names.is_empty()) else { return Ok(None) };
    let mut group = CharGroup::default();
    for name in &names {
        match name.to_lowercase().as_str() {
            "letter" => group.sets.push(LETTERS.clone()),
            "digit" => group.sets.push(DIGITS.clone()),
            "whitespace" => group.white_space = true,
            "punctuation" => group.sets.push(PUNCTUATION.clone()),
            "symbol" => group.sets.push(SYMBOLS.clone()),
            "custom" => {
                let custom = custom
                    .as_ref()
                    .ok_or_else(|| params.invalid("Token type: 'custom' requires setting `custom_token_chars`"))?;
                group.chars.push_str(custom);
            }
            _ => {
                return Err(params.invalid(&format!(
                    "Unknown token type: '{name}', must be one of [letter, digit, whitespace, punctuation, symbol, custom]"
                )));
            }
        }
    }
    Ok(Some(group))
}

fn char_group(params: &Params<'_>) -> Result<CharGroup> {
    let mut group = CharGroup::default();
    for item in params.lines("tokenize_on_chars")?.unwrap_or_default() {
        let mut chars = item.chars();
        match (item.as_str(), chars.next(), chars.next()) {
            ("letter", ..) => group.sets.push(LETTERS.clone()),
            ("digit", ..) => group.sets.push(DIGITS.clone()),
            ("whitespace", ..) => group.white_space = true,
            ("punctuation", ..) => group.sets.push(PUNCTUATION.clone()),
            ("symbol", ..) => group.sets.push(SYMBOLS.clone()),
            (_, Some('\\'), Some(escaped)) if chars.next().is_none() || escaped == 'u' => {
                group.chars.push(match escaped {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'u' => item
                        .get(2..)
                        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
                        .and_then(char::from_u32)
                        .ok_or_else(|| params.invalid(&format!("Invalid escaped char in [{item}]")))?,
                    other => other,
                });
            }
            (_, Some(one), None) => group.chars.push(one),
            _ => return Err(params.invalid(&format!("Invalid escaped char in [{item}]"))),
        }
    }
    Ok(group)
}

fn path_hierarchy(params: &Params<'_>) -> Result<Tokenizer> {
    let one = |key: &'static str, default: char| -> Result<char> {
        let Some(text) = params.text(key)? else { return Ok(default) };
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) => Ok(c),
            _ => Err(params.invalid(&format!("{key} must be a one char value"))),
        }
    };
    let delimiter = one("delimiter", '/')?;
    params.number("buffer_size", 1024)?;
    Ok(Tokenizer::PathHierarchy(PathHierarchy {
        delimiter,
        replacement: one("replacement", delimiter)?,
        reverse: params.flag("reverse", false)?,
        skip: params.number("skip", 0)? as usize,
    }))
}
