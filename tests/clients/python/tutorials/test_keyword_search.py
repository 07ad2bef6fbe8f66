"""Keyword querying and filtering over a small catalogue of recipes, query by query."""

import json
import os
import pathlib

import pytest
from elasticsearch import Elasticsearch

client = Elasticsearch(os.environ.get("BIFOCAL_URL", "http://127.0.0.1:9200"))
RECIPES = json.loads((pathlib.Path(__file__).parent / "recipes.json").read_text())
INDEX = "recipes"


@pytest.fixture(scope="module", autouse=True)
def index():
    client.indices.delete(index=INDEX, ignore_unavailable=True)
    client.indices.create(
        index=INDEX,
        mappings={
            "properties": {
                "title": {"type": "text", "fields": {"keyword": {"type": "keyword"}}},
                "description": {"type": "text", "fields": {"keyword": {"type": "keyword"}}},
                "author": {"type": "text", "fields": {"keyword": {"type": "keyword"}}},
                "date": {"type": "date", "format": "yyyy-MM-dd"},
                "category": {"type": "text", "fields": {"keyword": {"type": "keyword"}}},
                "tags": {"type": "text", "fields": {"keyword": {"type": "keyword"}}},
                "rating": {"type": "float"},
            }
        },
    )
    operations = [line for number, recipe in enumerate(RECIPES, 1) for line in ({"index": {"_index": INDEX, "_id": str(number)}}, recipe)]
    assert client.bulk(operations=operations, refresh="wait_for")["errors"] is False
    yield
    client.indices.delete(index=INDEX)


def titles(query, **options):
    answer = client.search(index=INDEX, query=query, **options)
    return [hit["_source"]["title"] for hit in answer["hits"]["hits"]]


def test_match_any_word():
    found = titles({"match": {"description": {"query": "fluffy pancakes"}}})
    assert found[0] == "Perfect Fluffy Pancakes" and len(found) > 1


def test_match_every_word():
    assert titles({"match": {"description": {"query": "fluffy pancakes", "operator": "and"}}}) == ["Perfect Fluffy Pancakes"]


def test_minimum_should_match():
    assert titles({"match": {"title": {"query": "fluffy pancakes breakfast", "minimum_should_match": 2}}}) == ["Perfect Fluffy Pancakes"]


def test_several_fields_with_boosts():
    query = {"multi_match": {"query": "vegetarian curry", "fields": ["title^3", "description^2", "tags"]}}
    assert titles(query)[0] == "Spicy Thai Green Curry: A Vegetarian Feast"


def test_exact_values():
    query = {"bool": {"filter": [{"term": {"category.keyword": "Breakfast"}}]}}
    answer = client.search(index=INDEX, query=query)
    assert [hit["_score"] for hit in answer["hits"]["hits"]] == [0.0] * len(answer["hits"]["hits"])
    assert set(titles(query)) == {"Perfect Fluffy Pancakes", "Mediterranean Quinoa Porridge"}


def test_ranges_of_dates_and_ratings():
    assert set(titles({"range": {"date": {"gte": "2023-05-01", "lte": "2023-05-31"}}})) == {"Perfect Fluffy Pancakes", "Spicy Thai Green Curry: A Vegetarian Feast"}
    assert set(titles({"range": {"rating": {"gte": 4.8}}})) == {"Perfect Fluffy Pancakes", "Dark Chocolate Tart"}


def test_exact_author():
    assert titles({"term": {"author.keyword": "Maria Rodriguez"}}) == ["Perfect Fluffy Pancakes"]


def test_everything_together():
    query = {
        "bool": {
            "must": [{"term": {"tags": "vegetarian"}}, {"range": {"rating": {"gte": 4.5}}}],
            "should": [
                {"term": {"category": "main"}},
                {"multi_match": {"query": "curry spicy", "fields": ["title^2", "description"]}},
                {"range": {"date": {"gte": "now-5y/d"}}},
            ],
            "must_not": [{"term": {"category.keyword": "Dessert"}}],
        }
    }
    found = titles(query)
    assert found[0] == "Spicy Thai Green Curry: A Vegetarian Feast" and "Dark Chocolate Tart" not in found
