//! A mapping that grows on a live index: what `PUT /index/_mapping` says is merged into what is there.
//!
//! New fields and multi-fields are added, objects are merged. A field that is there keeps its type and, but for a few
//! parameters, what it was given; a parameter that is left out means its default, as in Elasticsearch.

use serde_json::{Map, Value};

use super::vectors::{VectorIndexKind, VectorIndexOptions};
use super::{FieldMapping, Mappings, NestedMapping, ObjectMapping, Properties};
use crate::error::{Error, Result};
use crate::schema::IndexDefinition;

/// Parameters that may change on a live index.
const UPDATABLE: &[&str] = &[
    "ignore_above",
    "search_analyzer",
    "search_quote_analyzer",
    "coerce",
    "ignore_malformed",
    "eager_global_ordinals",
    "fielddata",
    "meta",
    "split_queries_on_whitespace",
    "depth_limit",
    "copy_to",
    "fields",
    "chunking_settings",
];

impl IndexDefinition {
    /// The definition with a mapping (`{"properties": ..}`) merged into it.
    ///
    /// # Errors
    /// `Conflict` in Elasticsearch's words where a field would change its type or a parameter that cannot change; `InvalidInput` and
    /// `Unsupported` for a mapping that cannot be had at all.
    pub fn merged_with(&self, mapping: &Value) -> Result<Self> {
        let more = Mappings::from_value(mapping)?;
        let old = &self.mappings;
        if mapping.get("_routing").is_some() && more.routing != old.routing {
            let required = |mappings: &Mappings| mappings.routing.is_some_and(|routing| routing.required);
            let (from, to) = (required(old), required(&more));
            return Err(conflicting(
                "_routing",
                &[format!("Cannot update parameter [required] from [{from}] to [{to}]")],
            ));
        }
        if mapping.get("_source").is_some() && more.source != old.source {
            let text = "Cannot update parameter [includes] or [excludes]".to_string();
            return Err(conflicting("_source", &[text]));
        }
        let mut merged = old.clone();
        merged.dynamic = more.dynamic.or(old.dynamic);
        merged.date_detection = more.date_detection.or(old.date_detection);
        merged.numeric_detection = more.numeric_detection.or(old.numeric_detection);
        merged.dynamic_date_formats = more.dynamic_date_formats.or_else(|| old.dynamic_date_formats.clone());
        merged.meta = more.meta.or_else(|| old.meta.clone());
        if mapping.get("dynamic_templates").is_some() {
            merged.dynamic_templates = more.dynamic_templates;
        }
        merge_properties("", &mut merged.properties, &more.properties)?;
        let definition = Self { settings: self.settings.clone(), mappings: merged };
        definition.check_limits()?;
        definition.fields()?;
        Ok(definition)
    }
}

fn merge_properties(prefix: &str, known: &mut Properties, more: &Properties) -> Result<()> {
    for (name, new) in more {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match known.get_mut(name) {
            None => {
                known.insert(name.clone(), new.clone());
            }
            Some(old) => merge_field(&path, old, new).map_err(|error| error.in_field(path.clone()))?,
        }
    }
    Ok(())
}

fn merge_field(path: &str, old: &mut FieldMapping, new: &FieldMapping) -> Result<()> {
    let type_name = old.type_name();
    match (&mut *old, new) {
        (FieldMapping::Object(old), FieldMapping::Object(new)) => merge_object(path, old, new),
        (FieldMapping::Nested(old), FieldMapping::Nested(new)) => merge_nested(path, old, new),
        (FieldMapping::Nested(_), FieldMapping::Object(_)) => {
            Err(conflict(format!("object mapping [{path}] can't be changed from nested to non-nested")))
        }
        (FieldMapping::Object(_), FieldMapping::Nested(_)) => {
            Err(conflict(format!("object mapping [{path}] can't be changed from non-nested to nested")))
        }
        (FieldMapping::Object(_) | FieldMapping::Nested(_), _) => {
            Err(conflict(format!("can't merge a non object mapping [{path}] with an object mapping")))
        }
        (_, FieldMapping::Object(_) | FieldMapping::Nested(_)) => {
            let name = if matches!(new, FieldMapping::Object(_)) { "ObjectMapper" } else { "NestedObjectMapper" };
            Err(conflict(format!("mapper [{path}] cannot be changed from type [{type_name}] to [{name}]")))
        }
        _ if type_name != new.type_name() => {
            let to = new.type_name();
            Err(conflict(format!("mapper [{path}] cannot be changed from type [{type_name}] to [{to}]")))
        }
        _ => merge_leaf(path, old, new),
    }
}

