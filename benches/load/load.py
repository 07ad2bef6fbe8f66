"""Load on `bifocal serve` and on a real OpenSearch, one after the other: same machine, corpus, vectors and requests.

    make build opensearch                                # target/release/bifocal, target/opensearch
    python3 benches/load/load.py CORPUS [--seconds 10] [--engines bifocal,opensearch] [--limit DOCUMENTS] [--out FOLDER]

CORPUS is a BEIR folder (`corpus.jsonl`, `queries.jsonl`). Needs `wrk` (Debian: apt-get install wrk) and a JDK of 21 or later for
OpenSearch. README.md beside this file says what each figure is. Python's standard library alone.
"""

import argparse
import concurrent.futures
import glob
import http.client
import json
import os
import pathlib
import platform
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
INDEX = "load"
MODEL = "bge-small-en-v1.5"
DIMS = 384
BULK_SIZE = 500
CONNECTIONS = (1, 8, 64)
NUM_QUERIES = 1_000
OPENSEARCH_HEAP = "1g"


class Connection:
    """One connection that stays open. Answers are JSON; a status that is no success raises."""

    def __init__(self, port):
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=600)

    def ask(self, method, path, body=None, media_type="application/json"):
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        data = body.encode() if isinstance(body, str) else body
        self.http.request(method, path, data, {"content-type": media_type} if data else {})
        answer = self.http.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:500]!r}")
        return json.loads(text) if text else None


