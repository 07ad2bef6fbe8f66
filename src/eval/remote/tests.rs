//! A RemoteEngine against a small HTTP server: what it sends, and what becomes of faults. `tests/it/opensearch.rs` asks a real one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use super::*;

/// Answers one request a connection, in order, and keeps what it was sent.
struct Mock {
    address: String,
    served: JoinHandle<Vec<Request>>,
}

struct Request {
    /// The request line and the headers, in lower case.
    head: Vec<String>,
    body: Value,
}

impl Mock {
    fn answering(answers: Vec<(u16, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let served = std::thread::spawn(move || {
            let serve = |(status, answer): (u16, String)| {
                let (mut stream, _) = listener.accept().unwrap();
                let request = read_request(&stream);
                let length = answer.len();
                let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
                stream.write_all((head + &answer).as_bytes()).unwrap();
                request
            };
            answers.into_iter().map(serve).collect()
        });
        Self { address, served }
    }

    fn url(&self, index: &str) -> String {
        format!("http://elastic:secret@{}/{index}", self.address)
    }
}

fn read_request(stream: &TcpStream) -> Request {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_lowercase());
    }
    let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    Request { head, body: serde_json::from_slice(&body).unwrap() }
}

fn hits(ids: &[&str]) -> (u16, String) {
    let hits: Vec<Value> = ids.iter().map(|id| json!({"_id": id, "_score": 1.0})).collect();
    (200, json!({"took": 1, "timed_out": false, "hits": {"hits": hits}}).to_string())
}

fn queries(texts: &[&str]) -> Vec<(String, String)> {
    (1..).zip(texts).map(|(number, text)| (format!("q{number}"), text.to_string())).collect()
}

fn engine(text: &str) -> RemoteEngine {
    RemoteEngine::parse(text).unwrap().unwrap()
}

/// Runs one query, which fails; the error holds these words and no password.
#[track_caller]
fn fails(engine: &RemoteEngine, kind: ErrorKind, words: &[&str]) {
    let error = engine.run(&queries(&["wing"]), 10, &mut |_| {}).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    let text = error.to_string();
    assert!(words.iter().all(|word| text.contains(word)) && !text.contains("secret"), "{text}");
}

#[test]
fn every_query_is_asked_and_timed() {
    let mock = Mock::answering(vec![hits(&["b", "a"]), hits(&["b", "a"]), hits(&["c"])]);
    let engine = engine(&mock.url("books"));
    assert_eq!(engine.name(), format!("{}/books", mock.address));
    let mut seen = Vec::new();
    let (run, latencies_ms) = engine.run(&queries(&["blue \"wing\"", "x"]), 25, &mut |done| seen.push(done)).unwrap();
    assert_eq!((seen, latencies_ms.len()), (vec![1, 2], 2));
    assert!(latencies_ms.iter().all(|ms| *ms > 0.0));
    let ids = |query: &str| run.rankings[query].iter().map(|document| document.id.to_string()).collect::<Vec<_>>();
    assert_eq!((ids("q1"), ids("q2")), (vec!["b".to_string(), "a".to_string()], vec!["c".to_string()]));
    assert_eq!(run.name, engine.name());

    let requests = mock.served.join().unwrap();
    let texts: Vec<_> = requests.iter().map(|request| &request.body["query"]["multi_match"]["query"]).collect();
    assert_eq!(texts, ["blue \"wing\"", "blue \"wing\"", "x"], "the first query once more, before the clock runs");
    let first = &requests[0];
    assert_eq!((&first.body["size"], &first.body["_source"]), (&json!(25), &json!(false)));
    assert_eq!(first.head[0], "post /books/_search http/1.1");
    let has = |wanted: &str| first.head.iter().any(|line| line == wanted);
    assert!(has("authorization: basic zwxhc3rpyzpzzwnyzxq="), "{:?}", first.head);
    assert!(
        has("content-type: application/json") && !first.head.iter().any(|line| line.starts_with("accept-encoding"))
    );
}

