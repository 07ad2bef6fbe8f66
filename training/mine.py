"""Hard negatives, by the engine's own two legs.

In: `passages.jsonl`, `train.jsonl`, `held_out.jsonl`, `unseen.jsonl` of pairs.py. Every query is run over the pool by
`bifocal run`: lexical, and dense with each bi-encoder asked for, one by default. The first bi-encoder is the teacher: its cosine says which
candidates are likely to answer the query as well as the positive does, and those are not used. Out, in the work
folder:

* `groups.train.jsonl`, `groups.held_out.jsonl`: `_id`, `query`, `source`, `passages` (ids, the positive first) and, a
  number a passage: `cosine` (the teacher's; null outside its best 100), `bm25` (null outside the best 50), `fused`
  (below);
* `runs/hybrid.MODEL.trec`: the fused order for the held-out and the unseen queries, for calibrate.py;
* `mine.json`: counts.

`fused` is the score that the plan `hybrid` would give: both legs' scores as z-scores over the leg's candidates,
weights .4 (lexical) and .6 (dense); a candidate that a leg missed has that leg's lowest z-score.

Usage: mine.py [--work DIR] [--bifocal PROGRAM] [--models NAME ...] [--negatives N] [--limit QUERIES]
"""

import argparse
import os
import random
import subprocess
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

import common
import mined

MODELS = ["bge-small-en-v1.5", "all-MiniLM-L6-v2"]
LEXICAL_DEPTH, DENSE_DEPTH, HYBRID_DEPTH = 50, 100, 100
# Candidates of each leg that z-scores are taken over.
FUSED_DEPTH = 50
WEIGHTS = {"lexical": 0.4, "dense": 0.6}
# A candidate whose cosine is above the positive's minus this is taken for an unmarked answer.
MARGIN = 0.02
# What is drawn for a group: how many, from which leg, between which ranks (from 1) after the unmarked answers are out.
DRAWS = [(3, "dense", 1, 30), (2, "lexical", 1, 30), (1, "either", 30, 50), (1, "random", 0, 0)]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--work", type=Path, default=common.WORK)
    arguments.add_argument(
        "--bifocal", default=os.environ.get("BIFOCAL", common.REPOSITORY / "target" / "release" / "bifocal")
    )
    arguments.add_argument(
        "--models", nargs="+", default=MODELS[:1], metavar="NAME", help="bi-encoders; the first is the teacher"
    )
    arguments.add_argument("--negatives", type=int, default=7, help="at most, a group")
    arguments.add_argument("--limit", type=int, help="queries of each kind at most; for trying things out")
    options = arguments.parse_args()
    outputs = {split: options.work / f"groups.{split}.jsonl" for split in ("train", "held_out")}
    if common.done(*outputs.values(), options.work / "mine.json"):
        return
    if mined.restore(options.work):
        print(f"taken from {mined.FOLDER}, which was mined from the same pairs")
        return
    bifocal = Bifocal(options.bifocal, options.work)
    pairs = {
        split: list(common.read_jsonl(options.work / f"{split}.jsonl"))[: options.limit]
        for split in (*outputs, "unseen")
    }
    asked = write_queries(options.work / "queries.mined.jsonl", pairs["train"] + pairs["held_out"])
    judged = write_queries(options.work / "queries.judged.jsonl", pairs["held_out"] + pairs["unseen"])

    dense = {}
    for model in options.models:
        index = bifocal.index(model, options.work / "passages.jsonl", "pool")
        dense[model] = bifocal.run(index, asked, "dense", DENSE_DEPTH, f"dense.{model}")
        bifocal.run(index, judged, "hybrid", HYBRID_DEPTH, f"hybrid.{model}")
    lexical = bifocal.run(index, asked, "lexical", LEXICAL_DEPTH, "lexical")
    dense = {model: read_run(path) for model, path in dense.items()}
    lexical = read_run(lexical)

    all_passages = [row["_id"] for row in common.read_jsonl(options.work / "passages.jsonl")]
    # What is held out or unseen is not seen in training, as a negative either.
    hidden_passages = {pair["positive"] for split in ("held_out", "unseen") for pair in pairs[split]}
    summary = {"models": options.models, "teacher": options.models[0], "margin": MARGIN, "draws": DRAWS}
    for split in outputs:
        rows, counts = pairs[split], defaultdict(Counter)
        hidden = hidden_passages if split == "train" else set()
        found = (
            group(
                pair,
                [run.get(pair["_id"], []) for run in dense.values()],
                lexical.get(pair["_id"], []),
                all_passages,
                hidden,
                options.negatives,
                counts[pair["source"]],
            )
            for pair in rows
        )
        common.write_jsonl(outputs[split], (one for one in found if one))
        summary[split] = {source: dict(count) for source, count in sorted(counts.items())}
        total = sum(counts.values(), Counter())
        print(
            f"{split}: {total['groups']} groups of {len(rows)} pairs, "
            f"{total['negatives'] / max(1, total['groups']):.1f} negatives each; "
            f"{total['positive not found']} without, the positive not being among the teacher's best {DENSE_DEPTH}; "
            f"{total['unmarked answers']} candidates taken for unmarked answers"
        )
    common.write_json(options.work / "mine.json", summary)
    if options.limit is None:
        common.write_json(common.FIGURES / "mine.json", summary)
        mined.keep(options.work)


