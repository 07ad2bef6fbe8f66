"""Hybrid search: vectors made by a model outside of the engine, beside keywords, fused with reciprocal rank fusion."""

import hashlib
import math
import os
import re

import pytest
from elasticsearch import Elasticsearch

client = Elasticsearch(os.environ.get("BIFOCAL_URL", "http://127.0.0.1:9200"))
INDEX = "book_index"
DIMS = 64


class Model:
    """Stands where a tutorial has a sentence transformer: texts that share pieces of words get near vectors."""

    def encode(self, text):
        vector = [0.0] * DIMS
        for word in re.findall(r"\w+", text.lower()):
            for start in range(len(word) - 2):
                piece = word[start : start + 3].encode()
                vector[int.from_bytes(hashlib.blake2b(piece, digest_size=4).digest(), "big") % DIMS] += 1.0
        length = math.sqrt(sum(value * value for value in vector)) or 1.0
        return [value / length for value in vector]


model = Model()

BOOKS = [
    {"title": "The Practical Programmer", "authors": ["a. hunter", "d. thomas"], "summary": "advice for working programmers on craft and care", "publish_date": "2019-10-29", "num_reviews": 30, "publisher": "wesley"},
    {"title": "Python Crash Lessons", "authors": ["e. mather"], "summary": "a fast introduction to programming in python with projects", "publish_date": "2019-05-03", "num_reviews": 42, "publisher": "starch"},
    {"title": "Artificial Minds", "authors": ["s. russet", "p. norwich"], "summary": "a broad textbook of artificial intelligence, agents and search", "publish_date": "2020-04-06", "num_reviews": 39, "publisher": "pearl"},
    {"title": "Clean Modules", "authors": ["r. marten"], "summary": "how to write code that is easy to read and to change", "publish_date": "2008-08-11", "num_reviews": 55, "publisher": "prentis"},
    {"title": "You Do Not Know Scripts", "authors": ["k. samson"], "summary": "the parts of javascript that most developers never learn", "publish_date": "2015-03-27", "num_reviews": 36, "publisher": "orally"},
    {"title": "Learning Machines", "authors": ["c. bishop"], "summary": "pattern recognition and machine learning with probability", "publish_date": "2006-08-17", "num_reviews": 20, "publisher": "springs"},
]


@pytest.fixture(scope="module", autouse=True)
def index():
    client.indices.delete(index=INDEX, ignore_unavailable=True)
    mappings = {"properties": {"title_vector": {"type": "dense_vector", "dims": DIMS, "index": "true", "similarity": "cosine"}}}
    client.indices.create(index=INDEX, mappings=mappings)
    operations = []
    for book in BOOKS:
        operations.append({"index": {"_index": INDEX}})
        operations.append({**book, "title_vector": model.encode(book["title"])})
    assert not client.bulk(index=INDEX, operations=operations, refresh=True)["errors"]
    yield
    client.indices.delete(index=INDEX)


def titles(response):
    return [hit["_source"]["title"] for hit in response["hits"]["hits"]]


def test_semantic_leg_alone():
    response = client.search(index=INDEX, knn={"field": "title_vector", "query_vector": model.encode("machines that learn"), "k": 3, "num_candidates": 50})
    assert titles(response)[0] == "Learning Machines" and len(titles(response)) == 3


def test_filtered_by_publisher():
    knn = {"field": "title_vector", "query_vector": model.encode("scripts"), "k": 3, "num_candidates": 10, "filter": {"term": {"publisher.keyword": "wesley"}}}
    assert titles(client.search(index=INDEX, knn=knn)) == ["The Practical Programmer"]


def test_reciprocal_rank_fusion():
    response = client.search(
        index=INDEX,
        size=5,
        retriever={
            "rrf": {
                "retrievers": [
                    {"standard": {"query": {"match": {"summary": "python programming"}}}},
                    {"knn": {"field": "title_vector", "query_vector": model.encode("python lessons"), "k": 5, "num_candidates": 10}},
                ]
            }
        },
    )
    assert titles(response)[0] == "Python Crash Lessons"
    first = response["hits"]["hits"][0]
    assert first["_score"] == pytest.approx(2 / 61, abs=1e-6)
    assert response["hits"]["total"]["value"] >= 5


def test_keywords_and_vectors_by_sum():
    """Before retrievers there was this: a query and a knn section, whose scores add up."""
    response = client.search(
        index=INDEX,
        query={"match": {"summary": {"query": "python", "boost": 0.9}}},
        knn={"field": "title_vector", "query_vector": model.encode("python lessons"), "k": 5, "num_candidates": 50, "boost": 0.1},
        size=5,
    )
    assert titles(response)[0] == "Python Crash Lessons"
