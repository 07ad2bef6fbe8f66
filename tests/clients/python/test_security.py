"""TLS, passwords, API keys and keys that may only read: run where BIFOCAL_SECURE_URL, BIFOCAL_CA, and the passwords are set."""

import asyncio
import os

import pytest
from elasticsearch import AsyncElasticsearch, AuthenticationException, AuthorizationException, ConnectionError, Elasticsearch

SECURE_URL = os.environ.get("BIFOCAL_SECURE_URL")
CA = os.environ.get("BIFOCAL_CA")
ADMIN = ("admin", os.environ.get("BIFOCAL_ADMIN_PASSWORD", ""))
READER = ("reader", os.environ.get("BIFOCAL_READER_PASSWORD", ""))

pytestmark = pytest.mark.skipif(SECURE_URL is None, reason="BIFOCAL_SECURE_URL is not set")


def connect(**options):
    return Elasticsearch(SECURE_URL, ca_certs=CA, **options)


def test_password_over_tls():
    with connect(basic_auth=ADMIN) as client:
        assert client.info()["version"]["number"]
        assert client.security.authenticate()["username"] == "admin"


def test_an_unknown_authority_is_refused_by_the_client():
    with Elasticsearch(SECURE_URL, basic_auth=ADMIN, max_retries=0) as client, pytest.raises(ConnectionError):
        client.info()


@pytest.mark.parametrize("options", [{}, {"basic_auth": ("admin", "wrong")}, {"basic_auth": ("nobody", "x")}, {"api_key": "bm90OmFrZXk="}])
def test_without_the_right_password(options):
    with connect(**options) as client, pytest.raises(AuthenticationException) as error:
        client.info()
    assert error.value.error == "security_exception"


def test_api_keys():
    with connect(basic_auth=ADMIN) as admin:
        made = admin.security.create_api_key(name="application")
        with connect(api_key=made["encoded"]) as client:
            client.index(index="secure", id="1", document={"a": 1}, refresh=True)
            assert client.count(index="secure")["count"] == 1
        with connect(api_key=(made["id"], made["api_key"])) as client:
            assert client.get(index="secure", id="1")["found"]
        assert admin.security.invalidate_api_key(ids=[made["id"]])["invalidated_api_keys"] == [made["id"]]
        with connect(api_key=made["encoded"]) as client, pytest.raises(AuthenticationException):
            client.info()


def test_a_reader_reads_and_writes_nothing():
    with connect(basic_auth=ADMIN) as admin:
        admin.index(index="secure", id="2", document={"a": 2}, refresh=True)
    with connect(basic_auth=READER) as reader:
        assert reader.get(index="secure", id="2")["_source"] == {"a": 2}
        assert reader.search(index="secure", query={"match_all": {}})["hits"]["total"]["value"] >= 1
        for write in (
            lambda: reader.index(index="secure", document={"a": 3}),
            lambda: reader.indices.create(index="secure-2"),
            lambda: reader.indices.delete(index="secure"),
            lambda: reader.bulk(operations=[{"delete": {"_index": "secure", "_id": "2"}}]),
            lambda: reader.delete_by_query(index="secure", query={"match_all": {}}),
        ):
            with pytest.raises(AuthorizationException):
                write()


def test_the_asynchronous_client():
    async def run():
        async with AsyncElasticsearch(SECURE_URL, ca_certs=CA, basic_auth=ADMIN) as client:
            return await client.info()

    assert asyncio.run(run())["tagline"] == "You Know, for Search"
