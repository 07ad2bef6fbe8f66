//! English plurals. Source: D. Harman, *How effective is suffixing?*, JASIS 42(1), 1991 (the S-stemmer).

use super::Word;

/// `minimal_english`.
pub(in super::super) fn minimal(term: &mut String) {
    if !term.ends_with('s') {
        return;
    }
    Word::edit(term, |word| {
        if word.len() < 3 || matches!(word.last(2), 'u' | 's') {
            return;
        }
        if word.last(2) == 'e' {
            if word.len() > 3 && word.last(3) == 'i' && !matches!(word.last(4), 'a' | 'e') {
                word.set_last(3, 'y');
                word.cut(2);
                return;
            }
            if matches!(word.last(3), 'i' | 'a' | 'o' | 'e') {
                return;
            }
        }
        word.cut(1);
    });
}