def write_queries(path, pairs):
    common.write_jsonl(path, ({"_id": pair["_id"], "text": pair["text"]} for pair in pairs))
    return path


class Bifocal:
    """The engine's command line. What it made before is not made again."""

    def __init__(self, program, work):
        self.program, self.work = str(program), work

    def index(self, model, documents, name):
        """An index of JSON lines with a semantic view by `model`."""
        folder = self.work / f"{name}.{model}.idx"
        finished = self.work / f"{name}.{model}.done"
        if not finished.exists():
            self._call("index", folder, documents, "--model", model)
            finished.touch()
        return folder

    def run(self, index, queries, plan, depth, name):
        """A TREC run of `plan`."""
        path = self.work / "runs" / f"{name}.trec"
        if not path.exists():
            with common.writing(path) as out:
                self._call("run", index, "--queries", queries, "--plan", plan, "--depth", depth, stdout=out)
        return path

    def _call(self, *arguments, stdout=None):
        command = [self.program, *map(str, arguments)]
        started = time.monotonic()
        print("$", " ".join(command), flush=True)
        subprocess.run(command, check=True, stdout=stdout)
        print(f"  {time.monotonic() - started:.0f} s", flush=True)


def read_run(path):
    """Query -> [(passage, score)], best first."""
    run = defaultdict(list)
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            query, _, passage, _, score, _ = line.split()
            run[query].append((passage, float(score)))
    return run


def group(pair, dense, lexical, all_passages, hidden, num_negatives, count):
    """A group, or None where the positive is too far from the query for the teacher to judge the others.

    `dense`: [(passage, cosine)] by model, the teacher's first.
    """
    count["pairs"] += 1
    positive = pair["positive"]
    cosines, bm25 = dict(dense[0]), dict(lexical)
    if positive not in cosines:
        count["positive not found"] += 1
        return None
    known = {positive, *pair["also"]} | hidden
    unmarked = {passage for passage, cosine in dense[0] if cosine > cosines[positive] - MARGIN} - {positive}
    count["unmarked answers"] += len(unmarked - known)
    rng = random.Random(f"{common.SEED} {pair['_id']}")

    def candidates(run, first, last):
        usable = [passage for passage, _ in run if passage not in known and passage not in unmarked]
        return usable[first - 1 : last]

    negatives = []
    for number, leg, first, last in DRAWS:
        if leg == "random":
            choice = [
                passage
                for passage in rng.sample(all_passages, min(50, len(all_passages)))
                if passage not in cosines and passage not in bm25 and passage not in known
            ]
        else:
            runs = {"dense": dense, "lexical": [lexical], "either": [*dense, lexical]}[leg]
            choice = sorted({passage for run in runs for passage in candidates(run, first, last)})
        choice = [passage for passage in choice if passage not in negatives]
        negatives += rng.sample(choice, min(number, len(choice)))
    # Where a leg had too few, the best of the others fill up.
    for passage in (passage for run in (dense[0], lexical) for passage in candidates(run, 1, 100)):
        if len(negatives) >= num_negatives:
            break
        if passage not in negatives:
            negatives.append(passage)
    negatives = rng.sample(negatives, min(num_negatives, len(negatives)))
    if not negatives:
        count["no negatives"] += 1
        return None
    count["groups"] += 1
    count["negatives"] += len(negatives)
    passages = [positive, *negatives]
    return {
        "_id": pair["_id"],
        "query": pair["text"],
        "source": pair["source"],
        "passages": passages,
        "cosine": [cosines.get(passage) for passage in passages],
        "bm25": [bm25.get(passage) for passage in passages],
        "fused": [round(score, 4) for score in fused(passages, lexical[:FUSED_DEPTH], dense[0][:FUSED_DEPTH])],
    }


def fused(passages, lexical, dense):
    """The weighted sum of z-scores, a number a passage."""
    total = np.zeros(len(passages))
    for leg, run in (("lexical", lexical), ("dense", dense)):
        if len(run) < 2:
            continue
        scores = np.array([score for _, score in run])
        z = dict(zip((passage for passage, _ in run), (scores - scores.mean()) / (scores.std() or 1.0)))
        lowest = min(z.values())
        total += WEIGHTS[leg] * np.array([z.get(passage, lowest) for passage in passages])
    return total.tolist()


if __name__ == "__main__":
    main()
