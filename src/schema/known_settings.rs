//! The settings of Elasticsearch that an index may be given, beyond those with a meaning of their own in [`super::settings`].
//!
//! Each is checked and kept as text, as Elasticsearch prints it; what this engine does with it, if anything, is up to who reads it.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// What a setting's value may be.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Flag,
    /// A whole number of at least so much.
    Number(i64),
    /// `1s`, `500ms`, `-1`.
    Time,
    /// `512mb`.
    Bytes,
    /// One of these, in any case.
    OneOf(&'static [&'static str]),
    Text,
}

/// Name below `index` and form of each setting.
const KNOWN: &[(&str, Form)] = &[
    ("auto_expand_replicas", Form::Text),
    ("blocks.metadata", Form::Flag),
    ("blocks.read", Form::Flag),
    ("blocks.read_only", Form::Flag),
    ("blocks.read_only_allow_delete", Form::Flag),
    ("blocks.write", Form::Flag),
    ("codec", Form::OneOf(&["default", "best_compression", "legacy_default"])),
    ("creation_date", Form::Number(0)),
    ("default_pipeline", Form::OneOf(&["_none"])),
    ("final_pipeline", Form::OneOf(&["_none"])),
    ("gc_deletes", Form::Time),
    ("hidden", Form::Flag),
    ("highlight.max_analyzed_offset", Form::Number(1)),
    ("highlight.weight_matches_mode.enabled", Form::Flag),
    ("lifecycle.name", Form::Text),
    ("lifecycle.rollover_alias", Form::Text),
    ("load_fixed_bitset_filters_eagerly", Form::Flag),
    ("mapping.coerce", Form::OneOf(&["true"])),
    ("mapping.depth.limit", Form::Number(1)),
    ("mapping.dimension_fields.limit", Form::Number(0)),
    ("mapping.field_name_length.limit", Form::Number(1)),
    ("mapping.ignore_malformed", Form::Flag),
    ("mapping.nested_fields.limit", Form::Number(0)),
    ("mapping.nested_objects.limit", Form::Number(0)),
    ("mapping.total_fields.ignore_dynamic_beyond_limit", Form::OneOf(&["false"])),
    ("mapping.total_fields.limit", Form::Number(0)),
    ("max_adjacency_matrix_filters", Form::Number(2)),
    ("max_docvalue_fields_search", Form::Number(0)),
    ("max_inner_result_window", Form::Number(1)),
    ("max_ngram_diff", Form::Number(0)),
    ("max_refresh_listeners", Form::Number(0)),
    ("max_regex_length", Form::Number(1)),
    ("max_rescore_window", Form::Number(1)),
    ("max_result_window", Form::Number(1)),
    ("max_script_fields", Form::Number(0)),
    ("max_shingle_diff", Form::Number(0)),
    ("max_slices_per_scroll", Form::Number(1)),
    ("max_terms_count", Form::Number(1)),
    ("merge.policy.deletes_pct_allowed", Form::Text),
    ("merge.policy.expunge_deletes_allowed", Form::Text),
    ("merge.policy.floor_segment", Form::Bytes),
    ("merge.policy.max_merge_at_once", Form::Number(2)),
    ("merge.policy.max_merged_segment", Form::Bytes),
    ("merge.policy.segments_per_tier", Form::Text),
    ("merge.scheduler.auto_throttle", Form::Flag),
    ("merge.scheduler.max_merge_count", Form::Number(1)),
    ("merge.scheduler.max_thread_count", Form::Number(1)),
    ("mode", Form::OneOf(&["standard"])),
    ("number_of_routing_shards", Form::Number(1)),
    ("priority", Form::Number(0)),
    ("provided_name", Form::Text),
    ("query_string.lenient", Form::Flag),
    ("refresh.max_listeners", Form::Number(0)),
    ("requests.cache.enable", Form::Flag),
    ("routing.allocation.enable", Form::Text),
    ("routing.allocation.total_shards_per_node", Form::Number(-1)),
    ("routing.rebalance.enable", Form::Text),
    ("routing_partition_size", Form::Number(1)),
    ("search.idle.after", Form::Time),
    ("search.throttled", Form::Flag),
    ("shard.check_on_startup", Form::Text),
    ("soft_deletes.enabled", Form::OneOf(&["true"])),
    ("soft_deletes.retention.operations", Form::Number(0)),
    ("soft_deletes.retention_lease.period", Form::Time),
    ("store.preload", Form::Text),
    ("store.type", Form::OneOf(&["fs", "hybridfs", "mmapfs", "niofs"])),
    ("translog.durability", Form::OneOf(&["request", "async"])),
    ("translog.flush_threshold_size", Form::Bytes),
    ("translog.generation_threshold_size", Form::Bytes),
    ("translog.retention.age", Form::Time),
    ("translog.retention.size", Form::Bytes),
    ("translog.sync_interval", Form::Time),
    ("unassigned.node_left.delayed_timeout", Form::Time),
    ("uuid", Form::Text),
    ("verified_before_close", Form::Flag),
    ("version.created", Form::Text),
    ("version.upgraded", Form::Text),
    ("write.wait_for_active_shards", Form::Text),
];

