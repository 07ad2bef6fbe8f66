//! Sentences, by Unicode's rules (UAX 29) and a list of abbreviations.

use unicode_segmentation::UnicodeSegmentation;

/// Words before a full stop that end no sentence, in lower case.
const ABBREVIATIONS: [&str; 47] = [
    "adm", "approx", "art", "assoc", "ave", "bros", "ca", "capt", "cf", "ch", "col", "dept", "dr", "e.g", "ed", "eds",
    "eq", "eqs", "fig", "figs", "gen", "gov", "hon", "i.e", "lt", "maj", "messrs", "mr", "mrs", "ms", "mt", "prof",
    "ref", "refs", "rep", "rev", "sec", "sen", "sgt", "st", "tab", "viz", "vol", "vols", "vs", "z.b", "bzw",
];
/// Words that are abbreviations only before a number: `No. 5`, but not `she said no.`
const NUMBERED: [&str; 5] = ["no", "nos", "nr", "p", "pp"];

/// After so many characters without a letter a sentence is taken to end. UAX 29 looks ahead from every full stop to the next letter, which
/// takes quadratic time where there is none.
const MAX_CHARS_WITHOUT_LETTER: usize = 64;

/// The places in `prose` where a sentence begins, the first (0) left out; ascending. Line ends count as spaces.
pub(super) fn starts(prose: &str) -> Vec<usize> {
    // Same length in bytes: offsets stay true.
    let flat: String = prose.chars().map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }).collect();
    let mut starts = Vec::new();
    let mut start = 0;
    for end in dull_stretches(&flat).into_iter().chain([flat.len()]) {
        if start > 0 {
            starts.push(start);
        }
        let part = &flat[start..end];
        let bounds = part.split_sentence_bound_indices().skip(1).map(|(bound, _)| start + bound);
        starts.extend(bounds.filter(|&bound| !goes_on(&flat[..bound], &flat[bound..])));
        start = end;
    }
    starts
}

/// Cuts within stretches of many characters without a letter: after their last white space, if any.
fn dull_stretches(text: &str) -> Vec<usize> {
    let mut cuts = Vec::new();
    let (mut num_chars, mut last_space) = (0, None);
    for (position, c) in text.char_indices() {
        if c.is_alphabetic() {
            (num_chars, last_space) = (0, None);
            continue;
        }
        num_chars += 1;
        if c.is_whitespace() {
            last_space = Some(position + c.len_utf8());
        }
        if num_chars == MAX_CHARS_WITHOUT_LETTER {
            let cut = last_space.unwrap_or(position + c.len_utf8());
            if cut < text.len() {
                cuts.push(cut);
            }
            (num_chars, last_space) = (0, None);
        }
    }
    cuts
}

/// Whether a sentence that UAX 29 ends here goes on: after an abbreviation, and after direct speech (`"Why?" he asked.`).
fn goes_on(before: &str, after: &str) -> bool {
    let before = before.trim_end();
    let ends_speech = before.ends_with(['"', '\u{201d}', '\u{2019}', '\u{bb}']);
    (ends_speech && after.starts_with(char::is_lowercase)) || ends_with_abbreviation(before, after)
}

fn ends_with_abbreviation(before: &str, after: &str) -> bool {
    let Some(stem) = before.strip_suffix('.') else { return false };
    // No abbreviation is long, and looking at few characters keeps this out of the quadratic.
    let num_letters =
        stem.chars().rev().take(12).take_while(|c| c.is_alphanumeric() || *c == '.').map(char::len_utf8).sum::<usize>();
    let word = &stem[stem.len() - num_letters..];
    let is_initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    let lower = word.to_lowercase();
    is_initial
        || ABBREVIATIONS.contains(&lower.as_str())
        || (NUMBERED.contains(&lower.as_str()) && after.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences(text: &str) -> Vec<&str> {
        let starts = starts(text);
        let bounds: Vec<usize> = [0].into_iter().chain(starts).chain([text.len()]).collect();
        bounds.windows(2).map(|pair| text[pair[0]..pair[1]].trim()).collect()
    }

    #[test]
    fn sentences_end_where_a_reader_thinks_so() {
        for (text, expected) in [
            ("One. Two! Three?", vec!["One.", "Two!", "Three?"]),
            ("It is seen, e.g. Here, in Fig. 3. Next.", vec!["It is seen, e.g. Here, in Fig. 3.", "Next."]),
            ("Dr. Smith met J. R. Jones. They spoke.", vec!["Dr. Smith met J. R. Jones.", "They spoke."]),
            ("See No. 5. He said no. She left.", vec!["See No. 5.", "He said no.", "She left."]),
            ("A line\nthat goes on.\nAnother.", vec!["A line\nthat goes on.", "Another."]),
            ("3.5 percent of U.S. firms. \"Why?\" he asked.", vec!["3.5 percent of U.S. firms.", "\"Why?\" he asked."]),
            ("これは文です。次の文。", vec!["これは文です。", "次の文。"]),
            ("", vec![""]),
        ] {
            assert_eq!(sentences(text), expected, "{text:?}");
        }
    }

    #[test]
    fn long_stretches_without_letters_take_linear_time() {
        for filler in [" ", ")", ".", "1 ", "\u{301}", "\u{200b}"] {
            let text = format!("End.{}", filler.repeat(200_000));
            assert!(!starts(&text).is_empty(), "{filler:?}");
        }
    }
}
