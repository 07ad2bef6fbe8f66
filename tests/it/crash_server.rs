//! `bifocal serve` is killed at any moment under load: every acknowledged write is there afterwards, with its version.
//!
//! `BIFOCAL_CRASH_SECONDS` makes the killing last longer (12 s by default), `BIFOCAL_CRASH_SEED` repeats a run as far as the machine lets
//! it be repeated.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::util::{ServerProcess, Workplace};

/// A document as a client may find it: (version, value), or gone.
type State = Option<(u64, u64)>;

/// What one client knows of its documents.
#[derive(Debug, Default)]
struct Ledger {
    /// The last acknowledged state.
    known: BTreeMap<String, State>,
    /// What a request that was never answered may have made of it: the value written, or gone.
    in_doubt: BTreeMap<String, Option<u64>>,
    acknowledged: u64,
    next_value: u64,
}

/// JSON over HTTP that does not mind a server that dies.
#[derive(Debug, Clone)]
struct Client {
    url: String,
    agent: ureq::Agent,
}

impl Client {
    fn new(url: &str) -> Self {
        let config =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(60)));
        Self { url: url.to_string(), agent: config.build().into() }
    }

    /// `None` when the server did not answer to the end.
    fn send(&self, method: &str, path: &str, body: &str) -> Option<(u16, Value)> {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("content-type", if path.contains("_bulk") { "application/x-ndjson" } else { "application/json" });
        let mut answer = self.agent.run(request.body(body.to_string()).unwrap()).ok()?;
        let text = answer.body_mut().with_config().limit(64 << 20).read_to_string().ok()?;
        Some((answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    #[track_caller]
    fn ok(&self, method: &str, path: &str, body: &Value) -> Value {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let (status, answer) = self.send(method, path, &text).unwrap();
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }
}

impl Ledger {
    /// Notes what an item was answered.
    fn note(&mut self, id: &str, value: Option<u64>, status: u64, answer: &Value) {
        self.in_doubt.remove(id);
        if status == 429 {
            return;
        }
        let version = answer["_version"].as_u64().unwrap_or_else(|| panic!("{id}: {status} {answer}"));
        self.acknowledged += 1;
        self.known.insert(id.to_string(), value.map(|value| (version, value)));
    }

    /// One random request.
    fn step(&mut self, client: &Client, name: usize, random: &mut fastrand::Rng) -> Option<()> {
        let id = format!("{name}-{}", random.u32(..60));
        self.next_value += 1;
        let value = self.next_value;
        // Now and then a document brings a field that the mapping lacks.
        let mut source = json!({"n": value, "text": "a wing in a slipstream"});
        if random.u32(..40) == 0 {
            source[format!("field{}", random.u32(..40))] = json!("new");
        }
        match random.u32(..10) {
            0..4 => {
                self.in_doubt.insert(id.clone(), Some(value));
                let (status, answer) = client.send("PUT", &format!("/load/_doc/{id}"), &source.to_string())?;
                self.note(&id, Some(value), status.into(), &answer);
            }
            4 => {
                let was_there = self.known.get(&id).copied().flatten().is_some();
                self.in_doubt.insert(id.clone(), None);
                let (status, answer) = client.send("DELETE", &format!("/load/_doc/{id}"), "")?;
                assert_eq!(status, if was_there { 200 } else { 404 }, "{id}: {answer}");
                self.note(&id, None, status.into(), &answer);
            }
            5 => {
                self.in_doubt.insert(id.clone(), Some(value));
                let body = json!({"doc": source, "doc_as_upsert": true}).to_string();
                let (status, answer) = client.send("POST", &format!("/load/_update/{id}"), &body)?;
                self.note(&id, Some(value), status.into(), &answer);
            }
            _ => {
                let mut body = String::new();
                let mut ids = Vec::new();
                for place in 0..random.u32(2..12) {
                    let id = format!("{name}-{}", (random.u32(..5) + place * 5) % 60);
                    if ids.contains(&id) {
                        continue;
                    }
                    self.in_doubt.insert(id.clone(), Some(value));
                    body.push_str(&format!("{{\"index\":{{\"_id\":\"{id}\"}}}}\n{source}\n"));
                    ids.push(id);
                }
                let (status, answer) = client.send("POST", "/load/_bulk", &body)?;
                assert_eq!(status, 200, "{answer}");
                for (id, item) in ids.iter().zip(answer["items"].as_array().unwrap()) {
                    self.note(id, Some(value), item["index"]["status"].as_u64().unwrap(), &item["index"]);
                }
            }
        }
        Some(())
    }

    /// Compares with what the server has, and takes over what was in doubt.
    fn check(&mut self, client: &Client) {
        let mut ids: Vec<String> = self.known.keys().chain(self.in_doubt.keys()).cloned().collect();
        ids.sort();
        ids.dedup();
        if ids.is_empty() {
            return;
        }
        let found = client.ok("POST", "/load/_mget", &json!({"ids": ids}));
        for (id, document) in ids.iter().zip(found["docs"].as_array().unwrap()) {
            let is_found = document["found"].as_bool().unwrap_or_else(|| panic!("{id}: {document}"));
            let state: State =
                is_found.then(|| (document["_version"].as_u64().unwrap(), document["_source"]["n"].as_u64().unwrap()));
            let known = self.known.get(id).copied().flatten();
            let doubt = self.in_doubt.remove(id);
            let is_as_known = state == known;
            let is_as_doubted = doubt.is_some_and(|value| match (state, value) {
                (Some((version, found)), Some(value)) => {
                    found == value && known.is_none_or(|(before, _)| version == before + 1)
                }
                (None, None) => true,
                _ => false,
            });
            assert!(is_as_known || is_as_doubted, "{id}: found {state:?}, acknowledged {known:?}, in doubt {doubt:?}");
            self.known.insert(id.clone(), state);
        }
    }
}

/// Indices that come and go: those whose making was answered, and not their deletion.
#[derive(Debug, Default)]
struct Passing {
    there: Vec<String>,
    gone: Vec<String>,
    next: u32,
}

impl Passing {
    fn step(&mut self, client: &Client, random: &mut fastrand::Rng) -> Option<()> {
        if random.bool() || self.there.is_empty() {
            let name = format!("passing-{}", self.next);
            self.next += 1;
            let (status, answer) = client.send("PUT", &format!("/{name}"), "")?;
            assert_eq!(status, 200, "{answer}");
            self.there.push(name);
        } else {
            let name = self.there.swap_remove(random.usize(..self.there.len()));
            // Until it is answered it may be there or not.
            let (status, answer) = client.send("DELETE", &format!("/{name}"), "")?;
            assert_eq!(status, 200, "{answer}");
            self.gone.push(name);
        }
        Some(())
    }

    fn check(&self, client: &Client) {
        for (names, status) in [(&self.there, 200), (&self.gone, 404)] {
            for name in names {
                assert_eq!(client.send("GET", &format!("/{name}"), "").unwrap().0, status, "{name}");
            }
        }
    }
}

fn env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn every_acknowledged_write_survives_kill_9() {
    let seed = env("BIFOCAL_CRASH_SEED").unwrap_or_else(|| fastrand::u64(..));
    let until = Instant::now() + Duration::from_secs(env("BIFOCAL_CRASH_SECONDS").unwrap_or(12));
    println!("BIFOCAL_CRASH_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut server = ServerProcess::start();
    let mut ledgers: Vec<Ledger> = (0..4).map(|_| Ledger::default()).collect();
    let mut passing = Passing::default();
    let client = Client::new(server.url());
    client.ok("PUT", "/load", &json!({"settings": {"refresh_interval": "200ms"}}));
    let mut rounds = 0;
    while rounds == 0 || Instant::now() < until {
        rounds += 1;
        let client = Client::new(server.url());
        let stopping = AtomicBool::new(false);
        let kill_after = Duration::from_millis(random.u64(20..700));
        std::thread::scope(|scope| {
            for (name, ledger) in ledgers.iter_mut().enumerate() {
                let mut random = random.fork();
                let (client, stopping) = (client.clone(), &stopping);
                scope.spawn(move || {
                    while !stopping.load(Ordering::Relaxed) && ledger.step(&client, name, &mut random).is_some() {}
                });
            }
            let (mut own, other, stop) = (random.fork(), client.clone(), &stopping);
            let passing = &mut passing;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let done = match own.u32(..12) {
                        0 => other.send("POST", "/load/_flush", "").map(|_| ()),
                        1 => other.send("POST", "/load/_forcemerge?max_num_segments=1", "").map(|_| ()),
                        2..5 => passing.step(&other, &mut own),
                        _ => other.send("POST", "/load/_refresh", "").map(|_| ()),
                    };
                    if done.is_none() {
                        return;
                    }
                }
            });
            std::thread::sleep(kill_after);
            server.kill();
            stopping.store(true, Ordering::Relaxed);
        });
        server.restart();
        let client = Client::new(server.url());
        for ledger in &mut ledgers {
            ledger.check(&client);
        }
        passing.check(&client);
        client.ok("POST", "/load/_refresh", &Value::Null);
        let alive = ledgers.iter().flat_map(|ledger| ledger.known.values()).filter(|state| state.is_some()).count();
        assert_eq!(client.ok("GET", "/load/_count", &Value::Null)["count"], json!(alive), "round {rounds}");
    }
    let acknowledged: u64 = ledgers.iter().map(|ledger| ledger.acknowledged).sum();
    println!("{rounds} kills, {acknowledged} acknowledged writes, none lost");
    assert!(acknowledged > 0);
}

