//! German. Source: J. Savoy, *Light stemming approaches for the French, Portuguese, German and Hungarian languages*, SAC 2006;
//! the normalisation is that of Snowball's German2, <https://snowballstem.org/algorithms/german/stemmer.html>.

use super::{Word, without_accents};

/// `german_normalization`: ß to ss, umlauts to vowels, and `ae`, `oe`, `ue` too where they stand for umlauts.
pub(in super::super) fn normalize(term: &mut String) {
    #[derive(PartialEq)]
    enum Before {
        Other,
        /// After it an u begins no umlaut.
        Vowel,
        /// After it an e is an umlaut's.
        Umlaut,
    }
    let mut out = String::with_capacity(term.len());
    let mut before = Before::Other;
    for c in term.chars() {
        let (written, next) = match c {
            'a' | 'o' => (c, Before::Umlaut),
            'u' if before == Before::Other => (c, Before::Umlaut),
            'u' | 'i' | 'q' | 'y' => (c, Before::Vowel),
            'e' if before == Before::Umlaut => {
                before = Before::Vowel;
                continue;
            }
            'e' => (c, Before::Vowel),
            'ä' => ('a', Before::Vowel),
            'ö' => ('o', Before::Vowel),
            'ü' => ('u', Before::Vowel),
            'ß' => {
                out.push('s');
                ('s', Before::Other)
            }
            _ => (c, Before::Other),
        };
        out.push(written);
        before = next;
    }
    *term = out;
}

/// What Snowball's German2 does before it stems: vowels with an e behind them are umlauts, but a u not behind a q or a vowel.
pub(in super::super) fn umlauts(term: &mut String) {
    let mut out = String::with_capacity(term.len());
    let mut chars = term.chars().peekable();
    let mut before = None;
    while let Some(c) = chars.next() {
        let umlaut = match (c, chars.peek()) {
            ('a', Some('e')) => Some('ä'),
            ('o', Some('e')) => Some('ö'),
            ('u', Some('e')) if !before.is_some_and(|before| "qaeiouyäöü".contains(before)) => Some('ü'),
            _ => None,
        };
        if umlaut.is_some() {
            chars.next();
        }
        out.push(umlaut.unwrap_or(c));
        before = Some(c);
    }
    *term = out;
}

/// `light_german`.
pub(in super::super) fn light(term: &mut String) {
    Word::edit(term, |word| {
        word.map(|c| if c == 'ë' || c == 'è' || c == 'é' || c == 'ê' { c } else { without_accents(c) });
        first_endings(word);
        second_endings(word);
    });
}

fn may_precede_s(c: char) -> bool {
    matches!(c, 'b' | 'd' | 'f' | 'g' | 'h' | 'k' | 'l' | 'm' | 'n' | 't')
}

fn first_endings(word: &mut Word) {
    if word.cut_first(&[(5, &["ern"]), (4, &["em", "en", "er", "es"]), (3, &["e"])]) {
        return;
    }
    if word.len() > 3 && word.last(1) == 's' && may_precede_s(word.last(2)) {
        word.cut(1);
    }
}

fn second_endings(word: &mut Word) {
    if word.cut_first(&[(5, &["est"]), (4, &["er", "en"])]) {
        return;
    }
    if word.is_longer(4, "st") && may_precede_s(word.last(3)) {
        word.cut(2);
    }
}

/// `minimal_german`.
pub(in super::super) fn minimal(term: &mut String) {
    Word::edit(term, |word| {
        if word.len() < 5 {
            return;
        }
        word.map(|c| match c {
            'ä' => 'a',
            'ö' => 'o',
            'ü' => 'u',
            _ => c,
        });
        word.cut_first(&[(6, &["nen"]), (5, &["en", "se", "es", "er"]), (4, &["n", "e", "s", "r"])]);
    });
}
