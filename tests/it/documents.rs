//! Documents over HTTP: their answers' shapes, conditions, partial failures, writes by query.

use serde_json::{Value, json};

use super::util::ServerProcess;

/// Sends (method, path, body) and compares status and some members of the answer, by JSON pointer.
#[track_caller]
fn check(server: &ServerProcess, request: (&str, &str, Value), status: u16, members: &[(&str, Value)]) -> Value {
    let (method, path, body) = request;
    let (found, answer) = match &body {
        Value::String(lines) => server.send_text(method, path, "application/x-ndjson", lines),
        _ => server.send(method, path, &body),
    };
    assert_eq!(found, status, "{method} {path} {body}: {answer}");
    for (pointer, expected) in members {
        let member = answer.pointer(pointer).unwrap_or(&Value::Null);
        assert_eq!(member, expected, "{method} {path} {body}: {pointer} of {answer}");
    }
    answer
}

const NONE: Value = Value::Null;

#[test]
fn a_document_lives_and_dies() {
    let server = ServerProcess::start();
    let source = json!({"title": "A wing", "tags": ["a", "b"], "who": {"name": "Ann", "age": 3}});
    let created = check(&server, ("PUT", "/books/_doc/1", source.clone()), 201, &[("/result", json!("created"))]);
    let expected = json!({"_index": "books", "_id": "1", "_version": 1, "result": "created",
        "_shards": {"total": 1, "successful": 1, "failed": 0}, "_seq_no": 0, "_primary_term": 1});
    assert_eq!(created, expected);
    check(
        &server,
        ("GET", "/books/_doc/1", NONE),
        200,
        &[("/_source", source.clone()), ("/found", json!(true)), ("/_version", json!(1))],
    );
    check(&server, ("GET", "/books/_doc/1?_source=false", NONE), 200, &[("/_source", NONE)]);
    let filtered = [("/_source", json!({"who": {"name": "Ann"}}))];
    check(&server, ("GET", "/books/_doc/1?_source_includes=who&_source_excludes=*.age", NONE), 200, &filtered);
    check(&server, ("GET", "/books/_source/1", NONE), 200, &[("", source)]);
    check(&server, ("HEAD", "/books/_doc/1", NONE), 200, &[]);
    check(&server, ("HEAD", "/books/_doc/2", NONE), 404, &[]);
    let missing = [("", json!({"_index": "books", "_id": "2", "found": false}))];
    check(&server, ("GET", "/books/_doc/2", NONE), 404, &missing);
    check(&server, ("GET", "/books/_source/2", NONE), 404, &[("/error/type", json!("resource_not_found_exception"))]);
    check(&server, ("GET", "/nothing/_doc/1", NONE), 404, &[("/error/type", json!("index_not_found_exception"))]);
    check(&server, ("DELETE", "/nothing/_doc/1", NONE), 404, &[("/error/type", json!("index_not_found_exception"))]);
    let routed = [("/forced_refresh", json!(true)), ("/result", json!("updated")), ("/_version", json!(2))];
    check(&server, ("PUT", "/books/_doc/1?refresh=true&routing=r", json!({"n": 1})), 200, &routed);
    check(&server, ("GET", "/books/_doc/1?realtime=false", NONE), 200, &[("/_routing", json!("r"))]);
    let (status, made) = server.send("POST", "/books/_doc?refresh=wait_for", &json!({"n": 2}));
    assert_eq!((status, made["_id"].as_str().unwrap().len()), (201, 20));
    check(&server, ("GET", "/books/_count", NONE), 200, &[("/count", json!(2))]);
    check(&server, ("DELETE", "/books/_doc/1", NONE), 200, &[("/result", json!("deleted")), ("/_version", json!(3))]);
    check(&server, ("DELETE", "/books/_doc/1", NONE), 404, &[("/result", json!("not_found")), ("/_version", json!(4))]);
}

