"""Indices, mappings, settings, aliases, analysis, and what operators look at."""

import pytest
from elasticsearch import BadRequestError


def test_create_get_exists_delete(client, scratch):
    assert not client.indices.exists(index=scratch)
    made = client.indices.create(index=scratch, mappings={"properties": {"a": {"type": "keyword"}}})
    assert made["acknowledged"] and made["shards_acknowledged"] and made["index"] == scratch
    assert client.indices.exists(index=scratch)
    whole = client.indices.get(index=scratch)[scratch]
    assert whole["mappings"] == {"properties": {"a": {"type": "keyword"}}} and whole["aliases"] == {}
    assert whole["settings"]["index"]["number_of_shards"] == "1"
    with pytest.raises(BadRequestError) as again:
        client.indices.create(index=scratch)
    assert again.value.error == "resource_already_exists_exception"
    assert client.indices.delete(index=scratch)["acknowledged"]


def test_mapping_grows(client, scratch):
    client.indices.create(index=scratch, mappings={"properties": {"a": {"type": "keyword"}}})
    client.index(index=scratch, id="1", document={"a": "x", "b": "New Text"}, refresh=True)
    client.indices.put_mapping(index=scratch, properties={"c": {"type": "integer"}})
    properties = client.indices.get_mapping(index=scratch)[scratch]["mappings"]["properties"]
    assert properties["c"] == {"type": "integer"}
    assert properties["b"] == {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}
    assert client.search(index=scratch, query={"term": {"b.keyword": "New Text"}})["hits"]["total"]["value"] == 1
    with pytest.raises(BadRequestError):
        client.indices.put_mapping(index=scratch, properties={"a": {"type": "text"}})


def test_settings(client, scratch):
    client.indices.create(index=scratch, settings={"index": {"refresh_interval": "30s"}})
    client.indices.put_settings(index=scratch, settings={"index": {"refresh_interval": "5s"}})
    assert client.indices.get_settings(index=scratch)[scratch]["settings"]["index"]["refresh_interval"] == "5s"


def test_custom_analysis(client, scratch):
    analysis = {
        "char_filter": {"and": {"type": "mapping", "mappings": ["& => and"]}},
        "filter": {"same": {"type": "synonym_graph", "synonyms": ["ship, vessel"]}},
        "analyzer": {"mine": {"type": "custom", "tokenizer": "standard", "char_filter": ["and"], "filter": ["lowercase", "asciifolding", "same"]}},
    }
    client.indices.create(index=scratch, settings={"analysis": analysis}, mappings={"properties": {"t": {"type": "text", "analyzer": "mine"}}})
    tokens = client.indices.analyze(index=scratch, analyzer="mine", text="Café & Ship")["tokens"]
    assert {token["token"] for token in tokens} == {"cafe", "and", "ship", "vessel"}
    client.index(index=scratch, id="1", document={"t": "a Vessel"}, refresh=True)
    assert client.search(index=scratch, query={"match": {"t": "ship"}})["hits"]["total"]["value"] == 1
    assert [t["token"] for t in client.indices.analyze(analyzer="english", text="Running foxes")["tokens"]] == ["run", "fox"]


def test_aliases(client, scratch):
    client.indices.create(index=scratch)
    alias = scratch + "-alias"
    client.indices.update_aliases(actions=[{"add": {"index": scratch, "alias": alias, "is_write_index": True}}])
    assert client.indices.exists_alias(name=alias)
    client.index(index=alias, id="1", document={"kind": "a"})
    client.index(index=alias, id="2", document={"kind": "b"}, refresh=True)
    client.indices.put_alias(index=scratch, name=alias + "-a", filter={"term": {"kind": "a"}})
    assert client.count(index=alias)["count"] == 2
    assert client.count(index=alias + "-a")["count"] == 1
    assert set(client.indices.get_alias(index=scratch)[scratch]["aliases"]) == {alias, alias + "-a"}
    client.indices.delete_alias(index=scratch, name=alias)
    assert not client.indices.exists_alias(name=alias)


