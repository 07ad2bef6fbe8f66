//! What rewrites a text before it is cut into words: `mapping`, `pattern_replace` and `html_strip`.
//!
//! Each keeps [`Corrections`], so that tokens name places of the text as it was.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::html_strip::HtmlStrip;
use super::java_regex::{Pattern, Replacement};
use super::stream::{Corrections, FilteredText, Utf16Offsets, units};

/// A character filter.
#[derive(Debug, Clone)]
pub(super) enum CharFilter {
    /// `MappingCharFilter`.
    Mapping(Arc<CharMap>),
    /// `PatternReplaceCharFilter`.
    PatternReplace(Pattern, Replacement),
    /// `HTMLStripCharFilter`.
    HtmlStrip(HtmlStrip),
}

impl CharFilter {
    /// Whether a normalizer may have it.
    pub(super) fn is_normalizing(&self) -> bool {
        matches!(self, CharFilter::Mapping(_) | CharFilter::PatternReplace(..))
    }

    fn apply(&self, text: &str, corrections: &mut Corrections) -> Option<String> {
        match self {
            CharFilter::Mapping(map) => map.apply(text, corrections),
            CharFilter::PatternReplace(pattern, replacement) => replace_all(pattern, replacement, text, corrections),
            CharFilter::HtmlStrip(strip) => strip.apply(text, corrections),
        }
    }
}

/// Runs all `filters` in order.
pub(super) fn filter<'a>(filters: &[CharFilter], text: &'a str) -> FilteredText<'a> {
    let mut filtered = FilteredText { text: Cow::Borrowed(text), corrections: Vec::new() };
    for filter in filters {
        let mut corrections = Corrections::default();
        if let Some(text) = filter.apply(&filtered.text, &mut corrections) {
            filtered.text = Cow::Owned(text);
            filtered.corrections.push(corrections);
        }
    }
    filtered
}

/// Strings and what replaces them; the longest that fits is taken.
#[derive(Debug, Default)]
pub(super) struct CharMap {
    /// By first character, the longest first.
    rules: HashMap<char, Vec<(String, String)>>,
}

impl CharMap {
    pub(super) fn new(rules: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut map = Self::default();
        for (from, to) in rules {
            if let Some(first) = from.chars().next() {
                map.rules.entry(first).or_default().push((from, to));
            }
        }
        map.rules.values_mut().for_each(|rules| rules.sort_by_key(|(from, _)| std::cmp::Reverse(from.len())));
        map
    }

    fn apply(&self, text: &str, corrections: &mut Corrections) -> Option<String> {
        let mut out = String::new();
        let mut rest = text;
        let mut any = false;
        // UTF-16 units of the input read so far.
        let mut read = 0_u32;
        while let Some(c) = rest.chars().next() {
            let rule =
                self.rules.get(&c).and_then(|rules| rules.iter().find(|(from, _)| rest.starts_with(from.as_str())));
            let Some((from, to)) = rule else {
                out.push(c);
                read += if c.len_utf16() == 2 { 2 } else { 1 };
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
                continue;
            };
            any = true;
            rest = rest.get(from.len()..).unwrap_or_default();
            read += units(from);
            out.push_str(to);
            let (taken, given) = (i64::from(units(from)), i64::from(units(to)));
            let (shrunk, before) = (taken - given, corrections.last_difference());
            // Where text was added, its surplus lies on the place where the match ended.
            if shrunk > 0 {
                corrections.add(offset(i64::from(read) - shrunk - before), before + shrunk);
            } else {
                let start = i64::from(read) - before;
                for extra in 0..-shrunk {
                    corrections.add(offset(start + extra), before - extra - 1);
                }
            }
        }
        any.then_some(out)
    }
}

fn offset(value: i64) -> u32 {
    u32::try_from(value.max(0)).unwrap_or(u32::MAX)
}

fn replace_all(
    pattern: &Pattern,
    replacement: &Replacement,
    text: &str,
    corrections: &mut Corrections,
) -> Option<String> {
    let mut out = String::new();
    let mut last = 0;
    let (mut any, mut difference) = (false, 0_i64);
    let offsets = Utf16Offsets::new(text);
    for groups in pattern.captures_iter(text) {
        let Some(found) = groups.get(0) else { continue };
        out.push_str(&text[last..found.start]);
        let before = i64::from(offsets.unit(found.start)) - difference;
        let out_len = out.len();
        replacement.append(text, &groups, &mut out);
        let taken = i64::from(offsets.unit(found.end)) - i64::from(offsets.unit(found.start));
        let given = i64::from(units(&out[out_len..]));
        if given < taken {
            difference += taken - given;
            corrections.add(offset(before + given), difference);
        } else {
            for extra in taken..given {
                difference -= 1;
                corrections.add(offset(before + extra), difference);
            }
        }
        last = found.end;
        any = true;
    }
    any.then(|| {
        out.push_str(&text[last..]);
        out
    })
}
