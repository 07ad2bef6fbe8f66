//! Scrolls, points in time, and the smaller APIs.

use serde_json::json;

use super::{books, ids};

#[test]
fn a_scroll_goes_through_all_hits() {
    let server = books();
    for body in [
        json!({"size": 3}),
        json!({"size": 3, "sort": [{"year": "desc"}]}),
        json!({"size": 3, "query": {"match": {"title": "blue fox red"}}}),
    ] {
        let all = ids(&server.search({
            let mut all = body.clone();
            all["size"] = json!(10);
            all
        }));
        let (status, first) = server.ask("POST", "/i/_search?scroll=1m", Some(body.clone()));
        assert_eq!(status, 200, "{first}");
        let id = first["_scroll_id"].as_str().unwrap().to_string();
        let mut found = vec![ids(&first)];
        loop {
            let (status, page) = server.ask("POST", "/_search/scroll", Some(json!({"scroll_id": id, "scroll": "1m"})));
            assert_eq!((status, &page["hits"]["total"]), (200, &first["hits"]["total"]), "{page}");
            assert_eq!(page["hits"]["max_score"], first["hits"]["max_score"]);
            if ids(&page).is_empty() {
                break;
            }
            assert_eq!(page["hits"]["hits"][0].get("sort").is_some(), body.get("sort").is_some());
            found.push(ids(&page));
        }
        assert_eq!(found.join(" "), all, "{body}");
        let (status, freed) = server.ask("DELETE", "/_search/scroll", Some(json!({"scroll_id": [id]})));
        assert_eq!((status, freed), (200, json!({"succeeded": true, "num_freed": 1})));
        let (status, gone) = server.ask("POST", "/_search/scroll", Some(json!({"scroll_id": id})));
        assert_eq!(
            (status, gone["error"]["root_cause"][0]["type"].as_str()),
            (404, Some("search_context_missing_exception"))
        );
    }
    let (status, freed) = server.ask("DELETE", "/_search/scroll/_all", None);
    assert_eq!((status, &freed["num_freed"]), (404, &json!(0)));
    let (status, error) = server.ask("POST", "/i/_search?scroll=1m", Some(json!({"size": 0})));
    assert!(
        status == 400
            && error["error"]["reason"].as_str().unwrap().contains("[size] cannot be [0] in a scroll context")
    );
}

#[test]
fn a_point_in_time_stays_as_it_was() {
    let server = books();
    let (status, opened) = server.ask("POST", "/i/_pit?keep_alive=1m", None);
    assert_eq!(status, 200, "{opened}");
    let pit = json!({"id": opened["id"], "keep_alive": "1m"});
    let shard = server.state.catalog.one("i").unwrap().shard().unwrap();
    let delete = crate::store::shard::WriteOp {
        id: Some("1".into()),
        action: crate::store::shard::WriteAction::Delete,
        routing: None,
        condition: crate::store::shard::WriteCondition::None,
    };
    shard.write_one(delete).unwrap();
    shard.refresh().unwrap();
    let mut body = json!({"pit": pit, "size": 2, "sort": [{"year": "asc"}]});
    let mut found = Vec::new();
    loop {
        let (status, page) = server.ask("POST", "/_search", Some(body.clone()));
        assert_eq!((status, &page["pit_id"]), (200, &opened["id"]), "{page}");
        let Some(last) = page["hits"]["hits"].as_array().and_then(|hits| hits.last()) else { break };
        assert_eq!(last["sort"].as_array().unwrap().len(), 2);
        found.push(ids(&page));
        body["search_after"] = last["sort"].clone();
    }
    assert_eq!(found.join(" "), "2 4 1 3");
    assert_eq!(ids(&server.search(json!({}))), "2 3 4");
    let halves: u64 = (0..2)
        .map(|id| {
            let sliced = json!({"pit": pit, "slice": {"id": id, "max": 2}, "size": 0});
            server.ask("POST", "/_search", Some(sliced)).1["hits"]["total"]["value"].as_u64().unwrap()
        })
        .sum();
    assert_eq!(halves, 4);
    let (status, error) = server.ask("POST", "/i/_search", Some(json!({"pit": pit})));
    assert!(
        status == 400
            && error["error"]["reason"].as_str().unwrap().contains("[indices] cannot be used with point in time")
    );
    let (status, closed) = server.ask("DELETE", "/_pit", Some(json!({"id": opened["id"]})));
    assert_eq!((status, &closed["num_freed"]), (200, &json!(1)));
    assert_eq!(server.ask("POST", "/_search", Some(json!({"pit": pit}))).0, 404);
}

#[test]
fn count_validate_explain() {
    let server = books();
    let query = json!({"query": {"match": {"title": "fox"}}});
    let (status, counted) = server.ask("POST", "/i/_count", Some(query.clone()));
    assert_eq!((status, &counted["count"], &counted["_shards"]["total"]), (200, &json!(2), &json!(1)));
    let (_, counted) = server.ask("GET", "/i/_count?q=title:blue", None);
    assert_eq!(counted["count"], 2, "{counted}");
    let (status, error) = server.ask("POST", "/i/_count", Some(json!({"size": 1})));
    assert!(status == 400 && error["error"]["reason"].as_str().unwrap().contains("request does not support [size]"));
    let (_, valid) = server.ask("POST", "/i/_validate/query?explain", Some(query.clone()));
    assert_eq!((&valid["valid"], &valid["explanations"][0]["valid"]), (&json!(true), &json!(true)), "{valid}");
    let (status, invalid) = server.ask("POST", "/i/_validate/query", Some(json!({"query": {"nope": {}}})));
    assert_eq!((status, &invalid["valid"]), (200, &json!(false)));
    let (status, explained) = server.ask("POST", "/i/_explain/1?_source=year", Some(query.clone()));
    assert_eq!(
        (status, &explained["matched"], &explained["get"]["_source"]),
        (200, &json!(true), &json!({"year": 2001}))
    );
    assert!(explained["explanation"]["value"].as_f64().unwrap() > 0.0);
    let (status, unmatched) = server.ask("POST", "/i/_explain/4", Some(query.clone()));
    assert_eq!((status, &unmatched["matched"]), (200, &json!(false)));
    let (status, missing) = server.ask("POST", "/i/_explain/99", Some(query));
    assert_eq!((status, missing), (404, json!({"_index": "i", "_id": "99", "matched": false})));
}
