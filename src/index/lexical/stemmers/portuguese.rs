//! Portuguese. Source: J. Savoy, *Light stemming approaches for the French, Portuguese, German and Hungarian languages*, SAC 2006.

use super::{Word, without_accents};

/// `light_portuguese`.
pub(in super::super) fn light(term: &mut String) {
    Word::edit(term, |word| {
        if word.len() < 4 {
            return;
        }
        plurals(word);
        if word.len() > 3 && word.last(1) == 'a' {
            feminine(word);
        }
        if word.len() > 4 && matches!(word.last(1), 'e' | 'a' | 'o') {
            word.cut(1);
        }
        word.map(|c| match c {
            'ã' => 'a',
            'õ' => 'o',
            'ç' => 'c',
            _ => without_accents(c),
        });
    });
}

/// Takes so many characters off the end and puts others there.
fn replace(word: &mut Word, count: usize, by: &str) {
    word.cut(count);
    word.0.extend(by.chars());
}

fn plurals(word: &mut Word) {
    if word.is_longer(4, "es") && matches!(word.last(3), 'r' | 's' | 'l' | 'z') {
        return word.cut(2);
    }
    if word.is_longer(3, "ns") {
        return replace(word, 2, "m");
    }
    if word.len() > 4 && word.ends_with_any(&["eis", "éis"]) {
        return replace(word, 3, "el");
    }
    if word.is_longer(4, "ais") {
        return replace(word, 3, "al");
    }
    if word.is_longer(4, "óis") {
        return replace(word, 3, "ol");
    }
    if word.is_longer(4, "is") {
        return replace(word, 2, "il");
    }
    if word.len() > 3 && word.ends_with_any(&["ões", "ães"]) {
        return replace(word, 3, "ão");
    }
    if word.is_longer(6, "mente") {
        return word.cut(5);
    }
    if word.is_longer(3, "s") {
        word.cut(1);
    }
}

fn feminine(word: &mut Word) {
    if word.len() > 7 && word.ends_with_any(&["inha", "iaca", "eira"]) {
        return word.set_last(1, 'o');
    }
    if word.len() > 6 {
        if word.ends_with_any(&["osa", "ica", "ida", "ada", "iva", "ama"]) {
            return word.set_last(1, 'o');
        }
        if word.ends_with("ona") {
            return replace(word, 3, "ão");
        }
        if word.ends_with("ora") {
            return word.cut(1);
        }
        if word.ends_with("esa") {
            return replace(word, 3, "ês");
        }
        if word.ends_with("na") {
            word.set_last(1, 'o');
        }
    }
}
