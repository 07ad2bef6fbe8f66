"""Pairs a second: the engine with the int8 models, beside sentence-transformers' CrossEncoder (PyTorch, fp32) with the
6-layer weights.

Same texts, same threads, both in turn, the median of several rounds. Two loads:

* `pairs of 128 tokens`: one query, passages cut so that every pair has exactly 128 tokens;
* `fused top 50`: held-out questions, each with the 50 best passages that the engine's plan `hybrid` finds for it
  (mixed lengths).

The engine's time is that of the stage `rerank` as `bifocal search --json` reports it, for the second search of a
process; the other's is that of `CrossEncoder.predict` with the batch size given, tokenisation included in both.

Out: `WORK/speed.json`, and the same in `training/figures/`.

Usage: speed.py [--work DIR] [--bifocal PROGRAM] [--threads N] [--batch-sizes 1 8 32]
"""

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer

import common
from mine import MODELS, Bifocal, read_run
from pair_tokens import TOKENIZER

PAIR_TOKENS, NUM_EXACT = 128, 200
NUM_POOL, NUM_QUERIES, DEPTH, MAX_PASSAGE_TOKENS = 3000, 20, 50, 230
# Every passage of the first load begins with its first word, so that the lexical leg finds all of them.
EXACT_QUERY = "history of the old town and its harbour"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--work", type=Path, default=common.WORK)
    arguments.add_argument(
        "--bifocal", default=os.environ.get("BIFOCAL", common.REPOSITORY / "target" / "release" / "bifocal")
    )
    arguments.add_argument("--models-dir", type=Path, default=common.REPOSITORY / "models")
    arguments.add_argument("--figures", type=Path, default=common.FIGURES)
    arguments.add_argument("--reference", default="bifocal-reranker-small", help="whose weights PyTorch runs")
    arguments.add_argument("--rerankers", nargs="+", default=["bifocal-reranker-small", "bifocal-reranker-tiny"])
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--batch-sizes", type=int, nargs="+", default=[8, 32], help="of PyTorch; the fastest counts")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--num-queries", type=int, default=NUM_QUERIES)
    options = arguments.parse_args()
    out = options.work / "speed.json"
    if common.done(out):
        return
    os.environ["BIFOCAL_THREADS"] = str(options.threads)
    torch.set_num_threads(options.threads)
    from sentence_transformers import CrossEncoder

    peer = CrossEncoder(str(options.work / options.reference / "calibrated"), device="cpu", max_length=256)
    work = options.work / "speed"
    work.mkdir(parents=True, exist_ok=True)
    bifocal = Bifocal(options.bifocal, work)
    report = {
        "cpu": cpu(),
        "threads": options.threads,
        "torch": torch.__version__,
        "rounds": options.rounds,
        "loads": {},
    }
    loads = {"pairs of 128 tokens": exact_load(bifocal, options), "fused top 50": fused_load(bifocal, options)}
    for name, (index, legs, texts) in loads.items():
        num_pairs = sum(map(len, texts.values()))
        seconds = {f"PyTorch fp32, batches of {size}": [] for size in options.batch_sizes} | {
            reranker: [] for reranker in options.rerankers
        }
        for _ in range(options.rounds):
            for size in options.batch_sizes:
                seconds[f"PyTorch fp32, batches of {size}"].append(by_peer(peer, texts, size))
            for reranker in options.rerankers:
                seconds[reranker].append(by_engine(options, index, legs, reranker, texts))
        rates = {system: round(num_pairs / statistics.median(times), 1) for system, times in seconds.items()}
        best = max(rate for system, rate in rates.items() if system.startswith("PyTorch"))
        times_faster = {reranker: round(rates[reranker] / best, 2) for reranker in options.rerankers}
        report["loads"][name] = {"pairs": num_pairs, "pairs_per_s": rates, "times_faster": times_faster}
        print(name, json.dumps(report["loads"][name]))
    common.write_json(out, report)
    common.write_json(options.figures / "speed.json", report)


