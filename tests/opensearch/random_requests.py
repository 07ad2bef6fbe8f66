"""The same random requests to Bifocal and to a real OpenSearch; prints those that are answered differently, made as small as they get.

    bifocal serve DATA --port 9200                       # one terminal
    java -cp 'target/opensearch/VERSION/classes:target/opensearch/VERSION/lib/*' OpenSearchNode FOLDER 9201      # another
    python3 tests/opensearch/random_requests.py 9200 9201 --seed 1 --number 1000 --kind query

Kinds: query, aggregation, highlight, response, analysis. A seed always makes the same documents and requests. What OpenSearch is known
to do otherwise than Elasticsearch is levelled (`level`) or not asked for; cases worth keeping go to
`fixtures/es/differential/requests/found_at_random.yaml`. Python's standard library alone.
"""

import argparse
import copy
import http.client
import json
import math
import random
import sys

WORDS = (
    "storm storms stormy sea seas ship ships Shipping captain captains captain's light lights lighter lighthouse the a of and to in is was "
    "running run runs ran river rivers mountain mountains café naïve Straße 42 7 3.14 wi-fi well-known don't data_base foo.bar U.S.A. "
    "XML-http é 東京 東京都 quick quickly brown fox foxes jumps over lazy dog dogs Dog's"
).split()
KEYWORDS = ["red", "green", "blue", "Dark Blue", "light-green", "Ünï", "a b c", "zeta", "alpha1", "alpha10", "alpha2"]
TEXTS = ["text", "english", "text.prefixes", "english.same", "english.parts", "english.short"]
KEYWORD_FIELDS = ["key", "keys", "object.x", "text.whole"]
NUMBERS = ["number", "numbers", "fraction", "id", "object.y"]
MINIMA = [1, 2, "2", "-1", "50%", "-40%", "2<75%", "1<-1 4<60%", "3<90% 6<3"]


class Engine:
    """One server, asked over one connection."""

    def __init__(self, name, port):
        self.name, self.http = name, http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(self, method, path, body=None, media_type="application/json"):
        data = body if isinstance(body, (str, type(None))) else json.dumps(body)
        self.http.request(method, path, data and data.encode(), {"content-type": media_type} if data else {})
        answer = self.http.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None


