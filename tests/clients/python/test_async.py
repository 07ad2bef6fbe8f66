"""The asynchronous client: many searches at once, and its helpers."""

import asyncio

from elasticsearch import AsyncElasticsearch
from elasticsearch.helpers import async_bulk, async_scan


def test_many_at_once(url, books):
    async def run():
        async with AsyncElasticsearch(url, request_timeout=60) as client:
            words = ["storm", "whale", "map", "bread", "letters", "gardens"] * 10
            found = await asyncio.gather(*(client.search(index=books, query={"match": {"title": word}}) for word in words))
            return [response["hits"]["hits"][0]["_id"] for response in found]

    assert asyncio.run(run()) == ["4", "1", "7", "3", "9", "5"] * 10


def test_helpers(url, scratch):
    async def run():
        async with AsyncElasticsearch(url, request_timeout=60) as client:
            await async_bulk(client, [{"_index": scratch, "_id": str(n), "n": n} for n in range(300)], refresh=True)
            return [hit["_id"] async for hit in async_scan(client, index=scratch, size=70)]

    assert sorted(asyncio.run(run()), key=int) == [str(n) for n in range(300)]
