//! Runs YAML tests of the kind that Elasticsearch, OpenSearch and their clients publish.
//!
//! Our own suites are `fixtures/es/yaml/*.yml`. Other people's run against a Bifocal that is started for them, or any engine:
//!
//! ```text
//! BIFOCAL_YAML_TESTS=FOLDER [BIFOCAL_YAML_SPEC=FOLDER] [BIFOCAL_YAML_URL=http://127.0.0.1:9200] [BIFOCAL_YAML_REPORT=report.json] \
//!   cargo test --test it es::yaml::a_suite_of_others -- --nocapture
//! ```
//!
//! `BIFOCAL_YAML_TESTS` holds `*.yml` at any depth; `BIFOCAL_YAML_SPEC` the API's description, a JSON file each (the folder
//! `rest-api-spec/api` of Elasticsearch or OpenSearch); without it our own `fixtures/es/yaml/api.json` is taken. Between two tests every
//! index of the engine is deleted. Every file is run; what failed is printed, and `BIFOCAL_YAML_REPORT` gets all results.
//!
//! A file is one YAML document for each test (name to steps), and maybe `setup` and `teardown`. The steps: `do` (with `catch`,
//! `headers`, `warnings`, `allowed_warnings`), `set`, `match`, `length`, `is_true`, `is_false`, `gt`, `gte`, `lt`, `lte`, `contains`,
//! `close_to`, `exists`, `not_exists`, `skip`, `requires`. Ours may say `skip: {known_gap: REASON}`: such a test must fail.

// The description of the API: from a name and arguments to a request.
mod api;
// Documents of a file to tests; versions and features to skip by.
mod suite;
// One test, step by step.
mod steps;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::server::{Client, Served};
use crate::util::fixture;
use api::Apis;
use steps::Run;
use suite::{Skip, Test};

/// How a test ended.
#[derive(Debug, PartialEq)]
enum Outcome {
    Passed,
    Skipped(String),
    Failed(String),
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(yaml_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Deletes every index, so that the next test finds none.
fn wipe(client: &Client) {
    let listed = client.json("GET", "/_cat/indices?h=index&format=json&expand_wildcards=all", None);
    for row in listed.body.as_array().into_iter().flatten() {
        if let Some(name) = row["index"].as_str() {
            client.json("DELETE", &format!("/{name}"), None);
        }
    }
}

fn version(client: &Client) -> String {
    client.json("GET", "/", None).body["version"]["number"].as_str().unwrap_or("8.0.0").to_string()
}

fn run_test(client: &Client, apis: &Apis, test: &Test, version: &str) -> Outcome {
    let gap = match suite::skip(&test.setup, version).or_else(|| suite::skip(&test.steps, version)) {
        Some(Skip::Because(reason)) => return Outcome::Skipped(reason),
        Some(Skip::KnownGap(reason)) => Some(reason),
        None => None,
    };
    let mut run = Run::new(client, apis);
    let mut result = run.steps(&test.setup).map_err(|error| format!("setup: {error}"));
    if result.is_ok() {
        result = run.steps(&test.steps);
    }
    // Failures of a teardown say nothing new: every index goes anyway.
    let _ = run.steps(&test.teardown);
    wipe(client);
    match (gap, result) {
        (None, Ok(())) => Outcome::Passed,
        (None, Err(error)) => Outcome::Failed(error),
        (Some(_), Ok(())) => Outcome::Failed("the gap is closed; remove its `known_gap`".to_string()),
        (Some(reason), Err(_)) => Outcome::Skipped(format!("known gap: {reason}")),
    }
}

/// Runs every test of the files below `folder`. The names are `file/test`.
fn run_folder(client: &Client, apis: &Apis, folder: &Path) -> BTreeMap<String, Outcome> {
    let version = version(client);
    let only = std::env::var("BIFOCAL_CASE").ok();
    wipe(client);
    let mut outcomes = BTreeMap::new();
    for file in yaml_files(folder) {
        let name = file.strip_prefix(folder).unwrap().display().to_string();
        match suite::read(&fs_err::read_to_string(&file).unwrap()) {
            Ok(tests) => {
                for test in tests {
                    let name = format!("{name}/{}", test.name);
                    if only.as_ref().is_none_or(|only| name.contains(only.as_str())) {
                        outcomes.insert(name, run_test(client, apis, &test, &version));
                    }
                }
            }
            Err(error) => {
                outcomes.insert(name, Outcome::Failed(format!("cannot be read: {error}")));
            }
        }
    }
    outcomes
}

fn summary(outcomes: &BTreeMap<String, Outcome>) -> (usize, Vec<String>) {
    let mut num_passed = 0;
    let mut failures = Vec::new();
    for (name, outcome) in outcomes {
        match outcome {
            Outcome::Passed => num_passed += 1,
            Outcome::Skipped(reason) => println!("skipped {name}: {reason}"),
            Outcome::Failed(error) => failures.push(format!("{name}\n  {error}")),
        }
    }
    println!("{num_passed} YAML tests passed, {} failed, of {}", failures.len(), outcomes.len());
    (num_passed, failures)
}

#[test]
fn our_own_suites() {
    let server = Served::start();
    let apis = Apis::read(Path::new(&fixture("es/yaml/api.json"))).unwrap();
    let (num_passed, failures) = summary(&run_folder(&server.client, &apis, Path::new(&fixture("es/yaml"))));
    assert!(failures.is_empty(), "{} failed\n{}", failures.len(), failures.join("\n"));
    assert!(num_passed >= 60 || std::env::var_os("BIFOCAL_CASE").is_some(), "{num_passed}");
}

#[test]
fn a_suite_of_others() {
    let Ok(folder) = std::env::var("BIFOCAL_YAML_TESTS") else { return };
    let spec = std::env::var("BIFOCAL_YAML_SPEC").unwrap_or_else(|_| fixture("es/yaml/api.json"));
    let apis = Apis::read(Path::new(&spec)).unwrap();
    let (_server, client) = match std::env::var("BIFOCAL_YAML_URL") {
        Ok(url) => (None, Client::new(url)),
        Err(_) => {
            let server = Served::start();
            let client = server.client.clone();
            (Some(server), client)
        }
    };
    let outcomes = run_folder(&client, &apis, Path::new(&folder));
    if let Ok(path) = std::env::var("BIFOCAL_YAML_REPORT") {
        let row = |outcome: &Outcome| match outcome {
            Outcome::Passed => json!({"result": "passed"}),
            Outcome::Skipped(reason) => json!({"result": "skipped", "reason": reason}),
            Outcome::Failed(reason) => json!({"result": "failed", "reason": reason}),
        };
        let rows: serde_json::Map<String, Value> =
            outcomes.iter().map(|(name, outcome)| (name.clone(), row(outcome))).collect();
        fs_err::write(path, format!("{:#}\n", Value::Object(rows))).unwrap();
    }
    let (_, failures) = summary(&outcomes);
    assert!(failures.is_empty(), "{} failed\n{}", failures.len(), failures.join("\n"));
}
