use std::collections::BTreeMap;

use serde_json::json;
use tantivy::schema::{Schema, Value as _};

use super::*;
use crate::index::fields;
use crate::schema::IndexDefinition;

fn index_fields(mappings: &Value) -> (Schema, IndexFields) {
    let definition = IndexDefinition::from_value(&json!({"mappings": mappings})).unwrap();
    let mut schema = Schema::builder();
    for entry in fields::entries(&definition, &BTreeMap::new()).unwrap() {
        schema.add_field(entry);
    }
    let schema = schema.build();
    let fields = IndexFields::new(&definition, &BTreeMap::new(), &schema).unwrap();
    (schema, fields)
}

/// What a Tantivy document holds, by field; the engine's `_id`, `_hash` and `_source` left out.
fn shown(schema: &Schema, document: &TantivyDocument) -> Value {
    let mut map: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (field, value) in document.field_values() {
        let name = schema.get_field_name(field);
        if ["_id", "_hash", "_source"].contains(&name) {
            continue;
        }
        let value = if let Some(text) = value.as_str() {
            // Analysed text is shown as its words.
            #[expect(clippy::wildcard_enum_match_arm, reason = "other texts are shown as they are")]
            match schema.get_field_entry(field).field_type() {
                tantivy::schema::FieldType::Str(options)
                    if options.get_indexing_options().is_some_and(|options| options.tokenizer() != "raw") =>
                {
                    let words = crate::index::lexical::encoded_tokens::decode(text);
                    json!(words.map(|(increment, word)| format!("{increment}:{word}")).collect::<Vec<_>>().join(" "))
                }
                _ => json!(text),
            }
        } else if let Some(number) = value.as_i64() {
            json!(number)
        } else if let Some(number) = value.as_u64() {
            json!(number)
        } else if let Some(number) = value.as_f64() {
            json!(number)
        } else if let Some(flag) = value.as_bool() {
            json!(flag)
        } else if let Some(address) = value.as_ip_addr() {
            json!(address.to_string())
        } else if let Some(object) = value.as_object() {
            json!(object.map(|(name, value)| (name.to_string(), value.as_f64())).collect::<BTreeMap<_, _>>())
        } else {
            json!("vector")
        };
        map.entry(name.to_string()).or_default().push(value);
    }
    json!(map)
}

fn prepare_one(mappings: &Value, source: &Value) -> (Schema, Result<Prepared>) {
    let (schema, fields) = index_fields(mappings);
    let prepared = prepare(&fields, "1".into(), source.as_object().unwrap());
    (schema, prepared)
}

