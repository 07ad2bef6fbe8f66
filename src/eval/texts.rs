//! What a comparison needs of documents: what they are called, and how many of a query's words they have.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;
use serde_json::{Map, Value};

use super::dataset::Judgments;
use crate::document::DocumentId;
use crate::error::Result;
use crate::index::lexical::Analyzer;
use crate::retrieve::Searcher;

/// Characters of a title.
const TITLE_CHARS: usize = 100;
/// Relevant documents of a query that its overlap is taken over.
const MAX_RELEVANT: usize = 50;

/// A title field's text, else the beginning of the first text; empty where there is none.
pub fn title_of(source: &Map<String, Value>) -> String {
    let named = ["title", "name", "heading", "question"].iter().find_map(|name| source.get(*name)?.as_str());
    let text = named.filter(|text| !text.trim().is_empty()).or_else(|| source.values().find_map(Value::as_str));
    text.unwrap_or_default().chars().take(TITLE_CHARS).collect()
}

/// Titles of documents by id; those that the index lacks, or that have no text, are left out.
///
/// # Errors
/// `Corrupt` when the store is damaged.
pub fn titles(searcher: &Searcher, ids: &HashSet<DocumentId>) -> Result<HashMap<String, String>> {
    let title = |id: &DocumentId| Ok(searcher.get(id)?.map(|source| (id.to_string(), title_of(&source))));
    let found: Vec<Option<(String, String)>> = ids.par_iter().map(title).collect::<Result<_>>()?;
    Ok(found.into_iter().flatten().filter(|(_, title)| !title.is_empty()).collect())
}

/// The share of each query's words that occur in its relevant documents, mean over these (the first 50 by id), by query id: 0
/// to 1. Words are terms as the index analyses its first text field. Queries without words, or whose relevant documents the
/// index lacks, are left out.
///
/// # Errors
/// `Corrupt` when the store is damaged.
pub fn lexical_overlap(
    searcher: &Searcher,
    queries: &[(String, String)],
    qrels: &Judgments,
) -> Result<HashMap<String, f64>> {
    let Some((_, analyzer)) = searcher.highlighted_fields().next() else { return Ok(HashMap::new()) };
    let overlap = |(id, text): &(String, String)| -> Result<Option<(String, f64)>> {
        let words: HashSet<String> = analyzer.terms(text).into_iter().collect();
        let judged = qrels.get(id).into_iter().flatten();
        let mut relevant: Vec<&String> =
            judged.filter(|(_, grade)| **grade > 0).map(|(document, _)| document).collect();
        relevant.sort_unstable();
        let mut shares = Vec::new();
        for document in relevant.into_iter().take(MAX_RELEVANT) {
            if let Some(source) = searcher.get(&DocumentId::from(document.as_str()))? {
                let known = words_of(analyzer, &source);
                shares.push(words.iter().filter(|word| known.contains(*word)).count() as f64 / words.len() as f64);
            }
        }
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        Ok((!words.is_empty() && !shares.is_empty()).then(|| (id.clone(), mean)))
    };
    let found: Vec<Option<(String, f64)>> = queries.par_iter().map(overlap).collect::<Result<_>>()?;
    Ok(found.into_iter().flatten().collect())
}

/// The terms of every text of a document.
fn words_of(analyzer: &Analyzer, source: &Map<String, Value>) -> HashSet<String> {
    let mut words = HashSet::new();
    let mut rest: Vec<&Value> = source.values().collect();
    while let Some(value) = rest.pop() {
        match value {
            Value::String(text) => words.extend(analyzer.terms(text)),
            Value::Array(values) => rest.extend(values),
            Value::Object(values) => rest.extend(values.values()),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    words
}
