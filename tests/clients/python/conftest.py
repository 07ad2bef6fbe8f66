"""Elasticsearch's own Python client against a running Bifocal.

BIFOCAL_URL names the server (`http://127.0.0.1:9200` where it is not set). `make test` runs this once with client 8 and once with 9:

    PYTHONPATH=target/clients/python-9 python3 -m pytest tests/clients/python
"""

import os

import pytest
from elasticsearch import Elasticsearch

from library import BOOKS, MAPPINGS, SETTINGS

URL = os.environ.get("BIFOCAL_URL", "http://127.0.0.1:9200")


@pytest.fixture(scope="session")
def url():
    return URL


@pytest.fixture(scope="session")
def client():
    with Elasticsearch(URL, request_timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def books(client):
    """The name of an index of the books; tests only read it."""
    name = "client-books"
    client.indices.delete(index=name, ignore_unavailable=True)
    client.indices.create(index=name, mappings=MAPPINGS, settings=SETTINGS)
    operations = []
    for identifier, book in BOOKS.items():
        operations += [{"index": {"_id": identifier}}, book]
    assert not client.bulk(index=name, operations=operations, refresh=True)["errors"]
    return name


@pytest.fixture
def scratch(client, request):
    """The name of an index that does not exist, for one test."""
    name = "scratch-" + "".join(c if c.isalnum() else "-" for c in request.node.name.lower())[:100]
    client.indices.delete(index=name, ignore_unavailable=True)
    yield name
    client.indices.delete(index=name, ignore_unavailable=True)
