//! `bifocal serve`: shapes, errors, users, TLS, limits, shutdown.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::util::{ServerProcess, Workplace, fixture};

/// An answer with its headers.
struct Answer {
    status: u16,
    headers: ureq::http::HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

fn agent() -> ureq::config::ConfigBuilder<ureq::typestate::AgentScope> {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .timeout_global(Some(Duration::from_secs(60)))
        // Nothing is unpacked behind the test's back.
        .accept_encoding("")
}

fn ask_with(agent: &ureq::Agent, url: &str, method: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut answer = agent.run(request.body(body).unwrap()).unwrap();
    let mut bytes = Vec::new();
    answer.body_mut().as_reader().read_to_end(&mut bytes).unwrap();
    Answer { status: answer.status().as_u16(), headers: answer.headers().clone(), body: bytes }
}

fn ask(server: &ServerProcess, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    ask_with(&agent().build().into(), &format!("{}{path}", server.url()), method, headers, body.as_bytes())
}

const JSON: (&str, &str) = ("content-type", "application/json");

/// What the server says to bytes on a connection, until it closes or `limit` is over.
fn say(server: &ServerProcess, bytes: &[u8], limit: Duration) -> String {
    let mut stream = connect(server);
    stream.write_all(bytes).unwrap();
    stream.set_read_timeout(Some(limit)).unwrap();
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    String::from_utf8_lossy(&said).into_owned()
}

fn connect(server: &ServerProcess) -> TcpStream {
    TcpStream::connect(server.url().trim_start_matches("http://")).unwrap()
}

#[test]
fn the_root_names_a_version_that_clients_accept() {
    let server = ServerProcess::start();
    let answer = ask(&server, "GET", "/", &[], "");
    let root = answer.json();
    assert_eq!(root["tagline"], "You Know, for Search");
    assert_eq!(root["version"]["number"], "8.19.0");
    assert_eq!(root["cluster_uuid"].as_str().unwrap().len(), 22);
    assert_eq!(answer.header("x-elastic-product"), "Elasticsearch");
    assert_eq!(answer.header("content-type"), "application/json");
    let head = ask(&server, "HEAD", "/", &[], "");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), answer.body.len().to_string());
}

#[test]
fn media_types_are_echoed_or_refused() {
    let server = ServerProcess::start();
    for (accept, content_type) in [
        (
            "application/vnd.elasticsearch+json; compatible-with=8",
            "application/vnd.elasticsearch+json;compatible-with=8",
        ),
        (
            "application/vnd.elasticsearch+json; compatible-with=9",
            "application/vnd.elasticsearch+json;compatible-with=9",
        ),
        ("application/json", "application/json"),
        ("application/yaml", "application/yaml"),
        ("*/*", "application/json"),
    ] {
        let answer = ask(&server, "GET", "/", &[("accept", accept)], "");
        assert_eq!((answer.status, answer.header("content-type")), (200, content_type), "{accept}");
    }
    let refused = ask(&server, "GET", "/", &[("accept", "image/png")], "");
    assert_eq!(refused.status, 406);
    assert_eq!(refused.json()["error"], "Accept header [image/png] is not supported");
    let refused = ask(&server, "POST", "/_analyze", &[("content-type", "text/csv")], "a,b");
    assert_eq!(
        (refused.status, refused.json()["error"].as_str().unwrap()),
        (406, "Content-Type header [text/csv] is not supported")
    );
    let refused = ask(
        &server,
        "POST",
        "/_analyze",
        &[("content-type", "application/vnd.elasticsearch+json;compatible-with=6")],
        "{}",
    );
    assert_eq!(
        (refused.status, refused.json()["error"]["type"].as_str().unwrap()),
        (400, "media_type_header_exception")
    );
}