#[test]
fn what_cannot_be_written_is_refused_as_elasticsearch_does() {
    let server = ServerProcess::start();
    server.ok("PUT", "/books", &json!({"mappings": {"properties": {"n": {"type": "integer"}}}}));
    server.ok("PUT", "/books/_doc/1", &json!({"n": 1}));
    let long = format!("/books/_doc/{}", "x".repeat(513));
    let conflict = "version_conflict_engine_exception";
    let invalid = "action_request_validation_exception";
    let argument = "illegal_argument_exception";
    let cases = [
        (
            "PUT",
            "/books/_create/1",
            json!({}),
            409,
            conflict,
            "[1]: version conflict, document already exists (current version [1])",
        ),
        ("PUT", "/books/_doc/1?op_type=create", json!({}), 409, conflict, "document already exists"),
        (
            "PUT",
            "/books/_doc/1?if_seq_no=4&if_primary_term=1",
            json!({}),
            409,
            conflict,
            "required seqNo [4], primary term [1]. current document has seqNo [0] and primary term [1]",
        ),
        ("PUT", "/books/_doc/9?if_seq_no=4&if_primary_term=1", json!({}), 409, conflict, "but no document was found"),
        (
            "PUT",
            "/books/_doc/1?version=1&version_type=external",
            json!({}),
            409,
            conflict,
            "current version [1] is higher or equal",
        ),
        ("DELETE", "/books/_doc/1?if_seq_no=4&if_primary_term=1", NONE, 409, conflict, "required seqNo [4]"),
        (
            "GET",
            "/books/_doc/1?version=7",
            NONE,
            409,
            conflict,
            "current version [1] is different than the one provided [7]",
        ),
        ("PUT", "/books/_doc/1?if_seq_no=4", json!({}), 400, invalid, "ifSeqNo is set, but primary term is [0]"),
        ("PUT", "/books/_doc/1?version=4", json!({}), 400, invalid, "internal versioning can not be used"),
        (
            "PUT",
            "/books/_create/1?version=4&version_type=external",
            json!({}),
            400,
            invalid,
            "create operations only support internal versioning",
        ),
        ("PUT", &long, json!({}), 400, invalid, "is too long, must be no longer than 512 bytes but was: 513"),
        ("PUT", "/books/_doc/1?refresh=maybe", json!({}), 400, argument, "Unknown value for refresh: [maybe]."),
        ("PUT", "/books/_doc/1?pipeline=p", json!({}), 400, argument, "pipeline with id [p] does not exist"),
        ("PUT", "/books/_doc/1?colour=red", json!({}), 400, argument, "contains unrecognized parameter: [colour]"),
        ("GET", "/books/_doc/1?stored_fields=n", NONE, 400, argument, "[stored_fields]"),
        ("PUT", "/books/_doc/1", json!({"n": "many"}), 400, "document_parsing_exception", "failed to parse field [n]"),
        ("PUT", "/books/_doc/1", json!([1]), 400, "document_parsing_exception", "failed to parse"),
        ("PUT", "/books/_doc/1", NONE, 400, "parse_exception", "request body is required"),
        ("PUT", "/Books/_doc/1", json!({}), 400, "invalid_index_name_exception", "must be lowercase"),
        (
            "POST",
            "/books/_update/7",
            json!({"doc": {"n": 1}}),
            404,
            "document_missing_exception",
            "[7]: document missing",
        ),
        ("POST", "/books/_update/1", json!({"script": {"source": "x"}}), 400, argument, "[script] of an update"),
        ("POST", "/books/_update/1", json!({}), 400, invalid, "script or doc is missing"),
        (
            "POST",
            "/books/_update/1",
            json!({"dok": {}}),
            400,
            "x_content_parse_exception",
            "[UpdateRequest] unknown field [dok]",
        ),
        (
            "POST",
            "/books/_update/1?if_seq_no=9&if_primary_term=1",
            json!({"doc": {"n": 2}}),
            409,
            conflict,
            "required seqNo [9]",
        ),
        ("POST", "/_mget", json!({"docs": []}), 400, invalid, "no documents to get"),
        ("POST", "/_mget", json!({"docs": [{"_id": "1"}]}), 400, invalid, "index is missing for doc 0"),
        ("POST", "/books/_delete_by_query", json!({}), 400, invalid, "query is missing"),
        (
            "POST",
            "/books/_delete_by_query",
            json!({"query": {"match_all": {}}, "script": {}}),
            400,
            argument,
            "[script]",
        ),
        (
            "POST",
            "/books/_update_by_query?wait_for_completion=false",
            NONE,
            400,
            argument,
            "[wait_for_completion=false]",
        ),
        (
            "POST",
            "/_reindex",
            json!({"source": {"index": "books"}, "dest": {"index": "books"}}),
            400,
            invalid,
            "cannot write into an index its reading from",
        ),
        (
            "POST",
            "/_reindex",
            json!({"source": {"index": "books", "remote": {}}, "dest": {"index": "b"}}),
            400,
            argument,
            "[remote]",
        ),
    ];
    for (method, path, body, status, kind, reason) in cases {
        let (found, answer) = server.send(method, path, &body);
        assert_eq!((found, &answer["error"]["type"]), (status, &json!(kind)), "{method} {path} {body}: {answer}");
        let said = answer["error"]["reason"].as_str().unwrap();
        assert!(said.contains(reason), "{method} {path} {body}: {said}");
    }
    check(&server, ("GET", "/books/_doc/1", NONE), 200, &[("/_version", json!(1)), ("/_source", json!({"n": 1}))]);
}

