//! `_field_caps`: which fields there are over several indices, and what can be done with them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde_json::{Map, Value, json};

use super::filter_path::matches;
use super::targets::{read_options, resolve};
use super::{Body, EsError, EsResponse, EsResult, Params};
use crate::schema::IndexDefinition;
use crate::schema::field_caps::FieldCaps;
use crate::server::state::AppState;
use crate::store::catalog::IndicesOptions;

pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new().route("/_field_caps", get(tell).post(tell)).route("/{index}/_field_caps", get(tell).post(tell))
}

/// What can be done with a field of one index.
#[derive(Debug, Clone, PartialEq)]
struct Capability {
    kind: String,
    is_metadata: bool,
    is_searchable: bool,
    is_aggregatable: bool,
    is_parent: bool,
    is_multi_field: bool,
    meta: Option<BTreeMap<String, String>>,
}

async fn tell(
    State(app): State<Arc<AppState>>,
    target: Option<Path<String>>,
    params: Params,
    body: Body,
) -> EsResult<EsResponse> {
    let options = read_options(&params, IndicesOptions::default())?;
    let wanted = params.list("fields");
    let include_unmapped = params.bool_or("include_unmapped", false)?;
    let filters = params.list("filters").unwrap_or_default();
    let types = params.list("types").unwrap_or_default();
    params.bool("include_empty_fields")?;
    params.finish()?;
    let body = body.object()?.unwrap_or_default();
    app.clone()
        .manage(move || {
            let wanted = read_fields(wanted, body)?;
            check_filters(&filters)?;
            let target = target.map_or_else(|| "_all".to_string(), |Path(target)| target);
            let mut told: Vec<(String, BTreeMap<String, Capability>)> = Vec::new();
            for index in resolve(&app, &target, options)? {
                let fields = of_definition(&index.shard()?.definition())?;
                told.push((index.name().to_string(), selected(fields, &wanted, &filters, &types)));
            }
            Ok(EsResponse::json(join(&told, include_unmapped)))
        })
        .await
}

fn read_fields(wanted: Option<Vec<String>>, body: Map<String, Value>) -> EsResult<Vec<String>> {
    let mut wanted = wanted;
    for (name, value) in body {
        match (name.as_str(), value) {
            ("fields", Value::String(field)) => wanted = Some(vec![field]),
            ("fields", Value::Array(fields)) => {
                let texts = fields.iter().map(|field| field.as_str().map(str::to_string));
                let texts: Option<Vec<String>> = texts.collect();
                wanted = Some(texts.ok_or_else(|| EsError::parsing("[fields] must hold names"))?);
            }
            ("runtime_mappings", Value::Object(mappings)) if mappings.is_empty() => {}
            ("index_filter", Value::Object(filter)) if filter.is_empty() => {}
            (name @ ("runtime_mappings" | "index_filter"), _) => {
                return Err(EsError::unsupported(format!("[{name}] of [_field_caps]")));
            }
            (other, _) => {
                return Err(EsError::parsing(format!("[field_capabilities_request] unknown field [{other}]")));
            }
        }
    }
    wanted.ok_or_else(|| {
        let text = "Validation Failed: 1: no fields specified;";
        EsError::new(400, "action_request_validation_exception", text)
    })
}

const FILTERS: [&str; 6] = ["+metadata", "-metadata", "-parent", "-nested", "-multifield", "+parent"];

fn check_filters(filters: &[String]) -> EsResult<()> {
    match filters.iter().find(|filter| !FILTERS.contains(&filter.as_str())) {
        Some(unknown) => Err(EsError::illegal_argument(format!("Unknown field caps filter [{unknown}]"))),
        None => Ok(()),
    }
}

fn passes(capability: &Capability, filters: &[String], types: &[String]) -> bool {
    if !types.is_empty() && !types.contains(&capability.kind) && !capability.is_metadata {
        return false;
    }
    filters.iter().all(|filter| match filter.as_str() {
        "+metadata" => capability.is_metadata,
        "-metadata" => !capability.is_metadata,
        "-parent" => !capability.is_parent,
        "-nested" => capability.kind != "nested",
        "-multifield" => !capability.is_multi_field,
        _ => true,
    })
}

/// The paths of what a field may stand in, outermost first.
fn above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('.').filter_map(|(at, _)| path.get(..at))
}