fn merge_object(path: &str, old: &mut ObjectMapping, new: &ObjectMapping) -> Result<()> {
    if new.enabled.is_some_and(|enabled| enabled != old.enabled.unwrap_or(true)) {
        return Err(conflict(format!("the [enabled] parameter can't be updated for the object mapping [{path}]")));
    }
    old.dynamic = new.dynamic.or(old.dynamic);
    merge_properties(path, &mut old.properties, &new.properties)
}

fn merge_nested(path: &str, old: &mut NestedMapping, new: &NestedMapping) -> Result<()> {
    for (name, from, to) in [
        ("include_in_parent", old.include_in_parent, new.include_in_parent),
        ("include_in_root", old.include_in_root, new.include_in_root),
    ] {
        if to.is_some_and(|to| to != from.unwrap_or(false)) {
            return Err(conflict(format!("the [{name}] parameter can't be updated on a nested object mapping")));
        }
    }
    old.dynamic = new.dynamic.or(old.dynamic);
    merge_properties(path, &mut old.properties, &new.properties)
}

fn merge_leaf(path: &str, old: &mut FieldMapping, new: &FieldMapping) -> Result<()> {
    let (before, after) = (parameters(old), parameters(new));
    let mut conflicts = Vec::new();
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        let (from, to) = (before.get(name), after.get(name));
        if from == to || UPDATABLE.contains(&name.as_str()) || may_change(name, from, to) {
            continue;
        }
        let shown = |value: Option<&Value>| match value {
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => default_of(old.type_name(), name).to_string(),
        };
        conflicts.push(format!("Cannot update parameter [{name}] from [{}] to [{}]", shown(from), shown(to)));
    }
    if !conflicts.is_empty() {
        return Err(conflicting(path, &conflicts));
    }
    let mut merged = new.clone();
    keep_what_was_found(old, &mut merged);
    let known = old.multi_fields_mut().map(std::mem::take);
    if let (Some(mut fields), Some(place)) = (known, merged.multi_fields_mut()) {
        merge_properties(path, &mut fields, place)?;
        *place = fields;
    }
    *old = merged;
    Ok(())
}

/// What the first document gave stays where the new mapping leaves it open.
fn keep_what_was_found(old: &FieldMapping, new: &mut FieldMapping) {
    match (old, new) {
        (FieldMapping::DenseVector(old), FieldMapping::DenseVector(new)) => {
            new.dims = new.dims.or(old.dims);
            new.index_options = new.index_options.or(old.index_options);
        }
        (FieldMapping::SemanticText(old), FieldMapping::SemanticText(new)) => {
            new.index_options = new.index_options.or(old.index_options);
        }
        (FieldMapping::ConstantKeyword(old), FieldMapping::ConstantKeyword(new)) => {
            new.value = new.value.take().or_else(|| old.value.clone());
        }
        _ => {}
    }
}

/// A field's parameters but for its multi-fields, with what is always meant filled in.
fn parameters(mapping: &FieldMapping) -> Map<String, Value> {
    let mut map = match serde_json::to_value(mapping) {
        Ok(Value::Object(map)) => map,
        Ok(_) | Err(_) => Map::new(),
    };
    map.remove("fields");
    if let FieldMapping::DenseVector(vector) = mapping {
        map.insert("index".to_string(), Value::from(vector.index.unwrap_or(true)));
        let similarity = serde_json::to_value(vector.similarity.unwrap_or_default()).unwrap_or_default();
        map.insert("similarity".to_string(), similarity);
    }
    map
}

/// Parameters that may change in one way.
fn may_change(name: &str, from: Option<&Value>, to: Option<&Value>) -> bool {
    match name {
        // Lengths may be forgotten, not found again.
        "norms" => to == Some(&Value::Bool(false)),
        // The first document tells what a mapping leaves open.
        "dims" | "value" => from.is_none() || to.is_none(),
        // The same vectors, searched in another way.
        "index_options" => match (from.map(vector_index), to.map(vector_index)) {
            (Some(Some(from)), Some(Some(to))) => vector_index_may_become(from, to),
            (None, Some(Some(to))) => vector_index_may_become(VectorIndexOptions::default(), to),
            (from, to) => from.is_none() || to.is_none(),
        },
        _ => false,
    }
}

/// `index_options` of vectors; `None` for those of texts.
fn vector_index(value: &Value) -> Option<VectorIndexOptions> {
    if !value.is_object() {
        return None;
    }
    serde_json::from_value(value.get("dense_vector").unwrap_or(value).clone()).ok()
}