#[test]
fn updates_and_several_reads() {
    let server = ServerProcess::start();
    let upsert = json!({"doc": {"n": 1}, "upsert": {"n": 0, "a": {"b": 1}}});
    check(&server, ("POST", "/books/_update/1", upsert.clone()), 201, &[("/result", json!("created"))]);
    let updated =
        [("/result", json!("updated")), ("/get/_source", json!({"n": 1, "a": {"b": 1}})), ("/get/found", json!(true))];
    check(&server, ("POST", "/books/_update/1?_source=true", upsert.clone()), 200, &updated);
    let noop = [("/result", json!("noop")), ("/_version", json!(2)), ("/_shards/total", json!(0))];
    check(&server, ("POST", "/books/_update/1", upsert), 200, &noop);
    let merged = json!({"doc": {"a": {"c": [2]}}, "detect_noop": false});
    check(&server, ("POST", "/books/_update/1", merged), 200, &[("/_version", json!(3)), ("/_seq_no", json!(2))]);
    let as_upsert = json!({"doc": {"n": 5}, "doc_as_upsert": true});
    check(&server, ("POST", "/books/_update/2", as_upsert), 201, &[]);
    let docs = json!({"docs": [{"_id": "1", "_source": ["a.c"]}, {"_id": "2", "_source": false}, {"_index": "nothing", "_id": "1"}, {"_id": "9"}]});
    check(
        &server,
        ("POST", "/books/_mget", docs),
        200,
        &[
            ("/docs/0/_source", json!({"a": {"c": [2]}})),
            ("/docs/0/_version", json!(3)),
            ("/docs/1/found", json!(true)),
            ("/docs/1/_source", NONE),
            ("/docs/2/error/type", json!("index_not_found_exception")),
            ("/docs/3", json!({"_index": "books", "_id": "9", "found": false})),
        ],
    );
    check(&server, ("GET", "/books/_mget", json!({"ids": ["2", "1"]})), 200, &[("/docs/0/_source", json!({"n": 5}))]);
}

