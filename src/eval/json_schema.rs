//! The JSON Schema of a comparison, kept in `schema/comparison.json`.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::comparison::Comparison;
use crate::plan::json_schema::keep_prose;

/// The JSON Schema (draft 2020-12) of a [`Comparison`] as `bifocal eval --json` writes it, made from the types and their docs.
pub fn json_schema() -> Value {
    // As it is written, not as it may be read: then what is always there is required.
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<Comparison>().to_value();
    keep_prose(&mut schema);
    schema
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Set `BIFOCAL_BLESS=1` to write the file anew.
    #[test]
    fn the_schema_in_the_repository_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/comparison.json");
        let current = format!("{}\n", serde_json::to_string_pretty(&json_schema()).unwrap());
        if std::env::var_os("BIFOCAL_BLESS").is_some() {
            fs_err::write(path, &current).unwrap();
        }
        let kept = fs_err::read_to_string(path).unwrap_or_default();
        assert!(
            kept == current,
            "schema/comparison.json is stale: run BIFOCAL_BLESS=1 cargo test --lib eval::json_schema"
        );
    }

    #[test]
    fn the_schema_accepts_what_compare_makes_and_refuses_what_lacks_its_parts() {
        let comparison = serde_json::to_value(crate::eval::compare::tests::everything()).unwrap();
        let validator = jsonschema::validator_for(&json_schema()).unwrap();
        let errors: Vec<String> = validator.iter_errors(&comparison).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        for (pointer, bad) in [
            ("/plans", json!({})),
            ("/plans/0/metrics", json!({"ndcg@10": "high"})),
            ("/plans/0/latency_ms", json!({"p50": 1.0})),
            ("/plans/0", json!({"name": "lexical"})),
            ("/dataset", json!(7)),
        ] {
            let mut changed = comparison.clone();
            *changed.pointer_mut(pointer).unwrap() = bad;
            assert!(!validator.is_valid(&changed), "{pointer}");
        }
    }
}