#[test]
fn answers_are_printed_as_the_request_wants_them() {
    let server = ServerProcess::start();
    let pretty = ask(&server, "GET", "/?pretty&filter_path=version.number,tagline", &[], "");
    assert_eq!(
        pretty.text(),
        "{\n  \"version\" : {\n    \"number\" : \"8.19.0\"\n  },\n  \"tagline\" : \"You Know, for Search\"\n}\n"
    );
    let yaml = ask(&server, "GET", "/?format=yaml&filter_path=tagline", &[], "");
    assert_eq!(yaml.text(), "---\ntagline: You Know, for Search\n");
    let without = ask(&server, "GET", "/?filter_path=-version,-name", &[], "").json();
    assert!(without.get("version").is_none() && without.get("tagline").is_some(), "{without}");
    let echoed = ask(&server, "GET", "/", &[("x-opaque-id", "batch-7")], "");
    assert_eq!(echoed.header("x-opaque-id"), "batch-7");
    let slash = ask(&server, "GET", "/_cluster/health/?filter_path=status", &[], "");
    assert_eq!(slash.json(), json!({"status": "green"}));
    let packed = ask(&server, "GET", "/_cat?format=text", &[("accept-encoding", "gzip")], "");
    assert_eq!(packed.header("content-encoding"), if packed.body.len() > 1000 { "gzip" } else { "" });
    let bare = ServerProcess::start_with(Workplace::new(), &["--no-product-header"]);
    assert_eq!(ask(&bare, "GET", "/", &[], "").header("x-elastic-product"), "");
}

#[test]
fn bodies_may_come_packed_or_as_a_parameter() {
    let server = ServerProcess::start();
    let body = json!({"mappings": {"properties": {"title": {"type": "text"}}}}).to_string();
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(body.as_bytes()).unwrap();
    let packed = packer.finish().unwrap();
    let agent: ureq::Agent = agent().build().into();
    let url = format!("{}/books", server.url());
    let made = ask_with(&agent, &url, "PUT", &[JSON, ("content-encoding", "gzip")], &packed);
    assert_eq!(made.status, 200, "{}", made.text());
    let broken = ask_with(&agent, &url, "PUT", &[JSON, ("content-encoding", "gzip")], b"not gzip");
    assert_eq!(broken.status, 400, "{}", broken.text());
    let unknown = ask_with(&agent, &url, "PUT", &[JSON, ("content-encoding", "br")], b"x");
    assert_eq!(unknown.status, 415, "{}", unknown.text());
    let source = "/_analyze?source_content_type=application/json&source=%7B%22text%22%3A%22Two%20words%22%7D";
    let answer = ask(&server, "GET", source, &[], "").json();
    assert_eq!(answer["tokens"].as_array().map(Vec::len), Some(2), "{answer}");
    let without_type = ask(&server, "GET", "/_analyze?source=%7B%7D", &[], "");
    assert_eq!(without_type.status, 400);
}

