//! The analyzers against what Lucene 9.12 answered (`fixtures/lucene/analyzers.jsonl`).

use super::*;

#[derive(serde::Deserialize)]
struct Golden {
    analyzer: String,
    text: String,
    /// Term, position, start and end in bytes.
    tokens: Vec<(String, u32, usize, usize)>,
}

#[test]
fn analyzers_answer_as_lucene() {
    let recorded = include_str!("../../../../fixtures/lucene/analyzers.jsonl");
    for line in recorded.lines() {
        let golden: Golden = serde_json::from_str(line).unwrap();
        let analyzer = Analyzer::named(&golden.analyzer).unwrap();
        let tokens: Vec<_> =
            analyzer.tokens(&golden.text).into_iter().map(|t| (t.term, t.position, t.start, t.end)).collect();
        assert_eq!(tokens, golden.tokens, "{} of {:?}", golden.analyzer, golden.text);
    }
}

#[test]
fn every_name_is_known_and_others_are_refused_with_the_list() {
    for name in ANALYZER_NAMES {
        assert_eq!(Analyzer::named(name).unwrap().name(), *name);
    }
    let error = Analyzer::named("klingon").unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Unsupported);
    assert!(error.to_string().contains("english"), "{error}");
}

#[test]
fn lighter_stemmers_are_not_lucenes_but_stop_words_and_elision_are() {
    for (name, text, expected) in [
        ("french", "L'avion et les avions", &["avion", "avion"] as &[&str]),
        ("german", "die Häuser und der Häuser", &["haus", "haus"]),
        ("italian", "dell'arte all’arte", &["arte", "arte"]),
    ] {
        let terms = Analyzer::named(name).unwrap().terms(text);
        assert_eq!(terms.len(), expected.len(), "{name}: {terms:?}");
        assert_eq!(terms[0], terms[1], "{name}");
    }
}

fn positions(analyzer: &str, values: &[&str]) -> Vec<(u32, String)> {
    let encoded = Analyzer::named(analyzer).unwrap().encode_values(values);
    let mut next = 0;
    encoded_tokens::decode(&encoded)
        .map(|(increment, term)| {
            next += increment;
            (next - 1, term.to_string())
        })
        .collect()
}

#[test]
fn values_of_an_array_lie_a_gap_apart_and_stop_words_leave_holes() {
    let found = positions("english", &["the cat sat on the", "", "a dog"]);
    // Lucene: 5 positions and the gap, none and the gap, then one hole before the dog.
    let expected = [(1, "cat"), (2, "sat"), (5 + 100 + 100 + 1, "dog")];
    assert_eq!(found, expected.map(|(position, term)| (position, term.to_string())));
    assert!(positions("english", &["the", ""]).is_empty());
}

#[test]
fn a_long_word_is_cut_at_255_units() {
    let long = "a".repeat(300);
    for name in ["standard", "simple", "whitespace"] {
        let lengths: Vec<usize> = Analyzer::named(name).unwrap().terms(&long).iter().map(String::len).collect();
        assert_eq!(lengths, [255, 45], "{name}");
    }
    assert_eq!(Analyzer::named("keyword").unwrap().terms(&long), [long.as_str()]);
}

proptest::proptest! {
    #[test]
    fn tokens_slice_the_text_and_agree_with_the_encoding(text in "\\PC{0,120}", name in proptest::sample::select(ANALYZER_NAMES)) {
        let analyzer = Analyzer::named(name).unwrap();
        let tokens = analyzer.tokens(&text);
        for pair in tokens.windows(2) {
            proptest::prop_assert!(pair[0].position < pair[1].position && pair[0].end <= pair[1].start);
        }
        for token in &tokens {
            proptest::prop_assert!(text.get(token.start..token.end).is_some());
        }
        let encoded = analyzer.encode_values(&[text.as_str()]);
        let decoded: Vec<&str> = encoded_tokens::decode(&encoded).map(|(_, term)| term).collect();
        proptest::prop_assert_eq!(decoded, tokens.iter().map(|token| token.term.as_str()).collect::<Vec<_>>());
    }
}