/// Whether vectors that are searched one way may be searched another: finer structures never become coarser ones, and nodes of a graph
/// keep their neighbours, as in Elasticsearch.
fn vector_index_may_become(from: VectorIndexOptions, to: VectorIndexOptions) -> bool {
    use VectorIndexKind::{Flat, Hnsw, Int8Flat, Int8Hnsw};
    let neighbours = |options: VectorIndexOptions| options.m.unwrap_or(VectorIndexOptions::DEFAULT_M);
    match (from.kind, to.kind) {
        (Flat, _) | (Int8Flat, Int8Flat | Hnsw | Int8Hnsw) => true,
        (Hnsw, Hnsw | Int8Hnsw) | (Int8Hnsw, Int8Hnsw) => neighbours(to) >= neighbours(from),
        (Int8Flat, Flat) | (Hnsw | Int8Hnsw, Flat | Int8Flat) | (Int8Hnsw, Hnsw) => false,
    }
}

fn default_of(kind: &str, name: &str) -> &'static str {
    match (kind, name) {
        (_, "analyzer") => "default",
        (_, "ignore_above") => "2147483647",
        (_, "format") => "strict_date_optional_time||epoch_millis",
        (_, "locale") => "",
        ("keyword" | "wildcard", "norms") => "false",
        (_, "index" | "doc_values" | "norms" | "coerce" | "positive_score_impact" | "enable_position_increments") => {
            "true"
        }
        (_, "store" | "eager_global_ordinals" | "fielddata" | "index_phrases") => "false",
        ("keyword" | "flattened", "index_options") => "docs",
        (_, "index_options") => "positions",
        (_, "term_vector") => "no",
        (_, "position_increment_gap") => "100",
        (_, "max_shingle_size") => "3",
        (_, "similarity") => "BM25",
        (_, "element_type") => "float",
        _ => "null",
    }
}

fn conflict(reason: String) -> Error {
    Error::conflict(reason.clone()).as_exception("illegal_argument_exception", reason)
}

