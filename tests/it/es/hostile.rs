//! What a broken or hostile client sends: each is answered with a clear 4xx in bounded time, and the server goes on.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::server::{Client, Served};

/// None of them may take longer; each takes milliseconds on an idle machine.
const BOUND: Duration = Duration::from_secs(20);

fn library(client: &Client) {
    let mappings = json!({"properties": {
        "t": {"type": "text"}, "k": {"type": "keyword"}, "n": {"type": "integer"}, "d": {"type": "date"},
        "v": {"type": "dense_vector", "dims": 3}, "r": {"type": "nested"},
    }});
    assert_eq!(client.json("PUT", "/lib", Some(&json!({"mappings": mappings}))).status, 200);
    let mut bulk = String::new();
    for number in 0..50 {
        let document = json!({"t": format!("word{number} {}", "aaaa ".repeat(50)), "k": "a".repeat(30 + number), "n": number,
            "d": "2024-01-01", "v": [1, 0, number], "r": [{"x": 1}]});
        bulk += &format!("{}\n{document}\n", json!({"index": {"_id": number.to_string()}}));
    }
    assert_eq!(client.ndjson("POST", "/lib/_bulk?refresh=true", &bulk).body["errors"], false);
}

#[track_caller]
fn is_alive(client: &Client, after: &str) {
    let answer = client.json("POST", "/lib/_search", Some(&json!({"query": {"match": {"t": "word7"}}})));
    assert_eq!((answer.status, &answer.body["hits"]["total"]["value"]), (200, &json!(1)), "after {after}");
}

/// `depth` queries, one inside the other.
fn nested_bools(depth: usize) -> Value {
    (0..depth).fold(json!({"match_all": {}}), |inner, _| json!({"bool": {"must": [inner]}}))
}

fn search(body: Value) -> (&'static str, String, Vec<u8>) {
    ("POST", "/lib/_search".to_string(), body.to_string().into_bytes())
}

fn query(query: Value) -> (&'static str, String, Vec<u8>) {
    search(json!({"query": query}))
}

fn text(method: &'static str, path: &str, body: impl Into<Vec<u8>>) -> (&'static str, String, Vec<u8>) {
    (method, path.to_string(), body.into())
}

/// What it is, and the request: method, path, body.
type Case = (&'static str, (&'static str, String, Vec<u8>));