/// The newest file of the translog of an index that never refreshes by itself, after its server was killed.
fn killed_with_translog(num_documents: usize) -> (ServerProcess, std::path::PathBuf) {
    let mut server = ServerProcess::start();
    server.ok("PUT", "/other", &Value::Null);
    server.ok("PUT", "/other/_doc/1", &json!({"n": 1}));
    server.ok("PUT", "/load", &json!({"settings": {"refresh_interval": "-1"}}));
    for id in 0..num_documents {
        server.ok("PUT", &format!("/load/_doc/{id}"), &json!({"n": id}));
    }
    let uuid = server.ok("GET", "/load/_settings", &Value::Null)["load"]["settings"]["index"]["uuid"].clone();
    server.kill();
    let folder = server.data().join("indices").join(uuid.as_str().unwrap()).join("translog");
    let files = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|extension| extension == "tlog")).collect();
    files.sort();
    let file = files.into_iter().rfind(|file| file.metadata().unwrap().len() > 100).unwrap();
    (server, file)
}

#[test]
fn a_torn_translog_is_cut_and_a_damaged_one_is_reported() {
    let (mut server, file) = killed_with_translog(20);
    let whole = fs_err::read(&file).unwrap();
    // Half a record that nobody was told is safe.
    let mut torn = whole.clone();
    torn.extend_from_slice(&whole[24..60]);
    fs_err::write(&file, &torn).unwrap();
    server.restart();
    for id in 0..20 {
        assert_eq!(server.ok("GET", &format!("/load/_doc/{id}"), &Value::Null)["_source"]["n"], json!(id));
    }

    for damage in ["flipped", "short"] {
        let (mut server, file) = killed_with_translog(20);
        let mut bytes = fs_err::read(&file).unwrap();
        let end = bytes.len();
        match damage {
            "flipped" => bytes[end / 2] ^= 4,
            _ => bytes.truncate(end - 5),
        }
        fs_err::write(&file, &bytes).unwrap();
        server.restart();
        let (status, answer) = server.send("GET", "/load/_doc/1", &Value::Null);
        let reason = answer["error"]["reason"].as_str().unwrap_or_default();
        assert_eq!(status, 503, "{damage}: {answer}");
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(reason.contains(name) && reason.contains("damaged at byte"), "{damage}: {reason}");
        // The other indices work, and the damaged one can be deleted.
        assert_eq!(server.ok("GET", "/other/_doc/1", &Value::Null)["_source"], json!({"n": 1}));
        server.ok("DELETE", "/load", &Value::Null);
    }
}

