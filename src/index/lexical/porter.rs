//! The original Porter stemmer, as Elasticsearch's `english` analyzer uses it (`porter_stem`; not Snowball's Porter2).
//!
//! Source: M. F. Porter, *An algorithm for suffix stripping*, Program 14(3), 1980, with the author's two later changes
//! (`bli` for `abli`, and `logi`), described at <https://tartarus.org/martin/PorterStemmer/>. Words of one or two letters stay.

/// Stems `word` (lower case) in place. Characters beyond ASCII count as consonants.
pub(super) fn stem(word: &mut String) {
    if word.is_ascii() {
        let mut bytes = std::mem::take(word).into_bytes();
        stem_bytes(&mut bytes);
        *word = String::from_utf8(bytes).unwrap_or_default();
        return;
    }
    // Every step keeps a prefix and replaces an ending of ASCII, so that stand-ins of one byte can be mapped back by place.
    let original: Vec<char> = word.chars().collect();
    let mut bytes: Vec<u8> = original.iter().map(|&c| stand_in(c)).collect();
    stem_bytes(&mut bytes);
    word.clear();
    word.extend(bytes.iter().enumerate().map(|(idx, &byte)| match original.get(idx) {
        Some(&c) if byte >= 0x80 => c,
        _ => char::from(byte),
    }));
}

fn stand_in(c: char) -> u8 {
    u8::try_from(c).ok().filter(u8::is_ascii).unwrap_or_else(|| 0x80 | (u32::from(c) & 0x7f).to_le_bytes()[0])
}

fn stem_bytes(word: &mut Vec<u8>) {
    if word.len() <= 2 {
        return;
    }
    plurals_and_participles(word);
    final_y(word);
    replace_first(word, DOUBLE_SUFFIXES, 0);
    replace_first(word, SINGLE_SUFFIXES, 0);
    residual_suffix(word);
    final_e_and_double_l(word);
}

fn is_consonant(word: &[u8], at: usize) -> bool {
    match word[at] {
        b'a' | b'e' | b'i' | b'o' | b'u' => false,
        b'y' => at == 0 || !is_consonant(word, at - 1),
        _ => true,
    }
}

/// The number of vowel-consonant sequences in `stem`: Porter's m.
fn measure(stem: &[u8]) -> usize {
    let mut sequences = 0;
    let mut after_vowel = false;
    let mut consonant = false;
    for (at, &byte) in stem.iter().enumerate() {
        consonant = match byte {
            b'a' | b'e' | b'i' | b'o' | b'u' => false,
            b'y' => at == 0 || !consonant,
            _ => true,
        };
        if consonant && after_vowel {
            sequences += 1;
        }
        after_vowel = !consonant;
    }
    sequences
}

fn has_vowel(stem: &[u8]) -> bool {
    (0..stem.len()).any(|at| !is_consonant(stem, at))
}

fn ends_with_double_consonant(word: &[u8]) -> bool {
    let len = word.len();
    len >= 2 && word[len - 1] == word[len - 2] && is_consonant(word, len - 1)
}

/// Consonant, vowel, consonant at the end, the last not w, x or y: `-wil`, `-hop`, but not `-snow`.
fn ends_with_short_syllable(word: &[u8]) -> bool {
    let len = word.len();
    len >= 3
        && is_consonant(word, len - 1)
        && !is_consonant(word, len - 2)
        && is_consonant(word, len - 3)
        && !matches!(word[len - 1], b'w' | b'x' | b'y')
}

fn set_ending(word: &mut Vec<u8>, stem_len: usize, ending: &str) {
    word.truncate(stem_len);
    word.extend_from_slice(ending.as_bytes());
}