#[test]
fn a_bulk_request_does_what_it_can() {
    let server = ServerProcess::start();
    let lines = [
        r#"{"index": {"_id": "1"}}"#,
        r#"{"n": 1}"#,
        r#"{"create": {"_id": "1"}}"#,
        r#"{"n": 2}"#,
        r#"{"update": {"_id": "1", "_source": true}}"#,
        r#"{"doc": {"m": 2}}"#,
        r#"{"index": {"_id": "2"}}"#,
        r#"{"n": "many"}"#,
        r#"{"index": {"_id": "3"}}"#,
        r#"{"n": "#,
        r#"{"delete": {"_id": "4"}}"#,
        r#"{"delete": {"_index": "nothing", "_id": "4"}}"#,
        r#"{"index": {"_index": "Upper"}}"#,
        r#"{}"#,
        r#"{"update": {"_id": "8"}}"#,
        r#"{"doc": {"m": 2}}"#,
        r#"{"index": {"_index": "other"}}"#,
        r#"{"n": 7}"#,
    ];
    let body = json!(format!("{}\n", lines.join("\n")));
    server.ok("PUT", "/books", &json!({"mappings": {"properties": {"n": {"type": "integer"}}}}));
    let answer = check(
        &server,
        ("POST", "/books/_bulk?refresh=true", body),
        200,
        &[
            ("/errors", json!(true)),
            ("/items/0/index/status", json!(201)),
            ("/items/0/index/_seq_no", json!(0)),
            ("/items/0/index/forced_refresh", json!(true)),
            ("/items/1/create/status", json!(409)),
            ("/items/1/create/error/type", json!("version_conflict_engine_exception")),
            ("/items/2/update/result", json!("updated")),
            ("/items/2/update/get/_source", json!({"n": 1, "m": 2})),
            ("/items/3/index/error/type", json!("document_parsing_exception")),
            ("/items/4/index/error/type", json!("document_parsing_exception")),
            ("/items/5/delete/status", json!(404)),
            ("/items/5/delete/result", json!("not_found")),
            ("/items/6/delete/error/type", json!("index_not_found_exception")),
            ("/items/7/index/error/type", json!("invalid_index_name_exception")),
            ("/items/8/update/error/type", json!("document_missing_exception")),
            ("/items/9/index/_index", json!("other")),
            ("/items/9/index/status", json!(201)),
        ],
    );
    assert_eq!(answer["items"].as_array().unwrap().len(), 10);
    check(&server, ("GET", "/books,other/_count", NONE), 200, &[("/count", json!(2))]);
    // A malformed action line refuses a request as a whole.
    let malformed = json!("{\"index\":{\"_id\":\"x\"}}\n{}\n{\"colour\":{}}\n");
    check(&server, ("POST", "/books/_bulk", malformed), 400, &[("/error/type", json!("illegal_argument_exception"))]);
    check(&server, ("GET", "/books/_doc/x", NONE), 404, &[]);
    // Many batches: more than is held at once.
    let text = "x".repeat(900);
    let many: String =
        (0..12_000).map(|id| format!("{{\"index\":{{\"_id\":\"{id}\"}}}}\n{{\"t\":\"{text}\"}}\n")).collect();
    let filtered = "/many/_bulk?filter_path=errors,items.*.error&refresh=true";
    check(&server, ("POST", filtered, json!(many)), 200, &[("", json!({"errors": false}))]);
    check(&server, ("GET", "/many/_count", NONE), 200, &[("/count", json!(12_000))]);
}

