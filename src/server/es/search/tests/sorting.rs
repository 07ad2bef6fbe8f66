//! `sort` and `search_after`.

use serde_json::{Value, json};

use super::{books, ids};

#[test]
fn orders_of_fields() {
    let server = books();
    for (sort, expected, first) in [
        (json!("year"), "2 4 1 3", json!([1999])),
        (json!([{"year": "desc"}]), "3 1 2 4", json!([2010])),
        (json!([{"price": {"order": "asc"}}]), "4 1 2 3", json!([3.25])),
        (json!([{"price": {"order": "asc", "missing": "_first"}}]), "3 4 1 2", json!(["-Infinity"])),
        (json!([{"price": {"order": "desc", "missing": 10}}]), "2 3 1 4", json!([12.0])),
        (json!([{"genre": {"order": "desc"}}]), "3 1 2 4", json!(["travel"])),
        (json!([{"genre": {"order": "asc", "mode": "min"}}]), "2 1 3 4", json!(["crime"])),
        (json!([{"published": {"order": "asc", "format": "yyyy-MM-dd"}}]), "2 1 3 4", json!(["1999-01-31"])),
        (json!(["published"]), "2 1 3 4", json!([917776800000_i64])),
        (json!([{"sold": "desc"}, {"year": "asc"}]), "1 2 4 3", json!([1, 2001])),
        (
            json!([{"nope": {"unmapped_type": "long"}}, {"year": "desc"}]),
            "3 1 2 4",
            json!([9223372036854775807_i64, 2010]),
        ),
        (json!([{"_doc": "desc"}]), "4 3 2 1", json!([6])),
        (json!(["title.raw"]), "2 3 4 1", json!(["A red fox"])),
    ] {
        let answer = server.search(json!({"sort": sort}));
        assert_eq!((ids(&answer).as_str(), &answer["hits"]["hits"][0]["sort"]), (expected, &first), "{sort}");
        assert_eq!((&answer["hits"]["max_score"], &answer["hits"]["hits"][0]["_score"]), (&Value::Null, &Value::Null));
    }
    let (_, by_param) = server.ask("GET", "/i/_search?sort=year:desc,_score", None);
    assert_eq!(ids(&by_param), "3 1 2 4");
}

#[test]
fn scores_beside_fields() {
    let server = books();
    let query = json!({"match": {"title": "fox"}});
    let answer = server.search(json!({"query": query, "sort": [{"year": "asc"}], "track_scores": true}));
    assert!(answer["hits"]["max_score"].is_number() && answer["hits"]["hits"][0]["_score"].is_number());
    let answer = server.search(json!({"query": query, "sort": [{"year": "asc"}, "_score"]}));
    let hit = &answer["hits"]["hits"][0];
    assert_eq!((hit["_id"].as_str(), &hit["_score"]), (Some("2"), &hit["sort"][1]));
    let plain = server.search(json!({"query": query, "sort": ["_score"]}));
    assert!(plain["hits"]["hits"][0].get("sort").is_none() && plain["hits"]["max_score"].is_number());
}

#[test]
fn pages_by_the_last_hit() {
    let server = books();
    for sort in [
        json!([{"year": "asc"}, {"title.raw": "desc"}]),
        json!([{"price": {"order": "desc", "missing": "_first"}}, {"_doc": "asc"}]),
        json!([{"published": {"order": "desc", "format": "yyyy-MM-dd"}}, {"year": "asc"}]),
        json!([{"genre": "asc"}, {"year": "asc"}]),
    ] {
        let all = ids(&server.search(json!({"sort": sort})));
        let mut paged = Vec::new();
        let mut body = json!({"sort": sort, "size": 1});
        loop {
            let answer = server.search(body.clone());
            let Some(hit) = answer["hits"]["hits"].get(0) else { break };
            paged.push(ids(&answer));
            body["search_after"] = hit["sort"].clone();
        }
        assert_eq!(paged.join(" "), all, "{sort}");
    }
}
