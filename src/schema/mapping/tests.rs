//! Mappings as they are read and printed, against what Elasticsearch prints.

use serde_json::{Value, json};

use crate::schema::IndexDefinition;

fn printed(mappings: &Value) -> Value {
    let definition = IndexDefinition::from_value(&json!({"mappings": mappings}));
    definition.unwrap_or_else(|error| panic!("{mappings}: {error}")).mappings.to_value()
}

/// (written, printed; null where they are the same)
fn field_cases() -> Vec<(Value, Value)> {
    vec![
        (json!({"type": "text"}), Value::Null),
        (json!({"type": "text", "analyzer": "standard"}), Value::Null),
        (
            json!({"type": "text", "index": true, "store": "false", "norms": true, "eager_global_ordinals": false, "fielddata": "false"}),
            json!({"type": "text"}),
        ),
        (
            json!({"type": "text", "search_analyzer": "simple"}),
            json!({"type": "text", "analyzer": "default", "search_analyzer": "simple"}),
        ),
        (
            json!({"type": "text", "index_options": "docs", "term_vector": "with_positions_offsets", "index_phrases": true, "index_prefixes": {}}),
            Value::Null,
        ),
        (
            json!({"type": "text", "copy_to": "t", "meta": {"unit": "ms"}, "position_increment_gap": 0}),
            json!({"type": "text", "copy_to": ["t"], "meta": {"unit": "ms"}, "position_increment_gap": 0}),
        ),
        (
            json!({"type": "text", "fields": {"b": {"type": "keyword", "ignore_above": "256"}, "a": {"type": "text"}}}),
            json!({"type": "text", "fields": {"a": {"type": "text"}, "b": {"type": "keyword", "ignore_above": 256}}}),
        ),
        (
            json!({"type": "keyword", "doc_values": true, "norms": false, "split_queries_on_whitespace": false}),
            json!({"type": "keyword"}),
        ),
        (json!({"type": "keyword", "null_value": "NULL", "normalizer": "lowercase", "index": false}), Value::Null),
        (json!({"type": "constant_keyword", "value": "x"}), Value::Null),
        (json!({"type": "wildcard", "ignore_above": 10}), Value::Null),
        (json!({"type": "long", "coerce": "true", "null_value": 0}), json!({"type": "long", "null_value": 0})),
        (json!({"type": "integer", "ignore_malformed": true, "coerce": false}), Value::Null),
        (
            json!({"type": "scaled_float", "scaling_factor": "100"}),
            json!({"type": "scaled_float", "scaling_factor": 100.0}),
        ),
        (json!({"type": "half_float"}), Value::Null),
        (json!({"type": "unsigned_long"}), Value::Null),
        (json!({"type": "date", "format": "yyyy-MM-dd HH:mm:ss||dd/MM/yyyy||epoch_millis"}), Value::Null),
        (json!({"type": "date", "null_value": "1970-01-01", "locale": "en"}), Value::Null),
        (json!({"type": "boolean", "null_value": false}), Value::Null),
        (json!({"type": "ip", "ignore_malformed": true}), Value::Null),
        (json!({"type": "object"}), Value::Null),
        (json!({}), json!({"type": "object"})),
        (json!({"properties": {}}), json!({"type": "object"})),
        (
            json!({"type": "object", "properties": {"x": {"type": "long"}}}),
            json!({"properties": {"x": {"type": "long"}}}),
        ),
        (
            json!({"dynamic": true, "properties": {"x": {"type": "long"}}}),
            json!({"dynamic": "true", "properties": {"x": {"type": "long"}}}),
        ),
        (json!({"type": "object", "enabled": false}), Value::Null),
        (
            json!({"type": "nested", "include_in_root": true, "include_in_parent": false, "properties": {"x": {"type": "long"}}}),
            json!({"type": "nested", "include_in_root": true, "properties": {"x": {"type": "long"}}}),
        ),
        (json!({"type": "flattened", "depth_limit": 5}), Value::Null),
        (
            json!({"type": "search_as_you_type"}),
            json!({"type": "search_as_you_type", "doc_values": false, "max_shingle_size": 3}),
        ),
        (json!({"type": "rank_feature", "positive_score_impact": false}), Value::Null),
        (json!({"type": "rank_features"}), Value::Null),
        (json!({"type": "token_count", "analyzer": "standard"}), Value::Null),
        (json!({"type": "binary", "store": true}), Value::Null),
        (json!({"type": "alias", "path": "t"}), Value::Null),
        (
            json!({"type": "dense_vector", "dims": 3}),
            json!({"type": "dense_vector", "dims": 3, "index": true, "similarity": "cosine",
            "index_options": {"type": "int8_hnsw", "m": 16, "ef_construction": 100}}),
        ),
        (json!({"type": "dense_vector", "dims": 3, "index": false}), Value::Null),
        (
            json!({"type": "dense_vector", "dims": 3, "similarity": "l2_norm", "index_options": {"type": "flat"}}),
            json!({"type": "dense_vector", "dims": 3, "index": true, "similarity": "l2_norm", "index_options": {"type": "flat"}}),
        ),
        (
            json!({"type": "dense_vector", "dims": 3, "element_type": "byte"}),
            json!({"type": "dense_vector", "dims": 3, "element_type": "byte", "index": true, "similarity": "cosine"}),
        ),
        (json!({"type": "semantic_text", "inference_id": "all-MiniLM-L6-v2"}), Value::Null),
    ]
}

