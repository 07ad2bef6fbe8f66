//! What the search box reads.

use proptest::prelude::*;
use tantivy::schema::Field;

use super::*;
use crate::index::lexical::{Analyzer, Bm25Params, FieldKind, LexicalField};
use crate::retrieve::query::MatchQuery;

fn table() -> FieldTable {
    let english = Analyzer::named("english").unwrap();
    let text =
        || FieldKind::Text { analyzer: english.clone(), search_analyzer: english.clone(), bm25: Bm25Params::default() };
    let mut table = FieldTable::new(None);
    for (id, (name, kind)) in
        (0..).zip([("title", text()), ("body", text()), ("tag", FieldKind::Keyword), ("year", FieldKind::Long)])
    {
        let field = LexicalField::new(Field::from_field_id(id), kind, true, true);
        table.insert(name, field);
    }
    table
}

/// The query in a short form: `w()` words, `p()` phrase, `&` must, `|` should, `!` must not.
#[expect(clippy::wildcard_enum_match_arm, reason = "the search box makes few kinds of queries")]
fn short(query: &Query) -> String {
    let place = |fields: &[BoostedField]| fields.iter().map(|field| format!("{}:", field.field)).collect::<String>();
    match query {
        Query::MatchAll => "all".into(),
        Query::MatchNone => "none".into(),
        Query::Match(query) => match query.fuzziness {
            Some(fuzziness) => format!("{}f({},{fuzziness:?})", place(&query.fields), query.text),
            None => format!("{}w({})", place(&query.fields), query.text),
        },
        Query::Phrase(query) => format!("{}p({},{})", place(&query.fields), query.text, query.slop),
        Query::Prefix(query) => format!("{}:{}*", query.field, query.text),
        Query::Range(range) => {
            let bound = |bound: &Option<crate::retrieve::query::TermValue>| {
                bound.as_ref().map(|bound| serde_json::to_string(bound).unwrap()).unwrap_or_default()
            };
            let parts = [&range.gt, &range.gte, &range.lt, &range.lte].map(bound);
            format!("{}:range({})", range.field, parts.join(","))
        }
        Query::Exists(name) => format!("{}:exists", name.field),
        Query::Bool(query) => {
            let list = |sign: &str, queries: &[Query]| {
                queries.iter().map(|query| format!("{sign}{}", short(query))).collect::<Vec<_>>()
            };
            let all = [list("&", &query.must), list("|", &query.should), list("!", &query.must_not)].concat();
            format!("[{}]", all.join(" "))
        }
        Query::Boost(query) => format!("{}^{}", short(&query.query), query.boost),
        _ => panic!("the search box has no {query:?}"),
    }
}

#[test]
fn the_syntax_is_read() {
    for (typed, expected) in [
        ("blue wing", "w(blue wing)"),
        ("  ", "none"),
        ("*", "all"),
        ("\"thin wing\"", "p(thin wing,0)"),
        ("\"thin wing\"~2 blue", "[|p(thin wing,2) |w(blue)]"),
        ("title:wing", "title:w(wing)"),
        ("title:\"thin wing\"^2", "title:p(thin wing,0)^2"),
        ("title:(thin OR wing) x", "[|title:w(thin wing) |w(x)]"),
        ("blue -red", "[|w(blue) !w(red)]"),
        ("+blue red", "[&w(blue) |w(red)]"),
        ("blue AND red", "[&w(blue) &w(red)]"),
        ("blue OR red", "w(blue red)"),
        ("blue AND NOT red", "[&w(blue) !w(red)]"),
        ("NOT red", "[!w(red)]"),
        ("a (b OR c) AND d", "[|w(a) |[&w(b c) &w(d)]]"),
        ("Wing*", "[|body:wing* |title:wing*]"),
        ("tag:Win*", "tag:Win*"),
        ("wing~ thin~1", "[|f(wing,Auto) |f(thin,Edits(1))]"),
        ("wing^2 thin", "[|w(wing)^2 |w(thin)]"),
        ("year:2001", "year:w(2001)"),
        ("year:[2000 TO 2010]", r#"year:range(,"2000",,"2010")"#),
        ("year:{2000 TO *] wing", r#"[|year:range("2000",,,) |w(wing)]"#),
        ("year:>=2000", r#"year:range(,"2000",,)"#),
        ("-year:<2000 wing", r#"[|w(wing) !year:range(,,"2000",)]"#),
        ("title:*", "title:exists"),
        // Escapes.
        (r"title\:wing", "w(title:wing)"),
        (r#"\"thin wing\""#, "w(\"thin wing\")"),
    ] {
        assert_eq!(short(&parse(typed, &table())), expected, "of {typed}");
    }
}

#[test]
fn what_does_not_fit_is_taken_as_words() {
    for typed in [
        "http://example.com/a?b=c",
        "note: this",
        "note:this",
        "unbalanced \"quote",
        "unbalanced (parenthesis",
        "unbalanced) parenthesis",
        "AND",
        "OR",
        "wing AND",
        "NOT",
        "wing OR",
        "+",
        "-",
        "a - b",
        "C++ and C# for state-of-the-art",
        "what is this?",
        "year:soon",
        "year:[2000",
        "year:[a TO b]",
        "title:",
        "title: wing",
        "10:30",
        "5* ~ ^ ^2 ** *x",
        "don't",
    ] {
        let query = parse(typed, &table());
        if typed.contains("5*") {
            continue;
        }
        assert!(matches!(&query, Query::Match(MatchQuery { text, .. }) if text == typed), "{typed}: {}", short(&query));
    }
}

#[test]
fn plain_text_is_what_a_model_should_read() {
    for (typed, expected) in [
        ("what is a thin wing?", "what is a thin wing?"),
        ("\"thin wing\" -red +blue", "blue thin wing"),
        ("wing AND (thin OR thick)", "wing thin thick"),
        ("year:[2000 TO 2010] wing", "wing"),
        ("title:\"thin wing\" flow~", "thin wing flow"),
        ("see http://x.org", "see http://x.org"),
        ("*", ""),
    ] {
        assert_eq!(plain_text(typed), expected, "of {typed}");
    }
}

fn depth(query: &Query) -> usize {
    if let Query::Bool(query) = query {
        let parts = query.must.iter().chain(&query.should).chain(&query.must_not);
        1 + parts.map(depth).max().unwrap_or(0)
    } else if let Query::Boost(query) = query {
        1 + depth(&query.query)
    } else {
        1
    }
}

proptest! {
    #[test]
    fn every_text_is_read(text in "\\PC{0,60}") {
        parse(&text, &table());
        plain_text(&text);
    }

    #[test]
    fn every_mixture_of_operators_is_read_and_stays_shallow(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "a", "AND", "OR", "NOT", "(", ")", "\"", "+", "-", "~", "^2", "*", "title:", "year:", "[1 TO 2]", ":", "\\", " ", ">=5", "é",
        ]), 0..80)
    ) {
        let text = pieces.concat();
        prop_assert!(depth(&parse(&text, &table())) < 60);
        plain_text(&text);
    }

    #[test]
    fn words_alone_are_one_match_of_the_text(words in prop::collection::vec("[a-z]{1,8}", 1..8)) {
        let text = words.join(" ");
        let query = parse(&text, &table());
        prop_assert!(matches!(&query, Query::Match(query) if query.text == text && query.fields.is_empty()));
        prop_assert_eq!(plain_text(&text), text);
    }
}
