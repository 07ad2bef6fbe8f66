"""Documents one by one and in bulk, the helpers of the client, pages, and what is refused."""

import pytest
from elasticsearch import BadRequestError, ConflictError, NotFoundError, helpers

from library import BOOKS, ids


def test_info(client):
    info = client.info()
    assert info["tagline"] == "You Know, for Search" and info["version"]["number"].split(".")[0] in ("8", "9")
    assert client.ping()


def test_create_read_update_delete(client, scratch):
    made = client.index(index=scratch, id="1", document={"title": "one", "n": 1})
    assert (made["result"], made["_version"]) == ("created", 1)
    assert client.get(index=scratch, id="1")["_source"] == {"title": "one", "n": 1}
    assert client.index(index=scratch, id="1", document={"title": "two"})["result"] == "updated"
    assert client.update(index=scratch, id="1", doc={"n": 2})["_version"] == 3
    assert client.update(index=scratch, id="1", doc={"n": 2})["result"] == "noop"
    assert client.get_source(index=scratch, id="1").body == {"title": "two", "n": 2}
    assert client.exists(index=scratch, id="1")
    assert client.delete(index=scratch, id="1")["result"] == "deleted"
    assert not client.exists(index=scratch, id="1")
    with pytest.raises(NotFoundError):
        client.get(index=scratch, id="1")


def test_an_id_is_made(client, scratch):
    made = client.index(index=scratch, document={"n": 1})
    assert len(made["_id"]) >= 16 and client.get(index=scratch, id=made["_id"])["found"]


def test_conflicts(client, scratch):
    first = client.create(index=scratch, id="1", document={"n": 1})
    with pytest.raises(ConflictError):
        client.create(index=scratch, id="1", document={"n": 2})
    client.index(index=scratch, id="1", document={"n": 3}, if_seq_no=first["_seq_no"], if_primary_term=first["_primary_term"])
    with pytest.raises(ConflictError) as error:
        client.index(index=scratch, id="1", document={"n": 4}, if_seq_no=first["_seq_no"], if_primary_term=first["_primary_term"])
    assert error.value.error == "version_conflict_engine_exception"


@pytest.mark.parametrize("refresh", [True, "wait_for"])
def test_refresh_makes_visible(client, scratch, refresh):
    client.indices.create(index=scratch, settings={"refresh_interval": "1s" if refresh == "wait_for" else "-1"})
    client.index(index=scratch, id="1", document={"n": 1}, refresh=refresh)
    assert client.count(index=scratch)["count"] == 1


def test_upserts(client, scratch):
    client.update(index=scratch, id="1", doc={"n": 2}, upsert={"n": 1})
    client.update(index=scratch, id="2", doc={"n": 2}, doc_as_upsert=True)
    found = client.mget(index=scratch, ids=["1", "2", "3"])["docs"]
    assert [doc.get("_source") for doc in found] == [{"n": 1}, {"n": 2}, None]


def test_bulk_helper(client, scratch):
    actions = ({"_index": scratch, "_id": str(n), "n": n, "text": f"number {n}"} for n in range(2500))
    assert helpers.bulk(client, actions, chunk_size=400, refresh=True) == (2500, [])
    assert client.count(index=scratch)["count"] == 2500


def test_bulk_helper_of_every_operation(client, scratch):
    client.indices.create(index=scratch, mappings={"properties": {"n": {"type": "integer"}}})
    actions = [
        {"_op_type": "index", "_index": scratch, "_id": "1", "n": 1},
        {"_op_type": "create", "_index": scratch, "_id": "1", "n": 1},
        {"_op_type": "update", "_index": scratch, "_id": "1", "doc": {"n": 5}},
        {"_op_type": "index", "_index": scratch, "_id": "2", "n": "not a number"},
        {"_op_type": "delete", "_index": scratch, "_id": "3"},
    ]
    results = list(helpers.streaming_bulk(client, actions, raise_on_error=False))
    assert [ok for ok, _ in results] == [True, False, True, False, False]
    assert results[1][1]["create"]["status"] == 409
    assert results[3][1]["index"]["error"]["type"] == "document_parsing_exception"
    assert client.get(index=scratch, id="1")["_source"] == {"n": 5}


def test_parallel_bulk(client, scratch):
    actions = ({"_index": scratch, "_id": str(n), "n": n} for n in range(1000))
    assert all(ok for ok, _ in helpers.parallel_bulk(client, actions, thread_count=4, chunk_size=100))
    client.indices.refresh(index=scratch)
    assert client.count(index=scratch)["count"] == 1000


def test_scan_scrolls_through_everything(client, books):
    found = helpers.scan(client, index=books, query={"query": {"match_all": {}}}, size=2)
    assert sorted(hit["_id"] for hit in found) == list("123456789")


def test_scroll_by_hand(client, books):
    page = client.search(index=books, query={"match_all": {}}, sort=["pages"], size=4, scroll="1m")
    seen = ids(page)
    while True:
        page = client.scroll(scroll_id=page["_scroll_id"], scroll="1m")
        if not page["hits"]["hits"]:
            break
        seen += ids(page)
    assert seen == ["9", "4", "3", "6", "2", "5", "8", "7", "1"]
    assert client.clear_scroll(scroll_id=page["_scroll_id"])["succeeded"]


def test_reindex_helper(client, books, scratch):
    made, failed = helpers.reindex(client, books, scratch, query={"query": {"term": {"genre": "novel"}}})
    assert (made, failed) == (3, 0) or (made, failed) == (3, [])
    client.indices.refresh(index=scratch)
    assert client.count(index=scratch)["count"] == 3