/// The fields that are asked about and, as in Elasticsearch, the objects that they stand in.
fn selected(
    mut fields: BTreeMap<String, Capability>,
    wanted: &[String],
    filters: &[String],
    types: &[String],
) -> BTreeMap<String, Capability> {
    let without = |name: &str| filters.iter().any(|filter| filter == name);
    let is_nested = |path: &str| above(path).any(|path| fields.get(path).is_some_and(|object| object.kind == "nested"));
    let is_wanted = |path: &str, capability: &Capability| {
        wanted.iter().any(|pattern| matches(pattern, path))
            && passes(capability, filters, types)
            && !(without("-nested") && is_nested(path))
    };
    let mut kept: BTreeSet<String> =
        fields.iter().filter(|(path, capability)| is_wanted(path, capability)).map(|(path, _)| path.clone()).collect();
    if !without("-parent") {
        let parents: Vec<String> = kept.iter().flat_map(|path| above(path)).map(str::to_string).collect();
        kept.extend(parents.into_iter().filter(|path| fields.get(path).is_some_and(|parent| parent.is_parent)));
    }
    fields.retain(|path, _| kept.contains(path));
    fields
}

/// The fields of a mapping, by path, with those that every document has.
fn of_definition(definition: &IndexDefinition) -> crate::Result<BTreeMap<String, Capability>> {
    let capability = |caps: FieldCaps| {
        let capability = Capability {
            kind: caps.kind.to_string(),
            is_metadata: caps.metadata_field,
            is_searchable: caps.searchable,
            is_aggregatable: caps.aggregatable,
            is_parent: matches!(caps.kind, "object" | "nested"),
            is_multi_field: caps.is_multi_field,
            meta: caps.meta,
        };
        (caps.path, capability)
    };
    Ok(definition.field_caps()?.into_iter().map(capability).collect())
}

/// Indices, each with what can be done there; nothing where the field is absent.
type Holders<'a> = Vec<(&'a str, Option<&'a Capability>)>;

fn join(told: &[(String, BTreeMap<String, Capability>)], include_unmapped: bool) -> Value {
    // By field, then by type: the indices where it has that type.
    let mut fields: BTreeMap<&str, BTreeMap<&str, Holders<'_>>> = BTreeMap::new();
    for (index, own) in told {
        for (path, capability) in own {
            let of_type = fields.entry(path).or_default().entry(&capability.kind).or_default();
            of_type.push((index, Some(capability)));
        }
    }
    if include_unmapped {
        for (path, kinds) in &mut fields {
            let without: Vec<_> = told
                .iter()
                .filter(|(_, own)| !own.contains_key(*path))
                .map(|(index, _)| (index.as_str(), None))
                .collect();
            if !without.is_empty() {
                kinds.insert("unmapped", without);
            }
        }
    }
    let mut printed = Map::new();
    for (path, kinds) in &fields {
        let has_conflict = kinds.len() > 1;
        let types = kinds.iter().map(|(kind, indices)| ((*kind).to_string(), print(kind, indices, has_conflict)));
        printed.insert((*path).to_string(), Value::Object(types.collect()));
    }
    let indices: Vec<&str> = told.iter().map(|(index, _)| index.as_str()).collect();
    json!({"indices": indices, "fields": printed})
}