/// Names that begin so are known whatever follows, and are texts.
const KNOWN_PREFIXES: &[&str] = &[
    "indexing.slowlog.",
    "routing.allocation.include.",
    "routing.allocation.exclude.",
    "routing.allocation.require.",
    "search.slowlog.",
];

/// Checks one setting: its text, or `None` where its value is null (which means its default).
///
/// # Errors
/// `Unsupported` for an unknown name, `InvalidInput` for a value that it cannot have; both in Elasticsearch's words.
pub(super) fn check(key: &str, value: &Value) -> Result<Option<String>> {
    let form = match KNOWN.iter().find(|(name, _)| *name == key) {
        Some((_, form)) => *form,
        None if KNOWN_PREFIXES.iter().any(|prefix| key.starts_with(prefix)) => Form::Text,
        None => return Err(unknown(key)),
    };
    let text = match value {
        Value::Null => return Ok(None),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(values) => values
            .iter()
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_string))
            .collect::<Vec<_>>()
            .join(","),
        Value::Object(_) => return Err(unknown(key)),
    };
    let wrong = |why: &str| {
        let reason = format!("Failed to parse value [{text}] for setting [index.{key}]{why}");
        Error::invalid_input(reason.clone()).as_exception("illegal_argument_exception", reason)
    };
    match form {
        Form::Flag if !matches!(text.as_str(), "true" | "false") => {
            let reason = format!("Failed to parse value [{text}] as only [true] or [false] are allowed.");
            return Err(Error::invalid_input(reason.clone()).as_exception("illegal_argument_exception", reason));
        }
        Form::Number(least) => match text.parse::<i64>() {
            Ok(number) if number >= least => {}
            Ok(_) => return Err(wrong(&format!(" must be >= {least}"))),
            Err(_) => return Err(wrong("")),
        },
        Form::Time if !has_unit(&text, &["nanos", "micros", "ms", "s", "m", "h", "d"]) => {
            let reason = format!(
                "failed to parse setting [index.{key}] with value [{text}] as a time value: unit is missing or unrecognized"
            );
            return Err(Error::invalid_input(reason.clone()).as_exception("illegal_argument_exception", reason));
        }
        Form::Bytes
            if !has_unit(&text.to_ascii_lowercase(), &["b", "kb", "k", "mb", "m", "gb", "g", "tb", "t", "pb"]) =>
        {
            let reason = format!(
                "failed to parse setting [index.{key}] with value [{text}] as a size in bytes: unit is missing or unrecognized"
            );
            return Err(Error::invalid_input(reason.clone()).as_exception("illegal_argument_exception", reason));
        }
        Form::OneOf(values) if !values.iter().any(|known| known.eq_ignore_ascii_case(&text)) => {
            let reason = format!("setting [index.{key}] cannot be [{text}]; Bifocal supports [{}]", values.join(", "));
            return Err(Error::unsupported(reason.clone()).as_exception("illegal_argument_exception", reason));
        }
        Form::Flag | Form::Time | Form::Bytes | Form::OneOf(_) | Form::Text => {}
    }
    Ok(Some(text))
}

/// A number before one of the units; 0 and -1 need none.
fn has_unit(text: &str, units: &[&str]) -> bool {
    if matches!(text, "0" | "-1") {
        return true;
    }
    let number = text.trim_end_matches(|char: char| char.is_ascii_alphabetic());
    let unit = text.get(number.len()..).unwrap_or_default().trim();
    number.trim().parse::<f64>().is_ok_and(|number| number >= 0.0) && units.contains(&unit)
}

