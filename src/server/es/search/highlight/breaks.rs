//! Bounds of sentences and words, by the rules of Java's `BreakIterator`, which Elasticsearch's highlighters cut by.
//!
//! The rules were found by asking OpenJDK 17 (`Locale.ROOT`). All places are counted in characters.

/// Whether a character may end a sentence for sure.
fn is_terminator(character: char) -> bool {
    matches!(character, '!' | '?' | '\u{3002}' | '\u{ff01}' | '\u{ff1f}')
}

fn is_period(character: char) -> bool {
    matches!(character, '.' | '\u{ff0e}')
}

/// What may stand between the end of a sentence and the space behind it.
fn is_closing(character: char) -> bool {
    matches!(
        character,
        ')' | ']' | '}' | '"' | '\'' | '\u{bb}' | '\u{201d}' | '\u{2019}' | '\u{203a}' | '\u{300d}' | '\u{300f}'
    )
}

fn is_space(character: char) -> bool {
    character.is_whitespace() && character != '\u{2029}'
}

/// Whether a character before a sentence's first letter belongs to that sentence (a bracket, a quote, a sign).
fn opens(character: char) -> bool {
    !character.is_alphanumeric()
        && !character.is_whitespace()
        && !matches!(character, ',' | '.' | '!' | '?' | ')' | ']' | '}' | '\u{bb}' | '\u{2029}')
}

/// The ends of the sentences of a text, ascending; the last is the text's.
pub(super) fn sentence_ends(text: &[char]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = 0;
    while let Some(&character) = text.get(at) {
        at += 1;
        if character == '\u{2029}' {
            ends.push(at);
            continue;
        }
        let certain = is_terminator(character);
        if !certain && !is_period(character) {
            continue;
        }
        let skip = |from: usize, test: &dyn Fn(char) -> bool| {
            from + text.get(from..).unwrap_or_default().iter().take_while(|character| test(**character)).count()
        };
        let has_terminator = |range: std::ops::Range<usize>| {
            text.get(range).unwrap_or_default().iter().any(|character| is_terminator(*character))
        };
        let closed = skip(at, &|character| is_period(character) || is_closing(character) || is_terminator(character));
        let certain = certain || has_terminator(at..closed);
        let spaced = skip(closed, &is_space);
        let next = text.get(spaced).copied();
        if next == Some('\u{2029}') {
            ends.push(spaced + 1);
            at = spaced + 1;
            continue;
        }
        if certain {
            ends.push(spaced);
            at = spaced;
            continue;
        }
        let opened = skip(spaced, &opens);
        let first = text.get(opened).copied();
        let begins = match first {
            Some(letter) if opened > spaced => letter.is_alphabetic(),
            Some(letter) if spaced > closed => letter.is_alphabetic() && !letter.is_lowercase(),
            Some(_) | None => false,
        };
        // A quote directly behind the period may close or open.
        let quoted = spaced == closed
            && closed > at
            && text.get(closed - 1).is_some_and(|character| matches!(character, '"' | '\''))
            && first.is_some_and(char::is_alphabetic);
        if begins {
            ends.push(spaced);
            at = spaced;
        } else if quoted {
            ends.push(closed);
            at = closed;
        } else {
            at = closed;
        }
    }
    if ends.last() != Some(&text.len()) && !text.is_empty() {
        ends.push(text.len());
    }
    ends.dedup();
    ends
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Digit,
    Ideograph,
    Space,
    /// Joins letters and digits on both sides.
    Middle,
    Other,
}

fn class(character: char) -> Class {
    match character {
        '_' => Class::Letter,
        '\u{3400}'..='\u{9fff}' | '\u{3040}'..='\u{30ff}' | '\u{f900}'..='\u{faff}' => Class::Ideograph,
        character if character.is_numeric() => Class::Digit,
        character if character.is_alphabetic() || is_mark(character) => Class::Letter,
        '\n' | '\r' | '\u{2028}' | '\u{2029}' => Class::Other,
        character if character.is_whitespace() => Class::Space,
        '.' | '\'' | '-' | '\u{ad}' | '\u{b7}' => Class::Middle,
        _ => Class::Other,
    }
}

fn is_mark(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{20d0}'..='\u{20ff}')
}

/// The ends of the words of a text and of what stands between them, ascending.
pub(super) fn word_ends(text: &[char]) -> Vec<usize> {
    let class_at = |at: usize| text.get(at).map(|character| class(*character));
    let mut ends = Vec::new();
    let mut at = 0;
    while let Some(first) = class_at(at) {
        let start = at;
        at += 1;
        match first {
            Class::Space => {
                while class_at(at) == Some(Class::Space) {
                    at += 1;
                }
                // A line's end belongs to the spaces before it.
                if text.get(at).is_some_and(|character| matches!(character, '\n' | '\r')) {
                    at += 1;
                }
            }
            Class::Ideograph => {
                while class_at(at) == Some(Class::Ideograph) {
                    at += 1;
                }
            }
            Class::Letter | Class::Digit => at = word_end(text, at),
            Class::Middle | Class::Other => {
                let sign = text.get(start).copied().unwrap_or_default();
                let before_number =
                    matches!(sign, '.' | '$' | '\u{a3}' | '\u{20ac}') && class_at(at) == Some(Class::Digit);
                if before_number {
                    at = word_end(text, at + 1);
                } else if sign == '\r' && text.get(at) == Some(&'\n') {
                    at += 1;
                }
            }
        }
        ends.push(at);
    }
    ends
}

