//! Cranfield in a real OpenSearch beside ours: the same mapping, BM25 on both sides, one table of `bifocal eval`.
//!
//! `make opensearch` fetches OpenSearch; it runs where a JDK of 21 or later is. Elsewhere ours is compared with what it answered
//! when `fixtures/opensearch/cranfield.run.gz` was recorded, which a running one is compared with too.

use std::collections::{BTreeSet, HashMap};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::util::{Workplace, fixture};
use bifocal::eval::remote::RemoteEngine;
use bifocal::eval::run::Run;

/// As the recipe has it.
fn version() -> &'static str {
    let recipe = include_str!("../opensearch/pom.xml");
    recipe.split("opensearch.version>").nth(1).unwrap().trim_end_matches("</")
}

/// Documents a query in the recorded run.
const RECORDED_DEPTH: usize = 20;

/// Starting takes 4 seconds on two idle cores.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// A node, which dies with this value, and with this process: it reads standard input until its end.
pub(crate) struct Node {
    process: Child,
    _stdin: ChildStdin,
    pub(crate) url: String,
    _folder: tempfile::TempDir,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Node {
    /// `None` where the jars or a JDK are missing.
    pub(crate) fn start() -> Option<Self> {
        let jars = Path::new(env!("CARGO_BIN_EXE_bifocal")).parent()?.parent()?.join("opensearch").join(version());
        let java = jars.join("ready").exists().then(jdk).flatten()?.join("bin/java");
        let folder = tempfile::tempdir().unwrap();
        let log = fs_err::File::create(folder.path().join("log")).unwrap();
        let class_path = std::env::join_paths([jars.join("classes"), jars.join("lib/*")]).unwrap();
        let mut process = Command::new(java)
            // Small, and quick to start rather than quick for long.
            .args(["-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .args(["--enable-native-access=ALL-UNNAMED", "--add-modules", "jdk.incubator.vector", "-cp"])
            .arg(class_path)
            .arg("OpenSearchNode")
            .arg(folder.path().join("node"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.into_file())
            .spawn()
            .unwrap();
        let stdin = process.stdin.take().unwrap();
        let stdout = process.stdout.take().unwrap();
        let mut node = Self { process, _stdin: stdin, url: String::new(), _folder: folder };
        let (sender, ready) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = BufReader::new(stdout).read_line(&mut line);
            let _ = sender.send(line);
        });
        let line = ready.recv_timeout(START_TIMEOUT).unwrap_or_default();
        let log = || fs_err::read_to_string(node._folder.path().join("log")).unwrap();
        let address = line.strip_prefix("READY ").unwrap_or_else(|| panic!("OpenSearch did not start: {}", log()));
        node.url = format!("http://{}", address.split(' ').next().unwrap());
        Some(node)
    }

    /// Makes the index `cranfield` by our own definition of it, as it stands.
    fn index_cranfield(&self, definition: &Value) {
        let agent = ureq::Agent::config_builder().proxy(None).build().new_agent();
        let mut made = agent.put(format!("{}/cranfield", self.url)).send_json(definition).unwrap();
        assert_eq!(made.body_mut().read_json::<Value>().unwrap()["acknowledged"], true);
        let mut bulk = String::new();
        for line in fs_err::read_to_string(fixture("cranfield/corpus.jsonl")).unwrap().lines() {
            let mut document: serde_json::Map<String, Value> = serde_json::from_str(line).unwrap();
            let id = document.remove("_id").unwrap();
            bulk += &format!("{}\n{}\n", json!({"index": {"_id": id}}), Value::Object(document));
        }
        let request = agent.post(format!("{}/cranfield/_bulk?refresh=true", self.url));
        let mut answer = request.header("content-type", "application/x-ndjson").send(bulk).unwrap();
        assert_eq!(answer.body_mut().read_json::<Value>().unwrap()["errors"], false);
    }
}

/// A JDK that OpenSearch 3 runs on; `make opensearch` looks in the same places.
fn jdk() -> Option<PathBuf> {
    let installed = fs_err::read_dir("/usr/lib/jvm").into_iter().flatten().flatten().map(|entry| entry.path());
    let homes = std::env::var_os("JAVA_HOME").map(PathBuf::from).into_iter().chain(installed);
    let is_new_enough = |home: &PathBuf| {
        let release = fs_err::read_to_string(home.join("release")).unwrap_or_default();
        let version = release.lines().find_map(|line| line.strip_prefix("JAVA_VERSION=\""));
        let major = version.and_then(|version| version.split(['.', '"']).next()?.parse::<u32>().ok());
        major.is_some_and(|major| major >= 21) && home.join("bin/javac").exists()
    };
    homes.into_iter().find(is_new_enough)
}

fn cranfield_queries() -> Vec<(String, String)> {
    bifocal::eval::dataset::read_queries(Path::new(&fixture("cranfield/queries.jsonl"))).unwrap()
}

/// (document, score) by query, best first, in the order of the lines.
type Lists = HashMap<String, Vec<(String, f64)>>;

fn lists(run: &str) -> Lists {
    let mut lists = Lists::new();
    for line in run.lines() {
        let [query, _, document, _, score, _] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        lists.entry(query.to_string()).or_default().push((document.to_string(), score.parse().unwrap()));
    }
    lists
}

fn recorded() -> String {
    let mut text = String::new();
    let file = fs_err::File::open(fixture("opensearch/cranfield.run.gz")).unwrap();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    text
}

/// As TREC has it. Scores are OpenSearch's single precision, and as short as it writes them.
fn trec(run: &Run, queries: &[(String, String)]) -> String {
    let mut text = String::new();
    for (query, _) in queries {
        for (rank, document) in (1..).zip(&run.rankings[query]) {
            text += &format!("{query} Q0 {} {rank} {} opensearch-{}\n", document.id, document.score, version());
        }
    }
    text
}

fn index(place: &Workplace) -> Value {
    place.run(&["index", "cran.idx", &fixture("cranfield"), "--lexical-only"]).succeeds();
    let manifest = fs_err::read_to_string(place.path("cran.idx/bifocal.json")).unwrap();
    serde_json::from_str::<Value>(&manifest).unwrap()["definition"].clone()
}

/// nDCG@10 by the plan's name, out of one table.
fn ndcg(place: &Workplace, plans: &str) -> Vec<(String, f64)> {
    let args = ["eval", &fixture("cranfield"), "--index", "cran.idx", "--plans", plans, "--json", "-"];
    let comparison = place.run(&args).json();
    let rows = comparison["plans"].as_array().unwrap().iter();
    rows.map(|row| (row["name"].as_str().unwrap().to_string(), row["metrics"]["ndcg@10"].as_f64().unwrap())).collect()
}

#[test]
fn ours_ranks_as_opensearch_did() {
    let place = Workplace::new();
    index(&place);
    let ours = place.run(&["run", "cran.idx", "--queries", &fixture("cranfield/queries.jsonl"), "--plan", "lexical"]);
    let ours = lists(&ours.succeeds().stdout);
    let theirs = lists(&recorded());
    let mut num_compared = 0;
    for (query, text) in cranfield_queries() {
        // To our search box `-dash` means without it; a `match` query does not know operators.
        if text.contains(" -dash") {
            continue;
        }
        let top = |run: &Lists| run[&query][..10].to_vec();
        for ((our_id, our_score), (their_id, their_score)) in top(&ours).into_iter().zip(top(&theirs)) {
            // Elasticsearch multiplies by k1 + 1, which OpenSearch 3 and Lucene have left off.
            assert!((our_score / their_score - 2.2).abs() < 1e-5, "query {query}: {our_id} {our_score}, {their_score}");
            let of_this_score = |run: &Lists, score: f64| -> BTreeSet<String> {
                let list = run[&query].iter();
                list.filter(|(_, other)| (other / score - 1.0).abs() < 1e-6).map(|(id, _)| id.clone()).collect()
            };
            assert!(
                our_id == their_id || of_this_score(&theirs, their_score).contains(&our_id),
                "query {query}: {our_id} where OpenSearch has {their_id}, {:?}",
                of_this_score(&theirs, their_score)
            );
        }
        num_compared += 1;
    }
    assert_eq!(num_compared, 222);
    let rows = ndcg(&place, &format!("lexical,{}", fixture("opensearch/cranfield.run.gz")));
    assert!(rows.len() == 2 && (rows[0].1 - rows[1].1).abs() < 0.01, "{rows:?}");
}

#[test]
fn a_real_opensearch_stands_in_the_same_table() {
    let Some(node) = Node::start() else {
        println!("no OpenSearch here (`make opensearch`); its recorded answers are compared instead");
        return;
    };
    let place = Workplace::new();
    node.index_cranfield(&index(&place));
    let url = format!("{}/cranfield", node.url);

    // What is recorded is still what it answers.
    let queries = cranfield_queries();
    let engine = RemoteEngine::parse(&url).unwrap().unwrap();
    let (run, latencies_ms) = engine.run(&queries, RECORDED_DEPTH, &mut |_| {}).unwrap();
    assert_eq!(latencies_ms.len(), queries.len());
    let run = trec(&run, &queries);
    if std::env::var_os("BIFOCAL_BLESS").is_some() {
        let file = fs_err::File::create(fixture("opensearch/cranfield.run.gz")).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::best());
        encoder.write_all(run.as_bytes()).unwrap();
        encoder.finish().unwrap();
    }
    assert!(run == recorded(), "OpenSearch answers otherwise than recorded; BIFOCAL_BLESS=1 records it anew");

    // By its URL, and by a file with a search of one's own.
    let file = json!({"url": url, "name": "now", "template": {"query": {"match": {"all_text": "{{query}}"}}}});
    place.write("now.json", file.to_string());
    let rows = ndcg(&place, &format!("lexical,{url},now.json"));
    let names: Vec<&str> = rows.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["lexical", url.strip_prefix("http://").unwrap(), "now"]);
    assert!((rows[0].1 - rows[1].1).abs() < 0.01 && rows[1].1 == rows[2].1, "{rows:?}");

    // What it refuses is said in its own words.
    let eval = |plan: &str| place.run(&["eval", &fixture("cranfield"), "--index", "cran.idx", "--plans", plan]);
    let missing = format!("{}/nope", node.url);
    eval(&missing).fails(4, &["none of the plans can run", &missing, "answered 404: no such index [nope]"]);
    let file = json!({"url": url, "template": {"query": {"mtch": {"all_text": "{{query}}"}}}});
    place.write("typo.json", file.to_string());
    eval("typo.json").fails(4, &["answered 400: unknown query [mtch] did you mean"]);
}
