//! A document as the page shows it: title, facts, texts, with the query's words marked.
//!
//! What is shown follows from the query and the document alone, never from a plan or a rank.

use std::ops::Range;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::document::DocumentId;
use crate::error::Result;
use crate::index::lexical::Analyzer;
use crate::respond::highlight::best_fragment;
use crate::retrieve::Searcher;
use crate::retrieve::lexical::highlight::highlight_ranges;
use crate::retrieve::query::Query;
use crate::retrieve::query_syntax::QuerySyntax;

/// A document.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub(super) struct DocumentView {
    id: String,
    title: Option<Runs>,
    /// Short values, as (field, value).
    facts: Vec<(String, String)>,
    /// What matches best of the longest text, where that is too long to be read at a glance.
    excerpt: Option<Runs>,
    parts: Vec<Part>,
    /// Whether the document has more text than is shown.
    is_cut: bool,
}

/// A text of a document.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Part {
    field: String,
    runs: Runs,
}

/// Stretches of a text in its order; every other one, from the second on, is marked. Their texts together are the text.
type Runs = Vec<String>;

/// Fields that hold a title, the likeliest first.
const TITLES: [&str; 5] = ["title", "name", "heading", "question", "subject"];

/// A text above is prose; a value below is a fact.
const FACT_BYTES: usize = 120;

/// Facts that are shown.
const MAX_FACTS: usize = 12;

/// A text that is longer gets an excerpt: what a screen shows without scrolling.
const LONG_TEXT_BYTES: usize = 2500;

/// The excerpt's length.
const EXCERPT_BYTES: usize = 400;

/// Text of one document that is shown; nobody reads more to judge it.
const MAX_TEXT_BYTES: usize = 200_000;

/// A document as it is shown for a query.
///
/// # Errors
/// `Corrupt` when the store is damaged.
pub(super) fn view(searcher: &Searcher, query: &str, id: &DocumentId) -> Result<DocumentView> {
    let source = searcher.get(id)?.unwrap_or_default();
    let query = QuerySyntax::Plain.query(query, searcher.lexical().fields(), &[]);
    Ok(view_of(&source, id, |field, text| matches(searcher, &query, field, text)))
}

/// What the query's words are in a text, by the field's analyzer; for a field that is not searched, by any field's. Words like
/// "of" are left out even where the analyzer keeps them: marks are there to be seen.
fn matches(searcher: &Searcher, query: &Query, field: &str, text: &str) -> Vec<Range<usize>> {
    let own = searcher.highlighted_fields().find(|(name, _)| *name == field);
    let Some((name, analyzer)) = own.or_else(|| searcher.highlighted_fields().next()) else { return Vec::new() };
    let mut found = highlight_ranges(query, name, analyzer, text);
    if let Ok(stop) = Analyzer::named("stop") {
        found.retain(|range| text.get(range.clone()).is_some_and(|word| !is_stop_word(&stop, word)));
    }
    found
}

fn is_stop_word(stop: &Analyzer, word: &str) -> bool {
    word.chars().all(char::is_alphabetic) && stop.terms(word).is_empty()
}

fn view_of(
    source: &Map<String, Value>,
    id: &DocumentId,
    matches: impl Fn(&str, &str) -> Vec<Range<usize>>,
) -> DocumentView {
    let mut view = DocumentView { id: id.to_string(), ..DocumentView::default() };
    let has_text =
        |name: &&&str| source.get(**name).and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty());
    let title = TITLES.iter().find(has_text).copied();
    if let Some((name, text)) = title.and_then(|name| Some((name, source.get(name)?.as_str()?))) {
        view.title = Some(runs(text, &matches(name, text)));
    }
    let mut leaves = Vec::new();
    for (name, value) in source.iter().filter(|(name, _)| Some(name.as_str()) != title) {
        collect(name, value, &mut leaves);
    }
    let mut room = MAX_TEXT_BYTES;
    let mut longest: Option<(&str, Vec<Range<usize>>)> = None;
    for (field, text, is_text) in &leaves {
        if !*is_text || (text.len() <= FACT_BYTES && !is_prose_field(field)) {
            if view.facts.len() < MAX_FACTS {
                view.facts.push((field.clone(), text.clone()));
            }
            continue;
        }
        let shown = text.get(..text.floor_char_boundary(room)).unwrap_or_default();
        room -= shown.len();
        view.is_cut |= shown.len() < text.len();
        if shown.is_empty() {
            continue;
        }
        let found = matches(field, shown);
        view.parts.push(Part { field: field.clone(), runs: runs(shown, &found) });
        if longest.as_ref().is_none_or(|(before, _)| before.len() < shown.len()) {
            longest = Some((shown, found));
        }
    }
    view.excerpt = longest.and_then(|(text, found)| excerpt(text, &found));
    view
}

/// Whether a field holds prose by its name, however short it is.
fn is_prose_field(field: &str) -> bool {
    let name = field.rsplit('.').next().unwrap_or(field);
    ["text", "body", "content", "contents", "abstract", "description", "summary", "passage", "answer"].contains(&name)
}