#[test]
fn values_lie_in_the_index_as_their_types_say() {
    let cases = [
        (json!({"type": "text"}), json!("The Quick fox"), json!({"f": ["1:the 1:quick 1:fox"]})),
        (json!({"type": "text"}), json!(["a", "b"]), json!({"f": ["1:a 101:b"]})),
        (json!({"type": "text", "position_increment_gap": 0}), json!(["a", "b"]), json!({"f": ["1:a 1:b"]})),
        (json!({"type": "text"}), json!([1, true, null]), json!({"f": ["1:1 101:true"]})),
        (json!({"type": "text", "index": false}), json!("a"), json!({})),
        (json!({"type": "keyword"}), json!(["A b", 1.5]), json!({"f": ["A b", "1.5"]})),
        (
            json!({"type": "keyword", "ignore_above": 3}),
            json!(["abc", "abcd"]),
            json!({"_ignored": ["f"], "f": ["abc"]}),
        ),
        (json!({"type": "keyword", "normalizer": "lowercase"}), json!("A B"), json!({"f": ["a b"]})),
        (json!({"type": "keyword", "null_value": "none"}), json!([null, "x"]), json!({"f": ["none", "x"]})),
        (json!({"type": "keyword", "index": false}), json!("x"), json!({"_field_names": ["f"], "f": ["x"]})),
        (json!({"type": "constant_keyword", "value": "c"}), json!("c"), json!({"f": ["c"]})),
        (json!({"type": "wildcard"}), json!("some text"), json!({"f": ["some text"]})),
        (json!({"type": "long"}), json!(["5", 5.9, -1]), json!({"f": [5, 5, -1]})),
        (json!({"type": "long", "doc_values": false}), json!(5), json!({"_field_names": ["f"], "f": [5]})),
        (json!({"type": "long", "null_value": 7}), json!(null), json!({"f": [7]})),
        (json!({"type": "byte", "ignore_malformed": true}), json!([1, 300, "x"]), json!({"_ignored": ["f"], "f": [1]})),
        (json!({"type": "unsigned_long"}), json!(u64::MAX), json!({"f": [u64::MAX]})),
        (json!({"type": "double"}), json!(0.1), json!({"f": [0.1]})),
        (json!({"type": "float"}), json!(0.1), json!({"f": [f64::from(0.1_f32)]})),
        (json!({"type": "half_float"}), json!(0.1), json!({"f": [0.0999755859375]})),
        (json!({"type": "scaled_float", "scaling_factor": 100}), json!([0.126, "1.5"]), json!({"f": [0.13, 1.5]})),
        (json!({"type": "boolean"}), json!([true, "false", ""]), json!({"f": [true, false, false]})),
        (json!({"type": "date"}), json!(["1970-01-02", 150_000]), json!({"f": [86_400_000, 150_000]})),
        (json!({"type": "date", "format": "dd.MM.yyyy"}), json!("02.01.1970"), json!({"f": [86_400_000]})),
        (json!({"type": "ip"}), json!(["10.0.0.1", "2001:db8::1"]), json!({"f": ["::ffff:10.0.0.1", "2001:db8::1"]})),
        (
            json!({"type": "flattened"}),
            json!({"a": {"b": ["x", 1]}, "c": null, "d": true}),
            json!({"f": ["x", "1", "true"], "f._keyed": ["a.b\u{0}x", "a.b\u{0}1", "d\u{0}true"]}),
        ),
        (
            json!({"type": "flattened", "ignore_above": 1, "null_value": "n"}),
            json!({"a": "xy", "b": null}),
            json!({"_ignored": ["f"], "f": ["n"], "f._keyed": ["b\u{0}n"]}),
        ),
        (json!({"type": "rank_feature"}), json!(10), json!({"f": [10.0]})),
        (json!({"type": "rank_feature", "positive_score_impact": false}), json!(4), json!({"f": [0.25]})),
        (
            json!({"type": "rank_features"}),
            json!({"a": 1, "b": 2.5}),
            json!({"_field_names": ["f"], "f": [{"a": 1.0, "b": 2.5}]}),
        ),
        (json!({"type": "token_count", "analyzer": "standard"}), json!("three little words"), json!({"f": [3]})),
        (json!({"type": "binary"}), json!("AAEC"), json!({})),
        (json!({"type": "dense_vector", "dims": 2}), json!([1, 2]), json!({"_field_names": ["f"], "f": ["vector"]})),
        (
            json!({"type": "search_as_you_type"}),
            json!("quick brown fox"),
            json!({
            "f": ["1:quick 1:brown 1:fox"],
            "f._2gram": ["1:quick brown 1:brown fox"],
            "f._3gram": ["1:quick brown fox"],
            "f._index_prefix": Value::Null}),
        ),
    ];
    for (mapping, value, expected) in cases {
        let (schema, prepared) = prepare_one(&json!({"properties": {"f": mapping}}), &json!({"f": value}));
        let prepared = prepared.unwrap_or_else(|error| panic!("{mapping} {value}: {error}"));
        let mut found = shown(&schema, &prepared.document);
        if let Some(prefixes) = found.get_mut("f._index_prefix") {
            let text = prefixes[0].as_str().unwrap().to_string();
            assert!(text.contains(":quick brown f ") && text.contains(":fox"), "{text}");
            *prefixes = Value::Null;
        }
        assert_eq!(found, expected, "{mapping} {value}");
        assert!(!prepared.needs_mapping);
    }
}

