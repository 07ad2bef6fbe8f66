//! `inner_hits`: the nested objects, or the members of a collapsed group, behind a hit.

use serde_json::{Map, Value, json as value};

use super::body::SearchBody;
use super::fetch::{self, Fetcher};
use super::json;
use super::query_phase::Ranked;
use super::sort_spec;
use super::target::Target;
use crate::retrieve::collect::{CollectedHit, Total, compare_hits};
use crate::retrieve::query::{NestedQuery, Query};
use crate::server::es::error::{EsError, EsResult};

/// What was asked for.
#[derive(Debug, Clone)]
pub(super) struct InnerHitsSpec {
    pub(super) name: Option<String>,
    /// From, size, sort, and what a hit shows.
    pub(super) search: SearchBody,
}

/// The limit of `from` + `size` of an index that says nothing (`index.max_inner_result_window`).
pub(in crate::server::es) const MAX_INNER_RESULT_WINDOW: usize = 100;

impl InnerHitsSpec {
    /// # Errors
    /// `x_content_parse_exception` for what inner hits do not have.
    pub(super) fn parse(spec: &Value) -> EsResult<Self> {
        let mut name = None;
        let mut rest = Map::new();
        for (key, member) in json::object("inner_hits", spec)? {
            match key.as_str() {
                "name" => name = Some(json::text("inner_hits", key, member)?),
                "ignore_unmapped" => drop(json::boolean("inner_hits", key, member)?),
                "from"
                | "size"
                | "sort"
                | "_source"
                | "fields"
                | "docvalue_fields"
                | "highlight"
                | "explain"
                | "version"
                | "seq_no_primary_term"
                | "stored_fields"
                | "track_scores" => {
                    rest.insert(key.clone(), member.clone());
                }
                "script_fields" | "collapse" => return Err(EsError::unsupported(format!("[{key}] of inner_hits"))),
                _ => return Err(json::unknown_field("inner_hits", key)),
            }
        }
        let search = SearchBody::parse(&rest)?;
        Ok(Self { name, search })
    }

    /// Refuses a page that lies deeper than the index allows.
    ///
    /// # Errors
    /// `illegal_argument_exception`.
    pub(super) fn check_window(&self, target: &Target) -> EsResult<()> {
        let most = target.limit("max_inner_result_window", MAX_INNER_RESULT_WINDOW);
        let window = self.search.from().saturating_add(self.search.inner_size());
        if window <= most {
            return Ok(());
        }
        Err(EsError::illegal_argument(format!(
            "Inner result window is too large, the inner hit definition's [{}]'s from + size must be less than or equal to: [{most}] but was [{window}]. This limit can be set by changing the [index.max_inner_result_window] index level setting.",
            self.name.as_deref().unwrap_or("null")
        )))
    }
}

impl SearchBody {
    /// The size of inner hits: 3 unless said.
    pub(super) fn inner_size(&self) -> usize {
        self.size.unwrap_or(3)
    }
}

/// The nested queries of a tree that ask for inner hits, outermost first.
pub(super) fn nested_queries(query: &Query) -> Vec<&NestedQuery> {
    let mut found = Vec::new();
    gather(query, &mut found);
    found
}

fn gather<'q>(query: &'q Query, found: &mut Vec<&'q NestedQuery>) {
    if let Query::Nested(nested) = query
        && nested.inner_hits.is_some()
    {
        found.push(nested);
    }
    query.children().into_iter().for_each(|child| gather(child, found));
}

/// The inner hits of one hit: an object by name.
///
/// # Errors
/// Those of the queries.
pub(super) fn of_nested(
    target: &Target,
    nested: &[(&NestedQuery, InnerHitsSpec)],
    hit: &CollectedHit,
    source: &Map<String, Value>,
    total_as_int: bool,
) -> EsResult<Map<String, Value>> {
    let mut printed = Map::new();
    for (query, spec) in nested {
        let name = spec.name.clone().unwrap_or_else(|| query.path.clone());
        let sort = sort_spec::resolve(&spec.search.sort, target)?;
        let mut children = target.searcher.nested_hits(query, hit.locator, &sort.keys)?;
        let total = Total { value: children.len() as u64, at_least: false };
        let max_score = if sort.keys.is_empty() {
            children.iter().filter_map(|child| child.hit.score).max_by(f32::total_cmp)
        } else {
            None
        };
        children.sort_by(|a, b| compare_hits(&sort.keys, &a.hit, &b.hit));
        let page = children.iter().skip(spec.search.from()).take(spec.search.inner_size());
        let mut hits = Vec::new();
        let fetcher = Fetcher::new(&spec.search, target, &query.query)?;
        for child in page {
            hits.push(fetcher.nested(&child.hit, &child.place, source, &sort)?);
        }
        let max_score = max_score.map_or(Value::Null, json::score);
        printed.insert(
            name,
            value!({"hits": {"total": fetch::total(total, total_as_int), "max_score": max_score, "hits": hits}}),
        );
    }
    Ok(printed)
}

/// Reads what nested queries ask to be shown.
///
/// # Errors
/// As [`InnerHitsSpec::parse`]; `illegal_argument_exception` for two of one name.
pub(super) fn read_nested(query: &Query) -> EsResult<Vec<(&NestedQuery, InnerHitsSpec)>> {
    let mut specs: Vec<(&NestedQuery, InnerHitsSpec)> = Vec::new();
    for nested in nested_queries(query) {
        let Some(spec) = &nested.inner_hits else { continue };
        let spec = InnerHitsSpec::parse(spec)?;
        let name = spec.name.as_ref().unwrap_or(&nested.path);
        if specs.iter().any(|(other, known)| known.name.as_ref().unwrap_or(&other.path) == name) {
            return Err(EsError::illegal_argument(format!("[inner_hits] already contains an entry for key [{name}]")));
        }
        specs.push((nested, spec));
    }
    Ok(specs)
}

/// The inner hits of a group, printed.
pub(super) fn print_group(hits: Vec<Value>, total: &Value, ranked: &[Ranked]) -> Value {
    let max_score = ranked.iter().filter_map(|found| found.hit.score).max_by(f32::total_cmp);
    value!({"hits": {"total": total, "max_score": max_score.map_or(Value::Null, json::score), "hits": hits}})
}
