"""At least one test for each query type. A list is the order of the hits, a set is hits in any order."""

import pytest

from library import ids

QUERIES = [
    ("match_all", {"match_all": {}}, set("123456789")),
    ("match_none", {"match_none": {}}, set()),
    ("match", {"match": {"title": "storm keeper"}}, {"2", "4", "8"}),
    ("match, the rarer word first", {"match": {"title": {"query": "storm lighthouse"}}}, ["2", "4", "8"]),
    ("match, every word", {"match": {"summary": {"query": "sailors storm", "operator": "and"}}}, ["6"]),
    ("match, stemmed", {"match": {"summary": "baking loaves"}}, ["3"]),
    ("match, fuzzy", {"match": {"title": {"query": "lihgthouse", "fuzziness": "AUTO"}}}, ["2"]),
    ("match, two of three", {"match": {"summary": {"query": "storm sea oven", "minimum_should_match": 2}}}, {"4", "6"}),
    ("match_phrase", {"match_phrase": {"summary": "storm at sea"}}, ["4"]),
    ("match_phrase, slop", {"match_phrase": {"summary": {"query": "sailors whale", "slop": 3}}}, ["1"]),
    ("match_phrase_prefix", {"match_phrase_prefix": {"title": "the li"}}, ["2"]),
    ("match_bool_prefix", {"match_bool_prefix": {"title": {"query": "hunters the wha", "operator": "and"}}}, ["1"]),
    ("multi_match, best_fields", {"multi_match": {"query": "storm", "fields": ["title^2", "summary"]}}, {"2", "4", "6", "8"}),
    ("multi_match, most_fields", {"multi_match": {"query": "map silence", "type": "most_fields", "fields": ["title", "summary"]}}, ["7"]),
    (
        "multi_match, cross_fields",
        {"multi_match": {"query": "lighthouse keeper", "type": "cross_fields", "operator": "and", "fields": ["title", "title.typed"]}},
        ["2"],
    ),
    ("multi_match, phrase", {"multi_match": {"query": "storm warning", "type": "phrase", "fields": ["title", "summary"]}}, ["8"]),
    ("multi_match, phrase_prefix", {"multi_match": {"query": "storm warn", "type": "phrase_prefix", "fields": ["title", "summary"]}}, ["8"]),
    (
        "multi_match, bool_prefix",
        {"multi_match": {"query": "gardens of st", "type": "bool_prefix", "operator": "and", "fields": ["title.typed", "title.typed._2gram"]}},
        ["5"],
    ),
    ("combined_fields", {"combined_fields": {"query": "keeper lighthouse", "fields": ["title", "title.typed"], "operator": "and"}}, ["2"]),
    ("query_string", {"query_string": {"query": "title:(storm OR whale) AND NOT genre:poetry"}}, {"1", "8"}),
    ("query_string, ranges and prefixes", {"query_string": {"query": "pages:[100 TO 200] AND tags:fo*"}}, {"3", "6"}),
    ("simple_query_string", {"simple_query_string": {"query": "storm -warning", "fields": ["title"]}}, None),
    ("simple_query_string, and", {"simple_query_string": {"query": "storm + sea", "fields": ["summary"], "default_operator": "and"}}, ["4"]),
    ("term", {"term": {"genre": "novel"}}, {"1", "2", "7"}),
    ("term, any case", {"term": {"author": {"value": "PAT MILLER", "case_insensitive": True}}}, {"3", "6"}),
    ("terms", {"terms": {"tags": ["food", "letters"]}}, {"3", "6", "9"}),
    ("range, numbers", {"range": {"pages": {"gte": 200, "lt": 400}}}, {"2", "5", "8"}),
    ("range, dates", {"range": {"published": {"gte": "2000-01-01", "lte": "now"}}}, {"6", "7", "8", "9"}),
    ("prefix", {"prefix": {"author": "Wan"}}, {"2", "4"}),
    ("wildcard", {"wildcard": {"title.raw": "*Storm*"}}, {"4", "8"}),
    ("regexp", {"regexp": {"tags": "s(ea|cience)"}}, {"1", "2", "4", "6", "8"}),
    ("fuzzy", {"fuzzy": {"title": {"value": "strom"}}}, {"4", "8"}),
    ("exists", {"bool": {"must_not": {"exists": {"field": "nothing"}}}}, set("123456789")),
    ("ids", {"ids": {"values": ["3", "9", "77"]}}, {"3", "9"}),
    (
        "bool",
        {
            "bool": {
                "must": {"match": {"summary": "storm"}},
                "filter": {"term": {"available": True}},
                "must_not": {"term": {"genre": "poetry"}},
                "should": {"term": {"author": "Ada Gale"}},
            }
        },
        ["8", "2"],
    ),
    (
        "bool, two of three",
        {"bool": {"should": [{"term": {"genre": "novel"}}, {"term": {"tags": "sea"}}, {"term": {"available": False}}], "minimum_should_match": 2}},
        {"1", "2", "4", "6"},
    ),
    ("constant_score", {"constant_score": {"filter": {"term": {"genre": "guide"}}, "boost": 1.5}}, {"3", "6"}),
    ("dis_max", {"dis_max": {"queries": [{"match": {"title": "storm"}}, {"match": {"summary": "oven"}}], "tie_breaker": 0.3}}, {"3", "4", "6", "8"}),
    (
        "boosting",
        {"boosting": {"positive": {"match": {"title": "storm"}}, "negative": {"term": {"genre": "poetry"}}, "negative_boost": 0.1}},
        ["8", "4"],
    ),
    (
        "function_score, weights",
        {"function_score": {"query": {"term": {"genre": "novel"}}, "functions": [{"filter": {"term": {"tags": "travel"}}, "weight": 5}], "boost_mode": "replace"}},
        None,
    ),
    (
        "function_score, a field's value",
        {"function_score": {"query": {"term": {"genre": "novel"}}, "field_value_factor": {"field": "pages", "modifier": "log1p"}, "boost_mode": "replace"}},
        ["1", "7", "2"],
    ),
    (
        "function_score, decay",
        {"function_score": {"query": {"match_all": {}}, "gauss": {"pages": {"origin": 130, "scale": 20}}, "boost_mode": "replace", "min_score": 0.1}},
        {"3", "6"},
    ),
    (
        "function_score, decay of dates",
        {"function_score": {"query": {"term": {"genre": "novel"}}, "exp": {"published": {"origin": "1960-05-01", "scale": "1000d"}}, "boost_mode": "replace"}},
        ["2", "1", "7"],
    ),
    ("rank_feature", {"rank_feature": {"field": "popularity"}}, ["1", "8", "3", "7", "5", "2", "6", "9", "4"]),
    ("nested", {"nested": {"path": "reviews", "query": {"bool": {"must": [{"term": {"reviews.reader": "bob"}}, {"range": {"reviews.stars": {"gte": 3}}}]}}}}, ["5"]),
    ("nested, text", {"nested": {"path": "reviews", "score_mode": "max", "query": {"match": {"reviews.text": "great"}}}}, {"1", "2", "8"}),
    ("more_like_this", {"more_like_this": {"fields": ["summary"], "like": "an oven and salt", "min_term_freq": 1, "min_doc_freq": 1}}, {"3", "6"}),
    ("pinned", {"pinned": {"ids": ["9", "5"], "organic": {"match": {"title": "storm"}}}}, ["9", "5", "4", "8"]),
    ("knn", {"knn": {"field": "vector", "query_vector": [1, 0, 0], "k": 3, "num_candidates": 9}}, ["1", "2", "4"]),
    ("semantic", {"semantic": {"field": "meaning", "query": "baking bread at home"}}, None),
    (
        "script_score",
        {"script_score": {"query": {"term": {"genre": "novel"}}, "script": {"source": "cosineSimilarity(params.v, 'vector') + 1.0", "params": {"v": [0, 0, 1]}}}},
        None,
    ),
    ("match on semantic_text", {"match": {"meaning": "baking bread at home"}}, None),
]


