"""Semantic search with `semantic_text`: a field that makes its own vectors; then hybrid search over the same index."""

import os

import pytest
from elasticsearch import Elasticsearch, helpers

client = Elasticsearch(os.environ.get("BIFOCAL_URL", "http://127.0.0.1:9200"), request_timeout=120)

PASSAGES = [
    "Loose shoes cause blisters on long walks; lace them firmly and wear two pairs of socks.",
    "A beginner should run three times a week and rest between the runs to avoid sore muscles.",
    "The telescope gathers light with a large mirror and sends it to a small eyepiece.",
    "Drink before you are thirsty when you climb; altitude dries the body out.",
    "The tax office wants receipts to be kept for ten years.",
    "Yeast turns sugar into gas, which makes dough rise before it is baked.",
]


@pytest.fixture(scope="module", autouse=True)
def indices():
    for name in ("test-data", "semantic-embeddings"):
        client.indices.delete(index=name, ignore_unavailable=True)
    # The plain texts lie in an index already.
    helpers.bulk(client, [{"_index": "test-data", "_id": str(number), "content": text} for number, text in enumerate(PASSAGES)], refresh=True)
    # A mapping with one field of type semantic_text, and the same content for keywords.
    client.indices.create(
        index="semantic-embeddings",
        mappings={"properties": {"semantic_text": {"type": "semantic_text"}, "content": {"type": "text", "copy_to": "semantic_text"}}},
    )
    answer = client.reindex(source={"index": "test-data", "size": 10}, dest={"index": "semantic-embeddings"}, refresh=True)
    assert answer["created"] == len(PASSAGES)
    yield
    for name in ("test-data", "semantic-embeddings"):
        client.indices.delete(index=name)


def first(response):
    return response["hits"]["hits"][0]["_id"]


def test_semantic_query():
    response = client.search(index="semantic-embeddings", query={"semantic": {"field": "semantic_text", "query": "how to avoid hurting my feet while hiking"}})
    assert first(response) == "0"
    response = client.search(index="semantic-embeddings", query={"semantic": {"field": "semantic_text", "query": "how is bread made fluffy?"}})
    assert first(response) == "5"


def test_match_on_the_same_field():
    response = client.search(index="semantic-embeddings", query={"match": {"semantic_text": "looking at stars"}})
    assert first(response) == "2"


def test_source_is_what_was_sent():
    source = client.get(index="semantic-embeddings", id="0")["_source"]
    assert source == {"content": PASSAGES[0]}


def test_hybrid_search():
    response = client.search(
        index="semantic-embeddings",
        retriever={
            "rrf": {
                "retrievers": [
                    {"standard": {"query": {"match": {"content": "muscles sore after running"}}}},
                    {"standard": {"query": {"semantic": {"field": "semantic_text", "query": "muscles sore after running"}}}},
                ]
            }
        },
    )
    assert first(response) == "1"
    assert response["hits"]["hits"][0]["_score"] == pytest.approx(2 / 61, abs=1e-6)


def test_rerank():
    retriever = {
        "text_similarity_reranker": {
            "retriever": {"standard": {"query": {"semantic": {"field": "semantic_text", "query": "keeping paperwork for the authorities"}}}},
            "field": "content",
            "inference_text": "how long must receipts be kept?",
            "rank_window_size": 10,
        }
    }
    assert first(client.search(index="semantic-embeddings", retriever=retriever)) == "4"
