//! What is known of single documents of a search: their ids, values, scores, and the nested objects inside of them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde_json::{Map, Value};
use tantivy::columnar::StrColumn;
use tantivy::schema::Value as _;
use tantivy::{DocAddress, DocId, DocSet, TERMINATED, TantivyDocument};

use super::CollectedHit;
use super::keys::SegmentKey;
use super::sort::SortKey;
use crate::error::{Error, Result};
use crate::index::convert::values_at;
use crate::index::doc_values::{DocValue, DocValues, ValueField};
use crate::index::fields::{IGNORED_FIELD, ROUTING_FIELD};
use crate::retrieve::lexical::explain::Explanation;
use crate::retrieve::query::{NestedQuery, Query};
use crate::retrieve::{DocLocator, Searcher};

/// A nested object that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct NestedHit {
    /// Its score and what it is ordered by.
    pub hit: CollectedHit,
    /// Which object it is.
    pub place: NestedPlace,
}

/// Where a nested object stands in its document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NestedPlace {
    /// The document.
    pub root: DocLocator,
    /// From the document down: the field, named from the object around, and which of its objects.
    pub steps: Vec<(String, usize)>,
}

impl NestedPlace {
    /// The object, in the document's source; `None` where the source has no such.
    pub fn object_in<'s>(&self, source: &'s Map<String, Value>) -> Option<&'s Map<String, Value>> {
        self.steps.iter().try_fold(source, |object, (field, offset)| {
            values_at(object, field).into_iter().filter_map(Value::as_object).nth(*offset)
        })
    }

    /// A source that has this object alone, where it stands.
    pub fn wrapped(&self, object: &Map<String, Value>) -> Map<String, Value> {
        self.steps
            .iter()
            .rev()
            .fold(object.clone(), |inner, (field, _)| Map::from_iter([(field.clone(), Value::Object(inner))]))
    }

    /// The object of a source that is as [`NestedPlace::wrapped`] makes it.
    pub fn unwrapped<'s>(&self, source: &'s Map<String, Value>) -> Option<&'s Map<String, Value>> {
        self.steps.iter().try_fold(source, |object, (field, _)| object.get(field)?.as_object())
    }
}

impl Searcher {
    /// The user's id of a document.
    ///
    /// # Errors
    /// `Corrupt` when the column of ids is damaged.
    pub fn id_of(&self, locator: DocLocator) -> Result<&str> {
        self.lexical().id(locator.0)
    }

    /// The source of a document, as the text that it is stored as.
    ///
    /// # Errors
    /// `Corrupt` when the store is damaged.
    pub fn source_text_of(&self, locator: DocLocator) -> Result<String> {
        let document: TantivyDocument = self.searcher().doc(locator.0)?;
        let source = self.searcher().schema().get_field(crate::index::fields::SOURCE_FIELD)?;
        let text = document.get_first(source).and_then(|value| value.as_str().map(str::to_string));
        text.ok_or_else(|| {
            Error::corrupt("the stored source of a document is damaged; restore the index from a copy or index again")
        })
    }

    /// The sequence number and the version of a document's last change.
    ///
    /// # Errors
    /// `Corrupt` when a column is damaged.
    pub fn version_of(&self, locator: DocLocator) -> Result<(u64, u64)> {
        self.version(locator.0)
    }

    /// The values of a document in a column, ascending.
    ///
    /// # Errors
    /// `Corrupt` when the column is damaged.
    pub fn values_of(&self, field: &ValueField, locator: DocLocator) -> Result<Vec<DocValue>> {
        let mut found = Vec::new();
        field.open(self, locator.0.segment_ord)?.for_each(locator.0.doc_id, |value| found.push(value))?;
        Ok(found)
    }

    /// How a query scores a document; `None` where it does not match.
    ///
    /// # Errors
    /// Those of the query.
    pub fn explain(&self, query: &Query, locator: DocLocator) -> Result<Option<Explanation>> {
        self.lexical().explain(query, locator.0)
    }

    /// Where a document lies; `None` where there is none of this id.
    ///
    /// # Errors
    /// `Corrupt` when the index is damaged.
    pub fn locator(&self, id: &crate::document::DocumentId) -> Result<Option<DocLocator>> {
        Ok(self.locate(id)?.map(DocLocator))
    }