@pytest.mark.parametrize(("query", "expected"), [pytest.param(q, e, id=name) for name, q, e in QUERIES])
def test_query(client, books, query, expected):
    response = client.search(index=books, query=query, size=20)
    found = ids(response)
    assert response["hits"]["total"]["relation"] in ("eq", "gte")
    if isinstance(expected, list):
        assert found == expected
    elif expected is not None:
        assert set(found) == expected and len(found) == len(expected)


def test_more_like_this_finds_words_in_common(client, books):
    query = {"more_like_this": {"fields": ["summary"], "like": [{"_id": "4"}], "min_term_freq": 1, "min_doc_freq": 1, "minimum_should_match": 1}}
    assert set(ids(client.search(index=books, query=query))) >= {"1", "6"}


def test_simple_query_string_without(client, books):
    query = {"simple_query_string": {"query": "storm -warning", "fields": ["title"], "default_operator": "and"}}
    assert ids(client.search(index=books, query=query)) == ["4"]


def test_function_score_weight_puts_one_first(client, books):
    functions = [{"filter": {"term": {"tags": "travel"}}, "weight": 5}]
    query = {"function_score": {"query": {"term": {"genre": "novel"}}, "functions": functions, "boost_mode": "replace"}}
    hits = client.search(index=books, query=query)["hits"]["hits"]
    assert (hits[0]["_id"], hits[0]["_score"], hits[1]["_score"]) == ("7", 5.0, 1.0)


