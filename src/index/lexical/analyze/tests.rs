//! Analyzers against what a real OpenSearch answered (`fixtures/opensearch/analyze.json`, by `analyze.py` beside it).

use serde_json::{Value, json};

use super::*;
use crate::index::lexical::{Analyzers, Part};
use crate::schema::Settings;

fn recorded() -> Value {
    serde_json::from_str(include_str!("../../../../fixtures/opensearch/analyze.json")).unwrap()
}

fn parts(request: &Value, key: &str) -> Vec<Part> {
    request[key].as_array().into_iter().flatten().map(|part| Part::from_value(part).unwrap()).collect()
}

fn analyzer_of(analyzers: &Analyzers, request: &Value) -> Result<Analyzer> {
    if let Some(name) = request["analyzer"].as_str() {
        return analyzers.get(name);
    }
    let tokenizer = request.get("tokenizer").map(|part| Part::from_value(part).unwrap());
    analyzers.assemble(&parts(request, "char_filter"), tokenizer.as_ref(), &parts(request, "filter"))
}

fn printed(tokens: &[AnalyzedToken]) -> Value {
    let print = |token: &AnalyzedToken| {
        let mut fields = vec![
            json!(token.token),
            json!(token.start_offset),
            json!(token.end_offset),
            json!(token.kind),
            json!(token.position),
        ];
        if token.position_length > 1 {
            fields.push(json!(token.position_length));
        }
        Value::Array(fields)
    };
    tokens.iter().map(print).collect()
}

#[test]
fn what_is_wrong_is_refused_by_name() {
    let settings =
        |analysis: Value| Analyzers::new(&Settings::from_value(&json!({"analysis": analysis})).unwrap().index);
    for (analysis, said) in [
        (json!({"filter": {"f": {"type": "nope"}}}), "Unknown filter type [nope] for [f]"),
        (json!({"filter": {"f": {"type": "phonetic"}}}), "type [phonetic] for [f] is not supported"),
        (json!({"filter": {"f": {"type": "stop", "colour": 1}}}), "unknown parameter [colour]"),
        (json!({"filter": {"f": {"type": "ngram", "max_gram": 9}}}), "[index.max_ngram_diff]"),
        (json!({"filter": {"f": {"type": "shingle", "max_shingle_size": 9}}}), "[index.max_shingle_diff]"),
        (json!({"filter": {"f": {"type": "stemmer", "language": "kstem"}}}), "stemmer [kstem] is not supported"),
        (json!({"filter": {"f": {"type": "stemmer", "language": "klingon"}}}), "klingon"),
        (json!({"filter": {"f": {"type": "pattern_replace", "pattern": "\\Ga"}}}), "\\G"),
        (
            json!({"filter": {"f": {"type": "synonym", "synonyms_path": "x"}}, "analyzer": {"a": {"tokenizer": "standard", "filter": "f"}}}),
            "synonyms_path",
        ),
        (json!({"tokenizer": {"t": {"type": "standard", "max_token_length": "x"}}}), "[x]"),
        (json!({"tokenizer": {"t": {"type": "uax_url_email"}}}), "not supported"),
        (json!({"char_filter": {"c": {"type": "mapping", "mappings": ["a"]}}}), "Invalid Mapping Rule : [a]"),
        (json!({"analyzer": {"a": {"filter": []}}}), "must specify either an analyzer type, or a tokenizer"),
        (
            json!({"analyzer": {"a": {"tokenizer": "nope"}}}),
            "Custom Analyzer [a] failed to find tokenizer under name [nope]",
        ),
        (
            json!({"analyzer": {"a": {"tokenizer": "standard", "filter": ["nope"]}}}),
            "failed to find filter under name [nope]",
        ),
        (json!({"analyzer": {"a": {"tokenizer": "standard", "filter": ["kstem"]}}}), "[kstem] is not supported"),
        (json!({"analyzer": {"a": {"type": "english", "max_token_length": 3}}}), "max_token_length"),
        (json!({"normalizer": {"n": {"filter": ["porter_stem"]}}}), "may not use filter [porter_stem]"),
        (json!({"normalizer": {"n": {"tokenizer": "standard"}}}), "cannot configure a tokenizer"),
        (
            json!({"filter": {"f": {"type": "synonym", "synonyms": ["a => b => c"]}}, "analyzer": {"a": {"tokenizer": "standard", "filter": "f"}}}),
            "more than one explicit mapping",
        ),
        (
            json!({"filter": {"g": {"type": "ngram"}, "f": {"type": "synonym", "synonyms": ["a, b"]}}, "analyzer": {"a": {"tokenizer": "standard", "filter": ["g", "f"]}}}),
            "cannot be used to parse synonyms",
        ),
        (
            json!({"filter": {"f": {"type": "multiplexer", "filters": ["f"]}}, "analyzer": {"a": {"tokenizer": "standard", "filter": ["f"]}}}),
            "holds itself",
        ),
    ] {
        let error = settings(analysis.clone()).unwrap_err().to_string();
        assert!(error.contains(said), "{analysis}: {error}");
    }
}

