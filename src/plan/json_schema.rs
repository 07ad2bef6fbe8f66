//! The JSON Schema of a plan, kept in `schema/plan.json`.

use serde_json::Value;

use super::types::Plan;

/// The JSON Schema (draft 2020-12) of a [`Plan`], made from the types and their docs.
pub fn json_schema() -> Value {
    let mut schema = schemars::schema_for!(Plan).to_value();
    keep_prose(&mut schema);
    schema
}

/// Cuts the examples in Rust and the headed sections off every description: they speak to Rust programmers.
pub(crate) fn keep_prose(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::String(text)) = map.get_mut("description") {
                let end = ["\n\n```", "\n\n# "].iter().filter_map(|mark| text.find(mark)).min();
                text.truncate(end.unwrap_or(text.len()));
            }
            map.values_mut().for_each(keep_prose);
        }
        Value::Array(values) => values.iter_mut().for_each(keep_prose),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Set `BIFOCAL_BLESS=1` to write the file anew.
    #[test]
    fn the_schema_in_the_repository_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/plan.json");
        let current = format!("{}\n", serde_json::to_string_pretty(&json_schema()).unwrap());
        if std::env::var_os("BIFOCAL_BLESS").is_some() {
            fs_err::write(path, &current).unwrap();
        }
        let kept = fs_err::read_to_string(path).unwrap_or_default();
        assert!(kept == current, "schema/plan.json is stale: run BIFOCAL_BLESS=1 cargo test --lib plan::json_schema");
    }

    #[test]
    fn the_schema_accepts_the_named_plans_and_refuses_what_serde_refuses() {
        let schema = json_schema();
        let validator = jsonschema::validator_for(&schema).unwrap();
        for name in Plan::NAMES {
            let plan = serde_json::to_value(Plan::named(name).unwrap()).unwrap();
            assert!(validator.is_valid(&plan), "{name}: {plan}");
        }
        for bad in [
            r#"{"leg": []}"#,
            r#"{"legs": [{"sparse": {}}]}"#,
            r#"{"legs": [{"dense": {"dpeth": 3}}]}"#,
            r#"{"legs": [{"dense": {}}], "fusion": {"weighted_sum": {"normalizer": "softmax"}}}"#,
        ] {
            let value: Value = serde_json::from_str(bad).unwrap();
            assert!(!validator.is_valid(&value), "{bad}");
            assert!(serde_json::from_value::<Plan>(value).is_err(), "{bad}");
        }
    }
}
