//! What a search returns of its hits.

use serde_json::{Value, json};

use super::{Server, books, ids};

#[test]
fn the_shape_of_an_answer() {
    let server = books();
    let answer = server.search(json!({"query": {"match": {"title": "blue"}}, "size": 1}));
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(keys(&answer), "took timed_out _shards hits");
    assert_eq!(answer["_shards"], json!({"total": 1, "successful": 1, "skipped": 0, "failed": 0}));
    assert_eq!(answer["hits"]["total"], json!({"value": 2, "relation": "eq"}));
    assert_eq!(answer["hits"]["max_score"], answer["hits"]["hits"][0]["_score"]);
    let hit = &answer["hits"]["hits"][0];
    assert_eq!(keys(hit), "_index _id _score _source");
    assert_eq!((hit["_id"].as_str(), hit["_index"].as_str()), (Some("3"), Some("i")));
    assert_eq!(hit["_source"]["title"], "Blue blue sea");
}

#[test]
fn pages_and_totals() {
    let server = books();
    let all = json!({"match_all": {}});
    for (body, expected, total) in [
        (json!({}), "1 2 3 4", json!({"value": 4, "relation": "eq"})),
        (json!({"from": 1, "size": 2}), "2 3", json!({"value": 4, "relation": "eq"})),
        (json!({"size": 0}), "", json!({"value": 4, "relation": "eq"})),
        (json!({"from": 9}), "", json!({"value": 4, "relation": "eq"})),
        (json!({"track_total_hits": 2, "size": 1}), "1", json!({"value": 2, "relation": "gte"})),
        (json!({"track_total_hits": false, "size": 1}), "1", Value::Null),
        (json!({"query": all, "min_score": 2}), "", json!({"value": 0, "relation": "eq"})),
        (json!({"query": all, "post_filter": {"term": {"year": 1999}}}), "2 4", json!({"value": 2, "relation": "eq"})),
        (json!({"terminate_after": 2}), "1 2", json!({"value": 2, "relation": "eq"})),
    ] {
        let answer = server.search(body.clone());
        assert_eq!((ids(&answer).as_str(), &answer["hits"]["total"]), (expected, &total), "{body}");
    }
    assert_eq!(server.search(json!({"terminate_after": 2}))["terminated_early"], true);
    assert_eq!(server.search(json!({"size": 0}))["hits"]["max_score"], Value::Null);
    let (_, as_int) = server.ask("GET", "/i/_search?rest_total_hits_as_int=true", None);
    assert_eq!(as_int["hits"]["total"], 4);
}

#[test]
fn parts_of_documents() {
    let server = books();
    let first = |mut body: Value| {
        body["query"] = json!({"ids": {"values": ["1"]}});
        server.search(body)["hits"]["hits"][0].clone()
    };
    assert_eq!(
        first(json!({"_source": ["year", "parts.pages"]}))["_source"],
        json!({"year": 2001, "parts": [{"pages": 10}, {"pages": 30}]})
    );
    assert_eq!(first(json!({"_source": false})).get("_source"), None);
    assert_eq!(first(json!({"stored_fields": []})).get("_source"), None);
    let bare = first(json!({"stored_fields": "_none_"}));
    assert_eq!((bare.get("_id"), bare.get("_source")), (None, None));
    let fields = first(
        json!({"_source": false, "fields": ["ti*", "year", {"field": "published", "format": "yyyy"}, "parts.*", "sold"]}),
    );
    assert_eq!(
        fields["fields"],
        json!({"title": ["The blue fox"], "title.raw": ["The blue fox"], "year": [2001], "published": ["2001"], "sold": [true],
            "parts": [{"name": ["first fox"], "pages": [10]}, {"name": ["second fox"], "pages": [30]}]})
    );
    let columns = first(
        json!({"docvalue_fields": ["year", "genre", "published", {"field": "published", "format": "epoch_millis"}, "sold"]}),
    );
    assert_eq!(columns["fields"]["year"], json!([2001]));
    assert_eq!(columns["fields"]["published"], json!(["988675200000"]));
    assert_eq!(columns["fields"]["sold"], json!([true]));
    let versions = first(json!({"version": true, "seq_no_primary_term": true}));
    assert_eq!(
        (&versions["_version"], &versions["_seq_no"], &versions["_primary_term"]),
        (&json!(1), &json!(0), &json!(1))
    );
}