fn print(kind: &str, indices: &[(&str, Option<&Capability>)], has_conflict: bool) -> Value {
    let all = |of: fn(&Capability) -> bool| indices.iter().all(|(_, one)| one.is_some_and(of));
    let lacking = |of: fn(&Capability) -> bool| -> Vec<&str> {
        indices.iter().filter(|(_, one)| !one.is_some_and(of)).map(|(index, _)| *index).collect()
    };
    let (is_searchable, is_aggregatable) = (all(|one| one.is_searchable), all(|one| one.is_aggregatable));
    let mut printed = json!({
        "type": kind,
        "metadata_field": all(|one| one.is_metadata),
        "searchable": is_searchable,
        "aggregatable": is_aggregatable,
    });
    let Some(object) = printed.as_object_mut() else { return printed };
    if has_conflict {
        object.insert("indices".to_string(), indices.iter().map(|(index, _)| json!(index)).collect());
    }
    // Where only some of the indices lack it, they are named.
    for (name, of) in [
        ("non_searchable_indices", (|one| one.is_searchable) as fn(&Capability) -> bool),
        ("non_aggregatable_indices", |one| one.is_aggregatable),
    ] {
        let lacking = lacking(of);
        if !lacking.is_empty() && lacking.len() < indices.len() {
            object.insert(name.to_string(), json!(lacking));
        }
    }
    // Notes of the user's: under each name, the values that the indices have.
    let mut meta: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, value) in indices.iter().filter_map(|(_, one)| one.as_ref()?.meta.as_ref()).flatten() {
        meta.entry(name).or_default().insert(value);
    }
    if !meta.is_empty() {
        object.insert("meta".to_string(), json!(meta));
    }
    printed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(mapping: Value) -> BTreeMap<String, Capability> {
        let definition = IndexDefinition::from_value(&json!({"mappings": mapping})).unwrap();
        let mut fields = of_definition(&definition).unwrap();
        fields.retain(|_, capability| !capability.is_metadata);
        fields
    }

    #[test]
    fn types_differ_between_indices() {
        let one = fields(json!({"properties": {
            "title": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
            "year": {"type": "integer"}, "name": {"type": "alias", "path": "title.raw"},
            "notes": {"type": "nested", "properties": {"text": {"type": "text", "meta": {"unit": "word"}}}}}}));
        let other = fields(json!({"properties": {"year": {"type": "keyword"}, "title": {"type": "text"}}}));
        let joined = join(&[("a".to_string(), one), ("b".to_string(), other)], true);
        let of = |pointer: &str| joined.pointer(&format!("/fields/{pointer}")).cloned().unwrap_or_default();
        assert_eq!(
            of("title/text"),
            json!({"type": "text", "metadata_field": false, "searchable": true, "aggregatable": false})
        );
        assert_eq!(of("year/integer/indices"), json!(["a"]));
        assert_eq!(of("year/keyword/indices"), json!(["b"]));
        assert_eq!(of("name/keyword/aggregatable"), json!(true));
        assert_eq!(of("notes/nested/searchable"), json!(false));
        assert_eq!(of("notes.text/text/meta"), json!({"unit": ["word"]}));
        assert_eq!(of("title.raw/unmapped/indices"), json!(["b"]));
        assert_eq!(joined["indices"], json!(["a", "b"]));
    }

    #[test]
    fn requests_are_read_or_refused() {
        let read = |body: Value| read_fields(None, body.as_object().unwrap().clone());
        assert_eq!(read(json!({"fields": ["a", "b*"]})).unwrap(), ["a", "b*"]);
        assert!(read(json!({})).unwrap_err().reason.contains("no fields specified"));
        assert!(
            read(json!({"fields": "a", "index_filter": {"term": {}}})).unwrap_err().reason.contains("index_filter")
        );
        assert!(check_filters(&["-moon".to_string()]).is_err());
        let nested = fields(json!({"properties": {"a": {"type": "nested"}, "b": {"type": "long"}}}));
        let passing = |filter: &str| nested.values().filter(|one| passes(one, &[filter.to_string()], &[])).count();
        assert_eq!((passing("-nested"), passing("-parent"), passing("+metadata")), (1, 1, 0));
    }

    #[test]
    fn the_objects_that_a_field_stands_in_are_told_with_it() {
        let mapping = json!({"properties": {
            "a": {"type": "nested", "properties": {"b": {"properties": {"c": {"type": "long"}, "d": {"type": "long"}}}}},
            "e": {"properties": {"f": {"type": "text", "fields": {"raw": {"type": "keyword"}}}}}}});
        let told = |wanted: &str, filter: &str| {
            let filters: Vec<String> = if filter.is_empty() { Vec::new() } else { vec![filter.to_string()] };
            selected(fields(mapping.clone()), &[wanted.to_string()], &filters, &[]).into_keys().collect::<Vec<_>>()
        };
        assert_eq!(told("a.b.c", ""), ["a", "a.b", "a.b.c"]);
        assert_eq!(told("a.b.c", "-parent"), ["a.b.c"]);
        assert_eq!(told("*.raw", ""), ["e", "e.f.raw"]);
        assert_eq!(told("*", "-nested"), ["e", "e.f", "e.f.raw"]);
        assert!(told("x", "").is_empty());
    }
}
