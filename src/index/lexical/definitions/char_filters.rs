//! Character filters.

use std::sync::Arc;

use super::Params;
use crate::error::{Error, Result};
use crate::index::lexical::char_filters::{CharFilter, CharMap};
use crate::index::lexical::html_strip::HtmlStrip;
use crate::index::lexical::java_regex::{self, Replacement};

/// The built-in one of this name.
pub(in super::super) fn named(name: &str) -> Option<CharFilter> {
    (name == "html_strip").then(|| CharFilter::HtmlStrip(HtmlStrip::default()))
}

/// # Errors
/// `Unsupported` or `InvalidInput`, naming the definition.
pub(in super::super) fn build(params: &Params<'_>) -> Result<CharFilter> {
    let filter = match params.kind {
        "html_strip" => CharFilter::HtmlStrip(HtmlStrip {
            escaped_tags: params
                .list("escaped_tags")?
                .unwrap_or_default()
                .iter()
                .map(|tag| tag.to_lowercase())
                .collect(),
        }),
        "mapping" => {
            params.no_file("mappings_path", "mappings")?;
            let lines = params.lines("mappings")?.ok_or_else(|| {
                params.invalid("mapping requires either `mappings` or `mappings_path` to be configured")
            })?;
            CharFilter::Mapping(Arc::new(CharMap::new(
                lines.iter().map(|line| rule(line)).collect::<Result<Vec<_>>>()?,
            )))
        }
        "pattern_replace" => {
            let pattern = params.text("pattern")?.filter(|pattern| !pattern.is_empty()).ok_or_else(|| {
                params
                    .invalid(&format!("pattern is missing for [{}] char filter of type 'pattern_replace'", params.name))
            })?;
            let regex = java_regex::compile(&pattern, &params.text("flags")?.unwrap_or_default())?;
            let replacement = Replacement::new(&params.text("replacement")?.unwrap_or_default(), &regex)?;
            CharFilter::PatternReplace(regex, replacement)
        }
        _ => return Err(params.unknown_type()),
    };
    params.finish()?;
    Ok(filter)
}

/// `from => to`, with escapes in both.
fn rule(line: &str) -> Result<(String, String)> {
    let bad = || Error::invalid_input(format!("Invalid Mapping Rule : [{line}]"));
    // The last arrow cuts, as its left side may hold one.
    let (from, to) = line.rsplit_once("=>").ok_or_else(bad)?;
    let from = unescape(from.trim()).ok_or_else(bad)?;
    if from.is_empty() {
        return Err(bad());
    }
    Ok((from, unescape(to.trim()).ok_or_else(bad)?))
}

fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next()? {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'u' => {
                let digits: String = chars.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok()?;
                // A pair of surrogates is one character.
                if (0xd800..0xdc00).contains(&code) {
                    let low: String = chars.by_ref().take(6).collect();
                    let low = u32::from_str_radix(low.strip_prefix("\\u")?, 16).ok()?;
                    out.push(char::from_u32(0x10000 + ((code - 0xd800) << 10) + low.checked_sub(0xdc00)?)?);
                } else {
                    out.push(char::from_u32(code)?);
                }
            }
            other => out.push(other),
        }
    }
    Some(out)
}
