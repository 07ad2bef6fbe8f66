"""Quick start: connect, index, search, update, delete."""

import os

from elasticsearch import Elasticsearch

client = Elasticsearch(os.environ.get("BIFOCAL_URL", "http://127.0.0.1:9200"))


def test_quick_start():
    # Is anybody there?
    print(client.info())

    # An index, and a first document.
    client.indices.delete(index="my_index", ignore_unavailable=True)
    client.indices.create(index="my_index")
    client.index(index="my_index", id="my_document_id", document={"foo": "foo", "bar": "bar"})

    # Read it back.
    answer = client.get(index="my_index", id="my_document_id")
    assert answer["_source"]["foo"] == "foo"

    # Find it.
    client.indices.refresh(index="my_index")
    found = client.search(index="my_index", query={"match": {"foo": "foo"}})
    assert found["hits"]["total"]["value"] == 1
    for hit in found["hits"]["hits"]:
        assert hit["_source"]["bar"] == "bar"

    # Change a part of it.
    client.update(index="my_index", id="my_document_id", doc={"foo": "bar", "new_field": "new value"})
    assert client.get(index="my_index", id="my_document_id")["_source"] == {"foo": "bar", "bar": "bar", "new_field": "new value"}

    # Clean up.
    client.delete(index="my_index", id="my_document_id")
    client.indices.delete(index="my_index")
    assert not client.indices.exists(index="my_index")


def test_bulk_quick_start():
    """Mapping first, then many documents with one call, then a search over two fields."""
    client.options(ignore_status=[404]).indices.delete(index="quick-recipes")
    mappings = {
        "properties": {
            "name": {"type": "text"},
            "steps": {"type": "text"},
            "cuisine": {"type": "keyword"},
            "minutes": {"type": "integer"},
            "added": {"type": "date"},
        }
    }
    client.indices.create(index="quick-recipes", mappings=mappings)
    recipes = [
        {"name": "Onion soup", "steps": "Slowly brown the onions, add broth, simmer.", "cuisine": "french", "minutes": 70, "added": "2024-01-15"},
        {"name": "Tomato pasta", "steps": "Boil pasta; simmer tomatoes with onions.", "cuisine": "italian", "minutes": 25, "added": "2024-02-20"},
        {"name": "Flat bread", "steps": "Knead flour and water, rest, bake on a hot stone.", "cuisine": "italian", "minutes": 90, "added": "2024-03-05"},
    ]
    operations = []
    for number, recipe in enumerate(recipes):
        operations.append({"index": {"_index": "quick-recipes", "_id": str(number)}})
        operations.append(recipe)
    answer = client.bulk(operations=operations, refresh=True)
    assert not answer.body["errors"] and [item["index"]["result"] for item in answer["items"]] == ["created"] * 3
    found = client.search(index="quick-recipes", query={"multi_match": {"query": "onion soup", "fields": ["name^2", "steps"]}})
    assert [hit["_id"] for hit in found["hits"]["hits"]] == ["0"]
    # `onions` is another word than `onion` to the standard analyzer.
    found = client.search(index="quick-recipes", query={"match": {"steps": "onions"}})
    assert {hit["_id"] for hit in found["hits"]["hits"]} == {"0", "1"}