#[test]
fn faults_of_requests_are_named() {
    let server = ServerProcess::start();
    server.ok("PUT", "/books", &Value::Null);
    let check = |method: &str, path: &str, body: &str, status: u16, kind: &str, said: &str| {
        let answer = ask(&server, method, path, &[JSON], body);
        let json = answer.json();
        assert_eq!(answer.status, status, "{method} {path}: {json}");
        assert_eq!(answer.header("x-elastic-product"), "Elasticsearch");
        let error = &json["error"];
        let (found_kind, reason) = match error.as_str() {
            Some(text) => ("", text),
            None => (error["type"].as_str().unwrap(), error["reason"].as_str().unwrap()),
        };
        assert_eq!(found_kind, kind, "{method} {path}: {json}");
        assert!(reason.contains(said), "{method} {path}: {said:?} is not in {reason:?}");
        if error.is_object() {
            assert_eq!(json["status"], status);
            assert_eq!(error["root_cause"][0]["type"], kind, "{json}");
        }
    };
    check(
        "GET",
        "/_nothing/here/at/all?x=1",
        "",
        400,
        "",
        "no handler found for uri [/_nothing/here/at/all?x=1] and method [GET]",
    );
    check("DELETE", "/", "", 405, "", "Incorrect HTTP method for uri [/] and method [DELETE], allowed: [GET, HEAD]");
    check("PUT", "/other", "{\"settings\": {},\n  \"mappings\": }", 400, "x_content_parse_exception", "[2:15]");
    check(
        "PUT",
        "/other",
        "{\"settings\": {}, \"settings\": {}}",
        400,
        "x_content_parse_exception",
        "duplicate key \"settings\"",
    );
    check("PUT", "/other", "[]", 400, "x_content_parse_exception", "expected an object");
    check(
        "GET",
        "/?prety",
        "",
        400,
        "illegal_argument_exception",
        "request [/] contains unrecognized parameter: [prety]",
    );
    check("GET", "/?pretty=perhaps", "", 400, "illegal_argument_exception", "[perhaps]");
    check("PUT", "/books", "", 400, "resource_already_exists_exception", "already exists");
    check("GET", "/absent", "", 404, "index_not_found_exception", "no such index [absent]");
    check("PUT", "/Upper", "", 400, "invalid_index_name_exception", "must be lowercase");
    check("PUT", "/_under", "", 400, "invalid_index_name_exception", "must not start with");
    check("PUT", "/_index_template/x", "{}", 400, "illegal_argument_exception", "index templates are not supported");
    check("GET", &format!("/books?x={}", "y".repeat(20_000)), "", 400, "too_long_http_line_exception", "HTTP line");
    let options = ask(&server, "OPTIONS", "/books", &[], "");
    assert_eq!((options.status, options.body.len()), (200, 0));
    for method in ["GET", "PUT", "DELETE", "HEAD"] {
        assert!(options.header("allow").contains(method), "{}", options.header("allow"));
    }
    let traced = ask(&server, "GET", "/absent?error_trace", &[], "").json();
    assert!(traced["error"]["stack_trace"].is_string(), "{traced}");
}

#[test]
fn names_of_indices_reach_no_other_folder() {
    let server = ServerProcess::start();
    for name in [
        "%2e%2e%2fevil",
        "..%2F..%2Fevil",
        "%2e%2e",
        "%2e",
        "a%2Fb",
        "a%5Cb",
        "a%00b",
        "%2Fetc",
        "a%20b",
        "a%2a",
        "a%22",
        "%FF",
    ] {
        for method in ["PUT", "DELETE", "GET"] {
            let answer = ask(&server, method, &format!("/{name}"), &[], "");
            let fine = answer.status == 400 || answer.status == 404 || (name == "a%2a" && method != "PUT");
            assert!(fine, "{method} {name}: {} {}", answer.status, answer.text());
        }
    }
    let outside: Vec<String> = fs_err::read_dir(server.place().path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains("evil"))
        .collect();
    assert!(outside.is_empty(), "{outside:?}");
}

#[test]
fn what_is_too_large_or_too_slow_is_ended() {
    let args = ["--max-body", "1", "--header-timeout", "1", "--body-timeout", "1"];
    let server = ServerProcess::start_with(Workplace::new(), &args);
    let large = format!("{{\"text\": \"{}\"}}", "x".repeat(3 << 19));
    let answer = ask(&server, "POST", "/_analyze", &[JSON], &large);
    assert_eq!((answer.status, answer.json()["error"]["type"].as_str().unwrap()), (413, "content_too_long_exception"));
    let limit = Duration::from_secs(20);
    let began = Instant::now();
    let headers = say(&server, b"GET / HTTP/1.1\r\nHost: x\r\nSlow", limit);
    assert!(began.elapsed() < limit, "{headers}");
    let slow_body =
        b"POST /_analyze HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    let body = say(&server, slow_body, limit);
    assert!(body.starts_with("HTTP/1.1 408"), "{body}");
    let mut many_headers = b"GET / HTTP/1.1\r\nHost: x\r\n".to_vec();
    many_headers.extend(std::iter::repeat_n(b'a', 200_000));
    let refused = say(&server, &many_headers, limit);
    assert!(refused.is_empty() || refused.starts_with("HTTP/1.1 431"), "{refused}");
    server.ok("GET", "/", &Value::Null);
}

