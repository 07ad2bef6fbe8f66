//! Searches that have no time: each kind of work notices, and says so.

use serde_json::{Value, json};

use super::Server;

fn server() -> Server {
    let mapping = json!({
        "t": {"type": "text"},
        "k": {"type": "keyword"},
        "v": {"type": "dense_vector", "dims": 2, "similarity": "cosine"}
    });
    let docs: Vec<Value> = (0..60)
        .map(|n| json!({"_id": n.to_string(), "t": format!("river word{n}"), "k": format!("key{n}"), "v": [1.0, n]}))
        .collect();
    Server::with(mapping, &docs)
}

#[test]
fn work_that_is_long_notices_that_the_time_is_up() {
    let server = server();
    let queries = [
        json!({"query": {"match": {"t": "river word3"}}}),
        json!({"query": {"wildcard": {"k": "*ey*"}}}),
        json!({"query": {"prefix": {"k": "key"}}}),
        json!({"query": {"regexp": {"k": ".*(e|y)+.*"}}}),
        json!({"query": {"fuzzy": {"t": "rivr"}}}),
        json!({"query": {"match": {"t": {"query": "rivr", "fuzziness": "AUTO"}}}}),
        json!({"query": {"wildcard": {"k": {"value": "*", "rewrite": "scoring_boolean"}}}}),
        json!({"query": {"bool": {"must": [{"match": {"t": "river"}}], "filter": [{"wildcard": {"k": "k*"}}]}}}),
        json!({"query": {"query_string": {"query": "t:riv*r"}}}),
        json!({"query": {"knn": {"field": "v", "query_vector": [1, 2], "k": 5}}}),
        json!({"knn": {"field": "v", "query_vector": [1, 2], "k": 5, "num_candidates": 10}}),
        json!({"retriever": {"rrf": {"retrievers": [
            {"standard": {"query": {"match": {"t": "river"}}}},
            {"knn": {"field": "v", "query_vector": [1, 2], "k": 5, "num_candidates": 10}}
        ]}}}),
    ];
    for query in queries {
        let (status, whole) = server.ask("POST", "/i/_search", Some(query.clone()));
        assert_eq!((status, &whole["timed_out"]), (200, &json!(false)), "{query}: {whole}");
        assert!(whole["hits"]["total"]["value"].as_u64().unwrap() > 0, "{query}: {whole}");
        let mut hurried = query.clone();
        hurried["timeout"] = json!("1nanos");
        let (status, part) = server.ask("POST", "/i/_search", Some(hurried.clone()));
        assert_eq!((status, &part["timed_out"]), (200, &json!(true)), "{query}: {part}");
        assert!(part["hits"]["hits"].as_array().unwrap().len() < 10, "{query}: {part}");
        let path = "/i/_search?allow_partial_search_results=false";
        let (status, refused) = server.ask("POST", path, Some(hurried));
        assert_eq!((status, &refused["error"]["type"]), (504, &json!("search_phase_execution_exception")), "{refused}");
    }
}

#[test]
fn what_a_pattern_excludes_is_not_found_for_want_of_time() {
    let server = server();
    let excluding = json!({"timeout": "1nanos", "query": {"bool": {"must_not": [{"wildcard": {"k": "*ey*"}}]}}});
    let (_, answer) = server.ask("POST", "/i/_search", Some(excluding));
    assert_eq!((&answer["timed_out"], &answer["hits"]["hits"]), (&json!(true), &json!([])), "{answer}");
}
