"""A search page in Flask: full-text search with filters, facets, pages, and a page for each document."""

import os
import re

from elasticsearch import Elasticsearch
from flask import Flask, render_template_string, request

PAGE_SIZE = 3


class Search:
    """What the page needs of the engine."""

    def __init__(self, index="my_documents"):
        self.es = Elasticsearch(os.environ.get("BIFOCAL_URL", "http://127.0.0.1:9200"))
        self.index = index

    def create_index(self):
        self.es.indices.delete(index=self.index, ignore_unavailable=True)
        self.es.indices.create(index=self.index)

    def insert_documents(self, documents):
        operations = []
        for document in documents:
            operations.append({"index": {"_index": self.index}})
            operations.append(document)
        return self.es.bulk(operations=operations, refresh=True)

    def search(self, **query_args):
        return self.es.search(index=self.index, **query_args)

    def retrieve_document(self, id):
        return self.es.get(index=self.index, id=id)


def extract_filters(query):
    """`category:NAME` and a year in the search box become filters."""
    filters = []
    category = re.search(r"category:([^\s]+)\s*", query)
    if category:
        filters.append({"term": {"category.keyword": {"value": category.group(1)}}})
        query = query[: category.start()] + query[category.end() :]
    year = re.search(r"year:([^\s]+)\s*", query)
    if year:
        filters.append({"range": {"updated_at": {"gte": f"{year.group(1)}||/y", "lte": f"{year.group(1)}||/y"}}})
        query = query[: year.start()] + query[year.end() :]
    return {"filter": filters} if filters else {}, query.strip()


PAGE = """<!doctype html><title>Search</title>
<form method="post"><input name="query" value="{{ query }}"></form>
<p id="total">{{ total }} found, {{ from_ + 1 }} to {{ from_ + results|length }}</p>
{% for name, buckets in aggs.items() %}<ul id="{{ name }}">{% for key, count in buckets.items() %}<li>{{ key }}: {{ count }}</li>{% endfor %}</ul>{% endfor %}
<ol>{% for hit in results %}<li><a href="/document/{{ hit._id }}">{{ hit._source.name }}</a></li>{% endfor %}</ol>"""


def create_app(search):
    app = Flask(__name__)

    @app.post("/")
    def handle_search():
        query = request.form.get("query", "")
        filters, parsed = extract_filters(query)
        from_ = request.form.get("from_", type=int, default=0)
        must = {"must": {"multi_match": {"query": parsed, "fields": ["name", "summary", "content"]}}} if parsed else {"must": {"match_all": {}}}
        results = search.search(
            query={"bool": {**must, **filters}},
            aggs={
                "category-agg": {"terms": {"field": "category.keyword"}},
                "year-agg": {"date_histogram": {"field": "updated_at", "calendar_interval": "year", "format": "yyyy"}},
            },
            size=PAGE_SIZE,
            from_=from_,
        )
        aggs = {
            "Category": {bucket["key"]: bucket["doc_count"] for bucket in results["aggregations"]["category-agg"]["buckets"]},
            "Year": {bucket["key_as_string"]: bucket["doc_count"] for bucket in results["aggregations"]["year-agg"]["buckets"] if bucket["doc_count"]},
        }
        return render_template_string(
            PAGE, query=query, from_=from_, total=results["hits"]["total"]["value"], results=results["hits"]["hits"], aggs=aggs
        )

    @app.get("/document/<id>")
    def get_document(id):
        document = search.retrieve_document(id)["_source"]
        return render_template_string("<h1>{{ d.name }}</h1>{% for p in d.content.split('\n') %}<p>{{ p }}</p>{% endfor %}", d=document)

    return app
