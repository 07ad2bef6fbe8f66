//! Arabic: letters that are written in several ways to one, and a light stemmer of prefixes and suffixes.
//!
//! Source: L. Larkey, L. Ballesteros, M. Connell, *Light stemming for Arabic information retrieval*, 2007 (light8 with changes).

use super::Word;

/// `arabic_normalization`.
pub(in super::super) fn normalize(term: &mut String) {
    if term.is_ascii() {
        return;
    }
    *term = term
        .chars()
        .filter(|c| !matches!(c, '\u{640}' | '\u{64b}'..='\u{652}'))
        .map(|c| match c {
            '\u{622}' | '\u{623}' | '\u{625}' => '\u{627}',
            '\u{649}' => '\u{64a}',
            '\u{629}' => '\u{647}',
            _ => c,
        })
        .collect();
}

const PREFIXES: &[&str] = &["ال", "وال", "بال", "كال", "فال", "لل", "و"];
const SUFFIXES: &[&str] = &["ها", "ان", "ات", "ون", "ين", "يه", "ية", "ه", "ة", "ي"];

/// The stemmer: one prefix, then each suffix once.
pub(in super::super) fn stem(term: &mut String) {
    if term.is_ascii() {
        return;
    }
    Word::edit(term, |word| {
        let prefix = PREFIXES.iter().find(|prefix| {
            let len = prefix.chars().count();
            let needed = if len == 1 { 4 } else { len + 2 };
            word.len() >= needed && word.0.iter().copied().take(len).eq(prefix.chars())
        });
        if let Some(prefix) = prefix {
            word.0.drain(..prefix.chars().count());
        }
        for suffix in SUFFIXES {
            let len = suffix.chars().count();
            if word.len() >= len + 2 && word.ends_with(suffix) {
                word.cut(len);
            }
        }
    });
}
