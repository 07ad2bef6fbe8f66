//! The body of a search, read without knowing the index.

use std::time::Duration;

use serde_json::{Map, Value};

use super::collapse::CollapseSpec;
use super::fields::FieldSpec;
use super::highlight::HighlightSpec;
use super::json;
use super::rescore::RescoreSpec;
use super::sort_spec::SortSpec;
use super::source_filter::SourceFilter;
use crate::retrieve::collect::{Slice, TrackTotal};
use crate::server::es::error::{EsError, EsResult};
use crate::server::es::request::parse_duration;

/// The most hits that are counted when a search does not say.
pub(super) const DEFAULT_TRACK_TOTAL: TrackTotal = TrackTotal::UpTo(10_000);

/// A search as its client asked for it: the body, and what the query string put over it.
#[derive(Debug, Clone, Default)]
pub struct SearchBody {
    pub(super) query: Option<Value>,
    pub(super) from: Option<usize>,
    pub(super) size: Option<usize>,
    pub(super) sort: Vec<SortSpec>,
    pub(super) search_after: Option<Vec<Value>>,
    pub(super) pit: Option<PitRef>,
    pub(super) slice: Option<Slice>,
    pub(super) post_filter: Option<Value>,
    pub(super) min_score: Option<f32>,
    pub(super) track_total: Option<TrackTotal>,
    pub(super) track_scores: bool,
    pub(super) terminate_after: Option<u64>,
    pub(super) timeout: Option<Duration>,
    pub(super) explain: bool,
    pub(super) version: bool,
    pub(super) seq_no_primary_term: bool,
    pub(super) profile: bool,
    pub(super) stored_fields: Option<StoredFields>,
    pub(super) source: Option<SourceFilter>,
    pub(super) fields: Vec<FieldSpec>,
    pub(super) docvalue_fields: Vec<FieldSpec>,
    pub(super) indices_boost: Vec<(String, f32)>,
    pub(super) collapse: Option<CollapseSpec>,
    pub(super) rescore: Vec<RescoreSpec>,
    pub(super) highlight: Option<HighlightSpec>,
    pub(super) include_named_queries_score: bool,
    /// The `knn` section, unread.
    pub(super) knn: Option<Value>,
    /// The `retriever`, unread.
    pub(super) retriever: Option<Value>,
    /// The aggregations, unread.
    pub(super) aggs: Option<Value>,
    /// Bifocal's own: how hybrid hits came about, and what facets count.
    pub(super) bifocal: Option<Value>,
}

/// The most slices of an index that says nothing (`index.max_slices_per_scroll`).
pub(in crate::server::es) const DEFAULT_MAX_SLICES: usize = 1024;

/// What the indices of a search allow.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimits {
    pub(super) max_rescore_window: usize,
    pub(super) max_slices: usize,
}

/// A point in time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PitRef {
    pub(super) id: String,
    pub(super) keep_alive: Option<Duration>,
}

/// What `stored_fields` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StoredFields {
    /// `_none_`: neither sources nor ids.
    None,
    /// Fields; without `_source` among them there are no sources.
    Named(Vec<String>),
}

impl SearchBody {
    /// Reads a body.
    ///
    /// # Errors
    /// `parsing_exception` for keys that a search does not have, `illegal_argument_exception` for values out of range and for parts
    /// that are not supported, each by its name.
    pub fn parse(body: &Map<String, Value>) -> EsResult<Self> {
        let mut search = Self::default();
        for (name, value) in body {
            search.member(name, value)?;
        }
        Ok(search)
    }