/// The values of a document with their paths, in its order: (path, value, whether it is text). Values of one field that are no
/// prose are joined; long lists of numbers, such as vectors, are left out.
fn collect(path: &str, value: &Value, leaves: &mut Vec<(String, String, bool)>) {
    match value {
        Value::Null => {}
        Value::Bool(value) => leaves.push((path.to_string(), value.to_string(), false)),
        Value::Number(value) => leaves.push((path.to_string(), value.to_string(), false)),
        Value::String(text) if text.trim().is_empty() => {}
        Value::String(text) => leaves.push((path.to_string(), text.clone(), true)),
        Value::Array(values) => {
            let short =
                |value: &Value| value.is_number() || value.as_str().is_some_and(|text| text.len() <= FACT_BYTES);
            if values.len() > 1 && values.iter().all(short) {
                if values.len() <= 32 {
                    let texts =
                        values.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_string));
                    leaves.push((path.to_string(), texts.collect::<Vec<_>>().join(", "), false));
                }
                return;
            }
            values.iter().for_each(|value| collect(path, value, leaves));
        }
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| collect(&format!("{path}.{name}"), value, leaves));
        }
    }
}

fn excerpt(text: &str, found: &[Range<usize>]) -> Option<Runs> {
    if text.len() < LONG_TEXT_BYTES || found.is_empty() {
        return None;
    }
    let fragment = best_fragment(text, found, EXCERPT_BYTES).range;
    let inside: Vec<Range<usize>> = found
        .iter()
        .filter(|range| range.start >= fragment.start && range.end <= fragment.end)
        .map(|range| range.start - fragment.start..range.end - fragment.start)
        .collect();
    let mut runs = runs(text.get(fragment.clone())?, &inside);
    if let Some(first) = runs.first_mut().filter(|_| fragment.start > 0) {
        first.insert_str(0, "… ");
    }
    if let Some(last) = runs.last_mut().filter(|_| fragment.end < text.len()) {
        last.push_str(" …");
    }
    Some(runs)
}

/// Takes a text apart at what is marked; ranges out of order or of bounds are passed over.
fn runs(text: &str, marked: &[Range<usize>]) -> Runs {
    let mut runs = Vec::with_capacity(marked.len() * 2 + 1);
    let mut at = 0;
    for range in marked {
        let (Some(before), Some(inside)) = (text.get(at..range.start), text.get(range.clone())) else { continue };
        runs.push(before.to_string());
        runs.push(inside.to_string());
        at = range.end;
    }
    runs.push(text.get(at..).unwrap_or_default().to_string());
    runs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn viewed(source: Value, word: &'static str) -> Value {
        let source = source.as_object().unwrap().clone();
        let find = move |_: &str, text: &str| -> Vec<Range<usize>> {
            text.match_indices(word).map(|(at, found)| at..at + found.len()).collect()
        };
        serde_json::to_value(view_of(&source, &"d1".into(), find)).unwrap()
    }

    #[test]
    fn title_texts_and_facts() {
        let view = viewed(
            json!({"title": "A wing", "text": "The lift of a wing.", "year": 1958, "tags": ["air", "lift"], "open": true,
                   "author": {"name": "Ada"}, "empty": "", "none": null, "vector": vec![0.5; 384]}),
            "wing",
        );
        assert_eq!(view["title"], json!(["A ", "wing", ""]));
        assert_eq!(view["parts"], json!([{"field": "text", "runs": ["The lift of a ", "wing", "."]}]));
        let facts = json!([["year", "1958"], ["tags", "air, lift"], ["open", "true"], ["author.name", "Ada"]]);
        assert_eq!(view["facts"], facts);
        assert_eq!((&view["excerpt"], &view["is_cut"]), (&Value::Null, &json!(false)));
    }

    #[test]
    fn a_long_text_has_an_excerpt_and_a_huge_one_is_cut() {
        let text = format!("{}A wing in a slipstream. {}", "Filler. ".repeat(400), "Filler. ".repeat(400));
        let view = viewed(json!({"text": text}), "wing");
        let excerpt: Vec<String> = serde_json::from_value(view["excerpt"].clone()).unwrap();
        assert!(excerpt.concat().len() <= EXCERPT_BYTES + "…  …".len() && excerpt[1] == "wing", "{excerpt:?}");
        assert!(excerpt[0].starts_with("… ") && excerpt[2].ends_with(" …"), "{excerpt:?}");
        assert_eq!(viewed(json!({"text": text}), "absent")["excerpt"], Value::Null);
        let huge = viewed(json!({"text": "é".repeat(MAX_TEXT_BYTES), "more": "b".repeat(500)}), "wing");
        assert_eq!((&huge["is_cut"], huge["parts"].as_array().unwrap().len()), (&json!(true), 1));
    }

    #[test]
    fn a_document_without_a_title_or_text_is_shown_all_the_same() {
        let view = viewed(json!({"isbn": "123"}), "wing");
        assert_eq!((&view["title"], &view["facts"]), (&Value::Null, &json!([["isbn", "123"]])));
        assert_eq!(viewed(json!({}), "wing")["parts"], json!([]));
    }

    #[test]
    fn only_words_of_no_meaning_are_stop_words() {
        let stop = Analyzer::named("stop").unwrap();
        let found: Vec<&str> = ["of", "The", "wing", "2001", "A", "b-52", "é"]
            .into_iter()
            .filter(|word| is_stop_word(&stop, word))
            .collect();
        assert_eq!(found, ["of", "The", "A"]);
    }

    proptest! {
        #[test]
        fn runs_together_are_the_text(text in "[a-zé ]{0,40}", ranges in prop::collection::vec((0..45_usize, 0..6_usize), 0..8)) {
            let ranges: Vec<Range<usize>> = ranges.into_iter().map(|(start, length)| start..start + length).collect();
            let runs = runs(&text, &ranges);
            prop_assert_eq!(runs.concat(), text);
            prop_assert!(runs.len() % 2 == 1);
        }
    }
}