/// What must be refused.
fn refused() -> Vec<Case> {
    let many = |count: usize| -> Vec<Value> { (0..count).map(|i| json!(format!("term{i}"))).collect() };
    let clauses: Vec<Value> = (0..20_000).map(|i| json!({"term": {"k": format!("v{i}")}})).collect();
    let fields: serde_json::Map<String, Value> =
        (0..5_000).map(|i| (format!("f{i}"), json!({"type": "keyword"}))).collect();
    let deep_object = (0..1_000).fold(json!(1), |inner, _| json!({"a": inner}));
    let deep_aggs = (0..200).fold(
        json!({"m": {"avg": {"field": "n"}}}),
        |inner, _| json!({"f": {"filter": {"match_all": {}}, "aggs": inner}}),
    );
    vec![
        ("brackets without end", text("POST", "/lib/_search", "[".repeat(200_000))),
        ("objects without end", text("POST", "/lib/_search", "{\"a\":".repeat(100_000))),
        ("brackets that close", text("PUT", "/lib/_doc/x", format!("{{\"t\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000)))),
        ("queries in queries", query(nested_bools(100))),
        ("very many queries in queries", query(nested_bools(120))),
        ("aggregations in aggregations", search(json!({"size": 0, "aggs": deep_aggs}))),
        ("too many terms", query(json!({"terms": {"k": many(70_000)}}))),
        ("too many clauses", query(json!({"bool": {"should": clauses}}))),
        ("a long regular expression", query(json!({"regexp": {"k": "a".repeat(1_500)}}))),
        ("a broken regular expression", query(json!({"regexp": {"k": "a{1,"}}))),
        ("a regular expression of too many states", query(json!({"regexp": {"k": "((a{1,100}){1,100}){1,100}"}}))),
        ("a window past all", search(json!({"from": 2_000_000_000, "size": 2_000_000_000}))),
        ("a size that overflows", search(json!({"size": 9_223_372_036_854_775_807_i64}))),
        ("a negative window", search(json!({"from": -1}))),
        ("buckets without end", search(json!({"size": 0, "aggs": {"a": {"histogram": {"field": "n", "interval": 1e-7}}}}))),
        ("bounds without end", search(json!({"size": 0, "aggs": {"a": {"histogram": {"field": "n", "interval": 1, "extended_bounds": {"min": 0, "max": 4_000_000_000_u64}}}}}))),
        ("milliseconds of millennia", search(json!({"size": 0, "aggs": {"a": {"date_histogram": {"field": "d", "fixed_interval": "1ms", "extended_bounds": {"min": "1000-01-01", "max": "2999-01-01"}}}}}))),
        ("a date past time", query(json!({"range": {"d": {"gte": "now+999999999999999y"}}}))),
        ("a date that is none", query(json!({"range": {"d": {"gte": "2024-02-31"}}}))),
        ("a vector of wrong length", search(json!({"knn": {"field": "v", "query_vector": vec![0.5; 5_000], "k": 3, "num_candidates": 9}}))),
        ("too many candidates", search(json!({"knn": {"field": "v", "query_vector": [1, 0, 0], "k": 1_000_000, "num_candidates": 1_000_000}}))),
        ("a number beyond doubles", text("POST", "/lib/_search", "{\"min_score\": 1e999}")),
        ("a script that runs a program", query(json!({"script_score": {"query": {"match_all": {}}, "script": {"source": "Runtime.getRuntime().exec('id')"}}}))),
        ("a million fields", text("PUT", "/fields", json!({"mappings": {"properties": fields}}).to_string())),
        ("a document of a thousand levels", text("PUT", "/lib/_doc/deep", json!({"o": deep_object}).to_string())),
        ("not UTF-8", text("PUT", "/lib/_doc/x", b"{\"t\": \"\xff\xfe\"}".to_vec())),
        ("a half surrogate", text("POST", "/lib/_search", "{\"query\": {\"match\": {\"t\": \"\\ud800\"}}}")),
        ("two documents in one body", text("POST", "/lib/_search", "{} {}")),
        ("a bulk of no JSON", text("POST", "/lib/_bulk", "hello\nworld\n")),
        ("a bulk of brackets", text("POST", "/lib/_bulk", "[[[[[[\n")),
        ("an id of nothing but length", text("PUT", &format!("/lib/_doc/{}", "x".repeat(5_000)), "{}")),
        ("a name of nothing but length", text("PUT", &format!("/{}", "x".repeat(300)), "{}")),
        ("an index of two dots", text("PUT", "/..", "")),
        ("an index above the folder", text("PUT", "/..%2f..%2fevil", "")),
        ("an index of an absolute path", text("PUT", "/%2fetc%2fevil", "")),
        ("an index with a backslash", text("PUT", "/..%5c..%5cevil", "")),
        ("an index with a zero byte", text("PUT", "/a%00b", "")),
        ("a deletion above the folder", text("DELETE", "/..%2f..", "")),
        ("a pipeline", text("PUT", "/lib/_doc/p?pipeline=evil", "{}")),
        ("an unknown part of a search", search(json!({"quer": {}}))),
        ("a sort by a text", search(json!({"sort": ["t"]}))),
        ("a scroll of nonsense", text("POST", "/_search/scroll", json!({"scroll_id": "x".repeat(10_000)}).to_string())),
        ("a point in time of nonsense", text("POST", "/_search", json!({"pit": {"id": "////"}}).to_string())),
        ("an analyzer of long grams", text("PUT", "/grams", json!({"settings": {"analysis": {"tokenizer": {"g": {"type": "ngram", "min_gram": 1, "max_gram": 5_000}}, "analyzer": {"a": {"tokenizer": "g"}}}}}).to_string())),
    ]
}

/// What is answered either way, in bounded time.
fn survived() -> Vec<Case> {
    let parentheses = format!("{}a{}", "(".repeat(5_000), ")".repeat(5_000));
    vec![
        ("a catastrophic regular expression", query(json!({"regexp": {"k": "(a+)+b"}}))),
        ("another", query(json!({"regexp": {"k": "(a|aa)*(a|aa)*(a|aa)*c"}}))),
        ("stars", query(json!({"wildcard": {"k": "*a*a*a*a*a*a*a*a*a*a*a*b"}}))),
        ("a prefix of everything", query(json!({"query_string": {"query": "*:* AND t:* AND k:*a*"}}))),
        ("parentheses of the search box", query(json!({"query_string": {"query": parentheses, "default_field": "t"}}))),
        ("simple parentheses of the search box", query(json!({"simple_query_string": {"query": parentheses, "fields": ["t"]}}))),
        ("a long text", query(json!({"match": {"t": "aaaa ".repeat(20_000)}}))),
        ("fuzzy words without end", query(json!({"match": {"t": {"query": "aaaa ".repeat(500), "fuzziness": 2, "max_expansions": 1000}}}))),
        ("a slop past all", query(json!({"match_phrase": {"t": {"query": "aaaa aaaa word1", "slop": 2_147_483_647}}}))),
        ("highlights of everything", search(json!({"query": {"match": {"t": "aaaa"}}, "highlight": {"fields": {"*": {"number_of_fragments": 10_000}}}}))),
        ("a word of a megabyte", text("PUT", "/lib/_doc/long", json!({"t": "x".repeat(1 << 20)}).to_string())),
        ("a keyword of a megabyte", text("PUT", "/lib/_doc/longer", json!({"k": "x".repeat(1 << 20)}).to_string())),
        ("an analyzer with a catastrophic pattern", text("POST", "/_analyze", json!({"tokenizer": {"type": "pattern", "pattern": "(a+)+b"}, "text": "a".repeat(5_000)}).to_string())),
        ("a char filter with a catastrophic pattern", text("POST", "/_analyze", json!({"tokenizer": "keyword", "char_filter": [{"type": "pattern_replace", "pattern": "(a*)*b", "replacement": ""}], "text": "a".repeat(5_000)}).to_string())),
        ("a bulk of empty lines", text("POST", "/lib/_bulk", "\n".repeat(10_000))),
        ("two keys of one name", text("POST", "/lib/_search", "{\"size\": 1, \"size\": 2}")),
        ("many indices in a path", text("GET", &format!("/{}/_search?ignore_unavailable=true", vec!["zz"; 1000].join(",")), "")),
    ]
}

#[test]
fn every_hostile_request_is_answered_and_the_server_goes_on() {
    let mut server = Served::start();
    library(&server.client);
    let mut wrong = Vec::new();
    let cases =
        refused().into_iter().map(|case| (case, 400..500)).chain(survived().into_iter().map(|case| (case, 200..500)));
    for ((name, (method, path, body)), statuses) in cases {
        let begin = Instant::now();
        let media_type = if path.contains("_bulk") { "application/x-ndjson" } else { "application/json" };
        let body = (!body.is_empty()).then_some(body.as_slice());
        let headers: &[(&str, &str)] = if body.is_some() { &[("content-type", media_type)] } else { &[] };
        match server.client.try_send(method, &path, headers, body) {
            Ok(answer) => {
                let is_clear = answer.status < 400
                    || answer.body.pointer("/error/reason").is_some()
                    || answer.body["error"].is_string();
                if !statuses.contains(&answer.status) || !is_clear {
                    let text: String = answer.body.to_string().chars().take(200).collect();
                    wrong.push(format!("{name}: {} {text}", answer.status));
                }
            }
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
        if begin.elapsed() > BOUND {
            wrong.push(format!("{name}: took {:?}", begin.elapsed()));
        }
        is_alive(&server.client, name);
    }
    // Nothing was written beside the data.
    let beside: Vec<_> =
        fs_err::read_dir(server.process.place().path(".")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(beside.iter().all(|name| ["data", "log", "cache", "hub"].iter().any(|known| name == known)), "{beside:?}");
    let (_, log) = server.process.terminate();
    assert!(!log.contains("a fault of this program"), "{log}");
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn malformed_json_is_told_with_its_line_and_column() {
    let server = Served::start();
    library(&server.client);
    let cases = [
        ("{\n  \"query\": {\n    \"match\": {\"t\": }\n  }\n}", 3, 21),
        ("{\"query\" {}}", 1, 10),
        ("{\"size\": 1,\n}", 2, 1),
    ];
    for (body, line, column) in cases {
        let answer =
            server.client.send("POST", "/lib/_search", &[("content-type", "application/json")], Some(body.as_bytes()));
        let reason = answer.body["error"]["reason"].as_str().unwrap_or_default().to_string();
        let numbers: Vec<usize> =
            reason.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect();
        let is_near = numbers.windows(2).any(|pair| pair[0] == line && pair[1].abs_diff(column) <= 1);
        assert!(answer.status == 400 && is_near, "{body:?}: {line}:{column} is not in {}", answer.body);
    }
}

#[test]
fn an_oversized_body_is_refused() {
    let server = Served::start_with(&["--max-body", "1"]);
    library(&server.client);
    let body = json!({"t": "word ".repeat(600_000)}).to_string();
    // The server may answer before it has read everything, and close.
    if let Ok(answer) =
        server.client.try_send("PUT", "/lib/_doc/1", &[("content-type", "application/json")], Some(body.as_bytes()))
    {
        assert_eq!(answer.status, 413, "{}", answer.body);
    }
    // The old connection may be closing.
    let client = Client::new(&server.client.url);
    is_alive(&client, "an oversized body");
    // What says its length beforehand is refused without being read; the same for what hides it in gzip.
    let mut stream = TcpStream::connect(server.client.url.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(BOUND)).unwrap();
    stream.write_all(b"PUT /lib/_doc/2 HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 4000000000\r\n\r\n").unwrap();
    let mut begin = [0; 12];
    stream.read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"HTTP/1.1 413");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(json!({"t": "a ".repeat(20 << 20)}).to_string().as_bytes()).unwrap();
    let bomb = encoder.finish().unwrap();
    let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
    let answer = client.send("PUT", "/lib/_doc/3", &headers, Some(&bomb));
    assert_eq!(answer.status, 413, "{} bytes: {}", bomb.len(), answer.body);
    is_alive(&client, "a body that grows");
}

#[test]
fn slow_clients_are_let_go_and_hold_nobody_up() {
    let server = Served::start_with(&["--header-timeout", "1", "--body-timeout", "1"]);
    library(&server.client);
    let address = server.client.url.trim_start_matches("http://").to_string();
    let starts: [&[u8]; 3] = [
        b"",
        b"GET /lib/_search HTTP/1.1\r\nhost: a\r\nx-slow: ",
        b"POST /lib/_search HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{",
    ];
    let mut streams: Vec<TcpStream> = Vec::new();
    for number in 0..90 {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        stream.write_all(starts[number % 3]).unwrap();
        streams.push(stream);
    }
    let begin = Instant::now();
    is_alive(&server.client, "90 slow clients");
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    for mut stream in streams {
        // It is answered with 408, or just closed.
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let status = String::from_utf8_lossy(&answer).chars().take(12).collect::<String>();
        assert!(answer.is_empty() || status.starts_with("HTTP/1.1 4"), "{status}");
    }
    assert!(begin.elapsed() < BOUND, "{:?}", begin.elapsed());
    is_alive(&server.client, "slow clients");
}

#[test]
fn who_does_not_read_an_answer_is_let_go() {
    let server = Served::start_with(&["--body-timeout", "1"]);
    library(&server.client);
    let text = "word ".repeat(1_000_000);
    for number in 0..6 {
        let written =
            server.client.json("PUT", &format!("/big/_doc/{number}?refresh=true"), Some(&json!({"text": text})));
        assert_eq!(written.status, 201);
    }
    let mut stream = TcpStream::connect(server.client.url.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(BOUND)).unwrap();
    stream.write_all(b"GET /big/_search HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_secs(4));
    // What the system had taken already is there, and then the connection is at its end.
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.starts_with(b"HTTP/1.1 200") && answer.len() < 6 * text.len(), "{} bytes", answer.len());
    is_alive(&server.client, "a client that does not read");
}

#[test]
fn who_writes_to_the_end_before_listening_hears_what_was_wrong() {
    let server = Served::start();
    library(&server.client);
    let requests = [
        ("POST /_nothing/of/the/kind", "application/json", "400"),
        ("POST /lib/_search?nonsense=1", "application/json", "400"),
        ("POST /lib/_search", "application/xml", "406"),
        ("PATCH /lib/_search", "application/json", "405"),
        ("POST /_bulk?nonsense=1", "application/x-ndjson", "400"),
        ("DELETE /nowhere", "application/json", "404"),
    ];
    for (line, media_type, expected) in requests {
        let mut stream = TcpStream::connect(server.client.url.trim_start_matches("http://")).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        let head = format!("{line} HTTP/1.1\r\nhost: a\r\ncontent-type: {media_type}\r\ncontent-length: 2\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        // As clients send them: the body in a packet of its own.
        std::thread::sleep(Duration::from_millis(100));
        stream.write_all(b"{}").unwrap();
        let mut answer = [0; 4_096];
        let length = stream.read(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]);
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected}")), "{line}: {answer}");
        // The connection goes on.
        stream.write_all(b"GET /_cluster/health HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        let mut begin = [0; 12];
        stream.read_exact(&mut begin).unwrap();
        assert_eq!(&begin, b"HTTP/1.1 200", "{line}");
    }
}
