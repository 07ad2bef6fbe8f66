use serde_json::json;

use super::*;

#[test]
fn dotted_keys_objects_and_arrays_are_one() {
    for source in [json!({"a": {"b": [1, [2]]}}), json!({"a.b": [1, 2]}), json!({"a": [{"b": 1}, {"b": 2}]})] {
        let found: Vec<_> =
            values_at(source.as_object().unwrap(), "a.b").into_iter().map(|v| v.as_i64().unwrap()).collect();
        assert_eq!(found, [1, 2], "{source}");
    }
}