/// Step 1a and 1b.
fn plurals_and_participles(word: &mut Vec<u8>) {
    if word.ends_with(b"sses") || word.ends_with(b"ies") {
        word.truncate(word.len() - 2);
    } else if word.ends_with(b"s") && !word.ends_with(b"ss") {
        word.pop();
    }
    if let Some(stem) = word.strip_suffix(b"eed") {
        if measure(stem) > 0 {
            word.pop();
        }
        return;
    }
    let stem_len = match (word.strip_suffix(b"ed"), word.strip_suffix(b"ing")) {
        (Some(stem), _) | (None, Some(stem)) if has_vowel(stem) => stem.len(),
        _ => return,
    };
    word.truncate(stem_len);
    if word.ends_with(b"at") || word.ends_with(b"bl") || word.ends_with(b"iz") {
        word.push(b'e');
    } else if ends_with_double_consonant(word) {
        if !matches!(word.last(), Some(b'l' | b's' | b'z')) {
            word.pop();
        }
    } else if measure(word) == 1 && ends_with_short_syllable(word) {
        word.push(b'e');
    }
}

/// Step 1c.
fn final_y(word: &mut [u8]) {
    if let Some((last, stem)) = word.split_last_mut()
        && *last == b'y'
        && has_vowel(stem)
    {
        *last = b'i';
    }
}

/// Step 2.
const DOUBLE_SUFFIXES: &[(&str, &str)] = &[
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("bli", "ble"),
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
    ("logi", "log"),
];

/// Step 3.
const SINGLE_SUFFIXES: &[(&str, &str)] =
    &[("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", "")];

/// Step 4: `ion` also wants an s or t before it.
const RESIDUAL_SUFFIXES: &[&str] = &[
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate", "iti",
    "ous", "ive", "ize",
];

/// Replaces the first listed suffix that the word has, where the measure of what stands before it exceeds `measure_above`.
fn replace_first(word: &mut Vec<u8>, suffixes: &[(&str, &str)], measure_above: usize) {
    let found = suffixes.iter().find_map(|&(suffix, ending)| {
        word.strip_suffix(suffix.as_bytes()).map(|stem| (stem.len(), measure(stem), ending))
    });
    if let Some((stem_len, measure, ending)) = found
        && measure > measure_above
    {
        set_ending(word, stem_len, ending);
    }
}

fn residual_suffix(word: &mut Vec<u8>) {
    let found = RESIDUAL_SUFFIXES.iter().find_map(|&suffix| {
        let stem = word.strip_suffix(suffix.as_bytes())?;
        (suffix != "ion" || matches!(stem.last(), Some(b's' | b't'))).then_some(stem)
    });
    if let Some(stem) = found
        && measure(stem) > 1
    {
        let stem_len = stem.len();
        word.truncate(stem_len);
    }
}

/// Step 5. The measure for the double l is that of the word before its e was taken.
fn final_e_and_double_l(word: &mut Vec<u8>) {
    let whole_measure = measure(word);
    if let Some(stem) = word.strip_suffix(b"e")
        && (whole_measure > 1 || (whole_measure == 1 && !ends_with_short_syllable(stem)))
    {
        word.pop();
    }
    if word.ends_with(b"l") && ends_with_double_consonant(word) && whole_measure > 1 {
        word.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_as_the_paper_says() {
        // The examples of the paper's sections on each step, and the outputs that its full algorithm gives.
        for (word, expected) in [
            ("caresses", "caress"),
            ("ponies", "poni"),
            ("cats", "cat"),
            ("agreed", "agre"),
            ("plastered", "plaster"),
            ("motoring", "motor"),
            ("hopping", "hop"),
            ("filing", "file"),
            ("happy", "happi"),
            ("sky", "sky"),
            ("relational", "relat"),
            ("digitizer", "digit"),
            ("formalize", "formal"),
            ("adjustable", "adjust"),
            ("probate", "probat"),
            ("controll", "control"),
            ("geologi", "geologi"),
            ("archaeologi", "archaeolog"),
            ("is", "is"),
            ("größe", "größe"),
            ("naïvely", "naïv"),
            ("", ""),
        ] {
            let mut stemmed = word.to_string();
            stem(&mut stemmed);
            assert_eq!(stemmed, expected, "of {word}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics_and_never_grows_by_more_than_one(word in "\\PC{0,12}(ed|ing|s|eed|y|ational|e|ll)?") {
            let mut stemmed = word.clone();
            stem(&mut stemmed);
            proptest::prop_assert!(stemmed.chars().count() <= word.chars().count() + 1);
        }
    }
}
