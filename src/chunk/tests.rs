//! The promises of the module's front page, by example and as properties.

use proptest::prelude::*;

use super::*;
use crate::models::Pooling;

/// A token is a word, or four characters of a long one, or (with 1) a character.
struct Pieces(usize);

impl Tokenize for Pieces {
    fn token_offsets(&self, text: &str) -> Result<Vec<Range<usize>>> {
        let mut tokens: Vec<Range<usize>> = Vec::new();
        let (mut num_chars, mut follows_space) = (0, true);
        for (start, c) in text.char_indices() {
            if c.is_whitespace() {
                follows_space = true;
                continue;
            }
            if follows_space || num_chars == self.0 {
                tokens.push(start..start);
                num_chars = 0;
            }
            if let Some(last) = tokens.last_mut() {
                last.end = start + c.len_utf8();
            }
            num_chars += 1;
            follows_space = false;
        }
        Ok(tokens)
    }
}

/// A token a byte, all on their character, as byte-level tokenizers have it; spaces belong to the next word.
struct Bytes;

impl Tokenize for Bytes {
    fn token_offsets(&self, text: &str) -> Result<Vec<Range<usize>>> {
        let tokens_of = |(start, c): (usize, char)| std::iter::repeat_n(start..start + c.len_utf8(), c.len_utf8());
        Ok(text.char_indices().flat_map(tokens_of).collect())
    }
}

fn options(max_tokens: usize, overlap_tokens: usize) -> ChunkOptions {
    ChunkOptions { max_tokens, overlap_tokens, ..ChunkOptions::default() }
}

fn cut<'a>(text: &'a str, options: &ChunkOptions, tokenizer: &dyn Tokenize) -> Vec<&'a str> {
    passages(&[text], options, tokenizer).unwrap().iter().map(|span| &text[span.range()]).collect()
}

const WORDS: Pieces = Pieces(usize::MAX);

#[test]
fn a_short_text_is_one_passage_without_the_space_around_it() {
    assert_eq!(cut("  # Title\n\nOne. Two.\n ", &options(5, 2), &WORDS), ["# Title\n\nOne. Two."]);
    assert!(cut(" \n\t\u{a0}", &options(5, 2), &WORDS).is_empty());
    assert!(passages(&[], &options(5, 2), &WORDS).unwrap().is_empty());
}

#[test]
fn each_text_of_an_array_has_its_own_passages() {
    let texts = ["One.", "", " \n", "Two three four five six."];
    let spans = passages(&texts, &options(3, 0), &WORDS).unwrap();
    let found: Vec<(u32, &str)> =
        spans.iter().map(|span| (span.value_idx, &texts[span.value_idx as usize][span.range()])).collect();
    assert_eq!(found, [(0, "One."), (3, "Two three four"), (3, "five six.")]);
}

#[test]
fn passages_begin_at_headings_and_headings_stay_with_their_text() {
    let text = "# Lift\n\nOne two three. Four five six.\n\n# Drag\n\nSeven eight nine. Ten eleven twelve.\n";
    assert_eq!(
        cut(text, &options(10, 5), &WORDS),
        ["# Lift\n\nOne two three. Four five six.", "# Drag\n\nSeven eight nine. Ten eleven twelve."]
    );
    let text =
        "Intro words here now.\n\nMethods\n\nWe did this. We did that.\n\nResults\n\nIt was good. It was fine too.";
    assert_eq!(
        cut(text, &options(9, 0), &WORDS),
        ["Intro words here now.", "Methods\n\nWe did this. We did that.", "Results\n\nIt was good. It was fine too."]
    );
}

#[test]
fn paragraphs_are_kept_whole_where_they_can_be() {
    let text = "One two three. Four five.\n\nSix seven eight. Nine ten. Eleven.";
    assert_eq!(cut(text, &options(7, 0), &WORDS), ["One two three. Four five.", "Six seven eight. Nine ten. Eleven."]);
}

#[test]
fn neighbours_share_whole_sentences() {
    let text = "A one two. B one two. C one two. D one two. E one two.";
    assert_eq!(
        cut(text, &options(10, 4), &WORDS),
        ["A one two. B one two. C one two.", "C one two. D one two. E one two."]
    );
    let mut none = options(10, 4);
    none.overlap_sentences = 0;
    assert_eq!(cut(text, &none, &WORDS).concat().len(), text.len() - 1);
}

#[test]
fn there_is_no_tiny_last_passage() {
    let text: String = (0..21).map(|n| format!("Word{n} ends. ")).collect();
    let lengths: Vec<usize> =
        cut(&text, &options(40, 0), &WORDS).iter().map(|passage| passage.split_whitespace().count()).collect();
    assert_eq!(lengths.len(), 2);
    assert!(lengths.iter().all(|&length| length >= 20), "{lengths:?}");
}

#[test]
fn a_long_sentence_is_cut_at_words_and_a_long_word_inside() {
    let sentence = (0..20).map(|n| format!("w{n}")).collect::<Vec<_>>().join(" ");
    for passage in cut(&sentence, &options(6, 0), &WORDS) {
        assert!(passage.starts_with('w') && passage.split(' ').count() <= 6, "{passage}");
    }
    let word = "é".repeat(50);
    let parts = cut(&word, &options(4, 0), &Pieces(3));
    assert_eq!(parts.concat(), word);
    assert!(parts.iter().all(|part| part.chars().count() <= 12));
}