def definition(is_opensearch):
    """The index; OpenSearch needs to be told to score as Elasticsearch does."""
    keyword = {"type": "keyword", **({"use_similarity": True} if is_opensearch else {})}
    similarity = {"similarity": {"default": {"type": "LegacyBM25"}}} if is_opensearch else {}
    analysis = {
        "analyzer": {
            "prefixes": {"type": "custom", "tokenizer": "standard", "filter": ["lowercase", "cut"]},
            "same": {"type": "custom", "tokenizer": "standard", "filter": ["lowercase", "synonyms"]},
            "parts": {"type": "custom", "tokenizer": "whitespace", "filter": ["word_delimiter_graph", "lowercase"]},
        },
        "filter": {
            "cut": {"type": "edge_ngram", "min_gram": 2, "max_gram": 5},
            "synonyms": {"type": "synonym_graph", "synonyms": ["ship, vessel of sea", "quick => fast", "dog, hound"]},
        },
    }
    text_fields = {
        "whole": {**keyword, "ignore_above": 40},
        "prefixes": {"type": "text", "analyzer": "prefixes", "search_analyzer": "standard"},
        "typed": {"type": "search_as_you_type"},
    }
    english_fields = {
        "same": {"type": "text", "analyzer": "standard", "search_analyzer": "same"},
        "parts": {"type": "text", "analyzer": "parts"},
        "short": {"type": "text", "analyzer": "simple", "norms": False},
    }
    properties = {
        "text": {"type": "text", "fields": text_fields},
        "english": {"type": "text", "analyzer": "english", "fields": english_fields},
        "key": keyword,
        "keys": keyword,
        "number": {"type": "integer"},
        "numbers": {"type": "long"},
        "fraction": {"type": "double"},
        "date": {"type": "date"},
        "truth": {"type": "boolean"},
        "ip": {"type": "ip"},
        "parts": {"type": "nested", "properties": {"text": {"type": "text"}, "number": {"type": "integer"}, "key": keyword}},
        "object": {"properties": {"x": keyword, "y": {"type": "short"}}},
        "id": {"type": "integer"},
    }
    index = {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1", **similarity}
    return {"settings": {"index": index, "analysis": analysis}, "mappings": {"properties": properties}}


class Maker:
    """Makes documents and requests of a random source."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.choice, self.chance = self.random.choice, lambda part: self.random.random() < part

    def words(self, number=None):
        return " ".join(self.choice(WORDS) for _ in range(number or self.choice([1, 1, 2, 2, 3, 4])))

    def text(self):
        signs = lambda word: word + (self.choice(".,!?;") if self.chance(0.12) else "")
        return " ".join(signs(self.choice(WORDS)) for _ in range(self.choice([1, 2, 3, 5, 8, 13, 30, 60])))

    def boosted(self, body):
        return {**body, "boost": self.choice([0.5, 2, 3.25])} if self.chance(0.25) else body

    def sometimes(self, **members):
        return {name: make() for name, (part, make) in members.items() if self.chance(part)}

    def document(self):
        integer = self.random.randint
        part = lambda: {"text": self.text(), "number": integer(0, 9), "key": self.choice(KEYWORDS)}
        moment = lambda: "20%02d-%02d-%02dT%02d:%02d:%02dZ" % (integer(18, 24), integer(1, 12), integer(1, 28), integer(0, 23), integer(0, 59), integer(0, 59))
        return {
            "id": integer(0, 10**6),
            **self.sometimes(
                text=(0.95, lambda: self.text() if self.chance(0.9) else [self.text(), self.text()]),
                english=(0.8, self.text),
                key=(0.8, lambda: self.choice(KEYWORDS)),
                keys=(0.5, lambda: [self.choice(KEYWORDS) for _ in range(integer(0, 4))]),
                number=(0.85, lambda: integer(-20, 50)),
                numbers=(0.4, lambda: [integer(0, 9) for _ in range(integer(1, 4))]),
                fraction=(0.8, lambda: round(self.random.uniform(-5, 20), self.choice([0, 1, 3])) + 0.0),
                date=(0.8, moment),
                truth=(0.7, lambda: self.chance(0.4)),
                ip=(0.5, lambda: "10.%d.%d.%d" % (integer(0, 2), integer(0, 3), integer(1, 250))),
                parts=(0.6, lambda: [part() for _ in range(integer(0, 4))]),
                object=(0.3, lambda: {"x": self.choice(KEYWORDS), "y": integer(0, 5)}),
            ),
        }

    def match(self, field):
        body = {
            "query": self.words(),
            **self.sometimes(
                operator=(0.3, lambda: self.choice(["and", "or"])),
                minimum_should_match=(0.25, lambda: self.choice(MINIMA)),
                fuzziness=(0.2, lambda: self.choice(["AUTO", 1, 2])),
                zero_terms_query=(0.1, lambda: "all"),
            ),
        }
        return {"match": {field: self.boosted(body)}}

    def phrase(self, field):
        word = self.choice(WORDS)
        text = self.choice([self.words(2), self.words(3), f"{word} {word}", f"{word} {self.words(1)} {word}"])
        return {"match_phrase": {field: self.boosted({"query": text, **self.sometimes(slop=(0.5, lambda: self.choice([1, 2, 5, 20])))})}}

    def beginning(self, field):
        kind, text = self.choice(["match_phrase_prefix", "match_bool_prefix"]), self.words()[:-1] or "s"
        return {kind: {field: self.boosted({"query": text})}}

    def multi(self, _):
        kind = self.choice(["best_fields", "most_fields", "phrase", "phrase_prefix", "bool_prefix"])
        fields = [field + self.choice(["", "^2", "^0.5"]) for field in self.random.sample(["text", "english", "english.short", "text.prefixes"], 2)]
        body = {
            "query": self.words(),
            "type": kind,
            "fields": fields,
            **self.sometimes(tie_breaker=(0.4, lambda: self.choice([0, 0.3, 1])), operator=(0.3, lambda: "and")),
        }
        return {"multi_match": self.boosted(body)}

    def written(self, field):
        word = lambda: self.choice("storm ship captain fox quick river dog".split())
        forms = [word, lambda: word() + "*", lambda: word() + "~1", lambda: f'"{word()} {word()}"~3', lambda: f"({word()} OR {word()})^2"]
        clauses = [self.choice(["", "+", "-", ""]) + self.choice(forms)() for _ in range(self.choice([1, 2, 3]))]
        return {"query_string": self.boosted({"query": self.choice([" ", " AND ", " OR "]).join(clauses), "default_field": field})}

    def keyword(self, field):
        key = self.choice(KEYWORDS)
        return self.choice(
            [
                {"term": {field: self.boosted({"value": key})}},
                {"terms": {field: [self.choice(KEYWORDS) for _ in range(3)]}},
                {"prefix": {field: {"value": key[:2]}}},
                {"wildcard": {field: {"value": "*" + key[:1] + "*"}}},
                {"regexp": {field: {"value": self.choice(["a.*", "[a-m].*", ".*e", "alpha[0-9]+", "(red|blue)", "alpha<1-20>"])}}},
                {"fuzzy": {field: {"value": key, "fuzziness": self.choice(["AUTO", 1, 2])}}},
                {"exists": {"field": field}},
            ]
        )

    def value(self, field):
        low, high = sorted([self.random.randint(-20, 50), self.random.randint(-20, 50)])
        return {"range": {field: self.boosted({self.choice(["gte", "gt"]): low, self.choice(["lte", "lt"]): high})}}

    def other(self, _):
        return self.choice(
            [
                {"range": {"date": {"gte": self.choice(["2019", "2020-05", "2022||/y", "2020-02-10||+1M/d"]), "lt": self.choice(["2023", "2022-07", "2023-06||/M"])}}},
                {"term": {"truth": True}},
                {"term": {"ip": "10.1.2.0/24"}},
                {"ids": {"values": [str(self.random.randint(0, 250)) for _ in range(4)]}},
                {"distance_feature": {"field": "date", "origin": "2022-01-01", "pivot": self.choice(["30d", "365d"])}},
                {"multi_match": {"query": self.words(2)[:-1], "type": "bool_prefix", "fields": ["text.typed", "text.typed._2gram", "text.typed._3gram"]}},
                {"match_phrase": {"text.typed": self.words(2)}},
                {"match_all": {}},
            ]
        )

    def leaf(self, nested=False):
        make = self.choice([self.match, self.match, self.phrase, self.beginning, self.keyword, self.value, *([] if nested else [self.multi, self.written, self.other])])
        texts, keywords, numbers = (["parts.text"], ["parts.key"], ["parts.number"]) if nested else (TEXTS, KEYWORD_FIELDS, NUMBERS)
        return make(self.choice({self.keyword: keywords, self.value: numbers}.get(make, texts)))

    def query(self, depth=0, nested=False):
        inner = lambda: self.query(depth + 1, nested)
        some = lambda most: [inner() for _ in range(self.random.randint(1, most))]
        shape = self.random.random()
        if depth >= 3 or shape < 0.45:
            return self.leaf(nested)
        if shape < 0.72:
            body = self.sometimes(must=(0.35, lambda: some(2)), should=(0.6, lambda: some(3)), filter=(0.35, lambda: some(2)), must_not=(0.35, lambda: some(2)))
            if "should" in body:
                body.update(self.sometimes(minimum_should_match=(0.4, lambda: self.choice([0, 1, 2, "-1", "50%"]))))
            return {"bool": self.boosted(body)}
        if shape < 0.77:
            return {"constant_score": self.boosted({"filter": inner()})}
        if shape < 0.83:
            return {"dis_max": self.boosted({"queries": some(3), **self.sometimes(tie_breaker=(0.6, lambda: self.choice([0.2, 0.7, 1.0])))})}
        if shape < 0.87:
            return {"boosting": self.boosted({"positive": inner(), "negative": inner(), "negative_boost": self.choice([0.2, 0.5, 0])})}
        if nested:
            return self.leaf(nested)
        if shape < 0.94:
            functions = [
                {"weight": self.choice([0.5, 2, 3])},
                {"field_value_factor": {"field": "id", "factor": 0.1, "modifier": self.choice(["log1p", "sqrt", "ln2p"]), "missing": 1}},
                {self.choice(["gauss", "exp", "linear"]): {"number": {"origin": 10, "scale": self.choice([3, 20]), "offset": 2}}},
                {self.choice(["gauss", "exp", "linear"]): {"date": {"origin": "2021-06-01", "scale": "400d"}}},
            ]
            chosen = [{**function, **self.sometimes(filter=(0.4, self.leaf))} for function in self.random.sample(functions, self.random.randint(1, 3))]
            modes = self.sometimes(
                score_mode=(0.6, lambda: self.choice(["multiply", "sum", "avg", "first", "max", "min"])),
                boost_mode=(0.6, lambda: self.choice(["multiply", "replace", "sum", "avg", "max", "min"])),
            )
            return {"function_score": self.boosted({"query": inner(), "functions": chosen, **modes})}
        return {"nested": self.boosted({"path": "parts", "query": self.query(depth + 1, True), "score_mode": self.choice(["avg", "sum", "max", "min", "none"])})}

    def sort(self):
        fields = self.random.sample(["number", "numbers", "fraction", "date", "key", "keys", "_score", "truth", "ip", "object.y"], self.random.randint(1, 2))
        return [{field: {"order": self.choice(["asc", "desc"])}} for field in fields] + [{"id": "asc"}, {"_doc": "asc"}]

    def aggregation(self, depth=0, nested=False):
        keywords, numbers = (["parts.key"], ["parts.number"]) if nested else (KEYWORD_FIELDS, NUMBERS)
        within = {"aggs": {f"s{at}": self.aggregation(depth + 1, nested) for at in range(self.random.randint(1, 2))}} if depth < 2 and self.chance(0.5) else {}
        order = lambda: self.choice([{"_key": "asc"}, {"_key": "desc"}, {"_count": "asc"}])
        terms = {"field": self.choice(keywords + numbers), "size": self.choice([2, 5, 20]), **self.sometimes(order=(0.3, order), min_doc_count=(0.2, lambda: self.choice([0, 2])))}
        dates = self.choice([{"calendar_interval": self.choice(["month", "quarter", "year", "week"])}, {"fixed_interval": self.choice(["30d", "100d", "720h"])}])
        zone = self.sometimes(time_zone=(0.4, lambda: self.choice(["Europe/Berlin", "-05:00"])), offset=(0.2, lambda: self.choice(["+6h", "-1d"])))
        metric = {self.choice(["avg", "sum", "min", "max", "stats", "extended_stats", "cardinality", "value_count"]): {"field": self.choice(numbers)}}
        kinds = [
            {"terms": terms},
            {"histogram": {"field": self.choice(numbers), "interval": self.choice([3, 5, 7.5]), "min_doc_count": self.choice([0, 1])}},
            {"range": {"field": self.choice(numbers), "ranges": [{"to": 3}, {"from": 3, "to": 7}, {"from": 7, "key": "high"}]}},
            {"filter": self.leaf(nested)},
            {"filters": {"filters": {"a": self.leaf(nested), "b": self.leaf(nested)}, "other_bucket": True}},
            {"missing": {"field": self.choice(keywords + numbers)}},
        ]
        if not nested:
            kinds.append({"date_histogram": {"field": "date", "min_doc_count": self.choice([0, 1]), **dates, **zone}})
            kinds.append({"multi_terms": {"terms": [{"field": "key"}, {"field": self.choice(["number", "truth"])}], "size": 5}})
        kind = self.choice(kinds + [None] * 3)
        if kind is None:
            return metric
        if not nested and self.chance(0.1):
            return {"nested": {"path": "parts"}, "aggs": {"inside": self.aggregation(depth + 1, True)}}
        return {**kind, **within}

    def request(self, kind):
        if kind == "query":
            collapse = (0.1, lambda: {"field": self.choice(["key", "number"])})
            body = {"size": self.choice([10, 60]), "_source": False, "query": self.query()}
            return {**body, **self.sometimes(sort=(0.3, self.sort), post_filter=(0.15, self.leaf), collapse=collapse, min_score=(0.1, lambda: 1))}
        if kind == "aggregation":
            return {"size": 0, "query": self.query(2), "aggs": {f"a{at}": self.aggregation() for at in range(self.random.randint(1, 2))}}
        if kind == "highlight":
            options = self.sometimes(
                fragment_size=(0.4, lambda: self.choice([20, 50, 150])), number_of_fragments=(0.4, lambda: self.choice([0, 1, 3])), no_match_size=(0.2, lambda: 30)
            )
            fields = {field: {"type": "plain", **options} for field in self.random.sample(["text", "english", "english.short"], 2)}
            return {"size": 40, "_source": False, "query": self.query(2), "highlight": {"fields": fields}, "sort": [{"id": "asc"}]}
        paths = ["text", "key*", "parts.*", "parts.text", "object", "object.x", "*", "date", "number*", "*.x"]
        inner = {"nested": {"path": "parts", "query": self.leaf(True), "inner_hits": {"size": 2, "_source": self.choice([False, ["parts.number"]])}}}
        group = {"field": "key", "inner_hits": {"name": "group", "size": 2, "sort": [{"id": "asc"}], "_source": ["id"]}}
        body = {"size": 5, "sort": [{"id": "asc"}], "query": self.choice([{"match_all": {}}, inner, self.query(2)])}
        columns = [{"field": "date", "format": "epoch_millis"}, {"field": "number", "format": "0000"}, "keys", "ip", "truth"]
        body["_source"] = self.choice([False, self.random.sample(paths, 2), {"includes": self.random.sample(paths, 2), "excludes": self.random.sample(paths, 2)}])
        values = self.sometimes(fields=(0.5, lambda: self.random.sample(["text", "key", "keys", "object.*", "date", "ip"], 3)), docvalue_fields=(0.4, lambda: columns))
        return {**body, **values, **self.sometimes(collapse=(0.2, lambda: group))}

    def analysis(self):
        tokenizers = ["standard", "whitespace", "letter", {"type": "ngram", "min_gram": 2, "max_gram": 3}, {"type": "pattern", "pattern": "[^a-zA-Z]+"}]
        filters = [
            *["lowercase", "asciifolding", "stop", "unique", "porter_stem", "word_delimiter_graph", "shingle", "cjk_bigram", "elision"],
            {"type": "stemmer", "language": self.choice("english light_german french light_spanish italian swedish russian".split())},
            {"type": "synonym_graph", "synonyms": ["usa, united states of america", "brown fox => reynard"]},
            {"type": "edge_ngram", "min_gram": 1, "max_gram": 3},
            {"type": "length", "min": 2, "max": 6},
            {"type": "pattern_replace", "pattern": "([aeiou])", "replacement": "<$1>"},
        ]
        chars = [[], [], ["html_strip"], [{"type": "mapping", "mappings": ["& => and", "é => e"]}]]
        return {"text": self.text(), "tokenizer": self.choice(tokenizers), "filter": self.random.sample(filters, self.choice([0, 1, 2, 3])), "char_filter": self.choice(chars)}


def level(answer):
    """Undoes what is known to differ: times and names, the greatest number of 32 bits for a missing integer."""
    if isinstance(answer, dict):
        return {name: level(value) for name, value in answer.items() if name not in ("took", "_shards", "_index", "_ignored", "terminated_early")}
    if isinstance(answer, list):
        return [level(value) for value in answer]
    return {2147483647: 2**63 - 1, -2147483648: -(2**63) + 1, -(2**63): -(2**63) + 1}.get(answer, answer) if type(answer) is int else answer


def ordered(answer):
    """Hits with (nearly) equal scores in one order: a last digit may turn them round."""
    hits = answer.get("hits", {}).get("hits", []) if isinstance(answer, dict) else []
    if hits and all(isinstance(hit.get("_score"), (int, float)) and "sort" not in hit for hit in hits):
        hits.sort(key=lambda hit: (-float("%.4g" % hit["_score"]), hit["_id"]))
    return answer


def difference(ours, theirs, path=""):
    """The first place where two answers differ, as a text; `None` where they do not."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in sorted(ours.keys() | theirs.keys()):
            if name not in ours or name not in theirs:
                return f"{path}/{name}: only in {'Bifocal' if name in ours else 'OpenSearch'}"
            if found := difference(ours[name], theirs[name], f"{path}/{name}"):
                return found
        return None
    if isinstance(ours, list) and isinstance(theirs, list):
        for at, (our, their) in enumerate(zip(ours, theirs)):
            if found := difference(our, their, f"{path}/{at}"):
                return found
        return None if len(ours) == len(theirs) else f"{path}: {len(ours)} and {len(theirs)} values"
    if type(ours) in (int, float) and type(theirs) in (int, float):
        same = math.isclose(ours, theirs, rel_tol=2e-5, abs_tol=1e-6)
    else:
        same = ours == theirs
    return None if same else f"{path}: {json.dumps(ours, ensure_ascii=False)[:200]} here, {json.dumps(theirs, ensure_ascii=False)[:200]} there"


def compared(engines, path, body):
    (our_status, ours), (their_status, theirs) = (engine.ask("POST", path, body) for engine in engines)
    if their_status >= 500 or (our_status >= 400 and their_status >= 400):
        return None
    if our_status != their_status:
        return f"status {our_status} here, {their_status} there: {json.dumps(ours if our_status >= 400 else theirs)[:300]}"
    return difference(ordered(level(ours)), ordered(level(theirs)))


def places(value, path=()):
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        yield (*path, name)
        yield from places(child, (*path, name))


def smaller(body):
    """The body without each of its parts, and with each part in place of what stands around it."""
    for place in sorted(places(body), key=len):
        for levels in range(1, min(5, len(place))):
            hoisted = copy.deepcopy(body)
            target, part = hoisted, hoisted
            for name in place:
                part = part[name]
            for name in place[: -levels - 1]:
                target = target[name]
            if isinstance(part, dict) and len(part) == 1:
                target[place[-levels - 1]] = part
                yield hoisted
        without = copy.deepcopy(body)
        target = without
        for name in place[:-1]:
            target = target[name]
        del target[place[-1]]
        yield without


def least(engines, path, body):
    """The body made small while the answers still differ in the same way: by their status, or by what they say."""
    is_refusal = compared(engines, path, body).startswith("status")
    going = True
    while going:
        going = False
        for candidate in smaller(body):
            found = compared(engines, path, candidate) if len(json.dumps(candidate)) < len(json.dumps(body)) else None
            if found and found.startswith("status") == is_refusal:
                body, going = candidate, True
                break
    return body


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("bifocal", type=int, help="the port of Bifocal")
    options.add_argument("opensearch", type=int, help="the port of OpenSearch")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--number", type=int, default=500, help="how many requests")
    options.add_argument("--documents", type=int, default=250)
    options.add_argument("--kind", choices=["query", "aggregation", "highlight", "response", "analysis"], default="query")
    options.add_argument("--show", type=int, default=10, help="how many differences are shown")
    chosen = options.parse_args()
    engines = [Engine("Bifocal", chosen.bifocal), Engine("OpenSearch", chosen.opensearch)]
    index, maker, bulk = f"random{chosen.seed}", Maker(chosen.seed), ""
    for number in range(chosen.documents):
        bulk += json.dumps({"index": {"_id": str(number)}}) + "\n" + json.dumps(maker.document()) + "\n"
    for engine in engines:
        engine.ask("DELETE", f"/{index}")
        status, answer = engine.ask("PUT", f"/{index}", definition(engine.name == "OpenSearch"))
        if status != 200:
            sys.exit(f"{engine.name} refuses the index: {answer}")
        status, answer = engine.ask("POST", f"/{index}/_bulk?refresh=true", bulk, "application/x-ndjson")
        if status != 200 or answer["errors"]:
            sys.exit(f"{engine.name} refuses documents: {json.dumps(answer)[:500]}")
    path, num_different = "/_analyze" if chosen.kind == "analysis" else f"/{index}/_search", 0
    for number in range(chosen.number):
        maker = Maker(f"{chosen.seed} {chosen.kind} {number}")
        body = maker.analysis() if chosen.kind == "analysis" else maker.request(chosen.kind)
        if not compared(engines, path, body):
            continue
        num_different += 1
        if num_different <= chosen.show:
            body = least(engines, path, body)
            print(f"{number}: {compared(engines, path, body)}\n    {json.dumps(body, ensure_ascii=False)}")
    print(f"{num_different} of {chosen.number} requests were answered differently")
    sys.exit(num_different > 0)


if __name__ == "__main__":
    main()