#[test]
fn values_that_do_not_fit_are_refused_in_elasticsearchs_words() {
    let failed = |kind: &str, column: usize, shown: &str| {
        format!(
            "[1:{column}] failed to parse field [f] of type [{kind}] in document with id '1'. Preview of field's value: '{shown}'"
        )
    };
    let cases = [
        (json!({"type": "long"}), json!("abc"), failed("long", 6, "abc"), "For input string: \"abc\""),
        (json!({"type": "byte"}), json!(300), failed("byte", 6, "300"), "Value [300] is out of range for a byte"),
        (json!({"type": "long"}), json!([1, {"a": 1}]), failed("long", 9, "{a=1}"), "For input string: \"{a=1}\""),
        (
            json!({"type": "float"}),
            json!(1e300),
            failed("float", 6, "1e+300"),
            "[float] supports only finite values, but got [1e300]",
        ),
        (
            json!({"type": "boolean"}),
            json!("yes"),
            failed("boolean", 6, "yes"),
            "Failed to parse value [yes] as only [true] or [false] are allowed.",
        ),
        (
            json!({"type": "date"}),
            json!("soon"),
            failed("date", 6, "soon"),
            "failed to parse date field [soon] with format [strict_date_optional_time||epoch_millis]",
        ),
        (json!({"type": "ip"}), json!("1.2.3"), failed("ip", 6, "1.2.3"), "'1.2.3' is not an IP string literal."),
        (json!({"type": "text"}), json!({"a": 1}), failed("text", 6, "{a=1}"), "Can't get text on a START_OBJECT"),
        (
            json!({"type": "constant_keyword", "value": "a"}),
            json!("b"),
            String::new(),
            "only accepts values that are equal",
        ),
        (
            json!({"type": "dense_vector", "dims": 3}),
            json!([1, 2]),
            failed("dense_vector", 6, "[1, 2]"),
            "number of dimensions [2]",
        ),
        (
            json!({"type": "object"}),
            json!("x"),
            "[1:6] object mapping for [f] tried to parse field [f] as object, but found a concrete value".into(),
            "",
        ),
        (
            json!({"type": "nested"}),
            json!([1]),
            "[1:7] object mapping for [f] tried to parse field [f] as object, but found a concrete value".into(),
            "",
        ),
        (
            json!({"type": "flattened", "depth_limit": 1}),
            json!({"a": {"b": 1}}),
            "[1:6] The provided [flattened] field [f] exceeds the maximum depth limit of [1].".into(),
            "",
        ),
        (json!({"type": "alias", "path": "other"}), json!(1), "Cannot write to a field alias [f].".into(), ""),
    ];
    for (mapping, value, reason, cause) in cases {
        let mappings = json!({"properties": {"f": mapping, "other": {"type": "long"}}});
        let (_, prepared) = prepare_one(&mappings, &json!({"f": value}));
        let error = prepared.err().unwrap_or_else(|| panic!("{mapping} took {value}"));
        let exception = error.exception().unwrap();
        assert_eq!(exception.kind, "document_parsing_exception", "{mapping}");
        if !reason.is_empty() {
            assert_eq!(exception.reason, reason, "{mapping}");
        }
        let found = exception.caused_by.as_ref().map(|cause| cause.reason.as_str()).unwrap_or_default();
        assert!(found.contains(cause), "{mapping}: {found}");
    }
    let long = "x".repeat(40_000);
    let (_, prepared) = prepare_one(&json!({"properties": {"f": {"type": "keyword"}}}), &json!({"f": long}));
    assert!(prepared.unwrap_err().exception().unwrap().reason.contains("immense term"));
    let (_, prepared) = prepare_one(&json!({"dynamic": "strict"}), &json!({"f": 1}));
    let error = prepared.unwrap_err();
    assert_eq!(error.exception().unwrap().kind, "strict_dynamic_mapping_exception");
    assert_eq!(
        error.exception().unwrap().reason,
        "[1:6] mapping set to strict, dynamic introduction of [f] within [_doc] is not allowed"
    );
    let (_, prepared) = prepare_one(&json!({}), &json!({"_id": 1}));
    assert!(prepared.unwrap_err().to_string().contains("metadata field"));
}

#[test]
fn unknown_fields_ask_for_a_mapping() {
    for (mappings, source, expected) in [
        (json!({}), json!({"a": 1}), true),
        (json!({}), json!({"a": {}}), true),
        (json!({}), json!({"a": null, "b": [], "c": [null]}), false),
        (json!({"dynamic": false}), json!({"a": 1}), false),
        (json!({"properties": {"o": {"type": "object", "dynamic": false}}}), json!({"o": {"a": 1}}), false),
        (json!({"properties": {"o": {"type": "object", "enabled": false}}}), json!({"o": {"a": 1}}), false),
        (json!({"properties": {"o": {"properties": {"a": {"type": "long"}}}}}), json!({"o.a": 1}), false),
        (json!({"properties": {"o": {"properties": {"a": {"type": "long"}}}}}), json!({"o.b": 1}), true),
        (json!({"properties": {"v": {"type": "dense_vector"}}}), json!({"v": [1]}), true),
    ] {
        let (_, prepared) = prepare_one(&mappings, &source);
        assert_eq!(prepared.unwrap().needs_mapping, expected, "{mappings} {source}");
    }
}

#[test]
fn fields_share_values_by_copies_and_multi_fields() {
    let mappings = json!({"properties": {
        "a": {"type": "text", "copy_to": "all", "fields": {"k": {"type": "keyword"}}},
        "b": {"properties": {"c": {"type": "long", "copy_to": ["all"]}}},
        "all": {"type": "text"}}});
    let (schema, prepared) = prepare_one(&mappings, &json!({"a": ["x y", "z"], "b": [{"c": 1}, {"c": 2}]}));
    let expected =
        json!({"a": ["1:x 1:y 101:z"], "a.k": ["x y", "z"], "b.c": [1, 2], "all": ["1:x 1:y 101:z 101:1 101:2"]});
    assert_eq!(shown(&schema, &prepared.unwrap().document), expected);
}

