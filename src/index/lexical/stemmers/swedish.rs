//! Swedish. Source: J. Savoy, *Report on CLEF-2001 experiments*, 2001 (light stemming).

use super::{Endings, Word};

const ENDINGS: &[Endings] = &[
    (7, &["elser", "heten"]),
    (6, &["arne", "erna", "ande", "else", "aste", "orna", "aren"]),
    (5, &["are", "ast", "het"]),
    (4, &["ar", "er", "or", "en", "at", "te", "et"]),
    (3, &["t", "a", "e", "n"]),
];

/// `light_swedish`.
pub(in super::super) fn light(term: &mut String) {
    Word::edit(term, |word| {
        if word.is_longer(4, "s") {
            word.cut(1);
        }
        word.cut_first(ENDINGS);
    });
}
