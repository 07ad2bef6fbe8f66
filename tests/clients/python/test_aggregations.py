"""At least one test for each aggregation."""

import pytest


def aggregate(client, books, aggregation, query=None):
    return client.search(index=books, size=0, query=query, aggs={"a": aggregation})["aggregations"]["a"]


def counts(result, key="key"):
    return {bucket[key]: bucket["doc_count"] for bucket in result["buckets"]}


def test_terms(client, books):
    result = aggregate(client, books, {"terms": {"field": "tags"}})
    assert counts(result) == {"sea": 4, "classic": 2, "food": 2, "travel": 2, "weather": 2, "letters": 1, "science": 1}
    assert [bucket["key"] for bucket in result["buckets"]][:3] == ["sea", "classic", "food"]
    assert result["sum_other_doc_count"] == 0


def test_terms_with_order_and_children(client, books):
    result = aggregate(client, books, {"terms": {"field": "genre", "order": {"price": "desc"}}, "aggs": {"price": {"avg": {"field": "price"}}}})
    assert [bucket["key"] for bucket in result["buckets"]] == ["essay", "novel", "guide", "poetry"]
    assert result["buckets"][0]["price"]["value"] == pytest.approx(21.5)


def test_multi_terms(client, books):
    result = aggregate(client, books, {"multi_terms": {"terms": [{"field": "genre"}, {"field": "available"}]}})
    assert counts(result, "key_as_string")["guide|true"] == 1


def test_histogram(client, books):
    assert counts(aggregate(client, books, {"histogram": {"field": "pages", "interval": 200}})) == {0: 4, 200: 3, 400: 1, 600: 1}


def test_date_histogram(client, books):
    result = aggregate(client, books, {"date_histogram": {"field": "published", "calendar_interval": "year", "format": "yyyy", "min_doc_count": 1}})
    assert counts(result, "key_as_string") == {year: 1 for year in "1951 1960 1985 1987 1999 2001 2010 2015 2020".split()}


def test_range(client, books):
    result = aggregate(client, books, {"range": {"field": "price", "ranges": [{"to": 10}, {"from": 10, "to": 20}, {"key": "dear", "from": 20}]}})
    assert counts(result) == {"*-10.0": 2, "10.0-20.0": 4, "dear": 3}


def test_date_range(client, books):
    ranges = [{"to": "1980"}, {"from": "1980", "to": "2000"}, {"from": "2000"}]
    result = aggregate(client, books, {"date_range": {"field": "published", "format": "yyyy", "ranges": ranges}})
    assert counts(result) == {"*-1980": 2, "1980-2000": 3, "2000-*": 4}


def test_filter(client, books):
    result = aggregate(client, books, {"filter": {"term": {"genre": "novel"}}, "aggs": {"pages": {"sum": {"field": "pages"}}}})
    assert (result["doc_count"], result["pages"]["value"]) == (3, 1200)


def test_filters(client, books):
    filters = {"novels": {"term": {"genre": "novel"}}, "storms": {"match": {"title": "storm"}}}
    result = aggregate(client, books, {"filters": {"filters": filters, "other_bucket_key": "rest"}})
    assert {key: bucket["doc_count"] for key, bucket in result["buckets"].items()} == {"novels": 3, "storms": 2, "rest": 4}


def test_missing(client, books):
    assert aggregate(client, books, {"missing": {"field": "genre"}})["doc_count"] == 0


def test_nested(client, books):
    result = aggregate(client, books, {"nested": {"path": "reviews"}, "aggs": {"stars": {"avg": {"field": "reviews.stars"}}}})
    assert result["doc_count"] == 8 and result["stars"]["value"] == pytest.approx(3.5)


def test_composite_to_the_end(client, books):
    seen, after = [], None
    for _ in range(10):
        composite = {"size": 2, "sources": [{"genre": {"terms": {"field": "genre"}}}]}
        if after:
            composite["after"] = after
        result = aggregate(client, books, {"composite": composite})
        seen += [(bucket["key"]["genre"], bucket["doc_count"]) for bucket in result["buckets"]]
        after = result.get("after_key")
        if not after:
            break
    assert seen == [("essay", 2), ("guide", 2), ("novel", 3), ("poetry", 2)]


def test_top_hits(client, books):
    top = {"top_hits": {"size": 1, "sort": [{"pages": "desc"}], "_source": ["title"]}}
    result = aggregate(client, books, {"terms": {"field": "genre"}, "aggs": {"longest": top}})
    longest = {bucket["key"]: bucket["longest"]["hits"]["hits"][0]["_id"] for bucket in result["buckets"]}
    assert longest == {"novel": "1", "essay": "8", "guide": "6", "poetry": "4"}


def test_significant_terms(client, books):
    result = aggregate(client, books, {"significant_terms": {"field": "tags", "min_doc_count": 1}}, {"term": {"genre": "guide"}})
    assert result["buckets"][0]["key"] == "food" and result["bg_count"] >= 9


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [
        ({"avg": {"field": "price"}}, {"value": 135.5 / 9}),
        ({"sum": {"field": "pages"}}, {"value": 2160}),
        ({"min": {"field": "price"}}, {"value": 5}),
        ({"max": {"field": "pages"}}, {"value": 600}),
        ({"value_count": {"field": "tags"}}, {"value": 14}),
        ({"cardinality": {"field": "author"}}, {"value": 5}),
        ({"stats": {"field": "pages"}}, {"count": 9, "min": 60, "max": 600, "avg": 240, "sum": 2160}),
    ],
    ids=lambda value: next(iter(value)),
)
def test_metric(client, books, aggregation, expected):
    result = aggregate(client, books, aggregation)
    assert {key: result[key] for key in expected} == pytest.approx(expected, rel=1e-6)


def test_extended_stats(client, books):
    result = aggregate(client, books, {"extended_stats": {"field": "pages"}})
    squares = sum(pages * pages for pages in (600, 200, 120, 80, 250, 140, 400, 310, 60))
    assert result["sum_of_squares"] == squares
    assert result["variance"] == pytest.approx(squares / 9 - 240 * 240)


def test_percentiles(client, books):
    result = aggregate(client, books, {"percentiles": {"field": "pages", "percents": [0, 50, 100]}})
    assert (result["values"]["0.0"], result["values"]["100.0"]) == (60, 600)
    assert 140 <= result["values"]["50.0"] <= 250


def test_typed_keys(client, books):
    response = client.search(index=books, size=0, aggs={"a": {"terms": {"field": "genre"}}, "b": {"avg": {"field": "price"}}}, typed_keys=True)
    assert set(response["aggregations"]) == {"sterms#a", "avg#b"}


def test_over_a_query(client, books):
    assert counts(aggregate(client, books, {"terms": {"field": "genre"}}, {"match": {"summary": "storm"}})) == {"novel": 1, "poetry": 1, "guide": 1, "essay": 1}