def cpu():
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    names = {line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")}
    flags = {
        flag
        for line in lines
        if line.startswith("flags")
        for flag in line.split()
        if flag in ("avx2", "avx512_vnni", "avx512_bf16")
    }
    return ", ".join([*(sorted(names) or [platform.processor()]), *sorted(flags)])


def exact_load(bifocal, options):
    """An index whose passages all make pairs of 128 tokens with the query."""
    tokenizer = Tokenizer.from_file(str(TOKENIZER))
    tokenizer.no_truncation()
    wanted = PAIR_TOKENS - 3 - len(tokenizer.encode(EXACT_QUERY, add_special_tokens=False).ids)
    texts = []
    for row in common.read_jsonl(options.work / "passages.jsonl"):
        encoding = tokenizer.encode("history " + row["text"], add_special_tokens=False)
        if len(encoding.ids) > wanted:
            cut = ("history " + row["text"])[: encoding.offsets[wanted - 1][1]]
            if len(tokenizer.encode(EXACT_QUERY, cut).ids) == PAIR_TOKENS:
                texts.append(cut)
        if len(texts) == NUM_EXACT:
            break
    documents = bifocal.work / "exact.jsonl"
    common.write_jsonl(documents, ({"_id": f"e{number:04}", "text": text} for number, text in enumerate(texts)))
    legs = [{"lexical": {"depth": NUM_EXACT}}]
    return bifocal.index(MODELS[1], documents, "exact"), legs, {EXACT_QUERY: texts}


def fused_load(bifocal, options):
    """Held-out questions over a part of the pool, and the best passages of each."""
    rng = random.Random(common.SEED)
    tokenizer = Tokenizer.from_file(str(TOKENIZER))
    tokenizer.no_truncation()
    passages = [row for row in common.read_jsonl(options.work / "passages.jsonl")]
    rng.shuffle(passages)
    # No passage is so long that the engine cuts it in two: both sides read the same texts.
    pool = [row for row in passages[: 2 * NUM_POOL] if len(tokenizer.encode(row["text"]).ids) <= MAX_PASSAGE_TOKENS][
        :NUM_POOL
    ]
    queries = [
        {"_id": pair["_id"], "text": pair["text"]} for pair in common.read_jsonl(options.work / "held_out.jsonl")
    ]
    queries = rng.sample(queries, min(options.num_queries, len(queries)))
    common.write_jsonl(bifocal.work / "pool.jsonl", pool)
    common.write_jsonl(bifocal.work / "queries.jsonl", queries)
    index = bifocal.index(MODELS[1], bifocal.work / "pool.jsonl", "fused")
    run = read_run(bifocal.run(index, bifocal.work / "queries.jsonl", "hybrid", 100, "fused"))
    text = {row["_id"]: row["text"] for row in pool}
    found = {query["text"]: [text[passage] for passage, _ in run[query["_id"]][:DEPTH]] for query in queries}
    return index, [{"lexical": {}}, {"dense": {}}], found


def by_peer(peer, texts, batch_size):
    """Seconds for all pairs, a call a query."""
    first = next(iter(texts))
    peer.predict([(first, texts[first][0])] * 2, show_progress_bar=False)
    started = time.perf_counter()
    for query, passages in texts.items():
        peer.predict([(query, passage) for passage in passages], batch_size=batch_size, show_progress_bar=False)
    return time.perf_counter() - started


def by_engine(options, index, legs, reranker, texts):
    """Seconds of the stage `rerank` for all pairs, a search a query."""
    plan = options.work / "speed" / f"{reranker}.{len(legs)}.json"
    depth = max(map(len, texts.values()))
    fusion = {"fusion": {"weighted_sum": {"normalizer": "z_score"}}} if len(legs) > 1 else {}
    common.write_json(
        plan,
        {
            "name": "speed",
            "legs": legs,
            **fusion,
            "size": 1,
            "rerank": {"model": str((options.models_dir / reranker).resolve()), "rerank_depth": depth},
        },
    )
    total = 0.0
    for query, passages in texts.items():
        command = [str(options.bifocal), "search", str(index), query, "--plan", f"{plan},{plan}", "--json"]
        answers = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
        stage = next(stage for stage in json.loads(answers[-1])["cost"]["stages"] if stage["name"] == "rerank")
        if stage["passages"] != len(passages):
            raise SystemExit(f"the engine read {stage['passages']} passages for {query!r}, PyTorch {len(passages)}")
        total += stage["took_ms"] / 1000
    return total


if __name__ == "__main__":
    main()
