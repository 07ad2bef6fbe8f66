//! Searches over several indices, and several searches at once.

use serde_json::json;

use super::{Server, ids};

fn two() -> Server {
    let server = Server::new();
    let mapping = json!({"text": {"type": "text"}, "n": {"type": "long"}});
    server.index(
        "a",
        mapping,
        &[json!({"_id": "a1", "text": "wing", "n": 1}), json!({"_id": "a2", "text": "sea", "n": 4})],
    );
    server.index(
        "b",
        json!({"text": {"type": "text"}, "n": {"type": "double"}}),
        &[json!({"_id": "b1", "text": "wing", "n": 2.5})],
    );
    server.index("c", json!({"text": {"type": "text"}}), &[json!({"_id": "c1", "text": "wing"})]);
    server
}

#[test]
fn hits_of_several_indices_are_merged() {
    let server = two();
    let (_, all) = server.ask("POST", "/a,b/_search", Some(json!({"sort": [{"n": "desc"}]})));
    assert_eq!((ids(&all).as_str(), &all["_shards"]["total"]), ("a2 b1 a1", &json!(2)));
    let (_, paged) = server.ask("POST", "/a,b/_search", Some(json!({"sort": [{"n": "desc"}], "from": 1, "size": 1})));
    assert_eq!(ids(&paged), "b1");
    let (_, scored) = server.ask("POST", "/_search", Some(json!({"query": {"match": {"text": "wing"}}})));
    assert_eq!(scored["hits"]["total"]["value"], 3);
    let (_, groups) =
        server.ask("POST", "/a,b/_search", Some(json!({"aggs": {"n": {"stats": {"field": "n"}}}, "size": 0})));
    assert_eq!(
        (&groups["aggregations"]["n"]["count"], &groups["aggregations"]["n"]["max"]),
        (&json!(3), &json!(4.0)),
        "{groups}"
    );
}

#[test]
fn an_index_may_fail_alone() {
    let server = two();
    let (status, partial) = server.ask("POST", "/_search", Some(json!({"sort": [{"n": "asc"}]})));
    assert_eq!(
        (status, ids(&partial).as_str(), &partial["_shards"]["failed"]),
        (200, "a1 b1 a2", &json!(1)),
        "{partial}"
    );
    assert_eq!(partial["_shards"]["failures"][0]["reason"]["type"], "query_shard_exception");
    let (status, whole) =
        server.ask("POST", "/_search?allow_partial_search_results=false", Some(json!({"sort": [{"n": "asc"}]})));
    assert_eq!((status, whole["error"]["type"].as_str()), (400, Some("search_phase_execution_exception")));
    let (status, none) = server.ask("POST", "/nope*/_search", Some(json!({})));
    assert_eq!((status, &none["hits"]["total"]["value"]), (200, &json!(0)), "{none}");
    let unknown = json!({"query": {"bool": {"must": {"nonsense": {}}}}});
    let (status, refused) = server.ask("POST", "/nope*/_search", Some(unknown));
    assert_eq!((status, refused["error"]["type"].as_str()), (400, Some("parsing_exception")), "{refused}");
    let unmapped = json!({"query": {"nested": {"path": "x", "query": {"term": {"x.y": 1}}}}});
    assert_eq!(server.ask("POST", "/nope*/_search", Some(unmapped)).0, 200);
    let (status, skipped) = server.ask("POST", "/a,nope/_search?ignore_unavailable=true", Some(json!({})));
    assert_eq!((status, &skipped["hits"]["total"]["value"]), (200, &json!(2)));
}

#[test]
fn aliases_filter() {
    let server = two();
    let actions = json!({"actions": [
        {"add": {"index": "a", "alias": "low", "filter": {"range": {"n": {"lt": 3}}}}}, {"add": {"index": "b", "alias": "low"}}]});
    let (status, answer) = server.ask("POST", "/_aliases", Some(actions));
    assert_eq!(status, 200, "{answer}");
    let (_, found) = server.ask("POST", "/low/_search", Some(json!({"sort": ["n"]})));
    assert_eq!(ids(&found), "a1 b1");
    assert_eq!(server.ask("POST", "/low/_count", Some(json!({}))).1["count"], 2);
}

#[test]
fn several_searches_at_once() {
    let server = two();
    let lines = [
        json!({"index": "a"}),
        json!({"query": {"match": {"text": "wing"}}}),
        json!({"index": "nope"}),
        json!({}),
        json!({}),
        json!({"query": {"colour": {}}}),
        json!({"index": ["a", "b"]}),
        json!({"size": 0}),
    ];
    let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let (status, answer) = server.send("POST", "/_msearch", body);
    assert_eq!(status, 200, "{answer}");
    let responses = answer["responses"].as_array().unwrap();
    let statuses: Vec<u64> = responses.iter().map(|response| response["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 404, 400, 200]);
    assert_eq!(ids(&responses[0]), "a1");
    assert_eq!(responses[1]["error"]["type"], "index_not_found_exception");
    assert_eq!(responses[3]["hits"]["total"]["value"], 3);
}
