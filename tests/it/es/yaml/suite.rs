//! A file of YAML tests: its documents, and what says that a test is to be skipped.

use serde::Deserialize;
use serde_json::{Value, json};

/// What this runner can do, by the names that suites ask for.
const FEATURES: [&str; 20] = [
    "allowed_warnings",
    "allowed_warnings_regex",
    "arbitrary_key",
    "catch_unauthorized",
    "close_to",
    "contains",
    "default_shards",
    "embedded_stash_key",
    "exists",
    "headers",
    "is_after",
    "node_selector",
    "not_exists",
    "regex",
    "stash_in_key",
    "stash_in_path",
    "stash_path_replace",
    "warnings",
    "warnings_regex",
    "yaml",
];

/// A test with the steps that come before and after it.
#[derive(Debug)]
pub(super) struct Test {
    pub(super) name: String,
    pub(super) setup: Vec<Value>,
    pub(super) steps: Vec<Value>,
    pub(super) teardown: Vec<Value>,
}

/// Why a test is not to be run as it stands.
#[derive(Debug, PartialEq)]
pub(super) enum Skip {
    Because(String),
    /// It is run, and must fail.
    KnownGap(String),
}

/// # Errors
/// Where the text is no YAML, or no list of steps.
pub(super) fn read(text: &str) -> Result<Vec<Test>, String> {
    let (mut setup, mut teardown, mut tests) = (Vec::new(), Vec::new(), Vec::new());
    let mut is_for_stack = true;
    for document in serde_norway::Deserializer::from_str(text) {
        let document = Value::deserialize(document).map_err(|error| error.to_string())?;
        let Value::Object(document) = document else { continue };
        for (name, steps) in document {
            match (name.as_str(), steps) {
                ("setup", Value::Array(steps)) => setup = steps,
                ("teardown", Value::Array(steps)) => teardown = steps,
                // The clients' suites: `requires: {serverless: true, stack: false}`.
                ("requires", Value::Object(wanted)) => is_for_stack = wanted.get("stack") != Some(&Value::Bool(false)),
                (_, Value::Array(steps)) => tests.push((name, steps)),
                (name, _) => return Err(format!("[{name}] is no list of steps")),
            }
        }
    }
    if !is_for_stack {
        setup.insert(
            0,
            json!({"skip": {"version": "all", "reason": "for Elasticsearch without a cluster of one's own"}}),
        );
    }
    let test = |(name, steps)| Test { name, setup: setup.clone(), steps, teardown: teardown.clone() };
    Ok(tests.into_iter().map(test).collect())
}

/// Major, minor and patch.
fn number(version: &str) -> Option<[u32; 3]> {
    let mut parts = version.trim().split('.').map(|part| part.split('-').next().unwrap_or_default().parse::<u32>());
    Some([
        parts.next()?.ok()?,
        parts.next().and_then(Result::ok).unwrap_or(0),
        parts.next().and_then(Result::ok).unwrap_or(0),
    ])
}

/// Whether `version` lies in a list of ranges as `" - 7.9.99, 8.1.0 - 8.2.0"`, or `all`.
fn lies_in(version: &str, ranges: &str) -> bool {
    ranges.split(',').any(|range| {
        let range = range.trim();
        if range.eq_ignore_ascii_case("all") {
            return true;
        }
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        let version = number(version);
        number(from).is_none_or(|from| version >= Some(from)) && number(to).is_none_or(|to| version <= Some(to))
    })
}

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values.iter().flat_map(strings).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}

/// Whether the engine has a feature of a cluster: `gte_v8.10.0` compares versions, other names are not known.
fn has_cluster_feature(feature: &str, version: &str) -> bool {
    feature.strip_prefix("gte_v").and_then(number).is_some_and(|least| number(version) >= Some(least))
}

/// Looks at the `skip` and `requires` steps.
pub(super) fn skip(steps: &[Value], version: &str) -> Option<Skip> {
    for step in steps {
        let because = |section: &Value, otherwise: &str| {
            Some(Skip::Because(section["reason"].as_str().unwrap_or(otherwise).trim().to_string()))
        };
        let skip = &step["skip"];
        if let Some(reason) = skip["known_gap"].as_str() {
            return Some(Skip::KnownGap(reason.to_string()));
        }
        if !skip["awaits_fix"].is_null() || !skip["known_issues"].is_null() {
            return because(skip, "awaits a fix");
        }
        if skip["version"].as_str().is_some_and(|ranges| lies_in(version, ranges)) {
            return because(skip, "this version");
        }
        if strings(&skip["cluster_features"]).iter().any(|feature| has_cluster_feature(feature, version)) {
            return because(skip, "this version");
        }
        let requires = &step["requires"];
        let wanted = strings(&skip["features"]).into_iter().chain(strings(&requires["test_runner_features"]));
        if let Some(feature) = wanted.into_iter().find(|feature| !FEATURES.contains(&feature.as_str())) {
            return Some(Skip::Because(format!("this runner lacks [{feature}]")));
        }
        if let Some(feature) =
            strings(&requires["cluster_features"]).iter().find(|feature| !has_cluster_feature(feature, version))
        {
            return because(requires, &format!("the engine lacks [{feature}]"));
        }
    }
    None
}

#[test]
fn files_and_reasons_to_skip() {
    let tests =
        read("---\nsetup:\n  - do: {ping: {}}\n---\n\"one\":\n  - is_true: a\n---\n\"two\":\n  - is_false: a\n")
            .unwrap();
    let names: Vec<&str> = tests.iter().map(|test| test.name.as_str()).collect();
    assert_eq!((names, tests[1].setup.len()), (vec!["one", "two"], 1));
    let serverless = read("---\nrequires: {serverless: true, stack: false}\n---\none:\n  - is_true: a\n").unwrap();
    assert!(skip(&serverless[0].setup, "8.19.0").is_some());
    assert!(read("---\none: 3\n").is_err() && read("---\n[:\n").is_err());
    let skips = |step: Value| skip(&[step], "8.19.0").is_some();
    assert!(skips(json!({"skip": {"version": "all"}})) && skips(json!({"skip": {"version": " - 8.99.0"}})));
    assert!(
        skips(json!({"skip": {"version": "7.0.0 - 7.9.0, 8.19.0 - "}}))
            && !skips(json!({"skip": {"version": " - 8.18.99"}}))
    );
    assert!(
        skips(json!({"skip": {"features": "nonsense"}}))
            && !skips(json!({"skip": {"features": ["headers", "contains"]}}))
    );
    assert!(skips(json!({"requires": {"cluster_features": "gte_v9.0.0"}})));
    assert!(!skips(json!({"requires": {"cluster_features": ["gte_v8.2.0"]}})));
    assert_eq!(skip(&[json!({"skip": {"known_gap": "x"}})], "8.0.0"), Some(Skip::KnownGap("x".to_string())));
}