/// The error of a setting that there is not.
pub(super) fn unknown(key: &str) -> Error {
    let names =
        KNOWN.iter().map(|(name, _)| *name).chain(["number_of_shards", "number_of_replicas", "refresh_interval"]);
    let near = names.filter(|name| distance(name, key) <= 2).min_by_key(|name| distance(name, key));
    let reason = match near {
        Some(name) => format!("unknown setting [index.{key}] did you mean [index.{name}]?"),
        None => format!(
            "unknown setting [index.{key}] please check that any required plugins are installed, or check the breaking changes \
             documentation for removed settings"
        ),
    };
    Error::unsupported(reason.clone()).as_exception("illegal_argument_exception", reason)
}

/// Edits between two names.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (idx, from) in left.chars().enumerate() {
        let mut diagonal = idx;
        let mut before = idx + 1;
        for (to, above) in right.iter().zip(row.iter_mut().skip(1)) {
            let cost = (*above + 1).min(before + 1).min(diagonal + usize::from(from != *to));
            diagonal = *above;
            *above = cost;
            before = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = idx + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// Writes dotted names as objects.
pub(super) fn write<S: Serializer>(settings: &BTreeMap<String, String>, serializer: S) -> Result<S::Ok, S::Error> {
    fn insert(into: &mut Map<String, Value>, path: &str, text: &str) {
        if let Some((first, rest)) = path.split_once('.')
            && let Value::Object(below) = into.entry(first).or_insert_with(|| Value::Object(Map::new()))
        {
            insert(below, rest, text);
        } else {
            into.insert(path.to_string(), Value::from(text));
        }
    }
    let mut tree = Map::new();
    for (path, text) in settings {
        insert(&mut tree, path, text);
    }
    tree.serialize(serializer)
}

/// Reads what [`write`] wrote.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let tree = Map::deserialize(deserializer)?;
    let mut flat = BTreeMap::new();
    super::settings::flatten_keys("", &Value::Object(tree), &mut flat);
    let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_string);
    Ok(flat.into_iter().map(|(key, value)| (key, text(value))).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Settings;

    #[test]
    fn known_settings_are_kept_as_texts() {
        let settings =
            Settings::from_value(&json!({"index": {"max_result_window": 20000, "translog": {"durability": "ASYNC",
            "sync_interval": "10s"}, "blocks.write": true, "routing.allocation.include._tier_preference": "data_hot"}}))
            .unwrap();
        assert_eq!(settings.other("max_result_window"), Some("20000"));
        assert_eq!(settings.other("translog.durability"), Some("ASYNC"));
        assert_eq!(settings.other("blocks.write"), Some("true"));
        let written = serde_json::to_value(&settings).unwrap();
        assert_eq!(written.pointer("/index/translog/sync_interval"), Some(&json!("10s")));
        assert_eq!(serde_json::from_value::<Settings>(written).unwrap(), settings);
        assert_eq!(Settings::from_value(&json!({"max_result_window": null})).unwrap(), Settings::default());
    }

    #[test]
    fn others_are_refused_in_elasticsearchs_words() {
        let cases = [
            (
                json!({"colour": "red"}),
                "unknown setting [index.colour] please check that any required plugins are installed, or \
                check the breaking changes documentation for removed settings",
            ),
            (
                json!({"max_result_windw": 1}),
                "unknown setting [index.max_result_windw] did you mean [index.max_result_window]?",
            ),
            (
                json!({"max_result_window": 0}),
                "Failed to parse value [0] for setting [index.max_result_window] must be >= 1",
            ),
            (
                json!({"max_result_window": "many"}),
                "Failed to parse value [many] for setting [index.max_result_window]",
            ),
            (json!({"blocks.write": "maybe"}), "Failed to parse value [maybe] as only [true] or [false] are allowed."),
            (
                json!({"translog.sync_interval": "soon"}),
                "failed to parse setting [index.translog.sync_interval] with value [soon] as a \
                time value: unit is missing or unrecognized",
            ),
            (
                json!({"default_pipeline": "mine"}),
                "setting [index.default_pipeline] cannot be [mine]; Bifocal supports [_none]",
            ),
        ];
        for (settings, reason) in cases {
            let error = Settings::from_value(&settings).unwrap_err();
            let exception = error.exception().unwrap();
            assert_eq!((exception.kind, exception.reason.as_str()), ("illegal_argument_exception", reason));
        }
    }
}