    fn member(&mut self, name: &str, value: &Value) -> EsResult<()> {
        let is_object = value.is_object();
        let is_list = value.is_array();
        let is_scalar = !is_object && !is_list && !value.is_null();
        match name {
            "query" if is_object => self.query = Some(value.clone()),
            "post_filter" if is_object => self.post_filter = Some(value.clone()),
            "from" if is_scalar => self.from = Some(json::int_size("search", name, value)?),
            "size" if is_scalar => self.size = Some(json::int_size("search", name, value)?),
            "sort" if !value.is_null() => self.sort = SortSpec::parse_all(value)?,
            "search_after" if is_list => self.search_after = value.as_array().cloned(),
            "pit" if is_object => self.pit = Some(PitRef::parse(value)?),
            "slice" if is_object => self.slice = Some(parse_slice(value)?),
            "min_score" if is_scalar => self.min_score = Some(json::float("search", name, value)?),
            "track_total_hits" if is_scalar => self.track_total = Some(track_total(value)?),
            "track_scores" if is_scalar => self.track_scores = json::boolean("search", name, value)?,
            "terminate_after" if is_scalar => self.set_terminate_after(json::integer("search", name, value)?)?,
            "timeout" if is_scalar => self.timeout = Some(duration(name, value)?).flatten(),
            "explain" if is_scalar => self.explain = json::boolean("search", name, value)?,
            "version" if is_scalar => self.version = json::boolean("search", name, value)?,
            "seq_no_primary_term" if is_scalar => self.seq_no_primary_term = json::boolean("search", name, value)?,
            "profile" if is_scalar => self.profile = json::boolean("search", name, value)?,
            "include_named_queries_score" if is_scalar => {
                self.include_named_queries_score = json::boolean("search", name, value)?;
            }
            "stored_fields" if !is_object && !value.is_null() => {
                self.stored_fields = Some(StoredFields::parse(json::texts("search", name, value)?)?);
            }
            "_source" => self.source = Some(SourceFilter::parse(value)?),
            "fields" if is_list => self.fields = FieldSpec::parse_all("fields", value)?,
            "docvalue_fields" if is_list => self.docvalue_fields = FieldSpec::parse_all("docvalue_fields", value)?,
            "indices_boost" if is_object || is_list => self.indices_boost = indices_boost(value)?,
            "collapse" if is_object => self.collapse = Some(CollapseSpec::parse(value)?),
            "rescore" if is_object || is_list => self.rescore = RescoreSpec::parse_all(value)?,
            "highlight" if is_object => self.highlight = Some(HighlightSpec::parse(value)?),
            "aggs" | "aggregations" if is_object => {
                if value.as_object().is_some_and(|aggs| !aggs.is_empty()) {
                    self.aggs = Some(value.clone());
                }
            }
            "knn" if is_object || is_list => self.knn = Some(value.clone()),
            "retriever" if is_object => self.retriever = Some(value.clone()),
            "_bifocal" if is_object => self.bifocal = Some(value.clone()),
            // Names for statistics, and extensions that are not here: nothing to do.
            "stats" if is_list => drop(json::texts("search", name, value)?),
            "ext" if is_object => {
                if let Some(extension) = value.as_object().and_then(|ext| ext.keys().next()) {
                    return Err(EsError::unsupported(format!("the search extension [{extension}]")));
                }
            }
            "script_fields" | "runtime_mappings" | "suggest" | "rank" | "sub_searches" => {
                if !value.as_object().is_some_and(Map::is_empty) {
                    return Err(EsError::unsupported(format!("[{name}] in a search")));
                }
            }
            _ => return Err(json::unknown_key(name, value)),
        }
        Ok(())
    }

    pub(super) fn set_terminate_after(&mut self, count: i64) -> EsResult<()> {
        let count = u64::try_from(count).map_err(|_| EsError::illegal_argument("terminateAfter must be > 0"))?;
        self.terminate_after = (count > 0).then_some(count);
        Ok(())
    }

    /// How far to count.
    pub(super) fn track_total(&self) -> TrackTotal {
        self.track_total.unwrap_or(DEFAULT_TRACK_TOTAL)
    }

    pub(super) fn from(&self) -> usize {
        self.from.unwrap_or(0)
    }

    pub(super) fn size(&self) -> usize {
        self.size.unwrap_or(10)
    }

    /// Refuses pages that lie too deep. Elasticsearch asks each index, so the error is one of theirs.
    ///
    /// # Errors
    /// `illegal_argument_exception`.
    pub(super) fn check_window(&self, max_result_window: usize, is_scroll: bool) -> EsResult<()> {
        let (from, size) = (self.from(), self.size());
        let invalid = |text: String| Err(EsError::illegal_argument(text));
        if is_scroll && size > max_result_window {
            return invalid(format!(
                "Batch size is too large, size must be less than or equal to: [{max_result_window}] but was [{size}]. Scroll batch sizes cost as much memory as result windows so they are controlled by the [index.max_result_window] index level setting."
            ));
        }
        if from.saturating_add(size) > max_result_window {
            return invalid(format!(
                "Result window is too large, from + size must be less than or equal to: [{max_result_window}] but was [{}]. See the scroll api for a more efficient way to request large data sets. This limit can be set by changing the [index.max_result_window] index level setting.",
                from.saturating_add(size)
            ));
        }
        Ok(())
    }

    /// Refuses what contradicts itself, as Elasticsearch does.
    ///
    /// # Errors
    /// `illegal_argument_exception`.
    pub(super) fn check(&self, limits: BodyLimits, is_scroll: bool) -> EsResult<()> {
        let from = self.from();
        let invalid = |text: String| Err(EsError::illegal_argument(text));
        if self.search_after.is_some() && from > 0 {
            return invalid("`from` parameter must be set to 0 when `search_after` is used".to_string());
        }
        if !self.rescore.is_empty() && self.sort.iter().any(|key| !key.is_score_descending()) {
            return invalid("Cannot use [sort] option in conjunction with [rescore].".to_string());
        }
        if let (Some(collapse), Some(_)) = (&self.collapse, &self.search_after)
            && !matches!(self.sort.as_slice(), [only] if only.field == collapse.field)
        {
            return invalid(
                "Cannot use [collapse] in conjunction with [search_after] unless the search is sorted on the same field. Multiple sort fields are not allowed.".to_string(),
            );
        }
        if self.slice.is_some() && !is_scroll && self.pit.is_none() {
            return invalid("[slice] can only be used with [scroll] or [point-in-time] requests".to_string());
        }
        if let Some(slice) = self.slice {
            check_slices(slice, limits.max_slices)?;
        }
        let max_window = limits.max_rescore_window;
        if let Some(rescore) = self.rescore.iter().find(|rescore| rescore.window_size > max_window) {
            return invalid(format!(
                "Rescore window [{}] is too large. It must be less than [{max_window}]. This prevents allocating massive heaps for storing the results to be rescored. This limit can be set by changing the [index.max_rescore_window] index level setting.",
                rescore.window_size
            ));
        }
        Ok(())
    }
}