def test_wildcards_and_several_indices(client, scratch):
    names = [f"{scratch}-{letter}" for letter in "abc"]
    for name in names:
        client.index(index=name, id="1", document={"n": 1}, refresh=True)
    assert client.count(index=f"{scratch}-*")["count"] == 3
    assert client.count(index=names[:2])["count"] == 2
    assert client.count(index=f"{scratch}-*,-{names[0]}")["count"] == 2
    client.indices.delete(index=names)


def test_maintenance(client, scratch):
    client.index(index=scratch, id="1", document={"n": 1})
    for call in (client.indices.refresh, client.indices.flush, client.indices.forcemerge):
        assert call(index=scratch)["_shards"]["failed"] == 0
    stats = client.indices.stats(index=scratch)["indices"][scratch]["primaries"]
    assert stats["docs"]["count"] == 1 and stats["store"]["size_in_bytes"] > 0
    fields = client.field_caps(index=scratch, fields="*")["fields"]
    assert fields["n"]["long"]["aggregatable"]


def test_cat(client, books):
    indices = client.cat.indices(index=books, format="json")
    # Eight nested objects are counted, too, as Elasticsearch does here.
    assert indices[0]["index"] == books and indices[0]["docs.count"] == "17" and indices[0]["health"] in ("green", "yellow")
    assert books in client.cat.indices(index=books).body
    assert client.cat.count(index=books, format="json")[0]["count"] == "9"
    for call in (client.cat.health, client.cat.aliases, client.cat.nodes, client.cat.shards):
        assert isinstance(call(format="json").body, list)


def test_cluster(client):
    assert client.cluster.health()["status"] in ("green", "yellow")
    assert client.cluster.health(wait_for_status="yellow", timeout="1s")["timed_out"] is False
    assert client.cluster.stats()["indices"]["count"] >= 0
    assert "persistent" in client.cluster.get_settings().body
    assert client.cluster.state()["cluster_name"]
    assert len(client.nodes.info()["nodes"]) == 1


def test_types_of_the_mapping(client, scratch):
    properties = {
        "text": {"type": "text"}, "keyword": {"type": "keyword"}, "long": {"type": "long"}, "integer": {"type": "integer"},
        "short": {"type": "short"}, "byte": {"type": "byte"}, "double": {"type": "double"}, "float": {"type": "float"},
        "half": {"type": "half_float"}, "scaled": {"type": "scaled_float", "scaling_factor": 100}, "unsigned": {"type": "unsigned_long"},
        "date": {"type": "date", "format": "yyyy-MM-dd||epoch_millis"}, "boolean": {"type": "boolean"}, "ip": {"type": "ip"},
        "object": {"properties": {"inner": {"type": "keyword"}}}, "nested": {"type": "nested"}, "flat": {"type": "flattened"},
        "vector": {"type": "dense_vector", "dims": 2}, "typed": {"type": "search_as_you_type"}, "feature": {"type": "rank_feature"},
    }
    client.indices.create(index=scratch, mappings={"properties": properties})
    document = {
        "text": "words", "keyword": "k", "long": 2**53, "integer": 1, "short": 2, "byte": 3, "double": 0.5, "float": 0.25, "half": 0.125,
        "scaled": 1.23, "unsigned": 2**64 - 1, "date": "2024-02-29", "boolean": True, "ip": "::1", "object": {"inner": "x"},
        "nested": [{"a": 1}, {"a": 2}], "flat": {"any": {"thing": "goes"}}, "vector": [0.6, 0.8], "typed": "as you type", "feature": 3,
    }
    client.index(index=scratch, id="1", document=document, refresh=True)
    assert client.get(index=scratch, id="1")["_source"] == document
    finds = [
        {"term": {"keyword": "k"}}, {"term": {"long": 2**53}}, {"range": {"double": {"gt": 0.4}}}, {"term": {"unsigned": 2**64 - 1}},
        {"term": {"date": "2024-02-29"}}, {"term": {"boolean": True}}, {"term": {"ip": "::/64"}}, {"term": {"object.inner": "x"}},
        {"nested": {"path": "nested", "query": {"term": {"nested.a": 2}}}}, {"term": {"flat.any.thing": "goes"}},
        {"match_bool_prefix": {"typed": "as yo"}}, {"rank_feature": {"field": "feature"}}, {"term": {"scaled": 1.23}},
    ]
    for query in finds:
        assert client.search(index=scratch, query=query)["hits"]["total"]["value"] == 1, query