#[test]
fn pages_of_other_hosts_get_nothing() {
    let server = ServerProcess::start();
    let answer = ask(&server, "GET", "/", &[("origin", "https://evil.example")], "");
    assert_eq!((answer.status, answer.json()["error"]["type"].as_str().unwrap()), (403, "security_exception"));
}

#[test]
fn an_address_that_others_reach_needs_users() {
    Workplace::new()
        .run(&["serve", "data", "--port", "0", "--host", "0.0.0.0"])
        .fails(3, &["no authentication", "--users"]);
    Workplace::new().run(&["serve", "data", "--port", "0", "--host", "nowhere"]).fails(3, &["nowhere"]);
    let server = ServerProcess::start();
    let port = server.url().rsplit(':').next().unwrap();
    Workplace::new().run(&["serve", "data", "--port", port]).fails(12, &["cannot listen on", "--port"]);
}

/// A server with a user of each role; the password is the name.
fn with_users(args: &[&str]) -> ServerProcess {
    let place = Workplace::new();
    let mut users = String::new();
    for (name, role) in [("anna", "admin"), ("will", "write"), ("rita", "read")] {
        let hash = place.run_with_stdin(&["hash-password"], format!("{name}\n")).succeeds().stdout;
        users.push_str(&format!("{name}: {{role: {role}, password_hash: \"{}\"}}\n", hash.trim()));
    }
    place.write("users.yml", users);
    ServerProcess::start_with(place, &[&["--users", "users.yml"], args].concat())
}

fn basic(name: &str, password: &str) -> String {
    use base64::Engine;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}")))
}

