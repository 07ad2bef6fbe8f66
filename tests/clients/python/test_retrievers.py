"""At least one test for each retriever; sums of rrf and linear worked out by hand."""

import pytest

from library import ids

STORM = {"standard": {"query": {"match": {"title": "storm"}}}}
NEAR = {"knn": {"field": "vector", "query_vector": [1, 0, 0], "k": 5, "num_candidates": 9}}


def scores(response):
    return {hit["_id"]: hit["_score"] for hit in response["hits"]["hits"]}


def test_standard(client, books):
    response = client.search(index=books, retriever={"standard": {"query": {"match": {"title": "storm"}}, "filter": {"term": {"genre": "essay"}}}})
    assert ids(response) == ["8"]


def test_knn(client, books):
    assert ids(client.search(index=books, retriever=NEAR)) == ["1", "2", "4", "8", "6"]


def test_rrf_sums_reciprocal_ranks(client, books):
    # title: 4, 8. Nearest: 1, 2, 4, 8, 6.
    response = client.search(index=books, retriever={"rrf": {"retrievers": [STORM, NEAR], "rank_constant": 60, "rank_window_size": 10}})
    expected = {"4": 1 / 61 + 1 / 63, "8": 1 / 62 + 1 / 64, "1": 1 / 61, "2": 1 / 62, "6": 1 / 65}
    assert scores(response) == pytest.approx(expected, abs=1e-6)
    assert ids(response) == ["4", "8", "1", "2", "6"]


def test_rrf_with_weights(client, books):
    legs = [{"retriever": STORM, "weight": 2.0}, {"retriever": NEAR, "weight": 0.5}]
    response = client.search(index=books, retriever={"rrf": {"retrievers": legs, "rank_constant": 10, "rank_window_size": 10}})
    expected = {"4": 2 / 11 + 0.5 / 13, "8": 2 / 12 + 0.5 / 14, "1": 0.5 / 11, "2": 0.5 / 12, "6": 0.5 / 15}
    assert scores(response) == pytest.approx(expected, abs=1e-6)


def test_rrf_with_filter_and_pages(client, books):
    rrf = {"rrf": {"retrievers": [STORM, NEAR], "rank_window_size": 10, "filter": {"range": {"pages": {"lt": 400}}}}}
    whole = ids(client.search(index=books, retriever=rrf))
    assert "1" not in whole
    pages = [ids(client.search(index=books, retriever=rrf, size=2, from_=start)) for start in (0, 2, 4)]
    assert sum(pages, []) == whole[:6]


def test_linear_with_normalisers(client, books):
    essays = {"standard": {"query": {"term": {"genre": "essay"}}}}
    legs = [{"retriever": essays, "weight": 1}, {"retriever": NEAR, "weight": 10, "normalizer": "minmax"}]
    response = client.search(index=books, retriever={"linear": {"retrievers": legs, "rank_window_size": 10}})
    found = scores(response)
    # The nearest gets 10, the fifth nearest nothing from that leg.
    assert found["1"] == pytest.approx(10, abs=1e-5)
    assert ids(response)[0] == "1" and set(found) >= {"5", "8"}


@pytest.mark.parametrize("normalizer", ["none", "minmax", "l2_norm"])
def test_linear_normalisers(client, books, normalizer):
    legs = [{"retriever": STORM, "weight": 1.0, "normalizer": normalizer}, {"retriever": NEAR, "weight": 1.0, "normalizer": normalizer}]
    assert set(ids(client.search(index=books, retriever={"linear": {"retrievers": legs, "rank_window_size": 10}}))) == {"1", "2", "4", "6", "8"}


def test_text_similarity_reranker(client, books):
    inner = {"standard": {"query": {"terms": {"tags": ["food", "weather"]}}}}
    rerank = {"retriever": inner, "field": "summary", "inference_text": "how do I bake bread?", "rank_window_size": 10}
    response = client.search(index=books, retriever={"text_similarity_reranker": rerank})
    assert set(ids(response)) == {"3", "4", "6", "8"} and ids(response)[0] == "3"


def test_pinned(client, books):
    assert ids(client.search(index=books, retriever={"pinned": {"ids": ["9"], "retriever": STORM}})) == ["9", "4", "8"]


def test_hybrid_of_text_and_meaning(client, books):
    retriever = {
        "rrf": {
            "retrievers": [
                {"standard": {"query": {"match": {"summary": "oven"}}}},
                {"standard": {"query": {"semantic": {"field": "meaning", "query": "baking bread"}}}},
            ]
        }
    }
    assert ids(client.search(index=books, retriever=retriever))[0] == "3"


def test_facets_of_a_hybrid_search(client, books):
    response = client.search(
        index=books, retriever={"rrf": {"retrievers": [STORM, NEAR], "rank_window_size": 10}}, aggs={"genres": {"terms": {"field": "genre"}}}
    )
    counts = {bucket["key"]: bucket["doc_count"] for bucket in response["aggregations"]["genres"]["buckets"]}
    assert sum(counts.values()) == response["hits"]["total"]["value"] == 5
    assert counts == {"novel": 2, "essay": 1, "guide": 1, "poetry": 1}