#[test]
fn explanations_names_and_weights() {
    let server = books();
    let body = json!({"explain": true, "query": {"match": {"title": {"query": "red", "_name": "colour"}}}});
    let hit = server.search(body)["hits"]["hits"][0].clone();
    assert_eq!(hit["_explanation"]["value"], hit["_score"]);
    assert_eq!(hit["matched_queries"], json!(["colour"]));
    let named = json!({"bool": {"should": [
        {"match": {"title": {"query": "fox", "_name": "animal"}}}, {"term": {"year": {"value": 1999, "_name": "old"}}}]}});
    let answer = server.search(json!({"query": named, "include_named_queries_score": true}));
    let hits = answer["hits"]["hits"].as_array().unwrap();
    let of = |id: &str| hits.iter().find(|hit| hit["_id"] == id).unwrap()["matched_queries"].clone();
    assert_eq!(of("4"), json!({"old": 1.0}));
    assert_eq!(of("2").as_object().unwrap().len(), 2);
    let (_, boosted) = server.ask(
        "POST",
        "/i/_search",
        Some(json!({"indices_boost": [{"i": 2.0}], "query": {"match_all": {}}, "size": 1})),
    );
    assert_eq!(boosted["hits"]["hits"][0]["_score"], 2.0);
}

#[test]
fn nested_objects_are_shown() {
    let server = books();
    let body = json!({"query": {"nested": {"path": "parts", "query": {"match": {"parts.name": "fox"}},
        "inner_hits": {"size": 1, "sort": [{"parts.pages": "desc"}]}}}});
    let answer = server.search(body);
    assert_eq!(ids(&answer), "1");
    let inner = &answer["hits"]["hits"][0]["inner_hits"]["parts"]["hits"];
    assert_eq!(inner["total"]["value"], 2);
    let hit = &inner["hits"][0];
    assert_eq!(hit["_nested"], json!({"field": "parts", "offset": 1}));
    assert_eq!((&hit["_source"], &hit["sort"]), (&json!({"name": "second fox", "pages": 30}), &json!([30])));
    let body = json!({"query": {"nested": {"path": "parts", "query": {"match": {"parts.name": "fox"}},
        "inner_hits": {"size": 1, "sort": [{"parts.pages": "desc"}], "_source": ["parts.pages"]}}}});
    let answer = server.search(body);
    let source = &answer["hits"]["hits"][0]["inner_hits"]["parts"]["hits"]["hits"][0]["_source"];
    assert_eq!(source, &json!({"pages": 30}), "named from the document down");
    let sorted = server.search(json!({"sort": [{"parts.pages": {"order": "desc", "nested": {"path": "parts"}}}]}));
    assert_eq!(&ids(&sorted)[..3], "1 2");
}

#[test]
fn groups_and_their_members() {
    let server = books();
    let body = json!({"collapse": {"field": "year", "inner_hits": {"name": "same_year", "size": 5}}, "sort": [{"year": "asc"}]});
    let answer = server.search(body);
    assert_eq!(ids(&answer), "2 1 3");
    let hits = answer["hits"]["hits"].as_array().unwrap();
    assert_eq!(hits[0]["fields"], json!({"year": [1999]}));
    assert_eq!(ids(&hits[0]["inner_hits"]["same_year"]), "2 4");
    assert_eq!(answer["hits"]["total"]["value"], 4);
}

#[test]
fn rescored_hits() {
    let server = books();
    let body = json!({"query": {"match": {"title": "fox"}},
        "rescore": {"window_size": 5, "query": {"rescore_query": {"term": {"genre": "crime"}}, "rescore_query_weight": 10, "query_weight": 2}}});
    let answer = server.search(body.clone());
    assert_eq!(ids(&answer), "2 1");
    let plain = server.search(json!({"query": {"match": {"title": "fox"}}}));
    let score = |answer: &Value, id: &str| {
        let hits = answer["hits"]["hits"].as_array().unwrap();
        hits.iter().find(|hit| hit["_id"] == id).unwrap()["_score"].as_f64().unwrap()
    };
    assert!((score(&answer, "1") - 2.0 * score(&plain, "1")).abs() < 1e-6);
    let mut explained = body;
    explained["explain"] = json!(true);
    let hit = server.search(explained)["hits"]["hits"][0].clone();
    assert_eq!(hit["_explanation"]["value"], hit["_score"]);
}

#[test]
fn facets_count_what_matches_before_the_post_filter() {
    let server = books();
    let body = json!({"query": {"match": {"title": "fox blue"}}, "post_filter": {"term": {"year": 1999}}, "size": 1,
        "aggs": {"genres": {"terms": {"field": "genre"}}, "best": {"top_hits": {"size": 1, "_source": ["year"]}}}});
    let answer = server.search(body);
    assert_eq!((ids(&answer).as_str(), &answer["hits"]["total"]["value"]), ("2", &json!(1)));
    let buckets = answer["aggregations"]["genres"]["buckets"].as_array().unwrap();
    assert_eq!(buckets.iter().map(|bucket| bucket["doc_count"].as_u64().unwrap()).collect::<Vec<_>>(), [2, 1, 1]);
    let best = &answer["aggregations"]["best"]["hits"];
    assert_eq!((&best["total"]["value"], best["hits"][0]["_source"].as_object().unwrap().len()), (&json!(3), 1));
    let (_, typed) = server.ask(
        "POST",
        "/i/_search?typed_keys",
        Some(json!({"size": 0, "aggs": {"g": {"terms": {"field": "genre"}}}})),
    );
    assert!(typed["aggregations"].get("sterms#g").is_some(), "{typed}");
}