def test_random_score_repeats_with_its_seed(client, books):
    def order(seed):
        return ids(client.search(index=books, query={"function_score": {"random_score": {"seed": seed, "field": "_seq_no"}}}))

    assert order(7) == order(7)
    assert any(order(7) != order(seed) for seed in range(8, 12))


def test_semantic_finds_by_meaning(client, books):
    for query in ({"semantic": {"field": "meaning", "query": "baking bread at home"}}, {"match": {"meaning": "baking bread at home"}}):
        assert ids(client.search(index=books, query=query))[0] == "3"


def test_script_score_vector_functions(client, books):
    def scores(source, vector):
        script = {"source": source, "params": {"v": vector}}
        response = client.search(index=books, query={"script_score": {"query": {"term": {"genre": "novel"}}, "script": script}})
        return {hit["_id"]: hit["_score"] for hit in response["hits"]["hits"]}

    cosine = scores("cosineSimilarity(params.v, 'vector') + 1.0", [0, 0, 1])
    assert cosine == pytest.approx({"7": 2.0, "1": 1.0, "2": 1.0}, abs=1e-5)
    dot = scores("dotProduct(params.v, 'vector') + 1.0", [2, 0, 0])
    assert dot == pytest.approx({"1": 3.0, "2": 2.8, "7": 1.0}, abs=1e-5)
    distance = scores("1 / (1 + l2norm(params.v, 'vector'))", [1, 0, 0])
    assert distance["1"] == pytest.approx(1.0) and distance["7"] == pytest.approx(1 / (1 + 2**0.5), abs=1e-5)


def test_knn_scores_are_elasticsearchs(client, books):
    response = client.search(index=books, knn={"field": "vector", "query_vector": [1, 0, 0], "k": 9, "num_candidates": 9})
    scores = {hit["_id"]: hit["_score"] for hit in response["hits"]["hits"]}
    # Cosine: (1 + cos) / 2.
    assert scores["1"] == pytest.approx(1.0) and scores["3"] == pytest.approx(0.5) and scores["4"] == pytest.approx(0.9)


def test_knn_section_with_filter_and_query(client, books):
    knn = {"field": "vector", "query_vector": [1, 0, 0], "k": 2, "num_candidates": 9, "filter": {"term": {"genre": "guide"}}, "boost": 2}
    response = client.search(index=books, knn=knn, query={"match": {"title": "storm"}})
    assert set(ids(response)) == {"6", "3", "4", "8"}


def test_knn_with_a_model(client, books):
    builder = {"text_embedding": {"model_id": "bge-small-en-v1.5", "model_text": "baking bread"}}
    response = client.search(index=books, knn={"field": "meaning", "query_vector_builder": builder, "k": 3, "num_candidates": 9})
    assert ids(response)[0] == "3"


def test_an_unknown_query_is_named(client, books):
    from elasticsearch import BadRequestError

    with pytest.raises(BadRequestError) as error:
        client.search(index=books, query={"mtch": {"title": "x"}})
    assert error.value.error == "parsing_exception" and "mtch" in str(error.value)