#[test]
fn an_engine_in_a_file_is_asked_as_it_says() {
    let answer = json!({"hits": {"hits": [{"_id": "1", "_score": null, "_source": {"doc": "d"}}]}}).to_string();
    let mock = Mock::answering(vec![(200, answer.clone()), (200, answer)]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("production.yaml");
    let text = format!(
        "url: http://{}/a,b?search_pipeline=hybrid\napi_key: abc\nid_field: doc\nheaders: {{X-Team: search}}\n\
         template:\n  size: \"{{{{size}}}}\"\n  sort: [date]\n  query: {{match: {{text: \"{{{{query}}}}\"}}}}\n",
        mock.address
    );
    fs_err::write(&file, text).unwrap();
    let engine = engine(file.to_str().unwrap());
    assert_eq!(engine.name(), "production");
    let (run, _) = engine.run(&queries(&["wing"]), 10, &mut |_| {}).unwrap();
    assert_eq!((run.rankings["q1"][0].id.as_str(), run.rankings["q1"][0].score), ("d", 1.0));
    let requests = mock.served.join().unwrap();
    assert_eq!(requests[0].head[0], "post /a,b/_search?search_pipeline=hybrid http/1.1");
    let body = json!({"size": 10, "sort": ["date"], "query": {"match": {"text": "wing"}}, "_source": ["doc"]});
    assert_eq!(requests[0].body, body);
    for line in ["authorization: apikey abc", "x-team: search"] {
        assert!(requests[0].head.iter().any(|sent| sent == line), "{line}");
    }
}

#[test]
fn only_urls_and_files_with_one_are_engines() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs_err::write(&path, text).unwrap();
        path.to_str().unwrap().to_string()
    };
    let plan = file("plan.json", r#"{"legs": [{"lexical": {}}]}"#);
    let named_url = file("plans.yaml", "url: {legs: [{lexical: {}}]}\n");
    let broken = file("broken.json", r#"{"url": "#);
    let run = file("bm25.run", "url: http://h/i\n");
    for text in ["lexical", &plan, &named_url, &broken, &run, "missing.yaml", "{\"legs\": []}", "ftp://h/i", ""] {
        assert!(RemoteEngine::parse(text).is_none(), "{text}");
    }
    assert!(RemoteEngine::parse("HTTP://h:1/i").unwrap().is_ok());
    let bad = file("bad.yaml", "url: http://h/i\ndepth: 3\n");
    let error = RemoteEngine::parse(&bad).unwrap().unwrap_err().to_string();
    assert!(error.contains("bad.yaml: ") && error.contains("depth"), "{error}");
}

#[test]
fn the_examples_are_engines() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/engines");
    let files = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect();
    assert!(files.len() >= 3);
    for file in files {
        let engine = engine(file.to_str().unwrap());
        assert_eq!(engine.name(), file.file_stem().unwrap().to_str().unwrap());
        let body = engine.template.fill("wing", 50, None).to_string();
        assert!(body.contains("\"wing\"") && !body.contains("{{"), "{body}");
    }
}

#[test]
fn what_an_engine_refuses_is_said_in_its_words() {
    let no_index = r#"{"error":{"type":"index_not_found_exception","reason":"no such index [books]"},"status":404}"#;
    let mock = Mock::answering(vec![(404, no_index.to_string())]);
    let shown = format!("query q1: http://{}/books answered 404: no such index [books]", mock.address);
    fails(&engine(&mock.url("books")), ErrorKind::NotFound, &[&shown]);

    let mock = Mock::answering(vec![(200, "{\"tagline\": \"You Know, for Search\"}".to_string())]);
    fails(&engine(&mock.url("books")), ErrorKind::InvalidInput, &["no search response", "for Search"]);
    let mock = Mock::answering(vec![hits(&["a"]), hits(&["a"]), (500, "oops".to_string())]);
    let error = engine(&mock.url("books")).run(&queries(&["a", "b"]), 10, &mut |_| {}).unwrap_err();
    assert!(error.to_string().starts_with("query q2: ") && error.kind() == ErrorKind::Io, "{error}");
}

#[test]
fn an_engine_that_does_not_answer_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("slow.json");
    fs_err::write(&file, json!({"url": format!("http://u:secret@{address}/i"), "timeout_s": 0.1}).to_string()).unwrap();
    // The connection stands, for the system takes it; nobody reads.
    fails(&engine(file.to_str().unwrap()), ErrorKind::Io, &["did not answer within 0.1 s", "/i"]);
    drop(listener);
    let refused = engine(&format!("http://u:secret@{address}/i"));
    fails(&refused, ErrorKind::Io, &[&format!("http://{address}/i cannot be reached: nothing listens there")]);

    // Neither a search response nor HTTP, and an answer that breaks off.
    let garbage = |bytes: &'static [u8]| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            read_request(&stream);
            stream.write_all(bytes).unwrap();
        });
        fails(&engine(&format!("http://u:secret@{address}/i")), ErrorKind::Io, &["cannot be reached"]);
        thread.join().unwrap();
    };
    garbage(b"+OK hello\r\n\r\n");
    garbage(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{\"hits\"");
}