/// Where the word ends that has the character before `at`.
fn word_end(text: &[char], mut at: usize) -> usize {
    let class_at = |at: usize| text.get(at).map(|character| class(*character));
    loop {
        let before = class_at(at.wrapping_sub(1));
        match class_at(at) {
            Some(Class::Letter | Class::Digit) => at += 1,
            Some(Class::Middle) => {
                let sign = text.get(at).copied().unwrap_or_default();
                let joins = match (before, class_at(at + 1)) {
                    (Some(Class::Letter), Some(Class::Letter)) => true,
                    (Some(Class::Digit), Some(Class::Digit)) => matches!(sign, '.' | '\''),
                    _ => false,
                };
                if !joins {
                    return at;
                }
                at += 1;
            }
            Some(Class::Other) => {
                let sign = text.get(at).copied().unwrap_or_default();
                if sign == ',' && before == Some(Class::Digit) && class_at(at + 1) == Some(Class::Digit) {
                    at += 1;
                } else if matches!(sign, '%' | '\u{2030}') && before == Some(Class::Digit) {
                    return at + 1;
                } else {
                    return at;
                }
            }
            Some(Class::Ideograph | Class::Space) | None => return at,
        }
    }
}

/// The last bound before `at`: 0 or an end of something.
pub(super) fn preceding(ends: &[usize], at: usize) -> usize {
    let place = ends.partition_point(|end| *end < at);
    place.checked_sub(1).and_then(|place| ends.get(place)).copied().unwrap_or(0)
}

/// The first bound after `at`.
pub(super) fn following(ends: &[usize], at: usize) -> Option<usize> {
    ends.get(ends.partition_point(|end| *end <= at)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str, ends: impl Fn(&[char]) -> Vec<usize>) -> Vec<String> {
        let text: Vec<char> = text.chars().collect();
        let mut start = 0;
        let part = |end: usize| {
            let part = text[start..end].iter().collect::<String>();
            start = end;
            part
        };
        ends(&text).into_iter().map(part).collect()
    }

    /// What OpenJDK 17 answered.
    #[test]
    fn sentences_end_where_java_ends_them() {
        for expected in [
            vec!["Hello world. ", "This is it.  and lower. ", "Next"],
            vec!["v1.2 is U.S.A. based. ", "The e.g. ", "Foo"],
            vec!["What? ", "yes! ", "no... ", "Then. ", "\"Quoted.\" ", "Next (one.) ", "Two"],
            vec!["Line one\nLine two. \n", "Three"],
            vec!["A\u{2029}", "B"],
            vec!["Dr. ", "Smith went. 5 apples. node.js Is.Good x"],
            vec!["Mr. ", "'x' said. ", "[ok] done.\n\n", "New para"],
            vec!["end?)  ", "ok"],
            vec!["The thin wing.A wing"],
            vec!["hello!", "World"],
            vec!["it ended.\u{201d} ", "Then \u{201c}so.\u{201d} he"],
            vec!["3. ", "Item. - dash"],
            vec!["ok. $5 and. ", "#hash. ", "@x . y"],
            vec!["Aa. ", "(b"],
            vec!["Aa. - B"],
            vec!["Aa.\"", "B"],
            vec!["Aa.", "#B"],
            vec!["Aa. ", "\u{4e2d}"],
        ] {
            assert_eq!(parts(&expected.concat(), sentence_ends), expected);
        }
    }

    #[test]
    fn words_end_where_java_ends_them() {
        for expected in [
            vec!["Hello", " ", "world", ".", " ", "This"],
            vec!["v1.2", " ", "U.S.A", ".", " ", "e.g", ".", " ", "Foo"],
            vec!["is", " ", "it", ".", "  ", "and"],
            vec!["foo_bar", " ", "a-b", " ", "can't", " ", "3.14", " ", "1,000", " ", "$5", " ", "50%"],
            vec!["x", "@", "y.com", " ", "http", ":", "/", "/", "a.b", "/", "c", "?", "d"],
            vec!["don", "\u{2019}", "t", " ", ".5", " ", "a", ".5", " ", "5", ".", "a", " ", "a5"],
            vec!["1", "-", "2", " ", "-", "3", " ", "2,5", ",", "a", " ", "3'4"],
            vec!["two", ".", " \n", "Three"],
        ] {
            assert_eq!(parts(&expected.concat(), word_ends), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn the_parts_are_the_text(text in "[ab.A!? ,'\"\n5-]{0,40}") {
            for ends in [sentence_ends, word_ends] {
                proptest::prop_assert_eq!(parts(&text, ends).concat(), text.clone());
            }
        }
    }
}
