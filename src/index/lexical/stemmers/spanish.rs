//! Spanish. Source: J. Savoy, *Report on CLEF-2001 experiments*, 2001 (light stemming).

use super::{Word, without_accents};

/// `light_spanish`.
pub(in super::super) fn light(term: &mut String) {
    Word::edit(term, |word| {
        if word.len() < 5 {
            return;
        }
        word.map(without_accents);
        match word.last(1) {
            'o' | 'a' | 'e' => word.cut(1),
            's' if word.ends_with("eses") => word.cut(2),
            's' if word.ends_with("ces") => {
                word.set_last(3, 'z');
                word.cut(2);
            }
            's' if word.ends_with_any(&["os", "as", "es"]) => word.cut(2),
            _ => {}
        }
    });
}
