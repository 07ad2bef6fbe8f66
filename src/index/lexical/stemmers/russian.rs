//! Russian. Source: L. Dolamic, J. Savoy, *Indexing and searching strategies for the Russian language*, JASIST 60(12), 2009.

use super::{Endings, Word};

const CASES: &[Endings] = &[
    (6, &["иями", "оями"]),
    (5, &["иям", "иях", "оях", "ями", "оям", "оьв", "ами", "его", "ему", "ери", "ими", "ого", "ому", "ыми", "оев"]),
    (
        4,
        &[
            "ая", "яя", "ях", "юю", "ах", "ею", "их", "ия", "ию", "ьв", "ою", "ую", "ям", "ых", "ея", "ам", "ем", "ей",
            "ём", "ев", "ий", "им", "ое", "ой", "ом", "ов", "ые", "ый", "ым", "ми",
        ],
    ),
    (3, &["а", "е", "и", "о", "у", "й", "ы", "я", "ь"]),
];

/// `light_russian`.
pub(in super::super) fn light(term: &mut String) {
    Word::edit(term, |word| {
        word.cut_first(CASES);
        if word.len() > 3 && (matches!(word.last(1), 'ь' | 'и') || word.ends_with("нн")) {
            word.cut(1);
        }
    });
}