    /// Where a document stands as a nested object; `None` for a document of the user's.
    ///
    /// # Errors
    /// `Corrupt` when the column of paths is damaged.
    pub fn nested_place(&self, locator: DocLocator) -> Result<Option<NestedPlace>> {
        let DocAddress { segment_ord, doc_id } = locator.0;
        let Some(roots) = self.lexical().roots(segment_ord).filter(|roots| !roots.contains(doc_id)) else {
            return Ok(None);
        };
        let max_doc = self.searcher().segment_reader(segment_ord).max_doc();
        let Some(root) = (doc_id..max_doc).find(|doc| roots.contains(*doc)) else { return Ok(None) };
        let block = Block::read(self, segment_ord, root, |doc| roots.contains(doc))?;
        let Some(path) = block.path_of(doc_id) else { return Ok(None) };
        let root = DocLocator(DocAddress::new(segment_ord, root));
        Ok(Some(NestedPlace { root, steps: block.steps_to(doc_id, path) }))
    }

    /// The nested objects of a document that a nested query matches, in the order of the document.
    ///
    /// * `keys`: what they are ordered by; the values come with them, the ordering is the caller's.
    ///
    /// # Errors
    /// Those of the query.
    pub fn nested_hits(&self, query: &NestedQuery, root: DocLocator, keys: &[SortKey]) -> Result<Vec<NestedHit>> {
        let (segment_ord, root_doc) = (root.0.segment_ord, root.0.doc_id);
        let Some(roots) = self.lexical().roots(segment_ord) else { return Ok(Vec::new()) };
        let block = Block::read(self, segment_ord, root_doc, |doc| roots.contains(doc))?;
        let mut segment_keys = Vec::with_capacity(keys.len());
        for key in keys {
            segment_keys.push(SegmentKey::open(self, segment_ord, key, 0, None)?);
        }
        let reader = self.searcher().segment_reader(segment_ord);
        let completed = self.lexical().with_all_objects(&query.query, segment_ord, block.start..root_doc)?;
        let weight = self.lexical().weight(completed.as_ref().unwrap_or(&query.query), true)?;
        let mut scorer = weight.scorer(reader)?;
        let mut doc = if scorer.doc() < block.start { scorer.seek(block.start) } else { scorer.doc() };
        let mut found = Vec::new();
        let mut scratch = Vec::new();
        while doc < root_doc && doc != TERMINATED {
            if block.path_of(doc) == Some(query.path.as_str()) {
                let score = scorer.score();
                let mut sort = Vec::with_capacity(keys.len());
                for key in &segment_keys {
                    let code = key.key(doc, score, &mut scratch);
                    sort.push(key.value(doc, code, &mut scratch)?);
                }
                let hit = CollectedHit {
                    locator: DocLocator(DocAddress::new(segment_ord, doc)),
                    score: (keys.is_empty() || keys.iter().any(SortKey::needs_scores)).then_some(score),
                    sort,
                    group: None,
                };
                found.push(NestedHit { hit, place: NestedPlace { root, steps: block.steps_to(doc, &query.path) } });
            }
            doc = scorer.advance();
        }
        weight.check()?;
        Ok(found)
    }
}

/// What the engine keeps of documents beside their fields; each column is opened once a segment.
pub struct MetaColumns<'s> {
    searcher: &'s Searcher,
    opened: RefCell<HashMap<(u32, &'static str), Option<StrColumn>>>,
}

impl std::fmt::Debug for MetaColumns<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MetaColumns").finish_non_exhaustive()
    }
}

impl<'s> MetaColumns<'s> {
    /// Opens nothing yet.
    pub fn new(searcher: &'s Searcher) -> Self {
        Self { searcher, opened: RefCell::default() }
    }

    /// The routing that a document was written with.
    ///
    /// # Errors
    /// `Corrupt` when the column is damaged.
    pub fn routing(&self, locator: DocLocator) -> Result<Option<String>> {
        Ok(self.texts(ROUTING_FIELD, locator)?.into_iter().next())
    }

    /// The fields of a document whose values were left out.
    ///
    /// # Errors
    /// `Corrupt` when the column is damaged.
    pub fn ignored(&self, locator: DocLocator) -> Result<Vec<String>> {
        self.texts(IGNORED_FIELD, locator)
    }

    fn texts(&self, name: &'static str, locator: DocLocator) -> Result<Vec<String>> {
        let mut opened = self.opened.borrow_mut();
        let column = match opened.entry((locator.0.segment_ord, name)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let reader = self.searcher.searcher().segment_reader(locator.0.segment_ord);
                let is_known = reader.schema().get_field(name).is_ok();
                place.insert(if is_known { reader.fast_fields().str(name)? } else { None })
            }
        };
        let Some(column) = column else { return Ok(Vec::new()) };
        let mut texts = Vec::new();
        for ordinal in column.term_ords(locator.0.doc_id) {
            let mut text = String::new();
            column.ord_to_str(ordinal, &mut text)?;
            texts.push(text);
        }
        Ok(texts)
    }
}