fn conflicting(path: &str, conflicts: &[String]) -> Error {
    conflict(format!("Mapper for [{path}] conflicts with existing mapper:\n\t{}", conflicts.join("\n\t")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn merge(old: Value, new: Value) -> Result<Value> {
        let definition = IndexDefinition::from_value(&json!({"mappings": old}))?;
        Ok(definition.merged_with(&new)?.mappings.to_value())
    }

    #[test]
    fn fields_are_added_and_objects_merged() {
        let old = json!({"dynamic": "strict", "_meta": {"a": 1}, "properties": {
            "t": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
            "o": {"properties": {"a": {"type": "long"}}}}});
        let new = json!({"dynamic": false, "_meta": {"b": 2}, "properties": {
            "n": {"type": "integer"},
            "t": {"type": "text", "fields": {"english": {"type": "text", "analyzer": "english"}}},
            "o": {"properties": {"b": {"type": "nested", "properties": {"c": {"type": "date"}}}}}}});
        let expected = json!({"dynamic": "false", "_meta": {"b": 2}, "properties": {
            "n": {"type": "integer"},
            "o": {"properties": {"a": {"type": "long"}, "b": {"type": "nested", "properties": {"c": {"type": "date"}}}}},
            "t": {"type": "text", "fields": {"english": {"type": "text", "analyzer": "english"}, "raw": {"type": "keyword"}}}}});
        assert_eq!(merge(old, new).unwrap(), expected);
    }

    #[test]
    fn some_parameters_may_change() {
        for (old, new) in [
            (json!({"type": "keyword", "ignore_above": 10}), json!({"type": "keyword", "ignore_above": 20})),
            (json!({"type": "keyword", "ignore_above": 10}), json!({"type": "keyword"})),
            (json!({"type": "long"}), json!({"type": "long", "coerce": false, "ignore_malformed": true})),
            (json!({"type": "text"}), json!({"type": "text", "norms": false})),
            (json!({"type": "text"}), json!({"type": "text", "meta": {"unit": "m"}})),
            (
                json!({"type": "text", "analyzer": "english"}),
                json!({"type": "text", "analyzer": "english", "search_analyzer": "simple"}),
            ),
        ] {
            let merged = merge(json!({"properties": {"f": old}}), json!({"properties": {"f": new}})).unwrap();
            assert_eq!(merged, json!({"properties": {"f": new}}), "{old}");
        }
    }

    #[test]
    fn conflicts_are_told_as_elasticsearch_tells_them() {
        let cases = [
            (
                json!({"type": "text"}),
                json!({"type": "keyword"}),
                "mapper [f] cannot be changed from type [text] to [keyword]",
            ),
            (
                json!({"type": "text"}),
                json!({"properties": {}}),
                "mapper [f] cannot be changed from type [text] to [ObjectMapper]",
            ),
            (
                json!({"properties": {}}),
                json!({"type": "text"}),
                "can't merge a non object mapping [f] with an object mapping",
            ),
            (
                json!({"type": "nested"}),
                json!({"type": "object"}),
                "object mapping [f] can't be changed from nested to non-nested",
            ),
            (
                json!({"type": "object"}),
                json!({"type": "nested"}),
                "object mapping [f] can't be changed from non-nested to nested",
            ),
            (
                json!({"type": "object", "enabled": false}),
                json!({"type": "object", "enabled": true}),
                "the [enabled] parameter can't be updated for the object mapping [f]",
            ),
            (
                json!({"type": "text", "analyzer": "english"}),
                json!({"type": "text"}),
                "Mapper for [f] conflicts with existing mapper:\n\tCannot update parameter [analyzer] from [english] to [default]",
            ),
            (
                json!({"type": "long"}),
                json!({"type": "long", "index": false, "doc_values": false}),
                "Mapper for [f] conflicts with existing mapper:\n\tCannot update parameter [doc_values] from [true] to [false]\n\tCannot update parameter [index] from [true] to [false]",
            ),
            (
                json!({"type": "date"}),
                json!({"type": "date", "format": "yyyy"}),
                "Mapper for [f] conflicts with existing mapper:\n\tCannot update parameter [format] from [strict_date_optional_time||epoch_millis] to [yyyy]",
            ),
            (
                json!({"type": "text", "norms": false}),
                json!({"type": "text"}),
                "Mapper for [f] conflicts with existing mapper:\n\tCannot update parameter [norms] from [false] to [true]",
            ),
            (
                json!({"type": "dense_vector", "dims": 3}),
                json!({"type": "dense_vector", "dims": 4}),
                "Mapper for [f] conflicts with existing mapper:\n\tCannot update parameter [dims] from [3] to [4]",
            ),
        ];
        for (old, new, reason) in cases {
            let error = merge(json!({"properties": {"f": old}}), json!({"properties": {"f": new}})).unwrap_err();
            let exception = error.exception().unwrap();
            assert_eq!((exception.kind, exception.reason.as_str()), ("illegal_argument_exception", reason));
        }
    }

    /// Fields of some types below names of few letters, so that merges meet.
    fn some_mapping() -> impl Strategy<Value = Value> {
        let kind = prop::sample::select(vec!["text", "keyword", "long", "date", "boolean"]);
        let leaf = kind.prop_map(|kind| json!({"type": kind}));
        let field = leaf.prop_recursive(2, 8, 3, |inner| {
            prop::collection::btree_map("[a-c]", inner, 0..3).prop_map(|fields| json!({"properties": fields}))
        });
        prop::collection::btree_map("[a-c]", field, 0..3).prop_map(|fields| json!({"properties": fields}))
    }

    proptest! {
        #[test]
        fn a_merge_keeps_what_is_there_and_is_done_once(old in some_mapping(), new in some_mapping()) {
            let definition = IndexDefinition::from_value(&json!({"mappings": old})).unwrap();
            let again = definition.merged_with(&definition.mappings.to_value());
            prop_assert_eq!(again.unwrap().mappings.to_value(), definition.mappings.to_value(), "not idempotent");
            if let Ok(merged) = definition.merged_with(&new) {
                prop_assert_eq!(merged.merged_with(&new).unwrap(), merged.clone());
                let paths: Vec<String> = merged.fields().unwrap().into_iter().map(|field| field.path).collect();
                for field in definition.fields().unwrap() {
                    prop_assert!(paths.contains(&field.path));
                }
                let other = IndexDefinition::from_value(&json!({"mappings": new})).unwrap();
                let reverse = other.merged_with(&old).unwrap().mappings.to_value();
                prop_assert_eq!(reverse, merged.mappings.to_value(), "the order matters");
            }
        }

        #[test]
        fn what_is_printed_is_read_again(old in some_mapping()) {
            let definition = IndexDefinition::from_value(&json!({"mappings": old})).unwrap();
            let printed = definition.mappings.to_value();
            let again = IndexDefinition::from_value(&json!({"mappings": printed})).unwrap();
            prop_assert_eq!(again.mappings.to_value(), printed);
        }
    }
}
