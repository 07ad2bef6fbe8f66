"""Nine books whose answers can be worked out by hand, and their mapping."""

SETTINGS = {"number_of_shards": 1, "number_of_replicas": 0}

MAPPINGS = {
    "properties": {
        "title": {"type": "text", "fields": {"raw": {"type": "keyword"}, "typed": {"type": "search_as_you_type"}}},
        "summary": {"type": "text", "analyzer": "english", "copy_to": "meaning"},
        "meaning": {"type": "semantic_text"},
        "author": {"type": "keyword"},
        "genre": {"type": "keyword"},
        "tags": {"type": "keyword"},
        "pages": {"type": "integer"},
        "price": {"type": "float"},
        "published": {"type": "date"},
        "available": {"type": "boolean"},
        "popularity": {"type": "rank_feature"},
        "vector": {"type": "dense_vector", "dims": 3, "similarity": "cosine", "index_options": {"type": "hnsw"}},
        "reviews": {"type": "nested", "properties": {"reader": {"type": "keyword"}, "stars": {"type": "integer"}, "text": {"type": "text"}}},
    }
}


def _book(title, summary, author, genre, tags, pages, price, published, available, popularity, vector, reviews=()):
    return {
        "title": title,
        "summary": summary,
        "author": author,
        "genre": genre,
        "tags": tags,
        "pages": pages,
        "price": price,
        "published": published,
        "available": available,
        "popularity": popularity,
        "vector": vector,
        "reviews": [{"reader": reader, "stars": stars, "text": text} for reader, stars, text in reviews],
    }


BOOKS = {
    "1": _book(
        "The Whale Hunters", "Sailors chase a white whale across the seas.", "Ishmael Grey", "novel", ["sea", "classic"],
        600, 20.0, "1951-10-18", True, 90, [1.0, 0.0, 0.0], [("anna", 5, "a great hunt"), ("bob", 2, "too long")],
    ),
    "2": _book(
        "The Lighthouse Keeper", "An old keeper guards the coast from storms.", "Wanda Light", "novel", ["sea"],
        200, 10.0, "1960-05-01", True, 40, [0.9, 0.1, 0.0], [("carl", 4, "quiet and great")],
    ),
    "3": _book(
        "Bread for Beginners", "How to bake a loaf: flour, water, salt and an oven.", "Pat Miller", "guide", ["food"],
        120, 15.0, "1985-02-10", True, 70, [0.0, 1.0, 0.0], [("anna", 3, "tasty")],
    ),
    "4": _book(
        "The Storm", "A storm at sea, and what came of it.", "Wanda Light", "poetry", ["sea", "weather"],
        80, 5.0, "1987-07-20", False, 10, [0.8, 0.0, 0.6], [],
    ),
    "5": _book(
        "Gardens of Stone", "Walking through ruined gardens in the old cities.", "Omar Stone", "essay", ["travel"],
        250, 18.0, "1999-01-01", True, 55, [0.0, 0.6, 0.8], [("bob", 5, "walks well")],
    ),
    "6": _book(
        "Cooking at Sea", "Meals for sailors: one pot, no oven, a storm outside.", "Pat Miller", "guide", ["food", "sea"],
        140, 12.5, "2001-09-09", False, 30, [0.6, 0.8, 0.0], [],
    ),
    "7": _book(
        "A Map of Silence", "A cartographer looks for a town that is on no map.", "Omar Stone", "novel", ["travel", "classic"],
        400, 22.0, "2010-03-15", True, 65, [0.0, 0.0, 1.0], [("carl", 1, "no map, no end")],
    ),
    "8": _book(
        "Storm Warning", "The science of storms, told by the people who chase them.", "Ada Gale", "essay", ["weather", "science"],
        310, 25.0, "2015-11-30", True, 80, [0.7, 0.1, 0.7], [("anna", 4, "great storms"), ("carl", 4, "clear")],
    ),
    "9": _book(
        "Letters to Nobody", "Poems that were posted without an address.", "Ishmael Grey", "poetry", ["letters"],
        60, 8.0, "2020-06-01", True, 20, [0.1, 0.9, 0.4], [],
    ),
}


def ids(response):
    """The ids of the hits, best first."""
    return [hit["_id"] for hit in response["hits"]["hits"]]
