//! Norwegian, Bokmål and Nynorsk: the endings of nouns and adjectives, as Lucene lists them.

use super::{Endings, Word};

const BOKMAL: &[Endings] = &[
    (7, &["heter", "heten"]),
    (5, &["dom", "het"]),
    (7, &["elser", "elsen"]),
    (6, &["ende", "else", "este", "eren"]),
    (5, &["ere", "est", "ene"]),
    (4, &["er", "en", "et", "st", "te"]),
    (3, &["a", "e", "n"]),
];

const NYNORSK: &[Endings] = &[
    (7, &["heita"]),
    (8, &["heiter", "leiken", "leikar"]),
    (6, &["heit", "semd", "leik"]),
    (7, &["elser", "elsen"]),
    (6, &["ande", "else", "aste", "aren"]),
    (5, &["are", "ast", "ene", "ane"]),
    (4, &["er", "en", "et", "ar", "te"]),
    (3, &["a", "e", "n"]),
];

const MINIMAL_BOKMAL: &[Endings] = &[(5, &["ene"]), (4, &["er", "en", "et"]), (3, &["a", "e"])];
const MINIMAL_NYNORSK: &[Endings] = &[(5, &["ene", "ane"]), (4, &["er", "en", "et", "ar"]), (3, &["a", "e"])];

fn stem(term: &mut String, endings: &[Endings]) {
    Word::edit(term, |word| {
        if word.is_longer(4, "s") {
            word.cut(1);
        }
        word.cut_first(endings);
    });
}

/// `light_norwegian`.
pub(in super::super) fn light(term: &mut String) {
    stem(term, BOKMAL);
}

/// `light_nynorsk`.
pub(in super::super) fn light_nynorsk(term: &mut String) {
    stem(term, NYNORSK);
}

/// `minimal_norwegian`.
pub(in super::super) fn minimal(term: &mut String) {
    stem(term, MINIMAL_BOKMAL);
}

/// `minimal_nynorsk`.
pub(in super::super) fn minimal_nynorsk(term: &mut String) {
    stem(term, MINIMAL_NYNORSK);
}