/// A server whose files may not grow beyond a limit, as on a full disk.
fn serve_with_full_disk(place: &Workplace, kib: u32) -> (Child, String) {
    let mut command = place.std_command("bash");
    let bifocal = env!("CARGO_BIN_EXE_bifocal");
    command.arg("-c").arg(format!("trap '' XFSZ; ulimit -f {kib}; exec {bifocal} serve data --port 0"));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.split(' ').find(|word| word.starts_with("http")).unwrap_or_else(|| panic!("{line:?}"));
    let url = url.trim().to_string();
    (child, url)
}

#[test]
fn a_full_disk_refuses_writes_and_loses_none() {
    let place = Workplace::new();
    let (mut child, url) = serve_with_full_disk(&place, 256);
    let client = Client::new(&url);
    client.ok("PUT", "/load", &json!({"settings": {"refresh_interval": "-1"}}));
    let text = "x".repeat(5000);
    let mut acknowledged = Vec::new();
    let mut refused = 0;
    for id in 0..120 {
        let source = json!({"n": id, "text": text}).to_string();
        let (status, answer) = client.send("PUT", &format!("/load/_doc/{id}"), &source).unwrap();
        match status {
            201 => acknowledged.push(id),
            _ => {
                refused += 1;
                assert_eq!(status, 500, "{answer}");
            }
        }
    }
    assert!(acknowledged.len() >= 20 && refused >= 20, "{} acknowledged, {refused} refused", acknowledged.len());
    for id in &acknowledged {
        assert_eq!(client.ok("GET", &format!("/load/_doc/{id}"), &Value::Null)["_source"]["n"], json!(id));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let server = ServerProcess::start_with(place, &[]);
    let client = Client::new(server.url());
    client.ok("POST", "/load/_refresh", &Value::Null);
    assert_eq!(client.ok("GET", "/load/_count", &Value::Null)["count"], json!(acknowledged.len()));
    for id in &acknowledged {
        assert_eq!(client.ok("GET", &format!("/load/_doc/{id}"), &Value::Null)["_source"]["n"], json!(id));
    }
    client.ok("PUT", "/load/_doc/last", &json!({"n": 1}));
}