impl PitRef {
    fn parse(value: &Value) -> EsResult<Self> {
        let mut id = None;
        let mut keep_alive = None;
        for (name, value) in json::object("pit", value)? {
            match name.as_str() {
                "id" => id = Some(json::text("pit", name, value)?),
                "keep_alive" => keep_alive = duration(name, value)?,
                _ => return Err(json::unknown_field("pit", name)),
            }
        }
        let id = id
            .filter(|id| !id.is_empty())
            .ok_or_else(|| EsError::illegal_argument("point in time id is not provided"))?;
        Ok(Self { id, keep_alive })
    }
}

impl StoredFields {
    /// # Errors
    /// `illegal_argument_exception` where `_none_` stands beside fields.
    pub(super) fn parse(names: Vec<String>) -> EsResult<Self> {
        if names.iter().any(|name| name == "_none_") {
            if names.len() > 1 {
                return Err(EsError::illegal_argument("cannot combine _none_ with other fields"));
            }
            return Ok(StoredFields::None);
        }
        Ok(StoredFields::Named(names))
    }
}

/// A time with its unit; `-1` is none.
pub(super) fn duration(name: &str, value: &Value) -> EsResult<Option<Duration>> {
    match json::text("search", name, value)?.as_str() {
        "-1" => Ok(None),
        text => parse_duration(text, name).map(Some),
    }
}

/// `true`, `false`, or a number.
pub(super) fn track_total(value: &Value) -> EsResult<TrackTotal> {
    match value {
        Value::Bool(true) => Ok(TrackTotal::Exact),
        Value::Bool(false) => Ok(TrackTotal::No),
        Value::String(text) if text == "true" => Ok(TrackTotal::Exact),
        Value::String(text) if text == "false" => Ok(TrackTotal::No),
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            match json::integer("search", "track_total_hits", value)? {
                -1 => Ok(TrackTotal::No),
                count => u64::try_from(count).map(TrackTotal::UpTo).map_err(|_| {
                    EsError::illegal_argument(format!(
                        "[track_total_hits] parameter must be positive or equals to -1, got {count}"
                    ))
                }),
            }
        }
    }
}

pub(in crate::server::es) fn parse_slice(value: &Value) -> EsResult<Slice> {
    let (mut id, mut max) = (None, None);
    for (name, value) in json::object("slice", value)? {
        match name.as_str() {
            "id" => id = Some(json::integer("slice", name, value)?),
            "max" => max = Some(json::integer("slice", name, value)?),
            // Any way of cutting serves; ours is by the place in the index.
            "field" => drop(json::text("slice", name, value)?),
            _ => return Err(json::unknown_field("slice", name)),
        }
    }
    let (Some(id), Some(max)) = (id, max) else {
        return Err(EsError::illegal_argument("[slice] needs [id] and [max]"));
    };
    let id = u32::try_from(id).map_err(|_| EsError::illegal_argument("id must be greater than or equal to 0"))?;
    let max = u32::try_from(max).ok().filter(|max| *max > 1);
    let max = max.ok_or_else(|| EsError::illegal_argument("max must be greater than 1"))?;
    if id >= max {
        return Err(EsError::illegal_argument("max must be greater than id"));
    }
    Ok(Slice { id, max })
}

/// Refuses more slices than an index allows.
///
/// # Errors
/// `illegal_argument_exception`.
pub(in crate::server::es) fn check_slices(slice: Slice, most: usize) -> EsResult<()> {
    if slice.max as usize <= most {
        return Ok(());
    }
    Err(EsError::illegal_argument(format!(
        "The number of slices [{}] is too large. It must be less than [{most}]. This limit can be set by changing the [index.max_slices_per_scroll] index level setting.",
        slice.max
    )))
}

fn indices_boost(value: &Value) -> EsResult<Vec<(String, f32)>> {
    let mut boosts = Vec::new();
    let parts = match value {
        Value::Array(parts) => parts.iter().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => vec![value],
    };
    for part in parts {
        for (index, boost) in json::object("indices_boost", part)? {
            let boost = json::float("indices_boost", index, boost)?;
            if boost < 0.0 {
                return Err(EsError::illegal_argument("[indices_boost] cannot be negative"));
            }
            boosts.push((index.clone(), boost));
        }
    }
    Ok(boosts)
}