#[test]
fn windows_are_even_and_overlap() {
    let text = (0..25).map(|n| format!("w{n}")).collect::<Vec<_>>().join(" ");
    let word = ChunkOptions { strategy: ChunkStrategy::Word, ..options(10, 3) };
    let windows: Vec<Vec<&str>> = cut(&text, &word, &WORDS).iter().map(|window| window.split(' ').collect()).collect();
    assert_eq!(windows.iter().map(Vec::len).collect::<Vec<_>>(), [9, 9, 9, 7]);
    for pair in windows.windows(2) {
        assert_eq!(pair[0][pair[0].len() - 3..], pair[1][..3]);
    }
    let none = ChunkOptions { strategy: ChunkStrategy::None, ..options(10, 3) };
    assert_eq!(cut(&text, &none, &WORDS), [text.as_str()]);
}

#[test]
fn options_are_fitted_to_the_model() {
    let model = ModelFingerprint {
        normalized: true,
        name: "m".into(),
        hash: String::new(),
        dims: 1,
        pooling: Pooling::Mean,
        query_prefix: String::new(),
        passage_prefix: "passage: ".into(),
        max_tokens: 64,
    };
    let fitted = ChunkOptions::default().fitted_to(&model, &WORDS).unwrap();
    assert_eq!((fitted.max_tokens, fitted.overlap_tokens), (57, 28));
    fitted.validate().unwrap();
    let small = options(20, 5);
    assert_eq!(small.fitted_to(&model, &WORDS).unwrap(), small);
    assert!(passages(&["x"], &options(0, 0), &WORDS).is_err());
    assert!(passages(&["x"], &options(10, 6), &WORDS).is_err());
}

#[test]
fn large_and_hostile_texts_take_linear_time() {
    let prose = "The lift of a wing in a slipstream, e.g. Fig. 3, grows. It does so at any angle!\n".repeat(4000);
    let spans = passages(&[&prose], &ChunkOptions::default(), &WORDS).unwrap();
    assert!(spans.len() > 250, "{}", spans.len());
    for filler in ["x", " . ", "\u{200b}\n\n", "# H\n", "1 ", "(", "a b\u{85}"] {
        let text = filler.repeat(30_000);
        check(&[&text], &options(50, 10), &Pieces(4));
    }
}

/// Every promise of the module's front page.
fn check(texts: &[&str], options: &ChunkOptions, tokenizer: &dyn Tokenize) {
    let spans = passages(texts, options, tokenizer).unwrap();
    assert_eq!(spans, passages(texts, options, tokenizer).unwrap());
    assert!(spans.is_sorted_by_key(|span| (span.value_idx, span.start)));
    for (value_idx, text) in texts.iter().enumerate() {
        let own: Vec<Range<usize>> =
            spans.iter().filter(|span| span.value_idx as usize == value_idx).map(PassageSpan::range).collect();
        assert_eq!(own.is_empty(), text.trim().is_empty(), "{text:?}");
        let mut covered = 0;
        for range in &own {
            let passage = &text[range.clone()];
            assert!(!passage.is_empty() && passage.trim().len() == passage.len(), "{passage:?}");
            let num_tokens = tokenizer.token_offsets(passage).unwrap().len();
            let is_one_char = passage.chars().count() == 1;
            assert!(num_tokens <= options.max_tokens || is_one_char, "{num_tokens} tokens: {passage:?}");
            assert!(range.start <= covered || text[covered..range.start].trim().is_empty(), "gap before {passage:?}");
            covered = range.end;
        }
        assert!(text[covered..].trim().is_empty());
        for pair in own.windows(2) {
            assert!(pair[0].start < pair[1].start && pair[0].end < pair[1].end);
            assert!(options.overlap_tokens > 0 || pair[0].end <= pair[1].start);
        }
        for three in own.windows(3) {
            assert!(three[0].end <= three[2].start, "overlap beyond the neighbour");
        }
    }
}

fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        6 => "[a-zA-Zé日]{1,9}",
        2 => Just(" ".to_string()),
        2 => Just(". ".to_string()),
        1 => Just("? ".to_string()),
        1 => "[a-z]{20,60}",
        1 => prop::sample::select(vec!["\n", "\n\n", "\n# ", "\n---\n", "\n- ", "\n```\n", "| a |\n", "\r\n\r\n", "e.g. ", "\u{301}", "🎉"])
            .prop_map(str::to_string),
    ];
    prop::collection::vec(part, 0..120).prop_map(|parts| parts.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn passages_keep_every_promise(
        texts in prop::collection::vec(text(), 0..3),
        max_tokens in 1usize..40,
        overlap_part in 0usize..=4,
        strategy in prop::sample::select(vec![ChunkStrategy::Sentence, ChunkStrategy::Word]),
    ) {
        let options = ChunkOptions { strategy, ..options(max_tokens, max_tokens * overlap_part / 8) };
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        check(&texts, &options, &WORDS);
        check(&texts, &options, &Pieces(4));
        check(&texts, &options, &Pieces(1));
        check(&texts, &options, &Bytes);
    }
}