#[test]
fn what_is_not_a_search_is_refused_by_name() {
    let server = books();
    for (body, what) in [
        (json!({"colour": {}}), "parsing_exception: Unknown key for a START_OBJECT in [colour]."),
        (json!({"from": []}), "Unknown key for a START_ARRAY in [from]."),
        (json!({"size": -1}), "[size] parameter cannot be negative"),
        (
            json!({"size": 10_001}),
            "Result window is too large, from + size must be less than or equal to: [10000] but was [10001]",
        ),
        (json!({"script_fields": {"x": {}}}), "[script_fields]"),
        (json!({"runtime_mappings": {"x": {}}}), "[runtime_mappings]"),
        (json!({"suggest": {"x": {}}}), "[suggest]"),
        (json!({"profile": true}), "[profile]"),
        (json!({"sort": "title"}), "Fielddata is disabled on [title]"),
        (json!({"sort": "nope"}), "query_shard_exception: No mapping found for [nope] in order to sort on"),
        (json!({"collapse": {"field": "nope"}}), "no mapping found for `nope` in order to collapse on"),
        (json!({"search_after": [1], "from": 2}), "`from` parameter must be set to 0 when `search_after` is used"),
        (json!({"search_after": [1, 2], "sort": "year"}), "search_after has 2 value(s) but sort has 1."),
        (
            json!({"sort": "year", "rescore": {"query": {"rescore_query": {"match_all": {}}}}}),
            "Cannot use [sort] option in conjunction with [rescore].",
        ),
        (json!({"slice": {"id": 0, "max": 2}}), "[slice] can only be used with"),
        (json!({"highlight": {"fields": {"title": {"type": "fvh"}}}}), "fast vector highlighter (fvh), which is not"),
        (json!({"highlight": {"boundary_scanner": "chars", "fields": {"title": {}}}}), "[boundary_scanner] [chars]"),
        (json!({"highlight": {"fields": {"title": {"boundary_chars": ".,"}}}}), "[boundary_chars]"),
        (json!({"highlight": {"fields": {"title": {"boundary_max_scan": 5}}}}), "[boundary_max_scan]"),
        (json!({"highlight": {"fields": {"title": {"fragment_offset": 5}}}}), "[fragment_offset]"),
        (json!({"highlight": {"fields": {"title": {"phrase_limit": 5}}}}), "[phrase_limit]"),
        (json!({"highlight": {"fields": {"title": {"boundary_scanner_locale": "th"}}}}), "[boundary_scanner_locale]"),
        (json!({"query": {"colour": {}}}), "unknown query [colour]"),
        (json!({"fields": [{"field": "x", "include_unmapped": true}]}), "[include_unmapped]"),
    ] {
        let (status, error) = server.refusal(body.clone());
        assert!(status == 400 && error.contains(what), "{body}: {status} {error}");
    }
    let (status, answer) = server.ask("POST", "/nowhere/_search", Some(json!({})));
    assert_eq!((status, answer["error"]["type"].as_str()), (404, Some("index_not_found_exception")));
    let (status, answer) = server.ask("GET", "/i/_search?colour=red", None);
    assert_eq!(status, 400);
    assert!(answer["error"]["reason"].as_str().unwrap().contains("unrecognized parameter: [colour]"));
    let (status, answer) = server.ask("POST", "/i/_search", Some(json!({"sort": "nope"})));
    assert_eq!((status, answer["error"]["type"].as_str()), (400, Some("search_phase_execution_exception")));
    assert_eq!(answer["error"]["failed_shards"][0]["index"], "i");
}

#[test]
fn a_search_names_models_and_no_folders() {
    let server = Server::with(json!({"t": {"type": "text"}, "v": {"type": "dense_vector", "dims": 2}}), &[]);
    for name in ["/etc", "~/models", "../models", "./models", "a\\b", "models/../.."] {
        let reranked = json!({"retriever": {"text_similarity_reranker": {
            "retriever": {"standard": {"query": {"match_all": {}}}},
            "field": "t", "inference_text": "river", "inference_id": name
        }}});
        let builder = json!({"text_embedding": {"model_id": name, "model_text": "river"}});
        let knn = json!({"knn": {"field": "v", "query_vector_builder": builder, "k": 1, "num_candidates": 1}});
        for body in [reranked, knn] {
            let (status, answer) = server.ask("POST", "/i/_search", Some(body.clone()));
            let said = answer.to_string();
            assert!(status == 400 && said.contains("must be the name of a model"), "{body}: {answer}");
        }
    }
}
