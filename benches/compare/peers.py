"""Top 100 of one client in the process: `bifocal` beside other engines, same documents, same vectors, same run.

    python3 -m venv .venv && .venv/bin/pip install -r benches/compare/requirements-peers.txt
    .venv/bin/python benches/compare/peers.py ../shared/collections/vaswani_npl [--model all-MiniLM-L6-v2] [--engines sqlite,lancedb]

Runs `cargo bench --bench engine` over the BEIR folder, which measures bifocal and writes its stored vectors; then every peer
indexes the same titles and texts with these vectors and answers the same queries with the query's vector given. p50 and p95
of a call, in milliseconds, over rounds after one that does not count; what comes back are ids and scores.

| engine | lexical | dense | hybrid |
|---|---|---|---|
| sqlite | FTS5, porter stemmer, words joined by OR, bm25() | sqlite-vec, vec0 table, exact | the two, fused in Python |
| lancedb | its full-text index, english stemmer | exact (flat) search | its own RRFReranker |
| libraries | bm25s without numba, english stemmer | hnswlib, m 16, ef_construction 100, ef 150 | the two, fused in Python |
| tantivy-py | tantivy's en_stem, words joined by OR | none | none |

Fusion is reciprocal rank fusion with constant 60. A document with several passages counts by its best, so peers are asked for
as many passages as it takes on average. Vector order is checked against numpy first: `overlap` is the mean share of the exact
top 100 that the engine's dense leg returned. Peers are called from Python, as their users call them, so a call costs them some
tens of microseconds more than it costs bifocal, which is called from Rust. Leaves out: memory, several clients, filters.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[2]
DEPTH = 100
SEARCHES = 1000
RANK_CONSTANT = 60


class Corpus:
    """Documents, queries and their vectors, as the engine bench wrote them."""

    def __init__(self, folder, exported):
        about = json.loads((exported / "about.json").read_text(encoding="utf-8"))
        self.dims = about["dims"]
        self.queries = about["queries"]
        self.query_vectors = np.fromfile(exported / "queries.f32", "<f4").reshape(-1, self.dims)
        vectors = np.fromfile(exported / "passages.f32", "<f4").reshape(-1, self.dims)
        texts = {}
        with (folder / "corpus.jsonl").open(encoding="utf-8") as lines:
            for line in lines:
                document = json.loads(line)
                texts[str(document["_id"])] = f"{document.get('title') or ''} {document.get('text') or ''}".strip()
        self.ids = list(texts)
        self.texts = list(texts.values())
        number = {document: place for place, document in enumerate(self.ids)}
        self.vectors = vectors
        # Which document, by its place, a passage is of.
        self.owners = np.array([number[document] for document in about["documents"]])
        self.passage_depth = min(len(vectors), -(-DEPTH * len(vectors) // len(self.ids)))

    def documents(self, passages):
        """Passages, best first, to their documents, each once."""
        return list(dict.fromkeys(self.owners[passages].tolist()))[:DEPTH]

    def exact(self):
        scores = self.query_vectors @ self.vectors.T
        best = np.argsort(-scores, axis=1)[:, : self.passage_depth]
        return [set(self.documents(row)) for row in best]


def fuse(*lists):
    scores = {}
    for ids in lists:
        for rank, document in enumerate(ids, 1):
            scores[document] = scores.get(document, 0.0) + 1 / (RANK_CONSTANT + rank)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:DEPTH]


class Sqlite:
    name = f"SQLite FTS5, sqlite-vec {version('sqlite-vec')}"

    def __init__(self, corpus, folder):
        # Python's own sqlite3 is often built without loadable extensions.
        import apsw
        import sqlite_vec

        self.corpus = corpus
        self.database = apsw.Connection(str(folder / "peer.db"))
        self.database.enable_load_extension(True)
        self.database.load_extension(sqlite_vec.loadable_path())
        self.database.execute("BEGIN")
        self.database.execute(
            "CREATE VIRTUAL TABLE texts USING fts5(body, tokenize = 'porter unicode61');"
            f"CREATE VIRTUAL TABLE vectors USING vec0(embedding float[{corpus.dims}] distance_metric=cosine);"
        )
        self.database.executemany("INSERT INTO texts(rowid, body) VALUES (?, ?)", enumerate(corpus.texts))
        rows = ((place, vector.tobytes()) for place, vector in enumerate(corpus.vectors))
        self.database.executemany("INSERT INTO vectors(rowid, embedding) VALUES (?, ?)", rows)
        self.database.execute("INSERT INTO texts(texts) VALUES ('optimize')")
        self.database.execute("COMMIT")

    def lexical(self, text, _):
        words = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", text))
        rows = self.database.execute(
            "SELECT rowid, rank FROM texts WHERE texts MATCH ? ORDER BY rank LIMIT ?", (words, DEPTH)
        )
        return [row[0] for row in rows.fetchall()]

    def dense(self, _, vector):
        rows = self.database.execute(
            "SELECT rowid, distance FROM vectors WHERE embedding MATCH ? AND k = ? ORDER BY distance",
            (vector.tobytes(), self.corpus.passage_depth),
        )
        return self.corpus.documents([row[0] for row in rows.fetchall()])

    def hybrid(self, text, vector):
        return fuse(self.lexical(text, vector), self.dense(text, vector))


class LanceDb:
    name = f"LanceDB {version('lancedb')}"

    def __init__(self, corpus, folder):
        # It warns at every query otherwise.
        os.environ.setdefault("LANCEDB_LOG", "error")
        import lancedb
        from lancedb.rerankers import RRFReranker

        self.corpus = corpus
        self.reranker = RRFReranker(K=RANK_CONSTANT)
        # A passage a row; its text is its document's.
        rows = [
            {"place": place, "body": corpus.texts[owner], "vector": vector}
            for place, (owner, vector) in enumerate(zip(corpus.owners, corpus.vectors))
        ]
        self.table = lancedb.connect(folder / "lance").create_table("passages", rows)
        self.table.create_fts_index("body", language="English", stem=True)

    def lexical(self, text, _):
        query = self.table.search(re.sub(r"\W+", " ", text), query_type="fts", fts_columns="body")
        return self.answer(query.select(["place", "_score"]))

    def dense(self, _, vector):
        query = self.table.search(vector, query_type="vector", vector_column_name="vector").distance_type("cosine")
        return self.answer(query.select(["place", "_distance"]))

    def hybrid(self, text, vector):
        query = self.table.search(query_type="hybrid", fts_columns="body", vector_column_name="vector")
        query = query.vector(vector).text(re.sub(r"\W+", " ", text)).distance_type("cosine").rerank(self.reranker)
        return self.answer(query.select(["place"]))

    def answer(self, query):
        rows = query.limit(self.corpus.passage_depth).to_arrow()
        return self.corpus.documents(rows["place"].to_numpy())


class Libraries:
    name = f"bm25s {version('bm25s')}, hnswlib {version('hnswlib')}"

    def __init__(self, corpus, _):
        import bm25s
        import hnswlib
        import Stemmer

        self.corpus = corpus
        stemmer = Stemmer.Stemmer("english")
        self.tokenize = lambda texts: bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, show_progress=False)
        self.bm25 = bm25s.BM25()
        self.bm25.index(self.tokenize(corpus.texts), show_progress=False)
        self.graph = hnswlib.Index(space="cosine", dim=corpus.dims)
        self.graph.init_index(max_elements=len(corpus.vectors), M=16, ef_construction=100, random_seed=1)
        self.graph.add_items(corpus.vectors)
        self.graph.set_ef(max(150, corpus.passage_depth))

    def lexical(self, text, _):
        places, _ = self.bm25.retrieve(self.tokenize([text]), k=DEPTH, show_progress=False)
        return places[0].tolist()

    def dense(self, _, vector):
        labels, _ = self.graph.knn_query(vector, k=self.corpus.passage_depth)
        return self.corpus.documents(labels[0])

    def hybrid(self, text, vector):
        return fuse(self.lexical(text, vector), self.dense(text, vector))


class TantivyPy:
    name = f"tantivy-py {version('tantivy')}"
    dense = hybrid = None

    def __init__(self, corpus, folder):
        import tantivy

        builder = tantivy.SchemaBuilder()
        builder.add_integer_field("place", stored=False, indexed=False, fast=True)
        builder.add_text_field("body", tokenizer_name="en_stem")
        (folder / "tantivy").mkdir()
        self.index = tantivy.Index(builder.build(), path=str(folder / "tantivy"))
        writer = self.index.writer(num_threads=1)
        for place, text in enumerate(corpus.texts):
            writer.add_document(tantivy.Document(place=place, body=text))
        writer.commit()
        writer.wait_merging_threads()
        self.index.reload()
        self.searcher = self.index.searcher()

    def lexical(self, text, _):
        query = self.index.parse_query(" ".join(re.findall(r"\w+", text)).lower(), ["body"])
        return [address for _, address in self.searcher.search(query, DEPTH, count=False).hits]


ENGINES = {"sqlite": Sqlite, "lancedb": LanceDb, "libraries": Libraries, "tantivy": TantivyPy}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("collection", type=Path, help="a folder in BEIR layout")
    arguments.add_argument("--model", default="all-MiniLM-L6-v2", help="the bi-encoder that makes the vectors")
    arguments.add_argument("--engines", default=",".join(ENGINES), help="some of " + ", ".join(ENGINES))
    options = arguments.parse_args()
    if unknown := set(options.engines.split(",")) - set(ENGINES):
        sys.exit(f"no engine {', '.join(unknown)}; there are {', '.join(ENGINES)}")
    options.collection = options.collection.resolve()

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        ours = run_bifocal(options, folder)
        corpus = Corpus(options.collection, folder / f"{options.collection.name}-{options.model}")
        print(f"\nmachine   {cpu()}, {len(os.sched_getaffinity(0))} cores; Python {platform.python_version()}")
        print(f"corpus    {options.collection.name}: {len(corpus.texts)} documents, {len(corpus.vectors)} vectors of", end=" ")
        print(f"{corpus.dims} dimensions ({options.model}), {len(corpus.queries)} queries, top {DEPTH}\n")
        print(f"{'p50 (p95), ms':<34}{'lexical':>16}{'dense':>16}{'hybrid':>16}{'overlap':>9}")
        print(f"{'bifocal':<34}" + "".join(cell(ours[plan]) for plan in ("lexical", "dense", "hybrid")))
        exact = corpus.exact()
        for name in options.engines.split(","):
            place = folder / name
            place.mkdir()
            engine = ENGINES[name](corpus, place)
            cells = [cell(measure(getattr(engine, leg), corpus)) for leg in ("lexical", "dense", "hybrid")]
            print(f"{engine.name:<34}{''.join(cells)}{overlap(engine, corpus, exact):>9}", flush=True)


def run_bifocal(options, folder):
    """Measures bifocal; its vectors lie in the folder afterwards."""
    command = ["cargo", "bench", "--quiet", "--bench", "engine", "--", str(options.collection)]
    command += ["--models", options.model, "--export", str(folder)]
    subprocess.run(command, cwd=REPOSITORY, check=True)
    figures = json.loads((folder / "engine.json").read_text(encoding="utf-8"))
    return {figure["what"]: (figure["p50_ms"], figure["p95_ms"]) for figure in figures if "p50_ms" in figure}


def measure(search, corpus):
    if search is None:
        return None
    times = []
    for round_number in range(1 + max(3, -(-SEARCHES // len(corpus.queries)))):
        for text, vector in zip(corpus.queries, corpus.query_vectors):
            started = time.perf_counter()
            search(text, vector)
            took = time.perf_counter() - started
            if round_number > 0:
                times.append(took * 1e3)
    return statistics.median(times), statistics.quantiles(times, n=20)[-1]


def overlap(engine, corpus, exact):
    if engine.dense is None:
        return ""
    found = [engine.dense(text, vector) for text, vector in zip(corpus.queries, corpus.query_vectors)]
    shares = [len(best.intersection(answer)) / len(best) for best, answer in zip(exact, found)]
    return f"{statistics.mean(shares):.3f}"


def cell(times):
    return f"{'-':>16}" if times is None else f"{f'{times[0]:.2f} ({times[1]:.2f})':>16}"


def cpu():
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


if __name__ == "__main__":
    main()
