//! The same indices, documents and requests to Bifocal and to a real OpenSearch; their answers must be equal.
//!
//! `fixtures/es/differential` holds the data: `indices.yaml` and `requests/*.yaml`, whose head comments tell their form. Where
//! OpenSearch runs (`make opensearch`), it is asked, and must answer as `recorded.json.gz` says; elsewhere that record is compared with.
//! `BIFOCAL_BLESS=1` records anew. `BIFOCAL_CASE=TEXT` shows the requests with this text in their names, and what both answered.
//!
//! A case: `name`, and `search` (a body for `_search` of the file's `index`), `request` (method, path, body), `ndjson` (method, path,
//! lines) or `raw` (method, path, text, media type). `opensearch` is the body that OpenSearch gets instead. Known differences:
//! `ignore` (places not compared), `only` (the only places compared) and `set` (what Elasticsearch has there), each with `because`.
//! `known_gap: REASON` marks a case that Bifocal does not pass yet: it must fail, so that the mark goes when the gap does.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::compare::{differences, normalise, only, places, remove};
use super::server::{Answer, Client, Served};
use crate::opensearch::Node;
use crate::util::fixture;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IndexFile {
    name: String,
    body: Value,
    opensearch: Option<Value>,
    documents: Option<String>,
    bulk: Option<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    index: Option<String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    search: Option<Value>,
    request: Option<Vec<Value>>,
    ndjson: Option<(String, String, Vec<Value>)>,
    raw: Option<Vec<String>>,
    opensearch: Option<Value>,
    #[serde(default)]
    ignore: Vec<String>,
    #[serde(default)]
    only: Vec<String>,
    #[serde(default)]
    set: Map<String, Value>,
    because: Option<String>,
    known_gap: Option<String>,
}

/// A request as it is sent.
struct Wire {
    method: String,
    path: String,
    media_type: String,
    body: Option<String>,
}

/// What each case was answered, by `file/name`.
type Answers = BTreeMap<String, Value>;