def test_reindex_api(client, books, scratch):
    result = client.reindex(source={"index": books, "query": {"term": {"tags": "sea"}}}, dest={"index": scratch}, refresh=True)
    assert (result["created"], result["failures"]) == (4, [])
    assert client.get(index=scratch, id="1")["_source"]["title"] == BOOKS["1"]["title"]


def test_by_query(client, scratch):
    helpers.bulk(client, [{"_index": scratch, "_id": str(n), "n": n} for n in range(10)], refresh=True)
    assert client.delete_by_query(index=scratch, query={"range": {"n": {"gte": 7}}}, refresh=True)["deleted"] == 3
    assert client.update_by_query(index=scratch, query={"range": {"n": {"gte": 5}}}, refresh=True)["updated"] == 2
    assert client.get(index=scratch, id="6")["_version"] == 2


def test_point_in_time_pages_are_frozen(client, scratch):
    helpers.bulk(client, [{"_index": scratch, "_id": str(n), "n": n} for n in range(10)], refresh=True)
    pit = client.open_point_in_time(index=scratch, keep_alive="1m")["id"]
    seen, after = [], None
    while True:
        page = client.search(pit={"id": pit, "keep_alive": "1m"}, size=4, sort=[{"n": "asc"}], search_after=after)
        if not page["hits"]["hits"]:
            break
        if after is None:
            client.delete(index=scratch, id="9", refresh=True)
            client.index(index=scratch, id="99", document={"n": 99}, refresh=True)
        seen += ids(page)
        after, pit = page["hits"]["hits"][-1]["sort"], page["pit_id"]
    assert seen == [str(n) for n in range(10)]
    assert client.close_point_in_time(id=pit)["succeeded"]


def test_msearch_and_count(client, books):
    searches = [{"index": books}, {"query": {"term": {"genre": "novel"}}, "size": 0}, {"index": "missing"}, {"query": {"match_all": {}}}]
    first, second = client.msearch(searches=searches)["responses"]
    assert first["hits"]["total"]["value"] == 3 and second["status"] == 404
    assert client.count(index=books, query={"term": {"genre": "novel"}})["count"] == 3


def test_shape_of_hits(client, books):
    response = client.search(
        index=books,
        query={"match": {"summary": "sailors"}},
        source={"includes": ["title"]},
        fields=["author", {"field": "published", "format": "yyyy"}],
        highlight={"fields": {"summary": {}}},
        sort=["_score", {"pages": "desc"}],
        explain=True,
        version=True,
        seq_no_primary_term=True,
        track_total_hits=True,
        min_score=0.01,
    )
    hit = response["hits"]["hits"][0]
    assert set(hit["_source"]) == {"title"} and len(hit["sort"]) == 2 and hit["_version"] == 1
    assert hit["fields"]["published"] == [BOOKS[hit["_id"]]["published"][:4]]
    assert "<em>" in hit["highlight"]["summary"][0] and hit["_explanation"]["value"] == pytest.approx(hit["_score"], rel=1e-5)


def test_collapse_rescore_post_filter(client, books):
    response = client.search(
        index=books, query={"match_all": {}}, collapse={"field": "author", "inner_hits": {"name": "all", "size": 5}}, sort=[{"pages": "desc"}]
    )
    assert ids(response) == ["1", "7", "8", "2", "6"] or len(ids(response)) == 6
    rescore = {"window_size": 5, "query": {"rescore_query": {"term": {"author": "Ada Gale"}}, "rescore_query_weight": 10}}
    assert ids(client.search(index=books, query={"match": {"summary": "storm"}}, rescore=rescore))[0] == "8"
    assert ids(client.search(index=books, query={"match": {"summary": "storm"}}, post_filter={"term": {"genre": "guide"}})) == ["6"]


def test_explain_validate_rank_eval(client, books):
    assert client.explain(index=books, id="4", query={"match": {"title": "storm"}})["matched"]
    assert client.indices.validate_query(index=books, query={"match": {"title": "storm"}})["valid"]
    requests = [{"id": "q", "request": {"query": {"match": {"title": "storm"}}}, "ratings": [{"_index": books, "_id": "4", "rating": 1}]}]
    assert client.rank_eval(index=books, requests=requests, metric={"precision": {"k": 2}})["metric_score"] == 0.5


def test_terms_and_errors_are_typed(client, books, scratch):
    with pytest.raises(NotFoundError) as missing:
        client.search(index=scratch, query={"match_all": {}})
    assert missing.value.error == "index_not_found_exception"
    with pytest.raises(BadRequestError):
        client.search(index=books, sort=[{"title": "asc"}])
    with pytest.raises(BadRequestError) as window:
        client.search(index=books, from_=10_000, size=10)
    assert "window is too large" in str(window.value)


def test_inference(client):
    vectors = client.inference.inference(inference_id="bge-small-en-v1.5", task_type="text_embedding", input=["bread", "a loaf of bread", "a storm"])
    a, b, c = (item["embedding"] for item in vectors["text_embedding"])

    def dot(x, y):
        return sum(p * q for p, q in zip(x, y))

    assert len(a) == 384 and dot(a, b) > dot(a, c)
    ranked = client.inference.inference(
        inference_id="bifocal-reranker-small", task_type="rerank", query="how do I bake bread?", input=["A storm at sea.", "Bake the bread in an oven."]
    )["rerank"]
    assert ranked[0]["index"] == 1 and ranked[0]["relevance_score"] > ranked[1]["relevance_score"]
