//! The semantic highlighter: the passages of a `semantic_text` field that are closest to what was asked.

use serde_json::{Map, Value};

use super::spec::Style;
use crate::index::fields::IndexField;
use crate::retrieve::query::Query;
use crate::retrieve::{DocLocator, Searcher};
use crate::server::es::error::EsResult;

/// What passages are compared with.
#[derive(Debug)]
pub(super) struct Asked {
    /// Of the vector queries over the field.
    vectors: Vec<Vec<f32>>,
    /// The query asks for every document, and so for every passage.
    is_everything: bool,
}

impl Asked {
    /// * `query`: with its vector queries resolved.
    pub(super) fn of(query: &Query, field: &str) -> Self {
        let mut asked = Self { vectors: Vec::new(), is_everything: false };
        asked.gather(query, field);
        asked
    }

    fn gather(&mut self, query: &Query, field: &str) {
        self.is_everything |= matches!(query, Query::MatchAll);
        if let Query::Docs(found) = query
            && let Some(by) = found.found_by.as_ref().filter(|by| by.field == field)
        {
            self.vectors.extend(by.vector.clone());
        }
        query.children().into_iter().for_each(|child| self.gather(child, field));
    }

    fn closeness(&self, passage: &[f32]) -> f32 {
        let dot = |vector: &Vec<f32>| vector.iter().zip(passage).map(|(a, b)| a * b).sum::<f32>();
        self.vectors.iter().map(dot).max_by(f32::total_cmp).unwrap_or(0.0)
    }
}

/// The closest passages, in the order of the text, or of their closeness where that is asked for.
///
/// # Errors
/// When the document cannot be cut into passages again.
pub(super) fn passages(
    searcher: &Searcher,
    field: &IndexField,
    asked: &Asked,
    style: &Style,
    source: &Map<String, Value>,
    hit: DocLocator,
) -> EsResult<Vec<String>> {
    if asked.vectors.is_empty() && !asked.is_everything {
        return Ok(Vec::new());
    }
    let path = field.definition.path.as_str();
    let stored = searcher.dense().vectors(path, hit.0).into_iter();
    let mut found: Vec<_> =
        stored.filter_map(|(vector, span)| span.map(|span| (asked.closeness(&vector), span))).collect();
    let place = |span: &crate::document::PassageSpan| (span.value_idx, span.start);
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| place(&a.1).cmp(&place(&b.1))));
    found.truncate(style.number_of_fragments.max(1));
    if !style.order_by_score {
        found.sort_by_key(|(_, span)| place(span));
    }
    let mut texts = Vec::new();
    for (_, span) in found {
        texts.extend(searcher.passage_text(path, source, span)?);
    }
    Ok(texts)
}
