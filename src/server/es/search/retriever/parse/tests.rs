//! Every retriever is read, and what is wrong with one is named.

use super::*;
use serde_json::json;

#[test]
fn every_retriever_is_read() {
    for (body, kind) in [
        (json!({"standard": {"query": {"match_all": {}}, "filter": {"term": {"a": 1}}, "min_score": 2}}), "standard"),
        (json!({"knn": {"field": "v", "query_vector": [1], "k": 3, "num_candidates": 5}}), "knn"),
        (json!({"rrf": {"retrievers": [{"standard": {}}, {"retriever": {"knn": {}}, "weight": 2}]}}), "rrf"),
        (
            json!({"linear": {"retrievers": [{"retriever": {"standard": {}}, "weight": 2, "normalizer": "minmax"}]}}),
            "linear",
        ),
        (json!({"linear": {"query": "x", "fields": ["a^2", "b"], "normalizer": "l2_norm"}}), "linear"),
        (
            json!({"text_similarity_reranker": {"retriever": {"standard": {}}, "field": "t", "inference_text": "x"}}),
            "text_similarity_reranker",
        ),
        (json!({"pinned": {"retriever": {"standard": {"query": {}}}, "ids": ["1"]}}), "pinned"),
        (json!({"rescorer": {"retriever": {"standard": {}}, "rescore": {"query": {"rescore_query": {}}}}}), "rescorer"),
    ] {
        assert_eq!(parse(&body, None).unwrap().type_name(), kind, "{body}");
    }
}

#[test]
fn windows_and_fields_are_kept() {
    let body = json!({"linear": {"query": "x", "fields": ["a^2", "b"], "normalizer": "minmax"}});
    let RetrieverKind::Linear(linear) = parse(&body, Some(20)).unwrap().kind else { panic!("no linear") };
    assert_eq!((linear.rank_window_size, linear.normalizer), (20, Normalizer::MinMax));
    let fields = vec!["a^2".to_string(), "b".to_string()];
    assert_eq!(linear.simplified, Some(Simplified { query: "x".to_string(), fields }));
    let body = json!({"rrf": {"retrievers": [{"standard": {}}], "rank_window_size": 3}});
    let RetrieverKind::Rrf(rrf) = parse(&body, None).unwrap().kind else { panic!("no rrf") };
    assert_eq!(rrf.rank_window_size, 3);
}

#[test]
fn what_is_wrong_is_named() {
    for (body, what) in [
        (json!({"rff": {}}), "unknown retriever [rff]"),
        (json!({"rule": {}}), "[rule] retriever is not supported"),
        (json!({"rrf": {}}), "[rrf] must provide [retrievers] or [query]"),
        (json!({"rrf": {"query": "x", "retrievers": [{"standard": {}}]}}), "[rrf] cannot combine"),
        (json!({"rrf": {"query": "x", "fields": []}}), "[rrf] [fields] cannot be empty"),
        (json!({"rrf": {"query": "x", "fields": ["a^-1"]}}), "[rrf] per-field weights must be non-negative"),
        (json!({"linear": {"query": "x"}}), "[linear] [normalizer] must be provided when [query] is specified"),
        (json!({"linear": {"fields": ["a"]}}), "[linear] [query] must be provided when [fields] is specified"),
        (json!({"rrf": {"retrievers": [{"standard": {}}], "rank_constant": 0}}), "[rank_constant]"),
        (json!({"rrf": {"retrievers": [{"standard": {}}], "rank_window_size": 5}}), "[rank_window_size: 5]"),
        (json!({"rrf": {"retrievers": [{"retriever": {"standard": {}}, "weight": -1}]}}), "[weight]"),
        (
            json!({"linear": {"retrievers": [{"retriever": {"standard": {}}, "normalizer": "z"}]}}),
            "Unknown normalizer [z]",
        ),
        (json!({"text_similarity_reranker": {"retriever": {"standard": {}}}}), "requires [inference_text]"),
        (
            json!({"rescorer": {"retriever": {"standard": {}}, "rescore": {"window_size": 5, "query": {"rescore_query": {}}}}}),
            "[rescorer] requires [window_size: 5] be greater than or equal to [size: 10]",
        ),
        (json!({"pinned": {"retriever": {"standard": {"query": {}}}}}), "Either 'ids' or 'docs'"),
        (json!({"pinned": {"retriever": {"standard": {"query": {}}}, "ids": ["1"], "docs": []}}), "Both 'ids'"),
        (json!({"pinned": {"retriever": {"standard": {"query": {}}}, "ids": ["1", "1"]}}), "duplicate id found"),
        (json!({"pinned": {"retriever": {"standard": {}}, "ids": ["1"]}}), "Underlying query cannot be null"),
        (
            json!({"pinned": {"retriever": {"standard": {"query": {}, "sort": ["a"]}}, "ids": ["1"]}}),
            "only supports sorting by score",
        ),
        (json!({"standard": {"colour": 1}}), "[standard] unknown field [colour]"),
        (json!([]), "[retriever] must be an object"),
    ] {
        let error = parse(&body, Some(10)).unwrap_err();
        assert!(error.reason.contains(what), "{body}: {}", error.reason);
    }
}

#[test]
fn deep_nesting_is_refused() {
    let mut body = json!({"standard": {}});
    for _ in 0..20 {
        body = json!({"rrf": {"retrievers": [body]}});
    }
    assert!(parse(&body, None).unwrap_err().reason.contains("nested"));
}