/// The examples of Elasticsearch's reference: the char filter "pattern_replace" and the CamelCase tokenizer of the analyzer "pattern".
#[test]
fn patterns_look_around() {
    let analyzers = Analyzers::default();
    let terms = |request: Value, text: &str| analyzer_of(&analyzers, &request).unwrap().terms(text);
    let cards = json!({"tokenizer": "standard",
        "char_filter": [{"type": "pattern_replace", "pattern": "(\\d+)-(?=\\d)", "replacement": "$1_"}]});
    assert_eq!(terms(cards, "My credit card is 123-456-789"), ["My", "credit", "card", "is", "123_456_789"]);
    let camel_case = json!({"filter": ["lowercase"], "tokenizer": {"type": "pattern", "pattern": concat!(
        "([^\\p{L}\\d]+)|(?<=\\D)(?=\\d)|(?<=\\d)(?=\\D)|(?<=[\\p{L}&&[^\\p{Lu}]])(?=\\p{Lu})",
        "|(?<=\\p{Lu})(?=\\p{Lu}[\\p{L}&&[^\\p{Lu}]])")}});
    assert_eq!(terms(camel_case, "MooseX::FTPClass2_beta"), ["moose", "x", "ftp", "class", "2", "beta"]);
}

#[test]
fn normalizers_make_one_term() {
    let body = json!({"analysis": {
        "normalizer": {"n": {"type": "custom", "char_filter": ["c"], "filter": ["lowercase", "asciifolding"]}},
        "char_filter": {"c": {"type": "mapping", "mappings": ["& => and"]}}}});
    let analyzers = Analyzers::new(&Settings::from_value(&body).unwrap().index).unwrap();
    assert_eq!(analyzers.normalizer("n").unwrap().normalize_value("Caf\u{e9} & Co"), "cafe and co");
    assert_eq!(analyzers.normalizer("lowercase").unwrap().normalize_value("A B"), "a b");
    assert!(analyzers.normalizer("absent").is_err());
}

#[test]
fn search_as_you_type_joins_words_and_cuts_prefixes() {
    let analyzer = Analyzer::named("standard").unwrap();
    assert_eq!(analyzer.with_shingles(2).terms("One two three"), ["one two", "two three"]);
    assert_eq!(analyzer.with_shingle_prefixes(2).terms("ab c"), ["a", "ab", "ab ", "ab c", "c", "c "],);
}

