//! Italian. Source: J. Savoy, *Report on CLEF-2001 experiments*, 2001 (light stemming).

use super::{Word, without_accents};

/// `light_italian`.
pub(in super::super) fn light(term: &mut String) {
    Word::edit(term, |word| {
        if word.len() < 6 {
            return;
        }
        word.map(without_accents);
        let before = word.last(2);
        match word.last(1) {
            'e' | 'i' if matches!(before, 'i' | 'h') => word.cut(2),
            'a' | 'o' if before == 'i' => word.cut(2),
            'e' | 'i' | 'a' | 'o' => word.cut(1),
            _ => {}
        }
    });
}