#[test]
fn fields_are_printed_as_elasticsearch_prints_them() {
    for (written, expected) in field_cases() {
        let expected = if expected.is_null() { written.clone() } else { expected };
        let mappings = json!({"properties": {"t": {"type": "text"}, "f": written}});
        let found = printed(&mappings);
        assert_eq!(found.pointer("/properties/f"), Some(&expected), "{written}");
        // What is printed is read again, and printed alike.
        assert_eq!(printed(&found), found, "{written}");
    }
}

#[test]
fn the_root_is_printed_as_elasticsearch_prints_it() {
    for (written, expected) in [
        (json!({}), Value::Null),
        (json!({"properties": {}}), json!({})),
        (
            json!({"dynamic": "strict", "_meta": {"a": 1}, "date_detection": false, "numeric_detection": true}),
            Value::Null,
        ),
        (json!({"_source": {"enabled": true}, "_routing": {"required": false}}), json!({})),
        (json!({"_routing": {"required": true}, "_source": {"excludes": ["v"]}}), Value::Null),
        (
            json!({"dynamic_date_formats": ["yyyy"], "dynamic_templates": [{"a": {"match": "*", "mapping": {"type": "keyword"}}}]}),
            Value::Null,
        ),
        (
            json!({"properties": {"b.c": {"type": "long"}, "b": {"properties": {"a": {"type": "long"}}}}}),
            json!({"properties": {"b": {"properties": {"a": {"type": "long"}, "c": {"type": "long"}}}}}),
        ),
    ] {
        let expected = if expected.is_null() { written.clone() } else { expected };
        assert_eq!(printed(&written), expected, "{written}");
    }
}

#[test]
fn what_cannot_be_is_refused_in_elasticsearchs_words() {
    let cases = [
        (json!({"f": {"type": "wormhole"}}), "No handler for type [wormhole] declared on field [f]"),
        (json!({"f": {"type": "geo_point"}}), "type [geo_point] of field [f] is not supported by Bifocal"),
        (json!({"f": {"type": "text", "colour": 1}}), "unknown parameter [colour] on mapper [f] of type [text]"),
        (
            json!({"o": {"properties": {"f": {"type": "long", "analyzer": "x"}}}}),
            "unknown parameter [analyzer] on mapper [f] of type [long]",
        ),
        (json!({"f": {"analyzer": "standard"}}), "No type specified for field [f]"),
        (
            json!({"f": {"type": "text", "analyzer": "klingon"}}),
            "analyzer [klingon] has not been configured in mappings",
        ),
        (json!({"f": {"type": "keyword", "normalizer": "klingon"}}), "normalizer [klingon] not found for field [f]"),
        (json!({"f": {"type": "scaled_float"}}), "Field [f] misses required parameter [scaling_factor]"),
        (
            json!({"f": {"type": "dense_vector", "dims": 5000}}),
            "The number of dimensions should be in the range [1, 4096] but was [5000]",
        ),
        (
            json!({"f": {"type": "dense_vector", "dims": 3, "index_options": {"type": "bbq_hnsw"}}}),
            "vector index type [bbq_hnsw] of field [f] is not supported",
        ),
        (json!({"f": {"type": "dense_vector", "dims": 3, "element_type": "bit"}}), "element_type [bit]"),
        (
            json!({"f": {"type": "search_as_you_type", "max_shingle_size": 9}}),
            "[max_shingle_size] must be at least [2] and at most [4], got [9]",
        ),
        (json!({"f": {"type": "token_count"}}), "Analyzer must be set for field [f] but wasn't."),
        (json!({"f": {"type": "alias"}}), "The [path] property must be specified for field [f]."),
        (
            json!({"f": {"type": "alias", "path": "g"}}),
            "Invalid [path] value [g] for field alias [f]: an alias must refer to an existing field in the mappings.",
        ),
        (
            json!({"f": {"type": "text", "fields": {"g": {"type": "object"}}}}),
            "Type [object] cannot be used in multi field",
        ),
        (
            json!({"f": {"type": "date", "format": "bogus"}}),
            "Error parsing [format] on field [f]: Invalid format: [bogus]: Unknown pattern letter: b",
        ),
        (
            json!({"n": {"type": "nested", "properties": {"t": {"type": "text"}}}, "f": {"type": "text", "copy_to": "n.t"}}),
            "Illegal combination of [copy_to] and [nested] mappings",
        ),
        (json!({"_id": {"type": "long"}}), "Field [_id] is defined more than once"),
        (json!({"": {"type": "long"}}), "field name cannot be an empty string"),
    ];
    for (properties, reason) in cases {
        let error = IndexDefinition::from_value(&json!({"mappings": {"properties": properties}})).unwrap_err();
        let exception = error.exception().unwrap_or_else(|| panic!("{properties}: {error}"));
        assert!(exception.reason.contains(reason), "{properties}: {}", exception.reason);
    }
    for mappings in [
        json!({"dynamic": "runtime"}),
        json!({"runtime": {}}),
        json!({"subobjects": false}),
        json!({"_source": {"enabled": false}}),
    ] {
        assert!(IndexDefinition::from_value(&json!({"mappings": mappings})).is_err(), "{mappings}");
    }
}