/// Filters that rewrite whole streams, and some that do not.
const STEPS: &[&str] = &[
    r#""lowercase""#,
    r#""word_delimiter_graph""#,
    r#""word_delimiter""#,
    r#""flatten_graph""#,
    r#""cjk_bigram""#,
    r#""fingerprint""#,
    r#""keyword_repeat""#,
    r#""porter_stem""#,
    r#"{"type":"shingle","max_shingle_size":3}"#,
    r#"{"type":"edge_ngram","min_gram":1,"max_gram":3}"#,
    r#"{"type":"edge_ngram","min_gram":2,"max_gram":3,"side":"back"}"#,
    r#"{"type":"synonym_graph","synonyms":["a, b c","d => e f"],"lenient":true}"#,
    r#"{"type":"synonym","synonyms":["a, b c","d => e f"],"lenient":true}"#,
    r#"{"type":"stop","stopwords":["a"],"remove_trailing":false}"#,
    r#"{"type":"asciifolding","preserve_original":true}"#,
    r#"{"type":"pattern_capture","patterns":["(.)(.)"]}"#,
    r#"{"type":"multiplexer","filters":["uppercase","reverse"]}"#,
    r#"{"type":"common_grams","common_words":["a"]}"#,
];

proptest::proptest! {
    #[test]
    fn any_chain_gives_tokens_of_the_text(
        text in "(\\PC{0,20}|[a-f -]{0,20}|<[a-z&;>/ ]{0,12}){0,3}",
        steps in proptest::collection::vec(proptest::sample::select(STEPS), 0..4),
        html in proptest::bool::ANY,
        tokenizer in proptest::sample::select(&["standard", "whitespace", "keyword", "path_hierarchy", "ngram", "pattern"][..]),
    ) {
        let filters: Vec<Part> = steps.iter().map(|step| Part::from_value(&serde_json::from_str(step).unwrap()).unwrap()).collect();
        let char_filters: &[Part] = if html { &[Part::Named("html_strip".to_string())] } else { &[] };
        // Some filters may not stand before synonyms.
        let Ok(analyzer) = Analyzers::default().assemble(char_filters, Some(&Part::Named(tokenizer.to_string())), &filters) else {
            return Ok(());
        };
        let tokens = analyzer.tokens(&text);
        for pair in tokens.windows(2) {
            proptest::prop_assert!(pair[0].position <= pair[1].position, "{pair:?}");
        }
        for token in &tokens {
            proptest::prop_assert!(token.position_length > 0);
            proptest::prop_assert!(text.get(token.start..token.end).is_some(), "{token:?}");
        }
        let encoded = analyzer.encode_values(&[&text, &text]);
        let terms = crate::index::lexical::encoded_tokens::decode(&encoded).count();
        proptest::prop_assert_eq!(terms, 2 * tokens.len());
        let graph = analyzer.graph(&text);
        if let Some(steps) = graph.steps() {
            // A filter behind one that joins words may take the word away that a join leads to: no way through, as in Lucene.
            proptest::prop_assert!(steps.is_empty() == tokens.is_empty() || graph.is_graph() && steps.is_empty());
        }
        analyzer.normalize(&text);
        explain(&analyzer, &[&text], Limits { position_gap: 100, max_tokens: usize::MAX }).unwrap();
    }
}

#[test]
fn analyzers_answer_as_opensearch() {
    let recorded = recorded();
    let settings = Settings::from_value(&recorded["settings"]).unwrap();
    let analyzers = Analyzers::new(&settings.index).unwrap();
    let limits = Limits { position_gap: 0, max_tokens: 10_000 };
    let cases = recorded["cases"].as_array().unwrap();
    let mut wrong = Vec::new();
    for case in cases {
        let text = case["text"].as_str().unwrap();
        let tokens = match analyzer_of(&analyzers, &case["request"]) {
            Ok(analyzer) => printed(&analyze(&analyzer, &[text], limits).unwrap()),
            Err(error) => json!(error.to_string()),
        };
        if tokens != case["tokens"] {
            wrong.push(format!("{}\n  of {text:?}\n  ours   {tokens}\n  theirs {}", case["request"], case["tokens"]));
        }
    }
    assert!(cases.len() > 900);
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