class Engine:
    """A process that is measured: started, asked, stopped."""

    name = ""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        self.process = None

    def start(self):
        """Starts the process. Returns seconds until the first answer to a search (or to `GET /` where no index is yet)."""
        begin = time.perf_counter()
        self.process = self.spawn()
        while True:
            try:
                connection = Connection(self.port)
                connection.ask("GET", "/")
                try:
                    connection.ask("POST", f"/{INDEX}/_search", {"query": {"match": {"text": "field"}}})
                except RuntimeError as error:
                    if "index_not_found" not in str(error):
                        raise
                return time.perf_counter() - begin
            except (OSError, RuntimeError, http.client.HTTPException):
                if self.process.poll() is not None or time.perf_counter() - begin > 180:
                    raise SystemExit(f"{self.name} did not start; see {self.folder}/log") from None
                time.sleep(0.002)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def memory(self):
        """Resident megabytes: (now, the most so far)."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        now, most = (int(re.search(rf"{key}:\s+(\d+)", status).group(1)) / 1024 for key in ("VmRSS", "VmHWM"))
        return now, most

    def log(self):
        return open(self.folder / "log", "ab")


class Bifocal(Engine):
    name = "bifocal"

    def spawn(self):
        command = [str(TARGET / "release/bifocal"), "serve", str(self.folder / "data"), "--port", str(self.port)]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log(), stderr=self.log(), env=environment())

    def version(self):
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True).stdout.strip()
        return f"Bifocal {Connection(self.port).ask('GET', '/')['version'].get('bifocal_version', '')} ({commit})"

    @staticmethod
    def definition():
        vector = {"type": "dense_vector", "dims": DIMS, "similarity": "cosine"}
        return {"settings": {"number_of_replicas": 0}, "mappings": {"properties": {"text": {"type": "text"}, "vector": vector}}}

    @staticmethod
    def hybrids(text, vector):
        match = {"match": {"text": text}}
        knn = {"field": "vector", "query_vector": vector, "k": 100, "num_candidates": 100}
        legs = [{"standard": {"query": match}}, {"knn": knn}]
        return {
            "hybrid sum": {"query": match, "knn": knn, "size": 10, "_source": False},
            "hybrid rrf": {"retriever": {"rrf": {"retrievers": legs, "rank_window_size": 100}}, "size": 10, "_source": False},
        }


class OpenSearch(Engine):
    name = "opensearch"

    def spawn(self):
        home = pathlib.Path(glob.glob(str(TARGET / "opensearch/*/ready"))[0]).parent
        command = [
            jdk(), f"-Xms{OPENSEARCH_HEAP}", f"-Xmx{OPENSEARCH_HEAP}", "--enable-native-access=ALL-UNNAMED", "--add-modules", "jdk.incubator.vector",
            "-cp", f"{home}/classes:{home}/lib/*", "OpenSearchNode", str(self.folder / "node"), str(self.port),
        ]  # fmt: skip
        # It ends with its standard input, so it cannot outlive this script.
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=self.log(), stderr=self.log())

    def version(self):
        java = subprocess.run([jdk(), "-version"], capture_output=True, text=True).stderr.splitlines()[0]
        return f"OpenSearch {Connection(self.port).ask('GET', '/')['version']['number']}, heap {OPENSEARCH_HEAP}, {java}"

    @staticmethod
    def definition():
        vector = {"type": "knn_vector", "dimension": DIMS, "method": {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"}}
        settings = {"index": {"number_of_replicas": 0, "number_of_shards": 1, "knn": True}}
        return {"settings": settings, "mappings": {"properties": {"text": {"type": "text"}, "vector": vector}}}

    @staticmethod
    def hybrids(text, vector):
        # Reciprocal rank fusion needs another plugin there; a sum of both scores is what its core has.
        legs = [{"match": {"text": text}}, {"knn": {"vector": {"vector": vector, "k": 100}}}]
        return {"hybrid sum": {"query": {"bool": {"should": legs}}, "size": 10, "_source": False}}


def environment():
    found = dict(os.environ)
    if "ORT_DYLIB_PATH" not in found:
        libraries = glob.glob(str(TARGET / "onnxruntime/*/libonnxruntime.so"))
        if libraries:
            found["ORT_DYLIB_PATH"] = libraries[0]
    return found


def jdk():
    for home in [os.environ.get("JAVA_HOME", ""), *sorted(glob.glob("/usr/lib/jvm/*"))]:
        release = pathlib.Path(home) / "release"
        version = re.search(r'JAVA_VERSION="(\d+)', release.read_text()) if home and release.exists() else None
        if version and int(version.group(1)) >= 21:
            return str(pathlib.Path(home) / "bin/java")
    raise SystemExit("no JDK of version 21 or later (JAVA_HOME, /usr/lib/jvm)")


def free_port():
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def read(corpus, limit):
    documents = []
    with open(corpus / "corpus.jsonl", encoding="utf-8") as file:
        for line in file:
            document = json.loads(line)
            documents.append((document["_id"], f"{document.get('title', '')} {document['text']}".strip()))
            if limit and len(documents) == limit:
                break
    queries = [json.loads(line)["text"] for line in open(corpus / "queries.jsonl", encoding="utf-8")]
    # The judged queries, and beginnings of documents until there are many different ones.
    rng = random.Random(6)
    while len(queries) < NUM_QUERIES:
        words = rng.choice(documents)[1].split()
        start = rng.randrange(max(1, len(words) - 6))
        queries.append(" ".join(words[start : start + 6]))
    return documents, queries[:NUM_QUERIES]


def vectors_of(texts, cache):
    """Embeds texts by `bifocal serve`; kept in a file, since it takes minutes."""
    if cache.exists():
        return json.loads(cache.read_text())
    print(f"embedding {len(texts)} texts with {MODEL} (once)", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        engine = Bifocal(folder)
        engine.start()
        connection, vectors = Connection(engine.port), []
        for start in range(0, len(texts), 64):
            answer = connection.ask("POST", f"/_inference/text_embedding/{MODEL}", {"input": texts[start : start + 64]})
            vectors += [[round(value, 5) for value in item["embedding"]] for item in answer["text_embedding"]]
        engine.stop()
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text(json.dumps(vectors))
    return vectors


def bulk_bodies(documents, vectors):
    lines = [
        f'{{"index":{{"_id":{json.dumps(identifier)}}}}}\n{json.dumps({"text": text, "vector": vector})}\n'
        for (identifier, text), vector in zip(documents, vectors)
    ]
    return ["".join(lines[start : start + BULK_SIZE]) for start in range(0, len(lines), BULK_SIZE)]


def write_all(port, bodies, num_clients):
    """Returns seconds; every document must be acknowledged."""

    def send(part):
        connection = Connection(port)
        for body in part:
            answer = connection.ask("POST", f"/{INDEX}/_bulk", body, "application/x-ndjson")
            assert not answer["errors"], answer["items"][0]

    begin = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(num_clients) as pool:
        list(pool.map(send, [bodies[client::num_clients] for client in range(num_clients)]))
    return time.perf_counter() - begin


def wrk(port, bodies, connections, seconds, folder):
    """Sends every body in turn, over and over. Returns requests a second, percentiles in milliseconds and errors."""
    requests = folder / "requests.txt"
    requests.write_text("\n".join(json.dumps(body) for body in bodies))
    command = ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "30s", "-s", str(HERE / "queries.lua"), f"http://127.0.0.1:{port}/{INDEX}/_search"]
    output = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "REQUESTS": str(requests)})
    found = re.search(r"RESULT (\{.*\})", output.stdout)
    if not found:
        raise SystemExit(f"wrk: {output.stdout} {output.stderr}")
    return json.loads(found.group(1))


def check_nothing_is_lost(port, documents):
    connection = Connection(port)
    connection.ask("POST", f"/{INDEX}/_refresh")
    count = connection.ask("GET", f"/{INDEX}/_count")["count"]
    missing = [identifier for identifier, text in random.Random(1).sample(documents, min(300, len(documents)))
               if connection.ask("GET", f"/{INDEX}/_doc/{identifier}")["_source"]["text"] != text]  # fmt: skip
    return len(documents) - count + len(missing)


def measure(engine, documents, vectors, queries, query_vectors, seconds):
    result = {"engine": engine.name, "searches": []}
    print(f"== {engine.name}", file=sys.stderr)
    result["start_empty_s"] = engine.start()
    result["version"] = engine.version()
    time.sleep(2)
    result["memory_empty_mb"] = engine.memory()[0]
    connection = Connection(engine.port)
    bodies = bulk_bodies(documents, vectors)
    for num_clients in (4, 1):
        # A first round, which is not counted, meets a cold process.
        if num_clients == 4:
            connection.ask("PUT", f"/{INDEX}", engine.definition())
            write_all(engine.port, bodies, 2)
        connection.ask("DELETE", f"/{INDEX}")
        connection.ask("PUT", f"/{INDEX}", engine.definition())
        elapsed = write_all(engine.port, bodies, num_clients)
        result[f"bulk_{num_clients}_clients_docs_per_s"] = len(documents) / elapsed
    result["lost_after_bulk"] = check_nothing_is_lost(engine.port, documents)
    connection.ask("POST", f"/{INDEX}/_forcemerge?max_num_segments=1")
    connection.ask("POST", f"/{INDEX}/_refresh")
    kinds = {"keyword": [{"query": {"match": {"text": text}}, "size": 10, "_source": False} for text in queries]}
    for text, vector in zip(queries, query_vectors):
        for kind, body in engine.hybrids(text, vector).items():
            kinds.setdefault(kind, []).append(body)
    for kind, requests in kinds.items():
        wrk(engine.port, requests, 8, 2 * seconds, engine.folder)  # warm
        for connections in CONNECTIONS:
            found = wrk(engine.port, requests, connections, seconds, engine.folder)
            result["searches"].append({"kind": kind, "connections": connections, **found})
            print(f"   {kind}, {connections}: {found}", file=sys.stderr)
    result["memory_under_load_mb"] = engine.memory()[1]

    # Searching while one client replaces documents as fast as it can.
    stop, written = threading.Event(), [0]

    def write():
        writer = Connection(engine.port)
        while not stop.is_set():
            for body in bodies:
                if stop.is_set():
                    break
                answer = writer.ask("POST", f"/{INDEX}/_bulk", body, "application/x-ndjson")
                assert not answer["errors"]
                written[0] += len(answer["items"])

    thread = threading.Thread(target=write)
    thread.start()
    found = wrk(engine.port, kinds["keyword"], 8, seconds, engine.folder)
    stop.set()
    thread.join()
    result["while_writing"] = {**found, "docs_per_s": written[0] / seconds}
    result["lost_after_writing"] = check_nothing_is_lost(engine.port, documents)
    result["memory_most_mb"] = engine.memory()[1]

    engine.stop()
    starts = []
    for _ in range(3):
        starts.append(engine.start())
        time.sleep(5)
        result["memory_idle_mb"] = engine.memory()[0]
        engine.stop()
    result["start_existing_s"] = sorted(starts)[1]
    return result


def machine():
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.processor())
    memory = int(re.search(r"MemTotal:\s+(\d+)", open("/proc/meminfo").read()).group(1)) / 1024 / 1024
    return f"{cpu}, {os.cpu_count()} cores, {memory:.0f} GiB"


def table(report):
    engines = report["engines"]
    rows = [["", *(engine["engine"] for engine in engines)]]

    def row(name, value):
        def cell(engine):
            found = value(engine)
            return "-" if found is None else found

        rows.append([name, *(cell(engine) for engine in engines)])

    def found(engine, kind, connections):
        return next((s for s in engine["searches"] if (s["kind"], s["connections"]) == (kind, connections)), None)

    row("version", lambda e: e["version"])
    row("start, no index", lambda e: f"{e['start_empty_s'] * 1000:.0f} ms")
    row("start to the first search, existing index", lambda e: f"{e['start_existing_s'] * 1000:.0f} ms")
    row("memory, no index", lambda e: f"{e['memory_empty_mb']:.0f} MB")
    row("memory, idle with the index", lambda e: f"{e['memory_idle_mb']:.0f} MB")
    row("memory, most", lambda e: f"{e['memory_most_mb']:.0f} MB")
    for clients in (1, 4):
        row(f"`_bulk`, {clients} client{'s' if clients > 1 else ''}", lambda e, c=clients: f"{e[f'bulk_{c}_clients_docs_per_s']:.0f} documents/s")
    kinds = list(dict.fromkeys(s["kind"] for engine in engines for s in engine["searches"]))
    for kind in kinds:
        for connections in CONNECTIONS:
            def cell(engine, kind=kind, connections=connections):
                s = found(engine, kind, connections)
                return s and f"{s['per_second']:.0f}/s, p50 {s['p50_ms']:.2f}, p99 {s['p99_ms']:.2f} ms"

            row(f"{kind}, {connections} connections", cell)
    row("keyword while writing, 8 connections", lambda e: f"{e['while_writing']['per_second']:.0f}/s, p99 {e['while_writing']['p99_ms']:.1f} ms; {e['while_writing']['docs_per_s']:.0f} documents/s written")
    row("errors", lambda e: sum(s["errors"] for s in [*e["searches"], e["while_writing"]]))
    row("lost documents", lambda e: e["lost_after_bulk"] + e["lost_after_writing"])
    head, *rest = rows
    lines = [f"| {' | '.join(map(str, head))} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(map(str, cells))} |" for cells in rest)]
    where = f"{report['corpus']}: {report['documents']} documents, {report['queries']} different queries, {report['seconds']} s each. {report['machine']}."
    return where + "\n\n" + "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=pathlib.Path)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--engines", default="bifocal,opensearch")
    parser.add_argument("--limit", type=int, help="documents")
    parser.add_argument("--out", type=pathlib.Path, default=TARGET / "load")
    arguments = parser.parse_args()
    if not shutil.which("wrk"):
        raise SystemExit("wrk is missing (Debian: apt-get install wrk)")
    documents, queries = read(arguments.corpus, arguments.limit)
    name = f"{arguments.corpus.name}-{len(documents)}"
    vectors = vectors_of([text for _, text in documents], TARGET / "load" / f"{name}.documents.json")
    query_vectors = vectors_of(queries, TARGET / "load" / f"{name}.queries.json")
    report = {
        "corpus": arguments.corpus.name, "documents": len(documents), "queries": len(queries), "seconds": arguments.seconds,
        "machine": machine(), "date": time.strftime("%Y-%m-%d %H:%M"), "engines": [],
    }  # fmt: skip
    known = {engine.name: engine for engine in (Bifocal, OpenSearch)}
    for engine in arguments.engines.split(","):
        with tempfile.TemporaryDirectory() as folder:
            running = known[engine](folder)
            try:
                report["engines"].append(measure(running, documents, vectors, queries, query_vectors, arguments.seconds))
            finally:
                if running.process and running.process.poll() is None:
                    running.stop()
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n")
    (arguments.out / f"{name}.md").write_text(table(report))
    print(table(report))
    bad = sum(s["errors"] for e in report["engines"] for s in [*e["searches"], e["while_writing"]])
    bad += sum(e["lost_after_bulk"] + e["lost_after_writing"] for e in report["engines"])
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
