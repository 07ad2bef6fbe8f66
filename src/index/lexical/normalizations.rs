//! Filters that bring several ways of writing to one, character by character.

/// Wide letters to ASCII, narrow Katakana to full ones with their voice marks.
pub(super) fn cjk_width(term: &mut String) {
    if !term.chars().any(|c| matches!(c, '\u{ff01}'..='\u{ff5e}' | '\u{ff65}'..='\u{ff9f}')) {
        return;
    }
    let mut out: Vec<char> = Vec::with_capacity(term.len());
    for c in term.chars() {
        match c {
            '\u{ff01}'..='\u{ff5e}' => out.extend(char::from_u32(u32::from(c) - 0xfee0)),
            '\u{ff65}'..='\u{ff9f}' => {
                let voiced = match (c, out.last_mut()) {
                    ('\u{ff9e}' | '\u{ff9f}', Some(before)) => match with_mark(*before, c == '\u{ff9f}') {
                        Some(joined) => {
                            *before = joined;
                            true
                        }
                        None => false,
                    },
                    _ => false,
                };
                if !voiced {
                    let at = usize::try_from(u32::from(c) - 0xff65).unwrap_or(0);
                    out.extend(FULL_KATAKANA.chars().nth(at));
                }
            }
            _ => out.push(c),
        }
    }
    *term = out.into_iter().collect();
}

/// What U+FF65 to U+FF9F stand for; the two marks as combining ones.
const FULL_KATAKANA: &str = "・ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン\u{3099}\u{309a}";

fn with_mark(kana: char, half_voiced: bool) -> Option<char> {
    let joined = match kana {
        'ハ' | 'ヒ' | 'フ' | 'ヘ' | 'ホ' => u32::from(kana) + if half_voiced { 2 } else { 1 },
        _ if half_voiced => return None,
        'ウ' => 0x30f4,
        'カ' | 'キ' | 'ク' | 'ケ' | 'コ' | 'サ' | 'シ' | 'ス' | 'セ' | 'ソ' | 'タ' | 'チ' | 'ツ' | 'テ' | 'ト'
        | 'ヽ' => u32::from(kana) + 1,
        'ワ' | 'ヰ' | 'ヱ' | 'ヲ' => u32::from(kana) + 8,
        _ => return None,
    };
    char::from_u32(joined)
}

/// The ways to write å, æ and ø to these letters.
pub(super) fn scandinavian_normalization(term: &mut String) {
    scandinavian(term, |vowel| match vowel {
        Vowel::A => 'æ',
        Vowel::RingA => 'å',
        Vowel::O => 'ø',
    });
}

/// å, ä and æ to a, ö and ø to o, doubled vowels to one.
pub(super) fn scandinavian_folding(term: &mut String) {
    scandinavian(term, |vowel| match vowel {
        Vowel::A | Vowel::RingA => 'a',
        Vowel::O => 'o',
    });
}

enum Vowel {
    A,
    RingA,
    O,
}

fn scandinavian(term: &mut String, letter: impl Fn(Vowel) -> char) {
    let mut out = String::with_capacity(term.len());
    let mut chars = term.chars().peekable();
    while let Some(c) = chars.next() {
        let upper = c.is_uppercase();
        let next = chars.peek().copied().map(|next| next.to_lowercase().next().unwrap_or(next));
        let lower = c.to_lowercase().next().unwrap_or(c);
        let (vowel, pair) = match (lower, next) {
            ('å', _) => (Some(Vowel::RingA), false),
            ('ä' | 'æ', _) => (Some(Vowel::A), false),
            ('ö' | 'ø', _) => (Some(Vowel::O), false),
            ('a', Some('a' | 'o')) => (Some(Vowel::RingA), true),
            ('a', Some('e')) => (Some(Vowel::A), true),
            ('o', Some('e' | 'o')) => (Some(Vowel::O), true),
            _ => (None, false),
        };
        match vowel {
            Some(vowel) => {
                let written = letter(vowel);
                out.push(if upper { super::categories::simple_uppercase(written) } else { written });
            }
            None => out.push(c),
        }
        if pair {
            chars.next();
        }
    }
    *term = out;
}
