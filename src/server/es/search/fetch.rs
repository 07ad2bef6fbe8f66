//! From ranked hits to what the client sees of them.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json as value};

use super::body::{SearchBody, StoredFields};
use super::fields;
use super::highlight::Highlighter;
use super::inner_hits::{self, InnerHitsSpec};
use super::json;
use super::rescore::Rescorer;
use super::sort_spec::ResolvedSort;
use super::source_filter::SourceFilter;
use super::target::Target;
use crate::index::doc_values::ValueField;
use crate::retrieve::DocLocator;
use crate::retrieve::collect::{CollectedHit, MetaColumns, NestedPlace, Total, score_documents};
use crate::retrieve::lexical::explain::Explanation;
use crate::retrieve::query::{NestedQuery, Query};
use crate::server::es::error::{EsError, EsResult};

/// A hit, printed but for its source, which stays the text that it is stored as.
#[derive(Debug, Clone)]
pub(super) struct Hit {
    /// What stands before `_source`.
    pub(super) head: Map<String, Value>,
    pub(super) source: Option<Box<RawValue>>,
    /// What stands after it.
    pub(super) tail: Map<String, Value>,
}

impl Serialize for Hit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let length = self.head.len() + self.tail.len() + usize::from(self.source.is_some());
        let mut map = serializer.serialize_map(Some(length))?;
        for (name, value) in &self.head {
            map.serialize_entry(name, value)?;
        }
        if let Some(source) = &self.source {
            map.serialize_entry("_source", source)?;
        }
        for (name, value) in &self.tail {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Hit {
    /// The hit as a value.
    pub(super) fn into_value(self) -> EsResult<Value> {
        serde_json::to_value(&self).map_err(|error| EsError::new(500, "exception", error.to_string()))
    }
}

/// A total, printed: as a number, or with how exact it is.
pub(super) fn total(total: Total, as_int: bool) -> Value {
    if as_int {
        return value!(total.value);
    }
    value!({"value": total.value, "relation": if total.at_least { "gte" } else { "eq" }})
}

/// What a hit of one index shows.
pub(super) struct Fetcher<'a> {
    search: &'a SearchBody,
    target: &'a Target,
    query: &'a Query,
    rescorers: &'a [Rescorer],
    total_as_int: bool,
    shows_ids: bool,
    source: SourceFilter,
    highlighter: Option<Highlighter<'a>>,
    columns: Vec<(ValueField, Option<String>)>,
    nested: Vec<(&'a NestedQuery, InnerHitsSpec)>,
    meta: MetaColumns<'a>,
}

impl<'a> Fetcher<'a> {
    /// * `query`: what the user asked for in this index.
    ///
    /// # Errors
    /// What is wrong with fields, formats, highlights and inner hits.
    pub(super) fn new(search: &'a SearchBody, target: &'a Target, query: &'a Query) -> EsResult<Self> {
        let source = match (&search.source, &search.stored_fields) {
            (Some(source), _) => source.clone(),
            (None, None) => SourceFilter::All,
            (None, Some(StoredFields::Named(names))) if names.iter().any(|name| name == "_source") => SourceFilter::All,
            (None, Some(_)) => SourceFilter::None,
        };
        let nested = inner_hits::read_nested(query)?;
        nested.iter().try_for_each(|(_, spec)| spec.check_window(target))?;
        let mut columns = fields::resolve_columns(&search.docvalue_fields, target)?;
        columns.extend(fields::counted_columns(&search.fields, target)?);
        Ok(Self {
            search,
            target,
            query,
            rescorers: &[],
            total_as_int: false,
            shows_ids: search.stored_fields != Some(StoredFields::None),
            source,
            highlighter: search
                .highlight
                .as_ref()
                .map(|highlight| Highlighter::new(highlight, target, query))
                .transpose()?,
            columns,
            nested,
            meta: MetaColumns::new(&target.searcher),
        })
    }

    /// Explains scores with what rescorers made of them.
    #[must_use]
    pub(super) fn with_rescorers(mut self, rescorers: &'a [Rescorer]) -> Self {
        self.rescorers = rescorers;
        self
    }

    /// Prints the totals of inner hits as numbers.
    #[must_use]
    pub(super) fn with_total_as_int(mut self, total_as_int: bool) -> Self {
        self.total_as_int = total_as_int;
        self
    }

    /// The hits of this index, in the order given.
    ///
    /// # Errors
    /// When a document cannot be read.
    pub(super) fn hits(&self, found: &[&CollectedHit], sort: &ResolvedSort) -> EsResult<Vec<Hit>> {
        let _counted = self.target.counters.fetch.start();
        let locators: Vec<DocLocator> = found.iter().map(|hit| hit.locator).collect();
        let mut hits = Vec::with_capacity(found.len());
        for hit in found {
            hits.push(self.hit(hit, sort)?);
        }
        self.add_matched_queries(&locators, &mut hits)?;
        Ok(hits)
    }

    fn hit(&self, found: &CollectedHit, sort: &ResolvedSort) -> EsResult<Hit> {
        let searcher = &self.target.searcher;
        let mut head = Map::new();
        if self.search.explain {
            head.insert("_shard".to_string(), value!(format!("[{}][0]", self.target.index)));
            head.insert("_node".to_string(), value!(self.target.surroundings.node));
        }
        head.insert("_index".to_string(), value!(self.target.index));
        if self.shows_ids {
            head.insert("_id".to_string(), value!(searcher.id_of(found.locator)?));
        }
        self.versions(found.locator, &mut head)?;
        head.insert("_score".to_string(), found.score.map_or(Value::Null, json::score));
        if self.shows_ids {
            if let Some(routing) = self.meta.routing(found.locator)? {
                head.insert("_routing".to_string(), Value::String(routing));
            }
            let ignored = self.meta.ignored(found.locator)?;
            if !ignored.is_empty() {
                head.insert("_ignored".to_string(), value!(ignored));
            }
        }
        let reads_source = !self.search.fields.is_empty()
            || self.highlighter.is_some()
            || !self.nested.is_empty()
            || matches!(self.source, SourceFilter::Parts { .. });
        let text = if reads_source || self.source == SourceFilter::All {
            Some(searcher.source_text_of(found.locator)?)
        } else {
            None
        };
        let object: Option<Map<String, Value>> = match (&text, reads_source) {
            (Some(text), true) => Some(serde_json::from_str(text).map_err(damaged)?),
            _ => None,
        };
        let mut tail = Map::new();
        if let Some(object) = &object {
            self.add_from_source(found, found.locator, object, &mut tail)?;
        } else {
            self.add_fields(found, found.locator, &Map::new(), &mut tail)?;
        }
        if !sort.keys.is_empty() && !found.sort.is_empty() {
            tail.insert("sort".to_string(), Value::Array(sort.print(&found.sort, self.target)));
        }
        if self.search.explain {
            tail.insert("_explanation".to_string(), self.explanation(found)?);
        }
        if let (false, Some(object)) = (self.nested.is_empty(), &object) {
            let inner = inner_hits::of_nested(self.target, &self.nested, found, object, self.total_as_int)?;
            tail.insert("inner_hits".to_string(), Value::Object(inner));
        }
        let source = match (&self.source, text, object) {
            (SourceFilter::All, Some(text), _) => Some(RawValue::from_string(text).map_err(damaged)?),
            (SourceFilter::Parts { .. }, _, Some(object)) => self
                .source
                .apply(object)
                .map(|kept| serde_json::value::to_raw_value(&kept))
                .transpose()
                .map_err(damaged)?,
            _ => None,
        };
        Ok(Hit { head, source, tail })
    }

    /// A document's source alone, as `_explain` shows it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn get_result(&self, found: &CollectedHit) -> EsResult<Value> {
        let hit = self.hit(found, &ResolvedSort { keys: Vec::new(), formats: Vec::new() })?;
        let mut shown = Map::from_iter([("found".to_string(), Value::Bool(true))]);
        if let Some(source) = &hit.source {
            shown.insert("_source".to_string(), serde_json::from_str(source.get()).map_err(damaged)?);
        }
        Ok(Value::Object(shown))
    }

    /// The source of a document.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn source_of(&self, locator: DocLocator) -> EsResult<Map<String, Value>> {
        serde_json::from_str(&self.target.searcher.source_text_of(locator)?).map_err(damaged)
    }

    /// A nested object as a hit.
    ///
    /// * `root`: the source of the document that it is of.
    ///
    /// # Errors
    /// When its document cannot be read.
    pub(super) fn nested(
        &self,
        found: &CollectedHit,
        place: &NestedPlace,
        root: &Map<String, Value>,
        sort: &ResolvedSort,
    ) -> EsResult<Value> {
        let mut head = Map::new();
        head.insert("_index".to_string(), value!(self.target.index));
        head.insert("_id".to_string(), value!(self.target.searcher.id_of(place.root)?));
        head.insert("_nested".to_string(), print_place(place));
        self.versions(place.root, &mut head)?;
        head.insert("_score".to_string(), found.score.map_or(Value::Null, json::score));
        let empty = Map::new();
        let object = place.object_in(root).unwrap_or(&empty);
        // Fields are named from the document down, so the object is put where it stands.
        let placed = place.wrapped(object);
        let mut tail = Map::new();
        self.add_from_source(found, place.root, &placed, &mut tail)?;
        if !sort.keys.is_empty() && !found.sort.is_empty() {
            tail.insert("sort".to_string(), Value::Array(sort.print(&found.sort, self.target)));
        }
        if self.search.explain {
            tail.insert("_explanation".to_string(), self.explanation(found)?);
        }
        let source = match &self.source {
            SourceFilter::None => None,
            SourceFilter::All => Some(serde_json::value::to_raw_value(object)),
            // As in Elasticsearch, patterns name the object's members from the document down.
            SourceFilter::Parts { .. } => {
                let kept = self.source.apply(placed);
                kept.map(|kept| serde_json::value::to_raw_value(place.unwrapped(&kept).unwrap_or(&empty)))
            }
        };
        Hit { head, source: source.transpose().map_err(damaged)?, tail }.into_value()
    }

    fn versions(&self, locator: DocLocator, head: &mut Map<String, Value>) -> EsResult<()> {
        if !self.search.version && !self.search.seq_no_primary_term {
            return Ok(());
        }
        let (seq_no, version) = self.target.searcher.version_of(locator)?;
        if self.search.version {
            head.insert("_version".to_string(), value!(version));
        }
        if self.search.seq_no_primary_term {
            head.insert("_seq_no".to_string(), value!(seq_no));
            head.insert("_primary_term".to_string(), value!(1));
        }
        Ok(())
    }

    /// What comes from the source: fields and highlights.
    ///
    /// * `root`: the document that the hit is of, which may be itself.
    fn add_from_source(
        &self,
        found: &CollectedHit,
        root: DocLocator,
        source: &Map<String, Value>,
        tail: &mut Map<String, Value>,
    ) -> EsResult<()> {
        self.add_fields(found, root, source, tail)?;
        if let Some(highlighter) = &self.highlighter {
            let highlights = highlighter.highlights(source, found.locator)?;
            if !highlights.is_empty() {
                tail.insert("highlight".to_string(), Value::Object(highlights));
            }
        }
        Ok(())
    }

    fn add_fields(
        &self,
        found: &CollectedHit,
        root: DocLocator,
        source: &Map<String, Value>,
        tail: &mut Map<String, Value>,
    ) -> EsResult<()> {
        let mut values = Map::new();
        if let (Some(collapse), Some(group)) = (&self.search.collapse, &found.group) {
            let printed = super::collapse::print_group_value(group, &collapse.field, self.target);
            if !printed.is_null() {
                values.insert(collapse.field.clone(), Value::Array(vec![printed]));
            }
        }
        // Where the same is asked for more than once, `fields` has the last word, as in Elasticsearch.
        fields::from_columns(&self.columns, self.target, found.locator, root, &mut values)?;
        if !self.search.fields.is_empty() {
            values.extend(fields::from_source(&self.search.fields, self.target, source)?);
        }
        if !values.is_empty() {
            tail.insert("fields".to_string(), Value::Object(values));
        }
        Ok(())
    }

    fn explanation(&self, found: &CollectedHit) -> EsResult<Value> {
        let explained = self.target.searcher.explain(self.query, found.locator)?;
        let (mut printed, mut score) = match &explained {
            Some(explanation) => (print_explanation(explanation), as_score(explanation.value)),
            None => (value!({"value": 0.0, "description": "no matching term", "details": []}), 0.0),
        };
        for rescorer in self.rescorers {
            let second = match rescorer.has_rescored(found.locator) {
                true => self.target.searcher.explain(&rescorer.query, found.locator)?,
                false => None,
            };
            let second = second.map(|second| (print_explanation(&second), as_score(second.value)));
            (printed, score) = rescorer.explain(printed, score, second);
        }
        Ok(printed)
    }

    fn add_matched_queries(&self, locators: &[DocLocator], hits: &mut [Hit]) -> EsResult<()> {
        let mut named = self.query.named();
        let post_filter = self.search.post_filter.as_ref().map(|filter| self.target.parse_query(filter)).transpose()?;
        named.extend(post_filter.iter().flat_map(Query::named));
        named.extend(self.rescorers.iter().flat_map(|rescorer| rescorer.query.named()));
        if named.is_empty() {
            return Ok(());
        }
        let mut matched: Vec<Map<String, Value>> = vec![Map::new(); hits.len()];
        for query in named {
            let scores = score_documents(&self.target.searcher, &query.query, locators)?;
            for (of_hit, score) in matched.iter_mut().zip(scores) {
                if let Some(score) = score {
                    of_hit.insert(query.name.clone(), json::score(score));
                }
            }
        }
        for (hit, of_hit) in hits.iter_mut().zip(matched) {
            if of_hit.is_empty() {
                continue;
            }
            let printed = if self.search.include_named_queries_score {
                Value::Object(of_hit)
            } else {
                Value::Array(of_hit.into_iter().map(|(name, _)| Value::String(name)).collect())
            };
            insert_before(&mut hit.tail, "_explanation", "matched_queries", printed);
        }
        Ok(())
    }
}