/// The scores that a query gives to some documents, in their order; `None` where it does not match.
///
/// # Errors
/// Those of the query.
pub fn score_documents(searcher: &Searcher, query: &Query, locators: &[DocLocator]) -> Result<Vec<Option<f32>>> {
    let mut scores = vec![None; locators.len()];
    if locators.is_empty() {
        return Ok(scores);
    }
    let weight = searcher.lexical().weight(query, true)?;
    let mut wanted: Vec<(DocAddress, usize)> = locators.iter().map(|locator| locator.0).zip(0..).collect();
    wanted.sort_unstable();
    for of_segment in wanted.chunk_by(|a, b| a.0.segment_ord == b.0.segment_ord) {
        let Some((first, _)) = of_segment.first() else { continue };
        let mut scorer = weight.scorer(searcher.searcher().segment_reader(first.segment_ord))?;
        for (address, place) in of_segment {
            let at = if scorer.doc() < address.doc_id { scorer.seek(address.doc_id) } else { scorer.doc() };
            if at == address.doc_id
                && let Some(score) = scores.get_mut(*place)
            {
                *score = Some(scorer.score());
            }
        }
    }
    weight.check()?;
    Ok(scores)
}

/// The nested documents before a root, which are its own: the objects of an object come before it.
struct Block {
    start: DocId,
    /// The nested path of each.
    paths: Vec<String>,
}

impl Block {
    fn read(searcher: &Searcher, segment_ord: u32, root: DocId, is_root: impl Fn(DocId) -> bool) -> Result<Self> {
        let mut start = root;
        while start > 0 && !is_root(start - 1) {
            start -= 1;
        }
        let column = match ValueField::resolve(searcher, "_nested_path", "")? {
            Some(field) => field.open(searcher, segment_ord)?,
            None => DocValues::Missing,
        };
        let mut paths = Vec::new();
        for doc in start..root {
            let mut path = String::new();
            column.for_each(doc, |value| {
                if let DocValue::Text(text) = value {
                    path = text;
                }
            })?;
            paths.push(path);
        }
        Ok(Self { start, paths })
    }

    fn path_of(&self, doc: DocId) -> Option<&str> {
        self.paths.get(doc.checked_sub(self.start)? as usize).map(String::as_str)
    }

    /// The way from the root to a nested document.
    fn steps_to(&self, doc: DocId, path: &str) -> Vec<(String, usize)> {
        let at = (doc.saturating_sub(self.start)) as usize;
        let mut around: Vec<&str> = self.paths.iter().map(String::as_str).collect();
        around.retain(|known| path == *known || path.strip_prefix(known).is_some_and(|rest| rest.starts_with('.')));
        around.sort_unstable_by_key(|known| known.len());
        around.dedup();
        let mut steps = Vec::with_capacity(around.len());
        let (mut from, mut above) = (0, "");
        for level in around {
            let is_level = |place: &usize| self.paths.get(*place).is_some_and(|known| known == level);
            // The object of this level that the document is, or lies in.
            let own = (at..self.paths.len()).find(is_level).unwrap_or(at);
            let offset = (from..own).filter(is_level).count();
            let name = level.strip_prefix(above).unwrap_or(level).trim_start_matches('.');
            steps.push((name.to_string(), offset));
            from = (0..own).rev().find(is_level).map_or(from, |before| before + 1).max(from);
            above = level;
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_way_to_a_nested_object() {
        let paths = ["a.b", "a.b", "a", "a.b", "a", "c"].map(str::to_string).to_vec();
        let block = Block { start: 10, paths };
        let step = |field: &str, offset| (field.to_string(), offset);
        assert_eq!(block.steps_to(10, "a.b"), [step("a", 0), step("b", 0)]);
        assert_eq!(block.steps_to(11, "a.b"), [step("a", 0), step("b", 1)]);
        assert_eq!(block.steps_to(13, "a.b"), [step("a", 1), step("b", 0)]);
        assert_eq!(block.steps_to(14, "a"), [step("a", 1)]);
        assert_eq!(block.steps_to(15, "c"), [step("c", 0)]);
    }

    #[test]
    fn an_object_is_found_in_its_source() {
        let source = json!({"a": [{"b": {"x": 1}}, {"b": [{"x": 2}, {"x": 3}]}]});
        let root = DocLocator(DocAddress::new(0, 0));
        let place = NestedPlace { root, steps: vec![("a".to_string(), 1), ("b".to_string(), 1)] };
        let object = place.object_in(source.as_object().unwrap()).unwrap();
        assert_eq!(json!(object), json!({"x": 3}));
        assert_eq!(json!(place.wrapped(object)), json!({"a": {"b": {"x": 3}}}));
    }
}
