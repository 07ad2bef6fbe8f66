//! French. Source: J. Savoy, *A stemming procedure and stopword list for general French corpora*, JASIS 50(10), 1999, and
//! *Light stemming approaches for the French, Portuguese, German and Hungarian languages*, SAC 2006.

use super::Word;

/// What an ending becomes where the word is longer than so many characters: (length, ending, what stands in its place).
type Rewrite = (usize, &'static str, &'static str);

/// Tried before the adverbs.
const PARTICIPLES: &[Rewrite] = &[(9, "issement", "ir"), (8, "issant", "ir")];

/// The first that fits ends the search.
const AGENTS: &[Rewrite] = &[
    (11, "ficatrice", "fier"),
    (10, "ficateur", "fier"),
    (9, "catrice", "quer"),
    (8, "cateur", "quer"),
    (8, "atrice", "er"),
    (7, "ateur", "er"),
];

/// As [`AGENTS`], after the change of `trice`.
const ADJECTIVES: &[Rewrite] = &[
    (5, "ième", ""),
    (7, "teuse", "ter"),
    (6, "teur", "ter"),
    (5, "euse", "eu"),
    (8, "ère", "er"),
    (7, "ive", "if"),
    (4, "folle", "fou"),
    (4, "molle", "mou"),
    (9, "nnelle", "n"),
    (9, "nnel", "n"),
];

/// As [`AGENTS`], at the end.
const NOUNS: &[Rewrite] = &[(8, "esse", "e"), (7, "inage", "in")];

fn rewrite(word: &mut Word, table: &[Rewrite]) -> bool {
    let Some((_, ending, by)) = table.iter().find(|(longer, ending, _)| word.is_longer(*longer, ending)) else {
        return false;
    };
    word.cut(ending.chars().count());
    word.0.extend(by.chars());
    true
}

/// `light_french`.
pub(in super::super) fn light(term: &mut String) {
    Word::edit(term, |word| {
        endings(word);
        normalize(word);
    });
}

fn endings(word: &mut Word) {
    if word.len() > 5 && word.last(1) == 'x' {
        if word.last(3) == 'a' && word.last(2) == 'u' && word.last(4) != 'e' {
            word.set_last(2, 'l');
        }
        word.cut(1);
    }
    for plural in ['x', 's'] {
        if word.len() > 3 && word.last(1) == plural {
            word.cut(1);
        }
    }
    if rewrite(word, PARTICIPLES) {
        return;
    }
    if word.is_longer(6, "ement") {
        word.cut(4);
        if word.is_longer(3, "ive") {
            word.cut(1);
            word.set_last(1, 'f');
        }
        return;
    }
    if rewrite(word, AGENTS) {
        return;
    }
    rewrite(word, &[(6, "trice", "teur")]);
    if rewrite(word, ADJECTIVES) {
        return;
    }
    rewrite(word, &[(4, "ète", "et")]);
    rewrite(word, &[(8, "ique", "")]);
    if rewrite(word, NOUNS) {
        return;
    }
    if word.is_longer(9, "isation") {
        word.cut(7);
        if word.is_longer(5, "ual") {
            word.set_last(2, 'e');
        }
        return;
    }
    rewrite(word, &[(9, "isateur", ""), (8, "ation", ""), (8, "ition", "")]);
}

fn normalize(word: &mut Word) {
    if word.len() > 4 {
        word.map(|c| match c {
            'à' | 'á' | 'â' => 'a',
            'ô' => 'o',
            'è' | 'é' | 'ê' => 'e',
            'ù' | 'û' => 'u',
            'î' => 'i',
            'ç' => 'c',
            _ => c,
        });
        word.0.dedup_by(|c, before| c == before && c.is_alphabetic());
    }
    if word.is_longer(4, "ie") {
        word.cut(2);
    }
    if word.len() > 4 {
        for ending in ['r', 'e', 'e'] {
            if word.last(1) == ending {
                word.cut(1);
            }
        }
        cut_doubled(word);
    }
}

fn cut_doubled(word: &mut Word) {
    if word.last(1) == word.last(2) && word.last(1).is_alphabetic() {
        word.cut(1);
    }
}

/// `minimal_french`.
pub(in super::super) fn minimal(term: &mut String) {
    Word::edit(term, |word| {
        if word.len() < 6 {
            return;
        }
        if word.last(1) == 'x' {
            if word.last(3) == 'a' && word.last(2) == 'u' {
                word.set_last(2, 'l');
            }
            word.cut(1);
            return;
        }
        for ending in ['s', 'r', 'e', 'é'] {
            if word.last(1) == ending {
                word.cut(1);
            }
        }
        cut_doubled(word);
    });
}
