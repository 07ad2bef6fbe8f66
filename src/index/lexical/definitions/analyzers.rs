//! Analyzers with a type of their own, configured: `standard` with stop words, `pattern`, `fingerprint`, languages.

use super::{Params, stop};
use crate::error::Result;
use crate::index::lexical::analyzers::{Chain, Step};
use crate::index::lexical::built_in::{self, Options};
use crate::index::lexical::filters::Filter;
use crate::index::lexical::java_regex;
use crate::index::lexical::stopwords::WordSet;
use crate::index::lexical::stream_filters::StreamFilter;
use crate::index::lexical::tokenizers::Tokenizer;

/// # Errors
/// `Unsupported` or `InvalidInput`, naming the definition.
pub(in super::super) fn build(params: &Params<'_>) -> Result<Chain> {
    let chain = match params.kind {
        "standard" => {
            let mut chain = built_in::configured("standard", options(params)?)?;
            let length = params.number("max_token_length", 255)?.max(1);
            chain.tokenizer = Tokenizer::Standard(length as usize);
            chain
        }
        "simple" | "whitespace" | "keyword" => built_in::chain(params.kind)?,
        "pattern" => {
            let pattern = params.text("pattern")?.unwrap_or_else(|| r"\W+".to_string());
            let regex = java_regex::compile(&pattern, &params.text("flags")?.unwrap_or_default())?;
            let lowercase = params.flag("lowercase", true)?.then_some(Filter::Lowercase);
            let stop = options(params)?.stopwords.filter(|words| !words.is_empty()).map(Filter::Stop);
            Chain::words(Tokenizer::Split(regex), lowercase.into_iter().chain(stop).collect())
        }
        "fingerprint" => fingerprint(params)?,
        "snowball" => {
            return Err(params.unsupported("the deprecated analyzer; use a custom one with the filter [snowball]"));
        }
        kind => {
            if !crate::schema::ANALYZERS.contains(&kind) {
                return Err(params.unknown_type());
            }
            let mut options = options(params)?;
            let exclusion = params.list("stem_exclusion")?.unwrap_or_default();
            options.stem_exclusion = WordSet::new(exclusion.iter().map(String::as_str), false);
            built_in::configured(kind, options)?
        }
    };
    params.finish()?;
    Ok(chain)
}

fn options(params: &Params<'_>) -> Result<Options> {
    params.no_file("stopwords_path", "stopwords")?;
    Ok(Options { stopwords: stop::words(params, "stopwords", false)?, stem_exclusion: WordSet::default() })
}

fn fingerprint(params: &Params<'_>) -> Result<Chain> {
    let mut chain = built_in::configured("fingerprint", options(params)?)?;
    let joined = StreamFilter::Fingerprint {
        separator: params.text("separator")?.unwrap_or_else(|| " ".to_string()),
        max_len: params.number("max_output_size", 255)?,
    };
    chain.filters.pop();
    chain.filters.push(("fingerprint".to_string(), vec![Step::Stream(joined)]));
    Ok(chain)
}