fn yaml<T: serde::de::DeserializeOwned>(path: &str) -> T {
    let text = fs_err::read_to_string(fixture(path)).unwrap();
    serde_norway::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every case with its full name and its file's index, in the order in which they are sent.
fn cases() -> Vec<(String, Option<String>, Case)> {
    let mut cases = Vec::new();
    let mut files: Vec<_> = fs_err::read_dir(fixture("es/differential/requests"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    files.sort();
    for file in files {
        let file = file.into_string().unwrap();
        let read: CaseFile = yaml(&format!("es/differential/requests/{file}"));
        for case in read.cases {
            let differs = !case.ignore.is_empty() || !case.set.is_empty();
            assert!(!differs || case.because.is_some(), "{file}: {} differs without `because`", case.name);
            cases.push((format!("{}/{}", file.trim_end_matches(".yaml"), case.name), read.index.clone(), case));
        }
    }
    let names: std::collections::BTreeSet<&String> = cases.iter().map(|(name, ..)| name).collect();
    assert_eq!(names.len(), cases.len(), "two cases of one name");
    cases
}

fn lines(values: &[Value]) -> String {
    values.iter().map(|value| format!("{value}\n")).collect()
}

/// RFC 7396.
fn merge_patch(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        let map = target.as_object_mut().unwrap();
        if value.is_null() {
            map.shift_remove(key);
        } else {
            merge_patch(map.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

impl Case {
    fn wire(&self, index: Option<&str>, is_opensearch: bool) -> Wire {
        const JSON: &str = "application/json";
        let wire = |method: &str, path: String, media_type: &str, body: Option<String>| Wire {
            method: method.to_string(),
            path,
            media_type: media_type.to_string(),
            body,
        };
        let text = |value: &Value| value.as_str().unwrap().to_string();
        let body = |ours: &Value| self.opensearch.as_ref().filter(|_| is_opensearch).unwrap_or(ours).to_string();
        if let Some(search) = &self.search {
            wire("POST", format!("/{}/_search", index.unwrap()), JSON, Some(body(search)))
        } else if let Some(request) = &self.request {
            wire(&text(&request[0]), text(&request[1]), JSON, request.get(2).map(body))
        } else if let Some((method, path, values)) = &self.ndjson {
            wire(method, path.clone(), "application/x-ndjson", Some(lines(values)))
        } else {
            let raw = self.raw.as_ref().unwrap_or_else(|| panic!("{}: no request", self.name));
            let by_path = if raw[1].contains("bulk") { "application/x-ndjson" } else { JSON };
            wire(&raw[0], raw[1].clone(), raw.get(3).map_or(by_path, String::as_str), Some(raw[2].clone()))
        }
    }

    /// What is compared of an answer.
    fn compared(&self, answer: &Value) -> Value {
        let mut answer = answer.clone();
        for pattern in &self.ignore {
            remove(&mut answer, &format!("/body{pattern}"));
        }
        if self.only.is_empty() {
            return answer;
        }
        let mut patterns: Vec<String> = self.only.iter().map(|pattern| format!("/body{pattern}")).collect();
        patterns.push("/status".to_string());
        only(&answer, &patterns)
    }

    /// What Elasticsearch answers, given OpenSearch's answer.
    fn expected(&self, theirs: &Value) -> Value {
        let mut theirs = theirs.clone();
        for (place, value) in &self.set {
            let target = theirs.pointer_mut(&format!("/body{place}"));
            *target.unwrap_or_else(|| panic!("{}: nothing at {place}", self.name)) = value.clone();
        }
        self.compared(&theirs)
    }
}

impl Wire {
    fn send(&self, client: &Client) -> Answer {
        let headers: &[(&str, &str)] = if self.body.is_some() { &[("content-type", &self.media_type)] } else { &[] };
        client.send(&self.method, &self.path, headers, self.body.as_deref().map(str::as_bytes))
    }
}

/// Makes the indices and asks everything. Returns the answers, and what went wrong when the indices were made.
fn ask(client: &Client, is_opensearch: bool) -> (Answers, Vec<String>) {
    let mut faults = Vec::new();
    for index in yaml::<Vec<IndexFile>>("es/differential/indices.yaml") {
        let mut body = index.body;
        if let Some(patch) = index.opensearch.filter(|_| is_opensearch) {
            merge_patch(&mut body, &patch);
        }
        let made = client.json("PUT", &format!("/{}", index.name), Some(&body));
        if made.status != 200 {
            faults.push(format!("index {}: {} {}", index.name, made.status, made.body));
        }
        let documents = match (&index.documents, &index.bulk) {
            (Some(file), _) => fs_err::read_to_string(fixture(&format!("es/differential/{file}"))).unwrap(),
            (None, Some(values)) => lines(values),
            (None, None) => continue,
        };
        let written = client.ndjson("POST", &format!("/{}/_bulk?refresh=true", index.name), &documents);
        if written.body["errors"] != false {
            let place = places(&written.body, "/items/*/*/error").into_iter().next();
            let error = place.and_then(|place| written.body.pointer(&place)).unwrap_or(&written.body);
            faults.push(format!("documents of {}: {} {error}", index.name, written.status));
        }
    }
    let mut answers = Answers::new();
    for (name, index, case) in cases() {
        let answer = case.wire(index.as_deref(), is_opensearch).send(client);
        answers.insert(name, json!({"status": answer.status, "body": normalise(&answer.body)}));
    }
    (answers, faults)
}

const RECORD: &str = "es/differential/recorded.json.gz";

fn recorded() -> Answers {
    let mut text = String::new();
    flate2::read::GzDecoder::new(fs_err::File::open(fixture(RECORD)).unwrap()).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn record(answers: &Answers) {
    // A stable order and a line a case, so that a new record differs in what is new.
    let lines: Vec<String> = answers.iter().map(|(name, answer)| format!("{}: {answer}", json!(name))).collect();
    let text = format!("{{\n{}\n}}\n", lines.join(",\n"));
    let mut encoder = flate2::GzBuilder::new().mtime(0).write(Vec::new(), flate2::Compression::best());
    encoder.write_all(text.as_bytes()).unwrap();
    fs_err::write(fixture(RECORD), encoder.finish().unwrap()).unwrap();
}

fn opensearch_answers() -> Option<Answers> {
    let Some(node) = Node::start() else {
        println!("no OpenSearch here (`make opensearch`); its recorded answers are compared instead");
        return None;
    };
    let client = Client::new(node.url.clone());
    let (answers, faults) = ask(&client, true);
    assert!(faults.is_empty(), "OpenSearch refused:\n{}", faults.join("\n"));
    Some(answers)
}

#[test]
fn opensearch_still_answers_as_recorded() {
    let Some(answers) = opensearch_answers() else { return };
    if std::env::var_os("BIFOCAL_BLESS").is_some() {
        record(&answers);
    }
    let recorded = recorded();
    let mut changed = Vec::new();
    for (name, index, case) in cases() {
        let was = recorded.get(&name).unwrap_or(&Value::Null);
        let lines = differences(&case.compared(was), &case.compared(&answers[&name]));
        if !lines.is_empty() {
            let path = case.wire(index.as_deref(), true).path;
            changed.push(format!("{name} ({path})\n  {}", lines.join("\n  ")));
        }
    }
    assert!(
        changed.is_empty(),
        "OpenSearch answers otherwise than recorded; BIFOCAL_BLESS=1 records anew\n{}",
        changed.join("\n")
    );
}

#[test]
fn ours_answers_as_opensearch_did() {
    let theirs = recorded();
    let server = Served::start();
    let (ours, mut failures) = ask(&server.client, false);
    let wanted = std::env::var("BIFOCAL_CASE").ok();
    let (mut num_equal, mut gaps) = (0, Vec::new());
    for (name, index, case) in cases() {
        let wire = case.wire(index.as_deref(), false);
        let their_answer =
            theirs.get(&name).unwrap_or_else(|| panic!("{name} is not recorded; BIFOCAL_BLESS=1 records"));
        let (expected, found) = (case.expected(their_answer), case.compared(&ours[&name]));
        if wanted.as_ref().is_some_and(|wanted| name.contains(wanted.as_str())) {
            println!("{name}: {} {}\n{}", wire.method, wire.path, wire.body.clone().unwrap_or_default());
            println!("theirs {expected:#}\nours {found:#}");
        }
        let lines = differences(&expected, &found);
        match (&case.known_gap, lines.is_empty()) {
            (None, true) => num_equal += 1,
            (Some(reason), false) => gaps.push(format!("{name}: {reason}")),
            (Some(_), true) => failures.push(format!("{name}: the gap is closed; remove its `known_gap`")),
            (None, false) => {
                let body: String = wire.body.unwrap_or_default().chars().take(300).collect();
                failures.push(format!("{name}\n  {} {} {body}\n  {}", wire.method, wire.path, lines.join("\n  ")));
            }
        }
    }
    println!("{num_equal} requests answered as by OpenSearch; {} known gaps\n{}", gaps.len(), gaps.join("\n"));
    assert!(failures.is_empty(), "{} requests are answered otherwise\n{}", failures.len(), failures.join("\n"));
    assert!(num_equal >= 250, "{num_equal}");
}