#[test]
fn nested_objects_are_documents_before_those_around_them() {
    let mappings = json!({"properties": {
        "t": {"type": "keyword"}, "all": {"type": "keyword"},
        "n": {"type": "nested", "include_in_root": true, "properties": {
            "x": {"type": "long"},
            "m": {"type": "nested", "properties": {"y": {"type": "keyword", "copy_to": "all"}}}}}}});
    let source = json!({"t": "root", "n": [{"x": 1, "m": [{"y": "a"}, {"y": "b"}]}, {"x": 2, "m": {"y": "c"}}]});
    let (schema, prepared) = prepare_one(&mappings, &source);
    let prepared = prepared.unwrap();
    let children: Vec<Value> = prepared.children.iter().map(|child| shown(&schema, child)).collect();
    let child =
        |path: &str, field: &str, value: Value| json!({"_nested_path": [path], "_root_id": ["1"], field: [value]});
    assert_eq!(
        children,
        [
            child("n.m", "n.m.y", json!("a")),
            child("n.m", "n.m.y", json!("b")),
            child("n", "n.x", json!(1)),
            child("n.m", "n.m.y", json!("c")),
            child("n", "n.x", json!(2)),
        ]
    );
    assert_eq!(shown(&schema, &prepared.document), json!({"t": ["root"], "n.x": [1, 2], "all": ["a", "b", "c"]}));
}

#[test]
fn a_source_is_kept_as_the_mapping_says() {
    let mappings = json!({"_source": {"excludes": ["v"]}, "properties": {"v": {"type": "dense_vector", "dims": 2}}});
    let (schema, prepared) = prepare_one(&mappings, &json!({"v": [1, 2], "a": null}));
    let source = prepared.unwrap().document;
    let kept = source.get_first(schema.get_field("_source").unwrap()).unwrap().as_str().map(str::to_string);
    assert_eq!(kept.as_deref(), Some(r#"{"a":null}"#));
}

#[test]
fn dotted_keys_objects_and_arrays_are_one() {
    for source in [json!({"a": {"b": [1, [2]]}}), json!({"a.b": [1, 2]}), json!({"a": [{"b": 1}, {"b": 2}]})] {
        let found: Vec<_> =
            values_at(source.as_object().unwrap(), "a.b").into_iter().map(|v| v.as_i64().unwrap()).collect();
        assert_eq!(found, [1, 2], "{source}");
        let (schema, prepared) =
            prepare_one(&json!({"properties": {"a": {"properties": {"b": {"type": "long"}}}}}), &source);
        assert_eq!(shown(&schema, &prepared.unwrap().document), json!({"a.b": [1, 2]}), "{source}");
    }
}

/// Documents of few names, so that fields meet.
fn some_document() -> impl proptest::strategy::Strategy<Value = Value> {
    use proptest::prelude::*;
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|flag| json!(flag)),
        any::<i32>().prop_map(|number| json!(number)),
        (-1e6..1e6_f64).prop_map(|number| json!(number)),
        prop::sample::select(vec!["words", "2024-05-01", "2024/05/01", "12", ""]).prop_map(|text| json!(text)),
    ];
    let value = leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|values| json!(values)),
            prop::collection::btree_map("[a-c](\\.[a-c])?", inner, 0..3).prop_map(|map| json!(map)),
        ]
    });
    prop::collection::btree_map("[a-c](\\.[a-c])?", value, 0..4).prop_map(|map| json!(map))
}

proptest::proptest! {
    #[test]
    fn the_walk_and_dynamic_mapping_agree(first in some_document(), second in some_document()) {
        let mut definition = IndexDefinition::default();
        for document in [first, second] {
            let source = document.as_object().unwrap();
            let needs = |definition: &IndexDefinition| {
                let (_, fields) = index_fields(&definition.mappings.to_value());
                prepare(&fields, "1".into(), source).map(|prepared| prepared.needs_mapping)
            };
            let (before, grown) = (needs(&definition), definition.grown_by(source));
            match (&before, &grown) {
                (Ok(needs), Ok(grown)) => proptest::prop_assert_eq!(*needs, grown.is_some(), "{}", document),
                // What the walk refuses is refused whatever the mapping becomes; what cannot be a mapping cannot be a document.
                (Err(_), _) => {}
                (Ok(_), Err(error)) => proptest::prop_assert!(error.exception().is_some(), "{}: {}", document, error),
            }
            if let Ok(Some(grown)) = grown {
                if let Ok(needs) = needs(&grown) {
                    proptest::prop_assert!(!needs, "{} is not all in {}", document, grown.mappings.to_value());
                }
                definition = grown;
            }
        }
    }
}