#[test]
fn users_may_what_their_role_says() {
    let server = with_users(&[]);
    let send = |method: &str, path: &str, authorization: &str, body: &str| {
        ask(&server, method, path, &[JSON, ("authorization", authorization)], body)
    };
    let unknown = ask(&server, "GET", "/", &[], "");
    assert_eq!((unknown.status, unknown.json()["error"]["type"].as_str().unwrap()), (401, "security_exception"));
    assert!(unknown.header("www-authenticate").starts_with("Basic"));
    for wrong in
        [basic("anna", "otto"), basic("otto", "anna"), "Basic !".to_string(), "Bearer x".to_string(), String::new()]
    {
        assert_eq!(send("GET", "/", &wrong, "").status, 401, "{wrong}");
    }
    let (anna, will, rita) = (basic("anna", "anna"), basic("will", "will"), basic("rita", "rita"));
    for (who, statuses) in [(&rita, [200, 403, 403]), (&will, [200, 200, 403]), (&anna, [200, 200, 200])] {
        let status = |method: &str, path: &str, body: &str| send(method, path, who, body).status;
        let found = [
            status("GET", "/_cluster/health", ""),
            status("POST", "/_refresh", ""),
            status("PUT", "/_cluster/settings", "{}"),
        ];
        assert_eq!(found, statuses, "{who}");
    }
    let me = send("GET", "/_security/_authenticate", &rita, "").json();
    assert_eq!((me["username"].as_str(), me["roles"][0].as_str()), (Some("rita"), Some("read")));
    let refused = send("PUT", "/books", &rita, "").json();
    assert!(
        refused["error"]["reason"].as_str().unwrap().contains("user [rita] with effective roles [read]"),
        "{refused}"
    );
    // The second check of a password is remembered: Argon2 alone takes longer than this.
    let began = Instant::now();
    for _ in 0..20 {
        assert_eq!(send("GET", "/", &anna, "").status, 200);
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn api_keys_live_until_they_are_revoked() {
    let mut server = with_users(&[]);
    let anna = basic("anna", "anna");
    let send = |server: &ServerProcess, method: &str, path: &str, authorization: &str, body: &Value| {
        ask(server, method, path, &[JSON, ("authorization", authorization)], &body.to_string())
    };
    let make = |server: &ServerProcess, body: Value| send(server, "POST", "/_security/api_key", &anna, &body).json();
    let read_only =
        json!({"name": "reader", "role_descriptors": {"r": {"indices": [{"names": ["*"], "privileges": ["read"]}]}}});
    let reader = make(&server, read_only);
    let full = make(&server, json!({"name": "full", "expiration": "1d"}));
    assert!(full["expiration"].is_u64(), "{full}");
    let of = |key: &Value| format!("ApiKey {}", key["encoded"].as_str().unwrap());
    let health =
        |server: &ServerProcess, key: &Value| send(server, "GET", "/_cluster/health", &of(key), &json!({})).status;
    let settings =
        |server: &ServerProcess, key: &Value| send(server, "PUT", "/_cluster/settings", &of(key), &json!({})).status;
    assert_eq!((health(&server, &reader), settings(&server, &reader)), (200, 403));
    assert_eq!((health(&server, &full), settings(&server, &full)), (200, 200));
    let partly =
        json!({"name": "x", "role_descriptors": {"r": {"indices": [{"names": ["books"], "privileges": ["read"]}]}}});
    assert!(make(&server, partly)["error"]["reason"].as_str().unwrap().contains("some indices only"));
    server.kill();
    server.restart();
    assert_eq!((health(&server, &reader), health(&server, &full)), (200, 200));
    let revoked = send(&server, "DELETE", "/_security/api_key", &anna, &json!({"ids": [reader["id"]]})).json();
    assert_eq!(revoked["invalidated_api_keys"], json!([reader["id"]]));
    assert_eq!((health(&server, &reader), health(&server, &full)), (401, 200));
    let listed = send(&server, "GET", "/_security/api_key?name=read*", &anna, &Value::Null);
    let listed = listed.json();
    assert_eq!(
        (listed["api_keys"][0]["name"].as_str(), &listed["api_keys"][0]["invalidated"]),
        (Some("reader"), &json!(true))
    );
    assert!(!listed.to_string().contains("hash"), "{listed}");
}

#[test]
fn tls_is_spoken_by_file() {
    let (certificate, key) = (fixture("tls/cert.pem"), fixture("tls/key.pem"));
    let server = ServerProcess::start_with(Workplace::new(), &["--tls-cert", &certificate, "--tls-key", &key]);
    assert!(server.url().starts_with("https://"), "{}", server.url());
    let root = ureq::tls::Certificate::from_pem(&fs_err::read(&certificate).unwrap()).unwrap();
    let tls = ureq::tls::TlsConfig::builder().root_certs(ureq::tls::RootCerts::new_with_certs(&[root])).build();
    let agent: ureq::Agent = agent().tls_config(tls).build().into();
    assert_eq!(ask_with(&agent, server.url(), "GET", &[], b"").json()["tagline"], "You Know, for Search");
    let bad = Workplace::new();
    bad.run(&["serve", "data", "--port", "0", "--tls-cert", &key, "--tls-key", &key]).fails(3, &["key.pem"]);
    bad.run(&["serve", "data", "--port", "0", "--tls-cert", &certificate]).fails(2, &["--tls-key"]);
}

#[test]
fn it_stops_when_told_and_finishes_what_is_under_way() {
    let mut server = ServerProcess::start();
    let mut stream = connect(&server);
    let body = "{\"text\": \"one\"}";
    let head = format!(
        "POST /_analyze HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body.as_bytes()[..5]).unwrap();
    // The server has read the first half once it answers another request.
    server.ok("GET", "/", &Value::Null);
    let finishing = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        stream.write_all(&body.as_bytes()[5..]).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        said
    });
    let (code, log) = server.terminate();
    assert_eq!(code, Some(0), "{log}");
    let said = finishing.join().unwrap();
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
}

#[test]
fn figures_are_told_to_prometheus() {
    let server = ServerProcess::start();
    server.ok("GET", "/_cluster/health", &Value::Null);
    let metrics = ask(&server, "GET", "/metrics", &[], "");
    for line in [
        "bifocal_requests_total{api=\"/_cluster/health\",method=\"GET\",status=\"200\"} 1",
        "bifocal_pool_work{pool=\"search\"",
        "# EOF",
    ] {
        assert!(metrics.text().contains(line), "{line} is not in\n{}", metrics.text());
    }
}

#[test]
fn indices_are_made_told_changed_and_deleted() {
    let server = ServerProcess::start();
    let get = |path: &str| server.ok("GET", path, &Value::Null);
    let body = json!({
        "settings": {"number_of_replicas": 0, "index.refresh_interval": "30s"},
        "mappings": {"properties": {"title": {"type": "text", "fields": {"raw": {"type": "keyword"}}}}},
        "aliases": {"library": {"filter": {"term": {"title.raw": "x"}}, "is_write_index": true}},
    });
    let made = server.ok("PUT", "/books", &body);
    assert_eq!(made, json!({"acknowledged": true, "shards_acknowledged": true, "index": "books"}));
    assert_eq!(ask(&server, "HEAD", "/books", &[], "").status, 200);
    assert_eq!(ask(&server, "HEAD", "/absent", &[], "").status, 404);
    let told = get("/books");
    assert_eq!(told["books"]["aliases"]["library"]["is_write_index"], true);
    assert_eq!(told["books"]["mappings"]["properties"]["title"]["fields"]["raw"]["type"], "keyword");
    assert_eq!(told["books"]["settings"]["index"]["refresh_interval"], "30s");
    assert_eq!(told["books"]["settings"]["index"]["provided_name"], "books");
    assert_eq!(get("/library")["books"]["aliases"], told["books"]["aliases"]);

    server.ok("PUT", "/books/_mapping", &json!({"properties": {"year": {"type": "integer"}}}));
    assert_eq!(get("/books/_mapping")["books"]["mappings"]["properties"]["year"]["type"], "integer");
    assert_eq!(get("/_mapping/field/title.*")["books"]["mappings"]["title.raw"]["mapping"]["raw"]["type"], "keyword");
    let (status, changed) = server.send("PUT", "/books/_mapping", &json!({"properties": {"year": {"type": "text"}}}));
    assert_eq!(status, 400, "{changed}");
    assert!(changed["error"]["reason"].as_str().unwrap().contains("[year]"), "{changed}");

    server.ok("PUT", "/books/_settings", &json!({"index": {"refresh_interval": "1s"}}));
    assert_eq!(
        get("/books/_settings/index.refresh_interval?flat_settings")["books"]["settings"],
        json!({"index.refresh_interval": "1s"})
    );
    let (status, fixed) = server.send("PUT", "/books/_settings", &json!({"number_of_shards": 3}));
    assert_eq!(status, 400);
    assert!(fixed["error"]["reason"].as_str().unwrap().starts_with("Can't update non dynamic settings"), "{fixed}");

    let caps = get("/books/_field_caps?fields=title*,year");
    assert_eq!(caps["fields"]["title"]["text"]["aggregatable"], false);
    assert_eq!(caps["fields"]["year"]["integer"]["searchable"], true);
    let tokens = server.ok("POST", "/books/_analyze", &json!({"field": "title", "text": "A Wing"}));
    assert_eq!(tokens["tokens"][1]["token"], "wing");

    server.ok("PUT", "/films", &Value::Null);
    let actions = json!({"actions": [{"add": {"indices": ["books", "films"], "alias": "all"}}, {"remove": {"index": "books", "alias": "library"}}]});
    server.ok("POST", "/_aliases", &actions);
    assert_eq!(get("/_alias/all"), json!({"books": {"aliases": {"all": {}}}, "films": {"aliases": {"all": {}}}}));
    let (status, missing) = server.send("GET", "/_alias/library", &Value::Null);
    assert_eq!((status, missing["error"].as_str().unwrap()), (404, "alias [library] missing"));
    assert_eq!(server.send("HEAD", "/_alias/all", &Value::Null).0, 200);
    let resolved = get("/_resolve/index/a*,books");
    assert_eq!(
        (resolved["aliases"][0]["name"].as_str(), resolved["indices"][0]["name"].as_str()),
        (Some("all"), Some("books"))
    );

    assert_eq!(get("/_cat/indices?h=index&s=index:desc&format=json"), json!([{"index": "films"}, {"index": "books"}]));
    assert_eq!(get("/_cat/count/all?h=count"), json!(0));
    assert_eq!(get("/_cluster/health/books?level=indices")["indices"]["books"]["status"], "green");
    assert_eq!(server.send("GET", "/_cluster/health/absent?timeout=1s", &Value::Null).0, 408);
    assert_eq!(get("/_stats/docs,store")["indices"]["books"]["total"]["docs"]["count"], 0);
    assert_eq!(get("/_cluster/state/metadata/books")["metadata"]["indices"]["books"]["state"], "open");
    for path in ["/_refresh", "/_flush", "/books/_forcemerge?max_num_segments=1", "/_cache/clear"] {
        assert_eq!(server.ok("POST", path, &Value::Null)["_shards"]["failed"], 0, "{path}");
    }
    let nodes = get("/_nodes/_all/http");
    let node = nodes["nodes"].as_object().unwrap().values().next().unwrap();
    assert_eq!(node["http"]["publish_address"].as_str().unwrap(), server.url().trim_start_matches("http://"));

    for pattern in ["/*", "/_all", "/bo*"] {
        let (status, refused) = server.send("DELETE", pattern, &Value::Null);
        assert_eq!(
            (status, refused["error"]["reason"].as_str().unwrap()),
            (400, "Wildcard expressions or all indices are not allowed")
        );
    }
    assert_eq!(server.send("DELETE", "/all", &Value::Null).0, 400);
    server.ok("DELETE", "/films", &Value::Null);
    server.ok("PUT", "/_cluster/settings", &json!({"persistent": {"action.destructive_requires_name": false}}));
    server.ok("DELETE", "/b*", &Value::Null);
    assert_eq!(get("/_cat/indices"), Value::Null);
}

#[test]
fn a_closed_index_stays_closed_and_keeps_what_it_has() {
    let mut server = ServerProcess::start();
    server.ok("PUT", "/books", &json!({"mappings": {"properties": {"t": {"type": "text"}}}}));
    server.ok("PUT", "/books/_doc/1?refresh=true", &json!({"t": "Running"}));
    server.ok("POST", "/books/_close", &Value::Null);
    let analysis = json!({"analysis": {"analyzer": {"default": {"type": "english"}}}});
    server.ok("PUT", "/books/_settings", &analysis);
    server.kill();
    server.restart();
    let (status, answer) = server.send("GET", "/books/_search", &Value::Null);
    assert_eq!((status, &answer["error"]["type"]), (400, &json!("index_closed_exception")), "{answer}");
    server.ok("POST", "/books/_open", &Value::Null);
    server.ok("PUT", "/books/_doc/2?refresh=true", &json!({"t": "Running"}));
    let found = |server: &ServerProcess, term: &str| {
        let query = json!({"query": {"term": {"t": term}}});
        let answer = server.ok("POST", "/books/_search", &query);
        answer["hits"]["hits"].as_array().unwrap().iter().map(|hit| hit["_id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((found(&server, "running"), found(&server, "run")), (vec![json!("1")], vec![json!("2")]));
    server.terminate();
    server.restart();
    assert_eq!((found(&server, "running"), found(&server, "run")), (vec![json!("1")], vec![json!("2")]));
}

#[test]
fn indices_are_there_after_a_restart() {
    let mut server = ServerProcess::start();
    server.ok("PUT", "/books", &json!({"mappings": {"properties": {"year": {"type": "integer"}}}}));
    let before = server.ok("GET", "/books", &Value::Null);
    server.terminate();
    server.restart();
    assert_eq!(server.ok("GET", "/books", &Value::Null), before);
    server.kill();
    server.restart();
    assert_eq!(server.ok("GET", "/books", &Value::Null), before);
}