#[test]
fn a_malformed_line_leaves_nothing_done_or_says_how_much() {
    let server = ServerProcess::start();
    let text = "x".repeat(9_000);
    let lines = |docs: usize| -> String {
        let docs: String =
            (0..docs).map(|id| format!("{{\"index\":{{\"_id\":\"{id}\"}}}}\n{{\"t\":\"{text}\"}}\n")).collect();
        docs + "{\"colour\":{}}\n"
    };
    // Several batches, but read to their end before the first is written.
    let malformed = [("/error/type", json!("illegal_argument_exception")), ("/error/items_done", NONE)];
    check(&server, ("POST", "/some/_bulk", json!(lines(300))), 400, &malformed);
    check(&server, ("HEAD", "/some", NONE), 404, &[]);
    let packed = gzipped(lines(300).as_bytes());
    let request = ureq::http::Request::builder()
        .method("POST")
        .uri(format!("{}/some/_bulk", server.url()))
        .header("content-type", "application/x-ndjson")
        .header("content-encoding", "gzip");
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    assert_eq!(agent.run(request.body(packed).unwrap()).unwrap().status(), 400);
    check(&server, ("HEAD", "/some", NONE), 404, &[]);
    // More than is held at once: what came before is done, and the error says so.
    let answer = check(&server, ("POST", "/many/_bulk", json!(lines(1_200))), 400, &malformed[..1]);
    let done = answer["error"]["items_done"].as_u64().unwrap();
    assert!(done > 0 && done <= 1_200, "{answer}");
    server.ok("POST", "/many/_refresh", &NONE);
    check(&server, ("GET", "/many/_count", NONE), 200, &[("/count", json!(done))]);
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

#[test]
fn what_a_query_finds_is_deleted_updated_and_copied() {
    let server = ServerProcess::start();
    let lines: String = (0..30)
        .map(|id| format!("{{\"index\":{{\"_id\":\"{id}\",\"routing\":\"r\"}}}}\n{{\"n\":{id},\"t\":\"wing\"}}\n"))
        .collect();
    check(&server, ("POST", "/books/_bulk?refresh=true", json!(lines)), 200, &[("/errors", json!(false))]);
    let range = |from: u32, to: u32| json!({"range": {"n": {"gte": from, "lt": to}}});
    let copied = [
        ("/total", json!(10)),
        ("/created", json!(10)),
        ("/updated", json!(0)),
        ("/failures", json!([])),
        ("/batches", json!(3)),
    ];
    let copy = json!({"source": {"index": "books", "query": range(0, 10), "size": 4, "_source": ["n"]}, "dest": {"index": "copy"}});
    check(&server, ("POST", "/_reindex?refresh=true", copy), 200, &copied);
    check(&server, ("GET", "/copy/_doc/3", NONE), 200, &[("/_source", json!({"n": 3})), ("/_routing", json!("r"))]);
    let again =
        json!({"source": {"index": "books"}, "dest": {"index": "copy", "op_type": "create"}, "conflicts": "proceed"});
    let counted = [("/created", json!(20)), ("/version_conflicts", json!(10)), ("/total", json!(30))];
    check(&server, ("POST", "/_reindex", again), 200, &counted);
    let aborted = json!({"source": {"index": "books"}, "dest": {"index": "copy", "op_type": "create"}});
    let failed =
        [("/failures/0/cause/type", json!("version_conflict_engine_exception")), ("/failures/0/status", json!(409))];
    check(&server, ("POST", "/_reindex", aborted), 409, &failed);
    let external =
        json!({"source": {"index": "books"}, "dest": {"index": "versions", "version_type": "external"}, "max_docs": 5});
    check(&server, ("POST", "/_reindex", external), 200, &[("/created", json!(5)), ("/total", json!(5))]);

    let deleted = [
        ("/deleted", json!(10)),
        ("/total", json!(10)),
        ("/version_conflicts", json!(0)),
        ("/timed_out", json!(false)),
    ];
    check(&server, ("POST", "/books/_delete_by_query?refresh=true", json!({"query": range(0, 10)})), 200, &deleted);
    check(&server, ("GET", "/books/_count", NONE), 200, &[("/count", json!(20))]);
    let limited = [("/deleted", json!(3)), ("/total", json!(3))];
    check(
        &server,
        ("POST", "/books/_delete_by_query?max_docs=3&refresh=true", json!({"query": {"match": {"t": "wing"}}})),
        200,
        &limited,
    );
    let updated = [("/updated", json!(17)), ("/deleted", json!(0)), ("/noops", json!(0))];
    check(&server, ("POST", "/books/_update_by_query?refresh=true&slices=auto", NONE), 200, &updated);
    let sliced = json!({"slice": {"id": 0, "max": 2, "nonsense": 1}});
    let unknown = [("/error/reason", json!("[slice] unknown field [nonsense]"))];
    check(&server, ("POST", "/books/_update_by_query", sliced), 400, &unknown);
    // What changed since the refresh is a conflict.
    server.ok("PUT", "/books/_doc/29", &json!({"n": 29}));
    let conflict = [("/version_conflicts", json!(1)), ("/failures/0/id", json!("29"))];
    check(&server, ("POST", "/books/_delete_by_query", json!({"query": range(29, 30)})), 409, &conflict);
    let proceeds = [("/version_conflicts", json!(1)), ("/deleted", json!(0)), ("/failures", json!([]))];
    check(
        &server,
        ("POST", "/books/_delete_by_query?conflicts=proceed", json!({"query": range(29, 30)})),
        200,
        &proceeds,
    );
}