/// Puts a member where Elasticsearch has it.
fn insert_before(map: &mut Map<String, Value>, before: &str, name: &str, value: Value) {
    let rest: Vec<(String, Value)> = ["_explanation", "inner_hits"]
        .iter()
        .skip_while(|known| **known != before)
        .filter_map(|known| map.shift_remove_entry(*known))
        .collect();
    map.insert(name.to_string(), value);
    map.extend(rest);
}

fn print_place(place: &NestedPlace) -> Value {
    let mut printed = Value::Null;
    for (field, offset) in place.steps.iter().rev() {
        let mut step = Map::new();
        step.insert("field".to_string(), value!(field));
        step.insert("offset".to_string(), value!(offset));
        if !printed.is_null() {
            step.insert("_nested".to_string(), printed);
        }
        printed = Value::Object(step);
    }
    printed
}

/// An explanation as Elasticsearch prints it.
pub(super) fn print_explanation(explanation: &Explanation) -> Value {
    let details: Vec<Value> = explanation.details.iter().map(print_explanation).collect();
    value!({
        "value": json::score(as_score(explanation.value)), "description": explanation.description, "details": details,
    })
}

#[expect(clippy::cast_possible_truncation, reason = "scores have single precision")]
fn as_score(value: f64) -> f32 {
    value as f32
}

fn damaged(error: serde_json::Error) -> EsError {
    EsError::new(500, "exception", format!("the stored source of a document is damaged: {error}"))
}
